/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the agent of `vmarea diff` and the program that starts it have in common: a piece of shared
 * memory with the calls to make and what is expected of each.
 *
 * The agent is a program of its own without a C library.  Its address space is, apart from what the
 * calls make: its image (one range, with its stack in it), this shared memory, the [stack] that
 * exec() gave it, which it does not use, and if wanted [vdso] and [vvar], which it does not use
 * either.  So the calls may do anything to anything but the first two.
 *
 * A fork makes one more process of it.  Each call names the process that is to make it; the turn is
 * handed over in shared memory.
 */
#ifndef DIFF_AGENT_H
#define DIFF_AGENT_H

#include <stdint.h>

#define AGENT_SHARED_FD		3		/* the shared memory, at exec */
#define AGENT_FILE_FD		10		/* + index of the file */
#define AGENT_MAPS_FD		40		/* + index of the process: its /proc/self/maps */
#define AGENT_SMAPS_FD		50
#define AGENT_STATUS_FD		60
#define AGENT_PID_FD		70
#define AGENT_PAGEMAP_FD	80
#define AGENT_MEM_FD		90
#define AGENT_MAX_PROCS		6
#define AGENT_MAX_FILES		24

#define AGENT_SHARED_ADDR	0x100000000000ul
#define AGENT_SHARED_BYTES	(8ul << 20)
/* Where OP_FILL puts its areas: one page each, one page between.  They are not compared. */
#define AGENT_FILL_ADDR		0x300000000000ul
#define AGENT_FILL_END		0x300040000000ul
#define AGENT_MAX_CALLS		8192
#define AGENT_MAX_AREAS		1024		/* in a map that is compared */
#define AGENT_TEXT_BYTES	(128u << 10)	/* of smaps, condensed */

enum diff_op {
	OP_CHECK,			/* nothing: only the map is compared */
	OP_MMAP,			/* addr len prot flags file offset */
	OP_MUNMAP,			/* addr len */
	OP_MPROTECT,			/* addr len prot */
	OP_PKEY_MPROTECT,		/* addr len prot pkey */
	OP_MREMAP,			/* addr old_len new_len flags new_addr */
	OP_MADVISE,			/* addr len advice */
	OP_PROCESS_MADVISE,		/* addr len addr len advice flags | (process + 1) << 8 */
	OP_MLOCK,			/* addr len */
	OP_MLOCK2,			/* addr len flags */
	OP_MUNLOCK,			/* addr len */
	OP_MLOCKALL,			/* flags */
	OP_MUNLOCKALL,
	OP_MSEAL,			/* addr len flags */
	OP_MSYNC,			/* addr len flags */
	OP_MINCORE,			/* addr len */
	OP_REMAP_FILE_PAGES,		/* addr size prot pgoff flags */
	OP_SHMAT,			/* segment addr flags */
	OP_SHMDT,			/* addr */
	OP_ANON_NAME,			/* addr len name */
	OP_THP_DISABLE,			/* on */
	OP_MEMORY_MERGE,		/* on */
	OP_BRK,				/* addr */
	OP_SETRLIMIT,			/* which bytes */
	OP_PERSONALITY,			/* bits */
	OP_TOUCH,			/* addr TOUCH_* */
	OP_READ_INTO,			/* addr len: read(2) fills memory */
	OP_TRUNCATE,			/* file bytes */
	OP_FILL,			/* areas to leave below the limit; areas to make */
	OP_FORK,			/* process */
	OP_EXIT,
	OP_LOAD,			/* addr bytes */
	OP_STORE,			/* addr bytes value */
	OP_PEEK,			/* addr bytes process REMOTE_* */
	OP_POKE,			/* addr bytes process REMOTE_* value; if > 8: seed */
	OP_PUNCH,			/* file offset bytes: fallocate(PUNCH_HOLE) */
	OP_FILE_READ,			/* file offset bytes: pread() */
	OP_FILE_WRITE,			/* file offset bytes seed: pwrite() */
	OP_FILE_SYNC,			/* file: fsync() */
	OP_ADD_SEALS,			/* file F_SEAL_* */
	NR_OPS
};

/*
 * No store reaches these two bytes of a page, which are therefore zeros in all memory: where pages
 * have bytes, this is what TOUCH_EXEC executes.
 */
#define AGENT_EXEC_SLOT		0x800u
#define AGENT_EXEC_BYTES	2u

/* That OP_FILE_READ, OP_FILE_WRITE, OP_PEEK and OP_POKE are about. */
#define AGENT_IO_BYTES		(8u * 4096)

/* By process_vm_readv(2) and its kind, or as a debugger, by /proc/PID/mem. */
enum remote_kind { REMOTE_PLAIN, REMOTE_FORCED, NR_REMOTE_KINDS };

enum touch_kind { TOUCH_READ, TOUCH_WRITE, TOUCH_EXEC, NR_TOUCH_KINDS };
/* What OP_TOUCH returns. */
enum touch_result { TOUCH_DONE, TOUCH_MAPERR, TOUCH_ACCERR, TOUCH_BUS, TOUCH_OTHER };

/*
 * OP_LOAD and OP_STORE of 1, 2, 4 or 8 bytes are one access, which happens or does not.  Of any
 * other number up to 8 they are one for each byte, which ends at the first that is refused, as when
 * the kernel copies.  They return what became of it and, if it was refused, which of its bytes the
 * signal named.
 */
#define ACCESS_RESULT(touch_result, byte)	((long)((touch_result) | (byte) << 4))
#define ACCESS_TOUCH(result)			((unsigned int)(result) & 0xf)
#define ACCESS_BYTE(result)			((long)(result) >> 4)

/* How the result is judged; no bit: it must be the expected one. */
#define JUDGE_PAGES	0x01	/* success may be an error there, and an error another one */
#define JUDGE_GUARD	0x02	/* or as if a guard page were there */
#define JUDGE_ANY	0x08	/* pages of a file decide, which others may have made */
#define JUDGE_LENGTH	0x04	/* a full transfer, or anything less where less is expected */

/*
 * Up to 64 pages, a bit for each, by mincore() and pagemap.  Of what has no page of a file mapped:
 * is it present, here alone, a guard?  Pages of files that the library maps the kernel must, and no
 * others, where core_compared says so: elsewhere the machine decides what is in core.
 */
struct diff_pages {
	uint64_t addr;
	uint64_t in_core, present, exclusive, guard, file;
	/* What else the machine decides: pages of real files; and what is not ours to look at. */
	uint64_t core_compared, compared, exclusive_compared;
	uint64_t anonymous;		/* what pagemap calls a file's is a huge page of zeros */
	int32_t result;			/* mincore()'s */
	uint32_t nr;			/* 0: nothing is compared */
};

struct diff_call {
	uint8_t op;
	uint8_t proc;
	uint8_t judge;
	uint8_t text;			/* compare smaps and status too */
	uint32_t map;			/* expected map: 8-byte units into arena */
	int64_t result;			/* expected */
	uint64_t arg[6];
	uint64_t value;			/* OP_LOAD, OP_PEEK: what it is to find; OP_FILE_READ, */
					/* OP_PEEK of more than 8 bytes: a hash of that; else 0 */
	struct diff_pages pages;	/* after it, where it was */
};

/* An area as expected, and as found. */
struct diff_area {
	uint64_t start, end;
	uint64_t offset;		/* bytes */
	uint64_t inode;			/* with AREA_OWN_OBJECT: a number of the library's own */
	uint32_t dev;			/* major << 20 | minor */
	uint32_t prot;			/* AREA_* */
};
#define AREA_READ	0x1
#define AREA_WRITE	0x2
#define AREA_EXEC	0x4
#define AREA_SHARED	0x8
/*
 * A shared anonymous object: its inode number is anyone's choice, but the same one each time.
 * Inode 0: any object, of any device.
 */
#define AREA_OWN_OBJECT	0x80000000u
/* As expected only: its pages are compared; which of them are in core; and which are here alone. */
#define AREA_PAGES	0x40000000u
#define AREA_CORE	0x20000000u
#define AREA_EXCLUSIVE	0x10000000u
#define AREA_ANONYMOUS	0x08000000u	/* no file, nor behind a huge page of zeros */

#define AGENT_MAX_PAGES	2048u		/* of an area, that are compared with the texts */

/* Bits of a word of pagemap. */
#define PAGE_PRESENT	(1ul << 63)
#define PAGE_FILE	(1ul << 61)
#define PAGE_GUARD	(1ul << 58)
#define PAGE_EXCLUSIVE	(1ul << 56)

struct diff_map {
	uint32_t nr;
	uint32_t text_bytes;		/* condensed smaps and status, behind the areas; or 0 */
	uint32_t text_counts;		/* enum text_counting */
	uint32_t pad;
	struct diff_area area[];
};

enum agent_status { AGENT_RUNNING, AGENT_READY, AGENT_DONE, AGENT_DIFFERS, AGENT_CRASHED,
		    AGENT_BROKEN };
enum agent_difference { DIFFERS_RESULT, DIFFERS_VALUE, DIFFERS_MAP, DIFFERS_PAGES, DIFFERS_TEXT };

struct agent_object {
	uint64_t ours, theirs;		/* a shared anonymous object's numbers; 0: unused */
};
#define AGENT_MAX_OBJECTS	4096

struct agent_shared {
	/* Set by the program. */
	uint32_t nr_calls;
	uint32_t pause_when_ready;	/* stop at AGENT_READY until it is 0 */
	uint32_t drop_caps;
	uint32_t text_always;		/* the smaps comparison after each call */
	uint32_t owner;			/* the program's pid */
	int32_t segment[8];		/* SysV ids */
	uint32_t keep_vdso;
	uint32_t whole_files;		/* bit for each that is compared with the texts */
	uint64_t own_end;		/* areas below it are the agent's own */

	/* Set by the agent. */
	uint32_t turn;			/* the call whose process is to go on; futex */
	uint32_t status;		/* enum agent_status; futex */
	uint32_t at;			/* the call that differs, or the one under way */
	uint32_t difference;		/* enum agent_difference */
	int64_t result;			/* found */
	uint64_t value;			/* found by OP_LOAD, OP_PEEK, OP_FILE_READ */
	struct diff_pages pages;	/* found */
	uint64_t fault_addr;		/* AGENT_CRASHED */
	uint64_t where;			/* AGENT_CRASHED, AGENT_BROKEN: rip or line */
	uint64_t initial_brk;
	uint64_t unhinted;		/* where a mapping without a hint goes first */
	uint32_t pid[AGENT_MAX_PROCS];
	uint32_t nr_objects;
	uint32_t found_nr;
	uint32_t found_text_bytes;
	struct agent_object objects[AGENT_MAX_OBJECTS];
	struct diff_area found[AGENT_MAX_AREAS];
	char found_text[AGENT_TEXT_BYTES];

	struct diff_call calls[AGENT_MAX_CALLS];
	uint64_t arena[];
};

#define AGENT_ARENA_UNITS \
	((AGENT_SHARED_BYTES - sizeof(struct agent_shared)) / sizeof(uint64_t))

#endif
