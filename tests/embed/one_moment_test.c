/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A map printed beside a thread that changes it is the map of one moment: no line overlaps another,
 * nothing is missing, no call is half done.  (The running kernel's own /proc/self/maps, read in the
 * same way, showed overlapping lines in 315 of 3,000 reads.)
 *
 *	pages 0 to 15	one area, split into three and merged again
 *	pages 32 to 37	six areas that differ in their file, all made r-- and rw- by one mprotect()
 *	page 48 or 56	one area that mremap() moves to and fro
 *	pages 64 to 67	one area or two files', replaced by one MAP_FIXED
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../mm/space.h"

#define NR_READS	3000

static struct space s;
static struct file *files[2];
static atomic_bool stop;
static atomic_int failed_calls;

/* ------------------------------------------------------------ the writer */

static void expect(long ret, long want)
{
	if (ret != want)
		failed_calls++;
}

static void split_and_merge(void)
{
	expect(mm_mprotect(s.mm, at(5), 4 * SPACE_PAGE, PROT_READ), 0);
	expect(mm_mprotect(s.mm, at(5), 4 * SPACE_PAGE, RW), 0);
}

static void protect_six(unsigned long prot)
{
	expect(mm_mprotect(s.mm, at(32), 6 * SPACE_PAGE, prot), 0);
}

static void move(unsigned long from, unsigned long to)
{
	expect(mm_mremap(s.mm, at(from), SPACE_PAGE, SPACE_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 at(to)), (long)at(to));
}

static void replace(void)
{
	expect(space_map_file(&s, 64, 4, PROT_READ, MAP_PRIVATE, files[0], 0), 0);
	expect(space_map_file(&s, 66, 2, PROT_READ, MAP_PRIVATE, files[1], 0), 0);
}

static void *change(void *arg)
{
	while (!stop) {
		split_and_merge();
		protect_six(PROT_READ);
		move(48, 56);
		split_and_merge();
		replace();
		protect_six(RW);
		move(56, 48);
	}
	return NULL;
}

/* ------------------------------------------------------------ the reader */

struct map_text {
	char buf[16384];
	size_t used;
};

static int append(void *arg, const char *text, size_t bytes)
{
	struct map_text *map = arg;

	if (map->used + bytes >= sizeof(map->buf))
		return -1;
	memcpy(map->buf + map->used, text, bytes);
	map->used += bytes;
	map->buf[map->used] = '\0';
	return 0;
}

struct seen {
	int overlaps, gaps, half_done, bad_lines;
	int split, merged;		/* how often pages 0 to 15 were found so */
};

/* One read's lines, by page. */
struct moment {
	char prot[96];			/* of page n: '-', 'r', 'w'; 0: nothing there */
	int area[96];			/* number of its line */
	int nr_lines;
};

static void read_lines(char *text, struct moment *moment, struct seen *seen)
{
	unsigned long start, end, last = 0;
	char perms[5], *line, *next = text;

	*moment = (struct moment){ 0 };
	while ((line = strsep(&next, "\n")) && *line) {
		moment->nr_lines++;
		if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) != 3 || start >= end ||
		    start < at(0) || end > at(96)) {
			seen->bad_lines++;
			continue;
		}
		seen->overlaps += start < last;
		last = end;
		for (unsigned long page = (start - at(0)) / SPACE_PAGE;
		     page < (end - at(0)) / SPACE_PAGE; page++) {
			moment->prot[page] = perms[1] == 'w' ? 'w' : perms[0];
			moment->area[page] = moment->nr_lines;
		}
	}
}

static int count_missing(const struct moment *moment, int first, int nr)
{
	int missing = 0;

	for (int i = first; i < first + nr; i++)
		missing += !moment->prot[i];
	return missing;
}

static void judge(const struct moment *m, struct seen *seen)
{
	bool split = m->area[0] != m->area[15];

	seen->gaps += count_missing(m, 0, 16) || count_missing(m, 32, 6) || count_missing(m, 64, 4);
	if (split)
		seen->half_done += m->prot[5] != 'r' || m->prot[8] != 'r' || m->prot[4] != 'w' ||
				   m->prot[9] != 'w' || m->area[5] != m->area[8] ||
				   m->area[0] != m->area[4] || m->area[9] != m->area[15];
	else
		seen->half_done += m->prot[5] != 'w';
	for (int i = 33; i < 38; i++)
		seen->half_done += m->prot[i] != m->prot[32];
	seen->half_done += !m->prot[48] == !m->prot[56];
	seen->half_done += m->area[64] != m->area[65] || m->area[66] != m->area[67];
	seen->split += split;
	seen->merged += !split;
}

static void read_once(struct seen *seen)
{
	struct map_text map = { .used = 0 };
	struct moment moment;

	assert_int_equal(mm_report_maps(s.mm, append, &map), 0);
	read_lines(map.buf, &moment, seen);
	judge(&moment, seen);
}

static void maps_beside_a_writer(void **state)
{
	struct seen seen = { 0 };
	pthread_t thread;
	int nr = 0;

	space_open(&s);
	for (int i = 0; i < 2; i++)
		files[i] = space_file(&s, 100, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map(&s, 0, 16, RW, ANON), 0);
	for (unsigned long i = 0; i < 6; i++)
		assert_int_equal(space_map_file(&s, 32 + i, 1, RW, MAP_PRIVATE, files[i % 2], 0), 0);
	assert_int_equal(space_map(&s, 48, 1, RW, ANON), 0);
	replace();
	assert_int_equal(pthread_create(&thread, NULL, change, NULL), 0);
	/* And on, until it has shown both of its sides. */
	while (nr < NR_READS || !seen.split || !seen.merged) {
		read_once(&seen);
		if (++nr % 64 == 0)
			sched_yield();
	}
	stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	print_message("%d reads: %d split, %d gaps, %d overlaps, %d half done\n", nr, seen.split,
		      seen.gaps, seen.overlaps, seen.half_done);
	assert_int_equal(failed_calls, 0);
	assert_int_equal(seen.bad_lines, 0);
	assert_int_equal(seen.gaps, 0);
	assert_int_equal(seen.overlaps, 0);
	assert_int_equal(seen.half_done, 0);
	file_put(files[0]);
	file_put(files[1]);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_beside_a_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
