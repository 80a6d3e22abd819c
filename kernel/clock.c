/* Conversion between the architecture's ticks and nanoseconds (see clock.h). */
#include "kernel/clock.h"

#include "arch/arch.h"
#include "kernel/assert.h"

static uint64_t hz, boot_ticks, boot_wall;

void clock_init(void)
{
	hz = arch_ticks_hz();
	ASSERT(hz > 0, "the tick rate is known at boot");
	boot_ticks = arch_ticks();
	boot_wall = arch_wall_ns();
}

uint64_t clock_from_ticks(uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)ticks * 1000000000u / hz);
}

uint64_t clock_to_ticks(uint64_t ns)
{
	unsigned __int128 t = ((unsigned __int128)ns * hz + 999999999u) / 1000000000u;
	return t > UINT64_MAX - 1 ? UINT64_MAX - 1 : (uint64_t)t;
}

uint64_t clock_ns(void)
{
	return clock_from_ticks(arch_ticks() - boot_ticks);
}

uint64_t clock_wall_ns(void)
{
	return boot_wall + clock_ns();
}

uint64_t clock_deadline(uint64_t ns)
{
	uint64_t now = arch_ticks(), span = clock_to_ticks(ns);
	return span > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + span;
}
