/*
 * The reader's parser: takes a console log in pieces of any size and says what it sees, line by line: console
 * text, frame lines whose checksum is right, and damage. docs/serial-format.md is the contract.
 *
 * Invariants:
 * 1. Every byte of the input is either part of a frame line whose checksum is right, or is passed on as text;
 *    otherwise something a person could have read would be lost. Only the escape before an escaped line is
 * taken off.
 * 2. A frame line is taken only from column 0, with its checksum right; otherwise text could pass for data.
 * 3. Whatever can only be a frame line and is not taken is reported as damage: a line that starts with "@hb",
 * a sound frame line that follows other text on its line, the beginning of a frame mark at the end of the
 * input.
 * 4. Text that cannot become a frame line is passed on as soon as it is fed, without waiting for its line to
 * end; otherwise a prompt would stay invisible.
 *
 * Pure: memory is the struct, of constant size; any input is safe.
 */
#ifndef TOOLS_HBDUMP_PARSE_H
#define TOOLS_HBDUMP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/framing.h"

enum { PARSE_LINE_MAX = 4096 }; /* bytes of a line that are looked at as a whole; the rest of it is text */

/* Which stream: `<nonce>-<number>` on the wire. */
struct stream_id {
	uint32_t nonce;
	uint32_t number;
};

/* A frame line whose checksum and grammar are right. */
struct frame {
	char kind; /* 'B', 'D' or 'E' */
	struct stream_id id;
	char name[FRAME_NAME_MAX + 1]; /* B */
	uint32_t line;                 /* D: its number; E: how many there are */
	uint64_t bytes;                /* E: of the whole stream */
	uint32_t sum;                  /* E: CRC-32 of the whole stream */
	size_t size;                   /* D: bytes in data, 1 to FRAME_DATA_MAX */
	uint8_t data[FRAME_DATA_MAX + 3];
};

/* What the parser calls. log_line counts the input's lines from 1. */
struct parse_events {
	/* Console text, in order, unescaped, newlines included. */
	void (*text)(void *ctx, const char *text, size_t len);
	void (*frame)(void *ctx, uint64_t log_line, const struct frame *f);
	/* Something wrong: what, in words; excerpt: the line's beginning in printable characters. */
	void (*damage)(void *ctx, uint64_t log_line, const char *what, const char *excerpt);
};

struct parser {
	/* immutable after parse_init */
	const struct parse_events *events;
	void *ctx;
	/* the line being read */
	uint64_t log_line;
	size_t len;     /* its bytes in line[] */
	size_t shown;   /* of these already dealt with as text */
	bool long_line; /* its first PARSE_LINE_MAX bytes are gone: what follows is text */
	char line[PARSE_LINE_MAX + 1];
};

void parse_init(struct parser *p, const struct parse_events *events, void *ctx);

/* Takes the next len bytes of the input. */
void parse_feed(struct parser *p, const char *data, size_t len);

/* The input has ended: deals with a last line that has no newline. */
void parse_finish(struct parser *p);

/*
 * Reads one line (no newline; carriage returns at its end are ignored) as a frame line. Returns NULL and
 * fills *f when it is one, else what is wrong with it, in words.
 */
const char *frame_read(struct frame *f, const char *line, size_t len);

#endif
