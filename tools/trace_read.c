/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reading recordings.  A line is taken apart from left to right by a cursor; the first thing that
 * is not as it should be is what the error names, and the line is given up.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "trace_cursor.h"

/* -------------------------------------------------------------------------------- header -- */

bool trace_is_recording(struct text_in *text)
{
	size_t bytes;
	char *line = text_line(text, &bytes);
	bool is = line && !strncmp(line, "vmarea-trace", strlen("vmarea-trace"));

	if (line)
		text_unread(text);
	return is;
}

static bool header_features(struct trace_in *in, struct trace_header *h)
{
	char *w = need_word(in, "features"), *save = NULL;

	if (!w || !strcmp(w, "-"))
		return w;
	for (char *name = strtok_r(w, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		size_t i;

		for (i = 0; i < NR_FEATURES; i++)
			if (!strcmp(feature_names[i].name, name))
				break;
		if (i == NR_FEATURES)
			return bad(in, "features: there is no '%s'", name);
		h->features |= feature_names[i].bit;
	}
	return true;
}

static bool header_overcommit(struct trace_in *in, struct trace_header *h)
{
	unsigned long mode, ratio;
	char *w;

	if (!need_number(in, "overcommit", &mode))
		return false;
	if (mode > 2)
		return bad(in, "overcommit: %lu is not 0, 1 or 2", mode);
	h->overcommit = (unsigned int)mode;
	while ((w = word(in))) {
		bool ok = true;

		if (!strncmp(w, "ratio=", 6)) {
			ok = to_number(w + 6, 0, &ratio) && ratio <= 1000000;
			h->overcommit_ratio = (unsigned int)ratio;
		} else if (!strncmp(w, "kbytes=", 7)) {
			ok = to_number(w + 7, 0, &h->overcommit_kbytes);
		} else if (!strncmp(w, "user-reserve=", 13)) {
			ok = to_number(w + 13, 0, &h->user_reserve_kbytes);
		} else if (!strncmp(w, "admin-reserve=", 14)) {
			ok = to_number(w + 14, 0, &h->admin_reserve_kbytes);
		} else {
			ok = false;
		}
		if (!ok)
			return bad(in, "overcommit: '%s' is not understood", w);
	}
	return true;
}

static bool header_line(struct trace_in *in, struct trace_header *h, const char *key)
{
	const struct { const char *key; unsigned long *value, most; } numbers[] = {
		{ "ram-pages", &h->ram_pages, ~0ul }, { "swap-pages", &h->swap_pages, ~0ul },
		{ "max-map-count", &h->max_map_count, UINT_MAX },
		{ "mmap-min-addr", &h->mmap_min_addr, ~0ul },
		{ "lsm-mmap-min-addr", &h->lsm_mmap_min_addr, ~0ul },
		{ "stack-guard-gap", &h->stack_guard_gap, UINT_MAX },
	};
	const struct { const char *key; char *to; size_t size; } words[] = {
		{ "kernel", h->kernel, sizeof(h->kernel) },
		{ "machine", h->machine, sizeof(h->machine) },
		{ "thp", h->thp, sizeof(h->thp) },
	};
	char *text;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcmp(key, numbers[i].key))
			return need_number(in, key, numbers[i].value) &&
			       (*numbers[i].value <= numbers[i].most ||
				bad(in, "%s: %lu is too large, at most %lu", key,
				    *numbers[i].value, numbers[i].most));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(key, words[i].key))
			continue;
		text = need_word(in, key);
		if (text)
			snprintf(words[i].to, words[i].size, "%s", text);
		return text;
	}
	if (!strcmp(key, "overcommit"))
		return header_overcommit(in, h);
	if (!strcmp(key, "features"))
		return header_features(in, h);
	if (!strcmp(key, "command")) {
		text = need_quoted(in, key);
		free(h->command);
		h->command = cli_strdup(text ? text : "");
		return text;
	}
	return bad(in, "the header has no '%s'", key);
}

static bool read_header(struct trace_in *in, struct trace_header *h)
{
	unsigned long version;
	char *key;

	if (!next_line(in) || !(key = word(in)) || strcmp(key, "vmarea-trace"))
		return bad(in, "this is no recording: it does not begin with 'vmarea-trace'");
	if (!need_number(in, "version", &version))
		return false;
	if (version != TRACE_VERSION && version != TRACE_VERSION_PAGES)
		return bad(in, "version %lu is not known, only %d and %d", version, TRACE_VERSION,
			   TRACE_VERSION_PAGES);
	h->version = in->version = (unsigned int)version;
	while (next_line(in)) {
		key = word(in);
		if (!key)
			return bad(in, "an empty line in the header");
		if (!strcmp(key, "events"))
			return need_end(in);
		if (!header_line(in, h, key) || !need_end(in))
			return false;
	}
	return bad(in, "the header does not end with 'events'");
}

struct trace_in *trace_open(struct text_in *text, const char *path, struct trace_header *header)
{
	struct trace_in *in = cli_alloc(sizeof(*in));
	struct vmarea_config defaults = VMAREA_CONFIG_INIT;

	*header = (struct trace_header){
		.ram_pages = defaults.total_ram_pages,
		.overcommit_ratio = defaults.overcommit_ratio,
		.user_reserve_kbytes = defaults.user_reserve_kbytes,
		.admin_reserve_kbytes = defaults.admin_reserve_kbytes,
		.max_map_count = defaults.max_map_count, .mmap_min_addr = defaults.mmap_min_addr,
		.lsm_mmap_min_addr = defaults.lsm_mmap_min_addr,
		.stack_guard_gap = defaults.stack_guard_gap_pages, .command = cli_strdup(""),
	};
	in->text = text;
	in->path = cli_strdup(path);
	if (read_header(in, header))
		return in;
	fprintf(stderr, "%s\n", in->error);
	trace_header_free(header);
	trace_close(in);
	return NULL;
}

void trace_header_free(struct trace_header *header)
{
	free(header->command);
	header->command = NULL;
}

void trace_close(struct trace_in *in)
{
	if (!in)
		return;
	free(in->path);
	free(in->error);
	free(in);
}

const char *trace_error(const struct trace_in *in)
{
	return in->error;
}

/* -------------------------------------------------------------------------------- events -- */

static bool parse_flags(struct trace_in *in, char *w, vm_flags_t *flags)
{
	char *save = NULL;

	*flags = 0;
	if (!strcmp(w, "-"))
		return true;
	for (char *two = strtok_r(w, ",", &save); two; two = strtok_r(NULL, ",", &save)) {
		vm_flags_t flag = strlen(two) == 2 ? vm_flag_by_letters(two) : 0;

		if (!flag)
			return bad(in, "'%s' is no flag of VmFlags that is known", two);
		*flags |= flag;
	}
	return true;
}

static bool file_word(struct trace_in *in, struct trace_file *f, char *w)
{
	static const struct { const char *word; unsigned int flag; } words[] = {
		{ "append-only", FILE_APPEND_ONLY }, { "noexec", FILE_NOEXEC },
		{ "deleted", FILE_DELETED }, { "shmem", FILE_SHMEM },
		{ "dev-zero", FILE_DEV_ZERO }, { "hugetlb", FILE_HUGETLB }, { "dax", FILE_DAX },
		{ "seal-write", FILE_SEAL_WRITE },
		{ "map-sync", FILE_MAP_SYNC },
		{ "mode=r", FILE_READ }, { "mode=w", FILE_WRITE },
		{ "mode=rw", FILE_READ | FILE_WRITE }, { "mode=-", 0 },
	};
	static const char *const places[] = { "place=any", "place=huge", "place=shmem" };
	unsigned long size;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(w, words[i].word)) {
			f->flags |= words[i].flag;
			return true;
		}
	}
	for (size_t i = 0; i < 3; i++) {
		if (!strcmp(w, places[i])) {
			f->placement = (enum file_placement)i;
			return true;
		}
	}
	if (!strncmp(w, "size=", 5) && to_number(w + 5, 0, &size)) {
		f->size_bytes = size;
		return true;
	}
	if (!strncmp(w, "max=", 4) && to_number(w + 4, 0, &size)) {
		f->max_bytes = size;
		return true;
	}
	if (!strcmp(w, "nommap")) {
		f->hook = HOOK_NONE;
		return true;
	}
	if (!strncmp(w, "sets=", 5)) {
		f->hook = HOOK_DRIVER;
		return parse_flags(in, w + 5, &f->hook_flags);
	}
	return bad(in, "file: '%s' is not understood", w);
}

/* file f1 fe:00 1234 mode=r place=huge size=99 "name" */
static bool parse_file(struct trace_in *in, struct trace_event *e)
{
	struct trace_file *f = &e->desc;
	unsigned long major, minor, inode;
	char *w, *colon;

	if (!need_id(in, 'f', &f->id) || !(w = need_word(in, "device")))
		return false;
	colon = strchr(w, ':');
	if (colon)
		*colon = '\0';
	if (!colon || !to_number(w, 16, &major) || !to_number(colon + 1, 16, &minor))
		return bad(in, "the device is not major:minor in hexadecimal");
	if (!need_number(in, "inode", &inode))
		return false;
	f->dev_major = (unsigned int)major;
	f->dev_minor = (unsigned int)minor;
	f->inode = inode;
	while (*in->p == ' ')
		in->p++;
	while (*in->p && *in->p != '"') {
		if (!file_word(in, f, word(in)))
			return false;
		while (*in->p == ' ')
			in->p++;
	}
	w = need_quoted(in, "the file's name");
	if (!w)
		return false;
	f->name = cli_strdup(w);
	return need_end(in);
}

static bool exec_word(struct trace_in *in, struct mm_config *c, char *w)
{
	unsigned long personality = c->personality, caps = c->caps;
	const struct { const char *key; unsigned long *value; } numbers[] = {
		{ "task-size=", &c->task_size }, { "base=", &c->mmap_base },
		{ "legacy-base=", &c->mmap_legacy_base }, { "stack=", &c->start_stack },
		{ "personality=", &personality }, { "caps=", &caps },
		{ "as=", &c->rlimit[MM_RLIMIT_AS] }, { "data-limit=", &c->rlimit[MM_RLIMIT_DATA] },
		{ "stack-limit=", &c->rlimit[MM_RLIMIT_STACK] },
		{ "memlock=", &c->rlimit[MM_RLIMIT_MEMLOCK] },
	};
	const struct { const char *key; unsigned long *start, *end; } pairs[] = {
		{ "code=", &c->start_code, &c->end_code },
		{ "data=", &c->start_data, &c->end_data },
		{ "brk=", &c->start_brk, &c->brk },
	};

	if (!strcmp(w, "bottom-up")) {
		c->bottom_up = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		size_t n = strlen(numbers[i].key);

		if (strncmp(w, numbers[i].key, n))
			continue;
		if (!to_number(w + n, 0, numbers[i].value))
			return bad(in, "exec: '%s' is not a number", w);
		c->personality = (unsigned int)personality;
		c->caps = (unsigned int)caps;
		return true;
	}
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t n = strlen(pairs[i].key);

		if (!strncmp(w, pairs[i].key, n))
			return to_pair(w + n, pairs[i].start, pairs[i].end) ||
			       bad(in, "exec: '%s' is not START-END", w);
	}
	return bad(in, "exec: '%s' is not understood", w);
}

/* " 2000-3000 rd,wr,mr f1 pgoff=0x2 touched "[vdso]"" */
static bool parse_area(struct trace_in *in, struct trace_exec *exec)
{
	struct trace_area *a;
	char *w = need_word(in, "range");

	exec->areas = cli_realloc(exec->areas, (exec->nr_areas + 1) * sizeof(*a));
	a = &exec->areas[exec->nr_areas++];
	*a = (struct trace_area){ 0 };
	if (!w || !to_pair(w, &a->start, &a->end))
		return bad(in, "an area's START-END, or 'end', is missing");
	if (a->start == a->end || (a->start | a->end) & 0xfff)
		return bad(in, "the area %lx-%lx is not whole pages", a->start, a->end);
	w = need_word(in, "flags");
	if (!w || !parse_flags(in, w, &a->flags))
		return false;
	for (;;) {
		while (*in->p == ' ')
			in->p++;
		if (*in->p == '"') {
			w = need_quoted(in, "name");
			if (!w)
				return false;
			if (a->special)
				return bad(in, "area: '%s' is a second name", w);
			a->special = cli_strdup(w);
			continue;
		}
		w = word(in);
		if (!w)
			return true;
		if (!strcmp(w, "touched"))
			a->touched = true;
		else if (!(!strncmp(w, "pgoff=", 6) && to_number(w + 6, 0, &a->pgoff)) &&
			 !to_id(w, 'f', &a->file))
			return bad(in, "area: '%s' is not understood", w);
	}
}

static bool parse_exec(struct trace_in *in, struct trace_event *e)
{
	struct trace_exec *exec = &e->exec;
	unsigned long line = in->line;
	char *w;

	exec->config = (struct mm_config)MM_CONFIG_INIT;
	if (!need_task(in, "task", &e->task) || !need_id(in, 'm', &e->mm))
		return false;
	for (;;) {
		while (*in->p == ' ')
			in->p++;
		if (*in->p == '"')
			break;
		w = need_word(in, "path");
		if (!w || !exec_word(in, &exec->config, w))
			return false;
	}
	w = need_quoted(in, "path");
	if (!w)
		return false;
	exec->path = cli_strdup(w);
	if (!need_end(in))
		return false;
	while (next_line(in)) {
		if (!strcmp(in->p, "end"))
			return true;
		if (!parse_area(in, exec))
			return false;
	}
	return bad(in, "the map of the exec in line %lu has no 'end'", line);
}

static bool parse_map(struct trace_in *in, struct trace_event *e)
{
	unsigned long line = in->line;
	size_t used = 0, room = 4096;
	char *w;

	if (!need_id(in, 'm', &e->mm) || !(w = need_word(in, "final or check")))
		return false;
	if (strcmp(w, map_when_names[MAP_FINAL]) && strcmp(w, map_when_names[MAP_CHECK]))
		return bad(in, "map: '%s' is neither final nor check", w);
	e->when = strcmp(w, map_when_names[MAP_CHECK]) ? MAP_FINAL : MAP_CHECK;
	if (!need_end(in))
		return false;
	e->text = cli_alloc(room);
	while (next_line(in)) {
		size_t n = strlen(in->p);

		if (!strcmp(in->p, "end"))
			return true;
		if (*in->p != ' ')
			return bad(in, "a line of a map begins with a space; 'end' ends it");
		if (used + n + 1 > room) {
			room = (used + n + 1) * 2;
			e->text = cli_realloc(e->text, room);
		}
		memcpy(e->text + used, in->p + 1, n - 1);
		used += n;
		e->text[used - 1] = '\n';
		e->text[used] = '\0';
	}
	return bad(in, "the map in line %lu has no 'end'", line);
}

static bool parse_range(struct trace_in *in, struct call *call, char *w)
{
	struct mm_range range;
	char *plus = strchr(w, '+');

	if (plus)
		*plus = '\0';
	if (!plus || !to_number(w, 0, &range.addr) || !to_number(plus + 1, 0, &range.len))
		return bad(in, "%s: a range is not ADDRESS+LENGTH", call_kinds[call->id].name);
	call->ranges = cli_realloc(call->ranges, (call->nr_ranges + 1) * sizeof(range));
	call->ranges[call->nr_ranges++] = range;
	return true;
}

static bool parse_result(struct trace_in *in, struct call *call, const char *w)
{
	const char *name = call_kinds[call->id].name;
	unsigned long error;

	if (!strcmp(w, "?")) {
		call->unknown = true;
		return true;
	}
	if (w[0] != '-')
		return to_number(w, 0, &call->result) ||
		       bad(in, "%s: the result '%s' is not a number", name, w);
	if (!to_number(w + 1, 10, &error))
		error = (unsigned long)errno_by_name(w + 1);
	if (!error || error > 4095)
		return bad(in, "%s: there is no error '%s'", name, w + 1);
	call->result = -error;
	return true;
}

static bool parse_arg(struct trace_in *in, struct call *call, char type, int *n)
{
	const char *name = call_kinds[call->id].name;
	char *w;

	while (*in->p == ' ')
		in->p++;
	if (type == 's' && *in->p == '"') {
		w = need_quoted(in, "name");
		if (w)
			call->string = cli_strdup(w);
		return w;
	}
	w = need_word(in, "an argument");
	if (!w)
		return false;
	if (!strcmp(w, "="))
		return bad(in, "%s: too few arguments", name);
	if (type == 'a')
		return to_number(w, 0, &call->args[(*n)++]) ||
		       bad(in, "%s: '%s' is not a number", name, w);
	if (!strcmp(w, "-"))
		return true;
	if (type == 'f')
		return to_id(w, 'f', &call->file) || bad(in, "%s: '%s' is not a file", name, w);
	if (type == 't') {
		unsigned long task;

		if (!to_number(w, 10, &task) || task > 0x7fffffff)
			return bad(in, "%s: '%s' is no task", name, w);
		call->task = (long)task;
		return true;
	}
	return bad(in, "%s: '%s' is not a name in quotes", name, w);
}

static bool parse_call(struct trace_in *in, struct trace_event *e, enum call_id id)
{
	struct call *call = &e->call;
	const char *args = call_kinds[id].args;
	char *w;
	int n = 0;

	call->id = id;
	if (!need_task(in, "task", &e->task))
		return false;
	for (; *args && *args != 'r'; args++)
		if (!parse_arg(in, call, *args, &n))
			return false;
	for (;;) {
		w = need_word(in, "'='");
		if (!w)
			return false;
		if (!strcmp(w, "="))
			break;
		if (*args != 'r')
			return bad(in, "%s: '%s' where '=' should be", call_kinds[id].name, w);
		if (!parse_range(in, call, w))
			return false;
	}
	w = need_word(in, "the result");
	return w && parse_result(in, call, w) && need_end(in);
}

static bool parse_text(struct trace_in *in, struct trace_event *e)
{
	char *w = need_quoted(in, "text");

	if (!w)
		return false;
	e->text = cli_strdup(w);
	return need_end(in);
}

static bool parse_child(struct trace_in *in, struct trace_event *e)
{
	return need_task(in, "task", &e->task) && need_task(in, "child", &e->child) &&
	       (e->kind != EV_FORK || need_id(in, 'm', &e->mm)) && need_end(in);
}

static bool parse_address(struct trace_in *in, struct trace_event *e)
{
	return need_id(in, 'm', &e->mm) && need_number(in, "address", &e->value) && need_end(in);
}

static bool parse_value(struct trace_in *in, struct trace_event *e)
{
	return need_task(in, "task", &e->task) && need_number(in, "value", &e->value) &&
	       need_end(in);
}

static bool parse_limits(struct trace_in *in, struct trace_event *e)
{
	static const char *const names[MM_NR_RLIMITS] = { "as", "data", "stack", "memlock" };

	if (!need_task(in, "task", &e->task))
		return false;
	for (int i = 0; i < MM_NR_RLIMITS; i++)
		if (!need_number(in, names[i], &e->rlimit[i]))
			return false;
	return need_end(in);
}

static bool parse_file_change(struct trace_in *in, struct trace_event *e)
{
	if (!need_id(in, 'f', &e->file))
		return false;
	return e->kind == EV_RENAME ? parse_text(in, e) : need_end(in);
}

static bool parse_note(struct trace_in *in, struct trace_event *e)
{
	return need_task(in, "task", &e->task) && parse_text(in, e);
}

static const struct {
	const char *word;
	enum event_kind kind;
	bool (*parse)(struct trace_in *in, struct trace_event *e);
} event_words[] = {
	{ "file", EV_FILE, parse_file }, { "rename", EV_RENAME, parse_file_change },
	{ "deleted", EV_DELETED, parse_file_change }, { "sealed", EV_SEALED, parse_file_change },
	{ "exec", EV_EXEC, parse_exec },
	{ "fork", EV_FORK, parse_child }, { "vfork", EV_VFORK, parse_child },
	{ "thread", EV_THREAD, parse_child }, { "exit", EV_EXIT, parse_value },
	{ "leader", EV_LEADER, parse_child },
	{ "map", EV_MAP, parse_map }, { "touch", EV_TOUCH, parse_address },
	{ "grow", EV_GROW, parse_address }, { "limits", EV_LIMITS, parse_limits },
	{ "caps", EV_CAPS, parse_value }, { "personality", EV_PERSONALITY, parse_value },
	{ "note", EV_NOTE, parse_note },
	{ "size", EV_SIZE, parse_pages }, { "page", EV_PAGE, parse_pages },
	{ "store", EV_STORE, parse_pages }, { "own", EV_OWN, parse_pages },
	{ "read", EV_READ, parse_pages }, { "check", EV_CHECK, parse_pages },
	{ "rss", EV_RSS, parse_pages },
};

int trace_next(struct trace_in *in, struct trace_event *e)
{
	enum call_id id;
	char *w;

	*e = (struct trace_event){ 0 };
	do {
		if (!next_line(in))
			return in->error ? -1 : 0;
		w = word(in);
	} while (!w || *w == '#');
	e->line = in->line;
	id = call_by_name(w);
	if (id != NR_CALLS) {
		e->kind = EV_CALL;
		return parse_call(in, e, id) ? 1 : -1;
	}
	for (size_t i = 0; i < sizeof(event_words) / sizeof(event_words[0]); i++) {
		if (strcmp(w, event_words[i].word))
			continue;
		e->kind = event_words[i].kind;
		if (e->kind >= EV_SIZE && e->kind <= EV_RSS && in->version < TRACE_VERSION_PAGES) {
			bad(in, "'%s' is of version %d, this is version %u", w,
			    TRACE_VERSION_PAGES, in->version);
			return -1;
		}
		return event_words[i].parse(in, e) ? 1 : -1;
	}
	bad(in, "there is no event '%s'", w);
	return -1;
}

void trace_event_free(struct trace_event *e)
{
	free(e->text);
	free(e->desc.name);
	free(e->exec.path);
	for (size_t i = 0; i < e->exec.nr_areas; i++)
		free(e->exec.areas[i].special);
	free(e->exec.areas);
	free(e->pages.bytes);
	free(e->pages.pieces);
	free(e->pages.runs);
	free(e->call.string);
	free(e->call.ranges);
}
