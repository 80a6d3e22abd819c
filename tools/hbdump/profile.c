/*
 * Owns the way from bytes to struct profile: first every message in the order of the file, its references kept as
 * they stand (strings and functions may come after those who name them), then each reference looked up.
 *
 * 1. A length is compared with the bytes that are left before it is used. Otherwise a lie reads past the end.
 * 2. Every item of an array came with bytes of its own. Otherwise a short file could ask for much memory.
 */
#include "tools/hbdump/profile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/vector.h"

enum {
	WIRE_VARINT = 0,
	WIRE_BYTES = 2,

	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_DROP_FRAMES = 7,
	PROFILE_KEEP_FRAMES = 8,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
	PROFILE_DOC_URL = 15,

	SCALARS_MAX = 11, /* tags of a message that has only numbers are below this */
};

struct bytes {
	const uint8_t *p, *end;
};

struct field {
	uint32_t tag, wire;
	uint64_t number;
	struct bytes body;
};

/* What is known only while a profile is read. */
struct reader {
	struct profile *p;
	uint64_t default_type; /* string */
	bool has_mapping;
	uint64_t *sample_locations; /* ids, as p->stack will be */
	size_t n_sample_locations;
	uint64_t *line_functions; /* ids, as p->lines */
	size_t n_line_functions;
};

static bool __attribute__((format(printf, 2, 3))) wrong(struct reader *r, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (r->p->error[0] == '\0')
		vsnprintf(r->p->error, sizeof r->p->error, format, args);
	va_end(args);
	return false;
}

/* ---- the wire ---- */

static bool varint_read(struct reader *r, const char *what, struct bytes *b, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (b->p == b->end)
			return wrong(r, "%s ends within a number", what);
		uint8_t c = *b->p++;
		if (shift == 63 && c > 1)
			break;
		*value |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return true;
	}
	return wrong(r, "%s has a number of more than 64 bits", what);
}

/* The next field of a message that has one left. */
static bool field_read(struct reader *r, const char *what, struct bytes *b, struct field *f)
{
	uint64_t key;
	if (!varint_read(r, what, b, &key))
		return false;
	*f = (struct field){.tag = key >> 3 > UINT32_MAX ? 0 : (uint32_t)(key >> 3), .wire = key & 7};
	if (f->wire != WIRE_VARINT && f->wire != WIRE_BYTES)
		return wrong(r, "%s has a field of wire type %u: expected 0 or 2", what, f->wire);
	if (!varint_read(r, what, b, &f->number))
		return false;
	if (f->wire == WIRE_VARINT)
		return true;
	size_t left = (size_t)(b->end - b->p);
	if (f->number > left)
		return wrong(r,
			     "%s has field %u of %" PRIu64 " bytes: expected at most the %zu that are left",
			     what, f->tag, f->number, left);
	f->body = (struct bytes){b->p, b->p + f->number};
	b->p = f->body.end;
	return true;
}

static bool field_wrong(struct reader *r, const char *what, const struct field *f)
{
	return wrong(r, "%s has field %u of wire type %u: expected what profile.proto has", what, f->tag,
		     f->wire);
}

/* A message of numbers only: tag i to numbers[i]. Tags 1 to last are known. */
static bool numbers_read(struct reader *r, const char *what, struct bytes b, uint64_t *numbers, unsigned last)
{
	struct field f;
	memset(numbers, 0, SCALARS_MAX * sizeof *numbers);
	while (b.p < b.end) {
		if (!field_read(r, what, &b, &f))
			return false;
		if (f.tag == 0 || f.tag > last || f.wire != WIRE_VARINT)
			return field_wrong(r, what, &f);
		numbers[f.tag] = f.number;
	}
	return true;
}

/* A repeated number, packed or not, appended. */
static bool repeated_read(struct reader *r, const char *what, struct field *f, uint64_t **list, size_t *n)
{
	if (f->wire == WIRE_VARINT) {
		*VECTOR_ADD(*list, *n) = f->number;
		return true;
	}
	while (f->body.p < f->body.end) {
		uint64_t v;
		if (!varint_read(r, what, &f->body, &v))
			return false;
		*VECTOR_ADD(*list, *n) = v;
	}
	return true;
}

/* ---- messages ---- */

/* A string's number: kept in 32 bits, as there are fewer; a greater one stays one that does not exist. */
static uint32_t string_number(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static bool line_number(struct reader *r, const char *what, uint64_t v, uint32_t *line)
{
	*line = (uint32_t)v;
	return v <= INT32_MAX ||
	       wrong(r, "%s has line %" PRId64 ": expected 0 to %d", what, (int64_t)v, INT32_MAX);
}

static bool label_read(struct reader *r, struct bytes b)
{
	uint64_t v[SCALARS_MAX];
	if (!numbers_read(r, "a label", b, v, 4))
		return false;
	*VECTOR_ADD(r->p->labels, r->p->n_labels) = (struct profile_label){
		string_number(v[1]), string_number(v[2]), string_number(v[4]), (int64_t)v[3]};
	return true;
}

static bool sample_read(struct reader *r, struct bytes b)
{
	struct profile *p = r->p;
	struct profile_sample s = {
		.location = r->n_sample_locations, .label = p->n_labels, .value = p->n_values};
	struct field f;
	while (b.p < b.end) {
		if (!field_read(r, "a sample", &b, &f))
			return false;
		if (f.tag == 1
			    ? !repeated_read(r, "a stack", &f, &r->sample_locations, &r->n_sample_locations)
		    : f.tag == 2 ? !repeated_read(r, "a sample", &f, &p->values, &p->n_values)
		    : f.tag == 3 && f.wire == WIRE_BYTES ? !label_read(r, f.body)
							 : !field_wrong(r, "a sample", &f))
			return false;
	}
	s.n_locations = r->n_sample_locations - s.location;
	s.n_labels = p->n_labels - s.label;
	*VECTOR_ADD(p->samples, p->n_samples) = s;
	/* Types may come later: their number is compared at the end, this one with that of the first sample. */
	size_t n = p->n_values - s.value, first = p->n_samples == 1 ? n : p->samples[1].value;
	return n == first || wrong(r, "sample %zu has %zu values, the first one %zu: expected the same",
				   p->n_samples - 1, n, first);
}

static bool location_read(struct reader *r, struct bytes b)
{
	struct profile *p = r->p;
	struct profile_location l = {.line = p->n_lines};
	struct field f;
	uint64_t v[SCALARS_MAX];
	while (b.p < b.end) {
		if (!field_read(r, "a location", &b, &f))
			return false;
		if (f.tag == 4 && f.wire == WIRE_BYTES) {
			struct profile_line line = {0};
			if (!numbers_read(r, "a location's line", f.body, v, 3) ||
			    !line_number(r, "a location", v[2], &line.line))
				return false;
			*VECTOR_ADD(p->lines, p->n_lines) = line;
			*VECTOR_ADD(r->line_functions, r->n_line_functions) = v[1];
		} else if (f.tag == 1 && f.wire == WIRE_VARINT) {
			l.id = f.number;
		} else if (f.tag == 3 && f.wire == WIRE_VARINT) {
			l.address = f.number;
		} else if ((f.tag != 2 && f.tag != 5) || f.wire != WIRE_VARINT) { /* mapping, is_folded */
			return field_wrong(r, "a location", &f);
		}
	}
	l.n_lines = p->n_lines - l.line;
	*VECTOR_ADD(p->locations, p->n_locations) = l;
	return true;
}

static bool function_read(struct reader *r, struct bytes b)
{
	uint64_t v[SCALARS_MAX];
	struct profile_function f;
	if (!numbers_read(r, "a function", b, v, 5) || !line_number(r, "a function", v[5], &f.line))
		return false;
	f.id = v[1];
	f.name = string_number(v[2]);
	f.file = string_number(v[4]);
	*VECTOR_ADD(r->p->functions, r->p->n_functions) = f;
	return true;
}

static bool mapping_read(struct reader *r, struct bytes b)
{
	uint64_t v[SCALARS_MAX];
	if (!numbers_read(r, "a mapping", b, v, 10))
		return false;
	if (!r->has_mapping)
		r->p->program = string_number(v[5]);
	r->has_mapping = true;
	return true;
}

static bool type_read(struct reader *r, struct bytes b, bool is_sample)
{
	uint64_t v[SCALARS_MAX];
	struct profile *p = r->p;
	if (!numbers_read(r, "a sample type", b, v, 2))
		return false;
	if (!is_sample)
		return true;
	if (p->n_types == PROFILE_TYPES_MAX)
		return wrong(r, "has more than %d sample types", PROFILE_TYPES_MAX);
	p->types[p->n_types++] = (struct profile_type){string_number(v[1]), string_number(v[2])};
	return true;
}

static bool top_read(struct reader *r, struct field *f)
{
	struct profile *p = r->p;
	if (f->wire == WIRE_BYTES) {
		switch (f->tag) {
		case PROFILE_SAMPLE_TYPE:
		case PROFILE_PERIOD_TYPE:
			return type_read(r, f->body, f->tag == PROFILE_SAMPLE_TYPE);
		case PROFILE_SAMPLE:
			return sample_read(r, f->body);
		case PROFILE_MAPPING:
			return mapping_read(r, f->body);
		case PROFILE_LOCATION:
			return location_read(r, f->body);
		case PROFILE_FUNCTION:
			return function_read(r, f->body);
		case PROFILE_STRING_TABLE:
			*VECTOR_ADD(p->strings, p->n_strings) =
				(struct profile_string){f->body.p, (size_t)f->number};
			return true;
		}
	} else {
		switch (f->tag) {
		case PROFILE_TIME_NANOS:
			p->time_ns = f->number;
			return true;
		case PROFILE_DURATION_NANOS:
			p->duration_ns = f->number;
			return true;
		case PROFILE_DEFAULT_SAMPLE_TYPE:
			r->default_type = f->number;
			return true;
		case PROFILE_DROP_FRAMES:
		case PROFILE_KEEP_FRAMES:
		case PROFILE_PERIOD:
		case PROFILE_DOC_URL:
			return true;
		}
	}
	if (f->tag == PROFILE_COMMENT) {
		uint64_t *list = NULL;
		size_t n = 0;
		bool good = repeated_read(r, "a comment", f, &list, &n);
		for (size_t i = 0; i < n; i++)
			*VECTOR_ADD(p->comments, p->n_comments) = string_number(list[i]);
		free(list);
		return good;
	}
	return field_wrong(r, "it", f);
}

/* ---- references ---- */

struct id_entry {
	uint64_t id;
	uint32_t index;
};

static int id_order(const void *a, const void *b)
{
	const struct id_entry *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

/* Sorted ids of n items, each of that size with its id in front; NULL if one is 0 or there twice. */
static struct id_entry *ids_make(struct reader *r, const char *what, const void *items, size_t n, size_t size)
{
	struct id_entry *list = vector_resize(NULL, n + 1, sizeof *list);
	for (size_t i = 0; i < n; i++) {
		memcpy(&list[i].id, (const char *)items + i * size, sizeof list[i].id);
		list[i].index = (uint32_t)i;
	}
	qsort(list, n, sizeof *list, id_order);
	for (size_t i = 0; i < n; i++) {
		if (list[i].id == 0 || (i > 0 && list[i].id == list[i - 1].id)) {
			wrong(r, "%s has id %" PRIu64 ": expected one that is not 0 and not another's", what,
			      list[i].id);
			free(list);
			return NULL;
		}
	}
	return list;
}

static bool id_find(struct reader *r, const char *what, const struct id_entry *list, size_t n, uint64_t id,
		    uint32_t *index)
{
	const struct id_entry key = {.id = id},
			      *e = n == 0 ? NULL : bsearch(&key, list, n, sizeof *list, id_order);
	if (e == NULL)
		return wrong(r, "names %s %" PRIu64 ", which it does not have", what, id);
	*index = e->index;
	return true;
}

static bool ids_resolve(struct reader *r)
{
	struct profile *p = r->p;
	struct id_entry *functions =
		ids_make(r, "a function", p->functions, p->n_functions, sizeof *p->functions);
	struct id_entry *locations =
		ids_make(r, "a location", p->locations, p->n_locations, sizeof *p->locations);
	bool good = functions != NULL && locations != NULL;
	p->stack = vector_resize(NULL, r->n_sample_locations + 1, sizeof *p->stack);
	p->n_stack = r->n_sample_locations;
	for (size_t i = 0; good && i < p->n_lines; i++)
		good = id_find(r, "function", functions, p->n_functions, r->line_functions[i],
			       &p->lines[i].function);
	for (size_t i = 0; good && i < p->n_stack; i++)
		good = id_find(r, "location", locations, p->n_locations, r->sample_locations[i],
			       &p->stack[i]);
	free(functions);
	free(locations);
	return good;
}

static bool strings_check(struct reader *r)
{
	const struct profile *p = r->p;
	uint32_t most = string_number(r->default_type);
#define MOST(n) most = (n) > most ? (n) : most
	MOST(p->program);
	for (size_t i = 0; i < p->n_types; i++) {
		MOST(p->types[i].type);
		MOST(p->types[i].unit);
	}
	for (size_t i = 0; i < p->n_functions; i++) {
		MOST(p->functions[i].name);
		MOST(p->functions[i].file);
	}
	for (size_t i = 0; i < p->n_labels; i++) {
		MOST(p->labels[i].key);
		MOST(p->labels[i].str);
		MOST(p->labels[i].unit);
	}
	for (size_t i = 0; i < p->n_comments; i++)
		MOST(p->comments[i]);
#undef MOST
	if (p->n_strings == 0 || p->strings[0].n != 0)
		return wrong(r, "has no string table that begins with an empty string: expected a profile");
	return most < p->n_strings ||
	       wrong(r, "names string %" PRIu32 ": expected less than %zu", most, p->n_strings);
}

static bool values_check(struct reader *r)
{
	struct profile *p = r->p;
	size_t n = p->n_samples == 0 ? p->n_types : p->n_values / p->n_samples;
	if (p->n_types == 0)
		return wrong(r, "has no sample type: expected at least one");
	if (n != p->n_types)
		return wrong(r, "has samples of %zu values: expected %zu, as there are sample types", n,
			     p->n_types);
	for (size_t i = 0; i < p->n_values; i++) {
		uint64_t *total = &p->totals[i % p->n_types];
		if (p->values[i] > INT64_MAX)
			return wrong(r, "has the value %" PRId64 ": expected none below 0",
				     (int64_t)p->values[i]);
		if (p->values[i] > PROFILE_SUM_MAX - *total)
			return wrong(r, "has values that add up to more than %" PRIu64, PROFILE_SUM_MAX);
		*total += p->values[i];
	}
	return true;
}

/* The type to begin with: the one that the profile names, else the last, as in pprof. */
static void default_choose(struct reader *r)
{
	struct profile *p = r->p;
	const struct profile_string *want = &p->strings[r->default_type];
	p->default_type = (uint32_t)p->n_types - 1;
	for (uint32_t i = 0; want->n > 0 && i < p->n_types; i++) {
		const struct profile_string *s = &p->strings[p->types[i].type];
		if (s->n == want->n && memcmp(s->p, want->p, s->n) == 0)
			p->default_type = i;
	}
}

bool profile_read(struct profile *p, const void *data, size_t n)
{
	struct reader r = {.p = p};
	struct bytes b = {data, (const uint8_t *)data + n};
	struct field f;
	bool good = true;
	*p = (struct profile){.n_types = 0};
	while (good && b.p < b.end)
		good = field_read(&r, "it", &b, &f) && top_read(&r, &f);
	good = good && strings_check(&r) && values_check(&r) && ids_resolve(&r);
	if (good)
		default_choose(&r);
	free(r.sample_locations);
	free(r.line_functions);
	return good;
}

void profile_free(struct profile *p)
{
	free(p->strings);
	free(p->functions);
	free(p->lines);
	free(p->locations);
	free(p->labels);
	free(p->samples);
	free(p->stack);
	free(p->values);
	free(p->comments);
	*p = (struct profile){.n_types = 0};
}
