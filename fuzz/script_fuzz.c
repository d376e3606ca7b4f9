/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Scripts of vmarea diff: any bytes are read; what could be read is the same after it has been
 * written and read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "reader.h"
#include "tools/diff.h"

static bool same_call(const struct diff_call *a, const struct diff_call *b)
{
	for (unsigned int i = 0; i < op_nr_args(a->op); i++) {
		/* There are not so many files: the name of none is written. */
		if (a->arg[i] != b->arg[i] && a->arg[i] < AGENT_MAX_FILES)
			return false;
	}
	return a->op == b->op && a->proc == b->proc;
}

static void check_again(const struct script *first)
{
	static const struct test_files files;
	static struct script second;
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		abort();
	script_write(to, first, &files);
	fclose(to);
	if (script_read(reader_file((const uint8_t *)text, bytes), &second) ||
	    second.nr != first->nr || second.setup.layout != first->setup.layout ||
	    second.setup.drop_caps != first->setup.drop_caps ||
	    second.setup.keep_vdso != first->setup.keep_vdso ||
	    second.setup.memory.touch != first->setup.memory.touch ||
	    second.setup.memory.path != first->setup.memory.path ||
	    second.setup.memory.levels != first->setup.memory.levels)
		abort();
	for (uint32_t i = 0; i < first->nr; i++)
		if (!same_call(&first->call[i], &second.call[i]))
			abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script script;

	reader_silence();
	if (!script_read(reader_file(data, size), &script))
		check_again(&script);
	reader_speak();
	return 0;
}
