/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The library's side of `vmarea diff --touch`: loads and stores, by one of three ways to the same
 * pages, and which pages are there.
 *
 * A load or store of 1, 2, 4 or 8 bytes is one access of a processor, which happens as a whole or
 * not at all, although it may have brought the first of two pages in before the second was refused.
 * Of another number of bytes it is a copy, byte by byte, which ends at the first that is refused.
 *
 *	copy	one access		a fault for each page, in order; then mm_read(), mm_write()
 *		several			mm_read(), mm_write()
 *	soft	one, or each of several	soft_tlb_load(), soft_tlb_store()
 *	host	one, or each of several	a plain load or store at host_window_at()
 *
 * The windows cover where the calls are made on purpose, and where the kernel puts what has no
 * hint; an access elsewhere goes the first way.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cmds.h"
#include "diff.h"
#include "diff_bytes.h"
#include "diff_text.h"

#define WINDOW_BYTES	(256ul << 20)
#define WINDOW_AREAS	1024		/* of this process, for each */
#define TLB_LOG2	8
#define HUGE_PAGE	(2ul << 20)

/* One access, or a byte of several. */
struct reach {
	uint64_t addr;
	unsigned int bytes;
	bool store;
	uint64_t value;			/* to be stored, or loaded */
	uint64_t bad;			/* the address that was refused */
};

static _Noreturn void defect(const char *what, long result)
{
	cli_error("diff", "%s: %ld", what, result);
	exit(EXIT_DEFECT);
}

static enum mm_access kind_of(const struct reach *r)
{
	return r->store ? MM_ACCESS_WRITE : MM_ACCESS_READ;
}

/* ---------------------------------------------------------------------------------- copy -- */

static enum mm_fault reach_by_copy(struct mm_user *mm, struct reach *r)
{
	uint64_t last = r->addr + r->bytes - 1;
	enum mm_fault fault;

	r->bad = r->addr;
	fault = mm_handle_fault(mm, r->addr, kind_of(r));
	if (fault == MM_FAULT_DONE && (r->addr ^ last) >= DIFF_PAGE) {
		r->bad = last & ~(DIFF_PAGE - 1);
		fault = mm_handle_fault(mm, last, kind_of(r));
	}
	if (fault != MM_FAULT_DONE)
		return fault;
	if ((r->store ? mm_write(mm, r->addr, &r->value, r->bytes, &fault) :
	     mm_read(mm, r->addr, &r->value, r->bytes, &fault)) != r->bytes)
		defect("an access that had been possible", fault);
	return fault;
}

static enum mm_fault copy_several(struct mm_user *mm, struct reach *r)
{
	enum mm_fault fault;
	size_t n = r->store ? mm_write(mm, r->addr, &r->value, r->bytes, &fault) :
		   mm_read(mm, r->addr, &r->value, r->bytes, &fault);

	r->bad = r->addr + n;
	return fault;
}

/* ---------------------------------------------------------------------------------- soft -- */

static enum mm_fault reach_by_tlb(struct side *side, const struct side_proc *proc, struct reach *r)
{
	struct soft_tlb *tlb = side->tlb;
	bool done;

	if (tlb->current != proc->space)
		soft_tlb_switch(tlb, proc->space);
	soft_tlb_begin(tlb);
	done = r->store ? soft_tlb_store(tlb, r->addr, &r->value, r->bytes) :
	       soft_tlb_load(tlb, r->addr, &r->value, r->bytes);
	soft_tlb_end(tlb);
	r->bad = tlb->fault_addr;
	return done ? MM_FAULT_DONE : tlb->fault;
}

/* ---------------------------------------------------------------------------------- host -- */

static sigjmp_buf refused_here;
static struct host_fault refusal;

static bool on_refusal(struct host_window *window, const struct host_fault *fault, void *arg)
{
	(void)window;
	(void)arg;
	refusal = *fault;
	siglongjmp(refused_here, 1);
}

/* One instruction each, at any alignment, unseen by sanitizers: no object of C is there. */
static void plain_load(const void *at, unsigned int bytes, uint64_t *value)
{
	uint64_t v;

	switch (bytes) {
	case 1:
		__asm__ volatile("movzbl (%1), %k0" : "=r"(v) : "r"(at) : "memory");
		break;
	case 2:
		__asm__ volatile("movzwl (%1), %k0" : "=r"(v) : "r"(at) : "memory");
		break;
	case 4:
		__asm__ volatile("movl (%1), %k0" : "=r"(v) : "r"(at) : "memory");
		break;
	default:
		__asm__ volatile("movq (%1), %0" : "=r"(v) : "r"(at) : "memory");
	}
	*value = v;
}

static void plain_store(void *at, unsigned int bytes, uint64_t value)
{
	switch (bytes) {
	case 1:
		__asm__ volatile("movb %b0, (%1)" : : "q"(value), "r"(at) : "memory");
		break;
	case 2:
		__asm__ volatile("movw %w0, (%1)" : : "r"(value), "r"(at) : "memory");
		break;
	case 4:
		__asm__ volatile("movl %k0, (%1)" : : "r"(value), "r"(at) : "memory");
		break;
	default:
		__asm__ volatile("movq %0, (%1)" : : "r"(value), "r"(at) : "memory");
	}
}

static enum mm_fault reach_by_window(const struct host_window *window, struct reach *r)
{
	void *at = host_window_at(window, r->addr);

	if (sigsetjmp(refused_here, 0)) {
		r->bad = refusal.addr;
		return refusal.why;
	}
	if (r->store)
		plain_store(at, r->bytes, r->value);
	else
		plain_load(at, r->bytes, &r->value);
	return MM_FAULT_DONE;
}

/* Where the windows are: around what the generator aims at, and below the first unhinted area. */
static uint64_t window_start(const struct side *side, int i)
{
	const struct mm_config *config = &side->start->config;

	if (!i)
		return DIFF_WINDOW;
	if (config->bottom_up)
		return config->mmap_legacy_base & ~(HOST_WINDOW_ALIGN - 1);
	return (config->mmap_base & ~(HOST_WINDOW_ALIGN - 1)) + HOST_WINDOW_ALIGN - WINDOW_BYTES;
}

static void make_windows(struct side *side, struct side_proc *proc, struct mmu *mmu)
{
	for (int i = 0; i < SIDE_NR_WINDOWS; i++) {
		const struct host_window_config config = { .size = sizeof(config),
			.start = window_start(side, i), .bytes = WINDOW_BYTES,
			.max_areas = WINDOW_AREAS, .refused = on_refusal };
		int ret = host_window_create(mmu, &config, &proc->window[i]);

		if (ret)
			defect("host_window_create", ret);
	}
}

static const struct host_window *window_of(const struct side *side, const struct side_proc *proc,
					   const struct reach *r)
{
	for (int i = 0; i < SIDE_NR_WINDOWS; i++) {
		uint64_t start = window_start(side, i);

		if (proc->window[i] && r->addr - start < WINDOW_BYTES &&
		    r->addr + r->bytes - 1 - start < WINDOW_BYTES)
			return proc->window[i];
	}
	return NULL;
}

/* -------------------------------------------------------------------------- begin and end -- */

/* Is all of a huge page there once a byte of it was touched? */
static bool makes_huge_pages(struct vmarea *instance)
{
	const struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;
	uint64_t last = 0;
	int ret = mm_create(instance, &config, &mm);

	if (ret)
		defect("mm_create", ret);
	if (mm_mmap(mm, DIFF_WINDOW, HUGE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) != (long)DIFF_WINDOW ||
	    mm_madvise(mm, DIFF_WINDOW, HUGE_PAGE, MADV_HUGEPAGE) ||
	    mm_handle_fault(mm, DIFF_WINDOW, MM_ACCESS_WRITE) != MM_FAULT_DONE ||
	    mm_pagemap_read(mm, DIFF_WINDOW + HUGE_PAGE - DIFF_PAGE, 1, &last) != 1)
		last = 0;
	mmput(mm);
	return last & PAGE_PRESENT;
}

void memory_open(struct side *side)
{
	int ret = side->memory.path == PATH_SOFT ? soft_tlb_create(TLB_LOG2, &side->tlb) : 0;

	side->huge_pages = side->machine->thp_on_advice && makes_huge_pages(side->instance);

	if (ret)
		defect("soft_tlb_create", ret);
}

void memory_attach(struct side *side, struct side_proc *proc)
{
	struct mmu *mmu = side->memory.touch ? mm_mmu(proc->mm) : NULL;
	int ret;

	if (!mmu)
		return;
	if (side->memory.path == PATH_HOST)
		make_windows(side, proc, mmu);
	if (side->memory.path != PATH_SOFT)
		return;
	ret = soft_tlb_attach(side->tlb, mmu, &proc->space);
	if (ret)
		defect("soft_tlb_attach", ret);
}

void memory_detach(struct side *side, struct side_proc *proc)
{
	if (proc->space)
		soft_tlb_detach(side->tlb, proc->space);
	proc->space = NULL;
	for (int i = 0; i < SIDE_NR_WINDOWS; i++) {
		if (proc->window[i])
			host_window_destroy(proc->window[i]);
		proc->window[i] = NULL;
	}
}

void memory_reset_files(struct side *side)
{
	for (int i = FILE_FIRST_SIZED; i < side->files->nr; i++) {
		const struct file_desc *desc = &side->files->file[i].desc;

		/* What is sealed nobody has written to. */
		if (!side->file[i] || !side->files->file[i].mappable ||
		    side->files->file[i].seals)
			continue;
		file_resize(side, (uint64_t)i, 0);
		file_resize(side, (uint64_t)i, desc->size_bytes);
	}
	for (int i = 0; i < DIFF_NR_SEGMENTS; i++) {
		if (!side->segment[i])
			continue;
		file_set_size(side->segment[i], 0);
		file_set_size(side->segment[i], side->files->segment[i].size_bytes);
	}
}

/* -------------------------------------------------------------------------------- access -- */

static enum mm_fault reach_once(struct side *side, const struct side_proc *proc, struct reach *r)
{
	const struct host_window *window = window_of(side, proc, r);

	if (window)
		return reach_by_window(window, r);
	if (proc->space)
		return reach_by_tlb(side, proc, r);
	return reach_by_copy(proc->mm, r);
}

static enum mm_fault reach_several(struct side *side, const struct side_proc *proc,
				   struct reach *r)
{
	enum mm_fault fault = MM_FAULT_DONE;

	if (side->memory.path == PATH_COPY)
		return copy_several(proc->mm, r);
	for (unsigned int i = 0; i < r->bytes && fault == MM_FAULT_DONE; i++) {
		struct reach byte = { .addr = r->addr + i, .bytes = 1, .store = r->store,
				      .value = r->store ? r->value >> 8 * i : 0 };

		fault = reach_once(side, proc, &byte);
		r->bad = byte.bad;
		if (!r->store && fault == MM_FAULT_DONE)
			r->value |= (byte.value & 0xff) << 8 * i;
	}
	return fault;
}

static unsigned int result_of(enum mm_fault fault)
{
	switch (fault) {
	case MM_FAULT_DONE:
		return TOUCH_DONE;
	case MM_FAULT_MAPERR:
		return TOUCH_MAPERR;
	case MM_FAULT_ACCERR:
		return TOUCH_ACCERR;
	case MM_FAULT_BUS:
		return TOUCH_BUS;
	default:
		defect("a page fault", fault);
	}
}

long memory_access(struct side *side, struct side_proc *proc, struct diff_call *c)
{
	struct reach r = { .addr = c->arg[0], .bytes = (unsigned int)c->arg[1],
			   .store = c->op == OP_STORE, .value = c->op == OP_STORE ? c->arg[2] : 0 };
	bool once = !(r.bytes & (r.bytes - 1));
	enum mm_fault fault = once ? reach_once(side, proc, &r) : reach_several(side, proc, &r);

	if (fault != MM_FAULT_DONE && once)
		r.value = 0;
	c->value = r.store ? 0 : r.value;
	return ACCESS_RESULT(result_of(fault), fault == MM_FAULT_DONE ? 0 : r.bad - r.addr);
}

long memory_remote(struct side *side, struct diff_call *c)
{
	static unsigned char many[AGENT_IO_BYTES];
	bool poke = c->op == OP_POKE, few = c->arg[1] <= 8;
	uint64_t value = poke ? c->arg[4] : 0;
	unsigned int flags = (poke ? MM_REMOTE_WRITE : 0) |
			     (c->arg[3] == REMOTE_FORCED ? MM_REMOTE_FORCED : 0);
	enum mm_fault fault;
	size_t n;

	if (poke && !few)
		bytes_make(many, c->arg[0], c->arg[1], value);
	n = mm_access(side->proc[c->arg[2]].mm, c->arg[0], few ? (void *)&value : many, c->arg[1],
		      flags, &fault);
	if (!poke && !few)
		value = bytes_hash(0, many, n);
	c->value = poke ? 0 : value;
	return (long)n;
}

/* ------------------------------------------------------------------------- what is there -- */

/* The first area that maps it. */
static bool place_of_file(const struct side *side, const struct side_proc *proc, uint64_t file,
			  uint64_t *addr, uint64_t *len)
{
	const struct file_desc *desc = &side->files->file[file].desc;
	uint32_t dev = desc->dev_major << 20 | desc->dev_minor;

	for (uint32_t i = 0; i < proc->nr; i++) {
		const struct diff_area *area = &proc->area[i].seen;

		if (area->inode != desc->inode || area->dev != dev)
			continue;
		*addr = area->start;
		*len = area->end - area->start;
		return true;
	}
	return false;
}

/* Where the call was, as far as that is known: its first pages. */
static bool place_of(const struct side *side, const struct side_proc *proc,
		     const struct diff_call *c, uint64_t *addr, uint64_t *len)
{
	bool moved = c->op == OP_MMAP || c->op == OP_MREMAP || c->op == OP_SHMAT;

	*addr = moved && c->result > 0 ? (uint64_t)c->result : c->arg[0];
	*len = c->op == OP_MREMAP ? c->arg[2] : c->op == OP_SHMAT ? 4 * DIFF_PAGE : c->arg[1];
	switch (c->op) {
	case OP_TOUCH:
		*len = 1;
		return true;
	case OP_SHMAT:
	case OP_MMAP:
	case OP_MREMAP:
		return c->result > 0;
	case OP_MPROTECT:
	case OP_MADVISE:
	case OP_MLOCK:
	case OP_MLOCK2:
	case OP_MUNLOCK:
	case OP_MSYNC:
	case OP_MINCORE:
	case OP_REMAP_FILE_PAGES:
	case OP_PROCESS_MADVISE:
	case OP_READ_INTO:
	case OP_LOAD:
	case OP_STORE:
		return true;
	case OP_PEEK:
	case OP_POKE:
		return c->arg[2] == c->proc;
	case OP_TRUNCATE:
	case OP_PUNCH:
	case OP_FILE_WRITE:
		return place_of_file(side, proc, c->arg[0], addr, len);
	default:
		return false;
	}
}

/*
 * Which pages of a real file are in core is for its file system to say.  Of a huge page that one
 * process has as such and another in pieces, pagemap tells of the first what is true of its first
 * piece: where there may be one, it is smaps that is asked.
 */
void memory_mark(const struct side *side, struct side_area *area)
{
	area->seen.prot &= ~(AREA_PAGES | AREA_CORE | AREA_EXCLUSIVE | AREA_ANONYMOUS);
	if (side_hits_agent(side, area->seen.start, DIFF_PAGE) ||
	    (area->flags & (VM_HUGETLB | VM_PFNMAP | VM_IO | VM_MIXEDMAP | VM_DONTEXPAND)))
		return;
	area->seen.prot |= AREA_PAGES | AREA_CORE;
	if (!side_holds_huge_page(area->seen.start, area->seen.end - area->seen.start))
		area->seen.prot |= AREA_EXCLUSIVE;
	if (side_is_anonymous(side, area))
		area->seen.prot |= AREA_ANONYMOUS;
	for (int i = 0; i < side->files->nr; i++) {
		const struct test_file *file = &side->files->file[i];

		if (file->label && file->disk && file->desc.inode == area->seen.inode)
			area->seen.prot &= ~AREA_CORE;
	}
}

static void read_words(struct mm_user *mm, uint64_t addr, size_t nr, uint64_t *words)
{
	long ret = mm_pagemap_read(mm, addr, nr, words);

	if (ret < 0)
		defect("mm_pagemap_read", ret);
	memset(words + ret, 0, (nr - (size_t)ret) * sizeof(words[0]));
}

static bool is_own_page(uint64_t word, uint64_t anonymous)
{
	return (word & PAGE_PRESENT) && (anonymous || !(word & PAGE_FILE));
}

static void note_page(struct diff_pages *pages, uint32_t i, uint64_t word, bool in_core)
{
	uint64_t bit = 1ul << i;
	bool own = is_own_page(word, pages->anonymous & bit);

	pages->in_core |= in_core ? bit : 0;
	pages->guard |= word & PAGE_GUARD ? bit : 0;
	pages->present |= own ? bit : 0;
	pages->exclusive |= own && (word & PAGE_EXCLUSIVE) ? bit : 0;
	pages->file |= (word & PAGE_PRESENT) && !own ? bit : 0;
}

void memory_see_pages(const struct side *side, const struct side_proc *proc, struct diff_call *c)
{
	struct diff_pages *pages = &c->pages;
	unsigned char in_core[64] = { 0 };
	uint64_t words[64], addr, len, end;

	if (!place_of(side, proc, c, &addr, &len) || addr >= DIFF_TASK_SIZE || len > DIFF_TASK_SIZE)
		return;
	end = addr + len;
	addr &= ~(DIFF_PAGE - 1);
	pages->addr = addr;
	for (; addr < end && pages->nr < 64; addr += DIFF_PAGE, pages->nr++) {
		const struct side_area *area = side_area_at(proc, addr);

		if (!area || (area->seen.prot & AREA_PAGES))
			pages->compared |= 1ul << pages->nr;
		if (area && (area->seen.prot & AREA_ANONYMOUS))
			pages->anonymous |= 1ul << pages->nr;
		if (area && (area->seen.prot & AREA_EXCLUSIVE))
			pages->exclusive_compared |= 1ul << pages->nr;
		if (area && (area->seen.prot & AREA_CORE))
			pages->core_compared |= 1ul << pages->nr;
	}
	pages->result = (int32_t)mm_mincore(proc->mm, pages->addr, pages->nr * DIFF_PAGE, in_core);
	read_words(proc->mm, pages->addr, pages->nr, words);
	for (uint32_t i = 0; i < pages->nr; i++)
		note_page(pages, i, words[i], in_core[i] & 1);
}

/* ---------------------------------------------------------------------------- runs of pages -- */

static uint64_t hash_page(struct mm_user *mm, uint64_t addr)
{
	uint64_t bytes[DIFF_PAGE / 8], hash = 0;
	enum mm_fault fault;

	if (mm_read(mm, addr, bytes, DIFF_PAGE, &fault) != DIFF_PAGE)
		return 0;
	for (size_t i = 0; i < DIFF_PAGE / 8; i++)
		hash = page_hash(hash, bytes[i]);
	return hash;
}

static void add_area(const struct side *side, struct page_runs *runs, struct mm_user *mm,
		     const struct diff_area *area)
{
	static unsigned char in_core[AGENT_MAX_PAGES];
	static uint64_t words[AGENT_MAX_PAGES];
	uint64_t nr = (area->end - area->start) / DIFF_PAGE;

	if (nr > AGENT_MAX_PAGES)
		nr = AGENT_MAX_PAGES;
	read_words(mm, area->start, nr, words);
	if (mm_mincore(mm, area->start, nr * DIFF_PAGE, in_core))
		defect("mm_mincore", (long)nr);
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t addr = area->start + i * DIFF_PAGE;
		unsigned int kind = (area->prot & AREA_CORE) && (in_core[i] & 1) ? RUN_CORE : 0;

		if (words[i] & PAGE_GUARD)
			kind |= RUN_GUARD;
		else if (side->memory.files && !(area->prot & AREA_CORE))
			kind |= RUN_READ;
		if (!(kind & RUN_GUARD) &&
		    is_own_page(words[i], area->prot & AREA_ANONYMOUS))
			kind |= RUN_PRESENT | ((words[i] & PAGE_EXCLUSIVE) &&
					       (area->prot & AREA_EXCLUSIVE) ? RUN_EXCLUSIVE : 0);
		runs_add(runs, addr, kind, (kind & RUN_HAS_BYTES) &&
			 (area->prot & (AREA_READ | AREA_WRITE | AREA_EXEC)) ?
			 hash_page(mm, addr) : 0);
	}
}

size_t memory_write_runs(const struct side *side, const struct side_proc *proc, char *text,
			 size_t bytes, size_t max)
{
	struct page_runs runs = { .to = text + bytes, .end = text + max };

	for (uint32_t i = 0; i < proc->nr; i++)
		if (proc->area[i].seen.prot & AREA_PAGES)
			add_area(side, &runs, proc->mm, &proc->area[i].seen);
	runs_end(&runs);
	return (size_t)(runs.to - text);
}
