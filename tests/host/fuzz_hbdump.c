/*
 * Fuzzes the host reader, parser and store. The first byte picks how the rest is used: as a log; as a script
 * of frame lines with right checksums (lies that only the store can find); or as text and dumps of the real
 * writer with one byte flipped. Whatever comes: no crash, and a file without the mark of damage has the
 * checksum that its stream announced.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base64.h"
#include "kernel/crc32.h"
#include "kernel/framing.h"
#include "tests/host/store_memory.h"
#include "tools/hbdump/parse.h"
#include "tools/hbdump/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOG_MAX = 1 << 17, SUMS_MAX = 1024 };

static struct memory memory;
static struct store store;
static char text[LOG_MAX];
static size_t text_len;
static uint32_t text_sum;
static uint32_t sums[SUMS_MAX]; /* that end lines announced */
static size_t n_sums;

static void require(bool ok, const char *rule)
{
	if (!ok) {
		fprintf(stderr, "fuzz_hbdump: %s\n", rule);
		abort();
	}
}

static void on_text(void *ctx, const char *t, size_t len)
{
	(void)ctx;
	text_len += len;
	text_sum = crc32_update(text_sum, t, len); /* touches every byte: the sanitizer sees a bad piece */
}

static void on_frame(void *ctx, uint64_t line, const struct frame *f)
{
	(void)ctx;
	if (f->kind == 'E' && n_sums < SUMS_MAX)
		sums[n_sums++] = f->sum;
	store_frame(&store, line, f);
}

static void on_damage(void *ctx, uint64_t line, const char *what, const char *excerpt)
{
	(void)ctx;
	store_damage(&store, line, what, excerpt);
}

static void on_say(void *ctx, enum store_say kind, const char *t)
{
	(void)ctx;
	(void)kind;
	require(strlen(t) > 0 && strchr(t, '\n') == NULL, "a report is one line");
}

/* Reads a log in pieces, and checks what was stored. */
static void read_log(const char *log, size_t len, size_t step)
{
	static const struct parse_events events = {on_text, on_frame, on_damage};
	static struct parser parser;
	struct store_files files;
	text_len = 0;
	n_sums = 0;
	memory_init(&memory, &files);
	store_init(&store, &files, on_say, NULL, 1 << 16);
	parse_init(&parser, &events, NULL);
	for (size_t at = 0; at < len; at += step)
		parse_feed(&parser, log + at, len - at < step ? len - at : step);
	parse_finish(&parser);
	store_finish(&store);
	require(memory.n_live == 0, "no temporary file is left");
	require(text_len <= len, "text comes from the log");
	for (const struct store_stream *st = store.first; st != NULL; st = st->next) {
		require(st->state != STREAM_OPEN, "no stream is left open");
		require(st->state == STREAM_WHOLE || store.damages > 0, "what is not whole is reported");
		if (st->state != STREAM_WHOLE)
			continue;
		const struct memory_file *f = memory_find(&memory, st->stored);
		require(f != NULL, "a whole stream has its file");
		uint32_t sum = crc32_update(0, f->data, f->size);
		bool announced = n_sums == SUMS_MAX;
		for (size_t i = 0; i < n_sums; i++)
			announced |= sums[i] == sum;
		require(announced, "a whole file has the checksum that was announced");
	}
}

static void read_done(void)
{
	store_free(&store);
	memory_free(&memory);
}

static void sink(void *ctx, const char *line, size_t len)
{
	size_t *at = ctx;
	require(len <= FRAME_LINE_MAX && line[len - 1] == '\n', "a frame line keeps its form");
	if (*at + len <= sizeof text) {
		memcpy(text + *at, line, len);
		*at += len;
	}
}

/* Four bytes a line: what, stream, line, size. */
static void read_script(const uint8_t *data, size_t size)
{
	size_t len = 0;
	for (; size >= 4 && len + 2 * FRAME_LINE_MAX < sizeof text; data += 4, size -= 4) {
		char body[FRAME_LINE_MAX], base64[BASE64_SIZE(FRAME_DATA_MAX) + 1];
		uint8_t content[FRAME_DATA_MAX];
		unsigned stream = data[1] & 3, number = data[1] >> 2 & 7, line = data[2] & 15,
			 n = data[3] % 58;
		memset(content, data[0] >> 4 & (data[1] >> 5), sizeof content);
		base64[base64_encode(base64, content, n)] = '\0';
		switch (data[0] & 7) {
		case 0:
			snprintf(body, sizeof body, "B %08x-%u f%u", stream, number, line & 1);
			break;
		case 1: {
			uint32_t sum = 0;
			uint8_t zero[FRAME_DATA_MAX] = {0};
			for (unsigned i = 0; i + 1 < line; i++)
				sum = crc32_update(sum, zero, sizeof zero);
			sum = crc32_update(sum, zero, line > 0 ? n : 0);
			snprintf(body, sizeof body, "E %08x-%u %u %u %08x", stream, number, line,
				 line > 0 ? (line - 1) * FRAME_DATA_MAX + n : 0, sum);
			break;
		}
		default:
			snprintf(body, sizeof body, "D %08x-%u %u %s", stream, number,
				 data[0] == 255 ? line * 100000000u : line, base64);
		}
		len += (size_t)sprintf(text + len, "@hb %s %08x\n", body,
				       crc32_update(0, body, strlen(body)));
	}
	static char log[LOG_MAX];
	memcpy(log, text, len);
	read_log(log, len, 4096);
	read_done();
}

/* The real writer's log of the data as a dump, whole and then with one byte changed. */
static void read_flipped(const uint8_t *data, size_t size)
{
	static char log[LOG_MAX];
	struct frame_stream s;
	size_t len = 0;
	if (size < 4 || size > 30000)
		return;
	require(frame_stream_begin(&s, data[0], 0, "f", sink, &len), "a good name is taken");
	frame_stream_write(&s, data, size / 3);
	frame_stream_write(&s, data + size / 3, size - size / 3);
	frame_stream_end(&s);
	memcpy(log, text, len);
	for (int flip = 0; flip < 2; flip++) {
		if (flip)
			log[(data[1] | (size_t)data[2] << 8) % len] ^= data[3] != 0 ? (char)data[3] : 1;
		read_log(log, len, 1 + data[1]);
		const struct memory_file *f = memory_find(&memory, "f");
		bool right = f != NULL && f->size == size && memcmp(f->data, data, size) == 0;
		require(right || (flip && f == NULL), "a file with a dump's name is the dump");
		require(right ? flip || store.damages == 0 : store.damages > 0, "the verdict is true");
		read_done();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	uint8_t mode = data[0];
	data++;
	size--;
	if (mode % 4 == 1) {
		read_script(data, size);
	} else if (mode % 4 == 2) {
		read_flipped(data, size);
	} else {
		read_log((const char *)data, size, 1 + mode / 4);
		read_done();
	}
	return 0;
}
