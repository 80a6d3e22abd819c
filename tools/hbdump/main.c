/*
 * hbdump: reads a Hartbeat console, live or from a log, passes its text on and writes the dumps in it to
 * files. docs/serial-format.md describes the format and this program. Here: options, progress, verdict.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/hbdump/files.h"
#include "tools/hbdump/flame.h"
#include "tools/hbdump/input.h"
#include "tools/hbdump/parse.h"
#include "tools/hbdump/store.h"
#include "tools/hbdump/trace_check.h"
#include "tools/hbdump/trace_draw.h"
#include "tools/hbdump/trace_mend.h"
#include "tools/hbdump/write_all.h"

enum {
	EXIT_WHOLE = 0,
	EXIT_DAMAGE = 1,
	EXIT_TROUBLE = 2,
	READ_SIZE = 65536,
	/* After so few bytes it waits a little for more: QEMU writes each byte by itself, and woken for each, this program would take a
	 * processor from it. */
	BATCH = 512,
	BATCH_NS = 1000000,
	EXPECT_MAX = 32,
	PROGRESS_BYTES = 1 << 20, /* a dump this long shows progress */
	PROGRESS_MS = 100,
	BAR = 30,
};

static const char usage[] =
	"usage: hbdump [options] [FILE | DEVICE | -]\n"
	"       hbdump --flame PROFILE [-o FILE]\n"
	"       hbdump --check-trace TRACE [-q | --rows]\n"
	"       hbdump --draw-trace TRACE [--from MS] [--for MS] [-o FILE]\n"
	"       hbdump --mend-trace TRACE.damaged [-o FILE]\n"
	"Reads a Hartbeat console from a log, a serial device, a socket or stdin (the default), passes its\n"
	"text on to stdout, and writes each dump in it to a file once all of it has arrived and was "
	"checked.\n"
	"  -o, --output DIR         write dumps to DIR, made when needed (default: the current folder)\n"
	"  -q, --quiet              do not pass console text on\n"
	"  -l, --list               write no dump; list them: name, bytes, state, stream\n"
	"  -c, --connect HOST:PORT  read from a TCP socket\n"
	"  -b, --baud N             speed of a serial device (default 115200)\n"
	"  -r, --reconnect          wait for the socket or device, and open it again when it ends, until "
	"Ctrl-C\n"
	"      --no-resend          do not ask the machine for damaged lines again (socket or device, "
	"console=1)\n"
	"  -t, --time               names of dumps get the time: cpu-20261231-235959.pb.gz\n"
	"  -e, --expect NAME        it is an error if no whole dump NAME arrives (may be repeated)\n"
	"      --log FILE           write the input, unchanged, to FILE as well\n"
	"      --limit BYTES        greatest size of one dump (default 1073741824)\n"
	"      --flame PROFILE      read nothing else: write PROFILE as a page with its flame graph\n"
	"                           (to -o FILE, - for stdout; default: cpu.html beside cpu.pb.gz)\n"
	"      --check-trace TRACE  read nothing else: say what in an execution trace (- for stdin) cannot "
	"be true,\n"
	"                           and where the time of its goroutines went; -q: no such summary\n"
	"      --rows               that summary for programs: a table with tabs, times in nanoseconds\n"
	"      --draw-trace TRACE   read nothing else: draw which goroutine each hart ran, as SVG (to -o "
	"FILE;\n"
	"                           default: stdout)\n"
	"      --from MS, --for MS  the part to draw: from so many milliseconds on, and how many\n"
	"      --mend-trace TRACE   read nothing else: write the whole generations of a damaged trace (to -o "
	"FILE\n"
	"                           and, behind each gap, to another; default: its name without .damaged)\n"
	"  -h, --help               this text\n"
	"Exit status: 0 all is whole, 1 something is missing or damaged, 2 wrong usage or a file error.\n";

struct options {
	const char *path, *connect, *folder, *log, *flame, *trace, *draw, *mend;
	struct trace_span span;
	const char *expect[EXPECT_MAX];
	int n_expect;
	unsigned baud;
	uint64_t limit;
	bool quiet, list, rows, reconnect, time, no_resend;
};

/* The one run of this program. */
static struct {
	struct parser parser;
	struct store store;
	bool show_text;
	bool trouble;
	/* text on its way to stdout */
	size_t text_held;
	char text_last; /* what was passed on last */
	char text[READ_SIZE];
	/* progress */
	bool terminal; /* stderr is one */
	bool progress_shown;
	uint64_t input_size, input_read;
	struct timespec progress_at;
	const struct store_stream *progress_of; /* since then, when it had so many bytes: */
	struct timespec progress_start;
	uint64_t progress_from;
} run = {.text_last = '\n'};

/* ---- progress ---- */

static void progress_clear(void)
{
	if (run.progress_shown)
		fputs("\r\033[K", stderr);
	run.progress_shown = false;
}

static void progress_update(void)
{
	const struct store_stream *st = run.store.recent;
	if (!run.terminal || st == NULL || st->state != STREAM_OPEN ||
	    store_stream_bytes(st) < PROGRESS_BYTES)
		return;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ms = (now.tv_sec - run.progress_at.tv_sec) * 1000 +
		     (now.tv_nsec - run.progress_at.tv_nsec) / 1000000;
	if (ms < PROGRESS_MS)
		return;
	run.progress_at = now;
	if (run.progress_of != st) {
		run.progress_of = st;
		run.progress_start = now;
		run.progress_from = store_stream_bytes(st);
	}
	fprintf(stderr, "\r\033[Khbdump: %s: %.1f MB", st->has_begin ? st->name : st->token,
		(double)store_stream_bytes(st) / 1e6);
	if (run.input_size > 0) {
		char bar[BAR + 1];
		unsigned part = (unsigned)(run.input_read * BAR / run.input_size);
		for (unsigned i = 0; i < BAR; i++)
			bar[i] = i < part ? '#' : '.';
		bar[BAR] = '\0';
		fprintf(stderr, " [%s] %u %% of the log", bar,
			(unsigned)(run.input_read * 100 / run.input_size));
	} else {
		double s = (double)(now.tv_sec - run.progress_start.tv_sec) +
			   (double)(now.tv_nsec - run.progress_start.tv_nsec) / 1e9;
		if (s > 0)
			fprintf(stderr, ", %.2f MB/s",
				(double)(store_stream_bytes(st) - run.progress_from) / 1e6 / s);
	}
	run.progress_shown = true;
}

/* ---- what the parser and the store say ---- */

static void text_flush(void)
{
	if (run.text_held == 0)
		return;
	progress_clear();
	if (!write_all(STDOUT_FILENO, run.text, run.text_held)) {
		run.show_text = false; /* the dumps go on */
		if (errno != EPIPE) {
			fprintf(stderr, "hbdump: cannot write console text: %s\n", strerror(errno));
			run.trouble = true;
		}
	}
	run.text_held = 0;
}

static void on_text(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	if (len > 0)
		run.text_last = text[len - 1];
	while (run.show_text && len > 0) {
		size_t n = sizeof run.text - run.text_held;
		if (n > len)
			n = len;
		memcpy(run.text + run.text_held, text, n);
		run.text_held += n;
		text += n;
		len -= n;
		if (run.text_held == sizeof run.text)
			text_flush();
	}
}

static void on_frame(void *ctx, uint64_t log_line, const struct frame *f)
{
	(void)ctx;
	store_frame(&run.store, log_line, f);
}

static void on_damage(void *ctx, uint64_t log_line, const char *what, const char *excerpt)
{
	(void)ctx;
	store_damage(&run.store, log_line, what, excerpt);
}

static void on_say(void *ctx, enum store_say kind, const char *text)
{
	(void)ctx;
	text_flush();
	progress_clear();
	fprintf(stderr, "hbdump: %s%s\n", kind == SAY_DAMAGE ? "damage: " : "", text);
}

/* ---- the run ---- */

static void list_print(void)
{
	static const char *const states[] = {"open", "whole", "damaged"};
	for (const struct store_stream *st = run.store.first; st != NULL; st = st->next)
		printf("%-24s %12" PRIu64 "  %-8s %s\n", st->has_begin ? st->name : "?",
		       store_stream_bytes(st), states[st->state], st->token);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "hbdump: cannot write the list: %s\n", strerror(errno));
		run.trouble = true;
	}
}

/* Opens the copy of the input, which must not be the input itself; -1 after telling the user why. */
static int log_open(const char *name, const struct input *in)
{
	struct stat log, from;
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || fstat(fd, &log) != 0 || fstat(in->fd, &from) != 0) {
		fprintf(stderr, "hbdump: %s: cannot open: %s\n", name, strerror(errno));
		return -1;
	}
	if (S_ISREG(log.st_mode) && log.st_dev == from.st_dev && log.st_ino == from.st_ino) {
		fprintf(stderr, "hbdump: --log %s: is the input itself\n", name);
		return -1;
	}
	if (S_ISREG(log.st_mode) && ftruncate(fd, 0) != 0) {
		fprintf(stderr, "hbdump: %s: cannot empty: %s\n", name, strerror(errno));
		return -1;
	}
	return fd;
}

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Asks for what is missing, if it is time. */
static void run_ask(struct input *in)
{
	char request[STORE_ASK_MAX + 2];
	if (!in->writable || !run.store.repairs)
		return;
	/* The first byte tells that no person types: what follows is neither echoed nor mixed with a line that one does type. */
	request[0] = 0x1e;
	run.store.now_ms = now_ms();
	while (store_ask(&run.store, request + 1)) {
		size_t n = strlen(request);
		request[n++] = '\r';
		input_write(in, request, n);
	}
}

/* The next bytes; 0 at the end, which an input that comes again has only by a signal. */
static ssize_t run_input(struct input *in, char *buffer, size_t size, bool again)
{
	ssize_t n;
	for (;;) {
		n = input_read(in, buffer, size);
		if (n == INPUT_QUIET) {
			text_flush();
			run_ask(in);
			continue;
		}
		if (n > 0 || !again)
			return n;
		parse_finish(&run.parser); /* a line that was begun will not go on */
		if (run.text_last != '\n')
			on_text(NULL, "\n", 1);
		text_flush();
		progress_clear();
		fprintf(stderr, "hbdump: %s: has ended\n", in->name);
		if (!input_reopen(in))
			return 0;
		fprintf(stderr, "hbdump: %s: there again\n", in->name);
	}
}

/* Reads the input to its end. */
static void run_read(struct input *in, int log_fd, const char *log_name, bool again)
{
	static char buffer[READ_SIZE];
	ssize_t n;
	while ((n = run_input(in, buffer, sizeof buffer, again)) > 0) {
		run.input_read += (uint64_t)n;
		if (log_fd >= 0 && !write_all(log_fd, buffer, (size_t)n)) {
			fprintf(stderr, "hbdump: %s: cannot write: %s\n", log_name, strerror(errno));
			run.trouble = true;
			log_fd = -1;
		}
		run.store.now_ms = now_ms();
		parse_feed(&run.parser, buffer, (size_t)n);
		text_flush();
		progress_update();
		run_ask(in);
		if (n < BATCH)
			nanosleep(&(struct timespec){.tv_nsec = BATCH_NS}, NULL);
	}
	if (n < 0)
		run.trouble = true;
	parse_finish(&run.parser);
	text_flush();
	progress_clear();
}

static int run_verdict(const struct options *o)
{
	bool missing = false;
	store_finish(&run.store);
	for (int i = 0; i < o->n_expect; i++) {
		if (!store_has(&run.store, o->expect[i])) {
			fprintf(stderr, "hbdump: damage: no whole %s arrived\n", o->expect[i]);
			missing = true;
		}
	}
	if (run.store.n_streams == 0 && run.store.damages == 0)
		fprintf(stderr, "hbdump: no dump in the input\n");
	if (o->list)
		list_print();
	if (run.trouble || run.store.failed)
		return EXIT_TROUBLE;
	return missing || run.store.damages > 0 ? EXIT_DAMAGE : EXIT_WHOLE;
}

static bool number_read(const char *text, const char *option, uint64_t max, uint64_t *value)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v == 0 || v > max) {
		fprintf(stderr, "hbdump: %s %s: expected a number from 1 to %" PRIu64 "\n", option, text,
			max);
		return false;
	}
	*value = v;
	return true;
}

static bool options_read(struct options *o, int argc, char **argv)
{
	enum {
		OPT_LOG = 256,
		OPT_NO_RESEND,
		OPT_LIMIT,
		OPT_FLAME,
		OPT_TRACE,
		OPT_ROWS,
		OPT_DRAW,
		OPT_FROM,
		OPT_FOR,
		OPT_MEND
	};
	static const struct option table[] = {
		{"output", required_argument, NULL, 'o'},
		{"quiet", no_argument, NULL, 'q'},
		{"list", no_argument, NULL, 'l'},
		{"connect", required_argument, NULL, 'c'},
		{"baud", required_argument, NULL, 'b'},
		{"reconnect", no_argument, NULL, 'r'},
		{"time", no_argument, NULL, 't'},
		{"expect", required_argument, NULL, 'e'},
		{"log", required_argument, NULL, OPT_LOG},
		{"no-resend", no_argument, NULL, OPT_NO_RESEND},
		{"limit", required_argument, NULL, OPT_LIMIT},
		{"flame", required_argument, NULL, OPT_FLAME},
		{"check-trace", required_argument, NULL, OPT_TRACE},
		{"rows", no_argument, NULL, OPT_ROWS},
		{"draw-trace", required_argument, NULL, OPT_DRAW},
		{"from", required_argument, NULL, OPT_FROM},
		{"for", required_argument, NULL, OPT_FOR},
		{"mend-trace", required_argument, NULL, OPT_MEND},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	uint64_t v;
	*o = (struct options){.path = "-", .baud = 115200, .limit = (uint64_t)1 << 30};
	for (int c; (c = getopt_long(argc, argv, "o:qlc:b:rte:h", table, NULL)) != -1;) {
		switch (c) {
		case 'o':
			o->folder = optarg;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'l':
			o->list = true;
			break;
		case 'c':
			o->connect = optarg;
			break;
		case 'b':
			if (!number_read(optarg, "--baud", 4000000, &v))
				return false;
			o->baud = (unsigned)v;
			if (!input_baud_known(o->baud)) {
				fprintf(stderr, "hbdump: --baud %s: not a speed that serial devices have\n",
					optarg);
				return false;
			}
			break;
		case 'r':
			o->reconnect = true;
			break;
		case 't':
			o->time = true;
			break;
		case 'e':
			if (o->n_expect == EXPECT_MAX || !frame_name_valid(optarg, strlen(optarg))) {
				fprintf(stderr, "hbdump: --expect %s: not a dump's name, or too many\n",
					optarg);
				return false;
			}
			o->expect[o->n_expect++] = optarg;
			break;
		case OPT_NO_RESEND:
			o->no_resend = true;
			break;
		case OPT_LOG:
			o->log = optarg;
			break;
		case OPT_LIMIT:
			if (!number_read(optarg, "--limit", (uint64_t)1 << 37, &o->limit))
				return false;
			break;
		case OPT_FLAME:
			o->flame = optarg;
			break;
		case OPT_TRACE:
			o->trace = optarg;
			break;
		case OPT_ROWS:
			o->rows = true;
			break;
		case OPT_DRAW:
			o->draw = optarg;
			break;
		case OPT_FROM:
			if (!number_read(optarg, "--from", 1000000000, &v))
				return false;
			o->span.from = v * 1000000;
			break;
		case OPT_FOR:
			if (!number_read(optarg, "--for", 1000000000, &v))
				return false;
			o->span.length = v * 1000000;
			break;
		case OPT_MEND:
			o->mend = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(fflush(stdout) == 0 ? EXIT_WHOLE : EXIT_TROUBLE);
		default:
			fputs(usage, stderr);
			return false;
		}
	}
	if (o->flame != NULL &&
	    (argc > optind || o->connect != NULL || o->log != NULL || o->n_expect > 0 || o->list)) {
		fprintf(stderr, "hbdump: --flame takes one profile and, with -o, the file to write\n");
		return false;
	}
	bool other = argc > optind || o->connect != NULL || o->log != NULL || o->n_expect > 0 || o->list ||
		     o->flame != NULL || o->trace != NULL || o->rows || o->quiet;
	bool spanned = o->span.from != 0 || o->span.length != 0;
	if ((o->draw != NULL && (other || o->mend != NULL)) || (spanned && o->draw == NULL)) {
		fprintf(stderr,
			"hbdump: --draw-trace takes one trace and, if wanted, --from, --for and -o\n");
		return false;
	}
	if (o->mend != NULL && other) {
		fprintf(stderr, "hbdump: --mend-trace takes one damaged trace and, if wanted, -o\n");
		return false;
	}
	if ((o->trace != NULL || o->rows) &&
	    (argc > optind || o->connect != NULL || o->log != NULL || o->n_expect > 0 || o->list ||
	     o->flame != NULL || o->folder != NULL || o->trace == NULL || (o->rows && o->quiet))) {
		fprintf(stderr, "hbdump: --check-trace takes one trace and, if wanted, -q or --rows\n");
		return false;
	}
	if (argc - optind > 1 || (argc > optind && o->connect != NULL)) {
		fprintf(stderr, "hbdump: one input at a time\n");
		return false;
	}
	if (argc > optind)
		o->path = argv[optind];
	if (o->reconnect && o->connect == NULL && strcmp(o->path, "-") == 0) {
		fprintf(stderr, "hbdump: --reconnect: expected a device, or --connect HOST:PORT\n");
		return false;
	}
	return true;
}

static bool input_start(struct input *in, const struct options *o)
{
	const char *where = o->connect != NULL ? o->connect : o->path;
	if (o->reconnect)
		return input_await(in, where, o->connect != NULL, o->baud);
	return o->connect != NULL ? input_connect(in, where) : input_open(in, where, o->baud);
}

/* Now, as a part of a name that sorts. */
static void stamp(char text[STORE_STAMP_MAX])
{
	time_t now = time(NULL);
	strftime(text, STORE_STAMP_MAX, "%Y%m%d-%H%M%S", localtime(&now));
}

int main(int argc, char **argv)
{
	static const struct parse_events events = {on_text, on_frame, on_damage};
	struct options o;
	struct store_files files;
	struct input in;
	int log_fd = -1;
	if (!options_read(&o, argc, argv))
		return EXIT_TROUBLE;
	if (o.flame != NULL)
		return flame_run(o.flame, o.folder) ? EXIT_WHOLE : EXIT_TROUBLE;
	if (o.draw != NULL)
		return trace_draw_run(o.draw, &o.span, o.folder);
	if (o.mend != NULL)
		return trace_mend_run(o.mend, o.folder);
	if (o.trace != NULL)
		return trace_check_run(o.trace, o.quiet  ? SUMMARY_NONE
						: o.rows ? SUMMARY_ROWS
							 : SUMMARY_TEXT);
	input_signals();
	if (!input_start(&in, &o))
		return EXIT_TROUBLE;
	signal(SIGPIPE, SIG_IGN);
	if (o.log != NULL)
		log_fd = log_open(o.log, &in);
	int status = EXIT_TROUBLE;
	if ((o.log == NULL || log_fd >= 0) &&
	    files_open(&files, o.folder != NULL ? o.folder : ".", !o.list)) {
		run.show_text = !o.quiet && !o.list;
		run.terminal = isatty(STDERR_FILENO);
		run.input_size = in.size;
		store_init(&run.store, &files, on_say, NULL, o.limit);
		run.store.stamp = o.time ? stamp : NULL;
		run.store.repairs = in.writable && !o.no_resend;
		parse_init(&run.parser, &events, NULL);
		run_read(&in, log_fd, o.log, o.reconnect);
		status = run_verdict(&o);
		store_free(&run.store);
		files_close();
	}
	if (log_fd >= 0 && close(log_fd) != 0) {
		fprintf(stderr, "hbdump: %s: cannot write: %s\n", o.log, strerror(errno));
		status = EXIT_TROUBLE;
	}
	input_close(&in);
	return status;
}
