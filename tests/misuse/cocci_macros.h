// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What spatch makes of the macros of context.h and misuse.h.
#define __may_sleep
#define __in_atomic
#define __in_mmap_hook
#define __enters_atomic
#define __leaves_atomic
#define __must_hold(...)
#define __must_hold_shared(...)
#define __must_not_hold(...)
#define __acquires(...)
#define __acquires_shared(...)
#define __releases(...)
#define __releases_shared(...)
#define __guarded_by(...)
#define __acquired_after(...)
#define __context_unsafe(...)
#define __free(x)
#define CLASS(name, var) struct name *var = class_##name##_constructor
#define MISUSE void misuse(struct mm_struct *m, struct mm_user *mm)
#define HOOK static int hook(struct file *file, struct vma_new *vma)
#define __may_sleep_after_unlock
#define __nullable
#define VMAREA_API
#define __maybe_unused
#define __consumes_arg
#define __must_check
