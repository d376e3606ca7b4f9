/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A fuzzer as a plain program, for any compiler:
 *
 *	calls_fuzz FILE...			runs these inputs
 *	calls_fuzz --seed N [--first K] --runs M	runs M random inputs, the first of them
 *						number K (0)
 *
 * Run number K of a seed is always the same input.  When one crashes, it is written to a file, and
 * both ways to run it again are printed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_BYTES	512u
#define MAX_SECONDS	20u

static const char *program;
static const char *running;		/* the file, or NULL: of a seed */
static unsigned long seed, run;
static uint8_t *input;
static size_t input_bytes;
static bool inside;			/* an input is being run */

/* A sanitizer's report ends in SIGABRT, too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1:handle_abort=0";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}

/*
 * What is told of a crash is written down before each input: a signal handler has write(), and
 * standard error may stand for something else just then (reader.c).
 */
static char crash_file[64], again[512];

static void say(const char *text)
{
	if (write(2, text, strlen(text)) < 0)
		_exit(1);
}

static void tell(void)
{
	int fd = running ? -1 : open(crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd >= 0 && write(fd, input, input_bytes) != (ssize_t)input_bytes)
		say("\nthe input could not be written");
	say(again);
}

static void crashed(int signal)
{
	if (signal == SIGALRM)
		say("\nan input takes too long");
	tell();
	raise(signal);
}

/* A reader must not end the program. */
static void exited(void)
{
	if (!inside)
		return;
	say("\nexit() was called");
	tell();
	_exit(1);
}

static void prepare(void)
{
	if (running) {
		snprintf(again, sizeof(again), "\nto run it again: %s %s\n", program, running);
		return;
	}
	snprintf(crash_file, sizeof(crash_file), "crash-%lu-%lu", seed, run);
	snprintf(again, sizeof(again), "\nto run it again: %s %s"
		 "\nto run it again: %s --seed %lu --first %lu --runs 1\n", program, crash_file,
		 program, seed, run);
}

static void run_one(const uint8_t *data, size_t size)
{
	prepare();
	inside = true;
	alarm(MAX_SECONDS);
	LLVMFuzzerTestOneInput(data, size);
	alarm(0);
	inside = false;
}

static void catch_crashes(void)
{
	const struct sigaction action = { .sa_handler = crashed, .sa_flags = (int)SA_RESETHAND };
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* splitmix64: any state will do as a beginning. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void run_random(void)
{
	uint64_t state = seed * 0x100000001b3u + run;

	(void)next_random(&state);
	input_bytes = next_random(&state) % MAX_BYTES;
	for (size_t i = 0; i < input_bytes; i++)
		input[i] = (uint8_t)(next_random(&state) >> 24);
	run_one(input, input_bytes);
}

/* The file in memory of its own size, so that a sanitizer sees what reads beyond it. */
static int run_file(const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	uint8_t *bytes;
	bool good;

	if (!f || fstat(fileno(f), &st)) {
		fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
		return 2;
	}
	bytes = malloc((size_t)st.st_size + !st.st_size);
	good = bytes && fread(bytes, 1, (size_t)st.st_size, f) == (size_t)st.st_size;
	fclose(f);
	running = path;
	if (good)
		run_one(bytes, (size_t)st.st_size);
	else
		fprintf(stderr, "%s: %s: cannot be read\n", program, path);
	running = NULL;
	free(bytes);
	return good ? 0 : 2;
}

static int run_folder(const char *path, unsigned long *nr)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort), worst = 0;

	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.') {
			int status = run_file(file);

			worst = status > worst ? status : worst;
			++*nr;
		}
		free(list[i]);
	}
	free(list);
	return worst;
}

static int usage(void)
{
	fprintf(stderr, "usage: %s FILE|FOLDER...\n       %s --seed N [--first K] --runs M\n",
		program, program);
	return 2;
}

static bool number(const char *text, unsigned long *out)
{
	char *rest;

	if (!text)
		return false;
	errno = 0;
	*out = strtoul(text, &rest, 0);
	return rest != text && !*rest && !errno && *text != '-';
}

int main(int argc, char **argv)
{
	unsigned long nr = 0, runs = 0;
	int worst = 0;

	program = argv[0];
	catch_crashes();
	atexit(exited);
	for (int i = 1; i < argc; i++) {
		unsigned long *value = !strcmp(argv[i], "--seed") ? &seed :
				       !strcmp(argv[i], "--first") ? &run :
				       !strcmp(argv[i], "--runs") ? &runs : NULL;
		struct stat st;
		int status;

		if (value) {
			if (!number(argv[++i], value))
				return usage();
			continue;
		}
		if (argv[i][0] == '-')
			return usage();
		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode))
			status = run_folder(argv[i], &nr);
		else
			status = run_file(argv[i]), nr++;
		worst = status > worst ? status : worst;
	}
	if (argc < 2)
		return usage();
	input = malloc(MAX_BYTES);
	for (unsigned long k = 0; input && k < runs; k++, run++, nr++)
		run_random();
	free(input);
	printf("%s: %lu inputs, seed %lu\n", program, nr, seed);
	return worst;
}
