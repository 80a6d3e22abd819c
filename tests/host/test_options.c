/* The kernel command line: options of every type, their errors, and the program's arguments. */
#include "boot/options.h"
#include "tests/host/check.h"
#include "tests/host/host_panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hz, heap, slice;
static bool trace;
static char out[9];

static struct option prof_options[] = {
	{"prof.hz", OPTION_U64, &hz, 1, 10000, "samples each second", 0, false},
	{"trace", OPTION_BOOL, &trace, 0, 1, "record an execution trace", 0, false},
};
static struct option sched_options[] = {
	{"sched.slice", OPTION_DURATION, &slice, 1000, 1000000000, "time before preemption", 0, false},
	{"heap.max", OPTION_BYTES, &heap, 4096, UINT64_MAX, "heap size", 0, false},
	{"out", OPTION_STRING, out, 1, sizeof out, "name of the result", 0, false},
};
static struct option_table prof_table = {prof_options, 2, NULL};
static struct option_table sched_table = {sched_options, 3, NULL};

static struct option_args args;
static char *line;

/* Parses a copy of exactly the text's size, so that the sanitizer sees a read or write beyond it. */
static const char *parse(const char *text)
{
	static char name[] = "app";
	hz = 100;
	heap = 1 << 20;
	slice = 10000000;
	trace = false;
	strcpy(out, "cpu");
	options_reset();
	options_register(&prof_table);
	options_register(&sched_table);
	free(line);
	line = strdup(text);
	const char *error = options_parse(line, name, &args);
	CHECK(args.argc >= 1 && args.argc <= OPTION_ARGS_MAX && args.argv[args.argc] == NULL);
	CHECK_STR(args.argv[0], "app");
	return error;
}

static void check_parse(int at, const char *text, const char *error)
{
	const char *got = parse(text);
	if ((got == NULL) != (error == NULL) || (got != NULL && strcmp(got, error) != 0))
		check_fail(__FILE__, at, "%s: \"%s\", not \"%s\"", text, got ? got : "(fine)",
			   error ? error : "(fine)");
}

#define CHECK_FINE(text)         check_parse(__LINE__, (text), NULL)
#define CHECK_ERROR(text, error) check_parse(__LINE__, (text), (error))

TEST(options_keep_their_defaults)
{
	CHECK_FINE("");
	CHECK_FINE("   \t\n");
	CHECK_EQ(hz, 100);
	CHECK_EQ(args.argc, 1);
}

TEST(options_of_every_type_are_read)
{
	CHECK_FINE("prof.hz=1000 trace=on sched.slice=20ms heap.max=64M out=x");
	CHECK_EQ(hz, 1000);
	CHECK(trace);
	CHECK_EQ(slice, 20000000);
	CHECK_EQ(heap, 64 << 20);
	CHECK_STR(out, "x");
	CHECK_FINE("prof.hz=0x10 heap.max=4096 sched.slice=5us");
	CHECK_EQ(hz, 16);
	CHECK_EQ(heap, 4096);
	CHECK_EQ(slice, 5000);
	CHECK_FINE("heap.max=4K sched.slice=1s");
	CHECK_EQ(heap, 4096);
	CHECK_EQ(slice, 1000000000);
	CHECK_FINE("heap.max=3G sched.slice=1000ns out=12345678");
	CHECK_EQ(heap, UINT64_C(3) << 30);
	CHECK_EQ(slice, 1000);
	CHECK_STR(out, "12345678");
	CHECK_FINE("  out=\"a b\\\"c\"  ");
	CHECK_STR(out, "a b\"c");
	static const char *const yes[] = {"trace=1", "trace=on", "trace=true"};
	static const char *const no[] = {"trace=0", "trace=off", "trace=false"};
	for (int i = 0; i < 3; i++) {
		CHECK_FINE(yes[i]);
		CHECK(trace);
		CHECK_FINE(no[i]);
		CHECK(!trace);
	}
}

TEST(options_name_a_bad_value_and_what_was_expected)
{
	CHECK_ERROR("prof.hz=0", "boot option 'prof.hz': bad value '0', 1 to 10000 expected");
	CHECK_ERROR("prof.hz=10001", "boot option 'prof.hz': bad value '10001', 1 to 10000 expected");
	CHECK_ERROR("prof.hz=", "boot option 'prof.hz': bad value '', 1 to 10000 expected");
	CHECK_ERROR("prof.hz=0x", "boot option 'prof.hz': bad value '0x', 1 to 10000 expected");
	CHECK_ERROR("prof.hz=-1", "boot option 'prof.hz': bad value '-1', 1 to 10000 expected");
	CHECK_ERROR("prof.hz=1K", "boot option 'prof.hz': bad value '1K', 1 to 10000 expected");
	CHECK_ERROR("prof.hz=18446744073709551617",
		    "boot option 'prof.hz': bad value '18446744073709551617', 1 to 10000 expected");
	CHECK_ERROR("trace=yes", "boot option 'trace': bad value 'yes', on or off expected");
	CHECK_ERROR("sched.slice=10",
		    "boot option 'sched.slice': bad value '10', 1us to 1s (with ns, us, ms or s) expected");
	CHECK_ERROR("sched.slice=2s",
		    "boot option 'sched.slice': bad value '2s', 1us to 1s (with ns, us, ms or s) expected");
	CHECK_ERROR("sched.slice=18446744074s", "boot option 'sched.slice': bad value '18446744074s', 1us to "
						"1s (with ns, us, ms or s) expected");
	CHECK_ERROR("heap.max=17179869185G", "boot option 'heap.max': bad value '17179869185G', 4K to more "
					     "(bytes, with K, M or G) expected");
	CHECK_ERROR("heap.max=64MB",
		    "boot option 'heap.max': bad value '64MB', 4K to more (bytes, with K, M or G) expected");
	CHECK_ERROR("out=", "boot option 'out': bad value '', 1 to 8 characters expected");
	CHECK_ERROR("out=123456789", "boot option 'out': bad value '123456789', 1 to 8 characters expected");
	CHECK_EQ(strcmp(out, "cpu"), 0); /* a refused value changes nothing */
}

TEST(options_name_an_unknown_key_and_the_nearest)
{
	CHECK_ERROR("prof.hs=1", "boot option 'prof.hs': not known; did you mean 'prof.hz'?");
	CHECK_ERROR("profhz=1", "boot option 'profhz': not known; did you mean 'prof.hz'?");
	CHECK_ERROR("traced=1", "boot option 'traced': not known; did you mean 'trace'?");
	CHECK_ERROR("shed.slize=1ms", "boot option 'shed.slize': not known; did you mean 'sched.slice'?");
	CHECK_ERROR("zebra=1", "boot option 'zebra': not known; a program's arguments go behind --");
	CHECK_ERROR("o=1", "boot option 'o': not known; a program's arguments go behind --");
	CHECK_ERROR("=1", "boot option '': not known; a program's arguments go behind --");
	CHECK_ERROR("trace", "boot option 'trace': key=value expected; a program's arguments go behind --");
	CHECK_ERROR("\"--\" x", "boot option '--': key=value expected; a program's arguments go behind --");
	CHECK_ERROR("tr\033[2J=1", "boot option 'tr?[2J': not known; a program's arguments go behind --");
}

TEST(options_given_twice_are_refused)
{
	CHECK_ERROR("trace=1 prof.hz=2 trace=1", "boot option 'trace': given twice, once expected");
	CHECK_FINE("trace=1");
	CHECK_FINE("trace=1"); /* a new registration forgets */
}

TEST(options_arguments_are_unquoted)
{
	CHECK_FINE(
		"trace=1 -- one \"two three\" \"\" fo\\ ur \"fi\\\"ve\" si\"x x\"x \\\\ -- prof.hs=7 \\\"");
	static const char *const expected[] = {"app",    "one", "two three", "",          "fo ur", "fi\"ve",
					       "six xx", "\\",  "--",        "prof.hs=7", "\""};
	CHECK_EQ(args.argc, 11);
	for (int i = 0; i < 11 && i < args.argc; i++)
		CHECK_STR(args.argv[i], expected[i]);
	CHECK_FINE("--");
	CHECK_EQ(args.argc, 1);
	CHECK_FINE("-- \"\"");
	CHECK_EQ(args.argc, 2);
	CHECK_ERROR("-- \"a b", "command line: a closing quote expected behind 'a b'");
	CHECK_ERROR("-- a\\", "command line: a character expected behind the last backslash");
}

TEST(options_arguments_are_bounded)
{
	char text[512] = "--";
	for (int i = 1; i < OPTION_ARGS_MAX; i++)
		strcat(text, " a");
	CHECK_FINE(text);
	CHECK_EQ(args.argc, OPTION_ARGS_MAX);
	strcat(text, " last");
	CHECK_ERROR(text, "program arguments: more than 63, from 'last' on");
}

static void collect(void *ctx, const char *text, size_t len)
{
	strncat(ctx, text, len);
}

TEST(options_are_printed_with_defaults)
{
	char text[1024] = "";
	CHECK_FINE("prof.hz=7 sched.slice=1500us out=trc");
	options_print(collect, text);
	CHECK_STR(text, "prof.hz=7 (default 100, 1 to 10000)  samples each second\n"
			"trace=off (default off, on or off)  record an execution trace\n"
			"sched.slice=1500us (default 10ms, 1us to 1s (with ns, us, ms or s))  time before "
			"preemption\n"
			"heap.max=1M (default 1M, 4K to more (bytes, with K, M or G))  heap size\n"
			"out=trc (given, 1 to 8 characters)  name of the result\n");
}

TEST(options_with_one_name_twice_are_a_programmers_mistake)
{
	static struct option again[] = {{"trace", OPTION_BOOL, &trace, 0, 1, "again", 0, false}};
	static struct option_table table = {again, 1, NULL};
	CHECK_FINE("");
	jmp_buf env;
	panic_trap = &env;
	panic_text[0] = '\0';
	if (setjmp(env) == 0)
		options_register(&table);
	panic_trap = NULL;
	CHECK(strstr(panic_text, "an option's name occurs once") != NULL);
}

TEST(options_survive_every_cut_and_flip)
{
	static const char whole[] = "prof.hz=1000 out=\"a b\" sched.slice=20ms -- \"x y\" z\\ w";
	char text[sizeof whole];
	for (size_t n = 0; n < sizeof whole; n++) {
		memcpy(text, whole, sizeof whole);
		text[n] = '\0';
		parse(text);
		for (int c = 1; c < 256 && n + 1 < sizeof whole; c++) {
			memcpy(text, whole, sizeof whole);
			text[n] = (char)c;
			parse(text);
			CHECK(hz >= 1 && hz <= 10000 && slice >= 1000 && slice <= 1000000000 &&
			      strlen(out) < sizeof out);
		}
	}
}
