/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The same calls, loads and stores in this process and in an mm, at the same addresses, with a
 * child of each: after every step smaps of both must agree in every line, and pagemap in every bit
 * but the frames.
 *
 * Left out: LazyFree, which the kernel counts when it comes to it; Referenced where there are pages
 * of files, which for the kernel stay so when the entry goes that they were used by; the header's
 * device, inode and name.  Of each 64 KiB only the first page is touched, since the kernel maps the
 * neighbours of a file's page that is read along with it.  Whoever has swap on may see a page go: the
 * test wants memory enough.
 *
 * Accessed bits have other readers: reclaim, and DAMON where it runs, look at pages at any time and
 * clear or set what Referenced counts.  So where that line alone differs the steps are made again,
 * and have to agree once.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fault/memory.h"

#define PAGE		SPACE_PAGE
#define STRIDE		16u		/* pages: what the kernel maps around a fault */
#define NR_SPOTS	8u		/* that are touched, each the first of its 64 KiB */
#define NR_PAGES	(STRIDE * NR_SPOTS)
#define STEPS		400
#define TRIES		5
#define TEXT_BYTES	(1u << 19)

enum kind { ANON_PRIVATE, ANON_SHARED, MEMFD_SHARED, MEMFD_PRIVATE, NR_KINDS };

/* A process and an mm that do the same. */
struct side {
	pid_t pid;			/* 0: this one */
	struct mm_user *mm;
	int to, from;			/* commands and their answers, if it is a child */
	int pagemap;
};

struct world {
	struct memory m;
	struct side parent, child;
	struct file *file;
	int memfd;
	char log[STEPS][96];
	int steps;
	bool looked_at;			/* by somebody else: Referenced, and nothing else, differs */
};

static char text[2][TEXT_BYTES];
static int tries_left;

/* ---------------------------------------------------------------------------------- smaps -- */

static void read_all(const char *path, char *to)
{
	int fd = open(path, O_RDONLY);
	size_t len = 0;
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = read(fd, to + len, TEXT_BYTES - 1 - len)) > 0)
		len += (size_t)n;
	assert_true(len < TEXT_BYTES - 1);
	to[len] = 0;
	close(fd);
}

static int append(void *arg, const char *piece, size_t bytes)
{
	size_t *len = arg;

	assert_true(*len + bytes < TEXT_BYTES);
	memcpy(text[1] + *len, piece, bytes);
	*len += bytes;
	text[1][*len] = 0;
	return 0;
}

/* Keeps the blocks of the window, and of them what is to be compared. */
static void keep_window(char *smaps)
{
	char *to = smaps, *line = smaps, *referenced = NULL, *next;
	unsigned long rss = 0, anonymous;
	bool keep = false;

	for (; *line; line = next) {
		unsigned long start, end;
		size_t len;

		next = strchr(line, '\n') + 1;
		len = (size_t)(next - line);
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			keep = start >= at(0) && end <= at(NR_PAGES);
			len = (size_t)(strchr(strchr(line, ' ') + 1, ' ') - line);
		} else if (!strncmp(line, "LazyFree:", 9)) {
			continue;
		}
		if (!keep)
			continue;
		sscanf(line, "Rss: %lu", &rss);
		if (sscanf(line, "Anonymous: %lu", &anonymous) == 1 && anonymous != rss)
			to = referenced;
		if (!strncmp(line, "Referenced:", 11))
			referenced = to;
		memmove(to, line, len);
		to += len;
		if (to[-1] != '\n')
			*to++ = '\n';
	}
	*to = 0;
}

static bool differ_in_referenced_only(const char *a, const char *b)
{
	while (*a && *b) {
		size_t len = strcspn(a, "\n") + 1, other_len = strcspn(b, "\n") + 1;

		if (strncmp(a, "Referenced:", 11) || strncmp(b, "Referenced:", 11))
			if (len != other_len || memcmp(a, b, len))
				return false;
		a += len;
		b += other_len;
	}
	return !*a && !*b;
}

static void print_log(const struct world *w)
{
	for (int i = 0; i < w->steps; i++)
		print_error("  %s\n", w->log[i]);
}

static void compare_smaps(struct world *w, const struct side *side)
{
	char path[64];
	size_t len = 0;
	char *a = text[0], *b = text[1];

	snprintf(path, sizeof(path), "/proc/%d/smaps", side->pid ? side->pid : getpid());
	read_all(path, text[0]);
	text[1][0] = 0;
	assert_int_equal(mm_report_smaps(side->mm, append, &len), 0);
	keep_window(text[0]);
	keep_window(text[1]);
	if (!strcmp(a, b))
		return;
	if (tries_left && differ_in_referenced_only(a, b)) {
		w->looked_at = true;
		return;
	}
	while (*a && *a == *b) {
		a++;
		b++;
	}
	while (a > text[0] && a[-1] != '\n') {
		a--;
		b--;
	}
	print_log(w);
	print_error("%s%s", text[0], text[1]);
	fail_msg("smaps of the %s: kernel '%.40s' here '%.40s'", side->pid ? "child" : "parent",
		 a, b);
}

static void compare_pagemap(struct world *w, const struct side *side)
{
	uint64_t theirs[NR_PAGES], ours[NR_PAGES];

	assert_int_equal(pread(side->pagemap, theirs, sizeof(theirs), (off_t)(at(0) / PAGE * 8)),
			 sizeof(theirs));
	assert_int_equal(mm_pagemap_read(side->mm, at(0), NR_PAGES, ours), NR_PAGES);
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		if (!((theirs[i] ^ ours[i]) & ~MM_PAGEMAP_FRAME & ~MM_PAGEMAP_SOFT_DIRTY))
			continue;
		print_log(w);
		fail_msg("pagemap of the %s, page %u: kernel %016lx here %016lx",
			 side->pid ? "child" : "parent", i, theirs[i], ours[i]);
	}
}

static void compare(struct world *w)
{
	compare_smaps(w, &w->parent);
	compare_pagemap(w, &w->parent);
	if (w->child.pid) {
		compare_smaps(w, &w->child);
		compare_pagemap(w, &w->child);
	}
}

/* ---------------------------------------------------------------------------------- steps -- */

static volatile char *real(unsigned long page)
{
	return (volatile char *)at(page);
}

static bool may(struct mm_user *mm, unsigned long page, unsigned long prot)
{
	uint64_t word;

	assert_int_equal(mm_pagemap_read(mm, at(page), 1, &word), 1);
	return mm_range_ok(mm, at(page), 1, prot) && !(word & MM_PAGEMAP_GUARD);
}

static int open_pagemap(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	return fd;
}

/* The child: does what it is told until it is told to go. */
static void child_main(int from, int to)
{
	struct { unsigned long page; char what; } cmd;

	while (read(from, &cmd, sizeof(cmd)) == sizeof(cmd) && cmd.what != 'q') {
		if (cmd.what == 'w')
			*real(cmd.page) = 2;
		else if (cmd.what == 'r')
			(void)*real(cmd.page);
		if (write(to, &cmd.what, 1) != 1)
			break;
	}
	_exit(0);
}

static void tell(const struct side *side, unsigned long page, char what)
{
	struct { unsigned long page; char what; } cmd = { page, what };

	assert_int_equal(write(side->to, &cmd, sizeof(cmd)), sizeof(cmd));
	if (what != 'q')
		assert_int_equal(read(side->from, &what, 1), 1);
}

static void end_child(struct world *w)
{
	struct side *c = &w->child;

	if (!c->pid)
		return;
	tell(c, 0, 'q');
	assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
	close(c->to);
	close(c->from);
	close(c->pagemap);
	mmput(c->mm);
	*c = (struct side){ 0 };
}

static void fork_child(struct world *w)
{
	struct side *c = &w->child;
	int down[2], up[2];

	end_child(w);
	assert_int_equal(pipe(down) | pipe(up), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (!c->pid) {
		close(down[1]);
		close(up[0]);
		child_main(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	c->to = down[1];
	c->from = up[0];
	c->pagemap = open_pagemap(c->pid);
	assert_int_equal(mm_fork(w->parent.mm, &c->mm), 0);
	tell(c, 0, 'n');
}

static void touch(struct world *w, struct side *side, unsigned long page, bool write)
{
	const enum mm_access access = write ? MM_ACCESS_WRITE : MM_ACCESS_READ;

	if (!may(side->mm, page, write ? PROT_READ | PROT_WRITE : PROT_READ))
		return;
	/* Not mm_read(), which may look at the page without the entry's noticing. */
	assert_int_equal(mm_handle_fault(side->mm, at(page), access), MM_FAULT_DONE);
	if (side->pid)
		tell(side, page, write ? 'w' : 'r');
	else if (write)
		*real(page) = 1;
	else
		(void)*real(page);
}

static void map(struct world *w, enum kind kind, unsigned long page, unsigned long nr)
{
	const unsigned long shared = kind == ANON_SHARED || kind == MEMFD_SHARED ? MAP_SHARED
										 : MAP_PRIVATE;
	const unsigned long anon = kind == ANON_PRIVATE || kind == ANON_SHARED ? MAP_ANONYMOUS : 0;

	assert_true(mmap((void *)at(page), nr * PAGE, RW, (int)(shared | anon | MAP_FIXED),
			 anon ? -1 : w->memfd, 0) == (void *)at(page));
	assert_int_equal(anon ? space_map(&w->m.s, page, nr, RW, shared | anon) :
			 space_map_file(&w->m.s, page, nr, RW, shared, w->file, 0), 0);
}

static void protect(unsigned long page, unsigned long nr, struct world *w, unsigned long prot)
{
	long ours = mm_mprotect(w->m.s.mm, at(page), nr * PAGE, prot);

	assert_int_equal(mprotect((void *)at(page), nr * PAGE, (int)prot) ? -1 : 0, ours ? -1 : 0);
}

static void advise(unsigned long page, unsigned long nr, struct world *w, int advice)
{
	long ours = mm_madvise(w->m.s.mm, at(page), nr * PAGE, advice);

	assert_int_equal(madvise((void *)at(page), nr * PAGE, advice) ? -1 : 0, ours ? -1 : 0);
}

static void lock(unsigned long page, unsigned long nr, struct world *w)
{
	long ours = mm_mlock2(w->m.s.mm, at(page), nr * PAGE, MLOCK_ONFAULT);

	assert_int_equal(mlock2((void *)at(page), nr * PAGE, MLOCK_ONFAULT) ? -1 : 0,
			 ours ? -1 : 0);
}

/* ------------------------------------------------------------------------------------ run -- */

static void open_world(struct world *w)
{
	*w = (struct world){ .steps = 0 };
	memory_open(&w->m);
	w->parent = (struct side){ .mm = w->m.s.mm, .pagemap = open_pagemap(getpid()) };
	w->memfd = memfd_create("pages", 0);
	assert_true(w->memfd >= 0);
	assert_int_equal(ftruncate(w->memfd, NR_PAGES * PAGE), 0);
	w->file = space_file(&w->m.s, NR_PAGES, FILE_SHMEM, FILE_PLACE_SHMEM);
	w->m.s.text[0] = 0;
}

static void close_world(struct world *w)
{
	end_child(w);
	assert_int_equal(munmap((void *)at(0), NR_PAGES * PAGE), 0);
	close(w->parent.pagemap);
	close(w->memfd);
	file_put(w->file);
	memory_close(&w->m);
}

static void step(struct world *w, unsigned int random)
{
	static const unsigned long prots[] = { PROT_NONE, PROT_READ, RW, RW };
	const unsigned long spot = random % NR_SPOTS, page = spot * STRIDE;
	const unsigned long nr = (1 + (random >> 3) % (NR_SPOTS - spot)) * STRIDE;
	const unsigned int what = (random >> 6) % 16, more = random >> 10;
	struct side *side = more & 1 && w->child.pid ? &w->child : &w->parent;

	snprintf(w->log[w->steps++], sizeof(w->log[0]), "what %u of the %s, pages %lu + %lu, more %u",
		 what, side == &w->child ? "child" : "parent", page, nr, more);
	if (what < 4)
		touch(w, side, page, true);
	else if (what < 7)
		touch(w, side, page, false);
	else if (what < 9)
		map(w, (enum kind)(more % NR_KINDS), page, nr);
	else if (what == 9)
		protect(page, nr, w, prots[more % 4]);
	else if (what == 10)
		advise(page, nr, w, MADV_DONTNEED);
	else if (what == 11)
		lock(page, nr, w);
	else if (what == 12)
		advise(page, 1, w, more & 1 ? MADV_GUARD_INSTALL : MADV_GUARD_REMOVE);
	else if (what < 15)
		fork_child(w);
	else
		end_child(w);
}

/* False: somebody else has looked at our pages. */
static bool run_seed(unsigned int seed)
{
	unsigned long x = seed * 0x9e3779b97f4a7c15ul;
	static struct world w;

	open_world(&w);
	snprintf(w.log[w.steps++], sizeof(w.log[0]), "seed %u", seed);
	map(&w, ANON_PRIVATE, 0, NR_PAGES);
	while (w.steps < STEPS && !w.looked_at) {
		x = x * 6364136223846793005ul + 1442695040888963407ul;
		step(&w, (unsigned int)(x >> 40));
		compare(&w);
	}
	close_world(&w);
	return !w.looked_at;
}

static void random_steps(void **state)
{
	for (unsigned int seed = 1; seed <= 4; seed++) {
		tries_left = TRIES;
		while (!run_seed(seed))
			tries_left--;
	}
}

/* Labels and their order, with those that we do not count. */
static void labels(char *smaps, char *out)
{
	bool first = true;

	*out = 0;
	for (char *line = smaps; *line; line = strchr(line, '\n') + 1) {
		size_t len = strcspn(line, ":\n");

		if (line[len] != ':' || strchr("0123456789abcdef", *line)) {
			if (!first)
				break;
			first = false;
			continue;
		}
		strncat(out, line, len + 1);
	}
}

static void same_labels(void **state)
{
	static const struct {
		const char *path;
		int (*report)(struct mm_user *mm, mm_writer write, void *arg);
	} reports[] = {
		{ "/proc/self/smaps", mm_report_smaps },
		{ "/proc/self/smaps_rollup", mm_report_smaps_rollup },
	};
	char theirs[1024], ours[1024];
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 4, RW, ANON), 0);
	for (size_t i = 0; i < 2; i++) {
		char *key;
		size_t len = 0;

		read_all(reports[i].path, text[0]);
		assert_int_equal(reports[i].report(m.s.mm, append, &len), 0);
		labels(text[0], theirs);
		labels(text[1], ours);
		/* Of a machine with protection keys. */
		key = strstr(theirs, "ProtectionKey:");
		if (key)
			memmove(key, key + 14, strlen(key + 14) + 1);
		assert_string_equal(ours, theirs);
	}
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_labels),
		cmocka_unit_test(random_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
