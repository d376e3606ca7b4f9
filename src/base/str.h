/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bytes and text without a C library.
 *
 * The mem* functions are the four that every freestanding compiler expects to exist.  struct
 * text builds a line in a buffer of fixed size: it allocates nothing and calls nothing, so it
 * works in a signal handler.  What does not fit is cut off, and remembered.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/compiler.h"

void *memcpy(void *__restrict to, const void *__restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

static inline size_t str_len(const char *s)
{
	size_t n = 0;

	/* Without the barrier gcc finds that this is strlen(), and calls that. */
	for (; s[n]; n++)
		barrier();
	return n;
}

static inline bool str_eq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Copies @from, cut to fit, with its 0.  True if all of it fitted. */
static inline bool str_copy(char *to, size_t to_bytes, const char *from)
{
	size_t n = 0;

	if (!to_bytes)
		return false;
	for (; from[n] && n + 1 < to_bytes; n++)
		to[n] = from[n];
	to[n] = 0;
	return !from[n];
}

struct text {
	char *buf;		/* always ends in 0 */
	size_t bytes;		/* of buf, at least 1 */
	size_t len;		/* without the 0 */
	bool cut;		/* something did not fit */
};

static inline struct text text_in(char *buf, size_t bytes)
{
	buf[0] = 0;
	return (struct text){ .buf = buf, .bytes = bytes };
}

static inline void text_char(struct text *t, char c)
{
	if (t->len + 1 >= t->bytes) {
		t->cut = true;
		return;
	}
	t->buf[t->len++] = c;
	t->buf[t->len] = 0;
}

static inline void text_str(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

/* @base is 10 or 16; zeros in front up to @width digits. */
static inline void text_number(struct text *t, u64 value, unsigned int base, unsigned int width)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (width > n) {
		text_char(t, '0');
		width--;
	}
	while (n)
		text_char(t, digits[--n]);
}

static inline void text_dec(struct text *t, u64 value)
{
	text_number(t, value, 10, 1);
}

static inline void text_hex(struct text *t, u64 value)
{
	text_number(t, value, 16, 1);
}

#endif
