/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the subcommands share in talking to a person: messages on standard error, numbers in
 * options, memory that is there or ends the command.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

/* "vmarea @cmd: ..." on standard error. */
void cli_error(const char *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* cli_error() and where to find help.  Always EXIT_USAGE. */
int cli_usage(const char *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * getopt_long() that says "unknown option --x", "--x needs a value" in one form.  Pass an option
 * string that begins with ':' (or "+:").  '?' means: the message is out, return EXIT_USAGE.
 */
int cli_getopt(const char *cmd, int argc, char **argv, const char *shorts,
	       const struct option *longs);

/* The number in @text, decimal or 0x.  false and a message if it is none or out of [min, max]. */
bool cli_number(const char *cmd, const char *option, const char *text, unsigned long min,
		unsigned long max, unsigned long *out);

/*
 * Is what is to be written to @out the regular file that is read as @in ("-": the standard input)?
 * It would be gone.
 */
bool cli_same_file(const char *in, const char *out);

/* Bytes of the character that @text begins with, by RFC 3629; 0: it is not UTF-8. */
size_t cli_character(const char *text);

/* Allocation that ends the command with EXIT_DEFECT when there is none. */
void *cli_alloc(size_t bytes);
void *cli_realloc(void *old, size_t bytes);
char *cli_strdup(const char *text);
char *cli_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
