/*
 * An NMI of the hart's own: a counter of cycles that runs over is a supervisor software event of the firmware (SBI extensions PMU and SSE),
 * which nothing masks. Wants a processor with Sscofpmf and OpenSBI 1.6.
 *
 * 1. A hart takes these events or those of nmi.c, never both. Otherwise one would interrupt the handler of the other, on the same stack.
 * 2. Cycles are taken for nanoseconds, which is what an emulator counts. Otherwise an alarm comes at another time, which its receiver sees.
 * 3. The counter is stopped before it is started. Otherwise the firmware refuses. QEMU remembers the earliest of the times it was started for:
 *    an alarm cannot be moved back.
 * 4. The counter is stopped as soon as it has run over. Otherwise the firmware sends the event again when its handler has completed, for ever.
 * 5. Who has started it looks at the clock. Otherwise an emulator whose host takes the processor away between the counter's value and its start,
 *    for longer than the alarm is away, would see the time pass with the counter off, and never say so.
 */
#include "arch/arch.h"
#include "arch/riscv64/sbi.h"
#include "arch/riscv64/trap.h"
#include "kernel/hart.h"

enum { TRIES = 4 };

bool arch_alarm_enter(void)
{
	struct hart *h = arch_hart();
	if (h->arch.alarm != 0)
		return true;
	if (atomic_load_explicit(&h->arch.nmi, memory_order_relaxed) /* rule 1 */ ||
	    !sbi_probe(SBI_EXT_SSE) || !sbi_probe(SBI_EXT_PMU))
		return false;
	unsigned long counter = sbi_counter_take();
	if (counter == 0 || sbi_call(SBI_EXT_SSE, SBI_SSE_REGISTER, SBI_SSE_LOCAL_COUNTER,
				     (uintptr_t)nmi_entry, (uintptr_t)h) != 0)
		return false;
	if (sbi_call(SBI_EXT_SSE, SBI_SSE_ENABLE, SBI_SSE_LOCAL_COUNTER, 0, 0) != 0 ||
	    sbi_call(SBI_EXT_SSE, SBI_SSE_UNMASK, 0, 0, 0) != 0)
		return false;
	h->arch.alarm = counter;
	return true;
}

static void counter_stop(struct arch_hart *a)
{
	if (a->alarm_on)
		sbi_counter_stop(a->alarm);
	a->alarm_on = false;
}

void alarm_ended(void)
{
	struct arch_hart *a = &arch_hart()->arch;
	if (a->alarm == 0)
		return;
	sbi_counter_stop(a->alarm); /* whatever alarm_on says: this may have interrupted arch_alarm_arm() */
	a->alarm_on = false;
}

void arch_alarm_arm(uint64_t deadline_ticks)
{
	struct arch_hart *a = &arch_hart()->arch;
	uint64_t now = arch_ticks(), ticks = deadline_ticks > now ? deadline_ticks - now : 1;
	counter_stop(a);
	for (int i = 0; i < TRIES && deadline_ticks != UINT64_MAX; i++, ticks *= 2) {
		now = arch_ticks();
		a->alarm_on = true; /* before it is: it may run over at once */
		sbi_counter_start(a->alarm, ticks * (1000000000 / arch_platform.timebase_hz));
		if (arch_ticks() - now < ticks) /* rule 5 */
			return;
		counter_stop(a);
	}
}
