/* All registers that a goroutine may use, held over a loop without calls (riscv64). */
#ifndef TESTS_GUEST_REGISTERS_H
#define TESTS_GUEST_REGISTERS_H

#include <stdint.h>

/* x1, x5 to x31 without the loop's counter x11; gp, tp and sp have a fixed meaning. */
struct registers {
	uint64_t x[27];
	uint64_t f[32];
	uint64_t fcsr;
};

/* Makes random contents valid. */
static inline void registers_prepare(struct registers *r)
{
	r->fcsr = r->fcsr % 4 << 5 | (r->fcsr >> 8) % 32; /* a rounding mode that exists, any flags */
}

/* Loads all registers from *r, runs `rounds` turns of an empty loop, and stores them back. */
void registers_hold(struct registers *r, uint64_t rounds);

#endif
