/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A picture of address spaces: what is in it, and drawing it.
 */
#ifndef TOOLS_DRAW_H
#define TOOLS_DRAW_H

#include <stdio.h>

#include <vmarea/vmarea.h>

struct drawn_area {
	unsigned long start, end, offset, inode;
	unsigned int dev_major, dev_minor;
	vm_flags_t flags;
	char *name;		/* as maps prints it, "" for none */
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
};

/* 0, or -1 if the file could not be written. */
int draw_svg(FILE *to, const struct picture *picture);

#endif
