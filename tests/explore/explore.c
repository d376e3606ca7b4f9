/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every scenario of this folder in one program. */
#include "explore.h"

int main(int argc, char **argv)
{
	return vt_main(argc, argv, (const struct vt_scenario *const[]){
		&reader_writer, &two_readers_writer, &reader_two_writers, &reader_reuse,
		&reader_reuse_reader,
		&lookup_split, &lookup_merge, &lookup_grow, &lookup_shrink, &lookup_fixed,
		&lookup_move, &lookup_split_merge,
		&downgrade_reader, &downgrade_writer, &downgrade_readers_writer,
		&get_last_put, &get_last_async, &get_put_put, &async_destroy, &async_destroy_chain,
		&grab_drop,
		&tree_split, &tree_join, &tree_free, &tree_recycle, &tree_wait, &tree_orphan,
		&tree_readers,
		&speculate, &speculate_writers, &speculate_range,
		&fork_reader, &fork_touch, &fork_query, &fork_put_touch,
		&place_place, &place_stack, &stack_stack, &place_mremap, &place_place_stack,
		&rwsem_exclusion, &rwsem_wake, &rwsem_readers, &rwsem_writers, &rwsem_f1, &rwsem_f2,
		&rwsem_f3, &rwsem_f4_reader, &rwsem_f4_writer,
		&kill_waiter, &kill_group_waiter, &kill_join, &kill_handover, &kill_mm,
		&spin_two, &spin_trier, &spin_three,
		&anon_both, &anon_same, &anon_chain, &anon_split_fork,
		&query_munmap, &query_reuse, &query_two_writers, &query_name, &query_walk,
		&file_last_put, &file_put_put, &file_get_gone, &file_release_calls,
		&pool_two_mms,
		&fault_fault, &fault_fault_read, &fault_unmap, &fault_unmap_write, &fault_protect,
		&fault_row, &fault_dontneed, &fault_move, &fault_move_table, &fault_truncate,
		&fault_truncate_private, &fault_around_truncate,
		&cow_fork, &cow_fork_fresh, &cow_both, &cow_reuse, &cow_discard, &cow_pin_fork, &cow_pin_zap,
		&cow_pin_tables, &cow_pin_shared, &cow_peek_write,
		&swap_out_write, &swap_out_fork, &swap_fork_swapped, &swap_out_pin, &swap_in_both, &swap_in_zap,
		&swap_out_zap, &swap_in_reused, &swap_in_awaited, &swap_off_write,
		&reclaim_load, &reclaim_fault, &reclaim_truncate, &reclaim_dirty_truncate,
		&reclaim_pin, &reclaim_dirty_pin, &reclaim_store, &reclaim_dirty_store,
		&reclaim_call, &reclaim_awaited, &reclaim_tlb,
		&reclaim_free_store, &reclaim_free_pin, &reclaim_free_fork, &reclaim_free_unmap,
		&reclaim_two_looks, &reclaim_used, &reclaim_tables,
		&leaving_load, &leaving_store, &leaving_call, &leaving_truncate, &coming_both,
		&coming_truncate, &leaving_unmap, &leaving_end, &leaving_last_end,
		&filemap_move, &filemap_append, &filemap_answer,
		&wait_answer, &wait_protect, &wait_unmap, &wait_close, &wait_kill, &wait_leave,
		&wait_file,
		&tlb_unmap, &tlb_protect, &tlb_move, &tlb_copy, &tlb_fork,
		&huge_collapse_fault, &huge_collapse_peek, &huge_collapse_pin,
		&huge_split_fault, NULL });
}
