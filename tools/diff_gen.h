/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the parts of the generator share: places that are worth a call (diff_gen.c), and all that is
 * about files (diff_gen_files.c).
 */
#ifndef DIFF_GEN_H
#define DIFF_GEN_H

#include <stddef.h>

#include "diff.h"

static inline uint64_t below(struct gen *gen, uint64_t n)
{
	return rng_next(&gen->rng) % n;
}

static inline bool one_in(struct gen *gen, uint64_t n)
{
	return !below(gen, n);
}

/* ----------------------------------------------------------------------------- diff_gen.c -- */

/* These calls and no others, as often. */
void gen_set_weights(struct gen *gen, const uint8_t *ops, const uint8_t *weights, size_t nr);
/* An area of the window, or (seldom) of anywhere; NULL if none was met. */
const struct side_area *gen_area(struct gen *gen, const struct side_proc *proc);
/* The edge of an area, or anywhere. */
uint64_t gen_address(struct gen *gen, const struct side_proc *proc);
uint64_t gen_window_bytes(const struct gen *gen);

/* ----------------------------------------------------------------------- diff_gen_files.c -- */

/* A round about files: which calls, and which of the files. */
void gen_like_files(struct gen *gen);
void gen_choose_files(struct gen *gen);
/* The number of one that the round maps; seldom none. */
uint64_t gen_file(struct gen *gen);
/* Near where the file that the area shows ends; false: the area does not show that. */
bool gen_end_of_file(struct gen *gen, const struct side_area *area, uint64_t *addr);
int gen_advice_to_file(struct gen *gen);
/* OP_MSYNC of a range that is in @c already; OP_SHMAT, OP_SHMDT; and what has no mapping. */
void gen_msync(struct gen *gen, const struct side_proc *proc, struct diff_call *c);
void gen_segment(struct gen *gen, const struct side_proc *proc, struct diff_call *c);
void gen_file_call(struct gen *gen, struct diff_call *c);
/* OP_PEEK and OP_POKE of many bytes, perhaps over the end of the file that @area shows. */
void gen_remote_range(struct gen *gen, const struct side_area *area, struct diff_call *c);

#endif
