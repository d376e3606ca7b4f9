/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The totals of an mm, and what bounds them.
 *
 * Four limits stand between a program and an area, and each is asked on its own:
 *
 *	RLIMIT_AS	everything mapped (total_vm)
 *	RLIMIT_DATA	what is private and writable and no stack (data_vm)
 *	RLIMIT_MEMLOCK	what is locked (locked_vm), unless MM_CAP_IPC_LOCK
 *	overcommit	what the machine has promised to all its mms (instance->committed)
 *
 * The first three are counts of one mm and change under its mmap lock.  The promise is one word for
 * the machine, changed by all its mms: it is added first and looked at after, so that two callers
 * near the limit may both be refused, but never both be let through.
 */
#include "base/atomic.h"
#include "vma/guard.h"
#include "vma/instance.h"
#include "vma/limits.h"
#include "vma/map.h"

#define KIB_TO_PAGES(kib)	((kib) >> (PAGE_SHIFT - 10))
#define PAGES_OF_2M		BIT(21 - PAGE_SHIFT)
#define PAGES_OF_1G		BIT(30 - PAGE_SHIFT)

unsigned long mm_rlimit(const struct mm_struct *mm, enum mm_rlimit which)
{
	return atomic_load_relaxed(&mm->rlimit[which]);
}

bool mm_capable(const struct mm_struct *mm, unsigned int cap)
{
	return atomic_load_relaxed(&mm->caps) & cap;
}

unsigned long mm_lowest_addr(const struct mm_struct *mm)
{
	const struct vmarea_config *config = &mm->instance->config;

	return page_align(max(config->mmap_min_addr, config->lsm_mmap_min_addr));
}

/* ---------------------------------------------------------- kinds of area -- */

/* Code: executable and not writable.  A stack that may be executed is a stack. */
static bool is_exec(vm_flags_t flags)
{
	return (flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC;
}

bool mm_is_stack(vm_flags_t flags)
{
	return flags & VM_GROWSDOWN;
}

bool mm_is_data(vm_flags_t flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

bool mm_is_accountable(const struct file *file, vm_flags_t flags)
{
	/* The huge page pool has its own promises, and VM_HUGETLB may not be set yet. */
	if (file && (file_flags(file) & FILE_HUGETLB))
		return false;
	return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE;
}

/* ----------------------------------------------------------------- totals -- */

bool mm_may_expand(const struct mm_struct *mm, vm_flags_t flags, unsigned long nr_pages)
{
	unsigned long data_limit;

	if (mm->total_vm + nr_pages > mm_rlimit(mm, MM_RLIMIT_AS) >> PAGE_SHIFT)
		return false;
	if (!mm_is_data(flags))
		return true;
	data_limit = mm_rlimit(mm, MM_RLIMIT_DATA);
	if (mm->data_vm + nr_pages <= data_limit >> PAGE_SHIFT)
		return true;
	/*
	 * A soft limit of 0 counts for brk() alone: Valgrind sets it to keep programs from the
	 * heap.  Linux asks the hard limit then, which nobody who does this has lowered.
	 */
	return !data_limit;
}

void mm_account(struct mm_struct *mm, vm_flags_t flags, long nr_pages)
{
	mm_add(mm, total_vm, (unsigned long)nr_pages);
	if (is_exec(flags))
		mm_add(mm, exec_vm, (unsigned long)nr_pages);
	else if (mm_is_stack(flags))
		mm_add(mm, stack_vm, (unsigned long)nr_pages);
	else if (mm_is_data(flags))
		mm_add(mm, data_vm, (unsigned long)nr_pages);
}

bool mm_may_lock(const struct mm_struct *mm, vm_flags_t flags, unsigned long bytes)
{
	if (!(flags & VM_LOCKED) || mm_capable(mm, MM_CAP_IPC_LOCK))
		return true;
	return mm->locked_vm + (bytes >> PAGE_SHIFT) <=
	       mm_rlimit(mm, MM_RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

/* --------------------------------------------------------------- promises -- */

/* What may be promised under VMAREA_OVERCOMMIT_NEVER, before the reserves are kept back. */
static unsigned long commit_limit(const struct vmarea_config *config)
{
	unsigned long huge, limit;

	if (config->overcommit_kbytes) {
		limit = KIB_TO_PAGES(config->overcommit_kbytes);
	} else {
		huge = config->nr_huge_2m_pages * PAGES_OF_2M +
		       config->nr_huge_1g_pages * PAGES_OF_1G;
		/* A machine may be said to have more of them than memory: then that is all. */
		huge = min(huge, config->total_ram_pages);
		limit = (config->total_ram_pages - huge) * config->overcommit_ratio / 100;
	}
	return limit + config->total_swap_pages;
}

static bool fits_commit_limit(const struct mm_struct *mm, long committed)
	__must_hold_shared(vma_stable)
{
	const struct vmarea_config *config = &mm->instance->config;
	long allowed = (long)commit_limit(config);
	long reserve = (long)KIB_TO_PAGES(config->user_reserve_kbytes);

	if (!mm_capable(mm, MM_CAP_SYS_ADMIN))
		allowed -= (long)KIB_TO_PAGES(config->admin_reserve_kbytes);
	/* One process must not grow so big that nothing is left to end it with: 3% of its size. */
	allowed -= min((long)(mm->total_vm / 32), reserve);
	return max(committed, 0l) < allowed;
}

int mm_commit(struct mm_struct *mm, unsigned long nr_pages)
{
	const struct vmarea_config *config = &mm->instance->config;
	long committed = atomic_add_relaxed(&mm->instance->committed, (long)nr_pages) +
			 (long)nr_pages;
	bool ok = true;

	switch (config->overcommit) {
	case VMAREA_OVERCOMMIT_ALWAYS:
		break;
	case VMAREA_OVERCOMMIT_GUESS:
		/* The sum may be more than a number can be. */
		ok = nr_pages <= config->total_ram_pages ||
		     nr_pages - config->total_ram_pages <= config->total_swap_pages;
		break;
	case VMAREA_OVERCOMMIT_NEVER:
		ok = fits_commit_limit(mm, committed);
		break;
	}
	if (ok)
		return 0;
	mm_uncommit(mm, nr_pages);
	return -ENOMEM;
}

void mm_uncommit(struct mm_struct *mm, unsigned long nr_pages)
{
	atomic_sub_relaxed(&mm->instance->committed, (long)nr_pages);
}

unsigned long mm_count_committed(const struct mm_struct *mm)
{
	unsigned long nr_pages = 0;
	struct rt_entry entry;
	struct rt_iter it;

	rt_iter_init(&it, rt_working(&mm->areas), 0);
	while (rt_iter_next(&it, &entry)) {
		if (entry.tag & VM_ACCOUNT)
			nr_pages += (entry.end - entry.start) >> PAGE_SHIFT;
	}
	return nr_pages;
}
