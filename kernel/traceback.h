/* Symbolised tracebacks in Go's form, for reports. Panic context unless noted. */
#ifndef KERNEL_TRACEBACK_H
#define KERNEL_TRACEBACK_H

#include "arch/arch.h"

struct g;

/* The registers at the caller, to walk from. Any context. */
static inline __attribute__((always_inline)) void traceback_here(struct arch_unwind *u)
{
	*u = (struct arch_unwind){.pc = arch_pc(), .sp = arch_sp(), .fp = arch_fp(), .ra = 0};
}

/* Prints the stack from *u on this hart, without its first `skip` frames, through panic_line(). */
void traceback_print(const struct arch_unwind *u, unsigned skip);
/* Prints the stack of a goroutine that does not run. */
void traceback_parked(const struct g *g);
/* Prints "created by f in goroutine n". */
void traceback_created_by(const struct g *g);

#endif
