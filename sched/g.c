/*
 * Goroutine descriptors: making, recycling and listing them. A descriptor keeps its stack and thread-local block for life and is
 * recycled with them: per hart first, in bulk over a global list.
 *
 * 1. Ids are never reused. Otherwise a profile could mix two goroutines.
 * 2. A descriptor is recycled only by the scheduler after the goroutine left its stack. Otherwise the next owner would run on a stack
 *    that is still in use.
 */
#include <hartbeat/go.h>

#include <string.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/panic.h"
#include "kernel/stack.h"
#include "kernel/system.h"
#include "kernel/tls.h"
#include "kernel/traceback.h"
#include "sched/impl.h"

enum { DEAD_MAX = 64, PRINT_MAX = 32 };

static struct spinlock allg_lock =
	SPINLOCK_INIT(RANK_ALLG); /* protects all_head, the all_ links and dead_head */
static struct g *all_head;
static struct g *dead_head;
static _Atomic uint64_t last_id;
static _Atomic uint32_t n_user;

static const char *const status_name[] = {"idle",     "runnable", "running", "parking",
					  "runnable", "waiting",  "dead"};

uint32_t go_count(void)
{
	return atomic_load(&n_user);
}

uint64_t go_id(void)
{
	return g_self()->id;
}

void goroutine_entry(void *arg)
{
	struct g *g = arg;
	preempt_enable();
	g->fn(g->arg);
	goroutine_end();
}

void goroutine_end(void)
{
	preempt_disable();
	switch_out(SWITCH_EXIT);
	panic("an ended goroutine ran again");
}

/* New descriptor with stack and thread-local block; on the system stack. */
static void g_make_sys(void *out)
{
	uintptr_t lo, hi;
	char *block = heap_aligned(64, tls_size() + sizeof(struct g));
	if (block == NULL)
		return;
	if (!stack_alloc(&lo, &hi)) {
		heap_free(block);
		return;
	}
	struct g *g = (struct g *)(block + tls_size());
	memset(g, 0, sizeof *g);
	g->stack_lo = lo;
	g->stack_hi = hi;
	*(struct g **)out = g;
}

static struct g *dead_take(struct sched_hart *s)
{
	struct g *g = s->dead;
	if (g != NULL) {
		s->dead = g->next;
		s->n_dead--;
		return g;
	}
	spin_lock(&allg_lock);
	g = dead_head;
	if (g != NULL)
		dead_head = g->next;
	spin_unlock(&allg_lock);
	return g;
}

static uint64_t start(void (*fn)(void *), void *arg, const char *name, bool system, uintptr_t pc)
{
	ASSERT(fn != NULL, "go needs a function");
	preempt_disable();
	struct hart *h = arch_hart();
	struct g *self = g_self(), *g = dead_take(h->sched);
	if (g == NULL)
		on_system_stack(g_make_sys, &g);
	if (g == NULL) {
		preempt_enable();
		return 0;
	}
	uint64_t id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	g->id = id;
	g->name = name;
	g->system = system;
	g->parent_id = self->id;
	g->created_at = pc;
	g->fn = fn;
	g->arg = arg;
	g->preempt_off = 1; /* until goroutine_entry() */
	g->area = NULL;
	g->run_ticks = 0;
	g->tls = tls_make((char *)g - tls_size(), g);
	atomic_store_explicit(&g->resched, false, memory_order_relaxed);
	arch_context_init(&g->ctx, g->stack_hi, g->tls, goroutine_entry, g);
	atomic_store_explicit(&g->status, G_RUNNABLE, memory_order_relaxed);
	if (!system)
		atomic_fetch_add(&n_user, 1);
	spin_lock(&allg_lock);
	g->all_prev = NULL;
	g->all_next = all_head;
	if (all_head != NULL)
		all_head->all_prev = g;
	all_head = g;
	spin_unlock(&allg_lock);
	runq_put(&h->sched->q, g, true);
	wake_one();
	preempt_enable();
	return id;
}

uint64_t go(void (*fn)(void *), void *arg)
{
	return start(fn, arg, NULL, false, (uintptr_t)__builtin_return_address(0));
}

uint64_t go_with(void (*fn)(void *), void *arg, const struct go_options *options)
{
	return start(fn, arg, options->name, false, (uintptr_t)__builtin_return_address(0));
}

uint64_t go_system(void (*fn)(void *), void *arg, const char *name)
{
	return start(fn, arg, name, true, (uintptr_t)__builtin_return_address(0));
}

uint64_t go_boot(void (*fn)(void *), void *arg, const char *name)
{
	return start(fn, arg, name, false, 0);
}

void g_free_sys(struct hart *h, struct g *g)
{
	atomic_store_explicit(&g->status, G_DEAD, memory_order_relaxed);
	if (!g->system)
		atomic_fetch_sub(&n_user, 1);
	spin_lock(&allg_lock);
	if (g->all_prev != NULL)
		g->all_prev->all_next = g->all_next;
	else
		all_head = g->all_next;
	if (g->all_next != NULL)
		g->all_next->all_prev = g->all_prev;
	if (h->sched->n_dead >= DEAD_MAX) {
		g->next = dead_head;
		dead_head = g;
		g = NULL;
	}
	spin_unlock(&allg_lock);
	if (g != NULL) {
		g->next = h->sched->dead;
		h->sched->dead = g;
		h->sched->n_dead++;
	}
}

void goroutines_print(void)
{
	uint32_t n = 0, more = 0;
	for (const struct g *g = all_head; g != NULL; g = g->all_next) {
		uint32_t status = atomic_load_explicit(&g->status, memory_order_relaxed) & G_STATUS_MASK;
		if (g->system || status == G_RUNNING || status == G_PARKING || status == G_READIED ||
		    g == arch_hart()->cur)
			continue;
		if (n++ >= PRINT_MAX) {
			more++;
			continue;
		}
		panic_line("%s", "");
		panic_line("goroutine %lu (%s) [%s]:", (unsigned long)g->id, g_name(g),
			   status == G_WAITING ? wait_reason_text[g->wait_reason].text : status_name[status]);
		traceback_parked(g);
		if (g->created_at != 0)
			traceback_created_by(g);
	}
	if (more > 0)
		panic_line("...and %u more goroutines", more);
}

/* The boot hart and each further one get an identity for their scheduler. */
void g_init_boot(struct hart *h)
{
	char *block = heap_aligned(64, tls_size() + sizeof(struct g));
	ASSERT(block != NULL, "memory for a hart's g0");
	struct g *g = (struct g *)(block + tls_size());
	memset(g, 0, sizeof *g);
	g->name = "scheduler";
	g->system = true;
	g->stack_lo = h->stack_lo[STACK_SYS];
	g->stack_hi = h->sys_stack_top;
	g->preempt_off = 1; /* for ever */
	g->tls = tls_make(block, g);
	atomic_store_explicit(&g->status, G_RUNNING, memory_order_relaxed);
	h->g0 = g;
	h->cur = g;
}
