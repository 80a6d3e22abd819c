#include "tests/faults/cases.h"

void fault_illegal(void)
{
	__asm__ volatile("ud2");
}

void fault_division(void)
{
	volatile int one = 1, zero = 0;
	volatile int quotient = one / zero;
	(void)quotient;
}

void fault_wild_sp(void)
{
	__asm__ volatile("movabsq $0x7000000000, %%rax\n\tmovq %%rax, %%rsp\n\tpushq %%rax" ::
				 : "rax", "memory");
}

void fault_privileged(void)
{
	__asm__ volatile("movw %w0, %%ds" ::"r"(0x1238));
}
