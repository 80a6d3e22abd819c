#include "tests/faults/cases.h"

void fault_illegal(void)
{
	__asm__ volatile("ud2");
}

void fault_division(void)
{
	volatile int zero = 0;
	volatile int quotient = 1 / zero;
	(void)quotient;
}

void fault_wild_sp(void)
{
	__asm__ volatile("movabsq $0x7000000000, %%rax\n\tmovq %%rax, %%rsp\n\tpushq %%rax" ::
				 : "rax", "memory");
}

void fault_privileged(void)
{
	__asm__ volatile("wrmsr" ::"c"(0x7fffffff), "a"(0), "d"(0));
}
