/* Samples on the system stack: of the goroutine that it serves, and of nobody else. */
#include "suite.h"

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"
#include "kernel/system.h"
#include "prof/prof.h"
#include "record.h"

enum { SPELLS = 10 };

static volatile uint32_t sink;

__attribute__((noipa)) static void served_spin(void *end)
{
	do
		for (int i = 0; i < 1000; i++)
			sink++;
	while (time_now() < *(const uint64_t *)end);
	/* from here on this goroutine is to be preempted as soon as it may be */
	bool on = arch_irq_save();
	hart_ask_irq(arch_hart());
	arch_irq_restore(on);
}

__attribute__((noipa)) static void served_ask(void)
{
	uint64_t end = time_now() + 100 * TIME_MILLISECOND / SPELLS;
	on_system_stack(served_spin, &end);
	sink++;
}

static void (*preempt)(void);

/* Instead of preempt_hook, which is called where a goroutine may be preempted from now on, and was to be before. */
static void preempt_looked(void)
{
	bool on = arch_irq_save();
	ASSERT(arch_hart()->serving == NULL, "who may be preempted is served by no hart");
	arch_irq_restore(on);
	preempt();
}

static void served_run(void *arg)
{
	(void)arg;
	for (int i = 0; i < SPELLS; i++) {
		served_ask();
		go_yield(); /* the scheduler has its stack back, for samples of its own */
	}
}

struct found {
	uint64_t served, wrong, scheduler;
};

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	static const char *const chain[] = {"served_spin",     "arch_call_on", "on_system_stack",
					    "served_ask",      "served_run",   "group_run",
					    "goroutine_entry", "context_start"};
	enum { N = sizeof chain / sizeof chain[0] };
	struct found *f = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		bool scheduler = record_find(r, "sched_loop") < r->depth;
		f->scheduler += scheduler ? r->count : 0;
		if (scheduler && record_find(r, "goroutine_entry") < r->depth)
			record_wrong("the scheduler's stack goes on into a goroutine", r);
		if (!record_is_at(r, 0, "served_spin"))
			continue;
		f->served += r->count;
		bool ok = r->depth == N;
		for (uint32_t i = 0; i < N; i++)
			ok &= record_is_at(r, i, chain[i]);
		if (!ok)
			record_wrong("not the true stack", r);
	}
}

GUEST_TEST(prof, system,
	   "a sample on the system stack goes on into the goroutine that is served, to its root")
{
	struct found f = {0};
	preempt = preempt_hook;
	preempt_hook = preempt_looked;
	/* a host that is busy may deliver hardly a tick */
	for (int k = 0; k < GUEST_ATTEMPTS && f.served < 10; k++) {
		struct guest_group all = {0};
		guest_profile_off();
		CHECK_EQ(prof_start(5000), 0);
		for (unsigned i = 0; i < go_harts() + 1; i++)
			guest_go(&all, served_run, NULL);
		guest_wait(&all);
		CHECK_EQ(prof_stop_with(NULL, look, &f), 0);
	}
	preempt_hook = preempt;
	guest_note("%llu samples on the system stack for a goroutine, %llu of the scheduler",
		   (unsigned long long)f.served, (unsigned long long)f.scheduler);
	CHECK(f.served >= 10);
}
