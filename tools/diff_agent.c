/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The agent of `vmarea diff`: makes memory calls on the running kernel and compares each result,
 * and the whole map after it, with what it is told to expect.  diff_agent.h says how the two talk.
 *
 * No C library: no thread-local storage, no allocator, no other areas than those named there.  The
 * kernel's map is read by the PROCMAP_QUERY ioctl, one call an area; smaps and status now and then.
 *
 * Order of the processes after a fork: `turn` is the number of a call, and the process that this
 * call names runs, all others sleep on the word.  A process that was told to exit is gone, its
 * address space torn down, when its pid descriptor becomes readable; the next in turn waits for
 * that.  All share one descriptor table (CLONE_FILES), so that each finds the others' there.
 */
#include <stddef.h>

#include "diff_agent.h"
#include "diff_agent_parts.h"
#include "diff_bytes.h"
#include "diff_text.h"

/* The compiler may ask for these whatever it is told. */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *to, const void *from, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return ret;
}

void *memset(void *to, int byte, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(byte) : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

/* ---------------------------------------------------------------------------------- state -- */

enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, STACK_BYTES = 64 << 10 };

/* Of this process; a fork copies them with the rest of the image. */
static uint32_t me;
static char text[4 * AGENT_TEXT_BYTES];		/* smaps as read */
static char condensed[AGENT_TEXT_BYTES];
static unsigned char in_core[PAGE];		/* mincore()'s answer */
static uint64_t words[AGENT_MAX_PAGES];		/* pagemap's */
static unsigned char io[AGENT_IO_BYTES];	/* of a file */

char agent_stack[STACK_BYTES] __attribute__((aligned(16)));

void leave(void)
{
	for (;;)
		sys1(NR_exit, 0);
}

void set_status(uint32_t status)
{
	__atomic_store_n(&shared->status, status, __ATOMIC_RELEASE);
	sys3(NR_futex, ptr(&shared->status), FUTEX_WAKE, 1 << 30);
	sys3(NR_futex, ptr(&shared->turn), FUTEX_WAKE, 1 << 30);
}

void broken(uint32_t line, long result)
{
	shared->where = line;
	shared->result = result;
	set_status(AGENT_BROKEN);
	leave();
}

/* --------------------------------------------------------------------------- reading the map -- */

struct procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY		0xc0686611u	/* _IOWR('f', 17, struct procmap_query) */
#define COVERING_OR_NEXT	0x10

/* The first area that ends above @addr: 1, or 0 if there is none.  Those of OP_FILL are none. */
static int next_area(int fd, uint64_t addr, struct diff_area *area)
{
	struct procmap_query q = { .size = sizeof(q), .query_flags = COVERING_OR_NEXT,
				   .query_addr = addr };
	long ret = sys3(NR_ioctl, (uint64_t)fd, PROCMAP_QUERY, ptr(&q));

	if (!ret && q.vma_start >= AGENT_FILL_ADDR && q.vma_start < AGENT_FILL_END) {
		q.query_addr = AGENT_FILL_END;
		ret = sys3(NR_ioctl, (uint64_t)fd, PROCMAP_QUERY, ptr(&q));
	}
	if (ret == -2)
		return 0;
	if (ret)
		broken(__LINE__, ret);
	area->start = q.vma_start;
	area->end = q.vma_end;
	area->offset = q.vma_offset;
	area->inode = q.inode;
	area->dev = q.dev_major << 20 | q.dev_minor;
	area->prot = q.vma_flags & 0xf;
	return 1;
}

/*
 * The library numbers its shared anonymous objects as it likes, and so does the kernel: the first
 * time, the two numbers are noted as one object, and from then on they belong together.
 */
static int same_object(uint64_t ours, uint64_t theirs)
{
	uint32_t at = (uint32_t)(ours * 2654435761u) % AGENT_MAX_OBJECTS;

	for (;;) {
		struct agent_object *o = &shared->objects[at];

		if (!o->ours) {
			if (++shared->nr_objects > AGENT_MAX_OBJECTS / 2)
				broken(__LINE__, 0);
			o->ours = ours;
			o->theirs = theirs;
			return 1;
		}
		if (o->ours == ours)
			return o->theirs == theirs;
		at = (at + 1) % AGENT_MAX_OBJECTS;
	}
}

static int same_area(const struct diff_area *expected, const struct diff_area *found)
{
	if (found->start != expected->start || found->end != expected->end ||
	    found->offset != expected->offset)
		return 0;
	if (expected->prot & AREA_OWN_OBJECT)
		return (expected->prot & 0xf) == found->prot &&
			(!expected->inode || (expected->dev == found->dev &&
					      same_object(expected->inode, found->inode)));
	return (expected->prot & 0xf) == found->prot && expected->inode == found->inode &&
		expected->dev == found->dev;
}

static int same_map(const struct diff_map *map)
{
	int fd = AGENT_MAPS_FD + (int)me;
	struct diff_area found;
	uint64_t addr = 0;

	for (uint32_t i = 0; i < map->nr; i++) {
		if (!next_area(fd, addr, &found) || !same_area(&map->area[i], &found))
			return 0;
		addr = found.end;
	}
	return !next_area(fd, addr, &found);
}

static size_t read_all(int fd, char *to, size_t max)
{
	size_t n = 0;
	long ret;

	MUST(sys3(NR_lseek, (uint64_t)fd, 0, 0));
	while (n < max && (ret = MUST(sys3(NR_read, (uint64_t)fd, ptr(to + n), max - n))) > 0)
		n += (size_t)ret;
	return n;
}

/* ----------------------------------------------------------------------------- comparisons -- */

/* The words of pagemap are in words, mincore()'s answer in in_core: how many pages. */
static uint32_t look_at(uint64_t addr, uint64_t nr)
{
	long bytes;

	if (nr > AGENT_MAX_PAGES)
		nr = AGENT_MAX_PAGES;
	memset(words, 0, nr * 8);
	memset(in_core, 0, nr);
	bytes = sys4(NR_pread64, AGENT_PAGEMAP_FD + (uint64_t)me, ptr(words), nr * 8,
		     addr / PAGE * 8);
	if (bytes < 0 || sys3(NR_mincore, addr, nr * PAGE, ptr(in_core)) < 0)
		broken(__LINE__, bytes);
	return (uint32_t)nr;
}

static int is_own_page(uint64_t word, uint64_t anonymous)
{
	return (word & PAGE_PRESENT) && (anonymous || !(word & PAGE_FILE));
}

static unsigned int kind_of_page(const struct diff_area *area, uint32_t i)
{
	unsigned int kind = (area->prot & AREA_CORE) && (in_core[i] & 1) ? RUN_CORE : 0;

	if (words[i] & PAGE_GUARD)
		return kind | RUN_GUARD;
	if (shared->whole_files && !(area->prot & AREA_CORE))
		kind |= RUN_READ;
	if (!is_own_page(words[i], area->prot & AREA_ANONYMOUS))
		return kind;
	if ((words[i] & PAGE_EXCLUSIVE) && (area->prot & AREA_EXCLUSIVE))
		kind |= RUN_EXCLUSIVE;
	return kind | RUN_PRESENT;
}

static void add_area(struct page_runs *runs, const struct diff_area *area)
{
	uint32_t nr = look_at(area->start, (area->end - area->start) / PAGE);

	for (uint32_t i = 0; i < nr; i++) {
		unsigned int kind = kind_of_page(area, i);
		int readable = (kind & RUN_HAS_BYTES) && (area->prot & 7);

		runs_add(runs, area->start + i * PAGE, kind,
			 readable ? hash_page(area->start + i * PAGE) : 0);
	}
}

enum { ADD_SEALS = 1033, GET_SEALS = 1034 };

/* Size, bytes and seals of each file that the calls change. */
static char *read_files(char *to)
{
	for (unsigned int i = 0; i < AGENT_MAX_FILES; i++) {
		uint64_t fd = AGENT_FILE_FD + i, at = 0, hash = 0;
		long n, seals;

		if (!(shared->whole_files >> i & 1) ||
		    to + FILE_LINE_MAX > condensed + sizeof(condensed))
			continue;
		while ((n = MUST(sys4(NR_pread64, fd, ptr(io), sizeof(io), at))) > 0) {
			hash = bytes_hash(hash, io, (uint64_t)n);
			at += (uint64_t)n;
		}
		seals = sys2(NR_fcntl, fd, GET_SEALS);
		to = file_line_put(to, i, (uint64_t)MUST(sys3(NR_lseek, fd, 0, 2)), hash,
				   seals < 0 ? 0 : (uint64_t)seals);
	}
	return to;
}

static size_t read_text(const struct diff_map *map)
{
	const struct text_rules rules = { (enum text_counting)map->text_counts, shared->own_end,
					  AGENT_SHARED_ADDR,
					  AGENT_SHARED_ADDR + AGENT_SHARED_BYTES,
					  map->area, map->nr };
	size_t n = read_all(AGENT_SMAPS_FD + (int)me, text, sizeof(text));
	size_t bytes = text_condense(&rules, text, n, condensed, sizeof(condensed));
	struct page_runs runs = { .end = condensed + sizeof(condensed) };

	n = read_all(AGENT_STATUS_FD + (int)me, text, sizeof(text));
	bytes += text_condense(&rules, text, n, condensed + bytes, sizeof(condensed) - bytes);
	runs.to = condensed + bytes;
	for (uint32_t i = 0; i < map->nr; i++)
		if (map->area[i].prot & AREA_PAGES)
			add_area(&runs, &map->area[i]);
	runs_end(&runs);
	return (size_t)(read_files(runs.to) - condensed);
}

/*
 * Leaves behind what is found now, for the report; but the text as it was compared, since to make
 * it reads pages into being.
 */
static _Noreturn void differs(uint32_t at, uint32_t difference, int64_t result)
{
	int fd = AGENT_MAPS_FD + (int)me;
	uint64_t addr = 0;
	uint32_t nr = 0;

	while (nr < AGENT_MAX_AREAS && next_area(fd, addr, &shared->found[nr]))
		addr = shared->found[nr++].end;
	shared->found_nr = nr;
	if (difference == DIFFERS_TEXT)
		memcpy(shared->found_text, condensed, shared->found_text_bytes);
	shared->at = at;
	shared->difference = difference;
	shared->result = result;
	set_status(AGENT_DIFFERS);
	leave();
}

/* ------------------------------------------------------------------------------- processes -- */

enum { READ_ONLY = 0x80000, READ_WRITE = 0x80002 };	/* O_CLOEXEC */

static int open_own(const char *path, int how, int as)
{
	long fd = MUST(sys3(NR_open, ptr(path), (uint64_t)how, 0));

	MUST(sys2(NR_dup2, (uint64_t)fd, (uint64_t)as));
	return (int)MUST(sys1(NR_close, (uint64_t)fd));
}

/* This process can be compared, and waited for, from here on. */
static void open_all(void)
{
	long fd;

	open_own("/proc/self/maps", READ_ONLY, AGENT_MAPS_FD + (int)me);
	open_own("/proc/self/smaps", READ_ONLY, AGENT_SMAPS_FD + (int)me);
	open_own("/proc/self/status", READ_ONLY, AGENT_STATUS_FD + (int)me);
	open_own("/proc/self/pagemap", READ_ONLY, AGENT_PAGEMAP_FD + (int)me);
	open_own("/proc/self/mem", READ_WRITE, AGENT_MEM_FD + (int)me);
	shared->pid[me] = (uint32_t)sys0(NR_getpid);
	fd = MUST(sys2(NR_pidfd_open, (uint64_t)sys0(NR_getpid), 0));
	MUST(sys2(NR_dup2, (uint64_t)fd, AGENT_PID_FD + me));
	sys1(NR_close, (uint64_t)fd);
}

/* Until the call that is on belongs to this process; leaves when there is nothing more to do. */
static uint32_t await_turn(void)
{
	/* The program may have been killed; nobody would wake us then. */
	struct { int64_t sec, nsec; } second = { 2, 0 };

	for (;;) {
		uint32_t turn = __atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE);

		if (__atomic_load_n(&shared->status, __ATOMIC_ACQUIRE) != AGENT_RUNNING ||
		    turn >= shared->nr_calls || sys2(NR_kill, shared->owner, 0) == -3)
			leave();
		if (shared->calls[turn].proc == me)
			return turn;
		sys4(NR_futex, ptr(&shared->turn), FUTEX_WAIT, turn, ptr(&second));
	}
}

static void pass_turn(uint32_t to)
{
	__atomic_store_n(&shared->turn, to, __ATOMIC_RELEASE);
	sys3(NR_futex, ptr(&shared->turn), FUTEX_WAKE, 1 << 30);
}

/* The address space of a process that was told to exit is gone when this returns. */
static void await_exit(uint32_t proc)
{
	struct { int32_t fd; int16_t events, revents; } wait = { AGENT_PID_FD + (int)proc, 1, 0 };

	while (sys3(NR_poll, ptr(&wait), 1, 10000) == -4)
		;
}

/* ----------------------------------------------------------------------------------- calls -- */

static long do_fork(uint32_t child)
{
	/* SIGCHLD, and one descriptor table for all. */
	long pid = sys5(NR_clone, 0x400 | SIG_CHLD, 0, 0, 0, 0);

	if (!pid) {
		me = child;
		open_all();
	}
	return pid < 0 ? pid : 0;
}

static long do_process_madvise(const uint64_t *a)
{
	uint64_t ranges[4] = { a[0], a[1], a[2], a[3] };

	uint64_t of = a[5] >> 8 ? (a[5] >> 8) - 1 : me;

	return sys5(NR_process_madvise, AGENT_PID_FD + of, ptr(ranges), a[3] == ~0ul ? 1 : 2, a[4],
		    a[5] & 0xff);
}

static long do_read_into(uint64_t addr, uint64_t len)
{
	/* File 0 is /dev/zero, opened for reading. */
	return sys3(NR_read, AGENT_FILE_FD, addr, len);
}

static long do_setrlimit(uint64_t which, uint64_t bytes)
{
	static const uint8_t linux_number[] = { 9, 2, 3, 8 };	/* AS DATA STACK MEMLOCK */
	uint64_t limit[2];

	MUST(sys4(NR_prlimit64, 0, linux_number[which & 3], 0, ptr(limit)));
	limit[0] = bytes;
	return sys4(NR_prlimit64, 0, linux_number[which & 3], ptr(limit), 0);
}

static long do_anon_name(const uint64_t *a)
{
	static const char *const names[] = { 0, "one", "two", "bad\\name" };

	return sys5(NR_prctl, 0x53564d41, 0, a[0], a[1], ptr(names[a[2] & 3]));
}

/* Areas that differ from nothing, and touch nothing: there are only many of them. */
static long do_fill(uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		long ret = sys6(NR_mmap, AGENT_FILL_ADDR + 2 * i * PAGE, PAGE, 0, 0x4032, ~0ul, 0);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/*
 * How many bytes: what stops it is an error of many names.  A peek leaves them in loaded, or a hash
 * of them.
 */
static long remote(const uint64_t *a, int poke)
{
	uint64_t at = a[1] > 8 ? ptr(io) : ptr(&loaded);
	struct { uint64_t base, bytes; } here = { at, a[1] }, there = { a[0], a[1] };
	uint64_t fd = AGENT_MEM_FD + a[2], pid = shared->pid[a[2]];
	long ret;

	loaded = poke ? a[4] : 0;
	if (poke && a[1] > 8)
		bytes_make(io, a[0], a[1], a[4]);
	if (a[3] == REMOTE_FORCED)
		ret = sys4(poke ? NR_pwrite64 : NR_pread64, fd, here.base, a[1], a[0]);
	else
		ret = sys6(poke ? NR_process_vm_writev : NR_process_vm_readv, pid, ptr(&here), 1,
			   ptr(&there), 1, 0);
	if (ret < 0)
		ret = 0;
	if (!poke && a[1] > 8)
		loaded = bytes_hash(0, io, (uint64_t)ret);
	return ret;
}

static int fd_of(uint64_t file)
{
	return file < AGENT_MAX_FILES ? AGENT_FILE_FD + (int)file : -1;
}

static long do_file(unsigned int op, const uint64_t *a)
{
	uint64_t fd = (uint64_t)fd_of(a[0]);
	long ret;

	switch (op) {
	case OP_TRUNCATE:
		return sys2(NR_ftruncate, fd, a[1]);
	case OP_PUNCH:
		/* KEEP_SIZE | PUNCH_HOLE */
		return sys4(NR_fallocate, fd, 3, a[1], a[2]);
	case OP_FILE_READ:
		ret = sys4(NR_pread64, fd, ptr(io), a[2], a[1]);
		loaded = ret > 0 ? bytes_hash(0, io, (uint64_t)ret) : 0;
		return ret;
	case OP_FILE_SYNC:
		return sys1(NR_fsync, fd);
	case OP_ADD_SEALS:
		return sys3(NR_fcntl, fd, ADD_SEALS, a[1]);
	default:
		bytes_make(io, a[1], a[2], a[3]);
		return sys4(NR_pwrite64, fd, ptr(io), a[2], a[1]);
	}
}

static long do_other(const struct diff_call *c)
{
	const uint64_t *a = c->arg;

	switch (c->op) {
	case OP_SHMAT:
		return sys3(NR_shmat, (uint64_t)shared->segment[a[0] & 7], a[1], a[2]);
	case OP_SHMDT:
		return sys1(NR_shmdt, a[0]);
	case OP_ANON_NAME:
		return do_anon_name(a);
	case OP_THP_DISABLE:
		return sys5(NR_prctl, 41, a[0], 0, 0, 0);
	case OP_MEMORY_MERGE:
		return sys5(NR_prctl, 67, a[0], 0, 0, 0);
	case OP_BRK:
		return sys1(NR_brk, a[0]);
	case OP_SETRLIMIT:
		return do_setrlimit(a[0], a[1]);
	case OP_PERSONALITY:
		return sys1(NR_personality, a[0]) < 0 ? -22 : 0;
	case OP_TOUCH:
		return touch(a[0], a[1]);
	case OP_LOAD:
		return access(a[0], a[1], 0);
	case OP_STORE:
		return access(a[0], a[1], &a[2]);
	case OP_PEEK:
		return remote(a, 0);
	case OP_POKE:
		return remote(a, 1);
	case OP_READ_INTO:
		return do_read_into(a[0], a[1]);
	case OP_TRUNCATE:
	case OP_PUNCH:
	case OP_FILE_READ:
	case OP_FILE_WRITE:
	case OP_FILE_SYNC:
	case OP_ADD_SEALS:
		return do_file(c->op, a);
	case OP_FILL:
		return do_fill(a[1]);
	case OP_FORK:
		return do_fork((uint32_t)a[0]);
	case OP_EXIT:
		pass_turn(shared->at + 1);
		leave();
	default:
		return 0;
	}
}

static long do_call(const struct diff_call *c)
{
	const uint64_t *a = c->arg;

	switch (c->op) {
	case OP_MMAP:
		return sys6(NR_mmap, a[0], a[1], a[2], a[3], (uint64_t)fd_of(a[4]), a[5]);
	case OP_MUNMAP:
		return sys2(NR_munmap, a[0], a[1]);
	case OP_MPROTECT:
		return sys3(NR_mprotect, a[0], a[1], a[2]);
	case OP_PKEY_MPROTECT:
		return sys4(NR_pkey_mprotect, a[0], a[1], a[2], a[3]);
	case OP_MREMAP:
		return sys5(NR_mremap, a[0], a[1], a[2], a[3], a[4]);
	case OP_MADVISE:
		return sys3(NR_madvise, a[0], a[1], a[2]);
	case OP_PROCESS_MADVISE:
		return do_process_madvise(a);
	case OP_MLOCK:
		return sys2(NR_mlock, a[0], a[1]);
	case OP_MLOCK2:
		return sys3(NR_mlock2, a[0], a[1], a[2]);
	case OP_MUNLOCK:
		return sys2(NR_munlock, a[0], a[1]);
	case OP_MLOCKALL:
		return sys1(NR_mlockall, a[0]);
	case OP_MUNLOCKALL:
		return sys0(NR_munlockall);
	case OP_MSEAL:
		return sys3(NR_mseal, a[0], a[1], a[2]);
	case OP_MSYNC:
		return sys3(NR_msync, a[0], a[1], a[2]);
	case OP_MINCORE:
		return sys3(NR_mincore, a[0], a[1], ptr(in_core));
	case OP_REMAP_FILE_PAGES:
		return sys5(NR_remap_file_pages, a[0], a[1], a[2], a[3], a[4]);
	default:
		return do_other(c);
	}
}

static int same_result(const struct diff_call *c, long result)
{
	if (result == c->result || (c->judge & JUDGE_ANY))
		return 1;
	if (c->judge & JUDGE_PAGES)
		return c->result >= 0 || result < 0;
	if (c->judge & JUDGE_LENGTH)
		return result < (int64_t)c->arg[1] && c->result < (int64_t)c->arg[1];
	/* A guard page: SEGV_MAPERR to a touch; to the others the errors of a failed fault. */
	if (c->judge & JUDGE_GUARD)
		return c->op == OP_TOUCH ? result == TOUCH_MAPERR :
			result == -14 || result == -12 || result == -11;
	return 0;
}

/* What is where the call was, as pagemap and mincore() have it; words of 64 pages. */
static struct diff_pages look_at_pages(const struct diff_pages *at)
{
	struct diff_pages found = *at;

	found.in_core = found.present = found.exclusive = found.guard = found.file = 0;
	memset(words, 0, 64 * 8);
	memset(in_core, 0, 64);
	found.result = (int32_t)sys3(NR_mincore, at->addr, at->nr * (uint64_t)PAGE, ptr(in_core));
	sys4(NR_pread64, AGENT_PAGEMAP_FD + (uint64_t)me, ptr(words), at->nr * 8ul,
	     at->addr / PAGE * 8);
	for (uint32_t i = 0; i < at->nr; i++) {
		uint64_t bit = 1ul << i;
		int own = is_own_page(words[i], at->anonymous & bit);

		found.in_core |= in_core[i] & 1 ? bit : 0;
		found.guard |= words[i] & PAGE_GUARD ? bit : 0;
		found.present |= own ? bit : 0;
		found.exclusive |= own && (words[i] & PAGE_EXCLUSIVE) ? bit : 0;
		found.file |= (words[i] & PAGE_PRESENT) && !own ? bit : 0;
	}
	return found;
}

static int same_pages(const struct diff_pages *a, const struct diff_pages *found)
{
	/*
	 * Of a file on a disk a fault does not map neighbours that say how far to read ahead; and
	 * what is cut loses entries of pages that stay, where these were large.
	 */
	uint64_t differ = (a->present ^ found->present) | (a->guard ^ found->guard) |
			  ((a->file ^ found->file) & a->core_compared) |
			  ((a->exclusive ^ found->exclusive) & a->exclusive_compared);

	return a->result == found->result && !(differ & a->compared) &&
		!((a->in_core ^ found->in_core) & a->core_compared);
}

static int loads(const struct diff_call *c)
{
	return c->op == OP_LOAD || c->op == OP_PEEK || c->op == OP_FILE_READ;
}

static void compare(uint32_t i, long result)
{
	const struct diff_call *c = &shared->calls[i];
	const struct diff_map *map = (const void *)&shared->arena[c->map];

	if (!same_result(c, result))
		differs(i, DIFFERS_RESULT, result);
	if (loads(c) && loaded != c->value) {
		shared->value = loaded;
		differs(i, DIFFERS_VALUE, result);
	}
	if (!same_map(map))
		differs(i, DIFFERS_MAP, result);
	if (map->text_bytes && (c->text || shared->text_always)) {
		size_t n = read_text(map);

		shared->found_text_bytes = (uint32_t)n;
		if (n != map->text_bytes || memcmp(condensed, &map->area[map->nr], n))
			differs(i, DIFFERS_TEXT, result);
	}
	/* After the text, which reads pages of files into being. */
	if (c->pages.nr) {
		shared->pages = look_at_pages(&c->pages);
		if (!same_pages(&c->pages, &shared->pages))
			differs(i, DIFFERS_PAGES, result);
	}
}

static void run(void)
{
	uint32_t i = await_turn();

	while (i < shared->nr_calls) {
		const struct diff_call *c = &shared->calls[i];
		long result;

		if (c->proc != me) {
			pass_turn(i);
			i = await_turn();
			continue;
		}
		if (i && shared->calls[i - 1].op == OP_EXIT)
			await_exit(shared->calls[i - 1].proc);
		shared->at = i;
		result = do_call(c);
		if (c->op == OP_FORK && me == c->arg[0]) {
			i = await_turn();
			continue;
		}
		compare(i, result);
		i++;
	}
	set_status(AGENT_DONE);
}

/* ----------------------------------------------------------------------------------- start -- */

/* What exec() mapped for a C library; the stack at @stack stays, as zeroes. */
static void clear_address_space(uint64_t stack)
{
	/* Above the image and its heap. */
	uint64_t addr = 1ul << 32;
	struct diff_area area;

	while (next_area(AGENT_MAPS_FD, addr, &area)) {
		addr = area.end;
		if (stack >= area.start && stack < area.end)
			memset((void *)stack, 0, area.end - stack);
		else if (area.start != AGENT_SHARED_ADDR && !shared->keep_vdso)
			MUST(sys2(NR_munmap, area.start, area.end - area.start));
	}
}

static void drop_capabilities(void)
{
	struct { uint32_t version; int32_t pid; } header = { 0x20080522, 0 };
	struct { uint32_t effective, permitted, inheritable; } none[2] = { { 0 } };

	MUST(sys2(NR_capset, ptr(&header), ptr(none)));
}

void agent_main(uint64_t stack);
void agent_main(uint64_t stack)
{
	long at;

	/* Before there is shared memory, an exit code is all there is to say. */
	at = sys6(NR_mmap, AGENT_SHARED_ADDR, AGENT_SHARED_BYTES, 3, 0x100001, AGENT_SHARED_FD, 0);
	if (at != (long)AGENT_SHARED_ADDR)
		leave();
	sys1(NR_close, AGENT_SHARED_FD);
	catch_faults();
	open_all();
	clear_address_space(stack);
	if (shared->drop_caps)
		drop_capabilities();
	shared->initial_brk = (uint64_t)sys1(NR_brk, 0);
	shared->unhinted = (uint64_t)MUST(sys6(NR_mmap, 0, PAGE, 0, 0x22, ~0ul, 0));
	MUST(sys2(NR_munmap, shared->unhinted, PAGE));
	if (shared->pause_when_ready) {
		set_status(AGENT_READY);
		while (__atomic_load_n(&shared->pause_when_ready, __ATOMIC_ACQUIRE))
			sys4(NR_futex, ptr(&shared->pause_when_ready), FUTEX_WAIT, 1, 0);
	}
	set_status(AGENT_RUNNING);
	run();
	leave();
}

/* The kernel's stack is for the calls to play with; ours is part of the image. */
__asm__(".globl _start\n"
	"_start:\n"
	"	mov %rsp, %rdi\n"
	"	lea agent_stack+65536(%rip), %rsp\n"
	"	call agent_main\n");
