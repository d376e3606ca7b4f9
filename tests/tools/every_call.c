/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A program to be recorded: makes each kind of memory call, in ways that programs seldom do, and
 * then ends in the way that its argument says.
 *
 *	every_call [exit | exec | kill | lead | signal]
 *
 * It checks nothing: what the kernel answered is in the recording.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define P		4096ul
#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)
#define NR_MSEAL	462
#define GUARD_INSTALL	102
#define SET_MEMORY_MERGE 67
#define SET_VMA		0x53564d41

static char *map(size_t pages, int prot, int flags, int fd, off_t page)
{
	return mmap(NULL, pages * P, prot, flags, fd, page * (off_t)P);
}

static void touch(char *p)
{
	if (p != MAP_FAILED)
		*(volatile char *)p = 1;
}

static void anonymous_areas(void)
{
	char *p = map(64, RW, ANON, -1, 0);
	char *shared = map(16, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	touch(p);
	touch(p + 40 * P);
	mprotect(p + 8 * P, 8 * P, PROT_READ);
	munmap(p + 20 * P, 4 * P);
	(void)!mremap(p + 40 * P, 8 * P, 32 * P, MREMAP_MAYMOVE);
	touch(shared + 1);
	mprotect(shared + 4 * P, 4 * P, PROT_READ);
	mprotect(shared + 4 * P, 4 * P, RW);
	for (int i = 0; i < 3; i++)
		map(3, RW, ANON | MAP_32BIT, -1, 0);
	touch(map(4, RW, ANON | MAP_GROWSDOWN, -1, 0));
	mlock(p, 4 * P);
	mlock2(p + 4 * P, 2 * P, MLOCK_ONFAULT);
	munlock(p + P, P);
	mlockall(MCL_FUTURE);
	map(8, RW, ANON, -1, 0);
	munlockall();
	madvise(p, 2 * P, MADV_DONTDUMP);
	madvise(p + 2 * P, P, MADV_WIPEONFORK);
	madvise(p + 4 * P, P, MADV_DONTFORK);
	madvise(shared, 16 * P, MADV_HUGEPAGE);
	mprotect(p, 128 * P, PROT_READ);	/* over a hole */
}

/* A huge zero page in front of a page of one's own. */
static void huge_area(void)
{
	char *p = map(2048, RW, ANON, -1, 0);
	volatile char seen;

	madvise(p, 2048 * P, MADV_HUGEPAGE);
	seen = p[3 << 20];
	(void)seen;
	touch(p + (5 << 20));
	mprotect(p + (4 << 20), 2 << 20, PROT_READ);
}

static void segments(void)
{
	int id = shmget(IPC_PRIVATE, 10 * P, IPC_CREAT | 0600);
	char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);

	touch(a);
	mprotect(a + 2 * P, P, PROT_READ);
	shmdt(b);
	shmctl(id, IPC_RMID, NULL);
}

static void memfds(void)
{
	int fd = memfd_create("memfd", MFD_ALLOW_SEALING);
	char *p;

	if (ftruncate(fd, 32 * (off_t)P))
		return;
	p = map(8, RW, MAP_SHARED, fd, 0);
	touch(mmap(p + 8 * P, 8 * P, RW, MAP_SHARED, dup(fd), 8 * (off_t)P));
	fcntl(fd, F_ADD_SEALS, 0x10 /* F_SEAL_FUTURE_WRITE */);
	map(1, RW, MAP_SHARED, fd, 0);
	map(1, PROT_READ, MAP_SHARED, fd, 0);
}

static void files(void)
{
	int first = open("/proc/self/exe", O_RDONLY), second = open("/proc/self/exe", O_RDONLY);
	int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR);
	char *p = map(4, PROT_READ, MAP_PRIVATE, first, 0), name[] = "every_call.XXXXXX", *renamed;
	int own = mkstemp(name);

	mmap(p + P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, second, (off_t)P);
	mmap(p + 2 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, first, 2 * (off_t)P);
	touch(map(1, RW, MAP_PRIVATE, first, 0));
	map(2, RW, MAP_PRIVATE, zero, 3);
	map(2, RW, MAP_SHARED, zero, 0);
	map(1, RW, MAP_SHARED, null, 0);
	map(1, RW, MAP_PRIVATE, 99, 0);
	mmap(NULL, 0, RW, MAP_PRIVATE, zero, 0);
	mmap(NULL, P, RW, MAP_PRIVATE, zero, 5);
	if (own < 0 || ftruncate(own, 9 * (off_t)P) || asprintf(&renamed, "%s.renamed", name) < 0)
		return;
	touch(map(9, RW, MAP_SHARED, own, 0));
	touch(map(9, RW, MAP_PRIVATE, own, 0) + 3 * P);
	rename(name, renamed);
	unlink(renamed);
	free(renamed);
}

static void limits(void)
{
	struct rlimit limit = { 64 << 20, RLIM_INFINITY };

	setrlimit(RLIMIT_DATA, &limit);
	map(25600, RW, ANON, -1, 0);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_DATA, &limit);
}

static void rare_calls(void)
{
	unsigned long ring = 0, other = 0;
	char *p = map(8, RW, ANON, -1, 0);

	syscall(SYS_io_setup, 32, &ring);
	syscall(SYS_io_setup, 500, &other);
	syscall(SYS_io_destroy, ring);
	syscall(NR_MSEAL, map(4, RW, ANON, -1, 0), 2 * P, 0);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	prctl(SET_MEMORY_MERGE, 1, 0, 0, 0);
	map(4, RW, ANON, -1, 0);
	prctl(SET_MEMORY_MERGE, 0, 0, 0, 0);
	prctl(SET_VMA, 0, p, P, "name");
	madvise(p + P, P, GUARD_INSTALL);
	mprotect(p + 4 * P, P, PROT_READ);
	personality(READ_IMPLIES_EXEC);
	map(4, PROT_READ, ANON, -1, 0);
	personality(0);
}

/* Grows the stack by a page a turn. */
static int grow(int turns)
{
	volatile char page[P];

	page[0] = page[P - 1] = (char)turns;
	return turns ? grow(turns - 1) + page[0] : page[P - 1];
}

static void children(void)
{
	char *p = map(16, RW, ANON, -1, 0);
	pid_t child;

	touch(p);
	child = fork();
	if (!child) {
		touch(p + P);
		mprotect(p + 8 * P, 2 * P, PROT_READ);
		map(4, RW, ANON, -1, 0);
		if (!vfork())
			_exit(3);
		wait(NULL);
		(void)!brk((char *)sbrk(0) + 9 * P);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void *busy(void *arg)
{
	for (;;) {
		char *p = map(4, RW, ANON, -1, 0);

		touch(p);
		munmap(p, 4 * P);
	}
	return arg;
}

static void *execs(void *arg)
{
	execl("/bin/echo", "echo", "from a thread", NULL);
	return arg;
}

static void ending(const char *how)
{
	pthread_t thread;

	if (strcmp(how, "lead"))
		for (int i = 0; i < 4; i++)
			pthread_create(&thread, NULL, busy, NULL);
	for (int i = 0; i < 200; i++)		/* and itself beside them */
		munmap(map(2, RW, ANON, -1, 0), 2 * P);
	if (!strcmp(how, "exec") || !strcmp(how, "lead"))
		pthread_create(&thread, NULL, execs, NULL);
	if (!strcmp(how, "lead"))
		pthread_exit(NULL);
	if (!strcmp(how, "exec"))
		pause();
	if (!strcmp(how, "kill"))
		raise(SIGKILL);
	if (!strcmp(how, "signal"))
		raise(SIGTERM);
	exit(5);
}

int main(int argc, char **argv)
{
	anonymous_areas();
	huge_area();
	segments();
	memfds();
	files();
	limits();
	rare_calls();
	printf("%d\n", grow(300));
	fflush(stdout);
	children();
	if (argc > 1)
		ending(argv[1]);
	return 0;
}
