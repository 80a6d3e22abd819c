/* The clock, each hart's timer, and the platform's wall clock. */
#include "arch/arch.h"

#include "arch/riscv64/sbi.h"
#include "kernel/hart.h"

enum {
	RTC_TIME_LOW = 0, /* goldfish-rtc, nanoseconds; reading the low half latches the high one */
	RTC_TIME_HIGH = 4,
};

#define STR_(x) #x
#define STR(x)  STR_(x)

uint64_t arch_ticks_hz(void)
{
	return arch_platform.timebase_hz;
}

void arch_timer_arm(uint64_t deadline_ticks)
{
	arch_hart()->arch.timer_armed = true;
	if (arch_platform.sstc)
		__asm__ volatile("csrw " STR(CSR_STIMECMP) ", %0" : : "r"(deadline_ticks) : "memory");
	else
		sbi_set_timer(deadline_ticks);
}

uint64_t arch_wall_ns(void)
{
	if (arch_platform.rtc_base == 0)
		return 0;
	uint32_t low = *(volatile uint32_t *)(uintptr_t)(arch_platform.rtc_base + RTC_TIME_LOW);
	uint32_t high = *(volatile uint32_t *)(uintptr_t)(arch_platform.rtc_base + RTC_TIME_HIGH);
	return (uint64_t)high << 32 | low;
}
