/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "calls.h"

#include "model.h"

/*
 * A letter for each argument: a address, n length, p protection, m mmap() flags, f file, o offset,
 * r mremap() flags, x any number.
 */
static const struct {
	const char *name, *args;
} ops[NR_OPS] = {
	[OP_MMAP] = { "mmap", "anpmfo" },
	[OP_MUNMAP] = { "munmap", "an" },
	[OP_MPROTECT] = { "mprotect", "anp" },
	[OP_MREMAP] = { "mremap", "annra" },
	[OP_MADVISE] = { "madvise", "anx" },
	[OP_PROCESS_MADVISE] = { "process_madvise", "ananxx" },
	[OP_BRK] = { "brk", "a" },
	[OP_MLOCK] = { "mlock2", "anx" },
	[OP_MUNLOCK] = { "munlock", "an" },
	[OP_MLOCKALL] = { "mlockall", "x" },
	[OP_MUNLOCKALL] = { "munlockall", "" },
	[OP_MSEAL] = { "mseal", "anx" },
	[OP_MSYNC] = { "msync", "anx" },
	[OP_MINCORE] = { "mincore", "an" },
	[OP_TOUCH] = { "touch", "anx" },
	[OP_REMAP_FILE_PAGES] = { "remap_file_pages", "anpxm" },
	[OP_SHMAT] = { "shmat", "ax" },
	[OP_SHMDT] = { "shmdt", "a" },
	[OP_NAME] = { "set_anon_name", "anx" },
	[OP_MEMORY_MERGE] = { "set_memory_merge", "x" },
	[OP_LIMIT] = { "set_rlimit", "xn" },
	[OP_CAPS] = { "set_caps", "x" },
	[OP_PERSONALITY] = { "set_personality", "x" },
	[OP_FORK] = { "fork", "" },
	[OP_EXEC] = { "exec", "" },
	[OP_EXIT] = { "exit", "" },
};

const char *const test_file_names[NR_TEST_FILES] = {
	"NULL", "plain", "read_only", "memfd", "zero", "no_exec", "write_only", "append", "sealed",
	"hooked", "mixed", "owned", "unmappable", "segment",
};

/* ---------------------------------------------------------------- decoding -- */

/* What is called often has more of the 64 numbers. */
static const uint8_t op_of[64] = {
	OP_MMAP, OP_MMAP, OP_MMAP, OP_MMAP, OP_MMAP, OP_MMAP, OP_MMAP, OP_MMAP, OP_MMAP, OP_MMAP,
	OP_MUNMAP, OP_MUNMAP, OP_MUNMAP, OP_MUNMAP,
	OP_MPROTECT, OP_MPROTECT, OP_MPROTECT, OP_MPROTECT, OP_MPROTECT, OP_MPROTECT,
	OP_MREMAP, OP_MREMAP, OP_MREMAP, OP_MREMAP, OP_MREMAP, OP_MREMAP, OP_MREMAP, OP_MREMAP,
	OP_MADVISE, OP_MADVISE, OP_MADVISE, OP_MADVISE, OP_MADVISE,
	OP_PROCESS_MADVISE, OP_BRK, OP_BRK, OP_MLOCK, OP_MLOCK, OP_MUNLOCK, OP_MLOCKALL,
	OP_MUNLOCKALL, OP_MSEAL, OP_MSYNC, OP_MINCORE, OP_TOUCH, OP_TOUCH, OP_TOUCH, OP_TOUCH,
	OP_REMAP_FILE_PAGES, OP_REMAP_FILE_PAGES, OP_SHMAT, OP_SHMAT, OP_SHMDT, OP_NAME, OP_NAME,
	OP_MEMORY_MERGE, OP_LIMIT, OP_LIMIT, OP_CAPS, OP_PERSONALITY, OP_FORK, OP_FORK, OP_EXEC,
	OP_EXIT,
};

static unsigned long address(uint8_t byte)
{
	static const unsigned long odd[16] = {
		0, 1, 5 * PAGE + 1, 20 * PAGE + 0x800, 40 * PAGE + 0xfff, MODEL_PAGES * PAGE,
		MODEL_PAGES * PAGE + PAGE, MODEL_PAGES * PAGE - 1, -PAGE, -2 * PAGE, -1ul,
		1ul << 47, 1ul << 63, -8 * PAGE, 1ul << 31, 0x12345 * PAGE,
	};

	return byte < 240 ? byte % MODEL_PAGES * PAGE : odd[byte - 240];
}

static unsigned long length(uint8_t byte)
{
	static const unsigned long odd[16] = {
		0, 1, PAGE - 1, PAGE + 1, 3 * PAGE + 0x123, MODEL_PAGES * PAGE,
		(MODEL_PAGES + 1) * PAGE, (MODEL_PAGES - 1) * PAGE, -1ul, -PAGE, -2 * PAGE,
		1ul << 63, 1ul << 47, 0x7fffffff, 1ul << 32, -20 * PAGE,
	};

	/* Mostly short. */
	if (byte < 192)
		return (byte % 16 + 1) * PAGE;
	return byte < 240 ? byte % 48 * PAGE : odd[byte - 240];
}

static unsigned long mmap_flags(uint8_t kind, uint8_t more)
{
	static const uint8_t type[8] = {
		MAP_PRIVATE, MAP_PRIVATE, MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED,
		MAP_SHARED_VALIDATE, MAP_DROPPABLE,
	};
	static const unsigned long rare[16] = {
		0, 0, 0, 0, MAP_FIXED_NOREPLACE, MAP_FIXED_NOREPLACE, MAP_32BIT, MAP_STACK, MAP_SYNC,
		MAP_POPULATE, MAP_POPULATE | MAP_NONBLOCK, MAP_ABOVE4G, MAP_UNINITIALIZED,
		MAP_DENYWRITE, MAP_EXECUTABLE | MAP_STACK, 0x800000,
	};

	return type[kind & 7] | (kind & 8 ? 0 : MAP_FIXED) |
	       ((kind & 0x30) == 0x30 ? MAP_NORESERVE : 0) |
	       ((kind & 0x50) == 0x50 ? MAP_LOCKED : 0) |
	       ((kind & 0xc0) == 0xc0 ? MAP_GROWSDOWN : 0) | rare[more >> 4];
}

/* Readable and writable is what most things need. */
static unsigned long protection(uint8_t byte)
{
	static const uint8_t rwx[16] = { 3, 3, 3, 3, 3, 3, 1, 1, 1, 0, 0, 2, 4, 5, 6, 7 };

	return rwx[byte & 15];
}

static int advice_of(uint8_t byte)
{
	static const int odd[4] = { 5, 26, 99, -1 };
	unsigned int n = byte % 32;

	if (n <= 4)
		return (int)n;
	if (n >= 28)
		return odd[n - 28];
	return n <= 22 ? (int)n + 3 : (int)n + 77;	/* 8-25, 100-104 */
}

void decode_setup(const uint8_t *head, struct setup *setup)
{
	*setup = (struct setup){
		.bottom_up = head[0] & 1, .failures = head[0] & 2, .caps = head[1] & 7,
	};
}

static unsigned long rare_protection(uint8_t byte)
{
	switch (byte) {
	case 8: return PROT_GROWSUP;
	case 9: return 0x10;
	case 10: return PROT_GROWSDOWN | PROT_GROWSUP;
	case 11: return PROT_SEM;
	default: return byte < 8 ? PROT_GROWSDOWN : 0;
	}
}

static void decode_mmap(const uint8_t *b, unsigned long *a)
{
	a[2] = protection(b[4]);
	a[3] = mmap_flags(b[5], b[7]);
	/* Half of all is anonymous. */
	a[4] = b[4] & 16 ? FILE_NONE : b[7] % NR_TEST_FILES;
	a[3] |= a[4] != FILE_NONE || b[6] == 0xff ? 0 : MAP_ANONYMOUS;
	a[5] = b[6] < 250 ? b[6] % 24 * PAGE : length(b[6]);
}

/*
 * Below 2 MiB Linux's arithmetic wraps, and a range that begins at 0 may be collapsed if its area
 * has been touched, which is nothing that pages know.
 */
static void avoid_zero(unsigned long *addr, unsigned long advice)
{
	if (advice == MADV_COLLAPSE && !*addr)
		*addr = PAGE;
}

/* What is about other things than a range. */
static void decode_other_args(const uint8_t *b, struct call *c)
{
	unsigned long *a = c->arg;

	switch (c->op) {
	case OP_BRK:
		a[0] = address(b[2]) + b[3] % 2 * 0x123;
		break;
	case OP_MLOCKALL:
		a[0] = (b[2] & 7) | (b[2] == 0xff ? 8 : 0);
		break;
	case OP_MEMORY_MERGE:
		a[0] = b[2] & 1;
		break;
	case OP_LIMIT:
		a[0] = b[2] % MM_NR_RLIMITS;
		a[1] = b[3] & 1 ? b[4] % 80 * PAGE : MM_RLIM_INFINITY;
		break;
	case OP_CAPS:
		a[0] = b[2] & 7;
		break;
	case OP_PERSONALITY:
		a[0] = b[2] & 1 ? MM_PERS_READ_IMPLIES_EXEC : 0;
		break;
	default:
		break;
	}
}

static void decode_args(const uint8_t *b, struct call *c)
{
	unsigned long *a = c->arg;

	switch (c->op) {
	case OP_MMAP:
		decode_mmap(b, a);
		break;
	case OP_MPROTECT:
		a[2] = protection(b[4]) | rare_protection(b[5]);
		break;
	case OP_MREMAP:
		a[2] = b[5] & 1 ? a[1] : length(b[5]);
		a[3] = b[4] & 7;
		a[3] |= b[4] & 0x38 ? MREMAP_MAYMOVE : 0;
		a[3] |= b[4] == 0xff ? 8 : 0;
		a[4] = address(b[6]);
		break;
	case OP_MADVISE:
		a[2] = (unsigned long)advice_of(b[4]);
		avoid_zero(&a[0], a[2]);
		break;
	case OP_PROCESS_MADVISE:
		a[2] = address(b[6]);
		a[3] = length(b[7]);
		a[4] = (unsigned long)advice_of(b[4]);
		a[5] = b[5] & 3;	/* by itself; only one range */
		avoid_zero(&a[0], a[4]);
		avoid_zero(&a[2], a[4]);
		break;
	case OP_MLOCK:
		a[2] = b[4] < 64 ? MLOCK_ONFAULT : b[4] == 0xff ? 2 : 0;
		break;
	case OP_MSEAL:
		a[2] = b[4] == 0xff;
		break;
	case OP_MSYNC:
		a[2] = b[4] & 7;
		a[2] |= b[4] == 0xff ? 8 : 0;
		break;
	case OP_TOUCH:
		a[1] = b[4] & 4 ? 1 : a[1];
		a[2] = b[4] & 8 ? MM_ACCESS_WRITE : b[4] % 3;
		break;
	case OP_REMAP_FILE_PAGES:
		a[2] = b[4] == 0xff;
		a[3] = b[6] == 0xff ? -1ul : b[6] % 24;
		a[4] = b[5] & 1 ? MAP_NONBLOCK : 0;
		break;
	case OP_SHMAT:
		a[1] = (b[4] & 1 ? SHM_RDONLY : 0) | (b[4] & 2 ? SHM_RND : 0) |
		       (b[4] & 4 ? SHM_REMAP : 0) | (b[4] & 8 ? SHM_EXEC : 0);
		break;
	case OP_NAME:
		a[2] = b[4] % 4;
		break;
	default:
		decode_other_args(b, c);
	}
}

void decode_call(const uint8_t *b, const struct setup *setup, struct call *call)
{
	*call = (struct call){
		.op = (enum op)op_of[b[0] % 64], .mm = b[1] & 3,
		.fail = setup->failures ? b[1] >> 2 : 0,
		.arg = { address(b[2]), length(b[3]) },
		.check = { (uint8_t)(b[2] + b[0]), (uint8_t)(b[3] + b[1]) },
	};
	call->mm = call->mm < MAX_MMS ? call->mm : 0;
	decode_args(b, call);
}

/* ---------------------------------------------------------------- printing -- */

static void print_bits(FILE *to, unsigned long bits, const char *const *names, unsigned int nr)
{
	const char *between = "";

	for (unsigned int i = 0; i < nr; i++) {
		if (!(bits & 1ul << i) || !names[i])
			continue;
		fprintf(to, "%s%s", between, names[i]);
		bits &= ~(1ul << i);
		between = "|";
	}
	if (bits || !*between)
		fprintf(to, "%s0x%lx", between, bits);
}

static void print_bytes(FILE *to, unsigned long bytes)
{
	if (bytes && !(bytes % PAGE) && bytes < 1ul << 30)
		fprintf(to, "%lu*PAGE", bytes / PAGE);
	else
		fprintf(to, "0x%lx", bytes);
}

static void print_arg(FILE *to, char kind, unsigned long value)
{
	static const char *const prots[] = { "PROT_READ", "PROT_WRITE", "PROT_EXEC", "PROT_SEM" };
	static const char *const maps[] = {
		"MAP_SHARED", "MAP_PRIVATE", NULL, "MAP_DROPPABLE", "MAP_FIXED", "MAP_ANONYMOUS",
		"MAP_32BIT", "MAP_ABOVE4G", "MAP_GROWSDOWN", NULL, NULL, "MAP_DENYWRITE",
		"MAP_EXECUTABLE", "MAP_LOCKED", "MAP_NORESERVE", "MAP_POPULATE", "MAP_NONBLOCK",
		"MAP_STACK", NULL, "MAP_SYNC", "MAP_FIXED_NOREPLACE",
	};
	static const char *const moves[] = {
		"MREMAP_MAYMOVE", "MREMAP_FIXED", "MREMAP_DONTUNMAP",
	};

	switch (kind) {
	case 'a': case 'n': case 'o':
		print_bytes(to, value);
		break;
	case 'p':
		print_bits(to, value, prots, 4);
		break;
	case 'm':
		print_bits(to, value, maps, sizeof(maps) / sizeof(maps[0]));
		break;
	case 'r':
		print_bits(to, value, moves, 3);
		break;
	case 'f':
		fputs(test_file_names[value], to);
		break;
	default:
		fprintf(to, value > 9 ? "0x%lx" : "%lu", value);
	}
}

void print_call(FILE *to, const struct call *call)
{
	const char *args = ops[call->op].args;

	fprintf(to, "%s(m%u", ops[call->op].name, call->mm);
	for (unsigned int i = 0; args[i]; i++) {
		fputs(", ", to);
		print_arg(to, args[i], call->arg[i]);
	}
	fputc(')', to);
	if (call->fail)
		fprintf(to, " with allocation %u failing", call->fail);
}
