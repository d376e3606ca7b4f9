/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the recording has told of pages: of each mm by address, of each file by offset.
 */
#ifndef TOOLS_RECORD_KNOWN_H
#define TOOLS_RECORD_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "contents.h"

/* A page's bytes, shared by all who know the same. */
struct known_bytes {
	unsigned int users;
	unsigned char bytes[CONTENTS_BYTES];
};

enum known_kind {
	KNOWN_NOT,		/* nothing, or no page */
	KNOWN_OWN,		/* a page of the mm's own */
	KNOWN_ZERO,		/* the shared zero page */
	KNOWN_FILE,		/* a file's, also that of a shared anonymous object; or in a file */
};

struct known_page {
	enum known_kind kind;
	uint64_t number;		/* OWN, or in a file: its contents */
	struct known_bytes *bytes;	/* the same; NULL: replay has a stand-in */
};

/* All zero is the empty set; known_forget(set, 0, ~0ul) ends it. */
struct known_pages {
	struct known_chunk *chunks[256];
};

/* The page at @addr, a whole page; NULL: nothing is known and it is not to be made. */
struct known_page *known_page(struct known_pages *set, unsigned long addr, bool make);
/* @bytes NULL: a stand-in. */
void known_set(struct known_page *page, enum known_kind kind, uint64_t number, const void *bytes);
void known_forget(struct known_pages *set, unsigned long start, unsigned long end);
/* As fork() copies them: not those of files. */
void known_copy(struct known_pages *to, const struct known_pages *from);

/* The pages of the inode, for the whole recording. */
struct known_pages *known_file(unsigned int dev_major, unsigned int dev_minor, uint64_t inode);

/* Contents that replay has a stand-in of somewhere, so that no bytes can be told to differ. */
void known_add_stand_in(uint64_t number);
bool known_stand_in(uint64_t number);

#endif
