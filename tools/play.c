/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Events: who exists, in which mm, with which files.
 */
#include "play.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <vmarea/debug.h>

#include "cli.h"

/* ------------------------------------------------------------------------------ counting -- */

void player_differs(struct player *p, char *text)
{
	if (!p->differences++)
		p->first_difference = text;
	else
		free(text);
}

void player_undetermined(struct player *p, const char *reason)
{
	size_t i;

	p->undetermined++;
	for (i = 0; i < p->nr_reasons; i++)
		if (!strcmp(p->reasons[i].text, reason))
			break;
	if (i == p->nr_reasons) {
		p->reasons = cli_realloc(p->reasons, (i + 1) * sizeof(*p->reasons));
		p->reasons[p->nr_reasons++] = (struct play_reason){ cli_strdup(reason), 0 };
	}
	p->reasons[i].count++;
}

void player_defect(struct player *p, const char *fmt, ...)
{
	va_list args;

	if (p->defect)
		return;
	va_start(args, fmt);
	if (vasprintf(&p->defect, fmt, args) < 0)
		abort();
	va_end(args);
}

/* ------------------------------------------------------------------------- tasks and mms -- */

struct play_task *player_task(struct player *p, long tid)
{
	return numbers_get(&p->by_tid, tid);
}

struct play_mm *player_mm(struct player *p, unsigned int id)
{
	for (struct play_mm *mm = p->mms; mm; mm = mm->next)
		if (mm->id == id)
			return mm;
	return NULL;
}

struct play_process *player_add_process(struct player *p, long pid, const struct play_process *like)
{
	struct play_process *process = cli_alloc(sizeof(*process));

	if (like) {
		*process = *like;
		process->path = like->path ? cli_strdup(like->path) : NULL;
	}
	process->pid = pid;
	process->nr_tasks = 0;
	if (!p->processes++)
		p->first_process = pid;
	return process;
}

struct play_task *player_add_task(struct player *p, long tid, struct play_process *process)
{
	struct play_task *task = cli_alloc(sizeof(*task));

	task->tid = tid;
	task->process = process;
	process->nr_tasks++;
	task->next = p->tasks;
	task->link = &p->tasks;
	if (task->next)
		task->next->link = &task->next;
	p->tasks = task;
	numbers_put(&p->by_tid, tid, task);
	if (tid != process->pid) {
		p->threads = cli_realloc(p->threads, (p->nr_threads + 1) * sizeof(*p->threads));
		p->threads[p->nr_threads++] = (struct play_thread){ tid, process->pid };
	}
	return task;
}

bool player_is_of(const struct player *p, const struct play_task *task, unsigned long number)
{
	long tid = (long)number, pid = task->process->pid;

	if (tid == task->tid || tid == pid)
		return true;
	for (size_t i = 0; i < p->nr_threads; i++)
		if (p->threads[i].tid == tid && p->threads[i].pid == pid)
			return true;
	return false;
}

struct play_mm *player_add_mm(struct player *p, unsigned int id, struct mm_user *user,
			      const struct mm_config *config)
{
	struct play_mm *mm = cli_alloc(sizeof(*mm));

	mm->id = id;
	mm->user = user;
	mm->config = *config;
	mm->caps = config->caps;
	memcpy(mm->rlimit, config->rlimit, sizeof(mm->rlimit));
	mm->next = p->mms;
	mm->link = &p->mms;
	if (mm->next)
		mm->next->link = &mm->next;
	p->mms = mm;
	return mm;
}

void player_join_mm(struct play_task *task, struct play_mm *mm)
{
	task->mm = mm;
	mm->nr_tasks++;
}

/* Takes it off the list; its mm_user is the caller's now. */
static void unlist_mm(struct play_mm *mm)
{
	*mm->link = mm->next;
	if (mm->next)
		mm->next->link = mm->link;
}

void player_leave_mm(struct player *p, struct play_task *task)
{
	struct play_mm *mm = task->mm;

	if (!mm)
		return;
	if (mm->nr_tasks == 1 && p->mm_ends)
		p->mm_ends(p, task, p->arg);
	task->mm = NULL;
	if (--mm->nr_tasks)
		return;
	unlist_mm(mm);
	mmput(mm->user);
	free(mm);
}

void player_drop_task(struct player *p, struct play_task *task)
{
	player_leave_mm(p, task);
	*task->link = task->next;
	if (task->next)
		task->next->link = task->link;
	if (player_task(p, task->tid) == task)
		numbers_take(&p->by_tid, task->tid);
	if (!--task->process->nr_tasks) {
		free(task->process->path);
		free(task->process);
	}
	free(task);
}

/* --------------------------------------------------------------------------------- files -- */

/* What a driver's mmap() did to its areas, done again. */
static int driver_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int driver_mmap(struct file *file, struct vma_new *vma)
{
	vm_flags_t flags = (vm_flags_t)(uintptr_t)file_private_data(file);

	if (flags & (VM_IO | VM_PFNMAP))
		vma_set_io(vma);
	if (flags & VM_DONTEXPAND)
		vma_set_dontexpand(vma);
	if (flags & VM_DONTCOPY)
		vma_set_dontcopy(vma);
	if (flags & VM_DONTDUMP)
		vma_set_dontdump(vma);
	if (flags & VM_MIXEDMAP)
		(void)vma_set_mixedmap(vma);
	return 0;
}

static const struct file_operations driver_ops = { .owner = "driver", .mmap = driver_mmap };
static const struct file_operations nommap_ops = { .owner = "unmappable" };

/* More than a recorder that leaves numbers out would jump over. */
#define FILE_NUMBER_GAP	4096u

int player_add_file(struct player *p, const struct trace_file *desc)
{
	struct file_desc d = {
		.size = sizeof(d), .name = desc->name, .inode = desc->inode,
		.dev_major = desc->dev_major, .dev_minor = desc->dev_minor, .flags = desc->flags,
		.placement = desc->placement, .size_bytes = desc->size_bytes,
		.max_bytes = desc->max_bytes,
	};
	struct play_file *f;
	int error;

	if (desc->hook == HOOK_DRIVER) {
		d.ops = &driver_ops;
		d.private_data = (void *)(uintptr_t)desc->hook_flags;
	} else if (desc->hook == HOOK_NONE) {
		d.ops = &nommap_ops;
	}
	/* Numbers go up by one, so a number tells how much there is to be kept. */
	if (desc->id > p->last_file + FILE_NUMBER_GAP)
		return -ERANGE;
	p->last_file = desc->id > p->last_file ? desc->id : p->last_file;
	if (desc->id >= p->nr_files) {
		size_t nr = (size_t)desc->id * 2 + 16;

		p->files = cli_realloc(p->files, nr * sizeof(*p->files));
		memset(p->files + p->nr_files, 0, (nr - p->nr_files) * sizeof(*p->files));
		p->nr_files = nr;
	}
	f = &p->files[desc->id];
	if (f->file)
		return -EEXIST;
	play_link_inode(p, desc, &d);
	error = file_create(p->vmarea, &d, &f->file);
	if (error)
		return error;
	f->desc = *desc;
	f->desc.name = cli_strdup(desc->name);
	play_set_size(p, f);
	return 0;
}

struct file *player_file(const struct player *p, unsigned int id)
{
	return id < p->nr_files ? p->files[id].file : NULL;
}

const char *player_name(struct player *p, const char *name)
{
	if (!name)
		return NULL;
	for (size_t i = 0; i < p->nr_names; i++)
		if (!strcmp(p->names[i], name))
			return p->names[i];
	p->names = cli_realloc(p->names, (p->nr_names + 1) * sizeof(*p->names));
	return p->names[p->nr_names++] = cli_strdup(name);
}

/* -------------------------------------------------------------------------------- events -- */

static int add_area(struct player *p, struct mm_user *user, const struct trace_area *from,
		    char **why)
{
	struct area_desc area = {
		.start = from->start, .end = from->end, .flags = from->flags,
		.file = player_file(p, from->file), .pgoff = from->pgoff,
		.special = player_name(p, from->special), .touched = from->touched,
	};
	int error;

	/* maps shows 0, but the pages of an anonymous area count from its address. */
	if (!from->file && !from->special)
		area.pgoff = from->start / 4096;
	if (from->file && !area.file) {
		*why = cli_printf("there is no file f%u", from->file);
		return -1;
	}
	error = mm_add_area(user, &area);
	if (error)
		*why = cli_printf("the area %lx-%lx %s", from->start, from->end,
				  error == -EEXIST ? "overlaps another" : "cannot be");
	return error ? -1 : 0;
}

/* exec() in an mm of its own keeps the library's mm; in a shared one it gets a new one. */
static struct mm_user *exec_user(struct player *p, struct play_task *task,
				 const struct mm_config *config, char **why)
{
	struct mm_user *user = NULL;
	int error;

	if (task->mm && task->mm->nr_tasks == 1) {
		struct play_mm *old = task->mm;

		if (p->mm_ends)
			p->mm_ends(p, task, p->arg);
		user = old->user;
		task->mm = NULL;
		unlist_mm(old);
		free(old);
		error = mm_exec(user, config);
		for (int i = 0; !error && i < MM_NR_RLIMITS; i++)
			error = mm_set_rlimit(user, (enum mm_rlimit)i, config->rlimit[i]);
		if (!error)
			error = mm_set_caps(user, config->caps);
		if (!error)
			error = mm_set_personality(user, config->personality);
	} else {
		player_leave_mm(p, task);
		error = mm_create(p->vmarea, config, &user);
	}
	if (error) {
		*why = cli_printf("exec: no address space can be like this: error %d", -error);
		if (user)
			mmput(user);
		return NULL;
	}
	return user;
}

static int on_exec(struct player *p, const struct trace_event *e, char **why)
{
	struct play_task *task = player_task(p, e->task);
	const struct mm_config *config = &e->exec.config;
	struct mm_user *user;

	if (!task)
		task = player_add_task(p, e->task, player_add_process(p, e->task, NULL));
	user = exec_user(p, task, config, why);
	if (!user)
		return -1;
	player_join_mm(task, player_add_mm(p, e->mm, user, config));
	memcpy(task->process->rlimit, config->rlimit, sizeof(config->rlimit));
	task->process->caps = config->caps;
	free(task->process->path);
	task->process->path = cli_strdup(e->exec.path);
	for (size_t i = 0; i < e->exec.nr_areas; i++)
		if (add_area(p, user, &e->exec.areas[i], why))
			return -1;
	return 0;
}

static void on_child(struct player *p, const struct trace_event *e, struct play_task *parent)
{
	struct play_process *process = parent->process;
	struct play_task *child;
	struct mm_user *user;
	struct play_mm *mm;
	char text[32];
	int error;

	if (e->kind != EV_THREAD)
		process = player_add_process(p, e->child, process);
	child = player_add_task(p, e->child, process);
	if (!parent->mm)
		return;
	if (e->kind != EV_FORK) {
		player_join_mm(child, parent->mm);
		return;
	}
	error = mm_fork(parent->mm->user, &user);
	if (error) {
		player_differs(p, cli_printf("%s:%lu: task %ld: fork()\n  recorded: 0x%lx\n"
					     "  here:     %s", p->path, p->line, parent->tid,
					     (unsigned long)e->child,
					     result_text((unsigned long)error, text)));
		return;
	}
	mm = player_add_mm(p, e->mm, user, &parent->mm->config);
	memcpy(mm->rlimit, parent->mm->rlimit, sizeof(mm->rlimit));
	mm->caps = parent->mm->caps;
	player_join_mm(child, mm);
}

static void on_leader(struct player *p, const struct trace_event *e, struct play_task *task)
{
	struct play_task *old = player_task(p, e->child);

	if (old && old != task)
		player_drop_task(p, old);
	if (player_task(p, task->tid) == task)
		numbers_take(&p->by_tid, task->tid);
	task->tid = e->child;
	numbers_put(&p->by_tid, task->tid, task);
}

static void tell_call(struct player *p, struct play_task *task, const struct call *call,
		      unsigned long ours)
{
	unsigned long at = !is_error(ours) && ours ? ours : call->args[0];
	char *what = play_call_text(p, call), *map = play_map_around(p, task->mm, at);
	char theirs[32], mine[32];

	player_differs(p, cli_printf("%s:%lu: task %ld: %s\n"
				     "  recorded: %s\n  here:     %s\n"
				     "  the map here, around 0x%lx, after it:\n%s", p->path,
				     p->line, task->tid, what, result_text(call->result, theirs),
				     result_text(ours, mine), at, map));
	free(what);
	free(map);
}

/* Does the call name a file that there is, and one that it can be made with? */
static bool has_its_file(const struct player *p, const struct call *call, char **why)
{
	const struct play_file *f = call->file < p->nr_files ? &p->files[call->file] : NULL;

	if (!call->file)
		return true;
	if (!f || !f->file)
		*why = cli_printf("there is no file f%u", call->file);
	else if (call->id == CALL_SHMAT && (!(f->desc.flags & FILE_SHMEM) || f->desc.hook))
		*why = cli_printf("shmat: f%u is no segment", call->file);
	return !*why;
}

static int on_call(struct player *p, const struct trace_event *e, struct play_task *task,
		   char **refused)
{
	const struct call *call = &e->call;
	struct mm_stats stats;
	char why[256];
	unsigned long ours;

	if (!has_its_file(p, call, refused))
		return -1;
	if (!task->mm)
		return 0;
	p->calls++;
	ours = play_call(p, task, call);
	if (!call->unknown && !play_result_agrees(call, ours)) {
		if (!p->no_compare)
			tell_call(p, task, call, ours);
		play_adopt(p, task, call, ours);
	}
	mm_get_stats(task->mm->user, &stats);
	if (stats.nr_areas > task->mm->areas_peak)
		task->mm->areas_peak = stats.nr_areas;
	if (stats.nr_areas > p->peak_areas)
		p->peak_areas = stats.nr_areas;
	if (p->validate && mm_validate(task->mm->user, why, sizeof(why)))
		player_defect(p, "line %lu: after the call the mm is broken: %s", p->line, why);
	return 0;
}

static void tell_touch(struct player *p, const struct trace_event *e, struct play_mm *mm)
{
	char *map = play_map_around(p, mm, e->value);

	player_differs(p, cli_printf("%s:%lu: 0x%lx was %s, which cannot be here:\n%s", p->path,
				     p->line, e->value,
				     e->kind == EV_GROW ? "grown down to" : "written to", map));
	free(map);
}

static int on_touch(struct player *p, const struct trace_event *e, struct play_mm *mm, char **why)
{
	enum mm_fault fault = mm_touch(mm->user, e->value, MM_ACCESS_WRITE);
	struct area_info info;
	int error;
	bool touchable;

	if (fault == MM_FAULT_DONE)
		return 0;
	if (fault == MM_FAULT_OOM && p->pages)
		return play_no_frames(why);
	/* A debugger, or the kernel itself, writes where the program may not. */
	error = mm_query(mm->user, e->value, &info);
	touchable = !error && !(info.flags & (VM_WRITE | VM_SHARED));
	if (!error)
		area_info_put(&info);
	if (touchable && e->kind == EV_TOUCH)
		player_undetermined(p, "an area that may not be written to was");
	else
		tell_touch(p, e, mm);
	return 0;
}

static int on_file_change(struct player *p, const struct trace_event *e)
{
	struct play_file *f = e->file < p->nr_files ? &p->files[e->file] : NULL;

	if (!f || !f->file)
		return -1;
	if (e->kind == EV_DELETED) {
		file_set_flags(f->file, FILE_DELETED, 0);
	} else if (e->kind == EV_SEALED) {
		file_set_flags(f->file, FILE_SEAL_WRITE, 0);
	} else {
		free(f->renamed);
		f->renamed = cli_strdup(e->text);
	}
	return 0;
}

/* Events of an mm; false: it is none. */
static int mm_event(struct player *p, const struct trace_event *e, char **why)
{
	struct play_mm *mm = player_mm(p, e->mm);

	if (!mm) {
		*why = cli_printf("there is no mm m%u", e->mm);
		return -1;
	}
	if (e->kind != EV_MAP)
		return on_touch(p, e, mm, why);
	if (!p->no_compare) {
		p->maps++;
		play_compare_map(p, mm, e->text);
	}
	return 0;
}

static int task_event(struct player *p, const struct trace_event *e, char **why)
{
	struct play_task *task = player_task(p, e->task);

	/* Of a program that is not followed, a note may be all there is. */
	if (e->kind == EV_NOTE) {
		player_undetermined(p, e->text);
		return 0;
	}
	if (!task) {
		*why = cli_printf("there is no task %ld", e->task);
		return -1;
	}
	switch (e->kind) {
	case EV_FORK: case EV_VFORK: case EV_THREAD:
		on_child(p, e, task);
		break;
	case EV_EXIT:
		player_drop_task(p, task);
		break;
	case EV_LEADER:
		on_leader(p, e, task);
		break;
	case EV_LIMITS:
		memcpy(task->process->rlimit, e->rlimit, sizeof(e->rlimit));
		break;
	case EV_CAPS:
		task->process->caps = (unsigned int)e->value;
		break;
	case EV_PERSONALITY:
		if (task->mm)
			(void)mm_set_personality(task->mm->user, (unsigned int)e->value);
		break;
	default:
		return on_call(p, e, task, why);
	}
	return 0;
}

int player_event(struct player *p, const struct trace_event *e, char **why)
{
	int error;

	p->line = e->line;
	switch (e->kind) {
	case EV_FILE:
		error = player_add_file(p, &e->desc);
		if (error == -ERANGE)
			*why = cli_printf("file f%u: numbers go up by one, the last was f%u",
					  e->desc.id, p->last_file);
		else if (error)
			*why = cli_printf("file f%u: error %d", e->desc.id, -error);
		return error ? -1 : 0;
	case EV_RENAME: case EV_DELETED: case EV_SEALED:
		if (on_file_change(p, e)) {
			*why = cli_printf("there is no file f%u", e->file);
			return -1;
		}
		return 0;
	case EV_EXEC:
		return on_exec(p, e, why);
	case EV_TOUCH: case EV_GROW: case EV_MAP:
		return mm_event(p, e, why);
	case EV_SIZE: case EV_PAGE: case EV_STORE: case EV_OWN: case EV_READ: case EV_CHECK:
	case EV_RSS:
		return play_pages_event(p, e, why);
	default:
		return task_event(p, e, why);
	}
}

/* -------------------------------------------------------------------------- begin and end -- */

struct player *player_new(const char *path, const struct trace_header *h, unsigned long arena_bytes,
			  int *error)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct player *p = cli_alloc(sizeof(*p));

	config.total_ram_pages = h->ram_pages;
	config.total_swap_pages = h->swap_pages;
	config.overcommit = (enum vmarea_overcommit)h->overcommit;
	config.overcommit_ratio = h->overcommit_ratio;
	config.overcommit_kbytes = h->overcommit_kbytes;
	config.user_reserve_kbytes = h->user_reserve_kbytes;
	config.admin_reserve_kbytes = h->admin_reserve_kbytes;
	config.max_map_count = (unsigned int)h->max_map_count;
	config.mmap_min_addr = h->mmap_min_addr;
	config.lsm_mmap_min_addr = h->lsm_mmap_min_addr;
	config.stack_guard_gap_pages = (unsigned int)h->stack_guard_gap;
	config.features = h->features;
	config.arena_bytes = arena_bytes;
	p->path = path;
	p->pages = arena_bytes;
	p->thp_always = !strcmp(h->thp, "always");
	config.thp = p->thp_always ? VMAREA_THP_ALWAYS :
		     !strcmp(h->thp, "never") ? VMAREA_THP_NEVER : VMAREA_THP_MADVISE;
	*error = vmarea_create(&config, &p->vmarea);
	if (*error) {
		free(p);
		return NULL;
	}
	return p;
}

void player_free(struct player *p)
{
	while (p->tasks)
		player_drop_task(p, p->tasks);
	for (size_t i = 0; i < p->nr_files; i++) {
		if (p->files[i].contents)
			file_put(p->files[i].contents);
		if (p->files[i].file)
			file_put(p->files[i].file);
		free(p->files[i].desc.name);
		free(p->files[i].renamed);
	}
	vmarea_destroy(p->vmarea);
	for (size_t i = 0; i < p->nr_reasons; i++)
		free(p->reasons[i].text);
	for (size_t i = 0; i < p->nr_names; i++)
		free(p->names[i]);
	free(p->names);
	numbers_free(&p->by_tid);
	free(p->threads);
	free(p->reasons);
	free(p->files);
	free(p->inodes);
	free(p->first_difference);
	free(p->defect);
	free(p);
}
