/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "record_known.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define PAGE_SHIFT	12
#define CHUNK_PAGES	512ul
#define CHUNK_BYTES	(CHUNK_PAGES << PAGE_SHIFT)

struct known_chunk {
	unsigned long start;
	struct known_page pages[CHUNK_PAGES];
	struct known_chunk *next;
};

static struct known_chunk **slot_of(struct known_pages *set, unsigned long addr)
{
	unsigned long start = addr & ~(CHUNK_BYTES - 1);
	struct known_chunk **slot = &set->chunks[addr / CHUNK_BYTES % 256];

	while (*slot && (*slot)->start != start)
		slot = &(*slot)->next;
	return slot;
}

struct known_page *known_page(struct known_pages *set, unsigned long addr, bool make)
{
	struct known_chunk **slot = slot_of(set, addr);

	if (!*slot && !make)
		return NULL;
	if (!*slot) {
		*slot = cli_alloc(sizeof(**slot));
		(*slot)->start = addr & ~(CHUNK_BYTES - 1);
	}
	return &(*slot)->pages[(addr >> PAGE_SHIFT) % CHUNK_PAGES];
}

static void drop(struct known_page *page)
{
	if (page->bytes && !--page->bytes->users)
		free(page->bytes);
	*page = (struct known_page){ 0 };
}

void known_set(struct known_page *page, enum known_kind kind, uint64_t number, const void *bytes)
{
	drop(page);
	page->kind = kind;
	page->number = number;
	if (!bytes)
		return;
	page->bytes = cli_alloc(sizeof(*page->bytes));
	page->bytes->users = 1;
	memcpy(page->bytes->bytes, bytes, CONTENTS_BYTES);
}

void known_forget(struct known_pages *set, unsigned long start, unsigned long end)
{
	for (int i = 0; i < 256; i++) {
		for (struct known_chunk **slot = &set->chunks[i]; *slot;) {
			struct known_chunk *chunk = *slot;
			unsigned long at = chunk->start;

			if (chunk->start >= end || chunk->start + (CHUNK_BYTES - 1) < start) {
				slot = &chunk->next;
				continue;
			}
			for (unsigned long j = 0; j < CHUNK_PAGES; j++, at += 1ul << PAGE_SHIFT)
				if (at >= start && at < end)
					drop(&chunk->pages[j]);
			if (chunk->start < start || end - chunk->start < CHUNK_BYTES) {
				slot = &chunk->next;
				continue;
			}
			*slot = chunk->next;
			free(chunk);
		}
	}
}

void known_copy(struct known_pages *to, const struct known_pages *from)
{
	for (int i = 0; i < 256; i++) {
		for (const struct known_chunk *c = from->chunks[i]; c; c = c->next) {
			struct known_chunk *copy = cli_alloc(sizeof(*copy));

			*copy = *c;
			copy->next = to->chunks[i];
			to->chunks[i] = copy;
			for (unsigned long j = 0; j < CHUNK_PAGES; j++) {
				if (copy->pages[j].kind == KNOWN_FILE)
					copy->pages[j] = (struct known_page){ 0 };
				else if (copy->pages[j].bytes)
					copy->pages[j].bytes->users++;
			}
		}
	}
}

/* --------------------------------------------------------------------------------- files -- */

struct known_inode {
	unsigned int dev_major, dev_minor;
	uint64_t inode;
	struct known_pages pages;
	struct known_inode *next;
};

static struct known_inode *inodes;

struct known_pages *known_file(unsigned int dev_major, unsigned int dev_minor, uint64_t inode)
{
	struct known_inode *i = inodes;

	while (i && (i->inode != inode || i->dev_major != dev_major || i->dev_minor != dev_minor))
		i = i->next;
	if (!i) {
		i = cli_alloc(sizeof(*i));
		i->dev_major = dev_major;
		i->dev_minor = dev_minor;
		i->inode = inode;
		i->next = inodes;
		inodes = i;
	}
	return &i->pages;
}

/* ----------------------------------------------------------------------------- stand-ins -- */

/* Open addressing, at most half full; 0 is an empty place and never a stand-in. */
static uint64_t *stand_ins;
static size_t nr_stand_ins, room;

static size_t place_of(uint64_t number)
{
	size_t at = number % room;

	while (stand_ins[at] && stand_ins[at] != number)
		at = (at + 1) % room;
	return at;
}

bool known_stand_in(uint64_t number)
{
	return room && stand_ins[place_of(number)];
}

void known_add_stand_in(uint64_t number)
{
	if (2 * nr_stand_ins >= room) {
		uint64_t *old = stand_ins;
		size_t nr = room;

		room = room ? 2 * room : 1024;
		stand_ins = cli_alloc(room * sizeof(*stand_ins));
		for (size_t i = 0; i < nr; i++)
			if (old[i])
				stand_ins[place_of(old[i])] = old[i];
		free(old);
	}
	if (!number || known_stand_in(number))
		return;
	stand_ins[place_of(number)] = number;
	nr_stand_ins++;
}
