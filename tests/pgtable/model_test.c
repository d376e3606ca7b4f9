/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Random operations on page tables against a model: an array with one line for each page.
 *
 * After every operation
 *  - the hardware's walker finds in the raw bytes of the arena what the model says, no more;
 *  - pt_walk() and the counts say the same;
 *  - each frame has as many references as entries name it, each table is counted;
 *  - what a TLB that remembers translations for as long as it may still allows, the tables allow.
 *
 * In between the hardware notes accessed and dirty where it may.
 */
#include "space.h"

#define WINDOWS		3
#define WINDOW_PAGES	(4 * PT_ENTRIES)
#define PAGES		(WINDOWS * WINDOW_PAGES)
#define STEPS		400

static struct space s;
static u64 seed;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* ---------------------------------------------------------------- the model -- */

static struct line {
	struct page *page;		/* the frame itself; NULL: none or soft */
	pte_t soft;
	u32 attrs;
} model[PAGES];

/* Windows that lie across a border of each level, and at the top. */
static unsigned long base_of(unsigned int window)
{
	switch (window) {
	case 0:
		return (1ul << 30) - 2 * PMD_SIZE;
	case 1:
		return pt_limit(&s.pt) / 2 - PMD_SIZE;
	default:
		return pt_limit(&s.pt) - WINDOW_PAGES * PAGE_SIZE;
	}
}

static unsigned long addr_of(unsigned long i)
{
	return base_of((unsigned int)(i / WINDOW_PAGES)) + i % WINDOW_PAGES * PAGE_SIZE;
}

/* The page at an address; PAGES: in no window. */
static unsigned long index_of(unsigned long addr)
{
	for (unsigned int w = 0; w < WINDOWS; w++)
		if (addr - base_of(w) < WINDOW_PAGES * PAGE_SIZE)
			return w * WINDOW_PAGES + (addr - base_of(w)) / PAGE_SIZE;
	return PAGES;
}

/* ------------------------------------------------------------------ the TLB -- */

#define TLB_LINES	256

static struct tlb_line {
	bool used;
	unsigned long addr;
	struct hw_translation t;
} tlb[TLB_LINES];

static void tlb_invalidate(struct pgtable *pt, unsigned long start, unsigned long end,
			   enum mmu_reach reach)
{
	(void)reach;
	assert_ptr_equal(pt, &s.pt);
	assert_true(start < end);
	for (int i = 0; i < TLB_LINES; i++)
		if (tlb[i].addr >= start && tlb[i].addr < end)
			tlb[i].used = false;
}

static const struct mmu_ops tlb_ops = { .invalidate = tlb_invalidate };

static void tlb_fill(void)
{
	for (int i = 0; i < TLB_LINES; i++) {
		struct tlb_line line = { .used = true, .addr = addr_of(rnd() % PAGES) };

		line.t = translate(&s, &s.pt, line.addr);
		if (line.t.result == HW_MAPPED)
			tlb[i] = line;
	}
}

static void tlb_check(const char *op)
{
	for (int i = 0; i < TLB_LINES; i++) {
		struct hw_translation was = tlb[i].t, now;

		if (!tlb[i].used)
			continue;
		now = translate(&s, &s.pt, tlb[i].addr);
		if (now.result != HW_MAPPED || now.pa != was.pa || (was.write && !now.write) ||
		    (was.exec && !now.exec) || (was.read && !now.read) ||
		    (was.user && !now.user) || (was.dirty && !now.dirty))
			fail_msg("seed %#lx, %s: a stale translation of %lx",
				 (unsigned long)seed, op, tlb[i].addr);
	}
}

/* The hardware uses some pages. */
static void hardware_runs(void)
{
	for (int i = 0; i < 40; i++) {
		unsigned long at = rnd() % PAGES;
		struct hw_translation t = translate(&s, &s.pt, addr_of(at));
		bool write = rnd() % 2 && t.write;
		u64 bits = s.machine->hw->accessed_bit | (write ? s.machine->hw->dirty_bit : 0);
		unsigned long first = at, nr = 1;

		if (t.result != HW_MAPPED)
			continue;
		atomic_or_relaxed((u64 *)(uintptr_t)(memory_of(&s) + t.entry_pa), bits);
		if (t.page_bytes == PMD_SIZE) {
			first = ALIGN_DOWN(at, PT_ENTRIES);
			nr = PT_ENTRIES;
		}
		for (unsigned long k = first; k < first + nr; k++)
			model[k].attrs |= PT_ACCESSED | (write ? PT_DIRTY : 0);
	}
	tlb_fill();
}

/* ---------------------------------------------------------------- the check -- */

static u32 *refs_seen;			/* by frame number */
static unsigned long nr_walked;
static long nr_whole;		/* entries of 2 MiB */

static void check_frame(const char *op, unsigned long i, const struct hw_translation *t)
{
	const struct line *line = &model[i];
	/* What x86-64 cannot forbid. */
	bool readable = line->attrs & PT_RIGHTS &&
			(s.machine->hw == &hw_x86 || line->attrs & RW);
	bool mapped = line->page && line->attrs & PT_RIGHTS;

	if (t->result == HW_MALFORMED || (t->result == HW_MAPPED) != mapped)
		fail_msg("seed %#lx, %s: page %lu is %d", (unsigned long)seed, op, i, t->result);
	if (!mapped)
		return;
	if (t->pa != page_pfn(line->page) * PAGE_SIZE || t->read != readable ||
	    t->write != !!(line->attrs & PT_WRITE) || t->exec != !!(line->attrs & PT_EXEC) ||
	    t->user != !!(line->attrs & PT_USER) || t->accessed != !!(line->attrs & PT_ACCESSED) ||
	    t->dirty != !!(line->attrs & PT_DIRTY))
		fail_msg("seed %#lx, %s: page %lu: pa %lx r%d w%d x%d u%d a%d d%d, model %lx %x",
			 (unsigned long)seed, op, i, (unsigned long)t->pa, t->read, t->write,
			 t->exec, t->user, t->accessed, t->dirty,
			 page_pfn(line->page) * PAGE_SIZE, line->attrs);
}

static int walked(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	unsigned long i = index_of(addr), nr = level == PT_PMD ? PT_ENTRIES : 1;

	(void)arg;
	assert_true(i < PAGES);
	nr_walked += nr;
	nr_whole += level == PT_PMD;
	if (!pte_present(s.machine->format, entry)) {
		assert_null(model[i].page);
		assert_int_equal(entry.raw, model[i].soft.raw);
		return 0;
	}
	assert_int_equal(pte_pfn(s.machine->format, entry), page_pfn(model[i].page));
	refs_seen[page_pfn(page_head(model[i].page))]++;
	return 0;
}

static void check(const char *op)
{
	long counts[PT_COUNTS] = { 0 };
	unsigned long lines = 0;
	struct arena_stats stats;

	for (unsigned long i = 0; i < PAGES; i++) {
		struct hw_translation t = translate(&s, &s.pt, addr_of(i));

		check_frame(op, i, &t);
		lines += model[i].page || model[i].soft.raw;
		if (pte_soft_type(s.machine->format, model[i].soft) == PT_SOFT_SWAP)
			counts[PT_SWAP]++;
		if (model[i].page) {
			u32 flags = page_flags(page_head(model[i].page));

			counts[flags & PG_ANON ? PT_ANON : flags & PG_SHMEM ? PT_SHMEM :
			       PT_FILE]++;
		}
	}
	for (int i = 0; i < PT_COUNTS; i++)
		if ((unsigned long)counts[i] != pt_count(&s.pt, (enum pt_count)i))
			fail_msg("seed %#lx, %s: count %d is %lu, not %ld", (unsigned long)seed,
				 op, i, pt_count(&s.pt, (enum pt_count)i), counts[i]);
	nr_walked = 0;
	nr_whole = 0;
	assert_int_equal(pt_walk(&s.pt, 0, pt_limit(&s.pt), walked, NULL), 0);
	assert_int_equal(nr_walked, lines);
	assert_int_equal(s.pt.nr_spare, nr_whole);
	arena_get_stats(s.arena, &stats);
	for (unsigned long i = 0; i < PAGES; i++) {
		struct page *head;

		if (!model[i].page)
			continue;
		head = page_head(model[i].page);
		if (refs_seen[page_pfn(head)] && page_refs(head) != refs_seen[page_pfn(head)])
			fail_msg("seed %#lx, %s: frame %lu has %u references, not %u",
				 (unsigned long)seed, op, page_pfn(head), page_refs(head),
				 refs_seen[page_pfn(head)]);
		refs_seen[page_pfn(head)] = 0;
	}
	check_opinion(&s, &s.pt);
	tlb_check(op);
}

/* ----------------------------------------------------------- the operations -- */

struct range {
	unsigned long first, nr;	/* pages, in one window */
};

static struct range any_range(unsigned long most)
{
	unsigned long window = rnd() % WINDOWS, at = rnd() % WINDOW_PAGES, nr = 1 + rnd() % most;

	/* Often what whole tables serve. */
	if (rnd() % 3 == 0) {
		at = ALIGN_DOWN(at, PT_ENTRIES);
		nr = ALIGN(nr, PT_ENTRIES);
	}
	return (struct range){ window * WINDOW_PAGES + at, min(nr, WINDOW_PAGES - at) };
}

static u32 any_attrs(void)
{
	static const u32 rights[] = {
		PT_READ, RW, PT_READ | PT_EXEC, RW | PT_EXEC, PT_EXEC, 0,
	};

	return rights[rnd() % 6] | (rnd() % 8 ? PT_USER : 0);
}

static void mark_kind(struct page *page)
{
	static const u32 kinds[] = { 0, PG_ANON, PG_SHMEM };

	page_set_flags(page, kinds[rnd() % 3]);
}

/* The model's side of taking out. */
static void forget(struct range r)
{
	memset(&model[r.first], 0, r.nr * sizeof(model[0]));
}

static void op_install(void)
{
	struct range r = any_range(40);

	for (unsigned long i = r.first; i < r.first + r.nr; i++) {
		struct page *page;
		u32 attrs = any_attrs();

		if (model[i].page || model[i].soft.raw)
			continue;
		page = page_alloc(s.arena, 0, PAGE_ANYTHING);
		if (!page)
			return;
		mark_kind(page);
		if (pt_install(&s.pt, NULL, addr_of(i), PT_PTE, PTE_NONE,
			       pte_leaf(s.machine->format, PT_PTE, page_pfn(page), attrs))) {
			page_put(page);
			return;
		}
		model[i] = (struct line){ .page = page, .attrs = attrs };
	}
}

static void op_install_huge(void)
{
	unsigned long first = ALIGN_DOWN(rnd() % PAGES, PT_ENTRIES);
	struct page *page = page_alloc(s.arena, PAGE_MAX_ORDER, PAGE_ANYTHING);
	u32 attrs = any_attrs();
	int err;

	if (!page)
		return;
	mark_kind(page);
	err = pt_install(&s.pt, NULL, addr_of(first), PT_PMD, PTE_NONE,
			 pte_leaf(s.machine->format, PT_PMD, page_pfn(page), attrs));
	if (err) {
		page_put(page);
		return;
	}
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		model[first + i] = (struct line){ .page = page + i, .attrs = attrs };
}

static void op_soft(void)
{
	unsigned long i = rnd() % PAGES;
	pte_t soft = pte_soft((unsigned int)(1 + rnd() % 5), rnd() >> 16);

	if (model[i].page || model[i].soft.raw)
		return;
	assert_int_equal(pt_install(&s.pt, NULL, addr_of(i), PT_PTE, PTE_NONE, soft), 0);
	model[i] = (struct line){ .soft = soft };
}

/* Copy-on-write of one page: another frame, or the same with the right to write. */
static void op_replace(void)
{
	unsigned long i = rnd() % PAGES;
	const struct pt_format *f = s.machine->format;
	struct pt_slot slot;
	struct page *page;
	pte_t old;

	if (!model[i].page || !pt_slot_lock(&s.pt, addr_of(i), &slot))
		return;
	if (slot.level == PT_PMD) {
		pt_slot_unlock(&slot);
		return;
	}
	assert_int_equal(slot.addr, addr_of(i));
	if (rnd() % 2) {
		old = pt_slot_exchange(&slot, pte_leaf(f, PT_PTE, page_pfn(model[i].page),
						       USER_RW));
		model[i].attrs = USER_RW | (model[i].attrs & (PT_ACCESSED | PT_DIRTY));
		assert_int_equal(pte_pfn(f, old), page_pfn(model[i].page));
	} else {
		page = page_alloc(s.arena, 0, PAGE_ANYTHING);
		if (page) {
			mark_kind(page);
			old = pt_slot_exchange(&slot, pte_leaf(f, PT_PTE, page_pfn(page), USER_RW));
			assert_int_equal(pte_attrs(f, old) & (PT_ACCESSED | PT_DIRTY),
					 model[i].attrs & (PT_ACCESSED | PT_DIRTY));
			page_put(page_head(model[i].page));
			model[i] = (struct line){ .page = page, .attrs = USER_RW };
		}
	}
	pt_slot_unlock(&slot);
}

static void op_zap(void)
{
	struct range r = any_range(WINDOW_PAGES);
	unsigned long start = addr_of(r.first), end = start + r.nr * PAGE_SIZE;
	struct mmu_gather gather;

	mmu_gather_init(&gather, &s.pt, NULL, NULL);
	pt_zap_range(&gather, start, end);
	if (rnd() % 2)
		pt_free_tables(&gather, start, end);
	mmu_gather_flush(&gather);
	forget(r);
}

/* What a soft entry becomes when rights go: one of a page that is moved remembers them. */
static pte_t limited(pte_t soft, u32 rights)
{
	const u64 lost = (u64)(~rights & PT_RIGHTS) << 32;
	unsigned int type = pte_soft_type(s.machine->format, soft);

	if (type != PT_SOFT_MIGRATE_WRITE && type != PT_SOFT_MIGRATE_READ)
		return soft;
	return pte_soft(rights & PT_WRITE ? type : PT_SOFT_MIGRATE_READ,
			pte_soft_number(soft) & ~lost);
}

static void op_protect(void)
{
	struct range r = any_range(WINDOW_PAGES);
	u32 rights = any_attrs() & PT_RIGHTS;

	pt_protect_range(&s.pt, addr_of(r.first), addr_of(r.first) + r.nr * PAGE_SIZE, rights);
	for (unsigned long i = r.first; i < r.first + r.nr; i++) {
		u32 old = model[i].attrs, now = rights & ~PT_WRITE;

		if (!model[i].page) {
			model[i].soft = limited(model[i].soft, rights);
			continue;
		}
		if (rights & PT_WRITE)
			now |= PT_READ | (old & PT_WRITE);
		model[i].attrs = (old & ~PT_RIGHTS) | now;
	}
}

static void op_clean(void)
{
	struct range r = any_range(WINDOW_PAGES);
	const struct pt_format *f = s.machine->format;
	u32 marks = rnd() % 2 ? PT_ACCESSED : PT_ACCESSED | PT_DIRTY;

	pt_change_range(&s.pt, addr_of(r.first), addr_of(r.first) + r.nr * PAGE_SIZE,
			(struct pt_change){ .clear = pte_marks(f, marks) });
	for (unsigned long i = r.first; i < r.first + r.nr; i++)
		model[i].attrs &= ~marks;
}

/* By this thread; a release build does not count. */
static unsigned long allocations(void)
{
#ifdef CONFIG_VMAREA_DEBUG
	return port_alloc_count();
#else
	return 0;
#endif
}

static void op_move(void)
{
	struct range from = any_range(WINDOW_PAGES), to = any_range(WINDOW_PAGES);
	struct pt_stash stash = { 0 };
	unsigned long used;

	from.nr = to.nr = min(from.nr, to.nr);
	if (from.first < to.first + to.nr && to.first < from.first + from.nr)
		return;
	zap(&s.pt, addr_of(to.first), addr_of(to.first) + to.nr * PAGE_SIZE);
	forget(to);
	if (pt_move_prepare(&s.pt, &stash, addr_of(from.first), addr_of(to.first),
			    from.nr * PAGE_SIZE))
		return;
	used = allocations();
	pt_move_range(&s.pt, &stash, addr_of(from.first), addr_of(to.first), from.nr * PAGE_SIZE);
	assert_int_equal(allocations(), used);
	pt_stash_empty(&stash);
	memcpy(&model[to.first], &model[from.first], to.nr * sizeof(model[0]));
	forget(from);
}

static void op_split(void)
{
	pt_split(&s.pt, addr_of(rnd() % PAGES));
}

/* Out of the tree and in again, or the bytes into a block. */
static void op_collapse(void)
{
	unsigned long first = ALIGN_DOWN(rnd() % PAGES, PT_ENTRIES), addr = addr_of(first);
	struct page *table = pt_detach_table(&s.pt, addr), *block;
	struct mmu_gather gather;

	if (!table)
		return;
	assert_int_equal(translate(&s, &s.pt, addr).result, HW_FAULT);
	block = rnd() % 2 ? page_alloc(s.arena, PAGE_MAX_ORDER, PAGE_ANYTHING) : NULL;
	if (!block) {
		pt_attach_table(&s.pt, addr, table);
		return;
	}
	mark_kind(block);
	if (pt_install(&s.pt, NULL, addr, PT_PMD, PTE_NONE,
		       pte_leaf(s.machine->format, PT_PMD, page_pfn(block), USER_RW))) {
		pt_attach_table(&s.pt, addr, table);
		page_put(block);
		return;
	}
	mmu_gather_init(&gather, &s.pt, NULL, NULL);
	pt_drop_table(&gather, addr, table);
	mmu_gather_flush(&gather);
	for (unsigned long i = 0; i < PT_ENTRIES; i++)
		model[first + i] = (struct line){ .page = block + i, .attrs = USER_RW };
}

/* ------------------------------------------------------------------- a fork -- */

/* By place: skipped, shared or copied on write. */
static int share_of(unsigned long i)
{
	static const int shares[] = { PT_COPY_COW, PT_COPY_SHARED, PT_COPY_COW, PT_COPY_SKIP };

	return shares[i / PT_ENTRIES % 4];
}

static int decide(struct pt_copy *copy, unsigned long addr, unsigned int level, pte_t entry,
		  struct page *page)
{
	unsigned long i = index_of(addr);

	(void)copy;
	(void)level;
	(void)entry;
	assert_ptr_equal(page, model[i].page);
	return share_of(i);
}

static void check_child(const struct pgtable *child, struct range r)
{
	for (unsigned long i = 0; i < PAGES; i++) {
		struct line *line = &model[i], seen;
		struct hw_translation t = translate(&s, child, addr_of(i));
		bool inside = i - r.first < r.nr, copied = inside && share_of(i) != PT_COPY_SKIP;

		if (inside && share_of(i) == PT_COPY_COW) {
			line->attrs &= ~PT_WRITE;
			line->soft = limited(line->soft, PT_RIGHTS & ~PT_WRITE);
		}
		seen = *line;
		/* Who is asked about writes is not the child's. */
		line->attrs &= ~(PT_ACCESSED | PT_USER_WP);
		if (pte_is_migrate(child->format, line->soft))
			line->soft = pte_migrate_mark(line->soft, PT_USER_WP, 0);
		if (share_of(i) == PT_COPY_SHARED)
			line->attrs &= ~PT_DIRTY;
		if (!copied)
			*line = (struct line){ 0 };
		check_frame("fork, the child", i, &t);
		if (copied && !line->page)
			assert_int_equal(look((struct pgtable *)child, addr_of(i)).raw,
					 line->soft.raw);
		*line = seen;
	}
}

static void op_fork(void)
{
	struct range r = any_range(WINDOW_PAGES);
	struct pt_config config = {
		.arena = s.arena, .format = s.machine->format, .levels = s.machine->levels,
	};
	struct pgtable child;
	struct pt_copy copy = { .from = &s.pt, .to = &child, .decide = decide };
	unsigned long end = addr_of(r.first) + r.nr * PAGE_SIZE;

	assert_int_equal(pt_create(&child, &config), 0);
	assert_int_equal(pt_copy_range(&copy, addr_of(r.first), end), 0);
	assert_int_equal(copy.next, end);
	check_child(&child, r);
	empty(&child);
	pt_destroy(&child);
}

/* ------------------------------------------------------------------ running -- */

static const struct {
	const char *name;
	void (*run)(void);
} ops[] = {
	{ "install", op_install }, { "install", op_install }, { "install", op_install },
	{ "install 2 MiB", op_install_huge }, { "soft", op_soft }, { "replace", op_replace },
	{ "zap", op_zap }, { "protect", op_protect }, { "clean", op_clean }, { "move", op_move },
	{ "move", op_move }, { "split", op_split }, { "collapse", op_collapse },
	{ "fork", op_fork },
};

static void run_machine(const struct machine *machine)
{
	space_make(&s, machine, 64, &tlb_ops);
	refs_seen = calloc(arena_window(s.arena)->bytes / PAGE_SIZE, sizeof(*refs_seen));
	assert_non_null(refs_seen);
	memset(model, 0, sizeof(model));
	memset(tlb, 0, sizeof(tlb));
	for (int step = 0; step < STEPS; step++) {
		unsigned long which = rnd() % ARRAY_SIZE(ops);

		ops[which].run();
		check(ops[which].name);
		hardware_runs();
	}
	free(refs_seen);
	space_end(&s);
}

static void test_machines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		print_message("%s: VMAREA_SEED=%#lx\n", machines[i].name, (unsigned long)seed);
		run_machine(&machines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_machines) };
	const char *given = getenv("VMAREA_SEED");

	seed = given ? strtoull(given, NULL, 0) : port_random();
	seed |= 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
