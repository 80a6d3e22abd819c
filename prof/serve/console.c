/*
 * The console's goroutine:
 *
 *	UART -> kernel/uart.c's ring -> edit.c -> a line -> commands.c -> text, between the lines of the program
 *
 * It sleeps until a byte comes. For OPEN_NS after one it also looks now and then whether other output has taken the typed line off the screen,
 * and shows it again when that has paused.
 *
 * 1. While a command runs, what is typed is kept, and lines of programs (EDIT_ASIDE) are answered. Otherwise a dump could not be repaired
 *    while a profile is taken.
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
static struct edit aside; /* for lines of programs while a command runs */
static char ahead[AHEAD]; /* typed while a command runs */
static unsigned n_ahead;
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

/* ---- while a command runs ---- */

/* False: it is to stop. */
static bool typed_meanwhile(uint8_t c)
{
	enum edit_event e = EDIT_NONE;
	if (aside.in_quiet || c == EDIT_ASIDE)
		e = edit_feed(&aside, c);
	else if (c == CTRL_C || (c == 'q' && n_ahead == 0))
		return false;
	else if (n_ahead < AHEAD)
		ahead[n_ahead++] = (char)c;
	else
		say("console: more than %d characters were typed ahead: the rest is not taken\n", AHEAD);
	if (e == EDIT_QUIET)
		run_aside(edit_line(&aside));
	return true;
}

bool console_wait(uint64_t ns)
{
	uint64_t until = time_now() + ns;
	for (;;) {
		uint8_t bytes[64];
		size_t n;
		while ((n = uart_read(&uart, bytes, sizeof bytes)) > 0) {
			for (size_t i = 0; i < n; i++)
				if (!typed_meanwhile(bytes[i])) {
					n_ahead = 0;
					return false;
				}
		}
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
	case EDIT_QUIET:
		run_aside(edit_line(&edit));
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

static void take(const uint8_t *bytes, size_t n)
{
	bool redraw = false;
	for (size_t i = 0; i < n; i++) {
		enum edit_event e = edit_feed(&edit, bytes[i]);
		redraw |= e != EDIT_NONE && e != EDIT_QUIET;
		event(e);
	}
	if (redraw)
		draw();
}

static bool take_all(void)
{
	uint8_t bytes[AHEAD];
	size_t n = n_ahead;
	memcpy(bytes, ahead, n);
	n_ahead = 0;
	if (n == 0)
		n = uart_read(&uart, bytes, sizeof bytes);
	take(bytes, n);
	return n > 0;
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
