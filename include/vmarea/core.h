/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A core file of an address space: ELF, as Linux writes it and gdb reads it.
 *
 *	header, program headers		PT_NOTE, and a PT_LOAD for each area
 *	notes				NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_FILE
 *	bytes				of the areas, from the next whole page on
 *	section header			only with 65,535 program headers or more (PN_XNUM)
 *
 * Which areas there are, and which of them have their bytes in the file, is of one moment.  The
 * bytes are read later, some pages at a time, and each page is what is at its address when its turn
 * comes: who wants them of one moment, too, stops the threads that use the mm first.  What has been
 * unmapped by then, or has become VM_DONTDUMP, VM_IO or VM_PFNMAP, is written as zeros.  No lock is
 * held while a caller's function runs.
 *
 * The mm stays as it is: no anonymous page, no table is made, and nothing gets mapped.  A page that
 * is not there is a hole; it is read into the file's memory if it is an ordinary file's.  What a
 * driver or swap has is faulted in.  A page that cannot be had is zeros, as on Linux: no error, also
 * for want of memory.
 *
 * Sources: core(5), elf(5), and the files that Linux 6.18 writes.
 */
#ifndef VMAREA_CORE_H
#define VMAREA_CORE_H

#include <vmarea/report.h>

#ifdef __cplusplus
extern "C" {
#endif
__nonnull_begin

/*
 * The filter: areas of which kind have their bytes in the file.  The numbers are those of
 * /proc/PID/coredump_filter.  Private memory with a file is of both kinds once it was written to.
 * Shared memory is anonymous if its file has no name any more: FILE_DELETED, as memfd has it.
 *
 * Never: VM_DONTDUMP, VM_IO.  Always: what the program's loader put there under a name ("[vdso]").
 */
#define MM_CORE_ANON_PRIVATE	0x001u
#define MM_CORE_ANON_SHARED	0x002u
#define MM_CORE_FILE_PRIVATE	0x004u
#define MM_CORE_FILE_SHARED	0x008u
#define MM_CORE_ELF_HEADERS	0x010u	/* the first page of a private area, if it begins as ELF */
#define MM_CORE_HUGETLB_PRIVATE	0x020u	/* these two alone decide about MAP_HUGETLB, */
#define MM_CORE_HUGETLB_SHARED	0x040u
#define MM_CORE_DAX_PRIVATE	0x080u	/* and these about FILE_DAX */
#define MM_CORE_DAX_SHARED	0x100u
#define MM_CORE_FILTER_ALL	0x1ffu
#define MM_CORE_FILTER_DEFAULT	0x033u	/* Linux's */

/* A thread.  The debugger shows the first one as that which got the signal. */
struct mm_core_thread {
	int32_t tid;
	int32_t signal;				/* 0: none */
	/*
	 * As ptrace(PTRACE_GETREGSET, NT_PRSTATUS) has them; NULL: all are 0.  In bytes 216 on
	 * x86-64, 256 on RISC-V.
	 */
	const void *__nullable registers;
	size_t registers_bytes;
};

/* Begin with MM_CORE_CONFIG_INIT. */
struct mm_core_config {
	size_t size;				/* sizeof(struct mm_core_config) */
	unsigned int filter;			/* MM_CORE_* */
	enum mm_table_format machine;		/* whose registers these are */
	int32_t pid, ppid, pgrp, sid;
	uint32_t uid, gid;
	const char *__nullable name;		/* of the program; 15 bytes are kept */
	const char *__nullable arguments;	/* its command line; 79 bytes are kept */
	const struct mm_core_thread *__nullable threads;
	size_t nr_threads;			/* 0: one, with tid = pid */
	const void *__nullable auxv;		/* as /proc/PID/auxv, or NULL: no such note */
	size_t auxv_bytes;			/* pairs of 8 bytes each */
	/*
	 * So many bytes are zeros, and may become a hole of the file; returns as the writer.  NULL:
	 * the writer gets them, which takes its time with areas of a TiB.
	 */
	int (*__nullable skip)(void *__nullable arg, uint64_t bytes);
};

#define MM_CORE_CONFIG_INIT {						\
	.size = sizeof(struct mm_core_config), .filter = MM_CORE_FILTER_DEFAULT, \
	.machine = MM_TABLE_X86_64, .pid = 0, .ppid = 0, .pgrp = 0, .sid = 0, .uid = 0, .gid = 0, \
	.name = NULL, .arguments = NULL, .threads = NULL, .nr_threads = 0, \
	.auxv = NULL, .auxv_bytes = 0, .skip = NULL }

/*
 * The file, front to back.  A mm without pages has no bytes: its areas are listed, each with
 * p_filesz 0.  The note of mapped files is left out if it is larger than 4 MiB, as by Linux.
 *
 * 0; -EINVAL: @config->size, an unknown bit or machine, threads that are not there, registers of
 * another size, half a pair in auxv; -ENOMEM: no memory for the copy of the areas, and nothing was
 * written; or what @write or skip() returned, other than 0, which ends it.
 */
VMAREA_API int mm_report_core(struct mm_user *mm, const struct mm_core_config *config,
			      mm_writer write, void *__nullable arg) __may_sleep;

__nonnull_end
#ifdef __cplusplus
}
#endif
#endif
