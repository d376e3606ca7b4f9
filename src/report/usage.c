/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who uses what, for who is out of memory.
 *
 * Terms.  An mm's *total* is what its end would give back if it shared nothing: pages, slots of
 * swap, page tables.  That is by which Linux chooses whom to kill.  Mms are *ranked* by it, and by
 * age where it is equal.
 *
 * Frames are counted by their structs, as reclaim looks at them: a count that faults keep would
 * cost each of them a line, to be read when there is no hurry.  What a frame is its flags say:
 *
 *	no references		not counted: free, in a cache, frozen for a moment; or a tail, which
 *				is counted with its head
 *	PG_TABLE		tables: also those that were unlinked and wait for readers
 *	PG_DRIVER		driver
 *	PG_ANON			anon: a page of the swap cache is one
 *	PG_SHMEM		shmem
 *	PG_UPTODATE		file
 *	none of these		other: objects, the zero page, a page that is being filled
 *
 * Ranking needs no memory.  The best of all mms are kept in a row that the caller has, each is put
 * where it belongs or falls off the end; and the next row is of those that come behind the last of
 * this one.  A row is for as many mms as fit on a stack, so n mms are gone past n / 32 times.
 *
 * Locking.  That of a roll, from one mm to the next.  The mm that is looked at is kept by a
 * reference as a user, so its page table is there; its counts are atomic.  No mmap lock: who holds
 * that may be waiting for memory.
 *
 * Rejected: to mark mms that were written, so that a report has each once.  Two reports would have
 * to wait for one another, or each need a mark.
 */
#include <vmarea/usage.h>

#include "base/atomic.h"
#include "fault/fault.h"
#include "file/filemap.h"
#include "mm/lifetime.h"
#include "report/out.h"
#include "swap/swap.h"
#include "vma/handle.h"

/* --------------------------------------------------------------------------------- frames -- */

static u64 *count_of(struct vmarea_usage *usage, u32 flags)
{
	if (flags & PG_TABLE)
		return &usage->tables;
	if (flags & PG_DRIVER)
		return &usage->driver;
	if (flags & PG_ANON)
		return &usage->anon;
	if (flags & PG_SHMEM)
		return &usage->shmem;
	return flags & PG_UPTODATE ? &usage->file : &usage->other;
}

static void count_frame(struct vmarea_usage *usage, const struct page *page)
{
	u32 refs = page_refs(page), flags = page_flags(page);
	unsigned long nr = BIT(flags & PG_ORDER_MASK);

	if (!refs)
		return;
	*count_of(usage, flags) += nr;
	if (refs >= PIN_BIAS && (flags & (PG_ANON | PG_SHMEM | PG_UPTODATE)))
		usage->pinned += nr;
}

static void count_frames(struct arena *arena, struct vmarea_usage *usage)
{
	struct arena_span span = arena_used_span(arena);
	struct page *frames = arena_frames(arena);

	usage->frames = arena_nr_frames(arena);
	usage->limit = arena_limit(arena);
	usage->free = arena_nr_free(arena);
	for (unsigned long pfn = span.first; pfn < span.end; pfn++)
		count_frame(usage, pfn_page(frames, pfn));
}

static void count_slots(struct vmarea *instance, struct vmarea_usage *usage)
{
	struct swap_info info;

	for (unsigned int id = 0; id < VMAREA_SWAP_AREAS; id++) {
		if (vmarea_swap_info(instance, id, &info))
			continue;
		usage->swap_slots += info.nr_slots;
		usage->swap_used += info.nr_used;
	}
}

/* -------------------------------------------------------------------------------- ranking -- */

/* The first @room mms behind some other. */
struct ranking {
	struct mm_usage *row;			/* @nr of them, in order */
	size_t nr, room;
	struct mm_usage behind;			/* number is 0: nobody, it is the first row */
	u64 nr_mms;				/* looked at */
	struct mm_usage most;			/* of these */
};

static bool comes_first(const struct mm_usage *a, const struct mm_usage *b)
{
	return a->total > b->total || (a->total == b->total && a->number < b->number);
}

static void rank(struct ranking *ranking, const struct mm_usage *mm)
{
	size_t at;

	if (!ranking->nr_mms++ || comes_first(mm, &ranking->most))
		ranking->most = *mm;
	if (ranking->behind.number && !comes_first(&ranking->behind, mm))
		return;
	if (ranking->nr < ranking->room)
		ranking->nr++;
	else if (!ranking->room || !comes_first(mm, &ranking->row[ranking->room - 1]))
		return;
	for (at = ranking->nr - 1; at && comes_first(mm, &ranking->row[at - 1]); at--)
		ranking->row[at] = ranking->row[at - 1];
	ranking->row[at] = *mm;
}

static struct mm_usage usage_of(const struct mm_struct *mm)
{
	struct pages_stats pages = pages_get_stats(mm);

	return (struct mm_usage){
		.number = mm->number,
		.total = pages.anon + pages.file + pages.shmem + pages.swap + pages.tables,
		.anon = pages.anon, .file = pages.file, .shmem = pages.shmem,
		.swap = pages.swap, .tables = pages.tables,
		.limit = atomic_load_relaxed(&mm->resident_limit),
	};
}

static void rank_roll(struct instance_roll *roll, struct ranking *ranking) __may_sleep
{
	struct mm_struct *mm = NULL;

	while ((mm = mm_next_on_roll(roll, mm))) {
		struct mm_user *user = mmget_not_zero(mm);
		struct mm_usage usage;

		if (!user)
			continue;
		usage = usage_of(mm);
		rank(ranking, &usage);
		mmput(user);
	}
}

static void rank_all(struct vmarea *instance, struct ranking *ranking) __may_sleep
{
	ranking->nr = 0;
	ranking->nr_mms = 0;
	ranking->most = (struct mm_usage){ 0 };
	for (unsigned int i = 0; i < INSTANCE_ROLLS; i++)
		rank_roll(&instance->rolls[i], ranking);
}

/* ---------------------------------------------------------------------------------- calls -- */

uint64_t mm_number(struct mm_user *user)
{
	return mm_from_user(user)->number;
}

static void get_usage(struct vmarea *instance, struct vmarea_usage *usage, struct ranking *ranking)
	__may_sleep
{
	*usage = (struct vmarea_usage){ 0 };
	if (instance->arena)
		count_frames(instance->arena, usage);
	count_slots(instance, usage);
	rank_all(instance, ranking);
	usage->nr_mms = ranking->nr_mms;
	usage->most = ranking->most;
}

size_t vmarea_get_usage(struct vmarea *instance, struct vmarea_usage *usage, struct mm_usage *mms,
			size_t nr_mms)
{
	witness_call();
	struct ranking ranking = { .row = mms, .room = nr_mms };

	get_usage(instance, usage, &ranking);
	return ranking.nr;
}

/* -------------------------------------------------------------------------------- reports -- */

#define ROW_MMS		32u
#define COLUMN		10u

struct number {
	const char *name;
	size_t offset;				/* of a uint64_t in one of the structs */
};

#define FRAMES(field)	offsetof(struct vmarea_usage, field)
static const struct number frame_numbers[] = {
	{ "total", FRAMES(frames) }, { "limit", FRAMES(limit) }, { "free", FRAMES(free) },
	{ "anon", FRAMES(anon) }, { "file", FRAMES(file) }, { "shmem", FRAMES(shmem) },
	{ "tables", FRAMES(tables) }, { "driver", FRAMES(driver) }, { "other", FRAMES(other) },
	{ "pinned", FRAMES(pinned) },
};
static const struct number swap_numbers[] = {
	{ "total", FRAMES(swap_slots) }, { "used", FRAMES(swap_used) },
};

#define OF_MM(field)	offsetof(struct mm_usage, field)
static const struct number mm_numbers[] = {
	{ "total", OF_MM(total) }, { "anon", OF_MM(anon) }, { "file", OF_MM(file) },
	{ "shmem", OF_MM(shmem) }, { "swap", OF_MM(swap) }, { "tables", OF_MM(tables) },
	{ "limit", OF_MM(limit) },
};

static u64 value_of(const void *object, const struct number *number)
{
	return *(const u64 *)((const char *)object + number->offset);
}

/* How a report puts it. */
struct form {
	void (*begin)(struct out *out, const struct vmarea_usage *usage);
	void (*mm)(struct out *out, const struct mm_usage *mm, enum member member);
	void (*end)(struct out *out);
};

static int write_report(struct vmarea *instance, const struct form *form, mm_writer write,
			void *arg)
	__may_sleep
{
	struct mm_usage row[ROW_MMS];
	struct ranking ranking = { .row = row, .room = ROW_MMS };
	struct vmarea_usage usage;
	struct out out;

	out_init(&out, write, arg);
	get_usage(instance, &usage, &ranking);
	form->begin(&out, &usage);
	while (ranking.nr && !out.result) {
		for (size_t i = 0; i < ranking.nr; i++)
			form->mm(&out, &row[i], i || ranking.behind.number ? MEMBER_NEXT :
									    MEMBER_FIRST);
		ranking.behind = row[ranking.nr - 1];
		if (ranking.nr < ROW_MMS)
			break;
		rank_all(instance, &ranking);
	}
	form->end(&out);
	return out_flush(&out);
}

/* ----------------------------------------------------------------------------------- text -- */

static void text_numbers(struct out *out, const char *title, const struct vmarea_usage *usage,
			 const struct number *numbers, size_t nr)
{
	out_str(out, title);
	for (size_t i = 0; i < nr; i++) {
		out_str(out, i ? ", " : ": ");
		out_str(out, numbers[i].name);
		out_char(out, ' ');
		out_dec(out, value_of(usage, &numbers[i]));
	}
	out_char(out, '\n');
}

static void text_right(struct out *out, const char *text, size_t width)
{
	for (size_t len = str_len(text); len < width; len++)
		out_char(out, ' ');
	out_str(out, text);
}

static void text_right_dec(struct out *out, u64 value, size_t width)
{
	char buf[24];
	struct text number = text_in(buf, sizeof(buf));

	text_dec(&number, value);
	text_right(out, buf, width);
}

static void text_begin(struct out *out, const struct vmarea_usage *usage)
{
	text_numbers(out, "frames", usage, frame_numbers, ARRAY_SIZE(frame_numbers));
	text_numbers(out, "swap", usage, swap_numbers, ARRAY_SIZE(swap_numbers));
	out_str(out, "mms: ");
	out_dec(out, usage->nr_mms);
	if (usage->most.number) {
		out_str(out, ", most used by ");
		out_dec(out, usage->most.number);
	}
	out_str(out, "\n[    mm]");
	for (size_t i = 0; i < ARRAY_SIZE(mm_numbers); i++)
		text_right(out, mm_numbers[i].name, COLUMN);
	out_char(out, '\n');
}

static void text_mm(struct out *out, const struct mm_usage *mm, enum member member)
{
	out_char(out, '[');
	text_right_dec(out, mm->number, 6);
	out_char(out, ']');
	for (size_t i = 0; i < ARRAY_SIZE(mm_numbers); i++)
		text_right_dec(out, value_of(mm, &mm_numbers[i]), COLUMN);
	out_char(out, '\n');
}

static void text_end(struct out *out)
{
}

int vmarea_report_usage(struct vmarea *instance, mm_writer write, void *arg)
{
	witness_call();
	static const struct form text = { text_begin, text_mm, text_end };

	return write_report(instance, &text, write, arg);
}

/* ----------------------------------------------------------------------------------- JSON -- */

static void json_numbers(struct out *out, const char *title, const struct vmarea_usage *usage,
			 const struct number *numbers, size_t nr)
{
	out_str(out, title);
	for (size_t i = 0; i < nr; i++)
		json_number(out, i ? MEMBER_NEXT : MEMBER_FIRST, numbers[i].name,
			    value_of(usage, &numbers[i]));
	out_char(out, '}');
}

static void json_begin(struct out *out, const struct vmarea_usage *usage)
{
	json_numbers(out, "{\"frames\": {", usage, frame_numbers, ARRAY_SIZE(frame_numbers));
	json_numbers(out, ",\n\"swap\": {", usage, swap_numbers, ARRAY_SIZE(swap_numbers));
	out_str(out, ",\n");
	json_number(out, MEMBER_FIRST, "nr_mms", usage->nr_mms);
	json_number(out, MEMBER_NEXT, "most", usage->most.number);
	out_str(out, ",\n\"mms\": [");
}

static void json_mm(struct out *out, const struct mm_usage *mm, enum member member)
{
	out_str(out, member == MEMBER_FIRST ? "\n{" : ",\n{");
	json_number(out, MEMBER_FIRST, "mm", mm->number);
	for (size_t i = 0; i < ARRAY_SIZE(mm_numbers); i++)
		json_number(out, MEMBER_NEXT, mm_numbers[i].name, value_of(mm, &mm_numbers[i]));
	out_char(out, '}');
}

static void json_end(struct out *out)
{
	out_str(out, "]}\n");
}

int vmarea_report_usage_json(struct vmarea *instance, mm_writer write, void *arg)
{
	witness_call();
	static const struct form json = { json_begin, json_mm, json_end };

	return write_report(instance, &json, write, arg);
}
