/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * When two areas become one.
 *
 * The result has to be Linux's, area by area, because programs see it: in maps, in which mremap()
 * calls work, in how soon the area limit is reached.
 *
 * Two areas are *alike* if they are adjacent, their file pages run on (vm_pgdelta is the same), and
 * file, flags, name and who answers faults are the same, VM_IGNORE_MERGE aside.  An area with a
 * flag of VM_SPECIAL is like no other.  Alike areas merge if their anonymous memory lets them
 * (mergeable_anon()), and if what would have to go has no close() hook: its driver counts it.
 *
 * One rule is not Linux's.  Areas that a driver has given different ops or data (vma_set_owner())
 * are not alike: the one that goes would be the other's from then on, and its driver asks by that
 * whether an address is still its own.  Of a new area that is not known, as its hook has not run:
 * it becomes part of what is there, as on Linux, but does not join two of different owners.
 *
 * Two questions are asked.  Below, P and N are the neighbours, the range in question is * and what
 * it lies in is M.
 *
 *  1. A new area is proposed for a hole (vma_merge_new):
 *
 *	PPPP****NNNN	both alike, and alike to one another	PPPPPPPPPPPP
 *	PPPP****NNNN	both alike, but not to one another	PPPPPPPPNNNN	left wins
 *	PPPP****NNNN	left alike				PPPPPPPPNNNN
 *	PPPP****NNNN	right alike				PPPPNNNNNNNN
 *
 *  2. Part of an area changes (vma_merge_existing); it must reach one end of M at least:
 *
 *	PPPP****NNNN	(M is all *)	both			PPPPPPPPPPPP
 *					left			PPPPPPPPNNNN
 *					right			PPPPNNNNNNNN
 *	PPPP****MMMM			left			PPPPPPPPMMMM
 *	MMMM****NNNN			right			MMMMNNNNNNNN
 *
 * What stays takes over the anon chain of what goes, if it has none of its own.
 *
 * Nothing here can fail, apart from the split that comes when nothing merges: an area shrinks
 * before its neighbour grows, so that the tree never holds an overlap.
 */
#include "base/atomic.h"
#include "file/file.h"
#include "vma/anon.h"
#include "vma/lock.h"
#include "vma/merge.h"
#include "vma/rmap_place.h"

/* A compile-time choice: see meson_options.txt. */
#ifdef VMAREA_PLANT_MERGE_NORESERVE
# define VM_PLANTED	VM_NORESERVE
#else
# define VM_PLANTED	VM_NONE
#endif

/* What an area would be like, whether it is there already or not. */
struct likeness {
	vm_flags_t flags;
	unsigned long pgdelta;
	const struct file *file;
	const struct anon_name *name;
	const struct user_faults *user_faults;
	const struct anon_chain *anon;
	bool forked;			/* its chain was inherited */
	const struct vm_area_struct *owned_as;	/* NULL: its driver has not been asked yet */
};

static bool is_forked(const struct anon_chain *chain)
{
	return chain && !anon_is_singular(chain);
}

static bool same_owner(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	return a->vm_ops == b->vm_ops && a->vm_private_data == b->vm_private_data;
}

static bool alike(const struct vm_area_struct *vma, const struct likeness *want)
	__must_hold_shared(vma_stable)
{
	return (!want->owned_as || same_owner(vma, want->owned_as)) &&
	       !((vma->vm_flags ^ want->flags) & ~(VM_IGNORE_MERGE | VM_PLANTED)) &&
	       vma->vm_pgdelta == want->pgdelta && vma->vm_file == want->file &&
	       vma->user_faults == want->user_faults && anon_name_same(vma->anon_name, want->name);
}

/*
 * @target would grow over something with @want's chain.  If one of the two has none, it takes over
 * the other's: allowed unless that one was inherited.
 */
static bool mergeable_anon(const struct vm_area_struct *target, const struct likeness *want)
{
	if (!target->anon && want->anon)
		return !want->forked;
	if (target->anon && !want->anon)
		return !is_forked(target->anon);
	return anon_own(target->anon) == anon_own(want->anon);
}

/* Both can merge with what is between them; can they with one another? */
static bool compatible_anon(const struct vm_area_struct *prev, const struct vm_area_struct *next)
{
	return !prev->anon || !next->anon || anon_own(prev->anon) == anon_own(next->anon);
}

static bool can_remove(const struct vm_area_struct *vma)
{
	return !vma->vm_ops || !vma->vm_ops->close;
}

static struct vm_area_struct *left_of(const struct mm_struct *mm, unsigned long start,
				      const struct likeness *want)
	__must_hold_shared(vma_stable)
{
	struct vm_area_struct *prev = vma_before(mm, start);

	if (!prev || prev->vm_end != start || !alike(prev, want) || !mergeable_anon(prev, want))
		return NULL;
	return prev;
}

static struct vm_area_struct *right_of(const struct mm_struct *mm, unsigned long end,
				       const struct likeness *want,
				       const struct vm_area_struct *left)
	__must_hold_shared(vma_stable)
{
	struct vm_area_struct *next = vma_at(mm, end);

	if (!next || next->vm_start != end || !alike(next, want) || !mergeable_anon(next, want))
		return NULL;
	if (left && (!compatible_anon(left, next) || !same_owner(left, next)))
		return NULL;
	return next;
}

/* Its family is held. */
static void take_over_anon(struct vm_area_struct *target, struct anon_chain *chain)
	__must_hold(vma_stable)
{
	if (target->anon || !chain)
		return;
	rmap_set_anon(target, anon_chain_get(chain));
}

static void map_set_name(struct vm_area_struct *vma, struct anon_name *name)
	__must_hold(vma_stable) __may_sleep
{
	struct anon_name *old = vma->anon_name;

	if (anon_name_same(old, name))
		return;
	vma_lock_write(vma);
	/* Pairs with the acquire load of a reader that copies the name under RCU. */
	vma_set_release(vma, anon_name, anon_name_get(name));
	anon_name_put(old);
}

static void map_set_user_faults(struct vm_area_struct *vma, struct user_faults *uf)
	__must_hold(vma_stable) __may_sleep
{
	if (vma->user_faults == uf)
		return;
	vma_lock_write(vma);
	vma_set(vma, user_faults, uf);
}

/* The chain of any that has one: those of alike areas are of one family. */
static struct anon_chain *any_chain(const struct vm_area_struct *a, const struct vm_area_struct *b,
				    struct anon_chain *other)
{
	if (a && a->anon)
		return a->anon;
	return b && b->anon ? b->anon : other;
}

/* Their readers leave, and nobody finds them half merged. */
static void merge_begin(struct vm_area_struct *a, struct vm_area_struct *b,
			struct anon_chain *chain)
	__must_hold(vma_stable) __may_sleep
{
	const struct vm_area_struct *any = a ? a : b;

	if (a)
		vma_lock_write(a);
	if (b)
		vma_lock_write(b);
	rmap_hold_begin(any->vm_mm, any->vm_file, any_chain(a, b, chain));
}

struct vm_area_struct *vma_merge_new(const struct vma_proposal *p)
{
	const struct likeness want = {
		.flags = p->flags, .pgdelta = p->pgdelta, .file = p->file, .name = p->name,
		.user_faults = p->user_faults, .anon = p->anon,
		.forked = p->copied_from && is_forked(p->copied_from->anon),
		.owned_as = p->copied_from,
	};
	struct vm_area_struct *left, *right, *target;
	unsigned long end = p->end;
	vm_flags_t sticky = p->flags & VM_STICKY;

	if (p->flags & VM_SPECIAL)
		return NULL;
	left = left_of(p->mm, p->start, &want);
	right = right_of(p->mm, p->end, &want, left);
	if (!left && !right)
		return NULL;

	target = left ? left : right;
	merge_begin(left, right, p->copied_from ? p->anon : NULL);
	if (left && right && can_remove(right)) {
		end = right->vm_end;
		sticky |= right->vm_flags & VM_STICKY;
		take_over_anon(left, right->anon);
		map_remove(right);
	} else if (!left) {
		end = right->vm_end;
	}
	if (p->copied_from)
		take_over_anon(target, p->anon);
	map_resize(target, left ? left->vm_start : p->start, end);
	rmap_hold_end(p->mm);
	map_set_flags(target, target->vm_flags | sticky);
	return target;
}

struct vm_area_struct *vma_merge_extend(struct vm_area_struct *vma, unsigned long delta)
{
	const struct vma_proposal p = {
		.mm = vma->vm_mm, .start = vma->vm_end, .end = vma->vm_end + delta,
		.flags = vma->vm_flags, .pgdelta = vma->vm_pgdelta, .file = vma->vm_file,
		.anon = vma->anon, .name = vma->anon_name, .user_faults = vma->user_faults,
	};

	return vma_merge_new(&p);
}

bool vma_could_merge(const struct vm_area_struct *low, const struct vm_area_struct *high)
{
	const struct likeness want = {
		.flags = high->vm_flags, .pgdelta = high->vm_pgdelta, .file = high->vm_file,
		.name = high->anon_name, .user_faults = high->user_faults, .anon = high->anon,
		.forked = is_forked(high->anon), .owned_as = high,
	};

	return low->vm_end == high->vm_start && !(high->vm_flags & VM_SPECIAL) &&
	       alike(low, &want) && mergeable_anon(low, &want) &&
	       (can_remove(low) || can_remove(high));
}

/* ------------------------------------------------------- a change in place -- */

/* Case 2: [start, end) of @vma becomes part of @left, of @right, or all three are one. */
struct merge_plan {
	struct vm_area_struct *left, *right;
};

static bool plan_merge(const struct vm_area_struct *vma, unsigned long start, unsigned long end,
		       const struct vma_change *to, struct merge_plan *plan)
	__must_hold_shared(vma_stable)
{
	const struct likeness want = {
		.flags = to->flags, .pgdelta = vma->vm_pgdelta, .file = vma->vm_file,
		.name = to->name, .user_faults = to->user_faults, .anon = vma->anon,
		.forked = is_forked(vma->anon), .owned_as = vma,
	};
	bool at_start = start == vma->vm_start, at_end = end == vma->vm_end;

	plan->left = plan->right = NULL;
	if (to->flags & VM_SPECIAL)
		return false;
	if (at_start)
		plan->left = left_of(vma->vm_mm, start, &want);
	if (at_end)
		plan->right = right_of(vma->vm_mm, end, &want, plan->left);
	if (!plan->left && !plan->right)
		return false;
	/* All of it would go. */
	if (at_start && at_end && !can_remove(vma))
		return false;
	if (plan->left && plan->right && !can_remove(plan->right))
		plan->right = NULL;
	return true;
}

static struct vm_area_struct *vma_merge_existing(struct vm_area_struct *vma, unsigned long start,
						 unsigned long end, const struct vma_change *to)
	__must_hold(vma_stable) __may_sleep
{
	bool whole = start == vma->vm_start && end == vma->vm_end;
	struct vm_area_struct *target, *rest = vma;
	struct anon_chain *anon = vma->anon;
	vm_flags_t sticky = to->flags & VM_STICKY;
	struct merge_plan plan;

	if (!plan_merge(vma, start, end, to, &plan))
		return NULL;
	target = plan.left ? plan.left : plan.right;
	vma_lock_write(vma);
	merge_begin(plan.left, plan.right, anon);

	if (plan.left && plan.right) {
		sticky |= plan.right->vm_flags & VM_STICKY;
		if (plan.right->anon)
			anon = plan.right->anon;
		take_over_anon(target, anon);
		end = plan.right->vm_end;
		map_remove(plan.right);
	} else {
		take_over_anon(target, anon);
	}
	if (whole)
		map_remove(vma);
	else if (plan.left)
		map_resize(rest, end, rest->vm_end);
	else
		map_resize(rest, rest->vm_start, start);

	if (plan.left)
		map_resize(target, target->vm_start, end);
	else
		map_resize(target, start, target->vm_end);
	rmap_hold_end(target->vm_mm);
	map_set_flags(target, target->vm_flags | sticky);
	return target;
}

struct vm_area_struct *vma_modify(struct vm_area_struct *vma, unsigned long start,
				  unsigned long end, const struct vma_change *to, int *err)
{
	struct vm_area_struct *merged = vma_merge_existing(vma, start, end, to);

	*err = 0;
	if (merged)
		return merged;
	if (vma->vm_start < start) {
		*err = vma_split(vma, start, SPLIT_KEEP_HIGH);
		if (*err)
			return NULL;
	}
	if (vma->vm_end > end) {
		*err = vma_split(vma, end, SPLIT_KEEP_LOW);
		if (*err)
			return NULL;
	}
	map_set_flags(vma, to->flags);
	map_set_name(vma, to->name);
	map_set_user_faults(vma, to->user_faults);
	return vma;
}
