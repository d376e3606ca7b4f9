/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How the lines of a recording are taken apart: by a cursor, from left to right.  The first thing
 * that is not as it should be is what the error names.  The functions return false, or NULL, after
 * an error, and the line is given up.
 */
#ifndef TOOLS_TRACE_CURSOR_H
#define TOOLS_TRACE_CURSOR_H

#include "trace.h"

struct trace_in {
	struct text_in *text;
	char *path;
	unsigned long line;
	unsigned int version;
	char *error;
	char *p;		/* the cursor in the current line */
};

/* The first error stays.  Always false. */
bool bad(struct trace_in *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The next word, cut out of the line; NULL at its end. */
char *word(struct trace_in *in);
char *need_word(struct trace_in *in, const char *what);
/* @base 0: decimal, or hexadecimal behind 0x. */
bool to_number(const char *text, int base, unsigned long *out);
bool need_number(struct trace_in *in, const char *what, unsigned long *out);
bool need_task(struct trace_in *in, const char *what, long *out);
/* "m3", "f12": an id with its letter. */
bool to_id(const char *w, char letter, unsigned int *out);
bool need_id(struct trace_in *in, char letter, unsigned int *out);
/* "2000-3000", base 16 with or without 0x. */
bool to_pair(char *w, unsigned long *start, unsigned long *end);
int hex_digit(char c);
/* A quoted string with its escapes undone; in the line's own memory. */
char *need_quoted(struct trace_in *in, const char *what);
bool need_end(struct trace_in *in);
/* The next line into the cursor; false at the end of the file. */
bool next_line(struct trace_in *in);

/* ---- trace_read_pages.c */

/* What --touch adds: a line after its first word. */
bool parse_pages(struct trace_in *in, struct trace_event *e);

#endif
