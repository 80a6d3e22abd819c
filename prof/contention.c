/*
 * Who makes others wait for a mutex: what goroutines have waited is charged to the unlock that ends it (sched/contend.h), by stack; one
 * in `fraction` of these events is counted, for as many (Go's). The kernel's own spinlocks are counted in kernel/lock.c.
 */
#include "prof/wait.h"

#include <hartbeat/prof_rates.h>

#include <errno.h>

#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/random.h"
#include "sched/sched.h"

enum { LIMIT = 4 << 20, FRACTION_MAX = 1000000000 };

struct stack_table contention_stacks = STACK_TABLE_INIT(LIMIT);

static _Atomic uint64_t fraction;                        /* relaxed: whoever charges takes what it finds */
static uint64_t random_state[HART_MAX];                  /* of each hart, with preemption off */
static uintptr_t scratch[HART_MAX][STACK_DEPTH_MAX + 1]; /* the same */

static void charged(uint64_t ticks, uintptr_t fp)
{
	uint64_t n = atomic_load_explicit(&fraction, memory_order_relaxed);
	preempt_disable();
	uint64_t *state = &random_state[hart_index()];
	if (*state == 0)
		*state = 0xe7037ed1a0b428dbu * (hart_index() + 1);
	if (n == 1 || (n > 1 && (random_step(state) >> 16) % n == 0)) {
		uintptr_t *pcs = scratch[hart_index()];
		struct stack_record *r =
			stack_find(&contention_stacks, 0, 0, pcs, stack_here(fp, pcs, STACK_DEPTH_MAX + 1));
		stack_count(r, WAIT_COUNT, n * WAIT_ONE);
		stack_count(r, WAIT_PARKED, wait_scaled(ticks, n, 1));
	}
	preempt_enable();
}

int prof_mutex_fraction_set(uint64_t n)
{
	if (n > FRACTION_MAX) {
		errno = EINVAL;
		return -1;
	}
	atomic_store_explicit(&fraction, n, memory_order_relaxed);
	/* Set before anybody is followed, for good; published by the next. */
	__atomic_store_n(&contend_hook, charged, __ATOMIC_RELAXED);
	/* pairs with the acquire in contend_put_locked() */
	__atomic_store_n(&contend_on, n > 0, __ATOMIC_RELEASE);
	locks_time_contention(n > 0);
	return 0;
}

uint64_t prof_mutex_fraction(void)
{
	return atomic_load_explicit(&fraction, memory_order_relaxed);
}
