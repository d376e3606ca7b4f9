/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "report/out.h"

void out_init(struct out *out, mm_writer write, void *arg)
{
	out->write = write;
	out->arg = arg;
	out->result = 0;
	out->len = 0;
}

int out_flush(struct out *out)
{
	if (out->len && !out->result)
		out->result = out->write(out->arg, out->buf, out->len);
	out->len = 0;
	return out->result;
}

void out_char(struct out *out, char c)
{
	if (out->len == OUT_BYTES)
		out_flush(out);
	out->buf[out->len++] = c;
}

void out_str(struct out *out, const char *s)
{
	while (*s)
		out_char(out, *s++);
}

static void out_number(struct out *out, u64 value, unsigned int base)
{
	char buf[24];
	struct text number = text_in(buf, sizeof(buf));

	text_number(&number, value, base, 1);
	out_str(out, buf);
}

void out_dec(struct out *out, u64 value)
{
	out_number(out, value, 10);
}

void out_hex(struct out *out, u64 value)
{
	out_number(out, value, 16);
}
