/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the memory calls share.  A call checks its arguments in Linux's order, takes the mmap lock,
 * calls map_reserve(), and from then on cannot fail for want of the host's memory.  Functions with
 * `_locked` in their name want the mmap write lock held and the reserve made.  Where one says
 * -ENOMEM it may also say -ENOFRAME: mm_call_again().
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "fault/fault.h"
#include "fault/pages.h"
#include "fault/user.h"
#include "file/file.h"
#include "vma/anon.h"
#include "vma/handle.h"
#include "vma/instance.h"
#include "vma/limits.h"
#include "vma/lock.h"
#include "vma/map.h"
#include "vma/merge.h"

#define mm_of(user)	mm_from_user(user)

/* ---- retry.c */

/*
 * After a try of a call, with all locks released: is another worth it?  *ret is what the try
 * returned; for -ENOFRAME pages are taken back.  False: *ret is the program's.  *nr_tries starts at
 * 0.
 */
bool mm_call_again(struct vmarea *instance, long *ret, unsigned int *nr_tries)
	__must_not_hold(vma_stable) __may_sleep;

/* ---- placement.c: where does a mapping go. */

/*
 * mmap()'s choice of an address: checks @len, MAP_FIXED, hints, alignment and gaps.  @addr and
 * @len in bytes, @pgoff in pages, @map_flags are MAP_*.  The address or -errno.  Any lock.
 */
long mm_place(const struct mm_struct *mm, const struct file *file, unsigned long addr,
	      unsigned long len, unsigned long pgoff, unsigned long map_flags)
	__must_hold_shared(vma_stable);
/*
 * The same for mremap(): a hint below the lowest one is taken as it is.  @addr is page-aligned if
 * it is a hint.
 */
long mm_place_moved(const struct mm_struct *mm, const struct file *file, unsigned long addr,
		    unsigned long len, unsigned long pgoff, unsigned long map_flags)
	__must_hold_shared(vma_stable);
/* The lowest address @vma keeps to itself: below a stack there is its guard gap. */
unsigned long vma_start_with_gap(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable);

/* ---- munmap.c, mmap.c */

/*
 * Removes [start, end): all or nothing.  0; -EINVAL: bounds; -ENOMEM: area limit; -EPERM: a seal;
 * a may_split() error.  Calls close hooks, undoes accounting.
 */
int mm_unmap_locked(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep;

/* The same in two steps, for who has to look at what would go before it goes. */
struct unmap_totals {
	unsigned long nr_pages, nr_accounted;
};
int mm_cut_locked(struct mm_struct *mm, unsigned long start, unsigned long end,
		  struct unmap_totals *totals)
	__must_hold(vma_stable) __may_sleep;
/* The second step: everything but mm_uncommit(totals->nr_accounted). */
void mm_drop_cut_locked(struct mm_struct *mm, unsigned long start, unsigned long end)
	__must_hold(vma_stable) __may_sleep;

/* An area leaves the totals that were kept for it, but for VM_ACCOUNT; it stays in the tree. */
void mm_forget_area(struct mm_struct *mm, const struct vm_area_struct *vma)
	__must_hold(vma_stable);

/* mmap() after its lock: makes its own reserve.  @file may be NULL; @offset in pages. */
long mm_mmap_locked(struct mm_struct *mm, unsigned long addr, unsigned long len,
		    unsigned long prot, unsigned long map_flags, vm_flags_t extra,
		    struct file *file, unsigned long pgoff)
	__must_hold(vma_stable) __may_sleep;
/* Is what mmap() has made with these flags touched once the lock is dropped? */
bool mm_wants_populate(const struct mm_struct *mm, unsigned long map_flags)
	__must_hold_shared(vma_stable);
/* PROT_* to VM_READ... */
vm_flags_t vm_flags_of_prot(unsigned long prot);

/* Could same-page merging work on such an area? */
bool mm_ksm_compatible(const struct file *file, vm_flags_t flags);

/* ---- shared_anon.c: what is behind MAP_SHARED | MAP_ANONYMOUS, and MAP_HUGETLB. */

/* The object, not yet promised any memory.  NULL: no host memory. */
struct file *shared_anon_create(struct mm_struct *mm) __may_sleep;
/* Promises @nr_pages for it, until it is released: 0 or -ENOMEM. */
int shared_anon_commit(struct mm_struct *mm, struct file *file, unsigned long nr_pages)
	__must_hold_shared(vma_stable);
extern const struct vm_operations_struct hugetlb_vm_ops;

/* log2 of the page size that MAP_HUGETLB asks for; 0: there is no such size. */
unsigned int hugetlb_shift(const struct vmarea *instance, unsigned long map_flags);
struct file *hugetlb_anon_create(struct mm_struct *mm, unsigned int shift) __may_sleep;
/* The mmap() hook of huge files: 0; -EINVAL: offset; -ENOMEM: the pool is too small. */
int hugetlb_mmap(struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep;
/* What shared_anon_commit() promised for the file and nobody has taken back; 0 for other files. */
unsigned long shared_anon_committed(const struct file *file);
/* Pages of the pool that are kept for this area, and not for its file. */
long hugetlb_kept(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable);
/* Gives back what a private area kept from the pool. */
void hugetlb_forget(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable);

/* ---- shm.c */

/* Is it what shmat() maps for a segment? */
bool shm_is_attach(const struct file *file);

/* ---- swapoff.c */

/*
 * Swapped pages of [start, end) are brought in, those of swap area @id, whatever their areas allow;
 * what cannot be read is lost.  SWAP_ANY: of any, as many as can be read and the mm may have.  0;
 * -ENOMEM: not all.
 */
int mm_swap_in(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned int id)
	__must_not_hold(vma_stable) __may_sleep __must_check;

/* ---- user_fault.c */

void user_faults_list_init(struct user_faults_list *list);
/* The mm has no areas any more: nobody will wait there. */
void user_faults_end_mm(struct mm_struct *mm)	__may_sleep;
/* @vma, all of it, is registered with nobody from now on; its flags and entries say so. */
void user_faults_forget_area(struct vm_area_struct *vma)
	__must_hold(vma_stable) __may_sleep;

/* ---- mlock.c */

/* What MAP_POPULATE, VM_LOCKED and their kind do after the lock is dropped: touch the range. */
void mm_populate(struct mm_struct *mm, unsigned long addr, unsigned long len)
	__must_not_hold(vma_stable) __may_sleep;

#endif
