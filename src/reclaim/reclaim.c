/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reclaim: frames back from those who have not used them for long.
 *
 * Terms.  A *candidate* is a page that can be had again, or is not needed: a file's that
 * read_page() reads, an anonymous one.  To *look* at one is to ask all its entries whether they
 * were used since the last look, and to clear that.  A page is *evicted* when its frame is the one
 * who wants it's.
 *
 * The clock.  There are no lists.  The structs of all frames lie side by side, and are gone through
 * in that order, round and round, by one hand for all threads:
 *
 *	frames	| . T a F a . . F F a T a . . . . |	a anonymous, F of a file, T a table, . free
 *			  ^ hand: 32 frames at a time
 *
 * Each candidate has two bits of age (evict.c), so a look gives a second chance, and a third and
 * fourth to what was used again and again: the inactive and the active list of other kernels, with
 * the order in which they were made replaced by the order in which they lie.  What has been given
 * away lately has been evicted lately by the same hand, so it is behind the hand, and comes last.
 *
 * A *round* goes once past all frames that anybody has had (or past all entries of the mm).  Three
 * rounds by age are enough for a page that nobody uses meanwhile.  If there were candidates and not
 * enough of them went, the fourth takes any.
 *
 * Who is looked at.
 *	an instance	frames, by their structs
 *	an mm		what its page table maps, by addresses, from where it stopped last time: its
 *			own limit is no reason to take others' pages
 *	a range		once, whatever its age: MADV_PAGEOUT
 *
 * Kinds.  Anonymous pages and those of files are looked at alike, and by how often they are used it
 * is decided which go.  A clean page of a file costs one read; the others a write, too.  That is
 * not weighed: who has twice the pages loses twice as many.  Shrinkers are asked for the same part
 * of what they have as was looked at of the frames.
 *
 * A block of 2 MiB is looked at as one page.  If it is old it is split, and its pages are looked at
 * from then on.  One that several mms have in pieces stays.
 *
 * When (limit.c).  Nobody reclaims inside of an allocation: who allocates may hold anything.  A
 * fault that gets no frame comes out of all its locks with MM_FAULT_OOM, a memory call with
 * -ENOFRAME (mm/retry.c); there, where none is held, pages are taken, more than one at once, and it
 * begins anew.  An instance's limit is an arena that says it has no more, so there is one way and
 * not two.
 *
 * Locking.  None is held when it begins.  A frame is found without a lock, by page_try_get(), and
 * is looked at again then: it is what it says it is, as long as we have the reference.  Then:
 *
 *	page lock			tried
 *	  lock of the reverse map	for read: tried, and waited for when nothing else went
 *	    table lock			one at a time
 *	  invalidate lock		tried, for read, against the order of ranks
 *	    mapping lock
 *
 * Nothing of an mm is waited for, so it goes on while mms are forked, unmapped and torn down.  What
 * it waits for are write_page() hooks, and those who look at the reverse map beside a write-back.
 *
 * Ordering
 *  (A) A page is evicted when its count, which is compared and taken to 0 in one step, is that of
 *	who must have a reference and no more.  Who found it before has one, and it stays; who comes
 *	after does not get one.
 *  (B) Whoever stored to the page by a reference made it dirty before the put, which (A)'s step
 *	acquires; by an entry, and its table lock orders that.
 *
 * Invariants
 *  1. A page that is evicted is mapped nowhere, clean or not needed, and in no index.
 *  2. A page that is not evicted has lost entries at most, and what they noted is kept at the page.
 *
 * Failure.  Nothing is allocated but what write_page() wants for itself.
 *
 * Rejected
 *  - Lists with links in struct page.  Putting a page on costs each fault a lock, or a batch for
 *    each thread that has to be emptied before anybody can tell who is in a list; taking it off
 *    costs the same when it is freed.  What a list knows more, the order of last use, is lost at
 *    the first look all the same.  A sweep reads 64 bytes a frame, in order: some milliseconds for
 *    a GiB.
 *  - A thread of our own.  The embedder knows when it has time: vmarea_reclaim().
 *  - Waiting for the locks of reverse maps at once.  Who has them for write may be filling a page
 *    table of gigabytes; other pages do as well.
 */
#include "base/atomic.h"
#include "pgtable/pgtable.h"
#include "reclaim/reclaim.h"
#include "swap/swap.h"

#define HAND_FRAMES	32u
#define ROUNDS_BY_AGE	3u

/* ------------------------------------------------------------------------------ frames -- */

/* A reference, if it is one to look at.  It may have become another page: evict.c looks again. */
static bool get_candidate(const struct reclaim *r, struct page *page)
{
	return evict_is_candidate(r, page) && page_try_get(page);
}

/* No more than are wanted go: the hand comes back to where that was. */
static void sweep_frames(struct reclaim *r, struct arena_span span, unsigned long goal)
	__may_sleep
{
	unsigned long nr = span.end - span.first;
	/* Relaxed: whose turn it is, and nothing behind it. */
	u64 at = atomic_add_relaxed(&r->instance->reclaim.hand, HAND_FRAMES);
	struct page *frames = arena_frames(r->instance->arena);
	unsigned int i;

	for (i = 0; i < HAND_FRAMES && r->nr_freed < goal; i++) {
		struct page *page = pfn_page(frames, span.first + (at + i) % nr);

		if (get_candidate(r, page))
			evict_page(r, page);
	}
	if (i < HAND_FRAMES)
		atomic_sub_relaxed(&r->instance->reclaim.hand, HAND_FRAMES - i);
}

/* Shrinkers are asked for as large a part as was gone past, of a whole round at most. */
static void ask_shrinkers(struct reclaim *r, unsigned long done, unsigned long all)
	__may_sleep
{
	unsigned int priority = 0;
	unsigned long nr;

	while (priority < SHRINK_FIRST_PRIORITY && (done << (priority + 1)) <= all)
		priority++;
	nr = shrink_pass(r->instance, priority);
	r->nr_freed += nr;
	atomic_add_relaxed(&r->instance->reclaim.stats.shrunk, nr);
}

static void round_of_frames(struct reclaim *r, unsigned long goal)
	__may_sleep
{
	struct arena_span span = arena_used_span(r->instance->arena);
	unsigned long all = span.end - span.first, done = 0;

	while (done < all && r->nr_freed < goal) {
		sweep_frames(r, span, goal);
		done += HAND_FRAMES;
	}
	ask_shrinkers(r, done, all);
}

/* ------------------------------------------------------------------------------ one mm -- */

struct mm_sweep {
	struct reclaim *r;
	const struct pgtable *pt;
	bool unshared;				/* only what no other entry maps */
	unsigned int nr;
	unsigned long next;			/* where it stopped */
	struct page *pages[HAND_FRAMES];
	unsigned long addrs[HAND_FRAMES];	/* where they were found */
};

/* The table is not locked, so what the entry says may not be so any more. */
static int collect(void *arg, unsigned long addr, unsigned int level, pte_t e)
{
	struct mm_sweep *sweep = arg;
	struct page *page;

	sweep->next = addr;
	if (sweep->nr == HAND_FRAMES)
		return 1;
	sweep->next = addr + PAGE_SIZE;
	if (!pte_present(sweep->pt->format, e) || pte_special(sweep->pt->format, e))
		return 0;
	page = pfn_page(sweep->pt->frames, pte_pfn(sweep->pt->format, e));
	if (sweep->unshared && page_mapcount(page) > 1)
		return 0;
	/* Of a block in pieces the head, and once: a reference of ours more keeps it whole. */
	page = page_head(page);
	if (sweep->nr && sweep->pages[sweep->nr - 1] == page)
		return 0;
	if (get_candidate(sweep->r, page)) {
		sweep->addrs[sweep->nr] = addr;
		sweep->pages[sweep->nr++] = page;
	}
	return 0;
}

/* Of what was collected as many as are wanted.  True: all of it was looked at. */
static bool evict_collected(struct mm_sweep *sweep, unsigned long goal)
	__may_sleep
{
	struct reclaim *r = sweep->r;
	unsigned int i;

	for (i = 0; i < sweep->nr && r->nr_freed < goal; i++)
		evict_page(r, sweep->pages[i]);
	if (i == sweep->nr)
		return true;
	sweep->next = sweep->addrs[i];
	for (; i < sweep->nr; i++)
		page_put(sweep->pages[i]);
	return false;
}

/* From @addr on, a batch, until r->nr_freed is @goal.  Where to go on, or @end. */
static unsigned long sweep_range(struct reclaim *r, const struct reclaim_from *from,
				 unsigned long addr, unsigned long end, unsigned long goal)
	__may_sleep
{
	struct mm_sweep sweep = {
		.r = r, .pt = from->mm->pgt, .unshared = from->end,
	};
	int full;

	rcu_read_lock();
	full = pt_walk(from->mm->pgt, addr, end, collect, &sweep);
	rcu_read_unlock();
	return evict_collected(&sweep, goal) && !full ? end : sweep.next;
}

/* Once around, from where the last one stopped. */
static void round_of_mm(struct reclaim *r, const struct reclaim_from *from, unsigned long goal)
	__may_sleep
{
	struct mm_struct *mm = from->mm;
	unsigned long start = atomic_load_relaxed(&mm->reclaim_hand), at = start;
	unsigned long limit = pt_limit(mm->pgt);

	while (at < limit && r->nr_freed < goal)
		at = sweep_range(r, from, at, limit, goal);
	if (at >= limit)
		at = 0;
	while (at < start && r->nr_freed < goal)
		at = sweep_range(r, from, at, start, goal);
	atomic_store_relaxed(&mm->reclaim_hand, at);
}

/* ------------------------------------------------------------------------------- calls -- */

static void one_round(struct reclaim *r, const struct reclaim_from *from, unsigned long goal)
	__may_sleep
{
	r->nr_seen = 0;
	if (from->mm)
		round_of_mm(r, from, goal);
	else
		round_of_frames(r, goal);
}

static void all_rounds(struct reclaim *r, const struct reclaim_from *from, unsigned long nr)
	__may_sleep
{
	unsigned int first = from->again ? ROUNDS_BY_AGE : 0;

	for (unsigned int i = first; i <= ROUNDS_BY_AGE && r->nr_freed < nr; i++) {
		r->mind = i < ROUNDS_BY_AGE ? RECLAIM_OLD : RECLAIM_ANY;
		one_round(r, from, nr);
		if (!r->nr_seen)
			break;
	}
}

/* What was a block is gone through once more, page by page. */
static void range_at_once(struct reclaim *r, struct reclaim_from range)
	__may_sleep
{
	r->mind = RECLAIM_ANY;
	while (range.start < range.end) {
		unsigned long nr_split = r->nr_split;
		unsigned long next = sweep_range(r, &range, range.start, range.end, ~0ul);

		if (r->nr_split == nr_split)
			range.start = next;
	}
}

struct reclaim_result reclaim_pages(struct vmarea *instance, struct reclaim_from from,
				    unsigned long nr)
{
	struct reclaim r = {
		.instance = instance,
		.can_swap = swap_has_room(instance->swap),
		.wait = from.again ? RMAP_WAIT : RMAP_TRY,
	};

	might_sleep();
	if (from.end)
		range_at_once(&r, from);
	else
		all_rounds(&r, &from, nr);
	return (struct reclaim_result){ .nr_freed = r.nr_freed, .busy = r.busy };
}
