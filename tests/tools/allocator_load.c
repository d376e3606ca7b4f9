/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A program to be recorded: threads that allocate, free, map and protect at random, so that their
 * memory calls overlap all the time.
 *
 *	allocator_load [THREADS [STEPS]]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS		64
#define MAX_THREADS	64
#define WINDOW		0x8000ul

static unsigned int steps = 1000;

static unsigned int next(unsigned int *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

/* An area in pieces, touched here and there, that may be left behind. */
static void map_and_protect(unsigned int *seed)
{
	char *p = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int dice = next(seed);

	if (p == MAP_FAILED)
		abort();
	if (dice & 1)
		p[0x3000] = 1;
	mprotect(p + 0x2000, 0x2000, PROT_READ);
	p[0] = 2;
	if (dice & 2)
		mprotect(p + 0x2000, 0x2000, PROT_READ | PROT_WRITE);
	if (dice & 4)
		munmap(p, WINDOW);
}

static void *work(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg * 7919 + 1;
	char *slot[SLOTS] = { 0 };

	for (unsigned int i = 0; i < steps; i++) {
		unsigned int k = next(&seed) % SLOTS;

		if (slot[k]) {
			free(slot[k]);
			slot[k] = NULL;
		} else {
			size_t bytes = next(&seed) % 400000 + 1;

			slot[k] = malloc(bytes);
			if (!slot[k])
				abort();
			memset(slot[k], 1, bytes / 2 + 1);
		}
		if (i % 50 == 0)
			map_and_protect(&seed);
	}
	for (int k = 0; k < SLOTS; k++)
		free(slot[k]);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 8;
	pthread_t thread[MAX_THREADS];

	if (argc > 2)
		steps = (unsigned int)strtoul(argv[2], NULL, 10);
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	for (unsigned long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)(i + 1)))
			abort();
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
