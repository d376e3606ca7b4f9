/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Recordings: what is in them, and reading and writing them.  docs/TRACE-FORMAT.md describes the
 * text; this is the same in structs.
 */
#ifndef TOOLS_TRACE_H
#define TOOLS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmarea/vmarea.h>

#include "textio.h"

#define TRACE_VERSION		1
#define TRACE_VERSION_PAGES	2	/* with what record --touch adds */
#define TRACE_MAX_ARGS	6

/* The calls that a recording can hold.  Their names and arguments are in calls.c. */
enum call_id {
	CALL_MMAP, CALL_MUNMAP, CALL_MPROTECT, CALL_PKEY_MPROTECT, CALL_MREMAP, CALL_MADVISE,
	CALL_PROCESS_MADVISE, CALL_BRK, CALL_MLOCK, CALL_MLOCK2, CALL_MUNLOCK, CALL_MLOCKALL,
	CALL_MUNLOCKALL, CALL_MSEAL, CALL_MSYNC, CALL_MINCORE, CALL_REMAP_FILE_PAGES, CALL_SHMAT,
	CALL_SHMDT, CALL_PRCTL, CALL_IO_SETUP, CALL_IO_DESTROY, NR_CALLS
};

struct call_kind {
	const char *name;
	int nr;			/* system call number on x86-64 */
	const char *args;	/* a: number; f: file, s: string, t: task, or -; r: ranges */
};
extern const struct call_kind call_kinds[NR_CALLS];
/* The call of that name or number, or NR_CALLS. */
enum call_id call_by_name(const char *name);
enum call_id call_by_nr(long nr);

/* "ENOMEM" for 12, or NULL; and back, or 0. */
const char *errno_name(int error);
int errno_by_name(const char *name);
/* A result is an error as the kernel returns them: -4095 to -1. */
static inline bool is_error(unsigned long result)
{
	return result >= -4095ul;
}
/* "0x7f..." or "-ENOMEM". */
const char *result_text(unsigned long result, char buf[32]);

struct call {
	enum call_id id;
	unsigned long args[TRACE_MAX_ARGS];
	unsigned int file;		/* the f argument, 0: none */
	char *string;			/* the s argument or NULL; the event owns it */
	long task;			/* the t argument, 0: none */
	struct mm_range *ranges;	/* the r argument; the event owns it */
	size_t nr_ranges;
	unsigned long result;		/* the address, or -errno */
	bool unknown;			/* the task was killed inside the call */
};

/* The machine, as the header tells it. */
struct trace_header {
	unsigned int version;
	char kernel[64], machine[16];
	unsigned long ram_pages, swap_pages;
	unsigned int overcommit, overcommit_ratio;
	unsigned long overcommit_kbytes, user_reserve_kbytes, admin_reserve_kbytes;
	unsigned long max_map_count, mmap_min_addr, lsm_mmap_min_addr, stack_guard_gap;
	char thp[16];
	unsigned int features;		/* VMAREA_FEATURE_* */
	char *command;
};

/* How the mmap() of a file behaves. */
enum file_hook {
	HOOK_ORDINARY,
	HOOK_DRIVER,		/* sets hook_flags on each area */
	HOOK_NONE,		/* cannot be mapped: ENODEV */
};

struct trace_file {
	unsigned int id;		/* 1 and up */
	unsigned int dev_major, dev_minor;
	uint64_t inode, size_bytes, max_bytes;
	unsigned int flags;		/* FILE_* */
	enum file_placement placement;
	enum file_hook hook;
	vm_flags_t hook_flags;
	char *name;
};

struct trace_area {
	unsigned long start, end;
	vm_flags_t flags;
	unsigned long pgoff;
	unsigned int file;		/* 0: none */
	char *special;			/* "[vdso]" or NULL */
	bool touched;
};

struct trace_exec {
	struct mm_config config;
	char *path;
	struct trace_area *areas;
	size_t nr_areas;
};

enum event_kind {
	EV_FILE,	/* an open file appears */
	EV_RENAME,	/* its name is another now */
	EV_DELETED,	/* it was unlinked */
	EV_SEALED,	/* it can no longer be written */
	EV_EXEC,	/* a task begins a new image in a new mm */
	EV_FORK,	/* a new process with a copy of the mm */
	EV_VFORK,	/* a new process in the same mm */
	EV_THREAD,	/* a new thread */
	EV_EXIT,
	EV_LEADER,	/* a thread that execs takes over its leader's number */
	EV_MAP,		/* the map as the kernel printed it */
	EV_TOUCH,	/* an area has been written to */
	EV_GROW,	/* a stack has grown down to here */
	EV_LIMITS,
	EV_CAPS,
	EV_PERSONALITY,
	EV_NOTE,	/* something that replay cannot follow */
	EV_SIZE,	/* a file is this long now */
	EV_PAGE,	/* a page of a file */
	EV_STORE,	/* the program has written to a page */
	EV_OWN,		/* pages are the mm's own, and what is in them does not matter */
	EV_READ,	/* pages have been read */
	EV_CHECK,	/* pages as the kernel has them */
	EV_RSS,		/* how many pages of its own the mm has */
	EV_CALL,
};

enum map_when { MAP_FINAL, MAP_CHECK };

#define TRACE_MAX_PAGES	65536u		/* of one event */

/* What is to be in a page. */
enum trace_fill {
	FILL_PATCH,		/* these bytes; the rest stays */
	FILL_WHOLE,		/* these bytes; the rest is zero */
	FILL_STAND_IN,		/* what contents_stand_in() makes of the number */
};

struct trace_piece {
	unsigned int offset, bytes;
};

/* Pages of one kind, with the same contents, beside each other. */
enum trace_run_kind { RUN_OWN, RUN_ZERO, RUN_FILE };

struct trace_run {
	enum trace_run_kind kind;
	unsigned int first, nr;		/* pages; the first counts from the event's */
	uint64_t number;		/* of the contents of each */
};

struct trace_pages {
	enum trace_fill fill;		/* PAGE, STORE */
	uint64_t number;		/* FILL_STAND_IN */
	unsigned char *bytes;		/* a page, of which the pieces are told, or NULL */
	struct trace_piece *pieces;
	size_t nr_pieces;
	unsigned long nr;		/* OWN, READ, CHECK: pages */
	struct trace_run *runs;		/* CHECK: in order; what is in none is not there */
	size_t nr_runs;
};

struct trace_event {
	enum event_kind kind;
	unsigned long line;		/* in the file */
	long task;			/* whose event */
	long child;			/* FORK, VFORK, THREAD; LEADER: the new number */
	unsigned int mm;		/* EXEC, FORK, MAP, TOUCH, GROW, STORE to RSS */
	/*
	 * TOUCH, GROW, STORE, OWN, READ, CHECK: address; CAPS, PERSONALITY; EXIT: status;
	 * SIZE: bytes; PAGE: number of the page in the file; RSS: pages
	 */
	unsigned long value;
	unsigned int file;		/* RENAME, DELETED, SEALED, SIZE, PAGE */
	enum map_when when;		/* MAP */
	char *text;			/* MAP: the lines; NOTE, RENAME */
	unsigned long rlimit[MM_NR_RLIMITS];
	struct trace_file desc;		/* FILE */
	struct trace_exec exec;
	struct trace_pages pages;
	struct call call;
};

/* ---- reading */

struct trace_in;

/* Reads the header.  NULL and a message on standard error if this is no recording. */
struct trace_in *trace_open(struct text_in *text, const char *path, struct trace_header *header);
/*
 * 1: *@event is the next one, which trace_event_free() empties; 0: the end; -1: the line is not
 * what it should be, and "path:line: why" is in trace_error().
 */
int trace_next(struct trace_in *in, struct trace_event *event);
const char *trace_error(const struct trace_in *in);
void trace_event_free(struct trace_event *event);
void trace_header_free(struct trace_header *header);
void trace_close(struct trace_in *in);

/* Does the file begin as a recording does? */
bool trace_is_recording(struct text_in *text);

/* ---- writing */

void trace_write_header(struct text_out *out, const struct trace_header *header);
void trace_write_file(struct text_out *out, const struct trace_file *file);
void trace_write_exec(struct text_out *out, long task, unsigned int mm,
		      const struct trace_exec *exec);
void trace_write_call(struct text_out *out, long task, const struct call *call);
/* The difference between two pages, or with @before NULL what is not zero: " OFFSET:HEX..." */
void trace_write_pieces(struct text_out *out, const void *page, const void *before);
/* A name or path in quotes, with \" \\ \n and \xHH. */
void trace_write_quoted(struct text_out *out, const char *text);
extern const char *const map_when_names[2];

/* ---- record_machine.c */

/* The header for this machine and @command. */
void machine_header(struct trace_header *header, char **command);

/* ---- calls.c */

/* How files of a file system are placed, by its statfs(2) number: sets placement and flags. */
void trace_file_placement(unsigned long magic, struct trace_file *file);

/* ---- VmFlags letters */

/* The flag of two letters of smaps, or 0. */
vm_flags_t vm_flag_by_letters(const char *two);
/* "rd,wr,mr": the letters of @flags joined by commas. */
size_t vm_flags_letters(vm_flags_t flags, char buf[128]);
#define NR_FEATURES	8
/* The features by their names in the header. */
extern const struct feature_name {
	const char *name;
	unsigned int bit;
} feature_names[NR_FEATURES];

#endif
