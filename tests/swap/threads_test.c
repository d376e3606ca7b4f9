/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Swap beside everything else: two threads load, store, map, protect, move and fork, one sends
 * pages of all mms to swap, one turns an area off and on again.
 *
 * What each may find.  A page was written to with its place (a stamp), or is zeros.  Each of the
 * two has pages in which it counts: no page that goes or comes back may lose a count, and what a
 * child was given at its fork it has until its end.
 */
#include "../sync/crew.h"
#include "store.h"

#define REGION_PAGES	64ul
#define WRITERS		2
#define ROUNDS		60000
#define OWN_PAGES	8ul		/* in which a writer counts */

enum region { FIRST, SECOND, COUNTERS, REGIONS = COUNTERS };

static struct memory m;
static struct store stores[2];
static u64 counts[WRITERS][OWN_PAGES];	/* each is its writer's */
static u32 nr_out, nr_off;		/* atomic */
static struct mm_user *children[WRITERS];	/* atomic: taken by exchange */

static unsigned long page_of(enum region region, unsigned long i)
{
	return (unsigned long)region * REGION_PAGES + i;
}

static u64 stamp(unsigned long page)
{
	return 0x5eed0000u + page % REGION_PAGES;
}

static void load(struct mm_user *mm, unsigned long page, u64 *word)
{
	enum mm_fault fault;

	*word = 0;
	mm_read(mm, at(page) + 8, word, sizeof(*word), &fault);
	check(fault == MM_FAULT_DONE || fault == MM_FAULT_MAPERR);
	check(!*word || *word == stamp(page));
}

static void store(struct mm_user *mm, unsigned long page)
{
	u64 word = stamp(page);
	enum mm_fault fault;

	mm_write(mm, at(page) + 8, &word, sizeof(word), &fault);
	check(fault != MM_FAULT_OOM && fault != MM_FAULT_BUS);
}

static void map_region(enum region region)
{
	check(mm_mmap(m.s.mm, at(page_of(region, 0)), REGION_PAGES * PAGE_SIZE, RW,
		      MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) ==
	      (long)at(page_of(region, 0)));
}

/* --------------------------------------------------------------------- by the address -- */

static unsigned long own_page(const struct worker *w, unsigned long i)
{
	return page_of(COUNTERS, (unsigned long)w->nr * OWN_PAGES + i);
}

static void count_once(struct worker *w, unsigned long i)
{
	enum mm_fault fault;
	u64 seen = 0;

	mm_read(m.s.mm, at(own_page(w, i)), &seen, sizeof(seen), &fault);
	check(fault == MM_FAULT_DONE && seen == counts[w->nr][i]);
	counts[w->nr][i]++;
	mm_write(m.s.mm, at(own_page(w, i)), &counts[w->nr][i], sizeof(seen), &fault);
	check(fault == MM_FAULT_DONE);
}

/* What the child was given it has until its end. */
static void fork_and_look(struct worker *w)
{
	struct mm_user *child, *other;
	u64 then[OWN_PAGES];

	memcpy(then, counts[w->nr], sizeof(then));
	check(!mm_fork(m.s.mm, &child));
	/* For who sends pages out, with a user of its own. */
	other = atomic_xchg_acq_rel(&children[w->nr], mmget(child));
	if (other)
		mmput(other);
	for (unsigned long i = 0; i < OWN_PAGES; i++)
		count_once(w, i);
	for (unsigned long i = 0; i < OWN_PAGES; i++) {
		enum mm_fault fault;
		u64 seen = 0;

		mm_read(child, at(own_page(w, i)), &seen, sizeof(seen), &fault);
		check(fault == MM_FAULT_DONE && seen == then[i]);
		seen = ~0ul;
		mm_write(child, at(own_page(w, i)), &seen, sizeof(seen), &fault);
		check(fault == MM_FAULT_DONE);
	}
	if (!pick(w, 8)) {
		char why[256] = "";

		check(!mm_validate(child, why, sizeof(why)));
		if (why[0])
			port_log("child: %s", why);
	}
	mmput(child);
}

static void call(struct worker *w)
{
	unsigned long nr = 1 + pick(w, 12);
	unsigned long page = page_of(pick(w, REGIONS), pick(w, REGION_PAGES - nr));
	unsigned long bytes = nr * PAGE_SIZE;

	switch (pick(w, 9)) {
	case 0:
		mm_munmap(m.s.mm, at(page), bytes);
		break;
	case 1:
		map_region(pick(w, REGIONS));
		break;
	case 2:
		mm_mprotect(m.s.mm, at(page), bytes, pick(w, 3) ? RW : PROT_READ);
		break;
	case 3:
		mm_mremap(m.s.mm, at(page_of(FIRST, 0)), REGION_PAGES * PAGE_SIZE,
			  REGION_PAGES * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			  at(page_of(SECOND, 0)));
		map_region(FIRST);
		break;
	case 4:
		mm_madvise(m.s.mm, at(page), bytes, pick(w, 2) ? MADV_DONTNEED : MADV_FREE);
		break;
	case 5:
		mm_madvise(m.s.mm, at(page), bytes, MADV_WILLNEED);
		break;
	default:
		fork_and_look(w);
	}
}

static void pin_and_count(struct worker *w, unsigned long i)
{
	struct mm_translation t;

	check(mm_translate(m.s.mm, at(own_page(w, i)), MM_ACCESS_WRITE, &t) == MM_FAULT_DONE);
	check(atomic_load_relaxed((u64 *)t.bytes) == counts[w->nr][i]);
	/* The other's fork may copy it just now. */
	atomic_store_relaxed((u64 *)t.bytes, ++counts[w->nr][i]);
	mm_translation_put(&t);
}

static void *write_and_map(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		unsigned long page = pick(w, REGIONS * REGION_PAGES);
		u64 word;

		switch (pick(w, 16)) {
		case 0:
			call(w);
			break;
		case 1 ... 5:
			store(m.s.mm, page);
			break;
		case 6:
			pin_and_count(w, pick(w, OWN_PAGES));
			break;
		case 7 ... 9:
			count_once(w, pick(w, OWN_PAGES));
			break;
		default:
			load(m.s.mm, page, &word);
		}
	}
	writer_is_done();
	return NULL;
}

/* -------------------------------------------------------------------------- by the page -- */

static void send_out(struct mm_user *mm, unsigned long page)
{
	int err = mm_swap_out(mm, m.s.v, page);

	check(!err || err == -ENOENT || err == -ENOSPC || err == -EBUSY || err == -EAGAIN);
	if (!err)
		atomic_add_relaxed(&nr_out, 1);
}

static void *send_pages_out(void *arg)
{
	struct worker *w = arg;

	while (!writers_are_done()) {
		struct mm_user *child = NULL;

		if (!pick(w, 8))
			child = atomic_xchg_acq_rel(&children[pick(w, WRITERS)], NULL);
		for (int i = 0; i < 8; i++)
			send_out(child ? child : m.s.mm, pick(w, 2) ?
				 pick(w, REGIONS * REGION_PAGES) :
				 page_of(COUNTERS, pick(w, WRITERS * OWN_PAGES)));
		if (child)
			mmput(child);
	}
	return NULL;
}

static void *turn_off_and_on(void *arg)
{
	struct store *s = &stores[1];

	while (!writers_are_done()) {
		check(!vmarea_swapoff(m.s.v, s->id));
		check(s->nr_released == 1 && !s->nr_clashes);
		free(s->bytes);
		free(s->busy);
		free(s->written);
		store_on(s, m.s.v, 300, 1);
		nr_off++;
		for (u64 used = 0; !writers_are_done() && used < 20; used = store_used(s, m.s.v))
			port_yield();
	}
	return NULL;
}

static void pages_go_and_come_while_they_are_used(void **state)
{
	static void *(*const work[])(void *arg) = {
		write_and_map, write_and_map, send_pages_out, turn_off_and_on,
	};

	memory_open(&m);
	store_on(&stores[0], m.s.v, 1000, 0);
	store_on(&stores[1], m.s.v, 300, 1);
	for (int i = 0; i < REGIONS; i++)
		map_region((enum region)i);
	assert_int_equal(space_map(&m.s, page_of(COUNTERS, 0), REGION_PAGES, RW, ANON), 0);
	crew_run(work, ARRAY_SIZE(work), WRITERS);
	for (int i = 0; i < WRITERS; i++)
		if (children[i])
			mmput(children[i]);
	print_message("%u pages out, %u times off\n", nr_out, nr_off);
	assert_true(nr_out > 100 && nr_off);
	instance_validate(m.s.v);
	for (int i = 0; i < 2; i++)
		store_off(&stores[i], m.s.v);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_go_and_come_while_they_are_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
