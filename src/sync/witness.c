/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The lock checker.
 *
 * A deadlock needs unlucky timing; the mistake behind it does not.  The witness keeps, for each
 * thread, the list of locks it holds, and compares every lock it is about to wait for with all
 * of them.  A wrong order is reported the first time it is executed, by one thread alone.
 *
 * What it reports
 *
 *	order		waiting for a lock of a rank that is not below all held ones.  A lock of
 *			the same rank is in order if its subclass is higher.  A trylock does not
 *			wait, so its own order is free; but once taken it counts like any other
 *			for the locks after it.
 *	recursion	waiting for, or taking, a lock that this thread holds.  Two shared holds
 *			got by trylock are allowed; waiting for a second one is not, since a
 *			writer may have queued between the two.
 *	release		of a lock that is not held, or is held in another mode.
 *	sleep		might_sleep() while a spinlock or an RCU read section is held.
 *	left behind	something held where nothing may be: at the end of a thread, and where a
 *			call returns to the program (witness_assert_none_held()).
 *
 * Where it keeps the list: in the port's per-thread bytes, so there is no lock and no memory
 * allocation here, and the witness can be used inside any lock.
 *
 * Signals.  A handler may run between any two instructions here and use locks itself.  It
 * leaves the list as it was, since it gives back all it took.  So an entry is reserved (nr++)
 * before it is filled, and emptied before it is given up; an empty entry (lock NULL) is skipped.
 *
 * Locks passed to another thread are not supported: whoever takes one gives it back.
 */
#include "sync/witness.h"

#ifdef CONFIG_VMAREA_DEBUG

#include "base/str.h"

#define WITNESS_MAX_HELD	32
#define REPORT_BYTES		512

struct held {
	const void *lock;		/* NULL: an empty entry */
	const char *place;		/* where it was taken */
	u16 rank;
	u8 subclass;
	u8 mode;
};

struct witness {
	struct held held[WITNESS_MAX_HELD];
	u32 nr;				/* entries in use, empty ones among them */
	u32 rcu_depth;
	const char *rcu_place;		/* of the outermost rcu_read_lock() */
	void (*report)(void *arg, const char *text);
	void *report_arg;
	bool armed;			/* the check at the end of the thread is set up */
};

_Static_assert(sizeof(struct witness) <= PORT_THREAD_STATE_BYTES, "the port keeps it");

static void witness_thread_exits(void *state);

static struct witness *witness_self(void)
{
	struct witness *w = port_thread_state();

	if (unlikely(!w->armed)) {
		w->armed = true;
		port_thread_on_exit(witness_thread_exits);
	}
	return w;
}

void witness_set_report(void (*fn)(void *arg, const char *text), void *arg)
{
	struct witness *w = witness_self();

	w->report = fn;
	w->report_arg = arg;
}

/* ------------------------------------------------------------------------------- reports -- */

static const char *mode_name(unsigned int mode)
{
	static const char *const names[] = {
		[WITNESS_SHARED] = "read", [WITNESS_EXCLUSIVE] = "write", [WITNESS_SPIN] = "spin",
	};

	return names[mode];
}

static void text_lock(struct text *t, const void *lock, unsigned int rank)
{
	text_str(t, lock_ranks[rank].name);
	text_str(t, " 0x");
	text_hex(t, (uintptr_t)lock);
}

static void text_at(struct text *t, const char *what, const char *place)
{
	text_str(t, what);
	text_str(t, place);
}

static void text_held(struct text *t, const struct held *h)
{
	text_lock(t, h->lock, h->rank);
	text_str(t, " (");
	text_str(t, mode_name(h->mode));
	text_at(t, ") taken at ", h->place);
}

static void report(struct witness *w, const struct text *t)
{
	if (w->report)
		w->report(w->report_arg, t->buf);
	else
		port_panic("%s", t->buf);
}

/* "<what>: <lock> at <place>[, while holding <held>]" */
static void report_lock(struct witness *w, const char *what, const void *lock, unsigned int rank,
			const char *place, const struct held *h)
{
	char buf[REPORT_BYTES];
	struct text t = text_in(buf, sizeof(buf));

	text_str(&t, what);
	text_str(&t, ": ");
	text_lock(&t, lock, rank);
	text_at(&t, " at ", place);
	if (h) {
		text_str(&t, ", while holding ");
		text_held(&t, h);
	}
	report(w, &t);
}

/* -------------------------------------------------------------------------------- checks -- */

static struct held *find_held(struct witness *w, const void *lock)
{
	for (u32 i = w->nr; i-- > 0;)
		if (w->held[i].lock == lock)
			return &w->held[i];
	return NULL;
}

static bool out_of_order(const struct held *h, u32 rank, unsigned int subclass)
{
	if (!h->lock || h->rank == LOCK_RANK_NONE || rank == LOCK_RANK_NONE)
		return false;
	return h->rank > rank || (h->rank == rank && h->subclass >= subclass);
}

void witness_before(const void *lock, u32 rank, unsigned int subclass, const char *place)
{
	struct witness *w = witness_self();
	struct held *same = find_held(w, lock);

	if (same) {
		report_lock(w, "lock recursion", lock, rank, place, same);
		return;
	}
	for (u32 i = w->nr; i-- > 0;) {
		if (out_of_order(&w->held[i], rank, subclass)) {
			report_lock(w, "lock order", lock, rank, place, &w->held[i]);
			return;
		}
	}
}

void witness_after(const void *lock, u32 rank, unsigned int subclass, enum witness_mode mode,
		   const char *place)
{
	struct witness *w = witness_self();
	struct held *same = find_held(w, lock), *h;

	if (same && (same->mode != WITNESS_SHARED || mode != WITNESS_SHARED))
		report_lock(w, "lock recursion", lock, rank, place, same);
	if (w->nr >= WITNESS_MAX_HELD)
		port_panic("more than %d locks held at %s", WITNESS_MAX_HELD, place);
	h = &w->held[w->nr];
	h->lock = NULL;
	barrier();
	w->nr++;
	barrier();
	h->place = place;
	h->rank = (u16)rank;
	h->subclass = (u8)subclass;
	h->mode = (u8)mode;
	barrier();
	h->lock = lock;
}

static void drop_held(struct witness *w, struct held *h)
{
	h->lock = NULL;
	barrier();
	while (w->nr && !w->held[w->nr - 1].lock)
		w->nr--;
}

void witness_release(const void *lock, enum witness_mode mode, const char *place)
{
	struct witness *w = witness_self();
	struct held *h = find_held(w, lock);

	if (!h) {
		report_lock(w, "release of a lock that is not held", lock, LOCK_RANK_NONE, place,
			    NULL);
		return;
	}
	if (h->mode != mode)
		report_lock(w, "release in the wrong mode", lock, h->rank, place, h);
	drop_held(w, h);
}

void witness_downgrade(const void *lock, const char *place)
{
	struct witness *w = witness_self();
	struct held *h = find_held(w, lock);

	if (!h || h->mode != WITNESS_EXCLUSIVE)
		report_lock(w, "downgrade of a lock that is not held for writing", lock,
			    h ? h->rank : LOCK_RANK_NONE, place, h);
	if (h)
		h->mode = WITNESS_SHARED;
}

bool witness_holds(const void *lock, enum witness_mode mode)
{
	struct held *h = find_held(witness_self(), lock);

	return h && h->mode >= mode;
}

void witness_assert_held_at(const void *lock, u32 rank, enum witness_mode mode, const char *place)
{
	struct witness *w = witness_self();
	struct held *h = find_held(w, lock);

	if (!h)
		report_lock(w, "needed and not held", lock, rank, place, NULL);
	else if (h->mode < mode)
		report_lock(w, "needed for writing and held for reading", lock, rank, place, h);
}

void witness_unguarded(const char *type, const void *object, const char *field, const char *needs,
		       const char *place)
{
	char buf[REPORT_BYTES];
	struct text t = text_in(buf, sizeof(buf));

	text_str(&t, "field written under too little: ");
	text_str(&t, type);
	text_str(&t, ".");
	text_str(&t, field);
	text_str(&t, " of 0x");
	text_hex(&t, (uintptr_t)object);
	text_at(&t, " at ", place);
	text_at(&t, ", which needs ", needs);
	report(witness_self(), &t);
}

static void report_left(struct witness *w, const char *place)
{
	char buf[REPORT_BYTES];

	for (u32 i = 0; i < w->nr; i++) {
		struct text t = text_in(buf, sizeof(buf));

		if (!w->held[i].lock)
			continue;
		text_at(&t, "still held at ", place);
		text_str(&t, ": ");
		text_held(&t, &w->held[i]);
		report(w, &t);
	}
	if (w->rcu_depth) {
		struct text t = text_in(buf, sizeof(buf));

		text_at(&t, "still held at ", place);
		text_at(&t, ": RCU read section entered at ", w->rcu_place);
		report(w, &t);
	}
}

void witness_assert_none_held_at(const char *place)
{
	report_left(witness_self(), place);
}

static void witness_thread_exits(void *state)
{
	report_left(state, "the end of the thread");
}

/* ------------------------------------------------------------------------ atomic context -- */

void witness_rcu_enter(const char *place)
{
	struct witness *w = witness_self();

	if (!w->rcu_depth++)
		w->rcu_place = place;
}

void witness_rcu_leave(const char *place)
{
	struct witness *w = witness_self();
	char buf[REPORT_BYTES];
	struct text t = text_in(buf, sizeof(buf));

	if (w->rcu_depth) {
		w->rcu_depth--;
		return;
	}
	text_at(&t, "rcu_read_unlock() outside of a read section at ", place);
	report(w, &t);
}

void witness_might_sleep(const char *place)
{
	struct witness *w = witness_self();
	char buf[REPORT_BYTES];
	struct text t = text_in(buf, sizeof(buf));

	text_at(&t, "sleeping in atomic context at ", place);
	for (u32 i = w->nr; i-- > 0;) {
		if (w->held[i].lock && w->held[i].mode == WITNESS_SPIN) {
			text_str(&t, ", while holding ");
			text_held(&t, &w->held[i]);
			report(w, &t);
			return;
		}
	}
	if (w->rcu_depth) {
		text_at(&t, ", in the RCU read section entered at ", w->rcu_place);
		report(w, &t);
	}
}

#endif
