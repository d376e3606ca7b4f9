/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Random calls, loads, stores and forks on up to three mms against a model that knows each page.
 *
 * The model: each mm has WINDOW pages, each of them mapped or not, with rights, kind, guard and the
 * value of the one byte that the test looks at (a page is written and read at one place).  Private
 * pages have a value of their own; a shared page has that of its object.  Which areas there are,
 * and which frames, is not modelled: the walker checks these after every few steps.
 *
 * Once with small pages, and once in a larger window with an instance that makes huge pages
 * wherever it can: there many of the ranges are of whole 2 MiB.  And both again with two swap areas:
 * pages go to swap all the time, and now and then one of the areas is turned off and on again.
 *
 * The seed is printed, and taken from VMAREA_SEED.
 */
#include <stdlib.h>
#include <time.h>

#include "../swap/store.h"

#define WINDOW		700ul		/* pages; crosses a table's end */
#define HUGE_WINDOW	1800ul		/* three times 2 MiB, and some */
#define HUGE		512ul		/* pages in 2 MiB */
#define MMS		3
#define OBJECTS		400		/* shared anonymous objects over a run */
#define OBJECT_PAGES	64ul

enum kind { NOTHING, PRIVATE, SHARED };

struct cell {
	enum kind kind;
	unsigned char prot;		/* PROT_* */
	unsigned char value;		/* PRIVATE */
	bool guard;
	unsigned short object, index;	/* SHARED */
};

struct world {
	struct memory m;
	struct mm_user *mm[MMS];	/* NULL: none */
	struct cell cells[MMS][HUGE_WINDOW];
	unsigned char objects[OBJECTS][OBJECT_PAGES];
	unsigned int nr_objects;
	unsigned long window;
	bool huge, swaps;
	struct store stores[2];
	unsigned long nr_out;
	unsigned long nr_leaves, nr_collapsed;	/* so that a run that shows nothing is noticed */
	unsigned long random;
};

static unsigned long pick(struct world *w, unsigned long below)
{
	w->random = w->random * 6364136223846793005ul + 1442695040888963407ul;
	return (w->random >> 33) % below;
}

struct span {
	int mm;
	unsigned long start, nr;
};

static struct span pick_span(struct world *w, unsigned long most)
{
	struct span s;

	do
		s.mm = (int)pick(w, MMS);
	while (!w->mm[s.mm]);
	s.nr = 1 + pick(w, most);
	if (w->huge && most > 16 && most != OBJECT_PAGES && !pick(w, 2)) {
		s.nr = HUGE * (1 + pick(w, 2));
		s.start = HUGE * pick(w, (w->window - s.nr) / HUGE + 1);
		/* Sometimes a little off. */
		s.nr -= pick(w, 4) ? 0 : pick(w, 3);
		return s;
	}
	s.start = pick(w, w->window - s.nr + 1);
	return s;
}

static struct cell *cell_at(struct world *w, const struct span *s, unsigned long i)
{
	return &w->cells[s->mm][s->start + i];
}

static unsigned char *value_of(struct world *w, struct cell *c)
{
	return c->kind == SHARED ? &w->objects[c->object][c->index] : &c->value;
}

static unsigned long pick_prot(struct world *w)
{
	static const unsigned char prots[] = { RW, RW, RW, RW, PROT_READ, PROT_NONE };

	return prots[pick(w, sizeof(prots))];
}

/* ------------------------------------------------------------------------- loads, stores -- */

static void check_load(struct world *w, int mm, unsigned long page)
{
	struct cell *c = &w->cells[mm][page];
	int expect;

	if (c->kind == NOTHING)
		expect = NO_BYTE(MAPERR);
	else if (c->prot == PROT_NONE)
		expect = NO_BYTE(ACCERR);
	else
		expect = c->guard ? NO_BYTE(MAPERR) : *value_of(w, c);
	assert_int_equal(mm_get(w->mm[mm], page), expect);
}

static void store(struct world *w, int mm, unsigned long page, unsigned char value)
{
	struct cell *c = &w->cells[mm][page];
	enum mm_fault expect = MM_FAULT_DONE;

	if (c->kind == NOTHING)
		expect = MM_FAULT_MAPERR;
	else if (!(c->prot & PROT_WRITE))
		expect = MM_FAULT_ACCERR;
	else if (c->guard)
		expect = MM_FAULT_MAPERR;
	assert_int_equal(mm_put(w->mm[mm], page, value), expect);
	if (expect == MM_FAULT_DONE)
		*value_of(w, c) = value;
}

static void check_all(struct world *w)
{
	for (int mm = 0; mm < MMS; mm++) {
		for (unsigned long i = 0; w->mm[mm] && i < w->window; i++)
			check_load(w, mm, i);
	}
}

/* --------------------------------------------------------------------------------- calls -- */

static void do_map(struct world *w)
{
	bool shared = !pick(w, 4) && w->nr_objects < OBJECTS;
	struct span s = pick_span(w, shared ? OBJECT_PAGES : 200);
	unsigned long prot = pick_prot(w);

	assert_int_equal(mm_mmap(w->mm[s.mm], at(s.start), s.nr * 4096, prot,
				 MAP_FIXED | MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE) |
				 (pick(w, 8) ? 0 : MAP_POPULATE), NULL, 0), at(s.start));
	for (unsigned long i = 0; i < s.nr; i++)
		*cell_at(w, &s, i) = (struct cell){
			.kind = shared ? SHARED : PRIVATE, .prot = (unsigned char)prot,
			.object = (unsigned short)w->nr_objects, .index = (unsigned short)i,
		};
	w->nr_objects += shared;
}

static void do_unmap(struct world *w)
{
	struct span s = pick_span(w, 60);

	assert_int_equal(mm_munmap(w->mm[s.mm], at(s.start), s.nr * 4096), 0);
	for (unsigned long i = 0; i < s.nr; i++)
		*cell_at(w, &s, i) = (struct cell){ 0 };
}

static void do_protect(struct world *w)
{
	struct span s = pick_span(w, 100);
	unsigned long prot = pick_prot(w);
	long ret = mm_mprotect(w->mm[s.mm], at(s.start), s.nr * 4096, prot);

	for (unsigned long i = 0; i < s.nr; i++) {
		if (cell_at(w, &s, i)->kind == NOTHING) {
			assert_int_equal(ret, -ENOMEM);
			return;
		}
		cell_at(w, &s, i)->prot = (unsigned char)prot;
	}
	assert_int_equal(ret, 0);
}

static bool all_mapped(struct world *w, const struct span *s)
{
	for (unsigned long i = 0; i < s->nr; i++)
		if (cell_at(w, s, i)->kind == NOTHING)
			return false;
	return true;
}

static void do_discard(struct world *w)
{
	struct span s = pick_span(w, 60);

	assert_int_equal(mm_madvise(w->mm[s.mm], at(s.start), s.nr * 4096, MADV_DONTNEED),
			 all_mapped(w, &s) ? 0 : -ENOMEM);
	for (unsigned long i = 0; i < s.nr; i++)
		if (cell_at(w, &s, i)->kind == PRIVATE)
			cell_at(w, &s, i)->value = 0;
}

/* Leaves the bytes alone. */
static void do_age(struct world *w)
{
	struct span s = pick_span(w, 60);

	assert_int_equal(mm_madvise(w->mm[s.mm], at(s.start), s.nr * 4096,
				    pick(w, 2) ? MADV_COLD : MADV_PAGEOUT),
			 all_mapped(w, &s) ? 0 : -ENOMEM);
}

static void do_guard(struct world *w)
{
	struct span s = pick_span(w, 20);
	bool install = pick(w, 2);

	assert_int_equal(mm_madvise(w->mm[s.mm], at(s.start), s.nr * 4096,
				    install ? MADV_GUARD_INSTALL : MADV_GUARD_REMOVE),
			 all_mapped(w, &s) ? 0 : -ENOMEM);
	for (unsigned long i = 0; i < s.nr; i++) {
		struct cell *c = cell_at(w, &s, i);

		if (c->kind == NOTHING)
			continue;
		c->guard = install;
		if (install && c->kind == PRIVATE)
			c->value = 0;
	}
}

/* In one area or over several: where Linux moves it, the model moves page by page. */
static void do_move(struct world *w)
{
	struct span s = pick_span(w, 80), to;
	static struct cell moved[2 * HUGE];

	to = (struct span){ s.mm, pick(w, w->window - s.nr + 1), s.nr };
	if (s.start % HUGE == 0 && pick(w, 2))
		to.start -= to.start % HUGE;
	if (to.start < s.start + s.nr && s.start < to.start + s.nr)
		return;
	if (!all_mapped(w, &s))
		return;
	assert_int_equal(mm_mremap(w->mm[s.mm], at(s.start), s.nr * 4096, s.nr * 4096,
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(to.start)), at(to.start));
	for (unsigned long i = 0; i < s.nr; i++) {
		moved[i] = *cell_at(w, &s, i);
		*cell_at(w, &s, i) = (struct cell){ 0 };
	}
	for (unsigned long i = 0; i < s.nr; i++)
		*cell_at(w, &to, i) = moved[i];
}

static void do_fork_or_exit(struct world *w)
{
	int mm = (int)pick(w, MMS), other = (int)pick(w, MMS);

	if (mm == other || !w->mm[mm])
		return;
	if (!w->mm[other]) {
		assert_int_equal(mm_fork(w->mm[mm], &w->mm[other]), 0);
		memcpy(w->cells[other], w->cells[mm], sizeof(w->cells[mm]));
		return;
	}
	mmput(w->mm[mm]);
	w->mm[mm] = NULL;
}

static void do_populate(struct world *w)
{
	struct span s = pick_span(w, 40);
	bool write = pick(w, 2);
	long expect = 0;

	for (unsigned long i = 0; i < s.nr && !expect; i++) {
		const struct cell *c = cell_at(w, &s, i);

		if (c->kind == NOTHING)
			expect = -ENOMEM;
		else if (!(c->prot & (write ? PROT_WRITE : PROT_READ)))
			expect = -EINVAL;
		else if (c->guard)
			expect = -EFAULT;
	}
	assert_int_equal(mm_madvise(w->mm[s.mm], at(s.start), s.nr * 4096,
				    write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ), expect);
}

/* Fails where Linux says, and leaves the bytes alone in any case. */
static void do_collapse(struct world *w)
{
	struct span s = pick_span(w, 600);
	long ret = mm_madvise(w->mm[s.mm], at(s.start), s.nr * 4096, MADV_COLLAPSE);

	assert_true(ret == 0 || ret == -EINVAL || ret == -ENOMEM || ret == -EAGAIN);
	w->nr_collapsed += ret == 0 && s.nr >= HUGE;
}

/* A pin over a fork and over writes from both sides. */
static void do_pin(struct world *w)
{
	struct span s = pick_span(w, 1);
	struct cell *c = cell_at(w, &s, 0);
	struct mm_translation t;
	struct mm_user *child;

	if (mm_translate(w->mm[s.mm], byte_at(s.start), pick(w, 2) ? MM_ACCESS_WRITE :
			 MM_ACCESS_READ, &t) != MM_FAULT_DONE)
		return;
	assert_int_equal(*(unsigned char *)t.bytes, *value_of(w, c));
	if ((t.prot & PROT_WRITE) && c->kind == PRIVATE) {
		assert_int_equal(mm_fork(w->mm[s.mm], &child), 0);
		*(unsigned char *)t.bytes = c->value + 1;
		assert_int_equal(mm_get(child, s.start), c->value);
		c->value++;
		check_load(w, s.mm, s.start);
		store(w, s.mm, s.start, c->value + 1);
		assert_int_equal(*(unsigned char *)t.bytes, c->value);
		mmput(child);
	}
	mm_translation_put(&t);
}

static void do_debug_write(struct world *w)
{
	struct span s = pick_span(w, 1);
	struct cell *c = cell_at(w, &s, 0);
	unsigned char value = (unsigned char)pick(w, 256);
	enum mm_fault fault, expect = MM_FAULT_DONE;

	if (c->kind == NOTHING)
		expect = MM_FAULT_MAPERR;
	else if (c->kind == SHARED && !(c->prot & PROT_WRITE))
		expect = MM_FAULT_ACCERR;
	else if (c->guard)
		expect = MM_FAULT_MAPERR;
	mm_access(w->mm[s.mm], byte_at(s.start), &value, 1, MM_REMOTE_WRITE | MM_REMOTE_FORCED,
		  &fault);
	assert_int_equal(fault, expect);
	if (expect == MM_FAULT_DONE)
		*value_of(w, c) = value;
}

/* Leaves the bytes alone. */
static void do_swap(struct world *w)
{
	struct span s = pick_span(w, 60);
	struct store *other = &w->stores[1];

	if (!pick(w, 100)) {
		store_off(other, w->m.s.v);
		store_on(other, w->m.s.v, 2000, (int)pick(w, 3));
	} else if (!pick(w, 10)) {
		assert_int_equal(mm_madvise(w->mm[s.mm], at(s.start), s.nr * 4096, MADV_WILLNEED),
				 all_mapped(w, &s) ? 0 : -ENOMEM);
	}
	for (unsigned long i = 0; i < s.nr; i++) {
		int err = mm_swap_out(w->mm[s.mm], w->m.s.v, s.start + i);

		assert_true(!err || err == -ENOENT);
		w->nr_out += !err;
	}
}

static void step(struct world *w)
{
	struct span s = pick_span(w, 1);

	if (w->swaps && !pick(w, 8)) {
		do_swap(w);
		return;
	}
	switch (pick(w, w->huge ? 45 : 40)) {
	case 0: do_map(w); break;
	case 1: do_unmap(w); break;
	case 2: do_protect(w); break;
	case 3: do_discard(w); break;
	case 4: do_guard(w); break;
	case 5: do_move(w); break;
	case 6: do_fork_or_exit(w); break;
	case 7: do_populate(w); break;
	case 8: do_pin(w); break;
	case 9: do_debug_write(w); break;
	case 10: do_age(w); break;
	case 40: do_collapse(w); break;
	case 41 ... 44: do_map(w); break;
	case 11 ... 24: check_load(w, s.mm, s.start); break;
	default: store(w, s.mm, s.start, (unsigned char)pick(w, 256)); break;
	}
}

static unsigned long seed_of_run(void)
{
	const char *text = getenv("VMAREA_SEED");

	return text ? strtoul(text, NULL, 0) : (unsigned long)time(NULL);
}

static void run(bool huge, bool swaps, int steps)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned long seed = seed_of_run();

	print_message("VMAREA_SEED=%lu\n", seed);
	w->random = seed;
	w->huge = huge;
	w->swaps = swaps;
	w->window = huge ? HUGE_WINDOW : WINDOW;
	memory_init(&w->m, MEMORY_BYTES);
	w->m.s.config.thp = huge ? VMAREA_THP_ALWAYS : VMAREA_THP_NEVER;
	memory_create(&w->m);
	for (int i = 0; swaps && i < 2; i++)
		store_on(&w->stores[i], w->m.s.v, 6000, 1);
	w->mm[0] = w->m.s.mm;
	for (int i = 0; i < steps; i++) {
		bool any = false;

		step(w);
		for (int mm = 0; mm < MMS; mm++) {
			any |= w->mm[mm] != NULL;
			if (w->mm[mm] && i % 16 == mm) {
				memory_validate(w->mm[mm]);
				w->nr_leaves += mm_leaves(w->mm[mm]);
			}
		}
		if (!any) {
			memset(w->cells, 0, sizeof(w->cells));
			assert_int_equal(mm_create(w->m.s.v, &w->m.s.mm_config, &w->mm[0]), 0);
		}
		if (i % 2000 == 0) {
			instance_validate(w->m.s.v);
			check_all(w);
		}
	}
	check_all(w);
	for (int mm = 0; mm < MMS; mm++)
		if (w->mm[mm])
			mmput(w->mm[mm]);
	if (huge)
		assert_true(w->nr_leaves > (swaps ? 200 : 1000) && w->nr_collapsed > (swaps ? 0 : 5));
	assert_true(!swaps || w->nr_out > 1000);
	for (int i = 0; swaps && i < 2; i++)
		store_off(&w->stores[i], w->m.s.v);
	assert_int_equal(memory_free_frames(w->m.s.v), w->m.frames);
	vmarea_destroy(w->m.s.v);
	free(w);
}

static void each_byte_is_what_the_model_says(void **state)
{
	run(false, false, 60000);
}

static void and_with_huge_pages(void **state)
{
	run(true, false, 30000);
}

static void and_with_swap(void **state)
{
	run(false, true, 40000);
}

static void and_with_both(void **state)
{
	run(true, true, 25000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_byte_is_what_the_model_says),
		cmocka_unit_test(and_with_huge_pages),
		cmocka_unit_test(and_with_swap),
		cmocka_unit_test(and_with_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
