/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Accesses to pages, and what else an mm with pages can be asked for. */
#include <setjmp.h>

#include <vmarea/driver_fault.h>
#include <vmarea/mmu.h>
#include <vmarea/soft_tlb.h>
#include <vmarea/user_fault.h>

#include "scenario.h"

#define MOVE_TO		(MREMAP_MAYMOVE | MREMAP_FIXED)
#define FIXED		(ANON | MAP_FIXED)

static long by_fault(enum mm_fault fault)
{
	return fault == MM_FAULT_OOM ? -ENOMEM : (long)fault;
}

/* --------------------------------------------------------------- faults -- */

#define FAULT(name, page, access)						\
	CALL(name, by_fault(mm_handle_fault(mm, AT(page), MM_ACCESS_##access)))
#define KIN_FAULT(name, page, access)						\
	CALL(name, by_fault(mm_handle_fault(frames_kin(), AT(page), MM_ACCESS_##access)))

FAULT(fault_read, 3, READ)
FAULT(fault_write, 3, WRITE)
FAULT(fault_new_table, 302, READ)
FAULT(fault_zero_page_write, 2, WRITE)
FAULT(fault_read_only, 10, READ)
FAULT(fault_refused, 10, WRITE)
FAULT(fault_exec, 4, EXEC)
FAULT(fault_file_read, 18, READ)
FAULT(fault_file_write, 18, WRITE)
FAULT(fault_file_copy, 16, WRITE)
FAULT(fault_shared_read, 26, READ)
FAULT(fault_shared_write, 26, WRITE)
FAULT(fault_shared_upgrade, 25, WRITE)
FAULT(fault_copy_of_forked, 41, WRITE)
FAULT(fault_present, 43, WRITE)
FAULT(fault_pinned, 44, WRITE)
FAULT(fault_guard, 46, READ)
FAULT(fault_nothing, 48, READ)
FAULT(fault_stack, 896, WRITE)
FAULT(fault_heap, 1002, WRITE)
FAULT(fault_locked, 203, WRITE)
FAULT(fault_device, 51, READ)
KIN_FAULT(fault_kin_copy, 41, WRITE)
KIN_FAULT(fault_kin_shared, 24, WRITE)
KIN_FAULT(fault_kin_file, 17, READ)
CALL(fault_huge_private, by_fault(mm_handle_fault(mm, HUGE_AT(0) + 9 * PAGE, MM_ACCESS_WRITE)))
CALL(fault_huge_file, by_fault(mm_handle_fault(mm, HUGE_AT(5), MM_ACCESS_WRITE)))

static void some_heap(void)
{
	assert_int_equal(mm_brk(w.mm, AT(1004)), AT(1004));
}

/* The child is gone: whose page it was has it alone. */
static void without_kin(void)
{
	assert_int_equal(mm_munmap(frames_kin(), AT(40), 8 * PAGE), 0);
}

/* --------------------------------------------------------------- copies -- */

/* The whole pages that were written to are changed; of the next nothing is. */
static long write_pages(struct mm_user *mm, unsigned long page, unsigned long nr)
{
	static unsigned char bytes[40 * PAGE];
	enum mm_fault fault;
	size_t done;

	memset(bytes, 0xd7, sizeof(bytes));
	done = mm_write(mm, AT(page), bytes, nr * PAGE, &fault);
	assert_int_equal(done % PAGE, 0);
	assert_true(fault == MM_FAULT_DONE ? done == nr * PAGE : done < nr * PAGE);
	w.progress = (long)(done / PAGE);
	return by_fault(fault);
}

/* What was read is what is there; a read of fresh memory brings the zero page. */
static long read_pages(struct mm_user *mm, unsigned long page, unsigned long nr)
{
	static unsigned char bytes[40 * PAGE], again[40 * PAGE];
	enum mm_fault fault;
	size_t done;

	memset(bytes, 0x11, sizeof(bytes));
	memset(again, 0x11, sizeof(again));
	done = mm_read(mm, AT(page), bytes, nr * PAGE, &fault);
	assert_int_equal(done % PAGE, 0);
	if (done) {
		enum mm_fault once_more;

		assert_int_equal(mm_read(mm, AT(page), again, done, &once_more), done);
		assert_memory_equal(bytes, again, done);
	}
	return by_fault(fault);
}

static long access_pages(struct mm_user *mm, unsigned long page, unsigned long nr,
			 unsigned int flags)
{
	static unsigned char bytes[17 * PAGE];
	enum mm_fault fault;
	size_t done;

	memset(bytes, 0xe8, sizeof(bytes));
	done = mm_access(mm, AT(page), bytes, nr * PAGE, flags, &fault);
	assert_int_equal(done % PAGE, 0);
	if (flags & MM_REMOTE_WRITE)
		w.progress = (long)(done / PAGE);
	return by_fault(fault);
}

CALL(write_one, write_pages(mm, 3, 1))
CALL(write_areas, write_pages(mm, 0, 8))
CALL(write_file, write_pages(mm, 16, 16))
CALL(write_forked, write_pages(mm, 40, 6))
CALL(read_areas, read_pages(mm, 0, 16))
CALL(read_file, read_pages(mm, 16, 16))
CALL(access_write, access_pages(mm, 0, 8, MM_REMOTE_WRITE))
/* More than has room on the stack; behind the last there is nothing. */
CALL(access_write_many, access_pages(mm, 16, 17, MM_REMOTE_WRITE))
CALL(access_read, access_pages(mm, 16, 8, 0))
CALL(access_forced, access_pages(mm, 8, 8, MM_REMOTE_WRITE | MM_REMOTE_FORCED))
CALL(access_kin, access_pages(frames_kin(), 40, 5, MM_REMOTE_WRITE))

/* ----------------------------------------------------------------- pins -- */

static long translate(struct mm_user *mm, unsigned long page, enum mm_access access)
{
	struct mm_translation t = { .page = NULL };
	enum mm_fault fault = mm_translate(mm, AT(page), access, &t);

	if (fault == MM_FAULT_DONE)
		mm_translation_put(&t);
	else
		assert_null(t.page);
	return by_fault(fault);
}

static long pin(struct mm_user *mm, unsigned long page, unsigned long nr, enum mm_access access)
{
	struct page *pages[8];
	long ret = mm_pin_pages(mm, AT(page), nr, access, pages);

	if (ret > 0)
		mm_unpin_pages(pages, (unsigned long)ret);
	if (access == MM_ACCESS_WRITE)
		w.progress = -1;
	return ret >= 0 && ret < (long)nr ? -ENOMEM : ret;
}

CALL(translate_read, translate(mm, 3, MM_ACCESS_READ))
CALL(translate_write, translate(mm, 3, MM_ACCESS_WRITE))
CALL(translate_forked, translate(mm, 41, MM_ACCESS_READ))
CALL(translate_file, translate(mm, 19, MM_ACCESS_READ))
CALL(pin_fresh, pin(mm, 0, 8, MM_ACCESS_WRITE))
CALL(pin_forked, pin(mm, 40, 6, MM_ACCESS_READ))
CALL(pin_file, pin(mm, 16, 8, MM_ACCESS_READ))

/* ---------------------------------------------------------------- files -- */

#define FILE_BYTES	(6 * PAGE)

/* Up to where it was written the file is new, behind that it is old. */
static long write_to(struct file *file, uint64_t offset, size_t bytes)
{
	static unsigned char old[FILE_BYTES], now[FILE_BYTES], is[FILE_BYTES];
	uint64_t size = file_size(file);
	long done, nr;

	assert_true(file_read(file, offset, old, bytes) >= 0);
	memset(now, 0x3c, sizeof(now));
	done = file_write(file, offset, now, bytes);
	if (done < 0) {
		assert_int_equal(file_size(file), size);
		done = 0;
		nr = -ENOMEM;
	} else {
		nr = done < (long)bytes ? -ENOMEM : done;
	}
	memcpy(now + done, old + done, sizeof(now) - (size_t)done);
	port_fail_both(0, 0);
	assert_true(file_read(file, offset, is, bytes) >= done);
	assert_memory_equal(is, now, bytes);
	return nr;
}

static long read_from(struct file *file, uint64_t offset, size_t bytes)
{
	static unsigned char to[FILE_BYTES];
	long done = file_read(file, offset, to, bytes);

	for (long i = 0; i < done; i++)
		if (file == w.file)
			assert_int_equal(to[i], 1 + (offset + (uint64_t)i) / PAGE % 255);
	return done >= 0 && done < (long)bytes ? -ENOMEM : done;
}

CALL(file_write_segment, write_to(w.segment, 100, 3 * PAGE))
CALL(file_read_segment, read_from(w.segment, 0, 4 * PAGE))
CALL(file_read_new, read_from(w.file, 40 * PAGE + 5, 3 * PAGE))
CALL(file_punch_whole, file_punch_hole(w.file, 16 * PAGE, 2 * PAGE))
CALL(file_punch_part, file_punch_hole(w.file, 16 * PAGE + 10, 2 * PAGE))

/* -------------------------------------------------------------- drivers -- */

static const struct vm_operations_struct mixed_vm_ops = { .open = NULL };

static int mixed_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	vma_set_owner(vma, &mixed_vm_ops, &w);
	vma_set_mixedmap(vma);
	return 0;
}

static const struct file_operations mixed_ops = { .owner = "mixed", .mmap = mixed_mmap };

/* Where no table is yet. */
static void map_mixed(void)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/mixed", .ops = &mixed_ops,
		.flags = FILE_READ | FILE_WRITE, .size_bytes = 1 << 20,
	};
	struct file *file;

	assert_int_equal(file_create(w.v, &desc, &file), 0);
	assert_int_equal(mm_mmap(w.mm, HUGE_AT(20), 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0),
			 HUGE_AT(20));
	file_put(file);
}

static long insert_page(struct mm_user *mm)
{
	struct page *page = alloc_page(w.v);
	struct mmap_read *lock;
	struct vma_mixedmap *vma;
	long ret;

	if (!page)
		return -ENOMEM;
	lock = mmap_read_lock(mm);
	vma = vma_as_mixedmap(vma_lookup(lock, HUGE_AT(20)));
	ret = vm_insert_page(vma, HUGE_AT(20) + PAGE, page);
	mmap_read_unlock(lock);
	__free_page(page);
	return ret;
}

/* Frames by 2 MiB, as their driver shows them. */
static struct page *block[512];

static vm_fault_t show_block(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order);
static vm_fault_t show_block(struct vma_ref *vma, struct vm_fault *vmf, unsigned int order)
{
	int err = vm_insert_pfn_pmd(vma_as_pfnmap(vma), vma_start(vma), page_to_pfn(block[0]),
				    vmf->flags);

	if (err)
		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	return VM_FAULT_NOPAGE;
}

static int frames_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int frames_mmap(struct file *file, struct vma_new *vma)
{
	static const struct vm_operations_struct vm_ops = { .huge_fault = show_block };

	vma_set_owner(vma, &vm_ops, NULL);
	return vma_set_pfnmap(vma) ? 0 : -EINVAL;
}

static struct file *frames_file;

static void map_frames(void)
{
	static const struct file_operations frames_ops = { .owner = "frames", .mmap = frames_mmap };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/frames", .ops = &frames_ops,
		.flags = FILE_READ | FILE_WRITE, .size_bytes = HUGE,
	};

	assert_int_equal(file_create(w.v, &desc, &frames_file), 0);
	assert_int_equal(mm_mmap(w.mm, HUGE_AT(20), HUGE, RW, MAP_SHARED | MAP_FIXED, frames_file,
				 0), HUGE_AT(20));
	file_put(frames_file);
}

/* The area keeps the file.  In the end nothing is shown, and the driver has no frame. */
static long insert_block(struct mm_user *mm)
{
	long ret;

	if (!alloc_contig_pages(w.v, 9, block))
		return -ENOMEM;
	ret = by_fault(mm_handle_fault(mm, HUGE_AT(20) + 5 * PAGE, MM_ACCESS_WRITE));
	unmap_mapping_pages(frames_file, 0, 512);
	for (int i = 0; i < 512; i++)
		__free_page(block[i]);
	return ret;
}

/* ------------------------------------------------- what forks and moves -- */

static long fork_and_leave(struct mm_user *mm)
{
	struct mm_user *child;
	char why[128] = "";
	int err = mm_fork(mm, &child);

	if (err)
		return err;
	if (mm_validate(child, why, sizeof(why)))
		fail_msg("child: %s", why);
	mmput(child);
	return 0;
}

/* Anonymous memory of 4 times 2 MiB: one page in each but the last. */
static void far_memory(void)
{
	assert_int_equal(mm_mmap(w.mm, HUGE_AT(20), 4 * HUGE, RW, FIXED | MAP_NORESERVE, NULL, 0),
			 HUGE_AT(20));
	assert_int_equal(mm_madvise(w.mm, HUGE_AT(20), 4 * HUGE, MADV_NOHUGEPAGE), 0);
	for (unsigned long i = 0; i < 3; i++)
		assert_int_equal(mm_touch(w.mm, HUGE_AT(20 + i) + (5 + 200 * i) * PAGE,
					  MM_ACCESS_WRITE), MM_FAULT_DONE);
}

CALL(move_tables, mm_mremap(mm, HUGE_AT(20), 4 * HUGE, 4 * HUGE, MOVE_TO, HUGE_AT(30)))
CALL(move_far, mm_mremap(mm, HUGE_AT(20), 4 * HUGE, 4 * HUGE, MOVE_TO, 0x700000000000))
CALL(move_askew, mm_mremap(mm, HUGE_AT(20), 4 * HUGE, 4 * HUGE, MOVE_TO, HUGE_AT(30) + 7 * PAGE))
CALL(move_over_touched, mm_mremap(mm, HUGE_AT(20), 2 * HUGE, 2 * HUGE, MOVE_TO, HUGE_AT(4)))
CALL(move_grow, mm_mremap(mm, AT(0), 8 * PAGE, 600 * PAGE, MREMAP_MAYMOVE, 0))
CALL(move_forked, mm_mremap(mm, AT(40), 8 * PAGE, 8 * PAGE, MOVE_TO, HUGE_AT(30) - 3 * PAGE))
CALL(move_dontunmap, mm_mremap(mm, HUGE_AT(20), HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0))
CALL(unmap_forked, mm_munmap(mm, AT(41), 4 * PAGE))
CALL(unmap_far, mm_munmap(mm, HUGE_AT(20), 3 * HUGE))
CALL(protect_forked, mm_mprotect(mm, AT(41), 4 * PAGE, PROT_READ))
CALL(protect_none, mm_mprotect(mm, AT(0), 8 * PAGE, PROT_NONE))
CALL(map_over_forked, mm_mmap(mm, AT(41), 4 * PAGE, RW, FIXED, NULL, 0))
CALL(map_populate_over, mm_mmap(mm, AT(41), 4 * PAGE, RW, FIXED | MAP_POPULATE, NULL, 0))

/* --------------------------------------------------------------- advice -- */

#define ADVICE(name, page, nr, advice) CALL(name, mm_madvise(mm, AT(page), (nr) * PAGE, advice))

ADVICE(advise_dontneed, 0, 6, MADV_DONTNEED)
ADVICE(advise_dontneed_forked, 41, 4, MADV_DONTNEED)
ADVICE(advise_dontneed_locked, 200, 4, MADV_DONTNEED_LOCKED)
ADVICE(advise_free, 40, 8, MADV_FREE)
ADVICE(advise_cold, 0, 8, MADV_COLD)
ADVICE(advise_pageout, 0, 8, MADV_PAGEOUT)
ADVICE(advise_remove, 24, 2, MADV_REMOVE)
ADVICE(advise_willneed, 16, 8, MADV_WILLNEED)
ADVICE(advise_wipe, 41, 4, MADV_WIPEONFORK)
ADVICE(advise_hugepage, 40, 8, MADV_HUGEPAGE)
ADVICE(advise_guard_touched, 0, 6, MADV_GUARD_INSTALL)
ADVICE(advise_guard_new, 302, 1, MADV_GUARD_INSTALL)
ADVICE(advise_guard_remove, 46, 1, MADV_GUARD_REMOVE)
ADVICE(advise_populate_read, 0, 32, MADV_POPULATE_READ)
ADVICE(advise_populate_write, 0, 8, MADV_POPULATE_WRITE)
ADVICE(advise_populate_forked, 40, 6, MADV_POPULATE_WRITE)
CALL(advise_guard_far, mm_madvise(mm, HUGE_AT(22) + 400 * PAGE, 200 * PAGE, MADV_GUARD_INSTALL))

CALL(advise_collapse, mm_madvise(mm, HUGE_AT(20), 2 * HUGE, MADV_COLLAPSE))

static void to_be_collapsed(void)
{
	far_memory();
	assert_int_equal(mm_madvise(w.mm, HUGE_AT(20), 4 * HUGE, MADV_HUGEPAGE), 0);
}

/* One leaf, and what splits it, takes it along or has it copied. */
static void huge_leaf(void)
{
	to_be_collapsed();
	assert_int_equal(mm_madvise(w.mm, HUGE_AT(20), HUGE, MADV_COLLAPSE), 0);
}

static void forked_leaf(void)
{
	huge_leaf();
	assert_int_equal(mm_fork(w.mm, &w.ancestors[0]), 0);
}

CALL(huge_fault, by_fault(mm_handle_fault(mm, HUGE_AT(23) + 5 * PAGE, MM_ACCESS_WRITE)))
CALL(huge_copy, by_fault(mm_handle_fault(mm, HUGE_AT(20) + 9 * PAGE, MM_ACCESS_WRITE)))
CALL(huge_unmap_part, mm_munmap(mm, HUGE_AT(20) + 4 * PAGE, 3 * PAGE))
CALL(huge_protect_part, mm_mprotect(mm, HUGE_AT(20) + 4 * PAGE, 3 * PAGE, PROT_READ))
CALL(huge_discard_part, mm_madvise(mm, HUGE_AT(20) + 4 * PAGE, 3 * PAGE, MADV_DONTNEED))
CALL(huge_guard_part, mm_madvise(mm, HUGE_AT(20) + 4 * PAGE, 3 * PAGE, MADV_GUARD_INSTALL))
CALL(huge_move, mm_mremap(mm, HUGE_AT(20), HUGE, HUGE, MOVE_TO, HUGE_AT(30)))
CALL(huge_move_askew, mm_mremap(mm, HUGE_AT(20), HUGE, HUGE, MOVE_TO, HUGE_AT(30) + 7 * PAGE))
CALL(huge_move_part, mm_mremap(mm, HUGE_AT(20), 9 * PAGE, 9 * PAGE, MOVE_TO, HUGE_AT(30)))
CALL(huge_map_over, mm_mmap(mm, HUGE_AT(20) + 4 * PAGE, 3 * PAGE, RW, FIXED, NULL, 0))

/* Wiped in the child; the rest is copied. */
static void to_be_wiped(void)
{
	assert_int_equal(mm_madvise(w.mm, AT(0), 8 * PAGE, MADV_WIPEONFORK), 0);
}

static void attach_segment(void)
{
	assert_int_equal(mm_shmat(w.mm, w.segment, AT(600), 0), AT(600));
}

CALL(write_segment, write_pages(mm, 600, 4))

static void locks_in_future(void)
{
	assert_int_equal(mm_mlockall(w.mm, MCL_FUTURE), 0);
}

static long brk_up(struct mm_user *mm)
{
	return mm_brk(mm, AT(1008)) == AT(1008) ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------- backends -- */

/* A store and a load by way of a TLB that is made for them. */
static long use_soft_tlb(struct mm_user *mm)
{
	const unsigned long value = 0x1234567890;
	struct soft_tlb_space *space;
	struct soft_tlb *tlb;
	long ret = soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb);

	if (ret)
		return ret;
	ret = soft_tlb_attach(tlb, mm_mmu(mm), &space);
	if (!ret) {
		unsigned long got = value;

		soft_tlb_switch(tlb, space);
		soft_tlb_begin(tlb);
		if (!soft_tlb_store(tlb, AT(3) + 8, &value, 8))
			ret = by_fault(tlb->fault);
		else if (!soft_tlb_load(tlb, AT(3) + 8, &got, 8))
			ret = by_fault(tlb->fault);
		soft_tlb_end(tlb);
		assert_int_equal(got, value);
		soft_tlb_detach(tlb, space);
	}
	soft_tlb_destroy(tlb);
	return ret;
}

/* A store that crosses into a page for which there is no frame: nothing is written. */
static long store_across(struct mm_user *mm)
{
	const u64 value = 0x1122334455667788;
	struct soft_tlb_space *space;
	struct soft_tlb *tlb;
	long ret = soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb);

	if (ret)
		return ret;
	ret = soft_tlb_attach(tlb, mm_mmu(mm), &space);
	if (!ret) {
		soft_tlb_switch(tlb, space);
		soft_tlb_begin(tlb);
		if (!soft_tlb_store(tlb, AT(4) - 4, &value, 8))
			ret = by_fault(tlb->fault);
		soft_tlb_end(tlb);
		soft_tlb_detach(tlb, space);
	}
	soft_tlb_destroy(tlb);
	return ret;
}

static sigjmp_buf out_of_window;

static bool leave_window(struct host_window *window, const struct host_fault *fault, void *arg)
{
	siglongjmp(out_of_window, 1 + (int)fault->why);
}

/* Plain code in a window of its own. */
static long use_window(struct mm_user *mm)
{
	struct host_window_config config = {
		.size = sizeof(config), .start = AT(0), .bytes = HOST_WINDOW_ALIGN,
		.refused = leave_window,
	};
	struct host_window *window;
	long ret = host_window_create(mm_mmu(mm), &config, &window);
	int why;

	if (ret)
		return ret;
	why = sigsetjmp(out_of_window, 1);
	if (!why) {
		volatile char *p = host_window_at(window, AT(0));

		p[3 * PAGE] = 0;
		p[41 * PAGE] = p[41 * PAGE];
		(void)p[18 * PAGE];
	}
	host_window_destroy(window);
	return why ? by_fault((enum mm_fault)(why - 1)) : 0;
}

static void hear(struct mmu_notifier *notifier, unsigned long start, unsigned long end)
{
}

static long use_notifier(struct mm_user *mm)
{
	struct mmu_notifier notifier = { .invalidate = hear };
	long ret;

	mmu_notifier_add(mm_mmu(mm), &notifier);
	ret = mm_munmap(mm, AT(2), 2 * PAGE);
	mmu_notifier_del(mm_mmu(mm), &notifier);
	return ret;
}

/* What closing has no memory for stays on the areas, and is as if it were not there. */
static long answer_faults(struct mm_user *mm)
{
	static const unsigned char bytes[PAGE];
	struct user_faults_config config = USER_FAULTS_CONFIG_INIT;
	struct user_faults *uf;
	long ret = user_faults_create(mm, &config, &uf);

	if (ret)
		return ret;
	ret = user_faults_register(uf, AT(8), 4 * PAGE, USER_FAULT_MISSING);
	if (!ret)
		ret = mm_madvise(mm, AT(9), PAGE, MADV_DONTNEED);
	if (!ret)
		ret = user_faults_copy(uf, AT(9), bytes, PAGE, 0);
	user_faults_put(uf);
	return ret;
}

#define S(name, ...)	{ #name, name, __VA_ARGS__ }

const struct scenario page_calls[] = {
	S(fault_read), S(fault_write), S(fault_new_table), S(fault_zero_page_write),
	S(fault_read_only), S(fault_refused), S(fault_exec), S(fault_file_read),
	S(fault_file_write), S(fault_file_copy), S(fault_shared_read), S(fault_shared_write),
	S(fault_shared_upgrade), S(fault_copy_of_forked), S(fault_present), S(fault_pinned),
	S(fault_guard), S(fault_nothing), S(fault_stack), S(fault_heap, some_heap), S(fault_locked),
	S(fault_device), S(fault_kin_copy), S(fault_kin_shared), S(fault_kin_file),
	S(fault_huge_private), S(fault_huge_file),
	{ "fault_reuse", fault_copy_of_forked, without_kin },

	S(write_one), S(write_areas), S(write_file), S(write_forked), S(read_areas),
	S(read_file), S(access_write), S(access_write_many), S(access_read), S(access_forced),
	S(access_kin),
	S(translate_read), S(translate_write), S(translate_forked), S(translate_file),
	S(pin_fresh), S(pin_forked), S(pin_file),
	S(file_write_segment), S(file_read_segment), S(file_read_new), S(file_punch_whole),
	S(file_punch_part), S(write_segment, attach_segment), S(insert_page, map_mixed),
	S(insert_block, map_frames),

	S(fork_and_leave), { "fork_wiped", fork_and_leave, to_be_wiped },
	{ "fork_far", fork_and_leave, far_memory },
	S(move_tables, far_memory), S(move_far, far_memory), S(move_askew, far_memory),
	S(move_over_touched, far_memory), S(move_grow), S(move_forked),
	S(move_dontunmap, far_memory), S(unmap_forked), S(unmap_far, far_memory),
	S(protect_forked), S(protect_none), S(map_over_forked), S(map_populate_over),
	{ "brk_locked_pages", brk_up, locks_in_future },

	S(advise_dontneed), S(advise_dontneed_forked), S(advise_dontneed_locked),
	S(advise_free), S(advise_cold), S(advise_pageout), S(advise_remove), S(advise_willneed),
	S(advise_wipe), S(advise_hugepage), S(advise_guard_touched), S(advise_guard_new),
	S(advise_guard_remove), S(advise_populate_read), S(advise_populate_write),
	S(advise_populate_forked), S(advise_guard_far, far_memory),

	S(advise_collapse, to_be_collapsed), S(huge_fault, to_be_collapsed),
	S(huge_copy, forked_leaf), S(huge_unmap_part, huge_leaf), S(huge_protect_part, huge_leaf),
	S(huge_discard_part, huge_leaf), S(huge_guard_part, huge_leaf), S(huge_move, huge_leaf),
	S(huge_move_askew, huge_leaf), S(huge_move_part, huge_leaf), S(huge_map_over, huge_leaf),
	{ "huge_fork", fork_and_leave, huge_leaf },
	S(use_soft_tlb), S(store_across, NULL, fault_write), S(use_window), S(use_notifier),
	S(answer_faults, .any_state = true),
};

const size_t nr_page_calls = sizeof(page_calls) / sizeof(page_calls[0]);
