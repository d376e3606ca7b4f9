/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The library's side: makes each call on the library first, and writes down its result and the map
 * it left as what the agent is to find.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmarea/file.h>

#include "cli.h"
#include "cmds.h"
#include "diff.h"
#include "diff_text.h"

#define ARENA_BYTES	(1ul << 30)
#define MAP_MAX_UNITS	((sizeof(struct diff_map) + AGENT_MAX_AREAS * sizeof(struct diff_area) + \
			  AGENT_TEXT_BYTES) / 8)

static _Noreturn void defect(const char *what, long result)
{
	cli_error("diff", "%s: %ld", what, result);
	exit(EXIT_DEFECT);
}

/* --------------------------------------------------------------------------------- files -- */

static struct file *open_inode(const struct side *side, const struct file_desc *desc)
{
	uint32_t dev = desc->dev_major << 20 | desc->dev_minor;

	for (uint32_t i = 0; i < side->nr_known; i++)
		if (side->known[i].inode == desc->inode && side->known[i].dev == dev)
			return side->known[i].file;
	return NULL;
}

static struct file *make_file(struct side *side, const struct file_desc *of)
{
	struct file_desc desc = *of;
	struct file *file;
	int ret;

	/* One inode has one set of pages. */
	if (side->memory.touch)
		desc.same_inode = open_inode(side, of);
	ret = file_create(side->instance, &desc, &file);

	if (ret)
		defect("file_create", ret);
	side->known[side->nr_known++] = (struct known_file){ .file = file, .inode = desc.inode,
		.dev = desc.dev_major << 20 | desc.dev_minor };
	return file;
}

/* All its pages are there, as zeros. */
static void seal(struct side *side, int at)
{
	static const char zeros[8 * DIFF_PAGE];
	struct file *file = side->file[at];
	long ret = side->memory.touch ? file_write(file, 0, zeros, sizeof(zeros)) : 0;

	if (ret >= 0)
		ret = file_add_seals(file, side->files->file[at].seals);
	if (ret)
		defect("a sealed file", ret);
}

static void open_file(struct side *side, int at)
{
	struct test_file *file = &side->files->file[at];
	struct file_desc desc = file->desc;

	if (side->memory.files && file->disk && !(desc.flags & FILE_APPEND_ONLY))
		file_keep(side, &desc);
	side->file[at] = file->same_as >= 0 ? side->file[file->same_as] : make_file(side, &desc);
	side->known[side->nr_known - 1].anew = file->anew;
	if (file->seals)
		seal(side, at);
}

void side_open(struct side *side, const struct machine *machine, struct test_files *files,
	       struct agent_shared *shared, const struct memory_setup *memory)
{
	struct vmarea_config config = machine->config;
	int ret;

	config.arena_bytes = memory->touch ? ARENA_BYTES : 0;
	ret = vmarea_create(&config, &side->instance);
	if (ret)
		defect("vmarea_create", ret);
	side->machine = machine;
	side->files = files;
	side->shared = shared;
	side->memory = *memory;
	for (int i = 0; i < files->nr; i++)
		if (files->file[i].label && !files->file[i].anew)
			open_file(side, i);
	for (int i = 0; i < DIFF_NR_SEGMENTS; i++)
		if (files->shmid[i] >= 0)
			side->segment[i] = make_file(side, &files->segment[i]);
	if (memory->touch)
		memory_open(side);
}

/* Objects that the library made are kept for the round, so that no other gets their address. */
static uint64_t own_object(struct side *side, struct file *file)
{
	uint64_t key = (uint64_t)file >> 4;
	uint32_t at = (uint32_t)(key * 2654435761u) % SIDE_MAX_OBJECTS;

	while (side->object[at] && side->object[at] != file)
		at = (at + 1) % SIDE_MAX_OBJECTS;
	if (!side->object[at]) {
		if (++side->nr_objects > SIDE_MAX_OBJECTS / 2)
			defect("shared anonymous objects", side->nr_objects);
		side->object[at] = file_get(file);
	}
	return key;
}

static void drop_objects(struct side *side)
{
	for (uint32_t i = 0; i < SIDE_MAX_OBJECTS && side->nr_objects; i++)
		if (side->object[i]) {
			file_put(side->object[i]);
			side->nr_objects--;
		}
	memset(side->object, 0, sizeof(side->object));
	side->nr_objects = 0;
}

/* ----------------------------------------------------------------------------------- maps -- */

static void see_area(struct side *side, vma_any vma, struct side_area *out)
	__must_hold_shared(vma_stable)
{
	struct file *file = vma_file(vma);

	out->flags = vma_flags(vma);
	out->seen = (struct diff_area){ .start = vma_start(vma), .end = vma_end(vma),
		.prot = (out->flags & (VM_READ | VM_WRITE | VM_EXEC)) |
			(out->flags & VM_MAYSHARE ? AREA_SHARED : 0) };
	if (!file)
		return;
	out->seen.offset = vma_pgoff(vma) * DIFF_PAGE;
	for (uint32_t i = 0; i < side->nr_known; i++) {
		if (side->known[i].file != file)
			continue;
		out->seen.inode = side->known[i].inode;
		out->seen.dev = side->known[i].dev;
		out->seen.prot |= side->known[i].anew ? AREA_OWN_OBJECT : 0;
		return;
	}
	out->seen.prot |= AREA_OWN_OBJECT;
	/* An object of huge pages is not to be kept: its pages would be missed elsewhere. */
	if (out->flags & VM_HUGETLB)
		return;
	out->seen.inode = own_object(side, file);
	out->seen.dev = side->shmem_dev;
}

static void see_map(struct side *side, struct side_proc *proc)
{
	struct mmap_read *lock = mmap_read_lock(proc->mm);
	unsigned long addr = 0;
	struct vma_ref *vma;

	proc->nr = 0;
	while ((vma = vma_find(lock, addr))) {
		if (proc->nr == AGENT_MAX_AREAS)
			defect("areas", proc->nr);
		addr = vma_end(vma);
		if (vma_start(vma) >= AGENT_FILL_ADDR && vma_start(vma) < AGENT_FILL_END)
			addr = AGENT_FILL_END;
		else
			see_area(side, vma, &proc->area[proc->nr++]);
		if (side->memory.touch && proc->nr)
			memory_mark(side, &proc->area[proc->nr - 1]);
	}
	mmap_read_unlock(lock);
}

static int collect(void *arg, const char *text, size_t bytes)
{
	struct side *side = arg;

	if (side->text_bytes + bytes > sizeof(side->text))
		defect("smaps", (long)bytes);
	memcpy(side->text + side->text_bytes, text, bytes);
	side->text_bytes += bytes;
	return 0;
}

static enum text_counting what_counts(const struct side *side)
{
	if (!side->memory.touch)
		return COUNTING_NONE;
	return side->unshared || side->lazily_freed ? COUNTING_BUT_DIRTY : COUNTING_ALL;
}

static size_t write_text(struct side *side, const struct side_proc *proc,
			 const struct diff_map *map, char *to)
{
	const struct text_rules rules = { what_counts(side), side->image_end, AGENT_SHARED_ADDR,
					  AGENT_SHARED_ADDR + AGENT_SHARED_BYTES, map->area,
					  map->nr };
	const struct start_state *start = side->start;
	struct mm_stats stats;
	size_t bytes;

	side->text_bytes = 0;
	if (mm_report_smaps(proc->mm, collect, side))
		defect("mm_report_smaps", 0);
	mm_get_stats(proc->mm, &stats);
	bytes = (size_t)snprintf(side->text + side->text_bytes, 200,
		"VmSize: %ld kB\nVmLck: %ld kB\nVmData: %ld kB\nVmStk: %ld kB\n",
		4 * ((long)stats.total_pages + start->adjust_total), 4 * (long)stats.locked_pages,
		4 * ((long)stats.data_pages + start->adjust_data),
		4 * ((long)stats.stack_pages + start->adjust_stack));
	bytes = text_condense(&rules, side->text, side->text_bytes + bytes, to, AGENT_TEXT_BYTES);
	if (side->memory.touch)
		bytes = memory_write_runs(side, proc, to, bytes, AGENT_TEXT_BYTES);
	return side->memory.files ? files_write_lines(side, to, bytes, AGENT_TEXT_BYTES) : bytes;
}

/* The map of @proc as it is now into the arena, unless it is the same as the last one. */
static uint32_t write_map(struct side *side, struct side_proc *proc, bool with_text)
{
	const struct diff_map *last = (const void *)&side->shared->arena[proc->map];
	struct diff_map *map = (void *)&side->shared->arena[side->arena_used];
	bool same;

	with_text = with_text && !proc->filled;
	see_map(side, proc);
	map->nr = proc->nr;
	map->text_bytes = 0;
	map->text_counts = what_counts(side);
	for (uint32_t i = 0; i < proc->nr; i++)
		map->area[i] = proc->area[i].seen;
	same = proc->map_written && last->nr == map->nr &&
		!memcmp(last->area, map->area, map->nr * sizeof(map->area[0]));
	if (same && !with_text)
		return proc->map;
	if (with_text)
		map->text_bytes = (uint32_t)write_text(side, proc, map,
						       (char *)&map->area[map->nr]);
	proc->map = (uint32_t)side->arena_used;
	proc->map_written = true;
	side->arena_used += (sizeof(*map) + map->nr * sizeof(map->area[0]) +
			     map->text_bytes + 7) / 8;
	return proc->map;
}

/* ---------------------------------------------------------------------------------- calls -- */

static long do_mmap(struct side *side, struct mm_user *mm, const uint64_t *a)
{
	return mm_mmap(mm, a[0], a[1], a[2], a[3],
		       a[4] < (uint64_t)side->files->nr ? side->file[a[4]] : NULL, a[5]);
}

static long do_process_madvise(struct side *side, struct side_proc *proc, const uint64_t *a)
{
	const struct mm_range ranges[2] = { { a[0], a[1] }, { a[2], a[3] } };

	const struct side_proc *of = side_target(side, proc, a[5]);

	return mm_process_madvise(of->mm, ranges, a[3] == ~0ul ? 1 : 2, (int)a[4],
				  (unsigned int)a[5] & 0xff, of == proc);
}

bool side_is_anonymous(const struct side *side, const struct side_area *area)
{
	const struct file_desc *zero = &side->files->file[FILE_ZERO_DEVICE].desc;

	return !(area->seen.prot & AREA_SHARED) &&
		(!area->seen.inode || area->seen.inode == zero->inode);
}

static long do_touch(struct side *side, const struct side_proc *proc, const uint64_t *a,
		     struct diff_call *out)
{
	static const enum mm_access access[] = { MM_ACCESS_READ, MM_ACCESS_WRITE, MM_ACCESS_EXEC };
	const struct side_area *area;
	enum mm_fault fault;

	if (!side->memory.touch &&
	    side_any_flag(proc, a[0] & ~(DIFF_PAGE - 1), DIFF_PAGE, VM_MAYBE_GUARD))
		out->judge |= JUDGE_GUARD;
	area = side_area_at(proc, a[0]);
	if (a[1] != TOUCH_WRITE && area && side_is_anonymous(side, area) &&
	    !side_in_huge_page(proc, area, a[0]))
		side->small_pages = true;
	fault = mm_touch(proc->mm, a[0], access[a[1]]);
	switch (fault) {
	case MM_FAULT_DONE:
		return TOUCH_DONE;
	case MM_FAULT_MAPERR:
		return TOUCH_MAPERR;
	case MM_FAULT_ACCERR:
		return TOUCH_ACCERR;
	case MM_FAULT_BUS:
		return TOUCH_BUS;
	default:
		defect("mm_touch", fault);
	}
}

/* As /dev/zero does: up to the first byte that is refused. */
static long zero_memory(struct mm_user *mm, uint64_t addr, uint64_t len)
{
	static const char zeros[64 * DIFF_PAGE];
	enum mm_fault fault = MM_FAULT_DONE;
	uint64_t done = 0;

	while (done < len && fault == MM_FAULT_DONE) {
		uint64_t left = len - done;

		done += mm_write(mm, addr + done, zeros,
				 left < sizeof(zeros) ? left : sizeof(zeros), &fault);
	}
	return done || !len ? (long)done : -EFAULT;
}

static long do_read_into(const struct side *side, struct mm_user *mm, const uint64_t *a,
			 struct diff_call *out)
{
	if (side->memory.touch)
		return zero_memory(mm, a[0], a[1]);
	out->judge |= JUDGE_LENGTH;
	if (mm_touch_range(mm, a[0], a[1], MM_ACCESS_WRITE) == MM_FAULT_DONE)
		return (long)a[1];
	return -1;
}

static long do_anon_name(struct mm_user *mm, const uint64_t *a)
{
	static const char *const names[] = { NULL, "one", "two", "bad\\name" };

	return mm_set_anon_name(mm, a[0], a[1], names[a[2] & 3]);
}

static long do_mlockall(struct side_proc *proc, int flags)
{
	long ret = mm_mlockall(proc->mm, flags);

	if (!ret)
		proc->mcl_future = flags & MCL_FUTURE;
	return ret;
}

static long do_fork(struct side *side, struct side_proc *proc, uint64_t to)
{
	struct side_proc *child = &side->proc[to];
	long ret = mm_fork(proc->mm, &child->mm);

	if (ret) {
		child->mm = NULL;
		return ret;
	}
	child->mcl_future = false;
	child->filled = false;
	child->map_written = false;
	memory_attach(side, child);
	return 0;
}

static long do_fill(struct side *side, struct side_proc *proc, struct diff_call *out)
{
	struct mm_stats stats;

	mm_get_stats(proc->mm, &stats);
	out->arg[1] = side->machine->config.max_map_count - out->arg[0] - stats.nr_areas;
	for (uint64_t i = 0; i < out->arg[1]; i++) {
		long ret = mm_mmap(proc->mm, AGENT_FILL_ADDR + 2 * i * DIFF_PAGE, DIFF_PAGE, 0,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, NULL,
				   0);

		if (ret < 0)
			return ret;
	}
	proc->filled = true;
	return 0;
}

static long do_other(struct side *side, struct side_proc *proc, struct diff_call *c)
{
	struct mm_user *mm = proc->mm;
	const uint64_t *a = c->arg;

	switch (c->op) {
	case OP_SHMAT:
		return mm_shmat(mm, side->segment[a[0]], a[1], (int)a[2]);
	case OP_SHMDT:
		return mm_shmdt(mm, a[0]);
	case OP_ANON_NAME:
		return do_anon_name(mm, a);
	case OP_THP_DISABLE:
		return mm_set_thp_disable(mm, a[0]);
	case OP_MEMORY_MERGE:
		return mm_set_memory_merge(mm, a[0]);
	case OP_BRK:
		return (long)mm_brk(mm, a[0]);
	case OP_SETRLIMIT:
		return mm_set_rlimit(mm, (enum mm_rlimit)a[0], a[1]);
	case OP_PERSONALITY:
		return mm_set_personality(mm, a[0] & MM_PERS_READ_IMPLIES_EXEC);
	case OP_TOUCH:
		return do_touch(side, proc, a, c);
	case OP_READ_INTO:
		return do_read_into(side, mm, a, c);
	case OP_LOAD:
	case OP_STORE:
		return memory_access(side, proc, c);
	case OP_PEEK:
	case OP_POKE:
		return memory_remote(side, c);
	case OP_TRUNCATE:
	case OP_PUNCH:
	case OP_FILE_READ:
	case OP_FILE_WRITE:
	case OP_FILE_SYNC:
	case OP_ADD_SEALS:
		return file_call(side, c);
	case OP_FORK:
		return do_fork(side, proc, a[0]);
	case OP_FILL:
		return do_fill(side, proc, c);
	case OP_MINCORE: {
		static unsigned char in_core[4096];

		return mm_mincore(mm, a[0], a[1], in_core);
	}
	case OP_REMAP_FILE_PAGES:
		return mm_remap_file_pages(mm, a[0], a[1], a[2], a[3], a[4]);
	default:
		return 0;
	}
}

/* Small pages become a huge one, if they are there. */
static uint8_t judge_advice(const struct side *side, const struct side_proc *proc, uint64_t addr,
			    uint64_t len, int advice)
{
	uint64_t end = addr + len < addr ? ~0ul : addr + len;

	if (advice != MADV_COLLAPSE || side->huge_pages)
		return 0;
	for (uint32_t i = 0; i < proc->nr; i++) {
		const struct diff_area *area = &proc->area[i].seen;

		if (area->inode && area->start < end && addr < area->end)
			return JUDGE_ANY;
	}
	return JUDGE_PAGES;
}

static long do_call(struct side *side, struct side_proc *proc, struct diff_call *c)
{
	struct mm_user *mm = proc->mm;
	const struct side_proc *of;
	const uint64_t *a = c->arg;

	switch (c->op) {
	case OP_MMAP:
		return do_mmap(side, mm, a);
	case OP_MUNMAP:
		return mm_munmap(mm, a[0], a[1]);
	case OP_MPROTECT:
		return mm_mprotect(mm, a[0], a[1], a[2]);
	case OP_PKEY_MPROTECT:
		return mm_pkey_mprotect(mm, a[0], a[1], a[2], (int)a[3]);
	case OP_MREMAP:
		return mm_mremap(mm, a[0], a[1], a[2], a[3], a[4]);
	case OP_MADVISE:
		c->judge |= judge_advice(side, proc, a[0], a[1], (int)a[2]);
		return mm_madvise(mm, a[0], a[1], (int)a[2]);
	case OP_PROCESS_MADVISE:
		of = side_target(side, proc, a[5]);
		c->judge |= judge_advice(side, of, a[0], a[1], (int)a[4]) |
			    judge_advice(side, of, a[2], a[3], (int)a[4]);
		return do_process_madvise(side, proc, a);
	case OP_MLOCK:
		return mm_mlock(mm, a[0], a[1]);
	case OP_MLOCK2:
		return mm_mlock2(mm, a[0], a[1], (int)a[2]);
	case OP_MUNLOCK:
		return mm_munlock(mm, a[0], a[1]);
	case OP_MLOCKALL:
		return do_mlockall(proc, (int)a[0]);
	case OP_MUNLOCKALL:
		proc->mcl_future = false;
		return mm_munlockall(mm);
	case OP_MSEAL:
		return mm_mseal(mm, a[0], a[1], a[2]);
	case OP_MSYNC:
		return mm_msync(mm, a[0], a[1], (int)a[2]);
	default:
		return do_other(side, proc, c);
	}
}

static bool room_for_more(const struct side *side)
{
	if (side->shared->nr_calls + 2 + AGENT_MAX_PROCS > AGENT_MAX_CALLS ||
	    side->arena_used + (2 + AGENT_MAX_PROCS) * MAP_MAX_UNITS > AGENT_ARENA_UNITS)
		return false;
	for (int i = 0; i < AGENT_MAX_PROCS; i++)
		if (side->proc[i].mm && side->proc[i].nr > AGENT_MAX_AREAS - 16)
			return false;
	return true;
}

static void append_check(struct side *side, unsigned int proc)
{
	struct diff_call *out = &side->shared->calls[side->shared->nr_calls++];

	*out = (struct diff_call){ .op = OP_CHECK, .proc = (uint8_t)proc, .text = 1 };
	out->map = write_map(side, &side->proc[proc], true);
}

static void note_wrong(struct side *side, const char *wrong)
{
	if (!wrong || side->broken)
		return;
	side->broken = true;
	snprintf(side->why, sizeof(side->why), "%s", wrong);
}

enum step side_step(struct side *side, const struct diff_call *call)
{
	struct side_proc *proc = &side->proc[call->proc];
	struct diff_call *out = &side->shared->calls[side->shared->nr_calls];

	if (!room_for_more(side))
		return STEP_FULL;
	if (!proc->mm || side_leaves_out(side, proc, call))
		return STEP_SKIPPED;
	*out = *call;
	out->judge = 0;
	out->value = 0;
	out->pages = (struct diff_pages){ 0 };
	side->shared->at = side->shared->nr_calls;
	if (call->op == OP_EXIT) {
		memory_detach(side, proc);
		mmput(proc->mm);
		proc->mm = NULL;
		side->shared->nr_calls++;
		return STEP_DONE;
	}
	side->small_pages |= side_fills(proc, call);
	side->lazily_freed |= side_frees_lazily(call);
	side->collapsed |= side_collapses(call);
	side->forked |= call->op == OP_FORK;
	side->unshared |= side->forked && call->op == OP_PEEK && call->arg[3] == REMOTE_PLAIN;
	out->result = do_call(side, proc, out);
	if (call->text && !side->broken)
		side->broken = mm_validate(proc->mm, side->why, sizeof(side->why));
	if (call->op == OP_MSYNC)
		note_wrong(side, files_synced(side, proc, out));
	out->map = write_map(side, proc, call->text);
	if (side->memory.touch)
		memory_see_pages(side, proc, out);
	side->shared->nr_calls++;
	if (call->op == OP_FORK && !out->result)
		append_check(side, (unsigned int)call->arg[0]);
	return STEP_DONE;
}

/* --------------------------------------------------------------------------- begin and end -- */

static void add_start_area(struct side *side, const struct start_area *area, uint32_t at)
{
	struct area_desc desc = area->desc;
	int ret;

	if (area->inode) {
		struct file_desc file = { .size = sizeof(file), .inode = area->inode,
			.dev_major = area->dev_major, .dev_minor = area->dev_minor,
			.flags = FILE_READ | FILE_WRITE | FILE_SHMEM | FILE_DELETED,
			.name = area->name, .size_bytes = AGENT_SHARED_BYTES };

		desc.file = side->start_file[at] = make_file(side, &file);
	}
	ret = mm_add_area(side->proc[0].mm, &desc);
	if (ret)
		defect("mm_add_area", ret);
	/* What exec() wrote on the stack the agent has cleared. */
	if (side->memory.touch && desc.touched && !area->inode && (desc.flags & VM_GROWSDOWN))
		zero_memory(side->proc[0].mm, side->start->config.start_stack,
			    desc.end - side->start->config.start_stack);
}

static void find_device(struct side *side)
{
	for (int i = 0; i < side->files->nr; i++) {
		const struct test_file *file = &side->files->file[i];
		uint32_t dev = file->desc.dev_major << 20 | file->desc.dev_minor;

		/* A memfd, and on no mount of somebody's. */
		if (file->label && file->anew)
			side->shmem_dev = dev;
	}
}

void side_begin(struct side *side, const struct start_state *start)
{
	struct mm_config config = start->config;
	int ret;

	side->start = start;
	side->image_start = start->image_start;
	side->image_end = (start->config.start_brk + DIFF_PAGE - 1) & ~(DIFF_PAGE - 1);
	side->arena_used = 0;
	side->shared->own_end = side->image_end;
	side->shared->whole_files = side->memory.files ? files_compared(side->files) : 0;
	side->small_pages = false;
	side->lazily_freed = false;
	side->collapsed = false;
	side->forked = side->unshared = false;
	side->broken = false;
	side->shared->nr_calls = 0;
	side->nr_lasting = side->nr_known;
	find_device(side);
	for (int i = 0; i < side->files->nr; i++) {
		if (side->files->file[i].label && side->files->file[i].anew)
			open_file(side, i);
		if (side->file[i])
			file_set_size(side->file[i], side->files->file[i].desc.size_bytes);
	}
	for (int i = 0; i < AGENT_MAX_PROCS; i++) {
		side->proc[i].mm = NULL;
		side->proc[i].mcl_future = false;
		side->proc[i].filled = false;
		side->proc[i].map_written = false;
	}
	if (side->memory.touch)
		memory_reset_files(side);
	config.levels = side->memory.levels;
	ret = mm_create(side->instance, &config, &side->proc[0].mm);
	if (ret)
		defect("mm_create", ret);
	for (uint32_t i = 0; i < start->nr_areas; i++)
		add_start_area(side, &start->area[i], i);
	memory_attach(side, &side->proc[0]);
	append_check(side, 0);
}

void side_finish(struct side *side)
{
	for (unsigned int i = 0; i < AGENT_MAX_PROCS; i++)
		if (side->proc[i].mm)
			append_check(side, i);
}

const char *side_end(struct side *side)
{
	const char *wrong = side->broken ? side->why : NULL;
	long committed;

	/* While they are mapped: what allows stores is to be known. */
	if (!wrong)
		wrong = files_written_back(side);
	for (int i = 0; i < AGENT_MAX_PROCS; i++) {
		struct side_proc *proc = &side->proc[i];

		if (!proc->mm)
			continue;
		if (!wrong && mm_validate(proc->mm, side->why, sizeof(side->why)))
			wrong = side->why;
		memory_detach(side, proc);
		mmput(proc->mm);
		proc->mm = NULL;
	}
	drop_objects(side);
	for (int i = 0; i < side->files->nr; i++)
		if (side->file[i] && side->files->file[i].anew) {
			file_put(side->file[i]);
			side->file[i] = NULL;
		}
	for (uint32_t i = 0; i < side->start->nr_areas; i++)
		if (side->start_file[i]) {
			file_put(side->start_file[i]);
			side->start_file[i] = NULL;
		}
	side->nr_known = side->nr_lasting;
	if (side->memory.touch && !wrong &&
	    vmarea_validate(side->instance, side->why, sizeof(side->why)))
		wrong = side->why;
	committed = (long)vmarea_committed_pages(side->instance);
	if (committed && !wrong) {
		snprintf(side->why, sizeof(side->why),
			 "%ld pages are promised when all address spaces are gone", committed);
		wrong = side->why;
	}
	return wrong;
}
