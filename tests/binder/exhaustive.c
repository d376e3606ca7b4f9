/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Five buffers that end in each way, freed in each order, with and without reclaim between.
 *
 *	exhaustive [--by insert | fault] [--all | --every N]
 *
 * A buffer starts where the one before it ends, and ends in the page it starts in, at the end of
 * that page, in the next page, at the end of that, or in the one after it: 5 ^ 5 cases.  They are
 * freed in 5! orders, and after each what is idle is taken away, or is not: 750,000 cases in all.
 * The parts' sizes are all residues of 8.  --every N makes each N-th of them (37).
 *
 * After each step: which pages are used, idle and not there is what a count of the buffers on each
 * page says; what is used, and nothing that was taken away, is seen by the receiver; the bytes of each
 * live buffer are what was sent; the pieces fill the range.
 */
#include <errno.h>
#include <string.h>

#include "world.h"

#define NR_BUFFERS	5u
#define NR_ENDS		5u
#define NR_END_CASES	3125ul			/* NR_ENDS ^ NR_BUFFERS */
#define NR_ORDERS	120ul			/* NR_BUFFERS! */
#define NR_CASES	(NR_END_CASES * NR_ORDERS * 2)
#define NR_PAGES	12ul
#define LITTLE		(PAGE / 8)		/* five of these are less than a page */
#define DEFAULT_EVERY	37ul			/* prime, so that all digits change */

struct test_buffer {
	struct binder_buffer *buffer;		/* NULL: freed */
	unsigned long offset, end;		/* where it has to be */
	unsigned char byte;			/* its bytes */
};

static struct world w;
static struct mm_user *mm;
static struct end end;
static struct test_buffer buffers[NR_BUFFERS];
static unsigned int users[NR_PAGES];		/* the model's */
static bool there[NR_PAGES];
static bool with_reclaim;
static unsigned long case_nr;

#define EXPECT(cond)	CHECK(cond, "case %lu", case_nr)

static unsigned long next_end(unsigned long start, unsigned int how)
{
	unsigned long page_end = (start / PAGE + 1) * PAGE;

	switch (how) {
	case 0:
		return start + LITTLE;
	case 1:
		return page_end;
	case 2:
		return page_end + LITTLE;
	case 3:
		return page_end + PAGE;
	default:
		return page_end + PAGE + LITTLE;
	}
}

/* ------------------------------------------------------------------- what is so -- */

static void check_pages(void)
{
	for (unsigned long nr = 0; nr < NR_PAGES; nr++) {
		enum binder_page_state state = there[nr] ? BINDER_PAGE_IDLE : BINDER_PAGE_NONE;

		if (users[nr])
			state = BINDER_PAGE_USED;
		EXPECT(binder_range_state(binder_proc_range(end.proc), nr) == state);
	}
}

/* The first byte of each page that the buffer has one of, and the last. */
static void check_bytes(const struct test_buffer *b)
{
	unsigned long at = b->offset;
	enum mm_fault fault;

	while (at < b->end) {
		unsigned char found = 0;

		EXPECT(mm_read(mm, AT + at, &found, 1, &fault) == 1 && found == b->byte);
		at = at + 1 == b->end ? b->end : (at / PAGE + 1) * PAGE;
		if (at > b->end)
			at = b->end - 1;
	}
}

static void check_all(void)
{
	struct binder_space_stats stats;

	EXPECT(!binder_space_check(binder_proc_space(end.proc), &stats));
	check_pages();
	for (unsigned int i = 0; i < NR_BUFFERS; i++) {
		if (buffers[i].buffer)
			check_bytes(&buffers[i]);
	}
}

static void reclaim(void)
{
	world_reclaim(&w);
	for (unsigned long nr = 0; nr < NR_PAGES; nr++) {
		if (users[nr] || !there[nr])
			continue;
		there[nr] = false;
		EXPECT(!has_page(mm, AT + nr * PAGE));
	}
}

/* ------------------------------------------------------------------------ steps -- */

static void alloc(unsigned int i, unsigned long offset, unsigned int how)
{
	struct test_buffer *b = &buffers[i];
	struct binder_request request = { .clear = i & 1, .oneway = i & 2, .sender = i };
	unsigned char bytes[3 * PAGE];
	int err;

	b->offset = offset;
	b->end = next_end(offset, how);
	b->byte = (unsigned char)(1 + (case_nr + i) % 255);
	/* Three parts that come to this, and whose sizes are no multiples of 8, mostly. */
	request.offsets_bytes = case_nr % 9;
	request.extra_bytes = (case_nr / 9 + i) % 9;
	request.data_bytes = b->end - offset - (request.offsets_bytes ? 8 : 0) -
			     (request.extra_bytes ? 8 : 0) - (case_nr + i) % 8;
	err = binder_space_alloc(binder_proc_space(end.proc), &request, &b->buffer);
	CHECK(!err, "case %lu: %d", case_nr, err);
	EXPECT(binder_buffer_offset(b->buffer) == offset);
	EXPECT(binder_buffer_bytes(b->buffer) == b->end - offset);
	memset(bytes, b->byte, b->end - offset);
	binder_range_write(binder_proc_range(end.proc), offset, bytes, b->end - offset);
	for (unsigned long nr = offset / PAGE; nr * PAGE < b->end; nr++) {
		users[nr]++;
		there[nr] = true;
	}
}

static void release(unsigned int i)
{
	struct test_buffer *b = &buffers[i];
	bool cleared = i & 1;
	enum mm_fault fault;
	unsigned char found = 1;

	binder_space_free(binder_proc_space(end.proc), b->buffer);
	b->buffer = NULL;
	for (unsigned long nr = b->offset / PAGE; nr * PAGE < b->end; nr++)
		users[nr]--;
	if (cleared)
		EXPECT(mm_read(mm, AT + b->end - 1, &found, 1, &fault) == 1 && !found);
}

/* The @nr-th order of five. */
static void order_of(unsigned long nr, unsigned int order[NR_BUFFERS])
{
	unsigned int left[NR_BUFFERS];

	for (unsigned int i = 0; i < NR_BUFFERS; i++)
		left[i] = i;
	for (unsigned int n = NR_BUFFERS; n; n--) {
		unsigned long pick = nr % n;

		order[NR_BUFFERS - n] = left[pick];
		nr /= n;
		memmove(&left[pick], &left[pick + 1], (n - pick - 1) * sizeof(left[0]));
	}
}

static void run_case(unsigned long ends, unsigned long order_nr)
{
	struct binder_space_stats stats;
	unsigned int order[NR_BUFFERS];
	unsigned long offset = 0;

	for (unsigned int i = 0; i < NR_BUFFERS; i++) {
		alloc(i, offset, ends % NR_ENDS);
		offset = buffers[i].end;
		ends /= NR_ENDS;
	}
	check_all();
	order_of(order_nr, order);
	for (unsigned int i = 0; i < NR_BUFFERS; i++) {
		release(order[i]);
		if (with_reclaim)
			reclaim();
		check_all();
	}
	EXPECT(!binder_space_check(binder_proc_space(end.proc), &stats));
	EXPECT(stats.nr_free == 1 && !stats.nr_used && stats.largest_free == 2 * NR_PAGES * PAGE);
}

static unsigned long every_of(int argc, char **argv)
{
	char *rest = "";
	unsigned long every = DEFAULT_EVERY;

	if (argc == 2 && !strcmp(argv[1], "--all"))
		return 1;
	if (argc == 3 && !strcmp(argv[1], "--every"))
		every = strtoul(argv[2], &rest, 10);
	else if (argc != 1)
		every = 0;
	if (!every || *rest || every > NR_CASES) {
		fprintf(stderr, "usage: exhaustive [--by insert | fault] [--all | --every N], N from 1 to %lu\n",
			NR_CASES);
		exit(2);
	}
	return every;
}

int main(int argc, char **argv)
{
	unsigned long every, nr = 0;

	world_choose(&argc, argv);
	every = every_of(argc, argv);
	world_open(&w, 4ul << 20);
	mm = world_mm(&w);
	end_open(&w, mm, &end);
	/* Twice as long, so that half of it holds all that is sent one-way. */
	CHECK(end_map(&end, mm, AT, 2 * NR_PAGES) == (long)AT, "mmap");
	for (case_nr = 0; case_nr < NR_CASES; case_nr += every, nr++) {
		with_reclaim = case_nr / (NR_END_CASES * NR_ORDERS);
		run_case(case_nr % NR_END_CASES, case_nr / NR_END_CASES % NR_ORDERS);
	}
	mmput(mm);
	end_close(&end);
	world_close(&w);
	printf("%lu of %lu cases: %u buffers, %u ways to end, %lu orders, with and without reclaim\n",
	       nr, NR_CASES, NR_BUFFERS, NR_ENDS, NR_ORDERS);
	return 0;
}
