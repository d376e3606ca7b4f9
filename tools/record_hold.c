/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who may run: one memory call at a time in each mm, with every other task of the mm held.
 *
 * An mm goes through
 *
 *	no turn		tasks run; the first that asks gets the turn
 *	stopping	mm->turn is set; the tasks that run have been interrupted
 *	in call		all are held; the call is looked at, made, and looked at again
 *
 * and from there to the next that asked, or back to no turn, when all go on.  A task that cannot
 * run counts as held: asleep in vfork(), stopped by job control, past its exit, not yet begun.
 *
 * Two things may take long: a task that does not stop (it waits for a disk), and a call that does
 * not end (it waits for another task, which is held: a page that a userfaultfd thread supplies).
 * After a while the first is not waited for, and for the second the others go on, though none may
 * begin a memory call.
 */
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "record.h"

/* Ticks of the main loop's timer until a turn counts as long. */
#define PATIENCE	3

/*
 * A task that is killed while it is held goes on by itself, to its exit event, and letting it go
 * "from where it was held" would let it go from there.  So: has it stopped anew?  Then that is
 * taken first, by the main loop.
 */
static bool moved_on(struct task *task)
{
	int status;

	if (!task->moved && waitpid(task->tid, &status, __WALL | WNOHANG) == task->tid) {
		task->moved = true;
		task->moved_status = status;
	}
	return task->moved;
}

static void resume(struct task *task)
{
	if (moved_on(task))
		return;
	if (task->listen) {
		task->state = TASK_STOPPED;
		ptrace(PTRACE_LISTEN, task->tid, 0, 0);
	} else {
		task->state = task->vforking ? TASK_VFORKING : TASK_RUNNING;
		ptrace(PTRACE_CONT, task->tid, 0, task->signal);
	}
	task->listen = false;
	task->signal = 0;
}

static void resume_all(struct recorder *r, struct mm *mm)
{
	for (struct task *t = r->tasks; t; t = t->next)
		if (t->mm == mm && t->state == TASK_HELD)
			resume(t);
}

static void begin(struct recorder *r, struct mm *mm)
{
	struct task *task = mm->turn;

	call_before(r, task);
	if (moved_on(task))
		return;
	mm->in_call = true;
	mm->ticks = 0;
	task->state = TASK_IN_CALL;
	ptrace(PTRACE_SYSCALL, task->tid, 0, 0);
}

void hold_check(struct recorder *r, struct mm *mm)
{
	if (!mm->turn || mm->in_call)
		return;
	for (struct task *t = r->tasks; t; t = t->next)
		if (t->mm == mm && t != mm->turn && t->state == TASK_RUNNING)
			return;
	begin(r, mm);
}

/* The next turn, or none. */
static void next(struct recorder *r, struct mm *mm)
{
	if (mm->turn)
		return;
	mm->in_call = mm->loose = false;
	mm->ticks = 0;
	mm->turn = mm->queue;
	if (!mm->turn) {
		resume_all(r, mm);
		return;
	}
	mm->queue = mm->turn->next_waiting;
	mm->turn->next_waiting = NULL;
	for (struct task *t = r->tasks; t; t = t->next)
		if (t->mm == mm && t != mm->turn && t->state == TASK_RUNNING)
			ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
	hold_check(r, mm);
}

void hold_ask(struct recorder *r, struct task *task)
{
	struct task **slot = &task->mm->queue;

	task->state = TASK_WAITING;
	task->next_waiting = NULL;
	while (*slot)
		slot = &(*slot)->next_waiting;
	*slot = task;
	if (task->mm->turn)
		hold_check(r, task->mm);
	else
		next(r, task->mm);
}

void hold_done(struct recorder *r, struct task *task)
{
	task->state = TASK_HELD;
	task->mm->turn = NULL;
	next(r, task->mm);
}

void hold_leave(struct recorder *r, struct task *task, struct mm *mm)
{
	for (struct task **slot = &mm->queue; *slot; slot = &(*slot)->next_waiting) {
		if (*slot == task) {
			*slot = task->next_waiting;
			break;
		}
	}
	task->next_waiting = NULL;
	if (mm->turn == task) {
		mm->turn = NULL;
		next(r, mm);
	} else {
		hold_check(r, mm);
	}
}

void hold_stopped(struct recorder *r, struct task *task, int signal, bool listen)
{
	task->state = TASK_HELD;
	task->signal = signal;
	task->listen = listen;
	if (!task->mm)
		return;		/* its parent has not told of it yet */
	if (task->mm->turn && !task->mm->loose)
		hold_check(r, task->mm);
	else
		resume(task);
}

void hold_tick(struct recorder *r)
{
	for (struct mm *mm = r->mms; mm; mm = mm->next) {
		if (!mm->turn || mm->loose || ++mm->ticks < PATIENCE)
			continue;
		if (!mm->in_call) {
			begin(r, mm);
		} else {
			mm->loose = true;
			resume_all(r, mm);
		}
	}
}
