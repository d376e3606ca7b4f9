/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One recorded call on the library, and what to do when it comes out otherwise.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "cli.h"
#include "play.h"

#define PRCTL_SET_VMA		0x53564d41
#define PRCTL_SET_MEMORY_MERGE	67
#define PRCTL_GET_MEMORY_MERGE	68
#define PERS_NO_RANDOMIZE	0x0040000u

static unsigned long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long)t.tv_sec * 1000000000ul + (unsigned long)t.tv_nsec;
}

/* Limits and capabilities belong to a process; the library has them in the mm. */
static void tell_limits(struct play_task *task)
{
	struct play_mm *mm = task->mm;
	const struct play_process *process = task->process;

	for (int i = 0; i < MM_NR_RLIMITS; i++) {
		if (mm->rlimit[i] == process->rlimit[i])
			continue;
		mm->rlimit[i] = process->rlimit[i];
		(void)mm_set_rlimit(mm->user, (enum mm_rlimit)i, process->rlimit[i]);
	}
	if (mm->caps != process->caps) {
		mm->caps = process->caps;
		(void)mm_set_caps(mm->user, process->caps);
	}
}

static long do_mmap(struct player *p, struct play_task *task, const struct call *call)
{
	const unsigned long *a = call->args;
	unsigned long addr = a[0];

	/*
	 * Linux begins its search for MAP_32BIT at a random page each time.  The recorded result is
	 * that page, or a later one if it was not free; as a hint it is taken only if it is free.
	 */
	if (a[3] & MAP_32BIT && !(a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) &&
	    !is_error(call->result) && !(task->mm->config.personality & PERS_NO_RANDOMIZE))
		addr = call->result;
	return mm_mmap(task->mm->user, addr, a[1], a[2], a[3], player_file(p, call->file), a[4]);
}

/* prctl() checks the arguments that an operation does not use; the library has none of these. */
static long do_prctl(struct mm_user *mm, const struct call *call)
{
	const unsigned long *a = call->args;

	switch (a[0]) {
	case PRCTL_SET_VMA:
		return a[1] ? -EINVAL : mm_set_anon_name(mm, a[2], a[3], call->string);
	case PR_SET_THP_DISABLE:
		return a[2] || a[3] || a[4] ? -EINVAL : mm_set_thp_disable(mm, a[1]);
	case PR_GET_THP_DISABLE:
		return a[1] || a[2] || a[3] || a[4] ? -EINVAL : mm_get_thp_disable(mm);
	case PRCTL_SET_MEMORY_MERGE:
		return a[2] || a[3] || a[4] ? -EINVAL : mm_set_memory_merge(mm, a[1]);
	case PRCTL_GET_MEMORY_MERGE:
		return a[1] || a[2] || a[3] || a[4] ? -EINVAL : mm_get_memory_merge(mm);
	default:
		return (long)call->result;
	}
}

static long do_process_madvise(struct player *p, struct play_task *task, const struct call *call)
{
	struct play_task *other = call->task ? player_task(p, call->task) : task;

	if (!other || !other->mm)
		return (long)call->result;
	return mm_process_madvise(other->mm->user, call->ranges, call->nr_ranges,
				  (int)call->args[0], (unsigned int)call->args[1],
				  other->mm == task->mm);
}

static long do_call(struct player *p, struct play_task *task, const struct call *call)
{
	struct mm_user *mm = task->mm->user;
	const unsigned long *a = call->args;

	switch (call->id) {
	case CALL_MMAP: return do_mmap(p, task, call);
	case CALL_MUNMAP: return mm_munmap(mm, a[0], a[1]);
	case CALL_MPROTECT: return mm_mprotect(mm, a[0], a[1], a[2]);
	case CALL_PKEY_MPROTECT: return mm_pkey_mprotect(mm, a[0], a[1], a[2], (int)a[3]);
	case CALL_MREMAP: return mm_mremap(mm, a[0], a[1], a[2], a[3], a[4]);
	case CALL_MADVISE: return mm_madvise(mm, a[0], a[1], (int)a[2]);
	case CALL_PROCESS_MADVISE: return do_process_madvise(p, task, call);
	case CALL_BRK: return (long)mm_brk(mm, a[0]);
	case CALL_MLOCK: return mm_mlock(mm, a[0], a[1]);
	case CALL_MLOCK2: return mm_mlock2(mm, a[0], a[1], (int)a[2]);
	case CALL_MUNLOCK: return mm_munlock(mm, a[0], a[1]);
	case CALL_MLOCKALL: return mm_mlockall(mm, (int)a[0]);
	case CALL_MUNLOCKALL: return mm_munlockall(mm);
	case CALL_MSEAL: return mm_mseal(mm, a[0], a[1], a[2]);
	case CALL_MSYNC: return mm_msync(mm, a[0], a[1], (int)a[2]);
	case CALL_MINCORE: return mm_mincore(mm, a[0], a[1], NULL);
	case CALL_REMAP_FILE_PAGES: return mm_remap_file_pages(mm, a[0], a[1], a[2], a[3], a[4]);
	case CALL_SHMAT:
		return call->file ? mm_shmat(mm, player_file(p, call->file), a[0], (int)a[1])
				  : (long)call->result;
	case CALL_SHMDT: return mm_shmdt(mm, a[0]);
	case CALL_PRCTL: return do_prctl(mm, call);
	case CALL_IO_SETUP:
		return call->file ? mm_mmap(mm, 0, a[0], PROT_READ | PROT_WRITE, MAP_SHARED,
					    player_file(p, call->file), 0)
				  : (long)call->result;
	case CALL_IO_DESTROY: return a[1] ? mm_munmap(mm, a[0], a[1]) : (long)call->result;
	case NR_CALLS: break;
	}
	return (long)call->result;
}

unsigned long play_call(struct player *p, struct play_task *task, const struct call *call)
{
	unsigned long begin, result;

	tell_limits(task);
	begin = now_ns();
	result = (unsigned long)do_call(p, task, call);
	p->call_ns += now_ns() - begin;
	return result;
}

bool play_result_agrees(const struct call *call, unsigned long ours)
{
	return call->result == ours;
}

/* ------------------------------------------------------------------- after a difference -- */

static unsigned long whole_pages(unsigned long len)
{
	return (len + 4095) & ~4095ul;
}

void play_adopt(struct player *p, struct play_task *task, const struct call *call,
		unsigned long ours)
{
	struct mm_user *mm = task->mm->user;
	const unsigned long *a = call->args;
	unsigned long theirs = call->result;

	switch (call->id) {
	case CALL_MMAP:
		if (!is_error(ours))
			(void)mm_munmap(mm, ours, whole_pages(a[1]));
		if (!is_error(theirs))
			(void)mm_mmap(mm, theirs, a[1], a[2],
				      (a[3] & ~(unsigned long)MAP_FIXED_NOREPLACE) | MAP_FIXED,
				      player_file(p, call->file), a[4]);
		break;
	case CALL_SHMAT:
		if (!is_error(ours))
			(void)mm_shmdt(mm, ours);
		if (!is_error(theirs) && call->file)
			(void)mm_shmat(mm, player_file(p, call->file), theirs,
				       (int)(a[1] | SHM_REMAP));
		break;
	case CALL_MREMAP:
		if (is_error(theirs))
			break;
		if (is_error(ours) || ours != theirs)
			(void)mm_mremap(mm, is_error(ours) ? a[0] : ours,
					is_error(ours) ? a[1] : a[2], a[2],
					MREMAP_MAYMOVE | MREMAP_FIXED, theirs);
		break;
	case CALL_BRK:
		(void)mm_brk(mm, theirs);
		break;
	default:
		break;
	}
}

char *play_call_text(const struct player *p, const struct call *call)
{
	const struct call_kind *kind = &call_kinds[call->id];
	char *text = cli_printf("%s(", kind->name);
	int n = 0;

	for (const char *arg = kind->args; *arg; arg++) {
		const char *comma = arg[1] ? ", " : "";
		char *longer;

		if (*arg == 'a')
			longer = cli_printf("%s0x%lx%s", text, call->args[n++], comma);
		else if (*arg == 'f' && call->file)
			longer = cli_printf("%sf%u \"%s\"%s", text, call->file,
					    call->file < p->nr_files && p->files[call->file].file
					    ? p->files[call->file].desc.name : "?", comma);
		else if (*arg == 't' && call->task)
			longer = cli_printf("%s%ld%s", text, call->task, comma);
		else if (*arg == 's' && call->string)
			longer = cli_printf("%s\"%s\"%s", text, call->string, comma);
		else if (*arg == 'r')
			longer = cli_printf("%s%zu ranges%s", text, call->nr_ranges, comma);
		else
			longer = cli_printf("%s-%s", text, comma);
		free(text);
		text = longer;
	}
	n = (int)strlen(text);
	text = cli_realloc(text, (size_t)n + 2);
	strcpy(text + n, ")");
	return text;
}
