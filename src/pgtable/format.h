/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Entries of page tables, in the formats of real machines.
 *
 * A format is data: which bits mean what.  All else is the same code for every format, and a test
 * of an entry is an AND with a constant that lies in one cache line, not a call.
 *
 * An entry is one of
 *
 *	none		all bits 0
 *	table		names the frame of the table one level down
 *	leaf		names a frame (PTE) or a block of 512 (PMD), with rights and marks.  One
 *			without any right is a leaf to us and nothing to the hardware.
 *	soft		nothing to the hardware; to us a type and a number: where the page is
 *
 * A format must leave bits 1 to 4 and 12 to 63 of what is neither a table nor a leaf to software:
 * there a soft entry has its type and its number.  none, table and leaf together are `present` or
 * 0.
 */
#ifndef PGTABLE_FORMAT_H
#define PGTABLE_FORMAT_H

#include "base/atomic.h"
#include "base/bits.h"
#include "base/bug.h"

/* An entry of a table of any level. */
typedef struct { u64 raw; } pte_t;

/* Levels count from the bottom, so that a space of fewer levels lacks the upper ones. */
enum pt_level { PT_PTE, PT_PMD, PT_PUD, PT_P4D, PT_PGD, PT_MAX_LEVELS };

#define PT_INDEX_BITS		9u
#define PT_ENTRIES		BIT(PT_INDEX_BITS)
#define PMD_SIZE		(PAGE_SIZE << PT_INDEX_BITS)

/* What can be said of a leaf in any format. */
#define PT_READ			0x01u
#define PT_WRITE		0x02u		/* implies PT_READ */
#define PT_EXEC			0x04u
#define PT_RIGHTS		0x07u
#define PT_USER			0x08u
#define PT_ACCESSED		0x10u
#define PT_DIRTY		0x20u
#define PT_SPECIAL		0x40u		/* no struct page behind it is ours to count */
#define PT_SOFT_DIRTY		0x80u
#define PT_USER_WP		0x100u		/* a write is asked for; no PT_WRITE */

struct pt_format {
	/* What each walk looks at comes first. */
	u64 present;				/* any of them: a table or a leaf */
	u64 leaf[PT_MAX_LEVELS];		/* any of them in a present entry: a leaf */
	u64 pfn_mask;				/* where the frame number is */
	unsigned int pfn_shift;
	unsigned int min_levels, max_levels;
	u64 table;				/* what an entry has that points to a table */
	u64 leaf_mark[PT_MAX_LEVELS];		/* what a leaf has whatever its rights */
	u64 valid;				/* the hardware uses the entry */
	u64 rights[PT_RIGHTS + 1];		/* the bits for PT_READ | PT_WRITE | PT_EXEC */
	u64 rights_mask;			/* all of those */
	u64 read, write, exec;			/* one bit each */
	u64 exec_flip;				/* == exec where that bit forbids */
	u64 user, accessed, dirty, special, soft_dirty;
	u64 user_wp;				/* 0: this format has no bit for it */
	const char *name;
};

extern const struct pt_format pt_format_x86_64;		/* 3 levels (software only), 4, 5 */
extern const struct pt_format pt_format_riscv;		/* Sv39, Sv48, Sv57 */

/* -------------------------------------------------------------------- kinds of entries -- */

#define PTE_NONE	((pte_t){ 0 })

static inline bool pte_none(pte_t e)
{
	return !e.raw;
}

static inline bool pte_present(const struct pt_format *f, pte_t e)
{
	return e.raw & f->present;
}

static inline bool pte_is_leaf(const struct pt_format *f, unsigned int level, pte_t e)
{
	return pte_present(f, e) && (e.raw & f->leaf[level]);
}

static inline bool pte_is_table(const struct pt_format *f, unsigned int level, pte_t e)
{
	return pte_present(f, e) && !(e.raw & f->leaf[level]);
}

static inline bool pte_is_soft(const struct pt_format *f, pte_t e)
{
	return e.raw && !pte_present(f, e);
}

/* May the hardware have used it, and so remember it? */
static inline bool pte_valid(const struct pt_format *f, pte_t e)
{
	return e.raw & f->valid;
}

static inline unsigned long pte_pfn(const struct pt_format *f, pte_t e)
{
	return (e.raw & f->pfn_mask) >> f->pfn_shift;
}

/* ------------------------------------------------------------------------------- leaves -- */

static inline bool pte_write(const struct pt_format *f, pte_t e)
{
	return e.raw & f->write;
}

static inline bool pte_accessed(const struct pt_format *f, pte_t e)
{
	return e.raw & f->accessed;
}

static inline bool pte_dirty(const struct pt_format *f, pte_t e)
{
	return e.raw & f->dirty;
}

static inline bool pte_special(const struct pt_format *f, pte_t e)
{
	return e.raw & f->special;
}

static inline bool pte_user_wp(const struct pt_format *f, pte_t e)
{
	return e.raw & f->user_wp;
}

/* PT_* of a leaf. */
static inline u32 pte_attrs(const struct pt_format *f, pte_t e)
{
	bool valid = pte_valid(f, e);

	return (valid && (e.raw & f->read) ? PT_READ : 0) |
	       (valid && (e.raw & f->write) ? PT_WRITE : 0) |
	       (valid && ((e.raw ^ f->exec_flip) & f->exec) ? PT_EXEC : 0) |
	       (e.raw & f->user ? PT_USER : 0) | (e.raw & f->accessed ? PT_ACCESSED : 0) |
	       (e.raw & f->dirty ? PT_DIRTY : 0) | (e.raw & f->special ? PT_SPECIAL : 0) |
	       (e.raw & f->soft_dirty ? PT_SOFT_DIRTY : 0) |
	       (e.raw & f->user_wp ? PT_USER_WP : 0);
}

/* The bits of marks, that is of PT_USER and what comes after. */
static inline u64 pte_marks(const struct pt_format *f, u32 attrs)
{
	return (attrs & PT_USER ? f->user : 0) | (attrs & PT_ACCESSED ? f->accessed : 0) |
	       (attrs & PT_DIRTY ? f->dirty : 0) | (attrs & PT_SPECIAL ? f->special : 0) |
	       (attrs & PT_SOFT_DIRTY ? f->soft_dirty : 0) |
	       (attrs & PT_USER_WP ? f->user_wp : 0);
}

/* A leaf of @level; a PMD leaf's @pfn is a multiple of 512. */
static inline pte_t pte_leaf(const struct pt_format *f, unsigned int level, unsigned long pfn,
			     u32 attrs)
{
	return (pte_t){ pfn << f->pfn_shift | f->leaf_mark[level] | f->rights[attrs & PT_RIGHTS] |
			pte_marks(f, attrs) };
}

/* The same leaf with other rights. */
static inline pte_t pte_with_rights(const struct pt_format *f, pte_t e, u32 rights)
{
	return (pte_t){ (e.raw & ~f->rights_mask) | f->rights[rights & PT_RIGHTS] };
}

static inline pte_t pte_wrprotect(const struct pt_format *f, pte_t e)
{
	return (pte_t){ e.raw & ~f->write };
}

static inline pte_t pte_table(const struct pt_format *f, unsigned long pfn)
{
	return (pte_t){ pfn << f->pfn_shift | f->table };
}

/* Does @now forbid what @before allowed, or name something else? */
static inline bool pte_is_less(const struct pt_format *f, pte_t before, pte_t now)
{
	const u64 rights = f->valid | f->read | f->write | f->exec | f->user;
	u64 could = before.raw ^ f->exec_flip, can = now.raw ^ f->exec_flip;

	return (could & ~can & rights) || ((before.raw ^ now.raw) & f->pfn_mask) ||
	       (before.raw & ~now.raw & f->dirty);
}

/* The same entry, but for what the hardware notes in it? */
static inline bool pte_same(const struct pt_format *f, pte_t a, pte_t b)
{
	u64 noise = pte_present(f, a) ? f->accessed | f->dirty : 0;

	return !((a.raw ^ b.raw) & ~noise);
}

/* ------------------------------------------------------------------------- soft entries -- */

enum pt_soft {
	PT_SOFT_SWAP = 1,		/* number: the owner's; counted as PT_SWAP */
	PT_SOFT_MIGRATE_READ,		/* pte_migrate(): a page that is being moved */
	PT_SOFT_MIGRATE_WRITE,		/* the same, and it was writable */
	PT_SOFT_GUARD,			/* MADV_GUARD_INSTALL: an access is an error */
	PT_SOFT_POISON,			/* the bytes are lost: an access is a bus error */
	PT_SOFT_TYPES = 16,		/* from 8 on: the owner's */
};

#define PT_SOFT_TYPE_SHIFT	1u
#define PT_SOFT_NUMBER_SHIFT	12u

static inline pte_t pte_soft(unsigned int type, u64 number)
{
	return (pte_t){ number << PT_SOFT_NUMBER_SHIFT | (u64)type << PT_SOFT_TYPE_SHIFT };
}

/*
 * A page that is being moved: its frame's number, and what the leaf said, so that the one for the
 * new frame can say it again.  The type tells whether that allowed to write.
 */
#define PT_MIGRATE_ATTRS_SHIFT	32u

static inline pte_t pte_migrate(u32 pfn, u32 attrs)
{
	return pte_soft(attrs & PT_WRITE ? PT_SOFT_MIGRATE_WRITE : PT_SOFT_MIGRATE_READ,
			pfn | (u64)attrs << PT_MIGRATE_ATTRS_SHIFT);
}

static inline u32 pte_migrate_pfn(pte_t e)
{
	return (u32)(e.raw >> PT_SOFT_NUMBER_SHIFT);
}

static inline u32 pte_migrate_attrs(pte_t e)
{
	return (u32)(e.raw >> PT_SOFT_NUMBER_SHIFT >> PT_MIGRATE_ATTRS_SHIFT);
}

/* 0 if @e is not soft. */
static inline unsigned int pte_soft_type(const struct pt_format *f, pte_t e)
{
	return pte_present(f, e) ? 0 : (e.raw >> PT_SOFT_TYPE_SHIFT) % PT_SOFT_TYPES;
}

static inline u64 pte_soft_number(pte_t e)
{
	return e.raw >> PT_SOFT_NUMBER_SHIFT;
}

static inline bool pte_is_migrate(const struct pt_format *f, pte_t e)
{
	unsigned int type = pte_soft_type(f, e);

	return type == PT_SOFT_MIGRATE_READ || type == PT_SOFT_MIGRATE_WRITE;
}

/* The same page on its way, with other marks. */
static inline pte_t pte_migrate_mark(pte_t e, u32 clear, u32 set)
{
	return (pte_t){ (e.raw & ~((u64)clear << PT_MIGRATE_ATTRS_SHIFT << PT_SOFT_NUMBER_SHIFT)) |
			(u64)set << PT_MIGRATE_ATTRS_SHIFT << PT_SOFT_NUMBER_SHIFT };
}

/* The same page on its way, without rights other than @rights. */
static inline pte_t pte_migrate_limit(const struct pt_format *f, pte_t e, u32 rights)
{
	u64 lost = (u64)(~rights & PT_RIGHTS) << PT_MIGRATE_ATTRS_SHIFT;

	return pte_soft(rights & PT_WRITE ? pte_soft_type(f, e) : PT_SOFT_MIGRATE_READ,
			pte_soft_number(e) & ~lost);
}

#endif
