/*
 * The newest bytes of what was dumped, so that lines which were damaged on their way can be sent again (docs/serial-format.md). Off until
 * keep_start(): then nothing is kept and it costs a test.
 */
#ifndef KERNEL_KEEP_H
#define KERNEL_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/framing.h"

struct keep_chunk;

/* Of one dump, by whom it is written. */
struct keep_writer {
	uint32_t number;
	uint32_t crc;
	uint64_t bytes;
	bool on; /* it was kept from its beginning */
	struct keep_chunk *chunk;
};

/* From here on the newest `bytes` or so of all dumps are kept, and how the newest KEEP_STREAMS began and ended. False when memory is out.
 * Goroutine context, once. */
__attribute__((warn_unused_result)) bool keep_start(size_t bytes);

enum { KEEP_STREAMS = 256 };

/* A dump's begin, its bytes as they come, and its end. Without memory for them bytes are not kept. Goroutine context. */
void keep_begin(struct keep_writer *w, uint32_t number, const char *name);
void keep_write(struct keep_writer *w, const void *data, size_t size);
void keep_end(struct keep_writer *w);

/* What is known of a stream. */
struct keep_stream {
	uint32_t number;
	bool known, ended;
	char name[FRAME_NAME_MAX + 1];
	uint32_t lines, crc; /* once it has ended */
	uint64_t bytes;      /* so far */
};

/* False: it is not one of the newest. Goroutine context, as the next one. */
bool keep_stream(uint32_t number, struct keep_stream *s);
/* The bytes of a data line, at most FRAME_DATA_MAX: how many; 0: they are not kept, or not yet. */
size_t keep_line(uint32_t number, uint32_t line, uint8_t *data);

#endif
