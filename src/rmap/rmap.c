/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reverse maps: from a frame to the entries that map it.
 *
 * Nothing is noted for each entry: that would cost memory and time at each fault, for what is
 * hardly ever asked.  What is known of a page is what it is part of, and which number of that it
 * has; and of that, which areas may show it:
 *
 *	a file's page	    page->mapping: an address_space  -- i_mmap -->  areas
 *	an anonymous page   page->mapping: an anon_vma  -- chains, areas -->  areas
 *
 *		area and number  -->  address  -->  entry: does it name the page?
 *
 * The trees are kept by vma/ (rmap_place.c, anon.c), where areas are changed; here is the other
 * direction.  Files: rmap.c (the walk, and what is a walk and little else), migrate.c (moving a
 * page), unmap_range.c (ranges of a file).
 *
 * What a walk holds.  The tree's lock for read, i_mmap_lock or the anon_vma lock, from beginning to
 * end: so areas, their bounds, their mms and tables stay.  For a moment the lock of one table.  No
 * lock of an mm: a thread that faults or maps something goes on, unless it changes who maps the
 * file.  Entries are taken out and changed, never put in where there was none.
 *
 *	page lock		a file's page stays the file's; who moves or unmaps is one
 *	  i_mmap lock, or anon_vma lock			for read
 *	    table lock
 *
 * A shrinker comes from the inside of all this, and only tries (RMAP_TRY).
 *
 * Blocks.  A page of a block of 2 MiB is found through the head's mapping, by the head's index and
 * its own place, whether an entry maps the block (a leaf) or the page alone (a piece).  The
 * walker's reference keeps the block together.  What is done to one page's entries cannot be done
 * to a leaf: rmap_unmap() has it split, which needs no memory.  A block does not move.
 *
 * Ordering
 *  (A) fork() puts the child's area into the trees before it copies entries, and behind the
 *      parent's where they are equal.  So a walk with parents first that takes out an entry of the
 *      parent did so before the copy, which has nothing then, or comes by the child later.
 *  (B) mremap() has the trees locked for write while entries move: a walk sees them in one place.
 *  (C) An entry counts in page_mapcount() before it can be seen, and until after it cannot.
 *
 * Cost.  For a page of a file it is the areas that show this number; for an anonymous one those of
 * who descends from the area that made it.  Of these not all need have it: most have, that are
 * older, if it was made after they were forked.  So the area that made it is looked at first, then
 * the youngest child, and the walk ends when as many entries are found as the page has.  A page
 * that k of 10,000 children share, because it was made before the last k of them, is found by k + 1
 * looks.  That order misses what a fork copies meanwhile; who must have all (the page is still
 * mapped, or in use) walks once more, parents first.
 *
 * Invariants
 *  1. Every entry that is not special, and whose page is of a file or anonymous, is found by a walk
 *     from its page, whenever the tree's lock is free.
 *  2. page_mapcount() is the number of entries that name the page: of it alone, those of a page
 *     that is moved included, and leaves of its block.
 *
 * Failure.  Nothing is allocated.
 *
 * Rejected
 *  - A chain of entries at each page: 16 bytes an entry.
 *  - A lock of its own for each anon_vma: a walk would have to take all on the way to the root.
 */
#include "rmap/rmap.h"
#include "vma/anon.h"

/* -------------------------------------------------------------------------------- walk -- */

/* Is it one that is looked for? */
static bool names(const struct rmap_walk *walk, const struct pt_slot *slot)
	__must_hold(slot)
{
	const struct pgtable *pt = slot->pt;
	const u32 pfn = walk->page->pfn;
	pte_t e = pt_slot_get(slot);
	unsigned long first;

	if (walk->look_for == RMAP_MOVED)
		return pte_is_migrate(pt->format, e) && pte_migrate_pfn(e) == pfn;
	if (!pte_present(pt->format, e) || pte_special(pt->format, e))
		return false;
	first = pte_pfn(pt->format, e);
	return pfn >= first && pfn - first < (slot->level == PT_PMD ? PT_ENTRIES : 1);
}

struct walk_state {
	struct rmap_walk *walk;
	unsigned long pgoff;
	unsigned long enough;		/* entries; then no more are looked for */
};

/* The entry for @addr; if a leaf that is looked for has to be split, one of those it became. */
static bool lock_slot(const struct rmap_walk *walk, struct pgtable *pt, unsigned long addr,
		      struct pt_slot *slot)
	__context_unsafe("the slot is on the stack")
{
	while (pt_slot_lock(pt, addr, slot)) {
		if (!walk->by_pieces || slot->level == PT_PTE || !names(walk, slot))
			return true;
		pt_slot_unlock(slot);
		pt_split(pt, addr);
	}
	return false;
}

/* The tree's lock keeps the area.  False: enough. */
static bool look_in(void *arg, struct vm_area_struct *vma)
	__context_unsafe("the tree's lock keeps its bounds; the slot is on the stack")
{
	const struct walk_state *state = arg;
	unsigned long addr = (state->pgoff - vma->vm_pgdelta) << PAGE_SHIFT;
	struct rmap_walk *walk = state->walk;
	struct pt_slot slot;
	bool go_on = true;

	walk->nr_areas++;
	walk->vma = vma;
	if (!lock_slot(walk, vma->vm_mm->pgt, addr, &slot))
		return true;
	if (names(walk, &slot)) {
		walk->nr_entries++;
		go_on = walk->fn(walk, &slot) && walk->nr_entries < state->enough;
	}
	pt_slot_unlock(&slot);
	return go_on;
}

static int walk_file(struct walk_state *state, struct address_space *mapping)
	__may_sleep __context_unsafe("trylock or lock, as the caller says")
{
	const struct it_span span = { .first = state->pgoff, .last = state->pgoff };
	struct it_node *node;

	if (state->walk->wait == RMAP_WAIT)
		rwsem_read_lock(&mapping->i_mmap_lock);
	else if (!rwsem_read_trylock(&mapping->i_mmap_lock))
		return -EAGAIN;
	for (node = it_first(&mapping->i_mmap, span); node; node = it_next(node, span))
		if (!look_in(state, container_of(node, struct vm_area_struct, file_place)))
			break;
	rwsem_read_unlock(&mapping->i_mmap_lock);
	return 0;
}

static int walk_anon(struct walk_state *state, struct page *page)
	__may_sleep
{
	struct anon_vma *av = anon_get(page);

	if (!av)
		return 0;
	if (state->walk->wait == RMAP_WAIT) {
		anon_lock_read(av);
	} else if (!anon_trylock_read(av)) {
		anon_put(av);
		return -EAGAIN;
	}
	if (state->walk->order == RMAP_LIKELY_FIRST)
		anon_walk_likely_first(av, state->pgoff, look_in, state);
	else
		anon_walk_parents_first(av, state->pgoff, look_in, state);
	anon_unlock_read(av);
	anon_put(av);
	return 0;
}

int rmap_walk(struct rmap_walk *walk)
{
	struct page *page = walk->page, *head = page_head(page);
	struct walk_state state = {
		.walk = walk, .pgoff = head->index + (unsigned long)(page - head), .enough = ~0ul,
	};

	walk->nr_areas = 0;
	walk->nr_entries = 0;
	if (walk->order == RMAP_LIKELY_FIRST)
		state.enough = (unsigned long)page_mapcount(page);
	if (!state.enough)
		return 0;
	if (page_flags(head) & PG_ANON)
		return walk_anon(&state, page);
	VM_DEBUG_ON(!page_is_locked(head), "pfn %u is not locked", page->pfn);
	return head->mapping ? walk_file(&state, head->mapping) : 0;
}

/* ----------------------------------------------------------------- accessed, dirty -- */

/* Counts in *arg those that were accessed. */
static bool make_old(struct rmap_walk *walk, struct pt_slot *slot)
	__must_hold(slot)
{
	const struct pt_format *f = slot->pt->format;
	pte_t was = pt_slot_change(slot, (struct pt_change){ .clear = f->accessed });

	*(int *)walk->arg += pte_accessed(f, was);
	return true;
}

int rmap_referenced(struct page *page, enum rmap_wait wait)
{
	int nr = 0;
	struct rmap_walk walk = { .page = page, .fn = make_old, .arg = &nr, .wait = wait };
	int err = rmap_walk(&walk);

	return err ? err : nr;
}

static bool make_clean(struct rmap_walk *walk, struct pt_slot *slot)
	__must_hold(slot)
{
	const struct pt_format *f = slot->pt->format;
	pte_t was = pt_slot_change(slot, (struct pt_change){ .clear = f->dirty | f->write });

	*(int *)walk->arg += pte_dirty(f, was) || pte_write(f, was);
	return true;
}

int rmap_mkclean(struct page *page)
{
	int nr = 0;
	struct rmap_walk walk = {
		.page = page, .fn = make_clean, .arg = &nr, .order = RMAP_PARENTS_FIRST,
	};
	int err = rmap_walk(&walk);

	VM_BUG_ON(err, "rmap_walk() does not wait");
	return nr;
}

/* ------------------------------------------------------------------------------- unmap -- */

struct unmap_walk {
	struct rmap_unmap *how;
	int err;
};

/*
 * It has to stay in core.  mlock() marks the area before it looks at entries: so either we see
 * that, or it comes after us and faults the page in.
 */
static bool is_locked_in(const struct vm_area_struct *vma)
	__context_unsafe("one relaxed word")
{
	return atomic_load_relaxed(&vma->vm_flags) & VM_LOCKED;
}

/* Writes to it are asked for: a soft entry has no place for that mark. */
static bool is_marked(struct pt_slot *slot)
	__must_hold(slot)
{
	return pte_user_wp(slot->pt->format, pt_slot_get(slot));
}

static bool unmap_entry(struct rmap_walk *walk, struct pt_slot *slot)
	__must_hold(slot)
{
	const struct pt_format *f = slot->pt->format;
	struct unmap_walk *unmap = walk->arg;
	struct page *page = walk->page;
	pte_t leave = PTE_NONE, was;

	if (rmap_may_be_pinned(page) || is_locked_in(walk->vma) || is_marked(slot)) {
		unmap->err = -EBUSY;
		return false;
	}
	if (unmap->how->leave == RMAP_LEAVE_SWAP) {
		leave = pte_soft(PT_SOFT_SWAP, unmap->how->swap_number);
		swap_get(slot->pt->swap, unmap->how->swap_number);
		/* Once it is in no table it is nobody's alone; before, a write could go to it. */
		page_clear_flags(page, PG_EXCLUSIVE);
	}
	was = pt_slot_exchange(slot, leave);
	unmap->how->dirty |= pte_dirty(f, was);
	unmap->how->nr++;
	atomic_sub_relaxed(&page->mapcount, 1);
	/* Never the last: the caller has one. */
	page_put(page_head(page));
	return true;
}

int rmap_unmap(struct page *page, struct rmap_unmap *how)
{
	struct unmap_walk unmap = { .how = how };
	struct rmap_walk walk = {
		.page = page, .fn = unmap_entry, .arg = &unmap, .wait = how->wait,
		.by_pieces = true,
	};

	VM_BUG_ON((page_flags(page_head(page)) & PG_ANON) && how->leave == RMAP_LEAVE_NONE,
		  "pfn %u has bytes that nobody else has", page->pfn);
	how->dirty = false;
	how->nr = 0;
	for (int round = 0; round < 2; round++) {
		int err = rmap_walk(&walk);

		if (err || unmap.err)
			return err ? err : unmap.err;
		if (!page_mapcount(page))
			return 0;
		/* A fork was faster than the first round. */
		walk.order = RMAP_PARENTS_FIRST;
	}
	return -EAGAIN;
}

/* ----------------------------------------------------------------------------- discard -- */

/* Under the table lock nobody pins it, and who wrote to it has said so in the entry. */
static bool discard_entry(struct rmap_walk *walk, struct pt_slot *slot)
	__must_hold(slot)
{
	const struct pt_format *f = slot->pt->format;
	struct page *page = walk->page;
	pte_t was;

	if (!(page_flags(page) & PG_EXCLUSIVE) || page_refs(page) != 2 ||
	    is_locked_in(walk->vma) || pte_dirty(f, pt_slot_get(slot)))
		return false;
	was = pt_slot_exchange(slot, PTE_NONE);
	if (pte_dirty(f, was)) {
		pt_slot_exchange(slot, was);
		return false;
	}
	atomic_sub_relaxed(&page->mapcount, 1);
	/* Never the last: the caller has one. */
	page_put(page);
	return true;
}

int rmap_discard(struct page *page, enum rmap_wait wait)
{
	struct rmap_walk walk = { .page = page, .fn = discard_entry, .wait = wait };
	int err = rmap_walk(&walk);

	if (err)
		return err;
	/* One that was mapped nowhere before may be in the swap cache, for whom it is needed. */
	return page_mapcount(page) || page_refs(page) != 1 ? -EBUSY : 0;
}
