/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea record: runs a program under ptrace and writes down its memory calls.  record.h says how
 * it is divided.  Here are the command, the start of the program, and the loop: each stop of each
 * task comes to take_stop(), which knows the kinds of stops of ptrace(2) under PTRACE_SEIZE.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "record.h"

#define DEFAULT_OUTPUT	"trace.vtrace.zst"
#define TICK_USEC	50000
#define CS_32BIT	0x23

static volatile sig_atomic_t ticked, asked_to_end;

/* ------------------------------------------------------------------------- tasks and mms -- */

struct task *task_find(struct recorder *r, pid_t tid)
{
	for (struct task *t = r->tasks; t; t = t->next)
		if (t->tid == tid)
			return t;
	return NULL;
}

struct task *task_add(struct recorder *r, pid_t tid)
{
	struct task *t = cli_alloc(sizeof(*t));

	t->tid = t->tgid = tid;
	t->next = r->tasks;
	r->tasks = t;
	return t;
}

static struct mm *mm_new(struct recorder *r)
{
	struct mm *mm = cli_alloc(sizeof(*mm));

	mm->id = ++r->last_mm;
	mm->maps_fd = mm->pagemap_fd = mm->mem_fd = -1;
	mm->next = r->mms;
	r->mms = mm;
	return mm;
}

/* A task has left @mm: the last one takes it away. */
static void mm_left(struct recorder *r, struct mm *mm)
{
	for (struct task *t = r->tasks; t; t = t->next)
		if (t->mm == mm)
			return;
	files_mm_gone(mm);
	for (struct mm **slot = &r->mms; *slot; slot = &(*slot)->next) {
		if (*slot == mm) {
			*slot = mm->next;
			break;
		}
	}
	if (mm->maps_fd >= 0)
		close(mm->maps_fd);
	if (mm->pagemap_fd >= 0)
		close(mm->pagemap_fd);
	if (mm->mem_fd >= 0)
		close(mm->mem_fd);
	touch_gone(mm);
	free(mm->touched.r);
	free(mm->stacks.r);
	free(mm);
}

static void task_remove(struct recorder *r, struct task *task)
{
	struct mm *mm = task->mm;

	if (mm)
		hold_leave(r, task, mm);
	for (struct task **slot = &r->tasks; *slot; slot = &(*slot)->next) {
		if (*slot == task) {
			*slot = task->next;
			break;
		}
	}
	free(task->call.string);
	free(task->call.ranges);
	free(task);
	if (mm)
		mm_left(r, mm);
}

static pid_t tgid_of(pid_t tid)
{
	char path[64], line[256];
	int tgid = tid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	if (f)
		fclose(f);
	return tgid;
}

/* --------------------------------------------------------------------------------- stops -- */

static void entered(struct recorder *r, struct task *task)
{
	struct ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) <= 0)
		return;
	task->nr = (long)info.seccomp.nr;
	for (int i = 0; i < 6; i++)
		task->args[i] = info.seccomp.args[i];
	if (call_enter(r, task))
		hold_ask(r, task);
	else
		hold_stopped(r, task, 0, false);
}

static bool restarts(long result)
{
	return result == -512 || result == -513 || result == -514 || result == -516;
}

static void execed(struct recorder *r, struct task *task)
{
	struct user_regs_struct regs;
	int status = 0;

	sample_open(task->mm, task->tid);
	if (!ptrace(PTRACE_GETREGS, task->tid, 0, &regs) && regs.cs == CS_32BIT) {
		task->mm->foreign = true;
		text_printf(r->out, "note %d \"a 32-bit program: not followed\"\n", task->tid);
	} else {
		status = image_write(r, task);
	}
	if (status)
		take_stop(r, task->tid, status);
	else
		hold_stopped(r, task, 0, false);
}

static void left(struct recorder *r, struct task *task)
{
	struct ptrace_syscall_info info = { 0 };

	ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info);
	if (task->state == TASK_EXECED) {
		execed(r, task);
	} else if (task->state == TASK_IN_CALL && info.op == PTRACE_SYSCALL_INFO_EXIT) {
		if (!restarts((long)info.exit.rval))
			call_after(r, task, (long)info.exit.rval);
		hold_done(r, task);
	} else {
		hold_stopped(r, task, 0, false);
	}
}

static void copy_mm(struct recorder *r, struct task *parent, struct task *child)
{
	struct mm *from = parent->mm, *to = mm_new(r);

	child->mm = to;
	sample_open(to, child->tid);
	to->imaged = from->imaged;
	to->brk = from->brk;
	ranges_copy(&to->touched, &from->touched);
	ranges_copy(&to->stacks, &from->stacks);
	files_mm_copied(from, to);
	touch_copied(to, from);
	text_printf(r->out, "fork %d %d m%u\n", parent->tid, child->tid, to->id);
}

static void made_child(struct recorder *r, struct task *task, int event)
{
	unsigned long tid = 0;
	bool copies = task->state == TASK_IN_CALL && call_is_fork(task);
	struct task *child;

	ptrace(PTRACE_GETEVENTMSG, task->tid, 0, &tid);
	child = task_find(r, (pid_t)tid);
	if (!child)
		child = task_add(r, (pid_t)tid);
	child->tgid = tgid_of(child->tid);
	if (child->tgid == child->tid)
		r->nr_processes++;
	if (event == PTRACE_EVENT_VFORK)
		task->vforking = true;
	if (copies) {
		copy_mm(r, task, child);
		hold_done(r, task);
	} else {
		child->mm = task->mm;
		if (task->mm && !task->mm->foreign)
			text_printf(r->out, "%s %d %d\n",
				    child->tgid == child->tid ? "vfork" : "thread", task->tid,
				    child->tid);
		hold_stopped(r, task, 0, false);
	}
	if (child->state == TASK_HELD && child->mm)
		touch_stopped(r, child->mm);
	if (child->state == TASK_HELD)
		hold_stopped(r, child, 0, child->listen);
}

/* The thread that called exec() has its leader's number now, and all others are gone. */
static struct task *become_leader(struct recorder *r, struct task *leader)
{
	unsigned long former = 0;
	struct task *task;

	ptrace(PTRACE_GETEVENTMSG, leader->tid, 0, &former);
	if (!former || (pid_t)former == leader->tid)
		return leader;
	task = task_find(r, (pid_t)former);
	if (!task)
		return leader;
	if (!leader->told_exit)
		text_printf(r->out, "exit %d 0\n", leader->tid);
	text_printf(r->out, "leader %d %d\n", task->tid, leader->tid);
	task->tid = task->tgid = leader->tid;
	task_remove(r, leader);
	return task;
}

static void exec_done(struct recorder *r, struct task *task)
{
	struct mm *old;

	task = become_leader(r, task);
	old = task->mm;
	task->mm = mm_new(r);
	task->state = TASK_EXECED;
	if (old) {
		hold_leave(r, task, old);
		mm_left(r, old);
	}
	r->started = true;
	ptrace(PTRACE_SYSCALL, task->tid, 0, 0);
}

static bool last_of_mm(const struct recorder *r, const struct task *task)
{
	for (const struct task *t = r->tasks; t; t = t->next)
		if (t->mm == task->mm && t != task && t->state != TASK_EXITING)
			return false;
	return true;
}

static void exiting(struct recorder *r, struct task *task)
{
	struct mm *mm = task->mm;
	struct user_regs_struct regs;
	unsigned long status = 0;

	ptrace(PTRACE_GETEVENTMSG, task->tid, 0, &status);
	if (mm && mm->turn == task && mm->in_call && !ptrace(PTRACE_GETREGS, task->tid, 0, &regs) &&
	    !restarts((long)regs.rax) && (long)regs.rax != -ENOSYS)
		call_after(r, task, (long)regs.rax);	/* killed in it (or before: ENOSYS) */
	task->state = TASK_EXITING;
	if (mm && !mm->foreign && mm->imaged && last_of_mm(r, task)) {
		sample_stacks(r, mm);
		touch_whole(r, mm);
		sample_write_map(r, mm, task->tid, MAP_FINAL);
	}
	if (mm && !mm->foreign)
		text_printf(r->out, "exit %d 0x%lx\n", task->tid, status);
	task->told_exit = true;
	ptrace(PTRACE_CONT, task->tid, 0, 0);
	if (mm)
		hold_leave(r, task, mm);
}

static void gone(struct recorder *r, struct task *task, int status)
{
	if (task->tid == r->child) {
		r->status = status;
		r->ended = true;
	}
	if (!task->told_exit && task->mm && !task->mm->foreign)
		text_printf(r->out, "exit %d 0x%x\n", task->tid, status);
	task_remove(r, task);
}

static bool stops_a_job(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

void take_stop(struct recorder *r, pid_t tid, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	struct task *task = task_find(r, tid);

	if (!task)
		task = task_add(r, tid);
	if (!WIFSTOPPED(status)) {
		gone(r, task, status);
		return;
	}
	if (task->mm)
		touch_stopped(r, task->mm);
	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		entered(r, task);
		break;
	case PTRACE_EVENT_FORK: case PTRACE_EVENT_VFORK: case PTRACE_EVENT_CLONE:
		made_child(r, task, event);
		break;
	case PTRACE_EVENT_EXEC:
		exec_done(r, task);
		break;
	case PTRACE_EVENT_VFORK_DONE:
		task->vforking = false;
		hold_stopped(r, task, 0, false);
		break;
	case PTRACE_EVENT_EXIT:
		exiting(r, task);
		break;
	case PTRACE_EVENT_STOP:
		hold_stopped(r, task, 0, stops_a_job(signal));
		break;
	default:
		if (signal == (SIGTRAP | 0x80))
			left(r, task);
		else
			hold_stopped(r, task, signal, false);
	}
}

/* ------------------------------------------------------------------------------ the loop -- */

static void on_tick(int signal)
{
	(void)signal;
	ticked = 1;
}

static void on_end(int signal)
{
	asked_to_end = signal;
}

static void set_signals(void)
{
	struct sigaction tick = { .sa_handler = on_tick }, end = { .sa_handler = on_end };
	struct itimerval every = { { 0, TICK_USEC }, { 0, TICK_USEC } };

	sigaction(SIGALRM, &tick, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	signal(SIGINT, SIG_IGN);	/* a ^C is the program's */
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);	/* nobody reads it: that is told at the end */
	setitimer(ITIMER_REAL, &every, NULL);
}

/* The next stop: one that was found when its task was to be let go, or a new one. */
static pid_t next_stop(struct recorder *r, int *status)
{
	for (struct task *t = r->tasks; t; t = t->next) {
		if (t->moved) {
			t->moved = false;
			*status = t->moved_status;
			return t->tid;
		}
	}
	return waitpid(-1, status, __WALL);
}

/* To the program; when that is gone, to those that it has left behind. */
static void pass_on(const struct recorder *r, int signal)
{
	if (!r->ended) {
		kill(r->child, signal);
		return;
	}
	for (const struct task *t = r->tasks; t; t = t->next)
		if (t->tid == t->tgid)
			kill(t->tid, signal);
}

static void follow(struct recorder *r)
{
	int status;

	for (;;) {
		pid_t tid = next_stop(r, &status);

		if (tid > 0) {
			take_stop(r, tid, status);
			continue;
		}
		if (errno != EINTR)
			break;
		if (ticked) {
			ticked = 0;
			hold_tick(r);
		}
		if (asked_to_end) {
			pass_on(r, asked_to_end);
			asked_to_end = 0;
		}
	}
}

/* -------------------------------------------------------------------------------- start -- */

/* In the child: wait for the tracer, then become the program.  @tell gets errno if that fails. */
static void become_program(char **command, int wait, int tell)
{
	char byte;
	int error;

	while (read(wait, &byte, 1) < 0 && errno == EINTR)
		;
	error = -call_filter_install();
	if (!error) {
		execvp(command[0], command);
		error = errno;
	}
	while (write(tell, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(127);
}

static int start(struct recorder *r, char **command, int *tell)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
			     PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEVFORKDONE | PTRACE_O_EXITKILL;
	struct rlimit files;
	int go[2], errors[2];

	if (pipe2(go, O_CLOEXEC) || pipe2(errors, O_CLOEXEC))
		return -errno;
	r->child = fork();
	if (r->child < 0)
		return -errno;
	if (!r->child) {
		close(go[1]);
		become_program(command, go[0], errors[1]);
	}
	close(go[0]);
	close(errors[1]);
	*tell = errors[0];
	if (ptrace(PTRACE_SEIZE, r->child, 0, options)) {
		int error = -errno;

		kill(r->child, SIGKILL);
		waitpid(r->child, NULL, 0);
		return error;
	}
	task_add(r, r->child)->mm = mm_new(r);
	r->mms->foreign = true;		/* the recorder's own copy: nothing to record yet */
	r->last_mm = 0;
	r->tasks->state = TASK_RUNNING;
	r->nr_processes = 1;
	close(go[1]);
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return 0;
}

static void help(void)
{
	fputs("usage: vmarea record [-o FILE] [--touch] [--check-every N] [--] PROGRAM [ARG...]\n"
	      "\n"
	      "Runs PROGRAM and writes down every memory call of it and its children, in true\n"
	      "order, with the map after each exec and at each exit.\n"
	      "\n"
	      "  -o, --output FILE    where to; compressed if the name ends in .zst; - is the\n"
	      "                       standard output (" DEFAULT_OUTPUT ")\n"
	      "      --touch          what is in the pages, too, before and after each call that\n"
	      "                       changes them, so that replay can store and compare it\n"
	      "      --touch-every N  with --touch: of the whole address space after every Nth\n"
	      "                       call (256)\n"
	      "      --touch-bytes N  with --touch: how many bytes of contents at most; what comes\n"
	      "                       later is told by numbers alone (16777216)\n"
	      "      --check-every N  write the map after every Nth call too, so that replay\n"
	      "                       finds a difference early\n"
	      "  -q, --quiet          no closing line\n"
	      "  -h, --help           this\n"
	      "\n"
	      "SIGTERM and SIGHUP are passed on to PROGRAM; after its end, to what it has left\n"
	      "behind.  What can be recorded until they have ended is in FILE.\n"
	      "\n"
	      "The exit status is PROGRAM's (128 and the signal if one killed it), 126 or 127 if\n"
	      "it cannot be run, 2 for wrong usage, 3 if the recording cannot be written.\n"
	      "\n"
	      "Example:\n"
	      "  vmarea record -o hello.vtrace.zst -- gcc -c hello.c\n"
	      "  vmarea replay hello.vtrace.zst\n", stdout);
}

static int finish(struct recorder *r, const char *output, const char *program, int tell, bool quiet)
{
	int error, exec_error;

	if (!r->started && read(tell, &exec_error, sizeof(exec_error)) == sizeof(exec_error)) {
		cli_error("record", "%s: %s", program, strerror(exec_error));
		text_abandon(r->out);
		return exec_error == ENOENT ? 127 : 126;
	}
	error = text_finish(r->out);
	if (error) {
		cli_error("record", "%s: %s", output, strerror(error));
		return EXIT_DEFECT;
	}
	if (!quiet)
		fprintf(stderr, "vmarea record: %s: %lu calls of %lu process%s\n", output,
			r->nr_calls, r->nr_processes, r->nr_processes == 1 ? "" : "es");
	return WIFSIGNALED(r->status) ? 128 + WTERMSIG(r->status) : WEXITSTATUS(r->status);
}

static int record(struct recorder *r, const char *output, char **command, bool quiet)
{
	struct trace_header header;
	int error, tell = -1;

	r->out = text_create(output, r->touch ? TEXT_QUICK : TEXT_SMALL);
	if (!r->out) {
		cli_error("record", "%s: %s", output, strerror(errno));
		return EXIT_USAGE;
	}
	machine_header(&header, command);
	if (r->touch)
		header.version = TRACE_VERSION_PAGES;
	trace_write_header(r->out, &header);
	trace_header_free(&header);
	error = start(r, command, &tell);
	if (error) {
		cli_error("record", "cannot trace %s: %s", command[0], strerror(-error));
		text_abandon(r->out);
		return EXIT_DEFECT;
	}
	set_signals();
	follow(r);
	return finish(r, output, command[0], tell, quiet);
}

int cmd_record(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "check-every", required_argument, NULL, 'c' },
		{ "touch", no_argument, NULL, 't' },
		{ "touch-every", required_argument, NULL, 'e' },
		{ "touch-bytes", required_argument, NULL, 'b' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct recorder r = { .touch_every = 256, .touch_bytes = 16ul << 20 };
	const char *output = DEFAULT_OUTPUT, *needs_touch = NULL;
	bool quiet = false;
	int c;

	while ((c = cli_getopt("record", argc, argv, "+:o:qh", options)) != -1) {
		switch (c) {
		case 'o':
			output = optarg;
			break;
		case 'c':
			if (!cli_number("record", "--check-every", optarg, 1, 1ul << 40,
					&r.check_every))
				return EXIT_USAGE;
			break;
		case 't':
			r.touch = true;
			break;
		case 'e':
			if (!cli_number("record", "--touch-every", optarg, 1, 1ul << 40,
					&r.touch_every))
				return EXIT_USAGE;
			needs_touch = "--touch-every";
			break;
		case 'b':
			if (!cli_number("record", "--touch-bytes", optarg, 0, 1ul << 40,
					&r.touch_bytes))
				return EXIT_USAGE;
			needs_touch = "--touch-bytes";
			break;
		case 'q':
			quiet = true;
			break;
		case 'h':
			help();
			return EXIT_GOOD;
		default:
			return EXIT_USAGE;
		}
	}
	if (needs_touch && !r.touch)
		return cli_usage("record", "%s is about pages: add --touch", needs_touch);
	if (optind == argc)
		return cli_usage("record", "which program? (vmarea record -- PROGRAM ARGS)");
	return record(&r, output, argv + optind, quiet);
}
