/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which call comes next.
 *
 * Each round draws its own tastes first: which calls it makes often, seldom or never, which flags
 * and files it uses, how large its window is and in which unit it measures.  A round that does few
 * kinds of things does them deeply, where one that does all things rarely gets anywhere.
 *
 * Addresses are taken from the map as it is: edges of areas, pages beside them, whole areas, holes.
 */
#include "diff_gen.h"

uint64_t rng_next(struct rng *rng)
{
	/* splitmix64 */
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ul;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ul;
	z = (z ^ z >> 27) * 0x94d049bb133111ebul;
	return z ^ z >> 31;
}

/* ------------------------------------------------------------------------ a round's tastes -- */

static const uint8_t usual_weight[NR_OPS] = {
	[OP_MMAP] = 60, [OP_MUNMAP] = 25, [OP_MPROTECT] = 40, [OP_PKEY_MPROTECT] = 2,
	[OP_MREMAP] = 30, [OP_MADVISE] = 25, [OP_PROCESS_MADVISE] = 2, [OP_MLOCK] = 6,
	[OP_MLOCK2] = 3, [OP_MUNLOCK] = 8, [OP_MLOCKALL] = 1, [OP_MUNLOCKALL] = 1, [OP_MSEAL] = 1,
	[OP_MSYNC] = 3, [OP_MINCORE] = 2, [OP_REMAP_FILE_PAGES] = 4, [OP_SHMAT] = 4,
	[OP_SHMDT] = 3, [OP_ANON_NAME] = 2, [OP_THP_DISABLE] = 1, [OP_MEMORY_MERGE] = 1,
	[OP_BRK] = 6, [OP_SETRLIMIT] = 2, [OP_PERSONALITY] = 1, [OP_TOUCH] = 60,
	[OP_READ_INTO] = 4, [OP_TRUNCATE] = 2, [OP_FORK] = 1, [OP_EXIT] = 1,
	[OP_LOAD] = 50, [OP_STORE] = 60, [OP_PEEK] = 5, [OP_POKE] = 5,
	[OP_PUNCH] = 4, [OP_FILE_READ] = 8, [OP_FILE_WRITE] = 8, [OP_FILE_SYNC] = 1,
	[OP_ADD_SEALS] = 1,
};

static const struct {
	uint64_t bits;
	uint8_t one_in;			/* at most this often in a round that likes it; 0: seldom */
} map_flags[] = {
	{ MAP_FIXED_NOREPLACE, 6 }, { MAP_32BIT, 12 }, { MAP_GROWSDOWN, 8 },
	{ MAP_LOCKED, 8 }, { MAP_NORESERVE, 4 }, { MAP_POPULATE, 6 }, { MAP_NONBLOCK, 16 },
	{ MAP_STACK, 6 }, { MAP_HUGETLB, 24 }, { MAP_SYNC, 32 }, { MAP_DENYWRITE, 32 },
	{ MAP_EXECUTABLE, 32 }, { MAP_UNINITIALIZED, 32 }, { MAP_ABOVE4G, 32 },
	{ MAP_HUGETLB | 21ul << 26, 32 }, { MAP_HUGETLB | 30ul << 26, 48 },
	{ MAP_HUGETLB | 16ul << 26, 64 }, { 0x200000, 48 }, { 0x80000000ul, 64 },
	{ 0x100000000ul, 64 },
};
#define NR_MAP_FLAGS	(sizeof(map_flags) / sizeof(map_flags[0]))
_Static_assert(NR_MAP_FLAGS <= sizeof((struct gen){ 0 }.map_flag_chance) / sizeof(uint32_t),
	       "a chance for each");

void gen_set_weights(struct gen *gen, const uint8_t *ops, const uint8_t *weights, size_t nr)
{
	for (int op = 0; op < NR_OPS; op++)
		gen->weight[op] = 0;
	for (size_t i = 0; i < nr; i++)
		if (gen->options->ops >> ops[i] & 1)
			gen->weight[ops[i]] = weights[i];
}

/* Processes that come and go, and what decides who of them shares anonymous memory with whom. */
static void draw_family(struct gen *gen)
{
	static const uint8_t ops[] = {
		OP_MMAP, OP_MUNMAP, OP_MPROTECT, OP_MREMAP, OP_MADVISE, OP_TOUCH, OP_FORK, OP_EXIT,
		OP_LOAD, OP_STORE,
	};
	static const uint8_t weights[] = { 30, 10, 30, 15, 8, 50, 3, 3, 60, 80 };

	gen_set_weights(gen, ops, weights, sizeof(ops));
}

/* Memory that may have huge pages, and reads of it: nothing else that makes pages. */
static void draw_huge(struct gen *gen)
{
	static const uint8_t ops[] = {
		OP_MMAP, OP_MUNMAP, OP_MPROTECT, OP_MREMAP, OP_MADVISE, OP_TOUCH, OP_THP_DISABLE,
		OP_FORK, OP_EXIT, OP_LOAD, OP_STORE,
	};
	static const uint8_t weights[] = { 30, 10, 20, 10, 40, 50, 1, 1, 1, 30, 30 };

	gen_set_weights(gen, ops, weights, sizeof(ops));
	for (size_t i = 0; i < NR_MAP_FLAGS; i++)
		if (map_flags[i].bits & (MAP_POPULATE | MAP_LOCKED))
			gen->map_flag_chance[i] = 0;
}

static void draw_weights(struct gen *gen)
{
	gen->total_weight = 0;
	/* The last ones are about files. */
	for (int op = 0; op < (gen->setup.memory.files ? NR_OPS : OP_PUNCH); op++) {
		static const uint8_t times[] = { 0, 1, 1, 1, 2, 4 };
		uint32_t weight = usual_weight[op] * times[below(gen, sizeof(times))];

		if (op == OP_MMAP || (op == OP_MPROTECT && one_in(gen, 2)))
			weight = usual_weight[op];
		/* How full the window is. */
		if (op == OP_MUNMAP)
			weight = usual_weight[op] >> below(gen, 4);
		if (!(gen->options->ops >> op & 1))
			weight = 0;
		gen->weight[op] = weight;
	}
	/* Seals and exits only go one way: rounds with many would be over soon. */
	if (!one_in(gen, 6))
		gen->weight[OP_MSEAL] = 0;
	if (!one_in(gen, gen->setup.memory.touch ? 2 : 3))
		gen->weight[OP_FORK] = gen->weight[OP_EXIT] = 0;
	if (!one_in(gen, 3))
		gen->weight[OP_SETRLIMIT] = 0;
	if (!one_in(gen, 3))
		gen->weight[OP_MLOCKALL] = gen->weight[OP_MUNLOCKALL] = 0;
	if (!one_in(gen, 4))
		gen->weight[OP_PERSONALITY] = gen->weight[OP_MEMORY_MERGE] = 0;
	if (gen->huge)
		draw_huge(gen);
	else if (gen->setup.memory.files && !one_in(gen, 3))
		gen_like_files(gen);
	else if (one_in(gen, 8))
		draw_family(gen);
	for (int op = 0; op < NR_OPS; op++)
		gen->total_weight += gen->weight[op];
	if (!gen->total_weight)
		gen->total_weight = gen->weight[OP_CHECK] = 1;
}

static void draw_window(struct gen *gen)
{
	static const uint8_t shares[] = { 8, 1, 2, 2, 4, 1 };
	uint32_t pages = gen->options->window_pages;
	uint64_t kind = below(gen, 8);

	gen->unit = DIFF_PAGE;
	if (kind == 7) {
		/* Stacks keep 256 pages of distance, huge pages are 512: a window for those. */
		gen->unit = DIFF_PAGE << below(gen, 10);
		pages *= 32;
		gen->huge = one_in(gen, 3);
		if (gen->huge) {
			gen->unit = 512 * DIFF_PAGE;
			pages *= 4;
		}
	} else if (kind < 6) {
		pages /= shares[kind];
	}
	gen->setup.window_pages = pages < 4 ? 4 : pages;
}

void gen_begin(struct gen *gen, uint64_t seed, uint64_t round, const struct gen_options *options)
{
	*gen = (struct gen){ .options = options, .rng = { seed * 0x9e3779b97f4a7c15ul + round } };
	gen->rng.state = rng_next(&gen->rng) ^ round;
	gen->setup.layout = below(gen, 6) ? LAYOUT_TOP_DOWN : (enum layout)(1 + below(gen, 2));
	gen->setup.drop_caps = one_in(gen, 4);
	gen->setup.keep_vdso = one_in(gen, 8);
	gen->setup.memory = options->memory;
	gen->fill = one_in(gen, 64) && (options->ops >> OP_FILL & 1);
	gen->nr_calls = (uint32_t)(1500 + below(gen, ROUND_MAX_CALLS - 1500));
	for (size_t i = 0; i < NR_MAP_FLAGS; i++)
		gen->map_flag_chance[i] = one_in(gen, 3) ? map_flags[i].one_in :
					  one_in(gen, 2) ? 200 : 0;
	draw_window(gen);
	draw_weights(gen);
	gen->files = (uint32_t)(rng_next(&gen->rng) & rng_next(&gen->rng));
	if (one_in(gen, 4))
		gen->files = ~0u;
	gen->odd_arguments = !one_in(gen, 4);
	gen->file_pages = 8;
	gen->anon_share = (uint32_t)(below(gen, 4) ? 8 + below(gen, 9) : below(gen, 8));
	if (gen->about_files)
		gen_choose_files(gen);
}

/* ------------------------------------------------------------------------------ addresses -- */

uint64_t gen_window_bytes(const struct gen *gen)
{
	return gen->setup.window_pages * DIFF_PAGE;
}

static const uint64_t odd_addresses[] = {
	0, 0x1000, 0x8000, 0xf000, 0x10000, 0x11000, 0x40000000, 0x7ffff000, 0x80000000,
	0xfffff000, 0x100000000, DIFF_TASK_SIZE - 0x1000, DIFF_TASK_SIZE, DIFF_TASK_SIZE + 0x1000,
	0x800000000000, 0xffff800000000000, ~0xffful, ~0ul,
};

static const struct side_area *any_area(struct gen *gen, const struct side_proc *proc)
{
	return proc->nr ? &proc->area[below(gen, proc->nr)] : NULL;
}

const struct side_area *gen_area(struct gen *gen, const struct side_proc *proc)
{
	const struct side_area *area = NULL;

	for (int i = 0; i < 8; i++) {
		area = any_area(gen, proc);
		if (!area || one_in(gen, 12))
			return area;
		if (area->seen.start >= DIFF_WINDOW &&
		    area->seen.start < DIFF_WINDOW + gen_window_bytes(gen))
			return area;
	}
	return area;
}

static uint64_t some_page(struct gen *gen)
{
	return DIFF_WINDOW + below(gen, gen_window_bytes(gen) / gen->unit) * gen->unit;
}

/* Pages; among huge ones only as long as areas consist of them. */
static uint64_t grain_of(const struct gen *gen, const struct side_area *area)
{
	uint64_t bytes = area->seen.end - area->seen.start;

	return gen->huge && !(bytes % gen->unit) ? gen->unit : DIFF_PAGE;
}

uint64_t gen_address(struct gen *gen, const struct side_proc *proc)
{
	const struct side_area *area;
	uint64_t addr;

	if (gen->odd_arguments && one_in(gen, 60))
		return odd_addresses[below(gen, sizeof(odd_addresses) / 8)];
	area = one_in(gen, 2) ? gen_area(gen, proc) : NULL;
	if (!area) {
		addr = some_page(gen);
	} else {
		uint64_t grain = grain_of(gen, area);

		switch (below(gen, 6)) {
		case 0:
			addr = area->seen.end;
			break;
		case 1:
			addr = area->seen.end - grain;
			break;
		case 2:
			addr = area->seen.start - grain;
			break;
		case 3:
			addr = area->seen.start +
				below(gen, (area->seen.end - area->seen.start) / grain) * grain;
			break;
		default:
			addr = area->seen.start;
		}
	}
	if (gen->odd_arguments && one_in(gen, gen->huge ? 2000 : 80))
		addr += 1 + below(gen, DIFF_PAGE - 1);
	return addr;
}

/*
 * No length that could be had is beyond 32 GiB: undoing PR_SET_MEMORY_MERGE looks at each page of
 * an area, and takes the kernel half a minute for a terabyte.
 */
static uint64_t some_length(struct gen *gen)
{
	static const uint64_t odd[] = {
		0, 1, 0xfff, 0x1001, 0x200000, 0x201000, 0x400000, 0x40000000, 1ul << 35,
		DIFF_TASK_SIZE - 0x1000, DIFF_TASK_SIZE, DIFF_TASK_SIZE + 1, 1ul << 47,
		1ul << 63, ~0xffful, ~0ul, ~0xfffffful,
	};

	if (gen->odd_arguments && one_in(gen, gen->huge ? 2000 : 40))
		return odd[below(gen, sizeof(odd) / 8)];
	if (one_in(gen, 16))
		return gen->unit * (1 + below(gen, gen_window_bytes(gen) / gen->unit));
	return gen->unit * (1 + below(gen, one_in(gen, 3) ? 8 : 3));
}

/* A range: often a whole area, or from somewhere to the end of one. */
static void some_range(struct gen *gen, const struct side_proc *proc, uint64_t *addr, uint64_t *len)
{
	const struct side_area *area = one_in(gen, 4) ? gen_area(gen, proc) : NULL;

	if (area) {
		uint64_t bytes = area->seen.end - area->seen.start, grain = grain_of(gen, area);
		uint64_t skip = one_in(gen, 2) ? 0 : below(gen, bytes / grain) * grain;

		*addr = area->seen.start + skip;
		*len = bytes - skip;
		if (one_in(gen, 6))
			*len += gen->unit * (1 + below(gen, 4));
		return;
	}
	*addr = gen_address(gen, proc);
	*len = some_length(gen);
}

/* ------------------------------------------------------------------------------ the calls -- */

/* Bytes that meet one another: near the ends of pages, and at few other places. */
static uint64_t some_byte(struct gen *gen)
{
	switch (below(gen, 8)) {
	case 0:
	case 1:
		return DIFF_PAGE - 1 - below(gen, 8);
	case 2:
		return below(gen, DIFF_PAGE);
	case 3:
		return AGENT_EXEC_SLOT - 4 + below(gen, 8);
	default:
		return below(gen, 16);
	}
}

/* The page itself one time in two: calls are about whole areas, accesses about what is in them. */
static void gen_access(struct gen *gen, const struct side_proc *proc, struct diff_call *c)
{
	static const uint8_t bytes[] = { 1, 2, 4, 8, 8, 8, 3, 5, 6, 7 };
	const struct side_area *area = one_in(gen, 2) ? gen_area(gen, proc) : NULL;
	uint64_t *a = c->arg;

	if (area)
		a[0] = area->seen.start +
			below(gen, (area->seen.end - area->seen.start) / DIFF_PAGE) * DIFF_PAGE;
	else
		a[0] = gen_address(gen, proc) & ~(DIFF_PAGE - 1);
	a[0] += some_byte(gen);
	if (area && gen->about_files && one_in(gen, 3))
		gen_end_of_file(gen, area, &a[0]);
	a[1] = bytes[below(gen, sizeof(bytes))];
	if (c->op == OP_PEEK || c->op == OP_POKE) {
		a[2] = one_in(gen, 2) ? c->proc : below(gen, AGENT_MAX_PROCS);
		a[3] = below(gen, NR_REMOTE_KINDS);
		if (one_in(gen, 3))
			gen_remote_range(gen, area, c);
	}
	if (c->op == OP_STORE || c->op == OP_POKE)
		a[c->op == OP_STORE ? 2 : 4] = rng_next(&gen->rng) >>
					       (a[1] < 8 ? 8 * (8 - a[1]) : 0);
}

static uint64_t some_prot(struct gen *gen)
{
	static const uint8_t usual[] = { 3, 3, 3, 3, 3, 3, 1, 1, 1, 0, 0, 7, 5, 2, 4, 6 };

	if (gen->odd_arguments && one_in(gen, 60))
		return (uint64_t[]){ 8, 0xff, 0x11, PROT_GROWSDOWN | 3, PROT_GROWSUP | 1,
			PROT_GROWSDOWN | PROT_GROWSUP, 1ul << 40 }[below(gen, 7)];
	return usual[below(gen, sizeof(usual))];
}

static uint64_t some_map_flags(struct gen *gen)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < NR_MAP_FLAGS; i++)
		if (gen->map_flag_chance[i] && one_in(gen, gen->map_flag_chance[i]))
			flags |= map_flags[i].bits;
	return flags;
}

/* Of an offset that continues the area before @addr, as often as not. */
static uint64_t some_offset(struct gen *gen, const struct side_proc *proc, uint64_t addr)
{
	if (gen->odd_arguments && one_in(gen, 60))
		return (uint64_t[]){ 1, 0x800, ~0xffful, 1ul << 63, 0x7ffffffffffff000,
			(1ul << 44) - 0x1000 }[below(gen, 6)];
	if (gen->about_files && one_in(gen, 2))
		return below(gen, gen->file_pages) * DIFF_PAGE;
	if (one_in(gen, 3))
		return below(gen, 8) * DIFF_PAGE;
	for (uint32_t i = 0; i < proc->nr; i++)
		if (proc->area[i].seen.end == addr)
			return proc->area[i].seen.offset + addr - proc->area[i].seen.start;
	/* Offset and address in step: any two pieces fit together. */
	return (addr - DIFF_WINDOW) & (gen_window_bytes(gen) - 1) & ~(DIFF_PAGE - 1);
}

static void gen_mmap(struct gen *gen, const struct side_proc *proc, uint64_t *a)
{
	bool anon = below(gen, 16) < gen->anon_share;

	some_range(gen, proc, &a[0], &a[1]);
	a[2] = some_prot(gen);
	a[3] = some_map_flags(gen);
	a[4] = anon && !one_in(gen, 30) ? ~0ul : gen_file(gen);
	if (anon)
		a[3] |= MAP_ANONYMOUS;
	a[3] |= one_in(gen, anon ? 12 : 2) ? MAP_SHARED : MAP_PRIVATE;
	if (gen->about_files && (a[3] & MAP_TYPE) == MAP_SHARED && one_in(gen, 6))
		a[3] |= MAP_SHARED_VALIDATE;
	if (one_in(gen, 24))
		a[3] = (a[3] & ~(uint64_t)MAP_TYPE) |
			(uint64_t[]){ 0, MAP_SHARED_VALIDATE, MAP_DROPPABLE, 4, 9, 15 }
			[below(gen, 6)];
	if (!one_in(gen, 12))
		a[3] |= MAP_FIXED;
	else if (one_in(gen, 2))
		a[0] = 0;
	a[5] = anon && !one_in(gen, 30) ? 0 : some_offset(gen, proc, a[0]);
	/* Where the kernel chooses, alignment to huge pages is worth a look. */
	if (!(a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && one_in(gen, 4))
		a[1] = (uint64_t[]){ 0x200000, 0x201000, 0x400000, 0x1ff000, 0x40000000,
			0x3ffff000 }[below(gen, 6)];
}

static void gen_mremap(struct gen *gen, const struct side_proc *proc, uint64_t *a)
{
	some_range(gen, proc, &a[0], &a[1]);
	a[2] = one_in(gen, 2) ? a[1] : some_length(gen);
	a[3] = (uint64_t[]){ 1, 1, 3, 3, 3, 0, 0, 5, 7 }[below(gen, 9)];
	a[4] = gen_address(gen, proc);
	if (one_in(gen, 12))
		a[1] = 0;
	if (gen->odd_arguments && one_in(gen, 30))
		a[3] = below(gen, 10);
}

static int some_advice(struct gen *gen)
{
	static const uint8_t list[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE,
		MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_DONTNEED_LOCKED, MADV_COLLAPSE, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE,
		MADV_HWPOISON, MADV_SOFT_OFFLINE, MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP,
		MADV_DODUMP, MADV_NORMAL, MADV_RANDOM, 5, 26, 99, 104, 255,
	};

	if (gen->about_files && one_in(gen, 2))
		return gen_advice_to_file(gen);
	return list[below(gen, sizeof(list))];
}

static void gen_process_madvise(struct gen *gen, const struct side_proc *proc, uint64_t *a)
{
	some_range(gen, proc, &a[0], &a[1]);
	some_range(gen, proc, &a[2], &a[3]);
	if (one_in(gen, 3)) {
		a[2] = 0;
		a[3] = ~0ul;
	}
	a[4] = (uint64_t)some_advice(gen);
	a[5] = one_in(gen, 16);
	if (one_in(gen, 4))
		a[5] |= (1 + below(gen, AGENT_MAX_PROCS)) << 8;
}

/* Around what is there, so that the limit is met; or around nothing; or none. */
static void gen_limit(struct gen *gen, const struct side_proc *proc, uint64_t *a)
{
	uint64_t all = 0, data = 0, some = below(gen, 64) * DIFF_PAGE + one_in(gen, 3) * 100;

	for (uint32_t i = 0; i < proc->nr; i++) {
		const struct side_area *area = &proc->area[i];
		uint64_t bytes = area->seen.end - area->seen.start;

		all += bytes;
		if ((area->flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE)
			data += bytes;
	}
	a[0] = below(gen, MM_NR_RLIMITS);
	a[1] = gen->side->start->limit_max[a[0]];
	switch (a[0]) {
	case MM_RLIMIT_AS:
		a[1] = one_in(gen, 3) ? a[1] : all + some;
		break;
	case MM_RLIMIT_DATA:
		a[1] = one_in(gen, 3) ? a[1] : one_in(gen, 3) ? some : data + some;
		break;
	case MM_RLIMIT_STACK:
		a[1] = one_in(gen, 3) ? 8ul << 20 : below(gen, 600) * DIFF_PAGE + below(gen, 2);
		break;
	default:
		a[1] = one_in(gen, 4) ? a[1] : one_in(gen, 3) ? all + some : some;
	}
}

static void gen_brk(struct gen *gen, uint64_t *a)
{
	uint64_t base = gen->side->start->config.start_brk;

	a[0] = base + below(gen, 40) * gen->unit + below(gen, 2) * below(gen, DIFF_PAGE);
	if (gen->odd_arguments && one_in(gen, 20))
		a[0] = (uint64_t[]){ 0, base - 1, base - DIFF_PAGE, ~0ul, DIFF_TASK_SIZE,
			base + (1ul << 44) }[below(gen, 6)];
}

static void gen_seal_sync(struct gen *gen, const struct side_proc *proc, struct diff_call *c)
{
	uint64_t *a = c->arg;

	some_range(gen, proc, &a[0], &a[1]);
	/* It is for shared areas only. */
	for (int i = 0; i < 6 && (c->op == OP_REMAP_FILE_PAGES ||
				  (c->op == OP_MSYNC && gen->about_files)); i++) {
		const struct side_area *area = gen_area(gen, proc);

		if (!area || !(area->seen.prot & AREA_SHARED))
			continue;
		a[0] = area->seen.start;
		a[1] = area->seen.end - area->seen.start;
	}
	switch (c->op) {
	case OP_MSEAL:
		a[1] = DIFF_PAGE * below(gen, 3);
		a[2] = one_in(gen, 20);
		break;
	case OP_MSYNC:
		gen_msync(gen, proc, c);
		break;
	case OP_REMAP_FILE_PAGES:
		a[2] = one_in(gen, 10);
		a[3] = below(gen, 16);
		a[4] = one_in(gen, 4) ? MAP_NONBLOCK : one_in(gen, 8) ? MAP_PRIVATE : 0;
		break;
	case OP_ANON_NAME:
		a[2] = below(gen, 4);
		break;
	case OP_MLOCK2:
		a[2] = one_in(gen, 20) ? 2 : one_in(gen, 3) ? 0 : 1;
		break;
	default:
		break;
	}
}

static void gen_small(struct gen *gen, struct diff_call *c)
{
	uint64_t *a = c->arg;

	switch (c->op) {
	case OP_MLOCKALL:
		a[0] = one_in(gen, 8) ? below(gen, 16) :
			(uint64_t[]){ 1, 2, 3, 6, 7 }[below(gen, 5)];
		break;
	case OP_THP_DISABLE:
	case OP_MEMORY_MERGE:
		a[0] = below(gen, 2);
		break;
	case OP_PERSONALITY:
		/* ADDR_NO_RANDOMIZE stays. */
		a[0] = 0x40000 | (one_in(gen, 2) ? MM_PERS_READ_IMPLIES_EXEC : 0);
		break;
	case OP_TRUNCATE:
		if (gen->setup.memory.files) {
			gen_file_call(gen, c);
			break;
		}
		a[0] = gen_file(gen);
		a[1] = below(gen, 70) * DIFF_PAGE + below(gen, 2) * below(gen, DIFF_PAGE);
		break;
	case OP_FORK:
		a[0] = below(gen, AGENT_MAX_PROCS);
		break;
	default:
		break;
	}
}

/* A small page would keep the rest of the round from reading huge ones. */
static bool reads_small_page(const struct side_proc *proc, uint64_t addr)
{
	const struct side_area *area = side_area_at(proc, addr);

	return area && !side_in_huge_page(proc, area, addr);
}

static void gen_arguments(struct gen *gen, const struct side_proc *proc, struct diff_call *c)
{
	uint64_t *a = c->arg;

	switch (c->op) {
	case OP_MMAP:
		gen_mmap(gen, proc, a);
		break;
	case OP_MPROTECT:
	case OP_PKEY_MPROTECT:
		some_range(gen, proc, &a[0], &a[1]);
		a[2] = some_prot(gen);
		if (one_in(gen, 16))
			a[2] |= PROT_GROWSDOWN;
		a[3] = one_in(gen, 8) ? below(gen, 17) : ~0ul;
		break;
	case OP_MREMAP:
		gen_mremap(gen, proc, a);
		break;
	case OP_MADVISE:
		some_range(gen, proc, &a[0], &a[1]);
		a[2] = (uint64_t)(gen->huge && one_in(gen, 2) ? MADV_HUGEPAGE : some_advice(gen));
		if (gen->huge && a[2] == MADV_POPULATE_READ)
			a[2] = MADV_POPULATE_WRITE;
		break;
	case OP_PROCESS_MADVISE:
		gen_process_madvise(gen, proc, a);
		break;
	case OP_SHMAT:
	case OP_SHMDT:
		gen_segment(gen, proc, c);
		break;
	case OP_BRK:
		gen_brk(gen, a);
		break;
	case OP_SETRLIMIT:
		gen_limit(gen, proc, a);
		break;
	case OP_TOUCH:
		a[0] = gen_address(gen, proc);
		a[1] = one_in(gen, gen->huge ? 2 : 4) ? TOUCH_READ :
			one_in(gen, 20) ? TOUCH_EXEC : TOUCH_WRITE;
		if (a[1] == TOUCH_EXEC)
			a[0] = (a[0] & ~(DIFF_PAGE - 1)) +
				(gen->setup.memory.touch ? AGENT_EXEC_SLOT : 0);
		if (gen->huge && a[1] != TOUCH_WRITE && reads_small_page(proc, a[0]))
			a[1] = TOUCH_WRITE;
		break;
	case OP_LOAD:
	case OP_STORE:
	case OP_PEEK:
	case OP_POKE:
		gen_access(gen, proc, c);
		break;
	case OP_PUNCH:
	case OP_FILE_READ:
	case OP_FILE_WRITE:
	case OP_FILE_SYNC:
	case OP_ADD_SEALS:
		gen_file_call(gen, c);
		break;
	case OP_MUNMAP:
	case OP_MLOCK:
	case OP_MUNLOCK:
	case OP_MINCORE:
	case OP_READ_INTO:
		some_range(gen, proc, &a[0], &a[1]);
		break;
	case OP_MLOCK2:
	case OP_MSEAL:
	case OP_MSYNC:
	case OP_REMAP_FILE_PAGES:
	case OP_ANON_NAME:
		gen_seal_sync(gen, proc, c);
		break;
	default:
		gen_small(gen, c);
	}
}

/* Areas that the kernel placed are to be few: one of them is taken away again. */
static bool gen_tidy(struct gen *gen, const struct side_proc *proc, struct diff_call *c)
{
	uint32_t outside = 0;

	for (uint32_t i = 0; i < proc->nr; i++) {
		const struct diff_area *area = &proc->area[i].seen;

		if (area->start >= DIFF_WINDOW &&
		    area->start < DIFF_WINDOW + gen_window_bytes(gen))
			continue;
		if (++outside < 10 + below(gen, 8))
			continue;
		c->op = OP_MUNMAP;
		c->arg[0] = area->start;
		c->arg[1] = area->end - area->start;
		return true;
	}
	return false;
}

void gen_call(struct gen *gen, const struct side *side, struct diff_call *call)
{
	const struct side_proc *proc;
	uint64_t at;
	unsigned int op = 0;

	*call = (struct diff_call){ 0 };
	gen->side = side;
	if (one_in(gen, 8))
		gen->proc = (uint8_t)below(gen, AGENT_MAX_PROCS);
	while (!side->proc[gen->proc].mm)
		gen->proc = (uint8_t)((gen->proc + 1) % AGENT_MAX_PROCS);
	call->proc = gen->proc;
	proc = &side->proc[call->proc];
	if (one_in(gen, 8) && gen_tidy(gen, proc, call))
		return;
	if (gen->fill && one_in(gen, 50)) {
		gen->fill = false;
		call->op = OP_FILL;
		call->arg[0] = 2 + below(gen, 30);
		return;
	}
	for (at = below(gen, gen->total_weight); at >= gen->weight[op]; op++)
		at -= gen->weight[op];
	call->op = (uint8_t)op;
	gen_arguments(gen, proc, call);
}
