/* Sinks that applications use too (include/hartbeat/sink.h). */
#include "kernel/sink.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/heap.h"

enum { ROOM_FIRST = 4096 };

size_t sink_memory_room(const struct sink_memory *m, size_t n)
{
	size_t room = m->room == 0 && n > 0 ? ROOM_FIRST : m->room;
	while (n > room - m->size && room <= SIZE_MAX / 2)
		room *= 2;
	return room;
}

static int memory_take(struct sink *s, const void *data, size_t n)
{
	struct sink_memory *m = (struct sink_memory *)s;
	size_t room = sink_memory_room(m, n);
	if (n == 0)
		return 0;
	if (room > m->room) {
		char *more = heap_realloc(m->data, room);
		if (more == NULL)
			return -ENOMEM;
		m->data = more;
		m->room = room;
	}
	memcpy(m->data + m->size, data, n);
	m->size += n;
	return 0;
}

void sink_memory_init(struct sink_memory *m)
{
	*m = (struct sink_memory){.sink.write = memory_take};
}

void sink_memory_free(struct sink_memory *m)
{
	heap_free(m->data);
	sink_memory_init(m);
}

static int both_take(struct sink *s, const void *data, size_t n)
{
	struct sink_both *b = (struct sink_both *)s;
	if (b->error_a == 0)
		b->error_a = sink_write(b->a, data, n);
	if (b->error_b == 0)
		b->error_b = sink_write(b->b, data, n);
	/* Only when nobody listens any more is there no point in going on. */
	return b->error_a != 0 ? b->error_b : 0;
}

void sink_both_init(struct sink_both *s, struct sink *a, struct sink *b)
{
	*s = (struct sink_both){.sink.write = both_take, .a = a, .b = b};
}
