/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which calls are left out of the comparison.
 *
 * A call is left out (STEP_SKIPPED) for one of three reasons, which hold wherever the list of calls
 * came from, a shortened one as well:
 *
 *  1. it would change the agent's own memory;
 *  2. it would fill much memory with pages, poison it, or make the kernel lose count of it: only
 *     that takes time or does harm;
 *  3. pages, which a mm for bookkeeping has none of, would decide what happens: filling a range
 *     that may hold guard pages stops at the first of them; and the first read of a huge page
 *     touches the area, unless there is a small page already, from before the area was told to
 *     have huge ones.
 *
 * With pages there is less of the third kind: what reclaims pages (which the kernel does or does
 * not), and what the library has not: see docs/CAVEATS.md.
 */
#include <vmarea/file.h>

#include "diff.h"

#define HUGE_PAGE	(2ul << 20)
#define FILL_MAX	(8ul << 20)	/* bytes that one call may fill */
#define FILL_ALL_MAX	(24ul << 20)	/* the same for mlockall() */
#define FILE_MAX	(1024 * DIFF_PAGE)

static bool overlap(uint64_t a_start, uint64_t a_end, uint64_t b_start, uint64_t b_end)
{
	return a_start < b_end && b_start < a_end;
}

bool side_hits_agent(const struct side *side, uint64_t addr, uint64_t len)
{
	uint64_t start = addr & ~(DIFF_PAGE - 1);
	uint64_t end = (addr + len + DIFF_PAGE - 1) & ~(DIFF_PAGE - 1);

	if (addr + len < addr || end < start)
		return false;
	return overlap(start, end, side->image_start, side->image_end) ||
		overlap(start, end, AGENT_SHARED_ADDR, AGENT_SHARED_ADDR + AGENT_SHARED_BYTES);
}

static uint64_t mapped_bytes(const struct side_proc *proc, uint64_t addr, uint64_t len)
{
	uint64_t end = addr + len < addr ? ~0ul : addr + len, sum = 0;

	for (uint32_t i = 0; i < proc->nr; i++) {
		const struct diff_area *area = &proc->area[i].seen;
		uint64_t from = area->start > addr ? area->start : addr;
		uint64_t to = area->end < end ? area->end : end;

		if (from < to)
			sum += to - from;
	}
	return sum;
}

bool side_any_flag(const struct side_proc *proc, uint64_t addr, uint64_t len, vm_flags_t flag)
{
	uint64_t end = addr + len < addr ? ~0ul : addr + len;

	for (uint32_t i = 0; i < proc->nr; i++)
		if ((proc->area[i].flags & flag) &&
		    overlap(addr, end, proc->area[i].seen.start, proc->area[i].seen.end))
			return true;
	return false;
}

/* File systems end at lengths of their own, which only they know. */
static bool any_far_offset(const struct side_proc *proc, uint64_t addr, uint64_t len)
{
	uint64_t end = addr + len < addr ? ~0ul : addr + len;

	for (uint32_t i = 0; i < proc->nr; i++)
		if (proc->area[i].seen.offset >= 1ul << 40 &&
		    overlap(addr, end, proc->area[i].seen.start, proc->area[i].seen.end))
			return true;
	return false;
}

/* Is @addr in a huge page that would lie wholly inside the area? */
bool side_in_huge_page(const struct side_proc *proc, const struct side_area *area, uint64_t addr)
{
	uint64_t start = addr & ~(HUGE_PAGE - 1);

	return (area->flags & VM_HUGEPAGE) && !mm_get_thp_disable(proc->mm) &&
		start >= area->seen.start &&
		start + HUGE_PAGE <= area->seen.end;
}

/* Would filling the range be too much, or stop where only pages know? */
static bool cannot_fill(const struct side *side, const struct side_proc *proc, uint64_t addr,
			uint64_t len)
{
	uint64_t start = addr & ~(DIFF_PAGE - 1);

	len += DIFF_PAGE;
	if (mapped_bytes(proc, start, len) > FILL_MAX)
		return true;
	if (side->memory.touch)
		return side_any_flag(proc, start, len, VM_PFNMAP | VM_IO | VM_DONTEXPAND);
	return (side->small_pages && side_any_flag(proc, start, len, VM_HUGEPAGE)) ||
		side_any_flag(proc, start, len, VM_MAYBE_GUARD | VM_PFNMAP | VM_IO);
}

static bool skip_mmap(const struct side *side, const struct side_proc *proc, const uint64_t *a)
{
	/* Huge pages may round the length up, the largest to 1 GiB. */
	uint64_t len = a[3] & MAP_HUGETLB && a[1] < DIFF_TASK_SIZE ?
		((a[1] - 1) | ((1ul << 30) - 1)) + 1 : a[1];

	if ((a[3] & MAP_FIXED) && !(a[3] & MAP_FIXED_NOREPLACE) && side_hits_agent(side, a[0], len))
		return true;
	/* Near the limit of all promised memory it depends on what all processes were promised. */
	if (side->machine->config.overcommit == VMAREA_OVERCOMMIT_NEVER && len > FILL_MAX &&
	    len < 1ul << 40)
		return true;
	return ((a[3] & (MAP_LOCKED | MAP_POPULATE)) || proc->mcl_future) && a[1] > FILL_MAX &&
		a[1] < DIFF_TASK_SIZE;
}

/*
 * Linux 6.18 promises itself what a move cuts off, and never gives it back: little of that is made
 * to happen, and nothing where it counts.  More than there is memory is refused, which does no
 * harm.
 */
static bool leaks_promises(const struct side *side, const struct side_proc *proc,
			   const uint64_t *a)
{
	const struct vmarea_config *config = &side->machine->config;
	uint64_t nr_pages = (a[1] - a[2]) / DIFF_PAGE;

	if (!(a[3] & MREMAP_FIXED) || a[1] <= a[2] ||
	    !side_any_flag(proc, a[0], DIFF_PAGE, VM_ACCOUNT))
		return false;
	if (config->overcommit == VMAREA_OVERCOMMIT_NEVER)
		return true;
	return nr_pages > 16 && (nr_pages <= config->total_ram_pages + config->total_swap_pages ||
				 config->overcommit == VMAREA_OVERCOMMIT_ALWAYS);
}

/* Where the agent's own memory is the kernel has a table, which goes along with what is moved. */
static bool has_agents_table(const struct side *side, uint64_t addr, uint64_t len)
{
	uint64_t start = addr & ~(HUGE_PAGE - 1);
	uint64_t end = (addr + len + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

	return side->memory.touch && overlap(start, end, side->image_start, side->image_end);
}

static bool skip_mremap(const struct side *side, const struct side_proc *proc, const uint64_t *a)
{
	if (side_hits_agent(side, a[0], a[1]) || side_hits_agent(side, a[0], a[2]) ||
	    ((a[3] & MREMAP_FIXED) && side_hits_agent(side, a[4], a[2])) ||
	    leaks_promises(side, proc, a) || has_agents_table(side, a[0], a[1]))
		return true;
	if (side_any_flag(proc, a[0], a[1] + DIFF_PAGE, VM_HUGEPAGE) &&
	    side_any_flag(proc, a[0], a[1] + DIFF_PAGE, VM_LOCKED))
		return true;
	return a[2] > FILL_MAX && a[2] > a[1] && a[2] < DIFF_TASK_SIZE &&
		(proc->mcl_future ||
		 side->machine->config.overcommit == VMAREA_OVERCOMMIT_NEVER ||
		 side_any_flag(proc, a[0], a[1] + DIFF_PAGE, VM_LOCKED));
}

bool side_holds_huge_page(uint64_t addr, uint64_t len)
{
	uint64_t first = (addr + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

	return addr + len >= addr && first >= addr && first + HUGE_PAGE <= addr + len;
}

static bool any_file(const struct side_proc *proc, uint64_t addr, uint64_t len)
{
	uint64_t end = addr + len < addr ? ~0ul : addr + len;

	for (uint32_t i = 0; i < proc->nr; i++)
		if (proc->area[i].seen.inode &&
		    overlap(addr, end, proc->area[i].seen.start, proc->area[i].seen.end))
			return true;
	return false;
}

/*
 * May there be pieces of a huge page, in whatever shape?  Such advice makes pages of them, and of
 * those that are all zeros the kernel then has none.  What an area was advised stays with it.
 */
static bool may_fold_zeros(const struct side *side, const struct side_proc *proc, uint64_t addr,
			   uint64_t len)
{
	const vm_flags_t advised = VM_HUGEPAGE | VM_NOHUGEPAGE;
	uint64_t end = addr + len < addr ? ~0ul : addr + len;

	for (uint32_t i = 0; i < proc->nr && side->huge_pages; i++) {
		const struct side_area *area = &proc->area[i];

		if (side_is_anonymous(side, area) &&
		    overlap(addr, end, area->seen.start, area->seen.end) &&
		    (side->collapsed || (area->flags & advised)))
			return true;
	}
	return false;
}

/* Does the area show a file on a disk?  Then that. */
static const struct test_file *disk_of(const struct side *side, const struct side_area *area)
{
	for (int i = 0; i < side->files->nr; i++) {
		const struct test_file *f = &side->files->file[i];

		if (f->label && f->disk && area->seen.inode == f->desc.inode)
			return f;
	}
	return NULL;
}

static bool any_disk(const struct side *side, const struct side_proc *proc, uint64_t addr,
		     uint64_t len)
{
	uint64_t end = addr + len < addr ? ~0ul : addr + len;

	for (uint32_t i = 0; i < proc->nr; i++)
		if (disk_of(side, &proc->area[i]) &&
		    overlap(addr, end, proc->area[i].seen.start, proc->area[i].seen.end))
			return true;
	return false;
}

#define NOWHERE	(~0ul)

/* The page of the area that a file ends in, in its middle; or NOWHERE. */
static uint64_t last_page(const struct side *side, const struct diff_area *area,
			  const struct test_file *f)
{
	uint64_t size = file_size(side->file[f - side->files->file]);
	uint64_t at = area->start + (size & ~(DIFF_PAGE - 1)) - area->offset;

	return size % DIFF_PAGE && at >= area->start && at < area->end ? at : NOWHERE;
}

/*
 * The kernel has pages of a file on a disk as large as it likes, and writes one back as a whole: if
 * what is behind the end of the file goes with it, only a range that has that page says.
 */
static bool writes_part_of_disk(const struct side *side, const struct side_proc *proc,
				const uint64_t *a)
{
	uint64_t end = a[0] + a[1] < a[0] ? ~0ul : a[0] + a[1];

	for (uint32_t i = 0; i < proc->nr && (a[2] & MS_SYNC); i++) {
		const struct diff_area *area = &proc->area[i].seen;
		const struct test_file *f = disk_of(side, &proc->area[i]);
		uint64_t last;

		if (!f || !overlap(a[0], end, area->start, area->end) ||
		    !(file_size(side->file[f - side->files->file]) % DIFF_PAGE))
			continue;
		last = last_page(side, area, f);
		if (last < a[0] || last >= end)
			return true;
	}
	return false;
}

/*
 * What of a file may be taken out of memory: what is on a disk.  Of memory files the kernel takes
 * what nobody has written to; and a page that a file ends in it leaves, if it is dirty, where the
 * library writes it.
 */
static bool pages_out_of_file(const struct side *side, const struct side_proc *proc,
			      uint64_t addr, uint64_t len)
{
	uint64_t end = addr + len < addr ? ~0ul : addr + len;

	for (uint32_t i = 0; i < proc->nr; i++) {
		const struct diff_area *area = &proc->area[i].seen;
		const struct test_file *f = disk_of(side, &proc->area[i]);

		if (area->inode && overlap(addr, end, area->start, area->end) &&
		    (!f || last_page(side, area, f) != NOWHERE))
			return true;
	}
	return false;
}

/* What the library does not do, or the kernel does as it likes. */
static bool skip_advice_for_pages(const struct side *side, const struct side_proc *proc,
				  uint64_t addr, uint64_t len, int advice)
{
	switch (advice) {
	case MADV_HUGEPAGE:
		return !side->huge_pages;
	case MADV_COLLAPSE:
		return side_holds_huge_page(addr, len) &&
			(!side->huge_pages || any_file(proc, addr, len));
	case MADV_REMOVE:
		return side->files->no_holes && !side->memory.files &&
			any_disk(side, proc, addr, len);
	case MADV_FREE:
	case MADV_COLD:
		return may_fold_zeros(side, proc, addr, len);
	case MADV_PAGEOUT:
		return may_fold_zeros(side, proc, addr, len) || side->lazily_freed ||
			side->machine->config.total_swap_pages ||
			pages_out_of_file(side, proc, addr, len) ||
			side_any_flag(proc, addr, len, VM_DROPPABLE);
	default:
		return false;
	}
}

/* What a locked area of a file would have to read while its protection changes, is left unread. */
static bool reads_at_once(const struct side *side, const struct side_proc *proc,
			  const uint64_t *a)
{
	const vm_flags_t locked = VM_WRITE | VM_SHARED | VM_LOCKED;

	if (!side->memory.files || !(a[2] & PROT_WRITE))
		return false;
	for (uint32_t i = 0; i < proc->nr; i++)
		if (disk_of(side, &proc->area[i]) &&
		    (proc->area[i].flags & locked) == VM_LOCKED &&
		    overlap(a[0], a[0] + a[1], proc->area[i].seen.start, proc->area[i].seen.end))
			return true;
	return false;
}

static bool skip_madvise(const struct side *side, const struct side_proc *proc, uint64_t addr,
			 uint64_t len, int advice)
{
	if (side_hits_agent(side, addr, len) ||
	    (side->memory.touch && skip_advice_for_pages(side, proc, addr, len, advice)))
		return true;
	switch (advice) {
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		return side->start->config.caps;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return cannot_fill(side, proc, addr, len);
	case MADV_COLLAPSE:
	case MADV_PAGEOUT:
		return mapped_bytes(proc, addr, len) > FILL_MAX;
	case MADV_REMOVE:
		return any_far_offset(proc, addr, len);
	case MADV_GUARD_INSTALL:
		return !(side->machine->config.features & VMAREA_FEATURE_GUARD_FLAG) ||
			mapped_bytes(proc, addr, len) > FILL_MAX;
	default:
		return false;
	}
}

const struct side_proc *side_target(const struct side *side, const struct side_proc *proc,
					 uint64_t flags)
{
	return flags >> 8 ? &side->proc[((flags >> 8) - 1) % AGENT_MAX_PROCS] : proc;
}

/* Another's memory may be advised about only with a capability that the library knows not of. */
static bool skip_process_madvise(const struct side *side, const struct side_proc *proc,
				 const uint64_t *a)
{
	const struct side_proc *of = side_target(side, proc, a[5]);

	if (!of->mm || (of != proc && !side->start->config.caps))
		return true;
	return skip_madvise(side, of, a[0], a[1], (int)a[4]) ||
		skip_madvise(side, of, a[2], a[3], (int)a[4]);
}

/*
 * A write to a private file area touches it, unless the page is a guard.  (Anonymous areas have
 * been touched by putting one in.)
 */
static bool may_meet_guard(const struct side_area *area)
{
	return area->seen.inode && !(area->seen.prot & AREA_SHARED) &&
		(area->flags & VM_MAYBE_GUARD);
}

const struct side_area *side_area_at(const struct side_proc *proc, uint64_t addr)
{
	for (uint32_t i = 0; i < proc->nr; i++)
		if (addr >= proc->area[i].seen.start && addr < proc->area[i].seen.end)
			return &proc->area[i];
	return NULL;
}

/* What is behind [vvar] only a page fault knows; and its bytes are not to be executed. */
static bool skip_touch(const struct side *side, const struct side_proc *proc, const uint64_t *a)
{
	const struct side_area *area;

	uint64_t slot = side->memory.touch ? AGENT_EXEC_SLOT : 0;

	if (a[1] >= NR_TOUCH_KINDS || (a[1] == TOUCH_EXEC && a[0] % DIFF_PAGE != slot))
		return true;
	area = side_area_at(proc, a[0]);
	if (!area)
		return false;
	if (side_hits_agent(side, a[0], 1) || (area->flags & VM_DONTEXPAND))
		return true;
	return !side->memory.touch &&
		(a[1] == TOUCH_WRITE ? may_meet_guard(area) :
		 side->small_pages && side_in_huge_page(proc, area, a[0]));
}

/*
 * Where an access reaches beyond all addresses, no byte of it is to blame.  What is executed is not
 * stored to, but as zeros by a poke of many bytes.
 */
static bool skip_access(const struct side *side, const struct side_proc *proc,
			const struct diff_call *c)
{
	bool remote = c->op == OP_PEEK || c->op == OP_POKE;
	uint64_t addr = c->arg[0], bytes = c->arg[1], last = addr + bytes - 1;
	uint64_t slot = (last & ~(DIFF_PAGE - 1)) + AGENT_EXEC_SLOT;

	if (!side->memory.touch || !bytes || bytes > (remote ? AGENT_IO_BYTES : 8) || last < addr ||
	    (addr ^ last) >> 47 || side_hits_agent(side, addr, bytes) ||
	    side_any_flag(proc, addr, bytes, VM_DONTEXPAND))
		return true;
	return (c->op == OP_STORE || c->op == OP_POKE) && bytes <= 8 &&
		overlap(addr, last + 1, slot, slot + AGENT_EXEC_BYTES);
}

/* Others may be looked into by who may everything. */
static bool skip_remote(const struct side *side, const struct diff_call *c)
{
	const uint64_t *a = c->arg;

	if (a[2] >= AGENT_MAX_PROCS || a[3] >= NR_REMOTE_KINDS || !side->proc[a[2]].mm)
		return true;
	return (a[2] != c->proc && !side->start->config.caps) ||
		skip_access(side, &side->proc[a[2]], c);
}

static bool skip_fill(const struct side *side, const struct side_proc *proc, const uint64_t *a)
{
	struct mm_stats stats;

	mm_get_stats(proc->mm, &stats);
	return proc->filled || proc->mcl_future || a[0] < 2 ||
		side->machine->config.max_map_count > 100000 ||
		stats.nr_areas + a[0] >= side->machine->config.max_map_count;
}

/* NULL: not one whose bytes calls may change. */
static const struct test_file *file_of(const struct side *side, uint64_t file)
{
	const struct test_file *f = &side->files->file[file % AGENT_MAX_FILES];

	if (file < FILE_FIRST_SIZED || file >= (uint64_t)side->files->nr || !f->label ||
	    !f->mappable || (f->desc.flags & FILE_HUGETLB))
		return NULL;
	return f;
}

static bool skip_truncate(const struct side *side, uint64_t file, uint64_t bytes)
{
	return !file_of(side, file) || bytes > FILE_MAX;
}

/* A seal stays: only where another file comes in the next round, or it is refused. */
static bool skip_seals(const struct test_file *f)
{
	return (f->desc.flags & FILE_WRITE) && (f->desc.flags & FILE_SEALABLE) && !f->anew &&
		!(f->seals & F_SEAL_SEAL);
}

/*
 * Far ends are as the file system likes.  What is appended for good is not written at all.  Linux
 * takes a hole that ends inside of the first page of shared memory for one up to the last, as long
 * as it only unmaps: nobody else would notice.
 */
static bool skip_file_io(const struct side *side, const struct diff_call *c)
{
	const uint64_t *a = c->arg;
	const struct test_file *f = file_of(side, a[0]);

	if (!side->memory.touch || !f)
		return true;
	if (c->op == OP_ADD_SEALS)
		return skip_seals(f);
	if (c->op == OP_FILE_SYNC)
		return false;
	if (a[1] > FILE_MAX || a[2] > FILE_MAX)
		return true;
	if (c->op == OP_PUNCH)
		return (f->desc.flags & FILE_SHMEM) && a[1] + a[2] < DIFF_PAGE;
	if (c->op == OP_FILE_WRITE && ((f->desc.flags & FILE_APPEND_ONLY) ||
				       (f->append && file_size(side->file[a[0]]) > FILE_MAX)))
		return true;
	return a[2] > AGENT_IO_BYTES;
}

static bool skip_limit(const struct side *side, uint64_t which, uint64_t bytes)
{
	return which >= MM_NR_RLIMITS || bytes > side->start->limit_max[which];
}

static unsigned int nr_alive(const struct side *side)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < AGENT_MAX_PROCS; i++)
		n += side->proc[i].mm != NULL;
	return n;
}

static bool skip_process(const struct side *side, const struct diff_call *c)
{
	if (c->op == OP_EXIT)
		return nr_alive(side) < 2;
	if (side->proc[c->proc].filled)
		return true;
	return c->arg[0] >= AGENT_MAX_PROCS || side->proc[c->arg[0]].mm;
}

bool side_leaves_out(const struct side *side, const struct side_proc *proc,
		     const struct diff_call *c)
{
	const uint64_t *a = c->arg;

	switch (c->op) {
	case OP_MMAP:
		return skip_mmap(side, proc, a);
	case OP_MREMAP:
		return skip_mremap(side, proc, a);
	case OP_MADVISE:
		return skip_madvise(side, proc, a[0], a[1], (int)a[2]);
	case OP_PROCESS_MADVISE:
		return skip_process_madvise(side, proc, a);
	case OP_MPROTECT:
	case OP_PKEY_MPROTECT:
		return side_hits_agent(side, a[0], a[1]) || reads_at_once(side, proc, a);
	case OP_MUNMAP:
	case OP_MSEAL:
	case OP_ANON_NAME:
		return side_hits_agent(side, a[0], a[1]);
	case OP_REMAP_FILE_PAGES:
		return side_hits_agent(side, a[0], a[1]) ||
			(a[1] > FILL_MAX && a[1] < DIFF_TASK_SIZE);
	case OP_TOUCH:
		return skip_touch(side, proc, a);
	case OP_LOAD:
	case OP_STORE:
		return skip_access(side, proc, c);
	case OP_PEEK:
	case OP_POKE:
		return skip_remote(side, c);
	case OP_FILL:
		return skip_fill(side, proc, a);
	case OP_READ_INTO:
		return a[1] > FILL_MAX || a[0] + a[1] > DIFF_TASK_SIZE ||
			side_hits_agent(side, a[0], a[1]) ||
			cannot_fill(side, proc, a[0], a[1]);
	case OP_MLOCK:
	case OP_MLOCK2:
		return cannot_fill(side, proc, a[0], a[1]);
	case OP_MLOCKALL:
		return mapped_bytes(proc, 0, ~0ul) > FILL_ALL_MAX || proc->filled ||
			(!side->memory.touch &&
			 side_any_flag(proc, 0, ~0ul, VM_MAYBE_GUARD | VM_HUGEPAGE));
	case OP_MSYNC:
		return side->memory.files && writes_part_of_disk(side, proc, a);
	case OP_MEMORY_MERGE:
		return side->memory.files && a[0];
	case OP_MINCORE:
		return a[1] > 4096 * DIFF_PAGE && a[1] < DIFF_TASK_SIZE;
	case OP_SHMAT:
		return a[0] >= DIFF_NR_SEGMENTS || !side->segment[a[0]] ||
			((a[2] & SHM_REMAP) && side_hits_agent(side, a[1], 16 * DIFF_PAGE));
	case OP_BRK:
		return proc->mcl_future && a[0] > side->image_end + FILL_MAX;
	case OP_TRUNCATE:
		return skip_truncate(side, a[0], a[1]);
	case OP_PUNCH:
	case OP_FILE_READ:
	case OP_FILE_WRITE:
	case OP_FILE_SYNC:
	case OP_ADD_SEALS:
		return skip_file_io(side, c);
	case OP_SETRLIMIT:
		return skip_limit(side, a[0], a[1]);
	case OP_FORK:
	case OP_EXIT:
		return skip_process(side, c);
	default:
		return false;
	}
}

static bool gives_advice(const struct diff_call *c, uint64_t advice)
{
	return (c->op == OP_MADVISE && c->arg[2] == advice) ||
		(c->op == OP_PROCESS_MADVISE && c->arg[4] == advice);
}

bool side_frees_lazily(const struct diff_call *c)
{
	return gives_advice(c, MADV_FREE);
}

bool side_collapses(const struct diff_call *c)
{
	return gives_advice(c, MADV_COLLAPSE);
}

/* May it read memory into being? */
bool side_fills(const struct side_proc *proc, const struct diff_call *c)
{
	switch (c->op) {
	case OP_MMAP:
		return c->arg[3] & (MAP_POPULATE | MAP_LOCKED);
	case OP_MADVISE:
		return c->arg[2] == MADV_POPULATE_READ;
	case OP_PROCESS_MADVISE:
		return c->arg[4] == MADV_POPULATE_READ;
	case OP_MLOCK:
	case OP_MLOCK2:
	case OP_MLOCKALL:
		return true;
	default:
		return proc->mcl_future;
	}
}
