/*
 * The reader's store: puts the frame lines of any number of streams, in any order, together into dumps, and
 * says of each stream what is missing or wrong. Where bytes go is behind struct store_files (files.c on disk,
 * memory in tests).
 *
 *     frame lines -> stream (by id) -> temporary file, by line number -> checks -> its name
 *
 * A stream is open until its begin line, its end line and every data line between have come and the checksum
 * of the whole, computed over what the file gives back, is right: then it is WHOLE and gets its name at once.
 * What is still open when the input ends is DAMAGED.
 *
 * Invariants:
 * 1. A dump gets its plain name only when all of it was checked; otherwise a reader would open a wrong file.
 * 2. Nothing seen is dropped in silence: a line that disagrees with an earlier one, that lies outside of its
 * stream, or that a limit turns away is reported, and the verdict is damage.
 * 3. Memory and open files are bounded by the limits below, whatever the input says.
 */
#ifndef TOOLS_HBDUMP_STORE_H
#define TOOLS_HBDUMP_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/hbdump/lines.h"
#include "tools/hbdump/parse.h"

enum {
	STORE_OPEN_MAX = 64, /* streams with a file open; one more gives up the one that was quiet longest */
	STORE_STREAMS_MAX = 65536, /* streams remembered; frame lines of more are turned away */
	STORE_TABLE_SIZE = 4096,   /* hash table heads */
	STORE_LINE_REPORTS = 20,   /* damaged lines named one by one; more are counted */
	STORE_STAMP_MAX = 24,      /* a time in a name, with terminator */
	STORE_NAME_MAX = 120,      /* FRAME_NAME_MAX, a time and the longest suffixes, with terminator */
	STORE_ASK_MAX = 200,       /* characters of a request, with terminator */
	STORE_ASKS = 8,            /* requests in a row that bring nothing */
	STORE_TOKEN_MAX = 24,      /* <nonce>-<number>, with terminator */
};

/* Where dumps go. A file is whatever the implementation says; every false is an error it has told the user.
 */
struct store_files {
	void *ctx;
	/* A temporary file for a stream; token names it. NULL on error. */
	void *(*create)(void *ctx, const char *token);
	bool (*write)(void *file, uint64_t at, const void *data, size_t size);
	/* Reads bytes that were written; a hole reads as zeros. */
	bool (*read)(void *file, uint64_t at, void *data, size_t size);
	/* Makes the file size bytes long, gives it its name in one step, replacing what had it, and closes
	 * it. */
	bool (*commit)(void *file, const char *name, uint64_t size);
	void (*discard)(void *file);
	/* Whether the committed file still has these bytes there: 1 yes, 0 no, -1 unknown. */
	int (*compare)(void *ctx, const char *name, uint64_t at, const void *data, size_t size);
};

enum store_say {
	SAY_NOTE,   /* news: a dump was written */
	SAY_DAMAGE, /* something is missing or wrong */
};

typedef void (*store_say_fn)(void *ctx, enum store_say kind, const char *text);

enum stream_state { STREAM_OPEN, STREAM_WHOLE, STREAM_DAMAGED };

struct store_stream {
	struct store_stream *next;       /* in order of first appearance */
	struct store_stream *table_next; /* same hash */
	struct stream_id id;
	char token[STORE_TOKEN_MAX];
	enum stream_state state;
	uint64_t used;     /* store's clock at its latest line */
	uint64_t heard_ms; /* now_ms then */
	char name[FRAME_NAME_MAX + 1];
	char stored[STORE_NAME_MAX]; /* the name it was stored under, "" when it was not */
	/* what its end line says */
	bool has_end;
	uint32_t lines;
	uint32_t sum;
	uint64_t bytes;
	/* what has been seen; the set is empty once the stream is not open */
	bool has_begin;
	struct line_set seen;
	uint64_t seen_count;
	uint32_t short_line;  /* the one line with fewer than FRAME_DATA_MAX bytes */
	uint8_t short_size;   /* its bytes, 0 when none came yet */
	bool failed;          /* a file error: nothing more is stored */
	bool wrong_sum;       /* all is there but the checksum of the whole differs */
	uint64_t turned_away; /* lines over the size limit */
	uint64_t conflicts;   /* lines that disagree with what came before */
	void *file;
	/* requests to send lines again: in a row without an effect, when the last one was, and what had been seen then */
	unsigned asks;
	uint64_t asked_ms, asked_seen;
};

struct store {
	/* immutable after store_init */
	const struct store_files *files;
	store_say_fn say;
	void *say_ctx;
	uint64_t max_bytes; /* of one dump */
	/* The time that names get before their first '.', or NULL: none. Set between store_init() and the first frame. */
	void (*stamp)(char text[STORE_STAMP_MAX]);
	/* Lines can be asked for again (store_ask): a damaged one is no damage yet. Set as stamp. */
	bool repairs;
	/* The caller's clock, from anywhere: set before input is given and before store_ask(). */
	uint64_t now_ms;
	/* streams */
	struct store_stream *first, **last;
	struct store_stream *table[STORE_TABLE_SIZE];
	struct store_stream *open[STORE_OPEN_MAX];
	struct store_stream *recent; /* stream of the latest frame line */
	uint32_t n_open, n_streams;
	uint64_t clock;
	uint64_t heard_ms;    /* now_ms at the latest frame line, a damaged one included */
	uint64_t lost_looked; /* clock when store_ask() last found no lost stream */
	/* verdict */
	uint64_t damages;      /* damage said or counted */
	uint64_t line_reports; /* damaged lines among them */
	bool failed;           /* a file error, or no memory */
	uint64_t unrepaired;   /* damaged lines, while that is not counted as damage */
	char probe[48];        /* a request for the stream that would follow, or "" */
	bool unsure;           /* the last of them may have been of a stream of which nothing else came */
};

void store_init(struct store *s, const struct store_files *files, store_say_fn say, void *say_ctx,
		uint64_t max_bytes);

/* Takes a frame line that was found sound at log_line of the input. */
void store_frame(struct store *s, uint64_t log_line, const struct frame *f);

/* Counts and reports a damaged line of the input. */
void store_damage(struct store *s, uint64_t log_line, const char *what, const char *excerpt);

/* The input has ended: gives up open streams and looks for lost ones. The verdict stands in damages and
 * failed. */
void store_finish(struct store *s);

/* Whether a whole dump of this name was stored. */
bool store_has(const struct store *s, const char *name);

/* Bytes of a stream seen so far. */
uint64_t store_stream_bytes(const struct store_stream *st);

void store_free(struct store *s);

/* A stream by its id, or NULL. */
struct store_stream *store_stream_find(struct store *s, struct stream_id id);

/* An open one of which no line has come yet; NULL, after saying so, when there are too many. */
struct store_stream *store_stream_create(struct store *s, uint64_t log_line, struct stream_id id);

/* ---- store_ask.c ---- */

/*
 * What to ask the machine for, if anything: "resend <stream> <lines>", without an end of line (docs/serial-format.md). False: nothing now.
 */
bool store_ask(struct store *s, char out[STORE_ASK_MAX]);

#endif
