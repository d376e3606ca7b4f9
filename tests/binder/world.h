/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A machine with Binder in it, and processes that map it.  A step that must not fail ends the test. */
#ifndef TESTS_BINDER_WORLD_H
#define TESTS_BINDER_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include <binder.h>
#include <vmarea/shrinker.h>
#include <vmarea/vmarea.h>

#define CHECK(cond, ...)							\
	do {									\
		if (!(cond)) {							\
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);	\
			fprintf(stderr, __VA_ARGS__);				\
			fputc('\n', stderr);					\
			exit(1);						\
		}								\
	} while (0)

#define AT		0x10000000ul
#define PAGE		BINDER_PAGE

/* How pages are shown: by insert, unless --by fault says otherwise. */
extern const struct binder_range_ops *world_ops;
bool world_by_fault(void);
/* Takes "--by WAY" out of the options, wherever it is.  Ends the program if there is no such way. */
void world_choose(int *argc, char **argv);

struct world {
	struct vmarea *v;
	struct binder_pool *pool;
	struct file *foreign;		/* of another driver: MIXEDMAP, and not one page */
};

/* A frame more, or less, than there was is found when it ends. */
void world_open(struct world *w, unsigned long arena_bytes);
void world_close(struct world *w);
struct mm_user *world_mm(struct world *w);
/* All that can be freed is. */
void world_reclaim(struct world *w);

/* One open Binder: a reference to each. */
struct end {
	struct binder_proc *proc;
	struct file *file;
};

void end_open(struct world *w, struct mm_user *mm, struct end *end);
void end_close(struct end *end);
/* At @addr, over what is there: mm_mmap()'s result. */
long end_map(struct end *end, struct mm_user *mm, unsigned long addr, unsigned long nr_pages);
long foreign_map(struct world *w, struct mm_user *mm, unsigned long addr, unsigned long nr_pages);

/* Whether the process finds a page at @addr. */
bool has_page(struct mm_user *mm, unsigned long addr);

#endif
