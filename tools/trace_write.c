/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Writing recordings.
 */
#include <stdio.h>
#include <string.h>

#include "contents.h"
#include "trace.h"

const char *const map_when_names[2] = { "final", "check" };

void trace_write_quoted(struct text_out *out, const char *text)
{
	text_write(out, "\"", 1);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			text_printf(out, "\\%c", c);
		else if (c == '\n')
			text_write(out, "\\n", 2);
		else if (c < ' ' || c == 0x7f)
			text_printf(out, "\\x%02x", c);
		else
			text_write(out, text, 1);
	}
	text_write(out, "\"", 1);
}

void trace_write_header(struct text_out *out, const struct trace_header *h)
{
	text_printf(out, "vmarea-trace %u\n", h->version);
	text_printf(out, "kernel %s\nmachine %s\n", h->kernel, h->machine);
	text_printf(out, "ram-pages %lu\nswap-pages %lu\n", h->ram_pages, h->swap_pages);
	text_printf(out, "overcommit %u ratio=%u kbytes=%lu user-reserve=%lu admin-reserve=%lu\n",
		    h->overcommit, h->overcommit_ratio, h->overcommit_kbytes,
		    h->user_reserve_kbytes, h->admin_reserve_kbytes);
	text_printf(out, "max-map-count %lu\nmmap-min-addr %lu\nlsm-mmap-min-addr %lu\n"
		    "stack-guard-gap %lu\n", h->max_map_count, h->mmap_min_addr,
		    h->lsm_mmap_min_addr, h->stack_guard_gap);
	text_printf(out, "thp %s\nfeatures ", h->thp);
	for (size_t i = 0, n = 0; i < sizeof(feature_names) / sizeof(feature_names[0]); i++)
		if (h->features & feature_names[i].bit)
			text_printf(out, "%s%s", n++ ? "," : "", feature_names[i].name);
	if (!h->features)
		text_write(out, "-", 1);
	text_printf(out, "\ncommand ");
	trace_write_quoted(out, h->command);
	text_printf(out, "\nevents\n");
}

static const struct {
	unsigned int flag;
	const char *name;
} file_words[] = {
	{ FILE_APPEND_ONLY, "append-only" }, { FILE_NOEXEC, "noexec" }, { FILE_DELETED, "deleted" },
	{ FILE_SHMEM, "shmem" }, { FILE_DEV_ZERO, "dev-zero" }, { FILE_HUGETLB, "hugetlb" },
	{ FILE_DAX, "dax" }, { FILE_SEAL_WRITE, "seal-write" },
	{ FILE_MAP_SYNC, "map-sync" },
};

void trace_write_file(struct text_out *out, const struct trace_file *file)
{
	static const char *const places[] = { "any", "huge", "shmem" };
	char letters[128];

	text_printf(out, "file f%u %02x:%02x %lu mode=%s%s%s place=%s size=%lu", file->id,
		    file->dev_major, file->dev_minor, (unsigned long)file->inode,
		    file->flags & FILE_READ ? "r" : "", file->flags & FILE_WRITE ? "w" : "",
		    file->flags & (FILE_READ | FILE_WRITE) ? "" : "-", places[file->placement],
		    (unsigned long)file->size_bytes);
	if (file->max_bytes)
		text_printf(out, " max=%lu", (unsigned long)file->max_bytes);
	for (size_t i = 0; i < sizeof(file_words) / sizeof(file_words[0]); i++)
		if (file->flags & file_words[i].flag)
			text_printf(out, " %s", file_words[i].name);
	if (file->hook == HOOK_NONE)
		text_printf(out, " nommap");
	if (file->hook == HOOK_DRIVER) {
		vm_flags_letters(file->hook_flags, letters);
		text_printf(out, " sets=%s", letters);
	}
	text_write(out, " ", 1);
	trace_write_quoted(out, file->name);
	text_write(out, "\n", 1);
}

void trace_write_exec(struct text_out *out, long task, unsigned int mm,
		      const struct trace_exec *exec)
{
	const struct mm_config *c = &exec->config;
	char letters[128];

	text_printf(out, "exec %ld m%u task-size=0x%lx base=0x%lx legacy-base=0x%lx%s "
		    "code=0x%lx-0x%lx data=0x%lx-0x%lx brk=0x%lx-0x%lx stack=0x%lx "
		    "personality=0x%x caps=0x%x as=0x%lx data-limit=0x%lx stack-limit=0x%lx "
		    "memlock=0x%lx ", task, mm, c->task_size, c->mmap_base, c->mmap_legacy_base,
		    c->bottom_up ? " bottom-up" : "", c->start_code, c->end_code, c->start_data,
		    c->end_data, c->start_brk, c->brk, c->start_stack, c->personality, c->caps,
		    c->rlimit[MM_RLIMIT_AS], c->rlimit[MM_RLIMIT_DATA],
		    c->rlimit[MM_RLIMIT_STACK], c->rlimit[MM_RLIMIT_MEMLOCK]);
	trace_write_quoted(out, exec->path);
	text_write(out, "\n", 1);
	for (size_t i = 0; i < exec->nr_areas; i++) {
		const struct trace_area *a = &exec->areas[i];

		vm_flags_letters(a->flags, letters);
		text_printf(out, " %lx-%lx %s", a->start, a->end, letters);
		if (a->file)
			text_printf(out, " f%u", a->file);
		if (a->pgoff)
			text_printf(out, " pgoff=0x%lx", a->pgoff);
		if (a->touched)
			text_printf(out, " touched");
		if (a->special) {
			text_write(out, " ", 1);
			trace_write_quoted(out, a->special);
		}
		text_write(out, "\n", 1);
	}
	text_printf(out, "end\n");
}

static void write_number(struct text_out *out, unsigned long value)
{
	text_printf(out, value < 10 ? " %lu" : " 0x%lx", value);
}

void trace_write_call(struct text_out *out, long task, const struct call *call)
{
	const struct call_kind *kind = &call_kinds[call->id];
	char result[32];
	int n = 0;

	text_printf(out, "%s %ld", kind->name, task);
	for (const char *arg = kind->args; *arg; arg++) {
		switch (*arg) {
		case 'f':
			if (call->file)
				text_printf(out, " f%u", call->file);
			else
				text_write(out, " -", 2);
			break;
		case 't':
			if (call->task)
				text_printf(out, " %ld", call->task);
			else
				text_write(out, " -", 2);
			break;
		case 's':
			text_write(out, " ", 1);
			if (call->string)
				trace_write_quoted(out, call->string);
			else
				text_write(out, "-", 1);
			break;
		case 'r':
			for (size_t i = 0; i < call->nr_ranges; i++)
				text_printf(out, " 0x%lx+0x%lx", call->ranges[i].addr,
					    call->ranges[i].len);
			break;
		default:
			write_number(out, call->args[n++]);
		}
	}
	text_printf(out, " = %s\n", call->unknown ? "?" : result_text(call->result, result));
}

/* Pieces with fewer equal bytes than this between them are told as one. */
#define GAP	4u

void trace_write_pieces(struct text_out *out, const void *page, const void *before)
{
	static const unsigned char zero[CONTENTS_BYTES];
	const unsigned char *now = page, *was = before ? before : zero;

	for (unsigned int at = 0, end; at < CONTENTS_BYTES; at = end) {
		char hex[2 * CONTENTS_BYTES + 1];

		end = at + 1;
		if (now[at] == was[at])
			continue;
		for (unsigned int i = end; i < CONTENTS_BYTES && i < end + GAP; i++)
			if (now[i] != was[i])
				end = i + 1;
		for (unsigned int i = at; i < end; i++) {
			hex[2 * (i - at)] = "0123456789abcdef"[now[i] >> 4];
			hex[2 * (i - at) + 1] = "0123456789abcdef"[now[i] & 15];
		}
		text_printf(out, " 0x%x:", at);
		text_write(out, hex, 2 * (end - at));
	}
}
