/* Stepping: between step_on() and step_off() every instruction that this hart runs is a stop, which the host's judge gets to see. One hart. */
#ifndef TESTS_STEPPING_STEP_H
#define TESTS_STEPPING_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "kernel/unwind.h"

/* arch: prepares; NULL, or why this machine cannot be stepped. Goroutine, once. */
const char *step_init(void);
/* arch: the next instruction is the first, or one soon. */
void step_on(void);
void step_off(void);
/* arch: goes through what ordinary work does not meet: entry and exit of every kind of trap that can be come back from. Goroutine. */
void step_traps(void);
/* arch: makes the machine take other ways through the switch, by the number of the round. Goroutine. */
void step_variant(unsigned round);

/*
 * A way for the machine to die, so that what only a failing kernel comes to is stepped too: main() turns interrupts off, steps, and calls
 * run(), which does not come back. `last` is where stepping ends.
 */
struct step_end {
	const char *name;
	void (*run)(void);
	uintptr_t last;
};
/* arch: whether sp lies in a stack that is no hart's, and the bounds of that; else *b stays. */
bool step_stack(uintptr_t sp, struct unwind_bounds *b);

/* ends.c: NULL when there is none of that name. */
const struct step_end *step_end_find(const char *name);
/* arch: those that only this architecture has; the last row has no name. */
extern const struct step_end step_ends_arch[];

/* stop.c: the first stop at pc, or at the next few instructions, as a step may pass over one, is the last. */
void stop_end_at(uintptr_t pc);
bool stop_ended(void);

/* stop.c: the handler's part for both architectures. outer: what a trap interrupted where f's code stands in its entry or exit, and no rule
 * says so, or NULL. outer_pc, sscratch: riscv64, see format.h. */
void stop_take(const struct arch_frame *f, const struct arch_unwind *outer, uint64_t outer_pc,
	       uint64_t sscratch);
/* How many stops there were. */
uint64_t stop_count(void);
/* Tells the judge that no more will come. */
void stop_done(void);

#endif
