/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The operations: each counts what came of it, and checks what it has seen. */
#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include "pages.h"

#include "fault/fault.h"
#include "instance/instance.h"
#include "vma/handle.h"

#define RW	(PROT_READ | PROT_WRITE)

static unsigned long prot_of(struct thread *t)
{
	static const unsigned long prots[] = { RW, RW, RW | PROT_EXEC, PROT_READ, PROT_NONE };

	return prots[pick(t, 5)];
}

/* Mostly at the beginning of a region and around the end of its first table. */
static unsigned long some_page(struct thread *t)
{
	unsigned long region = pick(t, NR_REGIONS) * REGION_PAGES;

	switch (pick(t, 4)) {
	case 0:
		return region + pick(t, REGION_PAGES);
	case 1:
		return region + 496 + pick(t, 32);
	default:
		return region + pick(t, 48);
	}
}

struct range {
	unsigned long page, nr;
};

static struct range some_range(struct thread *t)
{
	struct range r = { .page = some_page(t), .nr = 1 + pick(t, 40) };
	unsigned long offset = r.page % REGION_PAGES;

	if (!pick(t, 8)) {			/* all of it, or a half */
		r.nr = REGION_PAGES >> pick(t, 2);
		r.page = r.page - offset + (pick(t, 2) ? REGION_PAGES - r.nr : 0);
	} else if (offset + r.nr > REGION_PAGES) {
		r.nr = REGION_PAGES - offset;
	}
	return r;
}

static struct range some_range_in(struct thread *t, enum region region)
{
	struct range r = some_range(t);

	r.page = region * REGION_PAGES + r.page % REGION_PAGES;
	return r;
}

static void count_call(struct thread *t, enum op op, long result)
{
	count(t, op, result >= 0 ? DONE : result == -ENOMEM ? NO_MEMORY : REFUSED);
}

static void count_fault(struct thread *t, enum op op, enum mm_fault fault)
{
	CHECK(fault <= MM_FAULT_OOM, "outcome %d", fault);
	count(t, op, fault == MM_FAULT_DONE ? DONE : fault == MM_FAULT_OOM ? NO_MEMORY : REFUSED);
}

/* ------------------------------------------------------------------ loads and stores -- */

static unsigned long some_word(struct thread *t)
{
	return 64 * (1 + pick(t, 2 * NR_THREADS));
}

static void load(struct thread *t)
{
	unsigned long page = some_page(t), at = pick(t, 2) ? word_of(t) : some_word(t);
	struct expected expected = stamp_expect(t, t->space, page, at);
	enum mm_fault fault;
	uint64_t word;

	if (mm_read(t->space->mm, addr_of(page) + at, &word, sizeof(word), &fault) == sizeof(word))
		stamp_check(t->space, page, word, expected);
	count_fault(t, OP_LOAD, fault);
}

static void store(struct thread *t)
{
	unsigned long page = some_page(t);
	uint64_t word = stamp_new(t, space_id(t->space), page);
	enum mm_fault fault;

	if (mm_write(t->space->mm, addr_of(page) + word_of(t), &word, sizeof(word), &fault) ==
	    sizeof(word))
		stamp_stored(t, t->space, page, word);
	stamp_done(t);
	count_fault(t, OP_STORE, fault);
}

static void fault_in(struct thread *t)
{
	count_fault(t, OP_FAULT, mm_handle_fault(t->space->mm, addr_of(some_page(t)),
						 (enum mm_access)pick(t, 3)));
}

/* A debugger's look at what may have no rights at all. */
static void remote(struct thread *t)
{
	unsigned long page = some_page(t), at = some_word(t);
	struct expected expected = stamp_expect(t, t->space, page, at);
	enum mm_fault fault;
	uint64_t word;

	if (mm_access(t->space->mm, addr_of(page) + at, &word, sizeof(word), MM_REMOTE_FORCED,
		      &fault) == sizeof(word))
		stamp_check(t->space, page, word, expected);
	count_fault(t, OP_REMOTE, fault);
}

/* Some accesses of a virtual CPU in one section. */
static void soft_run(struct thread *t)
{
	if (!t->tlb_space)
		return;
	soft_tlb_begin(t->tlb);
	for (int i = 0; i < 16; i++) {
		unsigned long page = some_page(t), at = word_of(t);
		struct expected expected = stamp_expect(t, t->space, page, at);
		uint64_t *p;

		if (pick(t, 2)) {
			uint64_t word = stamp_new(t, space_id(t->space), page);

			p = soft_tlb_write(t->tlb, addr_of(page) + at, sizeof(*p));
			if (p) {
				__atomic_store_n(p, word, __ATOMIC_RELAXED);
				stamp_stored(t, t->space, page, word);
			}
			stamp_done(t);
			count_fault(t, OP_SOFT_STORE, p ? MM_FAULT_DONE : t->tlb->fault);
		} else {
			p = (uint64_t *)(uintptr_t)soft_tlb_read(t->tlb, addr_of(page) + at,
								 sizeof(*p));
			if (p)
				stamp_check(t->space, page, __atomic_load_n(p, __ATOMIC_RELAXED),
					    expected);
			count_fault(t, OP_SOFT_LOAD, p ? MM_FAULT_DONE : t->tlb->fault);
		}
		if (i % 4 == 3)
			soft_tlb_poll(t->tlb);
	}
	soft_tlb_end(t->tlb);
}

static __thread sigjmp_buf out_of_window;
static __thread enum mm_fault window_refusal;

static bool refused(struct host_window *window, const struct host_fault *fault, void *arg)
{
	(void)window;
	(void)arg;
	window_refusal = fault->why;
	siglongjmp(out_of_window, 1);
}

static uint64_t *in_window(struct thread *t, unsigned long page)
{
	return (uint64_t *)((char *)host_window_at(t->window, addr_of(page)) + word_of(t));
}

static void host_load(struct thread *t, unsigned long page)
{
	struct expected expected = stamp_expect(t, t->space, page, word_of(t));

	if (sigsetjmp(out_of_window, 1)) {
		count_fault(t, OP_HOST_LOAD, window_refusal);
		return;
	}
	stamp_check(t->space, page, __atomic_load_n(in_window(t, page), __ATOMIC_RELAXED), expected);
	count(t, OP_HOST_LOAD, DONE);
}

static void host_store(struct thread *t, unsigned long page)
{
	uint64_t word = stamp_new(t, space_id(t->space), page);

	if (sigsetjmp(out_of_window, 1)) {
		stamp_done(t);
		count_fault(t, OP_HOST_STORE, window_refusal);
		return;
	}
	__atomic_store_n(in_window(t, page), word, __ATOMIC_RELAXED);
	stamp_stored(t, t->space, page, word);
	stamp_done(t);
	count(t, OP_HOST_STORE, DONE);
}

/* Plain accesses of this process. */
static void host_run(struct thread *t)
{
	for (int i = 0; t->window && i < 8; i++) {
		if (pick(t, 2))
			host_store(t, some_page(t));
		else
			host_load(t, some_page(t));
	}
}

/* -------------------------------------------------------------------------------- pins -- */

static void translate(struct thread *t)
{
	unsigned long page = some_page(t);
	struct mm_translation tr;
	enum mm_fault fault;
	uint64_t word;

	fault = mm_translate(t->space->mm, addr_of(page) + pinned_word_of(t), MM_ACCESS_WRITE, &tr);
	count_fault(t, OP_TRANSLATE, fault);
	if (fault != MM_FAULT_DONE)
		return;
	stamp_check_place(__atomic_load_n((uint64_t *)tr.bytes, __ATOMIC_RELAXED), page);
	word = stamp_new(t, space_id(t->space), page);
	__atomic_store_n((uint64_t *)tr.bytes, word, __ATOMIC_RELAXED);
	stamp_done(t);
	mm_translation_put(&tr);
}

/* Pins one, in the place of one that it has had for a while. */
static void pin(struct thread *t)
{
	struct pin *p = &t->pins[pick(t, NR_PINS)];
	struct pin now = {
		.index = some_page(t), .mm = space_id(t->space), .write = pick(t, 2),
	};
	long nr = mm_pin_pages(t->space->mm, addr_of(now.index), 1,
			       now.write ? MM_ACCESS_WRITE : MM_ACCESS_READ, &now.page);

	count_call(t, OP_PIN, nr);
	if (nr != 1)
		return;
	if (p->page)
		mm_unpin_pages(&p->page, 1);
	*p = now;
}

static void store_to_pinned(struct thread *t)
{
	struct pin *p = &t->pins[pick(t, NR_PINS)];
	uint64_t *at, word;

	if (!p->page)
		return;
	at = (uint64_t *)((char *)page_address(p->page) + pinned_word_of(t));
	stamp_check_place(__atomic_load_n(at, __ATOMIC_RELAXED), p->index);
	if (p->write) {
		word = stamp_new(t, p->mm, p->index);
		__atomic_store_n(at, word, __ATOMIC_RELAXED);
		stamp_done(t);
	}
	count(t, OP_PINNED_STORE, DONE);
	if (!pick(t, 4)) {
		mm_unpin_pages(&p->page, 1);
		p->page = NULL;
	}
}

void unpin_all(struct thread *t)
{
	for (unsigned int i = 0; i < NR_PINS; i++)
		if (t->pins[i].page) {
			mm_unpin_pages(&t->pins[i].page, 1);
			t->pins[i].page = NULL;
		}
}

static void look_fast(struct thread *t)
{
	struct pgtable *pt = mm_from_user(t->space->mm)->pgt;
	unsigned long number = some_page(t), at = some_word(t);
	struct expected expected = stamp_expect(t, t->space, number, at);
	struct page *page = gup_fast(pt, addr_of(number), PT_READ);

	if (page) {
		const char *bytes = page_bytes(page);

		stamp_check(t->space, number,
			    __atomic_load_n((const uint64_t *)(bytes + at), __ATOMIC_RELAXED),
			    expected);
		page_put(page_head(page));
	}
	count(t, OP_GUP_FAST, page ? DONE : REFUSED);
}

/* A device looks a frame up, and remembers it until it is told not to. */
static void fill_shadow(struct thread *t)
{
	struct pgtable *pt = mm_from_user(t->space->mm)->pgt;
	unsigned long number = some_page(t);
	uint64_t *word = &t->space->shadow[number / SHADOW_GROUP];
	uint64_t was = __atomic_load_n(word, __ATOMIC_RELAXED);
	struct page *page = gup_fast(pt, addr_of(number), PT_READ);
	bool kept = false;

	if (page) {
		kept = __atomic_compare_exchange_n(word, &was,
						   shadow_word(was >> 37, number, page_pfn(page)),
						   false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		page_put(page_head(page));
	}
	count(t, OP_SHADOW, kept ? DONE : REFUSED);
}

/* ------------------------------------------------------------------------- memory calls -- */

static long map(struct thread *t, struct space *space, struct range r, unsigned long prot)
{
	enum region region = region_of(r.page);
	struct file *file = region == SHMEM ? shmem_file : region >= PRIVATE_FILE ? disk_file : NULL;
	bool shared = region == SHARED_ANON || region == SHMEM || region == SHARED_FILE;
	unsigned long flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) |
			      (file ? 0 : MAP_ANONYMOUS) | (pick(t, 16) ? 0 : MAP_POPULATE);
	uint32_t horizon = stamp_horizon();
	long addr = mm_mmap(space->mm, addr_of(r.page), r.nr * PAGE, prot, flags, file,
			    file ? r.page % REGION_PAGES * PAGE : 0);

	if (addr >= 0)
		stamp_discarded(space, r.page, r.nr, horizon);
	if (addr >= 0 && region == HUGE)
		mm_madvise(space->mm, addr_of(r.page), r.nr * PAGE, MADV_HUGEPAGE);
	return addr;
}

static void map_something(struct thread *t)
{
	count_call(t, OP_MAP, map(t, t->space, some_range(t), pick(t, 4) ? RW : prot_of(t)));
}

static void map_everything(struct thread *t, struct space *space)
{
	for (unsigned long region = 0; region < NR_REGIONS; region++)
		count_call(t, OP_MAP, map(t, space, (struct range){ region * REGION_PAGES,
					  REGION_PAGES }, RW));
}

static void unmap(struct thread *t)
{
	struct range r = some_range(t);
	uint32_t horizon = stamp_horizon();
	long err = mm_munmap(t->space->mm, addr_of(r.page), r.nr * PAGE);

	if (!err)
		stamp_discarded(t->space, r.page, r.nr, horizon);
	count_call(t, OP_UNMAP, err);
}

static void protect(struct thread *t)
{
	struct range r = some_range(t);

	count_call(t, OP_PROTECT, mm_mprotect(t->space->mm, addr_of(r.page), r.nr * PAGE,
					      prot_of(t)));
}

/* At the same place of another region, so that stamps stay right; nothing comes to FLOORED or HUGE. */
static void move(struct thread *t)
{
	static const enum region ways[][2] = { { ANON, MOVED }, { MOVED, ANON }, { HUGE, MOVED } };
	const enum region *way = ways[pick(t, 3)];
	struct range r = some_range_in(t, way[0]);
	unsigned long to = way[1] * REGION_PAGES + r.page % REGION_PAGES;
	uint32_t horizon = stamp_horizon();
	long addr = mm_mremap(t->space->mm, addr_of(r.page), r.nr * PAGE, r.nr * PAGE,
			      MREMAP_MAYMOVE | MREMAP_FIXED | (pick(t, 4) ? 0 : MREMAP_DONTUNMAP),
			      addr_of(to));

	count_call(t, OP_MOVE, addr);
	if (addr < 0)
		return;
	stamp_discarded(t->space, r.page, r.nr, horizon);
	map(t, t->space, r, RW);
}

static void advise(struct thread *t, enum op op, struct range r, int advice)
{
	count_call(t, op, mm_madvise(t->space->mm, addr_of(r.page), r.nr * PAGE, advice));
}

static void discard(struct thread *t, enum op op, int advice)
{
	struct range r = some_range(t);
	uint32_t horizon = stamp_horizon();
	long err = mm_madvise(t->space->mm, addr_of(r.page), r.nr * PAGE, advice);

	if (!err)
		stamp_discarded(t->space, r.page, r.nr, horizon);
	count_call(t, op, err);
}

static void populate(struct thread *t)
{
	advise(t, OP_POPULATE, some_range(t), pick(t, 2) ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

static void collapse(struct thread *t)
{
	struct range r = { .nr = 512 << pick(t, 2) };

	r.page = (pick(t, 2) ? HUGE : (enum region)pick(t, 4)) * REGION_PAGES +
		 (r.nr == 512 ? pick(t, 2) * 512 : 0);
	advise(t, OP_COLLAPSE, r, MADV_COLLAPSE);
}

static void prefer_huge(struct thread *t)
{
	advise(t, OP_HUGEPAGE, some_range_in(t, HUGE), pick(t, 4) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

static void guard(struct thread *t)
{
	if (pick(t, 2))
		advise(t, OP_GUARD, some_range(t), MADV_GUARD_REMOVE);
	else
		discard(t, OP_GUARD, MADV_GUARD_INSTALL);
}

static void lock(struct thread *t)
{
	struct range r = some_range(t);

	if (pick(t, 3))
		count_call(t, OP_LOCK, mm_munlock(t->space->mm, addr_of(r.page), r.nr * PAGE));
	else
		count_call(t, OP_LOCK, mm_mlock(t->space->mm, addr_of(r.page), r.nr % 8 * PAGE));
}

static void ask_in_core(struct thread *t)
{
	struct range r = some_range(t);
	unsigned char vec[REGION_PAGES];
	long err = mm_mincore(t->space->mm, addr_of(r.page), r.nr * PAGE, vec);

	for (unsigned long i = 0; !err && i < r.nr; i++)
		CHECK(vec[i] <= 1, "page %lu: %u", r.page + i, vec[i]);
	count_call(t, OP_MINCORE, err);
}

/* ------------------------------------------------------------------------------- files -- */

static void read_file(struct thread *t)
{
	unsigned long page = (pick(t, 2) ? SHMEM : SHARED_FILE) * REGION_PAGES + pick(t, REGION_PAGES);
	struct file *file = region_of(page) == SHMEM ? shmem_file : disk_file;
	uint64_t word = 0;
	long nr = file_read(file, page % REGION_PAGES * PAGE + some_word(t), &word, sizeof(word));

	if (nr == sizeof(word))
		stamp_check_place(word, page);
	count_call(t, OP_FILE_READ, nr);
}

static void write_file(struct thread *t)
{
	unsigned long page = (pick(t, 2) ? SHMEM : SHARED_FILE) * REGION_PAGES + pick(t, 64);
	struct file *file = region_of(page) == SHMEM ? shmem_file : disk_file;
	uint64_t word = stamp_new(t, space_id(t->space), page);
	long nr = file_write(file, page % REGION_PAGES * PAGE + word_of(t), &word, sizeof(word));

	stamp_done(t);
	count_call(t, OP_FILE_WRITE, nr);
}

static void resize_file(struct thread *t)
{
	unsigned long nr = pick(t, 4) ? REGION_PAGES : pick(t, REGION_PAGES);

	file_set_size(pick(t, 2) ? shmem_file : disk_file, nr * PAGE + (pick(t, 2) ? 0 : PAGE / 2));
	count(t, OP_FILE_SIZE, DONE);
}

/* ------------------------------------------------------------------------- whole spaces -- */

static struct {
	pthread_mutex_t lock;
	struct space *space[NR_SLOTS];
} slots = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void attach(struct thread *t)
{
	struct host_window_config config = {
		.size = sizeof(config), .start = BASE, .bytes = NR_PAGES * PAGE, .max_areas = 64,
		.refused = refused,
	};

	if (t->nr == 1 || t->nr == 2) {
		if (soft_tlb_attach(t->tlb, mm_mmu(t->space->mm), &t->tlb_space))
			t->tlb_space = NULL;
		else
			soft_tlb_switch(t->tlb, t->tlb_space);
	}
	if (t->nr == 3 && host_window_create(mm_mmu(t->space->mm), &config, &t->window))
		t->window = NULL;
}

void let_go_of_space(struct thread *t)
{
	if (t->tlb_space)
		soft_tlb_detach(t->tlb, t->tlb_space);
	if (t->window)
		host_window_destroy(t->window);
	t->tlb_space = NULL;
	t->window = NULL;
	if (t->space)
		space_put(t->space, pick(t, 4) == 0);
	t->space = NULL;
}

/* Another space; one that nobody has yet if the slot is empty.  False: no memory for that. */
static bool take_space(struct thread *t)
{
	struct space **slot = &slots.space[pick(t, NR_SLOTS)], *made = NULL;

	let_go_of_space(t);
	pthread_mutex_lock(&slots.lock);
	if (*slot)
		t->space = space_get(*slot);
	pthread_mutex_unlock(&slots.lock);
	if (!t->space) {
		made = space_root(t->random);
		count(t, OP_CREATE, made ? DONE : NO_MEMORY);
		if (!made)
			return false;
		map_everything(t, made);
		t->space = space_get(made);
		pthread_mutex_lock(&slots.lock);
		if (!*slot) {
			*slot = made;
			made = NULL;
		}
		pthread_mutex_unlock(&slots.lock);
		if (made)
			space_put(made, false);
	}
	attach(t);
	return true;
}

/* Puts @space, which may be NULL, in a slot's place; who was there goes when the last one lets go. */
static void replace_slot(struct thread *t, struct space *space)
{
	struct space **slot = &slots.space[pick(t, NR_SLOTS)], *was;

	pthread_mutex_lock(&slots.lock);
	was = *slot;
	*slot = space;
	pthread_mutex_unlock(&slots.lock);
	if (was)
		space_put(was, pick(t, 2));
}

static void fork_space(struct thread *t)
{
	long err = -EAGAIN;
	struct space *child = space_fork(t->space, &err);

	count_call(t, OP_FORK, child ? 0 : err);
	if (child)
		replace_slot(t, child);
}

static void exit_space(struct thread *t)
{
	replace_slot(t, NULL);
	count(t, OP_EXIT, DONE);
}

static void exec(struct thread *t)
{
	struct mm_config config = MM_CONFIG_INIT;
	uint32_t horizon = stamp_horizon();
	long err;

	config.task_size = config.mmap_base = config.mmap_legacy_base = 1ul << 38;
	err = mm_exec(t->space->mm, &config);
	count_call(t, OP_EXEC, err);
	if (err)
		return;
	for (unsigned long region = 0; region < NR_REGIONS; region++)
		stamp_discarded(t->space, region * REGION_PAGES, REGION_PAGES, horizon);
	map_everything(t, t->space);
}

static void validate(struct thread *t)
{
	char why[256] = "";

	CHECK(!mm_validate(t->space->mm, why, sizeof(why)), "%s", why);
	count(t, OP_VALIDATE, DONE);
}

void close_slots(struct thread *t)
{
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		if (slots.space[i])
			space_put(slots.space[i], pick(t, 2));
		slots.space[i] = NULL;
	}
}

/* ------------------------------------------------------------------------------- mixing -- */

void trim(struct thread *t)
{
	count(t, OP_TRIM, arena_trim(instance->arena) ? DONE : REFUSED);
}

static void wipe(struct thread *t)
{
	advise(t, OP_WIPE, some_range(t), pick(t, 2) ? MADV_WIPEONFORK : MADV_KEEPONFORK);
}

static void seldom(struct thread *t)
{
	switch (pick(t, 12)) {
	case 0: exit_space(t); break;
	case 1: exec(t); break;
	case 2: resize_file(t); break;
	case 3: trim(t); break;
	case 4: validate(t); break;
	case 5: advise(t, OP_REMOVE, some_range_in(t, SHMEM), MADV_REMOVE); break;
	default: fork_space(t); break;
	}
}

static void call(struct thread *t)
{
	switch (pick(t, 24)) {
	case 0: map_something(t); break;
	case 1: unmap(t); break;
	case 2: case 3: protect(t); break;
	case 4: move(t); break;
	case 5: case 6: discard(t, OP_DONTNEED, MADV_DONTNEED); break;
	case 7: advise(t, OP_FREE, some_range(t), MADV_FREE); break;
	case 8: advise(t, OP_COLD, some_range(t), MADV_COLD); break;
	case 9: advise(t, OP_PAGEOUT, some_range(t), MADV_PAGEOUT); break;
	case 10: populate(t); break;
	case 11: collapse(t); break;
	case 12: prefer_huge(t); break;
	case 13: guard(t); break;
	case 14: wipe(t); break;
	case 15: lock(t); break;
	case 16: ask_in_core(t); break;
	case 17: read_file(t); break;
	case 18: write_file(t); break;
	case 19: remote(t); break;
	default: seldom(t); break;
	}
}

void operate(struct thread *t)
{
	if ((!t->space || !pick(t, 128)) && !take_space(t)) {
		replace_slot(t, NULL);
		return;
	}
	switch (pick(t, 24)) {
	case 0: case 1: case 2: call(t); break;
	case 3: fault_in(t); break;
	case 4: soft_run(t); break;
	case 5: host_run(t); break;
	case 6: translate(t); break;
	case 7: pin(t); break;
	case 8: store_to_pinned(t); break;
	case 9: case 10: look_fast(t); break;
	case 11: fill_shadow(t); break;
	case 12 ... 16: load(t); break;
	default: store(t); break;
	}
}
