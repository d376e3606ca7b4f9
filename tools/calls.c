/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Names and numbers: the calls of a recording, errors, VmFlags letters, features.
 */
#include <stdio.h>
#include <string.h>

#include "trace.h"

const struct call_kind call_kinds[NR_CALLS] = {
	[CALL_MMAP]		= { "mmap", 9, "aaaafa" },
	[CALL_MUNMAP]		= { "munmap", 11, "aa" },
	[CALL_MPROTECT]		= { "mprotect", 10, "aaa" },
	[CALL_PKEY_MPROTECT]	= { "pkey_mprotect", 329, "aaaa" },
	[CALL_MREMAP]		= { "mremap", 25, "aaaaa" },
	[CALL_MADVISE]		= { "madvise", 28, "aaa" },
	[CALL_PROCESS_MADVISE]	= { "process_madvise", 440, "taar" },
	[CALL_BRK]		= { "brk", 12, "a" },
	[CALL_MLOCK]		= { "mlock", 149, "aa" },
	[CALL_MLOCK2]		= { "mlock2", 325, "aaa" },
	[CALL_MUNLOCK]		= { "munlock", 150, "aa" },
	[CALL_MLOCKALL]		= { "mlockall", 151, "a" },
	[CALL_MUNLOCKALL]	= { "munlockall", 152, "" },
	[CALL_MSEAL]		= { "mseal", 462, "aaa" },
	[CALL_MSYNC]		= { "msync", 26, "aaa" },
	[CALL_MINCORE]		= { "mincore", 27, "aa" },
	[CALL_REMAP_FILE_PAGES]	= { "remap_file_pages", 216, "aaaaa" },
	[CALL_SHMAT]		= { "shmat", 30, "faa" },
	[CALL_SHMDT]		= { "shmdt", 67, "a" },
	[CALL_PRCTL]		= { "prctl", 157, "aaaaas" },
	[CALL_IO_SETUP]		= { "io_setup", 206, "af" },
	[CALL_IO_DESTROY]	= { "io_destroy", 207, "aa" },
};

enum call_id call_by_name(const char *name)
{
	int id;

	for (id = 0; id < NR_CALLS; id++)
		if (!strcmp(call_kinds[id].name, name))
			break;
	return (enum call_id)id;
}

enum call_id call_by_nr(long nr)
{
	int id;

	for (id = 0; id < NR_CALLS; id++)
		if (call_kinds[id].nr == nr)
			break;
	return (enum call_id)id;
}

const char *errno_name(int error)
{
	return strerrorname_np(error);
}

int errno_by_name(const char *name)
{
	for (int error = 1; error < 4096; error++) {
		const char *known = strerrorname_np(error);

		if (known && !strcmp(known, name))
			return error;
	}
	return 0;
}

const char *result_text(unsigned long result, char buf[32])
{
	const char *name = is_error(result) ? errno_name((int)-(long)result) : NULL;

	if (name)
		snprintf(buf, 32, "-%s", name);
	else if (is_error(result))
		snprintf(buf, 32, "-%ld", -(long)result);
	else
		snprintf(buf, 32, result < 10 ? "%lu" : "0x%lx", result);
	return buf;
}

static const struct letters {
	char two[3];
	vm_flags_t flag;
} letters[] = {
	{ "rd", VM_READ }, { "wr", VM_WRITE }, { "ex", VM_EXEC }, { "sh", VM_SHARED },
	{ "mr", VM_MAYREAD }, { "mw", VM_MAYWRITE }, { "me", VM_MAYEXEC }, { "ms", VM_MAYSHARE },
	{ "gd", VM_GROWSDOWN }, { "pf", VM_PFNMAP }, { "gu", VM_MAYBE_GUARD },
	{ "lo", VM_LOCKED }, { "io", VM_IO }, { "sr", VM_SEQ_READ }, { "rr", VM_RAND_READ },
	{ "dc", VM_DONTCOPY }, { "de", VM_DONTEXPAND }, { "lf", VM_LOCKONFAULT },
	{ "ac", VM_ACCOUNT }, { "nr", VM_NORESERVE }, { "ht", VM_HUGETLB }, { "sf", VM_SYNC },
	{ "ar", VM_ARCH_1 }, { "wf", VM_WIPEONFORK }, { "dd", VM_DONTDUMP },
	{ "sd", VM_SOFTDIRTY }, { "mm", VM_MIXEDMAP }, { "hg", VM_HUGEPAGE },
	{ "nh", VM_NOHUGEPAGE }, { "mg", VM_MERGEABLE }, { "dp", VM_DROPPABLE },
	{ "sl", VM_SEALED },
};

#define NR_LETTERS	(sizeof(letters) / sizeof(letters[0]))

vm_flags_t vm_flag_by_letters(const char *two)
{
	for (size_t i = 0; i < NR_LETTERS; i++)
		if (letters[i].two[0] == two[0] && letters[i].two[1] == two[1])
			return letters[i].flag;
	return 0;
}

size_t vm_flags_letters(vm_flags_t flags, char buf[128])
{
	size_t n = 0;

	for (size_t i = 0; i < NR_LETTERS; i++) {
		if (!(flags & letters[i].flag))
			continue;
		if (n)
			buf[n++] = ',';
		buf[n++] = letters[i].two[0];
		buf[n++] = letters[i].two[1];
	}
	if (!n)
		buf[n++] = '-';
	buf[n] = '\0';
	return n;
}

const struct feature_name feature_names[NR_FEATURES] = {
	{ "anon-names", VMAREA_FEATURE_ANON_NAMES },
	{ "soft-dirty", VMAREA_FEATURE_SOFT_DIRTY },
	{ "mseal", VMAREA_FEATURE_MSEAL },
	{ "ksm", VMAREA_FEATURE_KSM },
	{ "thp", VMAREA_FEATURE_THP },
	{ "multi-mremap", VMAREA_FEATURE_MULTI_MREMAP },
	{ "guard-flag", VMAREA_FEATURE_GUARD_FLAG },
	{ "huge-1g", VMAREA_FEATURE_HUGE_1G },
};

#define EXT4_MAGIC	0xef53ul	/* of ext2 and ext3, too */
#define XFS_MAGIC	0x58465342ul

/* File systems whose get_unmapped_area() is Linux's thp_get_unmapped_area(). */
static bool places_huge(unsigned long magic)
{
	static const unsigned long magics[] = {
		EXT4_MAGIC, XFS_MAGIC, 0x9123683e /* btrfs */,
		0xca451a4e /* bcachefs */, 0xe0f5e1e2 /* erofs */, 0x65735546 /* fuse */,
	};

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (magic == magics[i])
			return true;
	return false;
}

void trace_file_placement(unsigned long magic, struct trace_file *file)
{
	if (magic == 0x01021994) {		/* tmpfs, memfd */
		file->placement = FILE_PLACE_SHMEM;
		file->flags |= FILE_SHMEM;
	} else if (magic == 0x958458f6) {	/* hugetlbfs */
		file->flags |= FILE_HUGETLB;
	} else if (places_huge(magic)) {
		file->placement = FILE_PLACE_HUGE;
	}
	if (magic == EXT4_MAGIC || magic == XFS_MAGIC)
		file->flags |= FILE_MAP_SYNC;
}
