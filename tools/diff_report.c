/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A difference, for a person: the calls, what each side said, the maps beside each other where they
 * differ, and how to see it again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "diff.h"

static void print_result(FILE *to, unsigned int op, int64_t result)
{
	static const char *const touches[] = { "done", "SEGV_MAPERR", "SEGV_ACCERR", "SIGBUS",
					       "another signal" };

	if ((op == OP_LOAD || op == OP_STORE) && ACCESS_TOUCH(result) <= TOUCH_OTHER)
		fprintf(to, ACCESS_TOUCH(result) ? "%s at byte %ld" : "%s",
			touches[ACCESS_TOUCH(result)], ACCESS_BYTE(result));
	else if (op == OP_TOUCH && result >= 0 && result <= TOUCH_OTHER)
		fputs(touches[result], to);
	else if (result < 0 && result > -4096)
		fprintf(to, "-%s", strerrorname_np((int)-result));
	else
		fprintf(to, result > 4095 ? "0x%llx" : "%lld", (unsigned long long)result);
}

static void print_place(FILE *to, uint64_t addr)
{
	if (addr - DIFF_WINDOW < 1ul << 30)
		fprintf(to, "W+%-5llu", (unsigned long long)((addr - DIFF_WINDOW) / DIFF_PAGE));
	else
		fprintf(to, "%llx", (unsigned long long)addr);
}

static void print_area(FILE *to, const char *side, const struct diff_area *area)
{
	fprintf(to, "  %-8s ", side);
	print_place(to, area->start);
	fputs(" .. ", to);
	print_place(to, area->end);
	fprintf(to, " %c%c%c%c offset %llx", area->prot & AREA_READ ? 'r' : '-',
		area->prot & AREA_WRITE ? 'w' : '-', area->prot & AREA_EXEC ? 'x' : '-',
		area->prot & AREA_SHARED ? 's' : 'p', (unsigned long long)area->offset);
	if (area->prot & AREA_OWN_OBJECT || area->inode)
		fprintf(to, " file %02x:%02x %s%llu", area->dev >> 20, area->dev & 0xfffff,
			area->prot & AREA_OWN_OBJECT ? "object " : "",
			(unsigned long long)area->inode);
	fputc('\n', to);
}

static bool alike(const struct diff_area *a, const struct diff_area *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
		!((a->prot ^ b->prot) & 0xf) && a->dev == b->dev &&
		(a->inode == b->inode || ((a->prot | b->prot) & AREA_OWN_OBJECT));
}

static bool in(const struct diff_area *area, const struct diff_area *list, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (alike(area, &list[i]))
			return true;
	return false;
}

static void print_maps(FILE *to, const struct finding *f)
{
	bool any = false;

	if (f->nr_before && f->script.nr < 30) {
		fputs("map before:\n", to);
		for (uint32_t i = 0; i < f->nr_before; i++)
			print_area(to, "both", &f->before[i]);
	}
	fputs("map after:\n", to);
	for (uint32_t i = 0, k = 0; i < f->nr_expected || k < f->nr_found;) {
		bool ours = i < f->nr_expected &&
			(k >= f->nr_found || f->expected[i].start <= f->found[k].start);

		if (ours && in(&f->expected[i], f->found, f->nr_found)) {
			if (f->script.nr < 30)
				print_area(to, "both", &f->expected[i]);
			i++;
		} else if (ours) {
			print_area(to, "library", &f->expected[i++]);
			any = true;
		} else {
			if (!in(&f->found[k], f->expected, f->nr_expected)) {
				print_area(to, "kernel", &f->found[k]);
				any = true;
			}
			k++;
		}
	}
	if (!any)
		fputs("  the same (a shared anonymous object is another one)\n", to);
}

/* Lines of one text that the other has not, each under the area it belongs to. */
static void print_text(FILE *to, const char *side, const char *text, uint32_t bytes,
		       const char *other, uint32_t other_bytes)
{
	const char *area = NULL, *o_line = other, *o_end = other + other_bytes;
	const char *end = text + bytes;

	while (text < end) {
		const char *next = memchr(text, '\n', (size_t)(end - text));
		const char *o_next = o_line < o_end ?
			memchr(o_line, '\n', (size_t)(o_end - o_line)) : NULL;
		int n = (int)((next ? next : end) - text);

		if (*text >= 'a' || (*text >= '0' && *text <= '9'))
			area = text;
		if (!o_next || o_next - o_line != n || memcmp(text, o_line, (size_t)n))
			fprintf(to, "  %-8s %.*s: %.*s\n", side,
				area ? (int)strcspn(area, " ") : 0, area ? area : "", n, text);
		text += n + 1;
		o_line = o_next ? o_next + 1 : o_end;
	}
}

static void print_texts(FILE *to, const struct finding *f)
{
	fputs("smaps and status:\n", to);
	print_text(to, "library", f->expected_text, f->expected_text_bytes, f->found_text,
		   f->found_text_bytes);
	print_text(to, "kernel", f->found_text, f->found_text_bytes, f->expected_text,
		   f->expected_text_bytes);
}

/* For each page: ? not compared; a letter for what is there, . for nothing. */
static void print_mask(FILE *to, const char *what, uint64_t ours, uint64_t theirs,
		       uint64_t compared, const struct diff_pages *at)
{
	if (!((ours ^ theirs) & compared))
		return;
	for (int side = 0; side < 2; side++) {
		fprintf(to, "  %-8s %-9s ", side ? "kernel" : "library", what);
		for (uint32_t i = 0; i < at->nr; i++)
			fputc(!(compared >> i & 1) ? '?' : (side ? theirs : ours) >> i & 1 ?
			      '#' : '.', to);
		fputc('\n', to);
	}
}

static void print_pages(FILE *to, const struct finding *f)
{
	const struct diff_pages *ours = &f->call.pages, *theirs = &f->pages;

	fputs("pages from ", to);
	print_place(to, ours->addr);
	fputc('\n', to);
	if (ours->result != theirs->result)
		fprintf(to, "  mincore: the library %d, the kernel %d\n", ours->result,
			theirs->result);
	print_mask(to, "in core", ours->in_core, theirs->in_core, ours->core_compared, ours);
	print_mask(to, "present", ours->present, theirs->present, ours->compared, ours);
	print_mask(to, "exclusive", ours->exclusive, theirs->exclusive,
		   ours->exclusive_compared, ours);
	print_mask(to, "guard", ours->guard, theirs->guard, ours->compared, ours);
	print_mask(to, "file", ours->file, theirs->file, ours->compared & ours->core_compared,
		   ours);
}

static void print_what(FILE *to, const struct finding *f)
{
	if (f->kind != FOUND_DIFFERENCE) {
		fprintf(to, "%s\n", f->why);
		return;
	}
	if (f->difference == DIFFERS_RESULT) {
		fputs("result: the library ", to);
		print_result(to, f->call.op, f->call.result);
		fputs(", the kernel ", to);
		print_result(to, f->call.op, f->result);
		fputc('\n', to);
	}
	if (f->difference == DIFFERS_VALUE)
		fprintf(to, "loaded: the library 0x%llx, the kernel 0x%llx\n",
			(unsigned long long)f->call.value, (unsigned long long)f->value);
	if (f->difference == DIFFERS_PAGES)
		print_pages(to, f);
	if (f->difference == DIFFERS_TEXT)
		print_texts(to, f);
	else
		print_maps(to, f);
}

char *report_save(const struct diff_context *context, const struct finding *finding)
{
	char *path = cli_printf("vmarea-diff-%llu-%llu.script",
				(unsigned long long)finding->seed,
				(unsigned long long)finding->round);
	FILE *f = fopen(path, "w");
	int bad;

	if (!f) {
		cli_error("diff", "%s: %s", path, strerror(errno));
		free(path);
		return NULL;
	}
	fprintf(f, "# %s\n", context->machine.release);
	script_write(f, &finding->script, &context->files);
	bad = ferror(f);
	if (fclose(f) || bad) {		/* a part of the calls shows something else */
		cli_error("diff", "%s: cannot be written: %s", path, strerror(errno));
		unlink(path);
		free(path);
		return NULL;
	}
	return path;
}

void report_finding(FILE *to, const struct diff_context *context, const struct finding *finding)
{
	const struct script *script = &finding->script;

	fprintf(to, "difference from %s, seed %llu, round %llu, %u calls%s%s%s:\n",
		context->machine.release, (unsigned long long)finding->seed,
		(unsigned long long)finding->round, script->nr,
		(const char *[]){ "", ", an unlimited stack", ", bottom-up" }[script->setup.layout],
		script->setup.drop_caps ? ", without capabilities" : "",
		script->setup.keep_vdso ? ", with the vdso" : "");
	for (uint32_t i = 0; i < script->nr; i++) {
		fprintf(to, "%5u  ", i + 1);
		call_print(to, &script->call[i], &context->files);
		fputc('\n', to);
	}
	if (finding->call.op == OP_CHECK)
		fprintf(to, "then, in process %u:\n", finding->call.proc);
	print_what(to, finding);
}
