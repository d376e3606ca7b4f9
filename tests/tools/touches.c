/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A program to be recorded with --touch: writes patterns into every kind of memory, and makes each
 * call that moves, takes away, protects or copies pages, between the writes.
 *
 *	touches [SHARE]		SHARE: "alone" (the default) or "threads": a second thread writes, too
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096ul

static unsigned char data[3 * PAGE] = { 1, 2, 3 };	/* private pages of the program's file */

static void need(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static unsigned char *map(size_t pages, int prot, int flags, int fd)
{
	void *p = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

	need(p != MAP_FAILED, "mmap");
	return p;
}

static void pattern(unsigned char *p, size_t bytes, unsigned int seed)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (unsigned char)(seed = seed * 1103515245u + 12345u, seed >> 16);
}

static unsigned long sum(const unsigned char *p, size_t bytes)
{
	unsigned long s = 0;

	for (size_t i = 0; i < bytes; i++)
		s = s * 31 + p[i];
	return s;
}

static unsigned char *moves(void)
{
	unsigned char *a = map(16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	unsigned char *b;

	pattern(a, 5 * PAGE + 100, 1);
	(void)sum(a + 8 * PAGE, PAGE);		/* the zero page */
	b = mremap(a, 16 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
	need(b != MAP_FAILED, "mremap");
	b[PAGE + 7] ^= 1;
	b[39 * PAGE] = 9;
	need(!mprotect(b, 3 * PAGE, PROT_READ), "mprotect");
	need(!mprotect(b + PAGE, PAGE, PROT_NONE), "mprotect");
	need(!mprotect(b, 3 * PAGE, PROT_READ | PROT_WRITE), "mprotect");
	b[2 * PAGE + 1] = 77;
	need(!madvise(b + 2 * PAGE, 2 * PAGE, MADV_DONTNEED), "madvise");
	b[3 * PAGE + 5] = 5;
	need(!madvise(b + 20 * PAGE, 4 * PAGE, 23 /* MADV_POPULATE_WRITE */), "madvise");
	need(mmap(b + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED, "mmap");
	a = map(8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	pattern(a, 8 * PAGE, 9);
	need(mremap(b + 5 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    a + 3 * PAGE) != MAP_FAILED, "mremap");
	need(!mlock(b + 30 * PAGE, 2 * PAGE), "mlock");
	return b;
}

static void files(void)
{
	char name[] = "/tmp/vmarea-touches-XXXXXX";
	unsigned char *buffer = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = mkstemp(name), memory = memfd_create("touches", MFD_CLOEXEC);
	unsigned char *p, *s;

	need(fd >= 0 && memory >= 0 && !unlink(name) && !ftruncate(memory, 4 * PAGE), "files");
	pattern(buffer, 4 * PAGE, 3);
	need(write(fd, buffer, 3 * PAGE + 99) == 3 * PAGE + 99, "write");
	p = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	p[PAGE + 50] ^= 0xff;			/* a copy; the rest of it is the file's */
	p[2 * PAGE] ^= 0xff;
	need(!mprotect(p, 4 * PAGE, PROT_READ), "mprotect");
	need(!mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE), "mprotect");
	need(!madvise(p + PAGE, PAGE, MADV_DONTNEED), "madvise");
	need(sum(p, 4 * PAGE) != 0, "sum");
	need(!madvise(p, 4 * PAGE, MADV_NORMAL), "madvise");
	s = map(4, PROT_READ | PROT_WRITE, MAP_SHARED, memory);
	pattern(s + PAGE, 2 * PAGE, 4);
	p = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, memory);
	need(!memcmp(p, s, 4 * PAGE), "shared pages");
	s[0] = 1;
	p[0] = 2;
	need(!mprotect(p, 4 * PAGE, PROT_READ), "mprotect");
	need(!ftruncate(memory, 6 * PAGE), "ftruncate");
	s = mremap(s, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
	need(s != MAP_FAILED, "mremap");
	s[5 * PAGE] = 6;
	need(!madvise(s, PAGE, MADV_REMOVE), "madvise");
	s[1] = 8;
	need(!munmap(s, 6 * PAGE), "munmap");
}

static void deep(unsigned int n)
{
	volatile unsigned char page[PAGE];

	page[n] = (unsigned char)n;
	if (n)
		deep(n - 1);
	page[0] = page[n];
}

static void forks(unsigned char *b)
{
	unsigned char *wiped = map(2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	unsigned char *shared = map(2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	unsigned char *hidden = map(2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int status;

	wiped[0] = shared[PAGE] = hidden[0] = data[PAGE] = 11;
	need(!madvise(wiped, 2 * PAGE, MADV_WIPEONFORK), "madvise");
	need(!madvise(hidden, 2 * PAGE, MADV_DONTFORK), "madvise");
	fflush(stdout);
	for (unsigned char i = 0; i < 2; i++) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		/* Both sides write: each to its own copy. */
		b[3 * PAGE + 5] = (unsigned char)(pid ? 100 + i : 200 + i);
		b[pid ? 21 * PAGE : 22 * PAGE] = i;
		data[2 * PAGE] = (unsigned char)(pid ? 1 : 2);
		need(!mprotect(b + 7 * PAGE, 33 * PAGE, PROT_READ), "mprotect");
		need(!mprotect(b + 7 * PAGE, 33 * PAGE, PROT_READ | PROT_WRITE), "mprotect");
		if (!pid) {
			need(!wiped[0], "MADV_WIPEONFORK");
			shared[PAGE + i] = 12;
			deep(20);
			need(!munmap(b + 10 * PAGE, 12 * PAGE), "munmap");
			_exit(0);
		}
		need(waitpid(pid, &status, 0) == pid && !status, "the child");
	}
	need(shared[PAGE + 1] == 12, "MAP_SHARED");
}

static void *writes(void *arg)
{
	unsigned char *p = arg;

	for (unsigned int i = 0; i < 40; i++) {
		pattern(p + i % 8 * PAGE, 64, i);
		need(!mprotect(p, 8 * PAGE, PROT_READ), "mprotect");
		need(!mprotect(p, 8 * PAGE, PROT_READ | PROT_WRITE), "mprotect");
		if (i % 5 == 0)
			need(!madvise(p + 4 * PAGE, 2 * PAGE, MADV_DONTNEED), "madvise");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned char *b = moves();
	pthread_t thread;

	if (argc > 1 && !strcmp(argv[1], "threads")) {
		need(!pthread_create(&thread, NULL, writes,
				     map(8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
					 -1)), "pthread_create");
		(void)writes(map(8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
		pthread_join(thread, NULL);
	}
	files();
	forks(b);
	need(sbrk(8 * PAGE) != (void *)-1, "sbrk");
	memset((unsigned char *)sbrk(0) - 5 * PAGE, 3, 4 * PAGE);
	need(sbrk(-(long)(3 * PAGE)) != (void *)-1, "sbrk");
	need(sbrk(3 * PAGE) != (void *)-1, "sbrk");
	return 0;
}
