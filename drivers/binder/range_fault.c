/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A page range whose receiver finds its pages by fault.
 *
 *	sender			place lock > slots lock: the page is in its slot, and that is all
 *	receiver		VMA lock or mmap lock > place lock > slots lock
 *				fault(): what is in the slot, vm_insert_page()
 *	scan()			tries place lock, slots lock, and the lock of who maps the file;
 *				unmap_mapping_pages_try(): wherever the file's page nr is shown
 *
 * The driver takes no lock of an mm, looks for no VMA, and does not ask if the process lives.  The
 * receiver pays with a fault for each page that it looks at and that was not there; map_pages()
 * brings the others that are used with the first.
 *
 * The place lock keeps fault() and scan() apart: a page is inserted while it is in its slot, and
 * when it has left the slot nobody sees it.  To answer VM_FAULT_DONE with the page would not do: the
 * library shows it after the hook, perhaps when scan() has been and gone, and the next message in
 * this slot would be read from a page that nobody writes to any more.
 *
 * Why no page can come to a VMA that is not the range's.  There is no address that was remembered.
 *
 *	1  fault() is called for a VMA, with that VMA stable; only those that our mmap() hook has
 *	   set up have it, and they carry the range with them.  What is mapped, or moved, to where
 *	   one of them was has other ops, and is asked by nobody; another Binder's VMA carries that
 *	   Binder's range.
 *	2  Which slot is the file's number of the page (vmf->pgoff), which a split or a cut keeps.
 *	3  A fork's copy carries the range, too, and is in another mm: the one thing that is checked.
 *	4  The scan goes by the file and the number, and so to each VMA that has it, also to the copy
 *	   that a fork made of an entry.
 *
 * So a sender is not refused where the mapping has gone, or a part of it: its page is in the slot,
 * nobody looks at it, and it goes as idle pages go, at the latest with the file.
 *
 * 3 is the check; the tests build this file once without it, and have to fail.
 *
 * Rejected.  Counting VMAs in open() and close(), to refuse such senders: a mapping with a hole is
 * there and is not, and what a receiver unmaps is its own affair.
 */
#include <errno.h>

#include "range_ops.h"

static struct vmarea_lock_class place_class = VMAREA_LOCK_CLASS("binder place lock, of faults");

static int refuse_move(struct vma_mut *vma)
{
	return -EINVAL;
}

/* -------------------------------------------------------------- the receiver's -- */

/* Place lock.  VM_FAULT_NOPAGE: look again. */
static vm_fault_t insert_slot(struct binder_range *range, struct vma_mixedmap *vma,
			      unsigned long addr, unsigned long nr)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct page *page = slot_page(range, nr);
	int err = page ? vm_insert_page(vma, addr, page) : -ESRCH;

	/* -EBUSY: another thread of the receiver's was faster. */
	if (!err || err == -EBUSY)
		return VM_FAULT_NOPAGE;
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/* The range's VMA, in the mm that it is for; or NULL. */
static struct vma_mixedmap *own_vma(struct vma_ref *vma) __must_hold_shared(vma_stable);
static struct vma_mixedmap *own_vma(struct vma_ref *vma)
{
	const struct binder_range *range = vma_private_data(vma);

	return mm_user_mm(vma_mm(vma)) == range->mm ? vma_as_mixedmap(vma) : NULL;
}

static vm_fault_t range_fault(struct vma_ref *vma, struct vm_fault *vmf)
	__must_hold_shared(vma_stable) __may_sleep;

static vm_fault_t range_fault(struct vma_ref *vma, struct vm_fault *vmf)
{
	struct binder_range *range = vma_private_data(vma);
	struct vma_mixedmap *mixed = own_vma(vma);
	unsigned long nr = vmf->pgoff - range->pgoff;
	vm_fault_t answer;

	/* The mapping may be longer than what is used of it. */
	if (!mixed || nr >= range->nr_pages)
		return VM_FAULT_SIGBUS;
	binder_lock(&range->place_lock);
	answer = insert_slot(range, mixed, vmf->address, nr);
	binder_unlock(&range->place_lock);
	return answer;
}

static void range_map_pages(struct vma_ref *vma, struct vm_fault *vmf, unsigned long start,
			    unsigned long end)
	__must_hold_shared(vma_stable) __may_sleep;

/* Used pages around: a message of several takes one fault. */
static void range_map_pages(struct vma_ref *vma, struct vm_fault *vmf, unsigned long start,
			    unsigned long end)
{
	struct binder_range *range = vma_private_data(vma);
	struct vma_mixedmap *mixed = own_vma(vma);
	unsigned long first = vmf->pgoff - range->pgoff - (vmf->address - start) / BINDER_PAGE;

	if (!mixed)
		return;
	binder_lock(&range->place_lock);
	for (unsigned long addr = start; addr < end; addr += BINDER_PAGE) {
		unsigned long nr = first + (addr - start) / BINDER_PAGE;

		if (nr >= range->nr_pages ||
		    (addr != vmf->address && binder_range_state(range, nr) != BINDER_PAGE_USED))
			continue;
		/* What is not there, or there already, or has no room for a table: fault() says. */
		insert_slot(range, mixed, addr, nr);
	}
	binder_unlock(&range->place_lock);
}

static const struct vm_operations_struct fault_vm_ops = {
	.mremap = refuse_move, .fault = range_fault, .map_pages = range_map_pages,
};

/* ---------------------------------------------- the sender's, and the shrinker's -- */

static int show_later(struct binder_range *range, unsigned long nr, struct page *page)
{
	return 0;
}

static struct page *take_from_all(struct binder_pool *pool, struct slot *slot)
{
	struct binder_range *range = slot->range;
	struct page *page = slot_take_page(slot);

	binder_unlock(&pool->lock);
	if (!page || !range->file ||
	    unmap_mapping_pages_try(range->file, range->pgoff + slot_nr(slot), 1))
		return page;
	slot_put_back_page(slot, page);
	return NULL;
}

const struct binder_range_ops binder_by_fault = {
	.name = "fault", .vm_ops = &fault_vm_ops, .place_class = &place_class,
	.show = show_later, .take = take_from_all,
};
