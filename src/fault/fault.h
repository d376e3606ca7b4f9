/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page faults, and pages that somebody wants to use by their address.  The essay is in fault.c.
 *
 * A mm of an instance with frames has *pages*: a page table, mm->pgt.  One without has areas only
 * (mm_has_pages()), and a fault does to them what it would do to areas: touch.c.
 */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include <vmarea/user_fault.h>

#include "pgtable/pgtable.h"
#include "vma/anon.h"
#include "vma/lock.h"
#include "vma/types.h"

static inline bool mm_has_pages(const struct mm_struct *mm)
{
	return mm->pgt;
}

/* The rights of an area as entries have them.  What can be accessed at all can be read. */
static inline u32 area_rights(vm_flags_t flags)
{
	return (flags & (VM_READ | VM_WRITE | VM_EXEC) ? PT_READ : 0) |
	       (flags & VM_WRITE ? PT_WRITE : 0) | (flags & VM_EXEC ? PT_EXEC : 0);
}

/* What new pages of the area belong to; pairs with the release of vma_set_anon(). */
static inline struct anon_vma *area_own(const struct vm_area_struct *vma)
{
	return anon_own(atomic_load_acquire(&vma->anon));
}

/* alloc_page() gave it out: the one kind of page that a driver can show. */
#define PG_DRIVER	BIT(PG_FIRST_FREE_BIT + 12)

/* How a fault differs from a plain access of the program. */
#define FAULT_FORCED	0x1u		/* a debugger's: VM_MAY* instead of the rights it has now */
#define FAULT_REMOTE	0x2u		/* somebody else's: by the rights of the area alone */
#define FAULT_UNSHARE	0x4u		/* an anonymous page must be exclusive, even to be read */
#define FAULT_PEEK	0x8u		/* read once and given back: a reference, not a pin */
#define FAULT_KEEP	0x10u		/* for as long as somebody likes: no device's memory */
#define FAULT_POPULATE	0x20u		/* MADV_POPULATE_WRITE: a clean page is to be dirty */

/* Who keeps the VMA stable. */
enum fault_lock {
	FAULT_VMA_LOCK,			/* its VMA lock alone: what needs neighbours must wait */
	FAULT_MMAP_LOCK,		/* the mmap lock, in any mode */
};

/* A page that was pinned, and what its entry allowed. */
struct pinned {
	struct page *page;
	u32 rights;			/* PT_* */
};

/* A fault that waits for the embedder's answer: see user.c. */
struct user_wait {
	struct user_faults *faults;	/* 1	a reference; NULL: it does not wait */
	unsigned long addr;		/* 1	of the page */
	u32 gate;			/* a	futex: bit 0 is set by who wakes */
	struct list_head link;		/* faults->lock	unread, read, or alone */
	struct user_fault_msg msg;	/* 1 */
};

/* One access to one page. */
struct fault {
	struct mm_struct *mm;
	struct vm_area_struct *vma;	/* while a lock is held */
	unsigned long addr;		/* of the page */
	unsigned int offset;		/* of the byte in it, if that is known */
	enum mm_access access;
	unsigned int how;		/* FAULT_* */
	enum fault_lock lock;
	struct pinned *pin;		/* NULL: no pin is wanted */
	struct file *wait_file;		/* a reference: with FAULT_RETRY, for what to wait */
	unsigned long wait_pgoff;
	u64 wait_swap;			/* or this, a slot's number + 1 */
	struct user_wait user;		/* with FAULT_RETRY, the same */
	struct page *held;		/* a reference: what was waited for, not mapped yet */
	unsigned int nr_reclaims;	/* for this page, by fault_populate() */
	unsigned int nr_in_vain;	/* a driver's answers that did not do, since the lock */
	bool by_page;			/* huge_fault() has said no, since the lock */
};

/*
 * What the steps of a fault say to one another, beside what enum mm_fault says to the program; 103
 * and 104 are in swap.c and huge.h.
 */
#define FAULT_AGAIN	((enum mm_fault)100)	/* an entry has changed: look again */
#define FAULT_RETRY	((enum mm_fault)101)	/* not with this lock: let go and come again */
#define FAULT_FULL	((enum mm_fault)102)	/* page_is_full(): out of memory, and no reclaim */

/* What a call says that could not have a page. */
static inline int fault_errno(enum mm_fault fault)
{
	switch (fault) {
	case MM_FAULT_DONE:
		return 0;
	case MM_FAULT_OOM:
		return -ENOMEM;
	case MM_FAULT_KILLED:
		return -EINTR;
	default:
		return -EFAULT;
	}
}

/*
 * The whole fault: takes and drops the locks it needs, grows a stack, waits.  MM_FAULT_DONE: the
 * page was there and allowed the access at one moment, and is pinned if f->pin says so.  Any other
 * outcome: nothing changed, but for a stack that has grown and an area that was touched.
 */
enum mm_fault fault_run(struct fault *f)
	__must_not_hold(vma_stable) __may_sleep;

/* The same for a page of a VMA that is stable; FAULT_RETRY: call fault_wait() without the lock. */
enum mm_fault fault_in_area(struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep;
/* MM_FAULT_DONE: come again, what there was to wait for has come; else it will not. */
enum mm_fault fault_wait(struct fault *f)	__must_not_hold(vma_stable) __may_sleep;
/* Instead of waiting, and for who has waited and does not come again. */
void fault_forget(struct fault *f);
/* The page that was waited for, if any, need not stay any longer. */
static inline void fault_let_go(struct fault *f)
{
	if (f->held)
		page_put(f->held);
	f->held = NULL;
}

/*
 * The pages from f->addr to @end, inside f->vma; f->addr is where it stopped.  The mmap lock is
 * held for read.  FAULT_RETRY: it was let go of meanwhile, look the VMA up again, and in the end
 * call fault_forget().
 */
enum mm_fault fault_populate(struct fault *f, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep;

/* ---- touch.c: the part of a fault that areas see. */

/*
 * [start, end), page-aligned and inside @vma, as if it was accessed: with pages, page by page, past
 * those that would have to be waited for, MM_FAULT_BUS.  The mmap lock is held in any mode.
 */
enum mm_fault mm_touch_locked(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			      enum mm_access kind)
	__must_hold_shared(vma_stable) __may_sleep;

/* Does @f's area allow the access?  If so it is touched, should the access do that. */
enum mm_fault touch_admit(const struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep;
/* Is there a page of the file, and one of the pool, for what is not mapped yet? */
bool touch_has_page(const struct fault *f)
	__must_hold_shared(vma_stable);

/* mm_touch_range() of a mm without pages. */
enum mm_fault touch_areas(struct mm_struct *mm, unsigned long start, unsigned long end,
			  enum mm_access kind) __may_sleep;

/* ---- anon.c: memory without a file; copies. */

/* Nothing is there. */
enum mm_fault anon_missing(struct fault *f)
	__must_hold_shared(vma_stable);
/* To an anonymous page with the bytes of @old (NULL: zeros), which the caller holds, from @seen. */
enum mm_fault anon_copy_of(struct fault *f, pte_t seen, struct page *old)
	__must_hold_shared(vma_stable);
/* Something is there that does not allow the access, though the area does. */
enum mm_fault fault_present(struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep;

/* The marks and rights of an entry for @f's page; PT_WRITE only if @writable. */
u32 fault_attrs(const struct fault *f, bool writable)
	__must_hold_shared(vma_stable);
/* From none to @leaf, which holds a reference to @page (NULL: special).  FAULT_FULL. */
enum mm_fault fault_install(struct fault *f, pte_t leaf, struct page *page)
	__must_hold_shared(vma_stable);

/* ---- file.c: pages of files. */

/*
 * @page, a locked one of the VMA's file or one that its driver gave, or a copy of it comes to where
 * the fault is.  The caller's reference becomes the entry's.
 */
enum mm_fault file_map_page(struct fault *f, struct page *page)
	__must_hold_shared(vma_stable);
/* Has the area pages of a file behind it?  A driver with ops of its own has others. */
bool vma_maps_file(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable);
/* Nothing is there. */
enum mm_fault file_missing(struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep;
/* around.c: for a read fault, the pages near by that are at hand.  True: f->addr is mapped now. */
bool file_map_around(struct fault *f)
	__must_hold_shared(vma_stable);
/* Sets the bytes of @vec whose pages the file has. */
void file_in_core(const struct vm_area_struct *vma, unsigned long start, unsigned long end,
		  unsigned char *vec)
	__must_hold_shared(vma_stable);
/* MADV_WILLNEED: the file that pages have to be read of, with a reference; NULL: there is none. */
struct file *file_to_read(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable);
/* MADV_REMOVE: a hole in the file.  0, or what its hook says. */
int file_remove(const struct vm_area_struct *vma, unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep __must_check;

/* ---- driver.c: what a driver is asked. */

/* May a driver show @page in @mm: did alloc_page() of its instance give it out? */
bool driver_may_show(const struct mm_struct *mm, const struct page *page);
/* Is its driver to be asked before a page becomes writable?  @special: what has no page. */
bool driver_wants_notice(const struct vm_area_struct *vma, bool special)
	__must_hold_shared(vma_stable);

/* Is this the number of a frame that a driver has? */
bool driver_may_show_pfn(const struct mm_struct *mm, unsigned long pfn);
/* May a fault in the area be one for 2 MiB, by the driver and by who advised it? */
bool driver_has_blocks(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable);
/* @seen is a special leaf of @level: can this access be made by it?  Else the outcome. */
enum mm_fault driver_check_special(const struct fault *f, unsigned int level, pte_t seen)
	__must_hold_shared(vma_stable);
/*
 * Its driver reads or writes what a debugger cannot have the page of: @len bytes, or up to the end
 * of the area.  How many it was, or -errno.
 */
long driver_access(struct mm_struct *mm, unsigned long addr, void *buf, size_t len, bool write)
	__must_not_hold(vma_stable) __may_sleep;

/* Nothing is there down to @level, and the area's ops have huge_fault(), fault() or map_pages(). */
enum mm_fault driver_missing(struct fault *f, unsigned int level)
	__must_hold_shared(vma_stable) __may_sleep;
/* @seen is there, read-only, of @page (NULL: special), which the caller holds; it is written to. */
enum mm_fault driver_make_writable(struct fault *f, pte_t seen, struct page *page)
	__must_hold_shared(vma_stable) __may_sleep;
/* A driver's leaf of 2 MiB is there, read-only; it is written to. */
enum mm_fault driver_make_block_writable(struct fault *f)
	__must_hold_shared(vma_stable) __may_sleep;

/* ---- pin.c: pages that stay. */

static inline u32 pin_refs(unsigned int how)
{
	return how & FAULT_PEEK ? 1 : PIN_BIAS;
}

/* Pins what f->addr maps: MM_FAULT_DONE.  FAULT_AGAIN: that needs a fault first.  FAULT_FULL. */
enum mm_fault pin_mapped(const struct fault *f, struct pinned *out);

/* The page at @addr, pinned, faulting as needed: page_unpin(). */
enum mm_fault fault_pin(struct mm_struct *mm, unsigned long addr, enum mm_access access,
			unsigned int how, struct pinned *out)
	__must_not_hold(vma_stable) __may_sleep;
void page_unpin(struct page *page);

/* ---- stack.c */

/*
 * Grows @vma down to @addr, which is below @vma->vm_start.  One area is changed: reserve for it.
 * 0; -EFAULT: no stack, too near to something, or a limit (the area may be touched from then on);
 * -ENOMEM: the host's memory.
 */
int mm_expand_down_locked(struct vm_area_struct *vma, unsigned long addr)
	__must_hold(vma_stable) __may_sleep;

/*
 * Grows the stack above @addr down to it.  DONE says that there was something to be grown or that
 * another thread has done it: look again.  No lock is held before or after.
 */
enum mm_fault grow_stack(struct mm_struct *mm, unsigned long addr)
	__must_not_hold(vma_stable) __may_sleep;

#endif
