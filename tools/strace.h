/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Plain logs of strace -f: reading them, and playing them although they do not tell everything.
 *
 *	strace_read.c	lines to calls: tasks, arguments by name or number, calls in two halves
 *	strace_files.c	which file a descriptor was
 *	strace_elf.c	what exec() mapped, if the program's file is still there
 *	strace_index.c	calls by their task, or the child that they made
 *	strace_play.c	the calls on the library, and what may explain a result that differs
 */
#ifndef TOOLS_STRACE_H
#define TOOLS_STRACE_H

#include "play.h"

enum strace_kind {
	ST_MEMORY,		/* one of call_kinds */
	ST_CLONE,		/* fork, vfork, clone, clone3 */
	ST_EXEC,
	ST_OPEN,		/* makes a descriptor of a file */
	ST_DUP,
	ST_CLOSE,
	ST_MEMFD,
	ST_SEGMENT,		/* shmget */
	ST_LIMIT,		/* setrlimit, prlimit64 */
	ST_EXIT,
	ST_NOT_FOLLOWED,	/* changes the map in a way that is not followed */
};

struct strace_call {
	enum strace_kind kind;
	long tid;
	unsigned long begin, end;	/* lines; @end 0: it did not return */
	struct call call;		/* ST_MEMORY; its result for all kinds */
	bool anonymous;			/* mmap: no descriptor */
	long fd;			/* mmap, ST_CLOSE, ST_DUP: descriptor */
	bool shares_mm, is_thread, is_vfork;	/* ST_CLONE */
	bool file_writable, file_readable;	/* ST_OPEN */
	char *path;			/* ST_OPEN, ST_EXEC, ST_MEMFD; or of -y */
	unsigned int limit;		/* ST_LIMIT: MM_RLIMIT_* */
	long of;			/* ST_LIMIT: task whose it is; 0: the caller */
	unsigned long value;		/* ST_LIMIT; ST_SEGMENT: bytes */
	const char *name;		/* ST_NOT_FOLLOWED */
};

struct strace_log {
	struct strace_call *calls;	/* in the order of their last line */
	size_t nr, room;
	unsigned long lines;
};

struct strace_fd {
	long fd;
	unsigned int file;
};

/* Those of a process that are open. */
struct strace_fds {
	struct strace_fd *fds;
	size_t nr;
	struct strace_fds *next;	/* of another process */
};

struct strace_segment {
	unsigned long shmid;
	unsigned int file;
};

struct strace_files {
	struct player *player;
	struct numbers by_process;	/* strace_fds */
	struct strace_fds *all;
	struct strace_segment *segments;
	size_t nr_segments;
	unsigned int last_file;
};

/* Numbers of calls, by a number of the call and then by their own. */
struct strace_index {
	struct strace_index_entry {
		long key;
		size_t call;
	} *entries;
	size_t nr;
};

/* ---- strace_index.c */
/* Empty, for @most entries; strace_index_free(). */
void strace_index_open(struct strace_index *index, size_t most);
void strace_index_add(struct strace_index *index, long key, size_t call);
/* After the last one was added, before any is looked for. */
void strace_index_sort(struct strace_index *index);
/* Where the first entry of @key is, or would be, whose call is number @from or a later one. */
size_t strace_index_find(const struct strace_index *index, long key, size_t from);
/* Is there one of @key at @at? */
bool strace_index_has(const struct strace_index *index, size_t at, long key);
void strace_index_free(struct strace_index *index);

/* ---- strace_files.c */
void strace_fd_set(struct strace_files *s, long process, long fd, unsigned int file);
unsigned int strace_fd_get(struct strace_files *s, long process, long fd);
/* fork(): the child has what its parent has. */
void strace_fds_copy(struct strace_files *s, long from, long to);
/* The process is gone. */
void strace_fds_end(struct strace_files *s, long process);
/* A new open file: placed as the file system says, if @path is still there to be asked. */
unsigned int strace_file_new(struct strace_files *s, const char *path, unsigned int flags,
			     enum file_placement placement);
/* The file of an mmap(); one that was never seen to be opened is made up. */
unsigned int strace_file_of_mmap(struct strace_files *s, const struct strace_call *c,
				 long process);
void strace_segment_made(struct strace_files *s, const struct strace_call *c);
unsigned int strace_segment_file(const struct strace_files *s, unsigned long shmid);
void strace_files_free(struct strace_files *s);

/* Does the text look like a log of strace? */
bool strace_is_log(struct text_in *text);
/* The whole log.  false and "path:line: why" in *@why (the caller frees it). */
bool strace_read(struct text_in *text, const char *path, struct strace_log *log, char **why);
void strace_free(struct strace_log *log);

/*
 * If mprotect(@addr, @len, PROT_READ) is what the dynamic linker does to @program or to itself: puts in the
 * areas that the file says are there.
 */
bool strace_add_image(struct play_mm *mm, const char *program, unsigned long addr,
		      unsigned long len);
void strace_play(struct player *p, const struct strace_log *log);

#endif
