/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What prctl() says about memory: names of areas, and two switches for the whole mm.
 *
 * A name is a property like a flag: areas are split for it, and areas with different names do not
 * merge.  What was named is shown as [anon:NAME], or as [anon_shmem:NAME] if it is shared.
 */
#include "mm/advise.h"

/* ------------------------------------------------------------------ names -- */

/*
 * What nobody else can name: no file, or one that is in no directory any more (memfd, a shared
 * anonymous object).  SysV segments have ops of their own and keep their names.
 */
static bool can_be_named(const struct vm_area_struct *vma)
{
	const u32 nameless = FILE_SHMEM | FILE_DELETED;

	if (!vma->vm_file || vma->vm_ops == &shared_anon_vm_ops)
		return true;
	return vma->vm_ops == &file_vm_ops && (file_flags(vma->vm_file) & nameless) == nameless;
}

static int name_part(struct area_part *part, const void *arg)
	__must_hold(vma_stable) __may_sleep
{
	struct vma_change to = vma_as_is(part->vma);

	if (!can_be_named(part->vma))
		return -EBADF;
	to.name = *(struct anon_name *const *)arg;
	return mm_change_part(part, &to);
}

static int name_range(struct mm_struct *mm, unsigned long addr, unsigned long len,
		      struct anon_name *name) __may_sleep
{
	unsigned long end;
	int err = mm_check_advised(addr, len, &end);

	if (err)
		return err < 0 ? err : 0;
	err = mm_write_lock_killable(mm);
	if (err)
		return err;
	err = map_reserve_range(mm, addr, end, 0);
	if (!err)
		err = mm_advise_range(mm, addr, end, name_part, &name);
	mm_write_unlock(mm);
	return err;
}

/* The name is looked at before the range. */
long mm_set_anon_name(struct mm_user *user, unsigned long addr, unsigned long len,
		      const char *text)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	struct anon_name *name = NULL;
	int err;

	if (!has_feature(mm->instance, VMAREA_FEATURE_ANON_NAMES))
		return -EINVAL;
	if (text) {
		if (!anon_name_valid(text))
			return -EINVAL;
		name = anon_name_create(text);
		if (!name)
			return -ENOMEM;
	}
	err = name_range(mm, addr, len, name);
	anon_name_put(name);
	return err;
}

/* --------------------------------------------------------------- switches -- */

long mm_set_thp_disable(struct mm_user *user, bool disable)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	int err = mm_write_lock_killable(mm);

	if (err)
		return err;
	mm_set_relaxed(mm, thp_disable, disable);
	mm_write_unlock(mm);
	return 0;
}

long mm_get_thp_disable(struct mm_user *user)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	long disable;

	mm_read_lock(mm);
	disable = mm->thp_disable;
	mm_read_unlock(mm);
	return disable;
}

/*
 * All areas that there are: they are marked one by one and not merged, so areas that the mark alone
 * kept apart stay apart.  Those that madvise() marked lose it too when the switch goes off.
 */
static void mark_all_mergeable(struct mm_struct *mm, bool merge)
	__must_hold(vma_stable) __may_sleep
{
	struct vm_area_struct *vma;

	for (vma = vma_first(mm, 0); vma; vma = vma_after(vma)) {
		if (!merge)
			map_set_flags(vma, vma->vm_flags & ~VM_MERGEABLE);
		else if (mm_ksm_compatible(vma->vm_file, vma->vm_flags))
			map_set_flags(vma, vma->vm_flags | VM_MERGEABLE);
	}
}

static int set_memory_merge_locked(struct mm_struct *mm, bool merge)
	__must_hold(vma_stable) __may_sleep
{
	int err;

	if (mm->memory_merge == merge)
		return 0;
	err = map_reserve_range(mm, 0, ~0ul, 0);
	if (err)
		return err;
	mark_all_mergeable(mm, merge);
	mm_set(mm, memory_merge, merge);
	return 0;
}

long mm_set_memory_merge(struct mm_user *user, bool merge)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	int err;

	if (!has_feature(mm->instance, VMAREA_FEATURE_KSM))
		return -EINVAL;
	err = mm_write_lock_killable(mm);
	if (err)
		return err;
	err = set_memory_merge_locked(mm, merge);
	mm_write_unlock(mm);
	return err;
}

long mm_get_memory_merge(struct mm_user *user)
{
	witness_call();
	struct mm_struct *mm = mm_of(user);
	long merge;

	if (!has_feature(mm->instance, VMAREA_FEATURE_KSM))
		return -EINVAL;
	mm_read_lock(mm);
	merge = mm->memory_merge;
	mm_read_unlock(mm);
	return merge;
}
