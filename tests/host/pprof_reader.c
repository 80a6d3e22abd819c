/* See pprof_reader.h. Any field, wire type or length that profile.proto does not know makes the profile bad.
 */
#include "tests/host/pprof_reader.h"

#include <stdio.h>
#include <string.h>

#include "tests/host/check.h"

struct bytes {
	const uint8_t *p, *end;
};

struct field {
	uint32_t tag, wire;
	uint64_t value;
	struct bytes body;
};

struct read_profile got;

static uint64_t read_varint(struct bytes *b)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (b->p == b->end) {
			got.bad = true;
			return 0;
		}
		uint8_t c = *b->p++;
		v |= shift < 64 ? (uint64_t)(c & 0x7f) << shift : 0;
		if (c < 0x80)
			return v;
	}
	got.bad = true;
	return 0;
}

static bool read_field(struct bytes *b, struct field *f)
{
	if (got.bad || b->p == b->end)
		return false;
	uint64_t key = read_varint(b);
	*f = (struct field){.tag = (uint32_t)(key >> 3), .wire = key & 7};
	f->value = read_varint(b);
	if (f->wire == 2) {
		if (f->value > (uint64_t)(b->end - b->p))
			got.bad = true;
		else
			f->body = (struct bytes){b->p, b->p + f->value};
		b->p = got.bad ? b->end : b->p + f->value;
	} else if (f->wire != 0) {
		got.bad = true;
	}
	return !got.bad;
}

/* Appends a repeated integer, packed or not. */
static void read_ints(struct field *f, uint64_t *out, unsigned *n, unsigned max)
{
	if (f->wire == 0 && *n < max) {
		out[(*n)++] = f->value;
		return;
	}
	while (!got.bad && f->body.p < f->body.end && *n < max)
		out[(*n)++] = read_varint(&f->body);
	got.bad |= f->body.p != f->body.end;
}

/* Stores the single integers of a message: tag i goes to *out[i]; other tags are an error. */
static void read_scalars(struct bytes b, uint64_t **out, unsigned n)
{
	struct field f;
	while (read_field(&b, &f)) {
		if (f.tag >= n || out[f.tag] == NULL || f.wire != 0)
			got.bad = true;
		else
			*out[f.tag] = f.value;
	}
}

static void read_sample(struct bytes b)
{
	struct field f;
	unsigned i = got.n_samples++ % MANY;
	while (read_field(&b, &f)) {
		if (f.tag == 1) {
			read_ints(&f, got.samples[i].locations, &got.samples[i].n_locations, 160);
		} else if (f.tag == 2) {
			read_ints(&f, got.samples[i].values, &got.samples[i].n_values, 8);
		} else if (f.tag == 3 && got.samples[i].n_labels < 8) {
			struct read_label *l = &got.samples[i].labels[got.samples[i].n_labels++];
			read_scalars(f.body, (uint64_t *[]){NULL, &l->key, &l->str, &l->num, &l->unit}, 5);
		} else {
			got.bad = true;
		}
	}
}

static void read_location(struct bytes b)
{
	struct field f;
	unsigned i = got.n_locations++ % MANY;
	while (read_field(&b, &f)) {
		if (f.tag == 4 && got.locations[i].n_lines < 20) {
			unsigned k = got.locations[i].n_lines++;
			read_scalars(f.body,
				     (uint64_t *[]){NULL, &got.locations[i].functions[k],
						    &got.locations[i].lines[k]},
				     3);
		} else if (f.tag == 1) {
			got.locations[i].id = f.value;
		} else if (f.tag == 2) {
			got.locations[i].mapping = f.value;
		} else if (f.tag == 3) {
			got.locations[i].address = f.value;
		} else {
			got.bad = true;
		}
	}
}

static void read_one(struct field *f)
{
	unsigned i;
	switch (f->tag) {
	case 1:
		i = got.n_types++ % 8;
		read_scalars(f->body, (uint64_t *[]){NULL, &got.types[i].type, &got.types[i].unit}, 3);
		break;
	case 2:
		read_sample(f->body);
		break;
	case 3:
		i = got.n_mappings++ % 4;
		read_scalars(f->body,
			     (uint64_t *[]){NULL, &got.mappings[i].id, &got.mappings[i].start,
					    &got.mappings[i].limit, &got.mappings[i].offset,
					    &got.mappings[i].file, &got.mappings[i].build_id,
					    &got.mappings[i].has[0], &got.mappings[i].has[1],
					    &got.mappings[i].has[2], &got.mappings[i].has[3]},
			     11);
		break;
	case 4:
		read_location(f->body);
		break;
	case 5:
		i = got.n_functions++ % MANY;
		read_scalars(f->body,
			     (uint64_t *[]){NULL, &got.functions[i].id, &got.functions[i].name,
					    &got.functions[i].system_name, &got.functions[i].file,
					    &got.functions[i].start_line},
			     6);
		break;
	case 6:
		i = got.n_strings++ % MANY;
		snprintf(got.strings[i], TEXT, "%.*s", (int)(f->body.end - f->body.p),
			 (const char *)f->body.p);
		break;
	case 9:
		got.time = f->value;
		break;
	case 10:
		got.duration = f->value;
		break;
	case 11:
		got.n_period_types++;
		read_scalars(f->body, (uint64_t *[]){NULL, &got.period_type.type, &got.period_type.unit}, 3);
		break;
	case 12:
		got.period = f->value;
		break;
	case 13:
		read_ints(f, got.comments, &got.n_comments, 8);
		break;
	case 14:
		got.default_type = f->value;
		break;
	default:
		got.bad = true;
	}
}

const char *read_text(uint64_t i)
{
	return i < got.n_strings ? got.strings[i] : "(no such string)";
}

unsigned read_function_at(uint64_t id)
{
	unsigned i = 0;
	while (i < got.n_functions && got.functions[i].id != id)
		i++;
	return i;
}

unsigned read_location_at(uint64_t id)
{
	unsigned i = 0;
	while (i < got.n_locations && got.locations[i].id != id)
		i++;
	return i;
}

/* google/pprof's CheckValid, and that every string number resolves and string 0 is empty. */
static void check_valid(void)
{
	CHECK(!got.bad);
	CHECK(got.n_strings > 0 && got.strings[0][0] == '\0');
	for (unsigned i = 1; i < got.n_strings; i++)
		for (unsigned k = 0; k < i; k++)
			CHECK(strcmp(got.strings[i], got.strings[k]) != 0);
	CHECK(got.n_types > 0 || got.n_samples == 0);
	CHECK_EQ(got.n_mappings, 1);
	CHECK_EQ(got.n_period_types, 1);
	for (unsigned i = 0; i < got.n_samples; i++) {
		CHECK_EQ(got.samples[i].n_values, got.n_types);
		for (unsigned k = 0; k < got.samples[i].n_locations; k++)
			CHECK(read_location_at(got.samples[i].locations[k]) < got.n_locations);
		for (unsigned k = 0; k < got.samples[i].n_labels; k++)
			CHECK(got.samples[i].labels[k].key != 0 &&
			      got.samples[i].labels[k].key < got.n_strings &&
			      got.samples[i].labels[k].str < got.n_strings &&
			      got.samples[i].labels[k].unit < got.n_strings);
	}
	for (unsigned i = 0; i < got.n_locations; i++) {
		CHECK(got.locations[i].id != 0 && read_location_at(got.locations[i].id) == i);
		CHECK(got.locations[i].mapping <= 1);
		for (unsigned k = 0; k < got.locations[i].n_lines; k++)
			CHECK(read_function_at(got.locations[i].functions[k]) < got.n_functions);
	}
	for (unsigned i = 0; i < got.n_functions; i++) {
		CHECK(got.functions[i].id != 0 && read_function_at(got.functions[i].id) == i);
		CHECK(got.functions[i].name < got.n_strings && got.functions[i].file < got.n_strings);
		CHECK_EQ(got.functions[i].system_name, got.functions[i].name);
		for (unsigned k = 0; k < i; k++)
			CHECK(got.functions[i].name != got.functions[k].name ||
			      got.functions[i].file != got.functions[k].file);
	}
	CHECK_EQ(got.mappings[0].id, 1);
}

void read_profile(const void *data, size_t n)
{
	memset(&got, 0, sizeof got);
	struct bytes b = {data, (const uint8_t *)data + n};
	struct field f;
	while (read_field(&b, &f))
		read_one(&f);
	check_valid();
}
