/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads that move pages to other frames, look which are idle, write them back, cut and punch their
 * files, beside faults, forks and calls of four mms that map them.
 *
 *	stress_files [--seconds N | --rounds N] [--arena MIB] [--seed N]
 *
 * Reclaim takes what it finds: anonymous pages and those of the first file go to swap, in memory.
 *
 * Two files: one that is memory, and one whose bytes are kept in an array, by hooks that fail now
 * and then.  Each mm maps both, shared and private, and anonymous memory, private and shared with
 * its relatives; areas of 64 pages (files.h), so that all meet in few pages.  Threads work on any
 * mm, and forks take the place of others.
 *
 * What is checked.  A word is stored to by one thread only, and says its place, its mm if it is
 * private, and how many stores that thread has made; 16 bits of it are a hash of these.  So
 *
 *	torn or foreign	the hash is wrong; a private word in a file, a word for files of an mm; a
 *			private word of no ancestor, or stored there after the fork
 *	lost		a thread's own last store to a page that is never cut or punched is there:
 *			by any mapping, by file_read(), and after a sync in the array.  It counts in
 *			private pages that no call takes away: none of these loses a count.  What others
 *			have stored does not become older.
 *	back again	after a cut a page has zeros or what was stored to it last
 *
 * After each round the threads rest.  All errors of write-back are told, the file is synced, and
 * then every mapping shows what the array has, and file_read() reads it; each mm and the machine are
 * validated and the frames counted (census.c).  Every fourth round begins with no mm and no page.
 * At the end nothing is left, and what the last file_put() has written back is in the array.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "files.h"
#include "options.h"

#define ROUND_OPS	3000u
#define ROUNDS_BETWEEN	4u
#define SWAP_PAGES	1024u

struct vmarea *instance;
struct file *files[NR_FILES];
uint64_t store[REGION_PAGES * PAGE / 8];
pthread_mutex_t size_lock = PTHREAD_MUTEX_INITIALIZER;
struct thread threads[NR_THREADS];

static unsigned char swap[SWAP_PAGES][PAGE];
static struct space *all_spaces;
static pthread_mutex_t spaces_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t next_id = 1;
static pthread_barrier_t barrier;
static unsigned long nr_rounds;
static struct stress_options opts = { .nr_rounds = 40, .arena_mib = 16 };
static bool last_round;
static unsigned long counts[NR_THREADS][NR_OPS][NR_OUTCOMES];

/* ----------------------------------------------------------------------------- words -- */

static uint64_t hash_of(enum region region, unsigned long page, unsigned int thread, uint64_t rest)
{
	/* mremap() takes pages from one to the other. */
	static const unsigned char kinds[NR_REGIONS] = {
		[ANON_MOVED] = 0, [ANON] = 0, [ANON_SHARED] = 1, [SHMEM_SHARED] = 2,
		[SHMEM_PRIVATE] = 2, [DISK_SHARED] = 3, [DISK_MOVED] = 3, [DISK_PRIVATE] = 3,
		[COUNTERS] = 4, [COUNTERS_OF_DISK] = 3,
	};
	uint64_t h = rest ^ ((kinds[region] * REGION_PAGES + page) * NR_THREADS + thread);

	h = (h ^ h >> 29) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 32) * 0xbf58476d1ce4e5b9ull;
	return h >> 48;
}

uint64_t stamp(enum region region, unsigned long page, unsigned int thread, uint32_t mm,
	       uint32_t ticket)
{
	uint64_t rest = (uint64_t)(mm & 0xffff) << 32 | ticket;

	return hash_of(region, page, thread, rest) << 48 | rest;
}

uint32_t stamp_read(enum region region, unsigned long page, unsigned int thread, uint64_t word,
		    uint32_t *mm)
{
	uint64_t rest = word & 0xffffffffffffull;

	*mm = (uint32_t)(rest >> 32);
	CHECK(!word || word >> 48 == hash_of(region, page, thread, rest),
	      "page %lu of region %d has %#lx for thread %u", page, region, (unsigned long)word,
	      thread);
	return (uint32_t)rest;
}

/* -------------------------------------------------------------------- address spaces -- */

static struct space *space_enter(struct space *s)
{
	struct ancestor *me = &s->line[s->depth++];

	/* 0 is for files. */
	do
		me->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	while (!(me->id & 0xffff));
	memset(me->until, 0xff, sizeof(me->until));
	pthread_mutex_lock(&spaces_lock);
	s->next = all_spaces;
	all_spaces = s;
	pthread_mutex_unlock(&spaces_lock);
	return s;
}

static struct space *space_alloc(void)
{
	struct space *s = calloc(1, sizeof(*s));

	CHECK(s, "calloc");
	s->refs = 1;
	return s;
}

struct space *space_root(void)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct space *s = space_alloc();

	if (mm_create(instance, &config, &s->mm)) {
		free(s);
		return NULL;
	}
	return space_enter(s);
}

/* What a counter is at least: what was stored before the fork. */
static void inherit_counters(struct space *child, struct space *parent)
{
	struct counter *to = child->counters[0][0], *from = parent->counters[0][0];

	for (unsigned long i = 0; i < 2 * NR_COUNTERS * NR_THREADS; i++)
		to[i].least = __atomic_load_n(&from[i].least, __ATOMIC_RELAXED);
}

struct space *space_fork(struct space *parent, long *err)
{
	struct space *s;

	if (parent->depth == MAX_DEPTH)
		return NULL;
	s = space_alloc();
	inherit_counters(s, parent);
	*err = mm_fork(parent->mm, &s->mm);
	if (*err) {
		free(s);
		return NULL;
	}
	memcpy(s->line, parent->line, sizeof(s->line));
	s->depth = parent->depth;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		s->line[s->depth - 1].until[i] = __atomic_load_n(&threads[i].tickets,
								 __ATOMIC_RELAXED);
	return space_enter(s);
}

struct space *space_get(struct space *s)
{
	__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void space_put(struct space *s, bool async)
{
	struct space **link = &all_spaces;

	if (__atomic_fetch_sub(&s->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	pthread_mutex_lock(&spaces_lock);
	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	pthread_mutex_unlock(&spaces_lock);
	if (async)
		mmput_async(s->mm);
	else
		mmput(s->mm);
	free(s);
}

/* ------------------------------------------------------------------------------- files -- */

static bool disk_is_well;			/* at rest */
static unsigned char busy[REGION_PAGES];	/* atomic: one at a time for each page */

static int map_file(struct file *file, struct vma_new *vma)
{
	(void)file;
	(void)vma;
	return 0;
}

static unsigned long enter_disk(uint64_t offset, size_t bytes)
{
	unsigned long page = offset / PAGE;

	CHECK(offset % PAGE == 0 && bytes && bytes <= PAGE && page < REGION_PAGES,
	      "asked for %zu bytes at %#lx", bytes, (unsigned long)offset);
	CHECK(!__atomic_exchange_n(&busy[page], 1, __ATOMIC_RELAXED), "page %lu, twice at once", page);
	return page;
}

static int leave_disk(unsigned long page)
{
	static unsigned int calls;
	bool well = disk_is_well || __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 64 != 63;

	__atomic_store_n(&busy[page], 0, __ATOMIC_RELAXED);
	return well ? 0 : -EIO;
}

static int read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	unsigned long page = enter_disk(offset, bytes);
	uint64_t *word = to;

	(void)file;
	for (unsigned long i = 0; i < bytes / 8; i++)
		word[i] = kept(offset + 8 * i);
	sched_yield();
	return leave_disk(page);
}

static int write_page(struct file *file, uint64_t offset, const void *from, size_t bytes)
{
	unsigned long page = enter_disk(offset, bytes);
	const uint64_t *word = from;

	(void)file;
	for (unsigned long i = 0; i < bytes / 8; i++) {
		keep(offset + 8 * i, __atomic_load_n(&word[i], __ATOMIC_RELAXED));
		if (i % 128 == 127)
			sched_yield();
	}
	return leave_disk(page);
}

static const struct file_operations disk_ops = {
	.owner = "disk", .mmap = map_file, .read_page = read_page, .write_page = write_page,
};

/* Fails now and then, to write: then the page stays. */
static int write_slot(void *nothing, uint64_t slot, const void *from)
{
	(void)nothing;
	if (slot % 61 == 60 && !disk_is_well)
		return -EIO;
	memcpy(swap[slot], from, PAGE);
	return 0;
}

static int read_slot(void *nothing, uint64_t slot, void *to)
{
	(void)nothing;
	memcpy(to, swap[slot], PAGE);
	return 0;
}

static void open_swap(void)
{
	static const struct swap_ops ops = { .read_page = read_slot, .write_page = write_slot };
	const struct swap_desc desc = {
		.size = sizeof(desc), .name = "swap", .ops = &ops, .nr_slots = SWAP_PAGES,
	};
	unsigned int id;

	CHECK(!vmarea_swapon(instance, &desc, &id), "no swap");
}

static void open_machine(unsigned long mib)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct file_desc desc = {
		.size = sizeof(desc), .name = "/shmem", .flags = FILE_READ | FILE_WRITE | FILE_SHMEM,
		.size_bytes = REGION_PAGES * PAGE,
	};

	config.arena_bytes = mib << 20;
	CHECK(!vmarea_create(&config, &instance), "no machine");
	open_swap();
	CHECK(!file_create(instance, &desc, &files[SHMEM]), "no file");
	desc.name = "/disk";
	desc.flags = FILE_READ | FILE_WRITE;
	desc.ops = &disk_ops;
	CHECK(!file_create(instance, &desc, &files[DISK]), "no file");
	desc.same_inode = files[DISK];
	for (unsigned int i = 0; i < NR_THREADS; i++)
		CHECK(!file_create(instance, &desc, &threads[i].disk), "no file");
}

/* ------------------------------------------------------------------------------ at rest -- */

static void take_census(void)
{
	char why[256] = "";

	census_begin(instance);
	for (struct space *s = all_spaces; s; s = s->next) {
		CHECK(!mm_validate(s->mm, why, sizeof(why)), "%s", why);
		census_mm(s->mm);
	}
	census_end(instance);
}

static void sync_all(void)
{
	int err;

	/* Each of these was told by nobody: one at a time. */
	(void)!file_sync(files[DISK], 0, UINT64_MAX);
	err = file_sync(files[DISK], 0, UINT64_MAX);
	CHECK(!err, "%d", err);
}

static void check_mapping(const struct space *s, enum region region, unsigned long page,
			  const uint64_t *want, size_t bytes)
{
	uint64_t have[PAGE / 8];
	enum mm_fault fault;
	size_t nr = mm_read(s->mm, addr_of(region, page), have, bytes, &fault);

	CHECK(!memcmp(have, want, nr), "page %lu of region %d of mm %u is not what is kept", page,
	      region, space_id(s));
}

/* What the file has, in all its mappings; of DISK also where it is kept, word by word. */
static void check_page(enum which file, unsigned long page)
{
	uint64_t want[PAGE / 8];
	long nr = file_read(files[file], page * PAGE, want, PAGE);

	if (nr <= 0) {
		CHECK(!nr || nr == -ENOMEM, "%ld", nr);
		return;
	}
	for (unsigned long i = 0; file == DISK && i < (unsigned long)nr / 8; i++)
		CHECK(kept(page * PAGE + 8 * i) == want[i], "page %lu, word %lu: %#lx and not %#lx",
		      page, i, (unsigned long)kept(page * PAGE + 8 * i), (unsigned long)want[i]);
	for (unsigned int t = 0; page < KEPT_PAGES && t < NR_THREADS; t++) {
		uint32_t mm, ticket = stamp_read(file == DISK ? DISK_SHARED : SHMEM_SHARED, page, t,
						 want[shared_word(t) / 8], &mm);

		CHECK(ticket == threads[t].own[file][page], "page %lu lost a store of thread %u",
		      page, t);
	}
	for (const struct space *s = all_spaces; s; s = s->next) {
		check_mapping(s, file == DISK ? DISK_SHARED : SHMEM_SHARED, page, want, (size_t)nr);
		if (file == DISK)
			check_mapping(s, DISK_MOVED, page, want, (size_t)nr);
	}
}

static void check_all(void)
{
	disk_is_well = true;
	sync_all();
	for (unsigned long page = 0; page < REGION_PAGES; page++) {
		check_page(SHMEM, page);
		check_page(DISK, page);
	}
	take_census();
	disk_is_well = false;
}

static void add_up(int op, unsigned long sum[NR_OUTCOMES])
{
	memset(sum, 0, NR_OUTCOMES * sizeof(sum[0]));
	for (unsigned int t = 0; t < NR_THREADS; t++)
		for (int o = 0; o < NR_OUTCOMES; o++)
			sum[o] += counts[t][op][o];
}

static bool all_was_tested(void)
{
	unsigned long sum[NR_OUTCOMES];

	for (int op = 0; op < NR_OPS; op++) {
		add_up(op, sum);
		if (!sum[DONE])
			return false;
	}
	return true;
}

/* Everybody rests; one looks at everything, and says if it goes on. */
static bool rest(struct thread *t, unsigned long round)
{
	pthread_barrier_wait(&barrier);
	if (t->nr == 0) {
		check_all();
		last_round = stress_is_over(&opts, round, all_was_tested());
		nr_rounds = round + 1;
	}
	pthread_barrier_wait(&barrier);
	return !last_round;
}

/* No mm, no page of a file: every frame is free. */
static void begin_anew(struct thread *t)
{
	let_go_of_space(t);
	pthread_barrier_wait(&barrier);
	memset(t->own, 0, sizeof(t->own));
	memset(t->seen, 0, sizeof(t->seen));
	if (t->nr == 0) {
		close_slots(t);
		cut_disk(0);
		file_set_size(files[SHMEM], 0);
		take_census();
		file_set_size(files[DISK], REGION_PAGES * PAGE);
		file_set_size(files[SHMEM], REGION_PAGES * PAGE);
	}
	pthread_barrier_wait(&barrier);
}

/* ---------------------------------------------------------------------------- threads -- */

void count(struct thread *t, enum op op, enum outcome outcome)
{
	counts[t->nr][op][outcome]++;
}

static void *run(void *arg)
{
	struct thread *t = arg;
	unsigned long round = 0;

	CHECK(!soft_tlb_create(SOFT_TLB_MIN_LOG2 + 2, &t->tlb), "no TLB");
	do {
		if (round % ROUNDS_BETWEEN == 0)
			begin_anew(t);
		for (unsigned int i = 0; i < ROUND_OPS; i++)
			operate(t);
	} while (rest(t, round++));
	let_go_of_space(t);
	soft_tlb_destroy(t->tlb);
	return NULL;
}

/* The last of them writes back what was stored since. */
static void close_files(void)
{
	uint64_t word = stamp(DISK_SHARED, 0, 0, 0, UINT32_MAX);

	disk_is_well = true;
	CHECK(file_write(files[DISK], shared_word(0), &word, sizeof(word)) == sizeof(word), "no write");
	for (unsigned int i = 0; i < NR_THREADS; i++)
		file_put(threads[i].disk);
	for (unsigned int i = 0; i < NR_FILES; i++)
		file_put(files[i]);
	take_census();
	vmarea_destroy(instance);
	/* By who put it last: perhaps the thread that takes mms apart. */
	CHECK(kept(shared_word(0)) == word, "the last write is lost");
}

static const char *const op_names[NR_OPS] = {
	[OP_LOAD] = "load", [OP_STORE] = "store", [OP_SOFT_STORE] = "soft store", [OP_COUNT] = "count", [OP_FAULT] = "fault",
	[OP_FILE_READ] = "file read", [OP_FILE_WRITE] = "file write", [OP_MIGRATE] = "migrate",
	[OP_MIGRATE_FILE] = "migrate a file's", [OP_IDLE] = "idle", [OP_CLEAN] = "clean",
	[OP_UNMAP_PAGE] = "unmap a page", [OP_SYNC] = "sync", [OP_MSYNC] = "msync",
	[OP_SIZE] = "size", [OP_PUNCH] = "punch", [OP_REMOVE] = "REMOVE",
	[OP_UNMAP_RANGE] = "unmap a range", [OP_UNMAP_TRY] = "try to", [OP_DONTNEED] = "DONTNEED",
	[OP_FREE] = "FREE", [OP_COLD] = "COLD", [OP_PAGEOUT] = "PAGEOUT", [OP_MAP] = "map",
	[OP_UNMAP] = "unmap", [OP_PROTECT] = "protect", [OP_MOVE] = "move", [OP_FORK] = "fork",
	[OP_EXIT] = "exit", [OP_CREATE] = "create", [OP_VALIDATE] = "validate",
	[OP_RECLAIM] = "reclaim",
};

/* For each kind: done, refused, no memory.  How many kinds never succeeded. */
static int report(void)
{
	int never = 0;

	printf("%lu rounds, %u threads; done/refused/no memory:", nr_rounds, NR_THREADS);
	for (int op = 0; op < NR_OPS; op++) {
		unsigned long sum[NR_OUTCOMES];

		add_up(op, sum);
		printf("%s %s %lu/%lu/%lu", op ? "," : "", op_names[op], sum[DONE], sum[REFUSED],
		       sum[NO_MEMORY]);
		if (!sum[DONE]) {
			fprintf(stderr, "%s: it never succeeded (seed %lu)\n", op_names[op], seed);
			never++;
		}
	}
	printf("\n");
	return never;
}

/* -------------------------------------------------------------------------------- main -- */

int main(int argc, char **argv)
{
	stress_options_read(&opts, argc, argv);
	open_machine(opts.arena_mib);
	pthread_barrier_init(&barrier, NULL, NR_THREADS);
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		threads[i].nr = i;
		threads[i].random = (seed + 1) * 0x9e3779b97f4a7c15ul + i * 7919;
		CHECK(!pthread_create(&threads[i].id, NULL, run, &threads[i]), "no thread");
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i].id, NULL);
	close_slots(&threads[0]);
	close_files();
	return report() ? 1 : 0;
}
