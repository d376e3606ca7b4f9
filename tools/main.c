/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The command vmarea: picks the subcommand.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmds.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "record", cmd_record, "run a program and write down its memory calls" },
	{ "replay", cmd_replay, "feed a recording or an strace log to the library, compare all" },
	{ "diff", cmd_diff, "make random calls on the kernel and on the library, compare all" },
	{ "maps", cmd_maps, "print the address spaces of a recording" },
	{ "draw", cmd_draw, "draw the address spaces of a recording" },
	{ "core", cmd_core, "write a core file of a process of a recording, for gdb" },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
	fputs("usage: vmarea COMMAND ...\n"
	      "\n"
	      "Linux's process address space as a library, held against the real one.\n"
	      "\n", to);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n"
	      "'vmarea COMMAND --help' tells more.  Exit status: 0 good, 1 a check failed,\n"
	      "2 wrong usage, 3 a defect of vmarea itself.\n"
	      "\n"
	      "Example:\n"
	      "  vmarea record -o ls.vtrace -- ls /\n"
	      "  vmarea replay ls.vtrace\n"
	      "  vmarea draw ls.vtrace -o ls.svg\n", to);
}

/* What was said on standard output has to get there, or it was not said. */
static int finish(int status)
{
	bool lost = ferror(stdout);

	errno = 0;
	if ((!fflush(stdout) && !lost) || status == EXIT_DEFECT)
		return status;
	fprintf(stderr, "vmarea: the standard output cannot be written%s%s\n", errno ? ": " : "",
		errno ? strerror(errno) : "");
	return EXIT_DEFECT;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help(stdout);
		return finish(EXIT_GOOD);
	}
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return finish(commands[i].run(argc - 1, argv + 1));
	if (argv[1][0] == '-')
		fprintf(stderr, "vmarea: unknown option %s\n", argv[1]);
	else
		fprintf(stderr, "vmarea: there is no command '%s'\n", argv[1]);
	fputs("Try 'vmarea --help'.\n", stderr);
	return EXIT_USAGE;
}
