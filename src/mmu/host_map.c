/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a window shows: the books, the budget, and the calls to the host.  See host.c.
 */
#include "base/str.h"
#include "mmu/host.h"

unsigned long host_used_words(const struct host_window *w)
{
	return DIV_ROUND_UP(w->nr_regions, 64);
}

static void *page_at(const struct host_window *w, unsigned long page)
{
	return (char *)w->port.base + page * PAGE_SIZE;
}

/* ----------------------------------------------------------------------------------- books -- */

static struct host_region *region_of(const struct host_window *w, unsigned long page)
{
	return &w->regions[page / REGION_PAGES];
}

/* The bits of [first, end), which lie in one word. */
static u64 mask_of(unsigned long first, unsigned long end)
{
	return (~0ull << first % 64) & (~0ull >> (63 - (end - 1) % 64));
}

static void set_pages(u64 *words, unsigned long first, unsigned long end, bool to)
{
	while (first < end) {
		unsigned long stop = min(ALIGN_DOWN(first, 64) + 64, end);
		u64 mask = mask_of(first, stop);

		words[first / 64] = to ? words[first / 64] | mask : words[first / 64] & ~mask;
		first = stop;
	}
}

/* What shows can lie in no more areas than that: each page alone, and a gap behind each. */
static void set_areas(struct host_window *w, struct host_region *r, u32 areas)
{
	areas = min(areas, r->nr_shown ? 2 * r->nr_shown + 1 : 0);
	w->areas += areas;
	w->areas -= r->areas;
	r->areas = areas;
}

static void set_nr_shown(struct host_window *w, struct host_region *r)
{
	unsigned long nth = (unsigned long)(r - w->regions);
	u32 nr = 0;

	for (unsigned int i = 0; i < REGION_WORDS; i++)
		nr += popcount64(r->shown[i]);
	w->pages += nr;
	w->pages -= r->nr_shown;
	r->nr_shown = nr;
	if (nr)
		w->used[nth / 64] |= BIT(nth % 64);
	else
		w->used[nth / 64] &= ~BIT(nth % 64);
}

static bool is_bit(const u64 *words, unsigned long nth)
{
	return words[nth / 64] >> nth % 64 & 1;
}

/* The first and the last of pages [first, end) of a region that are shown.  False: none is. */
static bool shown_in(const struct host_region *r, unsigned long first, unsigned long end,
		     unsigned long *low, unsigned long *high)
{
	bool any = false;

	while (first < end) {
		unsigned long stop = min(ALIGN_DOWN(first, 64) + 64, end);
		u64 word = r->shown[first / 64] & mask_of(first, stop);

		if (word) {
			if (!any)
				*low = ALIGN_DOWN(first, 64) + ffs64(word) - 1;
			*high = ALIGN_DOWN(first, 64) + fls64(word) - 1;
			any = true;
		}
		first = stop;
	}
	return any;
}

/*
 * How many areas more there are once @run is shown, at most.  Where nothing is shown it is cut out
 * of what is reserved, which ends where something is shown beside it.
 */
static int new_areas(const struct host_region *r, const struct host_run *run)
{
	unsigned long first = run->page % REGION_PAGES, end = first + run->nr, low, high;
	int areas = 2 - (int)run->joined;

	if (shown_in(r, first, end, &low, &high))
		return areas;
	return areas - (first && is_bit(r->shown, first - 1)) -
	       (end < REGION_PAGES && is_bit(r->shown, end));
}

/* A run lies in one region.  Where that has been dropped there is nothing that it joins. */
static void note_shown(struct host_window *w, const struct host_run *run)
{
	struct host_region *r = region_of(w, run->page);
	unsigned long first = run->page % REGION_PAGES, end = first + run->nr;
	const unsigned int readable = PORT_SHOW_READ | PORT_SHOW_WRITE;
	u32 areas = r->nr_shown ? (u32)max((int)r->areas + new_areas(r, run), 1) : 2;

	set_pages(r->shown, first, end, true);
	set_pages(r->readable, first, end, run->allow & readable);
	set_pages(r->writable, first, end, run->allow & PORT_SHOW_WRITE);
	set_nr_shown(w, r);
	set_areas(w, r, areas);
	w->maps++;
}

static void note_hidden(struct host_window *w, struct host_region *r, unsigned long first,
			unsigned long end)
{
	set_pages(r->shown, first, end, false);
	set_pages(r->readable, first, end, false);
	set_pages(r->writable, first, end, false);
	set_nr_shown(w, r);
	/* One is cut in two, and between them is nothing. */
	set_areas(w, r, r->areas + 2);
}

bool host_is_shown(const struct host_window *w, unsigned long page, enum mm_access access)
{
	const struct host_region *r = region_of(w, page);
	const u64 *words = access == MM_ACCESS_WRITE ? r->writable :
			   access == MM_ACCESS_READ ? r->readable : NULL;
	unsigned long nth = page % REGION_PAGES;

	/* To run code is rare: mapped anew each time that it faults. */
	return words && is_bit(words, nth);
}

/* ------------------------------------------------------------------------------ what shows -- */

/* The first region from @nth on that shows something; nr_regions: none. */
static unsigned long next_used(const struct host_window *w, unsigned long nth)
{
	unsigned long words = host_used_words(w);

	for (unsigned long i = nth / 64; i < words; i++) {
		u64 word = w->used[i] & (i == nth / 64 ? ~0ull << nth % 64 : ~0ull);

		if (word)
			return i * 64 + ffs64(word) - 1;
	}
	return w->nr_regions;
}

/* Books only: nothing of [first, end) is shown.  *low and *high: from where to where it was. */
static bool forget_range(struct host_window *w, unsigned long first, unsigned long end,
			 unsigned long *low, unsigned long *high)
{
	bool any = false;

	for (unsigned long n = next_used(w, first / REGION_PAGES); n * REGION_PAGES < end &&
	     n < w->nr_regions; n = next_used(w, n + 1)) {
		unsigned long base = n * REGION_PAGES, from = 0, to = 0;
		unsigned long in = max(first, base) - base;
		unsigned long out = min(end - base, (unsigned long)REGION_PAGES);

		if (!shown_in(&w->regions[n], in, out, &from, &to))
			continue;
		note_hidden(w, &w->regions[n], from, to + 1);
		*low = any ? *low : base + from;
		*high = base + to;
		any = true;
	}
	return any;
}

/* ---------------------------------------------------------------------------------- the host -- */

static void hide_all(struct host_window *w)
{
	unsigned long low, high;

	forget_range(w, 0, w->nr_regions * REGION_PAGES, &low, &high);
	port_window_hide_all(&w->port);
}

/* Whatever the books say.  Part of a mapping cannot go if no area is left: then all do. */
static void hide_certainly(struct host_window *w, unsigned long first, unsigned long end)
{
	if (port_window_hide(page_at(w, first), (end - first) * PAGE_SIZE))
		hide_all(w);
}

void host_hide(struct host_window *w, unsigned long first, unsigned long end)
{
	unsigned long low, high;

	if (forget_range(w, first, end, &low, &high))
		hide_certainly(w, low, high + 1);
}

/* Drops the next region round the clock.  False: nothing is shown. */
static bool drop_one(struct host_window *w) __must_hold(&w->lock)
{
	unsigned long n = next_used(w, w->hand);

	if (n == w->nr_regions)
		n = next_used(w, 0);
	if (n == w->nr_regions)
		return false;
	w->hand = n + 1 < w->nr_regions ? n + 1 : 0;
	w->drops++;
	host_hide(w, n * REGION_PAGES, (n + 1) * REGION_PAGES);
	return true;
}

static int show_run(struct host_window *w, const struct host_run *run)
{
	void *at = page_at(w, run->page);

	if (run->zeros)
		return port_window_show_zeros(at, run->nr * PAGE_SIZE);
	return port_window_show(at, run->nr * PAGE_SIZE, arena_window(w->mmu->pt->arena),
				run->pfn * PAGE_SIZE, run->allow);
}

int host_show(struct host_window *w, const struct host_run *run)
{
	unsigned long first = ALIGN_DOWN(run->page, REGION_PAGES);
	unsigned long low, high;
	int err;

	while (w->areas + 2 > w->config.max_areas && drop_one(w))
		continue;
	while ((err = show_run(w, run))) {
		/* The host may have left a hole there: the whole region is reserved anew. */
		bool in_vain = !w->pages;

		forget_range(w, first, first + REGION_PAGES, &low, &high);
		hide_certainly(w, first, first + REGION_PAGES);
		if (!drop_one(w) && in_vain)
			return err;
	}
	note_shown(w, run);
	return 0;
}
