/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Playing logs of strace, which do not tell everything.
 *
 * What is not told, and what is done about it:
 *
 *	where mmap() begins	the highest end of all that it placed in the life of the image
 *	the break		the first result of brk(NULL)
 *	areas made by exec	asked of the program's file, if it is still there; else not there
 *				until a call proves that they must be (unseen)
 *	kinds of files		asked of the file system, if the file is still there; else a guess,
 *				and if that does not fit, the other kinds (kind)
 *	touched pages		none; mremap() over areas that might have been one (touched)
 *	limits, memory		none but those set in the log (limit)
 *	order			a call happened at some moment between its two halves; the order
 *				in which they returned is tried first (order)
 *
 * Calls that overlap are put in order by their own results.  Before a call that frees addresses,
 * those that overlap it and only take some are tried: if one comes out as recorded it was first.
 * When a result differs, those that overlap are tried before it.  (A mmap() that came out otherwise
 * is taken back by munmap(), which restores all that later results hang on.)
 *
 * What a task did, and which clone made it, is looked up and not searched for (order, makers), so a
 * log of many tasks costs by its length.
 *
 * A result that differs after all that is undetermined if one of the reasons in brackets could
 * explain it, and a difference if none can.  Either way the kernel's result is taken over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli.h"
#include "ranges.h"
#include "strace.h"

#define TASK_SIZE	0x7ffffffff000ul
#define WINDOW		2048	/* calls looked at for overlaps */
#define MAX_NESTING	256	/* clones that have not returned, each in the child of another */

static const char as_read[] = "as the program's file says: no question is left";
static const char why_unseen[] = "an area that was there before the first call of the log";
static const char why_order[] = "the order of calls that overlapped";
static const char why_kind[] = "what kind of file it is";
static const char why_limit[] = "a limit, or memory, that the log does not show";
static const char why_touched[] = "which pages had been touched";

/* What is known of an mm beside what the library has. */
struct known {
	struct ranges seen;		/* addresses that calls of the log have mapped */
};

struct session {
	struct player *p;
	const struct strace_log *log;
	bool *done;			/* by call */
	struct strace_index order;		/* all, by task */
	struct strace_index makers;		/* clones, by child */
	struct strace_files files;
	unsigned int last_mm;
	unsigned int nesting;		/* of task_of() */
};

/* ------------------------------------------------------------------------- tasks and mms -- */

static struct known *known_of(struct play_mm *mm)
{
	if (!mm->known)
		mm->known = cli_alloc(sizeof(*mm->known));
	return mm->known;
}

static void forget_known(struct play_mm *mm)
{
	if (mm->known)
		free(mm->known->seen.r);
	free(mm->known);
	mm->known = NULL;
}

static void leave(struct session *s, struct play_task *task)
{
	if (task->mm && task->mm->nr_tasks == 1)
		forget_known(task->mm);
	player_leave_mm(s->p, task);
}

static unsigned long bytes_of(const struct call *call)
{
	return (call->args[call->id == CALL_MREMAP ? 2 : 1] + 4095) & ~4095ul;
}

static bool is_in_address_space(unsigned long addr, unsigned long bytes)
{
	return !(addr & 4095) && addr <= TASK_SIZE && bytes <= TASK_SIZE - addr;
}

static bool is_placed(const struct strace_call *c)
{
	return c->kind == ST_MEMORY && c->call.id == CALL_MMAP && !is_error(c->call.result) &&
	       !(c->call.args[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT)) &&
	       !c->call.args[0] && is_in_address_space(c->call.result, bytes_of(&c->call));
}

/* Tasks in the mm whose life is looked at. */
#define MOST_TASKS	512

struct crowd {
	long tid[MOST_TASKS];
	size_t at[MOST_TASKS];		/* in the order: its next call */
	size_t nr;
};

static bool in_crowd(const struct crowd *crowd, long tid)
{
	for (size_t i = 0; i < crowd->nr; i++)
		if (crowd->tid[i] == tid)
			return true;
	return false;
}

static void join_crowd(const struct session *s, struct crowd *crowd, long tid, size_t from)
{
	if (crowd->nr == MOST_TASKS || in_crowd(crowd, tid))
		return;
	crowd->tid[crowd->nr] = tid;
	crowd->at[crowd->nr++] = strace_index_find(&s->order, tid, from);
}

/* Those without another call go. */
static bool next_of_crowd(const struct session *s, struct crowd *crowd, size_t *member, size_t *call)
{
	*call = s->log->nr;
	for (size_t k = 0; k < crowd->nr;) {
		size_t its;

		if (!strace_index_has(&s->order, crowd->at[k], crowd->tid[k])) {
			crowd->tid[k] = crowd->tid[--crowd->nr];
			crowd->at[k] = crowd->at[crowd->nr];
			continue;
		}
		its = s->order.entries[crowd->at[k]].call;
		if (its < *call) {
			*call = its;
			*member = k;
		}
		k++;
	}
	return *call < s->log->nr;
}

/* What can be learnt of an image from the calls after its exec. */
static void learn_layout(const struct session *s, size_t from, long tid, struct mm_config *config)
{
	struct crowd crowd = { .nr = 0 };
	unsigned long highest = 0, lowest = ~0ul, first = 0, second = 0, end;
	size_t member = 0, i;

	join_crowd(s, &crowd, tid, from);
	while (next_of_crowd(s, &crowd, &member, &i)) {
		const struct strace_call *c = &s->log->calls[i];

		crowd.at[member]++;
		if (s->done[i])
			continue;
		if (c->kind == ST_CLONE && !is_error(c->call.result)) {
			join_crowd(s, &crowd, (long)c->call.result, i + 1);
		} else if (c->kind == ST_EXIT ||
			   (c->kind == ST_EXEC && !is_error(c->call.result))) {
			crowd.tid[member] = crowd.tid[--crowd.nr];
			crowd.at[member] = crowd.at[crowd.nr];
		} else if (c->kind == ST_MEMORY && c->call.id == CALL_BRK && !config->start_brk &&
			   c->call.result <= TASK_SIZE) {
			config->start_brk = config->brk = c->call.result;
		} else if (is_placed(c)) {
			end = c->call.result + bytes_of(&c->call);
			highest = end > highest ? end : highest;
			lowest = c->call.result < lowest ? c->call.result : lowest;
			second = first && !second ? c->call.result : second;
			first = first ? first : c->call.result;
		}
	}
	if (!highest)
		return;
	config->bottom_up = second > first;
	config->mmap_base = config->bottom_up ? lowest : highest;
	config->mmap_legacy_base = config->bottom_up ? lowest : config->mmap_legacy_base;
}

/* A new image for @task from call number @from on. */
static void new_image(struct session *s, struct play_task *task, size_t from)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *user;

	leave(s, task);
	learn_layout(s, from, task->tid, &config);
	memcpy(config.rlimit, task->process->rlimit, sizeof(config.rlimit));
	config.caps = task->process->caps;
	if (mm_create(s->p->vmarea, &config, &user)) {
		player_defect(s->p, "mm_create() failed");
		return;
	}
	player_join_mm(task, player_add_mm(s->p, ++s->last_mm, user, &config));
}

static void run_clone(struct session *s, size_t at);

/* The task of a call; if it is new, the clone that made it, which may not have returned yet. */
static struct play_task *task_of(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];
	struct play_task *task = player_task(s->p, c->tid);
	struct play_process *process;

	s->nesting++;
	for (size_t i = strace_index_find(&s->makers, c->tid, at);
	     !task && strace_index_has(&s->makers, i, c->tid) && s->nesting <= MAX_NESTING; i++) {
		size_t maker = s->makers.entries[i].call;

		if (s->done[maker] || s->log->calls[maker].begin > c->begin)
			continue;
		run_clone(s, maker);
		task = player_task(s->p, c->tid);
	}
	s->nesting--;
	if (task)
		return task;
	process = player_add_process(s->p, c->tid, NULL);
	for (int i = 0; i < MM_NR_RLIMITS; i++)
		process->rlimit[i] = i == MM_RLIMIT_STACK ? 8ul << 20 : MM_RLIM_INFINITY;
	process->caps = MM_CAP_IPC_LOCK | MM_CAP_SYS_RAWIO;	/* a refusal is a limit */
	task = player_add_task(s->p, c->tid, process);
	if (c->kind != ST_EXEC)
		new_image(s, task, at);
	return task;
}

static void run_clone(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];
	struct play_task *parent, *child;
	struct play_process *process;
	struct play_mm *mm;
	struct mm_user *user;

	/* Before its task is looked for, by the clone that made it: which is not this one. */
	s->done[at] = true;
	parent = task_of(s, at);
	process = parent->process;
	mm = parent->mm;
	if (is_error(c->call.result) || player_task(s->p, (long)c->call.result))
		return;
	if (!c->is_thread) {
		process = player_add_process(s->p, (long)c->call.result, process);
		strace_fds_copy(&s->files, parent->process->pid, process->pid);
	}
	child = player_add_task(s->p, (long)c->call.result, process);
	if (mm && !c->shares_mm) {
		if (mm_fork(mm->user, &user)) {
			player_undetermined(s->p, why_limit);
			return;
		}
		mm = player_add_mm(s->p, ++s->last_mm, user, &mm->config);
		memcpy(mm->rlimit, parent->mm->rlimit, sizeof(mm->rlimit));
		mm->caps = parent->mm->caps;
		ranges_copy(&known_of(mm)->seen, &known_of(parent->mm)->seen);
	}
	if (mm)
		player_join_mm(child, mm);
}

/* -------------------------------------------------------------------------- memory calls -- */

static bool only_takes(const struct strace_call *c)
{
	return c->kind == ST_MEMORY && c->call.id == CALL_MMAP && !is_error(c->call.result) &&
	       !(c->call.args[3] & MAP_FIXED);
}

static bool frees(const struct strace_call *c)
{
	return c->kind == ST_MEMORY && !is_error(c->call.result) &&
	       (c->call.id == CALL_MUNMAP || c->call.id == CALL_MREMAP ||
		c->call.id == CALL_SHMDT);
}

static void note_result(struct session *s, struct play_task *task, const struct call *call)
{
	struct known *k = known_of(task->mm);

	if (!is_error(call->result) && (call->id == CALL_MMAP || call->id == CALL_MREMAP))
		ranges_add(&k->seen, call->result, call->result + bytes_of(call));
}

/* The call with its file.  @task is its task. */
static struct call complete(struct session *s, const struct strace_call *c, struct play_task *task)
{
	struct call call = c->call;

	if (call.id == CALL_MMAP && !c->anonymous && call.result != -(unsigned long)EBADF)
		call.file = strace_file_of_mmap(&s->files, c, task->process->pid);
	if (call.id == CALL_SHMAT)
		call.file = strace_segment_file(&s->files, (unsigned long)c->fd);
	return call;
}

static bool overlap(const struct strace_call *a, const struct strace_call *b)
{
	return a->begin < b->end && b->begin < a->end;
}

static bool same_mm(struct session *s, const struct strace_call *c, const struct play_mm *mm)
{
	struct play_task *task = player_task(s->p, c->tid);

	return task && task->mm == mm;
}

/* Does any other call of this mm overlap number @at? */
static bool overlaps_any(struct session *s, size_t at, const struct play_mm *mm)
{
	const struct strace_call *calls = s->log->calls, *c = &calls[at];

	for (size_t i = at; i-- > 0 && i + WINDOW > at && calls[i].end > c->begin;)
		if (calls[i].kind == ST_MEMORY && same_mm(s, &calls[i], mm))
			return true;
	for (size_t i = at + 1; i < s->log->nr && i < at + WINDOW; i++)
		if (calls[i].kind == ST_MEMORY && overlap(&calls[i], c) &&
		    same_mm(s, &calls[i], mm))
			return true;
	return false;
}

/* Makes the call and keeps it if it comes out as recorded; else it was not made. */
static bool try_call(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];
	struct play_task *task = player_task(s->p, c->tid);
	struct call call = complete(s, c, task);
	unsigned long ours = play_call(s->p, task, &call);

	if (play_result_agrees(&call, ours)) {
		s->done[at] = true;
		s->p->calls++;
		note_result(s, task, &call);
		return true;
	}
	if (!is_error(ours))
		(void)mm_munmap(task->mm->user, ours, bytes_of(&call));
	return false;
}

/*
 * Was number @i, a call that takes addresses, surely not yet made?  So it is if another call that
 * returned before it, and is not made either, got the same addresses: these are not free again
 * before that one returned.
 */
static bool comes_later(struct session *s, size_t at, size_t i, const struct play_mm *mm)
{
	const struct strace_call *calls = s->log->calls;
	const struct call *call = &calls[i].call;

	for (size_t k = at; k < i; k++) {
		const struct call *other = &calls[k].call;

		if ((k == at || !s->done[k]) && only_takes(&calls[k]) &&
		    other->result < call->result + bytes_of(call) &&
		    call->result < other->result + bytes_of(other) && same_mm(s, &calls[k], mm))
			return true;
	}
	return false;
}

/* Calls that overlap number @at, are not made yet and only take addresses: those that fit. */
static bool make_fitting(struct session *s, size_t at, const struct play_mm *mm)
{
	const struct strace_call *calls = s->log->calls;
	bool any = false, more = true;

	while (more) {
		more = false;
		for (size_t i = at + 1; i < s->log->nr && i < at + WINDOW; i++)
			if (!s->done[i] && only_takes(&calls[i]) &&
			    calls[i].begin < calls[at].end && same_mm(s, &calls[i], mm) &&
			    !comes_later(s, at, i, mm) && try_call(s, i))
				any = more = true;
	}
	return any;
}

/* Frees that overlap number @at and give back the addresses that it got: they were before it. */
static bool make_room(struct session *s, size_t at, struct play_task *task)
{
	const struct strace_call *calls = s->log->calls;
	const struct call *call = &calls[at].call;
	unsigned long start = call->result, end = start + bytes_of(call);
	bool any = false;

	if (call->id != CALL_MMAP || is_error(call->result))
		return false;
	for (size_t i = at + 1; i < s->log->nr && i < at + WINDOW; i++) {
		const struct strace_call *c = &calls[i];
		struct play_task *other = player_task(s->p, c->tid);

		if (s->done[i] || !frees(c) || c->begin >= calls[at].end || !other ||
		    other->mm != task->mm || c->call.args[0] >= end ||
		    c->call.args[0] + ((c->call.args[1] + 4095) & ~4095ul) <= start)
			continue;
		(void)play_call(s->p, other, &c->call);
		s->done[i] = any = true;
		s->p->calls++;
	}
	return any;
}

/* -------------------------------------------------------------------------- explanations -- */

/* Is all of the range unknown territory?  Then an area may have been there from the start. */
static bool may_be_unseen(struct session *s, struct play_mm *mm, unsigned long start,
			  unsigned long len)
{
	return !ranges_meet(&known_of(mm)->seen, start, start + len);
}

/* An area that must have been there, with the call's own range or less. */
static bool add_unseen(struct session *s, struct play_mm *mm, unsigned long start,
		       unsigned long len, vm_flags_t also)
{
	struct area_desc area = {
		.start = start & ~4095ul, .end = (start + len + 4095) & ~4095ul,
		.flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT |
			 also,
	};
	struct known *k = known_of(mm);
	bool any = false;

	for (unsigned long at = area.start, end = area.end; at < end;) {
		struct area_info info;
		unsigned long next = end, hole_end = end;

		if (!mm_query_next(mm->user, at, &info)) {
			hole_end = info.start < end ? info.start : end;
			next = info.end;
			area_info_put(&info);
		}
		area.start = at;
		area.end = hole_end;
		area.pgoff = at / 4096;
		if (at < hole_end && !ranges_meet(&k->seen, at, hole_end) &&
		    !mm_add_area(mm->user, &area))
			any = true;
		at = next;
	}
	return any;
}

static const char *explain_kind(struct session *s, size_t at, struct play_task *task,
				struct call *call)
{
	const struct strace_call *c = &s->log->calls[at];
	const struct trace_file *old = call->file ? &s->p->files[call->file].desc : NULL;
	static const enum file_placement kinds[] = {
		FILE_PLACE_ANY, FILE_PLACE_SHMEM, FILE_PLACE_HUGE,
	};
	struct statfs fs;

	if (call->id != CALL_MMAP || !old)
		return NULL;
	if (call->result == -(unsigned long)ENODEV || call->result == -(unsigned long)EACCES ||
	    call->result == -(unsigned long)EPERM)
		return why_kind;
	if (is_error(call->result) || !statfs(old->name, &fs))
		return NULL;
	for (size_t i = 0; i < 3; i++) {
		struct trace_file f = *old;
		unsigned long ours;

		f.id = ++s->files.last_file;
		f.placement = kinds[i];
		if (player_add_file(s->p, &f))
			return NULL;
		call->file = f.id;
		ours = play_call(s->p, task, call);
		if (play_result_agrees(call, ours)) {
			strace_fd_set(&s->files, task->process->pid, c->fd, f.id);
			return why_kind;
		}
		if (!is_error(ours))
			(void)mm_munmap(task->mm->user, ours, bytes_of(call));
		old = &s->p->files[f.id].desc;
	}
	return NULL;
}

/* The kernel let the call have what was not mapped here: something was there. */
static const char *explain_unseen(struct session *s, struct play_task *task, struct call *call,
				  unsigned long ours)
{
	struct play_mm *mm = task->mm;
	bool ranged = call->id == CALL_MPROTECT || call->id == CALL_MADVISE ||
		      call->id == CALL_MLOCK || call->id == CALL_MUNLOCK ||
		      call->id == CALL_MLOCK2 || call->id == CALL_MREMAP ||
		      call->id == CALL_MSYNC || call->id == CALL_MINCORE ||
		      call->id == CALL_MSEAL || call->id == CALL_PKEY_MPROTECT;

	if (call->id == CALL_MPROTECT && call->args[2] == PROT_READ && is_error(ours) &&
	    may_be_unseen(s, mm, call->args[0], call->args[1]) &&
	    strace_add_image(mm, task->process->path, call->args[0], call->args[1]) &&
	    play_result_agrees(call, play_call(s->p, task, call)))
		return as_read;
	if (ranged && is_error(ours) &&
	    add_unseen(s, mm, call->args[0], call->args[1] ? call->args[1] : 4096,
		       call->args[2] & PROT_GROWSDOWN ? VM_GROWSDOWN : 0)) {
		ours = play_call(s->p, task, call);
		if (play_result_agrees(call, ours))
			return why_unseen;
	}
	/* Ours was a free place that the kernel did not take: perhaps it was not free. */
	if (call->id == CALL_MMAP && !is_error(ours) && !is_error(call->result) &&
	    (mm->config.bottom_up ? ours < call->result : ours > call->result) &&
	    may_be_unseen(s, mm, ours, bytes_of(call))) {
		add_unseen(s, mm, ours, bytes_of(call), 0);
		play_adopt(s->p, task, call, -(unsigned long)ENOMEM);
		return why_unseen;
	}
	/* The break runs into something. */
	if (call->id == CALL_BRK && call->result < call->args[0] && ours > call->result) {
		(void)mm_brk(mm->user, call->result);
		return why_unseen;
	}
	return NULL;
}

static const char *explain_rest(struct session *s, size_t at, struct play_task *task,
				const struct call *call, unsigned long ours)
{
	if (overlaps_any(s, at, task->mm))
		return why_order;
	if (call->id == CALL_MREMAP && is_error(ours) != is_error(call->result))
		return why_touched;
	if (call->id == CALL_SHMAT)
		return why_kind;
	if (!is_error(ours) && (call->result == -(unsigned long)ENOMEM ||
				call->result == -(unsigned long)EAGAIN ||
				call->result == -(unsigned long)EPERM))
		return why_limit;
	return NULL;
}

static void tell_difference(struct session *s, struct play_task *task, const struct call *call,
			    unsigned long ours)
{
	unsigned long at = !is_error(ours) && ours ? ours : call->args[0];
	char *what = play_call_text(s->p, call), *map = play_map_around(s->p, task->mm, at);
	char theirs[32], mine[32];

	player_differs(s->p, cli_printf("%s:%lu: task %ld: %s\n  in the log: %s\n"
					"  here:       %s\n  the map here, around 0x%lx:\n%s",
					s->p->path, s->p->line, task->tid, what,
					result_text(call->result, theirs), result_text(ours, mine),
					at, map));
	free(what);
	free(map);
}

static void undo(struct play_task *task, const struct call *call, unsigned long ours)
{
	if (call->id == CALL_MMAP && !is_error(ours))
		(void)mm_munmap(task->mm->user, ours, bytes_of(call));
}

/* A result that is not the log's. */
static void explain(struct session *s, size_t at, struct play_task *task, struct call *call,
		    unsigned long ours)
{
	bool again = call->id == CALL_MMAP;
	const char *why;

	if (again) {
		bool fitted, room;

		undo(task, call, ours);
		fitted = make_fitting(s, at, task->mm);
		room = make_room(s, at, task);
		if (fitted || room) {
			ours = play_call(s->p, task, call);
			if (play_result_agrees(call, ours))
				return;
			undo(task, call, ours);
		}
		why = explain_kind(s, at, task, call);
		if (why) {
			player_undetermined(s->p, why);
			return;
		}
	}
	why = explain_unseen(s, task, call, ours);
	if (!why) {
		why = explain_rest(s, at, task, call, ours);
		if (!why)
			tell_difference(s, task, call, ours);
		play_adopt(s->p, task, call, again ? -(unsigned long)ENOMEM : ours);
	}
	if (why && why != as_read)
		player_undetermined(s->p, why);
}

static void run_memory(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];
	struct play_task *task = task_of(s, at);
	struct mm_stats stats;
	struct call call;
	unsigned long ours;

	if (!task->mm)
		return;
	if (frees(c) && overlaps_any(s, at, task->mm))
		make_fitting(s, at, task->mm);
	s->done[at] = true;
	s->p->calls++;
	call = complete(s, c, task);
	ours = play_call(s->p, task, &call);
	if (!play_result_agrees(&call, ours))
		explain(s, at, task, &call, ours);
	note_result(s, task, &call);
	mm_get_stats(task->mm->user, &stats);
	if (stats.nr_areas > s->p->peak_areas)
		s->p->peak_areas = stats.nr_areas;
}

/* ------------------------------------------------------------------------------ the rest -- */

static void run_exec(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];
	struct play_task *task;

	if (is_error(c->call.result))
		return;
	task = task_of(s, at);
	/* Of the threads of a process only the one that execs is left. */
	for (struct play_task *t = s->p->tasks, *next; t && task->process->nr_tasks > 1; t = next) {
		next = t->next;
		if (t->process != task->process || t == task)
			continue;
		leave(s, t);
		player_drop_task(s->p, t);
	}
	free(task->process->path);
	task->process->path = c->path ? cli_strdup(c->path) : NULL;
	new_image(s, task, at + 1);
}

static void run_open(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];
	unsigned int flags = (c->file_readable ? FILE_READ : 0) |
			     (c->file_writable ? FILE_WRITE : 0);
	struct play_task *task;

	if (is_error(c->call.result))
		return;
	task = task_of(s, at);
	if (c->kind == ST_MEMFD)
		strace_fd_set(&s->files, task->process->pid, (long)c->call.result,
		       strace_file_new(&s->files, "/memfd", flags | FILE_SHMEM, FILE_PLACE_SHMEM));
	else
		strace_fd_set(&s->files, task->process->pid, (long)c->call.result,
		       strace_file_new(&s->files, c->path, flags, FILE_PLACE_ANY));
}

static void run_fd(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];
	struct play_task *task = task_of(s, at);
	long process = task->process->pid;
	unsigned int file = strace_fd_get(&s->files, process, c->fd);

	if (is_error(c->call.result) || !file)
		return;
	if (c->kind == ST_CLOSE)
		strace_fd_set(&s->files, process, c->fd, 0);
	else
		strace_fd_set(&s->files, process, (long)c->call.result, file);
}

static void run_limit(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];
	struct play_task *task;

	if (is_error(c->call.result))
		return;
	task = c->of ? player_task(s->p, c->of) : task_of(s, at);
	if (task)
		task->process->rlimit[c->limit] = c->value;
}

static void run_exit(struct session *s, const struct strace_call *c)
{
	struct play_task *task = player_task(s->p, c->tid);

	if (!task)
		return;
	leave(s, task);
	if (task->process->nr_tasks == 1)
		strace_fds_end(&s->files, task->process->pid);
	player_drop_task(s->p, task);
}

static void run(struct session *s, size_t at)
{
	const struct strace_call *c = &s->log->calls[at];

	s->p->line = c->end;
	switch (c->kind) {
	case ST_MEMORY:
		run_memory(s, at);
		break;
	case ST_CLONE:
		run_clone(s, at);
		break;
	case ST_EXEC:
		run_exec(s, at);
		break;
	case ST_OPEN: case ST_MEMFD:
		run_open(s, at);
		break;
	case ST_SEGMENT:
		strace_segment_made(&s->files, c);
		break;
	case ST_DUP: case ST_CLOSE:
		run_fd(s, at);
		break;
	case ST_LIMIT:
		run_limit(s, at);
		break;
	case ST_EXIT:
		run_exit(s, c);
		break;
	case ST_NOT_FOLLOWED:
		if (!is_error(c->call.result)) {
			char *why = cli_printf("%s: not followed", c->name);

			player_undetermined(s->p, why);
			free(why);
		}
		break;
	}
}

static void index_calls(struct session *s)
{
	strace_index_open(&s->order, s->log->nr);
	strace_index_open(&s->makers, s->log->nr);
	for (size_t i = 0; i < s->log->nr; i++) {
		const struct strace_call *c = &s->log->calls[i];

		strace_index_add(&s->order, c->tid, i);
		if (c->kind == ST_CLONE)
			strace_index_add(&s->makers, (long)c->call.result, i);
	}
	strace_index_sort(&s->order);
	strace_index_sort(&s->makers);
}

void strace_play(struct player *p, const struct strace_log *log)
{
	struct session s = { .p = p, .log = log, .files = { .player = p } };

	s.done = cli_alloc(log->nr * sizeof(*s.done));
	index_calls(&s);
	for (size_t i = 0; i < log->nr && !p->defect; i++) {
		if (p->stop_after && p->calls >= p->stop_after)
			break;
		if (!s.done[i]) {
			run(&s, i);
			s.done[i] = true;
		}
	}
	for (struct play_mm *mm = p->mms; mm; mm = mm->next)
		forget_known(mm);
	strace_index_free(&s.order);
	strace_index_free(&s.makers);
	free(s.done);
	strace_files_free(&s.files);
}
