/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Set-up and end that scenarios have in common. */
#include <vmarea/debug.h>

#include "explore.h"

#include "mm/mm.h"
#include "swap/swap.h"

struct vmarea *machine;
struct mm_user *mm, *other;
static bool with_frames;

/* Three levels of tables, where there are any: fewer steps. */
static struct mm_user *make_mm(void)
{
	struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *made;

	config.mmap_base = AT(16);
	if (with_frames) {
		config.levels = 3;
		config.task_size = 1ul << 38;
		config.mmap_legacy_base = AT(0);
	}
	VT_CHECK(!mm_create(machine, &config, &made));
	return made;
}

static void make(unsigned long arena_bytes)
{
	struct vmarea_config config = VMAREA_CONFIG_INIT;

	config.stack_guard_gap_pages = 1;
	config.arena_bytes = arena_bytes;
	with_frames = arena_bytes;
	VT_CHECK(!vmarea_create(&config, &machine));
	mm = make_mm();
	other = NULL;
}

void stage_make(void)
{
	make(0);
}

void stage_make_with_frames(void)
{
	stage_make_with_arena(2ul << 20);
}

void stage_make_with_arena(unsigned long bytes)
{
	make(bytes);
}

#define WORD_AT(page)	(AT(page) + 128)

enum mm_fault stage_put(struct mm_user *in, unsigned long page, uint64_t value)
{
	enum mm_fault fault;

	mm_write(in, WORD_AT(page), &value, sizeof(value), &fault);
	return fault;
}

enum mm_fault stage_get(struct mm_user *in, unsigned long page, uint64_t *value)
{
	enum mm_fault fault;

	mm_read(in, WORD_AT(page), value, sizeof(*value), &fault);
	return fault;
}

void stage_expect(struct mm_user *in, unsigned long page, uint64_t value)
{
	uint64_t got = ~value;

	if (fault_done(stage_get(in, page, &got)))
		VT_CHECK(got == value, "page %lu: %llx and not %llx", page,
			 (unsigned long long)got, (unsigned long long)value);
}

bool fault_done(enum mm_fault fault)
{
	VT_CHECK(fault == MM_FAULT_DONE ||
		 (fault == MM_FAULT_OOM && vt_memory_was_refused()), "%d", fault);
	return fault == MM_FAULT_DONE;
}

void stage_make_other(void)
{
	other = make_mm();
}

void stage_map(struct mm_user *in, unsigned long first, unsigned long nr, unsigned long prot)
{
	long addr = mm_mmap(in, AT(first), nr * PAGE, prot, ANON | MAP_FIXED, NULL, 0);

	VT_CHECK(addr == (long)AT(first));
}

struct file *stage_file(const struct file_operations *ops)
{
	struct file_desc desc = { .size = sizeof(desc), .name = "/file", .ops = ops,
				  .flags = FILE_READ | FILE_WRITE, .size_bytes = 1 << 20 };
	struct file *file;

	VT_CHECK(!file_create(machine, &desc, &file));
	return file;
}

void stage_map_file(struct mm_user *in, unsigned long first, unsigned long nr, struct file *file)
{
	long addr = mm_mmap(in, AT(first), nr * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);

	VT_CHECK(addr == (long)AT(first));
	file_put(file);
}

struct page *stage_frame(struct mm_user *in, unsigned long page)
{
	struct page *frame = gup_fast(mm_from_user(in)->pgt, AT(page), 0);

	VT_CHECK(frame);
	page_put(frame);
	return frame;
}

/* As a sweep does it (reclaim.c). */
unsigned long stage_evict(struct page *frame, enum reclaim_mind mind)
{
	struct reclaim r = {
		.instance = machine, .mind = mind, .wait = RMAP_TRY,
		.can_swap = swap_has_room(machine->swap),
	};

	if (evict_is_candidate(&r, frame) && page_try_get(frame))
		evict_page(&r, frame);
	return r.nr_freed;
}

void stage_check(void)
{
	char why[200];

	VT_CHECK(!mm || !mm_validate(mm, why, sizeof(why)), "%s", why);
	VT_CHECK(!other || !mm_validate(other, why, sizeof(why)), "%s", why);
}

void stage_end(void)
{
	stage_check();
	if (mm)
		mmput(mm);
	if (other)
		mmput(other);
	vmarea_destroy(machine);
}

bool done(long ret)
{
	VT_CHECK(ret >= 0 || (ret == -ENOMEM && vt_memory_was_refused()), "%ld", ret);
	return ret >= 0;
}
