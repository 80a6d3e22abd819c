/*
 * The architecture contract: everything the machine-independent rooms may ask of an architecture, and
 * everything an architecture may ask of them. Each architecture implements this in arch/<arch>/; its inline
 * half is arch_impl.h, found through the include path and included last, so that an architecture which
 * forgets a function does not compile or link.
 *
 * Vocabulary: a frame is the full integer register set of interrupted code, saved on a wired per-hart stack
 * by trap entry. A context is what a voluntary switch keeps: the callee-saved registers lie on the suspended
 * stack, the context holds where. Contexts named in the comments (interrupt, system, goroutine, ...) are
 * those of docs/architecture.md.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct g;
struct hart;
struct arch_frame; /* full register set of interrupted code; layout private to the architecture */

/* A suspended voluntary context. The callee-saved registers lie at sp, but for a fresh one; tls is the thread pointer to load with it, which a switch does not
 * write. */
struct arch_context {
	uintptr_t sp;
	uintptr_t tls;
};

/* The registers an unwinder starts from. ra is meaningful only where a leaf function keeps it in a register.
 */
struct arch_unwind {
	uintptr_t pc, sp, fp, ra;
};

struct arch_range {
	uint64_t start, size; /* bytes; page aligned */
};

enum arch_prot {
	ARCH_PROT_READ = 1,
	ARCH_PROT_WRITE = 2,
	ARCH_PROT_EXEC = 4,
	ARCH_PROT_DEVICE = 8, /* uncached where the architecture distinguishes it */
};

enum arch_fill {
	ARCH_FILL_DONE,    /* the entry was absent and now maps the frame */
	ARCH_FILL_PRESENT, /* somebody else mapped the page first: the caller keeps its frame */
	ARCH_FILL_NOTABLE, /* arch_mmu_prepare() was not called for this address */
};

/* ---- interrupts and waiting (inline; any context) ------------------------------------------------------ */

static inline bool arch_irq_enabled(void);
static inline bool arch_irq_save(void);           /* turns interrupts off, returns whether they were on */
static inline void arch_irq_restore(bool enable); /* turns them on if enable */
static inline void arch_irq_enable(void);
static inline void arch_irq_disable(void);
static inline void arch_pause(void); /* a hint inside a bounded spin */
/* Sets bit 0 of *word (acquire). Returns the word as it was; if the bit was set, the other bits of what is returned mean nothing. */
static inline uint64_t arch_bit_lock(_Atomic uint64_t *word);
/* Called with interrupts off: waits for an interrupt without losing one that is pending already, and returns
 * with interrupts on after it was taken. May return early. */
static inline void arch_wait(void);

/* ---- who am I (inline) --------------------------------------------------------------------------------- */

/* This hart. Only with interrupts off or preemption off; never cached beyond. */
static inline struct hart *arch_hart(void);
/* Address of the running code's stack pointer and frame pointer, and the thread pointer (tp, FS base). */
static inline uintptr_t arch_pc(void); /* of a place in the function that calls it */
static inline uintptr_t arch_sp(void);
static inline uintptr_t arch_fp(void);
static inline uintptr_t arch_tls(void);
static inline void arch_set_tls(uintptr_t tls);

/* ---- clock and timer ----------------------------------------------------------------------------------- */

static inline uint64_t arch_ticks(void); /* monotonic, the same on every hart; arch_ticks_hz() a second */
uint64_t arch_ticks_hz(void);
/* Wall clock in ns since 1970 from the platform's RTC; 0 when there is none. Boot only. */
uint64_t arch_wall_ns(void);
/* Arms this hart's one hardware timer for an absolute arch_ticks() value, UINT64_MAX for never; a passed
 * deadline fires at once. Interrupts off or preemption off. Safe in interrupt context. */
void arch_timer_arm(uint64_t deadline_ticks);

/* ---- other harts --------------------------------------------------------------------------------------- */

/* upcall_ipi_irq() will run there, and sees what was written before the call; idempotent, may merge. Any context but NMI. */
void arch_ipi_send(struct hart *to);
/* Asks every other started hart to run upcall_stop() now: by NMI where there is one, else by IPI (after a
 * flag that the IPI path checks). Panic context. */
void arch_stop_others(void);
/* Makes this hart take NMIs (by NMI, or by an event of the firmware); false where the platform has none. Idempotent. Interrupt context. */
bool arch_nmi_enter(void);
/* On a machine of one hart, instead of arch_nmi_enter(): makes it take the NMIs that arch_alarm_arm() asks for; false where the platform has
 * no such timer. Idempotent. Interrupt context. */
bool arch_alarm_enter(void);
/* upcall_nmi() will run on this hart at that time of arch_ticks(), or before; UINT64_MAX: not any more. What was armed before is forgotten, but
 * may come still; an alarm may get lost, too. NMI context or interrupts off, after arch_alarm_enter() was true. */
void arch_alarm_arm(uint64_t deadline_ticks);
/* upcall_nmi() will run there, interrupts on or off, once arch_nmi_enter() has been called there; may merge, and is then dropped if it
 * comes too early. Any context but NMI, interrupts off. */
void arch_nmi_send(struct hart *to);
_Noreturn void arch_halt(void); /* this hart stops for good, interrupts off */

/* ---- device interrupts --------------------------------------------------------------------------------- */

/* Where a device's interrupt arrives: a PLIC source, or a global system interrupt and how it is wired. */
struct arch_irq_line {
	uint32_t number;
	bool level; /* else edge; what a PLIC source does, it knows itself */
	bool low;   /* active low */
};

/* From now on upcall_device_irq(line.number) runs on the boot hart when the line interrupts. False: this machine has no such line, or none
 * is left. Goroutine or system context; the caller serialises. */
bool arch_irq_open(struct arch_irq_line line);
static inline void arch_device_fence(
	void); /* memory before it is seen by a device before registers behind it are written */

/* ---- switching (assembly, in the linker section .text.switch between __switch_start and __switch_end) -- */

/* What a context that is resumed learns from whoever resumed it: where that one was saved (low half), and its word (high half). Two registers:
 * gcc would send a struct of two through memory. */
typedef unsigned __int128 arch_arrival;

static inline struct arch_context *arch_arrival_from(arch_arrival a)
{
	return (struct arch_context *)(uintptr_t)a;
}

static inline uintptr_t arch_arrival_word(arch_arrival a)
{
	return (uintptr_t)(a >> 64);
}

/* Saves the running voluntary context in *from and resumes *to, which learns `from` and `word`. *cur becomes g between the switch's bounds, as
 * the thread pointer changes. Interrupts are on, which is asserted. */
arch_arrival arch_switch(struct arch_context *from, const struct arch_context *to, struct g **cur,
			 struct g *g, uintptr_t word);
/* As arch_switch(), by a context that is never resumed: `from` is only what *to learns. */
_Noreturn void arch_resume(const struct arch_context *to, struct g **cur, struct g *g,
			   struct arch_context *from, uintptr_t word);
/* Saves the running voluntary context in *from and resumes interrupted code from a copied frame (interrupts
 * must be off; they come back as the frame had them). The thread pointer in the frame is restored, the hart
 * pointer is this hart's. */
arch_arrival arch_switch_frame(struct arch_context *from, struct arch_frame *frame);
/* Leaves interrupt context: resumes *to (the scheduler), which learns `word`, and forgets the running interrupt stack. Interrupts stay off. */
_Noreturn void arch_leave_trap(struct arch_context *to, uintptr_t word);
typedef void arch_entry_fn(struct g *g, struct arch_context *from, uintptr_t word);
/* A context that has not begun: on the stack that ends at stack_top (16-byte aligned), which is not touched. It is begun, not resumed. */
#define ARCH_CONTEXT_FRESH 1
static inline uintptr_t arch_context_fresh(uintptr_t stack_top)
{
	return stack_top + ARCH_CONTEXT_FRESH;
}
/* As arch_switch() and arch_resume(), to a fresh context, which calls entry(g, from, word). entry has a root frame for its caller: an
 * unwinder stops there. */
arch_arrival arch_begin(struct arch_context *from, const struct arch_context *to, struct g **cur, struct g *g,
			uintptr_t word, arch_entry_fn *entry);
/* from may be NULL: at boot, where interrupts may be off. */
_Noreturn void arch_begin_last(struct arch_context *from, const struct arch_context *to, struct g **cur,
			       struct g *g, uintptr_t word, arch_entry_fn *entry);
/* Calls fn(arg) on the stack that ends at stack_top and comes back. The caller's frame pointer chain and CFI
 * lead from fn's stack back to the caller. Preemption must be off. */
void arch_call_on(uintptr_t stack_top, void (*fn)(void *), void *arg);
/* Goes back into recover_here(regs) (include/hartbeat/panic.h, which this architecture defines too), whose caller is on the running stack
 * still: it returns 1. Preemption must be off. */
_Noreturn void arch_jump(const uintptr_t *regs);
/* Where a suspended or fresh context stands. */
void arch_context_unwind(const struct arch_context *c, struct arch_unwind *u);
/* Where the direct call leads that returns to ret; 0: that is no such call, as far as its bytes tell. Any context. */
uintptr_t arch_call_target(uintptr_t ret);
/* The return address of the entry of every context: where a stack ends. */
extern const char __context_call_end[];
extern const char __switch_start[], __switch_end[];

/* ---- frames and floating point ------------------------------------------------------------------------- */

size_t arch_frame_size(void); /* bytes; frames are 16-byte aligned */
void arch_frame_copy(struct arch_frame *to, const struct arch_frame *from);
void arch_frame_unwind(const struct arch_frame *f, struct arch_unwind *u);
/* Whether f's code stands in trap entry or exit at a place that no rule of the symbol table describes: *u becomes what the trap interrupted,
 * which is f's code's caller. NMI context: nothing else finds such a place. */
bool arch_frame_unwind_outer(const struct arch_frame *f, struct arch_unwind *u);
uintptr_t arch_frame_tls(const struct arch_frame *f);
bool arch_frame_irq_on(const struct arch_frame *f); /* whether it had interrupts on */
/* Prints every register, by name, four a line, through upcall_print_line(). Panic context. */
void arch_frame_print(const struct arch_frame *f);

/* Bytes of a save area for FP and vector state, 64-byte aligned; constant after boot. */
size_t arch_fpu_size(void);
void arch_fpu_save(void *area);
void arch_fpu_restore(const void *area);

/* ---- memory -------------------------------------------------------------------------------------------- */

/* Builds the kernel's page tables: RAM and devices at their physical addresses, RAM writable and never
 * executable, the image by its sections (text r-x, rodata r--, data rw-), page 0 absent; and switches to them
 * on this hart. Boot hart, once. */
void arch_mmu_init(const struct arch_range *ram, size_t n_ram);
/* Maps [va, va + size) of the wired or stack region to pa. 0, or -1 when out of memory for tables. System or
 * boot context; the caller serialises. */
int arch_mmu_map(uintptr_t va, uint64_t pa, size_t size, unsigned prot);
/* Makes the intermediate tables for [va, va + size). 0 or -1. System or boot context; the caller serialises.
 */
int arch_mmu_prepare(uintptr_t va, size_t size);
/* Sets an absent page-table entry by compare-and-swap, read-write, never executable. Any context. */
enum arch_fill arch_mmu_fill(uintptr_t va, uint64_t pa);
/* Clears the entry of a 4 KiB page (stack or wired region, or data of the image) and returns the frame it named, or 0. The caller flushes. */
uint64_t arch_mmu_clear(uintptr_t va);
/* Software look at the page table: physical address behind va, or 0 when absent. Never faults, takes no lock.
 * Any context. */
uint64_t arch_mmu_lookup(uintptr_t va);
void arch_tlb_flush_all(void);

/* ARCH_WIRED_BASE, ARCH_WIRED_SIZE: virtual region for wired stacks. ARCH_STACK_BASE, ARCH_STACK_SIZE:
 * virtual region for goroutine stacks (at least 64 GiB). Constants of arch_impl.h. */

/* ---- per-hart state and bring-up ----------------------------------------------------------------------- */

/* struct arch_hart: the architecture's part of struct hart, defined in arch_impl.h. */
/* Makes the running processor be hart h: hart pointer, trap vector, stacks, timer and IPI enabled, interrupts
 * still off. h's stacks are filled in. Runs on each hart once, the boot hart included. */
void arch_hart_enter(struct hart *h);

/* ---- serial line and end ------------------------------------------------------------------------------- */

/* Where a 16550 is: a physical address that is mapped, or a port, as the architecture has them; its registers 1 << shift bytes apart. */
struct arch_uart {
	uint64_t base;
	uint8_t shift;
};
static inline uint8_t arch_uart_get(const struct arch_uart *u, unsigned reg); /* register 0..7 */
static inline void arch_uart_put(const struct arch_uart *u, unsigned reg, uint8_t value);
static inline uint8_t arch_uart_read(unsigned reg); /* the console's */
static inline void arch_uart_write(unsigned reg, uint8_t value);
/* Ends the machine with QEMU exit status `code` (0..255; odd; see kernel/exit.h). Falls back to power-off,
 * then to a halt. */
_Noreturn void arch_exit(unsigned code);
/* Starts the machine anew, as far as it can; else halts it. */
_Noreturn void arch_reset(void);
const char *arch_name(void); /* "riscv64", "x86_64" */
/* What boot found and the architecture needs later (device addresses); filled by boot/<arch>/ before the
 * first use. */
struct arch_platform;
extern struct arch_platform arch_platform;

/* ---- upcalls: what an architecture calls (kernel/trap.c, timer.c, panic.c, mmu.c) ----------------------- */

/* Interrupt context, interrupt stack, interrupts off. */
void upcall_timer_irq(struct arch_frame *f);
void upcall_ipi_irq(struct arch_frame *f);
void upcall_device_irq(uint32_t line); /* a line of arch_irq_open(); the device is quiet when it returns */
/* Called last in every interrupt, still on the interrupt stack; returns to resume the interrupted code, or
 * does not return (it copied the frame and left for the scheduler). */
void upcall_trap_exit(struct arch_frame *f);
/* NMI or SSE context, NMI stack. */
void upcall_nmi(struct arch_frame *f);
/* Page fault, exception stack, interrupts off. True: handled, retry the access. */
bool upcall_page_fault(struct arch_frame *f, uintptr_t addr, bool write, bool exec);
/* A trap nobody handles: reports and ends. cause names it ("illegal instruction"), code is the architecture's
 * number, addr the faulting address or 0. Exception or NMI stack; the report moves to the panic stack. */
_Noreturn void upcall_fault(struct arch_frame *f, const char *cause, uint64_t code, uintptr_t addr);
/* A trap inside trap handling, on the panic stack; f may be NULL. */
_Noreturn void upcall_double_fault(struct arch_frame *f, const char *cause);
/* This hart was asked to stop for a panic elsewhere. NMI or interrupt stack. */
_Noreturn void upcall_stop(struct arch_frame *f);
/* A zeroed page for a page table, or 0. Boot or system context. */
uint64_t upcall_table_page(void);
/* A whole line of a report. Panic context. */
void upcall_print_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#include <arch_impl.h>

#endif
