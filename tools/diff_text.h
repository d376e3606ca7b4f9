/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The part of smaps that is compared, made the same way of the kernel's text and of the library's:
 * each area's line of maps, its page sizes and its VmFlags, runs of blanks as one.  The device and
 * inode number of a shared anonymous object are anyone's choice; they are left out.
 *
 * Included by the agent, which has no C library.
 */
#ifndef DIFF_TEXT_H
#define DIFF_TEXT_H

#include <stddef.h>

static inline size_t text_line_bytes(const char *p, size_t left)
{
	size_t n = 0;

	while (n < left && p[n] != '\n')
		n++;
	return n;
}

static inline int text_begins(const char *p, size_t n, const char *with)
{
	size_t i = 0;

	for (; with[i]; i++)
		if (i == n || p[i] != with[i])
			return 0;
	return 1;
}

static inline int text_contains(const char *p, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		if (text_begins(p + i, n - i, what))
			return 1;
	return 0;
}

/* "1000-2000 rw-p ...": a line of maps, not "Size: ...". */
static inline int text_is_area(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '-')
			return i > 0;
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
			return 0;
	}
	return 0;
}

/* One line, blanks squeezed, fields 4 and 5 without their text if asked.  Returns the new end. */
static inline char *text_put(char *out, const char *p, size_t n, int hide_inode)
{
	int field = 1;

	for (size_t i = 0; i < n; i++) {
		char c = p[i] == '\t' ? ' ' : p[i];

		if (c == ' ') {
			if (i + 1 == n || p[i + 1] == ' ' || p[i + 1] == '\t')
				continue;
			field++;
		} else if (hide_inode && (field == 4 || field == 5)) {
			continue;
		}
		*out++ = c;
	}
	*out++ = '\n';
	return out;
}

/*
 * Condenses @n bytes of smaps or status at @in into @out, at most @max bytes, whole lines only.
 * Returns the bytes written.
 */
static inline size_t text_condense(const char *in, size_t n, char *out, size_t max)
{
	static const char *const kept[] = {
		"KernelPageSize:", "MMUPageSize:", "VmFlags:", "VmSize:", "VmLck:", "VmData:",
		"VmStk:",
	};
	char *to = out;

	while (n) {
		size_t bytes = text_line_bytes(in, n);
		int area = text_is_area(in, bytes);
		int keep = area && !text_contains(in, bytes, "[vsyscall]");

		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]) && !keep; i++)
			keep = text_begins(in, bytes, kept[i]);
		/* The vsyscall page is not an area of the process: its VmFlags go, too. */
		if (text_contains(in, area ? bytes : 0, "[vsyscall]"))
			break;
		if (keep && (size_t)(to - out) + bytes + 2 <= max)
			to = text_put(to, in, bytes, area &&
				      (text_contains(in, bytes, "/dev/zero (deleted)") ||
				       text_contains(in, bytes, "/anon_hugepage (deleted)")));
		if (bytes < n)
			bytes++;
		in += bytes;
		n -= bytes;
	}
	return (size_t)(to - out);
}

#endif
