/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The same calls on the running kernel's userfaultfd and on ours, at random: every result, the areas
 * with their rights and flags, and every byte have to agree.
 *
 * No thread ever waits: memory is looked at as a debugger does, by /proc/self/mem there and by
 * MM_REMOTE_FORCED here, which both refuse to wait.
 *
 *	user_fault_kernel_test [SEED [STEPS]]
 *
 * Skipped, with a word why, where userfaultfd cannot be had.
 */
/* A place of this process that sanitizers and the host leave alone. */
#define SPACE_BASE	0x7ea000000000ul

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vmarea/report.h>

#include "faults.h"

#define PAGES		32ul
#define FILE_PAGES	12ul
#define EXIT_SKIP	77

/* Younger than the headers of some systems. */
struct their_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};

#define THEIR_POISON		_IOWR(UFFDIO, 0x08, struct their_poison)
#define THEIR_FEATURE_POISON	(1ull << 14)

struct world {
	struct memory m;		/* ours */
	struct file *file;
	struct user_faults *uf[2];
	int fd[2], memfd, mem, pagemap;		/* theirs */
	unsigned int seed;
	unsigned long step;
	char last[160];
};

static unsigned int chance(struct world *w, unsigned int n)
{
	return (unsigned int)rand_r(&w->seed) % n;
}

/* -------------------------------------------------------------------------------- theirs -- */

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* Of a call that says in *done how far it came. */
static long their_answer(int ret, const __s64 *done)
{
	return ret && *done <= 0 ? result(ret) : (long)*done;
}

static bool make_theirs(struct world *w)
{
	const __u64 needed = UFFD_FEATURE_MINOR_SHMEM | THEIR_FEATURE_POISON;

	for (int i = 0; i < 2; i++) {
		struct uffdio_api api = { .api = UFFD_API };

		w->fd[i] = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
		if (w->fd[i] < 0) {
			printf("skipped: userfaultfd: %s\n", strerror(errno));
			return false;
		}
		if (ioctl(w->fd[i], UFFDIO_API, &api) || (api.features & needed) != needed) {
			printf("skipped: this kernel's userfaultfd lacks MINOR or POISON\n");
			return false;
		}
	}
	w->memfd = memfd_create("f", 0);
	w->mem = open("/proc/self/mem", O_RDWR);
	w->pagemap = open("/proc/self/pagemap", O_RDONLY);
	assert_true(w->memfd >= 0 && w->mem >= 0 && w->pagemap >= 0);
	assert_int_equal(ftruncate(w->memfd, FILE_PAGES * PAGE), 0);
	return true;
}

/* "[0..3)rw-pu", with u, w, i for um, uw, ui. */
static size_t print_area(char *text, unsigned long start, unsigned long end, const char *rights,
			 const char *modes)
{
	return (size_t)sprintf(text, "[%lu..%lu)%s%s ", (start - SPACE_BASE) / PAGE,
			       (end - SPACE_BASE) / PAGE, rights, modes);
}

static void their_areas(char *text)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start = 0, end = 0;
	char line[512], rights[5] = "";
	bool inside = false;

	assert_non_null(smaps);
	*text = '\0';
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long s, e;
		char r[5];

		if (sscanf(line, "%lx-%lx %4s ", &s, &e, r) == 3) {
			inside = e > SPACE_BASE && s < at(PAGES);
			start = s;
			end = e;
			memcpy(rights, r, sizeof(r));
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			char modes[4] = "";

			if (strstr(line, " um"))
				strcat(modes, "u");
			if (strstr(line, " uw"))
				strcat(modes, "w");
			if (strstr(line, " ui"))
				strcat(modes, "i");
			text += print_area(text, start, end, rights, modes);
		}
	}
	fclose(smaps);
}

/* ---------------------------------------------------------------------------------- ours -- */

static void make_ours(struct world *w)
{
	memory_open(&w->m);
	w->file = space_file(&w->m.s, FILE_PAGES, FILE_SHMEM, FILE_PLACE_SHMEM);
	for (int i = 0; i < 2; i++)
		w->uf[i] = faults_make(&w->m, 0);
}

static int add_area(const struct area_info *info, void *arg)
{
	const char rights[5] = {
		info->flags & VM_READ ? 'r' : '-', info->flags & VM_WRITE ? 'w' : '-',
		info->flags & VM_EXEC ? 'x' : '-', info->flags & VM_MAYSHARE ? 's' : 'p',
	};
	char **text = arg, modes[4] = "";

	if (info->flags & VM_UFFD_MISSING)
		strcat(modes, "u");
	if (info->flags & VM_UFFD_WP)
		strcat(modes, "w");
	if (info->flags & VM_UFFD_MINOR)
		strcat(modes, "i");
	*text += print_area(*text, info->start, info->end, rights, modes);
	return 0;
}

static void our_areas(struct world *w, char *text)
{
	*text = '\0';
	assert_int_equal(mm_for_each_area(w->m.s.mm, SPACE_BASE, at(PAGES), add_area, &text), 0);
}

/* --------------------------------------------------------------------------------- calls -- */

/* What both are asked for; .page and .nr may be odd on purpose. */
struct range {
	unsigned long start, bytes;
};

static struct range some_range(struct world *w)
{
	unsigned long page = chance(w, PAGES), nr = 1 + chance(w, 6);
	struct range r = { at(page), (page + nr > PAGES ? PAGES - page : nr) * PAGE };

	if (!chance(w, 40))
		r.start += 8;
	if (!chance(w, 40))
		r.bytes = chance(w, 2) ? 0 : r.bytes + 8;
	return r;
}

static void agree(struct world *w, long ours, long theirs, const char *what, struct range r,
		  unsigned int how)
{
	snprintf(w->last, sizeof(w->last), "%s [%ld, +%ld) how %u: ours %ld, theirs %ld", what,
		 ((long)r.start - (long)SPACE_BASE) / (long)PAGE, (long)(r.bytes / PAGE), how, ours,
		 theirs);
	if (ours != theirs)
		fail_msg("step %lu: %s", w->step, w->last);
}

static bool has_files(struct world *w, struct range r)
{
	struct area_info info;
	bool file = false;

	for (unsigned long at = r.start; at < r.start + r.bytes && !file; at = info.end) {
		if (mm_query_next(w->m.s.mm, at, &info))
			break;
		file = info.file && info.start < r.start + r.bytes;
		area_info_put(&info);
	}
	return file;
}

/* Both; it does not matter whose it is. */
static void forget(struct world *w, struct range r)
{
	for (int i = 0; i < 2; i++) {
		struct uffdio_range arg = { r.start, r.bytes };
		long theirs = result(ioctl(w->fd[i], UFFDIO_UNREGISTER, &arg));

		agree(w, user_faults_unregister(w->uf[i], r.start, r.bytes), theirs, "unregister",
		      r, (unsigned int)i);
	}
}

static void register_as(struct world *w, unsigned int i, struct range r, unsigned int mode)
{
	struct uffdio_register arg = { .range = { r.start, r.bytes }, .mode = mode };
	long theirs = result(ioctl(w->fd[i], UFFDIO_REGISTER, &arg));

	agree(w, user_faults_register(w->uf[i], r.start, r.bytes, mode), theirs, "register", r,
	      mode);
}

static void do_register(struct world *w)
{
	static const unsigned int modes[] = {
		USER_FAULT_MISSING, USER_FAULT_MISSING, USER_FAULT_MINOR,
		USER_FAULT_MISSING | USER_FAULT_MINOR, 0, 0x80, USER_FAULT_WP,
		USER_FAULT_MISSING | USER_FAULT_WP, USER_FAULT_MISSING | USER_FAULT_WP,
	};
	struct range r = some_range(w);
	unsigned int i = chance(w, 8) ? 0 : 1, mode = modes[chance(w, ARRAY_SIZE(modes))];

	/*
	 * Ours protects anonymous memory only.  And what the kernel registers for less keeps its
	 * marks, which count again later.
	 */
	if ((mode & USER_FAULT_WP) && has_files(w, r))
		mode = USER_FAULT_MISSING;
	if (!(mode & USER_FAULT_WP))
		forget(w, r);
	register_as(w, i, r, mode);
}

static void do_unregister(struct world *w)
{
	struct range r = some_range(w);
	unsigned int i = chance(w, 8) ? 0 : 1;
	struct uffdio_range arg = { r.start, r.bytes };
	long theirs = result(ioctl(w->fd[i], UFFDIO_UNREGISTER, &arg));

	agree(w, user_faults_unregister(w->uf[i], r.start, r.bytes), theirs, "unregister", r, i);
}

static void do_wake(struct world *w)
{
	struct range r = some_range(w);
	struct uffdio_range arg = { r.start, r.bytes };
	long theirs = result(ioctl(w->fd[0], UFFDIO_WAKE, &arg));

	agree(w, user_faults_wake(w->uf[0], r.start, r.bytes), theirs, "wake", r, 0);
}

static unsigned int some_flags(struct world *w)
{
	return !chance(w, 20) ? 0x80 : chance(w, 2) ? USER_FAULT_DONTWAKE : 0;
}

static void do_copy(struct world *w)
{
	static unsigned char bytes[7 * PAGE];
	struct range r = some_range(w);
	unsigned int flags = some_flags(w) | (chance(w, 4) ? 0 : USER_FAULT_PROTECT);
	unsigned int i = chance(w, 8) ? 0 : 1;
	struct uffdio_copy arg = {
		.dst = r.start, .src = (uintptr_t)bytes, .len = r.bytes, .mode = flags,
	};
	long theirs;

	memset(bytes, (int)(w->step % 255 + 1), sizeof(bytes));
	theirs = their_answer(ioctl(w->fd[i], UFFDIO_COPY, &arg), &arg.copy);
	agree(w, user_faults_copy(w->uf[i], r.start, bytes, r.bytes, flags), theirs, "copy", r,
	      flags);
}

/* Theirs has the two flags the other way round. */
static void do_protect_writes(struct world *w)
{
	struct range r = some_range(w);
	unsigned int flags = chance(w, 4) ? chance(w, 2) * USER_FAULT_PROTECT : chance(w, 6);
	struct uffdio_writeprotect arg = {
		.range = { r.start, r.bytes },
		.mode = (flags & USER_FAULT_PROTECT ? UFFDIO_WRITEPROTECT_MODE_WP : 0) |
			(flags & USER_FAULT_DONTWAKE ? UFFDIO_WRITEPROTECT_MODE_DONTWAKE : 0) |
			(flags & ~3u),
	};
	long theirs = result(ioctl(w->fd[0], UFFDIO_WRITEPROTECT, &arg));

	agree(w, user_faults_writeprotect(w->uf[0], r.start, r.bytes, flags), theirs,
	      "writeprotect", r, flags);
}

static void do_zeropage(struct world *w)
{
	struct range r = some_range(w);
	unsigned int flags = some_flags(w);
	struct uffdio_zeropage arg = { .range = { r.start, r.bytes }, .mode = flags };
	long theirs = their_answer(ioctl(w->fd[0], UFFDIO_ZEROPAGE, &arg), &arg.zeropage);

	agree(w, user_faults_zeropage(w->uf[0], r.start, r.bytes, flags), theirs, "zeropage", r,
	      flags);
}

static void do_continue(struct world *w)
{
	struct range r = some_range(w);
	unsigned int flags = some_flags(w);
	struct uffdio_continue arg = { .range = { r.start, r.bytes }, .mode = flags };
	long theirs = their_answer(ioctl(w->fd[0], UFFDIO_CONTINUE, &arg), &arg.mapped);

	agree(w, user_faults_continue(w->uf[0], r.start, r.bytes, flags), theirs, "continue", r,
	      flags);
}

static void do_poison(struct world *w)
{
	struct range r = some_range(w);
	unsigned int flags = some_flags(w);
	struct their_poison arg = { .range = { r.start, r.bytes }, .mode = flags };
	long theirs = their_answer(ioctl(w->fd[0], THEIR_POISON, &arg), &arg.updated);

	agree(w, user_faults_poison(w->uf[0], r.start, r.bytes, flags), theirs, "poison", r, flags);
}

static void do_map(struct world *w)
{
	static const struct {
		int flags;
		bool file;
	} kinds[] = {
		{ MAP_PRIVATE | MAP_ANONYMOUS, false }, { MAP_PRIVATE | MAP_ANONYMOUS, false },
		{ MAP_SHARED | MAP_ANONYMOUS, false }, { MAP_SHARED, true }, { MAP_PRIVATE, true },
	};
	unsigned int kind = chance(w, ARRAY_SIZE(kinds)), prot = chance(w, 4) ? RW : PROT_READ;
	int flags = kinds[kind].flags | MAP_FIXED;
	bool file = kinds[kind].file;
	unsigned long page = chance(w, PAGES - 8), nr = 1 + chance(w, 8);
	unsigned long offset = file ? chance(w, FILE_PAGES) * PAGE : 0;
	struct range r = { at(page), nr * PAGE };
	void *there = mmap((void *)r.start, r.bytes, (int)prot, flags, file ? w->memfd : -1,
			   (off_t)offset);
	long theirs = there == MAP_FAILED ? -errno : (long)there;

	agree(w, mm_mmap(w->m.s.mm, r.start, r.bytes, prot, (unsigned long)flags,
			 file ? w->file : NULL, offset), theirs, "mmap", r, kind);
}

static void do_unmap(struct world *w)
{
	struct range r = { at(chance(w, PAGES)), PAGE };
	long theirs = result(munmap((void *)r.start, r.bytes));

	agree(w, mm_munmap(w->m.s.mm, r.start, r.bytes), theirs, "munmap", r, 0);
}

static void do_protect(struct world *w)
{
	unsigned int prot = chance(w, 3) ? RW : PROT_READ;
	struct range r = { at(chance(w, PAGES - 4)), (1 + chance(w, 4)) * PAGE };
	long theirs = result(mprotect((void *)r.start, r.bytes, (int)prot));

	agree(w, mm_mprotect(w->m.s.mm, r.start, r.bytes, prot), theirs, "mprotect", r, prot);
}

static void do_discard(struct world *w)
{
	struct range r = { at(chance(w, PAGES - 4)), (1 + chance(w, 4)) * PAGE };
	long theirs = result(madvise((void *)r.start, r.bytes, MADV_DONTNEED));

	agree(w, mm_madvise(w->m.s.mm, r.start, r.bytes, MADV_DONTNEED), theirs, "dontneed", r, 0);
}

static void do_move(struct world *w)
{
	unsigned long flags = MREMAP_MAYMOVE | MREMAP_FIXED |
			      (chance(w, 4) ? 0ul : (unsigned long)MREMAP_DONTUNMAP);
	struct range r = { at(chance(w, PAGES - 4)), (1 + chance(w, 4)) * PAGE };
	unsigned long to = at(chance(w, PAGES - 4));
	void *there = mremap((void *)r.start, r.bytes, r.bytes, (int)flags, (void *)to);
	long theirs = there == MAP_FAILED ? -errno : (long)there;

	agree(w, mm_mremap(w->m.s.mm, r.start, r.bytes, r.bytes, flags, to), theirs, "mremap", r,
	      (unsigned int)((to - SPACE_BASE) / PAGE));
}

/* -------------------------------------------------------------------------------- access -- */

/*
 * A load of a file's page maps its neighbours there (fault-around), and what is mapped decides what
 * later calls say.  Not in an area that asks for minor faults; and a store brings one page.
 */
static bool brings_one_page(struct world *w, unsigned long page)
{
	struct area_info info;
	bool one;

	if (mm_query(w->m.s.mm, at(page), &info))
		return true;
	one = !info.file || (info.flags & VM_UFFD_MINOR);
	area_info_put(&info);
	return one;
}

static void look(struct world *w, unsigned long page)
{
	struct range r = { at(page), PAGE };
	unsigned char ours = 0, theirs = 0;
	enum mm_fault fault;
	size_t done;
	long got;

	if (!brings_one_page(w, page))
		return;
	got = pread(w->mem, &theirs, 1, (off_t)byte_at(page)) == 1 ? theirs : -1;
	done = mm_access(w->m.s.mm, byte_at(page), &ours, 1, MM_REMOTE_FORCED, &fault);
	agree(w, done ? ours : -1, got, "load", r, fault);
}

static void store(struct world *w, unsigned long page)
{
	unsigned char byte = (unsigned char)(w->step % 255 + 1);
	struct range r = { at(page), PAGE };
	enum mm_fault fault;
	long theirs = pwrite(w->mem, &byte, 1, (off_t)byte_at(page));
	long ours = (long)mm_access(w->m.s.mm, byte_at(page), &byte, 1,
				    MM_REMOTE_FORCED | MM_REMOTE_WRITE, &fault);

	agree(w, ours ? ours : -1, theirs, "store", r, fault);
}

static void do_look(struct world *w)
{
	look(w, chance(w, PAGES));
}

static void do_store(struct world *w)
{
	store(w, chance(w, PAGES));
}

static void compare_areas(struct world *w)
{
	char ours[4096], theirs[4096];

	our_areas(w, ours);
	their_areas(theirs);
	if (strcmp(ours, theirs))
		fail_msg("step %lu, after %s:\nours   %s\ntheirs %s", w->step, w->last, ours,
			 theirs);
}

/* Which pages are protected. */
static void compare_marks(struct world *w)
{
	uint64_t ours[PAGES], theirs[PAGES];

	assert_int_equal(mm_pagemap_read(w->m.s.mm, at(0), PAGES, ours), PAGES);
	assert_int_equal(pread(w->pagemap, theirs, sizeof(theirs),
			       (off_t)(SPACE_BASE / PAGE * sizeof(*theirs))), sizeof(theirs));
	for (unsigned long i = 0; i < PAGES; i++)
		if ((ours[i] ^ theirs[i]) & MM_PAGEMAP_USER_WP)
			fail_msg("step %lu, after %s: page %lu, pagemap: ours %lx, theirs %lx",
				 w->step, w->last, i, (unsigned long)ours[i],
				 (unsigned long)theirs[i]);
}

static void compare_files(struct world *w)
{
	static unsigned char ours[FILE_PAGES * PAGE], theirs[FILE_PAGES * PAGE];

	assert_int_equal(file_read(w->file, 0, ours, sizeof(ours)), sizeof(ours));
	assert_int_equal(pread(w->memfd, theirs, sizeof(theirs), 0), sizeof(theirs));
	assert_memory_equal(ours, theirs, sizeof(ours));
}

/* ---------------------------------------------------------------------------------- runs -- */

static void run(struct world *w, unsigned long steps)
{
	static void (*const calls[])(struct world *w) = {
		do_register, do_register, do_register, do_unregister, do_copy, do_copy, do_copy,
		do_zeropage, do_continue, do_poison, do_wake, do_protect_writes, do_protect_writes, do_map, do_unmap, do_protect,
		do_discard, do_move, do_look, do_look, do_store, do_store,
	};

	for (w->step = 0; w->step < steps; w->step++) {
		calls[chance(w, ARRAY_SIZE(calls))](w);
		compare_areas(w);
		compare_marks(w);
		if (w->step % 100)
			continue;
		for (unsigned long page = 0; page < PAGES; page++)
			look(w, page);
		compare_files(w);
		memory_validate(w->m.s.mm);
	}
}

static unsigned long seed = 1, nr_steps = 4000;

static void the_kernel_agrees(void **state)
{
	struct world w = { .seed = (unsigned int)seed };

	if (!make_theirs(&w))
		exit(EXIT_SKIP);
	make_ours(&w);
	run(&w, nr_steps);
	for (int i = 0; i < 2; i++) {
		user_faults_put(w.uf[i]);
		close(w.fd[i]);
	}
	compare_areas(&w);
	munmap((void *)SPACE_BASE, PAGES * PAGE);
	close(w.memfd);
	close(w.mem);
	close(w.pagemap);
	assert_int_equal(space_unmap(&w.m.s, 0, PAGES), 0);
	file_put(w.file);
	memory_close(&w.m);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_kernel_agrees) };

	if (argc > 1)
		seed = strtoul(argv[1], NULL, 0);
	if (argc > 2)
		nr_steps = strtoul(argv[2], NULL, 0);
	printf("seed %lu, %lu steps\n", seed, nr_steps);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
