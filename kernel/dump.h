/* The kernel's side of include/hartbeat/dump.h. */
#ifndef KERNEL_DUMP_H
#define KERNEL_DUMP_H

#include <stdbool.h>

#include <hartbeat/dump.h>

#include "kernel/framing.h"
#include "kernel/sink.h"

/* Draws this boot's nonce. The first goroutine, once, after clock_wall_init(). */
void dump_init(void);

/* Begins a stream that a crash writes, by the UART itself; false before dump_init(). Panic context. */
bool dump_crash_begin(struct frame_stream *s, const char *name);

/* This boot's, after dump_init(); and a stream of it to send single lines of again (kernel/keep.h). Goroutine context. */
uint32_t dump_nonce(void);
struct frame_stream dump_again(uint32_t number);

#endif
