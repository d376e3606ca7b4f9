/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * /proc/PID/maps, to the byte.
 *
 * A line of maps:
 *
 *	7f1c2a600000-7f1c2a628000 r--p 00001000 08:01 1310       /usr/lib/libc.so.6 (deleted)
 *	|                         |    |        |     |          |
 *	addresses, at least       |    |        |     inode      name, from column 73 on, or
 *	8 digits each             |    |        |                further right
 *	                          |    |        device, at least 2 digits each
 *	                          |    file offset in bytes, at least 8 digits
 *	                          p: private, s: shared (by VM_MAYSHARE: the mapping, not the right)
 *
 * Offset, device and inode are those of a file, and 0 without one.  A line without a name ends
 * with the blank after the inode.  In a file's name a newline is printed as \012, and nothing else
 * is escaped.  Names in brackets are computed, by who copies the areas out.
 *
 * The areas are of one moment: mm_for_each_area() copies them out first, and no lock is held while
 * the writer, which is the caller's code, runs.
 *
 * Source: proc_pid_maps(5), and the text of the running kernel (6.18).
 */
#include "base/bits.h"
#include "base/str.h"
#include "file/file.h"
#include "report/out.h"

/* Where a name begins, counted from 0. */
#define NAME_COLUMN	73

static void out_file_name(struct out *out, const struct file *file)
{
	for (const char *s = file->name; *s; s++) {
		if (*s == '\n')
			out_str(out, "\\012");
		else
			out_char(out, *s);
	}
	if (file_flags(file) & FILE_DELETED)
		out_str(out, " (deleted)");
}

void report_perms(struct text *line, vm_flags_t flags)
{
	text_char(line, flags & VM_READ ? 'r' : '-');
	text_char(line, flags & VM_WRITE ? 'w' : '-');
	text_char(line, flags & VM_EXEC ? 'x' : '-');
	text_char(line, flags & VM_MAYSHARE ? 's' : 'p');
}

/* All up to and with the blank after the inode. */
static void format_prefix(struct text *line, const struct area_info *info)
{
	const struct file *file = info->file;

	text_number(line, info->start, 16, 8);
	text_char(line, '-');
	text_number(line, info->end, 16, 8);
	text_char(line, ' ');
	report_perms(line, info->flags);
	text_char(line, ' ');
	text_number(line, file ? info->pgoff << PAGE_SHIFT : 0, 16, 8);
	text_char(line, ' ');
	text_number(line, file ? file->dev_major : 0, 16, 2);
	text_char(line, ':');
	text_number(line, file ? file->dev_minor : 0, 16, 2);
	text_char(line, ' ');
	text_dec(line, file ? file->inode : 0);
	text_char(line, ' ');
}

void report_maps_line(struct out *out, const struct area_info *info)
{
	char buf[160];
	struct text line = text_in(buf, sizeof(buf));

	format_prefix(&line, info);
	if (info->name[0] || info->file) {
		while (line.len < NAME_COLUMN)
			text_char(&line, ' ');
	}
	out_str(out, line.buf);
	if (info->name[0])
		out_str(out, info->name);
	else if (info->file)
		out_file_name(out, info->file);
	out_char(out, '\n');
}

unsigned long report_page_size(const struct area_info *info)
{
	if (!(info->flags & VM_HUGETLB) || !info->file)
		return PAGE_SIZE;
	return BIT(info->file->huge_shift);
}

static int visit_maps(const struct area_info *info, void *arg)
{
	struct out *out = arg;

	report_maps_line(out, info);
	return out->result;
}

int mm_report_maps(struct mm_user *mm, mm_writer write, void *arg)
{
	struct out out;
	int err;

	out_init(&out, write, arg);
	err = mm_for_each_area(mm, 0, ~0ul, visit_maps, &out);
	return err ? err : out_flush(&out);
}
