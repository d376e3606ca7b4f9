/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who uses the translations of an address space beside its own tables, and must hear when one ends:
 * the code that a JIT has made, a device, a soft TLB (soft_tlb.h), a window of the host (host.h).
 *
 * A struct mmu is the translations of one mm, and lives as long as that.
 */
#ifndef VMAREA_MMU_H
#define VMAREA_MMU_H

#include <vmarea/vmarea.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

struct mmu;

/* That of @mm, as long as @mm has users; NULL: the mm keeps areas only. */
VMAREA_API struct mmu *__nullable mm_mmu(struct mm_user *mm);

/*
 * What a machine would be given to walk an mm's page table by itself (CR3, satp): tables are frames,
 * and entries hold frame numbers.  For an emulator that walks as its guest does, and for a second
 * opinion on what the library says.
 */
struct mm_page_table {
	enum mm_table_format format;
	unsigned int levels;
	unsigned long root;			/* the frame with the top level's 512 entries */
	const void *memory;			/* frame n is its bytes from n * 4096 on */
	unsigned long nr_frames;		/* all frame numbers are below */
};

/*
 * False, and nothing is written: the mm keeps areas only.  What is said stays true as long as @mm
 * has users; the entries change at any time, and a table may be another's the next moment: who walks
 * keeps calls and faults out, or believes nothing.
 */
VMAREA_API bool mm_get_page_table(struct mm_user *mm, struct mm_page_table *out);

/*
 * Somebody who hears.  The memory is the caller's: from mmu_notifier_add() until mmu_notifier_del()
 * has returned it stays where it is.
 */
struct mmu_notifier {
	/*
	 * Translations of [start, end), in bytes and whole pages, are gone, name something else or
	 * allow less.  When this returns, nobody that it stands for uses what they said before: the
	 * frames behind them may belong to somebody else the next moment.
	 *
	 * Called after the tables have changed, perhaps under table locks and by several threads at
	 * once, always in an RCU read section.  It does not sleep but for what ends by itself in
	 * microseconds, does not fail, makes no memory call and asks nothing of the tables.  A range
	 * may be larger than what has changed.
	 */
	void (*invalidate)(struct mmu_notifier *notifier, unsigned long start, unsigned long end);
	struct mmu_notifier *__nullable next;	/* the library's */
};

/*
 * From its return on @notifier hears of every change.  What it is to forget, it therefore reads from
 * the tables after this and not before.
 */
VMAREA_API void mmu_notifier_add(struct mmu *mmu, struct mmu_notifier *notifier);
/* When it returns, nobody is in invalidate() any more, and nobody will call it. */
VMAREA_API void mmu_notifier_del(struct mmu *mmu, struct mmu_notifier *notifier) __may_sleep;

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
