/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The cursor in the line of a recording that is being read.
 */
#include "trace_cursor.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* The first error stays.  Always false. */
bool bad(struct trace_in *in, const char *fmt, ...)
{
	va_list args;
	char *why = NULL;

	if (in->error)
		return false;
	va_start(args, fmt);
	if (vasprintf(&why, fmt, args) < 0)
		why = NULL;
	va_end(args);
	in->error = cli_printf("%s:%lu: %s", in->path, in->line, why ? why : "out of memory");
	free(why);
	return false;
}

/* The next word, cut out of the line; NULL at its end. */
char *word(struct trace_in *in)
{
	char *start;

	while (*in->p == ' ')
		in->p++;
	if (!*in->p)
		return NULL;
	start = in->p;
	while (*in->p && *in->p != ' ')
		in->p++;
	if (*in->p)
		*in->p++ = '\0';
	return start;
}

char *need_word(struct trace_in *in, const char *what)
{
	char *w = word(in);

	if (!w)
		bad(in, "%s is missing", what);
	return w;
}

bool to_number(const char *text, int base, unsigned long *out)
{
	char *rest;

	if (!base)
		base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	errno = 0;
	*out = strtoul(text, &rest, base);
	return rest != text && !*rest && !errno && isxdigit((unsigned char)*text);
}

bool need_number(struct trace_in *in, const char *what, unsigned long *out)
{
	char *w = need_word(in, what);

	if (!w)
		return false;
	return to_number(w, 0, out) || bad(in, "%s: '%s' is not a number", what, w);
}

bool need_task(struct trace_in *in, const char *what, long *out)
{
	unsigned long value;

	if (!need_number(in, what, &value))
		return false;
	if (!value || value > 0x7fffffff)
		return bad(in, "%s: %lu is no task number", what, value);
	*out = (long)value;
	return true;
}

/* "m3", "f12": an id with its letter. */
bool to_id(const char *w, char letter, unsigned int *out)
{
	unsigned long value;

	if (w[0] != letter || !to_number(w + 1, 10, &value) || !value || value > 0xffffffffu)
		return false;
	*out = (unsigned int)value;
	return true;
}

bool need_id(struct trace_in *in, char letter, unsigned int *out)
{
	char *w = need_word(in, letter == 'm' ? "mm" : "file");

	return w && (to_id(w, letter, out) ||
		     bad(in, "'%s' is not %s (%c1 and up)", w,
			 letter == 'm' ? "an mm" : "a file", letter));
}

/* "2000-3000", base 16 with or without 0x. */
bool to_pair(char *w, unsigned long *start, unsigned long *end)
{
	char *dash = strchr(w, '-');

	if (!dash)
		return false;
	*dash = '\0';
	if (to_number(w, 16, start) && to_number(dash + 1, 16, end) && *start <= *end)
		return true;
	*dash = '-';
	return false;
}

int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* A quoted string with its escapes undone; in the line's own memory. */
char *need_quoted(struct trace_in *in, const char *what)
{
	char *from, *to, *start;

	while (*in->p == ' ')
		in->p++;
	if (*in->p != '"') {
		bad(in, "%s in quotes is missing", what);
		return NULL;
	}
	start = from = to = in->p + 1;
	while (*from && *from != '"') {
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		from++;
		if (*from == 'n') {
			*to++ = '\n';
			from++;
		} else if (*from == 'x' && isxdigit((unsigned char)from[1]) &&
			   isxdigit((unsigned char)from[2])) {
			*to++ = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
			from += 3;
		} else if (*from == '"' || *from == '\\') {
			*to++ = *from++;
		} else {
			bad(in, "%s: an unknown escape after a backslash", what);
			return NULL;
		}
	}
	if (*from != '"') {
		bad(in, "%s: the closing quote is missing", what);
		return NULL;
	}
	in->p = from + 1;
	*to = '\0';
	return start;
}

bool need_end(struct trace_in *in)
{
	char *w = word(in);

	return !w || bad(in, "'%s' is too much at the end of the line", w);
}

/* The next line into the cursor; false at the end of the file. */
bool next_line(struct trace_in *in)
{
	size_t bytes;
	char *line = text_line(in->text, &bytes);

	if (!line) {
		in->line++;
		if (text_failure(in->text))
			bad(in, "%s", text_failure(in->text));
		return false;
	}
	in->line++;
	in->p = line;
	return true;
}
