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
		if (optopt && isprint(optopt) && optopt < 128)
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
	value = strtoul(text, &rest, 0);
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
