/*
 * The rate of the time-stamp counter, against the local APIC timer, which counts at exactly 1 GHz in QEMU and
 * KVM.
 *
 * The two counters are read as a sandwich, TSC, count, TSC, at both ends of a span of SPAN or more, in which
 * boot goes on; of TRIES at each end the tightest counts, because an emulated hart may lose its host core
 * between any two instructions. Boots on an idle host agree within 40 ppm.
 */
#include "arch/arch.h"
#include "arch/x86_64/lapic.h"
#include "boot/boot.h"
#include "kernel/assert.h"

enum { TRIES = 16, SPAN = 500000 /* timer counts: 0.5 ms */ };

#define LAPIC_TIMER_HZ UINT64_C(1000000000)

struct reading {
	uint64_t tsc;   /* the middle of the sandwich */
	uint32_t count; /* what was left of the timer */
};

static struct reading read_both(void)
{
	struct reading best = {0, 0};
	uint64_t width = UINT64_MAX;
	for (int i = 0; i < TRIES; i++) {
		uint64_t before = arch_ticks();
		uint32_t count = lapic_read(LAPIC_TIMER_CURRENT);
		uint64_t after = arch_ticks();
		if (after - before < width) {
			width = after - before;
			best = (struct reading){before + width / 2, count};
		}
	}
	return best;
}

static struct reading first;

void boot_clock_begin(void)
{
	lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
	first = read_both();
}

void boot_clock_end(void)
{
	struct reading last;
	for (;;) {
		while (first.count - lapic_read(LAPIC_TIMER_CURRENT) < SPAN)
			arch_pause();
		last = read_both();
		if (last.count != 0)
			break;
		boot_clock_begin(); /* the host held boot up until the count had run out, 4.3 s */
	}
	lapic_write(LAPIC_TIMER_INITIAL, 0);

	uint64_t counts = first.count - last.count, ticks = last.tsc - first.tsc;
	ASSERT(counts >= SPAN && last.count < first.count, "the local APIC timer counts");
	arch_platform.tsc_hz = (uint64_t)((__uint128_t)ticks * LAPIC_TIMER_HZ / counts);
	ASSERT(arch_platform.tsc_hz >= 1000000, "the time-stamp counter counts");
	arch_platform.lapic_per_tick = (LAPIC_TIMER_HZ << 32) / arch_platform.tsc_hz;
}
