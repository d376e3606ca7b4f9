/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Drivers whose pages come when they are needed: what the fault hooks of vm_operations_struct are
 * given, and what they may answer.
 *
 *	nothing there			fault
 *	to be written, and shared	page_mkwrite, if the driver has it
 *	to be written, and private	nobody is asked: the program gets a copy of the page
 *
 * Locks.  A hook is called with one VMA stable and nothing else: no page table is locked and no
 * other lock of the library's is held.  First the VMA lock alone (VMF_MAY_RETRY): other areas can be
 * mapped and unmapped meanwhile.  VM_FAULT_RETRY lets go of it, and the hook is called again with
 * the mmap lock for read.  Under either it may sleep and take locks of its own, which must not be
 * held by anybody who waits for an mmap lock; and it must not touch the program's memory, since
 * that may fault.
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
/* Look again: the driver has put something there itself, as by vm_insert_page(), or taken it away. */
#define VM_FAULT_NOPAGE		1u
/* Not with the VMA lock: let go of it, and come again with the mmap lock.  VMF_MAY_RETRY only. */
#define VM_FAULT_RETRY		2u
/* The program gets SIGBUS. */
#define VM_FAULT_SIGBUS		3u
/* There is no memory. */
#define VM_FAULT_OOM		4u

__nonnull_end

#ifdef __cplusplus
}
#endif
#endif
