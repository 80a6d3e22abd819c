/*
 * An NMI of the hart's own: channel 0 of the interval timer (Intel 8254), counting down once, whose line the I/O APIC delivers as an NMI.
 *
 * 1. Whether that works is tried once, and believed only if the NMI came. Otherwise a machine without the timer would look like one whose
 *    harts never turn interrupts off.
 * 2. A deadline further away than its 16 bits reach (54.9 ms) arms the longest count: the alarm comes early.
 */
#include "arch/arch.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/ioapic.h"
#include "kernel/hart.h"

enum {
	PIT_CHANNEL_0 = 0x40,
	PIT_COMMAND = 0x43,
	PIT_ONCE =
		0x30, /* channel 0, low byte and high byte, mode 0: the line rises when the count has ended */
	PIT_HZ = 1193182,
	PIT_LINE =
		2, /* of the I/O APIC, on every machine with both: pin 0 is the old interrupt controller's */

	TRY_US = 20,
	TRY_WAIT_US = 20000, /* for a host that is busy */
};

static uint64_t us_to_ticks(uint64_t us)
{
	return us * arch_platform.tsc_hz / 1000000;
}

void arch_alarm_arm(uint64_t deadline_ticks)
{
	if (deadline_ticks == UINT64_MAX)
		return; /* it has no stop */
	uint64_t now = arch_ticks(), ticks = deadline_ticks > now ? deadline_ticks - now : 0;
	uint64_t count = UINT16_MAX;
	if (ticks < arch_platform.tsc_hz) /* one more than the quotient: not a count too early */
		count = ticks * PIT_HZ / arch_platform.tsc_hz + 1;
	if (count > UINT16_MAX)
		count = UINT16_MAX;
	outb(PIT_COMMAND, PIT_ONCE);
	outb(PIT_CHANNEL_0, (uint8_t)count);
	outb(PIT_CHANNEL_0, (uint8_t)(count >> 8));
}

bool arch_alarm_enter(void)
{
	static enum { UNTRIED, NONE, WORKS } alarm;
	struct arch_hart *a = &arch_hart()->arch;
	if (alarm == UNTRIED) {
		uint32_t before = atomic_load_explicit(&a->nmis, memory_order_relaxed);
		alarm = NONE;
		if (!ioapic_nmi(PIT_LINE, arch_hart()->hwid))
			return false;
		arch_alarm_arm(arch_ticks() + us_to_ticks(TRY_US));
		for (uint64_t end = arch_ticks() + us_to_ticks(TRY_WAIT_US); /* rule 1 */
		     arch_ticks() < end && atomic_load_explicit(&a->nmis, memory_order_relaxed) == before;)
			arch_pause();
		if (atomic_load_explicit(&a->nmis, memory_order_relaxed) != before)
			alarm = WORKS;
	}
	return alarm == WORKS;
}
