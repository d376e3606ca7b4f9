/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Handles that outlive their lock, in debug builds.
 *
 * Terms.  A *section* is the time in which handles of one origin are good: from a lock to its
 * unlock, from mmget() to mmput(), while a hook runs.  A handle is the pointer to the object with
 * the number of its section in the upper 16 bits, which an address of x86-64 does not use:
 *
 *	 63       48 47                                           0
 *	+-----------+----------------------------------------------+
 *	|  number   |  address of the mm or the VMA                |
 *	+-----------+----------------------------------------------+
 *
 * Every function of driver.h and vmarea.h that is given a handle strips it by section_use(), which
 * looks the number up.  So these are reported when they happen:
 *
 *	stale		the section has ended: after the unlock, in the next section, after the
 *			downgrade, after mmput(), after the hook
 *	foreign		the section runs, on another thread; or it is not the lock's that is passed
 *			beside it
 *	wrong		the section is not of the kind that the type of the handle claims: a cast
 *	unknown		no section: the handle was not made here
 *
 * A reference to an mm is good on any thread.  All other sections belong to one.
 *
 * Sections lie in one table for the whole process, by the lower bits of their number.  An ended one
 * keeps who began and ended it, and where, until the place is used again; of a handle that is older
 * the report says so.  Numbers come round after 65,535 sections: a handle that is stale by exactly
 * as many is taken for good.  If every place is taken by a section that runs, a handle is made
 * without a number, and from then on such handles are not reported.
 *
 * A place is taken and given up by changing its word:
 *
 *	ended --begin--> changing --> runs --end--> changing --> ended
 *
 *  (A) the release that stores `runs` or `ended` pairs with the acquire of who looks the number up,
 *	and of who takes the place next.
 *
 * There is no lock: a signal handler may look, and in a forked child all is as it was.
 */
#include "base/atomic.h"
#include "sync/witness_state.h"
#include "vma/handle.h"

#if defined(CONFIG_VMAREA_DEBUG) && defined(__x86_64__)

#define NUMBER_SHIFT		48
#define ADDRESS_MASK		((1ul << NUMBER_SHIFT) - 1)
#define NUMBERS			0x10000u
#define NR_PLACES		4096u

/* The lower two bits of a place's word; above is the number. */
#define SECTION_ENDED		0u
#define SECTION_RUNS		1u
#define SECTION_CHANGING	2u
#define STATE_MASK		3u

struct moment {
	const char *func;		/* o */
	u32 thread;			/* o */
	struct witness_stack stack;	/* o */
};

struct section {
	u32 word;			/* a	(A) */
	enum section_kind kind;		/* s */
	const void *owner;		/* s	the thread's state: the same in a forked child */
	const void *object;		/* s */
	struct moment begun, ended;	/* s */
};

static struct section sections[NR_PLACES];
static u32 last_number;			/* atomic */
static u32 has_unnumbered;		/* atomic: handles without a number are about */

static const char *const kind_names[] = {
	[SECTION_USER] = "reference to the mm",
	[SECTION_READ] = "mmap lock section (read)",
	[SECTION_WRITE] = "mmap lock section (write)",
	[SECTION_VMA] = "VMA read lock section",
	[SECTION_HOOK_READ] = "call of a hook",
	[SECTION_HOOK_WRITE] = "call of a hook",
	[SECTION_HOOK_NEW] = "call of an mmap() hook",
};

static u32 number_of(const void *handle)
{
	return (u32)((uintptr_t)handle >> NUMBER_SHIFT);
}

static void *object_of(const void *handle)
{
	return (void *)((uintptr_t)handle & ADDRESS_MASK);
}

static void *with_number(const void *object, u32 number)
{
	return (void *)((uintptr_t)object | (uintptr_t)number << NUMBER_SHIFT);
}

static struct section *place_of(u32 number)
{
	return &sections[number % NR_PLACES];
}

static void note_moment(struct moment *m, const char *func)
{
	m->func = func;
	m->thread = port_thread_id();
	witness_take_stack(&m->stack);
}

/* ------------------------------------------------------------------------ begin and share -- */

/* A number whose place is free, and the place.  NULL: all are taken. */
static struct section *take_place(u32 *number)
{
	for (u32 tries = 0; tries < NR_PLACES + 1; tries++) {
		u32 n = (atomic_add_relaxed(&last_number, 1) + 1) % NUMBERS;
		struct section *s = place_of(n);
		u32 word = atomic_load_relaxed(&s->word);

		if (!n || (word & STATE_MASK) != SECTION_ENDED)
			continue;
		/* (A): pairs with the release of who ended it: what he noted there comes before. */
		if (!atomic_cas_acquire(&s->word, &word, n << 2 | SECTION_CHANGING))
			continue;
		*number = n;
		return s;
	}
	return NULL;
}

void *section_begin(enum section_kind kind, void *object, const char *func)
{
	struct section *s;
	u32 number;

	s = take_place(&number);
	if (!s) {
		atomic_store_relaxed(&has_unnumbered, 1);
		return object;
	}
	s->kind = kind;
	s->owner = kind == SECTION_USER ? NULL : port_thread_state();
	s->object = object;
	s->ended = (struct moment){ 0 };
	note_moment(&s->begun, func);
	atomic_store_release(&s->word, number << 2 | SECTION_RUNS);	/* (A) */
	return with_number(object, number);
}

void *section_share(const void *owner, void *object)
{
	return object ? with_number(object, number_of(owner)) : NULL;
}

/* --------------------------------------------------------------------------------- reports -- */

static void report_moment(struct report *r, const char *what, const struct moment *m)
{
	report_say(r, "\n  ", what, ": ", m->func, m->func[str_len(m->func) - 1] == ')' ? "" : "()",
		   ", thread ", NULL);
	text_dec(&r->text, m->thread);
	report_stack(r, &m->stack);
}

/* "stale handle: struct vma_ref 0x55d0c8a0 in vma_start()" */
static void begin_handle(struct report *r, const char *what, const void *handle, const char *type,
			 const char *func)
{
	report_begin(r, witness_self());
	report_say(r, what, " handle: ", type, " 0x", NULL);
	text_hex(&r->text, (uintptr_t)object_of(handle));
	report_say(r, " in ", func, "()", NULL);
}

static const char *advice_for(enum section_kind kind)
{
	switch (kind) {
	case SECTION_USER:
		return "mmget() a reference for each who uses the mm, and put it last; keep a "
		       "struct mm_struct (mmgrab) and mmget_not_zero() it to come back";
	case SECTION_HOOK_READ:
	case SECTION_HOOK_WRITE:
	case SECTION_HOOK_NEW:
		return "use it inside the hook; to come back to the VMA keep its address and its "
		       "mm (mmgrab), and ask vma_is_owner() after a lookup";
	default:
		return "look the VMA up again, under a lock that this thread holds now; what may "
		       "be kept is its address, and vma_is_owner() says whether it is still yours";
	}
}

static __cold void report_stale(const void *handle, const char *type, const struct section *s,
				const char *func)
{
	struct report r;

	begin_handle(&r, "stale", handle, type, func);
	report_say(&r, ", after its ", kind_names[s->kind], " has ended in ", s->ended.func, NULL);
	report_rule(&r, "a handle is gone with the lock, the reference or the hook that it came "
			"from: what it names may have changed, or be something else by now");
	report_now(&r, "used", NULL);
	report_moment(&r, "begun", &s->begun);
	report_moment(&r, "ended", &s->ended);
	report_all_held(&r);
	report_advice(&r, advice_for(s->kind));
	report_send(&r);
}

static __cold void report_foreign(const void *handle, const char *type, const struct section *s,
				  const char *func)
{
	struct report r;

	begin_handle(&r, "foreign", handle, type, func);
	report_say(&r, ", of the ", kind_names[s->kind], " of thread ", NULL);
	text_dec(&r.text, s->begun.thread);
	report_rule(&r, "a handle is for the thread that holds the lock it came from, and for "
			"calls under that lock: of any other nobody knows when it ends");
	report_now(&r, "used", NULL);
	report_moment(&r, "begun", &s->begun);
	report_all_held(&r);
	report_advice(&r, advice_for(s->kind));
	report_send(&r);
}

static __cold void report_wrong(const void *handle, const char *type, const struct section *s,
				const char *func)
{
	struct report r;

	begin_handle(&r, "wrong", handle, type, func);
	report_say(&r, ", which is from a ", kind_names[s->kind], NULL);
	report_rule(&r, "the type of a handle says what is held; this one was made by a cast, or "
			"is lent (vma_mm()) and was put");
	report_now(&r, "used", NULL);
	report_moment(&r, "begun", &s->begun);
	report_all_held(&r);
	report_advice(&r, "take the lock or the reference that the function asks for, and pass "
			  "what that returned");
	report_send(&r);
}

static __cold void report_unknown(const void *handle, const char *type, const char *func)
{
	struct report r;

	begin_handle(&r, number_of(handle) ? "stale" : "unknown", handle, type, func);
	report_say(&r, number_of(handle) ? ", of a section that ended long ago" :
					   ", which no function returned", NULL);
	report_rule(&r, "a handle comes from the function that took its lock, and is gone with it");
	report_now(&r, "used", NULL);
	report_all_held(&r);
	report_advice(&r, "pass what the lock, the lookup or the hook gave, while it lasts");
	report_send(&r);
}

/* ------------------------------------------------------------------------------ use and end -- */

/* The section of @handle if it may be used here as one of @kinds; else NULL, and it is reported. */
static struct section *section_check(const void *handle, const char *type, unsigned int kinds,
				     const char *func)
{
	u32 number = number_of(handle), word;
	struct section *s = place_of(number);

	if (unlikely(!number)) {
		if (!atomic_load_relaxed(&has_unnumbered))
			report_unknown(handle, type, func);
		return NULL;
	}
	word = atomic_load_acquire(&s->word);				/* (A) */
	if (likely(word == (number << 2 | SECTION_RUNS))) {
		if (likely((kinds >> s->kind & 1) &&
			   (!s->owner || s->owner == port_thread_state())))
			return s;
		if (kinds >> s->kind & 1)
			report_foreign(handle, type, s, func);
		else
			report_wrong(handle, type, s, func);
	} else if (word == (number << 2 | SECTION_ENDED)) {
		report_stale(handle, type, s, func);
	} else {
		report_unknown(handle, type, func);
	}
	return NULL;
}

void *section_use(const void *handle, const char *type, unsigned int kinds, const char *func)
{
	section_check(handle, type, kinds, func);
	return object_of(handle);
}

void *section_end(const void *handle, const char *type, unsigned int kinds, const char *func)
{
	struct section *s = section_check(handle, type, kinds, func);
	u32 number = number_of(handle), runs = number << 2 | SECTION_RUNS;

	/* Relaxed: whoever sees `changing` reads nothing else of it. */
	if (s && atomic_cas_relaxed(&s->word, &runs, number << 2 | SECTION_CHANGING)) {
		note_moment(&s->ended, func);
		atomic_store_release(&s->word, number << 2 | SECTION_ENDED);	/* (A) */
	}
	return object_of(handle);
}

void section_match(const void *lock, const void *vma, const char *func)
{
	struct section *s;

	if (number_of(lock) == number_of(vma))
		return;
	s = section_check(vma, "VMA", SECTIONS_VMA, func);
	if (s)
		report_foreign(vma, "VMA", s, func);
}

void sections_forget(void)
{
	__builtin_memset(sections, 0, sizeof(sections));
	last_number = 0;
	has_unnumbered = 0;
}

#endif
