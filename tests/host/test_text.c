/* prof/text: profiles as text have Go's form, to the byte. */
#include "prof/text.h"

#include <stdio.h>

#include "tests/host/check.h"
#include "tests/host/mem_fake.h"
#include "tests/host/pprof_fake.h"

static uintptr_t entry(uintptr_t pc)
{
	return pc < BASE || pc >= BASE + 9 * 256 ? 0 : pc & ~(uintptr_t)255;
}

static bool hides(const struct pprof_frame *f)
{
	return f->file != NULL && (strcmp(f->file, "a.c") == 0 || strcmp(f->file, "b.c") == 0);
}

#define SETUP()                                               \
	struct mem_fake m;                                    \
	struct builder b;                                     \
	unsigned looked = 0;                                  \
	struct text_options o = {.head = text_count_head,     \
				 .record = text_count_record, \
				 .name = "goroutine",         \
				 .returns = true,             \
				 .symbolize = symbolize,      \
				 .symbolize_ctx = &looked,    \
				 .label = label,              \
				 .entry = entry,              \
				 .hides = hides};             \
	mem_fake_init(&m);                                    \
	builder_init(&b, &m.ops, 1 << 20);                    \
	store_init(SIZE_MAX)

#define TEARDOWN()        \
	builder_free(&b); \
	CHECK_EQ(m.out, 0)

static const char *written(const struct builder *b, const struct text_options *o, const struct mem_fake *m)
{
	CHECK_EQ(text_write(b, o, &m->ops, &store.sink), 0);
	store.data[store.n] = '\0';
	return store.data;
}

TEST(text_empty)
{
	SETUP();
	CHECK_STR(written(&b, &o, &m), "goroutine profile: total 0\n");
	TEARDOWN();
}

TEST(text_sorted_by_count_then_stack)
{
	SETUP();
	ADD(&b, 1, 0, BASE + 0x21, BASE + 0x101);
	ADD(&b, 3, 0, BASE + 0x111);
	ADD(&b, 1, 0, BASE + 0x11, BASE + 0x101);
	CHECK_STR(written(&b, &o, &m), "goroutine profile: total 5\n"
				       "3 @ 0x80200111\n"
				       "#\t0x80200110\tworker+0x10\tmain.c:117\n"
				       "\n"
				       "1 @ 0x80200011 0x80200101\n"
				       "#\t0x80200010\tmain+0x10\tmain.c:17\n"
				       "#\t0x80200100\tworker+0x0\tmain.c:101\n"
				       "\n"
				       "1 @ 0x80200021 0x80200101\n"
				       "#\t0x80200020\tmain+0x20\tmain.c:33\n"
				       "#\t0x80200100\tworker+0x0\tmain.c:101\n"
				       "\n");
	TEARDOWN();
}

static uintptr_t entry_not_of_main(uintptr_t pc)
{
	return pc < BASE + 256 ? 0 : entry(pc);
}

/* The second column is as wide as its widest cell and a blank, in tabs of 8; inlined frames have a line each. */
TEST(text_columns)
{
	SETUP();
	o.entry = entry_not_of_main;
	ADD(&b, 1, 0, BASE + 0x291, BASE + 0x11);
	CHECK_STR(written(&b, &o, &m), "goroutine profile: total 1\n"
				       "1 @ 0x80200291 0x80200011\n"
				       "#\t0x80200290\tinner+0x90\tinline.h:3\n"
				       "#\t0x80200290\tmiddle+0x90\tinline.h:13\n"
				       "#\t0x80200290\thash_word+0x90\thash.c:345\n"
				       "#\t0x80200010\tmain\t\tmain.c:17\n"
				       "\n");
	TEARDOWN();
}

TEST(text_labels)
{
	SETUP();
	ADD(&b, 1, 1, BASE + 0x11);
	ADD(&b, 2, 2, BASE + 0x11);
	CHECK_STR(written(&b, &o, &m), "goroutine profile: total 3\n"
				       "2 @ 0x80200011\n"
				       "# labels: {\"goroutine\":\"worker\"}\n"
				       "#\t0x80200010\tmain+0x10\tmain.c:17\n"
				       "\n"
				       "1 @ 0x80200011\n"
				       "# labels: {\"goroutine\":\"main\"}\n"
				       "#\t0x80200010\tmain+0x10\tmain.c:17\n"
				       "\n");
	TEARDOWN();
}

TEST(text_quotes)
{
	struct text t = {.to = &store.sink};
	store_init(SIZE_MAX);
	text_quote(&t, "a\"b\\c\n\t\x01\xc3\xa9");
	store.data[store.n] = '\0';
	CHECK_STR(store.data, "\"a\\\"b\\\\c\\n\\t\\x01\xc3\xa9\"");
}

/* Hidden at both ends, not between; all of it when nothing else is there. */
TEST(text_hides_the_kernel)
{
	SETUP();
	ADD(&b, 2, 0, BASE + 0x601, BASE + 0x11, BASE + 0x701, BASE + 0x111, BASE + 0x602);
	ADD(&b, 1, 0, BASE + 0x601, BASE + 0x702);
	CHECK_STR(written(&b, &o, &m), "goroutine profile: total 3\n"
				       "2 @ 0x80200601 0x80200011 0x80200701 0x80200111 0x80200602\n"
				       "#\t0x80200010\tmain+0x10\tmain.c:17\n"
				       "#\t0x80200700\tinit+0x0\tb.c:701\n"
				       "#\t0x80200110\tworker+0x10\tmain.c:117\n"
				       "\n"
				       "1 @ 0x80200601 0x80200702\n"
				       "#\t0x80200600\tinit+0x0\ta.c:601\n"
				       "#\t0x80200701\tinit+0x1\tb.c:702\n"
				       "\n");
	TEARDOWN();
}

TEST(text_synthetic_and_unknown)
{
	SETUP();
	ADD(&b, 1, 0, PROF_FRAME_LOST);
	ADD(&b, 2, 0, BASE + 0x901);
	CHECK_STR(written(&b, &o, &m), "goroutine profile: total 3\n"
				       "2 @ 0x80200901\n"
				       "#\t0x80200900\n"
				       "\n"
				       "1 @ 0x4\n"
				       "#\t0x0\t[lost]\n"
				       "\n");
	TEARDOWN();
}

/* At every byte: the sink's error comes back, nothing is written behind it, nothing leaks. */
TEST(text_sink_fails)
{
	SETUP();
	fill(&b);
	written(&b, &o, &m);
	size_t size = store.n;
	for (size_t at = 0; at < size; at += 97) {
		store_init(at);
		CHECK_EQ(text_write(&b, &o, &m.ops, &store.sink), -EIO);
		CHECK_EQ(store.after_error, 0);
	}
	/* and at every allocation */
	unsigned before = m.allocations, n = 1;
	store_init(SIZE_MAX);
	CHECK_EQ(text_write(&b, &o, &m.ops, &store.sink), 0);
	for (unsigned all = m.allocations - before; n <= all; n++) {
		m.fail_at = m.allocations + n;
		store_init(SIZE_MAX);
		CHECK_EQ(text_write(&b, &o, &m.ops, &store.sink), 0);
		store.data[store.n] = 0;
		CHECK(strstr((const char *)store.data, "# truncated: no memory to ") != NULL);
	}
	CHECK(n > 5);
	TEARDOWN();
}
