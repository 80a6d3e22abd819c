/*
 * Stopping the world. A hart stops in the scheduler, where no goroutine is in the middle of anything: an interrupt asks it to come there, and
 * it comes from trap exit or from the end of a stretch with preemption off.
 *
 *	initiator: wanted -> ask the others -> wait until each has `stopped` or sleeps -> ... -> not wanted -> wake them
 *	hart:      stopped -> wait while wanted -> not stopped -> look once more -> on
 *
 * 1. Who wants the world to stop says so before it looks who has stopped; a hart looks whether a stop is wanted after it has said that it has
 *    not stopped, or does not sleep any more. Otherwise a hart that is just leaving would count as standing.
 *    Both sides write and then read: sequentially consistent, with a full barrier between. Standing are: not online, `stopped`, bit in
 *    idle_mask.
 * 2. Initiators queue on a mutex of goroutines, before preemption is off. Otherwise two would wait for each other to stop.
 * 3. Whoever waits for the harts takes interrupts meanwhile. Otherwise a panic elsewhere could not stop it.
 * 4. What the initiator sees of a hart that stands comes before that hart's `stopped` or bit (release, acquire); what it writes meanwhile
 *    before stw_wanted is false again, which each hart reads before it goes on. Otherwise plain words could not be written while it stands.
 */
#include "sched/stw.h"

#include <hartbeat/sync.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/trap.h"
#include "sched/impl.h"
#include "sched/metrics.h"
#include "trace/trace.h"

const char *const stw_kind_text[STW_KINDS] = {
	[STW_UNKNOWN] = "unknown",
	[STW_GC_MARK_TERM] = "GC mark termination",
	[STW_GC_SWEEP_TERM] = "GC sweep termination",
	[STW_WRITE_HEAP_DUMP] = "write heap dump",
	[STW_GOROUTINE_PROFILE] = "goroutine profile",
	[STW_GOROUTINE_PROFILE_CLEANUP] = "goroutine profile cleanup",
	[STW_ALL_GOROUTINES_STACK] = "all goroutines stack trace",
	[STW_READ_MEM_STATS] = "read mem stats",
	[STW_ALL_THREADS_SYSCALL] = "AllThreadsSyscall",
	[STW_GOMAXPROCS] = "GOMAXPROCS",
	[STW_START_TRACE] = "start trace",
	[STW_STOP_TRACE] = "stop trace",
	[STW_TRACE_ADVANCE] = "trace advance",
	[STW_TEST] = "(test)",
};

_Atomic bool stw_wanted;  /* rules 1 and 4 */
static struct mutex turn; /* of initiators */
/* of who holds `turn` */
static enum stw_kind now_for;
static uint64_t began, stood;
static uint64_t longest[STW_KINDS], longest_standing[STW_KINDS]; /* ticks */

static bool standing(const struct hart *h)
{
	/* rules 1 and 4: pairs with sched_loop(), stw_stop_sys() and idle() */
	return !atomic_load(&h->online) || atomic_load(&h->sched->stopped) ||
	       (atomic_load(&idle_mask) >> h->index & 1) != 0;
}

static void ask_others(const struct hart *me)
{
	for (uint32_t i = 0; i < hart_count; i++) {
		/* relaxed: behind the barrier of rule 1, when the world is to stop; who was not online then has seen stw_wanted itself */
		if (harts[i] == me || !atomic_load_explicit(&harts[i]->online, memory_order_relaxed))
			continue;
		atomic_fetch_or_explicit(&harts[i]->ipi, IPI_ASK, memory_order_release);
		arch_ipi_send(harts[i]);
	}
}

void stw_begin(enum stw_kind kind)
{
	ASSERT(g_self()->preempt_off == 0, "the world is stopped with preemption on");
	mutex_lock(&turn);
	preempt_disable();
	struct hart *me = arch_hart();
	TRACE(stw_begin(kind));
	now_for = kind;
	began = arch_ticks();
	atomic_store(&stw_wanted, true);
	atomic_thread_fence(
		memory_order_seq_cst); /* pairs with the fences in stw_stop_sys() and sched_loop(): rule 1 */
	ask_others(me);
	for (uint32_t i = 0; i < hart_count; i++)
		for (uint32_t n = 1; harts[i] != me && !standing(harts[i]); n++)
			spin_pause(n * 16); /* with counted instructions others get their turn sooner */
	stood = arch_ticks();
}

void stw_end(void)
{
	ASSERT(atomic_load_explicit(&stw_wanted, memory_order_relaxed) && g_self()->preempt_off > 0,
	       "who stopped the world starts it");
	TRACE(stw_end());
	atomic_store(&stw_wanted, false);
	ask_others(arch_hart());
	uint64_t end = arch_ticks(), stopping = stood - began, total = end - began;
	metrics_pause(clock_from_ticks(stopping), clock_from_ticks(total));
	if (total > longest[now_for])
		longest[now_for] = total;
	if (total - stopping > longest_standing[now_for])
		longest_standing[now_for] = total - stopping;
	preempt_enable();
	mutex_unlock(&turn);
}

uint64_t stw_longest(enum stw_kind kind, uint64_t *standing)
{
	mutex_lock(&turn);
	uint64_t ticks = longest[kind];
	*standing = clock_from_ticks(longest_standing[kind]);
	longest[kind] = longest_standing[kind] = 0;
	mutex_unlock(&turn);
	return clock_from_ticks(ticks);
}

void sched_stopped(void (*fn)(void *), void *arg)
{
	stw_begin(STW_UNKNOWN);
	fn(arg);
	stw_end();
}

bool stw_stopped(enum stw_kind *kind)
{
	*kind = now_for;
	return atomic_load(&stw_wanted);
}

void stw_stop_sys(struct hart *h, struct g *g)
{
	while (atomic_load(&stw_wanted)) {
		h->sched->held = g;
		atomic_store(&h->sched->stopped, true);
		while (atomic_load(&stw_wanted)) {
			arch_irq_disable();
			if (atomic_load(&stw_wanted))
				arch_wait(); /* the initiator's last act is an interrupt */
			arch_irq_enable();
		}
		atomic_store(&h->sched->stopped, false);
		atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in stw_begin(): rule 1 */
	}
}
