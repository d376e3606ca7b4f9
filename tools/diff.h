/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `vmarea diff`: the same random memory calls made on the running kernel and on the library, and
 * every result and the whole map compared after each.  diff.c says how the parts work together.
 */
#ifndef DIFF_H
#define DIFF_H

#include <stdbool.h>
#include <stdio.h>

#include <vmarea/debug.h>
#include <vmarea/host.h>
#include <vmarea/report.h>
#include <vmarea/soft_tlb.h>

#include "diff_agent.h"

#define DIFF_PAGE		4096ul
#define DIFF_TASK_SIZE		0x7ffffffff000ul
/* Where most calls go: 2 MiB-aligned, far from all that is placed by the kernel. */
#define DIFF_WINDOW		0x200000000000ul
#define DIFF_NR_SEGMENTS	3

/* -------------------------------------------------- diff_machine.c: what kernel is this -- */

struct machine {
	char release[160];		/* "Linux 6.18.44" */
	struct vmarea_config config;
	bool root;			/* may raise limits; the agent starts with capabilities */
	bool legacy_layout;		/* vm.legacy_va_layout: bottom-up, always */
	bool thp_on_advice;		/* huge pages for MADV_HUGEPAGE, and only then */
};

void machine_probe(struct machine *m);
/* How often khugepaged has made a huge page of small ones, in anybody's memory. */
unsigned long machine_nr_collapsed(void);
/* How many pages of files were written to disks. */
unsigned long machine_nr_written(void);

/* ---------------------------------------------------------- diff_files.c: what can be mapped -- */

enum { FILE_ZERO_DEVICE, FILE_FIRST_SIZED };

struct test_file {
	const char *label;		/* NULL: not there on this machine */
	int fd;
	int same_as;			/* the open file is that of this index, or -1 */
	struct file_desc desc;		/* name is owned */
	unsigned int seals;		/* F_SEAL_*, from the beginning */
	bool mappable;
	bool disk;			/* msync() would wait for a disk */
	bool append;			/* O_APPEND */
	bool anew;			/* another one in each run: no seal can be broken */
};

struct test_files {
	struct test_file file[AGENT_MAX_FILES];
	int nr;
	bool no_holes;			/* the file system of those on a disk makes none */
	int shmid[DIFF_NR_SEGMENTS];
	void *attached[DIFF_NR_SEGMENTS];
	struct file_desc segment[DIFF_NR_SEGMENTS];
};

/* Exits with a message if there is no place for temporary files. */
void files_open(struct test_files *files);
void files_close(struct test_files *files);
/* Sizes as they were at first, and zeros. */
void files_reset(const struct test_files *files);

/* ------------------------------------------------------------ diff_script.c: calls as text -- */

/* How the library's memory is loaded from and stored to. */
enum memory_path {
	PATH_COPY,			/* mm_handle_fault(), mm_read(), mm_write() */
	PATH_SOFT,			/* a soft TLB */
	PATH_HOST,			/* windows, and plain loads and stores */
	NR_PATHS
};

struct memory_setup {
	bool touch;			/* areas have pages, and pages have bytes */
	enum memory_path path;
	unsigned int levels;		/* of the page tables */
	bool files;			/* whose bytes change in other ways, too */
};

/* What a list of calls needs to know to be made again. */
enum layout {
	LAYOUT_TOP_DOWN,
	LAYOUT_TOP_DOWN_LOW,		/* below a sixth of all: the stack was unlimited at exec */
	LAYOUT_BOTTOM_UP,		/* ADDR_COMPAT_LAYOUT */
	NR_LAYOUTS
};

struct round_setup {
	enum layout layout;
	bool drop_caps;
	bool keep_vdso;			/* [vdso] and [vvar] are there */
	bool text_always;		/* flags and totals compared after each call too */
	uint32_t window_pages;		/* for the generator only */
	struct memory_setup memory;
};

struct script {
	struct round_setup setup;
	uint32_t nr;
	struct diff_call call[AGENT_MAX_CALLS];	/* op, proc, arg */
};

const char *op_name(unsigned int op);
int op_by_name(const char *name);		/* -1: none */
unsigned int op_nr_args(unsigned int op);
const char *path_name(enum memory_path path);
int path_by_name(const char *name);		/* -1: none */
/* The call as a person reads it, with names for bits. */
void call_print(FILE *to, const struct diff_call *call, const struct test_files *files);
void script_write(FILE *to, const struct script *script, const struct test_files *files);
/* 0, or -1 after a message with file and line. */
int script_read(const char *path, struct script *script);

/* ------------------------------------------------------- diff_side.c: the library's side -- */

struct side_area {
	struct diff_area seen;
	vm_flags_t flags;
};

#define SIDE_NR_WINDOWS	2

struct side_proc {
	struct mm_user *mm;		/* NULL: no such process */
	struct soft_tlb_space *space;	/* PATH_SOFT */
	struct host_window *window[SIDE_NR_WINDOWS];	/* PATH_HOST */
	bool mcl_future;		/* mlockall(MCL_FUTURE) is on */
	bool filled;			/* by OP_FILL: too many areas to look at all */
	bool map_written;		/* `map` holds its last map */
	uint32_t map;			/* as struct diff_call says it */
	uint32_t nr;
	struct side_area area[AGENT_MAX_AREAS];
};

struct known_file {
	struct file *file;
	uint64_t inode;
	uint32_t dev;
	bool anew;			/* the kernel's has another number, for a run */
};

/* A process right after exec, as the library is to begin. */
struct start_area {
	struct area_desc desc;
	char name[128];
	uint64_t inode;
	unsigned int dev_major, dev_minor;
	uint64_t offset;
};

struct start_state {
	struct mm_config config;
	struct start_area area[16];
	uint32_t nr_areas;
	uint64_t image_start;
	uint64_t limit_max[MM_NR_RLIMITS];	/* bytes, no call may ask for more */
	/* Pages that status shows beyond those of the areas. */
	long adjust_total, adjust_data, adjust_stack;
};

#define SIDE_MAX_OBJECTS	4096

struct side {
	const struct machine *machine;
	struct test_files *files;
	struct agent_shared *shared;
	struct vmarea *instance;
	struct file *file[AGENT_MAX_FILES];
	struct file *segment[DIFF_NR_SEGMENTS];
	struct file *start_file[16];
	struct known_file known[AGENT_MAX_FILES + DIFF_NR_SEGMENTS + 16];
	uint32_t nr_known, nr_lasting;	/* the first ones outlast a round */
	struct file *object[SIDE_MAX_OBJECTS];
	uint32_t nr_objects;
	uint32_t shmem_dev;		/* of objects that the library makes */
	const struct start_state *start;
	struct side_proc proc[AGENT_MAX_PROCS];
	uint64_t arena_used;		/* units */
	struct memory_setup memory;
	struct soft_tlb *tlb;
	unsigned char *store;		/* the bytes of the file on a disk */
	bool huge_pages;		/* both sides make them */
	bool lazily_freed;		/* MADV_FREE was called: pages may be lost */
	bool collapsed;			/* MADV_COLLAPSE was called: huge pages without advice */
	bool forked;
	bool unshared;			/* there may be copies that Linux has as clean pages */
	bool broken;			/* an invariant of the library's; `why` says which */
	bool small_pages;		/* there may be some that no write has made */
	uint64_t image_start, image_end;
	char why[160];
	char text[1 << 20];		/* a report under way */
	size_t text_bytes;
};

enum step { STEP_DONE, STEP_SKIPPED, STEP_FULL };

/* Exits on failure: these are the tool's own. */
void side_open(struct side *side, const struct machine *machine, struct test_files *files,
	       struct agent_shared *shared, const struct memory_setup *memory);
void side_begin(struct side *side, const struct start_state *start);
/*
 * Makes @call on the library and appends it, with what it did, to the calls in shared memory.
 * Skipped: the call would be one that the agent cannot survive, or that pages decide.
 */
enum step side_step(struct side *side, const struct diff_call *call);
/* Private, and of no file but /dev/zero? */
bool side_is_anonymous(const struct side *side, const struct side_area *area);
/* Flags and totals of every process: the end of a round. */
void side_finish(struct side *side);
/* NULL, or what the library got wrong about itself (invariants, promised pages left over). */
const char *side_end(struct side *side);

/* --------------------------------- diff_memory.c: the library's pages, with --touch only -- */

void memory_open(struct side *side);
/* @proc has an mm now; has one no longer. */
void memory_attach(struct side *side, struct side_proc *proc);
void memory_detach(struct side *side, struct side_proc *proc);
/* OP_LOAD and OP_STORE: what the agent is to return; what is loaded is left in @call. */
long memory_access(struct side *side, struct side_proc *proc, struct diff_call *call);
/* OP_PEEK and OP_POKE, the same. */
long memory_remote(struct side *side, struct diff_call *call);
/* Are its pages compared, and those in core?  Says so in what was seen. */
void memory_mark(const struct side *side, struct side_area *area);
/* What is where @call was. */
void memory_see_pages(const struct side *side, const struct side_proc *proc,
		      struct diff_call *call);
/* All pages that are compared, as lines of text after @bytes of it.  Returns the new length. */
size_t memory_write_runs(const struct side *side, const struct side_proc *proc, char *text,
			 size_t bytes, size_t max);
/* Files and segments as they were at first, without pages. */
void memory_reset_files(struct side *side);

/* ------------------------------- diff_file_io.c: the library's files, other than by mappings -- */

/* The bytes of a file like this are kept by the tool, and read and written back there. */
void file_keep(struct side *side, struct file_desc *desc);
/* NULL, or what is wrong with what was written there, once all is. */
const char *files_written_back(const struct side *side);
/* The same of what OP_MSYNC has to have written. */
const char *files_synced(const struct side *side, const struct side_proc *proc,
			 const struct diff_call *call);
/* The file of this index, as ftruncate(). */
void file_resize(const struct side *side, uint64_t at, uint64_t bytes);
/* OP_TRUNCATE, OP_PUNCH, OP_FILE_*, OP_ADD_SEALS: what the agent is to return. */
long file_call(struct side *side, struct diff_call *call);
/* A bit for each file whose bytes are compared with the texts. */
uint32_t files_compared(const struct test_files *files);
/* A line for each of those, after @bytes of @text.  Returns the new length. */
size_t files_write_lines(const struct side *side, char *text, size_t bytes, size_t max);
bool same_inode(const struct test_file *a, const struct test_file *b);

/* ------------------------------------------- diff_skip.c: which calls cannot be compared -- */

bool side_leaves_out(const struct side *side, const struct side_proc *proc,
		     const struct diff_call *call);
/* Does a call over the range reach the agent's own memory?  One that overflows reaches nothing. */
bool side_hits_agent(const struct side *side, uint64_t addr, uint64_t len);
/* May what it frees be there again, or not? */
bool side_frees_lazily(const struct diff_call *call);
bool side_collapses(const struct diff_call *call);
/* May it read memory into being? */
bool side_fills(const struct side_proc *proc, const struct diff_call *call);
bool side_any_flag(const struct side_proc *proc, uint64_t addr, uint64_t len, vm_flags_t flag);
/* NULL: a hole. */
const struct side_area *side_area_at(const struct side_proc *proc, uint64_t addr);
/* Is @addr in a huge page, which would lie wholly inside the area? */
bool side_in_huge_page(const struct side_proc *proc, const struct side_area *area, uint64_t addr);
/* Is there room for a whole huge page in it, of one area or of several? */
bool side_holds_huge_page(uint64_t addr, uint64_t len);
/* Whose memory OP_PROCESS_MADVISE is about; @flags is its last argument. */
const struct side_proc *side_target(const struct side *side, const struct side_proc *proc,
				    uint64_t flags);

/* --------------------------------------------------------- diff_run.c: the kernel's side -- */

struct runner {
	int agent_fd;			/* the agent's program */
	int shared_fd;
	struct agent_shared *shared;
	const struct test_files *files;
	const struct machine *machine;
};

void runner_open(struct runner *runner, const struct machine *machine,
		 const struct test_files *files);
void runner_close(struct runner *runner);
/* Starts an agent without calls and reads what its address space is like. */
void runner_probe(struct runner *runner, const struct round_setup *setup,
		  struct start_state *start);
/* Makes the calls in shared memory.  The verdict is left there: status and what belongs to it. */
void runner_run(struct runner *runner, const struct round_setup *setup);

/* ------------------------------------------------------------ diff_gen.c: which call next -- */

struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);

#define ROUND_MAX_CALLS	3500

struct gen_options {
	const struct test_files *files;
	uint32_t window_pages;
	struct memory_setup memory;
	uint64_t ops;			/* bit for each op that may be made */
};

struct gen {
	struct rng rng;
	const struct gen_options *options;
	const struct side *side;
	struct round_setup setup;
	uint32_t nr_calls;		/* of this round */
	uint8_t proc;			/* that makes the calls at the moment */
	uint32_t weight[NR_OPS];
	uint32_t total_weight;
	uint32_t map_flag_chance[24];
	uint64_t unit;			/* bytes: lengths are mostly some of these */
	uint32_t files;			/* bit for each file that this round maps */
	bool odd_arguments;
	bool fill;			/* up to the area limit, some time */
	uint32_t anon_share;		/* of 16 */
	bool huge;			/* about huge pages */
	bool about_files;		/* and what changes them */
	uint32_t file_pages;		/* how long these are, mostly */
};

void gen_begin(struct gen *gen, uint64_t seed, uint64_t round, const struct gen_options *options);
/* The next call; the side's maps are those after the last one. */
void gen_call(struct gen *gen, const struct side *side, struct diff_call *call);

/* ------------------------------------------------------------- diff_work.c: rounds, trials -- */

enum finding_kind { FOUND_NOTHING, FOUND_DIFFERENCE, FOUND_AGENT_DEATH, FOUND_LIBRARY_DEATH,
		    FOUND_INVARIANT };

/* What came of running a script, with all that a report shows. */
struct finding {
	enum finding_kind kind;
	uint64_t seed, round;
	uint32_t difference;		/* enum agent_difference */
	int64_t result;			/* found; the expected one is in `call` */
	uint64_t value;			/* found, as these are */
	struct diff_pages pages;
	char why[200];
	struct script script;		/* the calls up to it */
	uint32_t left_out;		/* of a trial: calls that were not made, see diff_skip.c */
	struct diff_call call;		/* the one that differs */
	uint32_t nr_expected, nr_found, nr_before;
	struct diff_area expected[AGENT_MAX_AREAS], found[AGENT_MAX_AREAS];
	struct diff_area before[AGENT_MAX_AREAS];
	uint32_t expected_text_bytes, found_text_bytes;
	char expected_text[AGENT_TEXT_BYTES], found_text[AGENT_TEXT_BYTES];
};

struct worker_counts {
	uint64_t calls, rounds, texts, per_op[NR_OPS];
};

/* What a worker process shares with the program. */
struct worker {
	struct worker_counts counts;
	uint64_t round;			/* under way */
	struct finding finding;
};

/* One of the program, and one for each worker. */
struct diff_context {
	struct machine machine;
	struct test_files files;
	struct runner runner;
	struct start_state start[NR_LAYOUTS][2][2];	/* by layout, drop_caps, keep_vdso */
};

struct plan {
	uint64_t seed, first, step;	/* rounds first, first + step, ... */
	uint64_t calls;			/* until so many were made in all */
	struct gen_options gen;
};

void context_open(struct diff_context *context);
void context_close(struct diff_context *context);
/* The rounds of @plan, in the process that calls it; ends early at a finding. */
void worker_rounds(struct diff_context *context, const struct plan *plan, struct worker *worker);
/* The library died at it, in a process whose context was @context: what is known. */
void finding_of_death(const struct diff_context *context, int signal, struct finding *finding);
/*
 * Runs @script in a process of its own.  @finding is in memory shared with it; its seed and round
 * are left alone.
 */
void trial(struct diff_context *context, const struct script *script, struct finding *finding);

/* ----------------------------------------------------------- diff_shrink.c, diff_report.c -- */

/* Makes the script of @finding as short as it can, keeping a finding. */
void shrink(struct diff_context *context, struct finding *finding);
void report_finding(FILE *to, const struct diff_context *context, const struct finding *finding);
/* Where the report's last line says that the calls can be run again from.  Made by us; or NULL. */
char *report_save(const struct diff_context *context, const struct finding *finding);

/* Memory that children share; ends the command if there is none. */
void *shared_alloc(size_t bytes);
void shared_free(void *p, size_t bytes);

int cmd_diff(int argc, char **argv);

#endif
