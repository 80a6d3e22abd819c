/*
 * What a generation says in words: the strings and stacks batches, made when it has ended, from the bytes in its tables and the symbol table.
 *
 * A stack in the format is a list of frames (pc, function, file, line), calls that were inlined each a frame of its own. Readers from Go 1.23
 * on keep one (function, file, line) for each pc, the first they meet; so the levels of one place get pcs that differ:
 *
 *	pc of level n = address + n << 40      level 0: the function that was inlined into nothing
 *
 * Each address is looked up once in a generation, and each text written once: both are keys of one hash table. When there is no room for another
 * stack it begins anew, so that nothing is left without a name: what comes again is looked up again, and a text has another id then.
 */
#include "trace/impl.h"

#include <string.h>

#include "kernel/assert.h"
#include "kernel/symtab.h"

enum {
	SLOTS = 1 << 14,
	KEYS = SLOTS / 4 * 3,
	PLACES = 1 << 12, /* addresses looked up */
	FRAMES = 1 << 13, /* their frames */
	LEVEL_SHIFT = 40,
};

/* What one stack may take at most. */
#define KEYS_OF(words)   ((words) + 2 * FRAMES_OF(words))
#define FRAMES_OF(words) ((words)*SYMTAB_FRAMES_MAX)
_Static_assert(KEYS_OF(1 + TRACE_DEPTH_MAX + TRACE_NAMED_WORDS) <= KEYS &&
		       FRAMES_OF(1 + TRACE_DEPTH_MAX + TRACE_NAMED_WORDS) <= FRAMES,
	       "the tables hold a stack");

struct frame {
	uint32_t function, file, line; /* ids of strings */
};

struct trace_symbols {
	uint32_t n_keys, n_places, n_frames, next_string;
	struct slot {
		uint64_t key;
		uint32_t value;
	} slots[SLOTS];
	struct place {
		uint32_t first, n; /* innermost first */
		bool entry;        /* the outermost is a function that every goroutine has outermost */
	} places[PLACES];
	struct frame frames[FRAMES];
	struct trace_buf strings, stacks;
	trace_take_fn *take;
	void *ctx;
	bool failed;
};

const size_t trace_symbols_size = sizeof(struct trace_symbols);

/* ---- batches ---- */

static void batch_begin(struct trace_buf *b, enum trace_event kind, uint64_t time)
{
	b->next = NULL;
	b->m = TRACE_NO_THREAD;
	b->time = time;
	b->data[0] = (uint8_t)kind;
	b->used = 1;
}

static void batch_end(struct trace_symbols *s, struct trace_buf *b)
{
	if (b->used > 1 && !s->failed && !s->take(s->ctx, b))
		s->failed = true;
	b->used = 1;
}

/* Room for `need` more bytes. */
static uint8_t *batch_room(struct trace_symbols *s, struct trace_buf *b, size_t need)
{
	if (b->used + need > sizeof b->data)
		batch_end(s, b);
	return b->data + b->used;
}

static void string_write(struct trace_symbols *s, uint32_t id, const char *text, size_t n)
{
	uint8_t *at = batch_room(s, &s->strings, n + 16);
	*at++ = TRACE_STRING;
	at = trace_varint(at, id);
	at = trace_varint(at, n);
	memcpy(at, text, n);
	s->strings.used = (uint32_t)(at + n - s->strings.data);
}

/* ---- keys ---- */

/* The slot of a key: with value 0 when it is new. */
static struct slot *slot_of(struct trace_symbols *s, uint64_t key)
{
	uint32_t at = (uint32_t)(trace_hash_step(0, key) >> 40) & (SLOTS - 1);
	while (s->slots[at].key != key && s->slots[at].key != 0)
		at = (at + 1) & (SLOTS - 1);
	if (s->slots[at].key == 0) {
		ASSERT(s->n_keys < KEYS, "stack_room() has been asked");
		s->n_keys++;
		s->slots[at] = (struct slot){key, 0};
	}
	return &s->slots[at];
}

/* The id of a text that lives for ever. */
static uint32_t text_id(struct trace_symbols *s, const char *text, const char *before)
{
	char joined[TRACE_STRING_MAX];
	if (text[0] == '\0')
		return 0;
	struct slot *slot = slot_of(s, (uintptr_t)text);
	if (slot->value == 0) {
		size_t n = 0;
		for (const char *c = before; *c != '\0'; c++)
			joined[n++] = *c;
		for (const char *c = text; *c != '\0' && n < sizeof joined; c++)
			joined[n++] = *c;
		slot->value = s->next_string++;
		string_write(s, slot->value, joined, n);
	}
	return slot->value;
}

static bool is_entry(const char *function)
{
	return strcmp(function, "goroutine_entry") == 0 || strcmp(function, "context_start") == 0 ||
	       strcmp(function, "program_run") == 0;
}

/* A place by its address plus 1 (a return address). */
static const struct place *place_of(struct trace_symbols *s, uint64_t pc)
{
	struct symtab_frame f[SYMTAB_FRAMES_MAX];
	struct slot *slot = slot_of(s, pc);
	if (slot->value != 0)
		return &s->places[slot->value - 1];
	ASSERT(s->n_places < PLACES && s->n_frames + SYMTAB_FRAMES_MAX <= FRAMES,
	       "stack_room() has been asked");
	struct place *p = &s->places[s->n_places];
	slot->value = ++s->n_places;
	p->first = s->n_frames;
	p->n = symtab_frames((uintptr_t)pc - 1, f, SYMTAB_FRAMES_MAX);
	p->entry = p->n > 0 && is_entry(f[p->n - 1].function);
	for (uint32_t i = 0; i < p->n; i++) {
		s->frames[s->n_frames++] =
			(struct frame){text_id(s, f[i].function, ""), text_id(s, f[i].file, ""),
				       f[i].line != 0 ? f[i].line : 1};
	}
	return p;
}

/* ---- stacks ---- */

struct writer {
	uint8_t *at;
	uint32_t n;
};

static void frame_write(struct writer *w, uint64_t pc, const struct frame *f)
{
	w->at = trace_varint(w->at, pc);
	w->at = trace_varint(w->at, f->function);
	w->at = trace_varint(w->at, f->file);
	w->at = trace_varint(w->at, f->line);
	w->n++;
}

/* Frames of a place that are written: all but what every goroutine has outermost, if there are others. */
static uint32_t levels_written(const struct place *p)
{
	return p->entry && p->n > 1 ? p->n - 1 : p->n;
}

/* Makes room in the tables for a stack of so many words. */
static void stack_room(struct trace_symbols *s, uint32_t words)
{
	if (s->n_places + words <= PLACES && s->n_frames + FRAMES_OF(words) <= FRAMES &&
	    s->n_keys + KEYS_OF(words) <= KEYS)
		return;
	memset(s->slots, 0, sizeof s->slots);
	s->n_keys = s->n_places = s->n_frames = 0;
}

/* The frames of one stack into `to`; at most TRACE_FRAMES_MAX. */
static uint32_t frames_write(struct trace_symbols *s, const uint64_t *words, uint32_t n, uint8_t *to,
			     size_t *size)
{
	struct writer w = {to, 0};
	uint32_t named = n >= TRACE_NAMED_WORDS && words[n - TRACE_NAMED_WORDS] == TRACE_NAMED
				 ? n - TRACE_NAMED_WORDS
				 : n;
	uint32_t inner = named;
	/* What every goroutine has outermost says nothing, what was inlined there does; but a stack is not empty. */
	for (const struct place *p; inner > (named == n) && (words[inner - 1] & TRACE_TEXT) == 0; inner--)
		if (p = place_of(s, words[inner - 1]), !(p->entry && p->n == 1))
			break;
	for (uint32_t i = 0; i < inner; i++) {
		static const struct frame unknown = {0, 0, 1};
		if ((words[i] & TRACE_TEXT) != 0) {
			const char *text = (const char *)(uintptr_t)(words[i] & ~TRACE_TEXT);
			struct frame f = {text_id(s, text, ""), text_id(s, text, ""), 1};
			if (w.n < TRACE_FRAMES_MAX - 1)
				frame_write(&w, (words[i] & ~TRACE_TEXT) | (uint64_t)254 << LEVEL_SHIFT, &f);
			continue;
		}
		const struct place *p = place_of(s, words[i]);
		if (p->n == 0) {
			if (w.n < TRACE_FRAMES_MAX - 1)
				frame_write(&w, words[i], &unknown);
			continue;
		}
		for (uint32_t k = 0; k < levels_written(p) && w.n < TRACE_FRAMES_MAX - 1; k++)
			frame_write(&w, words[i] | (uint64_t)(p->n - 1 - k) << LEVEL_SHIFT,
				    &s->frames[p->first + k]);
	}
	if (named < n) {
		const char *name = (const char *)(uintptr_t)words[named + 1];
		const struct place *p = place_of(s, words[named + 2]);
		struct frame f = {0, 0, 1};
		if (p->n > 0)
			f = s->frames[p->first + p->n - 1];
		f.function = text_id(s, name, strncmp(name, "runtime.", 8) == 0 ? "" : "runtime.");
		/* a pc of the name's own */
		frame_write(&w, words[named + 1] | (uint64_t)255 << LEVEL_SHIFT, &f);
	}
	*size = (size_t)(w.at - to);
	return w.n;
}

static void stack_write(struct trace_symbols *s, const struct trace_entry *e)
{
	static uint8_t frames[TRACE_FRAMES_MAX * 24]; /* one who makes tables at a time; a panic is alone */
	size_t size;
	stack_room(s, e->size / 8);
	uint32_t n = frames_write(s, (const uint64_t *)e->data, e->size / 8, frames, &size);
	uint8_t *at = batch_room(s, &s->stacks, size + 16);
	*at++ = TRACE_STACK;
	at = trace_varint(at, e->id);
	at = trace_varint(at, n);
	memcpy(at, frames, size);
	s->stacks.used = (uint32_t)(at + size - s->stacks.data);
}

bool trace_tables(const struct trace_gen *gen, struct trace_symbols *s, trace_take_fn *take, void *ctx)
{
	uint64_t time = gen->begin >> trace_shift;
	memset(s, 0, offsetof(struct trace_symbols, places));
	s->take = take;
	s->ctx = ctx;
	s->failed = false;
	s->next_string = TRACE_TEXT_COUNT + gen->strings.n + 1;
	batch_begin(&s->strings, TRACE_STRINGS, time);
	batch_begin(&s->stacks, TRACE_STACKS, time);
	for (uint32_t id = 1; id < TRACE_TEXT_COUNT; id++)
		if (trace_text(id) != NULL)
			string_write(s, id, trace_text(id), strlen(trace_text(id)));
	for (const struct trace_entry *e = gen->strings.first; e != NULL; e = e->next)
		string_write(s, TRACE_TEXT_COUNT + e->id, (const char *)e->data,
			     strnlen((const char *)e->data, e->size));
	for (const struct trace_entry *e = gen->stacks.first; e != NULL && !s->failed; e = e->next)
		stack_write(s, e);
	batch_end(s, &s->strings);
	batch_end(s, &s->stacks);
	/* the frequency: units a second */
	struct trace_buf *b = &s->stacks;
	batch_begin(b, TRACE_FREQUENCY, time);
	b->used = (uint32_t)(trace_varint(b->data + 1, arch_ticks_hz() >> trace_shift) - b->data);
	batch_end(s, b);
	return !s->failed;
}
