/* Host stand-in for sched/sched.h, for test_runq.c: as much of a goroutine as queues know. */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum switch_reason { SWITCH_NONE };

struct hart;

struct g {
	struct g *next;         /* in a queue */
	_Atomic uint32_t taken; /* times it came out of a queue in this round */
};

#endif
