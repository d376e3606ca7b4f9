/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * System V shared memory: shmat() and shmdt() of a segment that the embedder keeps.
 *
 * A segment is a file.  Each attach maps a file of its own that stands for it and holds a reference
 * to it, so that two attaches of one segment are two files: their areas never join, and shmdt()
 * takes the areas of one attach and leaves the other's.  Both are Linux's; so is that the areas are
 * counted by hooks, because of which the pieces of a split area never join again.
 *
 *	area --> file "/SYSV..." --> struct attach --> the segment's file
 *	area -/       ops: attach_file_ops
 *	 ops: shm_vm_ops
 *
 * The number of areas is not needed to know when the segment may go, which the reference says; it
 * is the proof that every area was opened and closed once.
 */
#include "base/atomic.h"
#include "mm/mm.h"
#include "port/port.h"
#include "vma/handle.h"

struct attach {
	struct file *segment;		/* 1	a reference */
	u32 nr_areas;			/* a	relaxed: fork and unmap may meet; a statistic */
};

static struct attach *attach_of(const struct vm_area_struct *vma)
{
	return vma->vm_file->private_data;
}

static void shm_open(struct vma_mut *vma)
{
	atomic_add_relaxed(&attach_of(vma_from_mut(vma))->nr_areas, 1);
}

static void shm_close(struct vma_mut *vma)
{
	struct attach *attach = attach_of(vma_from_mut(vma));
	u32 before = atomic_sub_relaxed(&attach->nr_areas, 1);

	VM_BUG_ON(!before, "segment %s: an area closed twice", attach->segment->name);
}

static const struct vm_operations_struct shm_vm_ops = {
	.open = shm_open,
	.close = shm_close,
};

static int attach_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	struct attach *attach = file->private_data;

	atomic_add_relaxed(&attach->nr_areas, 1);
	vma_init(vma_from_new(vma), vm_ops, &shm_vm_ops);
	return 0;
}

static void attach_release(struct file *file)
{
	struct attach *attach = file->private_data;
	/* Whoever closed the last area put the file after it: that put is a release. */
	u32 nr_areas = atomic_load_relaxed(&attach->nr_areas);

	VM_BUG_ON(nr_areas, "segment %s: %u areas of a file that is gone", attach->segment->name,
		  nr_areas);
	file_put(attach->segment);
	port_free(attach, sizeof(*attach));
}

static const struct file_operations attach_file_ops = {
	.owner = "shm",
	.mmap = attach_mmap,
	.release = attach_release,
};

bool shm_is_attach(const struct file *file)
{
	return file->ops == &attach_file_ops;
}

/* The file of one attach, with one reference; NULL: no memory. */
static struct file *attach_create(struct file *segment, int flags) __may_sleep
{
	struct attach *attach = port_alloc(sizeof(*attach));
	struct file *file;
	struct file_desc desc = {
		.size = sizeof(desc),
		.ops = &attach_file_ops,
		.private_data = attach,
		.name = segment->name,
		.inode = segment->inode,
		.dev_major = segment->dev_major,
		.dev_minor = segment->dev_minor,
		.flags = file_flags(segment) & ~(flags & SHM_RDONLY ? FILE_WRITE : 0),
		.placement = segment->placement,
		.same_inode = segment,
	};

	if (!attach)
		return NULL;
	if (file_create(segment->instance, &desc, &file)) {
		port_free(attach, sizeof(*attach));
		return NULL;
	}
	attach->segment = file_get(segment);
	return file;
}

/* Rounds the address, or refuses it: SHMLBA is one page. */
static int attach_address(unsigned long *addr, int flags)
{
	if (!*addr)
		return flags & SHM_REMAP ? -EINVAL : 0;
	if (page_aligned(*addr))
		return 0;
	if (!(flags & SHM_RND))
		return -EINVAL;
	*addr = PAGE_ALIGN_DOWN(*addr);
	return !*addr && (flags & SHM_REMAP) ? -EINVAL : 0;
}

static long attach_locked(struct mm_struct *mm, struct file *file, unsigned long addr, int flags,
			  unsigned long map_flags)
	__must_hold(vma_stable) __may_sleep
{
	unsigned long size = file_size(file);
	unsigned long prot = PROT_READ;
	unsigned long end;

	if (!(flags & SHM_RDONLY))
		prot |= PROT_WRITE;
	if (flags & SHM_EXEC)
		prot |= PROT_EXEC;
	if (addr && !(flags & SHM_REMAP) &&
	    (check_add_overflow(addr, size, &end) || vma_in(mm, addr, end)))
		return -EINVAL;
	return mm_mmap_locked(mm, addr, size, prot, map_flags, VM_NONE, file, 0);
}

long mm_shmat(struct mm_user *user, struct file *segment, unsigned long addr, int flags)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	/* An address that SHM_RND rounds to 0 is still one that was asked for. */
	unsigned long map_flags = addr ? MAP_SHARED | MAP_FIXED : MAP_SHARED;
	unsigned int nr_tries = 0;
	struct file *file;
	bool populate;
	long ret = attach_address(&addr, flags);

	if (ret)
		return ret;
	if (segment->instance != mm->instance)
		return -EINVAL;
	if (!(flags & SHM_RDONLY) && !(file_flags(segment) & FILE_WRITE))
		return -EACCES;
	file = attach_create(segment, flags);
	if (!file)
		return -ENOMEM;
	do {
		ret = mm_write_lock_killable(mm);
		if (ret)
			break;
		ret = attach_locked(mm, file, addr, flags, map_flags);
		populate = mm_wants_populate(mm, map_flags);
		mm_write_unlock(mm);
		if (ret >= 0 && populate)
			mm_populate(mm, (unsigned long)ret, page_align(file_size(file)));
	} while (mm_call_again(mm->instance, &ret, &nr_tries));
	file_put(file);
	return ret;
}

/* Is it a piece of an attach at @addr that is where the attach put it? */
static bool attached_at(const struct vm_area_struct *vma, unsigned long addr)
	__must_hold_shared(vma_stable)
{
	return vma->vm_ops == &shm_vm_ops &&
	       (vma->vm_start - addr) >> PAGE_SHIFT == vma_pgoff_at(vma, vma->vm_start);
}

/*
 * The first piece decides which attach it is and how far it may reach; pieces of it that were
 * moved elsewhere stay.  A sealed one stays, too, and is no error.
 */
static long detach_locked(struct mm_struct *mm, unsigned long addr)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma = vma_first(mm, addr);
	const struct file *file;
	unsigned long end, last;
	int err;

	while (vma && !attached_at(vma, addr))
		vma = vma_after(vma);
	if (!vma)
		return -EINVAL;
	file = vma->vm_file;
	last = max(vma->vm_end, addr + page_align(file_size(file)));
	/* Whole areas, so there is nothing to split; each removal is one of a range. */
	err = map_reserve(mm, 0, 2 * vma_count(mm, vma->vm_start, last));
	if (err)
		return err;
	for (; vma && vma->vm_end <= last; vma = vma_first(mm, end)) {
		end = vma->vm_end;
		if (attached_at(vma, addr) && vma->vm_file == file)
			mm_unmap_locked(mm, vma->vm_start, end);
	}
	return 0;
}

long mm_shmdt(struct mm_user *user, unsigned long addr)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	long ret;

	if (!page_aligned(addr))
		return -EINVAL;
	ret = mm_write_lock_killable(mm);
	if (ret)
		return ret;
	ret = detach_locked(mm, addr);
	mm_write_unlock(mm);
	return ret;
}
