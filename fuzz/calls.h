/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bytes to memory calls.
 *
 * An input is a head of HEAD_BYTES, which chooses the machine, and then a record of CALL_BYTES for
 * each call.  A record's bytes mean the same whatever is around them, so that records can be
 * changed, moved and left out one by one:
 *
 *	0	which call
 *	1	bits 0-1: of which process; the rest: which allocation of it fails, if the head says
 *		that some shall
 *	2, 3	address and length, in pages; the highest values stand for odd ones
 *	4-7	by call: protection, flags, a second address and length, a file
 */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HEAD_BYTES	4u
#define CALL_BYTES	8u
#define MAX_CALLS	96u
#define MAX_MMS		3u

enum op {
	OP_MMAP, OP_MUNMAP, OP_MPROTECT, OP_MREMAP, OP_MADVISE, OP_PROCESS_MADVISE, OP_BRK,
	OP_MLOCK, OP_MUNLOCK, OP_MLOCKALL, OP_MUNLOCKALL, OP_MSEAL, OP_MSYNC, OP_MINCORE, OP_TOUCH,
	OP_REMAP_FILE_PAGES, OP_SHMAT, OP_SHMDT, OP_NAME, OP_MEMORY_MERGE, OP_LIMIT, OP_CAPS,
	OP_PERSONALITY, OP_FORK, OP_EXEC, OP_EXIT, NR_OPS
};

enum test_file {
	FILE_NONE, FILE_PLAIN, FILE_READ_ONLY, FILE_MEMFD, FILE_ZERO, FILE_NO_EXEC, FILE_WRITE_ONLY,
	FILE_APPEND, FILE_SEALED, FILE_HOOKED, FILE_MIXED, FILE_OWNED, FILE_UNMAPPABLE,
	FILE_SEGMENT, NR_TEST_FILES
};

/* The head. */
struct setup {
	bool bottom_up, failures;
	unsigned int caps;
};

struct call {
	enum op op;
	unsigned int mm;
	unsigned int fail;		/* this allocation fails; 0: none */
	unsigned long arg[6];
	uint8_t check[2];		/* where to ask mm_range_ok() and mm_query() after it */
};

void decode_setup(const uint8_t *head, struct setup *setup);
void decode_call(const uint8_t *bytes, const struct setup *setup, struct call *call);
/* As C would have it. */
void print_call(FILE *to, const struct call *call);
extern const char *const test_file_names[NR_TEST_FILES];

#endif
