/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The operations: each counts what came of it, and checks what it has seen. */
#include <errno.h>
#include <sched.h>

#include "files.h"

#include "fault/fault.h"
#include "rmap/rmap.h"
#include "vma/handle.h"

#define RW	(PROT_READ | PROT_WRITE)

struct range {
	enum region region;
	unsigned long page, nr;
};

static struct range some_range_in(struct thread *t, enum region region)
{
	struct range r = { .region = region, .page = pick(t, REGION_PAGES) };

	r.nr = 1 + pick(t, pick(t, 4) ? 8 : REGION_PAGES);
	if (r.nr > REGION_PAGES - r.page)
		r.nr = REGION_PAGES - r.page;
	return r;
}

static struct range some_range(struct thread *t)
{
	return some_range_in(t, (enum region)pick(t, NR_CALLED));
}

/* Pages of a file that nobody counts on. */
static struct range some_loose_range(struct thread *t, enum region region)
{
	unsigned long page = KEPT_PAGES + pick(t, CUT_PAGE - KEPT_PAGES);

	return (struct range){ region, page, 1 + pick(t, CUT_PAGE - page) };
}

static void count_call(struct thread *t, enum op op, long result)
{
	count(t, op, result >= 0 ? DONE : result == -ENOMEM ? NO_MEMORY : REFUSED);
}

static void count_fault(struct thread *t, enum op op, enum mm_fault fault)
{
	CHECK(fault <= MM_FAULT_OOM, "outcome %d", fault);
	count(t, op, fault == MM_FAULT_DONE ? DONE : fault == MM_FAULT_OOM ? NO_MEMORY : REFUSED);
}

/* ------------------------------------------------------------------------- what is seen -- */

static uint32_t tickets_of(unsigned int thread)
{
	return __atomic_load_n(&threads[thread].tickets, __ATOMIC_RELAXED);
}

static uint32_t draw(struct thread *t)
{
	uint32_t ticket = t->tickets + 1;

	__atomic_store_n(&t->tickets, ticket, __ATOMIC_RELAXED);
	return ticket;
}

/* The word of a file that @who stores to, as @t has just seen it in the file's own page. */
static void check_file_word(struct thread *t, enum region region, unsigned long page,
			    unsigned int who, uint64_t word)
{
	enum which file = file_of(region);
	uint32_t mm, ticket = stamp_read(region, page, who, word, &mm), own = t->own[file][page];

	CHECK(!mm, "page %lu of region %d has a private word, of mm %u", page, region, mm);
	CHECK(ticket <= tickets_of(who), "page %lu of region %d: store %u is still to come", page,
	      region, ticket);
	if (who == t->nr && page < KEPT_PAGES)
		CHECK(ticket == own, "page %lu of region %d has store %u, and %u was the last",
		      page, region, ticket, own);
	/* What is read in anew after a hole was made may have been written back before. */
	if (who == t->nr && (file == SHMEM || page >= CUT_PAGE))
		CHECK(!ticket || ticket == own, "page %lu of region %d has store %u again, after %u",
		      page, region, ticket, own);
	if (page < KEPT_PAGES) {
		CHECK(ticket >= t->seen[file][page][who],
		      "page %lu of region %d: store %u of thread %u is back after %u", page, region,
		      ticket, who, t->seen[file][page][who]);
		t->seen[file][page][who] = ticket;
	}
}

/* A word of an mm's own. */
static uint32_t check_private_word(const struct space *space, enum region region,
				   unsigned long page, unsigned int who, uint64_t word)
{
	uint32_t mm, ticket = stamp_read(region, page, who, word, &mm);

	for (unsigned int i = space->depth; ticket && i--; ) {
		const struct ancestor *a = &space->line[i];

		if ((a->id & 0xffff) != mm)
			continue;
		CHECK(ticket <= a->until[who],
		      "page %lu of region %d: store %u by mm %u came after the fork", page, region,
		      ticket, mm);
		return ticket;
	}
	CHECK(!ticket, "page %lu of region %d of mm %u has a store %u by mm %u", page, region,
	      space_id(space), ticket, mm);
	return 0;
}

/* A word for files, in a private area or in memory that only relatives share. */
static void check_loose_word(enum region region, unsigned long page, unsigned int who, uint64_t word)
{
	uint32_t mm, ticket = stamp_read(region, page, who, word, &mm);

	CHECK(!mm && ticket <= tickets_of(who), "page %lu of region %d has %#lx", page, region,
	      (unsigned long)word);
}

static enum mm_fault load_word(struct space *space, unsigned long addr, uint64_t *word)
{
	enum mm_fault fault;

	mm_read(space->mm, addr, word, sizeof(*word), &fault);
	return fault;
}

static enum mm_fault store_word(struct space *space, unsigned long addr, uint64_t word)
{
	enum mm_fault fault;

	mm_write(space->mm, addr, &word, sizeof(word), &fault);
	return fault;
}

static void load(struct thread *t)
{
	enum region region = (enum region)pick(t, NR_CALLED);
	unsigned int who = (unsigned int)pick(t, NR_THREADS);
	unsigned long page = pick(t, REGION_PAGES), addr = addr_of(region, page);
	uint64_t word;
	enum mm_fault fault;

	fault = load_word(t->space, addr + private_word(who), &word);
	if (fault == MM_FAULT_DONE && is_shared(region))
		CHECK(!word, "page %lu of region %d shows a private %#lx", page, region,
		      (unsigned long)word);
	else if (fault == MM_FAULT_DONE)
		check_private_word(t->space, region, page, who, word);
	fault = load_word(t->space, addr + shared_word(who), &word);
	if (fault == MM_FAULT_DONE && is_shared(region) && region != ANON_SHARED)
		check_file_word(t, region, page, who, word);
	else if (fault == MM_FAULT_DONE)
		check_loose_word(region, page, who, word);
	count_fault(t, OP_LOAD, fault);
}

static void store_somewhere(struct thread *t)
{
	enum region region = (enum region)pick(t, NR_CALLED);
	unsigned long page = pick(t, REGION_PAGES), addr = addr_of(region, page);
	bool shared = is_shared(region);
	uint32_t ticket = draw(t);
	enum mm_fault fault;

	fault = store_word(t->space,
			   addr + (shared ? shared_word(t->nr) : private_word(t->nr)),
			   stamp(region, page, t->nr, shared ? 0 : space_id(t->space), ticket));
	if (fault == MM_FAULT_DONE && shared && region != ANON_SHARED)
		t->own[file_of(region)][page] = ticket;
	count_fault(t, OP_STORE, fault);
}

/* By entries, so that nobody but these says that the page is dirty. */
static void store_softly(struct thread *t)
{
	static const enum region regions[] = { SHMEM_SHARED, DISK_SHARED, DISK_MOVED };

	if (!t->tlb_space)
		return;
	soft_tlb_begin(t->tlb);
	for (int i = 0; i < 8; i++) {
		enum region region = regions[pick(t, 3)];
		unsigned long page = pick(t, REGION_PAGES);
		uint32_t ticket = draw(t);
		uint64_t *p = soft_tlb_write(t->tlb, addr_of(region, page) + shared_word(t->nr),
					     sizeof(*p));

		if (p) {
			__atomic_store_n(p, stamp(region, page, t->nr, 0, ticket), __ATOMIC_RELAXED);
			t->own[file_of(region)][page] = ticket;
		}
		count_fault(t, OP_SOFT_STORE, p ? MM_FAULT_DONE : t->tlb->fault);
	}
	soft_tlb_end(t->tlb);
}

/* Nobody takes these away: what was stored last is there, whatever has happened to the frame. */
static void count_once(struct thread *t)
{
	unsigned int of_disk = (unsigned int)pick(t, 2);
	enum region region = of_disk ? COUNTERS_OF_DISK : COUNTERS;
	unsigned long page = pick(t, NR_COUNTERS), addr = addr_of(region, page) + private_word(t->nr);
	struct counter *c = &t->space->counters[of_disk][page][t->nr];
	enum mm_fault fault;
	uint32_t ticket;
	uint64_t word;

	fault = load_word(t->space, addr, &word);
	if (fault == MM_FAULT_DONE) {
		ticket = check_private_word(t->space, region, page, t->nr, word);
		CHECK(c->exactly ? ticket == c->least : ticket >= c->least,
		      "page %lu of region %d counts %u, and was at %u", page, region, ticket,
		      c->least);
		__atomic_store_n(&c->least, ticket, __ATOMIC_RELAXED);
		c->exactly = true;
		ticket = draw(t);
		fault = store_word(t->space, addr,
				   stamp(region, page, t->nr, space_id(t->space), ticket));
		if (fault == MM_FAULT_DONE)
			__atomic_store_n(&c->least, ticket, __ATOMIC_RELAXED);
	}
	CHECK(fault != MM_FAULT_MAPERR && fault != MM_FAULT_ACCERR, "a counter is gone: %d", fault);
	count_fault(t, OP_COUNT, fault);
}

static void fault_in(struct thread *t)
{
	count_fault(t, OP_FAULT, mm_handle_fault(t->space->mm,
						 addr_of((enum region)pick(t, NR_CALLED),
							 pick(t, REGION_PAGES)),
						 (enum mm_access)pick(t, 2)));
}

/* -------------------------------------------------------------------------- by the file -- */

static void read_file(struct thread *t)
{
	enum which file = (enum which)pick(t, NR_FILES);
	unsigned long page = pick(t, REGION_PAGES);
	unsigned int who = (unsigned int)pick(t, NR_THREADS);
	uint64_t word = 0;
	long nr = file_read(files[file], page * PAGE + shared_word(who), &word, sizeof(word));

	if (nr == sizeof(word))
		check_file_word(t, file == SHMEM ? SHMEM_SHARED : DISK_SHARED, page, who, word);
	count_call(t, OP_FILE_READ, nr);
}

/* Not where it would make the file longer beside one who makes it shorter. */
static void write_file(struct thread *t)
{
	enum which file = (enum which)pick(t, NR_FILES);
	enum region region = file == SHMEM ? SHMEM_SHARED : DISK_SHARED;
	unsigned long page = pick(t, CUT_PAGE);
	uint32_t ticket = draw(t);
	uint64_t word = stamp(region, page, t->nr, 0, ticket);
	long nr = file_write(files[file], page * PAGE + shared_word(t->nr), &word, sizeof(word));

	if (nr == sizeof(word))
		t->own[file][page] = ticket;
	count_call(t, OP_FILE_WRITE, nr);
}

/* What was stored before it is where it is kept. */
static void sync_file(struct thread *t)
{
	struct range r = some_range_in(t, DISK_SHARED);
	int err = file_sync(t->disk, r.page * PAGE, (r.page + r.nr) * PAGE);

	CHECK(!err || err == -EIO || err == -ENOMEM, "%d", err);
	for (unsigned long page = r.page; !err && page < r.page + r.nr && page < KEPT_PAGES; page++) {
		uint64_t word = kept(page * PAGE + shared_word(t->nr));
		uint32_t mm, ticket = stamp_read(DISK_SHARED, page, t->nr, word, &mm);

		CHECK(ticket == t->own[DISK][page], "page %lu is kept with store %u, after %u", page,
		      ticket, t->own[DISK][page]);
	}
	count_call(t, OP_SYNC, err);
}

static void sync_memory(struct thread *t)
{
	struct range r = some_range(t);

	count_call(t, OP_MSYNC, mm_msync(t->space->mm, addr_of(r.region, r.page), r.nr * PAGE,
					 pick(t, 4) ? MS_SYNC : MS_ASYNC));
}

void cut_disk(unsigned long bytes)
{
	file_set_size(files[DISK], bytes);
	for (unsigned long at = bytes; at < REGION_PAGES * PAGE; at += 8)
		keep(at, 0);
}

static void resize(struct thread *t)
{
	unsigned long bytes = (CUT_PAGE + pick(t, REGION_PAGES - CUT_PAGE)) * PAGE +
			      (pick(t, 2) ? PAGE / 2 : 0);
	bool back = pick(t, 4);

	if (pick(t, 2)) {
		file_set_size(files[SHMEM], bytes);
		if (back)
			file_set_size(files[SHMEM], REGION_PAGES * PAGE);
	} else {
		pthread_mutex_lock(&size_lock);
		cut_disk(bytes);
		if (back)
			file_set_size(files[DISK], REGION_PAGES * PAGE);
		pthread_mutex_unlock(&size_lock);
	}
	count(t, OP_SIZE, DONE);
}

static void punch(struct thread *t)
{
	enum which file = (enum which)pick(t, NR_FILES);
	struct range r = some_loose_range(t, SHMEM_SHARED);

	for (unsigned long at = 0; file == DISK && at < r.nr * PAGE; at += 8)
		keep(r.page * PAGE + at, 0);
	count_call(t, OP_PUNCH, file_punch_hole(files[file], r.page * PAGE, r.nr * PAGE));
}

static void unmap_range(struct thread *t)
{
	struct address_space *mapping = files[pick(t, NR_FILES)]->mapping;
	bool copies = pick(t, 4) == 0;
	struct range r = copies ? some_loose_range(t, SHMEM_SHARED) : some_range_in(t, SHMEM_SHARED);
	enum unmap_what what = copies ? UNMAP_COPIES : UNMAP_SHARED;

	if (pick(t, 2)) {
		unmap_mapping_range(mapping, r.page, r.page + r.nr, what);
		count(t, OP_UNMAP_RANGE, DONE);
	} else {
		count(t, OP_UNMAP_TRY,
		      unmap_mapping_range_try(mapping, r.page, r.page + r.nr, what) ? DONE : REFUSED);
	}
}

/* ------------------------------------------------------------------------- by the frame -- */

/* Of any region, or of a file that perhaps nobody maps; with a reference. */
static struct page *some_frame(struct thread *t)
{
	enum region region = (enum region)pick(t, NR_REGIONS);

	if (!pick(t, 4))
		return filemap_find_page(files[pick(t, NR_FILES)]->mapping, pick(t, REGION_PAGES));
	return gup_fast(mm_from_user(t->space->mm)->pgt,
			addr_of(region, pick(t, region >= COUNTERS ? NR_COUNTERS : REGION_PAGES)),
			PT_READ);
}

static void migrate(struct thread *t, struct page *page)
{
	enum op op = page_flags(page) & PG_ANON ? OP_MIGRATE : OP_MIGRATE_FILE;
	struct page *to = page_alloc(page_arena(page), 0, PAGE_ANYTHING);
	int err = to ? rmap_migrate(page, to) : -ENOMEM;

	CHECK(!err || err == -EAGAIN || err == -EBUSY || err == -ENOMEM, "%d", err);
	count_call(t, op, err);
	if (to)
		page_put(to);
}

/* Its mark was there since the first entry that could be stored through. */
static void clean(struct thread *t, struct page *page)
{
	page_lock(page);
	if (!(page_flags(page) & PG_ANON)) {
		rmap_mkclean(page);
		count(t, OP_CLEAN, DONE);
	}
	page_unlock(page);
}

static void unmap_page(struct thread *t, struct page *page)
{
	struct rmap_unmap how = {
		.leave = RMAP_LEAVE_NONE, .wait = pick(t, 2) ? RMAP_WAIT : RMAP_TRY,
	};

	page_lock(page);
	if (!(page_flags(page) & PG_ANON)) {
		int err = rmap_unmap(page, &how);

		CHECK(!err || err == -EAGAIN || err == -EBUSY, "%d", err);
		if (how.dirty)
			filemap_mark_dirty(page);
		count_call(t, OP_UNMAP_PAGE, err);
	}
	page_unlock(page);
}

static void look_idle(struct thread *t, struct page *page)
{
	enum rmap_wait wait = pick(t, 2) ? RMAP_WAIT : RMAP_TRY;
	bool locked = !(page_flags(page) & PG_ANON);
	int nr;

	if (locked)
		page_lock(page);
	nr = rmap_referenced(page, wait);
	if (locked)
		page_unlock(page);
	CHECK(nr >= 0 || (nr == -EAGAIN && wait == RMAP_TRY), "%d", nr);
	count_call(t, OP_IDLE, nr);
}

static void by_frame(struct thread *t)
{
	struct page *page = some_frame(t);

	if (!page)
		return;
	switch (pick(t, 8)) {
	case 0: look_idle(t, page); break;
	case 1: clean(t, page); break;
	case 2: unmap_page(t, page); break;
	default: migrate(t, page); break;
	}
	page_put(page);
}

/* ------------------------------------------------------------------------- memory calls -- */

static long map(struct space *space, struct range r, unsigned long prot)
{
	enum which which = file_of(r.region);
	struct file *file = which == NO_FILE ? NULL : files[which];

	return mm_mmap(space->mm, addr_of(r.region, r.page), r.nr * PAGE, prot,
		       MAP_FIXED | (is_shared(r.region) ? MAP_SHARED : MAP_PRIVATE) |
		       (file ? 0 : MAP_ANONYMOUS), file, file ? r.page * PAGE : 0);
}

/* Counters last, and all of them: a space without is none. */
static bool map_everything(struct thread *t, struct space *space)
{
	long err = 0;

	for (int region = 0; region < NR_REGIONS; region++) {
		struct range r = { (enum region)region, 0,
				   region >= COUNTERS ? NR_COUNTERS : REGION_PAGES };

		err = map(space, r, RW);
		count_call(t, OP_MAP, err);
	}
	return err >= 0;
}

static void map_something(struct thread *t)
{
	count_call(t, OP_MAP, map(t->space, some_range(t), pick(t, 4) ? RW : PROT_READ));
}

static void unmap(struct thread *t)
{
	struct range r = some_range(t);

	count_call(t, OP_UNMAP, mm_munmap(t->space->mm, addr_of(r.region, r.page), r.nr * PAGE));
	if (pick(t, 2))
		count_call(t, OP_MAP, map(t->space, r, RW));
}

static void protect(struct thread *t)
{
	struct range r = some_range(t);

	count_call(t, OP_PROTECT, mm_mprotect(t->space->mm, addr_of(r.region, r.page), r.nr * PAGE,
					      pick(t, 3) ? RW : PROT_READ));
}

/* To the same place of another region, so that words stay right. */
static void move(struct thread *t)
{
	static const enum region ways[][2] = {
		{ ANON, ANON_MOVED }, { ANON_MOVED, ANON },
		{ DISK_SHARED, DISK_MOVED }, { DISK_MOVED, DISK_SHARED },
	};
	const enum region *way = ways[pick(t, 4)];
	struct range r = some_range_in(t, way[0]);
	long addr = mm_mremap(t->space->mm, addr_of(way[0], r.page), r.nr * PAGE, r.nr * PAGE,
			      MREMAP_MAYMOVE | MREMAP_FIXED, addr_of(way[1], r.page));

	count_call(t, OP_MOVE, addr);
	if (addr >= 0)
		count_call(t, OP_MAP, map(t->space, r, RW));
}

static void advise(struct thread *t, enum op op, struct range r, int advice)
{
	count_call(t, op, mm_madvise(t->space->mm, addr_of(r.region, r.page), r.nr * PAGE, advice));
}

/* Of counters, too: it takes nothing away. */
static void advise_cold(struct thread *t, enum op op, int advice)
{
	struct range r = some_range_in(t, (enum region)pick(t, NR_REGIONS));

	if (r.region >= COUNTERS)
		r = (struct range){ r.region, 0, NR_COUNTERS };
	advise(t, op, r, advice);
}

/* ------------------------------------------------------------------------- whole spaces -- */

static struct {
	pthread_mutex_t lock;
	struct space *space[NR_SLOTS];
} slots = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void attach(struct thread *t)
{
	if (soft_tlb_attach(t->tlb, mm_mmu(t->space->mm), &t->tlb_space))
		t->tlb_space = NULL;
	else
		soft_tlb_switch(t->tlb, t->tlb_space);
}

void let_go_of_space(struct thread *t)
{
	if (t->tlb_space)
		soft_tlb_detach(t->tlb, t->tlb_space);
	t->tlb_space = NULL;
	if (t->space)
		space_put(t->space, pick(t, 4) == 0);
	t->space = NULL;
}

/* Puts @space, which may be NULL, in a slot's place; who was there goes when the last one lets go. */
static void replace_slot(struct thread *t, struct space *space)
{
	struct space **slot = &slots.space[pick(t, NR_SLOTS)], *was;

	pthread_mutex_lock(&slots.lock);
	was = *slot;
	*slot = space;
	pthread_mutex_unlock(&slots.lock);
	if (was)
		space_put(was, pick(t, 2));
}

/* Another space; one that nobody has yet if the slot is empty.  False: no memory for that. */
static bool take_space(struct thread *t)
{
	struct space *made;

	let_go_of_space(t);
	pthread_mutex_lock(&slots.lock);
	made = slots.space[pick(t, NR_SLOTS)];
	t->space = made ? space_get(made) : NULL;
	pthread_mutex_unlock(&slots.lock);
	if (t->space) {
		attach(t);
		return true;
	}
	made = space_root();
	count(t, OP_CREATE, made ? DONE : NO_MEMORY);
	if (!made)
		return false;
	if (!map_everything(t, made)) {
		space_put(made, false);
		return false;
	}
	t->space = space_get(made);
	attach(t);
	replace_slot(t, made);
	return true;
}

static void fork_space(struct thread *t)
{
	long err = -EAGAIN;
	struct space *child = space_fork(t->space, &err);

	count_call(t, OP_FORK, child ? 0 : err);
	if (child)
		replace_slot(t, child);
}

static void exit_space(struct thread *t)
{
	replace_slot(t, NULL);
	count(t, OP_EXIT, DONE);
}

void close_slots(struct thread *t)
{
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		if (slots.space[i])
			space_put(slots.space[i], pick(t, 2));
		slots.space[i] = NULL;
	}
}

static void validate(struct thread *t)
{
	char why[256] = "";

	CHECK(!mm_validate(t->space->mm, why, sizeof(why)), "%s", why);
	count(t, OP_VALIDATE, DONE);
}

static void take_back(struct thread *t)
{
	unsigned long nr = 1 + pick(t, 64);

	count(t, OP_RECLAIM, vmarea_reclaim(instance, nr) ? DONE : REFUSED);
}

/* ------------------------------------------------------------------------------- mixing -- */

static void call(struct thread *t)
{
	switch (pick(t, 24)) {
	case 0: map_something(t); break;
	case 1: case 2: unmap(t); break;
	case 3: case 4: protect(t); break;
	case 5: move(t); break;
	case 6: case 7: advise(t, OP_DONTNEED, some_range(t), MADV_DONTNEED); break;
	case 8: advise(t, OP_FREE, some_range(t), MADV_FREE); break;
	case 9: advise_cold(t, OP_COLD, MADV_COLD); break;
	case 10: advise_cold(t, OP_PAGEOUT, MADV_PAGEOUT); break;
	case 11: case 12: sync_memory(t); break;
	case 13: advise(t, OP_REMOVE, some_loose_range(t, pick(t, 2) ? SHMEM_SHARED : DISK_SHARED),
			MADV_REMOVE); break;
	case 14: exit_space(t); break;
	case 15: validate(t); break;
	case 16: take_back(t); break;
	default: fork_space(t); break;
	}
}

static void by_file(struct thread *t)
{
	switch (pick(t, 12)) {
	case 0: resize(t); break;
	case 1: punch(t); break;
	case 2: case 3: case 4: unmap_range(t); break;
	case 5: case 6: sync_file(t); break;
	case 7: case 8: read_file(t); break;
	default: write_file(t); break;
	}
}

void operate(struct thread *t)
{
	if ((!t->space || !pick(t, 64)) && !take_space(t)) {
		replace_slot(t, NULL);
		return;
	}
	switch (pick(t, 24)) {
	case 0: call(t); break;
	case 1: case 2: by_file(t); break;
	case 3 ... 6: by_frame(t); break;
	case 7 ... 9: count_once(t); break;
	case 10: fault_in(t); break;
	case 11: case 12: store_softly(t); break;
	case 13 ... 16: load(t); break;
	default: store_somewhere(t); break;
	}
}
