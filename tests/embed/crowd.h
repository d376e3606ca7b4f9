/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads that are always inside memory calls, and what must be true meanwhile.
 *
 * They map, move, protect, fork and so on at random in pages 0 to 63 of a window.  The *ground*,
 * pages 100 to 123, they only ever replace by MAP_FIXED, in whole or in part, or protect without
 * taking PROT_READ: at every moment all of it is mapped and readable.  crowd_ground_wrong() looks
 * for a moment at which it is not.  It calls only what may be called anywhere, so it is also what
 * a signal handler or the child of a fork does.
 */
#ifndef TESTS_EMBED_CROWD_H
#define TESTS_EMBED_CROWD_H

#include <pthread.h>
#include <stdatomic.h>

#include "../mm/space.h"

#define GROUND		100ul
#define GROUND_PAGES	24ul
#define MAX_CROWD	4

struct crowd {
	struct space s;
	struct file *file;
	pthread_t threads[MAX_CROWD];
	atomic_ulong rounds[MAX_CROWD];
	atomic_int nr_started;
	atomic_bool stop;
	atomic_int wrong;
	int nr;
};

/* ------------------------------------------------------------ what is always true */

static inline int crowd_entry_wrong(const struct crowd *crowd, const struct area_info *info,
				    unsigned long addr)
{
	if (addr < info->start || addr >= info->end || !(info->flags & VM_READ))
		return 1;
	/* Anonymous, or the file at the offset that its address has. */
	return info->file &&
	       (info->file != crowd->file ||
		info->pgoff != (info->start - at(GROUND)) / SPACE_PAGE);
}

/* How much of what must be true was not.  From anywhere. */
static inline int crowd_ground_wrong(struct crowd *crowd)
{
	unsigned long addr = at(GROUND), end = at(GROUND + GROUND_PAGES);
	struct mm_user *mm = crowd->s.mm;
	struct area_info info;
	int wrong = 0;

	wrong += !mm_range_ok(mm, addr, GROUND_PAGES * SPACE_PAGE, PROT_READ);
	wrong += mm_range_ok(mm, addr, GROUND_PAGES * SPACE_PAGE, PROT_READ | PROT_EXEC);
	wrong += mm_range_ok(mm, addr, (GROUND_PAGES + 1) * SPACE_PAGE, PROT_NONE);
	if (mm_query(mm, at(GROUND + 7), &info))
		return wrong + 1;
	wrong += crowd_entry_wrong(crowd, &info, at(GROUND + 7));
	area_info_put(&info);
	while (addr < end) {
		if (mm_query_next(mm, addr, &info))
			return wrong + 1;
		wrong += crowd_entry_wrong(crowd, &info, addr);
		addr = info.end;
		area_info_put(&info);
	}
	return wrong;
}

/* ------------------------------------------------------------ the calls */

struct crowd_member {
	struct crowd *crowd;
	unsigned long rng;
};

static inline unsigned long crowd_pick(struct crowd_member *m, unsigned long below)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (m->rng >> 11) % below;
}

static inline void crowd_change_ground(struct crowd_member *m)
{
	struct space *s = &m->crowd->s;
	unsigned long first = crowd_pick(m, GROUND_PAGES);
	unsigned long nr = 1 + crowd_pick(m, GROUND_PAGES - first);
	long ret;

	switch (crowd_pick(m, 4)) {
	case 0:
		ret = space_map(s, GROUND, GROUND_PAGES, RW, ANON);
		break;
	case 1:
		ret = space_map_file(s, GROUND + first, nr, PROT_READ, MAP_PRIVATE,
				     m->crowd->file, first);
		break;
	case 2:
		ret = mm_mprotect(s->mm, at(GROUND + first), nr * SPACE_PAGE, PROT_READ);
		break;
	default:
		ret = mm_mprotect(s->mm, at(GROUND + first), nr * SPACE_PAGE, RW);
	}
	m->crowd->wrong += ret != 0;
}

/* In the window anything may happen: what a call returns depends on the others. */
static inline void crowd_change_window(struct crowd_member *m)
{
	struct space *s = &m->crowd->s;
	unsigned long page = crowd_pick(m, 56), nr = 1 + crowd_pick(m, 8);
	struct mm_user *child;

	switch (crowd_pick(m, 8)) {
	case 0:
		space_map(s, page, nr, RW, ANON);
		break;
	case 1:
		space_map_file(s, page, nr, PROT_READ, MAP_SHARED, m->crowd->file, page);
		break;
	case 2:
		space_unmap(s, page, nr);
		break;
	case 3:
		mm_mprotect(s->mm, at(page), nr * SPACE_PAGE, PROT_READ);
		break;
	case 4:
		mm_mremap(s->mm, at(page), SPACE_PAGE, SPACE_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			  at(crowd_pick(m, 56)));
		break;
	case 5:
		mm_madvise(s->mm, at(page), nr * SPACE_PAGE, MADV_DONTDUMP);
		break;
	case 6:
		space_write(s, page);
		break;
	default:
		if (mm_fork(s->mm, &child))
			m->crowd->wrong++;
		else
			mmput(child);
	}
}

static inline void crowd_look(struct crowd_member *m)
{
	struct vma_ref *vma = lock_vma_under_rcu(m->crowd->s.mm, at(crowd_pick(m, 64)));

	if (vma)
		vma_end_read(vma);
	m->crowd->wrong += crowd_ground_wrong(m->crowd) != 0;
}

static inline void *crowd_main(void *arg)
{
	struct crowd *crowd = arg;
	int nr = crowd->nr_started++;
	struct crowd_member m = { .crowd = crowd, .rng = 88172645463325252ul + (unsigned long)nr };

	while (!crowd->stop) {
		crowd_change_ground(&m);
		crowd_change_window(&m);
		crowd_look(&m);
		crowd->rounds[nr]++;
	}
	return NULL;
}

/* Returns once each of the @nr threads has been round. */
static inline void crowd_start(struct crowd *crowd, int nr)
{
	*crowd = (struct crowd){ .nr = nr };
	space_open(&crowd->s);
	crowd->file = space_file(&crowd->s, 1000, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map(&crowd->s, GROUND, GROUND_PAGES, RW, ANON), 0);
	for (int i = 0; i < nr; i++)
		assert_int_equal(pthread_create(&crowd->threads[i], NULL, crowd_main, crowd), 0);
	for (int i = 0; i < nr; i++) {
		while (!crowd->rounds[i])
			sched_yield();
	}
}

static inline void crowd_end(struct crowd *crowd)
{
	crowd->stop = true;
	for (int i = 0; i < crowd->nr; i++)
		assert_int_equal(pthread_join(crowd->threads[i], NULL), 0);
	assert_int_equal(crowd->wrong, 0);
	assert_int_equal(crowd_ground_wrong(crowd), 0);
	file_put(crowd->file);
	space_close(&crowd->s);
}

#endif
