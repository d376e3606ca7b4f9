/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The commands replay, maps and draw with their options: the first line of an input is the
 * arguments, the rest is the file.  A word that begins with neither a dash nor a digit stands for
 * the file; output goes to /dev/null.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "reader.h"
#include "tools/cmds.h"

#define MAX_WORDS	16

static char *word(char *text, char *path)
{
	static char nowhere[] = "--output=/dev/null";

	if (!strncmp(text, "-o", 2) || !strncmp(text, "--o", 3))
		return nowhere;
	return *text == '-' || isdigit((unsigned char)*text) ? text : path;
}

/* vmarea record runs programs, and vmarea diff makes calls on the kernel. */
static void run(char *line, char *path)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = { { "replay", cmd_replay }, { "maps", cmd_maps }, { "draw", cmd_draw } };
	char *argv[MAX_WORDS + 1] = { NULL }, *save = NULL;
	int argc = 0;

	for (char *w = strtok_r(line, " ", &save); w && argc < MAX_WORDS;
	     w = strtok_r(NULL, " ", &save))
		argv[argc] = argc ? word(w, path) : w, argc++;
	for (size_t i = 0; argc && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		optind = 0;		/* getopt() begins anew */
		if (commands[i].run(argc, argv) == EXIT_DEFECT)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = memchr(data, '\n', size);
	size_t bytes = newline ? (size_t)(newline - data) : size;
	char *line = strndup((const char *)data, bytes), *path;

	if (!line)
		abort();
	data += newline ? bytes + 1 : size;
	size -= newline ? bytes + 1 : size;
	reader_silence();
	path = strdup(reader_file(data, size));
	run(line, path);
	reader_speak();
	free(path);
	free(line);
	return 0;
}
