/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel's side: starts the agent, reads what a process looks like right after exec, and waits
 * until the agent and all that it forked are gone.
 *
 * No address is random (ADDR_NO_RANDOMIZE), so that a list of calls with addresses in it means the
 * same thing each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "diff.h"
#include "diff_agent_image.h"

#ifndef MFD_EXEC
# define MFD_EXEC	0x0010u
#endif

enum { OUR_FD = 200, PATIENCE_SECONDS = 30 };

static _Noreturn void defect(const char *what)
{
	cli_error("diff", "%s: %s", what, strerror(errno));
	exit(EXIT_DEFECT);
}

static int high_fd(int fd, const char *what)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, OUR_FD);

	if (high < 0)
		defect(what);
	close(fd);
	return high;
}

/* Linux 6.3 wants to be told that it is for execution, older ones do not know how. */
static int executable_memory(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_EXEC);

	return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC) : fd;
}

/* Containers may forbid it; with other addresses each time nothing could be compared. */
static void check_fixed_addresses(void)
{
	if (personality(0xffffffff) >= 0 && personality(ADDR_NO_RANDOMIZE) >= 0)
		return;
	cli_error("diff", "random addresses cannot be switched off here: personality: %s",
		  strerror(errno));
	exit(EXIT_DEFECT);
}

void runner_open(struct runner *runner, const struct machine *machine,
		 const struct test_files *files)
{
	size_t left = sizeof(diff_agent_image);
	const unsigned char *from = diff_agent_image;

	check_fixed_addresses();
	runner->machine = machine;
	runner->files = files;
	runner->agent_fd = high_fd(executable_memory("agent"), "memfd_create");
	while (left) {
		ssize_t n = write(runner->agent_fd, from, left);

		if (n <= 0)
			defect("write");
		from += n;
		left -= (size_t)n;
	}
	runner->shared_fd = high_fd(memfd_create("calls", MFD_CLOEXEC), "memfd_create");
	if (ftruncate(runner->shared_fd, AGENT_SHARED_BYTES))
		defect("ftruncate");
	runner->shared = mmap(NULL, AGENT_SHARED_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_POPULATE, runner->shared_fd, 0);
	if (runner->shared == MAP_FAILED)
		defect("mmap");
	for (int i = 0; i < DIFF_NR_SEGMENTS; i++)
		runner->shared->segment[i] = files->shmid[i];
}

void runner_close(struct runner *runner)
{
	munmap(runner->shared, AGENT_SHARED_BYTES);
	close(runner->shared_fd);
	close(runner->agent_fd);
}

/* ------------------------------------------------------------------------ start and end -- */

static void set_limits(const struct runner *runner, const struct round_setup *setup)
{
	static const int which[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK };
	const struct rlimit core = { 0, 0 };
	struct rlimit limit;

	setrlimit(RLIMIT_CORE, &core);
	for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
		getrlimit((__rlimit_resource_t)which[i], &limit);
		if (runner->machine->root)
			limit.rlim_max = RLIM_INFINITY;
		limit.rlim_cur = limit.rlim_max;
		setrlimit((__rlimit_resource_t)which[i], &limit);
	}
	getrlimit(RLIMIT_STACK, &limit);
	if (runner->machine->root)
		limit.rlim_max = RLIM_INFINITY;
	limit.rlim_cur = setup->layout == LAYOUT_TOP_DOWN_LOW ? RLIM_INFINITY : 8ul << 20;
	setrlimit(RLIMIT_STACK, &limit);
}

static _Noreturn void become_agent(const struct runner *runner, const struct round_setup *setup)
{
	static char *const argv[] = { "agent", NULL }, *const envp[] = { NULL };

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	personality(ADDR_NO_RANDOMIZE |
		    (setup->layout == LAYOUT_BOTTOM_UP ? ADDR_COMPAT_LAYOUT : 0));
	set_limits(runner, setup);
	if (dup2(runner->shared_fd, AGENT_SHARED_FD) < 0)
		_exit(EXIT_DEFECT);
	for (int i = 0; i < runner->files->nr; i++)
		if (runner->files->file[i].label)
			dup2(runner->files->file[i].fd, AGENT_FILE_FD + i);
	syscall(SYS_execveat, runner->agent_fd, "", argv, envp, AT_EMPTY_PATH);
	_exit(EXIT_DEFECT);
}

static pid_t start_agent(const struct runner *runner, const struct round_setup *setup)
{
	struct agent_shared *shared = runner->shared;
	pid_t pid;

	shared->drop_caps = setup->drop_caps;
	shared->text_always = setup->text_always;
	shared->owner = (uint32_t)getpid();
	shared->turn = 0;
	shared->status = AGENT_RUNNING;
	shared->at = 0;
	shared->nr_objects = 0;
	memset(shared->objects, 0, sizeof(shared->objects));
	shared->keep_vdso = setup->keep_vdso;
	/* What the agent forks and leaves behind comes to us, so that we can wait for it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = vfork();
	if (!pid)
		become_agent(runner, setup);
	if (pid < 0)
		defect("fork");
	return pid;
}

/* The end of all of them, or of our patience: then they are killed, and the status says so. */
static void await_end(struct runner *runner, pid_t pid)
{
	const struct timespec second = { .tv_sec = 1 };
	struct agent_shared *shared = runner->shared;
	uint32_t last = ~0u, quiet = 0;
	sigset_t child;
	int status;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		pid_t ended = waitpid(-1, &status, WNOHANG);

		if (ended < 0)
			break;
		if (ended == pid && WIFSIGNALED(status) && shared->status == AGENT_RUNNING) {
			shared->status = AGENT_CRASHED;
			shared->where = 0;
			shared->fault_addr = (uint64_t)WTERMSIG(status);
			kill(-pid, SIGKILL);
		}
		if (ended || sigtimedwait(&child, NULL, &second) >= 0)
			continue;
		quiet = shared->at == last ? quiet + 1 : 0;
		last = shared->at;
		if (quiet > PATIENCE_SECONDS)
			kill(-pid, SIGKILL);
	}
	if (shared->status == AGENT_RUNNING) {
		shared->status = AGENT_CRASHED;
		shared->where = 0;
		shared->fault_addr = 0;
	}
}

void runner_run(struct runner *runner, const struct round_setup *setup)
{
	runner->shared->pause_when_ready = 0;
	files_reset(runner->files);
	await_end(runner, start_agent(runner, setup));
}

/* --------------------------------------------------------------------- what exec() left -- */

static const struct {
	char name[3];
	vm_flags_t flag;
} flag_names[] = {
	{ "rd", VM_READ }, { "wr", VM_WRITE }, { "ex", VM_EXEC }, { "sh", VM_SHARED },
	{ "mr", VM_MAYREAD }, { "mw", VM_MAYWRITE }, { "me", VM_MAYEXEC }, { "ms", VM_MAYSHARE },
	{ "gd", VM_GROWSDOWN }, { "pf", VM_PFNMAP }, { "gu", VM_MAYBE_GUARD }, { "lo", VM_LOCKED },
	{ "io", VM_IO }, { "sr", VM_SEQ_READ }, { "rr", VM_RAND_READ }, { "dc", VM_DONTCOPY },
	{ "de", VM_DONTEXPAND }, { "lf", VM_LOCKONFAULT }, { "ac", VM_ACCOUNT },
	{ "nr", VM_NORESERVE }, { "ht", VM_HUGETLB }, { "sf", VM_SYNC }, { "ar", VM_ARCH_1 },
	{ "wf", VM_WIPEONFORK }, { "dd", VM_DONTDUMP }, { "sd", VM_SOFTDIRTY },
	{ "mm", VM_MIXEDMAP }, { "hg", VM_HUGEPAGE }, { "nh", VM_NOHUGEPAGE },
	{ "mg", VM_MERGEABLE }, { "dp", VM_DROPPABLE }, { "sl", VM_SEALED },
};

static vm_flags_t parse_flags(const char *text)
{
	vm_flags_t flags = 0;

	for (; text[0] == ' ' && text[1] > ' '; text += 3)
		for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
			if (!memcmp(text + 1, flag_names[i].name, 2))
				flags |= flag_names[i].flag;
	return flags;
}

static FILE *open_proc(pid_t pid, const char *what)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	f = fopen(path, "re");
	if (!f)
		defect(path);
	return f;
}

/* A line of maps begins a new area; the others tell more of the last one. */
static void parse_smaps_line(struct start_state *start, char *line)
{
	const uint32_t max = sizeof(start->area) / sizeof(start->area[0]);
	struct start_area *area = start->nr_areas ? &start->area[start->nr_areas - 1] : NULL;
	unsigned long from, to, offset, inode, value;
	unsigned int major, minor;
	static const char deleted[] = " (deleted)";
	char *cut;
	int at = 0;

	if (sscanf(line, "%lx-%lx %*s %lx %x:%x %lu %n", &from, &to, &offset, &major, &minor,
		   &inode, &at) >= 6) {
		if (from >= DIFF_TASK_SIZE || start->nr_areas == max)
			return;
		area = &start->area[start->nr_areas++];
		*area = (struct start_area){ .desc = { .start = from, .end = to }, .inode = inode,
			.dev_major = major, .dev_minor = minor,
			.desc.pgoff = inode ? offset / DIFF_PAGE : from / DIFF_PAGE };
		line[strcspn(line, "\n")] = 0;
		cut = strstr(line, deleted);
		if (cut)
			*cut = 0;
		snprintf(area->name, sizeof(area->name), "%s", at ? line + at : "");
		/* Not a name that is computed from the place. */
		if (!strncmp(area->name, "[v", 2))
			area->desc.special = area->name;
	} else if (area && area->desc.end && !strncmp(line, "VmFlags:", 8)) {
		/* The last entry is the vsyscall page's, which comes after all areas. */
		if (!area->desc.flags)
			area->desc.flags = parse_flags(line + 8);
	} else if (area && sscanf(line, "Anonymous: %lu kB", &value) == 1 && value) {
		area->desc.touched = true;
	}
}

static void read_areas(pid_t pid, struct start_state *start)
{
	FILE *f = open_proc(pid, "smaps");
	char line[512];

	start->nr_areas = 0;
	while (fgets(line, sizeof(line), f))
		parse_smaps_line(start, line);
	fclose(f);
	start->image_start = start->area[0].desc.start;
}

/* Fields 26 to 28 and 45 to 47 of stat. */
static void read_layout(pid_t pid, struct mm_config *config)
{
	FILE *f = open_proc(pid, "stat");
	unsigned long value[53] = { 0 };
	char line[2048], *p, *save;
	int field = 3;

	if (!fgets(line, sizeof(line), f))
		defect("stat");
	fclose(f);
	p = strrchr(line, ')');
	for (p = strtok_r(p ? p + 1 : line, " \n", &save); p && field < 53; field++) {
		value[field] = strtoul(p, NULL, 10);
		p = strtok_r(NULL, " \n", &save);
	}
	config->start_code = value[26];
	config->end_code = value[27];
	config->start_stack = value[28];
	config->start_data = value[45];
	config->end_data = value[46];
	config->start_brk = value[47];
}

/* Where the kernel counts more than the sum of the areas, exec() left it so. */
static void read_totals(pid_t pid, struct start_state *start)
{
	long total = 0, data = 0, stack = 0, kib;
	FILE *f = open_proc(pid, "status");
	char line[256];

	for (uint32_t i = 0; i < start->nr_areas; i++) {
		const struct area_desc *area = &start->area[i].desc;
		long pages = (long)((area->end - area->start) / DIFF_PAGE);

		total += pages;
		if (area->flags & VM_GROWSDOWN)
			stack += pages;
		else if ((area->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
			data += pages;
	}
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmSize: %ld kB", &kib) == 1)
			start->adjust_total = kib / 4 - total;
		else if (sscanf(line, "VmData: %ld kB", &kib) == 1)
			start->adjust_data = kib / 4 - data;
		else if (sscanf(line, "VmStk: %ld kB", &kib) == 1)
			start->adjust_stack = kib / 4 - stack;
	}
	fclose(f);
}

static void read_limits(pid_t pid, struct start_state *start)
{
	static const int which[MM_NR_RLIMITS] = {
		[MM_RLIMIT_AS] = RLIMIT_AS, [MM_RLIMIT_DATA] = RLIMIT_DATA,
		[MM_RLIMIT_STACK] = RLIMIT_STACK, [MM_RLIMIT_MEMLOCK] = RLIMIT_MEMLOCK,
	};
	struct rlimit limit;

	for (int i = 0; i < MM_NR_RLIMITS; i++) {
		prlimit(pid, (__rlimit_resource_t)which[i], NULL, &limit);
		start->config.rlimit[i] = limit.rlim_cur;
		start->limit_max[i] = limit.rlim_max;
	}
}

static void await_ready(struct runner *runner)
{
	const struct timespec patience = { .tv_sec = PATIENCE_SECONDS };
	struct agent_shared *shared = runner->shared;

	while (shared->status == AGENT_RUNNING)
		if (syscall(SYS_futex, &shared->status, FUTEX_WAIT, AGENT_RUNNING, &patience) &&
		    errno == ETIMEDOUT)
			break;
	if (shared->status == AGENT_READY)
		return;
	if (shared->status == AGENT_BROKEN && shared->result == -ENOTTY)
		cli_error("diff", "this kernel has no PROCMAP_QUERY (Linux 6.11)");
	else
		cli_error("diff", "the agent did not start: status %u, line %llu, result %lld",
			  shared->status, (unsigned long long)shared->where,
			  (long long)shared->result);
	exit(EXIT_DEFECT);
}

void runner_probe(struct runner *runner, const struct round_setup *setup,
		  struct start_state *start)
{
	struct agent_shared *shared = runner->shared;
	struct mm_config *config = &start->config;
	pid_t pid;

	shared->nr_calls = 0;
	shared->pause_when_ready = 1;
	pid = start_agent(runner, setup);
	await_ready(runner);
	*start = (struct start_state){ .config = MM_CONFIG_INIT };
	read_areas(pid, start);
	read_layout(pid, config);
	read_totals(pid, start);
	read_limits(pid, start);
	config->brk = shared->initial_brk;
	config->bottom_up = setup->layout == LAYOUT_BOTTOM_UP || runner->machine->legacy_layout;
	if (config->bottom_up)
		config->mmap_base = config->mmap_legacy_base = shared->unhinted;
	else
		config->mmap_base = shared->unhinted + DIFF_PAGE;
	config->personality = 0;
	config->caps = runner->machine->root && !setup->drop_caps ?
		MM_CAP_IPC_LOCK | MM_CAP_SYS_RAWIO | MM_CAP_SYS_ADMIN : 0;
	__atomic_store_n(&shared->pause_when_ready, 0, __ATOMIC_RELEASE);
	syscall(SYS_futex, &shared->pause_when_ready, FUTEX_WAKE, 1);
	await_end(runner, pid);
}
