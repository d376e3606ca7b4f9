/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory of an execution.
 *
 * A part of the arena for each thread, from which blocks are cut one behind the other; what is
 * freed is not used again before the next execution.  So an address says who allocated and as which
 * of its allocations, and does not depend on what other threads did; and what is used after it was
 * freed is noticed (race.c).  Between blocks some bytes stay free, for who writes past an end.
 */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/sim/sim.h"

#define PART_BYTES	(SIM_HEAP_BYTES / SIM_THREADS)
#define ALIGN_BYTES	64
#define BLOCKS		4096		/* of one thread */

struct block {
	uintptr_t start;
	size_t bytes;
	const char *site;		/* NULL: pc */
	const void *pc;
	bool live;
};

struct part {
	struct block block[BLOCKS];
	u32 nr;
	uintptr_t next;
};

static struct part *parts;
static uintptr_t dirty_end[SIM_THREADS];

void heap_reset(void)
{
	if (!parts) {
		void *want = (void *)SIM_HEAP_BASE;
		void *heap = mmap(want, SIM_HEAP_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				  MAP_FIXED_NOREPLACE, -1, 0);

		parts = mmap(NULL, SIM_THREADS * sizeof(*parts), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (heap != want || parts == MAP_FAILED)
			port_panic("no memory at %p for the executions: is the sanitizer's library "
				   "linked?  Compile with -fsanitize=thread, link without", want);
	}
	for (u32 i = 0; i < SIM_THREADS; i++) {
		dirty_end[i] = max(dirty_end[i], parts[i].next);
		parts[i].nr = 0;
		parts[i].next = SIM_HEAP_BASE + i * PART_BYTES;
	}
}

static struct block *block_of(const void *p)
{
	uintptr_t at = (uintptr_t)p;
	struct part *part;
	u32 lo = 0, hi;

	if (!parts || at - SIM_HEAP_BASE >= SIM_HEAP_BYTES)
		return NULL;
	part = &parts[(at - SIM_HEAP_BASE) / PART_BYTES];
	hi = part->nr;
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (part->block[mid].start <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || at >= part->block[lo - 1].start + part->block[lo - 1].bytes)
		return NULL;
	return &part->block[lo - 1];
}

/* --------------------------------------------------------------------------- failures -- */

void port_fail_nth(long n)
{
	struct sim_thread *me = sim.current;

	me->fail_at = n > 0 ? me->allocs + (unsigned long)n : 0;
}

unsigned long port_alloc_count(void)
{
	return sim.current->allocs;
}

static bool must_fail(const char *site, const void *pc)
{
	struct sim_thread *me = sim.current;
	bool fails = ++me->allocs == me->fail_at;

	if (sim_racing()) {
		sim_point(&(struct sim_op){ .kind = OP_ALLOC, .place = site, .pc = pc });
		fails |= ++sim.allocs == sim.fail_at;
		if (sim.fail_one_in)
			fails |= !(port_random() % sim.fail_one_in);
		trace_step(&me->op, !fails);
	}
	sim.failed_one |= fails;
	return fails;
}

bool port_fail_site_at(const char *site)
{
	return must_fail(site, NULL);
}

/* -------------------------------------------------------------------------- allocation -- */

static void *alloc_block(size_t bytes, const char *site, const void *pc)
{
	struct sim_thread *me = sim.current;
	struct part *part;
	struct block *block;
	size_t room = (bytes + 2 * ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;

	if (must_fail(site, pc))
		return NULL;
	part = &parts[me->id];
	if (part->nr == BLOCKS || part->next + room > SIM_HEAP_BASE + (me->id + 1) * PART_BYTES)
		sim_fail(FAIL_MEMORY, "T%u has allocated more than an execution has room for",
			 me->id);
	block = &part->block[part->nr++];
	*block = (struct block){ part->next, bytes, site, pc, true };
	part->next += room;
	if (block->start < dirty_end[me->id])
		memset((void *)block->start, 0, bytes);
	return (void *)block->start;
}

void *port_alloc_at(size_t bytes, const char *site)
{
	VM_BUG_ON(!bytes);
	VM_BUG_ON(!sim.current, "port_alloc() outside of an execution");
	return alloc_block(bytes, site, NULL);
}

void *heap_alloc(size_t bytes, const void *pc)
{
	return alloc_block(max(bytes, (size_t)1), NULL, pc);
}

size_t heap_bytes(const void *p)
{
	const struct block *block = block_of(p);

	return block && block->start == (uintptr_t)p ? block->bytes : 0;
}

static const char *site_of(const struct block *block, char *buf, size_t bytes)
{
	if (block->site)
		return block->site;
	port_describe_pc(block->pc, buf, bytes);
	return buf;
}

static void free_block(struct block *block, const void *pc)
{
	char site[256];

	if (!block->live)
		sim_fail(FAIL_MEMORY, "double free of what was allocated at %s",
			 site_of(block, site, sizeof(site)));
	block->live = false;
	race_freed((void *)block->start, block->bytes, pc);
}

void heap_free(void *p, const void *pc)
{
	free_block(block_of(p), pc);
}

void port_free(void *p, size_t bytes)
{
	struct block *block = block_of(p);
	const void *pc = __builtin_return_address(0);

	if (!p)
		return;
	if (!block || block->start != (uintptr_t)p)
		sim_fail(FAIL_MEMORY, "port_free(%p) of what was not allocated", p);
	if (block->bytes != bytes)
		sim_fail(FAIL_MEMORY, "port_free() of %zu bytes, allocated as %zu at %s", bytes,
			 block->bytes, block->site);
	free_block(block, pc);
}

long port_live_allocs(void)
{
	long nr = 0;

	for (u32 i = 0; i < SIM_THREADS; i++)
		for (u32 k = 0; k < parts[i].nr; k++)
			nr += parts[i].block[k].live;
	return nr;
}

void heap_check_leaks(void)
{
	char site[256];

	if (!port_live_allocs())
		return;
	for (u32 i = 0; i < SIM_THREADS; i++)
		for (u32 k = 0; k < parts[i].nr; k++)
			if (parts[i].block[k].live)
				sim_report("  left: %zu bytes allocated by T%u at %s\n",
					   parts[i].block[k].bytes, i,
					   site_of(&parts[i].block[k], site, sizeof(site)));
	sim_fail(FAIL_LEAK, "%ld blocks are left at the end", port_live_allocs());
}

/* --------------------------------------------------------------------------- names -- */

static const char *image;			/* this program's file */
static const Elf64_Sym *symbols;
static size_t nr_symbols;
static const char *symbol_names;

static void read_symbols(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const Elf64_Ehdr *elf;
	const Elf64_Shdr *section;
	struct stat st;

	image = "";
	if (fd < 0 || fstat(fd, &st))
		return;
	elf = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (elf == MAP_FAILED || memcmp(elf->e_ident, ELFMAG, SELFMAG))
		return;
	image = (const char *)elf;
	section = (const void *)(image + elf->e_shoff);
	for (u32 i = 0; i < elf->e_shnum; i++) {
		if (section[i].sh_type != SHT_SYMTAB)
			continue;
		symbols = (const void *)(image + section[i].sh_offset);
		nr_symbols = section[i].sh_size / sizeof(*symbols);
		symbol_names = image + section[section[i].sh_link].sh_offset;
	}
}

/* A variable of the program: it is linked at a fixed address. */
static const Elf64_Sym *symbol_at(uintptr_t at)
{
	if (!image)
		read_symbols();
	for (size_t i = 0; i < nr_symbols; i++)
		if (ELF64_ST_TYPE(symbols[i].st_info) == STT_OBJECT &&
		    at - symbols[i].st_value < symbols[i].st_size)
			return &symbols[i];
	return NULL;
}

static const char *without_folder(const char *site)
{
	const char *src = strstr(site, "src/");

	return src ? src + 4 : site;
}

void heap_describe(const void *p, char *buf, size_t bytes)
{
	const struct block *block = block_of(p);
	const Elf64_Sym *symbol;
	uintptr_t at = (uintptr_t)p;

	if (block) {
		char site[256];
		u32 part = (u32)((at - SIM_HEAP_BASE) / PART_BYTES);

		snprintf(buf, bytes, "T%u.%u(%s)+%#lx", part,
			 (u32)(block - parts[part].block) + 1, 
			 without_folder(site_of(block, site, sizeof(site))),
			 at - block->start);
		return;
	}
	if (at - SIM_ARENA_BASE < SIM_ARENA_BYTES) {
		snprintf(buf, bytes, "arena+%#lx", at - SIM_ARENA_BASE);
		return;
	}
	symbol = symbol_at(at);
	if (symbol)
		snprintf(buf, bytes, "%s+%#lx", symbol_names + symbol->st_name,
			 at - symbol->st_value);
	else
		snprintf(buf, bytes, "(stack)");
}
