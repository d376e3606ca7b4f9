/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "frames.h"

#include "fault/fault.h"
#include "mm/mm.h"
#include "mmu/host.h"
#include "phys/phys.h"
#include "vma/instance.h"

#define HOG_FRAMES	(FRAMES_ARENA_BYTES / PAGE)

static struct {
	unsigned long free;		/* frames, before there was an mm */
	struct mm_user *kin;
	struct mm_translation pin;
	struct host_window *window;
	struct page *hog[HOG_FRAMES];
	size_t nr_hog;
} f;

static unsigned long free_frames(void)
{
	struct arena_stats stats;

	port_rcu_barrier();
	arena_get_stats(w.v->arena, &stats);
	return stats.free + stats.cached;
}

struct mm_user *frames_kin(void)
{
	return f.kin;
}

struct host_window *frames_window(void)
{
	return f.window;
}

/* --------------------------------------------------------------- making -- */

void frames_begin(void)
{
	memset(&f, 0, sizeof(f));
	if (w.kind != WORLD_AREAS)
		f.free = free_frames();
}

static void store(struct mm_user *mm, unsigned long page)
{
	const unsigned long word = 0x5eed0000 + page;
	enum mm_fault fault;

	assert_int_equal(mm_write(mm, AT(page) + 128, &word, sizeof(word), &fault), sizeof(word));
}

static void load(struct mm_user *mm, unsigned long page)
{
	unsigned long word;
	enum mm_fault fault;

	assert_int_equal(mm_read(mm, AT(page) + 128, &word, sizeof(word), &fault), sizeof(word));
}

static void open_window(void)
{
	struct host_window_config config = {
		.size = sizeof(config), .start = AT(0), .bytes = WINDOW_PAGES * PAGE,
	};

	assert_int_equal(host_window_create(mm_mmu(w.mm), &config, &f.window), 0);
	for (unsigned long page = 0; page < WINDOW_PAGES; page++) {
		struct pgtable *pt = mm_from_user(w.mm)->pgt;
		unsigned int level;

		if (pte_present(pt->format, pt_look(pt, AT(page), &level)))
			host_window_touch(f.window, AT(page), MM_ACCESS_READ);
	}
}

/*
 * Pages: 0, 1, 5 written, 2 read; 9 read; of the file 16 read and 17 written; shared 24 written, 25
 * read; 40..48 written, 44 pinned, then forked: 42 is written by the child and 43 by the parent; 46 a
 * guard; 300, 306, 312 ... written; the stack's first; and what MAP_LOCKED has made.  One page of
 * the private huge ones is read, one of the shared written.
 */
void frames_touch(void)
{
	if (w.kind == WORLD_AREAS)
		return;
	store(w.mm, 0);
	store(w.mm, 1);
	load(w.mm, 2);
	store(w.mm, 5);
	load(w.mm, 9);
	load(w.mm, 16);
	store(w.mm, 17);
	store(w.mm, 24);
	load(w.mm, 25);
	for (unsigned long page = 40; page < 48; page++)
		store(w.mm, page);
	assert_int_equal(mm_madvise(w.mm, AT(46), PAGE, MADV_GUARD_INSTALL), 0);
	assert_int_equal(mm_translate(w.mm, AT(44), MM_ACCESS_WRITE, &f.pin), MM_FAULT_DONE);
	for (unsigned long i = 0; i < 40; i += 3)
		store(w.mm, 300 + 2 * i);
	store(w.mm, 899);
	assert_int_equal(mm_touch(w.mm, HUGE_AT(0), MM_ACCESS_READ), MM_FAULT_DONE);
	assert_int_equal(mm_touch(w.mm, HUGE_AT(4), MM_ACCESS_WRITE), MM_FAULT_DONE);
	assert_int_equal(mm_fork(w.mm, &f.kin), 0);
	store(f.kin, 42);
	store(w.mm, 43);
	if (w.kind == WORLD_WINDOW)
		open_window();
}

void frames_let_go(void)
{
	if (w.kind == WORLD_AREAS)
		return;
	if (f.window)
		host_window_destroy(f.window);
	mm_translation_put(&f.pin);
	mmput(f.kin);
	f.kin = NULL;
}

void frames_end(void)
{
	if (w.kind != WORLD_AREAS)
		assert_int_equal(free_frames(), f.free);
}

/* ---------------------------------------------------------------- sound -- */

/* What the window shows are the bytes of the frames that the table has there, or zeros. */
static bool page_is_coherent(struct host_window *window, unsigned long page)
{
	struct pgtable *pt = window->mmu->pt;
	unsigned int level;
	pte_t e = pt_look(pt, AT(page), &level);
	const char *frame;
	u32 attrs;

	if (!pte_present(pt->format, e))
		return false;
	attrs = pte_attrs(pt->format, e);
	if (host_is_shown(window, page, MM_ACCESS_WRITE) && !(attrs & PT_WRITE))
		return false;
	if (!host_is_shown(window, page, MM_ACCESS_READ))
		return true;
	frame = pfn_bytes(pt->frames, pte_pfn(pt->format, e));
	return !memcmp(host_window_at(window, AT(page)), frame, PAGE);
}

static bool is_shown(struct host_window *window, unsigned long page)
	__must_hold(&window->lock)
{
	return window->regions[page / REGION_PAGES].shown[page % REGION_PAGES / 64] >>
	       page % 64 & 1;
}

/* A bit for each page of the window at which this process can read anything: the host's word. */
static void read_host(struct host_window *window, bool accessible[WINDOW_PAGES])
{
	const unsigned long base = (unsigned long)host_window_at(window, AT(0));
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512], perms[8];

	assert_non_null(maps);
	memset(accessible, 0, WINDOW_PAGES);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) != 3 || perms[0] == '-')
			continue;
		start = max(start, base);
		end = min(end, base + WINDOW_PAGES * PAGE);
		for (; start < end; start += PAGE)
			accessible[(start - base) / PAGE] = true;
	}
	fclose(maps);
}

bool frames_are_sound(char *why, size_t why_bytes)
{
	bool accessible[WINDOW_PAGES];

	if (!f.window)
		return true;
	read_host(f.window, accessible);
	for (unsigned long page = 0; page < WINDOW_PAGES; page++) {
		bool shown, good;

		spin_lock(&f.window->lock);
		shown = is_shown(f.window, page);
		good = shown ? page_is_coherent(f.window, page) : !accessible[page];
		spin_unlock(&f.window->lock);
		if (good)
			continue;
		snprintf(why, why_bytes, "page %lu of the window is not what the table has", page);
		return false;
	}
	return true;
}

/* ------------------------------------------------------------- pictures -- */

static void add_look(struct looks *looks, struct look look)
{
	if (looks->nr == looks->room) {
		looks->room = looks->room ? 2 * looks->room : 128;
		looks->at = realloc(looks->at, looks->room * sizeof(look));
		assert_non_null(looks->at);
	}
	looks->at[looks->nr++] = look;
}

/* Fowler, Noll and Vo's hash, a word at a time. */
static u64 hash_page(const u64 *words)
{
	u64 hash = 0xcbf29ce484222325ull;

	for (unsigned long i = 0; i < PAGE / sizeof(u64); i++)
		hash = (hash ^ words[i]) * 0x100000001b3ull;
	return hash;
}

struct walk {
	struct pgtable *pt;
	struct looks *looks;
};

static int look_at(void *arg, unsigned long addr, unsigned int level, pte_t e)
{
	const struct walk *walk = arg;
	const struct pt_format *format = walk->pt->format;
	unsigned long nr = level == PT_PMD ? PT_ENTRIES : 1;
	struct page *page;

	if (!pte_present(format, e)) {
		add_look(walk->looks, (struct look){ .addr = addr, .flags = ~pte_soft_type(format, e) });
		return 0;
	}
	page = pfn_page(walk->pt->frames, pte_pfn(format, e));
	for (unsigned long i = 0; i < nr; i++)
		add_look(walk->looks, (struct look){
			.addr = addr + i * PAGE, .attrs = pte_attrs(format, e),
			.flags = page_flags(page) & (PG_ANON | PG_SHMEM | PG_EXCLUSIVE),
			.bytes = hash_page(pfn_bytes(walk->pt->frames, pte_pfn(format, e) + i)),
		});
	return 0;
}

static void look_at_tables(struct mm_user *mm, struct looks *looks)
{
	struct walk walk = { .pt = mm_from_user(mm)->pgt, .looks = looks };

	pt_walk(walk.pt, 0, pt_limit(walk.pt), look_at, &walk);
}

static int look_at_core(const struct area_info *info, void *arg)
{
	unsigned char vec[3 * 512];
	unsigned long nr = (info->end - info->start) / PAGE;

	nr = min(nr, sizeof(vec));
	assert_int_equal(mm_mincore(w.mm, info->start, nr * PAGE, vec), 0);
	for (unsigned long i = 0; i < nr; i++)
		if (vec[i])
			add_look(arg, (struct look){ .addr = info->start + i * PAGE });
	return 0;
}

void frames_take_picture(struct frames_picture *picture)
{
	struct mm_stats s;

	memset(picture, 0, sizeof(*picture));
	if (w.kind == WORLD_AREAS)
		return;
	look_at_tables(w.mm, &picture->mm);
	look_at_tables(f.kin, &picture->kin);
	assert_int_equal(mm_for_each_area(w.mm, 0, ~0ul, look_at_core, &picture->core), 0);
	mm_get_stats(w.mm, &s);
	picture->rss[0] = s.anon_pages;
	picture->rss[1] = s.file_pages;
	picture->rss[2] = s.shmem_pages;
	picture->rss[3] = s.swap_pages;
}

void frames_free_picture(struct frames_picture *picture)
{
	free(picture->mm.at);
	free(picture->kin.at);
	free(picture->core.at);
	memset(picture, 0, sizeof(*picture));
}

/* -------------------------------------------------------------- compare -- */

/* The next address that any of them has, and what each has there. */
struct row {
	unsigned long addr;
	const struct look *of[3];
};

static bool next_row(const struct looks *const from[3], size_t at[3], struct row *row)
{
	row->addr = ~0ul;
	for (int i = 0; i < 3; i++)
		if (at[i] < from[i]->nr)
			row->addr = min(row->addr, from[i]->at[at[i]].addr);
	for (int i = 0; i < 3; i++) {
		bool has = at[i] < from[i]->nr && from[i]->at[at[i]].addr == row->addr;

		row->of[i] = has ? &from[i]->at[at[i]++] : NULL;
	}
	return row->addr != ~0ul;
}

static bool same(const struct look *a, const struct look *b)
{
	return (!a && !b) || (a && b && a->attrs == b->attrs && a->flags == b->flags &&
			      a->bytes == b->bytes);
}

/* The same but for what a fork may take away before it fails. */
static bool same_but_for_rights(const struct look *was, const struct look *is)
{
	struct look protected;

	if (!was || !is || !(was->flags & PG_ANON))
		return same(was, is);
	protected = *was;
	protected.attrs &= ~PT_WRITE;
	protected.flags &= ~PG_EXCLUSIVE;
	return same(was, is) || same(&protected, is);
}

struct comparison {
	const char *what;
	enum frames_left left;
	bool replaces;
	long changed;
	bool stopped;
	unsigned long stopped_in;	/* the area */
};

static unsigned long area_of(unsigned long addr)
{
	struct area_info info;

	if (mm_query(w.mm, addr, &info))
		return 0;
	area_info_put(&info);
	return info.start;
}

static void stop(struct comparison *c, unsigned long addr)
{
	c->stopped = true;
	c->stopped_in = area_of(addr);
}

static bool is_behind_stop(const struct comparison *c, unsigned long addr)
{
	return c->stopped && (c->left == LEFT_FIRST ||
			      (c->left == LEFT_FIRST_OF_AREA && area_of(addr) == c->stopped_in));
}

static const char *compare_row(struct comparison *c, const struct row *row)
{
	const struct look *was = row->of[0], *is = row->of[1], *after = row->of[2];

	if (c->left == LEFT_NOTHING || c->left == LEFT_CACHE)
		return same(was, is) ? NULL : "is not what it was";
	if (c->left == LEFT_RIGHTS)
		return same_but_for_rights(was, is) ? NULL : "is not what it was";
	/* What was there is gone, and nothing has come yet. */
	if (c->replaces && !is && after) {
		stop(c, row->addr);
		return NULL;
	}
	if (same(was, after))
		return same(was, is) ? NULL : "has changed, and the whole call leaves it";
	if (same(is, was)) {
		stop(c, row->addr);
		return NULL;
	}
	if (!same(is, after))
		return "is neither as before nor as after";
	c->changed++;
	return is_behind_stop(c, row->addr) ? "is done, and one before it is not" : NULL;
}

static const char *compare_looks(struct comparison *c, const struct looks *const from[3],
				 char why[200])
{
	size_t at[3] = { 0 };
	struct row row;

	while (next_row(from, at, &row)) {
		const char *wrong = compare_row(c, &row);

		if (!wrong)
			continue;
		snprintf(why, 200, "%s %lx %s: attrs %x %x %x flags %x %x %x", c->what, row.addr,
			 wrong, row.of[0] ? row.of[0]->attrs : 0, row.of[1] ? row.of[1]->attrs : 0,
			 row.of[2] ? row.of[2]->attrs : 0, row.of[0] ? row.of[0]->flags : 0,
			 row.of[1] ? row.of[1]->flags : 0, row.of[2] ? row.of[2]->flags : 0);
		return why;
	}
	return NULL;
}

/* Of the child, and of what mincore() says, nobody is told how far it got. */
static enum frames_left unordered(enum frames_left left)
{
	return left == LEFT_FIRST || left == LEFT_FIRST_OF_AREA ? LEFT_SOME : left;
}

const char *frames_compare(const struct frames_picture *before, const struct frames_picture *is,
			   const struct frames_picture *after, enum frames_left left,
			   bool replaces, long *nr_changed, char why[200])
{
	const struct frames_picture *then = after ? after : before;
	struct comparison mm = { .what = "page", .left = left, .replaces = replaces };
	struct comparison kin = { .what = "the child's page", .left = unordered(left) };
	struct comparison core = {
		.what = "in core:", .left = left == LEFT_CACHE ? LEFT_SOME : unordered(left),
		.replaces = replaces,
	};
	const char *wrong = compare_looks(&mm, (const struct looks *[]){
		&before->mm, &is->mm, &then->mm }, why);

	if (!wrong)
		wrong = compare_looks(&kin, (const struct looks *[]){
			&before->kin, &is->kin, &then->kin }, why);
	if (!wrong)
		wrong = compare_looks(&core, (const struct looks *[]){
			&before->core, &is->core, &then->core }, why);
	if (!wrong && left == LEFT_NOTHING && memcmp(before->rss, is->rss, sizeof(is->rss)))
		wrong = "RSS is not what it was";
	*nr_changed = mm.changed;
	return wrong;
}

/* ------------------------------------------------------------------ hog -- */

void hog_take(unsigned long left_over)
{
	while ((f.hog[f.nr_hog] = page_alloc(w.v->arena, 0, PAGE_ANYTHING)))
		f.nr_hog++;
	for (; left_over && f.nr_hog; left_over--)
		page_put(f.hog[--f.nr_hog]);
}

void hog_give_back(void)
{
	while (f.nr_hog)
		page_put(f.hog[--f.nr_hog]);
}
