/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define MOST_NAMES	100		/* of commands that were killed, with our number */

/* May a new file take its place, and nobody miss the old one? */
static bool may_replace(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && st->st_uid == geteuid();
}

static int open_beside(struct output *out, int flags, mode_t mode)
{
	for (int i = 0; i < MOST_NAMES; i++) {
		char *name = cli_printf("%s.new-%ld-%d", out->path, (long)getpid(), i);

		out->fd = open(name, flags | O_CREAT | O_EXCL, mode);
		if (out->fd >= 0) {
			out->beside = name;
			return 0;
		}
		free(name);
		if (errno != EEXIST)
			return errno;
	}
	return EEXIST;
}

static int open_in_place(struct output *out, int flags, mode_t mode)
{
	struct stat st;

	out->fd = open(out->path, flags | O_CREAT, mode);
	if (out->fd < 0)
		return errno;
	out->regular = !fstat(out->fd, &st) && S_ISREG(st.st_mode);
	return 0;
}

int output_open(struct output *out, const char *path, int flags, mode_t mode)
{
	char *real = realpath(path, NULL);
	struct stat st;
	bool old = real && !stat(real, &st);
	int error = 0;

	flags |= O_WRONLY | O_CLOEXEC;
	*out = (struct output){ .fd = -1, .path = real ? real : cli_strdup(path), .regular = true };
	/* A symbolic link to nothing is for open() to follow. */
	if (old ? may_replace(&st) : lstat(path, &st) != 0)
		error = open_beside(out, flags, old ? st.st_mode & 07777 : mode);
	/* If it cannot be done there either, that says why. */
	if (!out->beside)
		error = open_in_place(out, flags, mode);
	if (out->beside && old && fchmod(out->fd, st.st_mode & 07777))
		error = errno;
	if (!error)
		return 0;
	if (out->beside)
		output_drop(out);
	else
		free(out->path);
	return error;
}

int output_begin(struct output *out)
{
	out->begun = true;
	if (!out->regular)
		return 0;
	return lseek(out->fd, 0, SEEK_SET) < 0 || ftruncate(out->fd, 0) ? errno : 0;
}

static void forget(struct output *out)
{
	free(out->beside);
	free(out->path);
}

int output_keep(struct output *out)
{
	int error = close(out->fd) ? errno : 0;

	if (out->beside && !error && rename(out->beside, out->path))
		error = errno;
	if (out->beside && error)
		unlink(out->beside);
	forget(out);
	return error;
}

void output_drop(struct output *out)
{
	if (out->beside)
		unlink(out->beside);
	else if (out->begun)
		(void)output_begin(out);
	close(out->fd);
	forget(out);
}
