/*
 * TLB shoot-down.
 *
 *	initiator                                    every online hart
 *	clear entries
 *	ticket = ++asked                    (A)
 *	IPI_FLUSH to each                     --->   seen = asked (A, B); flush; tlb_seen = seen  (C)
 *	wait until each tlb_seen >= ticket  (C)
 *	give the frames to others
 *
 * A. `asked` is raised behind the cleared entries (release) and read by each hart before it flushes (acquire).
 * B. The request itself: rule 2 of kernel/hart.h.
 * C. What a hart has seen is written behind its flush (release) and read by who waits (acquire).
 *
 * Several initiators may wait at once: one flush serves all that asked before it. A hart that is not online yet has never touched a
 * goroutine's stack; it looks at page tables after it has said that it is online.
 *
 * 1. A frame is given away only when every hart has forgotten the page. Otherwise a hart would write into what is somebody else's.
 * 2. Whoever waits has interrupts on and holds no spinlock. Otherwise two initiators would wait for each other, and a hart that waits for
 *    that lock with interrupts off would never answer.
 */
#include "kernel/shootdown.h"

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"

enum { SPINS_TO_KICK = 1 << 9 };

static _Atomic uint64_t asked;

/* Interrupts are off. */
static void flush(struct hart *h)
{
	/* rule A: whoever is counted in `seen` has cleared its entries in shootdown_begin() */
	uint64_t seen = atomic_load_explicit(&asked, memory_order_acquire);
	arch_tlb_flush_all();
	/* rule C: pairs with the acquire in shootdown_done() */
	atomic_store_explicit(&h->tlb_seen, seen, memory_order_release);
}

void shootdown_irq(struct hart *h)
{
	flush(h);
}

uint64_t shootdown_begin(void)
{
	ASSERT(g_self()->preempt_off > 0, "a shoot-down stays on its hart");
	struct hart *h = arch_hart();
	uint64_t ticket = atomic_fetch_add_explicit(&asked, 1, memory_order_acq_rel) + 1; /* rule A */
	/* rule 1 of kernel/hart.h: pairs with the fence in sched_loop(): the cleared entries first, then who is online */
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < hart_count; i++) {
		if (harts[i] == h || !atomic_load(&harts[i]->online))
			continue;
		/* rule B: pairs with the acquire in upcall_ipi_irq() */
		atomic_fetch_or_explicit(&harts[i]->ipi, IPI_FLUSH, memory_order_release);
		arch_ipi_send(harts[i]);
	}
	bool on = arch_irq_save();
	flush(h);
	arch_irq_restore(on);
	return ticket;
}

bool shootdown_done(uint64_t ticket)
{
	/* rule C: pairs with the release in flush() */
	for (uint32_t i = 0; i < hart_count; i++)
		if (atomic_load(&harts[i]->online) &&
		    atomic_load_explicit(&harts[i]->tlb_seen, memory_order_acquire) < ticket)
			return false;
	return true;
}

void shootdown_wait(uint64_t ticket)
{
	ASSERT(arch_irq_enabled(), "a hart that waits for others answers them");
	struct hart *h = arch_hart();
	for (uint32_t n = 1; !shootdown_done(ticket); n++) {
		arch_pause();
		/* An emulator that runs one hart at a time goes on to the next at a timer's deadline (see kernel/lock.c). */
		if (n % SPINS_TO_KICK == 0) {
			bool on = arch_irq_save();
			h->armed_due = arch_ticks() + 1;
			arch_timer_arm(h->armed_due);
			arch_irq_restore(on);
		}
	}
}
