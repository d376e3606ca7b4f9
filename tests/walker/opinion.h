/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A second opinion on page tables: what the hardware's walker finds in the raw frames against what
 * the library says.  Both ways, so that neither sees what the other does not:
 *
 *	each entry that hardware can reach is a leaf to the library too, of the same level, frame,
 *	rights and marks, and nothing else is in it that hardware would act on;
 *	each leaf that the library finds with rights is reached by hardware, and each other entry
 *	of its is nothing to hardware;
 *	the tables that hardware passes are as many as the library has counted.
 *
 * For a moment in which nobody changes the tables.  Nothing is changed, no access is noted.
 */
#ifndef TESTS_WALKER_OPINION_H
#define TESTS_WALKER_OPINION_H

#include <vmarea/mmu.h>

#include "hw_walk.h"
#include "pgtable/pgtable.h"

#define OPINION_BYTES	200

/* What hardware is given for @pt. */
struct hw_tables hw_tables_of(const struct pgtable *pt, const struct hw_machine *machine);

/* True; or false, and the first difference in @why. */
bool opinion_of_tables(struct pgtable *pt, const struct hw_tables *tables,
		       char why[OPINION_BYTES]);

/*
 * The same for an mm, as its embedder sees it (mm_get_page_table()), and: hardware reaches nothing
 * outside of an area, nor by rights that the area does not give; mm_mincore() says of each page that
 * it is there, and gup_fast() gives this very frame.
 */
bool opinion_of_mm(struct mm_user *mm, char why[OPINION_BYTES]);

#endif
