/*
 * The local APIC's registers, memory mapped (xAPIC). Each hart sees its own at the same address. Intel SDM
 * volume 3, chapter 11. Any context.
 */
#ifndef ARCH_X86_64_LAPIC_H
#define ARCH_X86_64_LAPIC_H

#include <stdint.h>

#include "arch/arch.h"

enum lapic_register {
	LAPIC_ID = 0x20,
	LAPIC_TPR = 0x80,
	LAPIC_EOI = 0xb0,
	LAPIC_SPURIOUS = 0xf0,
	LAPIC_ICR_LO = 0x300,
	LAPIC_ICR_HI = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

enum {
	LAPIC_ENABLE = 1 << 8,  /* of LAPIC_SPURIOUS */
	LAPIC_MASKED = 1 << 16, /* of an LVT entry */
	LAPIC_DIVIDE_BY_1 = 0xb,

	/* of LAPIC_ICR_LO */
	ICR_FIXED = 0,
	ICR_NMI = 4 << 8,
	ICR_INIT = 5 << 8,
	ICR_STARTUP = 6 << 8,
	ICR_PENDING = 1 << 12,
	ICR_ASSERT = 1 << 14,
};

static inline uint32_t lapic_read(enum lapic_register reg)
{
	return *(volatile uint32_t *)(arch_platform.lapic_base + reg);
}

static inline void lapic_write(enum lapic_register reg, uint32_t value)
{
	*(volatile uint32_t *)(arch_platform.lapic_base + reg) = value;
}

/* arch/x86_64/lapic.c */

/* Turns the running hart's local APIC on, with the timer stopped and all local inputs masked. Interrupts off.
 */
void lapic_enter(void);
uint32_t lapic_id(void);
/* Sends one interrupt command to the processor with this APIC id. Any context but NMI. */
void lapic_send(uint64_t id, uint32_t command);

#endif
