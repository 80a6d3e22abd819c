/*
 * Serial framing, writer and parser: what frame_stream writes, the parser gives back; lines keep their bound;
 * the checksum and base64 are the standard ones; text survives escaping whatever it looks like.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base64.h"
#include "kernel/crc32.h"
#include "kernel/framing.h"
#include "tests/host/check.h"
#include "tests/host/host_panic.h"
#include "tools/hbdump/lines.h"
#include "tools/hbdump/parse.h"

/* A log that lines are written to, and what the parser makes of it. */
static char log_text[1 << 20];
static size_t log_len, log_lines;

static struct {
	char text[1 << 16];
	size_t text_len;
	uint8_t data[1 << 18];
	size_t data_len;
	char kinds[4096];
	size_t n_frames;
	char name[FRAME_NAME_MAX + 1];
	struct frame end;
	uint32_t next_line;
	int damages;
	uint64_t damage_line;
	char damage[128];
} seen;

static void sink(void *ctx, const char *text, size_t len)
{
	CHECK(ctx == log_text);
	CHECK(len <= FRAME_LINE_MAX);
	CHECK(text[len - 1] == '\n');
	CHECK(memchr(text, '\n', len) == text + len - 1);
	for (size_t i = 0; i + 1 < len; i++)
		CHECK(text[i] >= ' ' && text[i] <= '~');
	memcpy(log_text + log_len, text, len);
	log_len += len;
	log_lines++;
}

static void log_reset(void)
{
	log_len = 0;
	log_lines = 0;
	memset(&seen, 0, sizeof seen);
}

static void on_text(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	CHECK(seen.text_len + len <= sizeof seen.text);
	memcpy(seen.text + seen.text_len, text, len);
	seen.text_len += len;
}

static void on_frame(void *ctx, uint64_t log_line, const struct frame *f)
{
	(void)ctx;
	(void)log_line;
	if (seen.n_frames < sizeof seen.kinds - 1)
		seen.kinds[seen.n_frames++] = f->kind;
	if (f->kind == 'B') {
		strcpy(seen.name, f->name);
	} else if (f->kind == 'D') {
		CHECK_EQ(f->line, seen.next_line);
		seen.next_line++;
		memcpy(seen.data + seen.data_len, f->data, f->size);
		seen.data_len += f->size;
	} else {
		seen.end = *f;
	}
}

static void on_damage(void *ctx, uint64_t log_line, const char *what, const char *excerpt)
{
	(void)ctx;
	(void)excerpt;
	seen.damages++;
	seen.damage_line = log_line;
	snprintf(seen.damage, sizeof seen.damage, "%s", what);
}

static const struct parse_events events = {on_text, on_frame, on_damage};

/* Feeds text to a parser in pieces of `step` bytes. */
static void parse(const char *text, size_t len, size_t step)
{
	static struct parser p;
	parse_init(&p, &events, NULL);
	for (size_t at = 0; at < len; at += step)
		parse_feed(&p, text + at, len - at < step ? len - at : step);
	parse_finish(&p);
}

static bool seen_text(const char *want)
{
	return seen.text_len == strlen(want) && memcmp(seen.text, want, seen.text_len) == 0;
}

TEST(crc32_is_zlibs)
{
	CHECK_EQ(crc32_update(0, "123456789", 9), 0xcbf43926);
	CHECK_EQ(crc32_update(0, "", 0), 0);
	CHECK_EQ(crc32_update(crc32_update(0, "1234", 4), "56789", 5), 0xcbf43926);
	CHECK_EQ(crc32_update(0, "The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
}

TEST(base64_is_rfc_4648)
{
	static const char *const vectors[][2] = {
		{"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
	};
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		char text[16] = {0};
		uint8_t back[16];
		size_t n, len = strlen(vectors[i][0]);
		CHECK_EQ(base64_encode(text, vectors[i][0], len), BASE64_SIZE(len));
		CHECK_STR(text, vectors[i][1]);
		CHECK(base64_decode(back, &n, text, strlen(text)));
		CHECK(n == len && memcmp(back, vectors[i][0], n) == 0);
	}
	uint8_t every[256], back[260];
	char text[BASE64_SIZE(256)];
	size_t n;
	for (int i = 0; i < 256; i++)
		every[i] = (uint8_t)(i * 167);
	for (size_t len = 0; len <= 256; len++) {
		CHECK(base64_decode(back, &n, text, base64_encode(text, every, len)));
		CHECK(n == len && memcmp(back, every, len) == 0);
	}
}

TEST(base64_refuses_what_is_not_canonical)
{
	static const char *const bad[] = {"Z",      "Zg=",  "Zg",   "Zh==",     "Zm9=",
					  "=g==",   "Z===", "====", "Zg==Zg==", "Zm 8",
					  "Zm9v\n", "Zm9-", "Zm9_", "Zm\x80v",  "Zg=a"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint8_t out[16];
		size_t n;
		CHECK(!base64_decode(out, &n, bad[i], strlen(bad[i])));
	}
}

TEST(names_are_plain_file_names)
{
	static const char *const good[] = {"a", "cpu.pb.gz", "A_b-c.9", "_", "0"};
	static const char *const bad[] = {"", ".", "..", ".x", "-x", "a/b", "a b", "a\n", "\xc3\xa9", "a\\"};
	char name[FRAME_NAME_MAX + 2];
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		CHECK(frame_name_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(!frame_name_valid(bad[i], strlen(bad[i])));
	memset(name, 'n', sizeof name);
	CHECK(frame_name_valid(name, FRAME_NAME_MAX));
	CHECK(!frame_name_valid(name, FRAME_NAME_MAX + 1));
	struct frame_stream s;
	log_reset();
	CHECK(!frame_stream_begin(&s, 1, 0, "a/b", sink, log_text));
	CHECK(!frame_stream_begin(&s, 1, FRAME_NUMBER_MAX + 1, "a", sink, log_text));
	CHECK_EQ(log_len, 0);
}

/* The bytes on the wire, as docs/serial-format.md shows them. */
TEST(example_bytes)
{
	struct frame_stream s;
	log_reset();
	CHECK(frame_stream_begin(&s, 0x3f2a91c0, 2, "hello.txt", sink, log_text));
	frame_stream_write(&s, "Hello, ", 7);
	frame_stream_write(&s, "serial world!\n", 14);
	frame_stream_write(&s, "This line crosses over into a second data line.\n", 48);
	frame_stream_end(&s);
	log_text[log_len] = '\0';
	CHECK_STR(log_text,
		  "@hb B 3f2a91c0-2 hello.txt 1918cd85\n"
		  "@hb D 3f2a91c0-2 0 "
		  "SGVsbG8sIHNlcmlhbCB3b3JsZCEKVGhpcyBsaW5lIGNyb3NzZXMgb3ZlciBpbnRvIGEgc2Vjb25k 19459262\n"
		  "@hb D 3f2a91c0-2 1 IGRhdGEgbGluZS4K 47b70609\n"
		  "@hb E 3f2a91c0-2 2 69 b5d46ec9 39356f68\n");
}

static void round_trip(size_t size, size_t piece, size_t step)
{
	static uint8_t data[1 << 18];
	struct frame_stream s;
	log_reset();
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	CHECK(frame_stream_begin(&s, 0xfeedbeef, FRAME_NUMBER_MAX, "some.name", sink, log_text));
	for (size_t at = 0; at < size; at += piece)
		frame_stream_write(&s, data + at, size - at < piece ? size - at : piece);
	frame_stream_write(&s, NULL, 0);
	frame_stream_end(&s);
	CHECK_EQ(log_lines, 2 + (size + FRAME_DATA_MAX - 1) / FRAME_DATA_MAX);
	parse(log_text, log_len, step);
	CHECK_EQ(seen.damages, 0);
	CHECK_EQ(seen.text_len, 0);
	CHECK_STR(seen.name, "some.name");
	CHECK(seen.data_len == size && memcmp(seen.data, data, size) == 0);
	CHECK_EQ(seen.end.line, log_lines - 2);
	CHECK_EQ(seen.end.bytes, size);
	CHECK_EQ(seen.end.sum, crc32_update(0, data, size));
	CHECK_EQ(seen.end.id.nonce, 0xfeedbeef);
	CHECK_EQ(seen.end.id.number, FRAME_NUMBER_MAX);
	CHECK_EQ(seen.kinds[0], 'B');
	if (seen.n_frames < sizeof seen.kinds - 1)
		CHECK_EQ(seen.kinds[seen.n_frames - 1], 'E');
}

TEST(round_trip_of_all_sizes)
{
	static const size_t sizes[] = {0,  1,   2,   3,   55,  56,  57,   58,   59,   65,    66,
				       67, 113, 114, 115, 170, 171, 1000, 4096, 5700, 65536, 100000};
	static const size_t pieces[] = {1, 3, 56, 57, 58, 1000, 200000};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++)
			round_trip(sizes[i], pieces[k], 1 + (i * 7 + k * 131) % 5000);
	for (size_t size = 0; size < 300; size++)
		round_trip(size, 57, 4096);
}

/* The longest lines the grammar allows keep to the bound: a data line with a ten-digit number, the longest
 * name. */
TEST(longest_lines_fit)
{
	struct frame_stream s;
	char name[FRAME_NAME_MAX + 1];
	uint8_t block[FRAME_DATA_MAX] = {0};
	memset(name, 'n', FRAME_NAME_MAX);
	name[FRAME_NAME_MAX] = '\0';
	log_reset();
	CHECK(frame_stream_begin(&s, 0xffffffff, FRAME_NUMBER_MAX, name, sink, log_text));
	s.lines = UINT32_MAX - 1;
	s.bytes = (uint64_t)s.lines * FRAME_DATA_MAX;
	size_t before = log_len;
	frame_stream_write(&s, block, sizeof block);
	CHECK_EQ(log_len - before, FRAME_LINE_MAX);
	frame_stream_end(&s);
	seen.next_line = UINT32_MAX - 1;
	parse(log_text, log_len, 1000);
	CHECK_EQ(seen.damages, 0);
	CHECK_EQ(seen.n_frames, 3);
	CHECK_STR(seen.name, name);
}

TEST(misuse_panics)
{
	struct frame_stream s;
	jmp_buf env;
	log_reset();
	CHECK(frame_stream_begin(&s, 1, 0, "x", sink, log_text));
	frame_stream_end(&s);
	panic_trap = &env;
	panic_text[0] = '\0';
	if (setjmp(env) == 0)
		frame_stream_write(&s, "x", 1);
	CHECK(strstr(panic_text, "between its begin and its end") != NULL);
	panic_text[0] = '\0';
	if (setjmp(env) == 0)
		frame_stream_end(&s);
	CHECK(strstr(panic_text, "ended once") != NULL);
	panic_trap = NULL;
}

/* Writes text as a console does: one character decides at each line's start. */
static size_t escape(char *out, const char *text, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if ((i == 0 || text[i - 1] == '\n') && frame_text_escapes(text[i]))
			out[n++] = FRAME_ESCAPE;
		out[n++] = text[i];
	}
	return n;
}

TEST(escaped_text_comes_back)
{
	static const char *const texts[] = {
		"@hb\n",
		"@hb D 3f2a91c0-2 0 AAAA 00000000\n",
		"@\n",
		"@",
		"\\",
		"\\\n",
		"\\\\\n",
		"\\@hb\n",
		"\\\\@hb B x\n",
		"plain\n@hb E\n\n\n\\x\r\n@",
		"a@hb\n\\a\n",
		"\r\n@hb\r\n",
		"",
		"\n",
		"\n\n@\n",
		"@hb B 3f2a91c0-2 hello.txt 1918cd85\n",
		"\\@hb B 3f2a91c0-2 hello.txt 1918cd85\n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		for (size_t step = 1; step < 9; step++) {
			char out[256];
			log_reset();
			parse(out, escape(out, texts[i], strlen(texts[i])), step);
			CHECK_EQ(seen.damages, 0);
			CHECK_EQ(seen.n_frames, 0);
			CHECK(seen_text(texts[i]));
		}
	}
	uint32_t random = 1;
	for (int round = 0; round < 20000; round++) {
		char text[24], out[64];
		size_t len = 0;
		for (; len < sizeof text && (random >> 27) != 0; len++) {
			text[len] = "@hb\\\n\rx "[random >> 16 & 7];
			random = random * 1664525 + 1013904223;
		}
		random = random * 1664525 + 1013904223;
		log_reset();
		parse(out, escape(out, text, len), 1 + (size_t)round % 5);
		CHECK_EQ(seen.damages, 0);
		CHECK(seen.text_len == len && memcmp(seen.text, text, len) == 0);
	}
}

/* A prompt without a newline is passed on at once; what may become a frame line waits. */
TEST(open_text_lines_are_not_held_back)
{
	static struct parser p;
	log_reset();
	parse_init(&p, &events, NULL);
	parse_feed(&p, "name? ", 6);
	CHECK(seen_text("name? "));
	parse_feed(&p, "x\n@h", 4);
	CHECK(seen_text("name? x\n"));
	parse_feed(&p, "i\n\\", 3);
	CHECK(seen_text("name? x\n@hi\n"));
	parse_feed(&p, "@", 1);
	CHECK(seen_text("name? x\n@hi\n@"));
	parse_feed(&p, "hb\n", 3);
	parse_finish(&p);
	CHECK(seen_text("name? x\n@hi\n@hb\n"));
	CHECK_EQ(seen.damages, 0);
}

TEST(carriage_returns_are_tolerated)
{
	static const char log[] =
		"a\r\n@hb B 3f2a91c0-2 hello.txt 1918cd85\r\n@hb B 3f2a91c0-2 hello.txt 1918cd85\r\r\nb\r\n"
		"@hb B 3f2a91c0-2 hello.txt 1918cd85";
	for (size_t step = 1; step < sizeof log; step++) {
		log_reset();
		parse(log, sizeof log - 1, step);
		CHECK_EQ(seen.damages, 0);
		CHECK_EQ(seen.n_frames, 3);
		CHECK(seen_text("a\r\nb\r\n"));
	}
}

TEST(damage_is_named_and_shown)
{
	static const struct {
		const char *log, *damage;
		uint64_t line;
	} cases[] = {
		{"x\n@hb B 3f2a91c0-2 hello.txt 1918cd80\n", "wrong checksum", 2},
		{"@hb B 3f2a91c0-2 hello.txt 1918CD85\n", "no checksum at its end", 1},
		{"@hb B 3f2a91c0-2 hello.txt\n", "no checksum at its end", 1},
		{"@hb\n", "cut short or not a frame line", 1},
		{"\n\n@hbx\n", "cut short or not a frame line", 3},
		{"@h", "the input ends within a frame mark", 1},
		{"y\n@", "the input ends within a frame mark", 2},
		{"text@hb B 3f2a91c0-2 hello.txt 1918cd85\n", "a frame line that does not start its line", 1},
		{"@h@hb B 3f2a91c0-2 hello.txt 1918cd85\r\n", "a frame line that does not start its line", 1},
		{"\\x@hb B 3f2a91c0-2 hello.txt 1918cd85\n", "a frame line that does not start its line", 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (size_t step = 1; step < 7; step++) {
			log_reset();
			parse(cases[i].log, strlen(cases[i].log), step);
			CHECK_EQ(seen.damages, 1);
			CHECK_EQ(seen.n_frames, 0);
			CHECK_STR(seen.damage, cases[i].damage);
			CHECK_EQ(seen.damage_line, cases[i].line);
			CHECK(seen_text(cases[i].log));
		}
	}
}

/* Builds a line with a right checksum whatever it says. */
static const char *sealed(const char *body)
{
	static char line[256];
	snprintf(line, sizeof line, "@hb %s %08x\n", body, crc32_update(0, body, strlen(body)));
	return line;
}

TEST(grammar_is_strict)
{
	static const char *const bad[] = {
		"B 3f2a91c0-2 .x",
		"B 3f2a91c0-2 a/b",
		"B 3f2a91c0-2 ",
		"B 3f2a91c0-02 x",
		"B 3f2a91c0-10000000 x",
		"B 3F2a91c0-2 x",
		"B 3f2a91c-2 x",
		"C 3f2a91c0-2 x",
		"B  3f2a91c0-2 x",
		"D 3f2a91c0-2 0",
		"",
		"D 3f2a91c0-2 0 ",
		"D 3f2a91c0-2 00 AAAA",
		"D 3f2a91c0-2 4294967295 AAAA",
		"D 3f2a91c0-2 0 AAA",
		"D 3f2a91c0-2 0 AAAA AAAA",
		"D 3f2a91c0-2 -1 AAAA",
		"E 3f2a91c0-2 0 5 00000000",
		"E 3f2a91c0-2 1 0 00000000",
		"E 3f2a91c0-2 1 58 00000000",
		"E 3f2a91c0-2 2 57 00000000",
		"E 3f2a91c0-2 1 1 0000000",
		"E 3f2a91c0-2 1 1 00000000 x",
		"E 3f2a91c0-2 4294967296 1 00000000",
		"E 3f2a91c0-2 1 18446744073709551617 00000000",
	};
	static const char *const good[] = {"B 3f2a91c0-0 x", "D 3f2a91c0-2 4294967294 AAAA",
					   "E 3f2a91c0-2 0 0 00000000", "E 3f2a91c0-2 2 58 00000000",
					   "E 3f2a91c0-9999999 4294967295 244813135815 ffffffff"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		log_reset();
		parse(sealed(bad[i]), strlen(sealed(bad[i])), 1000);
		CHECK_EQ(seen.damages, 1);
		CHECK_EQ(seen.n_frames, 0);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		log_reset();
		seen.next_line = 4294967294;
		parse(sealed(good[i]), strlen(sealed(good[i])), 1000);
		CHECK_EQ(seen.damages, 0);
		CHECK_EQ(seen.n_frames, 1);
	}
}

/* Lines longer than the parser's buffer are text, whole; one that starts as a frame line is damage too. */
TEST(long_lines_pass_through)
{
	static char log[5 * PARSE_LINE_MAX];
	for (size_t len = PARSE_LINE_MAX - 2; len < PARSE_LINE_MAX + 3; len++) {
		for (size_t step = 1; step < sizeof log; step = step * 7 + 1) {
			memset(log, '@', len);
			log[len] = '\n';
			memcpy(log + len + 1, "@hb B 3f2a91c0-2 hello.txt 1918cd85\n", 36);
			log_reset();
			parse(log, len + 37, step);
			CHECK_EQ(seen.damages, 0);
			CHECK_EQ(seen.n_frames, 1);
			CHECK(seen.text_len == len + 1 && memcmp(seen.text, log, len + 1) == 0);
			log[len] = '@'; /* one line now: the frame line's text is not at column 0 */
			log_reset();
			parse(log, len + 37, step);
			CHECK_EQ(seen.n_frames, 0);
			CHECK(seen.text_len == len + 37 && memcmp(seen.text, log, len + 37) == 0);
			log[len] = '\n';
			memcpy(log, "@hb", 3);
			log_reset();
			parse(log, len + 37, step);
			CHECK_EQ(seen.damages, 1);
			CHECK_EQ(seen.n_frames, 1);
			CHECK(seen.text_len == len + 1 && memcmp(seen.text, log, len + 1) == 0);
		}
	}
}

TEST(line_set_names_its_gaps)
{
	struct line_set s = {0};
	char out[480];
	static const uint64_t lines[] = {0, 1, 2, 8, 63, 64, 65, 130, 5000};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		CHECK(lines_add(&s, lines[i]));
	CHECK(lines_has(&s, 64) && !lines_has(&s, 66) && !lines_has(&s, 1 << 30));
	CHECK_EQ(lines_missing(&s, 5002, out, sizeof out), 5002 - 9);
	CHECK_STR(out, "3-7, 9-62, 66-129, 131-4999, 5001");
	CHECK_EQ(lines_missing(&s, 3, out, sizeof out), 0);
	CHECK_STR(out, "");
	CHECK_EQ(lines_missing(&s, 4, out, sizeof out), 1);
	CHECK_STR(out, "3");
	lines_free(&s);
	for (uint64_t i = 0; i < 100; i++)
		CHECK(lines_add(&s, i * 2));
	CHECK_EQ(lines_missing(&s, 199, out, sizeof out), 99);
	CHECK_STR(out, "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31 and 83 more");
	lines_free(&s);
	CHECK_EQ(lines_missing(&s, 4294967295, out, sizeof out), 4294967295);
	CHECK_STR(out, "0-4294967294");
}
