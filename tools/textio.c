/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Lines of plain and zstd-compressed files.
 *
 * A reader holds the raw bytes of the file (raw), and the text made of them (text); a line that is
 * not complete yet is moved to the front of the text and more is appended.  Lines longer than
 * TEXT_MAX are no text of ours.
 */
#include "textio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "cli.h"
#include "output.h"

#define RAW_BYTES	(128u << 10)
#define TEXT_MAX	(64u << 20)
#define ZSTD_SMALL	19
#define ZSTD_QUICK	6	/* a quarter more, in a thirtieth of the time */

struct text_in {
	int fd;
	ZSTD_DStream *zstd;		/* NULL: plain */
	char *raw;
	ZSTD_inBuffer pending;		/* into raw */
	bool eof;			/* of the file */
	bool frame_open;		/* a compressed frame has begun and not ended */
	char *text;
	size_t pos, end, room;		/* in text: next line, end of what there is, size */
	size_t line;			/* where the last line began */
	unsigned long done, size;
	const char *failure;
};

/* At least @least bytes, unless the file ends before: a pipe gives what it has. */
static void fill_raw(struct text_in *in, size_t least)
{
	size_t got = 0;
	ssize_t n;

	if (in->eof || in->pending.pos < in->pending.size)
		return;
	while (!in->eof && got < least) {
		n = read(in->fd, in->raw + got, RAW_BYTES - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			in->failure = strerror(errno);
		if (n <= 0)
			in->eof = true;
		else
			got += (size_t)n;
	}
	in->done += got;
	in->pending = (ZSTD_inBuffer){ in->raw, got, 0 };
}

struct text_in *text_open(const char *path)
{
	static const unsigned char magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };
	struct text_in *in;
	struct stat st;
	int fd = !strcmp(path, "-") ? dup(0) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		close(fd);
		errno = EISDIR;
		return NULL;
	}
	in = cli_alloc(sizeof(*in));
	in->fd = fd;
	in->raw = cli_alloc(RAW_BYTES);
	in->size = S_ISREG(st.st_mode) ? (unsigned long)st.st_size : 0;
	in->room = RAW_BYTES;
	in->text = cli_alloc(in->room + 1);
	fill_raw(in, sizeof(magic));
	if (in->pending.size >= 4 && !memcmp(in->raw, magic, 4))
		in->zstd = ZSTD_createDStream();
	return in;
}

/* More text behind what there is.  false: no more. */
static bool fill_text(struct text_in *in)
{
	size_t before = in->end;

	if (in->room - in->end < RAW_BYTES) {
		if (in->room > TEXT_MAX) {
			in->failure = "a line without end";
			return false;
		}
		in->room *= 2;
		in->text = cli_realloc(in->text, in->room + 1);
	}
	while (in->end == before && !in->failure) {
		fill_raw(in, 1);
		if (in->zstd) {
			ZSTD_outBuffer out = { in->text, in->room, in->end };
			size_t left = ZSTD_decompressStream(in->zstd, &out, &in->pending);

			if (ZSTD_isError(left))
				in->failure = ZSTD_getErrorName(left);
			else if (out.pos == in->end && in->eof && in->frame_open)
				in->failure = "the compressed file is cut short";
			in->frame_open = left != 0;
			in->end = out.pos;
		} else {
			size_t n = in->pending.size - in->pending.pos;

			memcpy(in->text + in->end, in->raw + in->pending.pos, n);
			in->end += n;
			in->pending.pos += n;
		}
		if (in->end == before && in->eof)
			return false;
	}
	return !in->failure;
}

char *text_line(struct text_in *in, size_t *bytes)
{
	size_t scanned = in->pos;
	char *newline;

	for (;;) {
		newline = memchr(in->text + scanned, '\n', in->end - scanned);
		if (newline)
			break;
		scanned = in->end;
		if (in->pos) {
			memmove(in->text, in->text + in->pos, in->end - in->pos);
			in->end -= in->pos;
			scanned -= in->pos;
			in->pos = 0;
		}
		if (fill_text(in))
			continue;
		if (in->failure || in->pos == in->end)
			return NULL;
		newline = in->text + in->end++;
		break;
	}
	*newline = '\0';
	in->line = in->pos;
	in->pos = (size_t)(newline - in->text) + 1;
	*bytes = in->pos - in->line - 1;
	return in->text + in->line;
}

void text_unread(struct text_in *in)
{
	in->text[in->pos - 1] = '\n';
	in->pos = in->line;
}

const char *text_failure(const struct text_in *in)
{
	return in->failure;
}

void text_progress(const struct text_in *in, unsigned long *done, unsigned long *size)
{
	*done = in->done;
	*size = in->size;
}

void text_close(struct text_in *in)
{
	if (!in)
		return;
	if (in->zstd)
		ZSTD_freeDStream(in->zstd);
	close(in->fd);
	free(in->raw);
	free(in->text);
	free(in);
}

struct text_out {
	struct output file;
	bool standard;		/* the standard output: then of file the fd only */
	ZSTD_CCtx *zstd;	/* NULL: plain */
	char *buf;
	size_t used;
	int error;
};

struct text_out *text_create(const char *path, enum text_packing packing)
{
	struct text_out *out = cli_alloc(sizeof(*out));
	size_t len = strlen(path);
	int error = 0;

	out->standard = !strcmp(path, "-");
	if (!out->standard)
		error = output_open(&out->file, path, 0, 0666);
	else if ((out->file.fd = fcntl(1, F_DUPFD_CLOEXEC, 3)) < 0)
		error = errno;
	if (error) {
		free(out);
		errno = error;
		return NULL;
	}
	out->buf = cli_alloc(RAW_BYTES);
	if (len > 4 && !strcmp(path + len - 4, ".zst")) {
		out->zstd = ZSTD_createCCtx();
		ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_compressionLevel,
				       packing == TEXT_QUICK ? ZSTD_QUICK : ZSTD_SMALL);
		ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_checksumFlag, 1);
	}
	return out;
}

static void put(struct text_out *out, const char *bytes, size_t n)
{
	if (!out->standard && !out->file.begun)
		out->error = output_begin(&out->file);
	while (n && !out->error) {
		ssize_t done = write(out->file.fd, bytes, n);

		if (done < 0 && errno != EINTR)
			out->error = errno;
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		}
	}
}

static void flush(struct text_out *out, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { out->buf, out->used, 0 };
	char packed[16 << 10];
	size_t left = 1;

	if (!out->zstd) {
		put(out, out->buf, out->used);
	} else {
		while (how == ZSTD_e_end ? left : in.pos < in.size) {
			ZSTD_outBuffer to = { packed, sizeof(packed), 0 };

			left = ZSTD_compressStream2(out->zstd, &to, &in, how);
			if (ZSTD_isError(left)) {
				out->error = ENOMEM;
				break;
			}
			put(out, packed, to.pos);
		}
	}
	out->used = 0;
}

void text_write(struct text_out *out, const char *text, size_t bytes)
{
	while (bytes) {
		size_t n = RAW_BYTES - out->used;

		if (n > bytes)
			n = bytes;
		memcpy(out->buf + out->used, text, n);
		out->used += n;
		text += n;
		bytes -= n;
		if (out->used == RAW_BYTES)
			flush(out, ZSTD_e_continue);
	}
}

void text_printf(struct text_out *out, const char *fmt, ...)
{
	char small[512], *text = small;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	if (n >= (int)sizeof(small)) {
		text = cli_alloc((size_t)n + 1);
		va_start(args, fmt);
		vsnprintf(text, (size_t)n + 1, fmt, args);
		va_end(args);
	}
	text_write(out, text, (size_t)n);
	if (text != small)
		free(text);
}

static void free_out(struct text_out *out)
{
	ZSTD_freeCCtx(out->zstd);
	free(out->buf);
	free(out);
}

int text_finish(struct text_out *out)
{
	int error;

	flush(out, ZSTD_e_end);
	error = out->error;
	if (out->standard)
		error = close(out->file.fd) && !error ? errno : error;
	else if (error)
		output_drop(&out->file);
	else
		error = output_keep(&out->file);
	free_out(out);
	return error;
}

void text_abandon(struct text_out *out)
{
	if (out->standard)
		close(out->file.fd);
	else
		output_drop(&out->file);
	free_out(out);
}
