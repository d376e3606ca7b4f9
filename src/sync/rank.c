/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The list of rank.h as a table, for messages and for the documentation. */
#include "sync/rank.h"

#define LOCK_RANK_ROW(rank, text, how, what)					\
	[LOCK_RANK_##rank] = { .name = text, .kind = how, .guards = what },

const struct lock_rank_info lock_ranks[LOCK_RANK_NR] = {
	[LOCK_RANK_NONE] = { .name = "unranked lock", .kind = "any", .guards = "" },
	LOCK_RANKS(LOCK_RANK_ROW)
};
