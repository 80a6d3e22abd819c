/* All registers that a goroutine may use, held over a loop without calls (x86-64). */
#ifndef TESTS_GUEST_REGISTERS_H
#define TESTS_GUEST_REGISTERS_H

#include <stdint.h>
#include <string.h>

/* rax, rbx, rdx, rsi, rdi, rbp, r8 to r15: without the loop's counter rcx and rsp. */
struct registers {
	uint64_t gp[14];
	uint64_t vector[16][4]; /* ymm; the upper half counts where the processor has it */
	uint64_t mxcsr, x87_control;
};

/* Whether the processor has 256-bit registers and they are turned on. */
static inline uint64_t registers_wide(void)
{
	uint32_t a = 1, b, c = 0, d;
	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if ((c >> 26 & 6) != 6) /* XSAVE is bit 26, OSXSAVE 27, AVX 28 */
		return 0;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & 6) == 6;
}

/* Makes random contents valid. */
static inline void registers_prepare(struct registers *r)
{
	r->mxcsr = 0x1f80 | (r->mxcsr & 0x603f); /* exceptions masked; any rounding mode and flags */
	r->x87_control = 0x33f | (r->x87_control & 0xc00);
	if (!registers_wide())
		for (int i = 0; i < 16; i++)
			memset(&r->vector[i][2], 0, 16);
}

/* Loads all registers from *r, runs `rounds` turns of an empty loop, and stores them back. */
void registers_hold_wide(struct registers *r, uint64_t rounds, uint64_t wide);

static inline void registers_hold(struct registers *r, uint64_t rounds)
{
	registers_hold_wide(r, rounds, registers_wide());
}

#endif
