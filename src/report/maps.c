/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * /proc/PID/maps and the part of smaps that areas decide, to the byte.
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
 * Source: proc_pid_maps(5), proc_pid_smaps(5), and the text of the running kernel (6.18).
 */
#include "base/bits.h"
#include "base/str.h"
#include "file/file.h"

/* Where a name begins, counted from 0. */
#define NAME_COLUMN	73

#define OUT_BYTES	1024

/* Text on its way to the caller's writer; after the first error nothing more is written. */
struct out {
	mm_writer write;
	void *arg;
	int result;
	size_t len;
	char buf[OUT_BYTES];
};

static void out_flush(struct out *out)
{
	if (out->len && !out->result)
		out->result = out->write(out->arg, out->buf, out->len);
	out->len = 0;
}

static void out_char(struct out *out, char c)
{
	if (out->len == OUT_BYTES)
		out_flush(out);
	out->buf[out->len++] = c;
}

static void out_str(struct out *out, const char *s)
{
	while (*s)
		out_char(out, *s++);
}

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

static void format_perms(struct text *line, vm_flags_t flags)
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
	format_perms(line, info->flags);
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

static void out_maps_line(struct out *out, const struct area_info *info)
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

static void out_kilobytes(struct out *out, const char *label, unsigned long bytes)
{
	char buf[24];
	struct text number = text_in(buf, sizeof(buf));

	text_dec(&number, bytes >> 10);
	out_str(out, label);
	for (size_t n = number.len; n < 8; n++)
		out_char(out, ' ');
	out_str(out, number.buf);
	out_str(out, " kB\n");
}

static unsigned long page_size_of(const struct area_info *info)
{
	if (!(info->flags & VM_HUGETLB) || !info->file)
		return PAGE_SIZE;
	return BIT(info->file->huge_shift);
}

static void out_smaps_lines(struct out *out, const struct area_info *info)
{
	char flags[128];

	out_kilobytes(out, "Size:           ", info->end - info->start);
	out_kilobytes(out, "KernelPageSize: ", page_size_of(info));
	out_kilobytes(out, "MMUPageSize:    ", page_size_of(info));
	out_str(out, "VmFlags: ");
	vm_flags_format(info->flags, flags);
	out_str(out, flags);
	out_char(out, '\n');
}

static int visit_maps(const struct area_info *info, void *arg)
{
	struct out *out = arg;

	out_maps_line(out, info);
	return out->result;
}

static int visit_smaps(const struct area_info *info, void *arg)
{
	struct out *out = arg;

	out_maps_line(out, info);
	out_smaps_lines(out, info);
	return out->result;
}

static int report(struct mm_user *mm, mm_writer write, void *arg,
		  int (*visit)(const struct area_info *info, void *arg)) __may_sleep
{
	struct out out;
	int err;

	out.write = write;
	out.arg = arg;
	out.result = 0;
	out.len = 0;
	err = mm_for_each_area(mm, 0, ~0ul, visit, &out);
	if (err)
		return err;
	out_flush(&out);
	return out.result;
}

int mm_report_maps(struct mm_user *mm, mm_writer write, void *arg)
{
	return report(mm, write, arg, visit_maps);
}

int mm_report_smaps(struct mm_user *mm, mm_writer write, void *arg)
{
	return report(mm, write, arg, visit_smaps);
}
