/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The reports as JSON: see report.h for its form.  One line for each area, so that a reader of text
 * finds his way as well.
 *
 * Addresses and offsets are strings, since a number above 2^53 is not safe with every reader.
 * Strings are UTF-8: of a name that is not, each byte that does not belong to a whole, shortest
 * encoding of a character becomes U+DC00 + byte, which no UTF-8 has, so that the name can be had
 * back.
 */
#include "report/entries.h"
#include "report/out.h"

/* -------------------------------------------------------------------------------- strings -- */

static void out_escape(struct out *out, u32 code)
{
	char buf[8];
	struct text text = text_in(buf, sizeof(buf));

	text_str(&text, "\\u");
	text_number(&text, code, 16, 4);
	out_str(out, buf);
}

static bool is_continued(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The length of the character at @s, 0 if there is none: RFC 3629.  Ends at a 0. */
static unsigned int utf8_length(const unsigned char *s)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4 || !is_continued(s[1]))
		return 0;
	if (s[0] < 0xe0)
		return 2;
	if (!is_continued(s[2]))
		return 0;
	if (s[0] < 0xf0)		/* not a longer form of a shorter one, no surrogate */
		return (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ? 0 : 3;
	if (!is_continued(s[3]))
		return 0;
	return (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ? 0 : 4;
}

static void out_quoted(struct out *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		unsigned int len = utf8_length(s);

		if (!len) {
			out_escape(out, 0xdc00u + *s++);
		} else if (*s < 0x20) {
			out_escape(out, *s++);
		} else {
			if (*s == '"' || *s == '\\')
				out_char(out, '\\');
			while (len--)
				out_char(out, (char)*s++);
		}
	}
}

static void json_key(struct out *out, enum member member, const char *key)
{
	out_str(out, member == MEMBER_FIRST ? "\"" : ", \"");
	out_str(out, key);
	out_str(out, "\": ");
}

void json_number(struct out *out, enum member member, const char *key, u64 value)
{
	json_key(out, member, key);
	out_dec(out, value);
}

static void out_address(struct out *out, enum member member, const char *key, u64 value)
{
	json_key(out, member, key);
	out_str(out, "\"0x");
	out_hex(out, value);
	out_char(out, '"');
}

/* ---------------------------------------------------------------------------------- areas -- */

struct json {
	struct out out;
	struct mm_struct *mm;
	unsigned long nr_areas;
	struct mm_page_counts sum;
};

/* "fe:00" and the inode; 0 without a file. */
static void out_inode(struct out *out, const struct file *file)
{
	char buf[40];
	struct text dev = text_in(buf, sizeof(buf));

	text_number(&dev, file ? file->dev_major : 0, 16, 2);
	text_char(&dev, ':');
	text_number(&dev, file ? file->dev_minor : 0, 16, 2);
	json_key(out, MEMBER_NEXT, "dev");
	out_char(out, '"');
	out_str(out, buf);
	out_char(out, '"');
	json_number(out, MEMBER_NEXT, "inode", file ? file->inode : 0);
}

static void out_name(struct out *out, const struct area_info *info)
{
	json_key(out, MEMBER_NEXT, "name");
	out_char(out, '"');
	if (info->name[0]) {
		out_quoted(out, info->name);
	} else if (info->file) {
		out_quoted(out, info->file->name);
		if (file_flags(info->file) & FILE_DELETED)
			out_str(out, " (deleted)");
	}
	out_char(out, '"');
}

/* ["rd", "wr"] from "rd wr " */
static void out_flags(struct out *out, vm_flags_t flags)
{
	char buf[128];

	vm_flags_format(flags, buf);
	json_key(out, MEMBER_NEXT, "flags");
	out_char(out, '[');
	for (const char *s = buf; *s; s += 3) {
		out_str(out, s == buf ? "\"" : ", \"");
		out_char(out, s[0]);
		out_char(out, s[1]);
		out_char(out, '"');
	}
	out_char(out, ']');
}

static void out_counts(struct out *out, enum member member, const struct mm_page_counts *counts)
{
	for (size_t i = 0; i < NR_COUNT_LINES; i++, member = MEMBER_NEXT)
		json_number(out, member, report_count_lines[i].name,
			   report_count_value(counts, &report_count_lines[i]));
}

static void out_area(struct out *out, const struct area_info *info)
{
	char perms[8];
	struct text text = text_in(perms, sizeof(perms));

	report_perms(&text, info->flags);
	out_address(out, MEMBER_FIRST, "start", info->start);
	out_address(out, MEMBER_NEXT, "end", info->end);
	json_key(out, MEMBER_NEXT, "perms");
	out_char(out, '"');
	out_str(out, perms);
	out_char(out, '"');
	out_address(out, MEMBER_NEXT, "offset", info->file ? info->pgoff << PAGE_SHIFT : 0);
	out_inode(out, info->file);
	out_name(out, info);
	json_number(out, MEMBER_NEXT, "size", info->end - info->start);
	json_number(out, MEMBER_NEXT, "page_size", report_page_size(info));
	out_flags(out, info->flags);
}

static int visit_json(const struct area_info *info, void *arg)
	__may_sleep
{
	struct json *json = arg;
	struct out *out = &json->out;
	struct area_count count;

	out_str(out, json->nr_areas++ ? ",\n{" : "\n{");
	out_area(out, info);
	if (mm_has_pages(json->mm)) {
		report_count(json->mm, info->start, info->end, &count);
		report_add_counts(&json->sum, &count.pages);
		json_key(out, MEMBER_NEXT, "thp_eligible");
		out_str(out, count.thp_eligible ? "true" : "false");
		out_counts(out, MEMBER_NEXT, &count.pages);
	}
	out_char(out, '}');
	return out->result;
}

/* -------------------------------------------------------------------------------- the rest -- */

static void out_statm(struct out *out, const struct mm_statm *statm)
{
	out_str(out, "\"statm\": {");
	json_number(out, MEMBER_FIRST, "size", statm->size);
	json_number(out, MEMBER_NEXT, "resident", statm->resident);
	json_number(out, MEMBER_NEXT, "shared", statm->shared);
	json_number(out, MEMBER_NEXT, "text", statm->text);
	json_number(out, MEMBER_NEXT, "data", statm->data);
	out_char(out, '}');
}

int mm_report_json(struct mm_user *user, mm_writer write, void *arg)
{
	struct json json = { .mm = mm_from_user(user) };
	struct mm_statm statm;
	int err;

	out_init(&json.out, write, arg);
	out_str(&json.out, "{\"areas\": [");
	err = mm_for_each_area(user, 0, ~0ul, visit_json, &json);
	if (err)
		return err;
	out_str(&json.out, "],\n");
	if (mm_has_pages(json.mm)) {
		out_str(&json.out, "\"rollup\": {");
		out_counts(&json.out, MEMBER_FIRST, &json.sum);
		out_str(&json.out, "},\n");
	}
	mm_get_statm(user, &statm);
	out_statm(&json.out, &statm);
	out_str(&json.out, "}\n");
	return out_flush(&json.out);
}
