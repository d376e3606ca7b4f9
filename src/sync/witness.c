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
 *			for the locks after it.  Of locks without a rank the order is learned:
 *			witness_order.c.
 *	recursion	waiting for, or taking, a lock that this thread holds.  Two shared holds
 *			got by trylock are allowed; waiting for a second one is not, since a
 *			writer may have queued between the two.
 *	release		of a lock that this thread does not hold (who does is said, if the lock
 *			has a label), or holds in another mode.
 *	sleep		might_sleep() while a spinlock or an RCU read section is held.
 *	left behind	something held where nothing may be: at the end of a thread, and taken
 *			in a memory call that returns to the program (witness_call()).
 *
 * Where it keeps the list: in the port's per-thread bytes, so there is no lock and no memory
 * allocation here, and the witness can be used inside any lock.
 *
 * Stacks.  Each held lock has the addresses of those who took it.  Taking them costs about as much
 * as the rest of a lock of a debug build; a report without them says where, but not why.
 *
 * Signals.  A handler may run between any two instructions here and use locks itself.  It
 * leaves the list as it was, since it gives back all it took.  So an entry is reserved (nr++)
 * before it is filled, and emptied before it is given up; an empty entry (lock NULL) is skipped.
 *
 * Locks passed to another thread are not supported: whoever takes one gives it back.
 */
#include "sync/witness_state.h"

#ifdef CONFIG_VMAREA_DEBUG

_Static_assert(sizeof(struct witness) <= PORT_THREAD_STATE_BYTES, "the port keeps it");

static void witness_thread_exits(void *state);

struct witness *witness_self(void)
{
	struct witness *w = port_thread_state();

	if (unlikely(!w->armed)) {
		w->armed = true;
		port_thread_on_exit(witness_thread_exits);
	}
	return w;
}

void witness_label_taken(struct witness_label *label, const char *place)
{
	atomic_store_relaxed(&label->taken_at, place);
	atomic_store_relaxed(&label->taker, port_thread_id());
}

void witness_set_report(void (*fn)(void *arg, const char *text), void *arg)
{
	struct witness *w = witness_self();

	w->report = fn;
	w->report_arg = arg;
}

/* ------------------------------------------------------------------------------- reports -- */

/* "<what>: <lock> at <place>[, while holding <held>]" */
static void begin_lock(struct report *r, struct witness *w, const char *what,
		       const struct wanted *lock, const struct held *h)
{
	report_begin(r, w);
	report_say(r, what, ": ", NULL);
	report_lock(r, lock->lock, lock->class);
	report_say(r, " at ", lock->place, NULL);
	if (h) {
		report_say(r, ", while holding ", NULL);
		report_held(r, h);
	}
}

static __cold void report_recursion(struct witness *w, const struct wanted *want,
				    const struct held *same)
{
	struct report r;

	begin_lock(&r, w, "lock recursion", want, same);
	report_rule(&r, same->mode == WITNESS_SHARED ?
			"no lock is taken twice by one thread, for reading neither: a writer that "
			"queues between the two waits for the first and keeps the second out" :
			"no lock is taken twice by one thread: it would wait for itself");
	report_now(&r, "taking it again", want->place);
	report_held_with_stack(&r, same);
	report_advice(&r, "give it back before, or let the caller hand the lock down: "
		   "a function for who holds it already is named _locked");
	report_send(&r);
}

static void advise_order(struct report *r, const struct held *h, const struct wanted *want)
{
	const char *outer = order_class_name(want->class), *inner = order_class_name(h->class);

	if (h->class == LOCK_RANK_VMA && h->mode == WITNESS_SHARED &&
	    want->class == LOCK_RANK_MMAP) {
		report_advice(r, "call vma_end_read() first, then take the mmap lock and "
			   "look the VMA up again: it may have changed");
		return;
	}
	if (h->class == want->class) {
		report_advice(r, "if there is a fixed order between the two, say so with "
			   "a subclass of 1 or more at the second (_nested); else drop the first");
		return;
	}
	report_say(r, "\n  what to do: take the ", outer, " before the ", inner, "; or drop the ",
		   inner, " first and look again after; or use a trylock for the ", outer,
		   ", which does not wait", NULL);
}

static const char *rule_of_order(const struct held *h, const struct wanted *want)
{
	if (h->class == LOCK_RANK_VMA && h->mode == WITNESS_SHARED &&
	    want->class == LOCK_RANK_MMAP)
		return "the mmap lock is not taken while holding a VMA read lock: a writer that "
		       "has the mmap lock waits for the readers of its VMAs, and this reader "
		       "would wait for that writer";
	if (h->class == want->class)
		return "two locks of one class are taken only in an order that a subclass states: "
		       "two threads that take them in different orders wait for each other";
	return "locks are waited for in the order of the table in docs/LOCKING.md: who takes them "
	       "the other way round can wait for this thread while this thread waits for it";
}

static __cold void report_order(struct witness *w, const struct wanted *want,
				const struct held *h)
{
	struct report r;

	begin_lock(&r, w, "lock order", want, h);
	report_rule(&r, rule_of_order(h, want));
	report_now(&r, "about to wait for it", want->place);
	report_held_with_stack(&r, h);
	advise_order(&r, h, want);
	report_send(&r);
}

static __cold void report_circle(struct witness *w, const struct wanted *want,
				 const struct held *h)
{
	struct report r;

	begin_lock(&r, w, "lock order", want, h);
	report_say(&r, "; before it was the other way round", NULL);
	report_rule(&r, "locks of two classes are taken in one order everywhere: threads that do "
			"what this one does now, and what was done before, at the same time, wait "
			"for each other for ever");
	report_now(&r, "about to wait for it", want->place);
	report_held_with_stack(&r, h);
	order_report_way(&r, h, want);
	advise_order(&r, h, want);
	report_send(&r);
}

/* Names who has a lock that this thread does not. */
static void report_taker(struct report *r, const struct witness_label *label)
{
	u32 taker = label ? atomic_load_relaxed(&label->taker) : 0;

	if (!taker || taker == port_thread_id())
		return;
	report_say(r, ", held by thread ", NULL);
	text_dec(&r->text, taker);
	report_say(r, ", taken at ", atomic_load_relaxed(&label->taken_at), NULL);
}

static __cold void report_not_held(struct witness *w, const struct wanted *lock,
				   const struct witness_label *label)
{
	struct report r;

	begin_lock(&r, w, "release of a lock that is not held", lock, NULL);
	report_taker(&r, label);
	report_rule(&r, "whoever takes a lock gives it back, once: it cannot be handed to another "
		    "thread");
	report_now(&r, "giving it back", lock->place);
	report_all_held(&r);
	report_advice(&r, "release it on the thread that took it, and look for a second "
		   "release on this path");
	report_send(&r);
}

static __cold void report_mode(struct witness *w, const char *what, const struct held *h,
			       const char *place, const char *advice)
{
	const struct wanted lock = { .lock = h->lock, .class = h->class, .place = place };
	struct report r;

	begin_lock(&r, w, what, &lock, h);
	report_rule(&r, "a lock is given back in the mode in which it is held, and changed only by "
		    "who holds it for writing");
	report_now(&r, what, place);
	report_held_with_stack(&r, h);
	report_say(&r, "\n  what to do: ", advice, NULL);
	report_send(&r);
}

/* -------------------------------------------------------------------------------- checks -- */

static struct held *find_held(struct witness *w, const void *lock)
{
	for (u32 i = w->nr; i-- > 0;)
		if (w->held[i].lock == lock)
			return &w->held[i];
	return NULL;
}

static bool is_ranked(u32 class)
{
	return class != LOCK_RANK_NONE && class < LOCK_RANK_NR;
}

/* By the table, or by being of one class. */
static bool out_of_order(const struct held *h, const struct wanted *want)
{
	if (h->class == want->class)
		return h->class != LOCK_RANK_NONE && h->subclass >= want->subclass;
	return is_ranked(h->class) && is_ranked(want->class) && h->class > want->class;
}

/* True if it was in order, or is reported. */
static bool check_order(struct witness *w, const struct held *h, const struct wanted *want)
{
	if (out_of_order(h, want)) {
		report_order(w, want, h);
		return false;
	}
	if (h->class != want->class && !(is_ranked(h->class) && is_ranked(want->class)) &&
	    !order_learn(h, want)) {
		report_circle(w, want, h);
		return false;
	}
	return true;
}

void witness_before(const void *lock, u32 class, unsigned int subclass, const char *place)
{
	const struct wanted want = {
		.lock = lock, .class = class, .subclass = subclass, .place = place,
	};
	struct witness *w = witness_self();
	struct held *same = find_held(w, lock);

	if (unlikely(same)) {
		report_recursion(w, &want, same);
		return;
	}
	for (u32 i = w->nr; i-- > 0;)
		if (w->held[i].lock && !check_order(w, &w->held[i], &want))
			return;
}

void witness_after(const void *lock, u32 class, unsigned int subclass, enum witness_mode mode,
		   const char *place)
{
	const struct wanted want = { .lock = lock, .class = class, .place = place };
	struct witness *w = witness_self();
	struct held *same = find_held(w, lock), *h;

	if (unlikely(same && (same->mode != WITNESS_SHARED || mode != WITNESS_SHARED)))
		report_recursion(w, &want, same);
	if (w->nr >= WITNESS_MAX_HELD)
		port_panic("more than %d locks held at %s", WITNESS_MAX_HELD, place);
	h = &w->held[w->nr];
	h->lock = NULL;
	barrier();
	w->nr++;
	barrier();
	h->place = place;
	h->class = class;
	h->subclass = (u8)subclass;
	h->mode = (u8)mode;
	witness_take_stack(&h->stack);
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

void witness_release(const void *lock, struct witness_label *label, enum witness_mode mode,
		     const char *place)
{
	struct witness *w = witness_self();
	struct held *h = find_held(w, lock);

	if (unlikely(!h)) {
		const struct wanted not_held = {
			.lock = lock, .class = label ? label->class : LOCK_RANK_NONE,
			.place = place,
		};

		report_not_held(w, &not_held, label);
		return;
	}
	if (unlikely(h->mode != mode))
		report_mode(w, "release in the wrong mode", h, place,
			    mode == WITNESS_SHARED ?
				    "use the unlock for writers, or take it for reading" :
				    "use the unlock for readers, or take it for writing");
	if (label && atomic_load_relaxed(&label->taker) == port_thread_id())
		atomic_store_relaxed(&label->taker, 0);
	drop_held(w, h);
}

void witness_downgrade(const void *lock, const char *place)
{
	struct witness *w = witness_self();
	struct held *h = find_held(w, lock);
	const struct wanted not_held = { .lock = lock, .class = LOCK_RANK_NONE, .place = place };

	if (!h)
		report_not_held(w, &not_held, NULL);
	else if (h->mode != WITNESS_EXCLUSIVE)
		report_mode(w, "downgrade of a lock that is not held for writing", h, place,
			    "take it for writing, or leave the downgrade out");
	if (h)
		h->mode = WITNESS_SHARED;
}

bool witness_holds(const void *lock, enum witness_mode mode)
{
	struct held *h = find_held(witness_self(), lock);

	return h && h->mode >= mode;
}

static __cold void report_needed(struct witness *w, const struct wanted *lock,
				 const struct held *h)
{
	struct report r;

	begin_lock(&r, w, h ? "needed for writing and held for reading" : "needed and not held",
		   lock, h);
	report_rule(&r, "what is done here is done under this lock, held by this thread");
	report_now(&r, "without it", lock->place);
	report_all_held(&r);
	report_say(&r, "\n  what to do: take it ", h ? "for writing" : "before",
		   ", in a caller: see the marks on the prototypes (vmarea/context.h)", NULL);
	report_send(&r);
}

void witness_assert_held_at(const void *lock, u32 class, enum witness_mode mode,
			    const char *place)
{
	const struct wanted needed = { .lock = lock, .class = class, .place = place };
	struct witness *w = witness_self();
	struct held *h = find_held(w, lock);

	if (unlikely(!h || h->mode < mode))
		report_needed(w, &needed, h);
}

/* --------------------------------------------------------------------------- left behind -- */

static __cold void report_left_lock(struct witness *w, const struct held *h, const char *place)
{
	struct report r;

	report_begin(&r, w);
	report_say(&r, "still held at ", place, ": ", NULL);
	report_held(&r, h);
	report_rule(&r, "a thread gives back what it took, before it ends and before a memory call "
		    "returns to the program");
	report_held_with_stack(&r, h);
	report_advice(&r, "look for the path from there that leaves it out: an early "
		   "return, an error");
	report_send(&r);
}

static __cold void report_left_rcu(struct witness *w, const char *place)
{
	struct report r;

	report_begin(&r, w);
	report_say(&r, "still held at ", place, ": RCU read section entered at ", w->rcu_place,
		   NULL);
	report_rule(&r, "a read section that does not end keeps all that was let go since from "
			"being freed");
	report_say(&r, "\n  entered:", NULL);
	report_stack(&r, &w->rcu_stack);
	report_advice(&r, "rcu_read_unlock() on every path");
	report_send(&r);
}

/* What was taken after there were @nr entries, and an RCU section deeper than @rcu_depth. */
static void check_left(struct witness *w, u32 nr, u32 rcu_depth, const char *place)
{
	for (u32 i = nr; i < w->nr; i++)
		if (w->held[i].lock)
			report_left_lock(w, &w->held[i], place);
	if (w->rcu_depth > rcu_depth)
		report_left_rcu(w, place);
}

void witness_assert_none_held_at(const char *place)
{
	check_left(witness_self(), 0, 0, place);
}

static void witness_thread_exits(void *state)
{
	check_left(state, 0, 0, "the end of the thread");
}

struct witness_call witness_call_begins(const char *name)
{
	const struct witness *w = witness_self();

	return (struct witness_call){ .name = name, .nr = w->nr, .rcu_depth = w->rcu_depth };
}

void witness_call_returns(const struct witness_call *call)
{
	struct witness *w = witness_self();
	char where[64];
	struct text t = text_in(where, sizeof(where));

	if (likely(w->nr <= call->nr && w->rcu_depth <= call->rcu_depth))
		return;
	text_str(&t, "the return of ");
	text_str(&t, call->name);
	text_str(&t, "()");
	check_left(w, call->nr, call->rcu_depth, where);
}

struct witness_hook witness_hook_begins(const char *name, const char *driver)
{
	struct witness *w = witness_self();
	const struct witness_hook hook = {
		.call = witness_call_begins(name), .outer = w->driver,
	};

	w->driver = driver;
	return hook;
}

void witness_hook_returns(const struct witness_hook *hook)
{
	witness_call_returns(&hook->call);
	witness_self()->driver = hook->outer;
}

/* ------------------------------------------------------------------------ atomic context -- */

void witness_rcu_enter(const char *place)
{
	struct witness *w = witness_self();

	if (w->rcu_depth++)
		return;
	w->rcu_place = place;
	witness_take_stack(&w->rcu_stack);
}

void witness_rcu_leave(const char *place)
{
	struct witness *w = witness_self();
	const struct witness_finding finding = {
		.summary = "rcu_read_unlock() outside of a read section", .place = place,
		.rule = "each rcu_read_unlock() ends what one rcu_read_lock() of its thread began",
		.advice = "look for a second unlock on this path",
	};

	if (likely(w->rcu_depth))
		w->rcu_depth--;
	else
		witness_report_finding(&finding);
}

/* The last spinlock taken, or NULL. */
static const struct held *held_spinlock(const struct witness *w)
{
	for (u32 i = w->nr; i-- > 0;)
		if (w->held[i].lock && w->held[i].mode == WITNESS_SPIN)
			return &w->held[i];
	return NULL;
}

static __cold void report_sleep(struct witness *w, const struct held *h, const char *place)
{
	struct report r;

	report_begin(&r, w);
	report_say(&r, "sleeping in atomic context at ", place, NULL);
	if (h) {
		report_say(&r, ", while holding ", NULL);
		report_held(&r, h);
		report_rule(&r, "a thread that holds a spinlock does not sleep: others spin for it "
			    "meanwhile, and if one of them is to wake it, for ever");
	} else {
		report_say(&r, ", in the RCU read section entered at ", w->rcu_place, NULL);
		report_rule(&r, "a thread in an RCU read section does not sleep: whoever waits for "
			    "its end waits meanwhile, perhaps the one that is to wake it");
	}
	report_now(&r, "about to sleep", place);
	if (h) {
		report_say(&r, "\n  atomic since:", NULL);
		report_held_with_stack(&r, h);
		report_say(&r, "\n  what to do: drop the ", order_class_name(h->class),
			   " first, or do what sleeps (allocate, lock, mmput) before it is taken; "
			   "mmput_async() does not sleep", NULL);
	} else {
		report_say(&r, "\n  atomic since: rcu_read_lock() at ", w->rcu_place, NULL);
		report_stack(&r, &w->rcu_stack);
		report_advice(&r, "take a reference or a lock on what was found, leave "
			   "the section, then sleep");
	}
	report_send(&r);
}

void witness_might_sleep(const char *place)
{
	struct witness *w = witness_self();
	const struct held *h = held_spinlock(w);

	if (unlikely(h || w->rcu_depth))
		report_sleep(w, h, place);
}

/* ------------------------------------------------------------------- findings of others -- */

void witness_report_finding(const struct witness_finding *f)
{
	struct report r;

	report_begin(&r, witness_self());
	report_say(&r, f->summary, NULL);
	if (f->place)
		report_say(&r, " at ", f->place, NULL);
	if (f->rule)
		report_rule(&r, f->rule);
	report_now(&r, "here", f->place);
	if (f->details)
		report_say(&r, "\n", f->details, NULL);
	report_all_held(&r);
	if (f->advice)
		report_say(&r, "\n  what to do: ", f->advice, NULL);
	report_send(&r);
}

#endif
