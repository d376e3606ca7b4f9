/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A space (tests/mm/space.h) with frames, and its bytes.  When it is closed, no frame may be left.
 *
 * VMAREA_TEST_TABLES chooses the page tables: x86-64 or riscv, and the levels: "riscv:5".
 */
#ifndef TESTS_FAULT_MEMORY_H
#define TESTS_FAULT_MEMORY_H

#include <stdlib.h>

#include "../mm/space.h"
#include "../walker/opinion.h"
#include "fault/fault.h"
#include "fault/pages.h"
#include "instance/instance.h"
#include "vma/handle.h"

#define MEMORY_BYTES	(64ul << 20)

struct memory {
	struct space s;
	unsigned long frames;		/* free before there was an mm */
};

static inline unsigned long memory_free_frames(struct vmarea *v)
{
	struct arena_stats stats;

	port_rcu_barrier();
	arena_get_stats(v->arena, &stats);
	return stats.free + stats.cached;
}

static inline void memory_choose_tables(struct mm_config *config)
{
	const char *text = getenv("VMAREA_TEST_TABLES"), *levels;

	if (!text)
		return;
	if (!strncmp(text, "riscv", 5))
		config->table_format = MM_TABLE_RISCV;
	levels = strchr(text, ':');
	if (levels)
		config->levels = (unsigned int)atoi(levels + 1);
}

/* Change the configuration between the two. */
static inline void memory_init(struct memory *m, unsigned long bytes)
{
	space_init(&m->s);
	memory_choose_tables(&m->s.mm_config);
	m->s.config.arena_bytes = bytes;
}

static inline void memory_create(struct memory *m)
{
	assert_int_equal(vmarea_create(&m->s.config, &m->s.v), 0);
	m->frames = memory_free_frames(m->s.v);
	assert_int_equal(mm_create(m->s.v, &m->s.mm_config, &m->s.mm), 0);
}

static inline void memory_open_with(struct memory *m, unsigned long bytes)
{
	memory_init(m, bytes);
	memory_create(m);
}

static inline void memory_open(struct memory *m)
{
	memory_open_with(m, MEMORY_BYTES);
}

static inline void memory_validate(struct mm_user *mm)
{
	char why[256] = "";

	if (mm_validate(mm, why, sizeof(why)) || !opinion_of_mm(mm, why))
		fail_msg("%s", why);
}

static inline void memory_close(struct memory *m)
{
	memory_validate(m->s.mm);
	mmput(m->s.mm);
	assert_int_equal(memory_free_frames(m->s.v), m->frames);
	assert_int_equal(vmarea_committed_pages(m->s.v), 0);
	vmarea_destroy(m->s.v);
}

/* One byte in the middle of a page of the window. */
static inline unsigned long byte_at(unsigned long page)
{
	return at(page) + 123;
}

static inline enum mm_fault mm_put(struct mm_user *mm, unsigned long page, unsigned char value)
{
	enum mm_fault fault;
	size_t done = mm_write(mm, byte_at(page), &value, 1, &fault);

	assert_int_equal(done, fault == MM_FAULT_DONE);
	return fault;
}

/* The byte, or -1 - the fault. */
static inline int mm_get(struct mm_user *mm, unsigned long page)
{
	unsigned char value = 0xee;
	enum mm_fault fault;
	size_t done = mm_read(mm, byte_at(page), &value, 1, &fault);

	assert_int_equal(done, fault == MM_FAULT_DONE);
	return fault == MM_FAULT_DONE ? value : -1 - (int)fault;
}

#define put(m, page, value)	mm_put((m)->s.mm, (page), (value))
#define get(m, page)		mm_get((m)->s.mm, (page))
#define NO_BYTE(fault)		(-1 - MM_FAULT_##fault)

/* What the page table says: the frame's number, 0 if there is none. */
static inline unsigned long mm_frame(struct mm_user *user, unsigned long page)
{
	struct pgtable *pt = mm_from_user(user)->pgt;
	unsigned int level;
	pte_t e = pt_look(pt, at(page), &level);

	return pte_present(pt->format, e) ? pte_pfn(pt->format, e) : 0;
}

static inline u32 mm_attrs(struct mm_user *user, unsigned long page)
{
	struct pgtable *pt = mm_from_user(user)->pgt;
	unsigned int level;
	pte_t e = pt_look(pt, at(page), &level);

	return pte_present(pt->format, e) ? pte_attrs(pt->format, e) : 0;
}

/* How many 2 MiB are mapped as one: AnonHugePages, and the zero block. */
static inline unsigned long mm_leaves(struct mm_user *user)
{
	return (unsigned long)mm_from_user(user)->pgt->nr_spare;
}

static inline unsigned long mm_rss(struct mm_user *mm)
{
	struct mm_stats stats;

	mm_get_stats(mm, &stats);
	return stats.anon_pages + stats.file_pages + stats.shmem_pages;
}

#endif
