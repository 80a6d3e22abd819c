/*
 * What the profile tests share: a sink that stores and fails on request, an image with a few functions, label
 * sets, and a short way to add samples.
 */
#ifndef TESTS_HOST_PPROF_FAKE_H
#define TESTS_HOST_PPROF_FAKE_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "prof/builder.h"
#include "prof/pprof.h"

struct store {
	struct sink sink;
	size_t n, fail_after;
	unsigned writes, after_error;
	bool failed;
	char data[1 << 20];
};

static struct store store;

static inline int store_write(struct sink *s, const void *data, size_t n)
{
	struct store *st = (struct store *)s;
	st->writes++;
	st->after_error += st->failed;
	if (st->n + n > st->fail_after) {
		st->failed = true;
		return -EIO;
	}
	memcpy(st->data + st->n, data, n);
	st->n += n;
	return 0;
}

static inline void store_init(size_t fail_after)
{
	store = (struct store){.sink.write = store_write, .fail_after = fail_after};
}

enum { BASE = 0x80200000, END = 0x80300000 };

/*
 * Function i is 256 bytes at BASE + 256 i. In its upper half "inner" is inlined through "middle". Function 9
 * is not known, function 8 has no file. Functions 6 and 7 are two static ones of one name in two files.
 */
static inline bool symbolize(void *ctx, uintptr_t pc, struct pprof_frame *frames, unsigned max, unsigned *n)
{
	static const char *const names[] = {"main",    "worker", "hash_word", "split", "merge",
					    "recurse", "init",   "init",      "nofile"};
	static const char *const files[] = {"main.c", "main.c", "hash.c", "main.c", "main.c",
					    "main.c", "a.c",    "b.c",    NULL};
	(*(unsigned *)ctx)++;
	if (pc < BASE || (pc - BASE) / 256 >= sizeof names / sizeof names[0] || max < 3)
		return false;
	uint32_t i = (uint32_t)(pc - BASE) / 256, at = (uint32_t)(pc - BASE) % 256;
	*n = 0;
	if (at >= 128) {
		frames[(*n)++] = (struct pprof_frame){"inner", "inline.h", 3, 1};
		frames[(*n)++] = (struct pprof_frame){"middle", "inline.h", 13, 11};
	}
	frames[(*n)++] = (struct pprof_frame){names[i], files[i], i * 100 + at + 1, i * 100};
	return true;
}

/* Set 1 is {goroutine: main, bytes: 64 bytes}, set 2 is {goroutine: worker}. */
static inline bool label(void *ctx, uint32_t labels, unsigned i, struct pprof_label *l)
{
	(void)ctx;
	static const struct pprof_label one[] = {{"goroutine", "main", NULL, 0},
						 {"bytes", NULL, "bytes", 64}};
	static const struct pprof_label two[] = {{"goroutine", "worker", NULL, 0}};
	if (i >= (labels == 1 ? 2 : 1))
		return false;
	*l = labels == 1 ? one[i] : two[i];
	return true;
}

static inline void add(struct builder *b, uint64_t count, uint32_t labels, uint32_t depth,
		       const uintptr_t *pcs)
{
	struct prof_sample s = {
		.count = count, .weight_ns = count * 2000000, .depth = depth, .pcs = pcs, .labels = labels};
	if (!builder_add(b, &s))
		abort();
}

#define ADD(b, count, labels, ...)                                                    \
	add(b, count, labels, sizeof((uintptr_t[]){__VA_ARGS__}) / sizeof(uintptr_t), \
	    (uintptr_t[]){__VA_ARGS__})

static inline void fill(struct builder *b)
{
	for (uintptr_t i = 0; i < 300; i++)
		ADD(b, i % 7 + 1, (uint32_t)(i % 3), BASE + i * 7, BASE + 0x500 + i % 5, BASE + 0x500,
		    BASE + i % 2 * 0x90 + 2);
}

#endif
