/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who uses what: exact where nothing else goes on, and of an instance that has no frame left. */
#include <vmarea/file.h>
#include <vmarea/reclaim.h>
#include <vmarea/usage.h>

#include "../swap/store.h"
#include "../sync/threads.h"

#define SHARED_ANON	((unsigned long)(MAP_SHARED | MAP_ANONYMOUS))

static struct memory m;

static void open_with(unsigned long frames)
{
	memory_init(&m, frames * PAGE_SIZE);
	m.s.config.thp = VMAREA_THP_NEVER;
	memory_create(&m);
}

static struct mm_user *new_mm(void)
{
	struct mm_user *mm;

	assert_int_equal(mm_create(m.s.v, &m.s.mm_config, &mm), 0);
	return mm;
}

static void map(struct mm_user *mm, unsigned long page, unsigned long nr, unsigned long flags)
{
	assert_int_equal(mm_mmap(mm, at(page), nr * PAGE_SIZE, RW, flags | MAP_FIXED, NULL, 0),
			 at(page));
}

/* Stores to each page; returns how many it was, up to the first that there was no memory for. */
static unsigned long fill(struct mm_user *mm, unsigned long page, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		enum mm_fault fault = mm_put(mm, page + i, 1);

		if (fault != MM_FAULT_DONE) {
			assert_int_equal(fault, MM_FAULT_OOM);
			return i;
		}
	}
	return nr;
}

static struct vmarea_usage usage(void)
{
	struct vmarea_usage usage;

	memset(&usage, 0xff, sizeof(usage));
	port_rcu_barrier();
	assert_int_equal(vmarea_get_usage(m.s.v, &usage, NULL, 0), 0);
	return usage;
}

static void assert_adds_up(const struct vmarea_usage *u)
{
	assert_int_equal(u->free + u->anon + u->file + u->shmem + u->tables + u->driver + u->other,
			 u->frames);
	assert_int_equal(u->free, memory_free_frames(m.s.v));
}

/* What the mm's own numbers say. */
static void assert_is(const struct mm_usage *have, struct mm_user *mm)
{
	struct mm_stats stats;

	mm_get_stats(mm, &stats);
	assert_int_equal(have->number, mm_number(mm));
	assert_int_equal(have->anon, stats.anon_pages);
	assert_int_equal(have->file, stats.file_pages);
	assert_int_equal(have->shmem, stats.shmem_pages);
	assert_int_equal(have->swap, stats.swap_pages);
	assert_int_equal(have->tables, stats.table_pages);
	assert_int_equal(have->limit * PAGE_SIZE, mm_limit(mm));
	assert_int_equal(have->total, have->anon + have->file + have->shmem + have->swap +
				      have->tables);
}

/* ---------------------------------------------------------------------- out of memory -- */

static void test_three_mms_that_have_all_memory(void **state)
{
	struct mm_user *small, *large;
	struct mm_usage mms[4];
	struct vmarea_usage u;
	unsigned long nr;

	open_with(1024);
	small = new_mm();
	large = new_mm();
	map(m.s.mm, 0, 200, ANON);
	map(m.s.mm, 300, 100, SHARED_ANON);
	map(small, 0, 50, ANON);
	map(large, 0, 2000, ANON);
	assert_int_equal(fill(m.s.mm, 0, 200), 200);
	assert_int_equal(fill(m.s.mm, 300, 100), 100);
	assert_int_equal(fill(small, 0, 50), 50);
	nr = fill(large, 0, 2000);
	assert_int_equal(mm_put(large, nr, 1), MM_FAULT_OOM);
	assert_int_equal(vmarea_get_usage(m.s.v, &u, mms, 4), 3);
	assert_int_equal(u.frames, u.limit);
	assert_int_equal(u.free, 0);
	assert_int_equal(u.anon, 250 + nr);
	assert_int_equal(u.shmem, 100);
	assert_int_equal(u.file, 0);
	assert_int_equal(u.tables, mms[0].tables + mms[1].tables + mms[2].tables);
	assert_adds_up(&u);
	assert_int_equal(u.nr_mms, 3);
	assert_is(&u.most, large);
	assert_is(&mms[0], large);
	assert_is(&mms[1], m.s.mm);
	assert_is(&mms[2], small);
	assert_int_equal(mms[0].anon, nr);
	assert_int_equal(mms[1].anon, 200);
	assert_int_equal(mms[1].shmem, 100);
	assert_int_equal(mms[2].anon, 50);
	/* Whom it names has what the others need. */
	mmput(large);
	u = usage();
	assert_true(u.free >= nr);
	assert_int_equal(u.most.number, mm_number(m.s.mm));
	assert_int_equal(fill(small, 0, 50), 50);
	mmput(small);
	memory_close(&m);
}

static void test_limits_are_told(void **state)
{
	struct vmarea_usage u;

	open_with(1024);
	map(m.s.mm, 0, 200, ANON);
	assert_int_equal(mm_set_limit(m.s.mm, 60 * PAGE_SIZE), 0);
	assert_int_equal(fill(m.s.mm, 0, 200), 60);
	u = usage();
	assert_int_equal(u.most.limit, 60);
	assert_int_equal(u.most.anon, 60);
	assert_true(u.free > 500);
	assert_int_equal(mm_set_limit(m.s.mm, 0), 0);
	assert_int_equal(vmarea_set_limit(m.s.v, 150 * PAGE_SIZE), 0);
	assert_true(fill(m.s.mm, 0, 200) < 150);
	u = usage();
	assert_int_equal(u.most.limit, 0);
	assert_int_equal(u.limit, 150);
	/* They are there, and nobody gets them. */
	assert_int_equal(u.free, u.frames - 150);
	assert_adds_up(&u);
	memory_close(&m);
}

/* -------------------------------------------------------------------------- kinds of use -- */

static void test_what_is_swapped_is_the_mms_still(void **state)
{
	struct store store;
	struct vmarea_usage u;

	open_with(1024);
	store_on(&store, m.s.v, 100, 0);
	map(m.s.mm, 0, 40, ANON);
	assert_int_equal(fill(m.s.mm, 0, 40), 40);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 30 * PAGE_SIZE, MADV_PAGEOUT), 0);
	u = usage();
	assert_int_equal(u.swap_slots, 100);
	assert_int_equal(u.swap_used, 30);
	assert_int_equal(u.anon, 10);
	assert_int_equal(u.most.swap, 30);
	assert_int_equal(u.most.anon, 10);
	assert_is(&u.most, m.s.mm);
	assert_adds_up(&u);
	store_off(&store, m.s.v);
	u = usage();
	assert_int_equal(u.swap_slots, 0);
	assert_int_equal(u.anon, 40);
	memory_close(&m);
}

static void test_pages_of_files_count_without_a_mapping(void **state)
{
	unsigned char bytes[10 * PAGE_SIZE] = { 1 };
	struct file *file;
	struct vmarea_usage u;

	open_with(1024);
	file = space_file(&m.s, 10, 0, FILE_PLACE_ANY);
	assert_int_equal(file_write(file, 0, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(space_map_file(&m.s, 0, 10, RW, MAP_PRIVATE, file, 0), 0);
	assert_int_equal(get(&m, 0), 0);
	assert_int_equal(put(&m, 1, 5), MM_FAULT_DONE);
	u = usage();
	assert_int_equal(u.file, 10);
	assert_int_equal(u.anon, 1);
	assert_int_equal(u.shmem, 0);
	assert_is(&u.most, m.s.mm);
	assert_adds_up(&u);
	space_unmap(&m.s, 0, 10);
	assert_int_equal(usage().file, 10);
	file_put(file);
	assert_int_equal(usage().file, 0);
	memory_close(&m);
}

static void test_drivers_and_pins(void **state)
{
	struct page *page, *pinned[3];
	struct vmarea_usage before, u;

	open_with(1024);
	before = usage();
	page = alloc_page(m.s.v);
	map(m.s.mm, 0, 8, ANON);
	assert_int_equal(mm_pin_pages(m.s.mm, at(0), 3, MM_ACCESS_WRITE, pinned), 3);
	u = usage();
	assert_int_equal(before.driver, 0);
	assert_int_equal(u.driver, 1);
	assert_int_equal(u.anon, 3);
	assert_int_equal(u.pinned, 3);
	assert_adds_up(&u);
	mm_unpin_pages(pinned, 3);
	assert_int_equal(usage().pinned, 0);
	__free_page(page);
	assert_int_equal(usage().driver, 0);
	memory_close(&m);
}

static void test_a_block_of_2_mib_is_512_frames(void **state)
{
	struct vmarea_usage u;

	memory_init(&m, 4096 * PAGE_SIZE);
	m.s.config.thp = VMAREA_THP_ALWAYS;
	memory_create(&m);
	map(m.s.mm, 0, 512, ANON);
	assert_int_equal(put(&m, 100, 1), MM_FAULT_DONE);
	assert_int_equal(mm_leaves(m.s.mm), 1);
	u = usage();
	assert_int_equal(u.anon, 512);
	assert_is(&u.most, m.s.mm);
	assert_adds_up(&u);
	memory_close(&m);
}

/* Each has it in its line; there it is once. */
static void test_what_a_fork_shares_is_in_both(void **state)
{
	struct mm_usage mms[2];
	struct mm_user *child;
	struct vmarea_usage u;

	open_with(1024);
	map(m.s.mm, 0, 30, ANON);
	assert_int_equal(fill(m.s.mm, 0, 30), 30);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	assert_int_equal(vmarea_get_usage(m.s.v, &u, mms, 2), 2);
	assert_int_equal(u.anon, 30);
	assert_int_equal(mms[0].anon, 30);
	assert_int_equal(mms[1].anon, 30);
	/* Of equals the oldest. */
	assert_int_equal(mms[0].total, mms[1].total);
	assert_int_equal(u.most.number, mm_number(m.s.mm));
	assert_adds_up(&u);
	mmput(child);
	memory_close(&m);
}

static void test_an_instance_without_frames(void **state)
{
	struct mm_usage mm;
	struct vmarea_usage u;
	struct space s;

	space_open(&s);
	assert_int_equal(vmarea_get_usage(s.v, &u, &mm, 1), 1);
	assert_int_equal(u.frames, 0);
	assert_int_equal(u.swap_slots, 0);
	assert_int_equal(u.nr_mms, 1);
	assert_int_equal(mm.number, mm_number(s.mm));
	assert_int_equal(mm.total, 0);
	space_close(&s);
}

/* ------------------------------------------------------------------------- names, order -- */

static void test_numbers_are_for_life(void **state)
{
	struct mm_user *child, *other;
	uint64_t number, childs;

	open_with(1024);
	number = mm_number(m.s.mm);
	assert_int_equal(number, 1);
	assert_int_equal(mm_exec(m.s.mm, &m.s.mm_config), 0);
	assert_int_equal(mm_number(m.s.mm), number);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	childs = mm_number(child);
	assert_true(childs > number);
	mmput(child);
	other = new_mm();
	assert_true(mm_number(other) > childs);
	mmput(other);
	memory_close(&m);
}

#define MANY	100ul

/* The i-th uses so many pages: no order that they were made in, and each number twice. */
static unsigned long pages_of(unsigned long i)
{
	return i * 37 % (MANY / 2) + 1;
}

static void make_many(struct mm_user **mms)
{
	open_with(8192);
	mms[0] = m.s.mm;
	for (unsigned long i = 0; i < MANY; i++) {
		if (i)
			mms[i] = new_mm();
		map(mms[i], 0, MANY, ANON);
		assert_int_equal(fill(mms[i], 0, pages_of(i)), pages_of(i));
	}
}

static void drop_many(struct mm_user **mms)
{
	for (unsigned long i = 1; i < MANY; i++)
		mmput(mms[i]);
	memory_close(&m);
}

static void assert_sorted(const struct mm_usage *mms, size_t nr)
{
	for (size_t i = 1; i < nr; i++)
		assert_true(mms[i - 1].total > mms[i].total ||
			    (mms[i - 1].total == mms[i].total &&
			     mms[i - 1].number < mms[i].number));
}

static void test_as_many_as_are_asked_for(void **state)
{
	struct mm_usage rows[MANY + 1], some[7];
	struct mm_user *mms[MANY];
	struct vmarea_usage u;

	make_many(mms);
	assert_int_equal(vmarea_get_usage(m.s.v, &u, rows, MANY + 1), MANY);
	assert_int_equal(u.nr_mms, MANY);
	assert_sorted(rows, MANY);
	for (unsigned long i = 0; i < MANY; i++)
		assert_int_equal(rows[i].anon, pages_of(rows[i].number - 1));
	assert_int_equal(vmarea_get_usage(m.s.v, &u, some, 7), 7);
	assert_int_equal(u.nr_mms, MANY);
	assert_memory_equal(some, rows, sizeof(some));
	assert_memory_equal(&u.most, rows, sizeof(u.most));
	drop_many(mms);
}

/* ------------------------------------------------------------------------------- reports -- */

struct reader {
	char text[32768];
	size_t bytes;
	int result;			/* of the writer, */
	size_t after;			/* from so many bytes on */
};

static int read_text(void *arg, const char *text, size_t bytes)
{
	struct reader *r = arg;

	if (r->result && r->bytes + bytes > r->after)
		return r->result;
	assert_true(r->bytes + bytes < sizeof(r->text));
	memcpy(r->text + r->bytes, text, bytes);
	r->bytes += bytes;
	r->text[r->bytes] = 0;
	return 0;
}

static void assert_text(struct vmarea_usage u, unsigned long tables_of_each)
{
	static struct reader r;
	char want[1024];

	snprintf(want, sizeof(want),
		 "frames: total %lu, limit %lu, free %lu, anon 8, file 0, shmem 30, tables %lu, "
		 "driver 0, other %lu, pinned 0\n"
		 "swap: total 16, used 4\n"
		 "mms: 2, most used by 2\n"
		 "[    mm]     total      anon      file     shmem      swap    tables     limit\n"
		 "[     2]%10lu         0         0        30         0%10lu       100\n"
		 "[     1]%10lu         8         0         0         4%10lu         0\n",
		 u.frames, u.limit, u.free, u.tables, u.other,
		 30 + tables_of_each, tables_of_each, 12 + tables_of_each, tables_of_each);
	r.bytes = 0;
	assert_int_equal(vmarea_report_usage(m.s.v, read_text, &r), 0);
	assert_string_equal(r.text, want);
}

static void test_the_text(void **state)
{
	struct store store;
	struct mm_user *other;

	open_with(1024);
	store_on(&store, m.s.v, 16, 0);
	map(m.s.mm, 0, 12, ANON);
	assert_int_equal(fill(m.s.mm, 0, 12), 12);
	assert_int_equal(mm_madvise(m.s.mm, at(0), 4 * PAGE_SIZE, MADV_PAGEOUT), 0);
	other = new_mm();
	map(other, 0, 30, SHARED_ANON);
	assert_int_equal(fill(other, 0, 30), 30);
	assert_int_equal(mm_set_limit(other, 100 * PAGE_SIZE), 0);
	assert_text(usage(), usage().most.tables);
	mmput(other);
	store_off(&store, m.s.v);
	memory_close(&m);
}

/* More than are sorted at a time: each once, and in order. */
static void test_many_in_a_report(void **state)
{
	static struct reader r;
	unsigned long total, last = ~0ul, number, last_number = 0, nr = 0;
	bool seen[MANY + 1] = { false };
	struct mm_user *mms[MANY];

	make_many(mms);
	r.bytes = 0;
	assert_int_equal(vmarea_report_usage(m.s.v, read_text, &r), 0);
	for (const char *line = strchr(r.text, '['); (line = strchr(line + 1, '[')); nr++) {
		assert_int_equal(sscanf(line, "[%lu] %lu", &number, &total), 2);
		assert_in_range(number, 1, MANY);
		assert_false(seen[number]);
		seen[number] = true;
		assert_true(total < last || (total == last && number > last_number));
		last = total;
		last_number = number;
	}
	assert_int_equal(nr, MANY);
	drop_many(mms);
}

static void test_a_writers_error_ends_it(void **state)
{
	static struct reader r = { .result = -7, .after = 1024 };
	struct mm_user *mms[MANY];

	make_many(mms);
	assert_int_equal(vmarea_report_usage(m.s.v, read_text, &r), -7);
	assert_int_equal(r.bytes, 1024);
	r = (struct reader){ .result = 5 };
	assert_int_equal(vmarea_report_usage_json(m.s.v, read_text, &r), 5);
	assert_int_equal(r.bytes, 0);
	drop_many(mms);
}

#ifdef CONFIG_VMAREA_DEBUG
/* It comes to no place where memory could be refused: neither the host's nor a frame. */
static void test_nothing_is_allocated(void **state)
{
	static struct reader r;
	struct mm_usage mms[2];
	struct vmarea_usage u;
	unsigned long before;

	open_with(1024);
	map(m.s.mm, 0, 2000, ANON);
	fill(m.s.mm, 0, 2000);
	before = port_alloc_count();
	vmarea_get_usage(m.s.v, &u, mms, 2);
	assert_int_equal(vmarea_report_usage(m.s.v, read_text, &r), 0);
	assert_int_equal(vmarea_report_usage_json(m.s.v, read_text, &r), 0);
	assert_int_equal(port_alloc_count(), before);
	memory_close(&m);
}
#endif

/* ------------------------------------------------------------------------------- threads -- */

#define CHILDREN	3000u

static u32 nr_busy;			/* a	threads that change something */
static u32 nr_wrong;			/* a */

/* cmocka's assertions are for one thread. */
#define check(cond)								\
	do {									\
		if (!(cond)) {							\
			port_log("%s:%d: " #cond, __FILE__, __LINE__);		\
			atomic_add_relaxed(&nr_wrong, 1);			\
		}								\
	} while (0)

static void *fork_and_exit(void *arg)
{
	struct mm_user *parent = arg;

	for (unsigned int i = 0; i < CHILDREN; i++) {
		struct mm_user *child;

		if (mm_fork(parent, &child))
			continue;
		mm_handle_fault(child, at(i % 64), MM_ACCESS_WRITE);
		mm_madvise(parent, at(i % 64), PAGE_SIZE, MADV_DONTNEED);
		mm_handle_fault(parent, at(i % 64), MM_ACCESS_WRITE);
		if (i % 2)
			mmput(child);
		else
			mmput_async(child);
	}
	atomic_sub_relaxed(&nr_busy, 1);
	return NULL;
}

static int count_text(void *arg, const char *text, size_t bytes)
{
	*(size_t *)arg += bytes;
	return 0;
}

static void look(void)
{
	struct mm_usage mms[64];
	struct vmarea_usage u;
	size_t nr = vmarea_get_usage(m.s.v, &u, mms, 64), bytes = 0;

	check(nr >= 3 && nr == u.nr_mms && mms[0].number == u.most.number);
	for (size_t i = 0; i < nr; i++) {
		check(mms[i].number && mms[i].anon <= 64 && mms[i].tables);
		check(!i || mms[i - 1].total >= mms[i].total);
		for (size_t j = 0; j < i; j++)
			check(mms[i].number != mms[j].number);
	}
	check(!vmarea_report_usage(m.s.v, count_text, &bytes) && bytes > 300);
}

static void *ask(void *arg)
{
	while (atomic_load_relaxed(&nr_busy))
		look();
	return NULL;
}

static void test_beside_forks_and_exits(void **state)
{
	struct mm_user *parents[3];
	pthread_t threads[4];
	struct vmarea_usage u;

	open_with(4096);
	parents[0] = m.s.mm;
	for (int i = 0; i < 3; i++) {
		if (i)
			parents[i] = new_mm();
		map(parents[i], 0, 64, ANON);
		assert_int_equal(fill(parents[i], 0, 64), 64);
	}
	nr_busy = 2;
	for (int i = 0; i < 2; i++) {
		threads[i] = start(fork_and_exit, parents[i]);
		threads[i + 2] = start(ask, NULL);
	}
	for (int i = 0; i < 4; i++)
		finish(threads[i]);
	assert_int_equal(nr_wrong, 0);
	port_work_flush();
	port_rcu_barrier();
	/* What there was no frame for, while children waited to be torn down. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(fill(parents[i], 0, 64), 64);
	u = usage();
	assert_int_equal(u.nr_mms, 3);
	assert_int_equal(u.anon, 3 * 64);
	assert_adds_up(&u);
	mmput(parents[1]);
	mmput(parents[2]);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_mms_that_have_all_memory),
		cmocka_unit_test(test_limits_are_told),
		cmocka_unit_test(test_what_is_swapped_is_the_mms_still),
		cmocka_unit_test(test_pages_of_files_count_without_a_mapping),
		cmocka_unit_test(test_drivers_and_pins),
		cmocka_unit_test(test_a_block_of_2_mib_is_512_frames),
		cmocka_unit_test(test_what_a_fork_shares_is_in_both),
		cmocka_unit_test(test_an_instance_without_frames),
		cmocka_unit_test(test_numbers_are_for_life),
		cmocka_unit_test(test_as_many_as_are_asked_for),
		cmocka_unit_test(test_the_text),
		cmocka_unit_test(test_many_in_a_report),
		cmocka_unit_test(test_a_writers_error_ends_it),
#ifdef CONFIG_VMAREA_DEBUG
		cmocka_unit_test(test_nothing_is_allocated),
#endif
		cmocka_unit_test(test_beside_forks_and_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
