/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mremap().  See model.h.
 */
#include "model.h"

#include <errno.h>

struct remap {
	unsigned long from, old, to, new, flags;	/* pages */
};

/* Removes the target or a part of the source. */
static int unmap(struct model *m, unsigned long start, unsigned long n)
{
	if (start > MODEL_PAGES || n > MODEL_PAGES - start)
		return -EINVAL;
	if (model_any_sealed(m, start, start + n))
		return -EPERM;
	model_clear(m, start, start + n);
	return 0;
}

static long move(struct model *m, const struct remap *r)
{
	struct model before = *m;
	vm_flags_t flags = before.page[r->from].flags;

	model_clear(m, r->to, r->to + r->new);
	for (unsigned long k = 0; k < r->new; k++) {
		struct model_page *p = &m->page[r->to + k];

		*p = before.page[r->from + (k < r->old ? k : 0)];
		p->pgoff = before.page[r->from].pgoff + k;
		p->joined = k;
		if (k >= r->old)
			p->touched = false;
	}
	for (unsigned long i = r->from; i < r->from + r->old; i++) {
		m->page[i].touched = false;
		if (!(r->flags & MREMAP_DONTUNMAP))
			model_clear(m, i, i + 1);
	}
	/*
	 * What stays is not locked any more, nor is the rest of its area; but it goes on being
	 * counted.  How far the area reaches, with the copy joined or not, is for it to say.
	 */
	if (r->flags & MREMAP_DONTUNMAP && flags & VM_LOCKED) {
		m->stray_open = true;
		for (unsigned long i = 0; i < MODEL_PAGES; i++)
			m->page[i].open |= m->page[i].flags & MODEL_LOCKS;
	}
	if (flags & VM_LOCKED && r->new > r->old)
		model_populate(m, r->to + r->old, r->to + r->new);
	return (long)(r->to * PAGE);
}

static int check_source(struct model *m, const struct remap *r)
{
	const struct model_page *p = model_at(m, r->from);
	bool targeted = r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);

	if (!p)
		return -EFAULT;
	if (p->flags & VM_SEALED)
		return -EPERM;
	if (!targeted && r->new <= r->old)
		return 0;
	if ((!r->old && !(p->flags & VM_MAYSHARE)) ||
	    (r->flags & MREMAP_DONTUNMAP && p->flags & (VM_DONTEXPAND | VM_PFNMAP)))
		return -EINVAL;
	if ((r->old < r->new ? r->old : r->new) > model_area_end(m, r->from) - r->from)
		return -EFAULT;
	if (r->new <= r->old)
		return 0;
	if (p->flags & (VM_DONTEXPAND | VM_PFNMAP))
		return -EFAULT;
	if (!model_may_lock(m, p->flags, r->new - r->old))
		return -EAGAIN;
	return model_may_expand(m, p->flags, r->new - r->old) ? 0 : -ENOMEM;
}

static long move_to(struct model *m, struct remap r)
{
	int err = r.flags & MREMAP_FIXED ? unmap(m, r.to, r.new) : 0;
	long to;

	if (!err && !model_at(m, r.from))
		err = -EFAULT;
	if (!err && r.old > r.new) {
		err = unmap(m, r.from + r.new, r.old - r.new);
		r.old = r.new;
	}
	if (err)
		return err;
	if (r.flags & MREMAP_DONTUNMAP && !model_may_expand(m, m->page[r.from].flags, r.old))
		return -ENOMEM;
	to = model_place(m, r.to * PAGE, r.new, r.flags & MREMAP_FIXED ? MAP_FIXED : 0);
	if (to < 0)
		return to;
	r.to = (unsigned long)to;
	return move(m, &r);
}

static long resize(struct model *m, struct remap r)
{
	unsigned long end = r.from + r.old;
	vm_flags_t flags = m->page[r.from].flags;
	bool room = r.from + r.new <= MODEL_PAGES && model_area_end(m, r.from) == end &&
		    model_next(m, end) >= r.from + r.new &&
		    (model_area_start(m, r.from) >= MODEL_MIN || m->caps & MM_CAP_SYS_RAWIO);
	long to;

	if (r.new <= r.old) {
		int err = r.new < r.old ? unmap(m, r.from + r.new, r.old - r.new) : 0;

		return err ? err : (long)(r.from * PAGE);
	}
	if (room && flags & MODEL_SPECIAL)
		return -ENOMEM;		/* cannot be joined with its own tail */
	if (room) {
		r.to = r.from;
		for (unsigned long i = end; i < r.from + r.new; i++) {
			m->page[i] = m->page[end - 1];
			m->page[i].pgoff += i - end + 1;
			m->page[i].touched = false;
			m->page[i].joined = true;
		}
		if (flags & VM_LOCKED)
			model_populate(m, end, r.from + r.new);
		return (long)(r.from * PAGE);
	}
	if (!(r.flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	to = model_place(m, 0, r.new, 0);
	if (to < 0)
		return to;
	r.to = (unsigned long)to;
	return move(m, &r);
}

/* MREMAP_FIXED of one length: each area moves, holes stay as wide as they are. */
static long move_areas(struct model *m, struct remap r)
{
	unsigned long start = r.from, end = start + r.old, area;

	if (!model_at(m, start))
		return -EFAULT;
	for (unsigned long i = start; i < end && i < MODEL_PAGES; i = model_next(m, area)) {
		const struct model_object *o = model_object(m, &m->page[i]);
		struct remap part = { .from = i, .to = r.to + (i - start), .flags = r.flags };
		long moved;

		area = model_area_end(m, i);
		part.old = part.new = (area < end ? area : end) - i;
		/* /dev/zero and segments move alone. */
		if ((o->segment || o->flags & FILE_DEV_ZERO) && (i != start || area < end))
			return -EFAULT;
		moved = check_source(m, &part);
		moved = moved ? moved : move_to(m, part);
		if (moved < 0)
			return moved;
	}
	return (long)(r.to * PAGE);
}

long model_mremap(struct model *m, unsigned long addr, unsigned long old_len, unsigned long new_len,
		  unsigned long flags, unsigned long new_addr)
{
	struct remap r = { addr / PAGE, model_align(old_len) / PAGE, new_addr / PAGE,
			   model_align(new_len) / PAGE, flags };
	bool targeted = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	long err;

	if (flags & ~(unsigned long)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (addr % PAGE || !r.new || r.new > MODEL_PAGES)
		return -EINVAL;
	if (targeted && (r.to > MODEL_PAGES - r.new || new_addr % PAGE ||
			 !(flags & MREMAP_MAYMOVE) ||
			 (flags & MREMAP_DONTUNMAP && r.old != r.new) ||
			 (addr + r.old * PAGE > new_addr && r.to + r.new > r.from)))
		return -EINVAL;
	if (flags & MREMAP_FIXED && r.old == r.new)
		return move_areas(m, r);
	err = check_source(m, &r);
	if (err)
		return err;
	return targeted ? move_to(m, r) : resize(m, r);
}
