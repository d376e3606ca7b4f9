/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One area becomes two, alike in all but their bounds.
 *
 *	AAAAAAAAAAAA		SPLIT_KEEP_LOW	AAAAABBBBBBB
 *	     ^ addr		SPLIT_KEEP_HIGH	BBBBBAAAAAAA
 *
 * The driver may refuse (may_split), and is told of the copy (open).  The copy shares the file, the
 * name and the anon chain.
 */
#include "file/file.h"
#include "vma/anon.h"
#include "vma/guard.h"
#include "vma/handle.h"
#include "vma/instance.h"
#include "vma/lock.h"
#include "vma/merge.h"
#include "vma/rmap_place.h"

struct vm_area_struct *vma_copy(struct mm_struct *to, const struct vm_area_struct *vma)
{
	struct vm_area_struct *copy = vma_new(to);

	vma_init(copy, vm_flags, vma->vm_flags);
	vma_init(copy, vm_pgdelta, vma->vm_pgdelta);
	vma_init(copy, vm_file, vma->vm_file ? file_get(vma->vm_file) : NULL);
	vma_init(copy, vm_ops, vma->vm_ops);
	vma_init(copy, vm_private_data, vma->vm_private_data);
	vma_init(copy, special, vma->special);
	vma_init(copy, user_faults, vma->user_faults);
	vma_init(copy, anon_name, anon_name_get(vma->anon_name));
	return copy;
}

int vma_split_unlimited(struct vm_area_struct *vma, unsigned long addr, enum split_keep keep)
{
	unsigned long start = vma->vm_start, end = vma->vm_end;
	struct vm_area_struct *copy;
	int err;

	VM_BUG_ON(addr <= start || addr >= end, "split of %lx-%lx at %lx", start, end, addr);
	err = vma_ops_may_split(vma, addr);
	if (err)
		return err;
	copy = vma_copy(vma->vm_mm, vma);
	vma_init(copy, anon, anon_chain_get(vma->anon));
	vma_init(copy, vm_start, keep == SPLIT_KEEP_LOW ? addr : start);
	vma_init(copy, vm_end, keep == SPLIT_KEEP_LOW ? end : addr);
	vma_lock_write(vma);
	rmap_hold_begin(vma->vm_mm, vma->vm_file, vma->anon);
	if (keep == SPLIT_KEEP_LOW)
		map_resize(vma, start, addr);
	else
		map_resize(vma, addr, end);
	map_insert(copy);
	rmap_hold_end(vma->vm_mm);
	vma_ops_open(copy);
	return 0;
}

int vma_split(struct vm_area_struct *vma, unsigned long addr, enum split_keep keep)
{
	if (vma->vm_mm->map_count >= vma->vm_mm->instance->config.max_map_count)
		return -ENOMEM;
	return vma_split_unlimited(vma, addr, keep);
}
