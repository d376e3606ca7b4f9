/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The calls that map: mmap() and its relatives, brk().  See model.h.
 */
#include "model.h"

#include <errno.h>

/* What only MAP_SHARED_VALIDATE looks at: all that is newer than it. */
#define NEWER_FLAGS	(MAP_SYNC | MAP_FIXED_NOREPLACE | 0x200000ul | 0x800000ul)

/* Free, and not in the guard gap of a stack above. */
static bool fits(struct model *m, unsigned long i, unsigned long n)
{
	unsigned long above = model_next(m, i);

	if (above == MODEL_PAGES)
		return true;
	if (m->page[above].flags & VM_GROWSDOWN)
		above = above > MODEL_GAP ? above - MODEL_GAP : 0;
	return i + n <= above;
}

/*
 * The highest place, or the lowest; its page, or -ENOMEM.  As in Linux a search from the top that
 * has met a stack goes on below its gap, also if something else lies in that gap, with room above.
 */
static long search(struct model *m, unsigned long n, bool up)
{
	unsigned long limit = MODEL_TOP;

	for (unsigned long i = MODEL_TOP; !up && i-- > MODEL_LOWEST;) {
		unsigned long above = model_next(m, i);

		if (n > limit || i > limit - n || i + n > above)
			continue;
		if (fits(m, i, n))
			return (long)i;
		limit = above > MODEL_GAP ? above - MODEL_GAP : 0;
	}
	for (unsigned long i = MODEL_LEGACY; i < MODEL_PAGES; i++)
		if (n <= MODEL_PAGES - i && fits(m, i, n))
			return (long)i;
	return -ENOMEM;
}

long model_place(struct model *m, unsigned long addr, unsigned long n, unsigned long flags)
{
	unsigned long i = addr / PAGE;

	if (n > MODEL_PAGES)
		return -ENOMEM;
	if (!(flags & MAP_FIXED)) {
		/* There is nothing here that MAP_32BIT and MAP_ABOVE4G would search top-down. */
		bool taken = addr && i <= MODEL_PAGES - n && fits(m, i, n);
		long found = taken ? (long)i : flags & MAP_32BIT ? -ENOMEM :
			     search(m, n, m->bottom_up || flags & MAP_ABOVE4G);

		if (found < 0)
			return found;
		i = (unsigned long)found;
	} else if (addr >= -4095ul) {
		return (long)addr;	/* which Linux takes for an error of its own */
	} else if (i > MODEL_PAGES - n || (i == MODEL_PAGES - n && addr % PAGE)) {
		return -ENOMEM;
	} else if (addr % PAGE) {
		return -EINVAL;
	}
	return i < MODEL_MIN && !(m->caps & MM_CAP_SYS_RAWIO) ? -EPERM : (long)i;
}

static int check_file(const struct model_object *o, unsigned long prot, unsigned long map_flags,
		      vm_flags_t *flags)
{
	bool write = o->flags & FILE_WRITE;

	if ((map_flags & MAP_TYPE) == MAP_SHARED_VALIDATE && map_flags & NEWER_FLAGS)
		return -EOPNOTSUPP;
	if ((map_flags & MAP_TYPE) == MAP_SHARED || (map_flags & MAP_TYPE) == MAP_SHARED_VALIDATE) {
		if ((prot & PROT_WRITE && !write) || (write && o->flags & FILE_APPEND_ONLY))
			return -EACCES;
		*flags |= VM_MAYSHARE | (write ? VM_SHARED : 0);
		*flags &= write ? ~0ul : ~VM_MAYWRITE;
	} else if ((map_flags & MAP_TYPE) != MAP_PRIVATE) {
		return -EINVAL;
	}
	if (!(o->flags & FILE_READ))
		return -EACCES;
	if (o->flags & FILE_NOEXEC && *flags & VM_EXEC)
		return -EPERM;
	if (o->flags & FILE_NOEXEC)
		*flags &= ~VM_MAYEXEC;
	if (o->unmappable)
		return -ENODEV;
	if (*flags & VM_GROWSDOWN)
		return -EINVAL;
	if (o->flags & FILE_SEAL_WRITE && *flags & VM_SHARED) {
		if (*flags & VM_WRITE)
			return -EPERM;
		*flags &= ~VM_MAYWRITE;
	}
	return 0;
}

static int check_anon(unsigned long map_flags, vm_flags_t *flags)
{
	switch (map_flags & MAP_TYPE) {
	case MAP_SHARED:
		*flags |= VM_SHARED | VM_MAYSHARE;
		return *flags & VM_GROWSDOWN ? -EINVAL : 0;
	case MAP_DROPPABLE:
		*flags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
		return map_flags & MAP_LOCKED || *flags & VM_GROWSDOWN ? -EINVAL : 0;
	default:
		return (map_flags & MAP_TYPE) == MAP_PRIVATE ? 0 : -EINVAL;
	}
}

/* Each shared anonymous mapping is an object of its own. */
static unsigned int new_object(struct model *m, unsigned long n, unsigned long promised)
{
	m->world->object[m->world->nr_objects] = (struct model_object){
		.flags = FILE_READ | FILE_WRITE | FILE_SHMEM | FILE_DELETED, .size = n,
		.promised = promised, .anonymous = true, .own_ops = true,
	};
	return m->world->nr_objects++;
}

/* All checks have been passed. */
static void fill(struct model *m, unsigned long i, unsigned long n, struct model_page p)
{
	struct model_object *o = model_object(m, &p);

	if ((p.flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE)
		p.flags |= VM_ACCOUNT;
	if (p.flags & VM_SHARED && model_is_anon(m, &p))
		p.object = new_object(m, n, p.flags & VM_NORESERVE ? 0 : n);
	else
		p.flags |= o->sets;
	if (m->memory_merge && model_is_mergeable(p.flags))
		p.flags |= VM_MERGEABLE;
	/* Files with a hook of their own are looked at after they have joined a neighbour. */
	if (m->memory_merge && o->flags & FILE_DEV_ZERO)
		p.open = VM_MERGEABLE;
	if (p.flags & (MODEL_SPECIAL | VM_DROPPABLE))
		p.flags &= ~MODEL_LOCKS;
	model_clear(m, i, i + n);
	for (unsigned long k = i; k < i + n; k++, p.pgoff++)
		m->page[k] = p;
}

static int check_limits(struct model *m, unsigned long i, unsigned long n, vm_flags_t flags)
{
	unsigned long old = 0;

	for (unsigned long k = i; k < i + n; k++)
		old += m->page[k].mapped;
	if (model_any_sealed(m, i, i + n))
		return -EPERM;
	return model_may_expand(m, flags, n - old) ? 0 : -ENOMEM;
}

long model_mmap(struct model *m, unsigned long addr, unsigned long len, unsigned long prot,
		unsigned long map_flags, unsigned int object, unsigned long offset)
{
	struct model_page p = { .mapped = true, .object = object, .pgoff = offset / PAGE };
	unsigned long n = model_align(len) / PAGE;
	struct model_object *o = &m->world->object[object];
	long i;
	int err;

	if (offset % PAGE)
		return -EINVAL;
	if (!object && !(map_flags & MAP_ANONYMOUS))
		return -EBADF;
	if (!len)
		return -EINVAL;
	if (prot & PROT_READ && m->personality & MM_PERS_READ_IMPLIES_EXEC &&
	    !(o->flags & FILE_NOEXEC))
		prot |= PROT_EXEC;
	if (map_flags & MAP_FIXED_NOREPLACE)
		map_flags |= MAP_FIXED;
	else if (!(map_flags & MAP_FIXED) && addr / PAGE && addr / PAGE < MODEL_LOWEST)
		addr = MODEL_LOWEST * PAGE;
	if (!n)
		return -ENOMEM;
	i = model_place(m, map_flags & MAP_FIXED ? addr : addr & -PAGE, n, map_flags);
	if (i < 0)
		return i;
	if (map_flags & MAP_FIXED_NOREPLACE &&
	    model_next(m, (unsigned long)i) < (unsigned long)i + n)
		return -EEXIST;
	p.flags = model_flags_of_prot(prot) | MODEL_MAY | m->locked_future |
		  (map_flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0) |
		  (map_flags & MAP_LOCKED ? VM_LOCKED : 0) | (map_flags & MAP_SYNC ? VM_SYNC : 0) |
		  (map_flags & MAP_STACK ? VM_NOHUGEPAGE : 0);
	if (map_flags & MAP_LOCKED && !model_may_lock_at_all(m))
		return -EPERM;
	if (!model_may_lock(m, p.flags, n))
		return -EAGAIN;
	if (object && offset > (1ul << 63) - 1 - n * PAGE)
		return -EOVERFLOW;
	err = object ? check_file(o, prot, map_flags, &p.flags) : check_anon(map_flags, &p.flags);
	if (!err && map_flags & MAP_NORESERVE)
		p.flags |= VM_NORESERVE;
	if (!err)
		err = check_limits(m, (unsigned long)i, n, p.flags);
	if (err)
		return err;
	if (!object)
		p.pgoff = p.flags & VM_SHARED ? 0 : (unsigned long)i;
	fill(m, (unsigned long)i, n, p);
	if ((map_flags & MAP_LOCKED) || m->locked_future & VM_LOCKED ||
	    (map_flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE)
		model_populate(m, (unsigned long)i, (unsigned long)i + n);
	return i * (long)PAGE;
}

/* ------------------------------------------------------- files, once more -- */

long model_remap_file_pages(struct model *m, unsigned long addr, unsigned long size,
			    unsigned long prot, unsigned long pgoff, unsigned long flags)
{
	unsigned long first = addr / PAGE, n = size / PAGE;
	const struct model_page *p;
	vm_flags_t f;
	long ret;

	if (prot || first * PAGE + n * PAGE <= first * PAGE || pgoff + n < pgoff)
		return -EINVAL;
	p = model_at(m, first);
	if (!p || !(p->flags & VM_SHARED))
		return -EINVAL;
	for (unsigned long i = first; i < first + n; i++)
		if (!model_at(m, i) || m->page[i].object != p->object ||
		    m->page[i].flags != p->flags)
			return -EINVAL;
	f = p->flags;
	ret = model_mmap(m, first * PAGE, n * PAGE,
			 (f & VM_READ ? PROT_READ : 0) | (f & VM_WRITE ? PROT_WRITE : 0) |
			 (f & VM_EXEC ? PROT_EXEC : 0),
			 (flags & MAP_NONBLOCK) | MAP_SHARED | MAP_FIXED | MAP_POPULATE |
			 (f & VM_LOCKED ? MAP_LOCKED : 0), p->object, pgoff * PAGE);
	return ret < 0 ? ret : 0;
}

long model_shmat(struct model *m, unsigned int segment, unsigned long addr, int flags)
{
	struct model_world *w = m->world;
	struct model_object *o = &w->object[w->nr_objects];
	unsigned long n, place = addr & -PAGE, taken;
	long ret;

	*o = w->object[segment];
	n = o->size;
	if ((!place && flags & SHM_REMAP) || (addr % PAGE && !(flags & SHM_RND)))
		return -EINVAL;
	if (!(flags & SHM_RDONLY) && !(o->flags & FILE_WRITE))
		return -EACCES;
	taken = model_next(m, place / PAGE);
	if (place && !(flags & SHM_REMAP) &&
	    (place + n * PAGE < place || (model_at(m, taken) && taken < place / PAGE + n)))
		return -EINVAL;
	o->segment = o->own_ops = true;
	o->flags &= flags & SHM_RDONLY ? ~FILE_WRITE : ~0u;
	w->nr_objects++;
	ret = model_mmap(m, place, n * PAGE, PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
			 (flags & SHM_EXEC ? PROT_EXEC : 0),
			 MAP_SHARED | (addr ? MAP_FIXED : 0), w->nr_objects - 1, 0);
	if (ret < 0)
		w->nr_objects--;
	return ret;
}

/* A page of an attach that is where the attach put it. */
static bool attached_at(struct model *m, unsigned long i, unsigned long first)
{
	return model_at(m, i) && model_object(m, &m->page[i])->segment &&
	       i - m->page[i].pgoff == first;
}

long model_shmdt(struct model *m, unsigned long addr)
{
	unsigned long first = addr / PAGE, i = first, last, end;
	unsigned int object;

	if (addr % PAGE)
		return -EINVAL;
	while (i < MODEL_PAGES && !attached_at(m, i, first))
		i++;
	if (i >= MODEL_PAGES)
		return -EINVAL;
	object = m->page[i].object;
	last = first + model_object(m, &m->page[i])->size;
	if (last < model_area_end(m, i))
		last = model_area_end(m, i);
	for (; (i = model_next(m, i)) < MODEL_PAGES; i = end) {
		end = model_area_end(m, i);
		if (end > last)
			break;
		if (attached_at(m, i, first) && m->page[i].object == object &&
		    !model_any_sealed(m, i, end))
			model_clear(m, i, end);
	}
	return 0;
}

/* -------------------------------------------------------------------- brk -- */

unsigned long model_brk(struct model *m, unsigned long brk)
{
	unsigned long old = model_align(m->brk) / PAGE, new = model_align(brk) / PAGE;
	unsigned long limit = m->rlimit[MM_RLIMIT_DATA], next;
	struct model_page p = { .mapped = true };

	if (brk < m->start_brk || brk > MODEL_PAGES * PAGE ||
	    (limit != MM_RLIM_INFINITY && brk - m->start_brk > limit))
		return m->brk;
	if (new < old) {
		if (model_next(m, new) >= old || model_any_sealed(m, new, old))
			return m->brk;
		model_clear(m, new, old);
	} else if (new > old) {
		p.flags = VM_READ | VM_WRITE | MODEL_MAY | VM_ACCOUNT | m->locked_future |
			  (m->personality & MM_PERS_READ_IMPLIES_EXEC ? VM_EXEC : 0) |
			  (m->memory_merge ? VM_MERGEABLE : 0);
		next = model_next(m, old);
		if (!model_may_lock(m, p.flags, new - old) ||
		    !model_may_expand(m, p.flags, new - old) ||
		    (next < MODEL_PAGES && !fits(m, old, new - old + 1)))
			return m->brk;
		for (unsigned long i = old; i < new; i++)
			m->page[i] = p;
		if (m->locked_future)
			model_populate(m, old, new);
	}
	m->brk = brk;
	return brk;
}
