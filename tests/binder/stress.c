/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Binder at random: senders, a shrinker, and receivers that die, unmap, and put something else where
 * their mapping was.
 *
 *	stress [--by insert | fault] [--seconds N] [--seed N]
 *
 * Each of three receivers lives many lives.  In one it opens Binder, maps it, always at the same
 * address, and reads what four senders send to whoever is there.  Then, while they go on, it does one
 * of: exit; unmap; map another driver's file there, over all of it or over a part; map another
 * Binder there; fork.  There are fewer frames than the mappings have pages, so pages are taken away
 * by the fifth thread, and by senders that found none.
 *
 * It goes on for longer, up to twenty times, until each kind of thing has happened at least once.
 *
 * Checked: a message that arrives is whole, and its sender's; a mapping that is not the range's has
 * no page, whenever it is looked at; at the end each frame is back.  That it ends is the absence of
 * a deadlock.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "world.h"

#define NR_SENDERS	4u
#define NR_RECEIVERS	3u
#define NR_PAGES	32ul
#define MAX_BYTES	(6 * PAGE)
#define NR_FRAMES	64u		/* for all of it, tables too */
#define ARENA_BYTES	(2ul << 20)
#define MOST_LONGER	20ul

/* What has to happen, or it was not tested. */
enum thing { NO_ROOM, NOBODY_THERE, NO_MEMORY, READ, LIVED, LOOKED, RECLAIMED, NR_THINGS };

static const char *const thing_names[] = {
	"no room for a message", "nobody to send to", "no memory for a message", "a message read",
	"a second life of a receiver", "a look at a foreign VMA", "a page reclaimed",
};

struct header {
	uint64_t seed, bytes, sender;
};

struct thread {
	pthread_t id;
	uint64_t random;
	unsigned int nr;
	unsigned long sent, refused[3], read, unread, lives, looked, reclaimed;
};

static struct world w;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct binder_proc *table[NR_RECEIVERS];		/* table_lock */
static bool stop_senders, stop_receivers;		/* atomic */
static unsigned int happened;				/* atomic: BIT()s of enum thing */
static struct page *kept[ARENA_BYTES / PAGE];
static unsigned int nr_kept;

static uint64_t draw(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

/* All frames but a few are somebody's. */
static void keep_frames(void)
{
	while ((kept[nr_kept] = alloc_page(w.v)))
		nr_kept++;
	for (unsigned int i = 0; i < NR_FRAMES; i++)
		__free_page(kept[--nr_kept]);
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static void it_happened(enum thing thing)
{
	__atomic_fetch_or(&happened, 1u << thing, __ATOMIC_RELAXED);
}

static bool has_happened(enum thing thing)
{
	/* By fault a sender is refused between close and the end of a reference only. */
	return (__atomic_load_n(&happened, __ATOMIC_RELAXED) & 1u << thing) ||
	       (thing == NOBODY_THERE && world_by_fault());
}

static bool all_happened(void)
{
	for (enum thing thing = 0; thing < NR_THINGS; thing++)
		if (!has_happened(thing))
			return false;
	return true;
}

/* --------------------------------------------------------------------- messages -- */

static void fill(unsigned char *bytes, size_t nr, uint64_t seed)
{
	for (size_t i = sizeof(struct header); i < nr; i++)
		bytes[i] = (unsigned char)(draw(&seed) >> 32);
}

static struct binder_proc *target(uint64_t random)
{
	struct binder_proc *proc;

	pthread_mutex_lock(&table_lock);
	proc = table[random % NR_RECEIVERS];
	if (proc)
		binder_proc_get(proc);
	pthread_mutex_unlock(&table_lock);
	return proc;
}

/* Mostly short, now and then several pages. */
static size_t random_bytes(uint64_t *random)
{
	uint64_t r = draw(random);
	size_t most = r & 3 ? 512 : MAX_BYTES - sizeof(struct header);

	return sizeof(struct header) + (r >> 8) % most;
}

static void send_one(struct thread *t, struct binder_proc *proc)
{
	/* By enum thing. */
	static const int reasons[] = { -ENOSPC, -ESRCH, -ENOMEM };
	unsigned char bytes[MAX_BYTES];
	struct header h = { .seed = draw(&t->random) | 1, .bytes = random_bytes(&t->random),
			    .sender = t->nr };
	struct binder_message m = { .data = bytes, .bytes = h.bytes, .sender = (long)t->nr,
				    .oneway = h.seed & 2, .clear = h.seed & 4 };
	int err;

	memcpy(bytes, &h, sizeof(h));
	fill(bytes, h.bytes, h.seed);
	err = binder_send(proc, &m);
	if (!err)
		t->sent++;
	for (unsigned int i = 0; i < 3; i++) {
		if (err == reasons[i]) {
			t->refused[i]++;
			it_happened((enum thing)i);
			err = 0;
			sched_yield();
		}
	}
	CHECK(!err, "send: %d", err);
}

static void *sender(void *arg)
{
	struct thread *t = arg;

	while (!is_set(&stop_senders)) {
		struct binder_proc *proc = target(draw(&t->random));

		if (!proc) {
			sched_yield();
			continue;
		}
		send_one(t, proc);
		binder_proc_put(proc);
	}
	return NULL;
}

static void *shrinker_thread(void *arg)
{
	struct thread *t = arg;

	while (!is_set(&stop_senders)) {
		unsigned long nr = vmarea_shrink(w.v, draw(&t->random) % 64);

		t->reclaimed += nr;
		if (nr)
			it_happened(RECLAIMED);
		sched_yield();
	}
	return NULL;
}

/* -------------------------------------------------------------------- receivers -- */

/*
 * By fault it is the receiver that needs frames for tables.  If there are none it asks for some, as
 * senders do; but all may be in messages that no receiver can read for the same reason.  Then it gives
 * this one back, as a process does that is ended for want of memory.  False: that.
 */
static bool read_message(struct mm_user *mm, const struct binder_delivery *d, void *to)
{
	enum mm_fault fault;

	for (unsigned int tries = 0; tries < 1000; tries++) {
		if (mm_read(mm, d->address, to, d->bytes, &fault) == d->bytes)
			return true;
		CHECK(world_by_fault() && fault == MM_FAULT_OOM, "%lx: fault %d", d->address, fault);
		vmarea_shrink(w.v, 1);
		sched_yield();
	}
	return false;
}

static void check_message(const struct binder_delivery *d, const unsigned char *found)
{
	unsigned char should_be[MAX_BYTES];
	struct header h;

	memcpy(&h, found, sizeof(h));
	CHECK(h.bytes == d->bytes && (long)h.sender == d->sender, "%lx: header", d->address);
	memcpy(should_be, &h, sizeof(h));
	fill(should_be, h.bytes, h.seed);
	CHECK(!memcmp(found, should_be, d->bytes), "%lx: bytes", d->address);
}

static bool read_one(struct thread *t, struct mm_user *mm, struct binder_proc *proc)
{
	unsigned char found[MAX_BYTES];
	struct binder_delivery d;
	int err;

	if (!binder_receive(proc, &d))
		return false;
	CHECK(d.bytes >= sizeof(struct header) && d.bytes <= MAX_BYTES, "%zu bytes", d.bytes);
	if (read_message(mm, &d, found)) {
		check_message(&d, found);
		t->read++;
		it_happened(READ);
	} else {
		t->unread++;
	}
	err = binder_done(proc, d.address);
	CHECK(!err, "%d", err);
	return true;
}

/* Looks at pages [first, end) for a while: they are not the range's. */
static void watch(struct thread *t, struct mm_user *mm, unsigned long first, unsigned long end)
{
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned long nr = first; nr < end; nr++)
			CHECK(!has_page(mm, AT + nr * PAGE), "a page at %lu of a foreign VMA", nr);
		t->looked += end - first;
		it_happened(LOOKED);
		sched_yield();
	}
}

/* mmap() and its kind may be out of memory for tables; then there is nothing to look at. */
static bool done(long result, long expected)
{
	CHECK(result == expected || result == -ENOMEM, "%ld", result);
	return result == expected;
}

static void end_by_unmap(struct thread *t, struct mm_user *mm)
{
	if (done(mm_munmap(mm, AT, NR_PAGES * PAGE), 0))
		watch(t, mm, 0, NR_PAGES);
}

static void end_by_foreign(struct thread *t, struct mm_user *mm)
{
	unsigned long first = draw(&t->random) % NR_PAGES;
	unsigned long end = first + 1 + draw(&t->random) % (NR_PAGES - first);
	unsigned long at = AT + first * PAGE;

	if (done(foreign_map(&w, mm, at, end - first), (long)at))
		watch(t, mm, first, end);
}

static void end_by_another(struct thread *t, struct mm_user *mm)
{
	struct end other;

	end_open(&w, mm, &other);
	if (done(end_map(&other, mm, AT, NR_PAGES), (long)AT))
		watch(t, mm, 0, NR_PAGES);
	end_close(&other);
}

static void end_by_fork(struct thread *t, struct mm_user *mm)
{
	struct mm_user *child;
	int err = mm_fork(mm, &child);

	if (!done(err, 0))
		return;
	watch(t, child, 0, NR_PAGES);
	mmput(child);
	end_by_foreign(t, mm);
}

static void end_by_exit(struct thread *t, struct mm_user *mm)
{
}

static void (*const ways[])(struct thread *t, struct mm_user *mm) = {
	end_by_exit, end_by_unmap, end_by_foreign, end_by_another, end_by_fork,
};

#define NR_WAYS	(sizeof(ways) / sizeof(ways[0]))

static void publish(struct thread *t, struct binder_proc *proc)
{
	pthread_mutex_lock(&table_lock);
	table[t->nr] = proc;
	pthread_mutex_unlock(&table_lock);
}

static void live(struct thread *t)
{
	unsigned int nr = (unsigned int)(draw(&t->random) % 300);
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;
	struct end end;

	if (mm_create(w.v, &config, &mm)) {
		sched_yield();
		return;
	}
	end_open(&w, mm, &end);
	if (end_map(&end, mm, AT, NR_PAGES) != (long)AT)
		goto out;
	publish(t, end.proc);
	while (nr && !is_set(&stop_receivers)) {
		if (read_one(t, mm, end.proc))
			nr--;
		else
			sched_yield();
	}
	ways[draw(&t->random) % NR_WAYS](t, mm);
	if (t->lives++)
		it_happened(LIVED);
out:
	/* While it is sent to; then the last reference is perhaps a sender's, or the shrinker's. */
	if (draw(&t->random) & 1) {
		mmput(mm);
		publish(t, NULL);
	} else {
		publish(t, NULL);
		mmput(mm);
	}
	end_close(&end);
}

static void *receiver(void *arg)
{
	struct thread *t = arg;

	while (!is_set(&stop_receivers))
		live(t);
	return NULL;
}

/* ------------------------------------------------------------------------ the run -- */

static void start(struct thread *t, unsigned int nr, uint64_t seed, void *(*fn)(void *))
{
	*t = (struct thread){ .nr = nr, .random = (seed + 1) * 0x9e3779b97f4a7c15u + nr + 1 };
	CHECK(!pthread_create(&t->id, NULL, fn, t), "no thread");
}

static void run_for(unsigned long seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds };

	while (nanosleep(&left, &left))
		;
}

static unsigned long number(const char *option, const char *text, unsigned long most)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	if (*rest || rest == text || n > most) {
		fprintf(stderr, "%s: %s is not a number up to %lu\n", option, text, most);
		exit(2);
	}
	return n;
}

static void report(const struct thread *senders, const struct thread *receivers,
		   const struct thread *shrinker)
{
	struct thread sum = { .reclaimed = shrinker->reclaimed };

	for (unsigned int i = 0; i < NR_SENDERS; i++) {
		sum.sent += senders[i].sent;
		for (unsigned int j = 0; j < 3; j++)
			sum.refused[j] += senders[i].refused[j];
	}
	for (unsigned int i = 0; i < NR_RECEIVERS; i++) {
		sum.read += receivers[i].read;
		sum.unread += receivers[i].unread;
		sum.lives += receivers[i].lives;
		sum.looked += receivers[i].looked;
	}
	printf("%lu sent, %lu read, %lu unread for want of memory; refused: %lu no room, "
	       "%lu nobody there, %lu no memory\n", sum.sent, sum.read, sum.unread,
	       sum.refused[0], sum.refused[1], sum.refused[2]);
	printf("%lu lives, %lu foreign pages looked at, %lu reclaimed\n", sum.lives, sum.looked,
	       sum.reclaimed);
	CHECK(sum.read <= sum.sent, "more read than sent");
	for (enum thing thing = 0; thing < NR_THINGS; thing++)
		CHECK(has_happened(thing), "never happened, so not tested: %s", thing_names[thing]);
}

int main(int argc, char **argv)
{
	struct thread senders[NR_SENDERS], receivers[NR_RECEIVERS], shrinker;
	unsigned long seconds = 10, seed = 1;

	world_choose(&argc, argv);
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 < argc && !strcmp(argv[i], "--seconds")) {
			seconds = number(argv[i], argv[i + 1], 86400);
		} else if (i + 1 < argc && !strcmp(argv[i], "--seed")) {
			seed = number(argv[i], argv[i + 1], ~0ul);
		} else {
			fprintf(stderr, "usage: stress [--by insert | fault] [--seconds N] [--seed N]\n");
			return 2;
		}
	}
	world_open(&w, ARENA_BYTES);
	keep_frames();
	for (unsigned int i = 0; i < NR_RECEIVERS; i++)
		start(&receivers[i], i, seed, receiver);
	for (unsigned int i = 0; i < NR_SENDERS; i++)
		start(&senders[i], i, seed + 100, sender);
	start(&shrinker, 0, seed + 200, shrinker_thread);
	run_for(seconds);
	for (unsigned long longer = seconds; longer < MOST_LONGER * seconds && !all_happened(); longer++)
		run_for(1);
	__atomic_store_n(&stop_receivers, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < NR_RECEIVERS; i++)
		pthread_join(receivers[i].id, NULL);
	__atomic_store_n(&stop_senders, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < NR_SENDERS; i++)
		pthread_join(senders[i].id, NULL);
	pthread_join(shrinker.id, NULL);
	while (nr_kept)
		__free_page(kept[--nr_kept]);
	world_close(&w);
	report(senders, receivers, &shrinker);
	return 0;
}
