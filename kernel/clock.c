/* Conversion between the architecture's ticks and nanoseconds (see clock.h). */
#include "kernel/clock.h"

#include "arch/arch.h"
#include "kernel/assert.h"

#define NS 1000000000ull

static uint64_t hz, boot_ticks, boot_wall; /* boot_wall: ns since 1970 at boot_ticks, 0: not known */

void clock_init(void)
{
	hz = arch_ticks_hz();
	ASSERT(hz > 0 && hz < UINT64_MAX / NS, "the tick rate is known at boot");
	boot_ticks = arch_ticks();
}

void clock_wall_init(void)
{
	uint64_t now = arch_wall_ns();
	boot_wall = now != 0 ? now - clock_ns() : 0;
}

/* Whole seconds apart, so that 64 bits are enough: hz and ns within a second multiply to less than 2^64 for any rate below 18 GHz. */
uint64_t clock_from_ticks(uint64_t ticks)
{
	return ticks / hz * NS + ticks % hz * NS / hz;
}

uint64_t clock_to_ticks(uint64_t ns)
{
	uint64_t whole, t;
	if (__builtin_mul_overflow(ns / NS, hz, &whole) ||
	    __builtin_add_overflow(whole, (ns % NS * hz + NS - 1) / NS, &t) || t == UINT64_MAX)
		return UINT64_MAX - 1;
	return t;
}

uint64_t clock_ns(void)
{
	return clock_from_ticks(arch_ticks() - boot_ticks);
}

uint64_t clock_wall_ns(void)
{
	return boot_wall + clock_ns();
}

uint64_t clock_ticks_at(uint64_t ns)
{
	uint64_t span = clock_to_ticks(ns);
	return span > UINT64_MAX - 1 - boot_ticks ? UINT64_MAX - 1 : boot_ticks + span;
}

uint64_t clock_deadline(uint64_t ns)
{
	uint64_t now = arch_ticks(), span = clock_to_ticks(ns);
	return span > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + span;
}
