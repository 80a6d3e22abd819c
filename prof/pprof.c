/*
 * Owns the encoding of profiles. The messages leave as soon as they are known, which profile.proto's lack of
 *order permits:
 *
 *	sample types | ( functions | location )* sample | ... | mapping, period, times, comments, string table
 *
 * so memory is needed only for what must be told apart: strings, functions (by name and file) and locations
 *(by pc). Each gets the next small number when it is first seen; strings count from 0, which is the empty
 *one, the others from 1. Field numbers: github.com/google/pprof, proto/profile.proto.
 *
 * 1. Every id that a message refers to is written somewhere, once; otherwise pprof refuses the whole profile.
 *The intern tables give the ids, and only a new entry is written.
 * 2. A mapping claims has_functions and so on only if every lookup in it found them; otherwise pprof would
 *not look for the missing ones itself.
 * 3. The strings of a message are interned before it is written; otherwise an allocation that fails between
 *counting and writing would make the two differ.
 * 4. A synthetic frame has a location of its own with address 0 and no mapping; otherwise pprof would look
 *for code at the reserved values.
 * 5. A sample is written only when there is room for all that is new in it, and still for the end; else it is counted in [lost], and a comment
 *says how much that is. Otherwise a profile of a machine without memory would break off, and nobody could read it.
 */
#include "prof/pprof.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/assert.h"
#include "prof/intern.h"
#include "prof/protobuf.h"

enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,

	VALUE_TYPE_TYPE = 1,
	VALUE_TYPE_UNIT = 2,

	SAMPLE_LOCATION_ID = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,

	LABEL_KEY = 1,
	LABEL_STR = 2,
	LABEL_NUM = 3,
	LABEL_NUM_UNIT = 4,

	MAPPING_ID = 1,
	MAPPING_MEMORY_START = 2,
	MAPPING_MEMORY_LIMIT = 3,
	MAPPING_FILE_OFFSET = 4,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID = 6,
	MAPPING_HAS_FUNCTIONS = 7,
	MAPPING_HAS_FILENAMES = 8,
	MAPPING_HAS_LINE_NUMBERS = 9,
	MAPPING_HAS_INLINE_FRAMES = 10,

	LOCATION_ID = 1,
	LOCATION_MAPPING_ID = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,

	LINE_FUNCTION_ID = 1,
	LINE_LINE = 2,

	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILENAME = 4,
	FUNCTION_START_LINE = 5,

	THE_MAPPING = 1, /* its id */

	/* Entries for which there is room until the end: [lost] and what pprof_close() writes; and what one pc, or the labels of one sample,
	 * can need besides. */
	TAIL_STRINGS = 32,
	TAIL_OTHERS = 1,
	PC_STRINGS = 2 * PPROF_INLINE_MAX,
	LABEL_STRINGS = 3,
	COMMENT_MAX = 160,
};

struct string_entry {
	struct intern_head head;
	const char *text;
	size_t size;
};

struct function_entry {
	struct intern_head head;
	uint32_t name, file; /* string numbers */
};

struct location_entry {
	struct intern_head head;
	uintptr_t pc;
};

struct pprof {
	const struct pprof_options *options;
	const struct mem_ops *mem;
	int error;                                     /* the first */
	bool looked_up, no_function, no_file, no_line; /* for the mapping's claims */
	struct intern strings, functions, locations;
	/* rule 5 */
	uint32_t tail_strings;
	uint64_t n_unwritten;                                            /* samples */
	uint64_t unwritten[PPROF_VALUES_MAX], written[PPROF_VALUES_MAX]; /* sums */
	char comment[COMMENT_MAX];
	struct protobuf out;
	uint64_t ids[PROF_DEPTH_MAX + 1];
	struct pprof_frame frames[PPROF_INLINE_MAX];
	uint64_t frame_functions[PPROF_INLINE_MAX];
	uint8_t buf[512];
};

/* What the emit functions get. */
struct value_type_message {
	uint32_t type, unit;
};

struct line_message {
	uint64_t function;
	uint32_t line;
};

struct location_message {
	const struct pprof *p;
	uint64_t id, address;
	unsigned n;
	bool mapped;
};

struct function_message {
	uint64_t id;
	uint32_t name, file, start_line;
};

struct label_message {
	uint32_t key, str, unit;
	int64_t num;
};

struct sample_message {
	struct pprof *p;
	const struct pprof_sample *s;
};

static bool string_equal(const void *entry, const void *other)
{
	const struct string_entry *a = entry, *b = other;
	return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static bool function_equal(const void *entry, const void *other)
{
	const struct function_entry *a = entry, *b = other;
	return a->name == b->name && a->file == b->file;
}

static bool location_equal(const void *entry, const void *other)
{
	const struct location_entry *a = entry, *b = other;
	return a->pc == b->pc;
}

/* intern_put with a sticky error: false if the encoder has failed, now or before. */
static bool pprof_intern(struct pprof *p, struct intern *t, const void *entry, intern_equal_fn *equal,
			 uint32_t *id, bool *new)
{
	int r = p->error;
	if (r == 0)
		r = intern_put(t, entry, equal, id);
	if (r < 0)
		p->error = r;
	*new = r == 1;
	return r >= 0;
}

/* The number of a string, 0 for NULL and "" (and when the encoder has failed, which stops the message). */
static uint32_t string_id(struct pprof *p, const char *text)
{
	struct string_entry e = {.text = text ? text : ""};
	uint32_t id = 0;
	bool new;
	e.size = strlen(e.text);
	e.head.hash = hash_bytes(0, e.text, e.size);
	return pprof_intern(p, &p->strings, &e, string_equal, &id, &new) ? id : 0;
}

static void value_type_emit(struct protobuf *pb, const void *arg)
{
	const struct value_type_message *m = arg;
	protobuf_uint64_opt(pb, VALUE_TYPE_TYPE, m->type);
	protobuf_uint64_opt(pb, VALUE_TYPE_UNIT, m->unit);
}

static void value_type_write(struct pprof *p, uint32_t tag, const struct pprof_value_type *v)
{
	struct value_type_message m = {.type = string_id(p, v->type), .unit = string_id(p, v->unit)};
	if (p->error == 0)
		protobuf_message(&p->out, tag, value_type_emit, &m);
}

static void line_emit(struct protobuf *pb, const void *arg)
{
	const struct line_message *m = arg;
	protobuf_uint64(pb, LINE_FUNCTION_ID, m->function);
	protobuf_uint64_opt(pb, LINE_LINE, m->line);
}

static void location_emit(struct protobuf *pb, const void *arg)
{
	const struct location_message *m = arg;
	protobuf_uint64(pb, LOCATION_ID, m->id);
	protobuf_uint64_opt(pb, LOCATION_MAPPING_ID, m->mapped ? THE_MAPPING : 0);
	protobuf_uint64_opt(pb, LOCATION_ADDRESS, m->address);
	for (unsigned i = 0; i < m->n; i++) {
		struct line_message line = {.function = m->p->frame_functions[i],
					    .line = m->p->frames[i].line};
		protobuf_message(pb, LOCATION_LINE, line_emit, &line);
	}
}

static void function_emit(struct protobuf *pb, const void *arg)
{
	const struct function_message *m = arg;
	protobuf_uint64(pb, FUNCTION_ID, m->id);
	protobuf_uint64_opt(pb, FUNCTION_NAME, m->name);
	protobuf_uint64_opt(pb, FUNCTION_SYSTEM_NAME, m->name);
	protobuf_uint64_opt(pb, FUNCTION_FILENAME, m->file);
	protobuf_uint64_opt(pb, FUNCTION_START_LINE, m->start_line);
}

/* The id of the function of a frame, writing it when it is new. */
static uint64_t function_id(struct pprof *p, const struct pprof_frame *f)
{
	struct function_entry e = {.name = string_id(p, f->function), .file = string_id(p, f->file)};
	uint32_t id = 0;
	bool new;
	e.head.hash = hash_word(e.name, e.file);
	if (pprof_intern(p, &p->functions, &e, function_equal, &id, &new) && new) {
		struct function_message m = {
			.id = id + 1ull, .name = e.name, .file = e.file, .start_line = f->start_line};
		protobuf_message(&p->out, PROFILE_FUNCTION, function_emit, &m);
	}
	return id + 1ull;
}

static bool pc_mapped(const struct pprof *p, uintptr_t pc)
{
	const struct pprof_mapping *m = &p->options->mapping;
	return pc >= PROF_FRAME_MAX && (m->limit == 0 || (pc >= m->start && pc < m->limit));
}

/* Fills p->frames for a pc; 0 if nothing is known of it. */
static unsigned frames_find(struct pprof *p, uintptr_t pc, bool mapped)
{
	const struct pprof_options *o = p->options;
	unsigned n = 0;
	if (pc < PROF_FRAME_MAX) {
		p->frames[0] = (struct pprof_frame){.function = prof_frame_name(pc)};
		return 1;
	}
	if (!o->symbolize(o->symbolize_ctx, pc, p->frames, PPROF_INLINE_MAX, &n))
		n = 0;
	ASSERT(n <= PPROF_INLINE_MAX, "a symboliser fills at most max frames");
	if (!mapped)
		return n;
	p->looked_up = true;
	p->no_function |= n == 0;
	for (unsigned i = 0; i < n; i++) {
		const struct pprof_frame *f = &p->frames[i];
		p->no_function |= f->function == NULL || f->function[0] == '\0';
		p->no_file |= f->file == NULL || f->file[0] == '\0';
		p->no_line |= f->line == 0;
	}
	return n;
}

/* The id of the location of a pc, writing it and its functions when they are new. */
static uint64_t location_id(struct pprof *p, uintptr_t pc)
{
	struct location_entry e = {.head.hash = hash_word(0, pc), .pc = pc};
	uint32_t id = 0;
	bool new;
	if (!pprof_intern(p, &p->locations, &e, location_equal, &id, &new) || !new)
		return id + 1ull;
	struct location_message m = {.p = p, .id = id + 1ull, .mapped = pc_mapped(p, pc)};
	m.address = pc < PROF_FRAME_MAX ? 0 : pc;
	m.n = frames_find(p, pc, m.mapped);
	for (unsigned i = 0; i < m.n; i++)
		p->frame_functions[i] = function_id(p, &p->frames[i]);
	if (p->error == 0)
		protobuf_message(&p->out, PROFILE_LOCATION, location_emit, &m);
	return m.id;
}

static void label_emit(struct protobuf *pb, const void *arg)
{
	const struct label_message *m = arg;
	protobuf_uint64_opt(pb, LABEL_KEY, m->key);
	protobuf_uint64_opt(pb, LABEL_STR, m->str);
	protobuf_uint64_opt(pb, LABEL_NUM, (uint64_t)m->num);
	protobuf_uint64_opt(pb, LABEL_NUM_UNIT, m->unit);
}

/* Room for what comes, and still for the end. */
static bool room(struct pprof *p, uint32_t strings, uint32_t functions, uint32_t locations)
{
	return intern_room(&p->strings, strings + p->tail_strings) &&
	       intern_room(&p->functions, functions + TAIL_OTHERS) &&
	       intern_room(&p->locations, locations + TAIL_OTHERS);
}

/* Number i of a sample's labels, its strings interned; false past the last. */
static bool label_get(struct pprof *p, const struct pprof_sample *s, unsigned i, struct label_message *m)
{
	const struct pprof_options *o = p->options;
	struct pprof_label l = {.key = NULL};
	if (s->labels == 0 || o->label == NULL || !o->label(o->label_ctx, s->labels, i, &l))
		return false;
	*m = (struct label_message){.key = string_id(p, l.key), .str = string_id(p, l.str)};
	if (l.str == NULL) {
		m->num = l.num;
		m->unit = string_id(p, l.unit);
	}
	return true;
}

static void sample_emit(struct protobuf *pb, const void *arg)
{
	const struct sample_message *m = arg;
	struct pprof *p = m->p;
	uint64_t values[PPROF_VALUES_MAX];
	for (unsigned i = 0; i < p->options->n_sample_types; i++)
		values[i] = (uint64_t)m->s->values[i];
	protobuf_uint64s(pb, SAMPLE_LOCATION_ID, p->ids, m->s->depth);
	protobuf_uint64s(pb, SAMPLE_VALUE, values, p->options->n_sample_types);
	struct label_message label;
	for (unsigned i = 0; label_get(p, m->s, i, &label); i++)
		protobuf_message(pb, SAMPLE_LABEL, label_emit, &label);
}

static void mapping_emit(struct protobuf *pb, const void *arg)
{
	struct pprof *p = *(struct pprof *const *)arg;
	const struct pprof_mapping *m = &p->options->mapping;
	bool functions = p->looked_up && !p->no_function;
	protobuf_uint64(pb, MAPPING_ID, THE_MAPPING);
	protobuf_uint64_opt(pb, MAPPING_MEMORY_START, m->start);
	protobuf_uint64_opt(pb, MAPPING_MEMORY_LIMIT, m->limit);
	protobuf_uint64_opt(pb, MAPPING_FILE_OFFSET, m->offset);
	protobuf_uint64_opt(pb, MAPPING_FILENAME, string_id(p, m->filename));
	protobuf_uint64_opt(pb, MAPPING_BUILD_ID, string_id(p, m->build_id));
	protobuf_uint64_opt(pb, MAPPING_HAS_FUNCTIONS, functions);
	protobuf_uint64_opt(pb, MAPPING_HAS_FILENAMES, functions && !p->no_file);
	protobuf_uint64_opt(pb, MAPPING_HAS_LINE_NUMBERS, functions && !p->no_line);
	protobuf_uint64_opt(pb, MAPPING_HAS_INLINE_FRAMES, functions && p->options->inline_expanded);
}

void pprof_options_cpu(struct pprof_options *o, int64_t period_ns)
{
	o->sample_types[0] = (struct pprof_value_type){"samples", "count"};
	o->sample_types[1] = (struct pprof_value_type){"cpu", "nanoseconds"};
	o->n_sample_types = 2;
	o->period_type = o->sample_types[1];
	o->period = period_ns;
}

static void tables_free(struct pprof *p)
{
	intern_free(&p->strings);
	intern_free(&p->functions);
	intern_free(&p->locations);
	mem_free(p->mem, p);
}

struct pprof *pprof_open(const struct pprof_options *options, const struct mem_ops *mem, struct sink *sink)
{
	ASSERT(options->n_sample_types >= 1 && options->n_sample_types <= PPROF_VALUES_MAX,
	       "a profile has one to PPROF_VALUES_MAX sample types");
	ASSERT(options->symbolize != NULL, "a profile has a symboliser");
	struct pprof *p = mem_alloc(mem, sizeof *p);
	if (p == NULL)
		return NULL;
	memset(p, 0, sizeof *p);
	p->options = options;
	p->mem = mem;
	intern_init(&p->strings, mem, sizeof(struct string_entry));
	intern_init(&p->functions, mem, sizeof(struct function_entry));
	intern_init(&p->locations, mem, sizeof(struct location_entry));
	protobuf_init(&p->out, sink, p->buf, sizeof p->buf);
	p->tail_strings = TAIL_STRINGS + options->n_comments;
	if (!room(p, 1 + 2 * PPROF_VALUES_MAX, 0, 0)) {
		tables_free(p);
		return NULL;
	}
	uint32_t empty = string_id(p, "");
	ASSERT(empty == 0, "string 0 is the empty one");
	for (unsigned i = 0; i < options->n_sample_types; i++)
		value_type_write(p, PROFILE_SAMPLE_TYPE, &options->sample_types[i]);
	return p;
}

/* The locations and labels of a sample, written when they are new; false without memory. */
static bool sample_prepare(struct pprof *p, const struct pprof_sample *s)
{
	struct label_message label;
	for (uint32_t i = 0; i < s->depth; i++) {
		if (!room(p, PC_STRINGS, PPROF_INLINE_MAX, 1))
			return false;
		p->ids[i] = location_id(p, prof_pc_address(i + p->options->returns, s->pcs[i]));
	}
	for (unsigned i = 0; room(p, LABEL_STRINGS, 0, 0); i++)
		if (!label_get(p, s, i, &label))
			return true;
	return false;
}

static void sample_write(struct pprof *p, const struct pprof_sample *s)
{
	struct sample_message m = {.p = p, .s = s};
	if (p->error == 0) {
		protobuf_message(&p->out, PROFILE_SAMPLE, sample_emit, &m);
		p->error = p->out.error;
	}
}

int pprof_add(struct pprof *p, const struct pprof_sample *s)
{
	ASSERT(s->depth <= PROF_DEPTH_MAX + 1, "a stack has at most PROF_DEPTH_MAX pcs and [truncated]");
	bool there = sample_prepare(p, s);
	for (unsigned i = 0; i < p->options->n_sample_types; i++)
		*(there ? &p->written[i] : &p->unwritten[i]) += (uint64_t)s->values[i];
	if (there)
		sample_write(p, s);
	else
		p->n_unwritten++;
	return p->error;
}

/* What found no memory, as one sample; the comment about it. */
static void unwritten_write(struct pprof *p)
{
	const struct pprof_options *o = p->options;
	uintptr_t lost = PROF_FRAME_LOST;
	struct pprof_sample s = {.depth = 1, .pcs = &lost};
	unsigned last = o->n_sample_types - 1;
	memcpy(s.values, p->unwritten, sizeof s.values);
	p->ids[0] = location_id(p, lost);
	sample_write(p, &s);
	snprintf(p->comment, sizeof p->comment,
		 "truncated: no memory to write %llu of the stacks: %lld of %lld %.24s/%.24s",
		 (unsigned long long)p->n_unwritten, (long long)p->unwritten[last],
		 (long long)(p->unwritten[last] + p->written[last]), o->sample_types[last].type,
		 o->sample_types[last].unit);
}

static void tail_write(struct pprof *p)
{
	const struct pprof_options *o = p->options;
	uint32_t file = string_id(p, o->mapping.filename), build_id = string_id(p, o->mapping.build_id);
	(void)file;
	(void)build_id;
	if (p->error == 0)
		protobuf_message(&p->out, PROFILE_MAPPING, mapping_emit, &p);
	protobuf_uint64_opt(&p->out, PROFILE_TIME_NANOS, (uint64_t)o->time_nanos);
	protobuf_uint64_opt(&p->out, PROFILE_DURATION_NANOS, (uint64_t)o->duration_nanos);
	value_type_write(p, PROFILE_PERIOD_TYPE, &o->period_type);
	protobuf_uint64_opt(&p->out, PROFILE_PERIOD, (uint64_t)o->period);
	for (unsigned i = 0; i < o->n_comments; i++)
		protobuf_uint64(&p->out, PROFILE_COMMENT, string_id(p, o->comments[i]));
	if (p->n_unwritten > 0)
		protobuf_uint64(&p->out, PROFILE_COMMENT, string_id(p, p->comment));
	protobuf_uint64_opt(&p->out, PROFILE_DEFAULT_SAMPLE_TYPE, string_id(p, o->default_sample_type));
	for (uint32_t i = 0; i < p->strings.n; i++) {
		const struct string_entry *e = intern_at(&p->strings, i);
		protobuf_bytes(&p->out, PROFILE_STRING_TABLE, e->text, e->size);
	}
}

int pprof_close(struct pprof *p)
{
	if (p->n_unwritten > 0)
		unwritten_write(p);
	if (p->error == 0)
		tail_write(p);
	int error = protobuf_flush(&p->out);
	if (p->error != 0)
		error = p->error;
	tables_free(p);
	return error;
}

/* False: there is nothing to say about r. */
static bool values_get(const struct pprof_options *o, const struct prof_record *r, int64_t *values)
{
	bool any = false;
	for (unsigned i = 0; i < o->n_sample_types; i++) {
		uint64_t v = r->values[i];
		values[i] = v > INT64_MAX && !o->difference ? INT64_MAX : (int64_t)v;
		any |= v != 0;
	}
	return any || !o->difference;
}

int pprof_write_builder(const struct builder *b, const struct pprof_options *options,
			const struct mem_ops *mem, struct sink *sink)
{
	struct pprof *p = pprof_open(options, mem, sink);
	if (p == NULL)
		return -ENOMEM;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		struct pprof_sample s = {.pcs = r->pcs, .depth = r->depth, .labels = r->labels};
		if (values_get(options, r, s.values) && pprof_add(p, &s) != 0)
			break;
	}
	return pprof_close(p);
}
