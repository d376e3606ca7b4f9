/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads at random on the pages of several address spaces, that fork and go while they are used.
 *
 *	pages [--seconds N | --rounds N] [--arena MIB] [--seed N]
 *
 * Four threads make the operations of pages_ops.c on up to five mms: loads and stores by the API, by
 * soft TLBs, in a window of this process and through pinned frames; and all the calls that take
 * pages away, move or copy them.  Each mm has eight regions of 4 MiB (pages.h), whose pages lie in
 * the same places, so that all of this meets.  The arena is too small for it: every call and every
 * fault fails for want of a frame many times over.  Tables are x86-64's or RISC-V's, of 3 to 5
 * levels, as the seed has it for each mm that is no child.
 *
 * Checked as they go: what a load finds was stored at this place, by this mm or an ancestor before
 * the fork, and neither before it was discarded nor before what the thread stored there last
 * (pages_stamp.c).  An outcome is one that the call may have.
 *
 * After each round the threads rest, and everything is looked at (census.c).  What they keep
 * meanwhile they keep on purpose: pins, soft TLBs, windows, references to mms.
 *
 * At the end nothing may be left, which vmarea_destroy() sees to; and an operation that never
 * succeeded in the whole run is a failure: it was not tested.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "pages.h"
#include "options.h"

#include "fault/fault.h"
#include "vma/handle.h"

#define ROUND_OPS	3000u
#define ROUNDS_BETWEEN	4u			/* two times that everything goes */

struct vmarea *instance;
struct file *shmem_file, *disk_file;
struct thread threads[NR_THREADS];
struct space *all_spaces;

static pthread_mutex_t spaces_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t next_id = 1;
static pthread_barrier_t barrier;
static unsigned long nr_rounds;
static struct stress_options opts = { .nr_rounds = 40, .arena_mib = 24 };
static unsigned long most_leaves;		/* of 2 MiB, in any census so far */
static bool last_round;
static unsigned long counts[NR_THREADS][NR_OPS][NR_OUTCOMES];

/* -------------------------------------------------------------------- address spaces -- */

static void forget(struct mmu_notifier *notifier, unsigned long start, unsigned long end)
{
	struct space *s = (struct space *)((char *)notifier - offsetof(struct space, notifier));
	unsigned long group = start > BASE ? (start - BASE) / PAGE / SHADOW_GROUP : 0;

	for (; group < NR_PAGES / SHADOW_GROUP && addr_of(group * SHADOW_GROUP) < end; group++) {
		uint64_t was = __atomic_load_n(&s->shadow[group], __ATOMIC_RELAXED);

		while (!__atomic_compare_exchange_n(&s->shadow[group], &was,
						    shadow_word((was >> 37) + 1, 0, 0), false,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
	}
}

static struct space *space_alloc(void)
{
	struct space *s = calloc(1, sizeof(*s));

	CHECK(s, "calloc");
	s->refs = 1;
	s->notifier.invalidate = forget;
	return s;
}

static struct space *space_enter(struct space *s)
{
	struct ancestor *me = &s->line[s->depth++];

	me->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	me->until = UINT32_MAX;
	mmu_notifier_add(mm_mmu(s->mm), &s->notifier);
	pthread_mutex_lock(&spaces_lock);
	s->next = all_spaces;
	all_spaces = s;
	pthread_mutex_unlock(&spaces_lock);
	return s;
}

struct space *space_root(unsigned long random)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct space *s = space_alloc();

	config.task_size = config.mmap_base = config.mmap_legacy_base = 1ul << 38;
	config.table_format = random & 1 ? MM_TABLE_RISCV : MM_TABLE_X86_64;
	config.levels = 3 + (unsigned int)(random >> 8) % 3;
	if (mm_create(instance, &config, &s->mm)) {
		free(s);
		return NULL;
	}
	return space_enter(s);
}

struct space *space_fork(struct space *parent, long *err)
{
	struct space *s;

	if (parent->depth == MAX_DEPTH)
		return NULL;
	s = space_alloc();
	/* What was gone before the fork is gone for the child; the rest it finds out itself. */
	for (unsigned long i = 0; i < 2 * REGION_PAGES; i++)
		s->floor[i] = __atomic_load_n(&parent->floor[i], __ATOMIC_RELAXED);
	*err = mm_fork(parent->mm, &s->mm);
	if (*err) {
		free(s);
		return NULL;
	}
	memcpy(s->line, parent->line, sizeof(s->line));
	s->depth = parent->depth;
	s->line[s->depth - 1].until = stamp_now();
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
	mmu_notifier_del(mm_mmu(s->mm), &s->notifier);
	if (async)
		mmput_async(s->mm);
	else
		mmput(s->mm);
	free(s);
}

/* ------------------------------------------------------------------------------ files -- */

static int map_file(struct file *file, struct vma_new *vma)
{
	(void)file;
	(void)vma;
	return 0;
}

/* The disk is slow, and now and then it fails. */
static int read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	static unsigned int nr_reads;
	unsigned long page = SHARED_FILE * REGION_PAGES + offset / PAGE;

	(void)file;
	if (__atomic_fetch_add(&nr_reads, 1, __ATOMIC_RELAXED) % 64 == 63)
		return -EIO;
	sched_yield();
	for (unsigned long at = 0; at + 8 <= bytes; at += 8) {
		uint64_t word = at % 64 ? at : at ? stamp_of_disk(page) : 0;

		memcpy((char *)to + at, &word, sizeof(word));
	}
	return 0;
}

static const struct file_operations disk_ops = { .mmap = map_file, .read_page = read_page };

static void open_machine(unsigned long mib)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct file_desc desc = {
		.size = sizeof(desc), .name = "/shmem", .flags = FILE_READ | FILE_WRITE | FILE_SHMEM,
		.size_bytes = REGION_PAGES * PAGE,
	};

	config.arena_bytes = mib << 20;
	CHECK(!vmarea_create(&config, &instance), "no machine");
	CHECK(!file_create(instance, &desc, &shmem_file), "no file");
	desc.name = "/disk";
	desc.flags = FILE_READ | FILE_WRITE;
	desc.ops = &disk_ops;
	CHECK(!file_create(instance, &desc, &disk_file), "no file");
}

/* ---------------------------------------------------------------------------- threads -- */

void count(struct thread *t, enum op op, enum outcome outcome)
{
	counts[t->nr][op][outcome]++;
}

static void check_shadow(struct space *s)
{
	struct pgtable *pt = mm_from_user(s->mm)->pgt;

	for (unsigned long group = 0; group < NR_PAGES / SHADOW_GROUP; group++) {
		unsigned long pfn = (uint32_t)s->shadow[group];
		unsigned long i = group * SHADOW_GROUP + (s->shadow[group] >> 32) % SHADOW_GROUP;
		unsigned int level;
		pte_t e;

		if (!pfn)
			continue;
		e = pt_look(pt, addr_of(i), &level);
		CHECK(pte_present(pt->format, e) &&
		      pte_pfn(pt->format, e) + (level == PT_PMD ? i % PT_ENTRIES : 0) == pfn,
		      "nobody told the device that page %lu is not frame %lu any more", i, pfn);
	}
}

/* What a device remembers must still be so, too. */
void take_census(void)
{
	unsigned long nr_leaves;

	census_begin(instance);
	for (struct space *s = all_spaces; s; s = s->next) {
		check_shadow(s);
		census_mm(s->mm);
	}
	for (unsigned int t = 0; t < NR_THREADS; t++)
		for (unsigned int i = 0; i < NR_PINS; i++)
			if (threads[t].pins[i].page)
				census_pin(threads[t].pins[i].page);
	nr_leaves = census_end(instance);
	if (nr_leaves > most_leaves)
		most_leaves = nr_leaves;
}

static void add_up(int op, unsigned long sum[NR_OUTCOMES])
{
	memset(sum, 0, NR_OUTCOMES * sizeof(sum[0]));
	for (unsigned int t = 0; t < NR_THREADS; t++)
		for (int o = 0; o < NR_OUTCOMES; o++)
			sum[o] += counts[t][op][o];
}

static bool memory_was_short(void)
{
	unsigned long stores[NR_OUTCOMES], forks[NR_OUTCOMES];

	add_up(OP_STORE, stores);
	add_up(OP_FORK, forks);
	return stores[NO_MEMORY] || forks[NO_MEMORY];
}

static bool all_was_tested(void)
{
	unsigned long sum[NR_OUTCOMES];

	for (int op = 0; op < NR_OPS; op++) {
		add_up(op, sum);
		if (!sum[DONE])
			return false;
	}
	return memory_was_short();
}

/* Everybody rests; one looks at everything, and says if it goes on. */
static bool rest(struct thread *t, unsigned long round)
{
	pthread_barrier_wait(&barrier);
	if (t->nr == 0) {
		take_census();
		last_round = stress_is_over(&opts, round, all_was_tested());
		nr_rounds = round + 1;
	}
	pthread_barrier_wait(&barrier);
	return !last_round;
}

/*
 * Now and then everything goes, and the frames are one piece again: by and by there is no block of
 * 2 MiB left.
 */
static void begin_anew(struct thread *t)
{
	let_go_of_space(t);
	unpin_all(t);
	pthread_barrier_wait(&barrier);
	if (t->nr == 0) {
		close_slots(t);
		file_set_size(shmem_file, 0);
		file_set_size(disk_file, 0);
		take_census();
		trim(t);
		file_set_size(shmem_file, REGION_PAGES * PAGE);
		file_set_size(disk_file, REGION_PAGES * PAGE);
	}
	pthread_barrier_wait(&barrier);
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
	unpin_all(t);
	soft_tlb_destroy(t->tlb);
	return NULL;
}

static const char *const op_names[NR_OPS] = {
	[OP_LOAD] = "load", [OP_STORE] = "store", [OP_FAULT] = "fault",
	[OP_SOFT_LOAD] = "soft load", [OP_SOFT_STORE] = "soft store",
	[OP_HOST_LOAD] = "host load", [OP_HOST_STORE] = "host store", [OP_REMOTE] = "remote",
	[OP_TRANSLATE] = "translate", [OP_PIN] = "pin", [OP_PINNED_STORE] = "pinned store",
	[OP_GUP_FAST] = "gup_fast", [OP_SHADOW] = "shadow", [OP_MAP] = "map", [OP_UNMAP] = "unmap",
	[OP_PROTECT] = "protect", [OP_MOVE] = "move", [OP_FORK] = "fork", [OP_EXIT] = "exit",
	[OP_EXEC] = "exec", [OP_CREATE] = "create", [OP_DONTNEED] = "DONTNEED", [OP_FREE] = "FREE",
	[OP_COLD] = "COLD", [OP_PAGEOUT] = "PAGEOUT", [OP_POPULATE] = "POPULATE",
	[OP_COLLAPSE] = "COLLAPSE", [OP_HUGEPAGE] = "HUGEPAGE", [OP_GUARD] = "GUARD",
	[OP_REMOVE] = "REMOVE", [OP_WIPE] = "WIPEONFORK", [OP_LOCK] = "lock",
	[OP_MINCORE] = "mincore", [OP_FILE_READ] = "file read", [OP_FILE_WRITE] = "file write",
	[OP_FILE_SIZE] = "file size", [OP_TRIM] = "trim", [OP_VALIDATE] = "validate",
};

/* For each kind: done, refused, no memory.  How many kinds never succeeded. */
static int report(void)
{
	int never = 0;

	printf("%lu rounds, %u threads, up to %lu leaves of 2 MiB; done/refused/no memory:", nr_rounds,
	       NR_THREADS, most_leaves);
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
	if (!memory_was_short()) {
		fprintf(stderr, "there was always memory (seed %lu)\n", seed);
		never++;
	}
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
	file_put(shmem_file);
	file_put(disk_file);
	take_census();
	vmarea_destroy(instance);
	return report() ? 1 : 0;
}
