/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Drivers whose pages come when they are needed: what the fault hooks of vm_operations_struct are
 * given, and what they may answer.  And what else a driver can show: many pages at once, and frames
 * without a page; and how it takes back what it has shown, wherever that is.
 *
 *	nothing there in 2 MiB		huge_fault, and if that falls back:
 *	nothing there, read		map_pages, then fault
 *	nothing there, written		fault
 *	to be written, and shared	page_mkwrite, pfn_mkwrite, if the driver has it
 *	2 MiB to be written		huge_fault, and if that falls back, they are taken out
 *	to be written, and private	nobody is asked: the program gets a copy of the page
 *
 * Locks.  A hook is called with one VMA stable and nothing else: no page table is locked and no
 * other lock of the library's is held.  First the VMA lock alone (VMF_MAY_RETRY): other areas can be
 * mapped and unmapped meanwhile.  VM_FAULT_RETRY lets go of it, and the hook is called again with
 * the mmap lock for read.  With that alone come the faults of memory calls, and those of an
 * mprotect() that makes a locked private area writable with the mmap lock for write.  Under each it
 * may sleep and take locks of its own, which must not be held by anybody who waits for an mmap lock;
 * and it must not touch the program's memory, since that may fault.  Where the program's memory is a
 * window of the host (host.h), a hook of faults runs inside a load or a store of the program, in the
 * handler of SIGSEGV: so who touches a window holds none of the locks that it takes, malloc()'s and
 * stdio's among them.
 *
 * Two threads that need one page may both be in the hook.  Whose page comes too late is put.
 *
 * An mm that keeps areas only has no faults, and calls none of these.
 */
#ifndef VMAREA_DRIVER_FAULT_H
#define VMAREA_DRIVER_FAULT_H

#include <vmarea/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __clang_analyzer__
# pragma clang system_header
#endif

__nonnull_begin

/* One access to one page.  The hook may change ->page only. */
struct vm_fault {
	unsigned long address;		/* of the page */
	unsigned long pgoff;		/* the page's place in the file, as vma_pgoff() counts */
	unsigned int flags;		/* VMF_* */
	struct page *__nullable page;	/* page_mkwrite: the page; fault: the answer */
};

#define VMF_WRITE	0x1u	/* it is written to; in a private VMA a copy of it is */
#define VMF_EXEC	0x2u	/* it is executed */
#define VMF_REMOTE	0x4u	/* not by the program: by a debugger or another process */
#define VMF_MAY_RETRY	0x8u	/* VM_FAULT_RETRY is an answer */

/*
 * fault: vmf->page is what is to be shown, a page of alloc_page() from this instance, with a
 * reference that is the library's from now on.  page_mkwrite: go on.
 */
#define VM_FAULT_DONE		0u
/*
 * Look again: the driver has put something there itself, as by vm_insert_page(), or taken it away.
 * A driver that is asked 100,000 times for one access, which is still to be made, is reported: SIGBUS.
 */
#define VM_FAULT_NOPAGE		1u
/* Not with the VMA lock: let go of it, and come again with the mmap lock.  VMF_MAY_RETRY only. */
#define VM_FAULT_RETRY		2u
/* The program gets SIGBUS. */
#define VM_FAULT_SIGBUS		3u
/* There is no memory. */
#define VM_FAULT_OOM		4u
/* huge_fault only: not so many at once.  For this fault fault() is asked, if there is one. */
#define VM_FAULT_FALLBACK	5u

/* ------------------------------------------------------------ many pages -- */

/*
 * vm_insert_page() for *nr pages from @addr on.  *nr is then how many were not inserted: those of
 * before the first that could not be stay.  -EFAULT, -EINVAL, -EOPNOTSUPP: none was.
 */
VMAREA_API int vm_insert_pages(struct vma_mixedmap *vma, unsigned long addr,
			       struct page *const *pages, unsigned long *nr)
	__must_hold_shared(vma_stable) __may_sleep __must_check;

/*
 * All of a VMA at once, from an mmap() hook: sets VM_MIXEDMAP and inserts pages[vma_pgoff()] and
 * what follows.  -ENXIO: the VMA reaches beyond @nr pages; else as vm_insert_page().  After an error
 * nothing is inserted.
 */
VMAREA_API int vm_map_pages(struct vma_new *vma, struct page *const *pages, unsigned long nr)
	__in_mmap_hook __may_sleep __must_check;

/* --------------------------------------------------- frames without a page -- */

/*
 * A VM_PFNMAP VMA shows frames by their number: no reference is taken, none is counted, nobody can
 * pin them, and a debugger needs access().  Frames are those of the instance's arena, that is to say
 * pages of alloc_page(): what a machine would have beside its memory stands for by pages that the
 * driver keeps.  It must zap them everywhere before it frees them.
 *
 * A private VMA that may ever be written to would need copies, and so pages: it cannot be one
 * (vma_try_clear_maywrite() first).
 */

/* The number of the frame of a page of alloc_page(). */
VMAREA_API unsigned long page_to_pfn(const struct page *page);

/*
 * Sets VM_PFNMAP, VM_IO, VM_DONTEXPAND and VM_DONTDUMP.  NULL: a private VMA that may be written to;
 * or VM_MIXEDMAP is set, which is reported.
 */
VMAREA_API struct vma_pfnmap *__nullable vma_set_pfnmap(struct vma_new *vma)
	__in_mmap_hook __must_check;

/* NULL if the VMA has no VM_PFNMAP; and in the second unless vma_is_owner(). */
VMAREA_API struct vma_pfnmap *__nullable vma_as_pfnmap(struct vma_ref *vma)
	__must_hold_shared(vma_stable) __must_check;
VMAREA_API struct vma_pfnmap *__nullable
vma_as_owned_pfnmap(struct vma_ref *vma, const struct vm_operations_struct *__nullable ops,
		    const void *__nullable data)
	__must_hold_shared(vma_stable) __must_check;

/*
 * vma_set_pfnmap(), and the frames from @pfn on are shown in [addr, addr + size).  -EINVAL: that is
 * NULL, the range is not page-aligned, or a frame is not that of a page of alloc_page().  -EFAULT:
 * it is not inside the VMA.  Else as vm_insert_page().  After an error nothing is shown.
 */
VMAREA_API int remap_pfn_range(struct vma_new *vma, unsigned long addr, unsigned long pfn,
			       unsigned long size)
	__in_mmap_hook __may_sleep __must_check;

/* One frame, at any time; as a fault() that then says VM_FAULT_NOPAGE.  As vm_insert_page(). */
VMAREA_API int vm_insert_pfn(struct vma_pfnmap *vma, unsigned long addr, unsigned long pfn)
	__must_hold_shared(vma_stable) __may_sleep __must_check;
/* The same between pages; -EINVAL also in a private VMA that may be written to. */
VMAREA_API int vm_insert_mixed(struct vma_mixedmap *vma, unsigned long addr, unsigned long pfn)
	__must_hold_shared(vma_stable) __may_sleep __must_check;

/* ---------------------------------------------------------- 2 MiB of frames -- */

/*
 * The 2 MiB of frames from @pfn on, as one entry, from huge_fault(), which then says
 * VM_FAULT_NOPAGE.  @flags are those of the fault, vmf->flags: with VMF_WRITE the program can write
 * to them if the VMA can be written to; else its first write asks huge_fault() again, whose
 * VMF_WRITE makes the frames that are there writable.  @addr and @pfn * 4096 are multiples of 2 MiB:
 *
 *	vm_insert_pfn_pmd(vma_as_pfnmap(vma), vmf->address & ~0x1ffffful,
 *			  first + (vmf->pgoff & ~511ul), vmf->flags)
 *
 * 0: they are shown, perhaps since before.  -EFAULT: not all of it is inside the VMA.  -EINVAL:
 * @addr or @pfn is not aligned, the VMA's ops have no huge_fault(), or one of the frames is not
 * that of a page of alloc_page().  -EBUSY: something else is there, or was there and has left its
 * page table, which stays small: fall back.  -ENOMEM, -EOPNOTSUPP: as vm_insert_page().  Nothing
 * changed.  -EFAULT and what is not aligned, or has no hook, is reported.
 *
 * huge_fault() is asked only where that can be: no page of the aligned 2 MiB has been shown, they
 * lie inside of the VMA, and vma_pgoff() there is a multiple of 512, too; and not where the program
 * has said MADV_NOHUGEPAGE or mm_set_thp_disable().
 *
 * The entry lasts until somebody takes or changes a part of it: munmap(), mprotect() or mremap() of
 * less than all, a bound of the VMA that moves into it, zap_vma_range() or unmap_mapping_pages() of
 * some of its pages.  Then all of it is taken out, and what is accessed next is asked for again: by
 * fault(), where a bound now lies inside.  fork() copies it, mremap() moves it if the new place is
 * aligned as the old one is, and mprotect() of all leaves it.
 */
VMAREA_API int vm_insert_pfn_pmd(struct vma_pfnmap *vma, unsigned long addr, unsigned long pfn,
				 unsigned int flags)
	__must_hold_shared(vma_stable) __may_sleep __must_check;

/*
 * Zeroed pages whose frames have numbers in a row, the first a multiple of how many they are,
 * 2^@order, into pages[]: each as one of alloc_page(), and to be freed by itself.  9 for 2 MiB,
 * which is the most.  False: there are none so, or the instance has no arena.
 */
VMAREA_API bool alloc_contig_pages(struct vmarea *instance, unsigned int order,
				   struct page **pages)
	__may_sleep __must_check;

/* ------------------------------------------------ out of every mm at once -- */

/*
 * What VMAs of @file show of its pages [first, first + nr), as vma_pgoff() counts them, is taken
 * out of every mm, and its references put: accesses fault from then on.  Copies that private VMAs
 * have made of pages stay.  A page past the last number is none.
 *
 * No VMA is looked for and no lock of an mm is taken: only that of who maps the file, inside of
 * all others of the library's but those of page tables.  So any lock may be held, a driver's own
 * among them, or none.  @file has a reference, or is in its release().
 *
 * A VMA whose mmap() hook has not returned is none yet: what the hook has shown in it stays.  So what
 * may be taken back while somebody maps the file is shown by fault(), and not by the hook.
 *
 * It keeps nobody from showing something there again.  A driver that takes a page back sees to that
 * with a lock of its own, around what its fault() hook does, and around this:
 *
 *	fault()					who takes it back
 *	lock
 *	the page is there: vm_insert_page()	trylock
 *	unlock, VM_FAULT_NOPAGE			the page is not there any more
 *						unmap_mapping_pages_try()
 *						unlock
 *						__free_page()
 *
 * To answer VM_FAULT_DONE with such a page would be too early: it is shown after the hook.
 */
VMAREA_API void unmap_mapping_pages(struct file *file, unsigned long first, unsigned long nr)
	__may_sleep;
/* For a shrinker: never sleeps.  False: who maps the file is changing now; nothing was taken out. */
VMAREA_API bool unmap_mapping_pages_try(struct file *file, unsigned long first, unsigned long nr)
	__must_check;

__nonnull_end

#ifdef VMAREA_BORROWCK
# define vma_as_pfnmap(vma)		__borrow(vma, vma_as_pfnmap(vma))
# define vma_as_owned_pfnmap(vma, ops, data)	__borrow(vma, vma_as_owned_pfnmap(vma, ops, data))
#endif

#ifdef __cplusplus
}
#endif
#endif
