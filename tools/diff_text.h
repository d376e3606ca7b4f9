/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The part of smaps that is compared, made the same way of the kernel's text and of the library's:
 * each area's line of maps, its page sizes and its VmFlags, runs of blanks as one.  The device and
 * inode number of what is made for a round are anyone's choice; they are left out.
 *
 * Where areas have pages, also how many of what kind, and a line for each run of like pages:
 *
 *	pages 200000000000 3 cpx 1f3a...	first, how many, c in core, p present and no file's,
 *						x here alone, g a guard, r read, in core or not;
 *						a hash of their bytes
 *
 * Included by the agent, which has no C library.
 */
#ifndef DIFF_TEXT_H
#define DIFF_TEXT_H

#include <stddef.h>

#include "diff_agent.h"

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

/* Which numbers of pages are compared. */
enum text_counting { COUNTING_NONE, COUNTING_BUT_DIRTY, COUNTING_ALL };

/* Of which areas: of all but the agent's own; and what of them, as the map says. */
struct text_rules {
	enum text_counting counting;
	unsigned long own_end;		/* areas below it are the agent's; and its shared memory */
	unsigned long shared, shared_end;
	const struct diff_area *area;
	uint32_t nr_areas;
};

static inline unsigned long text_hex(const char *p)
{
	unsigned long value = 0;

	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			value = value << 4 | (unsigned long)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			value = value << 4 | (unsigned long)(*p - 'a' + 10);
		else
			return value;
	}
}

/*
 * Of a file on a disk the machine decides what is in core, and so which neighbours a fault maps:
 * how many is no matter.
 */
enum text_counts { COUNT_NOTHING, COUNT_ANONYMOUS, COUNT_ALL };

static inline enum text_counts text_counted(const struct text_rules *rules, const char *p, size_t n)
{
	unsigned long start = text_hex(p);

	if (!rules->counting || start < rules->own_end ||
	    (start >= rules->shared && start < rules->shared_end) || text_contains(p, n, "[v"))
		return COUNT_NOTHING;
	for (uint32_t i = 0; i < rules->nr_areas; i++)
		if (rules->area[i].start == start)
			return rules->area[i].prot & AREA_CORE ? COUNT_ALL : COUNT_ANONYMOUS;
	return COUNT_ANONYMOUS;
}

static inline int text_is_kept(const struct text_rules *rules, const char *p, size_t n,
			       enum text_counts counts)
{
	static const char *const kept[] = {
		"KernelPageSize:", "MMUPageSize:", "VmFlags:", "VmSize:", "VmLck:", "VmData:",
		"VmStk:",
	};
	static const char *const counted[] = {
		"Anonymous:", "AnonHugePages:", "Swap:",
		"Rss:", "Pss:", "Locked:",
		"Shared_Clean:", "Shared_Dirty:", "Private_Clean:", "Private_Dirty:",
	};
	size_t nr = counts == COUNT_NOTHING ? 0 : counts == COUNT_ANONYMOUS ? 3 :
		    rules->counting == COUNTING_ALL ? 10 : 6;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (text_begins(p, n, kept[i]))
			return 1;
	for (size_t i = 0; i < nr; i++)
		if (text_begins(p, n, counted[i]))
			return 1;
	return 0;
}

/* Of something that each side makes for itself, and numbers as it likes? */
static inline int text_is_numbered(const char *p, size_t n)
{
	return text_contains(p, n, "/dev/zero (deleted)") ||
		text_contains(p, n, "/anon_hugepage (deleted)") ||
		text_contains(p, n, "/memfd:anew (deleted)");
}

/*
 * Condenses @n bytes of smaps or status at @in into @out, at most @max bytes, whole lines only.
 * Returns the bytes written.
 */
static inline size_t text_condense(const struct text_rules *rules, const char *in, size_t n,
				   char *out, size_t max)
{
	enum text_counts counts = COUNT_NOTHING;
	char *to = out;

	while (n) {
		size_t bytes = text_line_bytes(in, n);
		int area = text_is_area(in, bytes);

		/* The vsyscall page is not an area of the process: its VmFlags go, too. */
		if (area && text_contains(in, bytes, "[vsyscall]"))
			break;
		if (area)
			counts = text_counted(rules, in, bytes);
		if ((area || text_is_kept(rules, in, bytes, counts)) &&
		    (size_t)(to - out) + bytes + 2 <= max)
			to = text_put(to, in, bytes, area && text_is_numbered(in, bytes));
		if (bytes < n)
			bytes++;
		in += bytes;
		n -= bytes;
	}
	return (size_t)(to - out);
}

/* ----------------------------------------------------------------------------- runs of pages -- */

enum { RUN_CORE = 1, RUN_PRESENT = 2, RUN_EXCLUSIVE = 4, RUN_GUARD = 8, RUN_READ = 16,
       RUN_HAS_BYTES = RUN_CORE | RUN_PRESENT | RUN_READ };

struct page_runs {
	char *to, *end;
	unsigned long start, nr, hash;	/* of the run under way */
	unsigned int kind;
};

static inline char *text_put_hex(char *to, unsigned long value)
{
	int shift = 60;

	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[value >> shift & 0xf];
	*to++ = ' ';
	return to;
}

static inline unsigned long page_hash(unsigned long hash, unsigned long word)
{
	return (hash ^ word) * 0x100000001b3ul + (hash >> 47);
}

static inline void runs_end(struct page_runs *runs)
{
	static const char letters[] = "cpxgr";
	char *to = runs->to;

	if (runs->nr && to + 80 < runs->end) {
		for (const char *p = "pages "; *p; p++)
			*to++ = *p;
		to = text_put_hex(to, runs->start);
		to = text_put_hex(to, runs->nr);
		for (int i = 0; i < 5; i++)
			if (runs->kind >> i & 1)
				*to++ = letters[i];
		*to++ = ' ';
		to = text_put_hex(to, runs->hash);
		to[-1] = '\n';
		runs->to = to;
	}
	runs->nr = 0;
}

/* The next page in order of addresses; a @kind of 0: nothing is there. */
static inline void runs_add(struct page_runs *runs, unsigned long addr, unsigned int kind,
			    unsigned long hash)
{
	if (!runs->nr || kind != runs->kind || addr != runs->start + runs->nr * 4096) {
		runs_end(runs);
		runs->start = addr;
		runs->kind = kind;
		runs->hash = 0;
	}
	if (!kind)
		return;
	runs->nr++;
	runs->hash = page_hash(runs->hash, hash);
}

#endif
