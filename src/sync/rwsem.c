/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The slow half of the reader/writer lock.
 *
 * All of its condition is one 64-bit word (drawn in rwsem.h): who is inside, how many readers
 * and writers wait, and three flags.  Every change is one compare-and-swap of that word, so each
 * rule below is a statement about two successive values.  Three futexes, the gates, are only
 * there to sleep on.
 *
 * A waiting reader counts itself in and remembers the phase bit.  A writer that leaves turns all
 * waiting readers into inside ones, and flips the phase, in one step: a reader that finds the
 * phase flipped holds the lock already.  One bit is enough: only a writer inside flips it, and
 * none can be inside before this reader has been and gone.  If on the other hand the last
 * waiting writer gives up, there is nobody inside to flip it: the readers' gate is opened, and
 * they go in one by one, like newcomers.
 *
 * A waiting writer counts itself in, which keeps new readers out (F1), and takes the lock itself
 * when it finds it free.  Letting a sleeper have the lock directly would be simpler and fairer,
 * and slow: it would lie idle for the tens of microseconds that a wake-up across CPUs takes, at
 * every change of hands.  So a newcomer that runs may take a free lock (F3).  WOKEN is set
 * with the wake-up: further unlocks until the woken writer has arrived wake nobody else.  When
 * it arrives and the lock is taken again, it spins for a moment and then becomes the FRONT
 * writer: while that flag is set only its owner may take the lock, and it sleeps alone on its
 * own gate, so that the unlock wakes exactly it.
 *
 * Invariants
 *	I1  WRITER excludes readers inside.
 *	I2  If readers wait, a writer is inside or waits, or the readers' gate has been opened
 *	    since that was so.
 *	I3  FRONT only while writers wait; its owner is one of them.
 *	I4  If the lock is free and writers wait: the front writer has been woken since, if there
 *	    is one; else WOKEN is set, and some waiting writer will look at the state again.
 *
 * I4 is what could be lost.  The lock becomes free in settle(), which sets WOKEN and opens the
 * gate.  From then on every waiting writer that goes to sleep either does so after clearing
 * WOKEN in a state where the lock is taken, so that the next unlock opens the gate again; or it
 * read the gate before it opened, and then it does not fall asleep.  A writer that gives up
 * clears WOKEN, or FRONT if it is its own, and settles the state as an unlock does (F4).
 *
 * Ordering.  A waiter reads the gate (acquire), then the state, then sleeps if the gate has not
 * moved; who changes the state opens the gate afterwards (release).  So a waiter that saw the
 * old state sees the gate move.
 *
 * Rejected: a queue of nodes on the waiters' stacks (exact order, but it cannot lie in memory
 * shared by processes, and leaving it from the middle is most of its code); one futex for
 * everybody (an unlock wakes all or the wrong one); a ticket lock (a ticket cannot be given up).
 */

#include "sync/rwsem.h"
#include "base/errno.h"

/*
 * Rounds of spinning before sleep: some microseconds.  A memory call holds the lock for one or
 * two, a sleep and wake-up cost tens.
 */
#define SPIN_ROUNDS	PORT_SPIN_ROUNDS(100)

enum gate { GATE_NONE, GATE_READERS, GATE_WRITERS, GATE_FRONT };

/* Who goes first when readers and writers wait: after a writer, readers (F2). */
enum turn { TURN_WRITERS, TURN_READERS };

/*
 * Given the state as the caller leaves it: the state in which those who are due are let in or
 * woken, and the gate that must be opened once that state has been stored.  TURN_READERS is for
 * a writer that was inside: it may flip the phase.
 */
static u64 settle(u64 s, enum turn turn, enum gate *gate)
{
	u64 waiting = s & RWSEM_RWAIT_MASK;

	*gate = GATE_NONE;
	if (s & RWSEM_WRITER)
		return s;
	if (waiting && turn == TURN_READERS) {
		*gate = GATE_READERS;
		return (s - waiting + waiting / RWSEM_RWAIT * RWSEM_IN) ^ RWSEM_PHASE;
	}
	if (waiting && !(s & RWSEM_WWAIT_MASK)) {
		*gate = GATE_READERS;
		return s;
	}
	if ((s & RWSEM_IN_MASK) || !(s & RWSEM_WWAIT_MASK))
		return s;
	if (s & RWSEM_FRONT) {
		*gate = GATE_FRONT;
		return s;
	}
	if (s & RWSEM_WOKEN)
		return s;
	*gate = GATE_WRITERS;
	return s | RWSEM_WOKEN;
}

/* Moves a gate on, and wakes up to @nr if somebody sleeps there. */
static void open_gate(u32 *gate, int nr)
{
	u32 old = atomic_load_relaxed(gate);

	/* Pairs with the acquire of the gate in the two wait loops. */
	while (!atomic_cas_release(gate, &old, (old + 2) & ~1u))
		;
	if (old & 1)
		port_wake(gate, nr);
}

static void open_for(struct rwsem *sem, enum gate gate)
{
	switch (gate) {
	case GATE_NONE:
		break;
	case GATE_READERS:
		open_gate(&sem->readers_gate, PORT_WAKE_ALL);
		break;
	case GATE_FRONT:
		open_gate(&sem->front_gate, 1);
		break;
	case GATE_WRITERS:
		/*
		 * Several may sleep and only one is woken, so there is no bit to clear.  Pairs with
		 * the acquire in the wait loop of writers.
		 */
		atomic_add_release(&sem->writers_gate, 2);
		port_wake(&sem->writers_gate, 1);
		break;
	}
}

/* The last reader has left while a writer waited. */
void rwsem_read_wake(struct rwsem *sem)
{
	u64 s = atomic_load_relaxed(&sem->state), next;
	enum gate gate;

	do {
		next = settle(s, TURN_WRITERS, &gate);
	} while (next != s && !atomic_cas_relaxed(&sem->state, &s, next));
	open_for(sem, gate);
}

/* Leaves as a writer with others waiting. */
void rwsem_write_wake(struct rwsem *sem)
{
	u64 s = atomic_load_relaxed(&sem->state), next;
	enum gate gate;

	do {
		next = settle(s & ~RWSEM_WRITER, TURN_READERS, &gate);
	} while (!atomic_cas_release(&sem->state, &s, next));	/* O1 */
	open_for(sem, gate);
}

void rwsem_downgrade_state(struct rwsem *sem)
{
	u64 s = atomic_load_relaxed(&sem->state), next;
	enum gate gate;

	VM_BUG_ON(!(s & RWSEM_WRITER), "%llx", (unsigned long long)s);
	do {
		next = settle((s & ~RWSEM_WRITER) + RWSEM_IN, TURN_READERS, &gate);
	} while (!atomic_cas_release(&sem->state, &s, next));	/* O1: for the readers let in */
	open_for(sem, gate);
}

/* ------------------------------------------------------------------------------- readers -- */

/* Enters, or counts the caller as waiting and gives the state it waits in.  True if inside. */
static bool read_enter_or_wait(struct rwsem *sem, u64 *state)
{
	u64 s = atomic_load_relaxed(&sem->state);

	for (;;) {
		if (!(s & (RWSEM_WRITER | RWSEM_WWAIT_MASK))) {
			if (atomic_cas_acquire(&sem->state, &s, s + RWSEM_IN))	/* O1 */
				return true;
		} else {
			VM_BUG_ON((s & RWSEM_RWAIT_MASK) == RWSEM_RWAIT_MASK);
			if (atomic_cas_relaxed(&sem->state, &s, s + RWSEM_RWAIT))
				break;
		}
	}
	*state = s;
	return false;
}

/* Is a reader that waits since @state let in, or can it enter now? */
static bool read_enter_waiting(struct rwsem *sem, u64 state)
{
	u64 s = atomic_load_acquire(&sem->state), next;	/* O1 */

	while (!((s ^ state) & RWSEM_PHASE)) {
		if (s & (RWSEM_WRITER | RWSEM_WWAIT_MASK))
			return false;
		next = s - RWSEM_RWAIT + RWSEM_IN;
		if (atomic_cas_acquire(&sem->state, &s, next))	/* O1 */
			return true;
		s = atomic_load_acquire(&sem->state);		/* O1 */
	}
	return true;
}

/* No longer waits.  False if it was let in meanwhile: then it holds the lock. */
static bool read_give_up(struct rwsem *sem, u64 state)
{
	u64 s = atomic_load_relaxed(&sem->state);

	while (!((s ^ state) & RWSEM_PHASE))
		if (atomic_cas_relaxed(&sem->state, &s, s - RWSEM_RWAIT))
			return true;
	return false;
}

/* Sets the bit that says that somebody sleeps at @gate.  False if the gate has moved. */
static bool gate_sleeper(u32 *gate, u32 seen)
{
	return (seen & 1) || atomic_cas_relaxed(gate, &seen, seen | 1);
}

/*
 * Waits until let in: 0, or -ETIMEDOUT or -EINTR without the lock.  One that is let in at the
 * last moment has it.
 */
int rwsem_read_wait(struct rwsem *sem, struct rwsem_patience patience)
{
	u64 state;
	u32 seen;
	int err;

	if (read_enter_or_wait(sem, &state))
		return 0;
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		if (read_enter_waiting(sem, state))
			return 0;
		port_cpu_relax();
	}
	for (;;) {
		seen = atomic_load_acquire(&sem->readers_gate);	/* with open_gate() */
		if (read_enter_waiting(sem, state))
			return 0;
		if (!gate_sleeper(&sem->readers_gate, seen))
			continue;
		err = kill_switch_wait(patience.kill, &sem->readers_gate, seen | 1,
				       patience.deadline_ns);
		if (err && read_give_up(sem, state))
			return err;
	}
}

/* ------------------------------------------------------------------------------- writers -- */

/* What a waiting writer knows of itself. */
struct write_wait {
	bool front;			/* RWSEM_FRONT is its own */
	bool woken;			/* has slept: may become the front writer */
};

static bool write_may_take(u64 s, bool front)
{
	return !(s & (RWSEM_WRITER | RWSEM_IN_MASK)) && (front || !(s & RWSEM_FRONT));
}

/* The state without this waiter. */
static u64 write_uncounted(u64 s, bool front)
{
	s -= RWSEM_WWAIT;
	s &= ~RWSEM_WOKEN;
	return front ? s & ~RWSEM_FRONT : s;
}

/*
 * A newcomer, before it counts itself as waiting: while a writer is inside it may spin for a
 * moment.  With readers inside it must not, since more would come in (F1).
 */
static bool write_spin_in(struct rwsem *sem)
{
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		u64 s = atomic_load_relaxed(&sem->state);

		if (write_may_take(s, false)) {
			if (atomic_cas_acquire(&sem->state, &s, s | RWSEM_WRITER))	/* O1 */
				return true;
		} else if (!(s & RWSEM_WRITER)) {
			return false;
		}
		port_cpu_relax();
	}
	return false;
}

/* Enters, or counts the caller as waiting.  True if inside. */
static bool write_enter_or_wait(struct rwsem *sem)
{
	u64 s = atomic_load_relaxed(&sem->state);

	for (;;) {
		if (write_may_take(s, false)) {
			if (atomic_cas_acquire(&sem->state, &s, s | RWSEM_WRITER))	/* O1 */
				return true;
		} else {
			VM_BUG_ON((s & RWSEM_WWAIT_MASK) == RWSEM_WWAIT_MASK);
			if (atomic_cas_relaxed(&sem->state, &s, s + RWSEM_WWAIT))
				return false;
		}
	}
}

/* Takes the lock if this waiter may.  Spins for it in between. */
static bool write_spin_waiting(struct rwsem *sem, bool front)
{
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		u64 s = atomic_load_relaxed(&sem->state);

		if (write_may_take(s, front) &&
		    atomic_cas_acquire(&sem->state, &s,			/* O1 */
				       write_uncounted(s, front) | RWSEM_WRITER))
			return true;
		port_cpu_relax();
	}
	return false;
}

/*
 * The last step before sleep: takes the lock if it is free by now, else leaves a state in which
 * the next unlock will open the gate where this waiter is going to sleep.
 */
static bool write_take_or_arm(struct rwsem *sem, struct write_wait *w)
{
	u64 s = atomic_load_relaxed(&sem->state), next;

	for (;;) {
		if (write_may_take(s, w->front)) {
			next = write_uncounted(s, w->front) | RWSEM_WRITER;
			if (atomic_cas_acquire(&sem->state, &s, next))		/* O1 */
				return true;
			continue;
		}
		next = s & ~RWSEM_WOKEN;
		if (w->woken && !(s & RWSEM_FRONT))
			next |= RWSEM_FRONT;
		if (next == s)
			return false;
		if (atomic_cas_relaxed(&sem->state, &s, next)) {
			w->front |= !!(next & ~s & RWSEM_FRONT);
			return false;
		}
	}
}

/* Takes the lock if it may, else stops waiting and settles for the others (F4). */
static bool write_take_or_give_up(struct rwsem *sem, bool front)
{
	u64 s = atomic_load_relaxed(&sem->state), next;
	enum gate gate = GATE_NONE;
	bool take;

	do {
		take = write_may_take(s, front);
		next = write_uncounted(s, front);
		next = take ? next | RWSEM_WRITER : settle(next, TURN_WRITERS, &gate);
	} while (!atomic_cas_acq_rel(&sem->state, &s, next));	/* O1 */
	if (!take)
		open_for(sem, gate);
	return take;
}

/* As rwsem_read_wait(), for writing. */
int rwsem_write_wait(struct rwsem *sem, struct rwsem_patience patience)
{
	struct write_wait w = { .front = false };
	u32 *gate, seen;
	int err;

	if (write_spin_in(sem) || write_enter_or_wait(sem))
		return 0;
	for (;;) {
		if (write_spin_waiting(sem, w.front))
			return 0;
		gate = w.front ? &sem->front_gate : &sem->writers_gate;
		seen = atomic_load_acquire(gate);		/* with open_for() */
		if (write_take_or_arm(sem, &w))
			return 0;
		/* Has just become the front writer: its gate is another one, look again. */
		if (w.front && gate != &sem->front_gate)
			continue;
		if (w.front) {
			if (!gate_sleeper(gate, seen))
				continue;
			seen |= 1;
		}
		err = kill_switch_wait(patience.kill, gate, seen, patience.deadline_ns);
		w.woken = true;
		if (err)
			return write_take_or_give_up(sem, w.front) ? 0 : err;
	}
}
