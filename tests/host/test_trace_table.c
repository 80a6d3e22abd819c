/*
 * trace/table.c with a symbol table of its own: which frames a stack has in the format. What every goroutine has outermost is left out, what was
 * inlined there is not, no stack is empty, and all have their names, however many there are.
 */
#include "trace/impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/symtab.h"
#include "tests/host/check.h"

/* ---- what it stands on ---- */

uint32_t trace_shift;

uint64_t arch_ticks_hz(void)
{
	return 1000000;
}

const char *trace_text(unsigned id)
{
	(void)id;
	return NULL;
}

/* Addresses of the test, from BASE on: functions, innermost first, of each. */
enum { BASE = 1000 };
enum { UNKNOWN, START, ENTRY, ARRIVING, FN, INLINED, PLACES_HERE };
/* And from FAR on, each with a function of its own. */
enum { FAR = 1 << 20, FAR_PLACES = 10000 };
static char far_names[FAR_PLACES][8];

static const char *const functions[PLACES_HERE][3] = {
	[START] = {"context_start"},
	[ENTRY] = {"goroutine_entry"},
	[ARRIVING] = {"settle", "arrive", "goroutine_entry"},
	[FN] = {"fn"},
	[INLINED] = {"inner", "outer"},
};

unsigned symtab_frames(uintptr_t pc, struct symtab_frame *out, unsigned max)
{
	unsigned n = 0;
	uintptr_t i = pc - BASE;
	if (pc >= FAR) {
		*out = (struct symtab_frame){.function = far_names[pc - FAR], .file = "far.c", .line = 7};
		return 1;
	}
	for (; i < PLACES_HERE && n < 3 && n < max && functions[i][n] != NULL; n++)
		out[n] = (struct symtab_frame){.function = functions[i][n], .file = "file.c", .line = 7};
	return n;
}

/* ---- what comes out ---- */

enum { TEXTS = 1 << 16 };
static char texts[TEXTS][32]; /* by id */
static char stack[200];       /* functions of the one stack, innermost first, each with a blank behind it */

static uint64_t number(const uint8_t **at)
{
	uint64_t v = 0;
	for (unsigned shift = 0;; shift += 7) {
		uint8_t b = *(*at)++;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
}

static void strings_take(const uint8_t *at, const uint8_t *end)
{
	while (at < end) {
		CHECK_EQ(*at++, TRACE_STRING);
		uint64_t id = number(&at), n = number(&at);
		CHECK(id < TEXTS);
		CHECK(n < sizeof texts[0]);
		memcpy(texts[id], at, n);
		texts[id][n] = '\0';
		at += n;
	}
}

static void stacks_take(const uint8_t *at, const uint8_t *end)
{
	uint64_t pcs[16], n;
	CHECK_EQ(*at++, TRACE_STACK);
	CHECK_EQ(number(&at), 1);
	n = number(&at);
	for (uint64_t i = 0; i < n && i < 16; i++) {
		pcs[i] = number(&at);
		for (uint64_t k = 0; k < i; k++)
			CHECK(pcs[k] != pcs[i]);
		strcat(stack, texts[number(&at) % TEXTS]);
		strcat(stack, " ");
		(void)number(&at); /* file */
		CHECK(number(&at) != 0);
	}
	CHECK(at == end);
}

static bool take(void *ctx, const struct trace_buf *b)
{
	(void)ctx;
	if (b->data[0] == TRACE_STRINGS)
		strings_take(b->data + 1, b->data + b->used);
	return true;
}

static bool take_stacks(void *ctx, const struct trace_buf *b)
{
	(void)ctx;
	if (b->data[0] == TRACE_STACKS)
		stacks_take(b->data + 1, b->data + b->used);
	return true;
}

/* The functions of a stack of n places, innermost first; name: of the kernel's goroutine that it is. */
static const char *written(const unsigned *places, uint32_t n, const char *name)
{
	struct trace_symbols *s = malloc(trace_symbols_size);
	struct trace_entry *e = calloc(1, sizeof *e + 16 * 8);
	struct trace_gen gen = {.stacks = {.n = 1, .first = e, .last = e}};
	uint64_t words[16];
	for (uint32_t i = 0; i < n; i++)
		words[i] = BASE + places[i] + 1;
	if (name != NULL) {
		words[n++] = TRACE_NAMED;
		words[n++] = (uintptr_t)name;
		words[n++] = BASE + FN + 1;
	}
	e->id = 1;
	e->size = n * 8;
	memcpy(e->data, words, e->size);
	stack[0] = '\0';
	/* the strings batch comes after the stacks that name them: twice, and the ids are the same */
	CHECK(trace_tables(&gen, s, take, NULL));
	CHECK(trace_tables(&gen, s, take_stacks, NULL));
	free(e);
	free(s);
	return stack;
}

#define WRITTEN_OF(name, ...)                                                                                \
	written((const unsigned[]){__VA_ARGS__}, sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned), \
		name)
#define WRITTEN(...) WRITTEN_OF(NULL, __VA_ARGS__)

TEST(what_every_goroutine_has_outermost_is_left_out)
{
	CHECK_STR(WRITTEN(FN, ENTRY, START), "fn ");
	CHECK_STR(WRITTEN(INLINED, FN, ENTRY, START), "inner outer fn ");
}

TEST(what_was_inlined_there_is_not)
{
	CHECK_STR(WRITTEN(FN, ARRIVING, START), "fn settle arrive ");
	CHECK_STR(WRITTEN(ARRIVING, START), "settle arrive ");
	CHECK_STR(WRITTEN(ARRIVING), "settle arrive ");
}

TEST(a_stack_is_not_empty)
{
	CHECK_STR(WRITTEN(ENTRY, START), "goroutine_entry ");
	CHECK_STR(WRITTEN(START), "context_start ");
}

TEST(a_place_without_a_name_stays)
{
	CHECK_STR(WRITTEN(FN, UNKNOWN), "fn  ");
	CHECK_STR(WRITTEN(UNKNOWN, ENTRY, START), " ");
}

TEST(a_name_stands_for_what_is_left_out)
{
	CHECK_STR(WRITTEN_OF("drain", FN, ENTRY, START), "fn runtime.drain ");
	CHECK_STR(WRITTEN_OF("drain", ARRIVING, START), "settle arrive runtime.drain ");
	CHECK_STR(WRITTEN_OF("drain", ENTRY, START), "runtime.drain ");
}

/* Stacks of one place each, FAR + id. */
static bool take_far(void *ctx, const struct trace_buf *b)
{
	const uint8_t *at = b->data + 1, *end = b->data + b->used;
	uint64_t *seen = ctx;
	if (b->data[0] != TRACE_STACKS)
		return true;
	while (at < end) {
		CHECK_EQ(*at++, TRACE_STACK);
		uint64_t id = number(&at) - 1;
		CHECK_EQ(number(&at), 1);
		CHECK_EQ(number(&at), FAR + id % FAR_PLACES + 1);
		CHECK_STR(texts[number(&at) % TEXTS], far_names[id % FAR_PLACES]);
		CHECK_STR(texts[number(&at) % TEXTS], "far.c");
		CHECK_EQ(number(&at), 7);
		CHECK_EQ(id, (*seen)++);
	}
	return true;
}

TEST(more_places_than_the_tables_hold_have_their_names)
{
	enum { STACKS = 2 * FAR_PLACES }; /* all come twice */
	struct trace_symbols *s = malloc(trace_symbols_size);
	struct trace_gen gen = {.stacks = {.n = STACKS}};
	uint64_t seen = 0;
	for (unsigned i = 0; i < FAR_PLACES; i++)
		snprintf(far_names[i], sizeof far_names[i], "f%u", i);
	for (unsigned i = 0; i < STACKS; i++) {
		struct trace_entry *e = calloc(1, sizeof *e + 8);
		uint64_t word = FAR + i % FAR_PLACES + 1;
		e->id = i + 1;
		e->size = 8;
		memcpy(e->data, &word, 8);
		*(i == 0 ? (struct trace_entry **)&gen.stacks.first : &gen.stacks.last->next) = e;
		gen.stacks.last = e;
	}
	CHECK(trace_tables(&gen, s, take, NULL));
	CHECK(trace_tables(&gen, s, take_far, &seen));
	CHECK_EQ(seen, STACKS);
	for (struct trace_entry *e = gen.stacks.first, *next; e != NULL; e = next) {
		next = e->next;
		free(e);
	}
	free(s);
}
