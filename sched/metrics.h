/* What the rest of the scheduler tells the metrics (sched/metrics.c). */
#ifndef SCHED_METRICS_H
#define SCHED_METRICS_H

#include <stdint.h>

#include "kernel/hart.h"

/* The world was stopped: ns until it stood, and until it went on. System or goroutine context. */
void metrics_pause(uint64_t stopping_ns, uint64_t total_ns);

/* This hart begins to run goroutines; sleeps because there is nothing to do, and wakes. System context, on that hart. */
void metrics_hart_begin(struct hart *h);
void metrics_hart_idle(struct hart *h, bool idle);
/* In arch_ticks(): when a hart began to run goroutines, and how long it has slept since. Any context. */
void metrics_hart_times(unsigned hart, uint64_t *since, uint64_t *slept);

#endif
