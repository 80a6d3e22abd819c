/* Thread-local storage: one block per goroutine and per hart's scheduler, made from the image's .tdata and .tbss. */
#ifndef KERNEL_TLS_H
#define KERNEL_TLS_H

#include <stddef.h>
#include <stdint.h>

struct g;

/* Bytes of a block, 64-byte aligned, thread control word included. */
size_t tls_size(void);
/* Fills a block (64-byte aligned) for g and returns its thread pointer. Any context that may touch the block. */
uintptr_t tls_make(void *block, struct g *g);
/* Makes a block's variables what they were at first, for its next goroutine; tp is what tls_make() returned. */
void tls_reset(uintptr_t tp, struct g *g);

#endif
