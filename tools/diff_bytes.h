/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bytes of files: what OP_FILE_WRITE writes, how OP_FILE_READ tells what it found, and the line
 * that says what a file is like:
 *
 *	file 9 4064 1f3a... 6		its number, how many bytes, a hash of them, its seals
 *
 * Included by the agent, which has no C library.
 */
#ifndef DIFF_BYTES_H
#define DIFF_BYTES_H

#include "diff_agent.h"
#include "diff_text.h"

#define FILE_LINE_MAX	80u		/* bytes of a line, at most */

static inline int in_exec_slot(uint64_t at)
{
	return at % 4096 - AGENT_EXEC_SLOT < AGENT_EXEC_BYTES;
}

/* What is written to bytes [at, at + nr) of a file: another thing for each place and @seed. */
static inline void bytes_make(unsigned char *to, uint64_t at, uint64_t nr, uint64_t seed)
{
	for (uint64_t i = at; i < at + nr; i++) {
		uint64_t mixed = (i ^ seed) * 0x9e3779b97f4a7c15ul;

		*to++ = in_exec_slot(i) ? 0 : (unsigned char)(mixed >> 56);
	}
}

static inline uint64_t bytes_hash(uint64_t hash, const unsigned char *bytes, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		hash = page_hash(hash, bytes[i]);
	return hash;
}

/* Returns the new end; there is room for FILE_LINE_MAX. */
static inline char *file_line_put(char *to, unsigned int file, uint64_t size, uint64_t hash,
				  uint64_t seals)
{
	for (const char *p = "file "; *p; p++)
		*to++ = *p;
	to = text_put_hex(to, file);
	to = text_put_hex(to, size);
	to = text_put_hex(to, hash);
	to = text_put_hex(to, seals);
	to[-1] = '\n';
	return to;
}

#endif
