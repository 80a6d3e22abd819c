/*
 * The console's goroutine:
 *
 *	UART -> kernel/uart.c's ring -> input -+-> aside: a line of a program -> commands.c
 *	                                       +-> edit: a line -> commands.c -> text, between the lines of the program
 *	                                       +-> while a command runs: ahead[] -> edit, when it has ended
 *
 * It sleeps until a byte comes. For OPEN_NS after one it also looks now and then whether other output has taken the typed line off the screen,
 * and shows it again when that has paused.
 *
 * 1. While a command runs, what is typed is kept, and lines of programs (EDIT_ASIDE) are answered. Otherwise a dump could not be repaired
 *    while a profile is taken.
 * 2. There is one place for what is read and not looked at yet, and one for a program's line, whether a command runs or not. Otherwise what comes
 *    behind the end of a command, or around it, would be lost or taken for something else.
 */
#include "prof/serve/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/time.h>

#include "kernel/console.h"
#include "kernel/uart.h"
#include "prof/prof.h"
#include "sched/sched.h"

#define PROMPT "hb> "

#define OPEN_NS (10 * TIME_SECOND)
#define LOOK_NS (250 * TIME_MILLISECOND)

enum { AHEAD = 512, CTRL_C = 3 };

static struct uart uart;
static struct chan *wake; /* holds one: something came */
static struct edit edit;
static struct edit aside; /* for lines of programs */
static uint8_t input[64]; /* what was read last, */
static size_t input_at, n_input;
static uint8_t ahead[AHEAD]; /* and what was typed while a command ran */
static unsigned ahead_at, n_ahead;
static bool came; /* something was read since serve() asked */
static bool bell; /* to be rung: a key that means nothing here */

void say(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof text) { /* cut, its line end kept */
		n = sizeof text - 1;
		text[n - 1] = '\n';
	}
	if (n > 0)
		console_text(text, (size_t)n);
}

static void changed(void *ctx)
{
	(void)ctx;
	chan_try_send(wake, NULL);
}

static void draw(void)
{
	char text[sizeof PROMPT + EDIT_DRAW_MAX + 1];
	size_t n = edit_draw(&edit, PROMPT, text, sizeof text - 1);
	if (bell)
		text[n++] = '\a';
	bell = false;
	console_typed(text, n);
}

static void run(const char *line)
{
	char words[EDIT_MAX + 1];
	snprintf(words, sizeof words, "%s", line);
	command_run(words);
}

/* What a program may ask for: it does not wait, so it can be done while another command runs. */
static void run_aside(const char *line)
{
	if (strncmp(line, "resend ", 7) == 0)
		run(line);
	else
		say("console: a program's line: resend expected\n");
}

/* Whether c is part of a program's line, which is answered when it is whole. ^C gives one up that has no end. */
static bool take_aside(uint8_t c)
{
	if (c == CTRL_C)
		edit_init(&aside);
	if (!aside.in_quiet && c != EDIT_ASIDE && !(aside.cr && c == '\n')) {
		aside.cr = false;
		return false;
	}
	if (edit_feed(&aside, c) == EDIT_QUIET)
		run_aside(edit_line(&aside));
	return true;
}

/* The next byte that a person has typed now. False: none. */
static bool next_typed(uint8_t *c)
{
	do {
		if (input_at == n_input) {
			input_at = 0;
			n_input = uart_read(&uart, input, sizeof input);
		}
		if (n_input == 0)
			return false;
		came = true;
		*c = input[input_at++];
	} while (take_aside(*c));
	return true;
}

/* ---- while a command runs ---- */

/* False: it is to stop. */
static bool typed_meanwhile(uint8_t c)
{
	if (c == CTRL_C || (c == 'q' && n_ahead == ahead_at)) {
		n_ahead = ahead_at = 0;
		return false;
	}
	memmove(ahead, ahead + ahead_at, n_ahead - ahead_at);
	n_ahead -= ahead_at;
	ahead_at = 0;
	if (n_ahead < AHEAD)
		ahead[n_ahead++] = c;
	else
		say("console: more than %d characters were typed ahead: the rest is not taken\n", AHEAD);
	return true;
}

bool console_wait(uint64_t ns)
{
	uint64_t until = time_now() + ns;
	for (;;) {
		uint8_t c;
		while (next_typed(&c))
			if (!typed_meanwhile(c))
				return false;
		uint64_t now = time_now();
		if (now >= until)
			return true;
		(void)!chan_recv_timeout(wake, NULL, NULL, until - now);
	}
}

/* ---- at the prompt ---- */

static void complete(void)
{
	const char *word, *const *words;
	unsigned n, before = edit_word(&edit, &word, &n), first = (unsigned)strcspn(edit.line, " ");
	unsigned n_words = command_words(before, edit.line, first, &words), start = edit.n;
	unsigned fit = edit_complete(&edit, words, n_words);
	if (fit < 2 || edit.n != start)
		return;
	console_typed_end();
	edit_word(&edit, &word, &n);
	for (unsigned i = 0; i < n_words; i++)
		if (strncmp(words[i], word, n) == 0)
			say("%s\n", words[i]);
}

static void event(enum edit_event e)
{
	char text[sizeof PROMPT + EDIT_MAX + 8];
	int n;
	switch (e) {
	case EDIT_LINE:
		n = snprintf(text, sizeof text, "\r" PROMPT "%s\033[K", edit_line(&edit));
		console_typed(text, (size_t)n);
		console_typed_end();
		run(edit_line(&edit));
		break;
	case EDIT_CANCEL:
		console_typed_end();
		break;
	case EDIT_COMPLETE:
		complete();
		break;
	case EDIT_CLEAR:
		say("\033[H\033[J");
		break;
	case EDIT_REFUSED:
		bell = true;
		break;
	default:
		break;
	}
}

/* What was typed ahead comes first. */
static bool next(uint8_t *c)
{
	if (ahead_at < n_ahead) {
		*c = ahead[ahead_at++];
		if (ahead_at == n_ahead)
			ahead_at = n_ahead = 0;
		return true;
	}
	return next_typed(c);
}

static bool take_all(void)
{
	bool any, redraw = false;
	for (uint8_t c; next(&c);) {
		enum edit_event e = edit_feed(&edit, c);
		redraw |= e != EDIT_NONE;
		event(e);
	}
	if (redraw)
		draw();
	any = came;
	came = false;
	return any;
}

static void serve(void *arg)
{
	uint64_t until = 0; /* somebody is at the console, maybe */
	uint32_t written = 0;
	(void)arg;
	for (;;) {
		if (take_all()) {
			until = time_now() + OPEN_NS;
			written = console_written();
			continue;
		}
		if (time_now() >= until) {
			chan_recv(wake, NULL);
			continue;
		}
		(void)!chan_recv_timeout(wake, NULL, NULL, LOOK_NS);
		uint32_t now = console_written();
		if (now == written && !console_typed_shown())
			draw();
		written = console_written();
	}
}

const char *console_serve(const struct uart_place *place)
{
	wake = chan_make(0, 1);
	edit_init(&edit);
	edit_init(&aside);
	uart.changed = changed;
	if (wake == NULL || go_system(serve, NULL, "runtime.console") == 0)
		return "out of memory: no room for the console's commands";
	return uart_start(&uart, place, true) ? NULL : "the interrupt of the UART leads nowhere";
}
