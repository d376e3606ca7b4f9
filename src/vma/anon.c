/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who shares anonymous memory with whom: where an anonymous page may be mapped.
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
 * From a page to its areas.  A page knows the anon_vma that it was made in.  That has a tree of the
 * chains it is in, and each chain one of its areas; both are by file page (vm_pgdelta), which a
 * page keeps for life:
 *
 *	page->mapping -> A	chains	[ A ]      areas  |--parent's--| |--split from it--|
 *				        [ A B ]    areas  |--child's----------------------|
 *				        [ A B C ]  areas  |--its child's--|
 *			 B	chains	[ A B ], [ A B C ]
 *
 * A chain lies in the trees of its anon_vmas by the least interval that has all of its areas, and
 * is in them only while it has any.  So a page that a child has made is looked for in the child and
 * in who descends from it, whatever number of others its parent has.  Where the areas of a chain
 * have a hole, it is looked at for nothing.
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
 * Counts, under the spinlock of the family's root (the anon_vma that began it):
 *	nr_chains	chains it is in; 0: it is freed
 *	nr_own		areas that have it as their own
 *	nr_children	anon_vmas that were forked from it, + 1 if it is a root
 * A chain holds an anon_vma's parent wherever it holds the anon_vma, so parents are freed last.
 *
 * Locks.  The trees of a family are under the sleeping lock of its root, the anon_vma lock: for
 * write to change them, for read to look for a page.  Whoever holds it in either mode keeps the
 * areas that it finds as they are: bounds change inside it (rmap_place.c).  The root's spinlock,
 * for the counts, nests inside page_table_lock.
 *
 * Who looks for a page has no lock that keeps its anon_vma: the last area may go meanwhile.  So an
 * anon_vma is counted once more, by the way of anon_get(), and freed after a grace period; and each
 * of a family holds its root.
 *
 * Ordering
 *  (A) A chain is complete before an area has it: the store is a release (vma_set_anon), and a
 *      fault that has the VMA lock alone loads it with acquire.
 *  (B) The anon_vma of a page is complete before page->mapping names it, in the same way.
 *
 * Invariants
 *  1. All areas that have an anon_vma as their own have the same chain.
 *  2. The anon_vma of a page is in the chain of each area that maps it.
 *  3. An area of a mm with pages is in its chain's tree while it is in the mm's, and a chain that
 *     has areas is in the trees of all its anon_vmas.
 *  4. Where two are equal in a tree, the child came later: fork() inserts before it copies entries.
 *
 * A mm without pages has chains, for merging, and is in no tree.
 *
 * Memory.  What a fault makes, an anon_vma and the chain of it alone, lies in frames where there
 * are any (phys/objects.h): the program that faults may be inside of the host's allocator.  What
 * fork() makes is the host's.
 *
 * Rejected: a node for each area and anon_vma, as Linux has it.  Each split then allocates as many
 * as the chain is long, and each change of bounds moves as many.
 */
#include "base/atomic.h"
#include "ds/interval_tree.h"
#include "phys/objects.h"
#include "port/port.h"
#include "sync/rcu.h"
#include "vma/anon.h"
#include "vma/instance.h"
#include "vma/lock.h"
#include "vma/map.h"

struct anon_vma {
	struct anon_vma *root;		/* 1	held */
	struct anon_vma *parent;	/* 1	a root's is itself */
	struct rwsem tree_lock;		/* i	used in the root only: the trees of the family */
	struct spinlock lock;		/* i	used in the root only: the counts */
	u32 refs;			/* a	its chains', lookers', the family's if a root */
	u32 nr_chains;			/* root->lock */
	u32 nr_own;			/* root->lock */
	u32 nr_children;		/* root->lock */
	struct it_tree chains;		/* root->tree_lock	links of those that have areas */
	struct anon_chain *holder;	/* root->tree_lock	the one of these whose own it is */
	struct objects *pool;		/* 1	where it is from; NULL: the host's memory */
	bool has_pages;			/* 1	or else nobody looks for any */
	struct port_rcu_head rcu;	/* o	the last put */
};

/* A chain in the tree of one of its anon_vmas. */
struct anon_link {
	struct it_node node;		/* root->tree_lock	the extent of chain->areas */
	struct anon_vma *av;		/* 1 */
	struct anon_chain *chain;	/* 1 */
};

struct anon_chain {
	u32 refs;			/* own->root->lock	areas that have it */
	u32 nr;				/* 1 */
	u32 room;			/* 1	entries that were allocated */
	u32 nr_seen;			/* w	the walker's; else 0 */
	struct anon_chain *next_spare;	/* page_table_lock	mm->spare_anon */
	struct objects *pool;		/* 1	where it is from; NULL: the host's memory */
	struct anon_vma *own;		/* 1	one of those below */
	struct it_tree areas;		/* own->root->tree_lock	vm_area_struct.anon_place */
	struct anon_link list[];	/* i	oldest first */
};

static size_t chain_bytes(u32 nr)
{
	return sizeof(struct anon_chain) + nr * sizeof(struct anon_link);
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

/* One that nobody else has seen. */
static void anon_vma_free(struct anon_vma *av)
{
	give_back(av->pool, av, sizeof(*av));
}

static void anon_vma_free_rcu(struct port_rcu_head *rcu)
{
	anon_vma_free(container_of(rcu, struct anon_vma, rcu));
}

void anon_put(struct anon_vma *av)
{
	struct anon_vma *root = av->root;

	/* Pairs with itself: what its users did to it comes before the free. */
	if (atomic_sub_acq_rel(&av->refs, 1) != 1)
		return;
	/* Who has pages lies in a frame. */
	if (av->has_pages)
		port_call_rcu_shared(&av->rcu, anon_vma_free_rcu);
	else
		anon_vma_free(av);
	if (root != av)
		anon_put(root);
}

static bool anon_try_get(struct anon_vma *av)
{
	u32 refs = atomic_load_relaxed(&av->refs);

	do {
		if (!refs)
			return false;
		/* Relaxed: (B) has brought what it is; its trees are under a lock. */
	} while (!atomic_cas_relaxed(&av->refs, &refs, refs + 1));
	return true;
}

struct anon_vma *anon_get(struct page *page)
{
	struct page *head = page_head(page);
	struct anon_vma *av = NULL;

	rcu_read_lock();
	/*
	 * Mapped, and so it was when its anon_vma was last put into page->mapping; if that has no
	 * chain any more by now, the page is not mapped any more either.
	 */
	if (page_mapcount(page)) {
		av = atomic_load_acquire(&head->mapping);		/* (B) */
		if (av && !anon_try_get(av))
			av = NULL;
	}
	rcu_read_unlock();
	return av;
}

struct anon_vma *anon_own(const struct anon_chain *chain)
{
	return chain ? chain->own : NULL;
}

struct anon_vma *anon_root(const struct anon_chain *chain)
{
	return chain ? chain->own->root : NULL;
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
		struct anon_vma *av = chain->list[i].av;

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
	VM_DEBUG_ON(!it_empty(&chain->areas), "%lu areas are left", chain->areas.nr);
	while (gone) {
		struct anon_vma *av = gone;

		gone = av->parent;
		anon_put(av);
	}
	give_back(chain->pool, chain, chain_bytes(chain->room));
}

/* Is av->parent where it must be: in the chain before it, or itself? */
static bool has_parent(const struct anon_chain *chain, u32 i)
{
	const struct anon_vma *av = chain->list[i].av;

	if (av->parent == av)
		return av->root == av;
	while (i-- > 0) {
		if (chain->list[i].av == av->parent)
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
		const struct anon_vma *av = chain->list[i].av;

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

static void link_init(struct anon_chain *chain, u32 i, struct anon_vma *av)
{
	chain->list[i] = (struct anon_link){ .av = av, .chain = chain };
}

static struct anon_vma *anon_vma_alloc(const struct mm_struct *mm, struct objects *pool) __may_sleep
{
	struct anon_vma *av;

	might_sleep();
	av = take(pool, sizeof(*av));
	if (!av)
		return NULL;
	rwsem_init(&av->tree_lock, LOCK_RANK_ANON_VMA);
	spin_lock_init(&av->lock, LOCK_RANK_ANON_FAMILY);
	av->refs = 1;
	av->pool = pool;
	av->has_pages = mm->pgt;
	return av;
}

/* ------------------------------------------------------------------ trees -- */

void anon_lock_write(struct anon_vma *av)
	__context_unsafe("which family it is, the anon_vma says")
{
	rwsem_write_lock(&av->root->tree_lock);
}

void anon_unlock_write(struct anon_vma *av)
	__context_unsafe("which family it is, the anon_vma says")
{
	rwsem_write_unlock(&av->root->tree_lock);
}

void anon_lock_read(struct anon_vma *av)
	__context_unsafe("which family it is, the anon_vma says")
{
	rwsem_read_lock(&av->root->tree_lock);
}

bool anon_trylock_read(struct anon_vma *av)
	__context_unsafe("which family it is, the anon_vma says")
{
	return rwsem_read_trylock(&av->root->tree_lock);
}

void anon_unlock_read(struct anon_vma *av)
	__context_unsafe("which family it is, the anon_vma says")
{
	rwsem_read_unlock(&av->root->tree_lock);
}

static bool is_linked(const struct anon_chain *chain)
{
	return chain->list[0].node.inside;
}

/* Its areas have changed: does it lie where it must in the trees of its anon_vmas? */
static void relink(struct anon_chain *chain)
{
	struct it_span span = { 0 };

	if (!it_empty(&chain->areas)) {
		span = it_extent(&chain->areas);
		if (is_linked(chain) && chain->list[0].node.first == span.first &&
		    chain->list[0].node.last == span.last)
			return;
	}
	for (u32 i = 0; i < chain->nr; i++) {
		struct anon_link *link = &chain->list[i];

		if (link->node.inside)
			it_erase(&link->av->chains, &link->node);
		if (it_empty(&chain->areas))
			continue;
		link->node.first = span.first;
		link->node.last = span.last;
		it_insert(&link->av->chains, &link->node);
	}
	chain->own->holder = it_empty(&chain->areas) ? NULL : chain;
}

void anon_link_area(struct anon_chain *chain, struct vm_area_struct *vma)
	__context_unsafe("the tree's lock keeps its bounds")
{
	struct it_node *node = &vma->anon_place;

	node->first = vma_pgoff_at(vma, vma->vm_start);
	node->last = vma_pgoff_at(vma, vma->vm_end) - 1;
	it_insert(&chain->areas, node);
	relink(chain);
}

void anon_unlink_area(struct anon_chain *chain, struct vm_area_struct *vma)
{
	it_erase(&chain->areas, &vma->anon_place);
	relink(chain);
}

/* Each area of @chain that has @pgoff.  False: fn() wants no more. */
static bool walk_chain(const struct anon_chain *chain, unsigned long pgoff, anon_area_fn *fn,
		       void *arg)
{
	const struct it_span span = { .first = pgoff, .last = pgoff };
	struct it_node *node;

	for (node = it_first(&chain->areas, span); node; node = it_next(node, span))
		if (!fn(arg, container_of(node, struct vm_area_struct, anon_place)))
			return false;
	return true;
}

static struct anon_chain *chain_at(struct it_node *node)
{
	return container_of(node, struct anon_link, node)->chain;
}

bool anon_walk_parents_first(struct anon_vma *av, unsigned long pgoff, anon_area_fn *fn, void *arg)
{
	const struct it_span span = { .first = pgoff, .last = pgoff };
	struct it_node *node;

	for (node = it_first(&av->chains, span); node; node = it_next(node, span))
		if (!walk_chain(chain_at(node), pgoff, fn, arg))
			return false;
	return true;
}

bool anon_walk_likely_first(struct anon_vma *av, unsigned long pgoff, anon_area_fn *fn, void *arg)
{
	const struct it_span span = { .first = pgoff, .last = pgoff };
	struct it_node *node;

	if (av->holder && !walk_chain(av->holder, pgoff, fn, arg))
		return false;
	for (node = it_last(&av->chains, span); node; node = it_prev(node, span))
		if (chain_at(node) != av->holder && !walk_chain(chain_at(node), pgoff, fn, arg))
			return false;
	return true;
}

bool anon_chain_has(const struct anon_chain *chain, const struct anon_vma *av)
{
	for (u32 i = 0; chain && i < chain->nr; i++)
		if (chain->list[i].av == av)
			return true;
	return false;
}

/* For the walker: invariant 3.  The chain has an area. */
static bool links_sound(const struct anon_chain *chain)
{
	const struct it_span span = it_extent(&chain->areas);

	for (u32 i = 0; i < chain->nr; i++) {
		const struct anon_link *link = &chain->list[i];

		if (link->chain != chain || link->node.first != span.first ||
		    link->node.last != span.last || !it_has(&link->av->chains, &link->node))
			return false;
	}
	return chain->own->holder == chain;
}

bool anon_chain_findable(struct vm_area_struct *vma)
{
	struct anon_chain *chain = vma->anon;
	const struct it_node *node = &vma->anon_place;
	bool sound;

	anon_lock_read(chain->own);
	sound = node->first == vma_pgoff_at(vma, vma->vm_start) &&
		node->last == vma_pgoff_at(vma, vma->vm_end) - 1 &&
		it_has(&chain->areas, node) && links_sound(chain);
	anon_unlock_read(chain->own);
	return sound;
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

static struct anon_chain *chain_create(const struct mm_struct *mm) __may_sleep
{
	struct objects *pool = mm->instance->anon_pool;
	struct anon_vma *av = anon_vma_alloc(mm, pool);
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
	link_init(chain, 0, av);
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
	struct anon_chain *chain = chain_create(mm);

	if (!chain)
		return mm->instance->anon_pool ? -ENOFRAME : -ENOMEM;
	spin_lock(&mm->page_table_lock);
	spare_push(mm, chain);
	spin_unlock(&mm->page_table_lock);
	return 0;
}

int anon_reserve(struct mm_struct *mm, unsigned long nr)
{
	mm_assert_locked(mm);
	while (nr--) {
		int err = spare_add(mm);

		if (err) {
			anon_unreserve(mm);
			return err;
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

/*
 * What @vma, which has none, is to have: a neighbour's, or a spare one, or NULL.  Another thread
 * may be here for the same area, or for the one beside it.
 */
static struct anon_chain *choose_chain(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	struct anon_chain *chain = neighbour_chain(vma);

	return chain ? chain : vma->vm_mm->spare_anon;
}

/*
 * Gives it @chain, if that is still the one to choose.  The lock of its family comes before the
 * page_table_lock, and which family it is is found out under that: hence the second look.
 */
static void give_chain(struct vm_area_struct *vma, struct anon_chain *chain)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct mm_struct *mm = vma->vm_mm;
	struct anon_vma *root = chain->own->root;

	if (mm->pgt)
		anon_lock_write(root);
	spin_lock(&mm->page_table_lock);
	if (!vma->anon && choose_chain(vma) == chain) {
		if (chain == mm->spare_anon)
			spare_pop(mm);
		else
			anon_chain_get(chain);
		vma_set_anon(vma, chain);
		if (mm->pgt)
			anon_link_area(chain, vma);
	}
	spin_unlock(&mm->page_table_lock);
	if (mm->pgt)
		anon_unlock_write(root);
}

/* The chain to choose, held, as another thread may have the spare one; NULL: none is left. */
static struct anon_chain *look_for_chain(struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	struct mm_struct *mm = vma->vm_mm;
	struct anon_chain *chain;

	spin_lock(&mm->page_table_lock);
	chain = anon_chain_get(choose_chain(vma));
	spin_unlock(&mm->page_table_lock);
	return chain;
}

int anon_prepare(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	mm_assert_locked(mm);
	while (!atomic_load_relaxed(&vma->anon)) {
		struct anon_chain *chain = look_for_chain(vma);
		int err;

		if (chain) {
			give_chain(vma, chain);
			anon_chain_put(chain);
			continue;
		}
		err = spare_add(mm);
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
		struct anon_vma *av = parent->list[i].av;

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
	av = anon_vma_alloc(child->vm_mm, NULL);
	chain = av ? port_alloc(chain_bytes(from->nr + 1)) : NULL;
	if (!chain) {
		if (av)
			anon_vma_free(av);
		return -ENOMEM;
	}
	for (u32 i = 0; i < from->nr; i++)
		link_init(chain, i, from->list[i].av);
	link_init(chain, from->nr, av);
	chain->room = from->nr + 1;

	spin_lock(&from->own->root->lock);
	for (u32 i = 0; i < from->nr; i++)
		from->list[i].av->nr_chains++;
	own = reusable(from);
	if (!own) {
		own = av;
		av->root = from->own->root;
		/* Relaxed: its own anon_vmas keep it. */
		atomic_add_relaxed(&av->root->refs, 1);
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
