/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A test as a table: calls on the window of an address space, each with the result that Linux
 * gives, and what the areas are in between.
 *
 *	static const struct scenario scenarios[] = {
 *		{ "a touched area keeps its file pages when it moves", STEPS(
 *			MAP(0, 1, RW), TOUCH(0),
 *			MREMAP(0, 1, 1, FIXED, 10, 10),
 *			MAP(11, 1, RW), AREAS("[10..11)rw-p [11..12)rw-p")) },
 *	};
 *	run_scenarios(scenarios, ARRAY_LEN(scenarios));
 *
 * Positions and lengths are in pages.  After FORK the child is the one that the calls are made on,
 * until PARENT.
 */
#ifndef TESTS_MM_STEPS_H
#define TESTS_MM_STEPS_H

#include "marks.h"

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		SPACE_PAGE
#define ANYWHERE	LONG_MAX		/* as a result: a place outside of the window */

enum step_op {
	STEP_END, STEP_MAP, STEP_UNMAP, STEP_PROTECT, STEP_TOUCH, STEP_MREMAP, STEP_MLOCK,
	STEP_MLOCK2, STEP_MUNLOCK, STEP_MLOCKALL, STEP_MUNLOCKALL, STEP_ADVISE, STEP_SEAL,
	STEP_FORK, STEP_PARENT, STEP_AREAS, STEP_MARKS, STEP_LOCKED, STEP_CAPS, STEP_LIMIT,
};

/* Which file a STEP_MAP maps. */
enum step_file { NO_FILE, PLAIN_FILE, OTHER_FILE, ZERO_FILE, NR_FILES };

struct step {
	enum step_op op;
	long arg[6];
	long expect;
	const char *text;
};

struct scenario {
	const char *name;
	const struct step *steps;
};

#define STEPS(...)	(const struct step[]){ __VA_ARGS__, { STEP_END } }

#define MAP_AS(page, nr, prot, flags)	{ STEP_MAP, { page, nr, prot, flags, NO_FILE, 0 } }
#define MAP(page, nr, prot)		MAP_AS(page, nr, prot, ANON)
#define MAP_SHM(page, nr, prot)		MAP_AS(page, nr, prot, MAP_SHARED | MAP_ANONYMOUS)
#define MAP_FILE(page, nr, prot, flags, file, pgoff)				\
	{ STEP_MAP, { page, nr, prot, flags, file, pgoff } }
#define UNMAP(page, nr)			{ STEP_UNMAP, { page, nr } }
#define PROTECT(page, nr, prot, ret)	{ STEP_PROTECT, { page, nr, prot }, ret }
#define TOUCH(page)			{ STEP_TOUCH, { page, MM_ACCESS_WRITE }, MM_FAULT_DONE }
#define READ(page)			{ STEP_TOUCH, { page, MM_ACCESS_READ }, MM_FAULT_DONE }
#define MREMAP(page, old, new, flags, to, ret)					\
	{ STEP_MREMAP, { page, old, new, flags, to }, ret }
#define MLOCK(page, nr, ret)		{ STEP_MLOCK, { page, nr }, ret }
#define MLOCK2(page, nr, flags, ret)	{ STEP_MLOCK2, { page, nr, flags }, ret }
#define MUNLOCK(page, nr, ret)		{ STEP_MUNLOCK, { page, nr }, ret }
#define MLOCKALL(flags, ret)		{ STEP_MLOCKALL, { flags }, ret }
#define MUNLOCKALL			{ STEP_MUNLOCKALL }
#define ADVISE(page, nr, advice)	{ STEP_ADVISE, { page, nr, advice } }
#define SEAL(page, nr)			{ STEP_SEAL, { page, nr } }
#define FORK				{ STEP_FORK }
#define PARENT				{ STEP_PARENT }
#define AREAS(expected)			{ STEP_AREAS, .text = expected }
#define MARKS(expected)			{ STEP_MARKS, .text = expected }
#define LOCKED(nr)			{ STEP_LOCKED, { 0 }, nr }
#define CAPS(caps)			{ STEP_CAPS, { caps } }
#define LIMIT(which, bytes)		{ STEP_LIMIT, { which, (long)(bytes) } }

/* Where a scenario is run. */
struct stage {
	struct space s;
	struct file *file[NR_FILES];
	struct mm_user *parent;		/* while a child is on stage */
};

static inline struct file *stage_file(struct stage *st, unsigned int flags, uint64_t inode)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = flags & FILE_DEV_ZERO ? "/dev/zero" : "/f",
		.inode = inode, .flags = flags | FILE_READ | FILE_WRITE, .size_bytes = 16 * PAGE,
	};
	struct file *file;

	assert_int_equal(file_create(st->s.v, &desc, &file), 0);
	return file;
}

static inline void stage_open(struct stage *st)
{
	*st = (struct stage){ 0 };
	space_open(&st->s);
	assert_int_equal(mm_set_caps(st->s.mm, MM_CAP_IPC_LOCK), 0);
	st->file[PLAIN_FILE] = stage_file(st, 0, 1);
	st->file[OTHER_FILE] = stage_file(st, 0, 2);
	st->file[ZERO_FILE] = stage_file(st, FILE_DEV_ZERO, 3);
}

static inline void stage_fork(struct stage *st)
{
	assert_null(st->parent);
	st->parent = st->s.mm;
	assert_int_equal(mm_fork(st->parent, &st->s.mm), 0);
}

static inline void stage_parent(struct stage *st)
{
	char why[256] = "";

	assert_int_equal(mm_validate(st->s.mm, why, sizeof(why)), 0);
	mmput(st->s.mm);
	st->s.mm = st->parent;
	st->parent = NULL;
}

static inline void stage_close(struct stage *st)
{
	if (st->parent)
		stage_parent(st);
	for (int i = 1; i < NR_FILES; i++)
		file_put(st->file[i]);
	space_close(&st->s);
}

/* A result in pages of the window, if it is a place there. */
static inline long in_pages(long ret)
{
	if (ret <= 0)
		return ret;
	if ((unsigned long)ret < SPACE_BASE || (unsigned long)ret >= at(SPACE_PAGES))
		return ANYWHERE;
	return (long)(((unsigned long)ret - SPACE_BASE) / PAGE);
}

static inline long step_call(struct stage *st, const struct step *step)
{
	struct mm_user *mm = st->s.mm;
	const long *arg = step->arg;
	unsigned long addr = at((unsigned long)arg[0]), len = (unsigned long)arg[1] * PAGE;

	switch (step->op) {
	case STEP_MAP:
		return space_map_file(&st->s, (unsigned long)arg[0], (unsigned long)arg[1],
				      (unsigned long)arg[2], (unsigned long)arg[3],
				      st->file[arg[4]], (unsigned long)arg[5]);
	case STEP_UNMAP:
		return mm_munmap(mm, addr, len);
	case STEP_PROTECT:
		return mm_mprotect(mm, addr, len, (unsigned long)arg[2]);
	case STEP_TOUCH:
		return (long)mm_touch(mm, addr, (enum mm_access)arg[1]);
	case STEP_MREMAP:
		return in_pages(mm_mremap(mm, addr, len, (unsigned long)arg[2] * PAGE,
					  (unsigned long)arg[3], at((unsigned long)arg[4])));
	case STEP_MLOCK:
		return mm_mlock(mm, addr, len);
	case STEP_MLOCK2:
		return mm_mlock2(mm, addr, len, (int)arg[2]);
	case STEP_MUNLOCK:
		return mm_munlock(mm, addr, len);
	case STEP_MLOCKALL:
		return mm_mlockall(mm, (int)arg[0]);
	case STEP_MUNLOCKALL:
		return mm_munlockall(mm);
	case STEP_ADVISE:
		return mm_madvise(mm, addr, len, (int)arg[2]);
	case STEP_SEAL:
		return mm_mseal(mm, addr, len, 0);
	case STEP_CAPS:
		return mm_set_caps(mm, (unsigned int)arg[0]);
	case STEP_LIMIT:
		return mm_set_rlimit(mm, (enum mm_rlimit)arg[0], (unsigned long)arg[1]);
	default:
		fail_msg("not a call: %d", step->op);
		return -1;
	}
}

static inline unsigned long locked_pages(struct mm_user *mm)
{
	struct mm_stats stats;

	mm_get_stats(mm, &stats);
	return stats.locked_pages;
}

static inline void step_run(struct stage *st, const char *name, int nr, const struct step *step)
{
	const char *text = NULL;
	long ret;

	switch (step->op) {
	case STEP_FORK:
		stage_fork(st);
		return;
	case STEP_PARENT:
		stage_parent(st);
		return;
	case STEP_AREAS:
		text = space_areas_in(&st->s, SPACE_BASE, at(0), at(SPACE_PAGES));
		break;
	case STEP_MARKS:
		text = marks(&st->s);
		break;
	case STEP_LOCKED:
		ret = (long)locked_pages(st->s.mm);
		break;
	default:
		ret = step_call(st, step);
	}
	if (text && strcmp(text, step->text))
		fail_msg("%s, step %d: %s, not %s", name, nr, text, step->text);
	if (!text && ret != step->expect)
		fail_msg("%s, step %d: %ld, not %ld", name, nr, ret, step->expect);
}

static inline void run_scenarios(const struct scenario *scenarios, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct step *step = scenarios[i].steps;
		struct stage st;

		stage_open(&st);
		for (int n = 1; step->op != STEP_END; step++, n++)
			step_run(&st, scenarios[i].name, n, step);
		stage_close(&st);
	}
}

#endif
