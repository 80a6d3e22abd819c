#include "tests/faults/cases.h"

void fault_illegal(void)
{
	__asm__ volatile(".4byte 0");
}

void fault_division(void)
{
	volatile int one = 1, zero = 0;
	volatile int quotient = one / zero;
	(void)quotient;
}

void fault_wild_sp(void)
{
	__asm__ volatile("li t0, 0x7000000000\n\tmv sp, t0\n\tsd t0, 0(sp)" ::: "t0", "memory");
}

void fault_privileged(void)
{
	__asm__ volatile("csrw mscratch, zero");
}
