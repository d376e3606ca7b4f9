/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Windows: the host's own mappings, as a TLB that software fills.
 *
 *	the mm's addresses	start
 *				|-region--|-region--|-region--|	2 MiB each
 *	this process		base
 *				|...........................|	reserved: accesses fault
 *				|..[run ]..[]....[ run  ]...|	shown: frames of the arena
 *
 * A *region* is 2 MiB of a window, with three bits for each of its pages: shown, so that it can
 * be read, so that it can be written to.  A *run* is up to 16 pages, aligned so, that lie side by
 * side in the window and in the arena, and are shown in the same way: one mapping of the host,
 * for one call. (The 512 pages of a PMD leaf are one run.)
 *
 * From a fault to a mapping:
 *
 *	SIGSEGV -> port -> on_fault()
 *	    show():	under the window's lock: look at the tables; if they allow the access,
 *			note it there, map the page and its neighbours, and return to it
 *	    resolve:	else the fault path, without the lock, and then show() again
 *
 * So what was dropped comes back without the fault path, and nothing is shown that the tables did
 * not say under the lock.  Which accesses a page is shown for:
 *
 *	the entry		shown for
 *	read			read
 *	write, not dirty	read: the first store faults, notes dirty, and shows it anew
 *	write, dirty		read, write
 *	execute			and for that
 *
 * A neighbour goes along if its entry is of the same kind; it is noted as accessed, since nobody
 * will see the access.  Neighbours that are the zero page are one run as well: the host has zeros
 * of its own.
 *
 * Budget.  The host allows a process so many areas (max_map_count), whatever is in them.  How
 * many a region takes is not asked but bounded from above: each call adds two at most (what is
 * shown, and the rest of what it was cut out of), one less for each side on which something is
 * shown already, and one less again where that continues it; and all of a region are no more than
 * its pages and the gaps between them.  When the sum would exceed the budget, regions are dropped,
 * round the clock, each in one call.  So they are when the host refuses earlier.
 *
 * Locking.  One lock for each window, over the look at the tables and the call to the host: calls
 * of one process wait for each other in the kernel anyway.
 *
 * Ordering
 *  (L) Who changes an entry does so before it takes the window's lock to invalidate; who shows
 *      looks at the entry after taking it.  If the look came first, the invalidation finds the
 *      page shown, and hides it; if the invalidation came first, the look sees the change.
 *
 * Invariants
 *  1. A page that is shown was allowed so by the tables when the lock was last taken for it, or its
 *     invalidation is waiting for the lock.
 *  2. A page that is shown for writing has a dirty entry, with the same exception.
 *  3. Every byte of the window is reserved or shown: no mapping of somebody else's is in it.
 *  4. The bits of `used` are the regions that show something; pages and areas are the sums over
 *     them.
 *
 * Failure.  Where the host has no areas left, or no memory for its tables, everything else that is
 * shown goes, and if that does not help the access is refused as out of memory.  To hide does not
 * fail: if a part of a mapping cannot go, since that makes two of one, the whole window goes.
 *
 * Signals.  All of it runs in the handler of a fault.  It allocates nothing; locks are those of
 * sync/.
 *
 * Rejected
 *  - mprotect() on what is shown: it would have to be undone by who refills, and costs as much as
 *    to hide.
 *  - userfaultfd, with faults as messages or as SIGBUS: not allowed on many hosts, and to have a
 *    thread answer takes three times as long as a signal.
 *  - Counting the host's areas exactly, by the frames of neighbours: 2 KiB for each region, for a
 *    budget that only has to be kept.
 */
#include "base/errno.h"
#include "mmu/host.h"
#include "sync/rcu.h"

/* ---------------------------------------------------------------- what to show, and how -- */

static unsigned int allow_of(u32 attrs)
{
	const u32 writable = PT_WRITE | PT_DIRTY;

	return (attrs & PT_READ ? PORT_SHOW_READ : 0) | (attrs & PT_EXEC ? PORT_SHOW_EXEC : 0) |
	       ((attrs & writable) == writable ? PORT_SHOW_WRITE : 0);
}

static bool is_zero_page(const struct pgtable *pt, pte_t e)
{
	return pte_special(pt->format, e) &&
	       pte_pfn(pt->format, e) == page_pfn(arena_zero_page(pt->arena));
}

/* The entries around a page, from the first of its run on. */
struct around {
	unsigned long start;
	pte_t entries[RUN_PAGES];
};

static int note_entry(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	struct around *around = arg;

	if (level == PT_PTE)
		around->entries[(addr - around->start) >> PAGE_SHIFT] = entry;
	return 0;
}

/* Would @e, @distance pages from the start of @run, continue it?  Then it is noted as accessed. */
static bool joins(struct host_window *w, const struct host_run *run, unsigned long page, pte_t e)
	__must_hold(&w->lock)
{
	struct pgtable *pt = w->mmu->pt;
	const struct pt_format *f = pt->format;
	unsigned int level;
	bool zeros;

	if (!pte_is_leaf(f, PT_PTE, e) || !(pte_attrs(f, e) & PT_USER) ||
	    host_is_shown(w, page, MM_ACCESS_READ))
		return false;
	zeros = is_zero_page(pt, e);
	if (zeros != run->zeros || (!zeros && pte_pfn(f, e) != run->pfn + page - run->page) ||
	    allow_of(pte_attrs(f, e)) != run->allow)
		return false;
	/* Once more, with a note; it may have changed. */
	return pte_same(f, e, pt_translate(pt, w->start + page * PAGE_SIZE, PT_READ, &level)) &&
	       level == PT_PTE;
}

/* Neighbours on both sides, as far as they go without a gap. */
static void widen(struct host_window *w, struct host_run *run)
	__must_hold(&w->lock)
{
	unsigned long page = run->page, first = ALIGN_DOWN(page, RUN_PAGES);
	struct around around = { .start = w->start + first * PAGE_SIZE };

	pt_walk(w->mmu->pt, around.start, around.start + RUN_PAGES * PAGE_SIZE, note_entry,
		&around);
	for (unsigned long n = page + 1; n < first + RUN_PAGES; n++) {
		if (!joins(w, run, n, around.entries[n - first]))
			break;
		run->nr++;
	}
	for (unsigned long n = page; n-- > first;) {
		if (!joins(w, run, n, around.entries[n - first]))
			break;
		run->page--;
		run->pfn -= run->zeros ? 0 : 1;
		run->nr++;
	}
}

/*
 * Is the page at @page, beside @run, shown in the same way, and is its frame @pfn?  Then the host
 * makes one area of the two.  (In the same region: areas are counted by regions.)
 */
static bool continues(struct host_window *w, const struct host_run *run, unsigned long page,
		      unsigned long pfn) __must_hold(&w->lock)
{
	struct pgtable *pt = w->mmu->pt;
	unsigned int level;
	pte_t e;

	if (page / REGION_PAGES != run->page / REGION_PAGES ||
	    host_is_shown(w, page, MM_ACCESS_READ) != !!(run->allow & PORT_SHOW_READ) ||
	    host_is_shown(w, page, MM_ACCESS_WRITE) != !!(run->allow & PORT_SHOW_WRITE))
		return false;
	e = pt_look(pt, w->start + page * PAGE_SIZE, &level);
	return level == PT_PTE && pte_is_leaf(pt->format, PT_PTE, e) && !is_zero_page(pt, e) &&
	       pte_pfn(pt->format, e) == pfn && allow_of(pte_attrs(pt->format, e)) == run->allow;
}

/* What to show for an access to @addr.  False: the tables do not allow it. */
static bool find_run(struct host_window *w, unsigned long addr, enum mm_access access,
		     struct host_run *run) __must_hold(&w->lock)
{
	struct pgtable *pt = w->mmu->pt;
	unsigned int level;
	pte_t e;

	rcu_read_lock();
	e = pt_translate(pt, addr, mmu_rights(access), &level);
	if (!pte_none(e)) {
		unsigned long nr = level == PT_PMD ? PT_ENTRIES : 1;

		*run = (struct host_run){
			.page = ALIGN_DOWN((addr - w->start) >> PAGE_SHIFT, nr), .nr = nr,
			.pfn = pte_pfn(pt->format, e), .allow = allow_of(pte_attrs(pt->format, e)),
			.zeros = is_zero_page(pt, e),
		};
		if (nr == 1)
			widen(w, run);
		if (nr == 1 && !run->zeros)
			run->joined = continues(w, run, run->page - 1, run->pfn - 1) +
				      continues(w, run, run->page + run->nr, run->pfn + run->nr);
	}
	rcu_read_unlock();
	return !pte_none(e);
}

/* MM_FAULT_MAPERR: the fault path has to be asked. */
static enum mm_fault show(struct host_window *w, unsigned long addr, enum mm_access access)
{
	enum mm_fault outcome = MM_FAULT_DONE;
	struct host_run run;

	spin_lock(&w->lock);					/* (L) */
	/* Another thread may have been faster. */
	if (!host_is_shown(w, (addr - w->start) >> PAGE_SHIFT, access)) {
		if (!find_run(w, addr, access, &run))
			outcome = MM_FAULT_MAPERR;
		else if (host_show(w, &run))
			outcome = MM_FAULT_OOM;
	}
	spin_unlock(&w->lock);
	return outcome;
}

enum mm_fault host_window_touch(struct host_window *window, unsigned long addr,
				enum mm_access access)
{
	enum mm_fault outcome;

	VM_BUG_ON(addr - window->start >= window->port.bytes, "%lx is outside of the window", addr);
	while ((outcome = show(window, addr, access)) == MM_FAULT_MAPERR) {
		outcome = window->mmu->resolve(window->mmu, addr, access);
		if (outcome != MM_FAULT_DONE)
			break;
	}
	return outcome;
}

/* ----------------------------------------------------------------------------------- faults -- */

static unsigned long addr_of(const struct host_window *w, const void *at)
{
	return w->start + (unsigned long)((const char *)at - (const char *)w->port.base);
}

static enum mm_access access_of(enum port_access access)
{
	return access == PORT_ACCESS_WRITE ? MM_ACCESS_WRITE :
	       access == PORT_ACCESS_EXEC ? MM_ACCESS_EXEC : MM_ACCESS_READ;
}

static enum port_refusal refusal_of(enum mm_fault outcome)
{
	return outcome == MM_FAULT_MAPERR ? PORT_REFUSE_MAPERR :
	       outcome == MM_FAULT_ACCERR ? PORT_REFUSE_ACCERR :
	       outcome == MM_FAULT_BUS ? PORT_REFUSE_BUS : PORT_REFUSE_MEMORY;
}

static enum mm_fault outcome_of(enum port_refusal refusal)
{
	return refusal == PORT_REFUSE_MAPERR ? MM_FAULT_MAPERR :
	       refusal == PORT_REFUSE_ACCERR ? MM_FAULT_ACCERR :
	       refusal == PORT_REFUSE_BUS ? MM_FAULT_BUS : MM_FAULT_OOM;
}

static bool on_fault(struct port_window *port, struct port_window_fault *fault)
	__context_unsafe("in a signal handler: the interrupted code is not ours, and may sleep")
{
	struct host_window *w = container_of(port, struct host_window, port);
	enum mm_fault outcome = MM_FAULT_OOM;

	if (!fault->host_memory)
		outcome = host_window_touch(w, addr_of(w, fault->addr), access_of(fault->access));
	fault->refusal = refusal_of(outcome);
	return outcome == MM_FAULT_DONE;
}

static bool on_refusal(struct port_window *port, const struct port_window_fault *fault)
{
	struct host_window *w = container_of(port, struct host_window, port);
	struct host_fault told = {
		.addr = addr_of(w, fault->addr), .access = access_of(fault->access),
		.why = outcome_of(fault->refusal),
		.signal_info = fault->signal_info, .signal_context = fault->signal_context,
	};

	return w->config.refused && w->config.refused(w, &told, w->config.arg);
}

/* May be called under table locks: see mmu.h. */
static void on_invalidate(struct mmu_notifier *notifier, unsigned long start, unsigned long end)
{
	struct host_window *w = container_of(notifier, struct host_window, notifier);
	unsigned long first = max(start, w->start), last = min(end, w->start + w->port.bytes);

	if (first >= last)
		return;
	spin_lock(&w->lock);					/* (L) */
	host_hide(w, (first - w->start) >> PAGE_SHIFT, (last - w->start) >> PAGE_SHIFT);
	spin_unlock(&w->lock);
}

/* --------------------------------------------------------------------------------- creation -- */

static void hold_over_fork(struct port_fork_guard *guard)
{
	spin_hold_over_fork(&container_of(guard, struct host_window, fork_guard)->lock);
}

static void let_go_after_fork(struct port_fork_guard *guard)
{
	spin_let_go_after_fork(&container_of(guard, struct host_window, fork_guard)->lock);
}

static bool is_valid(const struct host_window_config *config)
{
	return config->size == sizeof(*config) && config->bytes &&
	       IS_ALIGNED(config->start | config->bytes | (uintptr_t)config->base,
			  HOST_WINDOW_ALIGN) &&
	       config->start + config->bytes > config->start &&
	       (!config->max_areas || config->max_areas >= MIN_AREAS);
}

static void free_window(struct host_window *w)
{
	port_free(w->regions, w->nr_regions * sizeof(w->regions[0]));
	port_free(w->used, host_used_words(w) * sizeof(w->used[0]));
	port_free(w, sizeof(*w));
}

static struct host_window *alloc_window(struct mmu *mmu, const struct host_window_config *config)
	__may_sleep
{
	struct host_window *w = port_alloc(sizeof(*w));

	if (!w)
		return NULL;
	w->mmu = mmu;
	w->start = config->start;
	w->config = *config;
	w->nr_regions = config->bytes / HOST_WINDOW_ALIGN;
	w->regions = port_alloc(w->nr_regions * sizeof(w->regions[0]));
	w->used = port_alloc(host_used_words(w) * sizeof(w->used[0]));
	if (!w->regions || !w->used) {
		free_window(w);
		return NULL;
	}
	spin_lock_init(&w->lock, LOCK_RANK_MMU);
	w->port.fault = on_fault;
	w->port.refused = on_refusal;
	w->notifier.invalidate = on_invalidate;
	w->fork_guard.hold = hold_over_fork;
	w->fork_guard.let_go = let_go_after_fork;
	return w;
}

int host_window_create(struct mmu *mmu, const struct host_window_config *config,
		       struct host_window **out)
{
	struct host_window *w;
	int err;

	if (!is_valid(config))
		return -EINVAL;
	w = alloc_window(mmu, config);
	if (!w)
		return -ENOMEM;
	if (!config->max_areas)
		w->config.max_areas = max(port_window_max_areas() / 2, (unsigned long)MIN_AREAS);
	err = port_window_create(&w->port, config->base, config->bytes);
	if (err) {
		free_window(w);
		return err;
	}
	port_fork_guard_add(&w->fork_guard);
	mmu_notifier_add(mmu, &w->notifier);
	*out = w;
	return 0;
}

void host_window_destroy(struct host_window *window)
{
	mmu_notifier_del(window->mmu, &window->notifier);
	port_fork_guard_del(&window->fork_guard);
	port_window_destroy(&window->port);
	free_window(window);
}

void *host_window_at(const struct host_window *window, unsigned long addr)
{
	VM_BUG_ON(addr - window->start >= window->port.bytes, "%lx is outside of the window", addr);
	return (char *)window->port.base + (addr - window->start);
}

void host_window_drop(struct host_window *window)
{
	spin_lock(&window->lock);
	host_hide(window, 0, window->nr_regions * REGION_PAGES);
	spin_unlock(&window->lock);
}

void host_window_get_stats(struct host_window *window, struct host_window_stats *stats)
{
	spin_lock(&window->lock);
	*stats = (struct host_window_stats){
		.pages = window->pages, .areas = window->areas,
		.max_areas = window->config.max_areas,
		.maps = window->maps, .drops = window->drops,
	};
	spin_unlock(&window->lock);
}
