/*
 * The line that a person types at the console: editing, history, completion. Pure: bytes in, events and what to draw out; the same source
 * runs on the host, where it is fuzzed.
 *
 *	printable			goes in at the cursor
 *	Left Right Home End, ^B ^F ^A ^E	move; Alt-B Alt-F by words
 *	Backspace ^H, Delete ^D		take out; ^W a word, ^U to the beginning, ^K to the end
 *	Up Down, ^P ^N			history
 *	Tab				completes
 *	^L				clears the screen; ^C the line
 *	Return				ends the line
 *	EDIT_ASIDE ... Return		a line that a program sends
 */
#ifndef PROF_SERVE_EDIT_H
#define PROF_SERVE_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EDIT_MAX = 200,    /* characters of a line */
	EDIT_HISTORY = 16, /* lines */
	EDIT_WIDTH = 72,   /* columns of it on the screen; a longer one moves by */
	EDIT_DRAW_MAX = EDIT_WIDTH + 32,
	/* Begins a line that a program sends: up to the next line end it is neither shown nor mixed with what a person types. */
	EDIT_ASIDE = 0x1e,
};

enum edit_event {
	EDIT_NONE,
	EDIT_CHANGED,  /* draw it again */
	EDIT_LINE,     /* a line is complete: edit_line() */
	EDIT_QUIET,    /* the same, of a program */
	EDIT_CANCEL,   /* ^C: the line was given up */
	EDIT_COMPLETE, /* Tab: call edit_complete() */
	EDIT_CLEAR,    /* ^L */
	EDIT_REFUSED,  /* no room, or no such key: ring the bell */
};

struct edit {
	char line[EDIT_MAX + 1], done[EDIT_MAX + 1], quiet[EDIT_MAX + 1], kept[EDIT_MAX + 1];
	char history[EDIT_HISTORY][EDIT_MAX + 1];
	unsigned n, at; /* characters; cursor */
	unsigned lines; /* in history, as many as there ever were */
	unsigned back;  /* looking at the line so many ago; 0: at the own one, which waits in kept */
	unsigned n_quiet;
	bool in_quiet, quiet_long;
	uint8_t escape;  /* state of an escape sequence */
	unsigned number; /* in it */
	bool cr;         /* the last byte was one: a newline that follows belongs to it */
};

void edit_init(struct edit *e);
enum edit_event edit_feed(struct edit *e, uint8_t byte);
/* The line that EDIT_LINE or EDIT_QUIET announced; until the next one. */
const char *edit_line(const struct edit *e);
/* What to send to a terminal for the line to stand there, from "\r" on: at most EDIT_DRAW_MAX bytes and the prompt's. */
size_t edit_draw(const struct edit *e, const char *prompt, char *out, size_t size);
/* Completes the word at the cursor from words[0..n): the part that all that fit have in common goes in, with a blank if one alone fits.
 * Returns how many fit. */
unsigned edit_complete(struct edit *e, const char *const *words, unsigned n);
/* The word at the cursor, as far as it stands before it, and how many words stand before that. */
unsigned edit_word(const struct edit *e, const char **word, unsigned *n);

#endif
