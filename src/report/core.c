/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A core file: the areas as program headers, notes about the process, the bytes.
 *
 *	offset		what				of whom
 *	0		ELF header			here
 *	64		PT_NOTE, PT_LOAD, PT_LOAD...	here; 56 bytes each, areas in order
 *			notes				core_notes.c
 *	next page	bytes of the 1st area, the 2nd	core_pages.c
 *	end		a section header		here; see below
 *
 * Terms.  The *copy* is the list of areas as they were at one moment, with a reference to each
 * file.  An area's *bytes* are how much of it is in the file, from its start on: all, none, or the
 * first page.  A *hole* is a run of zeros that no page stands for.
 *
 * The file is written front to back, and the header tells where everything is.  So all sizes are
 * known before the first byte: of the notes, since they are made from the copy, and of the areas,
 * since the filter decides from the copy and nothing that happens later changes its mind.  What has
 * gone by the time its bytes are read is written as zeros: the place has been promised.
 *
 * The one decision that needs bytes is that about MM_CORE_ELF_HEADERS, which Linux takes by the
 * file's right to be executed first: here files have no such right, and what counts is whether the
 * page begins with \177ELF.  These first pages are looked at before the header is written.
 *
 * PN_XNUM.  e_phnum has 16 bits.  From 65,535 headers on it is PN_XNUM, 65,535, and the number is
 * in sh_info of section header 0, which for that purpose is the only one, at the end of the file.
 *
 * Locking.  The mmap lock for read while the copy is made, which cannot wait for memory there: it
 * measures, allocates, and looks again.  And for each piece of pages: core_pages.c.  The writer is
 * called without a lock and without a page held.
 *
 * Failure.  One allocation, before the first byte; after that only the writer can end it.
 *
 * Rejected: mm_for_each_area() for the copy.  It does not tell which private memory was written to,
 * and that is what the filter's first bit is about.  Also rejected: the mmap lock over the whole
 * dump.  The bytes would still not be of one moment, since stores need no lock, and the writer
 * would run with it held.
 */
#include "report/core.h"

#include "file/file.h"

/* ------------------------------------------------------------------------------------ ELF -- */

#define ELF_CLASS_64	2
#define ELF_DATA_LSB	1
#define ELF_VERSION	1
#define ET_CORE		4
#define EM_X86_64	62
#define EM_RISCV	243
#define PT_LOAD		1
#define PT_NOTE		4
#define PF_X		1
#define PF_W		2
#define PF_R		4
#define PN_XNUM		0xffffu

struct elf_header {
	u8 magic[4], class, data, version, pad[9];
	u16 type, machine;
	u32 version_again;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

struct section_header {
	u32 name, type;
	u64 flags, addr, offset, size;
	u32 link, info;
	u64 addralign, entsize;
};

_Static_assert(sizeof(struct elf_header) == 64, "elf(5)");
_Static_assert(sizeof(struct program_header) == 56, "elf(5)");
_Static_assert(sizeof(struct section_header) == 64, "elf(5)");

void core_out(struct core *core, const void *bytes, size_t nr)
{
	const char *from = bytes;

	while (nr--)
		out_char(&core->out, *from++);
}

/* ----------------------------------------------------------------------------- the filter -- */

static unsigned long all_if(const struct core_area *area, bool wanted)
{
	return wanted ? area->end - area->start : 0;
}

/* What is neither shared nor special: as a whole, or perhaps its first page. */
static unsigned long private_bytes(struct core_area *area, unsigned int filter, bool touched)
{
	if (touched && (filter & MM_CORE_ANON_PRIVATE))
		return area->end - area->start;
	if (!area->file)
		return 0;
	if (filter & MM_CORE_FILE_PRIVATE)
		return area->end - area->start;
	area->if_elf = (filter & MM_CORE_ELF_HEADERS) && !area->pgoff && (area->flags & VM_READ);
	return 0;
}

/* How much of the area is in the file.  Sets if_elf. */
static unsigned long bytes_of(struct core_area *area, unsigned int filter,
			      const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	const bool shared = area->flags & VM_SHARED;

	if (vma->special)
		return area->end - area->start;
	if (area->flags & VM_DONTDUMP)
		return 0;
	if (area->file && (file_flags(area->file) & FILE_DAX))
		return all_if(area, filter & (shared ? MM_CORE_DAX_SHARED : MM_CORE_DAX_PRIVATE));
	if (area->flags & VM_HUGETLB)
		return all_if(area, filter & (shared ? MM_CORE_HUGETLB_SHARED
						     : MM_CORE_HUGETLB_PRIVATE));
	if (area->flags & VM_IO)
		return 0;
	if (shared)
		return all_if(area, filter & (area->deleted ? MM_CORE_ANON_SHARED
							    : MM_CORE_FILE_SHARED));
	return private_bytes(area, filter, atomic_load_relaxed(&vma->anon));
}

/* --------------------------------------------------------------------------------- a copy -- */

static void copy_area(struct core *core, struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	struct core_area *area = &core->copy->areas[core->copy->nr++];

	*area = (struct core_area){
		.start = vma->vm_start, .end = vma->vm_end, .flags = vma->vm_flags,
		.pgoff = vma_pgoff_at(vma, vma->vm_start),
	};
	if (vma->vm_file) {
		area->file = file_get(vma->vm_file);
		area->deleted = file_flags(area->file) & FILE_DELETED;
	}
	area->bytes = bytes_of(area, core->config->filter, vma);
	if (!mm_has_pages(core->mm)) {
		area->bytes = 0;
		area->if_elf = false;
	}
}

static size_t copy_bytes(size_t room)
{
	return sizeof(struct core_copy) + room * sizeof(struct core_area);
}

static void put_copy(struct core_copy *copy)
{
	for (size_t i = 0; i < copy->nr; i++)
		if (copy->areas[i].file)
			file_put(copy->areas[i].file);
	port_free(copy, copy_bytes(copy->room));
}

/* All areas, or the number of them if there is no room. */
static size_t try_copy(struct core *core) __may_sleep
{
	struct vm_area_struct *vma;
	size_t nr;

	mm_read_lock(core->mm);
	nr = core->mm->map_count;
	if (core->copy && nr <= core->copy->room)
		for (vma = vma_first(core->mm, 0); vma; vma = vma_after(vma))
			copy_area(core, vma);
	mm_read_unlock(core->mm);
	return nr;
}

/* With an eighth more than there are, for the map may have grown by then.  0 or -ENOMEM. */
static int make_copy(struct core *core) __may_sleep
{
	size_t nr = try_copy(core), room;

	for (;;) {
		room = nr + nr / 8 + 1;
		core->copy = port_alloc(copy_bytes(room));
		if (!core->copy)
			return -ENOMEM;
		core->copy->room = room;
		nr = try_copy(core);
		if (nr <= room)
			return 0;
		put_copy(core->copy);
	}
}

static void look_for_elf(struct core *core) __may_sleep
{
	for (size_t i = 0; i < core->copy->nr; i++) {
		struct core_area *area = &core->copy->areas[i];

		if (area->if_elf && core_begins_as_elf(core, area->start))
			area->bytes = PAGE_SIZE;
	}
}

/* ------------------------------------------------------------------------------- the file -- */

/* Where things are. */
struct layout {
	u64 nr_headers;
	u64 notes, notes_bytes;
	u64 bytes, end;
};

static void plan(struct core *core, struct layout *layout)
{
	layout->nr_headers = core->copy->nr + 1;
	layout->notes = sizeof(struct elf_header) +
			layout->nr_headers * sizeof(struct program_header);
	layout->notes_bytes = core_measure_notes(core);
	layout->bytes = PAGE_ALIGN(layout->notes + layout->notes_bytes);
	layout->end = layout->bytes;
	for (size_t i = 0; i < core->copy->nr; i++)
		layout->end += core->copy->areas[i].bytes;
}

static void write_header(struct core *core, const struct layout *layout)
{
	const bool many = layout->nr_headers >= PN_XNUM;
	const struct elf_header header = {
		.magic = { 0x7f, 'E', 'L', 'F' }, .class = ELF_CLASS_64, .data = ELF_DATA_LSB,
		.version = ELF_VERSION, .version_again = ELF_VERSION,
		.type = ET_CORE,
		.machine = core->config->machine == MM_TABLE_RISCV ? EM_RISCV : EM_X86_64,
		.phoff = sizeof(header), .ehsize = sizeof(header),
		.phentsize = sizeof(struct program_header),
		.phnum = many ? PN_XNUM : (u16)layout->nr_headers,
		.shoff = many ? layout->end : 0,
		.shentsize = many ? sizeof(struct section_header) : 0,
		.shnum = many,
	};

	core_out(core, &header, sizeof(header));
}

static void write_program_headers(struct core *core, const struct layout *layout)
{
	struct program_header header = {
		.type = PT_NOTE, .offset = layout->notes, .filesz = layout->notes_bytes,
		.align = 4,
	};
	u64 offset = layout->bytes;

	core_out(core, &header, sizeof(header));
	for (size_t i = 0; i < core->copy->nr; i++) {
		const struct core_area *area = &core->copy->areas[i];

		header = (struct program_header){
			.type = PT_LOAD, .offset = offset, .vaddr = area->start,
			.filesz = area->bytes, .memsz = area->end - area->start,
			.flags = (area->flags & VM_READ ? PF_R : 0) |
				 (area->flags & VM_WRITE ? PF_W : 0) |
				 (area->flags & VM_EXEC ? PF_X : 0),
			.align = PAGE_SIZE,
		};
		core_out(core, &header, sizeof(header));
		offset += area->bytes;
	}
}

static void pad_to(struct core *core, u64 from, u64 to)
{
	for (; from < to; from++)
		out_char(&core->out, 0);
}

static void write_number_of_headers(struct core *core, const struct layout *layout)
{
	const struct section_header header = { .size = 1, .info = (u32)layout->nr_headers };

	if (layout->nr_headers >= PN_XNUM)
		core_out(core, &header, sizeof(header));
}

static void write_file(struct core *core) __may_sleep
{
	struct layout layout;

	plan(core, &layout);
	write_header(core, &layout);
	write_program_headers(core, &layout);
	core_write_notes(core);
	pad_to(core, layout.notes + layout.notes_bytes, layout.bytes);
	for (size_t i = 0; i < core->copy->nr && !core->out.result; i++) {
		const struct core_area *area = &core->copy->areas[i];

		core_write_pages(core, area->start, area->start + area->bytes);
	}
	write_number_of_headers(core, &layout);
}

static bool config_is_good(const struct mm_core_config *config)
{
	if (config->size != sizeof(*config) || (config->filter & ~MM_CORE_FILTER_ALL) ||
	    config->auxv_bytes % (2 * sizeof(u64)) || config->auxv_bytes > UINT32_MAX)
		return false;
	if (config->machine != MM_TABLE_X86_64 && config->machine != MM_TABLE_RISCV)
		return false;
	if (config->nr_threads && !config->threads)
		return false;
	for (size_t i = 0; i < config->nr_threads; i++)
		if (config->threads[i].registers && config->threads[i].registers_bytes !=
						    core_registers_bytes(config->machine))
			return false;
	return true;
}

int mm_report_core(struct mm_user *user, const struct mm_core_config *config, mm_writer write,
		   void *arg)
{
	witness_call();
	struct core core = { .mm = mm_from_user(user), .config = config };
	int err;

	if (!config_is_good(config))
		return -EINVAL;
	err = make_copy(&core);
	if (err)
		return err;
	out_init(&core.out, write, arg);
	look_for_elf(&core);
	write_file(&core);
	err = out_flush(&core.out);
	put_copy(core.copy);
	return err;
}
