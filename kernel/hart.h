/*
 * struct hart: all state that belongs to one hart, grouped by who may touch it. Its head is read by trap
 * entry in assembly at the fixed offsets below.
 *
 * 1. A hart says that it is online, then looks what is asked of all; who asks all says what it asks, then looks who is online. Both have a
 *    full barrier between the two: sched_loop(); stw_begin(), shootdown_begin(), command_give(). Otherwise a hart that comes just then
 *    would miss it.
 * 2. Who asks a hart for something writes down what, sets a bit of `ipi` (release), then sends the interrupt; the hart takes all bits
 *    (acquire) in upcall_ipi_irq(), then looks. Otherwise it could look at what is not there yet.
 * 3. A hart that stops for a panic writes down where it was, then sets `stopped` (release), and writes nothing more. Otherwise the report
 *    would read what still changes.
 */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include "kernel/hart_offsets.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "kernel/limits.h"

struct g;
struct spinlock;
struct sched_hart;   /* sched/impl.h */
struct sampler_hart; /* prof/sampler.c */
struct trace_hart;   /* trace/trace.h */

enum { HELD_MAX = 16 };
#define LOCKS_LISTED ((struct spinlock *)1)

enum hart_stack { STACK_IRQ, STACK_EXC, STACK_NMI, STACK_PANIC, STACK_SYS, STACK_KINDS };

/* Why a goroutine gave its hart away: what who arrives on the hart next learns. SWITCH_NONE: the scheduler lets it run. */
enum switch_reason { SWITCH_NONE, SWITCH_YIELD, SWITCH_PARK, SWITCH_EXIT, SWITCH_TRAP };

enum {
	IPI_WAKE = 1,   /* look at the queues again */
	IPI_STOP = 2,   /* a panic elsewhere: stop for good */
	IPI_ASK = 8,    /* the scheduler is wanted */
	IPI_FLUSH = 64, /* forget translations (kernel/shootdown.c) */
	IPI_TIMERS = 4, /* another hart put a timer first into this one's heap: look at it */
};

struct hart {
	/* immutable after creation; head read by assembly */
	struct hart *self;
	uintptr_t irq_stack_top, exc_stack_top, nmi_stack_top, panic_stack_top, sys_stack_top;
	uintptr_t scratch[3];  /* trap entry only */
	uintptr_t nmi_scratch; /* NMI entry only */
	uintptr_t stack_lo[STACK_KINDS];
	uint32_t index; /* 0..hart_count-1, dense */
	uint64_t hwid;  /* hart id or APIC id */
	struct arch_hart arch;

	/* owned by this hart: interrupts off or preemption off */
	struct g *cur; /* the goroutine whose stack or behalf this hart runs on; its g0 in the scheduler */
	struct g *g0;  /* identity of the scheduler itself: system stack, never preempted */
	struct g *serving; /* while on the system stack on behalf of a goroutine: that goroutine (see
			      kernel/system.h) */
	struct arch_context sched_ctx; /* the scheduler, while a goroutine runs */
	bool slice_over;               /* the running goroutine used its slice up */
	void *spare_area; /* preemption save area that trap exit takes; the scheduler refills it */
	uint64_t
		unsaved_since; /* arch_ticks() when somebody was to be suspended first since there is none; 0: nobody was */
	struct spinlock
		*lock_one; /* the one spinlock held; NULL: none; LOCKS_LISTED: see held[] (kernel/lock.c) */
	uintptr_t lock_one_pc;
	uint32_t irq_depth; /* spinlocks in held[]; interrupts stay off while > 0 */
	bool irq_was_on;    /* what the outermost of them found */
	uint32_t in_irq;    /* 1 inside an interrupt or exception handler */
	bool in_fault;      /* inside the page-fault handler: the page lock may be taken */
	uint32_t n_owned;   /* ownership bits held (sched/own.c) */
	uint32_t n_held;
	struct held {
		struct spinlock *lock;
		uintptr_t pc;
	} held[HELD_MAX];
	struct arch_frame *
		stop_frame; /* stopped for a panic: what was interrupted, on the stack that stopped it, or NULL: */
	struct arch_unwind stop_place; /* it stopped by itself, in a function that this is in */
	struct {
		uintptr_t pc;          /* where interrupts last went off */
		uint64_t since, until; /* and when they were off; in arch_ticks(), while `timed` */
		uint64_t total, longest;
		uintptr_t longest_pc;
		bool timed;       /* a profile runs: the clock is read */
		_Atomic bool now; /* they are off, while `timed`: read by other harts */
	} off;                    /* kernel/irq_off.h */
	struct g *
		left; /* a goroutine that a trap took off and that this hart has not given away yet, while its stack is walked */
	struct trace_hart *trace; /* set by the first trace */
	struct sched_hart *sched;
	struct sampler_hart
		*sampler; /* set once by the first profile (release), read by this hart (acquire) */

	/* deadlines of the one hardware timer, in arch_ticks(); UINT64_MAX is never; written by this hart
	 * with interrupts off */
	uint64_t slice_ticks;  /* immutable */
	uint64_t slice_due;    /* end of the running goroutine's slice */
	uint64_t sample_due;   /* next sample */
	uint64_t timers_due;   /* head of the timer heap */
	uint64_t timers_early; /* a duration: the interrupt comes so long before */
	bool timers_polled;    /* this hart looks at timers_due itself */
	uint64_t armed_due;    /* what the hardware timer was last armed for */

	/* atomic */
	_Atomic uint32_t ipi;      /* IPI_ bits: any hart sets, this hart clears; rule 2 */
	_Atomic uint64_t tlb_seen; /* shoot-downs this hart has answered; written by it, read by initiators */
	_Atomic bool online;       /* set by this hart when it can run goroutines; rule 1 */
	_Atomic bool stopped;      /* set by this hart when it answered a panic stop; rule 3 */
	_Atomic bool timers_hit;   /* timers_due has passed: interrupt sets, scheduler clears */
	union {
		_Atomic uint64_t asked_or_aside; /* both, for one look at them */
		struct {
			_Atomic uint32_t
				asked; /* the scheduler is wanted: set with cur->resched, cleared by the scheduler with interrupts off */
			_Atomic uint32_t
				aside; /* a barrier is up (sched/barrier.c): a switch looks whom it switches to; set and cleared
						   by the barrier's walker */
		};
	};
};

_Static_assert(offsetof(struct hart, self) == HART_SELF, "assembly offset");
_Static_assert(offsetof(struct hart, irq_stack_top) == HART_IRQ_STACK_TOP, "assembly offset");
_Static_assert(offsetof(struct hart, exc_stack_top) == HART_EXC_STACK_TOP, "assembly offset");
_Static_assert(offsetof(struct hart, nmi_stack_top) == HART_NMI_STACK_TOP, "assembly offset");
_Static_assert(offsetof(struct hart, panic_stack_top) == HART_PANIC_STACK_TOP, "assembly offset");
_Static_assert(offsetof(struct hart, sys_stack_top) == HART_SYS_STACK_TOP, "assembly offset");
_Static_assert(offsetof(struct hart, scratch) == HART_SCRATCH, "assembly offset");
_Static_assert(offsetof(struct hart, nmi_scratch) == HART_NMI_SCRATCH, "assembly offset");
_Static_assert(offsetof(struct hart, hwid) == HART_HWID, "assembly offset");

extern struct hart *harts[HART_MAX]; /* immutable after boot; [0] is the boot hart */
extern uint32_t hart_count;          /* immutable after boot */

static inline unsigned hart_index(void)
{
	return arch_hart()->index;
}

#endif
