/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls as text: to be read by a person, and as a file that `vmarea diff --script` runs again.
 *
 *	# comment
 *	setup top-down capable
 *	0 mmap 0x200000000000 0x3000 0x3 0x32 - 0x0
 *	0 fork 1
 *	1 munmap 0x200000001000 0x1000
 *
 * A line is the number of the process, the call, and its arguments as numbers; a file is its
 * number, `-` none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmarea/file.h>

#include "cli.h"
#include "diff.h"

/*
 * A letter for each argument: a address, n length or number, p protection, m map flags, f file,
 * r mremap flags, v advice, l limit, s shmat flags, y msync flags, k mlockall flags, t kind of
 * touch, b address of a byte, x bytes, i kind of remote access, e seals; F f that has to be one,
 * P process, S segment, c and C how many bytes, of an access or of more.
 */
static const struct {
	const char *name, *args;
} ops[NR_OPS] = {
	[OP_CHECK] = { "check", "" },
	[OP_MMAP] = { "mmap", "anpmfn" },
	[OP_MUNMAP] = { "munmap", "an" },
	[OP_MPROTECT] = { "mprotect", "anp" },
	[OP_PKEY_MPROTECT] = { "pkey_mprotect", "anpn" },
	[OP_MREMAP] = { "mremap", "annra" },
	[OP_MADVISE] = { "madvise", "anv" },
	[OP_PROCESS_MADVISE] = { "process_madvise", "ananvn" },
	[OP_MLOCK] = { "mlock", "an" },
	[OP_MLOCK2] = { "mlock2", "ann" },
	[OP_MUNLOCK] = { "munlock", "an" },
	[OP_MLOCKALL] = { "mlockall", "k" },
	[OP_MUNLOCKALL] = { "munlockall", "" },
	[OP_MSEAL] = { "mseal", "ann" },
	[OP_MSYNC] = { "msync", "any" },
	[OP_MINCORE] = { "mincore", "an" },
	[OP_REMAP_FILE_PAGES] = { "remap_file_pages", "anpnm" },
	[OP_SHMAT] = { "shmat", "Sas" },
	[OP_SHMDT] = { "shmdt", "a" },
	[OP_ANON_NAME] = { "anon_name", "ann" },
	[OP_THP_DISABLE] = { "thp_disable", "n" },
	[OP_MEMORY_MERGE] = { "memory_merge", "n" },
	[OP_BRK] = { "brk", "a" },
	[OP_SETRLIMIT] = { "setrlimit", "ln" },
	[OP_PERSONALITY] = { "personality", "n" },
	[OP_TOUCH] = { "touch", "at" },
	[OP_READ_INTO] = { "read_into", "an" },
	[OP_TRUNCATE] = { "truncate", "Fn" },
	[OP_FILL] = { "fill", "nn" },
	[OP_FORK] = { "fork", "P" },
	[OP_EXIT] = { "exit", "" },
	[OP_LOAD] = { "load", "bc" },
	[OP_STORE] = { "store", "bcx" },
	[OP_PEEK] = { "peek", "bCPi" },
	[OP_POKE] = { "poke", "bCPix" },
	[OP_PUNCH] = { "punch", "Fnn" },
	[OP_FILE_READ] = { "file_read", "FnC" },
	[OP_FILE_WRITE] = { "file_write", "FnCx" },
	[OP_FILE_SYNC] = { "file_sync", "F" },
	[OP_ADD_SEALS] = { "add_seals", "Fe" },
};

const char *op_name(unsigned int op)
{
	return ops[op].name;
}

unsigned int op_nr_args(unsigned int op)
{
	return (unsigned int)strlen(ops[op].args);
}

int op_by_name(const char *name)
{
	for (int op = 0; op < NR_OPS; op++)
		if (!strcmp(ops[op].name, name))
			return op;
	return -1;
}

/* ------------------------------------------------------------------- for a person to read -- */

struct bit_name {
	uint64_t bits;
	const char *name;
};

static const struct bit_name prot_names[] = {
	{ PROT_READ, "READ" }, { PROT_WRITE, "WRITE" }, { PROT_EXEC, "EXEC" },
	{ PROT_SEM, "SEM" }, { PROT_GROWSDOWN, "GROWSDOWN" }, { PROT_GROWSUP, "GROWSUP" },
	{ 0, NULL },
};

static const struct bit_name map_names[] = {
	{ MAP_SHARED_VALIDATE, "SHARED_VALIDATE" }, { MAP_SHARED, "SHARED" },
	{ MAP_PRIVATE, "PRIVATE" }, { MAP_DROPPABLE, "DROPPABLE" }, { MAP_FIXED, "FIXED" },
	{ MAP_ANONYMOUS, "ANONYMOUS" }, { MAP_32BIT, "32BIT" }, { MAP_ABOVE4G, "ABOVE4G" },
	{ MAP_GROWSDOWN, "GROWSDOWN" }, { MAP_DENYWRITE, "DENYWRITE" },
	{ MAP_EXECUTABLE, "EXECUTABLE" }, { MAP_LOCKED, "LOCKED" },
	{ MAP_NORESERVE, "NORESERVE" }, { MAP_POPULATE, "POPULATE" },
	{ MAP_NONBLOCK, "NONBLOCK" }, { MAP_STACK, "STACK" }, { MAP_HUGETLB, "HUGETLB" },
	{ MAP_SYNC, "SYNC" }, { MAP_FIXED_NOREPLACE, "FIXED_NOREPLACE" },
	{ MAP_UNINITIALIZED, "UNINITIALIZED" }, { 21ul << 26, "HUGE_2MB" },
	{ 30ul << 26, "HUGE_1GB" }, { 0, NULL },
};

static const struct bit_name mremap_names[] = {
	{ MREMAP_MAYMOVE, "MAYMOVE" }, { MREMAP_FIXED, "FIXED" },
	{ MREMAP_DONTUNMAP, "DONTUNMAP" }, { 0, NULL },
};

static const struct bit_name shmat_names[] = {
	{ SHM_RDONLY, "RDONLY" }, { SHM_RND, "RND" }, { SHM_REMAP, "REMAP" },
	{ SHM_EXEC, "EXEC" }, { 0, NULL },
};

static const struct bit_name msync_names[] = {
	{ MS_ASYNC, "ASYNC" }, { MS_SYNC, "SYNC" }, { MS_INVALIDATE, "INVALIDATE" }, { 0, NULL },
};

static const struct bit_name seal_names[] = {
	{ F_SEAL_SEAL, "SEAL" }, { F_SEAL_SHRINK, "SHRINK" }, { F_SEAL_GROW, "GROW" },
	{ F_SEAL_WRITE, "WRITE" }, { F_SEAL_FUTURE_WRITE, "FUTURE_WRITE" },
	{ F_SEAL_EXEC, "EXEC" }, { 0, NULL },
};

static const struct bit_name lockall_names[] = {
	{ MCL_CURRENT, "CURRENT" }, { MCL_FUTURE, "FUTURE" }, { MCL_ONFAULT, "ONFAULT" },
	{ 0, NULL },
};

static const struct {
	int advice;
	const char *name;
} advice_names[] = {
	{ MADV_NORMAL, "NORMAL" }, { MADV_RANDOM, "RANDOM" }, { MADV_SEQUENTIAL, "SEQUENTIAL" },
	{ MADV_WILLNEED, "WILLNEED" }, { MADV_DONTNEED, "DONTNEED" }, { MADV_FREE, "FREE" },
	{ MADV_REMOVE, "REMOVE" }, { MADV_DONTFORK, "DONTFORK" }, { MADV_DOFORK, "DOFORK" },
	{ MADV_MERGEABLE, "MERGEABLE" }, { MADV_UNMERGEABLE, "UNMERGEABLE" },
	{ MADV_HUGEPAGE, "HUGEPAGE" }, { MADV_NOHUGEPAGE, "NOHUGEPAGE" },
	{ MADV_DONTDUMP, "DONTDUMP" }, { MADV_DODUMP, "DODUMP" },
	{ MADV_WIPEONFORK, "WIPEONFORK" }, { MADV_KEEPONFORK, "KEEPONFORK" },
	{ MADV_COLD, "COLD" }, { MADV_PAGEOUT, "PAGEOUT" },
	{ MADV_POPULATE_READ, "POPULATE_READ" }, { MADV_POPULATE_WRITE, "POPULATE_WRITE" },
	{ MADV_DONTNEED_LOCKED, "DONTNEED_LOCKED" }, { MADV_COLLAPSE, "COLLAPSE" },
	{ MADV_HWPOISON, "HWPOISON" }, { MADV_SOFT_OFFLINE, "SOFT_OFFLINE" },
	{ MADV_GUARD_INSTALL, "GUARD_INSTALL" }, { MADV_GUARD_REMOVE, "GUARD_REMOVE" },
};

static const char *const touch_names[] = { "read", "write", "execute" };
static const char *const remote_names[] = { "plain", "forced" };
static const char *const limit_names[] = { "AS", "DATA", "STACK", "MEMLOCK" };

static void print_bits(FILE *to, uint64_t value, const struct bit_name *names, const char *none)
{
	const char *between = "";

	if (!value)
		fputs(none, to);
	for (; names->name && value; names++) {
		if ((value & names->bits) != names->bits)
			continue;
		fprintf(to, "%s%s", between, names->name);
		value &= ~names->bits;
		between = "|";
	}
	if (value)
		fprintf(to, "%s0x%llx", between, (unsigned long long)value);
}

static void print_address(FILE *to, uint64_t addr)
{
	/* In pages from the window's start, where it is about the window. */
	if (addr - DIFF_WINDOW < 1ul << 30 && !(addr % DIFF_PAGE))
		fprintf(to, "W+%llu", (unsigned long long)((addr - DIFF_WINDOW) / DIFF_PAGE));
	else
		fprintf(to, addr ? "0x%llx" : "0", (unsigned long long)addr);
}

/* A byte, in its page. */
static void print_byte(FILE *to, uint64_t addr)
{
	print_address(to, addr & ~(DIFF_PAGE - 1));
	fprintf(to, "+0x%llx", (unsigned long long)(addr & (DIFF_PAGE - 1)));
}

static void print_length(FILE *to, uint64_t n)
{
	if (n && !(n % DIFF_PAGE) && n < 1ul << 40)
		fprintf(to, "%llu pages", (unsigned long long)(n / DIFF_PAGE));
	else
		fprintf(to, n > 9 ? "0x%llx" : "%llu", (unsigned long long)n);
}

static void print_file(FILE *to, uint64_t file, const struct test_files *files)
{
	if (file < (uint64_t)files->nr && files->file[file].label)
		fprintf(to, "'%s'", files->file[file].label);
	else
		fputs("-1", to);
}

static void print_advice(FILE *to, uint64_t advice)
{
	for (size_t i = 0; i < sizeof(advice_names) / sizeof(advice_names[0]); i++) {
		if (advice_names[i].advice != (int)advice)
			continue;
		fputs(advice_names[i].name, to);
		return;
	}
	fprintf(to, "%lld", (long long)advice);
}

static void print_arg(FILE *to, char kind, uint64_t value, const struct test_files *files)
{
	switch (kind) {
	case 'a':
		print_address(to, value);
		break;
	case 'b':
		print_byte(to, value);
		break;
	case 'x':
		fprintf(to, "0x%llx", (unsigned long long)value);
		break;
	case 'p':
		print_bits(to, value, prot_names, "NONE");
		break;
	case 'm':
		print_bits(to, value, map_names, "0");
		break;
	case 'r':
		print_bits(to, value, mremap_names, "0");
		break;
	case 's':
		print_bits(to, value, shmat_names, "0");
		break;
	case 'y':
		print_bits(to, value, msync_names, "0");
		break;
	case 'k':
		print_bits(to, value, lockall_names, "0");
		break;
	case 'e':
		print_bits(to, value, seal_names, "0");
		break;
	case 'f':
	case 'F':
		print_file(to, value, files);
		break;
	case 'v':
		print_advice(to, value);
		break;
	case 't':
		fputs(touch_names[value % NR_TOUCH_KINDS], to);
		break;
	case 'i':
		fputs(remote_names[value % NR_REMOTE_KINDS], to);
		break;
	case 'l':
		fputs(limit_names[value & 3], to);
		break;
	default:
		print_length(to, value);
	}
}

void call_print(FILE *to, const struct diff_call *call, const struct test_files *files)
{
	const char *args = ops[call->op].args;

	if (call->proc)
		fprintf(to, "process %u: ", call->proc);
	fprintf(to, "%s(", ops[call->op].name);
	for (unsigned int i = 0; args[i]; i++) {
		if (i)
			fputs(", ", to);
		print_arg(to, args[i], call->arg[i], files);
	}
	fputc(')', to);
}

/* ---------------------------------------------------------------------------- as a file -- */

static const char *const layout_names[NR_LAYOUTS] = { "top-down", "top-down-low", "bottom-up" };
static const char *const path_names[NR_PATHS] = { "none", "soft", "host" };

const char *path_name(enum memory_path path)
{
	return path_names[path];
}

int path_by_name(const char *name)
{
	for (int path = 0; path < NR_PATHS; path++)
		if (!strcmp(path_names[path], name))
			return path;
	return -1;
}

void script_write(FILE *to, const struct script *script, const struct test_files *files)
{
	const struct memory_setup *memory = &script->setup.memory;

	fprintf(to, "setup %s %s%s", layout_names[script->setup.layout],
		script->setup.drop_caps ? "incapable" : "capable",
		script->setup.keep_vdso ? " vdso" : "");
	if (memory->touch)
		fprintf(to, " touch %s %u-level%s", path_names[memory->path], memory->levels,
			memory->files ? " files" : "");
	fputc('\n', to);
	for (uint32_t i = 0; i < script->nr; i++) {
		const struct diff_call *call = &script->call[i];
		const char *args = ops[call->op].args;

		fprintf(to, "%u %s", call->proc, ops[call->op].name);
		for (unsigned int a = 0; args[a]; a++) {
			if (args[a] == 'f' && call->arg[a] >= AGENT_MAX_FILES)
				fputs(" -", to);
			else
				fprintf(to, " 0x%llx", (unsigned long long)call->arg[a]);
		}
		fputs("\t# ", to);
		call_print(to, call, files);
		fputc('\n', to);
	}
}

static bool parse_number(const char *word, uint64_t *out)
{
	char *rest;

	if (!strcmp(word, "-")) {
		*out = ~0ul;
		return true;
	}
	errno = 0;
	*out = strtoul(word, &rest, 0);
	return !*rest && rest != word && !errno;
}

static bool parse_memory(const char *word, struct memory_setup *memory)
{
	int path = path_by_name(word);

	/* It comes first. */
	if (!memory->touch) {
		memory->touch = !strcmp(word, "touch");
		memory->levels = memory->touch ? 4 : 0;
		return memory->touch;
	}
	if (path >= 0)
		memory->path = (enum memory_path)path;
	else if (!strcmp(word, "files"))
		memory->files = true;
	else if (!strcmp(word, "4-level") || !strcmp(word, "5-level"))
		memory->levels = (unsigned int)(*word - '0');
	else
		return false;
	return true;
}

static char *parse_setup(char **save, struct round_setup *setup)
{
	char *word;

	while ((word = strtok_r(NULL, " \t\n", save))) {
		bool known = !strcmp(word, "capable");

		for (int i = 0; i < NR_LAYOUTS; i++)
			if (!strcmp(word, layout_names[i])) {
				setup->layout = (enum layout)i;
				known = true;
			}
		if (!strcmp(word, "incapable"))
			setup->drop_caps = known = true;
		if (!strcmp(word, "vdso"))
			setup->keep_vdso = known = true;
		if (!known && !parse_memory(word, &setup->memory))
			return cli_printf("setup: top-down, top-down-low or bottom-up; capable or "
					  "incapable; vdso; touch, and after it none, soft or "
					  "host, 4-level or 5-level, and files; not '%s'", word);
	}
	return NULL;
}

/* What is a number of something, or of bytes: from where to where it goes. */
static bool is_in_range(char kind, uint64_t value, uint64_t *first, uint64_t *last)
{
	static const struct {
		char kind;
		uint64_t first, last;
	} ranges[] = {
		{ 'F', 0, AGENT_MAX_FILES - 1 }, { 'P', 0, AGENT_MAX_PROCS - 1 },
		{ 'S', 0, DIFF_NR_SEGMENTS - 1 }, { 'c', 1, 8 }, { 'C', 0, AGENT_IO_BYTES },
		{ 't', 0, NR_TOUCH_KINDS - 1 }, { 'i', 0, NR_REMOTE_KINDS - 1 },
		{ 'l', 0, MM_NR_RLIMITS - 1 },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (ranges[i].kind != kind)
			continue;
		*first = ranges[i].first;
		*last = ranges[i].last;
		return value >= *first && value <= *last;
	}
	return true;
}

/* As parse_line(), of the call's arguments. */
static char *parse_args(char **save, struct diff_call *call)
{
	const char *name = ops[call->op].name, *args = ops[call->op].args;
	uint64_t first, last;
	char *word;

	for (unsigned int i = 0; args[i]; i++) {
		word = strtok_r(NULL, " \t\n", save);
		if (!word)
			return cli_printf("%s: an argument is missing, there are to be %zu", name,
					  strlen(args));
		if (!parse_number(word, &call->arg[i]))
			return cli_printf("%s: '%s' is no number", name, word);
		if (!is_in_range(args[i], call->arg[i], &first, &last))
			return cli_printf("%s: argument %u is %s, not one of %llu to %llu", name,
					  i + 1, word, (unsigned long long)first,
					  (unsigned long long)last);
	}
	word = strtok_r(NULL, " \t\n", save);
	return word ? cli_printf("%s: too many arguments, '%s' is behind the %zu", name, word,
				 strlen(args)) : NULL;
}

/* NULL, or what is wrong with the line; the caller frees it. */
static char *parse_line(char *line, struct script *script)
{
	struct diff_call *call = &script->call[script->nr];
	char *save, *word, *wrong;
	uint64_t proc;
	int op;

	line[strcspn(line, "#")] = 0;
	word = strtok_r(line, " \t\n", &save);
	if (!word)
		return NULL;
	if (!strcmp(word, "setup"))
		return parse_setup(&save, &script->setup);
	if (script->nr == AGENT_MAX_CALLS)
		return cli_printf("too many calls, at most %u", AGENT_MAX_CALLS);
	if (!parse_number(word, &proc) || proc >= AGENT_MAX_PROCS)
		return cli_printf("a line begins with the number of a process, 0 to %u, not '%s'",
				  AGENT_MAX_PROCS - 1, word);
	word = strtok_r(NULL, " \t\n", &save);
	op = word ? op_by_name(word) : -1;
	if (op < 0)
		return cli_printf("no such call: '%s' ('vmarea diff --help' lists them)",
				  word ? word : "");
	*call = (struct diff_call){ .op = (uint8_t)op, .proc = (uint8_t)proc };
	wrong = parse_args(&save, call);
	script->nr += !wrong;
	return wrong;
}

int script_read(const char *path, struct script *script)
{
	FILE *f = fopen(path, "r");
	char *wrong = NULL;
	unsigned int nr = 0;
	char line[1024];

	if (!f) {
		cli_error("diff", "%s: %s", path, strerror(errno));
		return -1;
	}
	*script = (struct script){ .setup = { .window_pages = 64 } };
	while (!wrong && fgets(line, sizeof(line), f)) {
		nr++;
		wrong = strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n'
			? cli_printf("a line of more than %zu bytes", sizeof(line) - 2)
			: parse_line(line, script);
	}
	if (!wrong && ferror(f))
		wrong = cli_strdup(strerror(errno));
	else if (!wrong && !script->nr)
		wrong = cli_strdup("there is no call in it");
	fclose(f);
	if (wrong)
		fprintf(stderr, "%s:%u: %s\n", path, nr, wrong);
	free(wrong);
	return wrong ? -1 : 0;
}
