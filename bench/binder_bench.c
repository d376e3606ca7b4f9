/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Binder beside a Unix socket pair and a pipe: transactions a second.
 *
 *	binder_bench [--quick]
 *
 * Two threads of one process, for each way.  A transaction: the sender has the payload in a buffer;
 * the receiver looks at every word of it, and says so.  By a socket or a pipe that is a copy into the
 * kernel, and one out into the receiver's buffer.  By Binder it is one copy, into the frames of the
 * receiver's mapping, which the receiver looks at where they are, pinned.  "mm_read": it copies them
 * out, by mm_read().
 *
 * "one at a time": the sender waits for each answer.  "8 in a row": it waits after eight.  The first
 * is mostly what it takes to wake a thread, which is the same for all: a semaphore, or what the
 * kernel has in write() and read().
 *
 * "reclaim": a third thread asks the shrinker for all idle pages again and again, with a pause of
 * 50 us; so nearly every transaction brings its pages anew.  The peers have no such thread.
 *
 * Every cell is taken once in each round, one after the other; the first round warms up and says how
 * many transactions make about 20 ms.  CPU time is that of all threads of the process, the kernel's
 * part included; it is what to compare by where other programs run, and so what the ratio is of.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <binder.h>
#include <vmarea/shrinker.h>
#include <vmarea/vmarea.h>

#include "binder_bench.h"

#define AT		0x10000000ul
#define MAPPED		(1ul << 20)
#define MAX_BYTES	65536u
#define PAUSE_NS	50000
#define CELL_NS		20e6
#define PATTERN		0x0707070707070707u

unsigned int rounds;
bool quick;

static unsigned char out[MAX_BYTES], in[MAX_BYTES];

/* Every word; payloads are multiples of eight of bytes that are the same. */
static void look(const unsigned char *bytes, size_t nr)
{
	uint64_t sum = 0, word;

	for (size_t i = 0; i < nr; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word ^ PATTERN;
	}
	must(!sum);
}

/* ------------------------------------------------------------------------- ways: Binder -- */

static struct {
	struct vmarea *v;
	struct binder_pool *pool;
	struct mm_user *mm;
	struct binder_proc *proc;
	struct file *file;
	sem_t arrived, answered;
	pthread_t shrinker;
	bool stop;				/* atomic */
	unsigned long reclaimed;		/* the shrinker's, until it is joined */
} b;

static void *shrink(void *arg)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	while (!__atomic_load_n(&b.stop, __ATOMIC_RELAXED)) {
		b.reclaimed += vmarea_shrink(b.v, ~0ul);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void binder_open(const struct binder_range_ops *ops)
{
	struct file_desc desc = { .size = sizeof(desc), .ops = &binder_file_ops,
				  .name = "/dev/binder", .flags = FILE_READ };

	must(!binder_proc_create(b.pool, mm_user_mm(b.mm), ops, &b.proc));
	desc.private_data = binder_proc_get(b.proc);
	must(!file_create(b.v, &desc, &b.file));
	must(mm_mmap(b.mm, AT, MAPPED, PROT_READ, MAP_PRIVATE | MAP_FIXED, b.file, 0) == (long)AT);
	must(!sem_init(&b.arrived, 0, 0) && !sem_init(&b.answered, 0, 0));
}

static void binder_close(void)
{
	must(!mm_munmap(b.mm, AT, MAPPED));
	file_put(b.file);
	binder_proc_put(b.proc);
	sem_destroy(&b.arrived);
	sem_destroy(&b.answered);
}

static void insert_open(void)
{
	binder_open(&binder_by_insert);
}

static void fault_open(void)
{
	binder_open(&binder_by_fault);
}

static void reclaim_begin(void)
{
	b.stop = false;
	b.reclaimed = 0;
	must(!pthread_create(&b.shrinker, NULL, shrink, NULL));
}

static void reclaim_end(void)
{
	__atomic_store_n(&b.stop, true, __ATOMIC_RELAXED);
	pthread_join(b.shrinker, NULL);
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static void binder_bench_send(size_t bytes)
{
	struct binder_message m = { .data = out, .bytes = bytes };

	must(!binder_send(b.proc, &m));
	sem_post(&b.arrived);
}

static void look_in_place(const struct binder_delivery *d)
{
	struct page *pages[MAX_BYTES / 4096 + 1];
	unsigned long offset = d->address % 4096, left = d->bytes;
	long nr = (long)((offset + d->bytes + 4095) / 4096);

	must(mm_pin_pages(b.mm, d->address - offset, (unsigned long)nr, MM_ACCESS_READ, pages) ==
	     nr);
	for (long i = 0; i < nr; i++) {
		unsigned long here = left < 4096 - offset ? left : 4096 - offset;

		look((unsigned char *)page_address(pages[i]) + offset, here);
		left -= here;
		offset = 0;
	}
	mm_unpin_pages(pages, (unsigned long)nr);
}

static void binder_bench_receive(size_t bytes)
{
	struct binder_delivery d;

	wait_for(&b.arrived);
	must(binder_receive(b.proc, &d) && d.bytes == bytes);
	look_in_place(&d);
	must(!binder_done(b.proc, d.address));
}

static void binder_bench_copy(size_t bytes)
{
	struct binder_delivery d;
	enum mm_fault fault;

	wait_for(&b.arrived);
	must(binder_receive(b.proc, &d) && d.bytes == bytes);
	must(mm_read(b.mm, d.address, in, bytes, &fault) == bytes);
	look(in, bytes);
	must(!binder_done(b.proc, d.address));
}

static void binder_answer(void)
{
	sem_post(&b.answered);
}

static void binder_await(void)
{
	wait_for(&b.answered);
}

/* ------------------------------------------------------------------- ways: the kernel's -- */

/* What one thread writes to, the other reads from. */
static struct {
	int to_receiver, at_receiver, to_sender, at_sender;
} k;

static void socket_open(void)
{
	int pair[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	k.to_receiver = k.at_sender = pair[0];
	k.at_receiver = k.to_sender = pair[1];
}

static void socket_close(void)
{
	close(k.to_receiver);
	close(k.to_sender);
}

static void pipe_open(void)
{
	int there[2], back[2];

	must(!pipe(there) && !pipe(back));
	k.at_receiver = there[0];
	k.to_receiver = there[1];
	k.at_sender = back[0];
	k.to_sender = back[1];
}

static void pipe_close(void)
{
	close(k.at_receiver);
	close(k.to_receiver);
	close(k.at_sender);
	close(k.to_sender);
}

static void kernel_send(size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = write(k.to_receiver, out + done, bytes - done);

		must(n > 0);
		done += (size_t)n;
	}
}

static void kernel_receive(size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = read(k.at_receiver, in + done, bytes - done);

		must(n > 0);
		done += (size_t)n;
	}
	look(in, bytes);
}

static void kernel_answer(void)
{
	must(write(k.to_sender, "", 1) == 1);
}

static void kernel_await(void)
{
	char byte;

	must(read(k.at_sender, &byte, 1) == 1);
}

/* -------------------------------------------------------------------------------- cells -- */

struct way {
	const char *name;
	void (*open)(void);
	void (*close)(void);
	void (*send)(size_t bytes);
	void (*receive)(size_t bytes);
	void (*answer)(void);
	void (*await)(void);
	bool reclaim;
};

#define BINDER(name, open, receive, reclaim)						\
	{ name, open, binder_close, binder_bench_send, receive, binder_answer, binder_await,	\
	  reclaim }
#define KERNEL(name, kind)								\
	{ name, kind##_open, kind##_close, kernel_send, kernel_receive, kernel_answer,	\
	  kernel_await, false }

enum { SOCKET };

static const struct way ways[] = {
	[SOCKET] = KERNEL("Unix socket pair", socket),
	KERNEL("pipe", pipe),
	BINDER("Binder by insert", insert_open, binder_bench_receive, false),
	BINDER("Binder by fault", fault_open, binder_bench_receive, false),
	BINDER("Binder by insert, mm_read", insert_open, binder_bench_copy, false),
	BINDER("Binder by insert, reclaim", insert_open, binder_bench_receive, true),
	BINDER("Binder by fault, reclaim", fault_open, binder_bench_receive, true),
};

static const size_t sizes[] = { 128, 4096, 65536 };
static const unsigned int rows[] = { 1, 8 };

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

struct cell {
	unsigned long nr;			/* transactions of a round */
	double a_second[MAX_ROUNDS], cpu_us[MAX_ROUNDS], reclaimed[MAX_ROUNDS];
};

static struct cell cells[NR(rows)][NR(sizes)][NR(ways)];

struct run {
	const struct way *way;
	size_t bytes;
	unsigned long nr;
	unsigned int row;
};

static void *receiver(void *arg)
{
	const struct run *run = arg;

	for (unsigned long i = 1; i <= run->nr; i++) {
		run->way->receive(run->bytes);
		if (i % run->row == 0)
			run->way->answer();
	}
	return NULL;
}

/* Nanoseconds that it took. */
static double make_transactions(struct run *run)
{
	uint64_t start;
	pthread_t id;
	double ns;

	must(!pthread_create(&id, NULL, receiver, run));
	start = now_ns(CLOCK_MONOTONIC);
	for (unsigned long i = 1; i <= run->nr; i++) {
		run->way->send(run->bytes);
		if (i % run->row == 0)
			run->way->await();
	}
	ns = (double)(now_ns(CLOCK_MONOTONIC) - start);
	pthread_join(id, NULL);
	return ns;
}

static void measure(struct cell *cell, const struct way *way, size_t bytes, unsigned int row,
		    int round)
{
	struct run run = { .way = way, .bytes = bytes, .row = row,
			   .nr = round < 0 ? 400 : cell->nr };
	uint64_t cpu;
	double ns;

	way->open();
	if (way->reclaim)
		reclaim_begin();
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	ns = make_transactions(&run);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (way->reclaim)
		reclaim_end();
	way->close();
	if (round < 0) {
		cell->nr = (1 + (unsigned long)(CELL_NS / (ns / (double)run.nr)) / row) * row;
		return;
	}
	cell->a_second[round] = (double)run.nr * 1e9 / ns;
	cell->cpu_us[round] = (double)cpu / 1e3 / (double)run.nr;
	cell->reclaimed[round] = way->reclaim ? (double)b.reclaimed / (double)run.nr : 0;
}

/* ------------------------------------------------------------------------------- tables -- */

static int by_value(const void *a, const void *c)
{
	double x = *(const double *)a, y = *(const double *)c;

	return x < y ? -1 : x > y;
}

struct spread spread_of(const double *samples)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, samples, sizeof(sorted));
	qsort(sorted, rounds, sizeof(sorted[0]), by_value);
	return (struct spread){ sorted[0], sorted[rounds / 2], sorted[rounds - 1] };
}

static void print_cell(const struct cell *cell, const struct cell *peer, const char *name)
{
	struct spread rate = spread_of(cell->a_second), cpu = spread_of(cell->cpu_us), ratio;
	double ratios[MAX_ROUNDS];
	char rates[64], cpus[64];

	for (unsigned int i = 0; i < rounds; i++)
		ratios[i] = cell->cpu_us[i] / peer->cpu_us[i];
	ratio = spread_of(ratios);
	snprintf(rates, sizeof(rates), "%.0f [%.0f..%.0f]", rate.middle, rate.least, rate.most);
	snprintf(cpus, sizeof(cpus), "%.2f [%.2f..%.2f]", cpu.middle, cpu.least, cpu.most);
	printf("  %-26s %-26s %-22s %5.2f [%.2f..%.2f]", name, rates, cpus, ratio.middle,
	       ratio.least, ratio.most);
	if (spread_of(cell->reclaimed).most > 0)
		printf("   %.2f pages reclaimed", spread_of(cell->reclaimed).middle);
	printf("\n");
}

static void print_tables(void)
{
	struct utsname name;

	uname(&name);
	printf("%s %s, transactions a second between two threads, medians of %u rounds%s\n",
	       name.sysname, name.release, rounds, quick ? ", quick" : "");
	for (unsigned int r = 0; r < NR(rows); r++) {
		for (unsigned int s = 0; s < NR(sizes); s++) {
			char what[32];

			snprintf(what, sizeof(what), "%zu bytes, %s", sizes[s],
				 rows[r] == 1 ? "one at a time" : "8 in a row");
			printf("%-28s %-26s %-22s %s\n", what, "a second", "CPU us each",
			       "CPU, of the socket's");
			for (unsigned int w = 0; w < NR(ways); w++)
				print_cell(&cells[r][s][w], &cells[r][s][SOCKET], ways[w].name);
		}
	}
}

static void measure_round(int round)
{
	for (unsigned int r = 0; r < NR(rows); r++)
		for (unsigned int s = 0; s < NR(sizes); s++)
			for (unsigned int w = 0; w < NR(ways); w++)
				measure(&cells[r][s][w], &ways[w], sizes[s], rows[r], round);
	unmap_measure(round);
}

int main(int argc, char **argv)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;

	quick = argc == 2 && !strcmp(argv[1], "--quick");
	if (argc > 2 || (argc == 2 && !quick)) {
		fprintf(stderr, "usage: binder_bench [--quick]\n");
		return 2;
	}
	rounds = quick ? 5 : MAX_ROUNDS;
	memset(out, PATTERN & 0xff, sizeof(out));
	config.arena_bytes = 64ul << 20;
	must(!vmarea_create(&config, &b.v));
	must(!binder_pool_create(b.v, &b.pool));
	must(!mm_create(b.v, &mm_config, &b.mm));
	for (int round = -1; round < (int)rounds; round++)
		measure_round(round);
	print_tables();
	unmap_print();
	mmput(b.mm);
	binder_pool_destroy(b.pool);
	vmarea_destroy(b.v);
	return 0;
}
