/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What makes and drops things, asks and reports: the rest of vmarea.h, and driver.h. */
#include "scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <vmarea/core.h>
#include <vmarea/host_file.h>

#include "mmu/host.h"
#include "mmu/soft.h"

/* ---------------------------------------------------- machines and files -- */

static long another_machine(struct mm_user *mm)
{
	const struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct vmarea *v;
	int err = vmarea_create(&config, &v);

	if (!err)
		vmarea_destroy(v);
	return err;
}

/* One page of each kind, in an mm that has pages. */
static long touch_pages(struct mm_user *mm)
{
	static const unsigned long kinds[] = { MAP_PRIVATE, MAP_SHARED };

	for (int i = 0; i < 2; i++) {
		long addr = mm_mmap(mm, 0, PAGE, RW, kinds[i] | MAP_ANONYMOUS, NULL, 0);

		if (addr < 0)
			return addr;
		if (mm_touch(mm, (unsigned long)addr, MM_ACCESS_WRITE) != MM_FAULT_DONE)
			return -ENOMEM;
	}
	return 0;
}

static long machine_with_pages(struct mm_user *unused)
{
	const struct mm_config mm_config = MM_CONFIG_INIT;
	struct vmarea_config config = VMAREA_CONFIG_INIT;
	struct vmarea *v;
	struct mm_user *mm;
	struct page *page;
	long err;

	config.arena_bytes = 8ul << 20;
	err = vmarea_create(&config, &v);
	if (err)
		return err;
	page = alloc_page(v);
	if (page)
		__free_page(page);
	else
		err = -ENOMEM;
	if (!err)
		err = mm_create(v, &mm_config, &mm);
	if (!err) {
		err = touch_pages(mm);
		mmput(mm);
	}
	vmarea_destroy(v);
	return err;
}

static long another_file(struct mm_user *mm)
{
	const struct file_desc desc = { .size = sizeof(desc), .name = "/another", .flags = FILE_READ };
	struct file *file;
	int err = file_create(w.v, &desc, &file);

	if (!err)
		file_put(file);
	return err;
}

/* Twice, so that the second joins the first. */
static long host_files(struct mm_user *mm)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct file *file, *other;
	int err = host_file_open(w.v, fd, HOST_FILE_DUP, &file);
	char byte;
	long n;

	if (!err) {
		err = host_file_open(w.v, fd, HOST_FILE_DUP, &other);
		if (!err) {
			n = file_read(other, 100, &byte, 1);
			err = n < 0 ? (int)n : 0;
			file_put(other);
		}
		file_put(file);
	}
	close(fd);
	return err == -EOPNOTSUPP ? 0 : err;	/* without frames */
}

static long another_page(struct mm_user *mm)
{
	struct page *page = alloc_page(w.v);

	if (!page)
		return -ENOMEM;
	__free_page(page);
	return 0;
}

/* ------------------------------------------------------------------- mms -- */

static long another_mm(struct mm_user *mm)
{
	const struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *other;
	int err = mm_create(w.v, &config, &other);

	if (!err)
		mmput(other);
	return err;
}

static const struct area_desc an_area = {
	.start = AT(650), .end = AT(651), .pgoff = AT(650) / PAGE,
	.flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT,
};

static long add_plain(struct mm_user *mm)
{
	return mm_add_area(mm, &an_area);
}

static long add_touched(struct mm_user *mm)
{
	struct area_desc area = an_area;

	area.touched = true;
	return mm_add_area(mm, &area);
}

static long add_file(struct mm_user *mm)
{
	struct area_desc area = an_area;

	area.file = w.file;
	area.pgoff = 0;
	area.touched = true;
	return mm_add_area(mm, &area);
}

static long add_special(struct mm_user *mm)
{
	struct area_desc area = an_area;

	area.special = "[vdso]";
	area.flags &= ~VM_ACCOUNT;
	return mm_add_area(mm, &area);
}

/* What the child is like goes into the note; then it may go. */
static long fork_it(struct mm_user *mm)
{
	struct mm_stats stats;
	struct mm_user *child;
	char why[128] = "";
	int err = mm_fork(mm, &child);

	if (err)
		return err;
	if (mm_validate(child, why, sizeof(why)))
		fail_msg("child: %s", why);
	mm_get_stats(child, &stats);
	snprintf(w.note, sizeof(w.note), "child: %lu areas, %lu pages, open %ld", stats.nr_areas,
		 stats.total_pages, w.nr_open);
	mmput(child);
	return 0;
}

/* Each generation has memory of its own beside that of the ones before, which live on. */
static void old_family(void)
{
	for (int i = 0; i < NR_ANCESTORS; i++) {
		struct mm_user *child;

		assert_int_equal(mm_fork(w.mm, &child), 0);
		w.ancestors[i] = w.mm;
		w.mm = child;
		assert_int_equal(mm_touch(w.mm, AT(3), MM_ACCESS_WRITE), MM_FAULT_DONE);
		assert_int_equal(mm_touch(w.mm, AT(300 + 2 * (unsigned long)i), MM_ACCESS_WRITE),
				 MM_FAULT_DONE);
	}
}

static void wiped_and_left_out(void)
{
	assert_int_equal(mm_madvise(w.mm, AT(0), 2 * PAGE, MADV_WIPEONFORK), 0);
	assert_int_equal(mm_madvise(w.mm, AT(4), 2 * PAGE, MADV_DONTFORK), 0);
}

static long exec_it(struct mm_user *mm)
{
	const struct mm_config config = MM_CONFIG_INIT;

	return mm_exec(mm, &config);
}

static long put_many(struct mm_user *mm)
{
	struct mm_user *also = mmget(mm);

	mmput_async(mmget(mm));
	mmput(also);
	return 0;
}

/* -------------------------------------------------------------- questions -- */

static int count_area(const struct area_info *info, void *arg)
{
	++*(long *)arg;
	return 0;
}

static long each_area(struct mm_user *mm)
{
	long nr = 0;
	int err = mm_for_each_area(mm, 0, ~0ul, count_area, &nr);

	return err ? err : nr;
}

static int count_bytes(void *arg, const char *text, size_t bytes)
{
	*(long *)arg += (long)bytes;
	return 0;
}

static long report_maps(struct mm_user *mm)
{
	long nr = 0;
	int err = mm_report_maps(mm, count_bytes, &nr);

	if (err)
		assert_int_equal(nr, 0);
	return err ? err : nr;
}

static long report_smaps(struct mm_user *mm)
{
	long nr = 0;
	int err = mm_report_smaps(mm, count_bytes, &nr);

	if (err)
		assert_int_equal(nr, 0);
	return err ? err : nr;
}

static long report_core(struct mm_user *mm)
{
	const struct mm_core_config config = MM_CORE_CONFIG_INIT;
	long nr = 0;
	int err = mm_report_core(mm, &config, count_bytes, &nr);

	if (err)
		assert_int_equal(nr, 0);
	return err ? err : nr;
}

/* What can be called in a signal handler asks for no memory; nor do the questions beside it. */
static long questions(struct mm_user *mm)
{
	struct area_info info;
	struct mm_stats stats;
	long nr = 0;

	for (int err = mm_query_next(mm, 0, &info); !err; err = mm_query_next(mm, info.end, &info)) {
		area_info_put(&info);
		nr += mm_range_ok(mm, info.start, PAGE, PROT_READ);
	}
	mm_get_stats(mm, &stats);
	return nr * 1000 + (long)stats.nr_areas;
}

/* ---------------------------------------------------------------- drivers -- */

static long name_by_handle(struct mm_user *mm)
{
	struct mmap_write *lock = mmap_write_lock(mm);
	struct vma_ref *vma = vma_lookup(lock, AT(60));
	long ret = vma ? vma_set_anon_name(vma_start_write(lock, vma), "third") : -ENOENT;

	mmap_write_unlock(lock);
	return ret;
}

/* Each way to a lock and to a VMA, and back. */
static long locks(struct mm_user *mm)
{
	struct mmap_write *write = mmap_write_lock_killable(mm);
	struct mmap_read *read;
	struct vma_ref *vma;
	unsigned int seq;
	long ret = 0;

	if (!write)
		return -EINTR;
	read = mmap_write_downgrade(write);
	vma = vma_find(read, AT(50));
	if (vma) {
		ret = (long)vma_start(vma);
		zap_vma_range(vma, AT(50), PAGE);
	}
	mmap_read_unlock(read);
	vma = lock_vma_under_rcu(mm, AT(50));
	if (vma)
		vma_end_read(vma);
	if (mmap_lock_speculate_try_begin(mm, &seq))
		ret += mmap_lock_speculate_retry(mm, seq);
	return ret;
}

/* --------------------------------------------------------------- backends -- */

static enum mm_fault nothing_there(struct mmu *mmu, unsigned long addr, enum mm_access access)
{
	(void)mmu;
	(void)addr;
	(void)access;
	return MM_FAULT_MAPERR;
}

static long soft_tlb_of(struct mmu *mmu)
{
	struct soft_tlb_space *space;
	struct soft_tlb *tlb;
	long ret = soft_tlb_create(SOFT_TLB_MIN_LOG2, &tlb);

	if (ret)
		return ret;
	ret = soft_tlb_attach(tlb, mmu, &space);
	if (!ret)
		soft_tlb_detach(tlb, space);
	soft_tlb_destroy(tlb);
	return ret;
}

/* The zero page, shown in a window. */
static long window_of(struct mmu *mmu)
{
	struct host_window_config config = {
		.size = sizeof(config), .start = PMD_SIZE, .bytes = HOST_WINDOW_ALIGN,
	};
	struct host_window *window;
	long ret = host_window_create(mmu, &config, &window);

	if (ret)
		return ret;
	if (host_window_touch(window, PMD_SIZE, MM_ACCESS_READ) == MM_FAULT_OOM)
		ret = -ENOMEM;
	host_window_drop(window);
	host_window_destroy(window);
	return ret;
}

static long use_tables(struct arena *arena, struct pgtable *pt, struct mmu *mmu)
{
	unsigned long pfn = page_pfn(arena_zero_page(arena));
	struct mmu_gather gather;
	long ret = pt_install(pt, NULL, PMD_SIZE, PT_PTE, PTE_NONE,
			      pte_leaf(pt->format, PT_PTE, pfn,
				       PT_READ | PT_USER | PT_SPECIAL));

	if (!ret)
		ret = soft_tlb_of(mmu);
	if (!ret)
		ret = window_of(mmu);
	mmu_gather_init(&gather, pt, NULL, NULL);
	pt_zap_range(&gather, 0, pt_limit(pt));
	pt_free_tables(&gather, 0, pt_limit(pt));
	mmu_gather_flush(&gather);
	return ret;
}

/* A TLB and a window on tables of their own. */
static long backends(struct mm_user *mm)
{
	struct pt_config config = { .format = &pt_format_x86_64, .levels = 4 };
	struct pgtable pt;
	struct mmu mmu;
	long ret = arena_create(PMD_SIZE, &config.arena);

	(void)mm;
	if (ret)
		return ret;
	mmu_init(&mmu, &pt, nothing_there);
	config.mmu = &mmu.ops;
	ret = pt_create(&pt, &config);
	if (!ret) {
		ret = use_tables(config.arena, &pt, &mmu);
		pt_destroy(&pt);
	}
	mmu_end(&mmu);
	port_rcu_barrier();
	arena_destroy(config.arena);
	return ret;
}

#define S(name, ...)	{ #name, name, __VA_ARGS__ }

const struct scenario object_calls[] = {
	S(another_machine), S(machine_with_pages), S(another_file), S(host_files), S(another_page), S(another_mm),
	S(add_plain), S(add_touched), S(add_file), S(add_special),
	S(fork_it), { "fork_old_family", fork_it, old_family },
	{ "fork_not_all", fork_it, wiped_and_left_out },
	S(exec_it), S(put_many),
	S(each_area), S(report_maps), S(report_smaps), S(report_core), S(questions),
	S(name_by_handle), S(locks), S(backends),
};

const size_t nr_object_calls = sizeof(object_calls) / sizeof(object_calls[0]);
