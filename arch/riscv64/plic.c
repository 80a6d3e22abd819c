/* RISC-V Platform-Level Interrupt Controller Specification 1.0. All lines are enabled for one context, that of the boot hart. */
#include "arch/riscv64/plic.h"

#include "arch/arch.h"

enum {
	PRIORITY = 0,    /* one word for each source */
	ENABLE = 0x2000, /* a bit for each source, CONTEXT_ENABLE bytes for each context */
	CONTEXT_ENABLE = 0x80,
	CONTEXT = 0x200000, /* threshold, claim and complete, CONTEXT_SIZE bytes for each context */
	CONTEXT_SIZE = 0x1000,
	THRESHOLD = 0,
	CLAIM = 4,
	SOURCES = 1024, /* 0 is none */
};

static volatile uint32_t *reg(uint64_t offset)
{
	return (volatile uint32_t *)(uintptr_t)(arch_platform.plic_base + offset);
}

static volatile uint32_t *context_reg(uint64_t offset)
{
	return reg(CONTEXT + (uint64_t)arch_platform.plic_context * CONTEXT_SIZE + offset);
}

bool arch_irq_open(struct arch_irq_line line)
{
	if (arch_platform.plic_base == 0 || line.number == 0 || line.number >= SOURCES)
		return false;
	*reg(PRIORITY + 4 * (uint64_t)line.number) = 1;
	*context_reg(THRESHOLD) = 0;
	*reg(ENABLE + (uint64_t)arch_platform.plic_context * CONTEXT_ENABLE + line.number / 32 * 4) |=
		UINT32_C(1) << line.number % 32;
	return true;
}

void plic_irq(void)
{
	uint32_t source;
	while ((source = *context_reg(CLAIM)) != 0) {
		upcall_device_irq(source);
		*context_reg(CLAIM) = source;
	}
}
