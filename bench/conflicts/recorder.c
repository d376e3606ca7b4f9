/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The entry points that -fsanitize=thread calls, and the memory behind them.
 *
 * Nothing here is compiled with the sanitizer.  A thread's records are its own, and threads take
 * turns, so there is no lock.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "phys/phys.h"
#include "port/port.h"
#include "recorder.h"

#define MAX_ACCESSES	(1u << 17)
#define HASH_SLOTS	(4 * MAX_ACCESSES)
#define MAX_CALLS	256
#define MAX_BLOCKS	(1u << 14)
#define MAX_CALLBACKS	(1u << 12)
#define EMPTY_HEADS	1024
#define HEAP_BYTES	(16ul << 20)
/* Far from where the kernel puts anything by itself. */
#define HEAPS_AT	0x200000000000ul
#define ARENAS_AT	0x300000000000ul
#define ARENA_STRIDE	(1ul << 30)
#define MAX_ARENAS	2

/* Above all that the kernel gives, so that no thread of the library's own has one of these. */
#define FIRST_THREAD_ID	0x40000000u

/* In the future: a time limit of the library's is never over. */
#define CLOCK_START_NS	(1ull << 62)
#define CLOCK_STEP_NS	1000

struct thread {
	uintptr_t stack_low, stack_high;	/* with the thread's variables, in glibc */
	bool recording;

	struct recorder_access log[MAX_ACCESSES];
	uint32_t nr_accesses;
	uint32_t hash[HASH_SLOTS];		/* index into log, plus 1 */
	uint32_t slot[MAX_ACCESSES];		/* where each access is in hash */

	uintptr_t call[MAX_CALLS];		/* where each open function was called from */
	size_t nr_calls;

	char *heap;
	size_t heap_used;
	struct recorder_block block[MAX_BLOCKS];
	size_t nr_blocks;

	/* Queued in place of what a recorded call gives to RCU. */
	struct port_rcu_head empty[EMPTY_HEADS] __cacheline_aligned;
	unsigned int nr_empty;
	unsigned long *rcu_slot;
};

static struct thread threads[RECORDER_THREADS];

/* Since the last reset, in the order in which they were made. */
static struct {
	uintptr_t base;
	size_t bytes, for_pages;		/* the first are of struct pages */
} arenas[MAX_ARENAS];
static unsigned int nr_arenas;

static __thread struct thread *self;

/* What was given to port_call_rcu() and has not been called. */
static struct port_rcu_head *callbacks[MAX_CALLBACKS];
static size_t nr_callbacks;
static u64 clock_ns = CLOCK_START_NS;

__attribute__((noreturn)) static void die(const char *why)
{
	fprintf(stderr, "recorder: %s\n", why);
	exit(3);
}

/* ----------------------------------------------------------- recording -- */

static bool same(const struct recorder_access *a, const struct recorder_access *b)
{
	return a->addr == b->addr && a->pc == b->pc && a->bytes == b->bytes && a->kind == b->kind;
}

/* Where an address is recorded. */
static uintptr_t fixed_place(uintptr_t addr)
{
	for (unsigned int i = 0; i < nr_arenas; i++)
		if (addr - arenas[i].base < arenas[i].bytes)
			return ARENAS_AT + i * ARENA_STRIDE + (addr - arenas[i].base);
	return addr;
}

static void record(const volatile void *p, size_t bytes, enum recorder_kind kind, void *pc)
{
	struct recorder_access access = {
		.addr = fixed_place((uintptr_t)p), .pc = (uintptr_t)pc, .bytes = (uint32_t)bytes, .kind = kind,
	};
	size_t at;

	if (!self || !self->recording || !bytes ||
	    (access.addr >= self->stack_low && access.addr < self->stack_high))
		return;
	at = (access.addr * 0x9e3779b97f4a7c15ul ^ access.pc * 0xc2b2ae3d27d4eb4ful) >> 32;
	for (;; at++) {
		uint32_t *slot = &self->hash[at % HASH_SLOTS];

		if (*slot && !same(&self->log[*slot - 1], &access))
			continue;
		if (*slot)
			return;
		if (self->nr_accesses == MAX_ACCESSES)
			die("a call makes more accesses than there is room for");
		self->log[self->nr_accesses] = access;
		self->slot[self->nr_accesses] = (uint32_t)(at % HASH_SLOTS);
		*slot = ++self->nr_accesses;
		return;
	}
}

void recorder_begin(void)
{
	while (self->nr_accesses)
		self->hash[self->slot[--self->nr_accesses]] = 0;
	self->nr_empty = 0;
	self->recording = true;
}

size_t recorder_end(const struct recorder_access **log)
{
	self->recording = false;
	*log = self->log;
	return self->nr_accesses;
}

static void find_stack(struct thread *t)
{
	pthread_attr_t attr;
	void *stack;
	size_t bytes;

	if (pthread_getattr_np(pthread_self(), &attr) ||
	    pthread_attr_getstack(&attr, &stack, &bytes))
		die("where is this thread's stack?");
	pthread_attr_destroy(&attr);
	t->stack_low = (uintptr_t)stack;
	t->stack_high = t->stack_low + bytes;
}

void recorder_enter(unsigned int nr)
{
	struct thread *t = &threads[nr];

	find_stack(t);
	t->heap = mmap((char *)HEAPS_AT + nr * HEAP_BYTES, HEAP_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (t->heap == MAP_FAILED)
		die("no memory for a heap");
	self = t;
	port_tid_cache = FIRST_THREAD_ID + nr;
	port_rcu_read_lock();
	port_rcu_read_unlock();
	t->rcu_slot = port_urcu_reader;
}

uintptr_t recorder_rcu_slot(unsigned int nr)
{
	return (uintptr_t)threads[nr].rcu_slot;
}

/* ---------------------------------------------------------------- memory -- */

void recorder_reset(void)
{
	nr_arenas = 0;
	for (unsigned int i = 0; i < RECORDER_THREADS; i++) {
		threads[i].heap_used = 0;
		threads[i].nr_blocks = 0;
	}
	clock_ns = CLOCK_START_NS;
}

/* A struct page, or the bytes of a frame. */
static const struct recorder_block *piece_of_arena(uintptr_t addr)
{
	static struct recorder_block piece;
	const unsigned int nr = (unsigned int)((addr - ARENAS_AT) / ARENA_STRIDE);
	const uintptr_t offset = (addr - ARENAS_AT) % ARENA_STRIDE;
	const struct page *pages;

	if (addr < ARENAS_AT || nr >= nr_arenas)
		return NULL;
	pages = (const struct page *)arenas[nr].base;
	if (offset < arenas[nr].for_pages) {
		piece.label = "page";
		piece.bytes = sizeof(struct page);
	} else {
		piece.label = pages[offset >> PAGE_SHIFT].flags & PG_TABLE ? "table" : "frame";
		piece.bytes = PAGE_SIZE;
	}
	piece.addr = addr & ~(uintptr_t)(piece.bytes - 1);
	return &piece;
}

const struct recorder_block *recorder_block_of(uintptr_t addr)
{
	size_t nr = (addr - HEAPS_AT) / HEAP_BYTES, low = 0, high;
	struct thread *t = &threads[nr];

	if (addr < HEAPS_AT || nr >= RECORDER_THREADS)
		return piece_of_arena(addr);
	for (high = t->nr_blocks; low < high;) {
		size_t mid = (low + high) / 2;

		if (addr < t->block[mid].addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low && addr - t->block[low - 1].addr < t->block[low - 1].bytes ? &t->block[low - 1] :
										 NULL;
}

uint64_t recorder_fingerprint(void)
{
	uint64_t sum = clock_ns;

	for (unsigned int i = 0; i < RECORDER_THREADS; i++)
		for (size_t k = 0; k < threads[i].nr_blocks; k++)
			sum = sum * 0x9e3779b97f4a7c15ul + threads[i].block[k].addr +
			      threads[i].block[k].bytes;
	return sum;
}

int observed_memalign(void **out, size_t align, size_t bytes)
{
	struct recorder_block *block;

	if (!self || align > CACHELINE_BYTES || self->heap_used + bytes > HEAP_BYTES ||
	    self->nr_blocks == MAX_BLOCKS)
		die("an allocation that was not thought of");
	block = &self->block[self->nr_blocks++];
	*block = (struct recorder_block){
		.addr = (uintptr_t)self->heap + self->heap_used, .bytes = bytes,
	};
	for (size_t i = 0; i < RECORDER_CALLERS && i < self->nr_calls; i++)
		block->caller[i] = self->call[self->nr_calls - 1 - i];
	self->heap_used += (bytes + CACHELINE_BYTES - 1) & ~(size_t)(CACHELINE_BYTES - 1);
	*out = (void *)block->addr;
	return 0;
}

/* The next reset frees. */
void observed_free(void *p)
{
}

/* ---------------------------------------------------------------- mem*() -- */

#define HERE	__builtin_return_address(0)

void *observed_memcpy(void *to, const void *from, size_t bytes)
{
	record(from, bytes, RECORDER_READ, HERE);
	record(to, bytes, RECORDER_WRITE, HERE);
	return memcpy(to, from, bytes);
}

void *observed_memmove(void *to, const void *from, size_t bytes)
{
	record(from, bytes, RECORDER_READ, HERE);
	record(to, bytes, RECORDER_WRITE, HERE);
	return memmove(to, from, bytes);
}

void *observed_memset(void *to, int byte, size_t bytes)
{
	record(to, bytes, RECORDER_WRITE, HERE);
	return memset(to, byte, bytes);
}

int observed_memcmp(const void *a, const void *b, size_t bytes)
{
	record(a, bytes, RECORDER_READ, HERE);
	record(b, bytes, RECORDER_READ, HERE);
	return memcmp(a, b, bytes);
}

/* ---------------------------------------------------------------- arenas -- */

int __wrap_port_arena_create(struct port_arena *arena, size_t bytes, size_t private_bytes);
int __real_port_arena_create(struct port_arena *arena, size_t bytes, size_t private_bytes);

int __wrap_port_arena_create(struct port_arena *arena, size_t bytes, size_t private_bytes)
{
	int err = __real_port_arena_create(arena, bytes, private_bytes);

	if (nr_arenas == MAX_ARENAS || bytes > ARENA_STRIDE)
		die("an arena that was not thought of");
	if (!err) {
		arenas[nr_arenas].base = (uintptr_t)arena->base;
		arenas[nr_arenas].bytes = bytes;
		arenas[nr_arenas++].for_pages = private_bytes;
	}
	return err;
}

/* ------------------------------------------------ grace periods and time -- */

void __wrap_urcu_bp_synchronize_rcu(void);
void __real_urcu_bp_synchronize_rcu(void);
void __wrap_port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head));
void __real_port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head));
u64 __wrap_port_now_ns(void);
u64 __real_port_now_ns(void);

/* The background's are real. */
void __wrap_urcu_bp_synchronize_rcu(void)
{
	record(&port_urcu_gp, sizeof(port_urcu_gp), RECORDER_ATOMIC, HERE);
	for (unsigned int i = 0; i < RECORDER_THREADS; i++)
		record(threads[i].rcu_slot, sizeof(long), RECORDER_READ, HERE);
	if (!self)
		__real_urcu_bp_synchronize_rcu();
}

static void do_nothing(struct port_rcu_head *head)
{
}

void __wrap_port_call_rcu(struct port_rcu_head *head, void (*fn)(struct port_rcu_head *head))
{
	if (!self || nr_callbacks == MAX_CALLBACKS)
		die("an RCU callback that was not thought of");
	record(head, sizeof(*head), RECORDER_WRITE, HERE);
	head->fn = fn;
	callbacks[nr_callbacks++] = head;
	if (!self->recording)
		return;
	if (self->nr_empty == EMPTY_HEADS)
		die("a call gives more to RCU than there is room for");
	__real_port_call_rcu(&self->empty[self->nr_empty++], do_nothing);
}

void recorder_settle(void)
{
	for (size_t i = 0; i < nr_callbacks; i++)
		callbacks[i]->fn(callbacks[i]);
	nr_callbacks = 0;
}

u64 __wrap_port_now_ns(void)
{
	return self ? clock_ns += CLOCK_STEP_NS : __real_port_now_ns();
}

/* ------------------------------------------------ what the compiler calls -- */

#define PLAIN(bytes)							\
	ENTRY(__tsan_read##bytes, bytes, RECORDER_READ)			\
	ENTRY(__tsan_write##bytes, bytes, RECORDER_WRITE)		\
	ENTRY(__tsan_unaligned_read##bytes, bytes, RECORDER_READ)	\
	ENTRY(__tsan_unaligned_write##bytes, bytes, RECORDER_WRITE)	\
	ENTRY(__tsan_volatile_read##bytes, bytes, RECORDER_READ)	\
	ENTRY(__tsan_volatile_write##bytes, bytes, RECORDER_WRITE)	\
	ENTRY(__tsan_unaligned_volatile_read##bytes, bytes, RECORDER_READ) \
	ENTRY(__tsan_unaligned_volatile_write##bytes, bytes, RECORDER_WRITE) \
	ENTRY(__tsan_read_write##bytes, bytes, RECORDER_WRITE)		\
	ENTRY(__tsan_unaligned_read_write##bytes, bytes, RECORDER_WRITE)

#define ENTRY(name, bytes, kind)					\
	void name(void *p);						\
	void name(void *p) { record(p, bytes, kind, HERE); }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)
ENTRY(__tsan_vptr_read, sizeof(void *), RECORDER_READ)

void __tsan_init(void);
void __tsan_read_range(void *p, size_t bytes);
void __tsan_write_range(void *p, size_t bytes);
void __tsan_vptr_update(void **p, void *value);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);

void __tsan_init(void)
{
}

void __tsan_read_range(void *p, size_t bytes)
{
	record(p, bytes, RECORDER_READ, HERE);
}

void __tsan_write_range(void *p, size_t bytes)
{
	record(p, bytes, RECORDER_WRITE, HERE);
}

void __tsan_vptr_update(void **p, void *value)
{
	record(p, sizeof(*p), RECORDER_WRITE, HERE);
}

void __tsan_func_entry(void *caller)
{
	if (!self)
		return;
	if (self->nr_calls == MAX_CALLS)
		die("calls nest too deep");
	self->call[self->nr_calls++] = (uintptr_t)caller;
}

void __tsan_func_exit(void)
{
	if (self)
		self->nr_calls--;
}

/* Each is made with the strongest order: one thread at a time is looked at. */
#define RMW(bits, op)									\
	uint##bits##_t __tsan_atomic##bits##_fetch_##op(volatile uint##bits##_t *p,	\
							uint##bits##_t v, int order);	\
	uint##bits##_t __tsan_atomic##bits##_fetch_##op(volatile uint##bits##_t *p,	\
							uint##bits##_t v, int order)	\
	{										\
		record(p, sizeof(*p), RECORDER_ATOMIC, HERE);				\
		return __atomic_fetch_##op(p, v, __ATOMIC_SEQ_CST);			\
	}

/* A compare-and-swap that fails has had the line for itself, too. */
#define CAS(bits, strength)								\
	int __tsan_atomic##bits##_compare_exchange_##strength(				\
		volatile uint##bits##_t *p, uint##bits##_t *old, uint##bits##_t v,	\
		int order, int on_failure);						\
	int __tsan_atomic##bits##_compare_exchange_##strength(				\
		volatile uint##bits##_t *p, uint##bits##_t *old, uint##bits##_t v,	\
		int order, int on_failure)						\
	{										\
		record(p, sizeof(*p), RECORDER_ATOMIC, HERE);				\
		return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST,	\
						   __ATOMIC_SEQ_CST);			\
	}

#define ATOMICS(bits)									\
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p,	\
						  int order);				\
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p,	\
						  int order)				\
	{										\
		record(p, sizeof(*p), RECORDER_READ, HERE);				\
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);				\
	}										\
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v,	\
					 int order);					\
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v,	\
					 int order)					\
	{										\
		record(p, sizeof(*p), RECORDER_WRITE, HERE);				\
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);				\
	}										\
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *p,	\
						      uint##bits##_t v, int order);	\
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *p,	\
						      uint##bits##_t v, int order)	\
	{										\
		record(p, sizeof(*p), RECORDER_ATOMIC, HERE);				\
		return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);			\
	}										\
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(			\
		volatile uint##bits##_t *p, uint##bits##_t old, uint##bits##_t v,	\
		int order, int on_failure);						\
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(			\
		volatile uint##bits##_t *p, uint##bits##_t old, uint##bits##_t v,	\
		int order, int on_failure)						\
	{										\
		record(p, sizeof(*p), RECORDER_ATOMIC, HERE);				\
		__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST,	\
					    __ATOMIC_SEQ_CST);				\
		return old;								\
	}										\
	CAS(bits, strong)								\
	CAS(bits, weak)									\
	RMW(bits, add)									\
	RMW(bits, sub)									\
	RMW(bits, and)									\
	RMW(bits, or)									\
	RMW(bits, xor)									\
	RMW(bits, nand)

ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

void __tsan_atomic_thread_fence(int order)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
