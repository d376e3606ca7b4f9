/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The order of locks: the one place that states it.
 *
 * A thread that holds a lock may wait only for locks further down.  The checker of debug builds
 * (witness.c) and the table in docs/LOCKING.md are both made from this list.
 *
 *	X(name, text, kind, guards)
 */
#ifndef SYNC_RANK_H
#define SYNC_RANK_H

#include "base/compiler.h"

#define LOCK_RANKS(X)								\
	X(SHRINKER, "shrinker's run", "shared",					\
	  "no lock: it is being asked; who unregisters it waits for that")	\
	X(MMAP, "mmap lock", "rwsem",						\
	  "the tree of VMAs of one mm and what its memory calls change")	\
	X(INVALIDATE, "invalidate lock", "rwsem",				\
	  "which pages of a file exist, against truncation")			\
	X(PAGE, "page lock", "sleeping",					\
	  "one page's identity and its I/O")					\
	X(VMA, "vma lock", "vma",						\
	  "one VMA against change and removal; readers without the mmap lock")	\
	X(I_MMAP, "i_mmap lock", "rwsem",					\
	  "the interval tree of the VMAs that map one file")			\
	X(ANON_VMA, "anon_vma lock", "rwsem",					\
	  "the interval tree of the VMAs that share anonymous pages")		\
	X(MM_TABLES, "page_table_lock", "spinlock",				\
	  "the upper page tables of one mm, anon_vma pointers, counters")	\
	X(TABLE, "table lock", "spinlock",					\
	  "the entries of one PMD or PTE table")				\
	X(MMU, "mmu lock", "spinlock",						\
	  "who hears of invalidations; one soft TLB; one window of the host")	\
	X(ANON_FAMILY, "anon family lock", "spinlock",				\
	  "the counts of anon_vmas that descend from one another")		\
	X(MAPPING, "mapping lock", "spinlock",					\
	  "the index of the pages of one file")					\
	X(SWAP, "swap lock", "spinlock",					\
	  "which slots of swap areas are in use, and by which page")		\
	X(LRU, "lru lock", "spinlock",						\
	  "the lists of frames by age")						\
	X(ARENA, "arena lock", "spinlock",					\
	  "free frames and free VMAs")						\
	X(INSTANCE, "instance lock", "spinlock",				\
	  "the lists and limits of one instance; nothing is taken inside")

#define __LOCK_RANK_ENUM(name, text, kind, guards)	LOCK_RANK_##name,

enum lock_rank {
	LOCK_RANK_NONE,			/* in no order of the table: it is learned */
	LOCK_RANKS(__LOCK_RANK_ENUM)
	LOCK_RANK_NR,
};

struct lock_rank_info {
	const char *name;
	const char *kind;
	const char *guards;
};

extern const struct lock_rank_info lock_ranks[LOCK_RANK_NR];

#endif
