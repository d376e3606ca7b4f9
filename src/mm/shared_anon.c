/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The objects that the mm itself makes: what is behind a shared anonymous mapping, and behind
 * MAP_HUGETLB.
 *
 * Each shared anonymous mapping is a file of its own, "/dev/zero (deleted)" in maps.  The promise
 * of its memory is made once, for the object, and not by VM_ACCOUNT areas: it ends with the last
 * reference, however often the object is mapped by then.
 *
 * Huge pages come from a pool of fixed size.  A private area keeps as many as it is long, from
 * mmap() until it goes; a shared one's are the file's, until that goes.  vm_private_data names the
 * mm that keeps them, so the copy that a fork makes of the area keeps none.
 */
#include "base/atomic.h"
#include "file/filemap.h"
#include "mm/mm.h"
#include "vma/handle.h"

static void shared_anon_release(struct file *file)
{
	unsigned long nr_pages = (unsigned long)file->private_data;

	atomic_sub_relaxed(&file->instance->committed, (long)nr_pages);
}

/* The object is mapped again: remap_file_pages(). */
static int shared_anon_mmap(struct file *file, struct vma_new *vma)
{
	vma_init(vma_from_new(vma), vm_ops, &shared_anon_vm_ops);
	return 0;
}

static const struct file_operations shared_anon_ops = {
	.owner = "shared anonymous memory",
	.mmap = shared_anon_mmap,
	.release = shared_anon_release,
};

/* Nothing to be told, but not anonymous. */
const struct vm_operations_struct shared_anon_vm_ops = { 0 };
const struct vm_operations_struct file_vm_ops = { 0 };

/* What is in [vdso] and its like is known by the page: half of one is nothing. */
static int special_may_split(struct vma_ref *vma, unsigned long addr)
{
	return -EINVAL;
}

const struct vm_operations_struct special_vm_ops = { .may_split = special_may_split };

static struct file *create(struct mm_struct *mm, const char *name, unsigned int flags,
			   const struct file_operations *ops) __may_sleep
{
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = ops, .name = name,
		.inode = atomic_add_relaxed(&mm->instance->next_inode, 1) + 1,
		.dev_minor = 1, .flags = FILE_READ | FILE_WRITE | FILE_DELETED | flags,
		.placement = FILE_PLACE_SHMEM,
	};
	struct file *file;

	return file_create(mm->instance, &desc, &file) ? NULL : file;
}

struct file *shared_anon_create(struct mm_struct *mm)
{
	return create(mm, "/dev/zero", FILE_SHMEM, &shared_anon_ops);
}

int shared_anon_commit(struct mm_struct *mm, struct file *file, unsigned long nr_pages)
{
	int err = mm_commit(mm, nr_pages);

	if (!err)
		file->private_data = (void *)nr_pages;
	return err;
}

unsigned long shared_anon_committed(const struct file *file)
{
	return file->ops == &shared_anon_ops ? (unsigned long)file->private_data : 0;
}

/* -------------------------------------------------------------- huge pages -- */

static unsigned int huge_shift_of(const struct vm_area_struct *vma)
{
	return vma->vm_file->huge_shift;
}

unsigned int hugetlb_shift(const struct vmarea *instance, unsigned long map_flags)
{
	unsigned int shift = (map_flags >> MAP_HUGE_SHIFT) & MAP_HUGE_MASK;

	if (!shift || shift == HUGE_SHIFT_2M)
		return HUGE_SHIFT_2M;
	if (shift == HUGE_SHIFT_1G && has_feature(instance, VMAREA_FEATURE_HUGE_1G))
		return HUGE_SHIFT_1G;
	return 0;
}

static const struct file_operations huge_anon_ops = { .owner = "huge pages" };

struct file *hugetlb_anon_create(struct mm_struct *mm, unsigned int shift)
{
	struct file *file = create(mm, "/anon_hugepage", FILE_HUGETLB, &huge_anon_ops);

	if (file)
		file->huge_shift = shift;
	return file;
}

static int huge_may_split(struct vma_ref *ref, unsigned long addr)
{
	const struct vm_area_struct *vma = vma_from_ref(ref);

	return IS_ALIGNED(addr, BIT(huge_shift_of(vma))) ? 0 : -EINVAL;
}

const struct vm_operations_struct hugetlb_vm_ops = {
	.may_split = huge_may_split,
};

static long huge_pages(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return (vma->vm_end - vma->vm_start) >> huge_shift_of(vma);
}

/*
 * The file keeps pages up to the end of its furthest shared mapping.  Two mms may map it at once:
 * who comes second looks again at what is missing.
 */
static bool keep_for_file(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	struct file *file = vma->vm_file;
	unsigned int shift = huge_shift_of(vma);
	unsigned long last = vma_pgoff_at(vma, vma->vm_end - 1) >> (shift - PAGE_SHIFT);
	unsigned long kept = atomic_load_relaxed(&file->reserved);

	while (kept <= last) {
		long more = (long)(last + 1 - kept);

		if (!huge_pages_take(file->instance, shift, more))
			return false;
		if (atomic_cas_relaxed(&file->reserved, &kept, last + 1))
			return true;
		huge_pages_put(file->instance, shift, more);
	}
	return true;
}

static bool keep_for_area(struct vm_area_struct *vma)
	__must_hold(vma_stable)
{
	if (!huge_pages_take(vma->vm_mm->instance, huge_shift_of(vma), huge_pages(vma)))
		return false;
	vma_init(vma, vm_private_data, vma->vm_mm);
	return true;
}

/* A file of huge pages becomes as long as what is mapped to be written. */
static void grow_huge_file(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable) __may_sleep
{
	struct address_space *mapping = vma->vm_file->mapping;

	if (!(vma->vm_flags & VM_WRITE))
		return;
	rwsem_read_lock(&mapping->invalidate_lock);
	mapping_grow(mapping, (vma_pgoff_at(vma, vma->vm_end - 1) + 1) << PAGE_SHIFT);
	rwsem_read_unlock(&mapping->invalidate_lock);
}

int hugetlb_mmap(struct vm_area_struct *vma)
{
	unsigned int shift = huge_shift_of(vma);
	bool kept;

	vma_init(vma, vm_flags, vma->vm_flags | VM_HUGETLB | VM_DONTEXPAND);
	vma_init(vma, vm_ops, &hugetlb_vm_ops);
	if (vma_pgoff_at(vma, vma->vm_start) & (BIT(shift - PAGE_SHIFT) - 1))
		return -EINVAL;
	kept = (vma->vm_flags & VM_NORESERVE) ||
	       (vma->vm_flags & VM_MAYSHARE ? keep_for_file(vma) : keep_for_area(vma));
	if (!kept)
		return -ENOMEM;
	grow_huge_file(vma);
	return 0;
}

long hugetlb_kept(const struct vm_area_struct *vma)
{
	if ((vma->vm_flags & (VM_HUGETLB | VM_MAYSHARE)) != VM_HUGETLB ||
	    vma->vm_private_data != vma->vm_mm)
		return 0;
	return huge_pages(vma);
}

void hugetlb_forget(const struct vm_area_struct *vma)
{
	long nr = hugetlb_kept(vma);

	if (nr)
		huge_pages_put(vma->vm_mm->instance, huge_shift_of(vma), nr);
}
