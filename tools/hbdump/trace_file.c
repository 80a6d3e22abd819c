/* Batches and tables of a trace (see trace_file.h). */
#include "tools/hbdump/trace_file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/vector.h"

enum {
	HEADER_SIZE = 16,
	BATCH_MAX = 65536,
	STRING_MAX = 1024,
	FRAMES_MAX = 128,
};

void trace_violation(struct trace_report *r, const struct trace_place *where, const char *fmt, ...)
{
	char line[512];
	size_t n = 0;
	r->violations++;
	if (r->say == NULL || r->violations > TRACE_VIOLATIONS_MAX)
		return;
	const struct {
		const char *what;
		uint64_t v;
	} parts[] = {
		{"generation", where->generation}, {"m", where->m}, {"p", where->p}, {"goroutine", where->g}};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].v != TRACE_NONE)
			n += (size_t)snprintf(line + n, sizeof line - n, "%s%s %" PRIu64, n > 0 ? ", " : "",
					      parts[i].what, parts[i].v);
	n += (size_t)snprintf(line + n, sizeof line - n, "%s%s%sbyte %zu: ", n > 0 ? ", " : "",
			      where->event != NULL ? where->event : "", where->event != NULL ? " at " : "",
			      where->at);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof line - n, fmt, ap);
	va_end(ap);
	for (char *c = line; *c != '\0'; c++) /* names in a trace may hold anything */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	r->say(r->ctx, line);
}

/* Something wrong with the form, at a byte. */
#define FORM(f, gen_number, where, ...)                                                               \
	trace_violation(                                                                              \
		(f)->report,                                                                          \
		&(struct trace_place){(gen_number), TRACE_NONE, TRACE_NONE, TRACE_NONE, NULL, where}, \
		__VA_ARGS__)

const char *trace_file_open(struct trace_file *f, const uint8_t *data, size_t n, struct trace_report *report)
{
	static const char start[] = "go 1.", end[] = " trace\0\0";
	*f = (struct trace_file){.data = data, .n = n, .at = HEADER_SIZE, .report = report};
	if (n == 0)
		return "is empty: expected an execution trace, such as trace.out";
	if (n < HEADER_SIZE || memcmp(data, start, 5) != 0 || memcmp(data + 7, end, 9) != 0)
		return "is no execution trace: expected it to begin with \"go 1.22 trace\"";
	if (data[5] != '2' || (data[6] != '2' && data[6] != '3' && data[6] != '5' && data[6] != '6'))
		return "has a version that is not known: expected go 1.22, 1.23, 1.25 or 1.26";
	f->version = 20 + (unsigned)(data[6] - '0');
	return NULL;
}

const struct trace_string *trace_string_find(struct trace_generation *gen, uint64_t id)
{
	static const struct trace_string empty = {(const uint8_t *)"", 0};
	uint32_t i;
	if (id == 0)
		return &empty;
	return pairs_find(&gen->string_ids, id, 0, &i) ? &gen->strings[i] : NULL;
}

const struct trace_stack *trace_stack_find(struct trace_generation *gen, uint64_t id)
{
	static const struct trace_stack empty;
	uint32_t i;
	if (id == 0)
		return &empty;
	return pairs_find(&gen->stack_ids, id, 0, &i) ? &gen->stacks[i] : NULL;
}

/* ---- tables: each reads one entry; false when the rest of the batch cannot be read ---- */

static bool string_read(struct trace_file *f, struct trace_generation *gen, struct trace_bytes *b)
{
	uint64_t id, n;
	size_t at = b->at - 1;
	bool is_new;
	if (!trace_uvarint(b, &id) || !trace_uvarint(b, &n) || n > b->end - b->at) {
		FORM(f, gen->number, at, "a string is cut short");
		return false;
	}
	if (n > STRING_MAX)
		FORM(f, gen->number, at, "string %" PRIu64 " has %" PRIu64 " bytes: expected at most %d", id,
		     n, STRING_MAX);
	if (id == 0)
		FORM(f, gen->number, at, "string 0 is defined: it stands for the empty one");
	pairs_put(&gen->string_ids, id, 0, &is_new);
	if (!is_new)
		FORM(f, gen->number, at, "string %" PRIu64 " is defined twice in this generation", id);
	else
		*VECTOR_ADD(gen->strings, gen->n_strings) =
			(struct trace_string){b->data + b->at, (uint32_t)n};
	b->at += n;
	return true;
}

static bool stack_read(struct trace_file *f, struct trace_generation *gen, struct trace_bytes *b)
{
	uint64_t id, n;
	size_t at = b->at - 1;
	bool is_new;
	struct trace_stack stack = {.frame = gen->n_frames, .at = at};
	if (!trace_uvarint(b, &id) || !trace_uvarint(b, &n)) {
		FORM(f, gen->number, at, "a stack is cut short");
		return false;
	}
	if (n > FRAMES_MAX) {
		FORM(f, gen->number, at, "stack %" PRIu64 " has %" PRIu64 " frames: expected at most %d", id,
		     n, FRAMES_MAX);
		return false;
	}
	for (; stack.n < n; stack.n++) {
		struct trace_frame x;
		if (!trace_uvarint(b, &x.pc) || !trace_uvarint(b, &x.function) ||
		    !trace_uvarint(b, &x.file) || !trace_uvarint(b, &x.line)) {
			FORM(f, gen->number, at, "stack %" PRIu64 " is cut short", id);
			return false;
		}
		*VECTOR_ADD(gen->frames, gen->n_frames) = x;
	}
	if (id == 0)
		FORM(f, gen->number, at, "stack 0 is defined: it stands for no stack");
	pairs_put(&gen->stack_ids, id, 0, &is_new);
	if (!is_new)
		FORM(f, gen->number, at, "stack %" PRIu64 " is defined twice in this generation", id);
	else
		*VECTOR_ADD(gen->stacks, gen->n_stacks) = stack;
	return true;
}

static bool sample_read(struct trace_file *f, struct trace_generation *gen, struct trace_bytes *b)
{
	struct trace_sample s = {.at = b->at - 1};
	if (!trace_uvarint(b, &s.time) || !trace_uvarint(b, &s.m) || !trace_uvarint(b, &s.p) ||
	    !trace_uvarint(b, &s.g) || !trace_uvarint(b, &s.stack)) {
		FORM(f, gen->number, s.at, "a sample is cut short");
		return false;
	}
	*VECTOR_ADD(gen->samples, gen->n_samples) = s;
	return true;
}

static bool frequency_read(struct trace_file *f, struct trace_generation *gen, struct trace_bytes *b)
{
	uint64_t hz;
	size_t at = b->at - 1;
	if (!trace_uvarint(b, &hz) || hz == 0) {
		FORM(f, gen->number, at, "the frequency is cut short or 0");
		return false;
	}
	if (gen->hz != 0)
		FORM(f, gen->number, at, "a second frequency in this generation");
	gen->hz = hz;
	return true;
}

static bool snapshot_read(struct trace_file *f, struct trace_generation *gen, struct trace_bytes *b)
{
	uint64_t v;
	size_t at = b->at - 1;
	for (int i = 0; i < 4; i++) {
		if (!trace_uvarint(b, &v)) {
			FORM(f, gen->number, at, "a clock snapshot is cut short");
			return false;
		}
	}
	return true;
}

/* The entries of a table's batch, each behind a byte with its type. */
static void table_read(struct trace_file *f, struct trace_generation *gen, const struct trace_batch *batch)
{
	static const struct {
		uint8_t table, entry;
		bool (*read)(struct trace_file *, struct trace_generation *, struct trace_bytes *);
	} kinds[] = {
		{EV_STRINGS, EV_STRING, string_read},         {EV_STACKS, EV_STACK, stack_read},
		{EV_CPU_SAMPLES, EV_CPU_SAMPLE, sample_read}, {EV_SYNC, EV_FREQUENCY, frequency_read},
		{EV_SYNC, EV_CLOCK_SNAPSHOT, snapshot_read},
	};
	struct trace_bytes b = {f->data, batch->at, batch->at + batch->size};
	uint8_t table = b.data[b.at++];
	while (b.at < b.end) {
		uint8_t entry = b.data[b.at++];
		size_t i = 0;
		while (i < sizeof kinds / sizeof kinds[0] &&
		       (kinds[i].table != table || kinds[i].entry != entry))
			i++;
		if (i == sizeof kinds / sizeof kinds[0]) {
			FORM(f, gen->number, b.at - 1, "an entry of type %u in a table of type %u", entry,
			     table);
			return;
		}
		if (!kinds[i].read(f, gen, &b))
			return;
	}
}

static void batch_take(struct trace_file *f, struct trace_generation *gen, const struct trace_batch *batch)
{
	unsigned kind = batch->size > 0 ? f->data[batch->at] : 0;
	if (kind == EV_STRINGS || kind == EV_STACKS || kind == EV_CPU_SAMPLES ||
	    (kind == EV_SYNC && f->version >= 25)) {
		table_read(f, gen, batch);
	} else if (kind == EV_FREQUENCY && f->version < 25) {
		struct trace_bytes b = {f->data, batch->at + 1, batch->at + batch->size};
		if (frequency_read(f, gen, &b) && b.at < b.end)
			FORM(f, gen->number, b.at, "more behind the frequency of a batch");
	} else {
		*VECTOR_ADD(gen->batches, gen->n_batches) = *batch;
	}
}

/* Reads one batch's head. NULL, or what is wrong, and then nothing behind it can be read. */
static const char *head_read(const struct trace_file *f, uint64_t *number, struct trace_batch *batch,
			     bool *skip)
{
	struct trace_bytes b = {f->data, f->at, f->n};
	uint64_t size;
	uint8_t type = b.data[b.at++];
	*skip = type == EV_EXPERIMENTAL && f->version >= 23;
	if (type != EV_BATCH && !*skip)
		return "expected a batch to begin here";
	if (*skip && b.at++ == b.end)
		return "a batch is cut short";
	if (!trace_uvarint(&b, number) || !trace_uvarint(&b, &batch->m) || !trace_uvarint(&b, &batch->time) ||
	    !trace_uvarint(&b, &size))
		return "the head of a batch is cut short";
	if (size > BATCH_MAX)
		return "a batch has more than 65536 bytes";
	if (size > b.end - b.at)
		return "a batch is cut short";
	if (*number == 0)
		return "generation 0: expected 1 or greater";
	batch->at = b.at;
	batch->size = size;
	return NULL;
}

const char *trace_batch_head(const struct trace_file *f, uint64_t *number, struct trace_batch *batch)
{
	bool skip;
	return head_read(f, number, batch, &skip);
}

/* Whether a generation may come behind another one. */
static bool follows(const struct trace_file *f, uint64_t number)
{
	return f->last == 0 || number == f->last + 1 || (f->version >= 26 && number > f->last);
}

static void tables_check(struct trace_file *f, struct trace_generation *gen)
{
	struct pairs places = {.n = 0};
	const struct trace_frame **first = NULL;
	size_t n_first = 0;
	if (gen->hz == 0)
		FORM(f, gen->number, gen->at, "no frequency in this generation");
	if (gen->n_batches == 0 && f->version < 25)
		FORM(f, gen->number, gen->at, "no event in this generation");
	for (size_t s = 0; s < gen->n_stacks; s++) {
		const struct trace_stack *stack = &gen->stacks[s];
		for (size_t i = 0; i < stack->n; i++) {
			const struct trace_frame *x = &gen->frames[stack->frame + i];
			bool is_new;
			uint32_t at = pairs_put(&places, x->pc, 0, &is_new);
			if (is_new)
				*VECTOR_ADD(first, n_first) = x;
			else if (first[at]->function != x->function || first[at]->file != x->file ||
				 first[at]->line != x->line)
				FORM(f, gen->number, stack->at,
				     "pc 0x%" PRIx64 " stands for two places: readers keep one, each inlined "
				     "call needs a pc of its own",
				     x->pc);
			if (trace_string_find(gen, x->function) == NULL ||
			    trace_string_find(gen, x->file) == NULL)
				FORM(f, gen->number, stack->at,
				     "a frame names string %" PRIu64 ", which is not defined",
				     trace_string_find(gen, x->function) == NULL ? x->function : x->file);
			else if (i > 0 && (x->pc == 0 || x->function == 0 || x->file == 0 || x->line == 0))
				FORM(f, gen->number, stack->at,
				     "frame %zu has no pc, function, file or line: only the innermost may",
				     i);
		}
	}
	pairs_free(&places);
	free(first);
}

bool trace_generation_read(struct trace_file *f, struct trace_generation *gen)
{
	*gen = (struct trace_generation){.at = f->at};
	while (f->at < f->n && !gen->ended) {
		struct trace_batch batch;
		uint64_t number;
		bool skip;
		if (f->version >= 26 && f->data[f->at] == EV_END_OF_GENERATION && gen->number != 0) {
			gen->ended = true;
			f->at++;
			break;
		}
		const char *wrong = head_read(f, &number, &batch, &skip);
		if (wrong == NULL && gen->number != 0 && number != gen->number && number != gen->number + 1)
			wrong = "a generation begins that is not the next";
		if (wrong == NULL && gen->number == 0 && !follows(f, number))
			wrong = "a generation that does not follow the one before";
		if (wrong != NULL) {
			FORM(f, gen->number == 0 ? TRACE_NONE : gen->number, f->at,
			     "%s; neither this generation nor the rest of the file is looked at", wrong);
			f->n = f->at;
			trace_generation_free(gen);
			return false;
		}
		if (gen->number == 0)
			gen->number = number;
		if (number != gen->number)
			break;
		f->at = batch.at + batch.size;
		if (!skip)
			batch_take(f, gen, &batch);
	}
	if (gen->number == 0)
		return false;
	if (f->version >= 26 && !gen->ended)
		FORM(f, gen->number, f->at, "the generation has no end: the trace was cut short");
	f->last = gen->number;
	tables_check(f, gen);
	return true;
}

void trace_generation_free(struct trace_generation *gen)
{
	pairs_free(&gen->string_ids);
	pairs_free(&gen->stack_ids);
	free(gen->batches);
	free(gen->strings);
	free(gen->stacks);
	free(gen->frames);
	free(gen->samples);
	*gen = (struct trace_generation){.number = 0};
}
