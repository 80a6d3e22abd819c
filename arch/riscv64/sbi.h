/* Calls into the firmware (RISC-V SBI specification 1.0). Any context; a call costs about 300 instructions.
 */
#ifndef ARCH_RISCV64_SBI_H
#define ARCH_RISCV64_SBI_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/riscv64/sbi_numbers.h"

enum {
	SBI_EXT_BASE = 0x10,
	SBI_EXT_TIME = 0x54494d45,
	SBI_EXT_IPI = 0x735049,
	SBI_EXT_HSM = 0x48534d,
	SBI_EXT_SRST = 0x53525354,
};

/* One call; returns the SBI error, 0 or a negative number. */
static inline long sbi_call(unsigned long ext, unsigned long fid, unsigned long arg0, unsigned long arg1,
			    unsigned long arg2)
{
	register unsigned long a0 __asm__("a0") = arg0;
	register unsigned long a1 __asm__("a1") = arg1;
	register unsigned long a2 __asm__("a2") = arg2;
	register unsigned long a6 __asm__("a6") = fid;
	register unsigned long a7 __asm__("a7") = ext;
	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return (long)a0;
}

struct sbi_result {
	unsigned long error, value; /* error: 0, or a negative number */
};

/* A call with five arguments, and all that it returns. */
static inline struct sbi_result sbi_call_result(unsigned long ext, unsigned long fid, unsigned long arg0,
						unsigned long arg1, unsigned long arg2, unsigned long arg3,
						unsigned long arg4)
{
	register unsigned long a0 __asm__("a0") = arg0;
	register unsigned long a1 __asm__("a1") = arg1;
	register unsigned long a2 __asm__("a2") = arg2;
	register unsigned long a3 __asm__("a3") = arg3;
	register unsigned long a4 __asm__("a4") = arg4;
	register unsigned long a6 __asm__("a6") = fid;
	register unsigned long a7 __asm__("a7") = ext;
	__asm__ volatile("ecall"
			 : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
			 : "memory");
	return (struct sbi_result){a0, a1};
}

/* The error alone. */
static inline long sbi_call5(unsigned long ext, unsigned long fid, unsigned long arg0, unsigned long arg1,
			     unsigned long arg2, unsigned long arg3, unsigned long arg4)
{
	return (long)sbi_call_result(ext, fid, arg0, arg1, arg2, arg3, arg4).error;
}

/* A counter of cycles that says when it runs over; 0: there is none. It is not running. */
static inline unsigned long sbi_counter_take(void)
{
	enum { FIXED = 3 }; /* counters below are those of the base instructions, which cannot say it */
	/* base and mask: which counters */
	struct sbi_result r = sbi_call_result(SBI_EXT_PMU, SBI_PMU_MATCH, FIXED, 0xffff, SBI_PMU_MATCH_CLEAR,
					      SBI_PMU_CYCLES, 0);
	return r.error == 0 && r.value >= FIXED ? r.value : 0;
}

/* The counter runs over after so many cycles. It has to be stopped before. */
static inline void sbi_counter_start(unsigned long counter, uint64_t cycles)
{
	sbi_call5(SBI_EXT_PMU, SBI_PMU_START, counter, 1, SBI_PMU_START_VALUE, -cycles, 0);
}

static inline void sbi_counter_stop(unsigned long counter)
{
	sbi_call(SBI_EXT_PMU, SBI_PMU_STOP, counter, 1, 0);
}

/* Whether the firmware has this extension. */
static inline bool sbi_probe(unsigned long ext)
{
	register unsigned long a0 __asm__("a0") = ext;
	register unsigned long a1 __asm__("a1") = 0;
	register unsigned long a6 __asm__("a6") = 3;
	register unsigned long a7 __asm__("a7") = SBI_EXT_BASE;
	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
	return a0 == 0 && a1 != 0;
}

/* Arms this hart's timer for an absolute time. */
static inline void sbi_set_timer(uint64_t deadline)
{
	sbi_call(SBI_EXT_TIME, 0, deadline, 0, 0);
}

/* A supervisor software interrupt for one hart. */
static inline long sbi_send_ipi(uint64_t hart_id)
{
	return sbi_call(SBI_EXT_IPI, 0, 1, hart_id, 0);
}

/* Starts a stopped hart at a physical address with a1 = opaque. */
static inline long sbi_hart_start(uint64_t hart_id, uintptr_t entry, uintptr_t opaque)
{
	return sbi_call(SBI_EXT_HSM, 0, hart_id, entry, opaque);
}

/* Power-off; returns only when the firmware cannot. */
static inline void sbi_shutdown(void)
{
	sbi_call(SBI_EXT_SRST, 0, 0, 0, 0);
}

/* A cold reboot; returns only when the firmware cannot. */
static inline void sbi_reboot(void)
{
	sbi_call(SBI_EXT_SRST, 0, 1, 0, 0);
}

#endif
