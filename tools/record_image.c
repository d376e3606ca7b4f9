/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The address space that exec() made: every area with all its flags from smaps, the break, the
 * limits, and where mmap() will place things.
 *
 * The last is not shown anywhere, so the program is made to mmap() two pages and munmap() them
 * before its first instruction: its registers are set to a syscall instruction of the vdso, and set
 * back.  The page lands at the first free place; what is mapped between it and the base was placed
 * there before.  A second page shows in which direction the search goes.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "record.h"

#define TASK_SIZE	0x7ffffffff000ul
#define MAX_SIGNALS	64

/* An area as smaps shows it. */
struct image_area {
	struct seen_area seen;
	vm_flags_t flags;
	bool touched;
};

struct image {
	struct image_area *areas;
	size_t nr;
};

static void read_smaps(pid_t tid, struct image *image)
{
	char path[64], line[4400];
	struct image_area *a = NULL;
	unsigned long kb;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		struct seen_area seen = { 0 };

		if (sample_parse_line(line, &seen)) {
			if (!strcmp(seen.name, "[vsyscall]"))
				break;
			image->areas = cli_realloc(image->areas,
						   (image->nr + 1) * sizeof(*image->areas));
			a = &image->areas[image->nr++];
			*a = (struct image_area){ .seen = seen };
		} else if (a && sscanf(line, "Anonymous: %lu", &kb) == 1) {
			a->touched |= kb && !seen.shared;
		} else if (a && !strncmp(line, "VmFlags:", 8)) {
			for (char *two = line + 8; *two == ' ' && two[1] > ' '; two += 3)
				a->flags |= vm_flag_by_letters(two + 1);
		}
	}
	if (f)
		fclose(f);
}

/* ------------------------------------------------------------------ a call in its name -- */

struct injection {
	pid_t tid;
	struct user_regs_struct saved;
	unsigned long syscall_insn;
	int signals[MAX_SIGNALS];	/* that came meanwhile */
	size_t nr_signals;
	bool dead;			/* it died; the status is left for the main loop */
	int status;
};

static unsigned long find_syscall_insn(pid_t tid, const struct image *image)
{
	static unsigned char code[16 << 10];

	for (size_t i = 0; i < image->nr; i++) {
		const struct seen_area *a = &image->areas[i].seen;
		struct iovec to = { code, sizeof(code) };
		struct iovec from = { (void *)a->start, a->end - a->start };
		ssize_t n;

		if (strcmp(a->name, "[vdso]"))
			continue;
		n = process_vm_readv(tid, &to, 1, &from, 1, 0);
		for (ssize_t at = 0; at + 1 < n; at++)
			if (code[at] == 0x0f && code[at + 1] == 0x05)
				return a->start + (unsigned long)at;
	}
	return 0;
}

/* The next stop; the recorder's own timer may come in between. */
static bool wait_stop(struct injection *in)
{
	pid_t got;

	do {
		got = waitpid(in->tid, &in->status, __WALL);
	} while (got < 0 && errno == EINTR);
	return got == in->tid && WIFSTOPPED(in->status) &&
	       in->status >> 16 != PTRACE_EVENT_EXIT;
}

/* To the end of the system call that the registers are set to. */
static bool run_to_exit(struct injection *in)
{
	for (;;) {
		struct ptrace_syscall_info info;

		in->status = 0;
		if (ptrace(PTRACE_SYSCALL, in->tid, 0, 0) || !wait_stop(in)) {
			in->dead = true;
			return false;
		}
		if (WSTOPSIG(in->status) == (SIGTRAP | 0x80)) {
			if (ptrace(PTRACE_GET_SYSCALL_INFO, in->tid, sizeof(info), &info) > 0 &&
			    info.op == PTRACE_SYSCALL_INFO_EXIT)
				return true;
		} else if (!(in->status >> 16) && in->nr_signals < MAX_SIGNALS) {
			in->signals[in->nr_signals++] = WSTOPSIG(in->status);
		}
	}
}

static unsigned long inject(struct injection *in, long nr, unsigned long a, unsigned long b,
			    unsigned long c, unsigned long d)
{
	struct user_regs_struct regs = in->saved;

	if (in->dead)
		return -(unsigned long)ESRCH;
	regs.rip = in->syscall_insn;
	regs.rax = (unsigned long)nr;
	regs.orig_rax = -1ul;
	regs.rdi = a;
	regs.rsi = b;
	regs.rdx = c;
	regs.r10 = d;
	regs.r8 = -1ul;
	regs.r9 = 0;
	if (ptrace(PTRACE_SETREGS, in->tid, 0, &regs) || !run_to_exit(in) ||
	    ptrace(PTRACE_GETREGS, in->tid, 0, &regs))
		return -(unsigned long)ESRCH;
	return regs.rax;
}

/* Where mmap() puts a page without a hint, and the one after it; 0: not known. */
struct probed {
	unsigned long first, second;
};

static void probe(struct injection *in, const struct image *image, struct probed *to)
{
	*to = (struct probed){ 0 };
	in->syscall_insn = find_syscall_insn(in->tid, image);
	if (!in->syscall_insn || ptrace(PTRACE_GETREGS, in->tid, 0, &in->saved))
		return;
	to->first = inject(in, SYS_mmap, 0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	to->second = inject(in, SYS_mmap, 0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	if (!is_error(to->first))
		inject(in, SYS_munmap, to->first, PAGE, 0, 0);
	if (!is_error(to->second))
		inject(in, SYS_munmap, to->second, PAGE, 0, 0);
	if (!in->dead)
		ptrace(PTRACE_SETREGS, in->tid, 0, &in->saved);
	for (size_t i = 0; i < in->nr_signals; i++)
		syscall(SYS_tgkill, in->tid, in->tid, in->signals[i]);
	if (is_error(to->first) || is_error(to->second))
		*to = (struct probed){ 0 };
}

/* -------------------------------------------------------------------------------- layout -- */

/* How far the base was moved by chance, from where it is: Linux's arithmetic, backwards. */
static unsigned long random_offset(const struct mm_config *c)
{
	unsigned long gap = c->rlimit[MM_RLIMIT_STACK], pad = 256 * PAGE, offset;

	if (!(c->personality & 0x0040000 /* ADDR_NO_RANDOMIZE */))
		pad += 0x3ffffful << 12;
	if (gap + pad > gap)
		gap += pad;
	if (gap < 128ul << 20)
		gap = 128ul << 20;
	if (gap > TASK_SIZE / 6 * 5)
		gap = TASK_SIZE / 6 * 5;
	offset = (TASK_SIZE - gap - c->mmap_base + PAGE - 1) & ~(PAGE - 1);
	return offset < 1ul << 41 ? offset : 0;
}

/*
 * The base is where the search begins: from the first page that it finds free, over all that has
 * been placed before, without a hole.
 */
static void find_base(const struct image *image, const struct probed *probed, struct mm_config *c)
{
	unsigned long low = probed->first, high = probed->first + PAGE;

	c->bottom_up = probed->second > probed->first;
	if (!probed->first) {	/* no vdso to make the call from: the highest below the stack */
		for (size_t i = 0; i < image->nr; i++)
			if (image->areas[i].seen.end <= c->start_stack &&
			    !(image->areas[i].flags & VM_GROWSDOWN))
				high = image->areas[i].seen.end;
	}
	for (size_t i = 0; i < image->nr; i++)
		if (image->areas[i].seen.start == high)
			high = image->areas[i].seen.end;
	for (size_t i = image->nr; i-- > 0;)
		if (image->areas[i].seen.end == low)
			low = image->areas[i].seen.start;
	c->mmap_base = c->mmap_legacy_base = c->bottom_up ? low : high;
	if (!c->bottom_up)
		c->mmap_legacy_base = ((TASK_SIZE / 3 + PAGE - 1) & ~(PAGE - 1)) + random_offset(c);
}

static void read_stat(pid_t tid, struct mm_config *c)
{
	unsigned long field[52] = { 0 };
	char path[64], text[2048] = "", *p;
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	f = fopen(path, "r");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	p = strrchr(text, ')');		/* the name may hold anything */
	if (!p || !p[1])
		return;
	p += 3;				/* field 3, the state */
	for (int i = 3; i < 52 && *p; i++) {
		field[i] = strtoul(p, NULL, 10);
		p += strcspn(p, " ");
		p += *p == ' ';
	}
	c->start_code = field[26];
	c->end_code = field[27];
	c->start_stack = field[28];
	c->start_data = field[45];
	c->end_data = field[46];
	c->start_brk = c->brk = field[47];
}

static unsigned int read_personality(pid_t tid)
{
	char path[64];
	unsigned int value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/personality", tid);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%x", &value) != 1)
			value = 0;
		fclose(f);
	}
	return value;
}

static char *read_exe(pid_t tid)
{
	char path[64], name[4200];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", tid);
	n = readlink(path, name, sizeof(name) - 1);
	name[n < 0 ? 0 : n] = '\0';
	return cli_strdup(name);
}

static struct trace_area area_of(struct recorder *r, struct task *task,
				 const struct image_area *from)
{
	const struct seen_area *seen = &from->seen;
	struct mm *mm = task->mm;
	struct trace_area a = {
		.start = seen->start, .end = seen->end, .flags = from->flags,
		.touched = from->touched,
	};

	if (seen->inode || seen->name[0] == '/') {
		a.file = file_of_image(r, mm, task->tid, seen);
		a.pgoff = seen->offset / PAGE;
	} else if (seen->name[0] == '[' && strcmp(seen->name, "[stack]") &&
		   strcmp(seen->name, "[heap]")) {
		a.special = cli_strdup(seen->name);
	}
	if (a.touched)
		ranges_add(&mm->touched, a.start, a.end);
	if (a.flags & VM_GROWSDOWN)
		ranges_add(&mm->stacks, a.start, a.end);
	return a;
}

int image_write(struct recorder *r, struct task *task)
{
	struct injection in = { .tid = task->tid };
	struct trace_exec exec = { .config = MM_CONFIG_INIT };
	struct image image = { 0 };
	struct mm *mm = task->mm;
	struct probed probed;

	read_smaps(task->tid, &image);
	read_stat(task->tid, &exec.config);
	exec.config.task_size = TASK_SIZE;
	exec.config.personality = read_personality(task->tid);
	exec.config.caps = task_caps(task->tid);
	task_limits(task->tid, exec.config.rlimit);
	exec.path = read_exe(task->tid);
	probe(&in, &image, &probed);
	find_base(&image, &probed, &exec.config);
	files_image_begin();
	exec.areas = cli_alloc(image.nr * sizeof(*exec.areas));
	for (; exec.nr_areas < image.nr; exec.nr_areas++)
		exec.areas[exec.nr_areas] = area_of(r, task, &image.areas[exec.nr_areas]);
	mm->brk = exec.config.brk;
	mm->imaged = true;
	trace_write_exec(r->out, task->tid, mm->id, &exec);
	if (!in.dead)
		touch_whole(r, mm);
	for (size_t i = 0; i < exec.nr_areas; i++)
		free(exec.areas[i].special);
	free(exec.areas);
	free(exec.path);
	free(image.areas);
	return in.dead ? in.status : 0;
}
