/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Checks for embedders' own tests.  The walker is in every build.
 */
#ifndef VMAREA_DEBUG_H
#define VMAREA_DEBUG_H

#include <vmarea/vmarea.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Checks every invariant of an mm: the tree's order, gaps and counts, each VMA against its entry,
 * reference counts, totals against their sums.  0, or -EINVAL with the first violation in @why, a
 * string in @why_bytes bytes, at least one.  Takes the mmap lock for write: none may be held.
 */
VMAREA_API int mm_validate(struct mm_user *mm, char *why, size_t why_bytes) __may_sleep;

#ifdef __cplusplus
}
#endif
#endif
