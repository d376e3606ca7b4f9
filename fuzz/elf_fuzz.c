/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The programs that a log of strace names are opened, if they are there: any bytes as such a file.
 * The first eight bytes are the call that the dynamic linker makes, in pages.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "reader.h"
#include "tools/strace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct trace_header header = { .ram_pages = 1000, .max_map_count = 1000 };
	const struct mm_config config = MM_CONFIG_INIT;
	struct mm_user *user;
	struct player *p;
	uint32_t call[2];
	int error;

	if (size < sizeof(call))
		return 0;
	memcpy(call, data, sizeof(call));
	p = player_new("elf", &header, 0, &error);
	if (!p || mm_create(p->vmarea, &config, &user))
		abort();
	(void)strace_add_image(player_add_mm(p, 1, user, &config),
			       reader_file(data + sizeof(call), size - sizeof(call)),
			       call[0] * 4096ul, call[1] * 4096ul);
	player_join_mm(player_add_task(p, 1, player_add_process(p, 1, NULL)), player_mm(p, 1));
	player_free(p);
	return 0;
}
