/*
 * The one interface between the stages of the data path (encoder, compressor, framing, console): see include/hartbeat/sink.h. A stage that
 * has a sink in front embeds a struct sink as its first member and hands that out.
 *
 *	encoder --sink--> gzip --sink--> framing --sink--> console
 */
#ifndef KERNEL_SINK_H
#define KERNEL_SINK_H

#include <hartbeat/sink.h>

/* What m->room will be when n more bytes have been written; while they are, the buffers of m->room and of that are both there. */
size_t sink_memory_room(const struct sink_memory *m, size_t n);

#endif
