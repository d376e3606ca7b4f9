/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * smaps, smaps_rollup and statm, to the byte.
 *
 *	7f1c2a600000-7f1c2a628000 r--p ...		the line of maps
 *	Size:                160 kB			a label and a blank, then the number so that
 *	...						it ends in column 24, or further right
 *	Private_Hugetlb:       0 kB
 *	THPeligible:           0
 *	VmFlags: rd mr mw me
 *
 * Kilobytes are rounded down.  ProtectionKey is a line of machines that have protection keys, and
 * these have none.
 *
 * The header of a rollup has the start of the first area and the end of the last, and no rights.
 */
#include "report/entries.h"
#include "report/out.h"

/* Where numbers end, and where they begin if they are long; counted from 0. */
#define VALUE_END	24
#define VALUE_COLUMN	16

static void out_value(struct out *out, const char *label, u64 value)
{
	char buf[24];
	struct text number = text_in(buf, sizeof(buf));
	size_t column = str_len(label) + 1;

	text_dec(&number, value);
	out_str(out, label);
	out_char(out, ':');
	for (; column < VALUE_COLUMN || column + number.len < VALUE_END; column++)
		out_char(out, ' ');
	out_str(out, buf);
}

static void out_kilobytes(struct out *out, const char *label, u64 bytes)
{
	out_value(out, label, bytes >> 10);
	out_str(out, " kB\n");
}

static void out_counts(struct out *out, const struct mm_page_counts *counts, enum count_where where)
{
	for (size_t i = 0; i < NR_COUNT_LINES; i++) {
		const struct count_line *line = &report_count_lines[i];

		if (line->where == COUNT_EVERYWHERE || line->where == where)
			out_kilobytes(out, line->label, report_count_value(counts, line));
	}
}

/* ---------------------------------------------------------------------------------- smaps -- */

struct smaps {
	struct out out;
	struct mm_struct *mm;
};

static int visit_smaps(const struct area_info *info, void *arg)
	__may_sleep
{
	struct smaps *smaps = arg;
	struct out *out = &smaps->out;
	struct area_count count;
	char flags[128];

	report_maps_line(out, info);
	out_kilobytes(out, "Size", info->end - info->start);
	out_kilobytes(out, "KernelPageSize", report_page_size(info));
	out_kilobytes(out, "MMUPageSize", report_page_size(info));
	if (mm_has_pages(smaps->mm)) {
		report_count(smaps->mm, info->start, info->end, &count);
		out_counts(out, &count.pages, COUNT_EVERYWHERE);
		out_value(out, "THPeligible", count.thp_eligible);
		out_char(out, '\n');
	}
	out_str(out, "VmFlags: ");
	vm_flags_format(info->flags, flags);
	out_str(out, flags);
	out_char(out, '\n');
	return out->result;
}

int mm_report_smaps(struct mm_user *user, mm_writer write, void *arg)
{
	struct smaps smaps = { .mm = mm_from_user(user) };
	int err;

	out_init(&smaps.out, write, arg);
	err = mm_for_each_area(user, 0, ~0ul, visit_smaps, &smaps);
	return err ? err : out_flush(&smaps.out);
}

/* --------------------------------------------------------------------------------- rollup -- */

static void out_rollup_header(struct out *out, struct mm_struct *mm) __may_sleep
{
	const struct vm_area_struct *first, *last;
	struct area_info all = { 0 };

	mm_read_lock(mm);
	first = vma_first(mm, 0);
	last = vma_before(mm, ~0ul);
	if (first && last) {
		all.start = first->vm_start;
		all.end = last->vm_end;
	}
	mm_read_unlock(mm);
	str_copy(all.name, sizeof(all.name), "[rollup]");
	report_maps_line(out, &all);
}

int mm_report_smaps_rollup(struct mm_user *user, mm_writer write, void *arg)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct area_count count;
	struct out out;

	if (!mm_has_pages(mm))
		return -EOPNOTSUPP;
	out_init(&out, write, arg);
	out_rollup_header(&out, mm);
	report_count(mm, 0, pt_limit(mm->pgt), &count);
	out_counts(&out, &count.pages, COUNT_ROLLUP);
	return out_flush(&out);
}

/* ---------------------------------------------------------------------------------- statm -- */

void mm_get_statm(struct mm_user *user, struct mm_statm *statm)
{
	witness_call();
	struct mm_struct *mm = mm_from_user(user);
	struct pages_stats pages;

	mm_read_lock(mm);
	pages = pages_get_stats(mm);
	*statm = (struct mm_statm){
		.size = mm->total_vm,
		.shared = pages.file + pages.shmem,
		.resident = pages.file + pages.shmem + pages.anon,
		.text = (PAGE_ALIGN(mm->end_code) - PAGE_ALIGN_DOWN(mm->start_code)) >> PAGE_SHIFT,
		.data = mm->data_vm + mm->stack_vm,
	};
	mm_read_unlock(mm);
}

int mm_report_statm(struct mm_user *user, mm_writer write, void *arg)
{
	struct mm_statm s;
	struct out out;

	mm_get_statm(user, &s);
	out_init(&out, write, arg);
	out_dec(&out, s.size);
	out_char(&out, ' ');
	out_dec(&out, s.resident);
	out_char(&out, ' ');
	out_dec(&out, s.shared);
	out_char(&out, ' ');
	out_dec(&out, s.text);
	out_str(&out, " 0 ");
	out_dec(&out, s.data);
	out_str(&out, " 0\n");
	return out_flush(&out);
}
