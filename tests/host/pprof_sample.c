/*
 * Writes a profile and the top table of the same samples, for comparison with what `go tool pprof` says:
 *
 *	pprof_sample SCENARIO OUT.pb.gz ROWS		the table goes to standard output
 *
 * Scenarios: plain (a program's CPU profile with everything a profile may hold), empty, and ms, ns, us, hours
 *(random samples whose weights are of that order, so that units, rounding and ties come up).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/builder.h"
#include "prof/gzip.h"
#include "prof/pprof.h"
#include "prof/top.h"
#include "tests/host/mem_fake.h"

enum { BASE = 0x80200000, FUNCTION_SIZE = 0x1000, FUNCTIONS = 40 };

struct file_sink {
	struct sink sink;
	FILE *f;
};

static int file_write(struct sink *s, const void *data, size_t n)
{
	return fwrite(data, 1, n, ((struct file_sink *)s)->f) == n ? 0 : -5;
}

/* Function i at BASE + 0x1000 i; its upper half has two inlined levels; 7 and 8 share a name; 9 has no
 * symbol. */
static bool symbolize(void *ctx, uintptr_t pc, struct pprof_frame *frames, unsigned max, unsigned *n)
{
	static char names[FUNCTIONS][16];
	uint32_t i = (uint32_t)(pc - BASE) / FUNCTION_SIZE, at = (uint32_t)(pc - BASE) % FUNCTION_SIZE;
	if (pc < BASE || i >= FUNCTIONS || (i == 9 && ctx == NULL) || max < 3)
		return false;
	snprintf(names[i], sizeof names[i], "function_%u", i == 8 ? 7 : i);
	*n = 0;
	if (at >= FUNCTION_SIZE / 2) {
		frames[(*n)++] = (struct pprof_frame){"inline_leaf", "include/inline.h", 5, 3};
		frames[(*n)++] = (struct pprof_frame){"inline_middle", "include/inline.h", 15, 13};
	}
	frames[(*n)++] = (struct pprof_frame){names[i], i == 8 ? "b.c" : "a.c", i * 1000 + at / 16, i * 1000};
	return true;
}

static bool label(void *ctx, uint32_t labels, unsigned i, struct pprof_label *l)
{
	(void)ctx;
	static const char *const names[] = {"none", "splitter", "worker"};
	if (i == 0)
		*l = (struct pprof_label){.key = "goroutine", .str = names[labels % 3]};
	else if (i == 1)
		*l = (struct pprof_label){.key = "bytes", .num = 64 * labels, .unit = "bytes"};
	return i < 2;
}

static uint64_t state = 88172645463325252u;

static uint64_t random_next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void add(struct builder *b, uint64_t count, uint64_t weight_ns, uint32_t labels, uint32_t depth,
		const uintptr_t *pcs)
{
	struct prof_sample s = {
		.count = count, .weight_ns = weight_ns, .depth = depth, .pcs = pcs, .labels = labels};
	if (!builder_add(b, &s))
		exit(3);
}

#define PC(function, at) (BASE + (uintptr_t)(function)*FUNCTION_SIZE + (at))
#define ADD(b, count, labels, ...)                                                                         \
	add(b, count, (count)*10000000ull, labels, sizeof((uintptr_t[]){__VA_ARGS__}) / sizeof(uintptr_t), \
	    (uintptr_t[]){__VA_ARGS__})

static void fill_plain(struct builder *b)
{
	ADD(b, 300, 1, PC(1, 0x10), PC(2, 0x21), PC(0, 0x31));
	ADD(b, 101, 2, PC(1, 0x10), PC(2, 0x21), PC(0, 0x31));
	ADD(b, 99, 0, PC(3, 0x900), PC(2, 0x21), PC(0, 0x31));
	ADD(b, 80, 0, PC(4, 0x10), PC(4, 0x21), PC(4, 0x31), PC(4, 0x21), PC(0, 0x31));
	ADD(b, 60, 0, PC(7, 0x10), PC(0, 0x31));
	ADD(b, 60, 0, PC(8, 0x10), PC(0, 0x31));
	ADD(b, 40, 0, PC(9, 0x10), PC(0, 0x31));
	ADD(b, 25, 0, PC(5, 0x10), PROF_FRAME_SWITCH);
	ADD(b, 20, 0, PC(5, 0x20), PROF_FRAME_IRQ_OFF);
	ADD(b, 8, 0, PROF_FRAME_SYSTEM);
	ADD(b, 5, 0, PROF_FRAME_LOST);
	ADD(b, 1, 0, PC(6, 0x10), PC(0, 0x31));
	add(b, 1, 10000000, 0, 0, NULL);
	add(b, 0, 0, 0, 1, (uintptr_t[]){PC(20, 0x10)}); /* weighs nothing: pprof does not show it */
	uintptr_t deep[PROF_DEPTH_MAX + 10];
	for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++)
		deep[i] = PC(10 + i % 3, 0x40);
	add(b, 200, 2000000000, 0, PROF_DEPTH_MAX + 10, deep);
}

static void fill_random(struct builder *b, uint64_t unit_ns)
{
	for (unsigned i = 0; i < 2000; i++) {
		uintptr_t pcs[12];
		uint32_t depth = 1 + (uint32_t)(random_next() % 12);
		for (uint32_t d = 0; d < depth; d++) {
			uint64_t f = random_next() % FUNCTIONS * (random_next() % FUNCTIONS) / FUNCTIONS;
			pcs[d] = PC(f, random_next() % FUNCTION_SIZE);
		}
		uint64_t weight = unit_ns * (1 + random_next() % 8) + random_next() % 3 * unit_ns / 2;
		add(b, 1, i % 10 == 0 ? weight / 1000 : weight, 0, depth, pcs);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint64_t unit_ns;
	} units[] = {{"ns", 7}, {"us", 5000}, {"ms", 2500000}, {"hours", 3600000000000}};
	static const char *const comments[] = {"lost: 5 ticks, 50ms", "sampled at 100 Hz on 4 harts"};
	struct mem_fake m;
	struct builder b;
	mem_fake_init(&m);
	builder_init(&b, &m.ops, 64 << 20);
	if (argc != 4) {
		fprintf(stderr, "usage: pprof_sample plain|empty|ns|us|ms|hours OUT.pb.gz ROWS\n");
		return 2;
	}
	bool known = strcmp(argv[1], "empty") == 0, plain = strcmp(argv[1], "plain") == 0;
	if (plain)
		fill_plain(&b);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(argv[1], units[i].name) != 0)
			continue;
		known = true;
		fill_random(&b, units[i].unit_ns);
	}
	struct file_sink file = {.sink.write = file_write, .f = fopen(argv[2], "wb")};
	struct file_sink out = {.sink.write = file_write, .f = stdout};
	if ((!known && !plain) || file.f == NULL) {
		fprintf(stderr, "pprof_sample: scenario %s, file %s: not known or not writable\n", argv[1],
			argv[2]);
		return 2;
	}
	struct pprof_options o = {.time_nanos = 1700000000000000000,
				  .duration_nanos = 5000000000,
				  .mapping = {BASE, BASE + FUNCTIONS * FUNCTION_SIZE, 0x1000, "out/hello.elf",
					      "0123456789abcdef"},
				  .inline_expanded = true,
				  .comments = comments,
				  .n_comments = 2,
				  .symbolize = symbolize,
				  .symbolize_ctx = plain ? NULL : argv,
				  .label = label};
	pprof_options_cpu(&o, 10000000);
	struct gzip *z = gzip_open(&file.sink, &m.ops, GZIP_LEVEL_PROFILE);
	if (z == NULL)
		return 3;
	int error = pprof_write_builder(&b, &o, &m.ops, gzip_sink(z));
	int closed = gzip_close(z);
	struct top_options top = {.rows = (uint32_t)strtoul(argv[3], NULL, 10),
				  .duration_ns = 5000000000,
				  .image = "out/hello.elf",
				  .symbolize = symbolize,
				  .symbolize_ctx = plain ? NULL : argv};
	int table = top_write(&b, &top, &m.ops, &out.sink);
	builder_free(&b);
	if (error != 0 || closed != 0 || table != 0 || fclose(file.f) != 0 || m.out != 0) {
		fprintf(stderr, "pprof_sample: errors %d %d %d, %zu bytes not freed\n", error, closed, table,
			m.out);
		return 1;
	}
	return 0;
}
