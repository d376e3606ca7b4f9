/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A player makes the calls of a recording on the library and compares what comes of them.  The
 * commands replay, maps and draw feed it; for an strace log, strace_play.c stands between.
 *
 *	play.c		events: tasks, mms, files
 *	play_call.c	one call on the library, and taking over the kernel's result
 *	play_compare.c	our map against the kernel's
 *	play_pages.c	what is in the pages
 */
#ifndef TOOLS_PLAY_H
#define TOOLS_PLAY_H

#include <stdio.h>

#include "numbers.h"
#include "trace.h"

struct play_mm {
	unsigned int id;
	struct mm_user *user;
	struct mm_config config;	/* of its exec */
	unsigned int nr_tasks;
	unsigned long rlimit[MM_NR_RLIMITS];	/* as the library was last told */
	unsigned int caps;
	unsigned long areas_peak;
	struct known *known;		/* strace_play.c's */
	struct play_mm *next, **link;	/* link: where the pointer to this one is */
};

/* What the threads of a process share besides the mm. */
struct play_process {
	long pid;
	unsigned int nr_tasks;
	unsigned long rlimit[MM_NR_RLIMITS];
	unsigned int caps;
	char *path;			/* what it last executed */
};

struct play_task {
	long tid;
	struct play_process *process;
	struct play_mm *mm;		/* NULL: not followed (a 32-bit program) */
	struct play_task *next, **link;
};

/* Of which process a thread is, or was. */
struct play_thread {
	long tid, pid;
};

struct play_file {
	struct trace_file desc;
	struct file *file;		/* NULL: no such id */
	struct file *contents;		/* open on the same inode, to put pages in, or NULL */
	char *renamed;			/* what maps says now, or NULL */
};

/* A pair of inodes that stand for the same shared anonymous object. */
struct inode_pair {
	unsigned long theirs, ours;
};

/* Something left undetermined or not followed, and how often. */
struct play_reason {
	char *text;
	unsigned long count;
};

struct player {
	const char *path;		/* of the file, for messages */
	unsigned long line;		/* where we are */
	struct vmarea *vmarea;
	struct play_task *tasks;
	struct numbers by_tid;		/* the same; of two with one number the later */
	struct play_mm *mms;
	struct play_thread *threads;	/* all there ever were, but for those a process begins with */
	size_t nr_threads;
	struct play_file *files;	/* by id */
	size_t nr_files;
	unsigned int last_file;		/* the highest number of one */
	struct inode_pair *inodes;
	size_t nr_inodes;
	char **names;			/* of special areas: the library keeps the pointers */
	size_t nr_names;
	bool validate;			/* mm_validate() after each call */
	bool no_compare;		/* maps and draw: results only steer */
	bool pages;			/* mms have pages */
	bool thp_always;		/* the kernel made huge pages unasked */
	unsigned long stop_after;	/* calls; 0: to the end */
	long first_process;		/* the number of the first one; 0: there was none yet */

	/* Called before the last task of an mm leaves it, or an exec replaces it. */
	void (*mm_ends)(struct player *p, struct play_task *task, void *arg);
	void *arg;

	/* what the summary tells */
	unsigned long calls, processes, maps, peak_areas, differences, undetermined;
	unsigned long pages_stored, pages_compared, page_differences;
	struct play_reason *reasons;
	size_t nr_reasons;
	char *first_difference;
	unsigned long call_ns;		/* inside the library */
	char *defect;			/* mm_validate() failed, or a call that cannot fail did */
};

/* With @arena_bytes of memory for pages, 0: areas only.  NULL: *@error says why, as -errno. */
struct player *player_new(const char *path, const struct trace_header *header,
			  unsigned long arena_bytes, int *error);
void player_free(struct player *p);
/* 0; -1: the event does not fit (unknown task...), and *@why says so (the caller frees it). */
int player_event(struct player *p, const struct trace_event *event, char **why);

/* Counts a difference; the first is kept with its text. */
void player_differs(struct player *p, char *text);
/* Counts one more of a named reason. */
void player_undetermined(struct player *p, const char *reason);
void player_defect(struct player *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct play_task *player_task(struct player *p, long tid);
struct play_mm *player_mm(struct player *p, unsigned int id);
/* Is @task of the process @number, or of that which has or had a thread @number? */
bool player_is_of(const struct player *p, const struct play_task *task, unsigned long number);
/* The pieces that strace_play.c puts together itself. */
struct play_task *player_add_task(struct player *p, long tid, struct play_process *process);
struct play_process *player_add_process(struct player *p, long pid,
					const struct play_process *like);
struct play_mm *player_add_mm(struct player *p, unsigned int id, struct mm_user *user,
			      const struct mm_config *config);
void player_join_mm(struct play_task *task, struct play_mm *mm);
void player_leave_mm(struct player *p, struct play_task *task);
void player_drop_task(struct player *p, struct play_task *task);
int player_add_file(struct player *p, const struct trace_file *desc);
/* The same name, but good for as long as the player is. */
const char *player_name(struct player *p, const char *name);

/* ---- play_call.c */
/* The call on the library; *@ns gets how long that took. */
unsigned long play_call(struct player *p, struct play_task *task, const struct call *call);
/* After a result that was not the recorded one: make our mm as the kernel's will be. */
void play_adopt(struct player *p, struct play_task *task, const struct call *call,
		unsigned long ours);
/* "mmap(0x0, 0x2000, ...)": the caller frees it. */
char *play_call_text(const struct player *p, const struct call *call);
/* Is the result right: the one recorded? */
bool play_result_agrees(const struct call *call, unsigned long ours);
struct file *player_file(const struct player *p, unsigned int id);

/* ---- play_pages.c */
/* One of the events from EV_SIZE to EV_RSS. */
int play_pages_event(struct player *p, const struct trace_event *event, char **why);
/* A file that is about to be made shares its pages with others of the inode. */
void play_link_inode(const struct player *p, const struct trace_file *desc, struct file_desc *d);
void play_set_size(const struct player *p, struct play_file *file);
/* There was no memory: always -1. */
int play_no_frames(char **why);

/* ---- play_compare.c */
/* Compares the map of @mm with @text as the kernel printed it; counts and tells a difference. */
void play_compare_map(struct player *p, struct play_mm *mm, const char *text);
/* The map as maps would print it; the caller frees it. */
char *play_map_text(struct player *p, struct play_mm *mm);
/* Some lines of it around @addr, each with an indent. */
char *play_map_around(struct player *p, struct play_mm *mm, unsigned long addr);

#endif
