/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A picture of address spaces: what is in it, and drawing it.
 */
#ifndef TOOLS_DRAW_H
#define TOOLS_DRAW_H

#include <stdbool.h>
#include <stdio.h>

#include <vmarea/vmarea.h>

/* What is in the pages of a part of an area: these and what is not there make all of it. */
enum drawn_state { DRAWN_PRIVATE, DRAWN_SHARED, DRAWN_HUGE, DRAWN_SWAPPED, NR_DRAWN_STATES };

struct drawn_part {
	unsigned long bytes, in[NR_DRAWN_STATES];	/* bytes */
};

/* An area is looked at in so many parts of about one size, or page by page if it has fewer. */
#define DRAWN_PARTS	32u

struct drawn_area {
	unsigned long start, end, offset, inode;
	unsigned int dev_major, dev_minor;
	vm_flags_t flags;
	char *name;		/* as maps prints it, "" for none */
	struct drawn_part parts[DRAWN_PARTS];	/* from the lowest address on */
	unsigned int nr_parts;			/* 0: without pages */
};

/* One address space: one column. */
struct drawn_mm {
	long pid;
	char *path, *when;
	struct drawn_area *areas;
	size_t nr;
	unsigned long order;	/* the how manieth to end */
};

struct picture {
	char *title, *subtitle, *footer;
	struct drawn_mm *mms;
	size_t nr;
	bool pages;		/* with what is in them */
};

/* The sum over an area's parts. */
struct drawn_part drawn_sum(const struct drawn_area *area);

/* "1.5 MiB" */
const char *drawn_size(unsigned long bytes, char buf[32]);

/* How a state is shown. */
struct drawn_look {
	const char *name, *fill, *line;	/* colours of SVG */
	const char *escape;		/* a terminal's */
	char letter;
};
extern const struct drawn_look drawn_looks[NR_DRAWN_STATES];

/* The picture for a terminal, in colours if @colours; 0, or -1 if it could not be written. */
int draw_text(FILE *to, const struct picture *picture, bool colours);

/* 0, or -1 if the file could not be written. */
int draw_svg(FILE *to, const struct picture *picture);

#endif
