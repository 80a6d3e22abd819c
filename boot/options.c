/*
 * The registry of options and the command line's parser.
 *
 *   key=value  key="a value"  ...  --  argument  "an argument"  ...
 *
 * 1. An unknown key, a bad value and a key given twice are errors and never ignored, otherwise a misspelt
 * option would silently measure something else than was asked for.
 * 2. Words are unquoted in place: a word never grows, so the text behind it is untouched until it is read.
 */
#include "boot/options.h"

#include "boot/line.h"
#include "boot/option_value.h"
#include "kernel/assert.h"

#include <string.h>

enum {
	PRINT_MAX = 320,
	SUGGEST_MAX = 2, /* edits between an unknown key and the one suggested */
};

static struct option_table *tables;

static struct option *option_find(const char *name)
{
	for (struct option_table *t = tables; t != NULL; t = t->next) {
		for (uint32_t i = 0; i < t->n; i++) {
			if (strcmp(t->options[i].name, name) == 0)
				return &t->options[i];
		}
	}
	return NULL;
}

void options_register(struct option_table *table)
{
	struct option_table **last = &tables;
	for (uint32_t i = 0; i < table->n; i++) {
		struct option *o = &table->options[i];
		size_t len = strlen(o->name);
		ASSERT(len > 0 && len <= OPTION_NAME_MAX && strcspn(o->name, "= \t") == len,
		       "an option has a short name without blanks and '='");
		ASSERT(option_find(o->name) == NULL, "an option's name occurs once");
		for (uint32_t j = 0; j < i; j++)
			ASSERT(strcmp(table->options[j].name, o->name) != 0, "an option's name occurs once");
		ASSERT(o->type == OPTION_BOOL || o->min <= o->max, "an option's range is not empty");
		ASSERT(o->type != OPTION_STRING || o->min < o->max, "a string option has room for its NUL");
		o->given = false;
		if (o->type != OPTION_STRING)
			o->initial = option_value_get(o);
	}
	while (*last != NULL)
		last = &(*last)->next;
	table->next = NULL;
	*last = table;
}

void options_reset(void)
{
	tables = NULL;
}

/* Insertions, deletions and replacements that turn a into b; b is at most OPTION_NAME_MAX long. */
static unsigned edit_distance(const char *a, const char *b)
{
	uint8_t row[OPTION_NAME_MAX + 1];
	size_t n = strlen(b);
	for (size_t j = 0; j <= n; j++)
		row[j] = (uint8_t)j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		uint8_t diagonal = row[0];
		row[0] = (uint8_t)(i + 1);
		for (size_t j = 0; j < n; j++) {
			uint8_t best = (uint8_t)(diagonal + (a[i] != b[j]));
			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = (uint8_t)(row[j] + 1);
			if (diagonal + 1 < best)
				best = (uint8_t)(diagonal + 1);
			row[j + 1] = best;
		}
	}
	return row[n];
}

static const char *unknown_key(const char *key)
{
	const char *nearest = NULL;
	unsigned best = SUGGEST_MAX + 1;
	size_t len = strlen(key);
	for (struct option_table *t = tables; t != NULL && len <= OPTION_NAME_MAX; t = t->next) {
		for (uint32_t i = 0; i < t->n; i++) {
			unsigned d = edit_distance(key, t->options[i].name);
			/* one letter more or less turns any short key into any other: that is no help */
			if (d < best && d < len) {
				best = d;
				nearest = t->options[i].name;
			}
		}
	}
	if (nearest != NULL)
		return boot_error("boot option '%s': not known; did you mean '%s'?", key, nearest);
	return boot_error("boot option '%s': not known; a program's arguments go behind --", key);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Takes the next word at *at, unquoted in place, and moves *at behind it. *word is NULL at the end of the
 * text; *bare says whether the word was written without quotes and backslashes. NULL, or an error line.
 */
static const char *word_next(char **at, char **word, bool *bare)
{
	char *in = *at;
	while (is_blank(*in))
		in++;
	*bare = true;
	*word = *in != '\0' ? in : NULL;
	char *out = in;
	bool quoted = false;
	while (*in != '\0' && (quoted || !is_blank(*in))) {
		if (*in == '"') {
			quoted = !quoted;
			*bare = false;
			in++;
			continue;
		}
		if (*in == '\\') {
			*bare = false;
			in++;
			if (*in == '\0')
				return boot_error(
					"command line: a character expected behind the last backslash");
		}
		*out++ = *in++;
	}
	*at = *in != '\0' ? in + 1 : in;
	*out = '\0';
	if (quoted)
		return boot_error("command line: a closing quote expected behind '%s'", *word);
	return NULL;
}

static const char *option_apply(char *word)
{
	char *value = strchr(word, '=');
	if (value == NULL)
		return boot_error("boot option '%s': key=value expected; a program's arguments go behind --",
				  word);
	*value++ = '\0';
	struct option *o = option_find(word);
	if (o == NULL)
		return unknown_key(word);
	if (o->given)
		return boot_error("boot option '%s': given twice, once expected", word);
	if (!option_value_set(o, value)) {
		char expected[3 * OPTION_TEXT_MAX];
		option_value_expected(o, expected);
		return boot_error("boot option '%s': bad value '%s', %s expected", word, value, expected);
	}
	o->given = true;
	return NULL;
}

const char *options_parse(char *cmdline, char *argv0, struct option_args *args)
{
	char *at = cmdline, *word;
	bool bare, program = false;
	memset(args, 0, sizeof *args);
	args->argv[args->argc++] = argv0;
	for (;;) {
		const char *error = word_next(&at, &word, &bare);
		if (error != NULL || word == NULL)
			return error;
		if (program) {
			if (args->argc == OPTION_ARGS_MAX)
				return boot_error("program arguments: more than %u, from '%s' on",
						  (unsigned)OPTION_ARGS_MAX - 1, word);
			args->argv[args->argc++] = word;
		} else if (bare && strcmp(word, "--") == 0) {
			program = true;
		} else {
			error = option_apply(word);
			if (error != NULL)
				return error;
		}
	}
}

static void option_print(const struct option *o, option_sink *sink, void *ctx)
{
	char line[PRINT_MAX], now[OPTION_TEXT_MAX], initial[OPTION_TEXT_MAX], expected[3 * OPTION_TEXT_MAX];
	size_t len;
	option_value_expected(o, expected);
	if (o->type == OPTION_STRING) {
		len = line_format(line, sizeof line - 1, "%s=%s (%s, %s)  %s", o->name,
				  (const char *)o->value, o->given ? "given" : "default", expected, o->help);
	} else {
		option_value_text(o->type, option_value_get(o), now);
		option_value_text(o->type, o->initial, initial);
		len = line_format(line, sizeof line - 1, "%s=%s (default %s, %s)  %s", o->name, now, initial,
				  expected, o->help);
	}
	line[len] = '\n';
	sink(ctx, line, len + 1);
}

void options_print(option_sink *sink, void *ctx)
{
	for (struct option_table *t = tables; t != NULL; t = t->next) {
		for (uint32_t i = 0; i < t->n; i++)
			option_print(&t->options[i], sink, ctx);
	}
}
