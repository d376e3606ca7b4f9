/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A file that a command writes: whole, or as it was before.
 *
 * It is written beside its place, under a name of its own, and renamed when it is whole.  What a
 * new file cannot take the place of is written where it is: a device, a pipe; a file with another
 * name or owner, or of a group that we cannot give it to; one that this process was given open, as
 * its standard output; one in a directory that may not be written to.  Such a file is emptied when
 * it is begun, and again when it does not become whole.  What may not be written to is not replaced
 * either.
 */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <stdbool.h>
#include <sys/types.h>

struct output {
	int fd;				/* to write to; not to be closed */
	char *path;			/* where it is to be, without symbolic links */
	char *beside;			/* its name until then; NULL: it is written where it is */
	bool regular, begun;
};

/* @flags beside O_WRONLY, @mode of a new file.  0 or an errno, and then there is nothing to end. */
int output_open(struct output *out, const char *path, int flags, mode_t mode);
/* What is to be in it comes now, from its beginning.  0 or an errno. */
int output_begin(struct output *out);
/* It is whole.  0; or an errno: it is not. */
int output_keep(struct output *out);
/* It is not. */
void output_drop(struct output *out);

#endif
