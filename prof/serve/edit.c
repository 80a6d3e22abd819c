/*
 * 1. at <= n <= EDIT_MAX, and line[n] is the end. Otherwise a key would write beyond it.
 * 2. Every byte leaves a state from which the next line end is one: an escape sequence ends at the first byte that cannot be of it. Otherwise
 *    noise on the line could swallow a command.
 */
#include "prof/serve/edit.h"

#include <string.h>

enum { ESC = 0x1b, DEL = 0x7f };
/* States of an escape sequence. */
enum { PLAIN, ESCAPE, BRACKET, SHIFT3 };

#define CTRL(c) ((c) - '@')

void edit_init(struct edit *e)
{
	memset(e, 0, sizeof *e);
}

const char *edit_line(const struct edit *e)
{
	return e->done;
}

static bool take_out(struct edit *e, unsigned from, unsigned to)
{
	if (from >= to)
		return false;
	memmove(e->line + from, e->line + to, e->n - to + 1);
	e->n -= to - from;
	e->at = from;
	return true;
}

static bool put_in(struct edit *e, const char *text, unsigned n)
{
	if (n > EDIT_MAX - e->n)
		return false;
	memmove(e->line + e->at + n, e->line + e->at, e->n - e->at + 1);
	memcpy(e->line + e->at, text, n);
	e->n += n;
	e->at += n;
	return true;
}

static unsigned word_left(const struct edit *e)
{
	unsigned i = e->at;
	while (i > 0 && e->line[i - 1] == ' ')
		i--;
	while (i > 0 && e->line[i - 1] != ' ')
		i--;
	return i;
}

static unsigned word_right(const struct edit *e)
{
	unsigned i = e->at;
	while (i < e->n && e->line[i] == ' ')
		i++;
	while (i < e->n && e->line[i] != ' ')
		i++;
	return i;
}

static void set(struct edit *e, const char *text)
{
	e->n = e->at = (unsigned)strlen(text);
	memmove(e->line, text, e->n + 1);
}

static enum edit_event move(struct edit *e, unsigned to)
{
	if (to > e->n)
		return EDIT_REFUSED;
	e->at = to;
	return EDIT_CHANGED;
}

static enum edit_event if_done(bool done)
{
	return done ? EDIT_CHANGED : EDIT_REFUSED;
}

/* ---- history ---- */

static const char *past(const struct edit *e, unsigned back)
{
	return e->history[(e->lines - back) % EDIT_HISTORY];
}

static enum edit_event look_back(struct edit *e, unsigned back)
{
	if (back > e->lines || back > EDIT_HISTORY)
		return EDIT_REFUSED;
	if (e->back == 0)
		memcpy(e->kept, e->line, sizeof e->kept);
	e->back = back;
	set(e, back == 0 ? e->kept : past(e, back));
	return EDIT_CHANGED;
}

static enum edit_event finish(struct edit *e)
{
	memcpy(e->done, e->line, sizeof e->done);
	if (e->n > 0 && (e->lines == 0 || strcmp(past(e, 1), e->line) != 0))
		memcpy(e->history[e->lines++ % EDIT_HISTORY], e->line, sizeof e->line);
	e->back = 0;
	set(e, "");
	return EDIT_LINE;
}

/* ---- keys ---- */

static enum edit_event control(struct edit *e, uint8_t c)
{
	switch (c) {
	case CTRL('A'):
		return move(e, 0);
	case CTRL('E'):
		return move(e, e->n);
	case CTRL('B'):
		return e->at > 0 ? move(e, e->at - 1) : EDIT_REFUSED;
	case CTRL('F'):
		return move(e, e->at + 1);
	case CTRL('H'):
	case DEL:
		return if_done(e->at > 0 && take_out(e, e->at - 1, e->at));
	case CTRL('D'):
		return if_done(e->at < e->n && take_out(e, e->at, e->at + 1));
	case CTRL('W'):
		return if_done(take_out(e, word_left(e), e->at));
	case CTRL('U'):
		return if_done(take_out(e, 0, e->at));
	case CTRL('K'):
		e->line[e->n = e->at] = '\0';
		return EDIT_CHANGED;
	case CTRL('P'):
		return look_back(e, e->back + 1);
	case CTRL('N'):
		return e->back > 0 ? look_back(e, e->back - 1) : EDIT_REFUSED;
	case CTRL('I'):
		return EDIT_COMPLETE;
	case CTRL('L'):
		return EDIT_CLEAR;
	case CTRL('C'):
		e->back = 0;
		set(e, "");
		return EDIT_CANCEL;
	default:
		return EDIT_REFUSED;
	}
}

static enum edit_event cursor_key(struct edit *e, uint8_t c)
{
	switch (c) {
	case 'A':
		return control(e, CTRL('P'));
	case 'B':
		return control(e, CTRL('N'));
	case 'C':
		return move(e, e->at + 1);
	case 'D':
		return control(e, CTRL('B'));
	case 'H':
		return move(e, 0);
	case 'F':
		return move(e, e->n);
	default:
		return EDIT_REFUSED;
	}
}

static enum edit_event tilde_key(struct edit *e)
{
	switch (e->number) {
	case 1:
	case 7:
		return move(e, 0);
	case 3:
		return control(e, CTRL('D'));
	case 4:
	case 8:
		return move(e, e->n);
	default:
		return EDIT_REFUSED;
	}
}

/* A byte of an escape sequence that has begun. */
static enum edit_event sequence(struct edit *e, uint8_t c)
{
	uint8_t state = e->escape;
	e->escape = PLAIN;
	if (state == ESCAPE) {
		e->number = 0;
		if (c == '[' || c == 'O') {
			e->escape = c == '[' ? BRACKET : SHIFT3;
			return EDIT_NONE;
		}
		if (c == 'b')
			return move(e, word_left(e));
		if (c == 'f')
			return move(e, word_right(e));
		return EDIT_REFUSED;
	}
	if (state == BRACKET && c >= '0' && c <= '9') {
		e->escape = BRACKET;
		if (e->number < 1000)
			e->number = e->number * 10 + (c - '0');
		return EDIT_NONE;
	}
	if (state == BRACKET && c == ';') { /* modifiers, as in ESC [ 1 ; 5 C, are not told apart */
		e->escape = BRACKET;
		e->number = 0;
		return EDIT_NONE;
	}
	return state == BRACKET && c == '~' ? tilde_key(e) : cursor_key(e, c);
}

static enum edit_event quiet_byte(struct edit *e, uint8_t c)
{
	if (c != '\r' && c != '\n') {
		if (c == EDIT_ASIDE) { /* once more from the beginning */
			e->n_quiet = 0;
			e->quiet_long = false;
		} else if (c < ' ' || c >= DEL || e->n_quiet == EDIT_MAX) {
			e->quiet_long = true;
		} else {
			e->quiet[e->n_quiet++] = (char)c;
		}
		return EDIT_NONE;
	}
	e->in_quiet = false;
	e->cr = c == '\r';
	if (e->quiet_long)
		return EDIT_NONE; /* who sent it asks again */
	e->quiet[e->n_quiet] = '\0';
	memcpy(e->done, e->quiet, sizeof e->done);
	return EDIT_QUIET;
}

enum edit_event edit_feed(struct edit *e, uint8_t c)
{
	bool after_cr = e->cr;
	if (e->in_quiet)
		return quiet_byte(e, c);
	e->cr = c == '\r';
	if (c == '\n' && after_cr)
		return EDIT_NONE;
	if (c == '\r' || c == '\n') {
		e->escape = PLAIN;
		return finish(e);
	}
	if (c == EDIT_ASIDE) {
		e->escape = PLAIN;
		e->in_quiet = true;
		e->quiet_long = false;
		e->n_quiet = 0;
		return EDIT_NONE;
	}
	if (c == ESC) {
		e->escape = ESCAPE;
		return EDIT_NONE;
	}
	if (e->escape != PLAIN && c >= ' ')
		return sequence(e, c);
	e->escape = PLAIN;
	if (c < ' ' || c == DEL)
		return control(e, c);
	char text = (char)c;
	return if_done(c < DEL && put_in(e, &text, 1));
}

/* ---- completion ---- */

unsigned edit_word(const struct edit *e, const char **word, unsigned *n)
{
	unsigned before = 0, from = e->at;
	while (from > 0 && e->line[from - 1] != ' ')
		from--;
	for (unsigned i = 0; i < from; i++)
		before += e->line[i] != ' ' && e->line[i + 1] == ' ';
	*word = e->line + from;
	*n = e->at - from;
	return before;
}

unsigned edit_complete(struct edit *e, const char *const *words, unsigned n_words)
{
	const char *word, *first = NULL;
	unsigned n, fit = 0, same = 0;
	edit_word(e, &word, &n);
	for (unsigned i = 0; i < n_words; i++) {
		if (strncmp(words[i], word, n) != 0)
			continue;
		if (fit++ == 0) {
			first = words[i];
			same = (unsigned)strlen(first);
		}
		for (unsigned k = 0; k < same; k++)
			if (words[i][k] != first[k])
				same = k;
	}
	if (fit == 0)
		return 0;
	if (same > n && !put_in(e, first + n, same - n))
		return fit;
	if (fit == 1)
		put_in(e, " ", 1); /* if there is no room for it, the word is whole all the same */
	return fit;
}

/* ---- drawing ---- */

size_t edit_draw(const struct edit *e, const char *prompt, char *out, size_t size)
{
	size_t n = 0, prompt_n = strlen(prompt);
	unsigned from = e->at >= EDIT_WIDTH ? e->at - EDIT_WIDTH + 1 : 0;
	unsigned shown = e->n - from < EDIT_WIDTH ? e->n - from : EDIT_WIDTH, back = from + shown - e->at;
	if (size < prompt_n + EDIT_DRAW_MAX)
		return 0;
	out[n++] = '\r';
	memcpy(out + n, prompt, prompt_n);
	n += prompt_n;
	memcpy(out + n, e->line + from, shown);
	n += shown;
	memcpy(out + n, "\033[K", 3);
	n += 3;
	if (back > 0) { /* at most EDIT_WIDTH: two digits */
		out[n++] = ESC;
		out[n++] = '[';
		if (back >= 10)
			out[n++] = (char)('0' + back / 10);
		out[n++] = (char)('0' + back % 10);
		out[n++] = 'D';
	}
	return n;
}
