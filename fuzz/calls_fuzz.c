/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory calls on the library and on the model, side by side.
 *
 *	bytes -> calls.c -> each call on the library -> its result --\
 *	                    the same on the model    -> its result ---> equal?
 *	                    the areas, page by page, the totals, the walker, a question or two
 *
 * A difference prints the calls so far, both maps, and aborts.
 *
 * Where the head of an input says so, an allocation inside a call fails (debug builds).  Then the
 * call may fail, and if it does nothing may have changed; what it changes if it gets through
 * anyway is what it always does.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmarea/debug.h>

#include "calls.h"
#include "fuzz.h"
#include "model.h"
#include "port/port.h"

struct world {
	struct vmarea *vmarea;
	struct mm_config config;
	struct mm_user *mm[MAX_MMS];	/* NULL: no such process */
	struct model model[MAX_MMS];
	struct model_world objects;
	struct file *file[MODEL_OBJECTS];	/* by object; NULL: not seen yet, or gone */
	long nr_owned;			/* areas that the driver of "owned" has been told of */

	struct setup setup;
	const uint8_t *input;
	size_t nr_calls;		/* made so far, the last one included */
	long result[MAX_CALLS];
	unsigned int made_by[MAX_CALLS];	/* mm; the first, if there is none as asked */
};

/* -------------------------------------------------------------- differences -- */

static void print_map(FILE *to, const struct model *m)
{
	for (unsigned long i = 0; i < MODEL_PAGES; i++) {
		const struct model_page *p = &m->page[i];
		char letters[128];

		if (!p->mapped)
			continue;
		vm_flags_format(p->flags, letters);
		fprintf(to, "  page %2lu%s object %u pgoff %lu name %u%s%s: %s\n", i,
			p->joined ? " |" : "  ", p->object, p->pgoff, p->name,
			p->touched ? " touched" : "", p->open ? " (open)" : "", letters);
	}
}

static int print_area(const struct area_info *info, void *to)
{
	char letters[128];

	vm_flags_format(info->flags, letters);
	fprintf(to, "  [%2lu..%2lu) file %p pgoff %lu name \"%s\": %s\n", info->start / PAGE,
		info->end / PAGE, (void *)info->file, info->pgoff, info->name, letters);
	return 0;
}

static void print_calls(FILE *to, const struct world *w)
{
	fprintf(to, "machine of %lu pages%s%s, capabilities %u\n", MODEL_PAGES,
		w->setup.bottom_up ? ", bottom-up" : "",
		w->setup.failures ? ", some allocations fail" : "", w->setup.caps);
	for (size_t i = 0; i < w->nr_calls; i++) {
		struct call call;

		decode_call(w->input + HEAD_BYTES + i * CALL_BYTES, &w->setup, &call);
		call.mm = w->made_by[i];
		fprintf(to, "%4zu  ", i);
		print_call(to, &call);
		fprintf(to, " = %s0x%lx\n", w->result[i] < 0 ? "-" : "",
			w->result[i] < 0 ? -(unsigned long)w->result[i] :
					   (unsigned long)w->result[i]);
	}
}

static void __attribute__((noreturn, format(printf, 3, 4)))
differ(struct world *w, unsigned int mm, const char *fmt, ...)
{
	va_list args;

	port_fail_nth(0);
	print_calls(stderr, w);
	if (w->mm[mm]) {
		fprintf(stderr, "the library's m%u:\n", mm);
		(void)mm_for_each_area(w->mm[mm], 0, ~0ul, print_area, stderr);
		fprintf(stderr, "the model's m%u:\n", mm);
		print_map(stderr, &w->model[mm]);
	}
	fputs("DIFFERENCE: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* ---------------------------------------------------------------- comparing -- */

/* What is wrong, or "". */
struct finding {
	char text[256];
};

struct walk {
	struct world *w;
	struct model *m;
	struct finding *found;
	unsigned long next;		/* page */
	unsigned long nr_areas;
};

#define WRONG(f, ...)	(snprintf((f)->text, sizeof((f)->text), __VA_ARGS__), -1)

static const char *const names[4] = { NULL, "one", "two", "three words" };

/* An object of the model and a file of the library stand for one another. */
static bool is_same_object(struct world *w, unsigned int object, struct file *file)
{
	if (!object || !file)
		return !object && !file;
	if (w->file[object])
		return w->file[object] == file;
	for (unsigned int i = 1; i < w->objects.nr_objects; i++)
		if (w->file[i] == file)
			return false;
	w->file[object] = file;
	return true;
}

static void name_of(const struct model *m, const struct model_page *p,
		    const struct area_info *info, char name[96])
{
	*name = '\0';
	if (!p->object && info->start < m->brk && info->end > m->start_brk)
		strcpy(name, "[heap]");
	else if (!p->object && info->end == MODEL_PAGES * PAGE)
		strcpy(name, "[stack]");
	else if (p->name)
		sprintf(name, p->object ? "[anon_shmem:%s]" : "[anon:%s]", names[p->name]);
}

static int compare_page(struct walk *walk, const struct area_info *info, unsigned long i)
{
	struct model_page *p = &walk->m->page[i];
	vm_flags_t differ = (p->flags ^ info->flags) & ~p->open;
	unsigned long pgoff = info->pgoff + (i - info->start / PAGE);
	char name[96], letters[128];

	if (!p->mapped)
		return WRONG(walk->found, "page %lu is mapped, and should not be", i);
	/* Guards mark all of an area: the library may have more of them. */
	if (info->flags & VM_MAYBE_GUARD)
		differ &= ~VM_MAYBE_GUARD;
	if (differ) {
		vm_flags_format(differ, letters);
		return WRONG(walk->found, "page %lu: flags differ in %s(0x%llx)", i, letters,
			     (unsigned long long)differ);
	}
	if (!is_same_object(walk->w, p->object, info->file))
		return WRONG(walk->found, "page %lu is of another file", i);
	if (!model_is_anon(walk->m, p) && p->pgoff != pgoff)
		return WRONG(walk->found, "page %lu: offset %lu, should be %lu", i, pgoff,
			     p->pgoff);
	name_of(walk->m, p, info, name);
	if (strcmp(name, info->name))
		return WRONG(walk->found, "page %lu: name \"%s\", should be \"%s\"", i,
			     info->name, name);
	/* What is observed. */
	p->flags = info->flags;
	p->open = 0;
	p->pgoff = pgoff;
	p->joined = i * PAGE != info->start;
	return 0;
}

static int compare_area(const struct area_info *info, void *arg)
{
	struct walk *walk = arg;
	unsigned long start = info->start / PAGE, end = info->end / PAGE;

	walk->nr_areas++;
	if (info->start % PAGE || info->end % PAGE || start >= end || end > MODEL_PAGES ||
	    start < walk->next)
		return WRONG(walk->found, "an area [%lx..%lx)", info->start, info->end);
	for (unsigned long i = walk->next; i < start; i++)
		if (walk->m->page[i].mapped)
			return WRONG(walk->found, "page %lu is not mapped, and should be", i);
	for (unsigned long i = start; i < end; i++)
		if (compare_page(walk, info, i))
			return -1;
	walk->next = end;
	return 0;
}

static int compare_totals(struct world *w, unsigned int mm, unsigned long nr_areas,
			  struct finding *found)
{
	static const char *const total_names[NR_TOTALS] = {
		"all", "data", "executable", "stack", "locked",
	};
	struct model *m = &w->model[mm];
	struct mm_stats s;
	unsigned long theirs[NR_TOTALS], pages[NR_TOTALS];

	mm_get_stats(w->mm[mm], &s);
	memcpy(theirs, (unsigned long[]){ s.total_pages, s.data_pages, s.exec_pages, s.stack_pages,
					  s.locked_pages }, sizeof(theirs));
	for (int i = 0; i < NR_TOTALS; i++)
		pages[i] = model_total(m, (enum model_total)i);
	if (m->stray_open && theirs[TOTAL_LOCKED] >= pages[TOTAL_LOCKED]) {
		m->stray += theirs[TOTAL_LOCKED] - pages[TOTAL_LOCKED];
		pages[TOTAL_LOCKED] = theirs[TOTAL_LOCKED];
	}
	m->stray_open = false;
	for (int i = 0; i < NR_TOTALS; i++)
		if (theirs[i] != pages[i])
			return WRONG(found, "%lu %s pages, should be %lu", theirs[i],
				     total_names[i], pages[i]);
	if (s.brk != m->brk || s.start_brk != m->start_brk)
		return WRONG(found, "break 0x%lx, should be 0x%lx", s.brk, m->brk);
	if (s.nr_areas != nr_areas)
		return WRONG(found, "%lu areas, should be %lu", s.nr_areas, nr_areas);
	return 0;
}

/* The library's mm against the model's; what is observed is taken over. */
static int compare_mm(struct world *w, unsigned int mm, struct finding *found)
{
	struct walk walk = { .w = w, .m = &w->model[mm], .found = found };
	int error;

	found->text[0] = '\0';
	if (mm_validate(w->mm[mm], found->text, sizeof(found->text)))
		return -1;
	error = mm_for_each_area(w->mm[mm], 0, ~0ul, compare_area, &walk);
	if (error)
		return found->text[0] ? error : WRONG(found, "mm_for_each_area: %d", error);
	for (unsigned long i = walk.next; i < MODEL_PAGES; i++)
		if (w->model[mm].page[i].mapped)
			return WRONG(found, "page %lu is not mapped, and should be", i);
	return compare_totals(w, mm, walk.nr_areas, found);
}

/* Promised memory, and what drivers were told, are of the whole machine. */
static int compare_machine(struct world *w, struct finding *found)
{
	unsigned long promised = 0;
	long nr_owned = 0;
	bool alive[MODEL_OBJECTS] = { false };

	for (unsigned int mm = 0; mm < MAX_MMS; mm++) {
		for (unsigned long i = 0; w->mm[mm] && i < MODEL_PAGES; i++) {
			const struct model_page *p = &w->model[mm].page[i];

			alive[p->object] |= p->mapped;
			promised += p->mapped && p->flags & VM_ACCOUNT;
			nr_owned += p->mapped && p->object == FILE_OWNED && !p->joined;
		}
	}
	for (unsigned int i = NR_TEST_FILES; i < w->objects.nr_objects; i++) {
		promised += alive[i] ? w->objects.object[i].promised : 0;
		if (!alive[i])
			w->file[i] = NULL;
	}
	if (vmarea_committed_pages(w->vmarea) != promised)
		return WRONG(found, "%lu pages promised, should be %lu",
			     vmarea_committed_pages(w->vmarea), promised);
	if (w->nr_owned != nr_owned)
		return WRONG(found, "the driver knows of %ld areas, there are %ld", w->nr_owned,
			     nr_owned);
	return 0;
}

/* The questions that take no lock. */
static void ask(struct world *w, const struct call *call)
{
	struct model *m = &w->model[call->mm];
	unsigned long page = call->check[0] % MODEL_PAGES, nr = call->check[1] % 8;
	unsigned long addr = page * PAGE + call->check[1], len = nr * PAGE + (call->check[0] & 15);
	unsigned long prot = call->check[1] / 8 % 8, first = model_next(m, page);
	struct area_info info;
	bool found;

	if (mm_range_ok(w->mm[call->mm], addr, len, prot) != model_range_ok(m, addr, len, prot))
		differ(w, call->mm, "mm_range_ok(0x%lx, 0x%lx, %lu) is %d", addr, len, prot,
		       !model_range_ok(m, addr, len, prot));
	found = !mm_query_next(w->mm[call->mm], page * PAGE, &info);
	if (found != (first < MODEL_PAGES))
		differ(w, call->mm, "mm_query_next(page %lu) is wrong", page);
	if (found) {
		if (info.start / PAGE != model_area_start(m, first) ||
		    info.end / PAGE != model_area_end(m, first) ||
		    info.flags != m->page[first].flags ||
		    info.pgoff + (first - info.start / PAGE) != m->page[first].pgoff)
			differ(w, call->mm, "mm_query_next(page %lu): [%lx..%lx)", page, info.start,
			       info.end);
		area_info_put(&info);
	}
	found = !mm_query(w->mm[call->mm], page * PAGE, &info);
	if (found != !!model_at(m, page))
		differ(w, call->mm, "mm_query(page %lu) is wrong", page);
	if (found)
		area_info_put(&info);
}

/* -------------------------------------------------------------------- calls -- */

/* fork() goes where nobody is; MAX_MMS: there is no room. */
static unsigned int free_slot(const struct world *w)
{
	unsigned int i = 0;

	while (i < MAX_MMS && w->mm[i])
		i++;
	return i;
}

static long call_fork(struct world *w, struct mm_user *mm)
{
	unsigned int slot = free_slot(w);

	return slot < MAX_MMS ? mm_fork(mm, &w->mm[slot]) : 0;
}

static long call_mincore(struct mm_user *mm, const unsigned long *a)
{
	unsigned char vec[MODEL_PAGES + 1];
	unsigned long nr = a[1] / PAGE + 1;
	long result;

	memset(vec, 7, sizeof(vec));
	result = mm_mincore(mm, a[0], a[1], nr <= MODEL_PAGES ? vec : NULL);
	for (unsigned long i = 0; !result && i < (a[1] + PAGE - 1) / PAGE && i < nr; i++)
		if (vec[i] && nr <= MODEL_PAGES)
			return 1;
	return result;
}

#ifdef FUZZ_CANARY
/* The defect that has to be found: if an area ends with the range, its last page is forgotten. */
static long canary_mprotect(struct mm_user *mm, unsigned long addr, unsigned long len,
			    unsigned long prot)
{
	struct area_info info;
	bool ends = false;

	if (len >= 2 * PAGE && len % PAGE == 0 && !mm_query(mm, addr, &info)) {
		ends = info.end == addr + len;
		area_info_put(&info);
	}
	return mm_mprotect(mm, addr, ends ? len - PAGE : len, prot);
}
# define mm_mprotect	canary_mprotect
#endif

static long call_library(struct world *w, const struct call *c)
{
	struct mm_user *mm = w->mm[c->mm];
	const unsigned long *a = c->arg;
	const struct mm_range ranges[2] = { { a[0], a[1] }, { a[2], a[3] } };

	switch (c->op) {
	case OP_MMAP: return mm_mmap(mm, a[0], a[1], a[2], a[3], w->file[a[4]], a[5]);
	case OP_MUNMAP: return mm_munmap(mm, a[0], a[1]);
	case OP_MPROTECT: return mm_mprotect(mm, a[0], a[1], a[2]);
	case OP_MREMAP: return mm_mremap(mm, a[0], a[1], a[2], a[3], a[4]);
	case OP_MADVISE: return mm_madvise(mm, a[0], a[1], (int)a[2]);
	case OP_PROCESS_MADVISE:
		return mm_process_madvise(mm, ranges, a[5] & 2 ? 1 : 2, (int)a[4], 0, a[5] & 1);
	case OP_BRK: return (long)mm_brk(mm, a[0]);
	case OP_MLOCK:
		return a[2] ? mm_mlock2(mm, a[0], a[1], (int)a[2]) : mm_mlock(mm, a[0], a[1]);
	case OP_MUNLOCK: return mm_munlock(mm, a[0], a[1]);
	case OP_MLOCKALL: return mm_mlockall(mm, (int)a[0]);
	case OP_MUNLOCKALL: return mm_munlockall(mm);
	case OP_MSEAL: return mm_mseal(mm, a[0], a[1], a[2]);
	case OP_MSYNC: return mm_msync(mm, a[0], a[1], (int)a[2]);
	case OP_MINCORE: return call_mincore(mm, a);
	case OP_TOUCH: return (long)mm_touch_range(mm, a[0], a[1], (enum mm_access)a[2]);
	case OP_REMAP_FILE_PAGES: return mm_remap_file_pages(mm, a[0], a[1], a[2], a[3], a[4]);
	case OP_SHMAT: return mm_shmat(mm, w->file[FILE_SEGMENT], a[0], (int)a[1]);
	case OP_SHMDT: return mm_shmdt(mm, a[0]);
	case OP_NAME: return mm_set_anon_name(mm, a[0], a[1], names[a[2]]);
	case OP_MEMORY_MERGE: return mm_set_memory_merge(mm, a[0]);
	case OP_LIMIT: return mm_set_rlimit(mm, (enum mm_rlimit)a[0], a[1]);
	case OP_CAPS: return mm_set_caps(mm, (unsigned int)a[0]);
	case OP_PERSONALITY: return mm_set_personality(mm, (unsigned int)a[0]);
	case OP_FORK: return call_fork(w, mm);
	case OP_EXEC: return mm_exec(mm, &w->config);
	case OP_EXIT: case NR_OPS: break;
	}
	if (c->mm) {
		mmput(mm);
		w->mm[c->mm] = NULL;
	}
	return 0;
}

static long call_model(struct world *w, const struct call *c)
{
	struct model *m = &w->model[c->mm];
	const unsigned long *a = c->arg;
	const struct mm_range ranges[2] = { { a[0], a[1] }, { a[2], a[3] } };
	unsigned int slot;

	switch (c->op) {
	case OP_MMAP: return model_mmap(m, a[0], a[1], a[2], a[3], (unsigned int)a[4], a[5]);
	case OP_MUNMAP: return model_munmap(m, a[0], a[1]);
	case OP_MPROTECT: return model_mprotect(m, a[0], a[1], a[2]);
	case OP_MREMAP: return model_mremap(m, a[0], a[1], a[2], a[3], a[4]);
	case OP_MADVISE: return model_madvise(m, a[0], a[1], (int)a[2]);
	case OP_PROCESS_MADVISE:
		return model_process_madvise(m, ranges, a[5] & 2 ? 1 : 2, (int)a[4], 0, a[5] & 1);
	case OP_BRK: return (long)model_brk(m, a[0]);
	case OP_MLOCK: return model_mlock(m, a[0], a[1], (int)a[2]);
	case OP_MUNLOCK: return model_munlock(m, a[0], a[1]);
	case OP_MLOCKALL: return model_mlockall(m, (int)a[0]);
	case OP_MUNLOCKALL:
		model_munlockall(m);
		return 0;
	case OP_MSEAL: return model_mseal(m, a[0], a[1], a[2]);
	case OP_MSYNC: return model_msync(m, a[0], a[1], (int)a[2]);
	case OP_MINCORE: return model_mincore(m, a[0], a[1]);
	case OP_TOUCH: return (long)model_touch(m, a[0], a[1], (enum mm_access)a[2]);
	case OP_REMAP_FILE_PAGES: return model_remap_file_pages(m, a[0], a[1], a[2], a[3], a[4]);
	case OP_SHMAT: return model_shmat(m, FILE_SEGMENT, a[0], (int)a[1]);
	case OP_SHMDT: return model_shmdt(m, a[0]);
	case OP_NAME: return model_set_name(m, a[0], a[1], (unsigned int)a[2]);
	case OP_MEMORY_MERGE:
		model_set_memory_merge(m, a[0]);
		return 0;
	case OP_LIMIT:
		m->rlimit[a[0]] = a[1];
		return 0;
	case OP_CAPS:
		m->caps = (unsigned int)a[0];
		return 0;
	case OP_PERSONALITY:
		m->personality = (unsigned int)a[0];
		return 0;
	case OP_FORK:
		slot = free_slot(w);
		if (slot < MAX_MMS)
			model_fork(m, &w->model[slot]);
		return 0;
	case OP_EXEC:
		model_exec(m);
		return 0;
	case OP_EXIT: case NR_OPS: break;
	}
	return 0;
}

/* Does the result say that memory was wanting? */
static bool is_out_of_memory(const struct call *c, long result, unsigned long old_brk)
{
	switch (c->op) {
	case OP_BRK: return (unsigned long)result == old_brk;
	case OP_TOUCH: return result == MM_FAULT_OOM;
	case OP_MLOCK: return result == -ENOMEM || result == -EAGAIN;
	default: return result == -ENOMEM;
	}
}

/* The model makes the call first: it has to know where a fork will go. */
static void run_call(struct world *w, const struct call *c)
{
	static struct model before;
	const unsigned int nr_objects = w->objects.nr_objects;
	struct model *m = &w->model[c->mm];
	struct finding found = { "" }, first;
	long ours, theirs;
	bool fired, failed;
	unsigned long count;

	before = *m;
	ours = call_model(w, c);
	count = port_alloc_count();
	port_fail_nth(c->fail);
	theirs = call_library(w, c);
	port_fail_nth(0);
	fired = c->fail && port_alloc_count() - count >= c->fail;
	failed = fired && is_out_of_memory(c, theirs, before.brk);
	w->result[w->nr_calls - 1] = theirs;
	if (!w->mm[c->mm])
		return;
	if (theirs == ours && !compare_mm(w, c->mm, &found)) {
		/*
		 * A hole makes naming -ENOMEM, too, and "[heap]" or "[stack]" hides whether the area
		 * got its name: once more, with memory, and it has it.
		 */
		if (failed && c->op == OP_NAME &&
		    (call_library(w, c) != ours || compare_mm(w, c->mm, &found)))
			differ(w, c->mm, "the second time: %s", found.text);
		/* Populating may have failed, and nobody is told. */
		for (unsigned long i = 0; fired && i < MODEL_PAGES; i++)
			m->page[i].touched = false;
		return;
	}
	if (!failed && theirs != ours)
		differ(w, c->mm, "the result is %ld, should be %ld", theirs, ours);
	if (!failed)
		differ(w, c->mm, "%s", found.text);
	/* Nothing may have changed. */
	first = found;
	*m = before;
	w->objects.nr_objects = nr_objects;
	if (compare_mm(w, c->mm, &found))
		differ(w, c->mm, "after a failure: %s; as if it had not failed: %s", found.text,
		       first.text);
}

/* -------------------------------------------------------------------- world -- */

static int hooked_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int hooked_mmap(struct file *file, struct vma_new *vma)
{
	vm_flags_set(vma, VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static int mixed_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int mixed_mmap(struct file *file, struct vma_new *vma)
{
	return vma_set_mixedmap(vma) ? 0 : -EINVAL;
}

static void owned_open(struct vma_mut *vma)
{
	((struct world *)vma_private_data(vma))->nr_owned++;
}

static void owned_close(struct vma_mut *vma)
{
	((struct world *)vma_private_data(vma))->nr_owned--;
}

static const struct vm_operations_struct owned_ops = { .open = owned_open, .close = owned_close };

static int owned_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int owned_mmap(struct file *file, struct vma_new *vma)
{
	struct world *w = file_private_data(file);

	vma_set_owner(vma, &owned_ops, w);
	w->nr_owned++;
	return 0;
}

static const struct file_operations hooked_file = { .owner = "hooked", .mmap = hooked_mmap };
static const struct file_operations mixed_file = { .owner = "mixed", .mmap = mixed_mmap };
static const struct file_operations owned_file = { .owner = "owned", .mmap = owned_mmap };
static const struct file_operations unmappable_file = { .owner = "unmappable" };

static void make_file(struct world *w, enum test_file which)
{
	static const struct {
		unsigned int flags;
		unsigned long size;
		const struct file_operations *ops;
	} files[NR_TEST_FILES] = {
		[FILE_PLAIN] = { FILE_READ | FILE_WRITE, 12 },
		[FILE_READ_ONLY] = { FILE_READ, 40 },
		[FILE_MEMFD] = { FILE_READ | FILE_WRITE | FILE_SHMEM | FILE_DELETED, 10 },
		[FILE_ZERO] = { FILE_READ | FILE_WRITE | FILE_DEV_ZERO, 0 },
		[FILE_NO_EXEC] = { FILE_READ | FILE_WRITE | FILE_NOEXEC, 40 },
		[FILE_WRITE_ONLY] = { FILE_WRITE, 40 },
		[FILE_APPEND] = { FILE_READ | FILE_WRITE | FILE_APPEND_ONLY, 40 },
		[FILE_SEALED] = { FILE_READ | FILE_WRITE | FILE_SHMEM | FILE_DELETED |
				  FILE_SEAL_WRITE, 40 },
		[FILE_HOOKED] = { FILE_READ | FILE_WRITE, 8, &hooked_file },
		[FILE_MIXED] = { FILE_READ | FILE_WRITE, 8, &mixed_file },
		[FILE_OWNED] = { FILE_READ | FILE_WRITE, 8, &owned_file },
		[FILE_UNMAPPABLE] = { FILE_READ | FILE_WRITE, 8, &unmappable_file },
		[FILE_SEGMENT] = { FILE_READ | FILE_WRITE | FILE_SHMEM | FILE_DELETED, 3 },
	};
	const struct file_desc desc = {
		.size = sizeof(desc), .ops = files[which].ops, .private_data = w,
		.name = test_file_names[which], .inode = which, .flags = files[which].flags,
		.size_bytes = files[which].size * PAGE,
	};

	if (file_create(w->vmarea, &desc, &w->file[which]))
		abort();
	w->objects.object[which] = (struct model_object){
		.flags = desc.flags, .size = files[which].size, .own_ops = which == FILE_OWNED,
		.unmappable = which == FILE_UNMAPPABLE,
		.sets = which == FILE_HOOKED ? VM_IO | VM_DONTEXPAND | VM_DONTDUMP :
			which == FILE_MIXED ? VM_MIXEDMAP : 0,
	};
}

static void open_world(struct world *w)
{
	struct vmarea_config machine = VMAREA_CONFIG_INIT;
	struct model *m = &w->model[0];

	machine.mmap_min_addr = MODEL_MIN * PAGE;
	machine.lsm_mmap_min_addr = MODEL_LOWEST * PAGE;
	machine.stack_guard_gap_pages = MODEL_GAP;
	if (vmarea_create(&machine, &w->vmarea))
		abort();
	for (int i = FILE_PLAIN; i < NR_TEST_FILES; i++)
		make_file(w, (enum test_file)i);
	w->objects.nr_objects = NR_TEST_FILES;
	w->config = (struct mm_config)MM_CONFIG_INIT;
	w->config.task_size = w->config.start_stack = MODEL_PAGES * PAGE;
	w->config.mmap_base = MODEL_TOP * PAGE;
	w->config.mmap_legacy_base = MODEL_LEGACY * PAGE;
	w->config.start_brk = w->config.brk = MODEL_BRK * PAGE;
	w->config.bottom_up = w->setup.bottom_up;
	w->config.caps = w->setup.caps;
	w->config.rlimit[MM_RLIMIT_MEMLOCK] = 16 * PAGE;
	w->config.rlimit[MM_RLIMIT_STACK] = 16 * PAGE;
	if (mm_create(w->vmarea, &w->config, &w->mm[0]))
		abort();
	*m = (struct model){
		.world = &w->objects, .start_brk = w->config.brk, .brk = w->config.brk,
		.caps = w->config.caps, .bottom_up = w->config.bottom_up,
	};
	memcpy(m->rlimit, w->config.rlimit, sizeof(m->rlimit));
}

/* Nothing stays behind. */
static void close_world(struct world *w)
{
	for (unsigned int i = 0; i < MAX_MMS; i++) {
		if (w->mm[i])
			mmput(w->mm[i]);
		w->mm[i] = NULL;
	}
	if (vmarea_committed_pages(w->vmarea))
		differ(w, 0, "%lu pages are promised to nobody", vmarea_committed_pages(w->vmarea));
	if (w->nr_owned)
		differ(w, 0, "the driver knows of %ld areas that are gone", w->nr_owned);
	for (int i = FILE_PLAIN; i < NR_TEST_FILES; i++)
		file_put(w->file[i]);
	vmarea_destroy(w->vmarea);
	if (port_live_allocs())
		differ(w, 0, "%ld allocations are left", port_live_allocs());
}

static void compare_all(struct world *w)
{
	struct finding found = { "" };

	for (unsigned int i = 0; i < MAX_MMS; i++)
		if (w->mm[i] && compare_mm(w, i, &found))
			differ(w, i, "%s", found.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct world *w = &world;
	size_t nr = size < HEAD_BYTES ? 0 : (size - HEAD_BYTES) / CALL_BYTES;
	struct finding found = { "" };

	if (!nr)
		return 0;
	*w = (struct world){ .input = data };
	decode_setup(data, &w->setup);
	open_world(w);
	for (size_t i = 0; i < nr && i < MAX_CALLS; i++) {
		struct call call;

		decode_call(data + HEAD_BYTES + i * CALL_BYTES, &w->setup, &call);
		if (!w->mm[call.mm])
			call.mm = 0;
		w->made_by[i] = call.mm;
		w->nr_calls = i + 1;
		run_call(w, &call);
		/* A fork write-locks its parent and copies it: is the child what it should be? */
		if (call.op == OP_FORK || i % 16 == 15)
			compare_all(w);
		if (compare_machine(w, &found))
			differ(w, call.mm, "%s", found.text);
		if (w->mm[call.mm])
			ask(w, &call);
	}
	compare_all(w);
	close_world(w);
	return 0;
}
