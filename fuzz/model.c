/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The pages, and the calls that change what is there.  See model.h.
 */
#include "model.h"

#include <errno.h>

unsigned long model_next(struct model *m, unsigned long i)
{
	while (i < MODEL_PAGES && !m->page[i].mapped)
		i++;
	return i;
}

unsigned long model_area_start(struct model *m, unsigned long i)
{
	while (i && m->page[i].joined)
		i--;
	return i;
}

unsigned long model_area_end(struct model *m, unsigned long i)
{
	do
		i++;
	while (model_at(m, i) && m->page[i].joined);
	return i;
}

void model_clear(struct model *m, unsigned long start, unsigned long end)
{
	for (unsigned long i = start; i < end && i < MODEL_PAGES; i++)
		m->page[i] = (struct model_page){ 0 };
	if (end < MODEL_PAGES)
		m->page[end].joined = false;
}

bool model_any_sealed(struct model *m, unsigned long start, unsigned long end)
{
	for_each_page(i, start, end)
		if (model_at(m, i) && m->page[i].flags & VM_SEALED)
			return true;
	return false;
}

/* ------------------------------------------------------------------ totals -- */

static bool is_data(vm_flags_t flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

unsigned long model_total(const struct model *m, enum model_total which)
{
	unsigned long n = which == TOTAL_LOCKED ? m->stray : 0;

	for (unsigned long i = 0; i < MODEL_PAGES; i++) {
		vm_flags_t f = m->page[i].flags;
		bool exec = (f & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC;
		bool in[NR_TOTALS] = { true, is_data(f), exec, f & VM_GROWSDOWN, f & VM_LOCKED };

		n += m->page[i].mapped && in[which];
	}
	return n;
}

bool model_may_expand(const struct model *m, vm_flags_t flags, unsigned long n)
{
	unsigned long data = m->rlimit[MM_RLIMIT_DATA];

	if (model_total(m, TOTAL_PAGES) + n > m->rlimit[MM_RLIMIT_AS] / PAGE)
		return false;
	return !is_data(flags) || !data || model_total(m, TOTAL_DATA) + n <= data / PAGE;
}

bool model_may_lock(const struct model *m, vm_flags_t flags, unsigned long n)
{
	return !(flags & VM_LOCKED) || m->caps & MM_CAP_IPC_LOCK ||
	       model_total(m, TOTAL_LOCKED) + n <= m->rlimit[MM_RLIMIT_MEMLOCK] / PAGE;
}

bool model_may_lock_at_all(const struct model *m)
{
	return m->caps & MM_CAP_IPC_LOCK || m->rlimit[MM_RLIMIT_MEMLOCK];
}

bool model_is_mergeable(vm_flags_t flags)
{
	return !(flags & (VM_SHARED | VM_MAYSHARE | MODEL_SPECIAL | VM_DROPPABLE));
}

/* ---------------------------------------------------------------- touching -- */

static enum mm_fault touch_page(struct model *m, unsigned long i, enum mm_access kind)
{
	struct model_page *p = &m->page[i];
	const struct model_object *o = model_object(m, p);

	if (!(p->flags & MODEL_ACCESS) || (kind == MM_ACCESS_WRITE && !(p->flags & VM_WRITE)))
		return MM_FAULT_ACCERR;
	if (kind == MM_ACCESS_WRITE && !(p->flags & VM_SHARED))
		p->touched = true;
	if (!model_is_anon(m, p) && p->pgoff >= o->size && (!o->own_ops || o->flags & FILE_SHMEM))
		return MM_FAULT_BUS;
	return kind == MM_ACCESS_EXEC && !(p->flags & VM_EXEC) ? MM_FAULT_ACCERR : MM_FAULT_DONE;
}

/* The stack that begins at @top grows down to @i, if it may. */
static bool grow(struct model *m, unsigned long top, unsigned long i)
{
	struct model_page stack = m->page[top];
	unsigned long below = i, n = top - i;

	while (below && !model_at(m, below - 1))
		below--;
	if (i < MODEL_LOWEST)
		return false;
	if (below && !(m->page[below - 1].flags & VM_GROWSDOWN) &&
	    m->page[below - 1].flags & MODEL_ACCESS && i - below < MODEL_GAP)
		return false;
	m->page[top].touched = true;
	if (n > stack.pgoff || !model_may_expand(m, stack.flags, n) ||
	    !model_may_lock(m, stack.flags, n) ||
	    (model_area_end(m, top) - i) * PAGE > m->rlimit[MM_RLIMIT_STACK])
		return false;
	for (unsigned long k = i; k <= top; k++) {
		m->page[k] = stack;
		m->page[k].pgoff = stack.pgoff - (top - k);
		m->page[k].joined = k > i;
		m->page[k].touched = true;
	}
	return true;
}

enum mm_fault model_touch(struct model *m, unsigned long addr, unsigned long len,
			  enum mm_access access)
{
	unsigned long end = addr + len;

	if (!len)
		return MM_FAULT_DONE;
	if (end < addr || end > -PAGE)
		return MM_FAULT_MAPERR;
	for_each_page(i, addr / PAGE, model_align(end) / PAGE) {
		unsigned long above = model_next(m, i);
		enum mm_fault fault;

		if (above != i && !(model_at(m, above) && m->page[above].flags & VM_GROWSDOWN &&
				    grow(m, above, i)))
			return MM_FAULT_MAPERR;
		fault = model_at(m, i) ? touch_page(m, i, access) : MM_FAULT_MAPERR;
		if (fault != MM_FAULT_DONE)
			return fault;
	}
	return MM_FAULT_DONE;
}

/* What can be populated is; mlock() wants to know of the first page that cannot. */
static int populate(struct model *m, unsigned long start, unsigned long end, bool stop)
{
	for_each_page(i, start, end) {
		struct model_page *p = model_at(m, i);
		bool write = p && (p->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;

		if (!p || p->flags & (VM_IO | VM_PFNMAP | VM_LOCKONFAULT))
			continue;
		if (touch_page(m, i, write ? MM_ACCESS_WRITE : MM_ACCESS_READ) && stop)
			return -ENOMEM;
	}
	return 0;
}

void model_populate(struct model *m, unsigned long start, unsigned long end)
{
	populate(m, start, end, false);
}

bool model_range_ok(const struct model *m, unsigned long addr, unsigned long len,
		    unsigned long prot)
{
	vm_flags_t want = model_flags_of_prot(prot);

	if (addr + len < addr)
		return false;
	for_each_page(i, addr / PAGE, len ? (addr + len - 1) / PAGE + 1 : 0)
		if (i >= MODEL_PAGES || !m->page[i].mapped || (m->page[i].flags & want) != want)
			return false;
	return true;
}

/* ------------------------------------------------------ munmap and mprotect -- */

long model_munmap(struct model *m, unsigned long addr, unsigned long len)
{
	unsigned long start = addr / PAGE, end = start + model_align(len) / PAGE;

	if (addr % PAGE || addr > MODEL_PAGES * PAGE || len > MODEL_PAGES * PAGE - addr || !len)
		return -EINVAL;
	if (model_any_sealed(m, start, end))
		return -EPERM;
	model_clear(m, start, end);
	return 0;
}

/* [i, end) of one area becomes @to. */
static int protect_part(struct model *m, unsigned long i, unsigned long end, vm_flags_t to)
{
	vm_flags_t old = m->page[i].flags, gone = 0;

	if (to & MODEL_ACCESS & ~(to >> 4))
		return -EACCES;
	if (old & VM_SEALED)
		return -EPERM;
	if (to == old)
		return 0;
	if (to & VM_WRITE) {
		if (!model_may_expand(m, to, end - i) && model_may_expand(m, old, end - i))
			return -ENOMEM;
		if (!(old & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE)))
			to |= VM_ACCOUNT;
	} else if (model_is_anon(m, &m->page[i])) {
		gone = to & VM_ACCOUNT;
	}
	/* Who was touched keeps it; if nobody was, that hangs on the area. */
	for (unsigned long k = i; k < end; k++)
		if (m->page[k].touched)
			gone = 0;
	for (; i < end; i++) {
		m->page[i].flags = to;
		m->page[i].open |= gone;
		if ((old & (VM_WRITE | VM_SHARED | MODEL_LOCKS)) == VM_LOCKED && to & VM_WRITE)
			touch_page(m, i, MM_ACCESS_WRITE);
	}
	return 0;
}

long model_mprotect(struct model *m, unsigned long addr, unsigned long len, unsigned long prot)
{
	unsigned long grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	unsigned long i = addr / PAGE, end = i + model_align(len) / PAGE, part;
	int err = 0;

	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || addr % PAGE)
		return -EINVAL;
	if (!len)
		return 0;
	if (!model_align(len) || addr + model_align(len) < addr + 1)
		return -ENOMEM;
	if ((prot & ~grows) & ~(unsigned long)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	if (grows & PROT_GROWSDOWN) {
		i = model_next(m, i);
		if (!model_at(m, i) || i >= end)
			return -ENOMEM;
		if (!(m->page[i].flags & VM_GROWSDOWN))
			return -EINVAL;
		i = model_area_start(m, i);
	}
	if (!model_at(m, i))
		return -ENOMEM;
	if (grows & PROT_GROWSUP)
		return -EINVAL;
	for (; !err && i < end; i = part) {
		const struct model_page *p = model_at(m, i);
		bool exec = p && p->flags & VM_MAYEXEC && prot & PROT_READ &&
			    m->personality & MM_PERS_READ_IMPLIES_EXEC;

		if (!p)
			return -ENOMEM;
		part = model_area_end(m, i);
		part = part < end ? part : end;
		err = protect_part(m, i, part, (p->flags & ~MODEL_ACCESS) |
				   model_flags_of_prot(prot) | (exec ? VM_EXEC : 0));
	}
	return err;
}

/* ----------------------------------------------------------------- locking -- */

static bool lock_page(struct model *m, unsigned long i, vm_flags_t locks)
{
	struct model_page *p = model_at(m, i);

	if (p && !(p->flags & (MODEL_SPECIAL | VM_DROPPABLE)))
		p->flags = (p->flags & ~MODEL_LOCKS) | locks;
	return p;
}

static long lock_range(struct model *m, unsigned long start, unsigned long end, vm_flags_t locks)
{
	for_each_page(i, start, end)
		if (!lock_page(m, i, locks))
			return -ENOMEM;
	return 0;
}

long model_mlock(struct model *m, unsigned long addr, unsigned long len, int flags)
{
	unsigned long start = addr / PAGE, bytes = model_align(len + addr % PAGE);
	unsigned long limit = m->rlimit[MM_RLIMIT_MEMLOCK] / PAGE, more = bytes / PAGE;
	long err;

	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	if (!model_may_lock_at_all(m))
		return -EPERM;
	if (model_total(m, TOTAL_LOCKED) + more > limit)
		for_each_page(i, start, start + bytes / PAGE)
			more -= model_at(m, i) && m->page[i].flags & VM_LOCKED;
	if (model_total(m, TOTAL_LOCKED) + more > limit && !(m->caps & MM_CAP_IPC_LOCK))
		return -ENOMEM;
	if (start * PAGE + bytes < start * PAGE)
		return -EINVAL;
	err = lock_range(m, start, start + bytes / PAGE,
			 flags & MLOCK_ONFAULT ? MODEL_LOCKS : VM_LOCKED);
	return err ? err : populate(m, start, start + bytes / PAGE, true);
}

long model_munlock(struct model *m, unsigned long addr, unsigned long len)
{
	unsigned long start = addr & -PAGE, bytes = model_align(len + addr % PAGE);

	if (start + bytes < start)
		return -EINVAL;
	return lock_range(m, start / PAGE, (start + bytes) / PAGE, 0);
}

long model_mlockall(struct model *m, int flags)
{
	vm_flags_t locks = flags & MCL_ONFAULT ? MODEL_LOCKS : VM_LOCKED;

	if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!model_may_lock_at_all(m))
		return -EPERM;
	if (flags & MCL_CURRENT && !(m->caps & MM_CAP_IPC_LOCK) &&
	    model_total(m, TOTAL_PAGES) > m->rlimit[MM_RLIMIT_MEMLOCK] / PAGE)
		return -ENOMEM;
	m->locked_future = flags & MCL_FUTURE ? locks : 0;
	for (unsigned long i = 0; flags & MCL_CURRENT && i < MODEL_PAGES; i++)
		lock_page(m, i, locks);
	if (flags & MCL_CURRENT)
		populate(m, 0, MODEL_PAGES, false);
	return 0;
}

void model_munlockall(struct model *m)
{
	m->locked_future = 0;
	for (unsigned long i = 0; i < MODEL_PAGES; i++)
		lock_page(m, i, 0);
}
