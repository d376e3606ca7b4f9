/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Three processes receive what four threads send them, in a machine that has too little memory for
 * all of it: a fourth process goes over more than the limit again and again.  Its pages go to a
 * swap file, Binder's idle ones are taken by their shrinker; and each message arrives as it was sent.
 *
 *	binder [MESSAGES]		of each sender; both ways to show pages, one after the other
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vmarea/reclaim.h>
#include <vmarea/swap.h>
#include <vmarea/vmarea.h>

#include "binder.h"

#define MIB		(1ul << 20)
#define LIMIT		(8 * MIB)
#define GREEDY		(16 * MIB)		/* what the fourth process has */
#define SWAP		(64 * MIB)
#define MAPPED		MIB
#define RECEIVERS	3u
#define SENDERS		4u
#define MAX_WORDS	4096u			/* of 8 bytes: 32 KiB */

/* Whatever must not be: where, and the end. */
#define must(x)							\
	do {							\
		if (!(x)) {					\
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			exit(1);				\
		}						\
	} while (0)

struct process {
	struct mm_user *mm;
	struct binder_proc *proc;
	struct file *file;
	pthread_t thread;
	unsigned long nr, bytes;	/* received: its thread's, until it is joined */
};

struct sender {
	pthread_t thread;
	uint64_t seed;
	unsigned long nr;
	unsigned long nr_again;		/* there was no room just then */
};

static struct vmarea *machine;
static struct process processes[RECEIVERS];
static bool all_sent;			/* atomic: the senders are done */

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 16;
}

/* ------------------------------------------------------------------------------- threads -- */

/* A message says in its first word how the others follow from it. */
static void *send_all(void *arg)
{
	struct sender *me = arg;
	uint64_t words[MAX_WORDS];

	for (unsigned long i = 0; i < me->nr; i++) {
		struct process *to = &processes[next(&me->seed) % RECEIVERS];
		size_t nr = 1 + next(&me->seed) % MAX_WORDS;
		struct binder_message m = {
			.data = words, .bytes = nr * sizeof(*words), .sender = (long)me->seed,
		};
		uint64_t seed = words[0] = next(&me->seed);
		int err;

		for (size_t n = 1; n < nr; n++)
			words[n] = next(&seed);
		while ((err = binder_send(to->proc, &m))) {
			must(err == -ENOSPC || err == -ENOMEM);
			me->nr_again++;
			sched_yield();
		}
	}
	return NULL;
}

static void check(struct process *me, const struct binder_delivery *d)
{
	static _Thread_local uint64_t words[MAX_WORDS];
	enum mm_fault fault;
	uint64_t seed;

	must(mm_read(me->mm, d->address, words, d->bytes, &fault) == d->bytes);
	seed = words[0];
	for (size_t n = 1; n < d->bytes / sizeof(*words); n++)
		must(words[n] == next(&seed));
	me->nr++;
	me->bytes += d->bytes;
}

static void *receive_all(void *arg)
{
	struct process *me = arg;
	struct binder_delivery d;
	bool last;

	do {
		/* Acquire, with main()'s release: what was sent before is there to be received. */
		last = __atomic_load_n(&all_sent, __ATOMIC_ACQUIRE);
		while (binder_receive(me->proc, &d)) {
			check(me, &d);
			must(!binder_done(me->proc, d.address));
		}
		sched_yield();
	} while (!last);
	return NULL;
}

/* Each page has its number in it, and must still have it the next time. */
static void *be_greedy(void *arg)
{
	struct mm_user *mm = arg;
	long at = mm_mmap(mm, 0, GREEDY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	unsigned long round = 0;
	enum mm_fault fault;

	must(at > 0);
	do {
		for (unsigned long i = 0; i < GREEDY / 4096; i++) {
			unsigned long addr = (unsigned long)at + i * 4096, was, now = i + round;

			must(mm_read(mm, addr, &was, sizeof(was), &fault) == sizeof(was));
			must(was == (round ? now - 1 : 0));
			must(mm_write(mm, addr, &now, sizeof(now), &fault) == sizeof(now));
		}
		round++;
	} while (!__atomic_load_n(&all_sent, __ATOMIC_RELAXED));	/* relaxed: a hint to stop */
	return NULL;
}

/* ---------------------------------------------------------------------------------- once -- */

static struct mm_user *new_mm(void)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;

	must(!mm_create(machine, &config, &mm));
	return mm;
}

static void begin(struct process *p, struct binder_pool *pool, const struct binder_range_ops *way)
{
	struct file_desc desc = { .size = sizeof(desc), .ops = &binder_file_ops,
				  .name = "/dev/binder", .flags = FILE_READ };

	*p = (struct process){ .mm = new_mm() };
	must(!binder_proc_create(pool, mm_user_mm(p->mm), way, &p->proc));
	desc.private_data = binder_proc_get(p->proc);
	must(!file_create(machine, &desc, &p->file));
	must(mm_mmap(p->mm, 0, MAPPED, PROT_READ, MAP_PRIVATE, p->file, 0) > 0);
	must(!pthread_create(&p->thread, NULL, receive_all, p));
}

static void end(struct process *p)
{
	mmput(p->mm);
	file_put(p->file);
	binder_proc_put(p->proc);
}

static void run(const char *name, const struct binder_range_ops *way, unsigned long messages)
{
	struct sender senders[SENDERS];
	unsigned long nr = 0, bytes = 0, again = 0;
	struct vmarea_reclaim_stats before, after;
	struct mm_user *greedy = new_mm();
	struct binder_pool *pool;
	pthread_t other;

	vmarea_get_reclaim_stats(machine, &before);
	must(!binder_pool_create(machine, &pool));
	__atomic_store_n(&all_sent, false, __ATOMIC_RELAXED);	/* relaxed: no thread is there yet */
	for (unsigned int i = 0; i < RECEIVERS; i++)
		begin(&processes[i], pool, way);
	must(!pthread_create(&other, NULL, be_greedy, greedy));
	for (unsigned int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .seed = i + 1, .nr = messages };
		must(!pthread_create(&senders[i].thread, NULL, send_all, &senders[i]));
	}
	for (unsigned int i = 0; i < SENDERS; i++) {
		pthread_join(senders[i].thread, NULL);
		again += senders[i].nr_again;
	}
	__atomic_store_n(&all_sent, true, __ATOMIC_RELEASE);	/* receive_all() */
	for (unsigned int i = 0; i < RECEIVERS; i++) {
		pthread_join(processes[i].thread, NULL);
		nr += processes[i].nr;
		bytes += processes[i].bytes;
		end(&processes[i]);
	}
	pthread_join(other, NULL);
	mmput(greedy);
	binder_pool_destroy(pool);
	vmarea_get_reclaim_stats(machine, &after);
	must(nr == SENDERS * messages);
	printf("by %-6s  %lu messages, %lu KiB, each as it was sent; %lu times there was no room;\n"
	       "           pages taken: %lu by Binder's shrinker, %lu to swap\n", name, nr, bytes >> 10,
	       again, (unsigned long)(after.shrunk - before.shrunk),
	       (unsigned long)(after.swapped - before.swapped));
}

int main(int argc, char **argv)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	char *rest = "";
	unsigned long messages = argc > 1 ? strtoul(argv[1], &rest, 10) : 20000;
	FILE *swap = tmpfile();
	struct swap_desc desc = {
		.size = sizeof(desc), .name = "swap", .nr_slots = SWAP / 4096,
		.ops = swap_fd_ops(),
	};
	unsigned int id;

	if (argc > 2 || *rest || !messages || messages > 10000000) {
		fprintf(stderr, "usage: %s [MESSAGES]: of each sender, 1 to 10000000\n", argv[0]);
		return 2;
	}
	must(swap);
	desc.private_data = swap_fd(fileno(swap));
	config.arena_bytes = 64 * MIB;
	must(!vmarea_create(&config, &machine) && !vmarea_swapon(machine, &desc, &id));
	must(!vmarea_set_limit(machine, LIMIT));
	run("insert", &binder_by_insert, messages);
	run("fault", &binder_by_fault, messages);
	vmarea_destroy(machine);
	fclose(swap);
	return 0;
}
