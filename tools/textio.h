/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Text files, line by line, plain or compressed by zstd: reading finds out by the first bytes,
 * writing by the name (".zst").
 */
#ifndef TOOLS_TEXTIO_H
#define TOOLS_TEXTIO_H

#include <stdbool.h>
#include <stddef.h>

struct text_in;
struct text_out;

/* "-" is standard input.  NULL: errno says why. */
struct text_in *text_open(const char *path);
/*
 * The next line without its newline, good until the next call; NULL at the end or on an error.
 * *@bytes is its length (a line may hold NUL bytes).
 */
char *text_line(struct text_in *in, size_t *bytes);
/* The line comes again. */
void text_unread(struct text_in *in);
/* What went wrong (a broken compressed file, a read error), or NULL. */
const char *text_failure(const struct text_in *in);
/* Bytes of the file taken so far and its size (0: unknown), for progress. */
void text_progress(const struct text_in *in, unsigned long *done, unsigned long *size);
void text_close(struct text_in *in);

/* For text that is packed: little of it, or much. */
enum text_packing { TEXT_SMALL, TEXT_QUICK };
/*
 * "-" is standard output.  What is in the file stays until text_finish(), or, where it cannot be
 * replaced (output.h), until the first text gets there.  NULL: errno.
 */
struct text_out *text_create(const char *path, enum text_packing packing);
void text_write(struct text_out *out, const char *text, size_t bytes);
void text_printf(struct text_out *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(2)));
/* 0, or the errno of the first write that failed: then it is as after text_abandon(). */
int text_finish(struct text_out *out);
/* There is nothing to be written after all: what was there is. */
void text_abandon(struct text_out *out);

#endif
