/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A core file in the making.  The essay is in core.c. */
#ifndef REPORT_CORE_H
#define REPORT_CORE_H

#include <vmarea/core.h>

#include "mm/mm.h"
#include "report/out.h"

/* Pages that are read at once. */
#define CORE_PIECE	16u

/* An area in the copy. */
struct core_area {
	unsigned long start, end;
	vm_flags_t flags;
	unsigned long pgoff;		/* of start, pages */
	struct file *file;		/* a reference, or NULL */
	unsigned long bytes;		/* of it in the file: p_filesz */
	bool deleted;			/* FILE_DELETED */
	bool if_elf;			/* its first page, if that begins as ELF */
};

/* The copy, and a place for bytes on their way: one allocation. */
struct core_copy {
	u8 bytes[CORE_PIECE << PAGE_SHIFT];
	size_t room, nr;		/* of areas */
	struct core_area areas[];
};

struct core {
	struct mm_struct *mm;
	const struct mm_core_config *config;
	struct core_copy *copy;
	struct out out;
	u64 file_note_bytes;		/* of its descriptor; 0: left out */
};

/* Not ended by a 0. */
void core_out(struct core *core, const void *bytes, size_t nr);

/* ---- core_notes.c */

/* The bytes of registers in NT_PRSTATUS. */
size_t core_registers_bytes(enum mm_table_format machine);
/* How long all notes are.  Sets file_note_bytes. */
u64 core_measure_notes(struct core *core);
void core_write_notes(struct core *core);

/* ---- core_pages.c */

/* Does the page at @start begin as an ELF file does? */
bool core_begins_as_elf(struct core *core, unsigned long start)
	__must_not_hold(vma_stable) __may_sleep;
/* [start, end) goes to the writer. */
void core_write_pages(struct core *core, unsigned long start, unsigned long end)
	__must_not_hold(vma_stable) __may_sleep;

#endif
