/*
 * What happens in a trap, on every architecture (the upcalls of arch/arch.h).
 *
 * Trap exit is the only door from an interrupt to the scheduler. It is open only if the interrupted code was a goroutine on its own stack
 * with no lock and preemption on, outside the switch; else the request waits in g->resched for preempt_enable() or the scheduler.
 */
#include "kernel/trap.h"

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/preempt.h"
#include "kernel/shootdown.h"
#include "kernel/stack.h"
#include "kernel/timer.h"
#include "kernel/walk.h"

void (*trap_ipi_hook)(struct hart *h, struct arch_frame *f);
void (*trap_nmi_hook)(struct hart *h, struct arch_frame *f);
bool (*trap_waits_hook)(const struct hart *h);

enum { UNSAVED_SLICES = 100 }; /* how long memory may be out while a goroutine is to be suspended */

void upcall_ipi_irq(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	/* pairs with the release of whoever set the bits */
	uint32_t bits = atomic_exchange_explicit(&h->ipi, 0, memory_order_acquire);
	if (bits & IPI_STOP)
		upcall_stop(f);
	if (bits & IPI_FLUSH)
		shootdown_irq(h);
	if (bits & IPI_TIMERS) {
		atomic_store_explicit(&h->timers_hit, true, memory_order_relaxed);
		hart_ask_irq(h);
	}
	if (bits & IPI_ASK)
		hart_ask_irq(h);
	if (trap_ipi_hook != NULL)
		trap_ipi_hook(h, f);
}

/* Whether the interrupted code may be suspended right here. */
static bool preemptible(const struct hart *h, const struct arch_frame *f)
{
	const struct g *g = h->cur;
	struct arch_unwind u;
	if (g == h->g0 || g->preempt_off != 0 || locks_held(h) != 0)
		return false;
	arch_frame_unwind(f, &u);
	return arch_frame_tls(f) == g->tls && u.sp > g->stack_lo && u.sp <= g->stack_hi &&
	       !walk_in_switch(u.pc);
}

/* There is no memory to save the interrupted goroutine in: its slice is another one, and for ever if it gives its hart to nobody. */
static void unsaved(struct hart *h, struct arch_frame *f)
{
	uint64_t now = arch_ticks();
	if (h->unsaved_since == 0)
		h->unsaved_since = now;
	else if (now - h->unsaved_since > UNSAVED_SLICES * h->slice_ticks && trap_waits_hook(h))
		panic_at(f, "out of memory: no room to suspend a goroutine that others wait behind");
	h->slice_due = now + h->slice_ticks;
	timer_rearm_irq(h);
}

/* Suspends the interrupted goroutine, if it may be. Not inline: an interrupt that has nothing to ask for need not save registers for it. */
static __attribute__((noinline)) void preempt(struct hart *h, struct arch_frame *f)
{
	if (!preemptible(h, f))
		return;
	if (__builtin_expect(h->spare_area == NULL, 0)) {
		unsaved(h, f);
		return;
	}
	struct g *g = h->cur;
	char *area = h->spare_area;
	/* Until now it was g's time. A sample that is due meanwhile would be taken by whoever turns interrupts on again: the scheduler. */
	g->left_at = arch_ticks();
#ifndef MUTANT_preempted_unsampled
	if (__builtin_expect(g->left_at >= h->sample_due, 0))
		timer_sample_hook(h, f, g->left_at);
#endif
	h->spare_area = NULL;
	arch_frame_copy((struct arch_frame *)area, f);
	arch_fpu_save(area + ((arch_frame_size() + 63) & ~(size_t)63));
	g->area = area;
	g->careful |= G_IN_AREA;
	arch_leave_trap(&h->sched_ctx, SWITCH_TRAP);
}

void upcall_trap_exit(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	if (h->cur != NULL && atomic_load_explicit(&h->cur->resched, memory_order_relaxed))
		preempt(h, f);
}

bool upcall_page_fault(struct arch_frame *f, uintptr_t addr, bool write, bool exec)
{
	(void)write;
	struct hart *h = arch_hart();
	if (exec)
		return false;
	h->in_fault = true;
	bool done = stack_fault(f, addr);
	h->in_fault = false;
	return done;
}

/* The name of the stack of h whose guard page holds addr, or NULL. */
static const char *guard_of(const struct hart *h, uintptr_t addr)
{
	static const char *const names[STACK_KINDS] = {"interrupt", "exception", "NMI", "panic", "system"};
	for (int i = 0; i < STACK_KINDS; i++)
		if (h->stack_lo[i] != 0 && addr < h->stack_lo[i] && addr >= h->stack_lo[i] - PAGE_SIZE)
			return names[i];
	return NULL;
}

void upcall_fault(struct arch_frame *f, const char *cause, uint64_t code, uintptr_t addr)
{
	const char *full = guard_of(arch_hart(), addr);
	if (full != NULL)
		panic_at(f, "stack overflow: the %s stack of hart %u is full (address %p)", full,
			 arch_hart()->index, (void *)addr);
	if (addr < PAGE_SIZE && addr != 0)
		panic_at(f, "fault: %s at address %p (null pointer plus %lu), code %lu", cause, (void *)addr,
			 (unsigned long)addr, (unsigned long)code);
	panic_at(f, "fault: %s at address %p, code %lu", cause, (void *)addr, (unsigned long)code);
}

void upcall_double_fault(struct arch_frame *f, const char *cause)
{
	if (f == NULL)
		panic("double fault: %s", cause);
	panic_at(f, "double fault: %s", cause);
}

void upcall_nmi(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	if (atomic_load(&h->ipi) & IPI_STOP)
		upcall_stop(f);
	if (trap_nmi_hook != NULL)
		trap_nmi_hook(h, f);
}
