/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "frames.h"

#include "base/atomic.h"
#include "mm/mm.h"
#include "vma/instance.h"

struct world w;

/* --------------------------------------------------------------- driver -- */

/* A driver may need memory in any hook that can say so. */
static int hook_allocates(unsigned int hook)
{
	struct page *page;

	if (!(w.allocating & hook))
		return 0;
	page = alloc_page(w.v);
	if (!page)
		return -ENOMEM;
	__free_page(page);
	return 0;
}

static void device_open(struct vma_mut *vma)
{
	atomic_add_relaxed(&w.nr_open, 1);
}

static void device_close(struct vma_mut *vma)
{
	atomic_sub_relaxed(&w.nr_open, 1);
}

static int device_may_split(struct vma_ref *vma, unsigned long addr)
{
	return hook_allocates(HOOK_MAY_SPLIT);
}

static int device_mremap(struct vma_mut *vma)
{
	int err = hook_allocates(HOOK_MREMAP);

	return err ? err : w.refuse_mremap;
}

static int device_mprotect(struct vma_mut *vma, unsigned long start, unsigned long end,
			   vm_flags_t newflags)
{
	return hook_allocates(HOOK_MPROTECT);
}

static const struct vm_operations_struct device_vm_ops = {
	.open = device_open,
	.close = device_close,
	.may_split = device_may_split,
	.mremap = device_mremap,
	.mprotect = device_mprotect,
};

static int device_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	int err = hook_allocates(HOOK_MMAP);

	if (err)
		return err;
	vma_set_owner(vma, &device_vm_ops, &w);
	atomic_add_relaxed(&w.nr_open, 1);
	return 0;
}

/* On whatever thread drops the last reference: no memory is no news to a driver. */
static void make_and_drop_a_space(void)
{
	const struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *mm;

	if (mm_create(w.v, &config, &mm))
		return;
	mm_mmap(mm, AT(0), 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0);
	mm_mprotect(mm, AT(1), PAGE, PROT_READ);
	mm_touch(mm, AT(0), MM_ACCESS_WRITE);
	mmput(mm);
}

static void device_release(struct file *file)
{
	w.nr_released++;
	if (w.release_works)
		make_and_drop_a_space();
}

static const struct file_operations device_ops = {
	.owner = "device", .mmap = device_mmap, .release = device_release,
};

/* --------------------------------------------------------------- making -- */

static struct file *make_file(const char *name, unsigned int flags, uint64_t bytes,
			      const struct file_operations *ops)
{
	const struct file_desc desc = {
		.size = sizeof(desc), .name = name, .inode = 1, .ops = ops,
		.flags = FILE_READ | FILE_WRITE | flags, .size_bytes = bytes,
	};
	struct file *file;

	assert_int_equal(file_create(w.v, &desc, &file), 0);
	return file;
}

static void must_map_at(unsigned long addr, unsigned long bytes, unsigned long prot,
			unsigned long flags, struct file *file, unsigned long offset)
{
	assert_int_equal(mm_mmap(w.mm, addr, bytes, prot, flags | MAP_FIXED, file, offset), addr);
}

static void must_map(unsigned long page, unsigned long nr, unsigned long prot,
		     unsigned long flags, struct file *file)
{
	must_map_at(AT(page), nr * PAGE, prot, flags, file, file ? page * PAGE : 0);
}

static void must_touch(unsigned long page)
{
	assert_int_equal(mm_touch(w.mm, AT(page), MM_ACCESS_WRITE), MM_FAULT_DONE);
}

/*
 * Pages: 0..8 touched, 8..16 fresh and read-only, 16..24 file, 24..32 shared, hole, 40..48 touched,
 * 50..58 the device's, 60..64 named, 200..216 locked, 300 + 2 i: forty single pages, so that the
 * tree has more than one node, 899 a stack, the heap from 1000 on.  Huge pages: 0 private, 4..6
 * shared.
 */
static void crowd(void)
{
	struct mm_config config = MM_CONFIG_INIT;

	config.start_brk = config.brk = AT(1000);
	config.rlimit[MM_RLIMIT_MEMLOCK] = MM_RLIM_INFINITY;
	assert_int_equal(mm_create(w.v, &config, &w.mm), 0);
	must_map(0, 8, RW, ANON, NULL);
	must_touch(3);
	must_map(8, 8, PROT_READ, ANON, NULL);
	must_map(16, 8, RW, MAP_PRIVATE, w.file);
	must_map(24, 8, RW, MAP_SHARED | MAP_ANONYMOUS, NULL);
	must_map(40, 8, RW, ANON, NULL);
	must_touch(41);
	must_map(50, 8, RW, MAP_SHARED, w.device);
	must_map(60, 4, RW, ANON, NULL);
	assert_int_equal(mm_set_anon_name(w.mm, AT(60), 4 * PAGE, "a name"), 0);
	must_map(899, 1, RW, ANON | MAP_GROWSDOWN, NULL);
	must_map(200, 16, RW, ANON | MAP_LOCKED, NULL);
	for (unsigned long i = 0; i < 40; i++)
		must_map(300 + 2 * i, 1, RW, ANON, NULL);
	must_map_at(HUGE_AT(0), HUGE, RW, ANON | MAP_HUGETLB, NULL, 0);
	must_map_at(HUGE_AT(4), 2 * HUGE, RW, MAP_SHARED, w.huge, 0);
}

/* Only asked where there are frames. */
static int file_read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	memset(to, (int)(1 + offset / PAGE % 255), bytes);
	return 0;
}

static int file_mmap(struct file *file, struct vma_new *vma) __in_mmap_hook
{
	return 0;
}

static const struct file_operations file_ops = {
	.owner = "file", .mmap = file_mmap, .read_page = file_read_page,
};

void world_open(void)
{
	world_open_as(WORLD_AREAS);
}

void world_open_as(enum world_kind kind)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	w = (struct world){ .kind = kind, .progress = -1 };
	config.nr_huge_2m_pages = 32;
	config.arena_bytes = kind == WORLD_AREAS ? 0 : FRAMES_ARENA_BYTES;
	assert_int_equal(vmarea_create(&config, &w.v), 0);
	/* A frame that is refused is to be missed, and all pages to stay what they are. */
	vmarea_set_reclaim_when(w.v, VMAREA_RECLAIM_WHEN_ASKED);
	frames_begin();
	w.file = make_file("/file", 0, 1 << 20, kind == WORLD_AREAS ? NULL : &file_ops);
	w.zero = make_file("/dev/zero", FILE_DEV_ZERO, 0, NULL);
	w.segment = make_file("/SYSV00000000", FILE_SHMEM | FILE_DELETED, 4 * PAGE, NULL);
	w.huge = make_file("/huge", FILE_HUGETLB, 8 * HUGE, NULL);
	w.device = make_file("/dev/it", 0, 1 << 20, &device_ops);
	crowd();
	frames_touch();
}

long world_close(void)
{
	frames_let_go();
	/* Whatever it does once the mms are gone, the device's file still has our reference. */
	mmput(w.mm);
	for (int i = 0; i < NR_ANCESTORS; i++)
		if (w.ancestors[i])
			mmput(w.ancestors[i]);
	assert_int_equal(w.nr_open, 0);
	assert_int_equal(w.nr_released, 0);
	file_put(w.file);
	file_put(w.zero);
	file_put(w.segment);
	file_put(w.huge);
	file_put(w.device);
	assert_int_equal(w.nr_released, 1);
	port_work_flush();
	assert_int_equal(vmarea_committed_pages(w.v), 0);
	frames_end();
	vmarea_destroy(w.v);
	return port_live_allocs();
}

void world_map_late_device(unsigned long addr)
{
	struct file *late = make_file("/dev/late", 0, PAGE, &device_ops);

	must_map_at(addr, PAGE, RW, MAP_SHARED, late, 0);
	file_put(late);
}

void world_split(unsigned long addr)
{
	struct mm_struct *mm = mm_from_user(w.mm);

	mm_write_lock(mm);
	assert_int_equal(map_reserve(mm, 1, 1), 0);
	assert_int_equal(vma_split(vma_at(mm, addr), addr, SPLIT_KEEP_HIGH), 0);
	mm_write_unlock(mm);
}

/* ---------------------------------------------------------------- pools -- */

static void take_away(struct vm_area_struct *vma)
{
	vma->next_free = w.drained;
	w.drained = vma;
}

void world_trim(void)
{
	/* A bag that is away is home first. */
	port_rcu_barrier();
	rt_trim(&mm_from_user(w.mm)->areas);
}

static void drain(void)
{
	struct mm_struct *mm = mm_from_user(w.mm);

	while (mm->spare) {
		struct vm_area_struct *vma = mm->spare;

		mm->spare = vma->next_free;
		mm->nr_spare--;
		take_away(vma);
	}
	while (w.v->pool)
		take_away(vma_pool_alloc(w.v));
	world_trim();
}

void world_refill(void)
{
	while (w.drained) {
		struct vm_area_struct *vma = w.drained;

		w.drained = vma->next_free;
		vma_pool_free(w.v, vma);
	}
}

/* Splits, merges and removals, all of them taken back. */
static void warm_up(void)
{
	for (unsigned long i = 0; i < 30; i++) {
		must_map(700 + 2 * i, 1, RW, ANON, NULL);
		assert_int_equal(mm_mprotect(w.mm, AT(42), 2 * PAGE, PROT_READ), 0);
		assert_int_equal(mm_mprotect(w.mm, AT(42), 2 * PAGE, RW), 0);
	}
	assert_int_equal(mm_munmap(w.mm, AT(700), 60 * PAGE), 0);
}

void world_prepare(enum pools pools)
{
	if (pools == POOLS_DRY)
		drain();
	else if (pools == POOLS_WARM)
		warm_up();
}

/* -------------------------------------------------------------- picture -- */

struct picture {
	char *text;
	size_t len, room;
};

static int append(void *arg, const char *text, size_t bytes)
{
	struct picture *p = arg;

	if (p->len + bytes + 1 > p->room) {
		p->room = 2 * (p->len + bytes + 1);
		p->text = realloc(p->text, p->room);
		assert_non_null(p->text);
	}
	memcpy(p->text + p->len, text, bytes);
	p->len += bytes;
	p->text[p->len] = 0;
	return 0;
}

/* Of smaps what areas decide; how many pages there are is for frames.c. */
static void drop_counts(char *text)
{
	char *to = text;

	for (char *line = text, *next; *line; line = next) {
		char *end = strchr(line, '\n');

		next = end ? end + 1 : line + strlen(line);
		if (strncmp(line, "VmFlags", 7) && (*line >= 'A' && *line <= 'Z'))
			continue;
		memmove(to, line, (size_t)(next - line));
		to += next - line;
	}
	*to = 0;
}

/* Objects that the mm makes are numbered, and a call that failed has used numbers up. */
static void hide_inodes(char *text)
{
	static const char *const made[] = { "/dev/zero (deleted)", "/anon_hugepage (deleted)" };

	for (char *line = text; line; line = strchr(line, '\n')) {
		char *name, *end;

		line += *line == '\n';
		end = strchr(line, '\n');
		for (size_t i = 0; i < 2; i++) {
			name = strstr(line, made[i]);
			/* "start-end perms offset 00:01 INODE   name" */
			if (name && name < end)
				memset(strstr(line, " 00:01 ") + 7, ' ',
				       (size_t)(name - strstr(line, " 00:01 ") - 7));
		}
	}
}

/* What no report shows, where anonymous memory is among it. */
static void append_inside(struct picture *p, struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	char line[160];

	mm_read_lock(mm);
	for (vma = vma_first(mm, 0); vma; vma = vma_after(vma)) {
		char mark = !vma->anon ? '-' : anon_is_singular(vma->anon) ? 'a' : 'A';

		append(p, &mark, 1);
	}
	snprintf(line, sizeof(line), "\ndef_flags %lx merge %d stray %lu\n",
		 (unsigned long)mm->def_flags, mm->memory_merge, mm->locked_stray);
	mm_read_unlock(mm);
	append(p, line, strlen(line));
}

char *world_picture(void)
{
	struct picture p = { 0 };
	struct mm_stats s;
	char line[256];

	assert_int_equal(mm_report_smaps(w.mm, append, &p), 0);
	if (w.kind != WORLD_AREAS && p.text) {
		drop_counts(p.text);
		p.len = strlen(p.text);
	}
	if (p.text)
		hide_inodes(p.text);
	mm_get_stats(w.mm, &s);
	snprintf(line, sizeof(line), "areas %lu total %lu data %lu exec %lu stack %lu locked %lu "
		 "committed %lu of %lu brk %lx huge %ld open %ld\n", s.nr_areas, s.total_pages,
		 s.data_pages, s.exec_pages, s.stack_pages, s.locked_pages, s.committed_pages,
		 vmarea_committed_pages(w.v), s.brk, w.v->huge_free[0], w.nr_open);
	append(&p, line, strlen(line));
	append_inside(&p, mm_from_user(w.mm));
	append(&p, w.note, strlen(w.note));
	return p.text;
}

void world_print_difference(const char *should_be, const char *is)
{
	const char *line = should_be;

	for (size_t same = 0; should_be[same] && should_be[same] == is[same]; same++)
		if (should_be[same] == '\n')
			line = should_be + same + 1;
	fprintf(stderr, "should be ...\n%.600s\nis ...\n%.600s\n", line, is + (line - should_be));
}

static int count_device(const struct area_info *info, void *arg)
{
	*(long *)arg += info->file == w.device;
	return 0;
}

bool world_is_sound(char *why, size_t why_bytes)
{
	long nr = 0;

	if (vmarea_validate(w.v, why, why_bytes))
		return false;
	/* No other thread is between the two halves of a call. */
	if (mm_from_user(w.mm)->spare_anon) {
		snprintf(why, why_bytes, "an anon chain is laid in and was not given back");
		return false;
	}
	if (!frames_are_sound(why, why_bytes))
		return false;
	assert_int_equal(mm_for_each_area(w.mm, 0, ~0ul, count_device, &nr), 0);
	if (frames_kin())
		assert_int_equal(mm_for_each_area(frames_kin(), 0, ~0ul, count_device, &nr), 0);
	for (int i = 0; i < NR_ANCESTORS; i++)
		if (w.ancestors[i])
			assert_int_equal(mm_for_each_area(w.ancestors[i], 0, ~0ul, count_device,
							  &nr), 0);
	if (nr == w.nr_open)
		return true;
	snprintf(why, why_bytes, "%ld areas of the driver, and by its hooks %ld", nr, w.nr_open);
	return false;
}
