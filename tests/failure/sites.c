/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The sites that the sources have, found by reading them, against those that failed.
 *
 * A site in the sources is a call of one of the names below, outside comments.  It may be spread
 * over lines; which of them the compiler names is its own choice.
 */
#include <ftw.h>

#include "failure.h"

static const char *const names[] = {
	"port_alloc(", "port_wait(", "port_fail_site(", "port_fail_kind(",
};

#define MAX_SITES	512

static struct port_site met[MAX_SITES];
static size_t nr_met;
static unsigned long nr_missing;

static void read_table(void)
{
	nr_met = port_fail_sites(met, MAX_SITES);
	assert_true(nr_met <= MAX_SITES);
}

/* "../src/mm/map.c:56" from "src/" on; NULL for what is not of src/. */
static const char *in_sources(const char *here)
{
	const char *found = NULL;

	for (const char *at = strstr(here, "src/"); at; at = strstr(at + 1, "src/"))
		found = at;
	return found;
}

struct failures failures_in(const char *path, enum port_fail_kind kind)
{
	struct failures failures = { 0 };

	read_table();
	for (size_t i = 0; i < nr_met; i++) {
		const char *here = in_sources(met[i].here);

		if (!here || met[i].kind != kind || !met[i].failed ||
		    strncmp(here, path, strlen(path)) || here[strlen(path)] != ':')
			continue;
		failures.sites++;
		failures.times += met[i].failed;
	}
	return failures;
}

static bool has_failed(const char *path, long first, long last)
{
	for (size_t i = 0; i < nr_met; i++) {
		const char *here = in_sources(met[i].here), *colon;

		if (!here || !met[i].failed)
			continue;
		colon = strchr(here, ':');
		if (strlen(path) == (size_t)(colon - here) &&
		    !strncmp(here, path, strlen(path)) &&
		    atol(colon + 1) >= first && atol(colon + 1) <= last)
			return true;
	}
	return false;
}

/* Comments become blanks; lines stay where they are. */
static void blank_comments(char *text)
{
	for (char *at = text; (at = strstr(at, "/*"));) {
		char *end = strstr(at, "*/");

		assert_non_null(end);
		for (; at < end + 2; at++)
			if (*at != '\n')
				*at = ' ';
	}
}

static long line_of(const char *text, const char *at)
{
	long line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

static const char *closing(const char *open)
{
	int depth = 0;

	do {
		depth += *open == '(';
		depth -= *open == ')';
		open++;
	} while (depth);
	return open;
}

static bool is_call(const char *text, const char *at, const char *arguments)
{
	/* Part of a longer name; or a declaration. */
	if (at > text && (at[-1] == '_' || (at[-1] >= 'a' && at[-1] <= 'z')))
		return false;
	return strncmp(arguments, "size_t", 6) && strncmp(arguments, "const ", 6) &&
	       strncmp(arguments, "enum ", 5);
}

static void find_sites(const char *path, const char *text)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		for (const char *at = strstr(text, names[i]); at; at = strstr(at + 1, names[i])) {
			long first = line_of(text, at);

			if (!is_call(text, at, at + len))
				continue;
			tally.nr_sites++;
			if (has_failed(path, first, line_of(text, closing(at + len - 1))))
				continue;
			nr_missing++;
			fprintf(stderr, "%s:%ld: %.*s) has never failed\n", path, first, (int)len,
				at);
		}
	}
}

/* Other ports are not in this library; failure.h is what the names stand for. */
static bool is_compiled(const char *path)
{
	if (!strncmp(path, "src/port/linux/", 15))
		return true;
	return strncmp(path, "src/port/", 9) || !strchr(path + 9, '/');
}

static int visit(const char *full, const struct stat *st, int type, struct FTW *ftw)
{
	const char *path = full + strlen(SOURCE_ROOT) + 1, *dot = strrchr(full, '.');
	char *text;
	FILE *f;

	if (type != FTW_F || !dot || (strcmp(dot, ".c") && strcmp(dot, ".h")) ||
	    !is_compiled(path) || !strcmp(path, "src/port/linux/failure.h"))
		return 0;
	f = fopen(full, "r");
	assert_non_null(f);
	text = calloc(1, (size_t)st->st_size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)st->st_size, f), st->st_size);
	fclose(f);
	blank_comments(text);
	find_sites(path, text);
	free(text);
	return 0;
}

unsigned long check_source_sites(void)
{
	read_table();
	assert_int_equal(nftw(SOURCE_ROOT "/src", visit, 16, FTW_PHYS), 0);
	/* That it finds any is no matter of course. */
	assert_true(tally.nr_sites > 20);
	return nr_missing;
}
