// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What the headers' macros and handles are to C++.  Compiled by headers.sh, and run by nobody; each
 * MISTAKE is to be refused.
 */
#include <vmarea/core.h>
#include <vmarea/debug.h>
#include <vmarea/driver_fault.h>
#include <vmarea/host_file.h>
#include <vmarea/shrinker.h>
#include <vmarea/soft_tlb.h>
#include <vmarea/user_fault.h>

extern "C" int hook(struct file *file, struct vma_new *vma);
int first_is_found(struct mm_user *mm);
bool make(struct vmarea **machine, struct mm_user **mm);
int dump(struct mm_user *mm);

extern "C" int hook(struct file *, struct vma_new *vma)
{
	vma_set_io(vma);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTCOPY);
#if MISTAKE == 1
	vm_flags_set(vma, VM_SHARED);
#endif
	vma_set_mixedmap(vma);
	return vma_end(vma) - vma_start(vma) > 4096 ? -22 : 0;
}

int first_is_found(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, 4096);
	bool found = false;

	if (vma) {
		struct vma_mut *mut = vma_start_write(lock, vma);

		found = vma_start(mut) == vma_start(vma);
#if MISTAKE == 2
		found = vma_start(lock);
#endif
#if MISTAKE == 3
		found = vma_start(mm);
#endif
	}
#if MISTAKE == 4
	vma = vma_lookup(mm, 4096);
#endif
#if MISTAKE == 5
	vma = vma_lookup(vma, 4096);
#endif
	mmap_write_unlock(lock);
	return found;
}

static int write_out(void *, const char *, size_t)
{
	return 0;
}

bool make(struct vmarea **machine, struct mm_user **mm)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct mm_config mm_config = MM_CONFIG_INIT;
	struct user_faults_config faults_config = USER_FAULTS_CONFIG_INIT;
	struct user_faults *faults = nullptr;
	static struct vmarea_lock_class lock_class = VMAREA_LOCK_CLASS("a lock of C++");

	vmarea_lock_acquired(&faults, &lock_class, VMAREA_LOCK_EXCLUSIVE);
	return !vmarea_create(&config, machine) && !mm_create(*machine, &mm_config, mm) &&
	       !user_faults_create(*mm, &faults_config, &faults);
}

int dump(struct mm_user *mm)
{
	struct mm_core_config config = MM_CORE_CONFIG_INIT;

	return mm_report_core(mm, &config, write_out, nullptr);
}
