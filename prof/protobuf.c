/*
 * Owns the wire format of protocol buffers, as far as profiles need it: varints, byte strings, packed
 * integers and nested messages.
 *
 * A nested message is preceded by its length. Instead of gathering it in a buffer of unknown size, the
 * function that writes its fields runs twice: first into a writer without a sink, which only counts, then for
 * real. Messages nest two deep in a profile, so the innermost fields are visited at most four times.
 *
 * 1. Both runs of an emit function write the same number of bytes; otherwise every field after it would be
 * misread. Asserted.
 * 2. After an error nothing more is written, and the error stays; otherwise the sink would see a gap.
 */
#include "prof/protobuf.h"

#include <string.h>

#include "kernel/assert.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2, VARINT_MAX = 10 };

void protobuf_init(struct protobuf *pb, struct sink *sink, void *buf, size_t size)
{
	ASSERT(sink != NULL && buf != NULL && size > 0 && size <= UINT32_MAX,
	       "a writer has a sink and a buffer");
	*pb = (struct protobuf){.sink = sink, .buf = buf, .size = (uint32_t)size};
}

int protobuf_flush(struct protobuf *pb)
{
	uint32_t used = pb->used;
	pb->used = 0;
	if (pb->error == 0 && used > 0)
		pb->error = sink_write(pb->sink, pb->buf, used);
	return pb->error;
}

static void protobuf_raw(struct protobuf *pb, const void *data, size_t n)
{
	pb->written += n;
	if (pb->sink == NULL || pb->error != 0 || n == 0)
		return;
	if (n > pb->size - pb->used && protobuf_flush(pb) != 0)
		return;
	if (n > pb->size) {
		pb->error = sink_write(pb->sink, data, n);
		return;
	}
	memcpy(pb->buf + pb->used, data, n);
	pb->used += (uint32_t)n;
}

static void protobuf_varint(struct protobuf *pb, uint64_t value)
{
	uint8_t out[VARINT_MAX];
	unsigned n = 0;
	for (; value >= 0x80; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	protobuf_raw(pb, out, n);
}

static void protobuf_tag(struct protobuf *pb, uint32_t tag, uint32_t wire)
{
	protobuf_varint(pb, (uint64_t)tag << 3 | wire);
}

void protobuf_uint64(struct protobuf *pb, uint32_t tag, uint64_t value)
{
	protobuf_tag(pb, tag, WIRE_VARINT);
	protobuf_varint(pb, value);
}

void protobuf_uint64_opt(struct protobuf *pb, uint32_t tag, uint64_t value)
{
	if (value != 0)
		protobuf_uint64(pb, tag, value);
}

void protobuf_bytes(struct protobuf *pb, uint32_t tag, const void *data, size_t n)
{
	protobuf_tag(pb, tag, WIRE_BYTES);
	protobuf_varint(pb, n);
	protobuf_raw(pb, data, n);
}

void protobuf_uint64s(struct protobuf *pb, uint32_t tag, const uint64_t *values, size_t n)
{
	if (n <= 2) {
		for (size_t i = 0; i < n; i++)
			protobuf_uint64(pb, tag, values[i]);
		return;
	}
	struct protobuf count = {.sink = NULL};
	for (size_t i = 0; i < n; i++)
		protobuf_varint(&count, values[i]);
	protobuf_tag(pb, tag, WIRE_BYTES);
	protobuf_varint(pb, count.written);
	for (size_t i = 0; i < n; i++)
		protobuf_varint(pb, values[i]);
}

void protobuf_message(struct protobuf *pb, uint32_t tag, protobuf_emit_fn *emit, const void *arg)
{
	struct protobuf count = {.sink = NULL};
	emit(&count, arg);
	protobuf_tag(pb, tag, WIRE_BYTES);
	protobuf_varint(pb, count.written);
	uint64_t start = pb->written;
	emit(pb, arg);
	ASSERT(pb->written - start == count.written, "a message writes as many bytes as it counted");
}
