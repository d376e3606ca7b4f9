/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The order of locks that no table states: it is learned.
 *
 * Terms.  A *class* is all locks that play one part: the locks of one rank; those that a driver
 * calls by one name; those without a rank that are initialised at one place.  There is a *step*
 * from A to B once a thread has waited for a lock of class B while it held one of class A.  A *way*
 * is a chain of steps.
 *
 *	thread 1	thread 2	thread 3, now
 *	holds A		holds B		holds C
 *	waits for B	waits for C	is about to wait for A
 *
 *	A --> B --> C			there is a way from A to C, so C --> A is reported
 *
 * Where a step would close a circle, threads that make its steps at the same time wait for one
 * another for ever.  It is reported the first time that it is made, by whoever makes it, even if
 * nobody else is there and the other steps were made long ago; and it is not added.  So what is in
 * here never has a circle, and each report is about one step.
 *
 * Between ranks the table is the order: from each there is a step to each one further down, whether
 * somebody has made it or not.  A learned way may pass through them.
 *
 * A trylock waits for nobody, so no step leads to a lock that was taken by one.
 *
 * This is the one thing outside the port that belongs to no instance: classes are those of the
 * program's code.  There are a few dozen in a program, and at most some hundred steps.  When the
 * room for either is used up, what comes later is not checked, which is logged.
 *
 * Steps that are known are found by one load, without the lock.  That lock is a word of its own.  A
 * signal handler may find it taken by the thread it interrupts, and a child of the host's fork() by
 * one that is gone: who cannot have it soon goes away, and the step is learned another time.
 */
#include "base/atomic.h"
#include "sync/witness_state.h"

#ifdef CONFIG_VMAREA_DEBUG

#define MAX_CLASSES		64
#define MAX_STEPS		256
#define PATIENCE		2000	/* rounds */

_Static_assert(LOCK_RANK_NR < MAX_CLASSES / 2, "room for the classes of drivers");

struct class {
	const char *key;		/* order_lock	what it was asked for by */
	bool is_place;			/* order_lock	by where it is made */
	char name[64];			/* order_lock */
};

struct step {
	u32 from, to;			/* order_lock */
	const char *from_place;		/* order_lock	where the first had been taken */
	const char *to_place;		/* order_lock */
	struct witness_stack from_stack, to_stack; /* order_lock */
};

/*
 * What guards a field: src/TAGS.  order_lock() is to write; what lies below the numbers is there
 * for good, and read without it.
 */
static struct {
	u32 busy;			/* a	1: somebody changes what follows */
	u32 nr_classes;			/* a */
	u32 nr_steps;			/* a */
	struct class classes[MAX_CLASSES]; /* order_lock	those that are no rank */
	u64 after[MAX_CLASSES];		/* a	bit B of A: there is a step from A to B */
	struct step steps[MAX_STEPS];	/* order_lock */
} order = { .nr_classes = LOCK_RANK_NR };

static bool order_lock(void)
{
	for (int i = 0; i < PATIENCE; i++) {
		u32 idle = 0;

		/* Pairs with the release in order_unlock(). */
		if (atomic_cas_acquire(&order.busy, &idle, 1))
			return true;
		port_cpu_relax();
	}
	return false;
}

static void order_unlock(void)
{
	/* Pairs with the acquire in order_lock(). */
	atomic_store_release(&order.busy, 0);
}

/* ------------------------------------------------------------------------------- classes -- */

static u32 find_class(const char *name, bool is_place)
{
	/* Pairs with the release in add_class(): the names below the number are there. */
	u32 nr = atomic_load_acquire(&order.nr_classes);

	for (u32 class = LOCK_RANK_NR; class < nr; class++)
		if (order.classes[class].is_place == is_place &&
		    str_eq(order.classes[class].key, name))
			return class;
	return LOCK_RANK_NONE;
}

/* order_lock() is held. */
static u32 add_class(const char *name, bool is_place)
{
	u32 class = atomic_load_relaxed(&order.nr_classes);
	struct text text;

	if (class == MAX_CLASSES)
		return LOCK_RANK_NONE;
	order.classes[class].key = name;
	order.classes[class].is_place = is_place;
	text = text_in(order.classes[class].name, sizeof(order.classes[class].name));
	text_str(&text, is_place ? "lock made at " : "");
	text_str(&text, name);
	/* Pairs with the acquire in find_class(). */
	atomic_store_release(&order.nr_classes, class + 1);
	return class;
}

static u32 class_named(const char *name, bool is_place)
{
	u32 class = find_class(name, is_place);

	if (class != LOCK_RANK_NONE || !order_lock())
		return class;
	class = find_class(name, is_place);
	if (class == LOCK_RANK_NONE)
		class = add_class(name, is_place);
	order_unlock();
	if (class == LOCK_RANK_NONE)
		port_log("lock checker: more than %d classes, %s is not checked", MAX_CLASSES,
			 name);
	return class;
}

u32 witness_class(const char *name)
{
	return class_named(name, false);
}

u32 witness_class_at(enum lock_rank rank, const char *place)
{
	return rank == LOCK_RANK_NONE ? class_named(place, true) : (u32)rank;
}

const char *order_class_name(u32 class)
{
	return class < LOCK_RANK_NR ? lock_ranks[class].name : order.classes[class].name;
}

/* --------------------------------------------------------------------------------- steps -- */

static bool is_rank(u32 class)
{
	return class != LOCK_RANK_NONE && class < LOCK_RANK_NR;
}

static bool step_of_table(u32 from, u32 to)
{
	return is_rank(from) && is_rank(to) && from < to;
}

static bool has_step(u32 from, u32 to)
{
	return step_of_table(from, to) || (atomic_load_relaxed(&order.after[from]) >> to & 1);
}

/*
 * Is there a way from @from to @to?  A search in breadth, so it is a shortest one: before[class] is
 * where it comes from, for each class on it.
 */
static bool find_way(u32 from, u32 to, u8 before[MAX_CLASSES])
{
	u32 nr = atomic_load_relaxed(&order.nr_classes), done = 0, found = 1;
	u8 queue[MAX_CLASSES] = { (u8)from };
	u64 seen = 1ull << from;

	for (; done < found; done++) {
		u32 at = queue[done];

		for (u32 next = LOCK_RANK_NONE + 1; next < nr; next++) {
			if ((seen >> next & 1) || !has_step(at, next))
				continue;
			seen |= 1ull << next;
			before[next] = (u8)at;
			if (next == to)
				return true;
			queue[found++] = (u8)next;
		}
	}
	return false;
}

/* order_lock() is held. */
static void add_step(const struct held *h, const struct wanted *want)
{
	u32 nr = atomic_load_relaxed(&order.nr_steps);
	struct step *step = &order.steps[nr];

	if (nr < MAX_STEPS) {
		step->from = h->class;
		step->to = want->class;
		step->from_place = h->place;
		step->to_place = want->place;
		step->from_stack = h->stack;
		witness_take_stack(&step->to_stack);
		/* Pairs with the acquire in find_step(). */
		atomic_store_release(&order.nr_steps, nr + 1);
	} else {
		port_log("lock checker: more than %d steps between classes of locks", MAX_STEPS);
	}
	/* Without a record, too: else it would be looked at each time. */
	atomic_or_relaxed(&order.after[h->class], 1ull << want->class);
}

bool order_learn(const struct held *h, const struct wanted *want)
{
	u8 before[MAX_CLASSES];
	bool circle;

	if (h->class == LOCK_RANK_NONE || want->class == LOCK_RANK_NONE ||
	    has_step(h->class, want->class))
		return true;
	if (!order_lock())
		return true;
	circle = find_way(want->class, h->class, before);
	if (!circle && !has_step(h->class, want->class))
		add_step(h, want);
	order_unlock();
	return !circle;
}

static const struct step *find_step(u32 from, u32 to)
{
	/* Pairs with the release in add_step(). */
	u32 nr = atomic_load_acquire(&order.nr_steps);

	for (u32 i = 0; i < nr; i++)
		if (order.steps[i].from == from && order.steps[i].to == to)
			return &order.steps[i];
	return NULL;
}

static void report_step(struct report *r, u32 from, u32 to)
{
	const struct step *step = find_step(from, to);
	const char *first = order_class_name(from), *second = order_class_name(to);

	if (!step) {
		report_say(r, "\n  before: ", first, " comes before ", second, NULL);
		if (step_of_table(from, to))
			report_say(r, ", by the table in docs/LOCKING.md", NULL);
		return;
	}
	report_say(r, "\n  before: ", second, " was waited for at ", step->to_place, NULL);
	report_stack(r, &step->to_stack);
	report_say(r, "\n    while holding ", first, " taken at ", step->from_place, NULL);
	report_stack(r, &step->from_stack);
}

void order_report_way(struct report *r, const struct held *h, const struct wanted *want)
{
	u8 before[MAX_CLASSES], way[MAX_CLASSES];
	u32 nr = 0;

	if (!find_way(want->class, h->class, before))
		return;
	for (u32 class = h->class; class != want->class; class = before[class])
		way[nr++] = (u8)class;
	for (u32 from = want->class; nr--; from = way[nr])
		report_step(r, from, way[nr]);
}

void witness_forget_order(void)
{
	order.nr_steps = 0;
	__builtin_memset(order.after, 0, sizeof(order.after));
}

#endif
