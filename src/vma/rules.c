/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Flags that exclude each other, and flags that need others.  No call and no hook makes an area
 * that breaks one of these; what comes from outside as it is (mm_add_area()) is held against them.
 */
#include "base/bits.h"
#include "vma/rules.h"
#include "vma/types.h"

struct flag_rule {
	vm_flags_t has;			/* an area with all of these */
	vm_flags_t needs;		/* has all of these, */
	vm_flags_t excludes;		/* and none of these */
	const char *text;
};

static const struct flag_rule flag_rules[] = {
	{ VM_PFNMAP, 0, VM_MIXEDMAP, "VM_PFNMAP and VM_MIXEDMAP" },
	{ VM_READ, VM_MAYREAD, 0, "VM_READ without VM_MAYREAD" },
	{ VM_WRITE, VM_MAYWRITE, 0, "VM_WRITE without VM_MAYWRITE" },
	{ VM_EXEC, VM_MAYEXEC, 0, "VM_EXEC without VM_MAYEXEC" },
	{ VM_SHARED, VM_MAYSHARE, 0, "VM_SHARED without VM_MAYSHARE" },
	{ VM_LOCKONFAULT, VM_LOCKED, 0, "VM_LOCKONFAULT without VM_LOCKED" },
	{ VM_LOCKED, 0, VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE, "VM_LOCKED of what is not locked" },
	{ VM_ACCOUNT, 0, VM_SHARED, "VM_ACCOUNT and VM_SHARED" },
	{ VM_ACCOUNT, 0, VM_NORESERVE, "VM_ACCOUNT and VM_NORESERVE" },
	{ VM_ACCOUNT, 0, VM_HUGETLB, "VM_ACCOUNT and VM_HUGETLB" },
	{ VM_SEQ_READ, 0, VM_RAND_READ, "VM_SEQ_READ and VM_RAND_READ" },
	{ VM_HUGEPAGE, 0, VM_NOHUGEPAGE, "VM_HUGEPAGE and VM_NOHUGEPAGE" },
	{ VM_GROWSDOWN, 0, VM_MAYSHARE, "VM_GROWSDOWN, shared" },
	{ VM_WIPEONFORK, 0, VM_MAYSHARE, "VM_WIPEONFORK, shared" },
	{ VM_UFFD_MISSING, VM_MAYWRITE, VM_NO_ANSWER, "VM_UFFD_MISSING of what nobody can answer" },
	{ VM_UFFD_WP, VM_MAYWRITE, VM_NO_ANSWER, "VM_UFFD_WP of what nobody can answer" },
	{ VM_UFFD_MINOR, VM_MAYWRITE, VM_NO_ANSWER, "VM_UFFD_MINOR of what nobody can answer" },
	{ VM_DROPPABLE, VM_NORESERVE, VM_MAYSHARE, "VM_DROPPABLE, shared or to be promised" },
};

const char *vma_flags_wrong(vm_flags_t flags)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_rules); i++) {
		const struct flag_rule *rule = &flag_rules[i];

		if ((flags & rule->has) != rule->has)
			continue;
		if ((flags & rule->needs) != rule->needs || (flags & rule->excludes))
			return rule->text;
	}
	return NULL;
}
