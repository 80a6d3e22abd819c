/*
 * Option values. Every unit is a row of one table, so that reading and writing know the same ones.
 *
 * 1. A number that does not fit 64 bits, digits or unit included, is refused, otherwise it would wrap into
 * the range.
 */
#include "boot/option_value.h"

#include "boot/line.h"

#include <string.h>

struct unit {
	enum option_type type;
	const char *name;
	uint64_t factor;
};

/* of each type from large to small */
static const struct unit units[] = {
	{OPTION_U64, "", 1},
	{OPTION_BYTES, "G", UINT64_C(1) << 30},
	{OPTION_BYTES, "M", UINT64_C(1) << 20},
	{OPTION_BYTES, "K", UINT64_C(1) << 10},
	{OPTION_BYTES, "", 1},
	{OPTION_DURATION, "s", UINT64_C(1000000000)},
	{OPTION_DURATION, "ms", 1000000},
	{OPTION_DURATION, "us", 1000},
	{OPTION_DURATION, "ns", 1},
};

enum { N_UNITS = sizeof units / sizeof units[0] };

static const char *const bool_names[][2] = {{"off", "on"}, {"0", "1"}, {"false", "true"}};

static int digit_value(char c, unsigned base)
{
	unsigned v = 99;
	if (c >= '0' && c <= '9')
		v = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		v = (unsigned)(c - 'a' + 10);
	else if (c >= 'A' && c <= 'F')
		v = (unsigned)(c - 'A' + 10);
	return v < base ? (int)v : -1;
}

/* Reads digits (decimal, or hexadecimal behind 0x); returns what follows them, or NULL. */
static const char *number_read(const char *s, uint64_t *value)
{
	unsigned base = 10;
	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	if (digit_value(*s, base) < 0)
		return NULL;
	*value = 0;
	for (int d; (d = digit_value(*s, base)) >= 0; s++) {
		if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
		    __builtin_add_overflow(*value, (uint64_t)d, value))
			return NULL;
	}
	return s;
}

static bool number_set(const struct option *o, const char *text)
{
	uint64_t v;
	const char *rest = number_read(text, &v);
	if (rest == NULL)
		return false;
	for (int i = 0; i < N_UNITS; i++) {
		if (units[i].type != o->type || strcmp(rest, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(v, units[i].factor, &v) || v < o->min || v > o->max)
			return false;
		*(uint64_t *)o->value = v;
		return true;
	}
	return false;
}

bool option_value_set(const struct option *o, const char *text)
{
	if (o->type == OPTION_BOOL) {
		for (size_t i = 0; i < 2 * sizeof bool_names / sizeof bool_names[0]; i++) {
			if (strcmp(text, bool_names[i / 2][i % 2]) == 0) {
				*(bool *)o->value = i % 2 != 0;
				return true;
			}
		}
		return false;
	}
	if (o->type == OPTION_STRING) {
		size_t n = strlen(text);
		if (n < o->min || n >= o->max)
			return false;
		memcpy(o->value, text, n + 1);
		return true;
	}
	return number_set(o, text);
}

uint64_t option_value_get(const struct option *o)
{
	return o->type == OPTION_BOOL ? *(bool *)o->value : *(uint64_t *)o->value;
}

void option_value_text(enum option_type type, uint64_t v, char *buf)
{
	if (type == OPTION_BOOL) {
		line_format(buf, OPTION_TEXT_MAX, "%s", bool_names[0][v != 0]);
		return;
	}
	const struct unit *u = NULL;
	for (int i = 0; i < N_UNITS; i++) {
		if (units[i].type != type)
			continue;
		u = &units[i]; /* the last one, factor 1, serves for all, and for 0 */
		if (v != 0 && v % u->factor == 0)
			break;
	}
	line_format(buf, OPTION_TEXT_MAX, "%lu%s", v / u->factor, u->name);
}

void option_value_expected(const struct option *o, char *buf)
{
	char min[OPTION_TEXT_MAX], max[OPTION_TEXT_MAX];
	size_t size = 3 * OPTION_TEXT_MAX;
	if (o->type == OPTION_BOOL) {
		line_format(buf, size, "on or off");
	} else if (o->type == OPTION_STRING) {
		line_format(buf, size, "%lu to %lu characters", o->min, o->max - 1);
	} else {
		option_value_text(o->type, o->min, min);
		if (o->max == UINT64_MAX)
			line_format(max, sizeof max, "more");
		else
			option_value_text(o->type, o->max, max);
		const char *how = "";
		if (o->type == OPTION_BYTES)
			how = " (bytes, with K, M or G)";
		else if (o->type == OPTION_DURATION)
			how = " (with ns, us, ms or s)";
		line_format(buf, size, "%s to %s%s", min, max, how);
	}
}
