/* The commands of the console, by name; those that do something stand here, those that show something in show.c and top.c. */
#include "prof/serve/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/prof.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "arch/arch.h"
#include "kernel/console.h"
#include "kernel/dump.h"
#include "kernel/keep.h"
#include "prof/prof.h"

struct command {
	const char *name, *args, *help;
	int min, max; /* words behind the name */
	void (*run)(int argc, char **argv);
};

enum { SECONDS_MAX = 3600, TOP_ROWS = 10 };

bool command_number(const char *command, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < min || v > max) {
		say("%s: %s: a number from %llu to %llu expected\n", command, text, (unsigned long long)min,
		    (unsigned long long)max);
		return false;
	}
	*out = v;
	return true;
}

/* ---- profiles and traces ---- */

static void top_rows(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	(void)ctx;
	prof_top(b, duration_ns, TOP_ROWS);
}

static void profile(int argc, char **argv)
{
	uint64_t seconds, hz = 100;
	if (!command_number("profile", argv[1], 1, SECONDS_MAX, &seconds) ||
	    (argc > 2 && !command_number("profile", argv[2], 1, 10000, &hz)))
		return;
	if (prof_start((unsigned)hz) != 0) {
		say("profile: %s\n", prof_error(errno));
		return;
	}
	say("profile: for %u s, ^C ends it\n", (unsigned)seconds);
	console_wait(seconds * TIME_SECOND);
	if (prof_stop_with("cpu.pb.gz", top_rows, NULL) != 0)
		say("profile: it could not be written whole\n");
}

static void trace(int argc, char **argv)
{
	uint64_t seconds;
	(void)argc;
	if (!command_number("trace", argv[1], 1, SECONDS_MAX, &seconds))
		return;
	if (trace_start("trace.out") != 0) {
		say("trace: %s\n", errno == EBUSY ? "one is running already" : "out of memory");
		return;
	}
	say("trace: for %u s, ^C ends it\n", (unsigned)seconds);
	console_wait(seconds * TIME_SECOND);
	if (trace_stop() != 0)
		say("trace: it could not be written whole\n");
}

static void flight(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (trace_flight_write("flight.out") == 0)
		return;
	say("flight: %s\n", errno == ESRCH   ? "the recorder does not run (boot option trace.flight=on)"
			    : errno == EBUSY ? "another snapshot is being written"
					     : "out of memory");
}

/* ---- what was damaged on its way ---- */

/* "3f2a91c0-12", or "12" of this boot. */
static bool stream_read(const char *text, uint32_t *number)
{
	char *end;
	const char *at = strchr(text, '-');
	if (at != NULL && (at - text != 8 || strtoul(text, &end, 16) != dump_nonce() || end != at)) {
		say("resend: %s: not a stream of this boot, whose streams begin with %08x-\n", text,
		    (unsigned)dump_nonce());
		return false;
	}
	uint64_t v;
	if (!command_number("resend", at != NULL ? at + 1 : text, 0, FRAME_NUMBER_MAX, &v))
		return false;
	*number = (uint32_t)v;
	return true;
}

/* Lines from..to, or as many as are kept; returns how many are not. */
static uint32_t lines_again(const struct keep_stream *s, uint32_t from, uint32_t to)
{
	const struct frame_stream f = dump_again(s->number);
	uint32_t missing = 0;
	for (uint64_t i = from; i <= to; i++) {
		uint8_t data[FRAME_DATA_MAX];
		size_t n = keep_line(s->number, (uint32_t)i, data);
		if (n > 0)
			frame_data_line(&f, (uint32_t)i, data, n);
		else
			missing++;
	}
	return missing;
}

static void end_again(const struct keep_stream *s)
{
	struct frame_stream f = dump_again(s->number);
	f.lines = s->lines;
	f.bytes = s->bytes;
	f.crc = s->crc;
	frame_end_line(&f);
}

/* One of a list: begin, end, all, N or N-N. False: it is none of these. */
static bool part_again(const struct keep_stream *s, const char *part, uint32_t *missing)
{
	const struct frame_stream f = dump_again(s->number);
	uint32_t last = (uint32_t)((s->bytes + FRAME_DATA_MAX - 1) / FRAME_DATA_MAX);
	bool all = strcmp(part, "all") == 0;
	char *end;
	if (all || strcmp(part, "begin") == 0)
		frame_begin_line(&f, s->name);
	if (all && last > 0)
		*missing += lines_again(s, 0, last - 1);
	if (all || strcmp(part, "end") == 0) {
		if (s->ended)
			end_again(s);
		else
			say("resend: %u has not ended\n", (unsigned)s->number);
	}
	if (all || strcmp(part, "begin") == 0 || strcmp(part, "end") == 0)
		return true;
	unsigned long from = strtoul(part, &end, 10), to = from;
	if (part[0] < '0' || part[0] > '9')
		return false;
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		to = strtoul(end + 1, &end, 10);
	if (*end != '\0' || from > to || to >= UINT32_MAX)
		return false;
	if (to >= last) { /* there are no such lines, or not yet */
		*missing += (uint32_t)(to - (from > last ? from : last) + 1);
		to = last;
		if (to == 0 || from >= to)
			return true;
		to--;
	}
	*missing += lines_again(s, (uint32_t)from, (uint32_t)to);
	return true;
}

static void resend(int argc, char **argv)
{
	uint32_t number, missing = 0;
	struct keep_stream s;
	(void)argc;
	if (!stream_read(argv[1], &number))
		return;
	if (!keep_stream(number, &s)) {
		say("resend: %s: nothing of this stream is kept\n", argv[1]);
		return;
	}
	for (char *part = argv[2], *next; part != NULL; part = next) {
		next = strchr(part, ',');
		if (next != NULL)
			*next++ = '\0';
		if (!part_again(&s, part, &missing)) {
			say("resend: %s: lines as 3, 3-9, begin, end or all expected, with commas between\n",
			    part);
			return;
		}
	}
	if (missing > 0)
		say("resend: %s: %u lines are not kept, or not yet\n", argv[1], (unsigned)missing);
}

/* ---- the rest ---- */

static const char *const levels[] = {"kernel", "all"}; /* by enum console_level */
enum { LEVELS = sizeof levels / sizeof levels[0] };

static void loglevel(int argc, char **argv)
{
	uint64_t hidden = console_kept_back();
	if (hidden > 0)
		say("loglevel: %llu bytes of the program were not shown\n", (unsigned long long)hidden);
	for (unsigned i = 0; argc > 1 && i < LEVELS; i++)
		if (strcmp(argv[1], levels[i]) == 0) {
			atomic_store_explicit(&console_level, i, memory_order_relaxed);
			return;
		}
	if (argc > 1)
		say("loglevel: %s: expected kernel or all\n", argv[1]);
	else
		say("loglevel: %s\n", levels[atomic_load_explicit(&console_level, memory_order_relaxed)]);
}

static void reboot(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	say("hb: reboot\n");
	console_flush();
	arch_reset();
}

static void poweroff(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	exit(0);
}

static void help(int argc, char **argv);

static const struct command commands[] = {
	{"bt", "ID", "the stack of a goroutine", 1, 1, show_bt},
	{"flight", "", "sends what the flight recorder has", 0, 0, flight},
	{"goroutines", "[STATE|REASON]",
	 "who there is: all, system, running, runnable, waiting, or why it waits", 0, 3, show_goroutines},
	{"harts", "", "what the harts do", 0, 0, show_harts},
	{"help", "[COMMAND]", "this list", 0, 1, help},
	{"locks", "", "who waits for which mutex, and who holds it", 0, 0, show_locks},
	{"loglevel", "[kernel|all]", "what is shown besides dumps and answers", 0, 1, loglevel},
	{"mem", "", "pages, heap and stacks", 0, 0, show_mem},
	{"metrics", "", "figures of the program, as Prometheus takes them", 0, 0, show_metrics},
	{"poweroff", "", "ends the program with status 0, and the machine", 0, 0, poweroff},
	{"profile", "SECONDS [HZ]", "takes a CPU profile: cpu.pb.gz", 1, 2, profile},
	{"reboot", "", "starts the machine anew, at once", 0, 0, reboot},
	{"resend", "STREAM LINES",
	 "sends lines of a dump again: 3, 3-9, begin, end, all, with commas between", 2, 2, resend},
	{"top", "[SECONDS [ROUNDS]]", "harts and goroutines, live", 0, 2, top_command},
	{"trace", "SECONDS", "takes an execution trace: trace.out", 1, 1, trace},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const struct command *find(const char *name)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void help(int argc, char **argv)
{
	const struct command *one = argc > 1 ? find(argv[1]) : NULL;
	if (argc > 1 && one == NULL) {
		say("help: %s: unknown command\n", argv[1]);
		return;
	}
	for (unsigned i = 0; i < COMMANDS; i++)
		if (one == NULL || one == &commands[i])
			say("%-10s %-20s %s\n", commands[i].name, commands[i].args, commands[i].help);
	if (one == NULL)
		say("Tab completes, Up and Down walk through earlier lines, ^C ends what runs.\n");
}

unsigned command_words(unsigned before, const char *command, unsigned n, const char *const **words)
{
	static const char *names[COMMANDS];
	for (unsigned i = 0; i < COMMANDS; i++)
		names[i] = commands[i].name;
	*words = names;
	if (before == 0 || (before == 1 && n == 4 && strncmp(command, "help", n) == 0))
		return COMMANDS;
	if (before == 1 && n == 10 && strncmp(command, "goroutines", n) == 0)
		return show_states(words);
	*words = levels;
	return before == 1 && n == 8 && strncmp(command, "loglevel", n) == 0 ? LEVELS : 0;
}

void command_run(char *line)
{
	char *words[COMMAND_WORDS_MAX + 1], *rest = line;
	int n = 0;
	for (char *w; n <= COMMAND_WORDS_MAX && (w = strtok_r(rest, " ", &rest)) != NULL;)
		words[n++] = w;
	if (n == 0)
		return;
	const struct command *c = find(words[0]);
	if (c == NULL)
		say("console: %s: unknown command, help lists them\n", words[0]);
	else if (n - 1 < c->min || n - 1 > c->max)
		say("%s: expected: %s %s\n", c->name, c->name, c->args);
	else
		c->run(n, words);
}
