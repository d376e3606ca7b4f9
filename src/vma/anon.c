/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who shares anonymous memory with whom.
 *
 * Terms.  An *anon_vma* stands for a family of anonymous pages: those that were made in an area,
 * in what was split from it, and in what joined it.  It comes into being with the first write fault
 * in an area.  A *chain* is the list of anon_vmas whose pages an area may hold: its *own*, where
 * new pages go, and after a fork the parent's, the grandparent's...
 *
 *	parent	[ A ]  own A			chains never change once made, so areas that
 *	child	[ A B ]  own B			were split from one another share one chain,
 *	its child  [ A B C ]  own C		and a split allocates nothing
 *
 * Rules that merging hangs on:
 *  - Areas with different own anon_vmas never merge.
 *  - An area without one may take over a neighbour's chain, but not one with more than one entry:
 *    the pages of a fork child are found through every anon_vma of its chain, and a chain that
 *    reached further than it must would make each fork dearer than the last.
 *  - A write fault beside an area that differs in its protection alone takes over its chain, so
 *    that they can merge if the protection becomes the same.
 *  - fork() takes, in place of a new anon_vma, the oldest one in the parent's chain that no area
 *    has as its own any more and that has no other child: chains of fork, exit, fork do not grow.
 *
 * Counts, under the lock of the family's root (the anon_vma that began it):
 *	nr_chains	chains it is in; 0: it is freed
 *	nr_own		areas that have it as their own
 *	nr_children	anon_vmas that were forked from it, + 1 if it is a root
 * A chain holds an anon_vma's parent wherever it holds the anon_vma, so parents are freed last.
 *
 * The lock of the root nests inside page_table_lock.
 *
 * Memory.  What a fault makes, an anon_vma and the chain of it alone, lies in frames where there
 * are any (phys/objects.h): the program that faults may be inside of the host's allocator.  What
 * fork() makes is the host's.
 */
#include "base/atomic.h"
#include "base/str.h"
#include "phys/objects.h"
#include "port/port.h"
#include "vma/anon.h"
#include "vma/instance.h"
#include "vma/lock.h"
#include "vma/map.h"

struct anon_vma {
	struct anon_vma *root;		/* 1 */
	struct anon_vma *parent;	/* 1	a root's is itself */
	struct spinlock lock;		/* i	used in the root only */
	u32 nr_chains;			/* root->lock */
	u32 nr_own;			/* root->lock */
	u32 nr_children;		/* root->lock */
	struct objects *pool;		/* 1	where it is from; NULL: the host's memory */
};

struct anon_chain {
	u32 refs;			/* own->root->lock	areas that have it */
	u32 nr;				/* 1 */
	u32 room;			/* 1	entries that were allocated */
	u32 nr_seen;			/* w	the walker's; else 0 */
	struct anon_chain *next_spare;	/* page_table_lock	mm->spare_anon */
	struct objects *pool;		/* 1	where it is from; NULL: the host's memory */
	struct anon_vma *own;		/* 1	one of those below */
	struct anon_vma *list[];	/* 1	oldest first */
};

static size_t chain_bytes(u32 nr)
{
	return sizeof(struct anon_chain) + nr * sizeof(struct anon_vma *);
}

int anon_pool_create(struct vmarea *instance)
{
	struct objects *pool = port_alloc(sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	objects_init(pool, instance->arena,
		     (unsigned int)max(chain_bytes(1), sizeof(struct anon_vma)));
	instance->anon_pool = pool;
	return 0;
}

void anon_pool_destroy(struct vmarea *instance)
{
	objects_destroy(instance->anon_pool);
	port_free(instance->anon_pool, sizeof(*instance->anon_pool));
}

/* Zeroed; NULL: none. */
static void *take(struct objects *pool, size_t bytes) __may_sleep
{
	return pool ? objects_alloc(pool) : port_alloc(bytes);
}

static void give_back(struct objects *pool, void *object, size_t bytes)
{
	if (pool)
		objects_free(pool, object);
	else
		port_free(object, bytes);
}

static void anon_vma_free(struct anon_vma *av)
{
	give_back(av->pool, av, sizeof(*av));
}

struct anon_vma *anon_own(const struct anon_chain *chain)
{
	return chain ? chain->own : NULL;
}

bool anon_is_singular(const struct anon_chain *chain)
{
	return chain && chain->nr == 1;
}

struct anon_chain *anon_chain_get(struct anon_chain *chain)
{
	if (chain) {
		spin_lock(&chain->own->root->lock);
		chain->refs++;
		chain->own->nr_own++;
		spin_unlock(&chain->own->root->lock);
	}
	return chain;
}

/* Takes @chain out of its anon_vmas, newest first; those in no chain any more are returned. */
static struct anon_vma *chain_unlink(struct anon_chain *chain)
{
	struct anon_vma *gone = NULL;

	for (u32 i = chain->nr; i-- > 0;) {
		struct anon_vma *av = chain->list[i];

		if (--av->nr_chains)
			continue;
		av->parent->nr_children--;
		/* Nobody will ask for its parent any more: the word links what is to be freed. */
		av->parent = gone;
		gone = av;
	}
	return gone;
}

void anon_chain_put(struct anon_chain *chain)
{
	struct anon_vma *gone = NULL;
	struct spinlock *lock;
	bool last;

	if (!chain)
		return;
	lock = &chain->own->root->lock;
	spin_lock(lock);
	chain->own->nr_own--;
	last = !--chain->refs;
	if (last)
		gone = chain_unlink(chain);
	spin_unlock(lock);
	if (!last)
		return;
	while (gone) {
		struct anon_vma *av = gone;

		gone = av->parent;
		anon_vma_free(av);
	}
	give_back(chain->pool, chain, chain_bytes(chain->room));
}

/* Is av->parent where it must be: in the chain before it, or itself? */
static bool has_parent(const struct anon_chain *chain, u32 i)
{
	const struct anon_vma *av = chain->list[i];

	if (av->parent == av)
		return av->root == av;
	while (i-- > 0) {
		if (chain->list[i] == av->parent)
			return true;
	}
	return false;
}

bool anon_chain_sound(struct anon_chain *chain)
{
	struct spinlock *lock = &chain->own->root->lock;
	bool sound, has_own = false;

	spin_lock(lock);
	sound = chain->refs && chain->nr && chain->nr <= chain->room &&
		chain->own->nr_own >= chain->refs;
	for (u32 i = 0; sound && i < chain->nr; i++) {
		const struct anon_vma *av = chain->list[i];

		has_own |= av == chain->own;
		sound = av->nr_chains && av->root == chain->own->root &&
			(av->parent != av || av->nr_children) && has_parent(chain, i);
	}
	spin_unlock(lock);
	return sound && has_own;
}

bool anon_chain_fresh(struct anon_chain *chain)
{
	const struct anon_vma *av = chain->own;

	return anon_chain_sound(chain) && !chain->nr_seen && chain->nr == 1 && chain->refs == 1 &&
	       av->nr_chains == 1 && av->nr_own == 1 && av->nr_children == 1;
}

struct anon_chain *anon_chain_next_spare(const struct anon_chain *chain)
{
	return chain->next_spare;
}

/* Areas of one mm have it, whose mmap write lock is held: the count does not change. */
u32 anon_chain_areas(const struct anon_chain *chain)
{
	return chain->refs;
}

void anon_chain_see(struct anon_chain *chain)
{
	chain->nr_seen++;
}

u32 anon_chain_take_seen(struct anon_chain *chain)
{
	u32 nr = chain->nr_seen;

	chain->nr_seen = 0;
	return nr;
}

/* The area that a chain was made for is its first user. */
static void chain_init(struct anon_chain *chain, struct anon_vma *own)
{
	chain->own = own;
	chain->refs = 1;
}

static struct anon_vma *anon_vma_alloc(struct objects *pool) __may_sleep
{
	struct anon_vma *av;

	might_sleep();
	av = take(pool, sizeof(*av));
	if (!av)
		return NULL;
	spin_lock_init(&av->lock, LOCK_RANK_ANON_FAMILY);
	av->pool = pool;
	return av;
}

/* ---------------------------------------------------------------- touched -- */

/* Do they differ in nothing but what they may be accessed for? */
static bool alike_but_for_access(const struct vm_area_struct *low,
				 const struct vm_area_struct *high)
	__must_hold_shared(vma_stable)
{
	vm_flags_t differ = low->vm_flags ^ high->vm_flags;

	return low->vm_end == high->vm_start && low->vm_file == high->vm_file &&
	       low->vm_pgdelta == high->vm_pgdelta &&
	       !(differ & ~(VM_ACCESS_FLAGS | VM_IGNORE_MERGE));
}

static struct anon_chain *lendable(const struct vm_area_struct *vma)
{
	return anon_is_singular(vma->anon) ? vma->anon : NULL;
}

/* A neighbour's chain that @vma can have as well; the upper neighbour is asked first. */
static struct anon_chain *neighbour_chain(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	struct vm_area_struct *next = vma_after(vma);
	struct vm_area_struct *prev = vma_before(vma->vm_mm, vma->vm_start);
	struct anon_chain *chain = NULL;

	if (next && alike_but_for_access(vma, next))
		chain = lendable(next);
	if (!chain && prev && alike_but_for_access(prev, vma))
		chain = lendable(prev);
	return chain;
}

static struct anon_chain *chain_create(struct objects *pool) __may_sleep
{
	struct anon_vma *av = anon_vma_alloc(pool);
	struct anon_chain *chain = av ? take(pool, chain_bytes(1)) : NULL;

	if (!chain) {
		if (av)
			anon_vma_free(av);
		return NULL;
	}
	chain->pool = pool;
	av->root = av->parent = av;
	av->nr_chains = 1;
	av->nr_own = 1;
	av->nr_children = 1;
	chain->nr = chain->room = 1;
	chain->list[0] = av;
	chain_init(chain, av);
	return chain;
}

static void spare_push(struct mm_struct *mm, struct anon_chain *chain)
{
	chain->next_spare = mm->spare_anon;
	mm_set_ptl(mm, spare_anon, chain);
}

static struct anon_chain *spare_pop(struct mm_struct *mm)
{
	struct anon_chain *chain = mm->spare_anon;

	if (chain) {
		mm_set_ptl(mm, spare_anon, chain->next_spare);
	}
	return chain;
}

static int spare_add(struct mm_struct *mm) __may_sleep
{
	struct anon_chain *chain = chain_create(mm->instance->anon_pool);

	if (!chain)
		return -ENOMEM;
	spin_lock(&mm->page_table_lock);
	spare_push(mm, chain);
	spin_unlock(&mm->page_table_lock);
	return 0;
}

int anon_reserve(struct mm_struct *mm, unsigned long nr)
{
	mm_assert_locked(mm);
	while (nr--) {
		if (spare_add(mm)) {
			anon_unreserve(mm);
			return -ENOMEM;
		}
	}
	return 0;
}

void anon_unreserve(struct mm_struct *mm)
{
	struct anon_chain *chain;

	do {
		spin_lock(&mm->page_table_lock);
		chain = spare_pop(mm);
		spin_unlock(&mm->page_table_lock);
		anon_chain_put(chain);
	} while (chain);
}

/* True if @vma has a chain now; false: a spare one is needed and there is none. */
static bool give_chain(struct mm_struct *mm, struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	struct anon_chain *mine;
	bool done = true;

	/* Another thread may be here for the same area, or for the one beside it. */
	spin_lock(&mm->page_table_lock);
	if (!vma->anon) {
		mine = neighbour_chain(vma);
		mine = mine ? anon_chain_get(mine) : spare_pop(mm);
		done = mine;
		if (mine)
			vma_set_anon(vma, mine);
	}
	spin_unlock(&mm->page_table_lock);
	return done;
}

int anon_prepare(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	mm_assert_locked(mm);
	if (atomic_load_relaxed(&vma->anon))
		return 0;
	while (!give_chain(mm, vma)) {
		int err = spare_add(mm);

		if (err)
			return err;
	}
	return 0;
}

/* ------------------------------------------------------------------- fork -- */

/* The oldest of the parent's anon_vmas that is nobody's own and has no other child. */
static struct anon_vma *reusable(const struct anon_chain *parent)
{
	for (u32 i = 0; i < parent->nr; i++) {
		struct anon_vma *av = parent->list[i];

		if (!av->nr_own && av->nr_children < 2)
			return av;
	}
	return NULL;
}

int anon_fork(struct vm_area_struct *child, const struct vm_area_struct *parent)
{
	struct anon_chain *from = parent->anon, *chain;
	struct anon_vma *av, *own;

	vma_init(child, anon, NULL);
	if (!from)
		return 0;
	av = anon_vma_alloc(NULL);
	chain = av ? port_alloc(chain_bytes(from->nr + 1)) : NULL;
	if (!chain) {
		if (av)
			anon_vma_free(av);
		return -ENOMEM;
	}
	__builtin_memcpy(chain->list, from->list, from->nr * sizeof(from->list[0]));
	chain->list[from->nr] = av;
	chain->room = from->nr + 1;

	spin_lock(&from->own->root->lock);
	for (u32 i = 0; i < from->nr; i++)
		from->list[i]->nr_chains++;
	own = reusable(from);
	if (!own) {
		own = av;
		av->root = from->own->root;
		av->parent = from->own;
		av->parent->nr_children++;
		av->nr_chains = 1;
	}
	own->nr_own++;
	spin_unlock(&from->own->root->lock);

	chain->nr = from->nr + (own == av);
	if (own != av)
		anon_vma_free(av);
	chain_init(chain, own);
	vma_init(child, anon, chain);
	return 0;
}

/* ------------------------------------------------------------------ names -- */

struct anon_name {
	u32 refs;			/* a	0: going */
	u32 bytes;			/* 1	of the whole struct */
	struct port_rcu_head rcu;	/* o	the last put */
	char text[];			/* 1 */
};

#define ANON_NAME_MAX	80u		/* with the terminating 0 */

struct anon_name *anon_name_create(const char *text)
{
	size_t bytes = sizeof(struct anon_name) + str_len(text) + 1;
	struct anon_name *name;

	might_sleep();
	name = port_alloc(bytes);
	if (name) {
		name->refs = 1;
		name->bytes = bytes;
		__builtin_memcpy(name->text, text, bytes - sizeof(*name));
	}
	return name;
}

struct anon_name *anon_name_get(struct anon_name *name)
{
	if (name)
		atomic_add_relaxed(&name->refs, 1);
	return name;
}

static void anon_name_free(struct port_rcu_head *rcu)
{
	struct anon_name *name = container_of(rcu, struct anon_name, rcu);

	port_free(name, name->bytes);
}

void anon_name_put(struct anon_name *name)
{
	/* Pairs with itself: every use through another reference comes before the free. */
	if (name && atomic_sub_acq_rel(&name->refs, 1) == 1)
		port_call_rcu(&name->rcu, anon_name_free);
}

bool anon_name_same(const struct anon_name *a, const struct anon_name *b)
{
	return a == b || (a && b && str_eq(a->text, b->text));
}

const char *anon_name_text(const struct anon_name *name)
{
	return name->text;
}

bool anon_name_valid(const char *text)
{
	size_t len = str_len(text);

	if (len >= ANON_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c < ' ' || c > '~' || c == '\\' || c == '`' || c == '$' || c == '[' || c == ']')
			return false;
	}
	return true;
}
