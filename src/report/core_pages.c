/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The bytes of areas, without changing anything in the mm.
 *
 *	what the table says		what is written
 *	a page				its bytes
 *	zero page, guard, poison	a hole
 *	none, anonymous			a hole
 *	none, a file's			the page of the file: it is found, or read into the file's
 *					memory, and not mapped; a hole of a file of zeros is a hole
 *	none, a driver's		what a fault brings
 *	swapped, being moved		the same
 *
 * A piece is up to CORE_PIECE pages of one area.  With the mmap lock held for read it is noted what
 * each of its pages is: those that are there get a reference, under the lock of their table, and of
 * the file there is a reference, too.  Then, without a lock, the pages are copied, each is let go
 * of, and the copies are written.  So the writer may do anything, unmap what it is just given
 * included.
 *
 * Before the pieces of anonymous memory its untouched part is passed over, table by table: a TiB
 * that was never touched costs as much as its tables, of which there are none.
 */
#include "phys/copy.h"
#include "file/swapped.h"
#include "report/core.h"
#include "report/entries.h"

enum slot {
	SLOT_HOLE,
	SLOT_PAGE,			/* here it is */
	SLOT_FILE,			/* the file's */
	SLOT_FAULT,
};

struct piece {
	const struct pgtable *pt;
	unsigned long start, end;
	struct file *file;		/* a reference, if a slot is SLOT_FILE */
	unsigned long pgoff;		/* of start */
	struct page *pages[CORE_PIECE];	/* SLOT_PAGE: with a reference to its head */
	enum slot slots[CORE_PIECE];
};

static unsigned int slot_of(const struct piece *piece, unsigned long addr)
{
	return (addr - piece->start) >> PAGE_SHIFT;
}

/* ----------------------------------------------------------------------------- what is there -- */

/* May it be read now?  When the copy was made it could. */
static bool may_be_read(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return false;
	return vma->special || !(vma->vm_flags & VM_DONTDUMP);
}

static enum slot slot_of_soft(enum pt_soft type)
{
	return type == PT_SOFT_GUARD || type == PT_SOFT_POISON ? SLOT_HOLE : SLOT_FAULT;
}

static void note_entry(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	struct piece *piece = arg;
	const struct pt_format *format = piece->pt->format;
	const unsigned long end = min(addr + (level == PT_PMD ? PMD_SIZE : PAGE_SIZE), piece->end);
	struct page *page = pte_present(format, entry) ? report_page(piece->pt, entry) : NULL;

	for (unsigned long at = max(addr, piece->start); at < end; at += PAGE_SIZE) {
		unsigned int i = slot_of(piece, at);

		if (page) {
			piece->slots[i] = SLOT_PAGE;
			piece->pages[i] = page + ((at - addr) >> PAGE_SHIFT);
			page_get(page_head(page));
		} else {
			piece->slots[i] = pte_present(format, entry) ? SLOT_HOLE :
					  slot_of_soft(pte_soft_type(format, entry));
		}
	}
}

static int stop_here(void *arg, unsigned long addr, unsigned int level, pte_t entry)
{
	*(unsigned long *)arg = addr;
	return 1;
}

/* What a page is for which there is no entry. */
static enum slot slot_of_none(const struct vm_area_struct *vma)
	__must_hold_shared(vma_stable)
{
	return vma_is_anonymous(vma) ? SLOT_HOLE :
	       vma_maps_file(vma) ? SLOT_FILE : SLOT_FAULT;
}

/* [start, end) of one area begins with this much of nothing: returns where that ends. */
static unsigned long skip_untouched(const struct core *core, const struct vm_area_struct *vma,
				    unsigned long start, unsigned long end)
	__must_hold_shared(vma_stable)
{
	unsigned long first;

	if (slot_of_none(vma) != SLOT_HOLE)
		return start;
	if (!pt_walk(core->mm->pgt, start, end, stop_here, &first))
		return end;
	return max(start, first);
}

/*
 * Notes the piece at @start, or that there is none: returns where the hole ends that begins at
 * @start, which is @start if there is a piece.
 */
static unsigned long note_piece(const struct core *core, unsigned long start, unsigned long end,
				struct piece *piece)
	__must_hold_shared(vma_stable)
{
	const struct vm_area_struct *vma = vma_in(core->mm, start, end);
	unsigned int budget = CORE_PIECE;		/* more tables than there are */
	unsigned long first;
	enum slot none;

	if (!vma || vma->vm_start > start)
		return vma ? min(vma->vm_start, end) : end;
	end = min(end, vma->vm_end);
	if (!may_be_read(vma))
		return end;
	first = skip_untouched(core, vma, start, end);
	if (first > start)
		return first;
	none = slot_of_none(vma);
	*piece = (struct piece){
		.pt = core->mm->pgt, .start = start, .pgoff = vma_pgoff_at(vma, start),
		.end = min(end, start + ((unsigned long)CORE_PIECE << PAGE_SHIFT)),
		.file = none == SLOT_FILE ? file_get(vma->vm_file) : NULL,
	};
	for (unsigned int i = 0; i < CORE_PIECE; i++)
		piece->slots[i] = none;
	report_entries(core->mm->pgt, start, piece->end, &budget, note_entry, piece);
	return start;
}

/* ---------------------------------------------------------------------------------- bytes -- */

/* With a reference; NULL: zeros. */
static struct page *page_of_file(struct file *file, unsigned long pgoff) __may_sleep
{
	struct page *page = filemap_find_page(file->mapping, pgoff);
	int err;

	if (page)
		return page;
	if (!filemap_is_zero_filled(file))
		return filemap_get_page(file, pgoff, FILEMAP_WAIT, &page) ? NULL : page;
	rwsem_read_lock(&file->mapping->invalidate_lock);
	err = filemap_get_kept(file->mapping, pgoff, &page);
	rwsem_read_unlock(&file->mapping->invalidate_lock);
	return err ? NULL : page;
}

static struct page *page_by_fault(struct mm_struct *mm, unsigned long addr)
	__must_not_hold(vma_stable) __may_sleep
{
	struct pinned pinned;

	if (fault_pin(mm, addr, MM_ACCESS_READ, FAULT_REMOTE | FAULT_FORCED | FAULT_PEEK,
		      &pinned) != MM_FAULT_DONE)
		return NULL;
	return pinned.page;
}

static struct page *page_of_slot(struct core *core, const struct piece *piece, unsigned int i)
	__must_not_hold(vma_stable) __may_sleep
{
	switch (piece->slots[i]) {
	case SLOT_PAGE:
		return piece->pages[i];
	case SLOT_FILE:
		return page_of_file(piece->file, piece->pgoff + i);
	case SLOT_FAULT:
		return page_by_fault(core->mm, piece->start + ((unsigned long)i << PAGE_SHIFT));
	default:
		return NULL;
	}
}

/* The bytes of the piece; what cannot be had becomes a hole.  Nothing is held afterwards. */
static void read_piece(struct core *core, struct piece *piece)
	__must_not_hold(vma_stable) __may_sleep
{
	for (unsigned int i = 0; i < slot_of(piece, piece->end); i++) {
		struct page *page = page_of_slot(core, piece, i);

		if (page) {
			frame_copy(core->copy->bytes + ((unsigned long)i << PAGE_SHIFT),
				   page_bytes(page));
			page_put(page_head(page));
		} else {
			piece->slots[i] = SLOT_HOLE;
		}
	}
	if (piece->file)
		file_put(piece->file);
}

/* -------------------------------------------------------------------------------- writing -- */

static void write_bytes(struct core *core, const void *bytes, size_t nr)
{
	if (!out_flush(&core->out))
		core->out.result = core->out.write(core->out.arg, bytes, nr);
}

static void write_hole(struct core *core, unsigned long bytes)
{
	static const char zeros[PAGE_SIZE];

	if (core->config->skip) {
		if (!out_flush(&core->out))
			core->out.result = core->config->skip(core->out.arg, bytes);
		return;
	}
	for (; bytes && !core->out.result; bytes -= PAGE_SIZE)
		write_bytes(core, zeros, PAGE_SIZE);
}

static void write_piece(struct core *core, const struct piece *piece)
{
	const unsigned int nr = slot_of(piece, piece->end);
	unsigned int i = 0, end;

	for (; i < nr && !core->out.result; i = end) {
		const bool hole = piece->slots[i] == SLOT_HOLE;

		for (end = i + 1; end < nr && (piece->slots[end] == SLOT_HOLE) == hole;)
			end++;
		if (hole)
			write_hole(core, (unsigned long)(end - i) << PAGE_SHIFT);
		else
			write_bytes(core, core->copy->bytes + ((unsigned long)i << PAGE_SHIFT),
				    (size_t)(end - i) << PAGE_SHIFT);
	}
}

/* As note_piece(), with the lock. */
static unsigned long find_piece(struct core *core, unsigned long start, unsigned long end,
				struct piece *piece)
	__must_not_hold(vma_stable) __may_sleep
{
	unsigned long hole_end;

	mm_read_lock(core->mm);
	hole_end = note_piece(core, start, end, piece);
	mm_read_unlock(core->mm);
	return hole_end;
}

void core_write_pages(struct core *core, unsigned long start, unsigned long end)
{
	while (start < end && !core->out.result) {
		struct piece piece;
		unsigned long hole_end = find_piece(core, start, end, &piece);

		if (hole_end > start) {
			write_hole(core, hole_end - start);
			start = hole_end;
			continue;
		}
		read_piece(core, &piece);
		write_piece(core, &piece);
		start = piece.end;
	}
}

bool core_begins_as_elf(struct core *core, unsigned long start)
{
	static const u8 magic[4] = { 0x7f, 'E', 'L', 'F' };
	struct piece piece;

	if (find_piece(core, start, start + PAGE_SIZE, &piece) > start)
		return false;
	read_piece(core, &piece);
	return piece.slots[0] != SLOT_HOLE && !memcmp(core->copy->bytes, magic, sizeof(magic));
}
