/*
 * A sink takes bytes: where profiles go. Here are sinks for memory, for a file on the console (dump.h) and for two others at once; a
 * program makes its own by a struct whose first member is a struct sink.
 *
 *	struct sink_memory m;                                    profile in memory, to be sent over a wire of the program's own
 *	sink_memory_init(&m);
 *	if (profile_write("goroutine", 0, &m.sink) == 0)
 *		send(m.data, m.size);
 *	sink_memory_free(&m);
 *
 * 1. write() takes all n bytes and returns 0, or takes none it answers for and returns a negative error number. Otherwise every writer
 *    would need a loop for short writes.
 * 2. An error is sticky: once write() failed, the output is unusable, and whoever writes keeps the first error and passes it up. Otherwise
 *    a profile with a hole in it would look whole.
 */
#ifndef HARTBEAT_SINK_H
#define HARTBEAT_SINK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sink {
	int (*write)(struct sink *s, const void *data, size_t n);
};

/* Writes n bytes. Returns 0 or a negative error number. Context: whatever the sink's owner allows. */
static inline int __attribute__((warn_unused_result)) sink_write(struct sink *s, const void *data, size_t n)
{
	return s->write(s, data, n);
}

/* Keeps everything in memory that grows. */
struct sink_memory {
	struct sink sink; /* first */
	char *data;       /* NULL: nothing was written */
	size_t size, room;
};

void sink_memory_init(struct sink_memory *m);
void sink_memory_free(struct sink_memory *m);

/* Passes everything on to two sinks; both get all of it, also when the other one fails. */
struct sink_both {
	struct sink sink; /* first */
	struct sink *a, *b;
	int error_a, error_b;
};

void sink_both_init(struct sink_both *s, struct sink *a, struct sink *b);

#ifdef __cplusplus
}
#endif

#endif
