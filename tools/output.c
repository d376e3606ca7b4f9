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
#define SHELLS_FDS	10		/* descriptors that a shell's script can name */

/* Then others write to it, too: -o /dev/stdout, or a name of what that is. */
static bool is_inherited(const struct stat *st)
{
	struct stat open_here;

	for (int fd = 0; fd < SHELLS_FDS; fd++)
		if (!fstat(fd, &open_here) && open_here.st_dev == st->st_dev &&
		    open_here.st_ino == st->st_ino)
			return true;
	return false;
}

/* May a new file take its place, and nobody miss the old one? */
static bool may_replace(const char *path, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && st->st_uid == geteuid() &&
	       !faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) && !is_inherited(st);
}

/* What the old one's owner has made it, as far as a mode and a group go. */
static int be_like(int fd, const struct stat *old)
{
	struct stat st;

	if (fstat(fd, &st) || (st.st_gid != old->st_gid && fchown(fd, (uid_t)-1, old->st_gid)) ||
	    fchmod(fd, old->st_mode & 07777))
		return errno;
	return 0;
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

static void forget_beside(struct output *out)
{
	unlink(out->beside);
	free(out->beside);
	out->beside = NULL;
	close(out->fd);
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
	/* A symbolic link to nothing is for open() to follow; no name at all, to refuse. */
	if (old ? may_replace(real, &st) : *path && lstat(path, &st) != 0)
		error = open_beside(out, flags, old ? st.st_mode & 07777 : mode);
	if (out->beside && old && be_like(out->fd, &st))
		forget_beside(out);
	/* If it cannot be done there either, that says why. */
	if (!out->beside)
		error = open_in_place(out, flags, mode);
	if (error)
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
