/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The recorder, inside.
 *
 *	record.c		the command, and the loop that takes each stop of each task
 *	record_hold.c		who may run: one memory call at a time in each mm
 *	record_calls.c		what a call was and what came of it
 *	record_sample.c		which areas have been written to, how far stacks have grown
 *	record_touch.c		with --touch: what is in the pages, before and after a call
 *	record_known.c		what has been told of pages
 *	record_files.c		which open file is which
 *	record_image.c		the address space that exec() made
 *	record_machine.c	the header
 *
 * Terms.  A *task* is a thread of the program.  An *mm* is an address space, shared by the tasks of
 * a process and by a vfork() child until it execs.  A task is *held* when it is stopped and stays
 * so until the recorder lets it go.
 *
 * How the order comes to be the true one.  A seccomp filter makes the kernel stop a task before
 * each memory call.  The recorder gives the call its *turn* only when no other task of the mm has
 * one and all of them are held: interrupted, waiting for their own turn, or not able to run.  It
 * then looks at what the call's decision hangs on (touched areas), lets the call happen, looks at
 * what came of it, writes the lines, and lets the others go.  So no page fault of another thread
 * can come between the look and the call.
 */
#ifndef TOOLS_RECORD_H
#define TOOLS_RECORD_H

#include <linux/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>

#include "ranges.h"
#include "record_known.h"
#include "trace.h"

#define PAGE	4096ul

/* An area as PROCMAP_QUERY tells it. */
struct seen_area {
	unsigned long start, end, offset;
	uint64_t inode;
	unsigned int dev_major, dev_minor;
	bool readable, writable, executable, shared;
	bool huge_pages;		/* hugetlbfs: not followed */
	char name[4200];
};

struct mm {
	unsigned int id;
	int maps_fd, pagemap_fd, mem_fd;	/* of this mm, whatever its tasks do; -1: none */
	struct task *turn;		/* whose memory call is on, or about to be */
	bool in_call;			/* it has begun */
	bool loose;			/* it takes long: the others run meanwhile */
	int ticks;			/* since the turn or the call began */
	struct task *queue;		/* tasks that wait for a turn, by task->next_waiting */
	unsigned long brk;
	struct ranges touched;		/* known and written down */
	struct ranges stacks;		/* areas that grow down, as last seen */
	struct known_pages known;	/* --touch: what replay has */
	struct ranges murky;		/* the same: where it may have pages that are not known */
	bool fresh;			/* the same: a fork's, not looked at yet */
	unsigned long nr_calls;
	bool imaged;			/* its exec has been written */
	bool foreign;			/* 32-bit: not followed */
	struct mm *next;
};

enum task_state {
	TASK_NEW,		/* not stopped for the first time yet: has run nothing */
	TASK_RUNNING,
	TASK_HELD,		/* stopped; resume() will let it go on */
	TASK_WAITING,		/* stopped before a memory call */
	TASK_IN_CALL,		/* its turn: inside the call */
	TASK_EXECED,		/* on the way out of a successful exec */
	TASK_STOPPED,		/* by job control */
	TASK_VFORKING,		/* asleep until its vfork() child is done */
	TASK_EXITING,		/* past the exit event */
};

struct task {
	pid_t tid, tgid;
	struct mm *mm;			/* NULL until its parent's event was seen */
	enum task_state state;
	int signal;			/* TASK_HELD: deliver when it goes on */
	bool listen;			/* TASK_HELD: go on into a job-control stop */
	bool vforking;			/* from the event on: asleep when it goes on */
	bool told_exit;			/* its exit has been written */
	bool moved;			/* it has left the stop that it was held in: */
	int moved_status;		/* for this one */
	struct task *next_waiting;
	struct task *next;
	/* The call that it waits with, or is in. */
	long nr;
	unsigned long args[6];
	struct call call;
};

struct recorder {
	struct text_out *out;
	pid_t child;			/* the program itself */
	int status;			/* how it ended, of waitpid() */
	bool started;			/* its exec was seen */
	bool ended;			/* it is gone, and its number may be another's */
	unsigned long check_every;	/* calls between check maps; 0: none */
	bool touch;			/* --touch */
	unsigned long touch_every;	/* calls between looks at a whole mm */
	unsigned long touch_bytes;	/* of contents that may still be told */
	unsigned long nr_calls, nr_processes;
	unsigned int last_mm, last_file;
	struct task *tasks;
	struct mm *mms;
};

/* ---- record.c */
struct task *task_find(struct recorder *r, pid_t tid);
struct task *task_add(struct recorder *r, pid_t tid);
/* What became of a task, as waitpid() told it. */
void take_stop(struct recorder *r, pid_t tid, int status);

/* ---- record_hold.c */
/* A task is stopped before a memory call and asks for its turn. */
void hold_ask(struct recorder *r, struct task *task);
/* Its call is over (or it died): the next one, or all go on. */
void hold_done(struct recorder *r, struct task *task);
/* A task stopped for something else: it goes on, or is held while another has its turn. */
void hold_stopped(struct recorder *r, struct task *task, int signal, bool listen);
/* Something about a task changed that a turn may wait for. */
void hold_check(struct recorder *r, struct mm *mm);
/* It exits, or has left the mm: no turn for it. */
void hold_leave(struct recorder *r, struct task *task, struct mm *mm);
/* The timer: turns that take long. */
void hold_tick(struct recorder *r);

/* ---- record_calls.c */
/* Is the call one that needs a turn?  Fills task->call as far as it is known. */
bool call_enter(struct recorder *r, struct task *task);
/* Just before and just after, with all else held. */
void call_before(struct recorder *r, struct task *task);
void call_after(struct recorder *r, struct task *task, long result);
/* The filter for call_enter(): installs it in this process.  0 or -errno. */
int call_filter_install(void);
/* Is the task in a fork() or clone() that copies the mm? */
bool call_is_fork(const struct task *task);
bool call_is_exec(const struct task *task);
unsigned int task_caps(pid_t tid);
void task_limits(pid_t tid, unsigned long rlimit[MM_NR_RLIMITS]);

/* ---- record_sample.c */
void sample_open(struct mm *mm, pid_t tid);
bool sample_area(const struct mm *mm, unsigned long addr, bool or_next, struct seen_area *area);
/* Areas in and next to [start, end). */
void sample_around(struct recorder *r, struct mm *mm, unsigned long start, unsigned long end);
/*
 * The same after a call that put something into [start, end): pages in there do not count, they
 * may be the call's own.
 */
void sample_neighbours(struct recorder *r, struct mm *mm, unsigned long start, unsigned long end);
void sample_all(struct recorder *r, struct mm *mm);
void sample_stacks(struct recorder *r, struct mm *mm);
/* The map as the kernel prints it, into the trace; @tid is a task of it. */
void sample_write_map(struct recorder *r, const struct mm *mm, pid_t tid, enum map_when when);
bool sample_parse_line(const char *line, struct seen_area *area);

/* What is mapped in the first pages of [start, end) that are there; false: none is. */
struct found_pages {
	unsigned long start, end;
	enum known_kind kind;
};
bool sample_pages(const struct mm *mm, unsigned long start, unsigned long end,
		  struct found_pages *found);

/* ---- record_touch.c: nothing without --touch */
/* Around call_before() and the line of the call, with all other tasks of the mm held. */
void touch_before(struct recorder *r, struct task *task);
void touch_files(struct recorder *r, struct task *task, unsigned long result);
void touch_after(struct recorder *r, struct task *task, unsigned long result);
/* One page of which a touch is about to be told. */
void touch_page(struct recorder *r, struct mm *mm, unsigned long addr);
/* The whole mm: after exec, at its end, or a fork's before its first instruction. */
void touch_whole(struct recorder *r, struct mm *mm);
/* A task has stopped: if it is the first of a new mm, that is looked at. */
void touch_stopped(struct recorder *r, struct mm *mm);
void touch_forget(struct mm *mm, unsigned long start, unsigned long end);
void touch_copied(struct mm *to, const struct mm *from);
void touch_gone(struct mm *mm);

/* ---- record_files.c */
/* The open file that @area maps, and a descriptor of it or -1; 0: not known. */
unsigned int file_of_seen(const struct mm *mm, const struct seen_area *area, int *fd);
/* Sizes that have changed since they were told. */
void files_sizes_changed(struct recorder *r, const struct mm *mm);
/* The id of the open file that @fd is in @task, writing its line if it is new.  0: none. */
unsigned int file_of_fd(struct recorder *r, struct task *task, int fd, unsigned long result);
/* The file of an area that exec() mapped; files_image_begin() before the first of an exec. */
unsigned int file_of_image(struct recorder *r, const struct mm *mm, pid_t tid,
			   const struct seen_area *area);
void files_image_begin(void);
unsigned int file_of_segment(struct recorder *r, const struct mm *mm, int shmid,
			     unsigned long result);
unsigned int file_of_aio(struct recorder *r, const struct mm *mm, const struct seen_area *ring);
/* An mm is gone, or a copy was made: the files that are held for it. */
void files_mm_gone(const struct mm *mm);
void files_mm_copied(const struct mm *from, const struct mm *to);
/* After something was unmapped: files open for writing are not held longer than they are mapped. */
void files_let_go(struct recorder *r);
/* The names in a map of the kernel, where they are no longer what the file lines said. */
void files_names_changed(struct recorder *r, const struct mm *mm, const char *map);

/* ---- record_image.c */
/*
 * A task stopped on its way out of exec(): reads, probes and writes the new address space.  0, or
 * the wait status of the task if it died meanwhile.
 */
int image_write(struct recorder *r, struct task *task);

#endif
