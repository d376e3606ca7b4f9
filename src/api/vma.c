/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a driver can do with a VMA that it was handed: the accessors, the handles of VM_MIXEDMAP and
 * VM_PFNMAP, and the setters of an mmap() hook.  What it shows there is insert.c.
 *
 * The types have checked the lock; what is checked here is what no type can: ranges, flags that are
 * not constants after all, a VMA of another mm.  A driver's mistake is reported and has no effect
 * (VM_WARN_ON); only one that leaves the mm in a state that must not exist ends the program.
 *
 * A mm that keeps areas only has no page tables: there is nothing to zap, and nowhere to put a
 * page.  The checks are made all the same, so that a driver meets its errors here too.
 */
#include <vmarea/driver_fault.h>

#include "base/atomic.h"
#include "fault/pages.h"
#include "phys/phys.h"
#include "vma/anon.h"
#include "vma/handle.h"
#include "vma/instance.h"
#include "vma/lock.h"

/* ------------------------------------------------------------- accessors */

unsigned long vma_start(vma_any vma)
{
	return vma_from_any(vma)->vm_start;
}

unsigned long vma_end(vma_any vma)
{
	return vma_from_any(vma)->vm_end;
}

vm_flags_t vma_flags(vma_any vma)
{
	return vma_from_any(vma)->vm_flags;
}

unsigned long vma_pgoff(vma_any vma)
{
	const struct vm_area_struct *area = vma_from_any(vma);

	return vma_pgoff_at(area, area->vm_start);
}

struct mm_user *vma_mm(vma_any vma)
{
	return handle_mm_of(vma);
}

struct file *vma_file(vma_any vma)
{
	return vma_from_any(vma)->vm_file;
}

void *vma_private_data(vma_any vma)
{
	return vma_from_any(vma)->vm_private_data;
}

/* A VMA of a file whose driver named no ops has the library's own: to the driver, none. */
static const struct vm_operations_struct *driver_ops(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &file_vm_ops ? NULL : vma->vm_ops;
}

/* Nobody owns by two NULLs: every ordinary area has those. */
static bool owned_by(const struct vm_area_struct *vma, const struct vm_operations_struct *ops,
		     const void *data)
{
	return (ops || data) && driver_ops(vma) == ops && vma->vm_private_data == data;
}

bool vma_is_owner(vma_any vma, const struct vm_operations_struct *ops, const void *data)
{
	return owned_by(vma_from_any(vma), ops, data);
}

/* Has an mmap() hook made it what it is? */
static bool is_drivers(const struct vm_area_struct *vma)
{
	const struct file *file = vma->vm_file;

	return file && file->ops && file->ops->mmap;
}

void zap_vma_range(vma_any vma, unsigned long addr, unsigned long size)
{
	const struct vm_area_struct *area = vma_from_any(vma);
	unsigned long end;

	if (VM_WARN_ON(check_add_overflow(addr, size, &end), "driver %s: zap %lx + %lx",
		       driver_name(area), addr, size))
		return;
	if (VM_WARN_ON(addr < area->vm_start || end > area->vm_end,
		       "driver %s: zap [%lx, %lx) of a VMA [%lx, %lx)", driver_name(area), addr,
		       end, area->vm_start, area->vm_end))
		return;
	if (VM_WARN_ON(!PAGE_ALIGNED(addr | size), "driver %s: zap [%lx, %lx), in parts of pages",
		       driver_name(area), addr, end))
		return;
	if (VM_WARN_ON(!is_drivers(area),
		       "zap [%lx, %lx) of a VMA that no driver has set up, %s", addr, end,
		       driver_name(area)))
		return;
	pages_zap(area->vm_mm, addr, end, ZAP_PAGES);
}

/* ------------------------------------------------------ VM_MIXEDMAP, VM_PFNMAP */

struct vma_mixedmap *vma_as_mixedmap(struct vma_ref *vma)
{
	struct vm_area_struct *area = vma_from_ref(vma);

	return area->vm_flags & VM_MIXEDMAP ? handle_mixedmap(vma, area) : NULL;
}

struct vma_mixedmap *vma_as_owned_mixedmap(struct vma_ref *vma,
					   const struct vm_operations_struct *ops,
					   const void *data)
{
	return owned_by(vma_from_ref(vma), ops, data) ? vma_as_mixedmap(vma) : NULL;
}

struct vma_pfnmap *vma_as_pfnmap(struct vma_ref *vma)
{
	struct vm_area_struct *area = vma_from_ref(vma);

	return area->vm_flags & VM_PFNMAP ? handle_pfnmap(vma, area) : NULL;
}

struct vma_pfnmap *vma_as_owned_pfnmap(struct vma_ref *vma, const struct vm_operations_struct *ops,
				       const void *data)
{
	return owned_by(vma_from_ref(vma), ops, data) ? vma_as_pfnmap(vma) : NULL;
}

/* ---------------------------------------------------------- write-locked */

int vma_set_anon_name(struct vma_mut *vma, const char *text)
{
	struct vm_area_struct *area = vma_from_mut(vma);
	struct anon_name *name = NULL, *old = area->anon_name;

	mm_assert_write_locked(area->vm_mm);
	if (area->vm_file)
		return -EBADF;
	if (text) {
		if (!has_feature(area->vm_mm->instance, VMAREA_FEATURE_ANON_NAMES) ||
		    !anon_name_valid(text))
			return -EINVAL;
		name = anon_name_create(text);
		if (!name)
			return -ENOMEM;
	}
	/* Pairs with the acquire of who copies the name out under RCU. */
	vma_set_release(area, anon_name, name);
	anon_name_put(old);
	return 0;
}

/* ---------------------------------------------------------- mmap() hooks */

void __vm_flags_set(struct vma_new *vma, vm_flags_t flags)
{
	struct vm_area_struct *area = vma_from_new(vma);

	VM_WARN_ON(flags & ~VM_HOOK_MAY_SET, "driver %s: a hook sets flags %lx", driver_name(area),
		   (unsigned long)flags);
	vma_init(area, vm_flags, area->vm_flags | (flags & VM_HOOK_MAY_SET));
}

struct vma_mixedmap *vma_set_mixedmap(struct vma_new *vma)
{
	struct vm_area_struct *area = vma_from_new(vma);

	if (!VM_WARN_ON(area->vm_flags & VM_PFNMAP,
			"driver %s: VM_MIXEDMAP for a VM_PFNMAP VMA at %lx", driver_name(area),
			area->vm_start))
		vma_init(area, vm_flags, area->vm_flags | VM_MIXEDMAP);
	return handle_mixedmap(vma, area);
}

void vma_set_owner(struct vma_new *vma, const struct vm_operations_struct *ops, void *data)
{
	struct vm_area_struct *area = vma_from_new(vma);

	vma_init(area, vm_ops, ops ? ops : &file_vm_ops);
	vma_init(area, vm_private_data, data);
}

static int try_clear(struct vma_new *vma, vm_flags_t now, vm_flags_t may)
	__must_hold(vma_stable)
{
	struct vm_area_struct *area = vma_from_new(vma);

	if (area->vm_flags & now)
		return -EINVAL;
	vma_init(area, vm_flags, area->vm_flags & ~may);
	return 0;
}

int vma_try_clear_mayread(struct vma_new *vma)
{
	return try_clear(vma, VM_READ, VM_MAYREAD);
}

int vma_try_clear_maywrite(struct vma_new *vma)
{
	return try_clear(vma, VM_WRITE, VM_MAYWRITE);
}

int vma_try_clear_mayexec(struct vma_new *vma)
{
	return try_clear(vma, VM_EXEC, VM_MAYEXEC);
}

/* ----------------------------------------------------------------- pages */

struct page *alloc_page(struct vmarea *instance)
{
	struct page *page;

	might_sleep();
	if (!instance->arena)
		return page_alloc_loose(&instance->nr_objects);
	page = page_alloc(instance->arena, 0, PAGE_ZEROED);
	if (page)
		page_set_flags(page, PG_DRIVER);
	return page;
}

bool alloc_contig_pages(struct vmarea *instance, unsigned int order, struct page **pages)
{
	struct page *first;

	might_sleep();
	if (!instance->arena || order > PAGE_MAX_ORDER)
		return false;
	first = page_alloc_row(instance->arena, order);
	if (!first)
		return false;
	for (unsigned long i = 0; i < BIT(order); i++) {
		pages[i] = first + i;
		page_set_flags(pages[i], PG_DRIVER);
	}
	return true;
}

void __free_page(struct page *page)
{
	page_put(page);
}

void *page_address(struct page *page)
{
	return page_bytes(page);
}
