/*
 * x86-64's half of the architecture contract: what is inline, the constants, and the architecture's part of
 * struct hart.
 *
 * 1. GS base is the hart, for ever: everything runs in ring 0, so there is no swapgs, and nobody loads the gs
 * selector (loading it would clear the base).
 * 2. FS base is the thread pointer, and the word it points to holds itself (the ABI's local-exec TLS).
 */
#ifndef ARCH_X86_64_ARCH_IMPL_H
#define ARCH_X86_64_ARCH_IMPL_H

#include <stdatomic.h>

/* Virtual regions in the upper half; each begins at a root-table entry (512 GiB). */
#define ARCH_STACK_BASE UINT64_C(0xffff900000000000)
#define ARCH_STACK_SIZE (UINT64_C(1) << 40)
#define ARCH_WIRED_BASE UINT64_C(0xffffa00000000000)
#define ARCH_WIRED_SIZE (UINT64_C(1) << 39)

#define ARCH_COM1        0x3f8       /* I/O port of the console */
#define ARCH_MSR_FS_BASE 0xc0000100u /* used without FSGSBASE */

/* The thread pointer is the end of the thread-local block, and the word there holds itself (kernel/tls.c). */
#define ARCH_TLS_VARIANT 2

#define ARCH_FRAME_RECORD \
	(0) /* where a frame keeps {caller's frame pointer, return address}, from its own frame pointer */

enum arch_ist { IST_IRQ = 1, IST_EXC, IST_NMI, IST_PANIC, IST_DEBUG };

/* Task state segment: the stacks that interrupts and exceptions arrive on. Intel SDM volume 3, figure 8-11.
 */
struct arch_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* IST n is ist[n - 1] */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));

_Static_assert(sizeof(struct arch_tss) == 104, "hardware format");

struct arch_hart {
	/* immutable after arch_hart_enter(), but for ist[IST_EXC - 1] */
	uint64_t gdt[6];
	struct arch_tss tss;

	/* owned by this hart */
	bool in_nmi;

	/* atomic, relaxed: written by this hart */
	_Atomic bool entered;  /* it can take an NMI or IPI */
	_Atomic uint32_t nmis; /* how many came */

	/* #DB alone: it may hit inside the entry and exit of every other trap */
	uint8_t debug_stack[2048] __attribute__((aligned(16)));
};

enum { ARCH_IOAPICS = 8 };

/* Immutable after boot. */
struct arch_platform {
	/* filled by cpu_detect() */
	bool has_fsgsbase; /* at offset 0: read by the switch */
	bool has_xsave;
	bool has_page_1g;
	bool has_nx;
	bool has_smep;
	bool has_umip;
	uint32_t fpu_size; /* bytes of a save area, a multiple of 64 */
	uint64_t xcr0;     /* state components in use; 0 without XSAVE */

	/* filled by boot/x86_64/ */
	uint64_t lapic_base; /* physical address */
	struct {
		uint64_t base;  /* physical address */
		uint32_t first; /* its first global system interrupt */
	} ioapic[ARCH_IOAPICS];
	uint32_t n_ioapics;
	uint64_t tsc_hz;
	uint64_t lapic_per_tick; /* local APIC timer counts a TSC tick, 32.32 fixed point */
	uint32_t pm1a_port;      /* ACPI power-off: PM1a control block, 0: none */
	uint64_t sleep_control;  /* ACPI power-off without PM1: sleep control register, 0: none */
	bool sleep_control_is_port;
};

_Static_assert(offsetof(struct arch_platform, has_fsgsbase) == 0, "assembly offset");

extern struct arch_platform arch_platform;

/* ---- interrupts and waiting ---- */

static inline bool arch_irq_enabled(void)
{
	uint64_t flags;
	/* The frame pointer as an operand: so that the frame is set up before sp moves, and an unwinder counts from it. */
	__asm__ volatile("pushfq; popq %0" : "=r"(flags) : "r"(__builtin_frame_address(0)) : "memory");
	return (flags & 0x200) != 0;
}

static inline void arch_irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void arch_irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline bool arch_irq_save(void)
{
	bool on = arch_irq_enabled();
	arch_irq_disable();
	return on;
}

static inline void arch_irq_restore(bool enable)
{
	if (enable)
		arch_irq_enable();
}

static inline void arch_pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline uint64_t arch_bit_lock(_Atomic uint64_t *word)
{
	/* A lock bts; for the old word itself it would take a loop of lock cmpxchg. Nobody changes what the bit locks. Pairs as in
	 * chan_lock_short(). */
	if (__builtin_expect((atomic_fetch_or_explicit(word, 1, memory_order_acquire) & 1) != 0, 0))
		return 1;
	return atomic_load_explicit(word, memory_order_relaxed) - 1;
}

static inline void arch_wait(void)
{
	/* sti takes effect after the next instruction: no interrupt is lost between the two. */
	__asm__ volatile("sti; hlt" ::: "memory");
}

static inline void arch_device_fence(void)
{
	__asm__ volatile("" ::: "memory"); /* stores to device space are not reordered with those before */
}

/* ---- who am I ---- */

static inline struct hart *arch_hart(void)
{
	struct hart *h;
	__asm__ volatile("movq %%gs:0, %0" : "=r"(h));
	return h;
}

static inline uintptr_t arch_sp(void)
{
	uintptr_t sp;
	__asm__ volatile("movq %%rsp, %0" : "=r"(sp));
	return sp;
}

static inline uintptr_t arch_pc(void)
{
	uintptr_t pc;
	__asm__ volatile("leaq 0(%%rip), %0" : "=r"(pc));
	return pc;
}

static inline uintptr_t arch_fp(void)
{
	uintptr_t fp;
	__asm__ volatile("movq %%rbp, %0" : "=r"(fp));
	return fp;
}

static inline uintptr_t arch_tls(void)
{
	uintptr_t tls;
	__asm__ volatile("movq %%fs:0, %0" : "=r"(tls));
	return tls;
}

static inline void arch_set_tls(uintptr_t tls)
{
	if (arch_platform.has_fsgsbase)
		__asm__ volatile("wrfsbase %0" ::"r"(tls) : "memory");
	else
		__asm__ volatile("wrmsr" ::"c"(ARCH_MSR_FS_BASE), "a"((uint32_t)tls),
				 "d"((uint32_t)(tls >> 32))
				 : "memory");
}

/* ---- clock ---- */

static inline uint64_t arch_ticks(void)
{
	uint64_t now;
	/* lfence: the counter is not read before what stands before it, otherwise two harts could disagree on
	 * which of two ordered events came first. */
	__asm__ volatile("lfence; rdtsc; shlq $32, %%rdx; orq %%rdx, %%rax"
			 : "=a"(now)::"rdx", "memory", "cc");
	return now;
}

/* ---- serial line ---- */

static inline uint8_t arch_uart_get(const struct arch_uart *u, unsigned reg)
{
	uint8_t value;
	__asm__ volatile("inb %w1, %0"
			 : "=a"(value)
			 : "Nd"((uint16_t)(u->base + ((uint64_t)reg << u->shift)))
			 : "memory");
	return value;
}

static inline void arch_uart_put(const struct arch_uart *u, unsigned reg, uint8_t value)
{
	__asm__ volatile("outb %0, %w1" ::"a"(value), "Nd"((uint16_t)(u->base + ((uint64_t)reg << u->shift)))
			 : "memory");
}

static inline uint8_t arch_uart_read(unsigned reg)
{
	return arch_uart_get(&(const struct arch_uart){.base = ARCH_COM1}, reg);
}

static inline void arch_uart_write(unsigned reg, uint8_t value)
{
	arch_uart_put(&(const struct arch_uart){.base = ARCH_COM1}, reg, value);
}

#endif
