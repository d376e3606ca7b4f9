/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reading logs of strace -f.
 *
 *	1234 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f...
 *	[pid  1234] 12:00:01.000002 brk(NULL <unfinished ...>
 *	[pid  1234] 12:00:01.000009 <... brk resumed>) = 0x55...
 *	1234 +++ exited with 0 +++
 *
 * The task stands first (-o), or in brackets (on a terminal), or is left out while there is only
 * one; then perhaps a time.  The two halves of a call are put together here; its place in the list
 * is that of its second half.
 */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "cli.h"
#include "strace.h"

#define MAX_ARGS	8
#define NO_TASK		0

/* A call of which only the first half was seen. */
struct half {
	unsigned long line;
	char *text;		/* "mmap(NULL, 4096, " */
	struct half *next;	/* an older one of the same task */
};

struct alive {
	long tid;
	size_t at;		/* r->alive[at] is this one */
};

struct reader {
	struct strace_log *log;
	struct numbers halves;	/* by task */
	unsigned long line;
	long first;		/* the task of lines that name none; NO_TASK: not known yet */
	struct alive **alive;
	size_t nr_alive;
	struct numbers by_tid;	/* the same */
	struct numbers children;	/* of clones, and told of by "strace: Process 12 attached" */
	char *cut;		/* the head of a line that a message of strace has cut in two */
};

/* --------------------------------------------------------------------------------- words -- */

static const struct word {
	const char *name;
	unsigned long value;
} words[] = {
	{ "NULL", 0 }, { "PROT_NONE", 0 }, { "PROT_READ", 1 }, { "PROT_WRITE", 2 },
	{ "PROT_EXEC", 4 }, { "PROT_SEM", 8 }, { "PROT_GROWSDOWN", 0x01000000 },
	{ "PROT_GROWSUP", 0x02000000 },
	{ "MAP_FILE", 0 }, { "MAP_SHARED", 1 }, { "MAP_PRIVATE", 2 }, { "MAP_SHARED_VALIDATE", 3 },
	{ "MAP_DROPPABLE", 8 }, { "MAP_FIXED", 0x10 }, { "MAP_ANONYMOUS", 0x20 },
	{ "MAP_32BIT", 0x40 }, { "MAP_ABOVE4G", 0x80 }, { "MAP_GROWSDOWN", 0x100 },
	{ "MAP_DENYWRITE", 0x800 }, { "MAP_EXECUTABLE", 0x1000 }, { "MAP_LOCKED", 0x2000 },
	{ "MAP_NORESERVE", 0x4000 }, { "MAP_POPULATE", 0x8000 }, { "MAP_NONBLOCK", 0x10000 },
	{ "MAP_STACK", 0x20000 }, { "MAP_HUGETLB", 0x40000 }, { "MAP_SYNC", 0x80000 },
	{ "MAP_FIXED_NOREPLACE", 0x100000 }, { "MAP_UNINITIALIZED", 0x4000000 },
	{ "MREMAP_MAYMOVE", 1 }, { "MREMAP_FIXED", 2 }, { "MREMAP_DONTUNMAP", 4 },
	{ "MS_ASYNC", 1 }, { "MS_INVALIDATE", 2 }, { "MS_SYNC", 4 },
	{ "MCL_CURRENT", 1 }, { "MCL_FUTURE", 2 }, { "MCL_ONFAULT", 4 }, { "MLOCK_ONFAULT", 1 },
	{ "MADV_NORMAL", 0 }, { "MADV_RANDOM", 1 }, { "MADV_SEQUENTIAL", 2 },
	{ "MADV_WILLNEED", 3 }, { "MADV_DONTNEED", 4 }, { "MADV_FREE", 8 }, { "MADV_REMOVE", 9 },
	{ "MADV_DONTFORK", 10 }, { "MADV_DOFORK", 11 }, { "MADV_MERGEABLE", 12 },
	{ "MADV_UNMERGEABLE", 13 }, { "MADV_HUGEPAGE", 14 }, { "MADV_NOHUGEPAGE", 15 },
	{ "MADV_DONTDUMP", 16 }, { "MADV_DODUMP", 17 }, { "MADV_WIPEONFORK", 18 },
	{ "MADV_KEEPONFORK", 19 }, { "MADV_COLD", 20 }, { "MADV_PAGEOUT", 21 },
	{ "MADV_POPULATE_READ", 22 }, { "MADV_POPULATE_WRITE", 23 },
	{ "MADV_DONTNEED_LOCKED", 24 }, { "MADV_COLLAPSE", 25 }, { "MADV_HWPOISON", 100 },
	{ "MADV_SOFT_OFFLINE", 101 }, { "MADV_GUARD_INSTALL", 102 }, { "MADV_GUARD_REMOVE", 103 },
	{ "SHM_RDONLY", 010000 }, { "SHM_RND", 020000 }, { "SHM_REMAP", 040000 },
	{ "SHM_EXEC", 0100000 },
	{ "PR_SET_VMA", 0x53564d41 }, { "PR_SET_VMA_ANON_NAME", 0 },
	{ "PR_SET_THP_DISABLE", PR_SET_THP_DISABLE }, { "PR_GET_THP_DISABLE", PR_GET_THP_DISABLE },
	{ "PR_SET_MEMORY_MERGE", 67 }, { "PR_GET_MEMORY_MERGE", 68 },
	{ "RLIM_INFINITY", ~0ul }, { "RLIM64_INFINITY", ~0ul },
	{ "MAP_HUGE_SHIFT", 26 },
	{ "RLIMIT_AS", MM_RLIMIT_AS }, { "RLIMIT_DATA", MM_RLIMIT_DATA },
	{ "RLIMIT_STACK", MM_RLIMIT_STACK }, { "RLIMIT_MEMLOCK", MM_RLIMIT_MEMLOCK },
};

/* One word or number, up to @end. */
static bool one_value(const char *text, size_t n, unsigned long *out)
{
	char *rest;

	while (n && *text == ' ') {
		text++;
		n--;
	}
	while (n && text[n - 1] == ' ')
		n--;
	if (n && (isdigit((unsigned char)*text) || *text == '-')) {
		*out = strtoul(text, &rest, 0);
		return rest <= text + n;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].name) == n && !memcmp(words[i].name, text, n)) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

/* "PROT_READ|PROT_WRITE", "21<<MAP_HUGE_SHIFT", "8192*1024", "0x10"; a comment is left out. */
static bool to_value(const char *text, unsigned long *out)
{
	*out = 0;
	for (;;) {
		size_t n = strcspn(text, "|<*/");
		unsigned long value, second;

		if (!one_value(text, n, &value))
			return false;
		text += n;
		if (!strncmp(text, "/*", 2) && strstr(text, "*/"))
			text = strstr(text, "*/") + 2;
		if (*text == '<' && text[1] == '<') {
			text += 2;
			n = strcspn(text, "|");
			if (!one_value(text, n, &second) || second > 63)
				return false;
			value <<= second;
			text += n;
		} else if (*text == '*') {
			n = strcspn(++text, "|");
			if (!one_value(text, n, &second))
				return false;
			value *= second;
			text += n;
		}
		*out |= value;
		if (*text != '|')
			return true;
		text++;
	}
}

/* ---------------------------------------------------------------------------------- text -- */

/*
 * Takes "name(a, b, c) = result" apart in place: quotes and brackets are followed.  false: it does
 * not look like that.
 */
static bool take_apart(char *text, char **name, char **args, size_t *nr, char **result)
{
	char *p = strchr(text, '('), *start;
	int depth = 0;

	if (!p)
		return false;
	*name = text;
	*p++ = '\0';
	*nr = 0;
	for (start = p; *p; p++) {
		if (*p == '"') {
			for (p++; *p && *p != '"'; p++)
				p += *p == '\\' && p[1];
			if (!*p)
				return false;
		} else if (strchr("([{", *p)) {
			depth++;
		} else if (depth && strchr(")]}", *p)) {
			depth--;
		} else if (!depth && (*p == ',' || *p == ')')) {
			bool last = *p == ')';

			*p = '\0';
			while (*start == ' ')
				start++;
			if (*nr < MAX_ARGS && (*start || !last))
				args[(*nr)++] = start;
			start = p + 1;
			if (last)
				break;
		}
	}
	while (*start == ' ')
		start++;
	if (*start != '=')
		return false;
	*result = start + 1 + strspn(start + 1, " ");
	return true;
}

/* The inside of the first quotes, with plain escapes undone; NULL if there are none. */
static char *quoted(const char *text)
{
	const char *start = strchr(text, '"');
	char *out, *to;

	if (!start)
		return NULL;
	out = to = cli_alloc(strlen(start) + 1);
	for (start++; *start && *start != '"'; start++) {
		if (*start == '\\' && start[1])
			start++;
		*to++ = *start;
	}
	return out;
}

/* "3</usr/lib/libc.so.6>": the number and, with -y, the path. */
static long descriptor(const char *text, char **path)
{
	const char *open = strchr(text, '<'), *close = open ? strrchr(open, '>') : NULL;

	if (close && open[1] == '/') {
		free(*path);
		*path = strndup(open + 1, (size_t)(close - open - 1));
	}
	return strtol(text, NULL, 10);
}

/* "0", "0x7f..", "-1 ENOMEM (Cannot allocate memory)"; false for "?". */
static bool to_result(const char *text, unsigned long *out)
{
	char name[32] = "";
	char *rest;
	int error;

	if (*text == '?')
		return false;
	*out = strtoul(text, &rest, 0);
	if (rest == text)
		return false;
	if (text[0] == '-' && sscanf(rest, " %31[A-Z0-9]", name) == 1) {
		error = errno_by_name(name);
		if (error)
			*out = -(unsigned long)error;
	}
	return true;
}

/* --------------------------------------------------------------------------------- calls -- */

static bool memory_call(struct strace_call *c, enum call_id id, char **args, size_t nr)
{
	static const char *const orders[NR_CALLS] = {
		/* which written argument each number is */
		[CALL_MMAP] = "01235", [CALL_MUNMAP] = "01", [CALL_MPROTECT] = "012",
		[CALL_PKEY_MPROTECT] = "0123", [CALL_MREMAP] = "01234", [CALL_MADVISE] = "012",
		[CALL_BRK] = "0", [CALL_MLOCK] = "01", [CALL_MLOCK2] = "012",
		[CALL_MUNLOCK] = "01", [CALL_MLOCKALL] = "0", [CALL_MUNLOCKALL] = "",
		[CALL_MSEAL] = "012", [CALL_MSYNC] = "012", [CALL_MINCORE] = "01",
		[CALL_REMAP_FILE_PAGES] = "01234", [CALL_SHMAT] = "12", [CALL_SHMDT] = "0",
		[CALL_PRCTL] = "01234",
	};
	const char *order = orders[id];

	if (!order)
		return false;
	c->kind = ST_MEMORY;
	c->call.id = id;
	c->fd = -1;
	for (size_t i = 0; order[i]; i++) {
		size_t at = (size_t)(order[i] - '0');

		if (at >= nr) {
			if (id == CALL_MREMAP || id == CALL_PRCTL)
				continue;	/* the last ones need not be there */
			return false;
		}
		if (id == CALL_PRCTL && at == 4 && strchr(args[4], '"')) {
			c->call.string = quoted(args[4]);
			continue;
		}
		if (!to_value(args[at], &c->call.args[i]))
			return false;
	}
	if (id == CALL_MMAP && nr > 4)
		c->fd = descriptor(args[4], &c->path);
	if (id == CALL_SHMAT)
		c->fd = strtol(args[0], NULL, 10);
	c->anonymous = id == CALL_MMAP && c->call.args[3] & MAP_ANONYMOUS;
	return true;
}

static bool prctl_matters(const char *first)
{
	unsigned long nr;

	return to_value(first, &nr) && (nr == 0x53564d41 || nr == PR_SET_THP_DISABLE ||
					nr == PR_GET_THP_DISABLE || nr == 67 || nr == 68);
}

static bool clone_call(struct strace_call *c, const char *name, char **args, size_t nr)
{
	c->kind = ST_CLONE;
	c->is_vfork = !strcmp(name, "vfork");
	c->shares_mm = c->is_vfork;
	for (size_t i = 0; i < nr; i++) {
		c->shares_mm |= strstr(args[i], "CLONE_VM") != NULL;
		c->is_thread |= strstr(args[i], "CLONE_THREAD") != NULL;
	}
	return true;
}

static bool limit_call(struct strace_call *c, char **args, size_t nr, size_t which)
{
	char *cur = nr > which + 1 ? strstr(args[which + 1], "rlim_cur=") : NULL;
	unsigned long limit, of = 0;

	if (!cur || !one_value(args[which], strlen(args[which]), &limit) || limit >= MM_NR_RLIMITS)
		return false;
	/* prlimit64() of another: none of ours, perhaps. */
	if (which && (!to_value(args[0], &of) || of > INT_MAX))
		return false;
	cur[strcspn(cur, ",}")] = '\0';
	c->kind = ST_LIMIT;
	c->of = (long)of;
	c->limit = (unsigned int)limit;
	return to_value(cur + strlen("rlim_cur="), &c->value);
}

static bool open_call(struct strace_call *c, const char *name, char **args, size_t nr)
{
	size_t at = strncmp(name, "openat", 6) ? 0 : 1;

	if (nr < at + 1)
		return false;
	c->kind = !strcmp(name, "memfd_create") ? ST_MEMFD : ST_OPEN;
	c->path = quoted(args[at]);
	c->file_readable = c->file_writable = c->kind == ST_MEMFD || !strcmp(name, "creat");
	if (nr > at + 1 && c->kind == ST_OPEN) {
		c->file_readable = !strstr(args[at + 1], "O_WRONLY");
		c->file_writable = strstr(args[at + 1], "O_WRONLY") ||
				   strstr(args[at + 1], "O_RDWR");
	}
	return c->path;
}

static bool dup_call(struct strace_call *c, const char *name, char **args, size_t nr)
{
	char *path = NULL;

	if (!nr || (!strcmp(name, "fcntl") && (nr < 2 || strncmp(args[1], "F_DUPFD", 7))))
		return false;
	c->kind = ST_DUP;
	c->fd = descriptor(args[0], &path);
	free(path);
	return true;
}

static bool other_call(struct strace_call *c, const char *name, char **args, size_t nr)
{
	static const char *const not_followed[] = {
		"userfaultfd", "mbind", "io_setup", "process_madvise", "map_shadow_stack",
	};
	char *path = NULL;

	if (strstr(name, "clone") || !strcmp(name, "fork") || !strcmp(name, "vfork"))
		return clone_call(c, name, args, nr);
	if (!strncmp(name, "execve", 6)) {
		c->kind = ST_EXEC;
		c->path = nr ? quoted(args[!strcmp(name, "execveat")]) : NULL;
		return true;
	}
	if (!strncmp(name, "open", 4) || !strcmp(name, "creat") || !strcmp(name, "memfd_create"))
		return strcmp(name, "open_by_handle_at") && open_call(c, name, args, nr);
	if (!strncmp(name, "dup", 3) || !strcmp(name, "fcntl"))
		return dup_call(c, name, args, nr);
	if (!strcmp(name, "close") && nr) {
		c->kind = ST_CLOSE;
		c->fd = descriptor(args[0], &path);
		free(path);
		return true;
	}
	if (!strcmp(name, "shmget") && nr > 1) {
		c->kind = ST_SEGMENT;
		return to_value(args[1], &c->value);
	}
	if (!strcmp(name, "setrlimit"))
		return limit_call(c, args, nr, 0);
	if (!strcmp(name, "prlimit64"))
		return limit_call(c, args, nr, 1);
	for (size_t i = 0; i < sizeof(not_followed) / sizeof(not_followed[0]); i++) {
		if (!strcmp(name, not_followed[i])) {
			c->kind = ST_NOT_FOLLOWED;
			c->name = not_followed[i];
			return true;
		}
	}
	return false;
}

static void add_call(struct reader *r, const struct strace_call *c)
{
	struct strace_log *log = r->log;

	if (log->nr == log->room) {
		log->room = log->room ? log->room * 2 : 1024;
		log->calls = cli_realloc(log->calls, log->room * sizeof(*log->calls));
	}
	log->calls[log->nr++] = *c;
	if (c->kind == ST_CLONE)
		numbers_put(&r->children, (long)c->call.result, r);
}

/* A whole call.  Those that have nothing to do with memory are left out. */
static void take_call(struct reader *r, long tid, unsigned long begin, char *text)
{
	struct strace_call c = { .tid = tid, .begin = begin, .end = r->line };
	char *args[MAX_ARGS], *name, *result;
	enum call_id id;
	size_t nr;
	bool wanted;

	if (!take_apart(text, &name, args, &nr, &result) || !to_result(result, &c.call.result))
		return;
	id = call_by_name(name);
	if (id == CALL_PRCTL && (!nr || !prctl_matters(args[0])))
		return;
	wanted = id != NR_CALLS && memory_call(&c, id, args, nr);
	if (!wanted && (id == NR_CALLS || id == CALL_IO_SETUP || id == CALL_PROCESS_MADVISE))
		wanted = other_call(&c, name, args, nr);
	if (wanted) {
		add_call(r, &c);
	} else {
		free(c.path);
		free(c.call.string);
	}
}

/* --------------------------------------------------------------------------------- lines -- */

static void lives(struct reader *r, long tid)
{
	struct alive *a;

	if (numbers_get(&r->by_tid, tid))
		return;
	a = cli_alloc(sizeof(*a));
	*a = (struct alive){ tid, r->nr_alive };
	r->alive = cli_realloc(r->alive, (r->nr_alive + 1) * sizeof(*r->alive));
	r->alive[r->nr_alive++] = a;
	numbers_put(&r->by_tid, tid, a);
}

static void bury(struct reader *r, struct alive *a)
{
	r->alive[a->at] = r->alive[--r->nr_alive];
	r->alive[a->at]->at = a->at;
	free(a);
}

static void died(struct reader *r, long tid)
{
	struct strace_call c = { .kind = ST_EXIT, .tid = tid, .begin = r->line, .end = r->line };

	struct alive *a = numbers_take(&r->by_tid, tid);

	if (a)
		bury(r, a);
	add_call(r, &c);
}

/* A line without a task is the first one's, or the only one's that is left. */
static long unnamed_task(struct reader *r)
{
	if (r->nr_alive == 1)
		return r->alive[0]->tid;
	if (r->first == NO_TASK)
		r->first = 1;
	return r->first;
}

/* What @from had is now @to's. */
static void move_halves(struct reader *r, long from, long to)
{
	struct half *first = numbers_take(&r->halves, from), **last = &first;

	while (*last)
		last = &(*last)->next;
	*last = numbers_get(&r->halves, to);
	if (first)
		numbers_put(&r->halves, to, first);
}

/* The first task gets its number when it is named for the first time. */
static void name_first(struct reader *r, long tid)
{
	struct alive *a;

	if (r->first != 1 || numbers_get(&r->children, tid))
		return;
	for (size_t i = 0; i < r->log->nr; i++)
		if (r->log->calls[i].tid == 1)
			r->log->calls[i].tid = tid;
	a = numbers_take(&r->by_tid, 1);
	if (a && numbers_get(&r->by_tid, tid)) {
		bury(r, a);
	} else if (a) {
		a->tid = tid;
		numbers_put(&r->by_tid, tid, a);
	}
	move_halves(r, 1, tid);
	r->first = tid;
}

/* The task at the head of a line; *@line goes behind it. */
static long take_task(struct reader *r, char **line)
{
	char *p = *line, *rest;
	long tid;

	if (!strncmp(p, "[pid", 4)) {
		tid = strtol(p + 4, &rest, 10);
		if (*rest == ']' && tid > 0) {
			*line = rest + 1 + strspn(rest + 1, " ");
			name_first(r, tid);
			return tid;
		}
	} else if (isdigit((unsigned char)*p)) {
		tid = strtol(p, &rest, 10);
		if (*rest == ' ') {
			*line = rest + strspn(rest, " ");
			return tid;
		}
	}
	return unnamed_task(r);
}

/* Times of -t, -tt, -ttt and -r. */
static char *skip_time(char *p)
{
	size_t n = strspn(p, "0123456789:. ");

	if (!strncmp(p, "(+", 2) && strchr(p, ')')) {
		p = strchr(p, ')') + 1;
		return p + strspn(p, " ");
	}
	if (!n || !isdigit((unsigned char)p[strspn(p, " ")]))
		return p;
	return strchr("<+-_", p[n]) || isalpha((unsigned char)p[n]) ? p + n : p;
}

/* The last one of the task, or NULL. */
static struct half *take_half(struct reader *r, long tid)
{
	struct half *h = numbers_take(&r->halves, tid);

	if (h && h->next)
		numbers_put(&r->halves, tid, h->next);
	return h;
}

static void free_half(struct half *h)
{
	free(h->text);
	free(h);
}

static void first_half(struct reader *r, long tid, char *text, char *unfinished)
{
	struct half *h = cli_alloc(sizeof(*h));

	*unfinished = '\0';
	h->line = r->line;
	h->text = cli_strdup(text);
	h->next = numbers_get(&r->halves, tid);
	numbers_put(&r->halves, tid, h);
}

static void second_half(struct reader *r, long tid, char *text)
{
	char *rest = strstr(text, "resumed>"), *whole;
	struct half *h = rest ? take_half(r, tid) : NULL;

	if (!h)
		return;
	whole = cli_printf("%s%s", h->text, rest + strlen("resumed>"));
	take_call(r, tid, h->line, whole);
	free(whole);
	free_half(h);
}

/* "+++ superseded by execve in pid 12 +++": what that one began, this one ends. */
static void superseded(struct reader *r, long tid, const char *text)
{
	const char *by = strstr(text, "in pid ");
	struct half *h = take_half(r, tid);

	if (h)		/* what this task was in itself never ended */
		free_half(h);
	h = by ? take_half(r, strtol(by + 7, NULL, 10)) : NULL;
	if (!h)
		return;
	h->next = numbers_get(&r->halves, tid);
	numbers_put(&r->halves, tid, h);
}

static void take_line(struct reader *r, char *line)
{
	char *unfinished, *attached = strstr(line, "strace: Process ");
	long tid;

	if (attached && strstr(attached, " attached")) {
		numbers_put(&r->children, strtol(attached + 16, NULL, 10), r);
		if (attached != line)
			r->cut = strndup(line, (size_t)(attached - line));
		return;
	}
	tid = take_task(r, &line);
	if (tid == 1 && r->first == NO_TASK)
		r->first = 1;
	line = skip_time(line);
	if (!strncmp(line, "+++ superseded", 14)) {
		superseded(r, tid, line);
		return;
	}
	if (!strncmp(line, "+++ ", 4)) {
		died(r, tid);
		return;
	}
	if (!strncmp(line, "<... ", 5)) {
		lives(r, tid);
		second_half(r, tid, line);
		return;
	}
	if (!isalpha((unsigned char)*line) && *line != '_')
		return;
	if (!strncmp(line, "strace: ", 8))
		return;
	lives(r, tid);
	unfinished = strstr(line, " <unfinished ...>");
	if (!unfinished)
		unfinished = strstr(line, "<unfinished ...>");
	if (unfinished && strchr(line, '('))
		first_half(r, tid, line, unfinished);
	else
		take_call(r, tid, r->line, line);
}

/* ---------------------------------------------------------------------------------- logs -- */

static void free_reader(struct reader *r)
{
	for (size_t i = 0; i < r->halves.room; i++) {
		struct half *h = r->halves.entries[i].value, *next;

		for (; h; h = next) {
			next = h->next;
			free_half(h);
		}
	}
	for (size_t i = 0; i < r->nr_alive; i++)
		free(r->alive[i]);
	free(r->alive);
	numbers_free(&r->halves);
	numbers_free(&r->by_tid);
	numbers_free(&r->children);
	free(r->cut);
}

bool strace_is_log(struct text_in *text)
{
	struct strace_log log = { 0 };
	struct reader r = { .log = &log };
	char *args[MAX_ARGS], *name, *result, *copy, *p;
	size_t bytes, nr;
	char *line = text_line(text, &bytes);
	bool is;

	if (!line)
		return false;
	copy = p = cli_strdup(line);
	text_unread(text);
	(void)take_task(&r, &p);
	p = skip_time(p);
	is = isalpha((unsigned char)*p) && p[strcspn(p, "( ")] == '(';
	is = is && (strstr(p, "<unfinished ...>") || take_apart(p, &name, args, &nr, &result));
	is = is || !strncmp(p, "strace: ", 8) || !strncmp(p, "+++ ", 4) ||
	     !strncmp(p, "--- SIG", 7);
	free(copy);
	free_reader(&r);
	return is;
}

bool strace_read(struct text_in *text, const char *path, struct strace_log *log, char **why)
{
	struct reader r = { .log = log };
	size_t bytes;
	char *line;

	while ((line = text_line(text, &bytes))) {
		r.line++;
		if (strlen(line) != bytes) {
			*why = cli_printf("%s:%lu: a NUL byte: this is no text", path, r.line);
			break;
		}
		if (r.cut) {
			char *whole = cli_printf("%s%s", r.cut, line);

			free(r.cut);
			r.cut = NULL;
			take_line(&r, whole);
			free(whole);
		} else {
			take_line(&r, line);
		}
	}
	log->lines = r.line;
	if (text_failure(text))
		*why = cli_printf("%s:%lu: %s", path, r.line + 1, text_failure(text));
	free_reader(&r);
	return !*why;
}

void strace_free(struct strace_log *log)
{
	for (size_t i = 0; i < log->nr; i++) {
		free(log->calls[i].path);
		free(log->calls[i].call.string);
	}
	free(log->calls);
}
