/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Core files, taken apart by way of the host's <elf.h> and <sys/procfs.h>: which areas have their
 * bytes in the file, and that these are the bytes; the notes; and that the mm is as before.
 */
#include <sys/procfs.h>

#include "core_image.h"

#define SHARED		(MAP_SHARED | MAP_ANONYMOUS)

/* ---------------------------------------------------------------------------------- areas -- */

static void empty(void **state)
{
	struct image image;
	struct memory m;

	memory_open(&m);
	image = core_of(m.s.mm, MM_CORE_FILTER_DEFAULT);
	check_segments(&image);
	assert_int_equal(nr_segments(&image), 1);
	free(image.bytes);
	memory_close(&m);
}

static void areas_and_rights(void **state)
{
	static const struct { unsigned long prot; unsigned int flags; } rights[] = {
		{ PROT_NONE, 0 }, { PROT_READ, PF_R }, { RW, PF_R | PF_W },
		{ PROT_READ | PROT_EXEC, PF_R | PF_X }, { RW | PROT_EXEC, PF_R | PF_W | PF_X },
	};
	const size_t nr = sizeof(rights) / sizeof(rights[0]);
	struct image image;
	struct memory m;

	memory_open(&m);
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(space_map(&m.s, 4 * i, 1 + i, rights[i].prot, ANON), 0);
	image = core_of(m.s.mm, MM_CORE_FILTER_ALL);
	check_segments(&image);
	assert_int_equal(nr_segments(&image), 1 + nr);
	for (size_t i = 0; i < nr; i++) {
		const Elf64_Phdr *s = segment(&image, 1 + i);

		assert_int_equal(s->p_vaddr, at(4 * i));
		assert_int_equal(s->p_memsz, (1 + i) * PAGE);
		assert_int_equal(s->p_flags, rights[i].flags);
		/* Never written to. */
		assert_int_equal(s->p_filesz, 0);
	}
	free(image.bytes);
	memory_close(&m);
}

/* ----------------------------------------------------------------------------- the filter -- */

enum {
	AT_UNTOUCHED = 0, AT_PRIVATE = 8, AT_SHARED = 16, AT_FILE = 24, AT_FILE_WRITTEN = 32,
	AT_FILE_SHARED = 40, AT_ELF = 48, AT_ELF_LATER = 56, AT_ELF_UNREADABLE = 60,
	AT_DAX = 64, AT_DAX_SHARED = 72, AT_MEMFD = 80, AT_POOL = 512, AT_POOL_SHARED = 1024,
	ELF_PAGES = 3,
};

static const struct {
	unsigned long page, pages;		/* of which this many can be in the file */
	unsigned int bits;			/* each of which puts them there */
} kinds[] = {
	{ AT_UNTOUCHED, 4, 0 },
	{ AT_PRIVATE, 4, MM_CORE_ANON_PRIVATE },
	{ AT_SHARED, 4, MM_CORE_ANON_SHARED },
	{ AT_MEMFD, 4, MM_CORE_ANON_SHARED },
	{ AT_FILE, 4, MM_CORE_FILE_PRIVATE },
	{ AT_FILE_WRITTEN, 4, MM_CORE_FILE_PRIVATE | MM_CORE_ANON_PRIVATE },
	{ AT_FILE_SHARED, 4, MM_CORE_FILE_SHARED },
	{ AT_ELF, 1, MM_CORE_ELF_HEADERS },
	{ AT_ELF, ELF_PAGES, MM_CORE_FILE_PRIVATE },
	{ AT_ELF_LATER, 2, MM_CORE_FILE_PRIVATE },
	{ AT_ELF_UNREADABLE, ELF_PAGES, MM_CORE_FILE_PRIVATE },
	{ AT_DAX, 4, MM_CORE_DAX_PRIVATE },
	{ AT_DAX_SHARED, 4, MM_CORE_DAX_SHARED },
	{ AT_POOL, 512, MM_CORE_HUGETLB_PRIVATE },
	{ AT_POOL_SHARED, 512, MM_CORE_HUGETLB_SHARED },
};

#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static void map_file(struct memory *m, unsigned long page, unsigned long nr, unsigned long prot,
		     unsigned long flags, struct file *file, unsigned long pgoff)
{
	assert_int_equal(space_map_file(&m->s, page, nr, prot, flags, file, pgoff), 0);
}

static void open_with_pool(struct memory *m)
{
	memory_init(m, MEMORY_BYTES);
	m->s.config.nr_huge_2m_pages = 4;
	space_create(&m->s);
}

/* One area of each kind, all written to but the first and those of files that say otherwise. */
static void map_kinds(struct memory *m)
{
	struct file *file = space_file(&m->s, 4, 0, FILE_PLACE_ANY);
	struct file *elf = space_file(&m->s, ELF_PAGES, 0, FILE_PLACE_ANY);
	struct file *dax = space_file(&m->s, 4, FILE_DAX, FILE_PLACE_ANY);
	struct file *memfd = space_file(&m->s, 4, FILE_SHMEM | FILE_DELETED, FILE_PLACE_SHMEM);

	assert_int_equal(file_write(elf, 0, ELFMAG, SELFMAG), SELFMAG);
	assert_int_equal(file_write(elf, PAGE, ELFMAG, SELFMAG), SELFMAG);
	assert_int_equal(space_map(&m->s, AT_UNTOUCHED, 4, RW, ANON), 0);
	assert_int_equal(space_map(&m->s, AT_PRIVATE, 4, RW, ANON), 0);
	assert_int_equal(space_map(&m->s, AT_SHARED, 4, RW, SHARED), 0);
	map_file(m, AT_FILE, 4, PROT_READ, MAP_PRIVATE, file, 0);
	map_file(m, AT_FILE_WRITTEN, 4, RW, MAP_PRIVATE, file, 0);
	map_file(m, AT_FILE_SHARED, 4, RW, MAP_SHARED, file, 0);
	map_file(m, AT_ELF, ELF_PAGES, PROT_READ, MAP_PRIVATE, elf, 0);
	map_file(m, AT_ELF_LATER, 2, PROT_READ, MAP_PRIVATE, elf, 1);
	map_file(m, AT_ELF_UNREADABLE, ELF_PAGES, PROT_NONE, MAP_PRIVATE, elf, 0);
	map_file(m, AT_DAX, 4, PROT_READ, MAP_PRIVATE, dax, 0);
	map_file(m, AT_DAX_SHARED, 4, RW, MAP_SHARED, dax, 0);
	map_file(m, AT_MEMFD, 4, RW, MAP_SHARED, memfd, 0);
	assert_int_equal(space_map(&m->s, AT_POOL, 512, RW, ANON | MAP_HUGETLB), 0);
	assert_int_equal(space_map(&m->s, AT_POOL_SHARED, 512, RW, SHARED | MAP_HUGETLB), 0);
	put(m, AT_PRIVATE, 1);
	put(m, AT_SHARED, 2);
	put(m, AT_FILE_SHARED + 1, 3);
	put(m, AT_FILE_WRITTEN, 4);
	put(m, AT_MEMFD, 5);
	put(m, AT_POOL + 7, 6);
	put(m, AT_POOL_SHARED + 8, 7);
	file_put(file);
	file_put(elf);
	file_put(dax);
	file_put(memfd);
}

/* What of the area at @page should be in the file. */
static unsigned long pages_wanted(unsigned long page, unsigned int filter)
{
	unsigned long most = 0;

	for (size_t i = 0; i < NR_KINDS; i++)
		if (kinds[i].page == page && (kinds[i].bits & filter) && kinds[i].pages > most)
			most = kinds[i].pages;
	return most;
}

static void assert_kinds(const struct image *image, unsigned int filter)
{
	check_segments(image);
	for (size_t i = 0; i < NR_KINDS; i++)
		if (pages_at(image, kinds[i].page) != pages_wanted(kinds[i].page, filter))
			fail_msg("filter 0x%x, page %lu: %lu pages", filter, kinds[i].page,
				 pages_at(image, kinds[i].page));
}

static void each_filter(void **state)
{
	struct image image;
	struct memory m;

	open_with_pool(&m);
	map_kinds(&m);
	for (unsigned int filter = 0; filter <= MM_CORE_FILTER_ALL; filter++) {
		image = core_of(m.s.mm, filter);
		assert_kinds(&image, filter);
		free(image.bytes);
	}
	assert_int_equal(MM_CORE_FILTER_DEFAULT, 0x33);
	space_close(&m.s);
}

static void bytes_of_each_kind(void **state)
{
	unsigned char elf[PAGE] = ELFMAG;
	struct image image;
	struct memory m;

	open_with_pool(&m);
	map_kinds(&m);
	image = core_of(m.s.mm, MM_CORE_FILTER_ALL);
	assert_page(&image, AT_PRIVATE, 1);
	assert_page(&image, AT_PRIVATE + 1, 0);
	assert_page(&image, AT_SHARED, 2);
	assert_page(&image, AT_FILE_SHARED + 1, 3);
	assert_page(&image, AT_FILE + 1, 3);
	assert_page(&image, AT_FILE_WRITTEN + 1, 3);
	assert_page(&image, AT_FILE_WRITTEN, 4);
	assert_page(&image, AT_FILE, 0);
	assert_page(&image, AT_MEMFD, 5);
	assert_page(&image, AT_POOL + 7, 6);
	assert_page(&image, AT_POOL_SHARED + 8, 7);
	assert_memory_equal(bytes_at(&image, AT_ELF), elf, PAGE);
	assert_memory_equal(bytes_at(&image, AT_ELF_UNREADABLE), elf, PAGE);
	assert_memory_equal(bytes_at(&image, AT_ELF_LATER), elf, PAGE);
	free(image.bytes);
	/* The headers alone. */
	image = core_of(m.s.mm, MM_CORE_ELF_HEADERS);
	assert_int_equal(pages_at(&image, AT_ELF), 1);
	assert_memory_equal(bytes_at(&image, AT_ELF), elf, PAGE);
	free(image.bytes);
	space_close(&m.s);
}

static void dontdump(void **state)
{
	struct image image;
	struct memory m;

	open_with_pool(&m);
	map_kinds(&m);
	for (size_t i = 0; i < NR_KINDS; i++)
		assert_int_equal(mm_madvise(m.s.mm, at(kinds[i].page), PAGE *
					    (kinds[i].page >= AT_POOL ? 512 : 2),
					    MADV_DONTDUMP), 0);
	image = core_of(m.s.mm, MM_CORE_FILTER_ALL);
	check_segments(&image);
	for (size_t i = 0; i < NR_KINDS; i++)
		assert_int_equal(pages_at(&image, kinds[i].page), 0);
	/* The rest of an area that was told in part. */
	assert_int_equal(pages_at(&image, AT_PRIVATE + 2), 2);
	free(image.bytes);
	assert_int_equal(mm_madvise(m.s.mm, at(AT_PRIVATE), 2 * PAGE, MADV_DODUMP), 0);
	image = core_of(m.s.mm, MM_CORE_FILTER_ALL);
	assert_int_equal(pages_at(&image, AT_PRIVATE), 4);
	assert_page(&image, AT_PRIVATE, 1);
	free(image.bytes);
	space_close(&m.s);
}

static int map_io(struct file *file, struct vma_new *vma)
{
	vma_set_io(vma);
	return 0;
}

static void devices(void **state)
{
	static const struct file_operations ops = { .mmap = map_io };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/x", .flags = FILE_READ | FILE_WRITE, .ops = &ops,
	};
	struct image image;
	struct memory m;
	struct file *file;

	memory_open(&m);
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	map_file(&m, 0, 2, RW, MAP_SHARED, file, 0);
	map_file(&m, 4, 2, RW, MAP_PRIVATE, file, 0);
	file_put(file);
	image = core_of(m.s.mm, MM_CORE_FILTER_ALL);
	check_segments(&image);
	assert_int_equal(pages_at(&image, 0), 0);
	assert_int_equal(pages_at(&image, 4), 0);
	free(image.bytes);
	memory_close(&m);
}

static int map_mixed(struct file *file, struct vma_new *vma) __in_mmap_hook;
static int map_mixed(struct file *file, struct vma_new *vma)
{
	vma_set_mixedmap(vma);
	return 0;
}

/* What a driver has put there is memory like any other; where it has put nothing there are zeros. */
static void drivers_pages(void **state)
{
	static const struct file_operations ops = { .owner = "test", .mmap = map_mixed };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/dev/x", .flags = FILE_READ | FILE_WRITE, .ops = &ops,
	};
	struct mmap_read *lock;
	struct image image;
	struct page *frame;
	struct file *file;
	struct memory m;

	memory_open(&m);
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	map_file(&m, 0, 4, RW, MAP_SHARED, file, 0);
	file_put(file);
	frame = alloc_page(m.s.v);
	lock = mmap_read_lock(m.s.mm);
	assert_int_equal(vm_insert_page(vma_as_mixedmap(vma_lookup(lock, at(1))), at(1), frame), 0);
	mmap_read_unlock(lock);
	put(&m, 1, 5);
	image = core_of(m.s.mm, MM_CORE_FILE_SHARED);
	check_segments(&image);
	assert_page(&image, 0, 0);
	assert_page(&image, 1, 5);
	free(image.bytes);
	__free_page(frame);
	memory_close(&m);
}

/* What has a name of its own is dumped whatever its flags and the filter say. */
static void special_areas(void **state)
{
	const vm_flags_t flags = VM_READ | VM_MAYREAD | VM_DONTEXPAND | VM_DONTDUMP;
	const struct area_desc area = {
		.start = at(0), .end = at(2), .flags = flags, .special = "[vdso]",
	};
	struct image image;
	struct memory m;

	memory_open(&m);
	assert_int_equal(mm_add_area(m.s.mm, &area), 0);
	image = core_of(m.s.mm, 0);
	check_segments(&image);
	assert_int_equal(pages_at(&image, 0), 2);
	assert_page(&image, 0, 0);
	free(image.bytes);
	memory_close(&m);
}

/* ---------------------------------------------------------------------------------- pages -- */

/* A dump makes no page, no table and no mapping, and passes over what was never touched. */
static void nothing_is_made(void **state)
{
	struct mm_core_config config = MM_CORE_CONFIG_INIT;
	struct image image = { .len = 0 };
	struct mm_stats before, after;
	struct file *memfd;
	unsigned long frames;
	struct memory m;

	memory_open(&m);
	memfd = space_file(&m.s, 64, FILE_SHMEM | FILE_DELETED, FILE_PLACE_SHMEM);
	assert_int_equal(space_map(&m.s, 0, 4096, RW, ANON), 0);
	map_file(&m, 8192, 64, RW, MAP_SHARED, memfd, 0);
	put(&m, 3, 1);
	put(&m, 2000, 2);
	assert_int_equal(get(&m, 2001), 0);
	put(&m, 8192 + 63, 3);
	mm_get_stats(m.s.mm, &before);
	frames = memory_free_frames(m.s.v);
	config.skip = skip_zeros;
	assert_int_equal(mm_report_core(m.s.mm, &config, collect, &image), 0);
	check_segments(&image);
	mm_get_stats(m.s.mm, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(memory_free_frames(m.s.v), frames);
	assert_int_equal(image.skipped, (4096 + 64 - 3) * PAGE);
	assert_page(&image, 3, 1);
	assert_page(&image, 2000, 2);
	assert_page(&image, 2001, 0);
	assert_page(&image, 4095, 0);
	assert_page(&image, 8192, 0);
	assert_page(&image, 8192 + 63, 3);
	free(image.bytes);
	file_put(memfd);
	memory_close(&m);
}

static void what_cannot_be_accessed(void **state)
{
	struct mm_user *child;
	struct image image;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 8, RW, ANON), 0);
	for (unsigned long page = 0; page < 8; page++)
		put(&m, page, (unsigned char)(page + 1));
	assert_int_equal(mm_mprotect(m.s.mm, at(0), PAGE, PROT_NONE), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(2), PAGE, MADV_GUARD_INSTALL), 0);
	assert_int_equal(mm_madvise(m.s.mm, at(3), PAGE, MADV_DONTNEED), 0);
	assert_int_equal(mm_fork(m.s.mm, &child), 0);
	mm_put(child, 4, 99);
	image = core_of(m.s.mm, MM_CORE_FILTER_DEFAULT);
	assert_page(&image, 0, 1);
	assert_page(&image, 1, 2);
	assert_page(&image, 2, 0);
	assert_page(&image, 3, 0);
	assert_page(&image, 4, 5);
	free(image.bytes);
	image = core_of(child, MM_CORE_FILTER_DEFAULT);
	assert_page(&image, 0, 1);
	assert_page(&image, 4, 99);
	assert_page(&image, 5, 6);
	free(image.bytes);
	mmput(child);
	memory_close(&m);
}

static void huge_leaves(void **state)
{
	struct image image;
	struct memory m;

	memory_init(&m, MEMORY_BYTES);
	m.s.config.thp = VMAREA_THP_ALWAYS;
	memory_create(&m);
	assert_int_equal(space_map(&m.s, 0, 1536, RW, ANON), 0);
	put(&m, 511, 1);
	put(&m, 512 + 77, 2);
	assert_int_equal(get(&m, 1024), 0);
	assert_int_equal(mm_leaves(m.s.mm), 3);
	image = core_of(m.s.mm, MM_CORE_FILTER_DEFAULT);
	check_segments(&image);
	assert_int_equal(mm_leaves(m.s.mm), 3);
	for (unsigned long page = 0; page < 1536; page++)
		assert_page(&image, page, page == 511 ? 1 : page == 512 + 77 ? 2 : 0);
	free(image.bytes);
	memory_close(&m);
}

static int map_plain(struct file *file, struct vma_new *vma)
{
	return 0;
}

static int read_page(struct file *file, uint64_t offset, void *to, size_t bytes)
{
	unsigned char *page = to;

	if (offset == 2 * PAGE)
		return -EIO;
	memset(page, 0, bytes);
	page[byte_at(0) - at(0)] = (unsigned char)(offset / PAGE + 1);
	return 0;
}

/* Pages of a file that nobody has read yet; the end of it; one that cannot be read. */
static void files(void **state)
{
	static const struct file_operations ops = { .mmap = map_plain, .read_page = read_page };
	const struct file_desc desc = {
		.size = sizeof(desc), .name = "/f", .flags = FILE_READ, .ops = &ops,
		.size_bytes = 5 * PAGE + 200,
	};
	struct image image;
	struct memory m;
	struct file *file;

	memory_open(&m);
	assert_int_equal(file_create(m.s.v, &desc, &file), 0);
	map_file(&m, 0, 40, PROT_READ, MAP_PRIVATE, file, 0);
	file_put(file);
	assert_int_equal(get(&m, 1), 2);
	image = core_of(m.s.mm, MM_CORE_FILE_PRIVATE);
	check_segments(&image);
	assert_int_equal(pages_at(&image, 0), 40);
	for (unsigned long page = 0; page < 40; page++)
		assert_page(&image, page, page == 2 || page > 5 ? 0 : (unsigned char)(page + 1));
	assert_int_equal(mm_rss(m.s.mm), 1);
	free(image.bytes);
	memory_close(&m);
}

static void change_areas(struct mm_user *mm)
{
	assert_int_equal(mm_munmap(mm, at(0), 32 * PAGE), 0);
	assert_int_equal(mm_madvise(mm, at(32), 32 * PAGE, MADV_DONTDUMP), 0);
	assert_int_equal(mm_mmap(mm, at(80), PAGE, RW, ANON | MAP_FIXED, NULL, 0), at(80));
	assert_int_equal(mm_put(mm, 66, 9), MM_FAULT_DONE);
}

/* The place of what goes meanwhile, or is to be secret, is filled with zeros. */
static void changed_meanwhile(void **state)
{
	struct mm_core_config config = MM_CORE_CONFIG_INIT;
	struct image image = { .meanwhile = change_areas };
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 70, RW, ANON), 0);
	put(&m, 5, 1);
	put(&m, 40, 2);
	put(&m, 65, 3);
	image.mm = m.s.mm;
	assert_int_equal(mm_report_core(m.s.mm, &config, collect, &image), 0);
	check_segments(&image);
	assert_int_equal(nr_segments(&image), 2);
	assert_page(&image, 5, 0);
	assert_page(&image, 40, 0);
	assert_page(&image, 65, 3);
	/* The bytes are later than the areas. */
	assert_page(&image, 66, 9);
	free(image.bytes);
	memory_close(&m);
}

/* ---------------------------------------------------------------------------------- notes -- */

static void process_and_threads(void **state)
{
	const elf_gregset_t registers[2] = { { 11, 12, 13 }, { [26] = 27 } };
	const struct mm_core_thread threads[3] = {
		{ 101, 11, &registers[0], sizeof(registers[0]) }, { .tid = 102 },
		{ 103, 0, &registers[1], sizeof(registers[1]) },
	};
	const uint64_t auxv[4] = { 9, 0x401000, 0, 0 };
	struct mm_core_config config = MM_CORE_CONFIG_INIT;
	const struct elf_prpsinfo *info;
	const struct elf_prstatus *status;
	struct image image;
	struct memory m;
	size_t bytes;

	memory_open(&m);
	config.pid = 100;
	config.ppid = 1;
	config.pgrp = 90;
	config.sid = 80;
	config.uid = 1000;
	config.gid = 1001;
	config.name = "a-name-of-more-than-fifteen";
	config.arguments = "a program";
	config.threads = threads;
	config.nr_threads = 3;
	config.auxv = auxv;
	config.auxv_bytes = sizeof(auxv);
	image = core_with(m.s.mm, &config);
	check_segments(&image);
	assert_int_equal(header(&image)->e_machine, EM_X86_64);
	for (unsigned int i = 0; i < 3; i++) {
		status = note(&image, NT_PRSTATUS, i, &bytes);
		assert_int_equal(bytes, sizeof(*status));
		assert_int_equal(status->pr_pid, threads[i].tid);
		assert_int_equal(status->pr_ppid, 1);
		assert_int_equal(status->pr_pgrp, 90);
		assert_int_equal(status->pr_sid, 80);
		assert_int_equal(status->pr_cursig, threads[i].signal);
		assert_int_equal(status->pr_info.si_signo, threads[i].signal);
		assert_memory_equal(status->pr_reg, i == 1 ? (elf_gregset_t){ 0 } :
				    registers[i == 2], sizeof(status->pr_reg));
	}
	assert_null(note(&image, NT_PRSTATUS, 3, &bytes));
	info = note(&image, NT_PRPSINFO, 0, &bytes);
	assert_int_equal(bytes, sizeof(*info));
	assert_int_equal(info->pr_pid, 100);
	assert_int_equal(info->pr_ppid, 1);
	assert_int_equal(info->pr_pgrp, 90);
	assert_int_equal(info->pr_sid, 80);
	assert_int_equal(info->pr_uid, 1000);
	assert_int_equal(info->pr_gid, 1001);
	assert_string_equal(info->pr_fname, "a-name-of-more-");
	assert_string_equal(info->pr_psargs, "a program");
	assert_memory_equal(note(&image, NT_AUXV, 0, &bytes), auxv, sizeof(auxv));
	assert_int_equal(bytes, sizeof(auxv));
	free(image.bytes);
	memory_close(&m);
}

/* One thread, no auxv; and registers of the other machine. */
static void little_is_known(void **state)
{
	struct mm_core_config config = MM_CORE_CONFIG_INIT;
	const uint64_t registers[32] = { [31] = 5 };
	const struct mm_core_thread thread = { 8, 0, registers, sizeof(registers) };
	const struct elf_prstatus *status;
	struct image image;
	struct memory m;
	size_t bytes;

	memory_open(&m);
	config.pid = 7;
	image = core_with(m.s.mm, &config);
	status = note(&image, NT_PRSTATUS, 0, &bytes);
	assert_int_equal(status->pr_pid, 7);
	assert_null(note(&image, NT_PRSTATUS, 1, &bytes));
	assert_null(note(&image, NT_AUXV, 0, &bytes));
	free(image.bytes);

	config.machine = MM_TABLE_RISCV;
	config.threads = &thread;
	config.nr_threads = 1;
	image = core_with(m.s.mm, &config);
	assert_int_equal(header(&image)->e_machine, EM_RISCV);
	status = note(&image, NT_PRSTATUS, 0, &bytes);
	assert_int_equal(bytes, 376);
	assert_int_equal(status->pr_pid, 8);
	assert_memory_equal((const char *)status + 112, registers, sizeof(registers));
	free(image.bytes);
	memory_close(&m);
}

static void mapped_files(void **state)
{
	struct file *file, *gone;
	const uint64_t *words;
	const char *names;
	struct image image;
	struct memory m;
	size_t bytes;

	memory_open(&m);
	file = space_file(&m.s, 8, 0, FILE_PLACE_ANY);
	gone = space_file(&m.s, 8, FILE_DELETED, FILE_PLACE_ANY);
	map_file(&m, 0, 2, PROT_READ, MAP_PRIVATE, file, 3);
	assert_int_equal(space_map(&m.s, 2, 2, RW, ANON), 0);
	map_file(&m, 4, 1, RW, MAP_SHARED, gone, 0);
	image = core_of(m.s.mm, 0);
	words = note(&image, NT_FILE, 0, &bytes);
	assert_int_equal(words[0], 2);
	assert_int_equal(words[1], PAGE);
	assert_int_equal(words[2], at(0));
	assert_int_equal(words[3], at(2));
	assert_int_equal(words[4], 3);
	assert_int_equal(words[5], at(4));
	assert_int_equal(words[6], at(5));
	assert_int_equal(words[7], 0);
	names = (const char *)&words[8];
	assert_memory_equal(names, "/f\0/f (deleted)", 16);
	assert_int_equal(bytes, 8 * sizeof(*words) + 16);
	free(image.bytes);
	file_put(file);
	file_put(gone);
	memory_close(&m);
}

/* ----------------------------------------------------------------------------- the extremes -- */

/* Headers only; a filter that wants everything does not make bytes of nothing. */
static void without_pages(void **state)
{
	struct image image;
	struct file *file;
	struct space s;

	space_open(&s);
	file = space_file(&s, 4, 0, FILE_PLACE_ANY);
	assert_int_equal(space_map(&s, 0, 4, RW, ANON), 0);
	assert_int_equal(space_write(&s, 0), MM_FAULT_DONE);
	assert_int_equal(space_map_file(&s, 8, 4, PROT_READ, MAP_PRIVATE, file, 0), 0);
	image = core_of(s.mm, MM_CORE_FILTER_ALL);
	check_segments(&image);
	assert_int_equal(nr_segments(&image), 3);
	assert_int_equal(segment_at(&image, 0)->p_memsz, 4 * PAGE);
	assert_int_equal(pages_at(&image, 0), 0);
	assert_int_equal(pages_at(&image, 8), 0);
	free(image.bytes);
	file_put(file);
	space_close(&s);
}

/* Every second page: @nr areas and the note of files make nr + 1 program headers. */
static void map_many(struct space *s, struct file *file, unsigned long first, unsigned long nr)
{
	for (unsigned long i = first; i < nr; i++)
		assert_int_equal(space_map_file(s, 2 * i, 1, PROT_READ, MAP_PRIVATE, file, 0), 0);
}

static void many_areas(void **state)
{
	struct file_desc desc = {
		.size = sizeof(desc), .name = "/a/name/of/a/file/that/is/of/some/length/indeed",
		.flags = FILE_READ, .size_bytes = PAGE,
	};
	static const unsigned long more[] = { 65534, 65535, 70000 };
	struct image image;
	struct file *file;
	struct space s;
	size_t bytes;

	space_init(&s);
	s.config.max_map_count = 100000;
	space_create(&s);
	assert_int_equal(file_create(s.v, &desc, &file), 0);
	map_many(&s, file, 0, 50000);
	image = core_of(s.mm, MM_CORE_FILTER_DEFAULT);
	assert_non_null(note(&image, NT_FILE, 0, &bytes));
	free(image.bytes);
	map_many(&s, file, 50000, 65533);
	image = core_of(s.mm, MM_CORE_FILTER_DEFAULT);
	check_segments(&image);
	assert_int_equal(header(&image)->e_phnum, 65534);
	/* More than 4 MiB of it: left out. */
	assert_null(note(&image, NT_FILE, 0, &bytes));
	free(image.bytes);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		const unsigned long nr = more[i];

		map_many(&s, file, 65533, nr);
		image = core_of(s.mm, MM_CORE_FILTER_DEFAULT);
		check_segments(&image);
		assert_int_equal(header(&image)->e_phnum, PN_XNUM);
		assert_int_equal(nr_segments(&image), nr + 1);
		free(image.bytes);
	}
	file_put(file);
	space_close(&s);
}

/* Each call of the writer and of skip_zeros() fails once, and is the last. */
static void fail_each(struct mm_user *mm, const struct mm_core_config *config)
{
	struct image whole = { .len = 0 };

	assert_int_equal(mm_report_core(mm, config, collect, &whole), 0);
	assert_true(whole.calls > 10);
	for (unsigned long n = 1; n <= whole.calls; n++) {
		struct image image = { .fail_at = n };

		assert_int_equal(mm_report_core(mm, config, collect, &image), -77);
		assert_int_equal(image.calls, n);
		assert_true(!image.len || !memcmp(image.bytes, whole.bytes, image.len));
		free(image.bytes);
	}
	free(whole.bytes);
}

static void writers_that_fail(void **state)
{
	struct mm_core_config config = MM_CORE_CONFIG_INIT;
	struct memory m;

	memory_open(&m);
	assert_int_equal(space_map(&m.s, 0, 64, RW, ANON), 0);
	for (unsigned long page = 0; page < 64; page += 3)
		put(&m, page, 1);
	fail_each(m.s.mm, &config);
	config.skip = skip_zeros;
	fail_each(m.s.mm, &config);
	memory_close(&m);
}

static void wrong_use(void **state)
{
	const struct mm_core_config good = MM_CORE_CONFIG_INIT;
	const uint64_t words[32] = { 0 };
	struct mm_core_thread threads[2] = { { .tid = 1 }, { .tid = 2 } };
	struct mm_core_config config;
	struct image image = { .len = 0 };
	struct memory m;

	memory_open(&m);
#define REFUSED(...) do {								\
	config = good;									\
	__VA_ARGS__;									\
	assert_int_equal(mm_report_core(m.s.mm, &config, collect, &image), -EINVAL);	\
	assert_int_equal(image.calls, 0);						\
} while (0)
	REFUSED(config.size--);
	REFUSED(config.filter = 0x200);
	REFUSED(config.machine = (enum mm_table_format)2);
	REFUSED(config.auxv = words; config.auxv_bytes = 24);
	REFUSED(config.nr_threads = 1);
	threads[1].registers = words;
	threads[1].registers_bytes = 256;
	REFUSED(config.threads = threads; config.nr_threads = 2);
	threads[1].registers_bytes = 216;
	REFUSED(config.threads = threads; config.nr_threads = 2; config.machine = MM_TABLE_RISCV);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(areas_and_rights),
		cmocka_unit_test(each_filter),
		cmocka_unit_test(bytes_of_each_kind),
		cmocka_unit_test(dontdump),
		cmocka_unit_test(devices),
		cmocka_unit_test(drivers_pages),
		cmocka_unit_test(special_areas),
		cmocka_unit_test(nothing_is_made),
		cmocka_unit_test(what_cannot_be_accessed),
		cmocka_unit_test(huge_leaves),
		cmocka_unit_test(files),
		cmocka_unit_test(changed_meanwhile),
		cmocka_unit_test(process_and_threads),
		cmocka_unit_test(little_is_known),
		cmocka_unit_test(mapped_files),
		cmocka_unit_test(without_pages),
		cmocka_unit_test(many_areas),
		cmocka_unit_test(writers_that_fail),
		cmocka_unit_test(wrong_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
