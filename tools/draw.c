/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vmarea draw: chooses what to draw, and collects it.
 */
#include "draw.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cmds.h"
#include "feed.h"
#include "output.h"

#define DEFAULT_COLUMNS	4
#define MAX_COLUMNS	16

struct draw {
	unsigned long pid, at, columns;
	const char *output;
	bool text;
	struct picture picture;
	unsigned long seen;
};

static void help(void)
{
	fputs("usage: vmarea draw [--pid N] [--at N] [--columns N] [--pages] FILE -o X.svg\n"
	      "       vmarea draw --text [...] FILE\n"
	      "\n"
	      "Draws the address spaces of a recording (or an strace log), side by side, each as\n"
	      "it was at its end: the areas with their protections, and the gaps between them.\n"
	      "\n"
	      "  -o, --output FILE  where to; - is the standard output\n"
	      "      --text         as text, in colours on a terminal\n"
	      "      --pages        and which of their pages are there, are shared with others,\n"
	      "                     are huge, are swapped out: as far as the recording tells\n"
	      "      --at N         after the Nth call, those that exist then\n"
	      "      --pid N        only the one of process (or thread) N\n"
	      "      --columns N    at most N of them, the ones with the most areas (4)\n"
	      "      --arena MIB    how much memory --pages replays in (4096); only what is used\n"
	      "                     is taken\n"
	      "  -h, --help         this\n"
	      "\n"
	      "Example:\n"
	      "  vmarea draw traces/python.vtrace.zst -o python.svg\n"
	      "  vmarea draw --text --pages traces/shell-touch.vtrace.zst\n", stdout);
}

/* ----------------------------------------------------------------------------- the pages -- */

const struct drawn_look drawn_looks[NR_DRAWN_STATES] = {
	[DRAWN_PRIVATE] = { "present", "#3f6fb5", "#2c4f85", "\033[34m", '#' },
	[DRAWN_SHARED] = { "shared", "#2fa39a", "#1d7069", "\033[36m", 's' },
	[DRAWN_HUGE] = { "huge", "#8a4fb0", "#5f3480", "\033[35m", 'H' },
	[DRAWN_SWAPPED] = { "swapped", "#c8532b", "#8f3718", "\033[31m", '~' },
};

const char *drawn_size(unsigned long bytes, char buf[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes;
	int unit = 0;

	for (; size >= 1024 && unit < 4; unit++)
		size /= 1024;
	snprintf(buf, 32, size < 10 && size != floor(size) ? "%.1f %s" : "%.0f %s", size,
		 units[unit]);
	return buf;
}

struct drawn_part drawn_sum(const struct drawn_area *area)
{
	struct drawn_part sum = { 0 };

	for (unsigned int i = 0; i < area->nr_parts; i++) {
		sum.bytes += area->parts[i].bytes;
		for (int state = 0; state < NR_DRAWN_STATES; state++)
			sum.in[state] += area->parts[i].in[state];
	}
	return sum;
}

/* Each byte in one state: a huge page that is shared is drawn as huge. */
static struct drawn_part look_at(struct mm_user *mm, unsigned long start, unsigned long end)
{
	struct drawn_part part = { .bytes = end - start };
	struct mm_page_counts n;
	unsigned long small;

	mm_count_pages(mm, start, end, &n);
	part.in[DRAWN_HUGE] = n.anon_huge + n.shmem_huge + n.file_huge + n.shared_hugetlb +
			      n.private_hugetlb;
	/* A page of the pool is counted as a whole where it begins to be there. */
	if (part.in[DRAWN_HUGE] > part.bytes)
		part.in[DRAWN_HUGE] = part.bytes;
	small = n.rss - n.anon_huge - n.shmem_huge - n.file_huge;
	part.in[DRAWN_SHARED] = n.shared_clean + n.shared_dirty;
	if (part.in[DRAWN_SHARED] > small)
		part.in[DRAWN_SHARED] = small;
	part.in[DRAWN_PRIVATE] = small - part.in[DRAWN_SHARED];
	part.in[DRAWN_SWAPPED] = n.swap;
	return part;
}

static void look_into(struct mm_user *mm, struct drawn_area *a)
{
	const unsigned long page = 4096, nr_pages = (a->end - a->start) / page;

	a->nr_parts = nr_pages < DRAWN_PARTS ? (unsigned int)nr_pages : DRAWN_PARTS;
	for (unsigned int i = 0; i < a->nr_parts; i++)
		a->parts[i] = look_at(mm, a->start + nr_pages * i / a->nr_parts * page,
				      a->start + nr_pages * (i + 1) / a->nr_parts * page);
}

/* ---------------------------------------------------------------------------- collecting -- */

static void add_line(const struct draw *d, struct play_mm *mm, struct drawn_mm *to,
		     const char *line, size_t bytes)
{
	struct drawn_area a = { 0 };
	char *text = strndup(line, bytes);
	struct area_info info;
	int at = 0;

	if (!text)
		abort();
	if (sscanf(text, "%lx-%lx %*s %lx %x:%x %lu %n", &a.start, &a.end, &a.offset, &a.dev_major,
		   &a.dev_minor, &a.inode, &at) >= 6) {
		a.name = cli_strdup(at ? text + at : "");
		if (!mm_query(mm->user, a.start, &info)) {
			a.flags = info.flags;
			area_info_put(&info);
		}
		if (d->picture.pages)
			look_into(mm->user, &a);
		to->areas = cli_realloc(to->areas, (to->nr + 1) * sizeof(a));
		to->areas[to->nr++] = a;
	}
	free(text);
}

static void free_mm(struct drawn_mm *mm)
{
	for (size_t i = 0; i < mm->nr; i++)
		free(mm->areas[i].name);
	free(mm->areas);
	free(mm->path);
	free(mm->when);
}

/* Keeps the @columns largest. */
static void add(struct draw *d, struct drawn_mm *mm)
{
	struct picture *p = &d->picture;
	size_t smallest = 0;

	if (p->nr < d->columns) {
		p->mms = cli_realloc(p->mms, (p->nr + 1) * sizeof(*mm));
		p->mms[p->nr++] = *mm;
		return;
	}
	for (size_t i = 1; i < p->nr; i++)
		if (p->mms[i].nr < p->mms[smallest].nr)
			smallest = i;
	if (p->mms[smallest].nr < mm->nr) {
		free_mm(&p->mms[smallest]);
		memmove(p->mms + smallest, p->mms + smallest + 1,
			(p->nr - smallest - 1) * sizeof(*mm));
		p->mms[p->nr - 1] = *mm;
	} else {
		free_mm(mm);
	}
}

static bool is_wanted(const struct draw *d, const struct player *p, const struct play_task *task)
{
	return !d->pid || player_is_of(p, task, d->pid);
}

static void collect(struct draw *d, struct player *p, struct play_task *task, const char *when)
{
	struct drawn_mm mm = { .pid = task->process->pid, .order = d->seen };
	char *text;

	if (!is_wanted(d, p, task))
		return;
	d->seen++;
	mm.path = cli_strdup(task->process->path ? task->process->path : "?");
	mm.when = cli_strdup(when);
	text = play_map_text(p, task->mm);
	for (const char *l = text; *l;) {
		size_t n = strcspn(l, "\n");

		add_line(d, task->mm, &mm, l, n);
		l += n + (l[n] == '\n');
	}
	free(text);
	add(d, &mm);
}

static void ends(struct player *p, struct play_task *task, void *arg)
{
	struct draw *d = arg;

	if (!d->at)
		collect(d, p, task, "at its end");
}

static bool draw_to(struct draw *d, FILE *to)
{
	int failed = d->text ? draw_text(to, &d->picture, isatty(fileno(to)))
			     : draw_svg(to, &d->picture);

	return !fflush(to) && !failed;
}

static bool draw_file(struct draw *d, struct output *out)
{
	FILE *to = fdopen(dup(out->fd), "w");
	bool drawn = to && !output_begin(out) && draw_to(d, to);

	if (to && fclose(to))
		drawn = false;
	if (drawn)
		return !output_keep(out);
	output_drop(out);
	return false;
}

static int write_picture(struct draw *d)
{
	bool standard = !d->output || !strcmp(d->output, "-");
	struct output out;
	int error;

	error = standard ? 0 : output_open(&out, d->output, 0, 0666);
	if (error) {
		cli_error("draw", "%s: %s", d->output, strerror(error));
		return EXIT_USAGE;
	}
	if (standard ? draw_to(d, stdout) : draw_file(d, &out))
		return EXIT_GOOD;
	cli_error("draw", "%s: cannot be written", standard ? "the output" : d->output);
	return EXIT_DEFECT;
}

static void collect_living(struct draw *d, struct player *p)
{
	char *when = cli_printf("after %lu calls", p->calls);

	for (struct play_mm *mm = p->mms; mm; mm = mm->next) {
		struct play_task *t = p->tasks;

		while (t && (t->mm != mm || !is_wanted(d, p, t)))
			t = t->next;
		if (t)
			collect(d, p, t, when);
	}
	free(when);
}

static int done(struct player *p, const struct trace_header *h, const char *kind, void *arg)
{
	struct draw *d = arg;
	struct picture *picture = &d->picture;
	int status;

	(void)kind;
	collect_living(d, p);
	if (p->defect) {
		cli_error("draw", "%s: a defect of the library: %s", p->path, p->defect);
		return EXIT_DEFECT;
	}
	if (!picture->nr) {
		cli_error("draw", "%s: no such process has an address space", p->path);
		return EXIT_CHECK;
	}
	picture->title = cli_strdup(h->command && *h->command ? h->command : p->path);
	picture->subtitle = cli_printf("%lu calls of %lu process%s, Linux %s", p->calls,
				       p->processes, p->processes == 1 ? "" : "es", h->kernel);
	picture->footer = d->seen > picture->nr
			? cli_printf("not shown: %lu smaller address space%s (--columns, --pid)",
				     d->seen - picture->nr, d->seen - picture->nr == 1 ? "" : "s")
			: cli_strdup("");
	status = write_picture(d);
	free(picture->title);
	free(picture->subtitle);
	free(picture->footer);
	return status;
}

int cmd_draw(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "at", required_argument, NULL, 'a' },
		{ "columns", required_argument, NULL, 'c' },
		{ "output", required_argument, NULL, 'o' },
		{ "text", no_argument, NULL, 't' },
		{ "pages", no_argument, NULL, 'P' },
		{ "arena", required_argument, NULL, 'A' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct draw d = { .columns = DEFAULT_COLUMNS };
	struct feed feed = {
		.cmd = "draw", .no_compare = true, .mm_ends = ends, .done = done, .arg = &d,
	};
	unsigned long mib = 0;
	int c, status;

	while ((c = cli_getopt("draw", argc, argv, ":o:h", options)) != -1) {
		if (c == 'h') {
			help();
			return EXIT_GOOD;
		}
		if (c == '?' ||
		    (c == 'p' && !cli_number("draw", "--pid", optarg, 1, 0x7fffffff, &d.pid)) ||
		    (c == 'a' && !cli_number("draw", "--at", optarg, 1, ~0ul, &d.at)) ||
		    (c == 'A' && !cli_number("draw", "--arena", optarg, 1, 1ul << 24, &mib)) ||
		    (c == 'c' && !cli_number("draw", "--columns", optarg, 1, MAX_COLUMNS,
					     &d.columns)))
			return EXIT_USAGE;
		if (c == 'o')
			d.output = optarg;
		d.text |= c == 't';
		d.picture.pages |= c == 'P';
	}
	if (optind + 1 != argc)
		return cli_usage("draw", optind == argc ? "which file? (vmarea draw FILE -o X.svg)"
							: "one file at a time");
	if (!d.output && !d.text)
		return cli_usage("draw", "-o is missing: where shall the picture go?");
	if (d.output && cli_same_file(argv[optind], d.output))
		return cli_usage("draw", "%s is the file to be read: another one for -o", d.output);
	feed.stop_after = d.at;
	feed.pages = d.picture.pages;
	feed.arena_bytes = mib << 20;
	status = feed_file(&feed, argv[optind]);
	for (size_t i = 0; i < d.picture.nr; i++)
		free_mm(&d.picture.mms[i]);
	free(d.picture.mms);
	return status;
}
