/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The bits are numbered as the manuals number them; nothing here comes from the library. */
#include <string.h>

#include "hw_walk.h"

static bool in_memory(const struct hw_memory *memory, uint64_t table_pa)
{
	return table_pa <= memory->nr_bytes && memory->nr_bytes - table_pa >= 4096;
}

static uint64_t load(const struct hw_memory *memory, uint64_t pa)
{
	uint64_t value;

	memcpy(&value, memory->bytes + pa, sizeof(value));
	return value;
}

static uint64_t bits(uint64_t value, int high, int low)
{
	return (value >> low) & ((2ull << (high - low)) - 1);
}

/* ------------------------------------------------------------------- x86-64 -- */

/* Bits 51:12, with MAXPHYADDR 52. */
#define SDM_ADDRESS	0x000ffffffffff000ull

static struct hw_translation x86_leaf(struct hw_translation t, uint64_t e, int level, uint64_t va)
{
	uint64_t size = 4096ull << (9 * (level - 1));
	/* Bit 12 of a large page is PAT; the address starts above what it spans. */
	uint64_t reserved = (size - 1) & SDM_ADDRESS & ~0x1000ull;
	bool pat = level == 1 ? e & 0x80 : e & 0x1000;

	t.result = level > 1 && (e & reserved) ? HW_MALFORMED : HW_MAPPED;
	t.pa = (e & SDM_ADDRESS & ~(size - 1)) | (va & (size - 1));
	t.page_bytes = size;
	t.accessed = e & 0x20;
	t.dirty = e & 0x40;
	/* PWT, PCD and PAT 0: the first type, write-back after reset.  G.  The key in 62:59. */
	t.plain = !bits(e, 4, 3) && !pat && !(e & 0x100) && !bits(e, 62, 59);
	return t;
}

static struct hw_translation x86_walk(const struct hw_memory *memory, uint64_t cr3, int levels,
				      uint64_t va)
{
	struct hw_translation t = { .result = HW_FAULT, .read = true, .write = true,
				    .exec = true, .user = true };
	uint64_t table = cr3 & SDM_ADDRESS;

	for (int level = levels; level >= 1; level--) {
		uint64_t e;

		t.entry_pa = table + 8 * bits(va, 12 + 9 * level - 1, 12 + 9 * (level - 1));
		t.result = HW_MALFORMED;
		if (!in_memory(memory, table))
			return t;
		e = load(memory, t.entry_pa);
		if (!(e & 1)) {				/* P */
			t.result = HW_FAULT;
			return t;
		}
		if (level > 3 && (e & 0x80))		/* reserved in PML4E and PML5E */
			return t;
		t.write = t.write && (e & 2);		/* R/W */
		t.user = t.user && (e & 4);		/* U/S */
		t.exec = t.exec && !(e >> 63);		/* XD */
		if (level == 1 || (e & 0x80))		/* PS */
			return x86_leaf(t, e, level, va);
		table = e & SDM_ADDRESS;
	}
	return t;
}

static bool x86_is_table(uint64_t e, int level)
{
	return (e & 1) && level > 0 && !(e & 0x80);
}

static uint64_t x86_table_pa(uint64_t e)
{
	return e & SDM_ADDRESS;
}

const struct hw_machine hw_x86 = {
	"x86-64", x86_walk, x86_is_table, x86_table_pa, 0x20, 0x40,
};

/* ------------------------------------------------------------------- RISC-V -- */

static uint64_t riscv_table_pa(uint64_t pte)
{
	return bits(pte, 53, 10) << 12;
}

static struct hw_translation riscv_leaf(struct hw_translation t, uint64_t pte, int i, uint64_t va)
{
	uint64_t ppn = bits(pte, 53, 10), span = (1ull << (9 * i)) - 1;

	t.result = ppn & span ? HW_MALFORMED : HW_MAPPED;
	t.page_bytes = 4096ull << (9 * i);
	t.pa = (ppn << 12) | (va & (t.page_bytes - 1));
	t.read = pte & 2;
	t.write = pte & 4;
	t.exec = pte & 8;
	t.user = pte & 16;
	t.plain = !(pte & 32);				/* G */
	t.accessed = pte & 64;
	t.dirty = pte & 128;
	return t;
}

static struct hw_translation riscv_walk(const struct hw_memory *memory, uint64_t root_pa, int levels,
					uint64_t va)
{
	struct hw_translation t = { .result = HW_FAULT };
	uint64_t a = root_pa;

	for (int i = levels - 1; i >= 0; i--) {
		uint64_t pte;

		t.entry_pa = a + 8 * bits(va, 12 + 9 * i + 8, 12 + 9 * i);
		t.result = HW_MALFORMED;
		if (!in_memory(memory, a))
			return t;
		pte = load(memory, t.entry_pa);
		if (!(pte & 1)) {			/* V */
			t.result = HW_FAULT;
			return t;
		}
		/* W without R; bits 60 to 54; PBMT and N without their extensions. */
		if ((pte & 6) == 4 || bits(pte, 63, 54))
			return t;
		if (pte & (2 | 8))			/* R or X: a leaf */
			return riscv_leaf(t, pte, i, va);
		/* A pointer: D, A and U are reserved, and at the last level there is none. */
		if (pte & (128 | 64 | 16))
			return t;
		a = riscv_table_pa(pte);
	}
	return t;
}

static bool riscv_is_table(uint64_t pte, int level)
{
	return (pte & 1) && level > 0 && !(pte & (2 | 4 | 8));
}

const struct hw_machine hw_riscv = {
	"RISC-V", riscv_walk, riscv_is_table, riscv_table_pa, 64, 128,
};

/* --------------------------------------------------------------------- both -- */

struct hw_translation hw_translate(const struct hw_tables *tables, uint64_t va)
{
	return tables->machine->walk(&tables->memory, tables->root_pa, tables->levels, va);
}

/* The entries of @level that are in one table, which begins at @va. */
static void visit(const struct hw_tables *t, const struct hw_visitor *visitor, uint64_t table_pa,
		  int level, uint64_t va)
{
	for (uint64_t i = 0; i < 512; i++, va += 4096ull << (9 * level)) {
		uint64_t e = load(&t->memory, table_pa + 8 * i);

		/* P and V are bit 0: most entries of most tables. */
		if (!(e & 1))
			continue;
		if (t->machine->is_table(e, level) &&
		    in_memory(&t->memory, t->machine->table_pa(e))) {
			if (visitor->table)
				visitor->table(visitor->arg, t->machine->table_pa(e), level - 1);
			visit(t, visitor, t->machine->table_pa(e), level - 1, va);
		} else if (visitor->page) {
			/* From the top: what it allows is decided on the way, too. */
			struct hw_translation page = hw_translate(t, va);

			if (page.result != HW_FAULT)
				visitor->page(visitor->arg, va, &page);
		}
	}
}

void hw_each(const struct hw_tables *tables, const struct hw_visitor *visitor)
{
	if (in_memory(&tables->memory, tables->root_pa))
		visit(tables, visitor, tables->root_pa, tables->levels - 1, 0);
}

static void count(void *arg, uint64_t table_pa, int level)
{
	(void)table_pa;
	(void)level;
	++*(long *)arg;
}

long hw_count_tables(const struct hw_tables *tables)
{
	long nr = 0;
	const struct hw_visitor visitor = { .table = count, .arg = &nr };

	hw_each(tables, &visitor);
	return nr;
}
