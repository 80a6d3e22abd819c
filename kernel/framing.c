/* Builds frame lines in a buffer on the stack and hands each to the stream's sink (see framing.h). */
#include "kernel/framing.h"

#include <string.h>

#include "kernel/assert.h"
#include "kernel/base64.h"
#include "kernel/crc32.h"

enum {
	PREFIX_LEN = 4, /* "@hb " */
	TOKEN_MAX = 8 + 1 + 7,
	CRC_LEN = 8,
};

_Static_assert(PREFIX_LEN + 2 + TOKEN_MAX + 1 + 10 + 1 + BASE64_SIZE(FRAME_DATA_MAX) + 1 + CRC_LEN + 1 <=
		       FRAME_LINE_MAX,
	       "a data line with the longest token and line number fits");
_Static_assert(PREFIX_LEN + 2 + TOKEN_MAX + 1 + FRAME_NAME_MAX + 1 + CRC_LEN + 1 <= FRAME_LINE_MAX,
	       "a begin line with the longest name fits");
_Static_assert(PREFIX_LEN + 2 + TOKEN_MAX + 1 + 10 + 1 + 12 + 1 + CRC_LEN + 1 + CRC_LEN + 1 <= FRAME_LINE_MAX,
	       "an end line with the largest counts fits");

/* A line being put together. */
struct frame_text {
	size_t len;
	char text[FRAME_LINE_MAX];
};

static void text_put(struct frame_text *t, const char *s, size_t len)
{
	ASSERT(len <= sizeof t->text - t->len, "a frame line is at most FRAME_LINE_MAX bytes");
	memcpy(t->text + t->len, s, len);
	t->len += len;
}

static void text_put_hex(struct frame_text *t, uint32_t v)
{
	char digits[CRC_LEN];
	for (int i = CRC_LEN - 1; i >= 0; i--, v >>= 4)
		digits[i] = "0123456789abcdef"[v & 15];
	text_put(t, digits, sizeof digits);
}

static void text_put_decimal(struct frame_text *t, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	text_put(t, digits + at, sizeof digits - at);
}

/* "@hb <kind> <stream> " */
static void text_start(struct frame_text *t, const struct frame_stream *s, char kind)
{
	t->len = 0;
	text_put(t, "@hb ", PREFIX_LEN);
	text_put(t, &kind, 1);
	text_put(t, " ", 1);
	text_put_hex(t, s->nonce);
	text_put(t, "-", 1);
	text_put_decimal(t, s->number);
	text_put(t, " ", 1);
}

/* Seals the line with its checksum and hands it out. */
static void text_emit(struct frame_text *t, const struct frame_stream *s)
{
	uint32_t crc = crc32_update(0, t->text + PREFIX_LEN, t->len - PREFIX_LEN);
	text_put(t, " ", 1);
	text_put_hex(t, crc);
	text_put(t, "\n", 1);
	s->line(s->ctx, t->text, t->len);
}

void frame_begin_line(const struct frame_stream *s, const char *name)
{
	struct frame_text t;
	text_start(&t, s, 'B');
	text_put(&t, name, strlen(name));
	text_emit(&t, s);
}

void frame_data_line(const struct frame_stream *s, uint32_t line, const uint8_t *data, size_t size)
{
	struct frame_text t;
	char base64[BASE64_SIZE(FRAME_DATA_MAX)];
	ASSERT(size > 0 && size <= FRAME_DATA_MAX, "a data line has 1 to FRAME_DATA_MAX bytes");
	text_start(&t, s, 'D');
	text_put_decimal(&t, line);
	text_put(&t, " ", 1);
	text_put(&t, base64, base64_encode(base64, data, size));
	text_emit(&t, s);
}

void frame_end_line(const struct frame_stream *s)
{
	struct frame_text t;
	text_start(&t, s, 'E');
	text_put_decimal(&t, s->lines);
	text_put(&t, " ", 1);
	text_put_decimal(&t, s->bytes);
	text_put(&t, " ", 1);
	text_put_hex(&t, s->crc);
	text_emit(&t, s);
}

static void data_emit(struct frame_stream *s, const uint8_t *data, size_t size)
{
	ASSERT(s->lines < UINT32_MAX, "a stream has fewer than 2^32 lines (244 GB)");
	frame_data_line(s, s->lines, data, size);
	s->lines++;
}

bool frame_stream_begin(struct frame_stream *s, uint32_t nonce, uint32_t number, const char *name,
			frame_line_fn line, void *ctx)
{
	size_t name_len = strlen(name);
	if (!frame_name_valid(name, name_len) || number > FRAME_NUMBER_MAX)
		return false;
	*s = (struct frame_stream){.line = line, .ctx = ctx, .nonce = nonce, .number = number, .open = true};
	frame_begin_line(s, name);
	return true;
}

void frame_stream_write(struct frame_stream *s, const void *data, size_t size)
{
	ASSERT(s->open, "a frame stream is written between its begin and its end");
	if (size == 0)
		return;
	const uint8_t *p = data;
	s->crc = crc32_update(s->crc, data, size);
	s->bytes += size;
	if (s->held > 0) {
		size_t n = FRAME_DATA_MAX - (size_t)s->held;
		if (n > size)
			n = size;
		memcpy(s->hold + s->held, p, n);
		s->held = (uint8_t)(s->held + n);
		p += n;
		size -= n;
		if (s->held < FRAME_DATA_MAX)
			return;
		data_emit(s, s->hold, FRAME_DATA_MAX);
		s->held = 0;
	}
	for (; size >= FRAME_DATA_MAX; size -= FRAME_DATA_MAX, p += FRAME_DATA_MAX)
		data_emit(s, p, FRAME_DATA_MAX);
	if (size > 0)
		memcpy(s->hold, p, size);
	s->held = (uint8_t)size;
}

void frame_stream_end(struct frame_stream *s)
{
	ASSERT(s->open, "a frame stream is ended once, after its begin");
	if (s->held > 0)
		data_emit(s, s->hold, s->held);
	s->open = false;
	frame_end_line(s);
}
