/* Host stand-in for kernel/g.h, for test_sync.c: a goroutine is a thread that can be parked. */
#ifndef KERNEL_G_H
#define KERNEL_G_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/wait_reason.h"

enum { G_RUNNING = 2, G_STATUS_MASK = 0xff };

struct g {
	struct g *next;
	void *wait_data;
	uint64_t contend_sum;
	uint32_t contend_n;
	bool contend_in;
	bool system;
	uint32_t preempt_off;
	_Atomic uint32_t status; /* G_RUNNING for ever: waiters spin */
	sem_t wake;
} __attribute__((aligned(64)));

extern __thread struct g *g_tls;

static inline struct g *g_self(void)
{
	return g_tls;
}

#endif
