/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the hardware does with page tables, from the manuals and not from the library: this walker
 * gets the bytes of physical memory, a root and an address, and knows nothing else.  It includes
 * nothing of src/ or include/, and nothing of those may be included by hw_walk.c.
 *
 *	x86-64	Intel SDM volume 3, chapter 4: tables 4-14 to 4-20 (4-level and 5-level paging)
 *	RISC-V	The RISC-V Instruction Set Manual, volume II, 12.3 to 12.6 (Sv39, Sv48, Sv57),
 *		"Virtual Address Translation Process"
 */
#ifndef TESTS_WALKER_HW_WALK_H
#define TESTS_WALKER_HW_WALK_H

#include <stdbool.h>
#include <stdint.h>

enum hw_result {
	HW_FAULT,			/* not present */
	HW_MAPPED,
	HW_MALFORMED,			/* a reserved bit, a misaligned large page: never ours */
};

struct hw_translation {
	enum hw_result result;
	uint64_t pa;
	uint64_t page_bytes;		/* of the page that maps it */
	uint64_t entry_pa;		/* where the leaf entry is */
	bool read, write, exec, user, accessed, dirty;
	bool plain;			/* write-back memory, not global, no protection key */
};

struct hw_memory {
	const uint8_t *bytes;		/* physical address 0 */
	uint64_t nr_bytes;
};

struct hw_machine {
	const char *name;
	struct hw_translation (*walk)(const struct hw_memory *memory, uint64_t root_pa, int levels,
				      uint64_t va);
	/* Does the entry point to a table?  @level counts from 0, the last one. */
	bool (*is_table)(uint64_t entry, int level);
	uint64_t (*table_pa)(uint64_t entry);
	uint64_t accessed_bit, dirty_bit;
};

extern const struct hw_machine hw_x86, hw_riscv;

/* What one address space's hardware has. */
struct hw_tables {
	const struct hw_machine *machine;
	struct hw_memory memory;
	uint64_t root_pa;
	int levels;
};

struct hw_translation hw_translate(const struct hw_tables *tables, uint64_t va);

/*
 * Everything that hardware could reach from the root, in order of addresses: each table but the
 * root, with the level of its entries, and each entry that is no table and at which a walk does not
 * just fault.  A table outside of memory is not followed; a walk through it is malformed.
 */
struct hw_visitor {
	void (*table)(void *arg, uint64_t table_pa, int level);		/* NULL: nobody asks */
	void (*page)(void *arg, uint64_t va, const struct hw_translation *t);
	void *arg;
};
void hw_each(const struct hw_tables *tables, const struct hw_visitor *visitor);

/* How many tables there are below the root. */
long hw_count_tables(const struct hw_tables *tables);

#endif
