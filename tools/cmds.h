/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The subcommands of vmarea.  Each gets its own argv (argv[0] is its name) and returns the exit
 * status: 0 good, 1 a check failed, 2 wrong usage, 3 our own defect.
 */
#ifndef TOOLS_CMDS_H
#define TOOLS_CMDS_H

int cmd_record(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_maps(int argc, char **argv);
int cmd_draw(int argc, char **argv);
int cmd_core(int argc, char **argv);

enum { EXIT_GOOD = 0, EXIT_CHECK = 1, EXIT_USAGE = 2, EXIT_DEFECT = 3 };

#endif
