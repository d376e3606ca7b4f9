/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The scenarios, one file for each subject, and what they have in common.
 *
 * A scenario is small on purpose: a search of all orders has to come to its end.  So what can be
 * done before the threads start is done in set-up, and each thread makes one call or two.  What
 * must hold is said by VT_CHECK() in the threads and by the walker at the end; that nothing races,
 * leaks or waits for ever is the machine's to see.
 *
 * For each scenario there is a twin at least (twins/): the same with a defect put into the library,
 * which the search has to find.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <errno.h>

#include <vmarea/testing.h>

#include "reclaim/reclaim.h"

#define PAGE		4096ul
#define AT(page)	(0x10000000ul + (page) * PAGE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW		(PROT_READ | PROT_WRITE)

/* Two threads by name, or more. */
#define THREAD(fn)	{ #fn, fn }

/* One machine and up to two address spaces: stage.c. */
extern struct vmarea *machine;
extern struct mm_user *mm, *other;

/* A machine with an empty mm.  Placement goes down from AT(16), the guard gap is a page. */
void stage_make(void);
/* The same with frames, so few that one which is freed is soon another page. */
void stage_make_with_frames(void);
void stage_make_with_arena(unsigned long bytes);
/* A word of page @page, stored or loaded as the program would; value is written with DONE only. */
enum mm_fault stage_put(struct mm_user *in, unsigned long page, uint64_t value);
enum mm_fault stage_get(struct mm_user *in, unsigned long page, uint64_t *value);
/* It can be read, and this is there. */
void stage_expect(struct mm_user *in, unsigned long page, uint64_t value);
/* How a fault ends where there may be no memory: true if it is done. */
bool fault_done(enum mm_fault fault);
/* A second mm on it. */
void stage_make_other(void);
/* Pages [first, first + nr) of @in, private and anonymous. */
void stage_map(struct mm_user *in, unsigned long first, unsigned long nr, unsigned long prot);
/* A file, one reference. */
struct file *stage_file(const struct file_operations *ops);
/* The same pages of @file, which the area then keeps. */
void stage_map_file(struct mm_user *in, unsigned long first, unsigned long nr, struct file *file);
/* The struct of the frame that page @page has; the caller knows that it has one. */
struct page *stage_frame(struct mm_user *in, unsigned long page);
/* The hand of reclaim comes by a frame.  1: it has freed it. */
unsigned long stage_evict(struct page *frame, enum reclaim_mind mind);
/* The walker finds nothing in either mm. */
void stage_check(void);
/* The above, then all goes. */
void stage_end(void);

/* True if a call is done; else it had no memory, and some was refused. */
bool done(long ret);

extern const struct vt_scenario
	/* reader.c */
	reader_writer, two_readers_writer, reader_two_writers, reader_reuse, reader_reuse_reader,
	/* lookup.c */
	lookup_split, lookup_merge, lookup_grow, lookup_shrink, lookup_fixed, lookup_move,
	lookup_split_merge,
	/* downgrade.c */
	downgrade_reader, downgrade_writer, downgrade_readers_writer,
	/* users.c */
	get_last_put, get_last_async, get_put_put, async_destroy, async_destroy_chain, grab_drop,
	/* tree.c */
	tree_split, tree_join, tree_free, tree_recycle, tree_wait, tree_orphan, tree_readers,
	/* speculate.c */
	speculate, speculate_writers, speculate_range,
	/* fork.c */
	fork_reader, fork_touch, fork_query, fork_put_touch,
	/* place.c */
	place_place, place_stack, stack_stack, place_mremap, place_place_stack,
	/* rwsem.c */
	rwsem_exclusion, rwsem_readers, rwsem_f1, rwsem_f2, rwsem_f3, rwsem_f4_reader,
	rwsem_f4_writer, rwsem_wake, rwsem_writers,
	/* kill.c */
	kill_waiter, kill_group_waiter, kill_handover, kill_mm, kill_join,
	/* spinlock.c */
	spin_two, spin_three, spin_trier,
	/* anon.c */
	anon_both, anon_same, anon_chain, anon_split_fork,
	/* query.c */
	query_munmap, query_reuse, query_name, query_two_writers, query_walk,
	/* file.c */
	file_last_put, file_get_gone, file_release_calls, file_put_put,
	/* pool.c */
	pool_two_mms,
	/* fault.c */
	fault_fault, fault_fault_read, fault_unmap, fault_unmap_write, fault_protect,
	fault_row, fault_dontneed, fault_move, fault_move_table,
	fault_truncate, fault_truncate_private, fault_around_truncate,
	/* cow.c */
	cow_fork, cow_fork_fresh, cow_both, cow_reuse, cow_discard, cow_pin_fork, cow_pin_zap, cow_pin_tables,
	cow_pin_shared, cow_peek_write,
	/* swap.c */
	swap_out_write, swap_out_fork, swap_fork_swapped, swap_out_pin, swap_in_both, swap_in_zap,
	swap_out_zap, swap_in_reused, swap_in_awaited, swap_off_write,
	/* reclaim.c */
	reclaim_load, reclaim_fault, reclaim_truncate, reclaim_dirty_truncate, reclaim_pin,
	reclaim_dirty_pin, reclaim_store, reclaim_dirty_store, reclaim_call, reclaim_awaited,
	reclaim_tlb,
	/* reclaim_anon.c */
	reclaim_free_store, reclaim_free_pin, reclaim_free_fork, reclaim_free_unmap,
	reclaim_two_looks, reclaim_used, reclaim_tables,
	/* leaving.c */
	leaving_load, leaving_store, leaving_call, leaving_truncate, coming_both,
	coming_truncate, leaving_unmap, leaving_end, leaving_last_end,
	/* filemap.c */
	filemap_move, filemap_append, filemap_answer,
	/* waiting.c */
	wait_answer, wait_protect, wait_unmap, wait_close, wait_kill, wait_leave, wait_file,
	/* tlb.c */
	tlb_unmap, tlb_protect, tlb_move, tlb_copy, tlb_fork,
	/* huge.c */
	huge_collapse_fault, huge_collapse_peek, huge_collapse_pin, huge_split_fault;

#endif
