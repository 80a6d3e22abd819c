/*
 * Writes protocol buffer fields to a sink. See protobuf.c. Wire format: protobuf.dev, "Encoding".
 */
#ifndef PROF_PROTOBUF_H
#define PROF_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/sink.h"

struct protobuf {
	struct sink *sink; /* NULL: count only */
	uint64_t written;  /* bytes so far, those in buf included */
	int error;         /* the first, or 0 */
	uint32_t used, size;
	uint8_t *buf;
};

/* Writes one message's fields; called twice with the same arg, and writes the same bytes each time. */
typedef void protobuf_emit_fn(struct protobuf *pb, const void *arg);

/* A writer that gathers up to size bytes in buf before it writes them to sink. Any goroutine or system
 * context. */
void protobuf_init(struct protobuf *pb, struct sink *sink, void *buf, size_t size);

/* Fields. The plain ones are always written, those with _opt only if not zero, as proto3 does for single
 * values. */
void protobuf_uint64(struct protobuf *pb, uint32_t tag, uint64_t value);
void protobuf_uint64_opt(struct protobuf *pb, uint32_t tag, uint64_t value);
void protobuf_bytes(struct protobuf *pb, uint32_t tag, const void *data, size_t n);

/* Repeated integers: packed when there are more than two of them (both forms are legal, and this is the
 * shorter). */
void protobuf_uint64s(struct protobuf *pb, uint32_t tag, const uint64_t *values, size_t n);

/* A nested message: emit is called once to count and once to write. */
void protobuf_message(struct protobuf *pb, uint32_t tag, protobuf_emit_fn *emit, const void *arg);

/* Passes on what is still in buf. Returns 0 or the first error of any write. */
int protobuf_flush(struct protobuf *pb) __attribute__((warn_unused_result));

#endif
