/*
 * Clock and timer: the time-stamp counter tells the time, the local APIC's one-shot timer interrupts.
 *
 * 1. The TSC is taken to be synchronous on all harts and steady; boot/x86_64/calibrate.c measures its rate.
 * 2. A deadline further away than the 32-bit count reaches (4.3 s) arms the longest count: the interrupt then
 * comes early, and whoever handles it arms again. upcall_timer_irq() looks at the clock and not at the fact
 * that it came.
 * 3. A count of 0 is never written for a deadline, otherwise the timer would stop instead of fire.
 */
#include "arch/x86_64/lapic.h"

uint64_t arch_ticks_hz(void)
{
	return arch_platform.tsc_hz;
}

void arch_timer_arm(uint64_t deadline_ticks)
{
	if (deadline_ticks == UINT64_MAX) {
		lapic_write(LAPIC_TIMER_INITIAL, 0);
		return;
	}
	uint64_t now = arch_ticks();
	uint64_t ticks = deadline_ticks > now ? deadline_ticks - now : 0;
	/* One more than the quotient: not a count too early. */
	__uint128_t count = ((__uint128_t)ticks * arch_platform.lapic_per_tick >> 32) + 1;
	lapic_write(LAPIC_TIMER_INITIAL, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}
