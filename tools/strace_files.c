/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which file a descriptor was, in a log that shows who opened, copied and closed it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "cli.h"
#include "strace.h"

static struct strace_fds *fds_of(struct strace_files *s, long process)
{
	struct strace_fds *of = numbers_get(&s->by_process, process);

	if (of)
		return of;
	of = cli_alloc(sizeof(*of));
	of->next = s->all;
	s->all = of;
	numbers_put(&s->by_process, process, of);
	return of;
}

/* NULL: closed, or never seen. */
static struct strace_fd *find_fd(const struct strace_fds *of, long fd)
{
	for (size_t i = of->nr; i-- > 0;)
		if (of->fds[i].fd == fd)
			return &of->fds[i];
	return NULL;
}

void strace_fd_set(struct strace_files *s, long process, long fd, unsigned int file)
{
	struct strace_fds *of = fds_of(s, process);
	struct strace_fd *slot = find_fd(of, fd);

	if (!file) {
		if (slot)
			*slot = of->fds[--of->nr];
		return;
	}
	if (!slot) {
		of->fds = cli_realloc(of->fds, (of->nr + 1) * sizeof(*of->fds));
		slot = &of->fds[of->nr++];
	}
	*slot = (struct strace_fd){ fd, file };
}

void strace_fds_copy(struct strace_files *s, long from, long to)
{
	const struct strace_fds *parents = fds_of(s, from);
	struct strace_fds *childs = fds_of(s, to);

	if (childs == parents)
		return;
	/* What it has was another's, whose number this was. */
	childs->fds = cli_realloc(childs->fds, parents->nr * sizeof(*childs->fds));
	childs->nr = parents->nr;
	if (parents->nr)
		memcpy(childs->fds, parents->fds, parents->nr * sizeof(*childs->fds));
}

void strace_fds_end(struct strace_files *s, long process)
{
	struct strace_fds *of = numbers_get(&s->by_process, process);

	if (!of)
		return;
	free(of->fds);
	of->fds = NULL;
	of->nr = 0;
}

/* What the file system says of the path; false if it is not there to be asked. */
static bool ask_placement(const char *path, struct trace_file *f)
{
	struct statfs fs;

	if (!path || path[0] != '/' || statfs(path, &fs))
		return false;
	trace_file_placement((unsigned long)fs.f_type, f);
	return true;
}

unsigned int strace_file_new(struct strace_files *s, const char *path, unsigned int flags,
			     enum file_placement placement)
{
	struct trace_file f = {
		.id = ++s->last_file, .inode = s->last_file, .flags = flags,
		.placement = placement, .size_bytes = 1ul << 40,
		.name = (char *)(path ? path : "?"),
	};

	if (path && !strcmp(path, "/dev/zero"))
		f.flags |= FILE_DEV_ZERO;
	else if (placement != FILE_PLACE_SHMEM && !ask_placement(path, &f))
		f.placement = FILE_PLACE_HUGE;	/* the usual; others are tried */
	if (player_add_file(s->player, &f))
		player_defect(s->player, "file_create() failed");
	return f.id;
}

/* The file of an mmap(); one that was never seen to be opened is made up. */
unsigned int strace_file_of_mmap(struct strace_files *s, const struct strace_call *c,
				 long process)
{
	unsigned int open = strace_fd_get(s, process, c->fd);
	unsigned int file;

	if (c->fd < 0)
		return 0;
	if (open)
		return open;
	file = strace_file_new(s, c->path, FILE_READ | FILE_WRITE, FILE_PLACE_HUGE);
	strace_fd_set(s, process, c->fd, file);
	return file;
}

unsigned int strace_fd_get(struct strace_files *s, long process, long fd)
{
	struct strace_fds *of = numbers_get(&s->by_process, process);
	const struct strace_fd *slot = of ? find_fd(of, fd) : NULL;

	return slot ? slot->file : 0;
}

/* --------------------------------------------------------------------------- SysV segments -- */

void strace_segment_made(struct strace_files *s, const struct strace_call *c)
{
	unsigned int file;

	for (size_t i = 0; i < s->nr_segments; i++)
		if (s->segments[i].shmid == c->call.result)
			return;
	if (is_error(c->call.result))
		return;
	s->segments = cli_realloc(s->segments, (s->nr_segments + 1) * sizeof(*s->segments));
	file = strace_file_new(s, "/SYSV00000000", FILE_READ | FILE_WRITE | FILE_SHMEM,
			       FILE_PLACE_SHMEM);
	s->segments[s->nr_segments++] = (struct strace_segment){ c->call.result, file };
	/* Attached in its whole length. */
	file_set_size(player_file(s->player, file), c->value);
}

unsigned int strace_segment_file(const struct strace_files *s, unsigned long shmid)
{
	for (size_t i = 0; i < s->nr_segments; i++)
		if (s->segments[i].shmid == shmid)
			return s->segments[i].file;
	return 0;
}

void strace_files_free(struct strace_files *s)
{
	while (s->all) {
		struct strace_fds *of = s->all;

		s->all = of->next;
		free(of->fds);
		free(of);
	}
	numbers_free(&s->by_process);
	free(s->segments);
}
