/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Text on its way to the caller's writer; after the first error nothing more is written. */
#ifndef REPORT_OUT_H
#define REPORT_OUT_H

#include <vmarea/report.h>

#include "base/str.h"

#define OUT_BYTES	1024

struct out {
	mm_writer write;
	void *arg;
	int result;			/* of write() */
	size_t len;
	char buf[OUT_BYTES];
};

void out_init(struct out *out, mm_writer write, void *arg);
/* What is still in the buffer; returns out->result. */
int out_flush(struct out *out);
void out_char(struct out *out, char c);
void out_str(struct out *out, const char *s);
void out_dec(struct out *out, u64 value);
void out_hex(struct out *out, u64 value);

/* ---- maps.c: what smaps and JSON have in common with maps. */

/* "rw-p" */
void report_perms(struct text *text, vm_flags_t flags);
void report_maps_line(struct out *out, const struct area_info *info);
/* The bytes of a page of the area. */
unsigned long report_page_size(const struct area_info *info);

/* ---- json.c */

/* The first member of an object has no comma before it. */
enum member { MEMBER_FIRST, MEMBER_NEXT };
/* "key": 12 */
void json_number(struct out *out, enum member member, const char *key, u64 value);

#endif
