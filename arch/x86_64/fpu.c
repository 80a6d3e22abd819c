/*
 * Floating point and vector state: XSAVE of every component in use, FXSAVE where there is no XSAVE.
 *
 * 1. Plain XSAVE, never XSAVEOPT: that leaves out what was not modified since the last XRSTOR from the same
 * address, and save areas are handed from goroutine to goroutine, otherwise one would be restored with
 * another's registers.
 * 2. The x87 stack is emptied behind a save, otherwise what runs next, which may have no state of its own to load, starts with the
 * registers of the preempted goroutine occupied.
 * 3. The header is cleared before each save, otherwise XRSTOR faults on what a reused area had there.
 */
#include "arch/arch.h"

#include "kernel/assert.h"

enum { XSAVE_HEADER = 512, XSAVE_HEADER_WORDS = 8 };

size_t arch_fpu_size(void)
{
	return arch_platform.fpu_size;
}

static void state_save(void *area)
{
	if (!arch_platform.has_xsave) {
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
		return;
	}
	uint64_t *header = (uint64_t *)((char *)area + XSAVE_HEADER);
	for (unsigned i = 0; i < XSAVE_HEADER_WORDS; i++)
		header[i] = 0;
	uint64_t mask = arch_platform.xcr0;
	__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}

void arch_fpu_save(void *area)
{
	ASSERT(((uintptr_t)area & 63) == 0, "an FP save area is 64-byte aligned");
	state_save(area);
	__asm__ volatile("fninit");
}

void arch_fpu_restore(const void *area)
{
	if (!arch_platform.has_xsave) {
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
		return;
	}
	uint64_t mask = arch_platform.xcr0;
	__asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}
