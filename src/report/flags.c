/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VmFlags: the two letters that smaps prints for each flag, in the order of the bits.
 *
 * Source: proc_pid_smaps(5), and what the running kernel prints.  A bit without letters is one
 * that no area here can have; it is left out.
 */
#include <vmarea/vmarea.h>

#include "base/bits.h"
#include "base/str.h"

struct flag_name {
	vm_flags_t flag;
	const char *letters;
};

static const struct flag_name flag_names[] = {
	{ VM_READ, "rd" },
	{ VM_WRITE, "wr" },
	{ VM_EXEC, "ex" },
	{ VM_SHARED, "sh" },
	{ VM_MAYREAD, "mr" },
	{ VM_MAYWRITE, "mw" },
	{ VM_MAYEXEC, "me" },
	{ VM_MAYSHARE, "ms" },
	{ VM_GROWSDOWN, "gd" },
	{ VM_UFFD_MISSING, "um" },
	{ VM_PFNMAP, "pf" },
	{ VM_MAYBE_GUARD, "gu" },
	{ VM_UFFD_WP, "uw" },
	{ VM_LOCKED, "lo" },
	{ VM_IO, "io" },
	{ VM_SEQ_READ, "sr" },
	{ VM_RAND_READ, "rr" },
	{ VM_DONTCOPY, "dc" },
	{ VM_DONTEXPAND, "de" },
	{ VM_LOCKONFAULT, "lf" },
	{ VM_ACCOUNT, "ac" },
	{ VM_NORESERVE, "nr" },
	{ VM_HUGETLB, "ht" },
	{ VM_SYNC, "sf" },
	{ VM_ARCH_1, "ar" },
	{ VM_WIPEONFORK, "wf" },
	{ VM_DONTDUMP, "dd" },
	{ VM_SOFTDIRTY, "sd" },
	{ VM_MIXEDMAP, "mm" },
	{ VM_HUGEPAGE, "hg" },
	{ VM_NOHUGEPAGE, "nh" },
	{ VM_MERGEABLE, "mg" },
	{ VM_DROPPABLE, "dp" },
	{ VM_UFFD_MINOR, "ui" },
	{ VM_SEALED, "sl" },
};

/* "rd " for each: the header promises callers that 128 bytes are enough. */
_Static_assert(3 * ARRAY_SIZE(flag_names) + 1 <= 128, "vm_flags_format() needs a larger buffer");

size_t vm_flags_format(vm_flags_t flags, char buf[128])
{
	struct text text = text_in(buf, 128);

	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (!(flags & flag_names[i].flag))
			continue;
		text_str(&text, flag_names[i].letters);
		text_char(&text, ' ');
	}
	return text.len;
}
