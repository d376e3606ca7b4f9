/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The formats, bit by bit.
 *
 * A leaf without rights.  Both machines ignore an entry whose lowest bit is 0, so that bit goes
 * away and another one, which only present entries use, says that the rest is a leaf all the same.
 */
#include "pgtable/format.h"

/*
 * x86-64: Intel SDM volume 3, "4-level paging and 5-level paging".
 *
 *	63	62..52	51..12		11..9	8	7	6 5	4 3	2	1	0
 *	XD	ignored	frame		ignored	G	PS	D A	PCD PWT	U	R/W	P
 *
 * PS makes an entry above the PTE a leaf; in a PTE bit 7 selects memory types, and stays 0.  Bits 9
 * to 11 are ours.  G means nothing while P is 0: NONE.  A table's entry has A set from the start,
 * so that the hardware never changes it and it can be compared whole; what a table's entry allows
 * is decided by its leaves.
 *
 * Three levels are no x86-64 machine's.  A 4-level one walks them below a PGD entry of its own.
 */
#define X86_P		BIT(0)
#define X86_W		BIT(1)
#define X86_U		BIT(2)
#define X86_A		BIT(5)
#define X86_D		BIT(6)
#define X86_PS		BIT(7)
#define X86_NONE	BIT(8)
#define X86_XD		BIT(63)

const struct pt_format pt_format_x86_64 = {
	.name = "x86-64",
	.min_levels = 3, .max_levels = 5,
	.present = X86_P | X86_NONE,
	.leaf = { [PT_PTE] = X86_P | X86_NONE, [PT_PMD] = X86_PS, [PT_PUD] = X86_PS },
	.leaf_mark = { [PT_PMD] = X86_PS, [PT_PUD] = X86_PS },
	.pfn_shift = 12,
	.pfn_mask = (BIT(52) - 1) & ~(BIT(12) - 1),
	.table = X86_P | X86_W | X86_U | X86_A,
	.valid = X86_P,
	.rights = {
		[0] = X86_NONE | X86_XD,
		[PT_READ] = X86_P | X86_XD,
		[PT_WRITE] = X86_P | X86_W | X86_XD,
		[PT_READ | PT_WRITE] = X86_P | X86_W | X86_XD,
		[PT_EXEC] = X86_P,
		[PT_READ | PT_EXEC] = X86_P,
		[PT_WRITE | PT_EXEC] = X86_P | X86_W,
		[PT_READ | PT_WRITE | PT_EXEC] = X86_P | X86_W,
	},
	.rights_mask = X86_P | X86_W | X86_NONE | X86_XD,
	.read = X86_P, .write = X86_W, .exec = X86_XD, .exec_flip = X86_XD,
	.user = X86_U, .accessed = X86_A, .dirty = X86_D,
	.special = BIT(9), .soft_dirty = BIT(10), .user_wp = BIT(11),
};

/*
 * RISC-V: the privileged architecture, "Sv39", "Sv48", "Sv57".
 *
 *	63  62..61  60..54    53..10  9..8  7  6  5  4  3  2  1  0
 *	N   PBMT    reserved  frame   RSW   D  A  G  U  X  W  R  V
 *
 * An entry with one of R, W, X is a leaf at any level, one with none of them is a table; D, A and U
 * of a table's entry are reserved.  RSW is ours, and too small for user_wp.  While V is 0 all bits
 * are software's: then G is NONE.
 */
#define RV_V		BIT(0)
#define RV_R		BIT(1)
#define RV_W		BIT(2)
#define RV_X		BIT(3)
#define RV_U		BIT(4)
#define RV_NONE		BIT(5)
#define RV_A		BIT(6)
#define RV_D		BIT(7)
#define RV_LEAF		(RV_R | RV_W | RV_X | RV_NONE)

const struct pt_format pt_format_riscv = {
	.name = "RISC-V",
	.min_levels = 3, .max_levels = 5,
	.present = RV_V | RV_NONE,
	.leaf = { RV_LEAF, RV_LEAF, RV_LEAF, RV_LEAF, RV_LEAF },
	.pfn_shift = 10,
	.pfn_mask = (BIT(54) - 1) & ~(BIT(10) - 1),
	.table = RV_V,
	.valid = RV_V,
	.rights = {
		[0] = RV_NONE,
		[PT_READ] = RV_V | RV_R,
		[PT_WRITE] = RV_V | RV_R | RV_W,
		[PT_READ | PT_WRITE] = RV_V | RV_R | RV_W,
		[PT_EXEC] = RV_V | RV_X,
		[PT_READ | PT_EXEC] = RV_V | RV_R | RV_X,
		[PT_WRITE | PT_EXEC] = RV_V | RV_R | RV_W | RV_X,
		[PT_READ | PT_WRITE | PT_EXEC] = RV_V | RV_R | RV_W | RV_X,
	},
	.rights_mask = RV_V | RV_LEAF,
	.read = RV_R, .write = RV_W, .exec = RV_X,
	.user = RV_U, .accessed = RV_A, .dirty = RV_D,
	.special = BIT(8), .soft_dirty = BIT(9),
};
