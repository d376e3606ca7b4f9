/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The system calls of a recording: the filter that makes the kernel stop before them, what is
 * looked at before and after each, and the line it becomes.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli.h"
#include "record.h"

#define NR_MSEAL		462
#define NR_HOME_NODE		450	/* set_mempolicy_home_node */
#define NR_MAP_SHADOW_STACK	453
#define UFFDIO_REGISTER_NR	0xc020aa00u
#define UFFDIO_UNREGISTER_NR	0x8010aa01u
#define ARCH_MAP_VDSO_FIRST	0x2001
#define ARCH_SHSTK_FIRST	0x5001
#define PRCTL_SET_VMA		0x53564d41
#define PRCTL_SET_MEMORY_MERGE	67
#define PRCTL_GET_MEMORY_MERGE	68

/* -------------------------------------------------------------------------------- filter -- */

/* How a call is chosen: always, or by one argument. */
struct wanted {
	int nr;
	enum { ANY, ARG_IS, ARG_LACKS_BITS, ARG_NOT_ZERO } how;
	unsigned int arg, value;
};

static const struct wanted wanted[] = {
	{ SYS_mmap, ANY, 0, 0 }, { SYS_munmap, ANY, 0, 0 }, { SYS_mprotect, ANY, 0, 0 },
	{ SYS_pkey_mprotect, ANY, 0, 0 }, { SYS_mremap, ANY, 0, 0 }, { SYS_madvise, ANY, 0, 0 },
	{ SYS_process_madvise, ANY, 0, 0 }, { SYS_brk, ANY, 0, 0 }, { SYS_mlock, ANY, 0, 0 },
	{ SYS_mlock2, ANY, 0, 0 }, { SYS_munlock, ANY, 0, 0 }, { SYS_mlockall, ANY, 0, 0 },
	{ SYS_munlockall, ANY, 0, 0 }, { NR_MSEAL, ANY, 0, 0 }, { SYS_msync, ANY, 0, 0 },
	{ SYS_mincore, ANY, 0, 0 }, { SYS_remap_file_pages, ANY, 0, 0 }, { SYS_shmat, ANY, 0, 0 },
	{ SYS_shmdt, ANY, 0, 0 }, { SYS_io_setup, ANY, 0, 0 }, { SYS_io_destroy, ANY, 0, 0 },
	{ SYS_prctl, ARG_IS, 0, PRCTL_SET_VMA }, { SYS_prctl, ARG_IS, 0, PR_SET_MM },
	{ SYS_prctl, ARG_IS, 0, PR_SET_THP_DISABLE },
	{ SYS_prctl, ARG_IS, 0, PR_GET_THP_DISABLE },
	{ SYS_prctl, ARG_IS, 0, PRCTL_SET_MEMORY_MERGE },
	{ SYS_prctl, ARG_IS, 0, PRCTL_GET_MEMORY_MERGE },
	{ SYS_execve, ANY, 0, 0 }, { SYS_execveat, ANY, 0, 0 },
	{ SYS_fork, ANY, 0, 0 }, { SYS_clone, ARG_LACKS_BITS, 0, CLONE_VM },
	{ SYS_clone3, ANY, 0, 0 },
	{ SYS_setrlimit, ANY, 0, 0 }, { SYS_prlimit64, ARG_NOT_ZERO, 2, 0 },
	{ SYS_personality, ANY, 0, 0 }, { SYS_setuid, ANY, 0, 0 }, { SYS_setreuid, ANY, 0, 0 },
	{ SYS_setresuid, ANY, 0, 0 }, { SYS_setfsuid, ANY, 0, 0 }, { SYS_capset, ANY, 0, 0 },
	{ SYS_userfaultfd, ANY, 0, 0 }, { SYS_mbind, ANY, 0, 0 }, { NR_HOME_NODE, ANY, 0, 0 },
	{ NR_MAP_SHADOW_STACK, ANY, 0, 0 },
	{ SYS_ioctl, ARG_IS, 1, UFFDIO_REGISTER_NR },
	{ SYS_ioctl, ARG_IS, 1, UFFDIO_UNREGISTER_NR },
	{ SYS_arch_prctl, ARG_IS, 0, ARCH_MAP_VDSO_FIRST },
	{ SYS_arch_prctl, ARG_IS, 0, ARCH_MAP_VDSO_FIRST + 1 },
	{ SYS_arch_prctl, ARG_IS, 0, ARCH_MAP_VDSO_FIRST + 2 },
	{ SYS_arch_prctl, ARG_IS, 0, ARCH_SHSTK_FIRST },
};

#define NR_WANTED	(sizeof(wanted) / sizeof(wanted[0]))

static size_t load(struct sock_filter *to, size_t offset)
{
	to[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offset);
	return 1;
}

/* Each entry: not this number: skip; the argument does not fit: skip; else stop the task. */
static size_t filter_entry(struct sock_filter *to, const struct wanted *w)
{
	size_t low = offsetof(struct seccomp_data, args) + 8 * w->arg, n = 1;

	if (w->how == ARG_IS || w->how == ARG_LACKS_BITS) {
		n += load(to + n, low);
		to[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | (w->how == ARG_IS ? BPF_JEQ : BPF_JSET) | BPF_K, w->value,
			w->how == ARG_IS ? 0 : 1, w->how == ARG_IS ? 1 : 0);
	} else if (w->how == ARG_NOT_ZERO) {
		n += load(to + n, low);
		to[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
		n += load(to + n, low + 4);
		to[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	}
	to[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	if (w->how != ANY)	/* the number again, for the next entry */
		n += load(to + n, offsetof(struct seccomp_data, nr));
	to[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)w->nr, 0,
					     (unsigned char)(n - 1));
	return n;
}

int call_filter_install(void)
{
	struct sock_filter code[8 * NR_WANTED + 8];
	struct sock_fprog program = { .filter = code };
	size_t n = 0;

	n += load(code + n, offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64,
						 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	n += load(code + n, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < NR_WANTED; i++)
		n += filter_entry(code + n, &wanted[i]);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	if (geteuid() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		     &program))
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program))
		return -errno;
	return 0;
}

/* ------------------------------------------------------------- reading the task's memory -- */

static bool read_memory(pid_t tid, unsigned long addr, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)addr, bytes };

	return process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

/* The string at @addr, at most @max bytes with its end; NULL if it is not there. */
static char *read_string(pid_t tid, unsigned long addr, size_t max)
{
	char *text = cli_alloc(max + 1);

	for (size_t n = 0; n < max; n++) {
		if (!read_memory(tid, addr + n, text + n, 1)) {
			free(text);
			return NULL;
		}
		if (!text[n])
			break;
	}
	return text;
}

unsigned int task_caps(pid_t tid)
{
	static const struct { int bit; unsigned int cap; } known[] = {
		{ 14, MM_CAP_IPC_LOCK }, { 17, MM_CAP_SYS_RAWIO }, { 21, MM_CAP_SYS_ADMIN },
	};
	unsigned long effective = 0;
	unsigned int caps = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %lx", &effective) == 1)
			break;
	if (f)
		fclose(f);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (effective >> known[i].bit & 1)
			caps |= known[i].cap;
	return caps;
}

void task_limits(pid_t tid, unsigned long rlimit[MM_NR_RLIMITS])
{
	static const enum __rlimit_resource which[MM_NR_RLIMITS] = {
		[MM_RLIMIT_AS] = RLIMIT_AS, [MM_RLIMIT_DATA] = RLIMIT_DATA,
		[MM_RLIMIT_STACK] = RLIMIT_STACK, [MM_RLIMIT_MEMLOCK] = RLIMIT_MEMLOCK,
	};

	for (int i = 0; i < MM_NR_RLIMITS; i++) {
		struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

		prlimit(tid, which[i], NULL, &limit);
		rlimit[i] = limit.rlim_cur;
	}
}

static void write_limits(struct recorder *r, pid_t tid)
{
	unsigned long rlimit[MM_NR_RLIMITS];

	task_limits(tid, rlimit);
	text_printf(r->out, "limits %d 0x%lx 0x%lx 0x%lx 0x%lx\n", tid, rlimit[MM_RLIMIT_AS],
		    rlimit[MM_RLIMIT_DATA], rlimit[MM_RLIMIT_STACK], rlimit[MM_RLIMIT_MEMLOCK]);
}

/* --------------------------------------------------------------------------------- enter -- */

bool call_is_fork(const struct task *task)
{
	return task->nr == SYS_fork || task->nr == SYS_clone || task->nr == SYS_clone3;
}

bool call_is_exec(const struct task *task)
{
	return task->nr == SYS_execve || task->nr == SYS_execveat;
}

/* process_madvise(): the task whose mm is meant. */
static pid_t pid_of_pidfd(pid_t tid, int fd)
{
	char path[64], line[128];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	if (f)
		fclose(f);
	return pid > 0 ? pid : 0;
}

static void enter_process_madvise(struct task *task)
{
	unsigned long nr = task->args[2];
	struct iovec *vec;

	task->call.task = pid_of_pidfd(task->tid, (int)task->args[0]);
	task->call.args[0] = task->args[3];	/* advice */
	task->call.args[1] = task->args[4];	/* flags */
	if (nr > 1024)
		nr = 1024;
	vec = cli_alloc(nr * sizeof(*vec));
	task->call.ranges = cli_alloc(nr * sizeof(*task->call.ranges));
	task->call.nr_ranges = 0;
	if (nr && read_memory(task->tid, task->args[1], vec, nr * sizeof(*vec)))
		for (; task->call.nr_ranges < nr; task->call.nr_ranges++)
			task->call.ranges[task->call.nr_ranges] = (struct mm_range){
				(unsigned long)vec[task->call.nr_ranges].iov_base,
				vec[task->call.nr_ranges].iov_len };
	free(vec);
}

bool call_enter(struct recorder *r, struct task *task)
{
	struct call *call = &task->call;
	unsigned long flags = 0;

	(void)r;
	free(call->string);
	free(call->ranges);
	*call = (struct call){ .id = call_by_nr(task->nr) };
	memcpy(call->args, task->args, sizeof(call->args));
	if (!task->mm || task->mm->foreign)
		return false;
	switch (task->nr) {
	case SYS_clone3:
		return !read_memory(task->tid, task->args[0], &flags, sizeof(flags)) ||
		       !(flags & CLONE_VM);
	case SYS_mmap:
		call->args[4] = task->args[5];	/* the file is told apart */
		break;
	case SYS_prctl:
		if (task->args[0] == PRCTL_SET_VMA && task->args[4])
			call->string = read_string(task->tid, task->args[4], 81);
		break;
	case SYS_process_madvise:
		enter_process_madvise(task);
		break;
	}
	return true;
}

/* -------------------------------------------------------------------------------- before -- */

static bool only_one_process(const struct recorder *r, const struct task *task)
{
	for (const struct task *t = r->tasks; t; t = t->next)
		if (t->mm == task->mm && t->tgid != task->tgid)
			return false;
	return true;
}

/* An exec that will happen, as far as can be told, is the end of this mm: its map is shown. */
static void before_exec(struct recorder *r, struct task *task)
{
	char *path = task->nr == SYS_execve ? read_string(task->tid, task->args[0], 4096) : NULL;
	bool likely = path && path[0] == '/' && !access(path, X_OK);

	free(path);
	if (!likely || !only_one_process(r, task))
		return;
	touch_whole(r, task->mm);
	sample_write_map(r, task->mm, task->tid, MAP_CHECK);
}

static void before_mremap(struct recorder *r, struct mm *mm, const unsigned long *a)
{
	unsigned long longer = a[1] > a[2] ? a[1] : a[2];

	sample_around(r, mm, a[0], a[0] + longer);
	if (a[3] & MREMAP_FIXED)
		sample_around(r, mm, a[4], a[4] + a[2]);
}

static void before_brk(struct recorder *r, struct mm *mm, unsigned long brk)
{
	if (!brk)
		return;
	sample_around(r, mm, brk < mm->brk ? brk : mm->brk, brk > mm->brk ? brk : mm->brk);
}

static struct mm *other_mm(struct recorder *r, const struct task *task)
{
	struct task *other = task->call.task ? task_find(r, (pid_t)task->call.task) : NULL;

	return other && other->mm ? other->mm : task->mm;
}

/* The ring's length, which the call does not name, is looked up while it is still there. */
static void before_io_destroy(struct task *task)
{
	struct seen_area ring;

	task->call.args[1] = sample_area(task->mm, task->args[0], false, &ring)
			   ? ring.end - ring.start : 0;
}

/* The areas that the call's decision hangs on. */
static void before_areas(struct recorder *r, struct task *task)
{
	struct mm *mm = task->mm;
	const unsigned long *a = task->args;

	switch (task->call.id) {
	case CALL_MMAP:
		if (a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE))
			sample_around(r, mm, a[0], a[0] + a[1]);
		break;
	case CALL_MUNMAP: case CALL_MPROTECT: case CALL_PKEY_MPROTECT: case CALL_MADVISE:
	case CALL_MLOCK: case CALL_MLOCK2: case CALL_MUNLOCK: case CALL_MSEAL: case CALL_MSYNC:
	case CALL_REMAP_FILE_PAGES:
		sample_around(r, mm, a[0], a[0] + a[1]);
		break;
	case CALL_IO_DESTROY:
		before_io_destroy(task);
		break;
	case CALL_MREMAP:
		before_mremap(r, mm, a);
		break;
	case CALL_BRK:
		before_brk(r, mm, a[0]);
		break;
	case CALL_PROCESS_MADVISE:
		sample_all(r, other_mm(r, task));
		break;
	case CALL_MLOCKALL: case CALL_MUNLOCKALL: case CALL_PRCTL:
		sample_all(r, mm);
		break;
	default:
		break;
	}
}

void call_before(struct recorder *r, struct task *task)
{
	sample_stacks(r, task->mm);
	if (call_is_exec(task)) {
		before_exec(r, task);
		return;
	}
	if (call_is_fork(task))
		sample_all(r, task->mm);
	else
		before_areas(r, task);
	touch_before(r, task);
}

/* --------------------------------------------------------------------------------- after -- */

static void forget_range(struct mm *mm, unsigned long start, unsigned long end)
{
	end = (end + PAGE - 1) & ~(PAGE - 1);
	ranges_remove(&mm->touched, start, end);
	ranges_remove(&mm->stacks, start, end);
	touch_forget(mm, start, end);
}

static void after_mmap(struct recorder *r, struct task *task, unsigned long result)
{
	const unsigned long *a = task->args;
	struct mm *mm = task->mm;
	unsigned long end = result + ((a[1] + PAGE - 1) & ~(PAGE - 1));
	struct seen_area area;

	if (!(a[3] & MAP_ANONYMOUS))
		task->call.file = file_of_fd(r, task, (int)a[4], result);
	if (is_error(result))
		return;
	if (!(a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
		sample_neighbours(r, mm, result, end);
	/* What is touched in there was the call's own doing, or lay there before and is gone. */
	forget_range(mm, result, end);
	if (a[3] & MAP_GROWSDOWN && sample_area(mm, result, false, &area))
		ranges_add(&mm->stacks, area.start, area.end);
	if (a[3] & MAP_FIXED)
		files_let_go(r);
}

static void after_mremap(struct recorder *r, struct task *task, unsigned long result)
{
	const unsigned long *a = task->args;

	if (is_error(result))
		return;
	if (!(a[3] & MREMAP_FIXED))
		sample_neighbours(r, task->mm, result, result + a[2]);
	forget_range(task->mm, a[0], a[0] + a[1]);
	forget_range(task->mm, result, result + a[2]);
	files_let_go(r);
}

static void after_io_setup(struct recorder *r, struct task *task, unsigned long *result)
{
	struct seen_area ring;
	unsigned long ctx;

	if (is_error(*result) || !read_memory(task->tid, task->args[1], &ctx, sizeof(ctx)) ||
	    !sample_area(task->mm, ctx, false, &ring)) {
		task->call.args[0] = 0;
		return;
	}
	task->call.args[0] = ring.end - ring.start;
	task->call.file = file_of_aio(r, task->mm, &ring);
	*result = ctx;
}

/* Limits may be set of anybody: only tasks of the recording are told of. */
static void after_prlimit(struct recorder *r, const struct task *task)
{
	pid_t tid = task->args[0] ? (pid_t)task->args[0] : task->tid;
	const struct task *of = task_find(r, tid);

	if (of && of->mm && !of->mm->foreign && !of->told_exit)
		write_limits(r, tid);
}

static void write_note(struct recorder *r, const struct task *task, const char *what)
{
	text_printf(r->out, "note %d ", task->tid);
	trace_write_quoted(r->out, what);
	text_printf(r->out, "\n");
}

/* Calls that are no memory calls, but change what those decide by. */
static void after_others(struct recorder *r, struct task *task, unsigned long result)
{
	if (is_error(result))
		return;
	switch (task->nr) {
	case SYS_setrlimit:
		write_limits(r, task->tid);
		break;
	case SYS_prlimit64:
		after_prlimit(r, task);
		break;
	case SYS_personality:
		if ((unsigned int)task->args[0] != 0xffffffffu)
			text_printf(r->out, "personality %d 0x%x\n", task->tid,
				    (unsigned int)task->args[0]);
		break;
	case SYS_setuid: case SYS_setreuid: case SYS_setresuid: case SYS_setfsuid: case SYS_capset:
		text_printf(r->out, "caps %d 0x%x\n", task->tid, task_caps(task->tid));
		break;
	case SYS_userfaultfd: case SYS_ioctl:
		write_note(r, task, "userfaultfd: not followed");
		break;
	case SYS_mbind: case NR_HOME_NODE:
		write_note(r, task, "mbind: memory policies are not followed");
		break;
	case SYS_arch_prctl: case NR_MAP_SHADOW_STACK:
		write_note(r, task, "arch_prctl: areas of the architecture are not followed");
		break;
	}
}

static void write_call(struct recorder *r, struct task *task, unsigned long result)
{
	struct mm *mm = task->mm;

	task->call.result = result;
	touch_files(r, task, result);
	trace_write_call(r->out, task->tid, &task->call);
	r->nr_calls++;
	mm->nr_calls++;
	if (r->check_every && mm->nr_calls % r->check_every == 0)
		sample_write_map(r, mm, task->tid, MAP_CHECK);
	touch_after(r, task, result);
}

void call_after(struct recorder *r, struct task *task, long ret)
{
	unsigned long result = (unsigned long)ret;
	struct mm *mm = task->mm;

	switch (task->call.id) {
	case NR_CALLS:
		if (!call_is_fork(task) && !call_is_exec(task))
			after_others(r, task, result);
		return;
	case CALL_MMAP:
		after_mmap(r, task, result);
		break;
	case CALL_MUNMAP: case CALL_IO_DESTROY:
		if (!is_error(result)) {
			forget_range(mm, task->args[0], task->args[0] + task->call.args[1]);
			files_let_go(r);
		}
		break;
	case CALL_MREMAP:
		after_mremap(r, task, result);
		break;
	case CALL_BRK:
		if (result < mm->brk)
			forget_range(mm, (result + PAGE - 1) & ~(PAGE - 1), mm->brk);
		mm->brk = result;
		break;
	case CALL_SHMAT:
		task->call.file = file_of_segment(r, mm, (int)task->args[0], result);
		task->call.args[0] = task->args[1];
		task->call.args[1] = task->args[2];
		break;
	case CALL_IO_SETUP:
		after_io_setup(r, task, &result);
		break;
	case CALL_PROCESS_MADVISE:
		if (result == -(unsigned long)EBADF || result == -(unsigned long)ESRCH)
			return;		/* there is no such process: nothing about memory */
		break;
	case CALL_PRCTL:
		if (task->args[0] == PR_SET_MM && !is_error(result)) {
			write_note(r, task, "prctl(PR_SET_MM): not followed");
			return;
		}
		break;
	default:
		break;
	}
	write_call(r, task, result);
}
