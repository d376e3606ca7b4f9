/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The notes of a core file.
 *
 *	| name's bytes, 5 | descriptor's bytes | type | "CORE" 0 0 0 0 | descriptor, to 4 bytes |
 *
 * In Linux's order: the first thread's NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_FILE, the other
 * threads' NT_PRSTATUS.
 *
 * NT_FILE, which tells a debugger which file is mapped where:
 *
 *	number of entries, bytes of a page
 *	start, end, offset in pages		for each area that has a file
 *	names, each ended by a 0		in the same order
 */
#include "file/file.h"
#include "report/core.h"

#define NT_PRSTATUS	1u
#define NT_PRPSINFO	3u
#define NT_AUXV		6u
#define NT_FILE		0x46494c45u

/* Linux's core_file_note_size_limit. */
#define FILE_NOTE_MOST	(4ul << 20)

#define DELETED		" (deleted)"

/* What stands before the registers; a word behind them says whether there are more. */
struct thread_status {
	int32_t signal, code, error;
	int16_t current_signal;
	u16 pad;
	u64 pending, held;
	int32_t pid, ppid, pgrp, sid;
	u64 times[8];
};

struct process_info {
	char state, state_letter, zombie, nice;
	u32 pad;
	u64 flags;
	u32 uid, gid;
	int32_t pid, ppid, pgrp, sid;
	char name[16], arguments[80];
};

struct note_header {
	u32 name_bytes, bytes, type;
	char name[8];
};

_Static_assert(sizeof(struct thread_status) == 112, "elf_prstatus");
_Static_assert(sizeof(struct process_info) == 136, "elf_prpsinfo");
_Static_assert(sizeof(struct note_header) == 20, "elf(5)");

size_t core_registers_bytes(enum mm_table_format machine)
{
	return (machine == MM_TABLE_RISCV ? 32 : 27) * sizeof(u64);
}

/* ------------------------------------------------------------------------------- measuring -- */

static u64 status_bytes(const struct core *core)
{
	return sizeof(struct thread_status) + core_registers_bytes(core->config->machine) +
	       sizeof(u64);
}

static u64 file_note_bytes(const struct core_copy *copy)
{
	u64 bytes = 2 * sizeof(u64);

	for (size_t i = 0; i < copy->nr; i++)
		if (copy->areas[i].file)
			bytes += 3 * sizeof(u64) + str_len(copy->areas[i].file->name) + 1 +
				 (copy->areas[i].deleted ? sizeof(DELETED) - 1 : 0);
	return bytes <= FILE_NOTE_MOST ? bytes : 0;
}

static u64 note_bytes(u64 bytes)
{
	return sizeof(struct note_header) + ALIGN(bytes, 4ul);
}

u64 core_measure_notes(struct core *core)
{
	const struct mm_core_config *config = core->config;
	u64 bytes = (config->nr_threads ? config->nr_threads : 1) * note_bytes(status_bytes(core));

	bytes += note_bytes(sizeof(struct process_info));
	if (config->auxv)
		bytes += note_bytes(config->auxv_bytes);
	core->file_note_bytes = file_note_bytes(core->copy);
	if (core->file_note_bytes)
		bytes += note_bytes(core->file_note_bytes);
	return bytes;
}

/* --------------------------------------------------------------------------------- writing -- */

static void begin_note(struct core *core, u32 type, u64 bytes)
{
	const struct note_header header = {
		.name_bytes = 5, .bytes = (u32)bytes, .type = type, .name = "CORE",
	};

	core_out(core, &header, sizeof(header));
}

static void end_note(struct core *core, u64 bytes)
{
	static const char zeros[4];

	core_out(core, zeros, ALIGN(bytes, 4ul) - bytes);
}

static void write_note(struct core *core, u32 type, const void *note, u64 bytes)
{
	begin_note(core, type, bytes);
	core_out(core, note, bytes);
	end_note(core, bytes);
}

static void write_thread(struct core *core, const struct mm_core_thread *thread)
{
	static const u64 zeros[32];
	const struct mm_core_config *config = core->config;
	const struct thread_status status = {
		.signal = thread->signal, .current_signal = (int16_t)thread->signal,
		.pid = thread->tid, .ppid = config->ppid, .pgrp = config->pgrp,
		.sid = config->sid,
	};
	const u64 has_float = 0;

	begin_note(core, NT_PRSTATUS, status_bytes(core));
	core_out(core, &status, sizeof(status));
	core_out(core, thread->registers ? thread->registers : zeros,
		 core_registers_bytes(config->machine));
	core_out(core, &has_float, sizeof(has_float));
}

static void write_process(struct core *core)
{
	const struct mm_core_config *config = core->config;
	struct process_info info = {
		.state_letter = 'R', .uid = config->uid, .gid = config->gid, .pid = config->pid,
		.ppid = config->ppid, .pgrp = config->pgrp, .sid = config->sid,
	};

	if (config->name)
		str_copy(info.name, sizeof(info.name), config->name);
	if (config->arguments)
		str_copy(info.arguments, sizeof(info.arguments), config->arguments);
	write_note(core, NT_PRPSINFO, &info, sizeof(info));
}

static void out_word(struct core *core, u64 word)
{
	core_out(core, &word, sizeof(word));
}

static void write_file_names(struct core *core)
{
	const struct core_copy *copy = core->copy;

	for (size_t i = 0; i < copy->nr; i++) {
		if (!copy->areas[i].file)
			continue;
		out_str(&core->out, copy->areas[i].file->name);
		if (copy->areas[i].deleted)
			out_str(&core->out, DELETED);
		out_char(&core->out, 0);
	}
}

static void write_files(struct core *core)
{
	const struct core_copy *copy = core->copy;
	u64 nr = 0;

	if (!core->file_note_bytes)
		return;
	for (size_t i = 0; i < copy->nr; i++)
		nr += !!copy->areas[i].file;
	begin_note(core, NT_FILE, core->file_note_bytes);
	out_word(core, nr);
	out_word(core, PAGE_SIZE);
	for (size_t i = 0; i < copy->nr; i++) {
		if (!copy->areas[i].file)
			continue;
		out_word(core, copy->areas[i].start);
		out_word(core, copy->areas[i].end);
		out_word(core, copy->areas[i].pgoff);
	}
	write_file_names(core);
	end_note(core, core->file_note_bytes);
}

void core_write_notes(struct core *core)
{
	const struct mm_core_config *config = core->config;
	const struct mm_core_thread only = { .tid = config->pid };

	write_thread(core, config->nr_threads ? config->threads : &only);
	write_process(core);
	if (config->auxv)
		write_note(core, NT_AUXV, config->auxv, config->auxv_bytes);
	write_files(core);
	for (size_t i = 1; i < config->nr_threads; i++)
		write_thread(core, &config->threads[i]);
}
