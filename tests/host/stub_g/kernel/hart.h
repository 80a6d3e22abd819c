/* Host stand-in for kernel/hart.h, for test_g.c, test_shrink.c, test_stacks.c, test_trace_buf.c and test_trace_table.c: as much of a hart as those modules know. */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include <stdint.h>

#include "arch/arch.h"
#include "kernel/limits.h"

enum { STACK_SYS };

enum switch_reason { SWITCH_NONE, SWITCH_YIELD, SWITCH_PARK, SWITCH_EXIT, SWITCH_TRAP };

struct sched_hart;

struct hart {
	uint32_t index;
	struct sched_hart *sched;
	struct trace_hart *trace;
	struct g *cur, *g0, *serving;
	uintptr_t stack_lo[1], sys_stack_top;
	void *spare_area;
	uint64_t unsaved_since;
};

extern struct hart *harts[HART_MAX];
extern uint32_t hart_count;

#endif
