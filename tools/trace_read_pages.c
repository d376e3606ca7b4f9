/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reading recordings: what record --touch adds.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "contents.h"
#include "trace_cursor.h"

#define PAGE_BYTES	((unsigned long)CONTENTS_BYTES)

/* "0x18:00ff": bytes of the page from an offset on. */
static bool parse_piece(struct trace_in *in, struct trace_pages *pages, char *w)
{
	char *hex = strchr(w, ':');
	unsigned long offset, bytes;
	struct trace_piece *last;

	if (hex)
		*hex++ = '\0';
	if (!hex || !to_number(w, 0, &offset) || offset >= PAGE_BYTES)
		return bad(in, "a piece of a page is not OFFSET:BYTES, with an OFFSET below 0x1000");
	bytes = strlen(hex) / 2;
	if (!bytes || strlen(hex) % 2 || hex[strspn(hex, "0123456789abcdefABCDEF")])
		return bad(in, "the bytes at 0x%lx are not pairs of hexadecimal digits", offset);
	last = pages->nr_pieces ? &pages->pieces[pages->nr_pieces - 1] : NULL;
	if (bytes > PAGE_BYTES - offset)
		return bad(in, "the bytes at 0x%lx go beyond the end of the page", offset);
	if (last && offset < last->offset + last->bytes)
		return bad(in, "the bytes at 0x%lx are behind those at 0x%x, or in them", offset,
			   last->offset);
	pages->pieces = cli_realloc(pages->pieces,
				    (pages->nr_pieces + 1) * sizeof(*pages->pieces));
	pages->pieces[pages->nr_pieces++] = (struct trace_piece){ (unsigned int)offset,
								  (unsigned int)bytes };
	for (unsigned long i = 0; i < bytes; i++)
		pages->bytes[offset + i] = (unsigned char)(hex_digit(hex[2 * i]) * 16 +
							   hex_digit(hex[2 * i + 1]));
	return true;
}

/* "=NUMBER", or "whole" and pieces, or pieces. */
static bool parse_contents(struct trace_in *in, struct trace_pages *pages)
{
	char *w = word(in);

	if (w && *w == '=') {
		pages->fill = FILL_STAND_IN;
		if (!to_number(w + 1, 16, &pages->number))
			return bad(in, "'%s' is not = and the number of a page's contents", w);
		return need_end(in);
	}
	pages->fill = w && !strcmp(w, "whole") ? FILL_WHOLE : FILL_PATCH;
	if (pages->fill == FILL_WHOLE)
		w = word(in);
	pages->bytes = cli_alloc(PAGE_BYTES);
	for (; w; w = word(in))
		if (!parse_piece(in, pages, w))
			return false;
	return true;
}

static bool need_page_address(struct trace_in *in, struct trace_event *e)
{
	return need_id(in, 'm', &e->mm) && need_number(in, "address", &e->value) &&
	       (!(e->value % PAGE_BYTES) ||
		bad(in, "the address 0x%lx is not that of a page", e->value));
}

static bool need_page_count(struct trace_in *in, struct trace_event *e)
{
	if (!need_number(in, "how many pages", &e->pages.nr))
		return false;
	if (!e->pages.nr || e->pages.nr > TRACE_MAX_PAGES)
		return bad(in, "%lu pages: a line has 1 to %u", e->pages.nr, TRACE_MAX_PAGES);
	return e->value + e->pages.nr * PAGE_BYTES - 1 >= e->value ||
	       bad(in, "the pages go beyond the last address");
}

/* "own:PAGE+COUNT=NUMBER", "zero:PAGE+COUNT", "file:PAGE+COUNT=NUMBER" */
static bool parse_run(struct trace_in *in, struct trace_pages *pages, char *w)
{
	static const char *const kinds[] = { "own:", "zero:", "file:" };
	struct trace_run run = { .kind = RUN_OWN };
	unsigned long first, nr, after, kind = 0;
	char *plus = strchr(w, '+'), *number = strchr(w, '=');

	while (kind < 3 && strncmp(w, kinds[kind], strlen(kinds[kind])))
		kind++;
	if (plus)
		*plus = '\0';
	if (number)
		*number = '\0';
	if (kind == 3 || !plus || (number && number < plus) || !number != (kind == RUN_ZERO) ||
	    !to_number(w + strlen(kinds[kind]), 0, &first) || !to_number(plus + 1, 0, &nr) ||
	    (number && !to_number(number + 1, 16, &run.number)))
		return bad(in, "'%s' does not begin own:PAGE+COUNT=NUMBER, zero:PAGE+COUNT or "
			   "file:PAGE+COUNT=NUMBER", w);
	after = pages->nr_runs ? pages->runs[pages->nr_runs - 1].first +
				 pages->runs[pages->nr_runs - 1].nr : 0;
	if (first < after || first >= pages->nr || !nr || nr > pages->nr - first)
		return bad(in, "the pages %lu+%lu are not behind the ones before, or not among "
			   "the %lu", first, nr, pages->nr);
	run.kind = (enum trace_run_kind)kind;
	run.first = (unsigned int)first;
	run.nr = (unsigned int)nr;
	pages->runs = cli_realloc(pages->runs, (pages->nr_runs + 1) * sizeof(run));
	pages->runs[pages->nr_runs++] = run;
	return true;
}

static bool parse_check(struct trace_in *in, struct trace_event *e)
{
	for (char *w = word(in); w; w = word(in))
		if (!parse_run(in, &e->pages, w))
			return false;
	return true;
}

static bool parse_page(struct trace_in *in, struct trace_event *e)
{
	return need_number(in, "page", &e->value) &&
	       (e->value < 1ul << 50 || bad(in, "a file has no page %lu", e->value)) &&
	       parse_contents(in, &e->pages);
}

bool parse_pages(struct trace_in *in, struct trace_event *e)
{
	switch (e->kind) {
	case EV_SIZE:
		return need_id(in, 'f', &e->file) && need_number(in, "size", &e->value) &&
		       need_end(in);
	case EV_PAGE:
		return need_id(in, 'f', &e->file) && parse_page(in, e);
	case EV_STORE:
		return need_page_address(in, e) && parse_contents(in, &e->pages);
	case EV_RSS:
		return need_id(in, 'm', &e->mm) && need_number(in, "pages", &e->value) &&
		       need_end(in);
	case EV_CHECK:
		return need_page_address(in, e) && need_page_count(in, e) && parse_check(in, e);
	default:
		return need_page_address(in, e) && need_page_count(in, e) && need_end(in);
	}
}
