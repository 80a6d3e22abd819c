/* The wall-clock profile: what its samples' labels say besides those of the program. See wall.c. */
#ifndef PROF_WALL_H
#define PROF_WALL_H

#include <stdint.h>

#include "prof/builder.h"

/* What a goroutine or a hart was at: in the bits of a sample's labels that a CPU profile has for hart and interrupts. */
enum wall_state {
	WALL_NONE, /* nothing to say: [lost] */
	WALL_RUNNING,
	WALL_SCHEDULING, /* the hart's scheduler ran */
	WALL_RUNNABLE,
	WALL_IDLE,    /* the hart had nothing to run */
	WALL_WAITING, /* and beyond: plus enum wait_reason */
};

static inline uint32_t wall_label(uint32_t state)
{
	return state << PROF_LABEL_HART_SHIFT;
}

static inline uint32_t wall_state_of(uint32_t labels)
{
	return labels >> PROF_LABEL_HART_SHIFT;
}

#endif
