/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the hardware does with page tables, from the manuals and not from the library: these walkers
 * get the bytes of physical memory, a root and an address, and know nothing else.  They include
 * nothing of src/.
 *
 *	x86-64	Intel SDM volume 3, chapter 4: tables 4-14 to 4-20 (4-level and 5-level paging)
 *	RISC-V	The RISC-V Instruction Set Manual, volume II, 12.3 to 12.6 (Sv39, Sv48, Sv57),
 *		"Virtual Address Translation Process"
 */
#ifndef TESTS_PGTABLE_HW_WALK_H
#define TESTS_PGTABLE_HW_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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
};

struct hw_machine {
	const char *name;
	struct hw_translation (*walk)(const uint8_t *memory, uint64_t root_pa, int levels,
				      uint64_t va);
	/* Does the entry point to a table?  @level counts from 0, the last one. */
	bool (*is_table)(uint64_t entry, int level);
	uint64_t (*table_pa)(uint64_t entry);
	uint64_t accessed_bit, dirty_bit;
};

static inline uint64_t hw_load(const uint8_t *memory, uint64_t pa)
{
	uint64_t value;

	memcpy(&value, memory + pa, sizeof(value));
	return value;
}

/* ------------------------------------------------------------------- x86-64 -- */

/* Bits 51:12, with MAXPHYADDR 52. */
#define SDM_ADDRESS	0x000ffffffffff000ull

static inline struct hw_translation x86_walk(const uint8_t *memory, uint64_t cr3, int levels,
					     uint64_t va)
{
	struct hw_translation t = { .result = HW_FAULT, .read = true, .write = true,
				    .exec = true, .user = true };
	uint64_t table = cr3 & SDM_ADDRESS;

	for (int level = levels; level >= 1; level--) {
		uint64_t at = table + 8 * ((va >> (12 + 9 * (level - 1))) & 0x1ff);
		uint64_t e = hw_load(memory, at);
		bool large = false;

		if (!(e & 1))				/* P */
			return t;
		if (level > 3 && (e & 0x80)) {		/* reserved in PML4E and PML5E */
			t.result = HW_MALFORMED;
			return t;
		}
		if (level == 2 || level == 3)
			large = e & 0x80;		/* PS */
		t.write = t.write && (e & 2);		/* R/W */
		t.user = t.user && (e & 4);		/* U/S */
		t.exec = t.exec && !(e >> 63);		/* XD */
		if (level == 1 || large) {
			uint64_t size = 4096ull << (9 * (level - 1));
			/* Bit 12 of a large page is PAT; the address starts above what it spans. */
			uint64_t reserved = (size - 1) & SDM_ADDRESS & ~0x1000ull;

			t.result = large && (e & reserved) ? HW_MALFORMED : HW_MAPPED;
			t.pa = (e & SDM_ADDRESS & ~(size - 1)) | (va & (size - 1));
			t.page_bytes = size;
			t.entry_pa = at;
			t.accessed = e & 0x20;
			t.dirty = e & 0x40;
			return t;
		}
		table = e & SDM_ADDRESS;
	}
	return t;
}

static inline bool x86_is_table(uint64_t e, int level)
{
	return (e & 1) && level > 0 && !((level == 1 || level == 2) && (e & 0x80));
}

static inline uint64_t x86_table_pa(uint64_t e)
{
	return e & SDM_ADDRESS;
}

/* ------------------------------------------------------------------- RISC-V -- */

static inline struct hw_translation riscv_walk(const uint8_t *memory, uint64_t root_pa, int levels,
					       uint64_t va)
{
	struct hw_translation t = { .result = HW_FAULT };
	uint64_t a = root_pa;

	for (int i = levels - 1; i >= 0; i--) {
		uint64_t at = a + 8 * ((va >> (12 + 9 * i)) & 0x1ff);
		uint64_t pte = hw_load(memory, at);
		uint64_t ppn = (pte >> 10) & ((1ull << 44) - 1);
		bool v = pte & 1, r = pte & 2, w = pte & 4, x = pte & 8;

		if (!v)
			return t;
		/* W without R; bits 60 to 54; PBMT and N without their extensions. */
		if ((!r && w) || (pte >> 54)) {
			t.result = HW_MALFORMED;
			return t;
		}
		if (r || x) {
			uint64_t span = (1ull << (9 * i)) - 1;

			t.result = ppn & span ? HW_MALFORMED : HW_MAPPED;
			t.page_bytes = 4096ull << (9 * i);
			t.pa = (ppn << 12) | (va & (t.page_bytes - 1));
			t.entry_pa = at;
			t.read = r;
			t.write = w;
			t.exec = x;
			t.user = pte & 16;
			t.accessed = pte & 64;
			t.dirty = pte & 128;
			return t;
		}
		/* A pointer: D, A and U are reserved. */
		if (pte & (128 | 64 | 16)) {
			t.result = HW_MALFORMED;
			return t;
		}
		a = ppn << 12;
	}
	return t;
}

static inline bool riscv_is_table(uint64_t pte, int level)
{
	return (pte & 1) && level > 0 && !(pte & (2 | 4 | 8));
}

static inline uint64_t riscv_table_pa(uint64_t pte)
{
	return ((pte >> 10) & ((1ull << 44) - 1)) << 12;
}

/* ---------------------------------------------------------------- both -- */

static const struct hw_machine hw_x86 = {
	"x86-64", x86_walk, x86_is_table, x86_table_pa, 0x20, 0x40,
};
static const struct hw_machine hw_riscv = {
	"RISC-V", riscv_walk, riscv_is_table, riscv_table_pa, 64, 128,
};

/* Tables below the one at @table_pa, whose entries are of @level. */
static inline long hw_count_tables(const struct hw_machine *hw, const uint8_t *memory,
				   uint64_t table_pa, int level)
{
	long nr = 0;

	for (uint64_t i = 0; i < 512; i++) {
		uint64_t e = hw_load(memory, table_pa + 8 * i);

		if (hw->is_table(e, level))
			nr += 1 + hw_count_tables(hw, memory, hw->table_pa(e), level - 1);
	}
	return nr;
}

#endif
