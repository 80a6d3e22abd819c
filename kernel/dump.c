/* Framed files on the console (include/hartbeat/dump.h): numbers the streams of this boot and frames what is written. */
#include <hartbeat/dump.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/crc32.h"
#include "kernel/dump.h"
#include "kernel/framing.h"
#include "kernel/heap.h"
#include "kernel/keep.h"

struct dump {
	struct sink sink; /* first: the sink's address is the dump's */
	struct frame_stream stream;
	struct keep_writer kept;
};

static uint32_t nonce;
static bool nonce_drawn;
static _Atomic uint32_t next_number;

void dump_init(void)
{
	uint64_t seed[3] = {arch_ticks(), clock_wall_ns(), (uintptr_t)&nonce};
	nonce = crc32_update(0, seed, sizeof seed);
	nonce_drawn = true;
}

static int take(struct sink *s, const void *data, size_t n)
{
	dump_write((struct dump *)s, data, n);
	return 0;
}

struct dump *dump_open(const char *name)
{
	if (!frame_name_valid(name, strlen(name)))
		return NULL;
	struct dump *d = heap_alloc(sizeof *d);
	if (d == NULL)
		return NULL;
	d->sink.write = take;
	uint32_t number = atomic_fetch_add_explicit(&next_number, 1, memory_order_relaxed);
	if (!frame_stream_begin(&d->stream, nonce, number, name, console_frame, NULL)) {
		heap_free(d);
		return NULL;
	}
	keep_begin(&d->kept, number, name);
	return d;
}

struct frame_stream dump_again(uint32_t number)
{
	return (struct frame_stream){.line = console_frame, .nonce = nonce, .number = number};
}

uint32_t dump_nonce(void)
{
	return nonce;
}

bool dump_crash_begin(struct frame_stream *s, const char *name)
{
	if (!nonce_drawn)
		return false;
	uint32_t number = atomic_fetch_add_explicit(&next_number, 1, memory_order_relaxed);
	return frame_stream_begin(s, nonce, number, name, console_panic_frame, NULL);
}

void dump_write(struct dump *d, const void *data, size_t size)
{
	keep_write(&d->kept, data, size); /* first: who misses a line may ask for it at once */
	frame_stream_write(&d->stream, data, size);
}

void dump_printf(struct dump *d, const char *fmt, ...)
{
	char text[512];
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	if (n >= 0 && (size_t)n < sizeof text) {
		dump_write(d, text, (size_t)n);
	} else if (n >= 0) {
		char *big = heap_alloc((size_t)n + 1);
		if (big != NULL) {
			vsnprintf(big, (size_t)n + 1, fmt, again);
			dump_write(d, big, (size_t)n);
			heap_free(big);
		} else { /* what fits, rather than nothing */
			dump_write(d, text, sizeof text - 1);
		}
	}
	va_end(again);
	va_end(ap);
}

void dump_close(struct dump *d)
{
	keep_end(&d->kept);
	frame_stream_end(&d->stream);
	heap_free(d);
}

struct sink *dump_sink(struct dump *d)
{
	return &d->sink;
}
