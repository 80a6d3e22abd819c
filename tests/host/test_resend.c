/*
 * What the host reader asks a machine to send again: the lines that are missing, no more often than makes sense, and what it says at the end.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/framing.h"
#include "tests/host/check.h"
#include "tests/host/store_memory.h"
#include "tools/hbdump/parse.h"
#include "tools/hbdump/store.h"

/* A log under construction. */
struct log {
	size_t len;
	char text[1 << 14];
};

static struct {
	struct memory memory;
	struct store_files files;
	struct store store;
	struct parser parser;
	uint64_t damages;
} out;

static void log_line(void *ctx, const char *text, size_t len)
{
	struct log *l = ctx;
	CHECK(l->len + len < sizeof l->text);
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

static void log_dump(struct log *l, uint32_t nonce, uint32_t number, const char *name, size_t size)
{
	struct frame_stream s;
	CHECK(frame_stream_begin(&s, nonce, number, name, log_line, l));
	for (size_t i = 0; i < size; i++) {
		uint8_t b = (uint8_t)(i * 2654435761u >> 11);
		frame_stream_write(&s, &b, 1);
	}
	frame_stream_end(&s);
}

static void on_text(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	(void)text;
	(void)len;
}

static void on_frame(void *ctx, uint64_t line, const struct frame *f)
{
	(void)ctx;
	store_frame(&out.store, line, f);
}

static void on_damage(void *ctx, uint64_t line, const char *what, const char *excerpt)
{
	(void)ctx;
	store_damage(&out.store, line, what, excerpt);
}

static void on_say(void *ctx, enum store_say kind, const char *text)
{
	(void)ctx;
	(void)kind;
	(void)text;
}

static void feed(const char *text, size_t len)
{
	parse_feed(&out.parser, text, len);
}

/* What comes, and what is asked for, at a time. */
static void feed_at(uint64_t ms, const char *text, size_t len)
{
	out.store.now_ms = ms;
	feed(text, len);
}

static bool ask_at(uint64_t ms, char *ask)
{
	out.store.now_ms = ms;
	return store_ask(&out.store, ask);
}

static void asking_begin(void)
{
	static const struct parse_events events = {on_text, on_frame, on_damage};
	memset(&out, 0, sizeof out);
	memory_init(&out.memory, &out.files);
	store_init(&out.store, &out.files, on_say, NULL, 1 << 20);
	out.store.repairs = true;
	parse_init(&out.parser, &events, NULL);
}

static void asking_end(void)
{
	store_finish(&out.store);
	out.damages = out.store.damages;
	store_free(&out.store);
	memory_free(&out.memory);
}

/* The n-th line of a log, its newline included. */
static const char *nth(const struct log *l, unsigned n, size_t *len)
{
	const char *at = l->text;
	for (; n > 0; n--)
		at = strchr(at, '\n') + 1;
	*len = (size_t)(strchr(at, '\n') - at) + 1;
	return at;
}

TEST(asks_for_what_is_missing)
{
	static struct log l;
	char ask[STORE_ASK_MAX];
	size_t len;
	memset(&l, 0, sizeof l);
	log_dump(&l, 0xabc, 4, "a.bin", 57 * 10);
	asking_begin();
	for (unsigned i = 1; i < 12; i++) { /* without its begin, and lines 3, 4 and 7 */
		const char *line = nth(&l, i, &len);
		if (i != 4 && i != 5 && i != 8)
			feed(line, len);
	}
	CHECK(ask_at(1000, ask));
	CHECK_STR(ask, "resend 00000abc-4 begin,3-4,7");
	CHECK(!ask_at(1100, ask)); /* not again at once */
	CHECK(ask_at(3000, ask));
	feed(nth(&l, 0, &len), strcspn(l.text, "\n") + 1);
	for (unsigned i = 4; i < 9; i++) {
		const char *line = nth(&l, i, &len);
		feed(line, len);
	}
	CHECK(store_has(&out.store, "a.bin"));
	CHECK(!ask_at(9000, ask));
	asking_end();
	CHECK_EQ(out.damages, 0);
}

TEST(asks_for_a_stream_of_which_nothing_came)
{
	static struct log l;
	char ask[STORE_ASK_MAX];
	memset(&l, 0, sizeof l);
	log_dump(&l, 0xabc, 0, "a.bin", 10);
	log_dump(&l, 0xabc, 2, "c.bin", 10);
	asking_begin();
	feed_at(1000, l.text, l.len);
	CHECK(!ask_at(1000, ask));
	CHECK(ask_at(2500, ask));
	CHECK_STR(ask, "resend 00000abc-1 all");
	asking_end();
	CHECK(out.damages > 0);
}

TEST(asks_a_number_of_times_and_then_says_so)
{
	static struct log l;
	char ask[STORE_ASK_MAX];
	size_t len, n = 0;
	memset(&l, 0, sizeof l);
	log_dump(&l, 0xabc, 0, "a.bin", 57 * 10);
	asking_begin();
	for (unsigned i = 0; i < 12; i++) {
		const char *line = nth(&l, i, &len);
		if (i != 5)
			feed(line, len);
	}
	for (uint64_t t = 1; t < 10000; t++)
		n += ask_at(t * 1000, ask);
	CHECK_EQ(n, STORE_ASKS);
	asking_end();
	CHECK(out.damages > 0);
}

TEST(a_damaged_line_is_no_damage_once_all_is_whole)
{
	static struct log l;
	char ask[STORE_ASK_MAX], bad[FRAME_LINE_MAX + 1];
	size_t len;
	memset(&l, 0, sizeof l);
	log_dump(&l, 0xabc, 0, "a.bin", 57 * 3);
	for (int repaired = 0; repaired < 2; repaired++) {
		asking_begin();
		for (unsigned i = 0; i < 5; i++) {
			const char *line = nth(&l, i, &len);
			memcpy(bad, line, len);
			bad[20] ^= i == 2;
			feed(bad, len);
		}
		CHECK(ask_at(1000, ask));
		CHECK_STR(ask, "resend 00000abc-0 1");
		const char *line = nth(&l, 2, &len);
		if (repaired)
			feed(line, len);
		CHECK(ask_at(5000, ask));
		if (repaired) /* the damaged line may have been the only one of the next stream */
			CHECK_STR(ask, "resend 00000abc-1 all");
		asking_end();
		CHECK_EQ(out.damages == 0, repaired);
	}
}

/* From 1000 ms on, every 150 ms, what a program prints; until that is asked for. Returns when it is, or 0. */
static uint64_t text_until_asked(const char *what)
{
	char ask[STORE_ASK_MAX];
	for (uint64_t t = 1000; t < 10000; t += 150) {
		feed_at(t, "tick\n", 5);
		while (ask_at(t, ask))
			if (strcmp(ask, what) == 0)
				return t;
	}
	return 0;
}

TEST(text_does_not_keep_it_from_asking)
{
	static struct log l;
	char ask[STORE_ASK_MAX], bad[FRAME_LINE_MAX + 1];
	size_t len;
	uint64_t at;
	memset(&l, 0, sizeof l);
	log_dump(&l, 0xabc, 0, "a.bin", 57 * 3);
	const char *end = nth(&l, 4, &len);
	asking_begin(); /* without its end */
	feed_at(1000, l.text, (size_t)(end - l.text));
	at = text_until_asked("resend 00000abc-0 end");
	CHECK(at >= 2000 && at < 2300);
	asking_end();

	asking_begin(); /* line 1 is damaged, and so is the answer */
	for (unsigned i = 0; i < 5; i++) {
		const char *line = nth(&l, i, &len);
		if (i != 2)
			feed_at(500, line, len);
	}
	CHECK(ask_at(500, ask));
	CHECK_STR(ask, "resend 00000abc-0 1");
	const char *line = nth(&l, 2, &len);
	memcpy(bad, line, len);
	bad[20] ^= 1;
	feed_at(600, bad, len);
	at = text_until_asked("resend 00000abc-0 1");
	CHECK(at > 0 && at < 1500);
	asking_end();

	log_dump(&l, 0xabc, 1, "b.bin", 10);
	size_t before = l.len;
	log_dump(&l, 0xabc, 2, "c.bin", 10);
	asking_begin(); /* nothing of the second */
	feed_at(1000, l.text, (size_t)(strstr(l.text, "@hb B 00000abc-1") - l.text));
	feed_at(1000, l.text + before, l.len - before);
	at = text_until_asked("resend 00000abc-1 all");
	CHECK(at >= 2000 && at < 2300);
	asking_end();
}

TEST(one_dump_does_not_keep_it_from_asking_for_another)
{
	static struct log l;
	char ask[STORE_ASK_MAX];
	size_t len;
	memset(&l, 0, sizeof l);
	log_dump(&l, 0xabc, 0, "a.bin", 57 * 3);
	size_t second = l.len;
	log_dump(&l, 0xabc, 1, "b.bin", 57 * 100);
	const char *end = nth(&l, 4, &len);
	asking_begin(); /* the first without its end, and the lines of the second 50 ms apart */
	feed_at(1000, l.text, (size_t)(end - l.text));
	uint64_t t = 1000;
	for (const char *at = l.text + second; t < 5000; at += len, t += 50) {
		len = strcspn(at, "\n") + 1;
		feed_at(t, at, len);
		if (ask_at(t, ask))
			break;
	}
	CHECK(t >= 2000 && t < 2300);
	CHECK_STR(ask, "resend 00000abc-0 end");
	asking_end();
}
