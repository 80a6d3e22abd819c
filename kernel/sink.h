/*
 * A sink takes bytes: the one interface between the stages of the data path (encoder, compressor, framing,
 *console). A stage that has a sink in front embeds a struct sink as its first member and hands that out.
 *
 *	encoder --sink--> gzip --sink--> framing --sink--> console
 *
 * 1. write() takes all n bytes and returns 0, or takes none it answers for and returns a negative error
 *number; otherwise every stage would need a loop for short writes.
 * 2. An error is sticky: once write() failed, the output is unusable, and whoever writes keeps the first
 *error and passes it up; otherwise a profile with a hole in it would look whole.
 */
#ifndef KERNEL_SINK_H
#define KERNEL_SINK_H

#include <stddef.h>

struct sink {
	int (*write)(struct sink *s, const void *data, size_t n);
};

/* Writes n bytes. Returns 0 or a negative error number. Context: whatever the sink's owner allows. */
static inline int __attribute__((warn_unused_result)) sink_write(struct sink *s, const void *data, size_t n)
{
	return s->write(s, data, n);
}

#endif
