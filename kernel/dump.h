/* The kernel's side of include/hartbeat/dump.h. */
#ifndef KERNEL_DUMP_H
#define KERNEL_DUMP_H

#include <hartbeat/dump.h>

#include "kernel/sink.h"

/* Draws this boot's nonce. The first goroutine, once, after clock_wall_init(). */
void dump_init(void);

#endif
