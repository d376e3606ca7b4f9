/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who shares anonymous memory with whom: anon_vmas and the chain of them that an area holds.  See
 * anon.c.
 */
#ifndef VMA_ANON_H
#define VMA_ANON_H

#include "phys/phys.h"
#include "vma/types.h"

struct anon_vma;

/* For an instance with an arena: where faults get their anon_vmas from.  0; -ENOMEM. */
int anon_pool_create(struct vmarea *instance)	__may_sleep __must_check;
void anon_pool_destroy(struct vmarea *instance)	__may_sleep;

/* The area's own anon_vma, or NULL: what new pages of it belong to. */
struct anon_vma *anon_own(const struct anon_chain *chain);
/* Is it the only one, so that the area was not inherited by a fork? */
bool anon_is_singular(const struct anon_chain *chain);
/* Of the family; NULL: no chain. */
struct anon_vma *anon_root(const struct anon_chain *chain);

struct anon_chain *anon_chain_get(struct anon_chain *chain);
void anon_chain_put(struct anon_chain *chain);

/*
 * The locks of the family that @av is of: for write to change who is in its trees, or the bounds of
 * who is; for read to look.
 */
void anon_lock_write(struct anon_vma *av)		__may_sleep;
void anon_unlock_write(struct anon_vma *av);
void anon_lock_read(struct anon_vma *av)		__may_sleep;
bool anon_trylock_read(struct anon_vma *av)		__must_check;
void anon_unlock_read(struct anon_vma *av);

/* @vma can be found by what @chain, which it has, holds; or not any more.  Locked for write. */
void anon_link_area(struct anon_chain *chain, struct vm_area_struct *vma);
void anon_unlink_area(struct anon_chain *chain, struct vm_area_struct *vma);

/*
 * The anon_vma of an anonymous page that the caller holds by a reference: anon_put() it.  NULL: the
 * page is mapped nowhere.  It may have moved to one that was forked from it by now; whatever maps
 * the page is found by both.
 */
struct anon_vma *anon_get(struct page *page)		__must_check;
void anon_put(struct anon_vma *av);

/*
 * fn() for each area that may map the page of @av at @pgoff, until it returns false, which is the
 * result then.  The family's lock is held in any mode.
 *
 * likely_first: the area that made it, then the children, the youngest first.  A page that was made
 * after most of the forks is found without looking at those.  An area that a fork is filling may
 * be passed by before it has the entry, and its parent after the entry was taken there.
 *
 * parents_first: what fork copies from comes before what it copies to; nothing is missed.
 */
typedef bool anon_area_fn(void *arg, struct vm_area_struct *vma);
bool anon_walk_likely_first(struct anon_vma *av, unsigned long pgoff, anon_area_fn *fn, void *arg);
bool anon_walk_parents_first(struct anon_vma *av, unsigned long pgoff, anon_area_fn *fn, void *arg);

/* An anonymous page that is in this one page table and no other, so that it may be written to. */
#define PG_EXCLUSIVE	BIT(PG_FIRST_FREE_BIT + 8)

/* MADV_FREE: not needed, unless it is written to again.  A hint; the entry says if it was. */
#define PG_LAZYFREE	BIT(PG_FIRST_FREE_BIT + 11)

/* A new frame becomes an exclusive anonymous page of @own, at @index of it. */
static inline void page_make_anon(struct page *page, struct anon_vma *own, unsigned long index)
{
	page->index = index;
	/* Pairs with anon_get(), which may come as soon as the page is mapped. */
	atomic_store_release(&page->mapping, (void *)own);
	/* Pairs with the page lock: who came by the frame alone and sees this, sees the index. */
	atomic_or_release(&page->flags, PG_ANON | PG_EXCLUSIVE);
}

/* For the walker: may an area with @chain (NULL: none) have pages of @av? */
bool anon_chain_has(const struct anon_chain *chain, const struct anon_vma *av);
/* For the walker: is @vma, of a mm with pages, where it must be in the trees? */
bool anon_chain_findable(struct vm_area_struct *vma)	__must_hold(vma_stable) __may_sleep;

/* For the walker.  Do the counts of @chain and its anon_vmas agree with what it holds? */
bool anon_chain_sound(struct anon_chain *chain);
/* Has it been laid in and given to nobody: one anon_vma, in no other chain, and seen nowhere? */
bool anon_chain_fresh(struct anon_chain *chain)		__must_hold(vma_stable);
struct anon_chain *anon_chain_next_spare(const struct anon_chain *chain);
/* Areas that have it, by its own count; and those that the walker came by, which starts again. */
u32 anon_chain_areas(const struct anon_chain *chain)	__must_hold(vma_stable);
void anon_chain_see(struct anon_chain *chain)		__must_hold(vma_stable);
u32 anon_chain_take_seen(struct anon_chain *chain)	__must_hold(vma_stable);

/*
 * The write fault's part: gives @vma an anon_vma if it has none, a neighbour's if they are alike.
 * 0; -ENOFRAME; -ENOMEM: the host's memory, in an mm without pages.  The mmap lock is held, in any
 * mode.
 */
int anon_prepare(struct vm_area_struct *vma)	__must_hold_shared(vma_stable) __may_sleep;

/*
 * Lays in what @nr calls of anon_prepare() in this mm may need, so that they do not fail.  0; else
 * as anon_prepare(), and nothing is left of it.  The mmap lock is held, in any mode.
 */
int anon_reserve(struct mm_struct *mm, unsigned long nr)
	__must_hold_shared(vma_stable) __may_sleep __must_check;
/* Gives back what is left. */
void anon_unreserve(struct mm_struct *mm);

/* fork: @child gets the parent's chain and one of its own.  0 or -ENOMEM: @child has none. */
int anon_fork(struct vm_area_struct *child, const struct vm_area_struct *parent)
	__must_hold(vma_stable) __may_sleep;

/* Area names: counted, compared by text, freed after RCU readers. */
struct anon_name *anon_name_create(const char *text) __may_sleep __must_check;	/* or NULL */
struct anon_name *anon_name_get(struct anon_name *name);		/* NULL stays NULL */
void anon_name_put(struct anon_name *name);
bool anon_name_same(const struct anon_name *a, const struct anon_name *b);
const char *anon_name_text(const struct anon_name *name);
/* May this be a name?  Printable, none of \ ` $ [ ], fewer than 80 bytes. */
bool anon_name_valid(const char *text);

#endif
