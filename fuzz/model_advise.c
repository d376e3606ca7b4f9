/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * madvise() and the other calls that mark pages; fork and exec.  See model.h.
 */
#include "model.h"

#include <errno.h>

/* -EINVAL, 1: nothing to do, or 0 and the pages. */
static int range_of(unsigned long addr, unsigned long len, unsigned long *start,
		    unsigned long *end)
{
	if (addr % PAGE || (len && !model_align(len)) || addr + model_align(len) < addr)
		return -EINVAL;
	*start = addr / PAGE;
	*end = *start + model_align(len) / PAGE;
	return !len;
}

/* ----------------------------------------------------------------- madvise -- */

/* Advices that set and clear a flag. */
static int mark(struct model *m, struct model_page *p, int advice)
{
	static const struct {
		int advice;
		vm_flags_t set, clear;
	} marks[] = {
		{ MADV_NORMAL, 0, VM_RAND_READ | VM_SEQ_READ },
		{ MADV_RANDOM, VM_RAND_READ, VM_SEQ_READ },
		{ MADV_SEQUENTIAL, VM_SEQ_READ, VM_RAND_READ },
		{ MADV_DONTFORK, VM_DONTCOPY, 0 }, { MADV_DOFORK, 0, VM_DONTCOPY },
		{ MADV_WIPEONFORK, VM_WIPEONFORK, 0 }, { MADV_KEEPONFORK, 0, VM_WIPEONFORK },
		{ MADV_DONTDUMP, VM_DONTDUMP, 0 }, { MADV_DODUMP, 0, VM_DONTDUMP },
		{ MADV_MERGEABLE, VM_MERGEABLE, 0 }, { MADV_UNMERGEABLE, 0, VM_MERGEABLE },
		{ MADV_HUGEPAGE, VM_HUGEPAGE, VM_NOHUGEPAGE },
		{ MADV_NOHUGEPAGE, VM_NOHUGEPAGE, VM_HUGEPAGE },
	};
	vm_flags_t f = p->flags;

	if ((advice == MADV_DOFORK && f & VM_IO) ||
	    (advice == MADV_WIPEONFORK && (p->object || f & VM_SHARED)) ||
	    (advice == MADV_KEEPONFORK && f & VM_DROPPABLE) ||
	    (advice == MADV_DODUMP && f & (MODEL_SPECIAL | VM_DROPPABLE)))
		return -EINVAL;
	if (advice == MADV_MERGEABLE && !model_is_mergeable(f))
		return 0;
	for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]); k++)
		if (marks[k].advice == advice)
			p->flags = (f & ~marks[k].clear) | marks[k].set;
	return 0;
}

/* Punches a hole into the file. */
static int remove_page(struct model *m, struct model_page *p)
{
	const struct model_object *o = model_object(m, p);

	if (p->flags & VM_LOCKED || !p->object)
		return -EINVAL;
	if (!(p->flags & VM_SHARED) || !(p->flags & VM_MAYWRITE))
		return -EACCES;
	if (o->flags & (FILE_APPEND_ONLY | FILE_SEAL_WRITE))
		return -EPERM;
	return o->own_ops && !(o->flags & FILE_SHMEM) ? -ENODEV : 0;
}

static int advise_page(struct model *m, struct model_page *p, int advice)
{
	vm_flags_t f = p->flags;

	switch (advice) {
	case MADV_DONTFORK: case MADV_WIPEONFORK: case MADV_DONTNEED: case MADV_FREE:
	case MADV_DONTNEED_LOCKED: case MADV_REMOVE: case MADV_GUARD_INSTALL:
		if (f & VM_SEALED && model_is_anon(m, p) && !(f & VM_WRITE))
			return -EPERM;
	}
	switch (advice) {
	case MADV_WILLNEED:
		return 0;
	case MADV_DONTNEED: case MADV_COLD: case MADV_PAGEOUT:
		return f & (VM_LOCKED | VM_PFNMAP) ? -EINVAL : 0;
	case MADV_DONTNEED_LOCKED:
		return f & VM_PFNMAP ? -EINVAL : 0;
	case MADV_FREE:
		return f & (VM_LOCKED | VM_PFNMAP) || !model_is_anon(m, p) ? -EINVAL : 0;
	case MADV_REMOVE:
		return remove_page(m, p);
	case MADV_COLLAPSE:
		return -EINVAL;		/* the whole of this address space is less than 2 MiB */
	case MADV_GUARD_REMOVE:
		return f & MODEL_SPECIAL ? -EINVAL : 0;
	case MADV_GUARD_INSTALL:
		if (f & (MODEL_SPECIAL | VM_LOCKED))
			return -EINVAL;
		p->touched |= model_is_anon(m, p);
		p->flags |= VM_MAYBE_GUARD;
		return 0;
	}
	return mark(m, p, advice);
}

/* MADV_POPULATE_READ and _WRITE, MADV_HWPOISON: ends at the first page that cannot be had. */
static int access_pages(struct model *m, unsigned long start, unsigned long end, int advice)
{
	bool write = advice == MADV_POPULATE_WRITE, poison = advice >= MADV_HWPOISON;

	if (poison && !(m->caps & MM_CAP_SYS_ADMIN))
		return -EPERM;
	for_each_page(i, start, end) {
		const struct model_page *p = model_at(m, i);
		vm_flags_t want = write ? VM_WRITE : VM_READ;

		if (!p)
			return poison ? -EFAULT : -ENOMEM;
		if (p->flags & (VM_IO | VM_PFNMAP) || !(p->flags & want))
			return poison ? -EFAULT : -EINVAL;
		if (model_touch(m, i * PAGE, 1, write ? MM_ACCESS_WRITE : MM_ACCESS_READ))
			return -EFAULT;
	}
	return 0;
}

static bool is_access(int advice)
{
	return advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE ||
	       advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE;
}

static bool is_advice(int advice)
{
	return advice <= MADV_WILLNEED + 1 ? advice >= 0 :
	       (advice >= MADV_FREE && advice <= MADV_COLLAPSE) ||
	       (advice >= MADV_HWPOISON && advice <= MADV_GUARD_REMOVE);
}

long model_madvise(struct model *m, unsigned long addr, unsigned long len, int advice)
{
	unsigned long start, end;
	int err, result = 0;

	if (!is_advice(advice))
		return -EINVAL;
	err = range_of(addr, len, &start, &end);
	if (err)
		return err < 0 ? err : 0;
	if (is_access(advice))
		return access_pages(m, start, end, advice);
	for_each_page(i, start, end) {
		struct model_page *p = model_at(m, i);

		err = p ? advise_page(m, p, advice) : 0;
		if (err)
			return err;
		if (!p)
			result = -ENOMEM;
	}
	return result;
}

long model_process_madvise(struct model *m, const struct mm_range *range, size_t nr, int advice,
			   unsigned int flags, bool self)
{
	unsigned long done = 0, total = 0;
	bool remote = advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED ||
		      advice == MADV_COLLAPSE;

	if (flags)
		return -EINVAL;
	for (size_t k = 0; k < nr; k++)
		if ((long)range[k].len < 0)
			return -EINVAL;
	for (size_t k = 0; k < nr; k++) {
		/* What is too long for one call is cut to what fits, a single range before all. */
		unsigned long most = 0x7ffff000ul, len = range[k].len;

		if (nr == 1 && len > most)
			len = most;
		if (range[k].addr + len < range[k].addr || range[k].addr + len > MODEL_PAGES * PAGE)
			return -EFAULT;
		total += len;
	}
	if (!self && !remote)
		return -EINVAL;
	for (size_t k = 0; k < nr && done < total; k++) {
		long err = range[k].len || !k ?
			   model_madvise(m, range[k].addr, range[k].len, advice) : 0;

		if (err)
			return done ? (long)done : err;
		done += range[k].len;
	}
	return (long)done;
}

/* ---------------------------------------------------------- one mark a call -- */

long model_mseal(struct model *m, unsigned long addr, unsigned long len, unsigned long flags)
{
	unsigned long start, end;
	int err = flags ? -EINVAL : range_of(addr, len, &start, &end);

	if (err)
		return err < 0 ? err : 0;
	for_each_page(i, start, end)
		if (!model_at(m, i))
			return -ENOMEM;
	for_each_page(i, start, end)
		m->page[i].flags |= VM_SEALED;
	return 0;
}

/* What has no name of its own: no file, a shared anonymous object, a memfd. */
static bool can_be_named(const struct model *m, const struct model_page *p)
{
	const struct model_object *o = model_object(m, p);
	const unsigned int nameless = FILE_SHMEM | FILE_DELETED;

	return !p->object || o->anonymous || ((o->flags & nameless) == nameless && !o->own_ops);
}

long model_set_name(struct model *m, unsigned long addr, unsigned long len, unsigned int name)
{
	unsigned long start, end;
	int err = range_of(addr, len, &start, &end), result = 0;

	if (err)
		return err < 0 ? err : 0;
	for_each_page(i, start, end) {
		struct model_page *p = model_at(m, i);

		if (p && !can_be_named(m, p))
			return -EBADF;
		if (p)
			p->name = name;
		else
			result = -ENOMEM;
	}
	return result;
}

void model_set_memory_merge(struct model *m, bool merge)
{
	for (unsigned long i = 0; m->memory_merge != merge && i < MODEL_PAGES; i++) {
		if (!merge)
			m->page[i].flags &= ~VM_MERGEABLE;
		else if (model_at(m, i) && model_is_mergeable(m->page[i].flags))
			m->page[i].flags |= VM_MERGEABLE;
	}
	m->memory_merge = merge;
}

/* ------------------------------------------------------------------ looking -- */

long model_msync(struct model *m, unsigned long addr, unsigned long len, int flags)
{
	unsigned long end = addr + model_align(len);
	long result = 0;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || addr % PAGE ||
	    (flags & MS_ASYNC && flags & MS_SYNC))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	for_each_page(i, addr / PAGE, end / PAGE) {
		const struct model_page *p = model_at(m, i);
		const struct model_object *o = p ? model_object(m, p) : NULL;

		if (!p && flags == MS_ASYNC)
			return -ENOMEM;
		if (!p)
			result = -ENOMEM;
		else if (flags & MS_INVALIDATE && p->flags & VM_LOCKED)
			return -EBUSY;
		else if (flags & MS_SYNC && p->flags & VM_SHARED && o->own_ops &&
			 !(o->flags & FILE_SHMEM))
			return -EINVAL;
	}
	return result;
}

long model_mincore(struct model *m, unsigned long addr, unsigned long len)
{
	if (addr % PAGE)
		return -EINVAL;
	if (addr + len < addr || addr + len > MODEL_PAGES * PAGE)
		return -ENOMEM;
	for (unsigned long i = addr / PAGE; i < (addr + model_align(len)) / PAGE; i++)
		if (!model_at(m, i))
			return -ENOMEM;
	return 0;
}

/* ------------------------------------------------------------ fork and exec -- */

void model_fork(const struct model *m, struct model *child)
{
	*child = *m;
	child->locked_future = 0;
	child->stray = 0;
	for (unsigned long i = 0; i < MODEL_PAGES; i++) {
		struct model_page *p = &child->page[i];

		p->flags &= ~MODEL_LOCKS;
		if (p->flags & VM_WIPEONFORK)
			p->touched = false;
		if (p->flags & VM_DONTCOPY)
			model_clear(child, i, i + 1);
	}
}

void model_exec(struct model *m)
{
	model_clear(m, 0, MODEL_PAGES);
	m->brk = m->start_brk;
	m->locked_future = 0;
	m->stray = 0;
}
