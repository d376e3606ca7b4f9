/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Messages, options and memory for the subcommands.
 */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cmds.h"

static void say(const char *cmd, const char *fmt, va_list args)
{
	fprintf(stderr, "vmarea %s: ", cmd);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void cli_error(const char *cmd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(cmd, fmt, args);
	va_end(args);
}

int cli_usage(const char *cmd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(cmd, fmt, args);
	va_end(args);
	fprintf(stderr, "Try 'vmarea %s --help'.\n", cmd);
	return EXIT_USAGE;
}

/* "--json=1": what getopt_long() refuses there is the option's letter. */
static bool has_no_value(const struct option *longs, const char *word, int letter)
{
	size_t n = strcspn(word, "=");

	if (strncmp(word, "--", 2) || !word[n])
		return false;
	for (; longs->name; longs++)
		if (longs->val == letter && longs->has_arg == no_argument &&
		    !strncmp(longs->name, word + 2, n - 2))
			return true;
	return false;
}

int cli_getopt(const char *cmd, int argc, char **argv, const char *shorts,
	       const struct option *longs)
{
	int c;

	opterr = 0;
	c = getopt_long(argc, argv, shorts, longs, NULL);
	if (c == ':') {
		cli_usage(cmd, "%s needs a value", argv[optind - 1]);
		return '?';
	}
	if (c == '?') {
		const char *word = argv[optind - 1];

		if (has_no_value(longs, word, optopt))
			cli_usage(cmd, "%.*s takes no value", (int)strcspn(word, "="), word);
		else if (optopt && isprint(optopt) && optopt < 128)
			cli_usage(cmd, "unknown option -%c", optopt);
		else
			cli_usage(cmd, "unknown option %s", argv[optind - 1]);
	}
	return c;
}

bool cli_number(const char *cmd, const char *option, const char *text, unsigned long min,
		unsigned long max, unsigned long *out)
{
	unsigned long value;
	char *rest;

	errno = 0;
	value = strtoul(text, &rest, !strncasecmp(text, "0x", 2) ? 16 : 10);
	if (rest == text || *rest || !isdigit((unsigned char)*text)) {
		cli_usage(cmd, "%s: %s is not a number", option, text);
		return false;
	}
	if (errno == ERANGE || value > max) {
		cli_usage(cmd, "%s: %s is too large, at most %lu", option, text, max);
		return false;
	}
	if (value < min) {
		cli_usage(cmd, "%s: %s is too small, at least %lu", option, text, min);
		return false;
	}
	*out = value;
	return true;
}

bool cli_same_file(const char *in, const char *out)
{
	struct stat from, to;

	return (strcmp(in, "-") ? !stat(in, &from) : !fstat(0, &from)) && !stat(out, &to) &&
	       S_ISREG(to.st_mode) && from.st_dev == to.st_dev && from.st_ino == to.st_ino;
}

size_t cli_character(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	const size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
			 s[0] < 0xf5 ? 4 : 0;
	unsigned long code = n > 1 ? s[0] & (0x7fu >> n) : s[0];

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && code < 0x800) || (n == 4 && code < 0x10000) || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return n;
}

static void *have(void *memory)
{
	if (!memory) {
		fputs("vmarea: out of memory\n", stderr);
		exit(EXIT_DEFECT);
	}
	return memory;
}

void *cli_alloc(size_t bytes)
{
	return have(calloc(1, bytes ? bytes : 1));
}

void *cli_realloc(void *old, size_t bytes)
{
	return have(realloc(old, bytes ? bytes : 1));
}

char *cli_strdup(const char *text)
{
	return have(strdup(text));
}

char *cli_printf(const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	return have(n < 0 ? NULL : text);
}
