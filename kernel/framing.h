/*
 * Serial framing: a stream of bytes (a profile, a trace, a file) leaves the machine as whole lines of
 * printable text that may stand among console text and lines of other streams. docs/serial-format.md is the
 * contract:
 *
 *     @hb B <stream> <name> <crc32>                     begin
 *     @hb D <stream> <line> <base64> <crc32>            data; line counts from 0; 57 bytes a line, the last 1
 * to 57
 *     @hb E <stream> <lines> <bytes> <sum> <crc32>      end; sum is the CRC-32 of all bytes
 *
 * <stream> is <nonce>-<number>: eight hex digits drawn once a boot, and a count that starts at 0 with the
 * boot and leaves none out. <crc32> is the CRC-32 of the text between "@hb " and the space before it.
 *
 * Invariants:
 * 1. A line is at most FRAME_LINE_MAX bytes, "\n" included, and reaches the sink in one call; otherwise lines
 * of two streams would mix and both be lost.
 * 2. The sink starts each line at column 0 (it ends an open text line first); otherwise no reader sees the
 * frame.
 * 3. Console text that starts a line with a character of frame_text_escapes() gets FRAME_ESCAPE before it;
 * otherwise a program's output could pass for a frame.
 * 4. No two streams of a boot have the same number, and no number is left out; otherwise a reader would mix
 * two dumps, or would report a lost one where there was none.
 *
 * Pure: no allocation, no lock, no global; a stream belongs to one writer at a time. The same source runs on
 * the target and in host tests.
 */
#ifndef KERNEL_FRAMING_H
#define KERNEL_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_ESCAPE '\\'

enum {
	FRAME_LINE_MAX = 120,       /* bytes of a frame line, "\n" included */
	FRAME_DATA_MAX = 57,        /* bytes in each data line but the last: 76 characters of base64 */
	FRAME_NAME_MAX = 64,        /* characters of a name */
	FRAME_NUMBER_MAX = 9999999, /* greatest stream number */
};

/* Takes one whole frame line of len bytes, the last of them "\n", and writes it to the console at column 0.
 */
typedef void (*frame_line_fn)(void *ctx, const char *text, size_t len);

/* One stream being written. Fields belong to framing.c. */
struct frame_stream {
	/* immutable from begin to end */
	frame_line_fn line;
	void *ctx;
	uint32_t nonce;
	uint32_t number;
	/* owned by the writer */
	bool open;
	uint8_t held;   /* bytes in hold[], less than FRAME_DATA_MAX */
	uint32_t lines; /* data lines written */
	uint32_t crc;   /* of all bytes taken */
	uint64_t bytes; /* taken, those in hold[] included */
	uint8_t hold[FRAME_DATA_MAX];
};

/*
 * Whether name is one a stream may have: 1 to FRAME_NAME_MAX of A-Z a-z 0-9 . _ -, not starting with '.' or
 * '-', so that it is a plain file name on every host. Any context.
 */
static inline bool frame_name_valid(const char *name, size_t len)
{
	if (len == 0 || len > FRAME_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

/*
 * Starts a stream and writes its begin line. nonce: drawn once a boot; number: unique and consecutive within
 * the boot, from 0, at most FRAME_NUMBER_MAX. Returns false, and writes nothing, when name or number is not
 * valid (check the name with frame_name_valid() before taking a number). Context: the sink's, as for the two
 * below.
 */
__attribute__((warn_unused_result)) bool frame_stream_begin(struct frame_stream *s, uint32_t nonce,
							    uint32_t number, const char *name,
							    frame_line_fn line, void *ctx);

/* Appends size bytes to the stream; full data lines go to the sink at once, up to 56 bytes wait for more. */
void frame_stream_write(struct frame_stream *s, const void *data, size_t size);

/* Writes what waits, and the end line; the stream may then be begun again. */
void frame_stream_end(struct frame_stream *s);

/* Single lines of a stream, once more: of s only where it goes, its number and, for the end, its counts and checksum are looked at. */
void frame_begin_line(const struct frame_stream *s, const char *name);
void frame_data_line(const struct frame_stream *s, uint32_t line, const uint8_t *data, size_t size);
void frame_end_line(const struct frame_stream *s);

/*
 * Whether a line of console text that starts with this character must be preceded by FRAME_ESCAPE. One
 * character decides, so that a writer which is given text a byte at a time never has to hold any back. Any
 * context.
 */
static inline bool frame_text_escapes(char first)
{
	return first == '@' || first == FRAME_ESCAPE;
}

#endif
