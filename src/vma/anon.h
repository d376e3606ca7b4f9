/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who shares anonymous memory with whom, as far as merging asks: anon_vmas and the chain of them
 * that an area holds.  See anon.c.
 */
#ifndef VMA_ANON_H
#define VMA_ANON_H

#include "vma/types.h"

struct anon_vma;

/* For an instance with an arena: where faults get their anon_vmas from.  0; -ENOMEM. */
int anon_pool_create(struct vmarea *instance)	__may_sleep __must_check;
void anon_pool_destroy(struct vmarea *instance)	__may_sleep;

/* The area's own anon_vma, or NULL: what new pages of it belong to. */
struct anon_vma *anon_own(const struct anon_chain *chain);
/* Is it the only one, so that the area was not inherited by a fork? */
bool anon_is_singular(const struct anon_chain *chain);

struct anon_chain *anon_chain_get(struct anon_chain *chain);
void anon_chain_put(struct anon_chain *chain);

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
 * 0 or -ENOMEM.  The mmap lock is held, in any mode.
 */
int anon_prepare(struct vm_area_struct *vma)	__must_hold_shared(vma_stable) __may_sleep;

/*
 * Lays in what @nr calls of anon_prepare() in this mm may need, so that they do not fail.  0;
 * -ENOMEM: nothing is left of it.  The mmap lock is held, in any mode.
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
