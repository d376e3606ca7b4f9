/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Logs of strace: any text is read, and played.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "reader.h"
#include "tools/strace.h"

/* One machine for all: machine_header() asks the kernel, which takes longer than an input. */
static void play(const char *path, const struct strace_log *log)
{
	const struct trace_header header = {
		.ram_pages = 1ul << 20, .overcommit_ratio = 50, .max_map_count = 65530,
		.mmap_min_addr = 4096, .lsm_mmap_min_addr = 65536, .stack_guard_gap = 256,
		.features = VMAREA_FEATURES_DEFAULT,
	};
	int error;
	struct player *p = player_new(path, &header, 0, &error);

	if (!p)
		abort();
	p->validate = true;
	strace_play(p, log);
	if (p->defect) {
		reader_speak();
		fprintf(stderr, "DEFECT: %s\n", p->defect);
		abort();
	}
	player_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = reader_file(data, size);
	struct strace_log log = { 0 };
	struct text_in *text;
	char *why = NULL;

	reader_silence();
	text = text_open(path);
	if (!text)
		abort();
	if (strace_is_log(text) && strace_read(text, path, &log, &why))
		play(path, &log);
	strace_free(&log);
	free(why);
	text_close(text);
	reader_speak();
	return 0;
}
