/*
 * The host reader, parser and store together, over logs that were cut, flipped, thinned, shuffled and mixed:
 * a dump is either stored with its plain name and right in every byte, or reported; never silently wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/crc32.h"
#include "kernel/framing.h"
#include "tests/host/check.h"
#include "tests/host/store_memory.h"
#include "tools/hbdump/parse.h"
#include "tools/hbdump/store.h"

enum { LOG_MAX = 1 << 16, LINES_MAX = 512 };

/* A log under construction. */
struct log {
	size_t len;
	char text[LOG_MAX];
};

/* What the reader made of a log. */
static struct {
	struct memory memory;
	struct store store;
	char text[LOG_MAX];
	size_t text_len;
	char said[1 << 14];
	uint64_t damages;
	bool failed;
} out;

static void log_put(struct log *l, const char *text, size_t len)
{
	CHECK(l->len + len <= sizeof l->text);
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

static void log_line(void *ctx, const char *text, size_t len)
{
	log_put(ctx, text, len);
}

static void log_text(struct log *l, const char *text)
{
	log_put(l, text, strlen(text));
}

/* Content that differs for each seed. */
static uint8_t content_byte(uint32_t seed, size_t i)
{
	return (uint8_t)((i * 2654435761u + seed * 40503u) >> 11);
}

static void log_dump(struct log *l, uint32_t nonce, uint32_t number, const char *name, uint32_t seed,
		     size_t size)
{
	struct frame_stream s;
	CHECK(frame_stream_begin(&s, nonce, number, name, log_line, l));
	for (size_t i = 0; i < size; i++) {
		uint8_t b = content_byte(seed, i);
		frame_stream_write(&s, &b, 1);
	}
	frame_stream_end(&s);
}

static void on_text(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	CHECK(out.text_len + len <= sizeof out.text);
	memcpy(out.text + out.text_len, text, len);
	out.text_len += len;
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
	size_t at = strlen(out.said);
	snprintf(out.said + at, sizeof out.said - at, "%s\n", text);
}

static bool fail_writes;
static uint64_t limit = 1 << 20;

/* Reads a log; what came of it is in out until read_done(). */
static void read_log(const char *text, size_t len)
{
	static const struct parse_events events = {on_text, on_frame, on_damage};
	static struct parser parser;
	static struct store_files files;
	memory_init(&out.memory, &files);
	out.memory.fail_writes = fail_writes;
	out.text_len = 0;
	out.said[0] = '\0';
	store_init(&out.store, &files, on_say, NULL, limit);
	parse_init(&parser, &events, NULL);
	parse_feed(&parser, text, len / 2);
	parse_feed(&parser, text + len / 2, len - len / 2);
	parse_finish(&parser);
	store_finish(&out.store);
	out.damages = out.store.damages;
	out.failed = out.store.failed;
	CHECK_EQ(out.memory.n_live, 0);
}

static void read_done(void)
{
	store_free(&out.store);
	memory_free(&out.memory);
}

/* Whether the file of that name is exactly the content of that seed and size. */
static bool stored(const char *name, uint32_t seed, size_t size)
{
	const struct memory_file *f = memory_find(&out.memory, name);
	if (f == NULL || f->size != size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (f->data[i] != content_byte(seed, i))
			return false;
	return true;
}

static bool said(const char *text)
{
	return strstr(out.said, text) != NULL;
}

/* Where each line of a log starts; starts[n] is its end. */
static int log_split(const struct log *l, size_t starts[LINES_MAX + 1])
{
	int n = 0;
	for (size_t at = 0; at < l->len; n++) {
		starts[n] = at;
		at = (size_t)((char *)memchr(l->text + at, '\n', l->len - at) - l->text) + 1;
	}
	starts[n] = l->len;
	return n;
}

static struct log
	plain; /* console text and two dumps, a.bin (seed 1, 150 bytes) and b.bin (seed 2, 57 bytes) */

static void make_plain(void)
{
	plain.len = 0;
	log_text(&plain, "boot\n\n");
	log_dump(&plain, 0x1234abcd, 0, "a.bin", 1, 150);
	log_text(&plain, "between\r\n\\@hb quoted\n");
	log_dump(&plain, 0x1234abcd, 1, "b.bin", 2, 57);
	log_text(&plain, "end\n");
}

TEST(a_whole_log)
{
	make_plain();
	read_log(plain.text, plain.len);
	CHECK_EQ(out.damages, 0);
	CHECK(!out.failed);
	CHECK(stored("a.bin", 1, 150));
	CHECK(stored("b.bin", 2, 57));
	CHECK_EQ(out.memory.n_files, 2);
	CHECK(store_has(&out.store, "a.bin") && !store_has(&out.store, "c.bin"));
	static const char text[] = "boot\n\nbetween\r\n@hb quoted\nend\n";
	CHECK(out.text_len == sizeof text - 1 && memcmp(out.text, text, sizeof text - 1) == 0);
	CHECK(said("a.bin: 150 bytes, whole"));
	read_done();
}

TEST(sizes)
{
	for (size_t size = 0; size < 400; size++) {
		static struct log l;
		l.len = 0;
		log_dump(&l, 1, 0, "x", (uint32_t)size, size);
		read_log(l.text, l.len);
		CHECK_EQ(out.damages, 0);
		CHECK(stored("x", (uint32_t)size, size));
		read_done();
	}
}

/* Cut at every byte: a dump whose lines all came is stored; one that began and is not whole is reported. */
TEST(cut_anywhere)
{
	make_plain();
	size_t starts[LINES_MAX + 1], a_begin = 0, a_last = 0, a_end = 0, b_begin = 0, b_last = 0, b_end = 0;
	int n = log_split(&plain, starts);
	for (int i = 0; i < n; i++) {
		const char *line = plain.text + starts[i];
		if (strncmp(line, "@hb B 1234abcd-0", 16) == 0)
			a_begin = starts[i];
		if (strncmp(line, "@hb B 1234abcd-1", 16) == 0)
			b_begin = starts[i];
		if (strncmp(line, "@hb E 1234abcd-0", 16) == 0)
			a_last = starts[i], a_end = starts[i + 1] - 1;
		if (strncmp(line, "@hb E 1234abcd-1", 16) == 0)
			b_last = starts[i], b_end = starts[i + 1] - 1;
	}
	for (size_t cut = 0; cut < plain.len; cut++) {
		read_log(plain.text, cut);
		CHECK_EQ(stored("a.bin", 1, 150), cut >= a_end);
		CHECK_EQ(stored("b.bin", 2, 57), cut >= b_end);
		bool inside = (cut > a_begin && cut < a_end) || (cut > b_begin && cut < b_end);
		CHECK_EQ(out.damages > 0, inside);
		read_done();
	}
	/* the beginning cut off: reported while a whole line of it is left */
	for (size_t cut = a_begin + 1; cut < plain.len; cut++) {
		read_log(plain.text + cut, plain.len - cut);
		CHECK(!stored("a.bin", 1, 150));
		CHECK_EQ(stored("b.bin", 2, 57), cut <= b_begin);
		bool escape_lost = plain.text[cut - 1] == FRAME_ESCAPE;
		CHECK_EQ(out.damages > 0, cut <= a_last || escape_lost || (cut > b_begin && cut <= b_last));
		read_done();
	}
}

/* Every byte replaced by every other: the verdict is damage, or both dumps are right in every byte. */
TEST(flip_every_byte)
{
	static struct log l;
	make_plain();
	l = plain;
	for (size_t at = 0; at < l.len; at++) {
		for (int v = 1; v < 256; v++) {
			l.text[at] = (char)(plain.text[at] ^ v);
			read_log(l.text, l.len);
			bool right =
				stored("a.bin", 1, 150) && stored("b.bin", 2, 57) && out.memory.n_files == 2;
			if (out.damages == 0 && !right)
				check_fail(__FILE__, __LINE__, "byte %zu xor %d: silently wrong", at, v);
			if (memory_find(&out.memory, "a.bin") != NULL)
				CHECK(stored("a.bin", 1, 150));
			if (memory_find(&out.memory, "b.bin") != NULL)
				CHECK(stored("b.bin", 2, 57));
			read_done();
		}
		l.text[at] = plain.text[at];
	}
}

/* A byte lost, doubled or put in between. */
TEST(lose_and_insert_every_byte)
{
	static struct log l;
	make_plain();
	for (size_t at = 0; at < plain.len; at++) {
		for (int insert = -1; insert < 4; insert++) {
			l.len = 0;
			log_put(&l, plain.text, at);
			if (insert >= 0)
				log_put(&l, insert == 3 ? plain.text + at : &"\n@\\"[insert], 1);
			size_t rest = insert < 0 ? at + 1 : at;
			log_put(&l, plain.text + rest, plain.len - rest);
			read_log(l.text, l.len);
			bool right =
				stored("a.bin", 1, 150) && stored("b.bin", 2, 57) && out.memory.n_files == 2;
			if (out.damages == 0 && !right)
				check_fail(__FILE__, __LINE__, "byte %zu, %d: silently wrong", at, insert);
			read_done();
		}
	}
}

/* Each run of lines lost: the verdict names stream and lines, unless only text is gone. */
TEST(lose_lines)
{
	size_t starts[LINES_MAX + 1];
	static struct log l;
	make_plain();
	int n = log_split(&plain, starts);
	for (int from = 0; from < n; from++) {
		for (int to = from + 1; to <= n; to++) {
			l.len = 0;
			log_put(&l, plain.text, starts[from]);
			log_put(&l, plain.text + starts[to], plain.len - starts[to]);
			bool a_gone = true, b_gone = true, a_hit = false, b_hit = false;
			for (int i = 0; i < n; i++) {
				bool lost = i >= from && i < to;
				if (strncmp(plain.text + starts[i] + 5, " 1234abcd-0", 11) == 0)
					lost ? (a_hit = true) : (a_gone = false);
				if (strncmp(plain.text + starts[i] + 5, " 1234abcd-1", 11) == 0)
					lost ? (b_hit = true) : (b_gone = false);
			}
			read_log(l.text, l.len);
			CHECK_EQ(stored("a.bin", 1, 150), !a_hit);
			CHECK_EQ(stored("b.bin", 2, 57), !b_hit);
			CHECK_EQ(out.damages > 0, (a_hit && !a_gone) || (b_hit && !b_gone));
			if (a_hit && !a_gone)
				CHECK(said("stream 1234abcd-0 ("));
			if (b_hit && !b_gone)
				CHECK(said("stream 1234abcd-1 ("));
			read_done();
		}
	}
}

TEST(missing_lines_are_named)
{
	size_t starts[LINES_MAX + 1];
	static struct log l, whole;
	whole.len = l.len = 0;
	log_dump(&whole, 0xabc, 0, "t", 3, 57 * 20);
	int n = log_split(&whole, starts);
	for (int i = 0; i < n; i++)
		if (i != 3 && (i < 6 || i > 9))
			log_put(&l, whole.text + starts[i], starts[i + 1] - starts[i]);
	read_log(l.text, l.len);
	CHECK(said("stream 00000abc-0 (t): lines 2, 5-8 missing of 20; what is whole is in t.damaged"));
	const struct memory_file *f = memory_find(&out.memory, "t.damaged");
	CHECK(f != NULL && f->size == 57 * 20);
	for (size_t i = 0; f != NULL && i < f->size; i++) {
		size_t line = i / 57;
		CHECK_EQ(f->data[i], line == 2 || (line >= 5 && line <= 8) ? 0 : content_byte(3, i));
	}
	read_done();
	/* the second copy of a log fills the holes of the first */
	log_put(&l, whole.text, whole.len);
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 0);
	CHECK(stored("t", 3, 57 * 20));
	read_done();
}

/* Lines in reverse, in pairs swapped, and twice: order does not matter. */
TEST(any_order)
{
	size_t starts[LINES_MAX + 1];
	static struct log l;
	make_plain();
	int n = log_split(&plain, starts);
	l.len = 0;
	for (int i = n - 1; i >= 0; i--)
		log_put(&l, plain.text + starts[i], starts[i + 1] - starts[i]);
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 0);
	CHECK(stored("a.bin", 1, 150) && stored("b.bin", 2, 57));
	read_done();
	l.len = 0;
	for (int i = 0; i < n; i++) {
		int k = (i ^ 1) < n ? i ^ 1 : i;
		log_put(&l, plain.text + starts[k], starts[k + 1] - starts[k]);
	}
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 0);
	CHECK(stored("a.bin", 1, 150) && stored("b.bin", 2, 57));
	read_done();
	l.len = 0;
	log_put(&l, plain.text, plain.len);
	log_put(&l, plain.text, plain.len);
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 0);
	CHECK_EQ(out.memory.n_files, 2);
	CHECK(stored("a.bin", 1, 150) && stored("b.bin", 2, 57));
	read_done();
}

TEST(two_dumps_interleaved)
{
	size_t starts[2][LINES_MAX + 1];
	static struct log one[2], l;
	int n[2], at[2] = {0, 0};
	for (uint32_t k = 0; k < 2; k++) {
		one[k].len = 0;
		log_dump(&one[k], 7, k, k == 0 ? "zero" : "one", k + 10, 1000 + k * 777);
		n[k] = log_split(&one[k], starts[k]);
	}
	l.len = 0;
	for (uint32_t r = 12345; at[0] < n[0] || at[1] < n[1]; r = r * 1664525 + 1013904223) {
		int k = (int)(r >> 30 & 1);
		if (at[k] == n[k])
			k = !k;
		log_put(&l, one[k].text + starts[k][at[k]], starts[k][at[k] + 1] - starts[k][at[k]]);
		at[k]++;
	}
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 0);
	CHECK(stored("zero", 10, 1000));
	CHECK(stored("one", 11, 1777));
	read_done();
}

/* Two boots with the same numbers and names: both are kept, whichever of them is cut. */
TEST(two_boots_in_one_log)
{
	static struct log l;
	l.len = 0;
	log_dump(&l, 0x11111111, 0, "cpu.pb.gz", 1, 500);
	log_dump(&l, 0x22222222, 0, "cpu.pb.gz", 2, 400);
	log_dump(&l, 0x33333333, 0, "cpu.pb.gz", 3, 300);
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 0);
	CHECK(stored("cpu.pb.gz", 1, 500) && stored("cpu.pb.gz.2", 2, 400) && stored("cpu.pb.gz.3", 3, 300));
	read_done();
	l.len = 0;
	log_dump(&l, 0x11111111, 0, "cpu.pb.gz", 1, 500);
	l.len -= 200; /* the first boot died within its dump, and within a line */
	log_text(&l, "\n");
	log_dump(&l, 0x22222222, 0, "cpu.pb.gz", 2, 400);
	read_log(l.text, l.len);
	CHECK(out.damages > 0);
	CHECK(stored("cpu.pb.gz", 2, 400));
	CHECK(memory_find(&out.memory, "cpu.pb.gz.damaged") != NULL);
	CHECK_EQ(out.memory.n_files, 2);
	read_done();
}

/* A suffix that a stream's own name has already. */
TEST(names_do_not_collide)
{
	static struct log l;
	l.len = 0;
	log_dump(&l, 1, 0, "x.2", 1, 10);
	log_dump(&l, 1, 1, "x", 2, 20);
	log_dump(&l, 1, 2, "x", 3, 30);
	log_dump(&l, 1, 3, "x.2", 4, 40);
	log_dump(&l, 1, 4, "x.damaged", 5, 50);
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 0);
	CHECK(stored("x.2", 1, 10) && stored("x", 2, 20) && stored("x.3", 3, 30) && stored("x.2.2", 4, 40));
	CHECK(stored("x.damaged", 5, 50));
	read_done();
}

/* A stream of which nothing arrived shows as a gap in the boot's numbers. */
TEST(lost_streams_are_named)
{
	static struct log l;
	l.len = 0;
	log_dump(&l, 0x55, 3, "d", 1, 10);
	log_dump(&l, 0x55, 5, "f", 1, 10);
	log_dump(&l, 0x55, 9, "j", 1, 10);
	log_dump(&l, 0x56, 10, "k", 1, 10);
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 2);
	CHECK(said("stream 00000055-4: no line of it arrived\n"));
	CHECK(said("streams 00000055-6 to 00000055-8: no line of them arrived\n"));
	CHECK(said("of boot 00000055 the input has no stream before 3\n"));
	CHECK_EQ(out.memory.n_files, 4);
	read_done();
}

static void log_sealed(struct log *l, const char *body)
{
	char line[256];
	snprintf(line, sizeof line, "@hb %s %08x\n", body, crc32_update(0, body, strlen(body)));
	log_text(l, line);
}

/* Lines with right checksums that contradict each other: two writers with one stream, or a liar. */
TEST(contradictions_are_reported)
{
	static struct log dump, l;
	static const struct {
		const char *body, *open,
			*whole; /* the line, and what is said when it comes before and after the end */
	} cases[] = {
		{"B 00000001-0 y", "another name", "another name"},
		{"D 00000001-0 0 AAAA", "came before with other bytes", "contradicts the whole dump"},
		{"D 00000001-0 1 AAAA", "came before with other bytes", "contradicts the whole dump"},
		{"D 00000001-0 7 AAAA", "says it is the last", "contradicts the whole dump"},
		{"E 00000001-0 2 101 00000000", "says something else", "says something else"},
	};
	size_t starts[LINES_MAX + 1];
	dump.len = 0;
	log_dump(&dump, 1, 0, "x", 1, 100);
	log_split(&dump, starts);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (int at = 0; at <= 4; at++) { /* the line is put before this line of the dump */
			l.len = 0;
			log_put(&l, dump.text, starts[at]);
			log_sealed(&l, cases[i].body);
			log_put(&l, dump.text + starts[at], dump.len - starts[at]);
			read_log(l.text, l.len);
			CHECK(out.damages > 0);
			CHECK(memory_find(&out.memory, "x") == NULL || stored("x", 1, 100));
			if (at == 4) {
				CHECK(stored("x", 1, 100));
				CHECK(said(cases[i].whole));
			} else if (at == 3) {
				CHECK_EQ(stored("x", 1, 100), cases[i].body[0] != 'E');
				CHECK(said(cases[i].open));
			}
			read_done();
		}
	}
}

TEST(lies_of_the_end_line)
{
	char shorter[64]; /* right for the bytes it counts, but the lines have one more */
	const char *const bodies[] = {"E 00000001-0 2 100 00000000",
				      "E 00000001-0 3 100 00000000",
				      "E 00000001-0 1 57 00000000",
				      "E 00000001-0 2 99 00000000",
				      "E 00000001-0 0 0 00000000",
				      "E 00000001-0 3 171 00000000",
				      shorter};
	uint8_t content[99];
	for (size_t i = 0; i < sizeof content; i++)
		content[i] = content_byte(1, i);
	snprintf(shorter, sizeof shorter, "E 00000001-0 2 99 %08x", crc32_update(0, content, sizeof content));
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		static struct log l;
		size_t starts[LINES_MAX + 1];
		l.len = 0;
		log_dump(&l, 1, 0, "x", 1, 100);
		l.len = (log_split(&l, starts), starts[3]);
		log_sealed(&l, bodies[i]);
		read_log(l.text, l.len);
		CHECK(out.damages > 0);
		CHECK(memory_find(&out.memory, "x") == NULL);
		CHECK(stored("x.damaged", 1, 100));
		read_done();
	}
}

TEST(limits_hold)
{
	static struct log l;
	limit = 1000;
	l.len = 0;
	log_dump(&l, 1, 0, "small", 1, 1000);
	log_dump(&l, 1, 1, "big", 2, 1001);
	log_sealed(&l, "D 00000001-2 4294967294 AAAA");
	read_log(l.text, l.len);
	CHECK(stored("small", 1, 1000));
	CHECK(memory_find(&out.memory, "big") == NULL);
	CHECK(said("over the size limit of 1000 bytes"));
	CHECK_EQ(out.memory.n_files, 2);
	read_done();
	limit = 1 << 20;
	/* more unfinished streams than may be open: the quiet ones are given up, and what goes on is whole */
	l.len = 0;
	log_sealed(&l, "B 00000002-0 busy");
	for (int i = 1; i < 2 * STORE_OPEN_MAX; i++) {
		char body[64];
		snprintf(body, sizeof body, "B 00000002-%d quiet", i);
		log_sealed(&l, body);
		if (i % 16 == 0)
			log_sealed(&l, "B 00000002-0 busy");
	}
	log_sealed(&l, "E 00000002-0 0 0 00000000");
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 2 * STORE_OPEN_MAX - 1);
	CHECK(store_has(&out.store, "busy"));
	read_done();
}

TEST(a_flood_of_damage_is_summed_up)
{
	static struct log l;
	l.len = 0;
	for (int i = 0; i < 1000; i++)
		log_text(&l, "@hb x\n");
	read_log(l.text, l.len);
	CHECK_EQ(out.damages, 1001);
	CHECK(said("log line 20: cut short"));
	CHECK(!said("log line 21:"));
	CHECK(said("980 more damaged lines"));
	read_done();
}

TEST(write_errors_are_failures)
{
	make_plain();
	fail_writes = true;
	read_log(plain.text, plain.len);
	fail_writes = false;
	CHECK(out.failed);
	CHECK_EQ(out.memory.n_files, 0);
	CHECK(said("could not be stored"));
	read_done();
}
