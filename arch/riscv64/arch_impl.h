/*
 * riscv64, the inline half of the contract in arch/arch.h.
 *
 * Registers with a fixed meaning, everywhere in the kernel and in applications:
 *
 *	gp		the hart pointer; the image is linked without __global_pointer$, so gp addresses nothing
 *	tp		the thread pointer: start of the running goroutine's TLS block (local-exec)
 *	sscratch	the hart pointer while interrupted code runs, 0 inside a trap (trap.S)
 */
#ifndef ARCH_RISCV64_ARCH_IMPL_H
#define ARCH_RISCV64_ARCH_IMPL_H

#include <stdatomic.h>

#include "arch/riscv64/csr.h"

/* Sv39: root entries 0-255 are the lower half (devices, RAM at its physical address, wired stacks), 256-511
 * the upper one (goroutine stacks). RAM that lies at or beyond ARCH_WIRED_BASE is not used. */
#define ARCH_WIRED_BASE UINT64_C(0x3000000000)
/* Below it everything but the first MiB is mapped for devices. */
#define ARCH_DEVICES_END UINT64_C(0x80000000)
#define ARCH_WIRED_SIZE  UINT64_C(0x0400000000) /* 16 GiB */
#define ARCH_STACK_BASE  UINT64_C(0xffffffc000000000)
#define ARCH_STACK_SIZE  UINT64_C(0x3000000000) /* 192 GiB */

#define ARCH_TLS_VARIANT 1 /* the block starts at tp */

#define ARCH_FRAME_RECORD \
	(-16) /* where a frame keeps {caller's frame pointer, return address}, from its own frame pointer */

struct arch_hart {
	/* owned by this hart: interrupts off or preemption off */
	uint64_t nmi_sepc;   /* NMI handler only: a buffer for the firmware */
	unsigned long alarm; /* the counter whose overflow is an NMI, 0: none (alarm.c) */
	bool alarm_on;       /* it may be running */
	bool timer_armed;    /* arch_timer_arm() was called since the last timer interrupt */

	/* atomic */
	_Atomic bool entered;        /* takes IPIs; set by this hart */
	_Atomic bool nmi;            /* takes NMIs; set by this hart */
	_Atomic uint32_t nmi_coming; /* one was sent: the sender sets, this hart clears */
};

/* Immutable after boot, but for the boot hart before its first use. */
struct arch_platform {
	struct arch_uart uart; /* the console's */
	uint64_t test_base;    /* sifive_test; 0: none */
	uint64_t rtc_base;     /* goldfish-rtc; 0: none */
	uint64_t plic_base;    /* 0: none */
	uint32_t plic_context; /* of the boot hart's supervisor interrupt */
	uint64_t timebase_hz;
	uint64_t tree_base, tree_size; /* the device tree; readable */
	bool sstc;                     /* every hart has stimecmp */
};

extern struct arch_platform arch_platform;

static inline bool arch_irq_enabled(void)
{
	return (csr_read(sstatus) & SSTATUS_SIE) != 0;
}

static inline bool arch_irq_save(void)
{
	uint64_t before;
	__asm__ volatile("csrrci %0, sstatus, %1" : "=r"(before) : "i"(SSTATUS_SIE) : "memory");
	return (before & SSTATUS_SIE) != 0;
}

static inline void arch_irq_enable(void)
{
	__asm__ volatile("csrsi sstatus, %0" : : "i"(SSTATUS_SIE) : "memory");
}

static inline void arch_irq_disable(void)
{
	__asm__ volatile("csrci sstatus, %0" : : "i"(SSTATUS_SIE) : "memory");
}

static inline void arch_irq_restore(bool enable)
{
	if (enable)
		arch_irq_enable();
}

static inline void arch_pause(void)
{
	/* "pause" of Zihintpause, a hint that every implementation accepts: fence w, 0. */
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory");
}

static inline uint64_t arch_bit_lock(_Atomic uint64_t *word)
{
	return atomic_fetch_or_explicit(word, 1,
					memory_order_acquire); /* one amoor; pairs as in chan_lock_short() */
}

static inline void arch_wait(void)
{
	/* wfi goes on for an interrupt that is pending and enabled in sie, whatever sstatus.SIE says. */
	__asm__ volatile("wfi" : : : "memory");
	arch_irq_enable();
}

static inline struct hart *arch_hart(void)
{
	struct hart *h;
	__asm__ volatile("mv %0, gp" : "=r"(h));
	return h;
}

/* Reads a thread-local word without keeping half of its address in a register over calls, as gcc does; the linker makes one instruction of it. */
#define arch_tls_again(variable)                                               \
	({                                                                     \
		__typeof__(variable) word_;                                    \
		__asm__ volatile("lui %0, %%tprel_hi(" #variable               \
				 ")\n\tadd %0, %0, tp, %%tprel_add(" #variable \
				 ")\n\tld %0, %%tprel_lo(" #variable ")(%0)"   \
				 : "=r"(word_));                               \
		word_;                                                         \
	})

static inline __attribute__((always_inline)) uintptr_t arch_pc(void)
{
	uintptr_t pc;
	__asm__ volatile("auipc %0, 0" : "=r"(pc));
	return pc;
}

static inline __attribute__((always_inline)) uintptr_t arch_sp(void)
{
	uintptr_t sp;
	__asm__ volatile("mv %0, sp" : "=r"(sp));
	return sp;
}

static inline __attribute__((always_inline)) uintptr_t arch_fp(void)
{
	return (uintptr_t)__builtin_frame_address(0);
}

static inline uintptr_t arch_tls(void)
{
	uintptr_t tp;
	__asm__ volatile("mv %0, tp" : "=r"(tp));
	return tp;
}

static inline void arch_set_tls(uintptr_t tls)
{
	__asm__ volatile("mv tp, %0" : : "r"(tls) : "memory");
}

static inline uint64_t arch_ticks(void)
{
	uint64_t now;
	__asm__ volatile("rdtime %0" : "=r"(now));
	return now;
}

static inline void arch_device_fence(void)
{
	__asm__ volatile("fence iorw, iorw" : : : "memory");
}

static inline uint8_t arch_uart_get(const struct arch_uart *u, unsigned reg)
{
	return *(volatile uint8_t *)(uintptr_t)(u->base + ((uint64_t)reg << u->shift));
}

static inline void arch_uart_put(const struct arch_uart *u, unsigned reg, uint8_t value)
{
	*(volatile uint8_t *)(uintptr_t)(u->base + ((uint64_t)reg << u->shift)) = value;
}

static inline uint8_t arch_uart_read(unsigned reg)
{
	return arch_uart_get(&arch_platform.uart, reg);
}

static inline void arch_uart_write(unsigned reg, uint8_t value)
{
	arch_uart_put(&arch_platform.uart, reg, value);
}

#endif
