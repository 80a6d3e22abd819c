/*
 * Fuzzes the command line parser. A first byte that is odd makes each further byte pick a piece of a small
 * vocabulary, so that keys and units are hit without seeds.
 */
#include "boot/options.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t number, bytes, time_ns;
static bool flag;
static char text[8];

static struct option options[] = {
	{"prof.hz", OPTION_U64, &number, 1, 10000, "samples each second", 0, false},
	{"trace", OPTION_BOOL, &flag, 0, 1, "trace", 0, false},
	{"sched.slice", OPTION_DURATION, &time_ns, 1000, 1000000000, "slice", 0, false},
	{"heap.max", OPTION_BYTES, &bytes, 4096, UINT64_MAX, "heap", 0, false},
	{"out", OPTION_STRING, text, 1, sizeof text, "out", 0, false},
};
static struct option_table table = {options, sizeof options / sizeof options[0], NULL};

static const char *const words[] = {
	"prof.hz", "trace", "sched.slice",          "heap.max", "out", "=",  " ", " -- ", "\"",  "\\", "0x",
	"1",       "9",     "18446744073709551615", "K",        "G",   "ms", "s", "on",   "off", "a",  "."};

static void discard(void *ctx, const char *line, size_t len)
{
	(void)ctx;
	if (len == 0 || line[len - 1] != '\n')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "app";
	static struct option_args args;
	char *line = calloc(1, size * 20 + 1); /* 20: the longest word */
	if (size > 0 && data[0] % 2 != 0) {
		size_t len = 0;
		for (size_t i = 1; i < size; i++) {
			const char *word = words[data[i] % (sizeof words / sizeof words[0])];
			memcpy(line + len, word, strlen(word));
			len += strlen(word);
		}
	} else if (size > 0) {
		memcpy(line, data, size);
	}
	char *exact = strdup(line);
	number = 1;
	bytes = 4096;
	time_ns = 1000;
	flag = false;
	strcpy(text, "x");
	options_reset();
	options_register(&table);
	const char *error = options_parse(exact, name, &args);
	if (number < 1 || number > 10000 || bytes < 4096 || time_ns < 1000 || time_ns > 1000000000)
		abort();
	if (strlen(text) < 1 || strlen(text) >= sizeof text)
		abort();
	if (args.argc < 1 || args.argc > OPTION_ARGS_MAX || args.argv[args.argc] != NULL)
		abort();
	for (int i = 0; error == NULL && i < args.argc; i++) {
		if (strlen(args.argv[i]) > strlen(line) + sizeof name)
			abort();
	}
	options_print(discard, NULL);
	free(exact);
	free(line);
	return 0;
}
