/*
 * Ways for a program to end badly, one each run: the argument names it, tests/e2e/test-faults.sh says what the
 * report must be.
 *
 * Most run in a goroutine "faulter", which start_faulter() makes; main's then ends. A case that comes back
 * prints "survived NAME" and ends the program with status 0.
 *
 * The functions that a traceback must show are not inlined, not cloned and call nothing last.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/preempt.h"
#include "kernel/stack.h"
#include "kernel/timer.h"
#include "tests/faults/cases.h"

/* ---- memory ---- */

static volatile uintptr_t nowhere; /* 0, which the compiler does not know */

SHOWN static void null_read(void)
{
	volatile int *p = (volatile int *)nowhere;
	(void)*p;
	KEEP_FRAME();
}

SHOWN static void null_member_write(void)
{
	volatile int *p = (volatile int *)(nowhere + 24);
	*p = 1;
	KEEP_FRAME();
}

SHOWN static void null_call(void)
{
	void (*volatile fn)(void) = NULL;
	fn();
	KEEP_FRAME();
}

SHOWN static void text_write(void)
{
	volatile char *p = (volatile char *)(uintptr_t)text_write;
	*p = 0;
	KEEP_FRAME();
}

SHOWN static void rodata_write(void)
{
	static const char text[] = "constant";
	volatile char *p = (volatile char *)(uintptr_t)text;
	*p = 0;
	KEEP_FRAME();
}

static uint32_t code_in_data[4] = {0x00008067, 0x00008067, 0xc3c3c3c3, 0xc3c3c3c3};

SHOWN static void data_exec(void)
{
	void (*volatile fn)(void) = (void (*)(void))(uintptr_t)code_in_data;
	fn();
	KEEP_FRAME();
}

SHOWN static void stack_exec(void)
{
	volatile uint32_t code[4] = {0x00008067, 0x00008067, 0xc3c3c3c3, 0xc3c3c3c3};
	void (*volatile fn)(void) = (void (*)(void))(uintptr_t)code;
	fn();
	KEEP_FRAME();
}

SHOWN static void heap_exec(void)
{
	uint32_t *code = malloc(sizeof code_in_data);
	memcpy(code, code_in_data, sizeof code_in_data);
	void (*volatile fn)(void) = (void (*)(void))(uintptr_t)code;
	fn();
	KEEP_FRAME();
}

SHOWN static void unmapped_read(void)
{
	volatile char *p = (volatile char *)(ARCH_STACK_BASE + ARCH_STACK_SIZE - 8);
	(void)*p;
	KEEP_FRAME();
}

/* Beyond what the processor can translate: another exception on x86-64. */
SHOWN static void impossible_read(void)
{
	volatile char *p = (volatile char *)(nowhere + 0x5555000000000000u);
	(void)*p;
	KEEP_FRAME();
}

SHOWN static void unmapped_call(void)
{
	void (*volatile fn)(void) = (void (*)(void))(ARCH_STACK_BASE + ARCH_STACK_SIZE - 64);
	fn();
	KEEP_FRAME();
}

/* ---- stacks ---- */

SHOWN static int recurse(int depth)
{
	volatile char frame[1000];
	frame[depth % 1000] = 1;
	int below = depth < 1000000 ? recurse(depth + 1) : 0;
	return below + frame[depth % 1000];
}

SHOWN static void stack_overflow(void)
{
	recurse(0);
	KEEP_FRAME();
}

SHOWN static int recurse_wide(int depth)
{
	volatile char frame[47000];
	frame[0] = 1;
	int below = depth < 1000000 ? recurse_wide(depth + 1) : 0;
	return below + frame[0];
}

SHOWN static void stack_overflow_wide(void)
{
	recurse_wide(0);
	KEEP_FRAME();
}

static char *volatile foreign; /* lowest address of a stack */

static void stack_lend(void *arg)
{
	foreign = (char *)g_self()->stack_lo;
	chan_recv(arg, NULL);
}

/* Writes below another goroutine's stack. */
SHOWN static void guard_write(void)
{
	struct chan *never = chan_make(1, 0);
	if (go(stack_lend, never) == 0)
		return;
	while (foreign == NULL)
		go_yield();
	volatile char *p = foreign - STACK_GUARD + PAGE_SIZE;
	*p = 1;
	KEEP_FRAME();
}

/* ---- faults in handlers ---- */

static struct g *sampled; /* whose sample goes wrong: other harts have theirs too */

static bool sample_is_ours(struct hart *h, uint64_t now)
{
	h->sample_due = now + arch_ticks_hz() / 1000;
	return h->cur == sampled;
}

static void sample_fault(struct hart *h, struct arch_frame *f, uint64_t now)
{
	(void)f;
	if (sample_is_ours(h, now))
		null_read();
	KEEP_FRAME();
}

static void sample_assert(struct hart *h, struct arch_frame *f, uint64_t now)
{
	(void)f;
	if (sample_is_ours(h, now))
		ASSERT(nowhere != 0, "an interrupt handler keeps its rules");
}

static void spin_for_ever(void)
{
	for (;;)
		KEEP_FRAME();
}

SHOWN static void irq_fault(void)
{
	preempt_disable();
	sampled = g_self();
	timer_sample_hook = sample_fault;
	spin_for_ever();
	KEEP_FRAME();
}

SHOWN static void irq_assert(void)
{
	preempt_disable();
	sampled = g_self();
	timer_sample_hook = sample_assert;
	spin_for_ever();
	KEEP_FRAME();
}

/* ---- assertions and panics ---- */

SHOWN static void kernel_assert(void)
{
	ASSERT(nowhere == 1, "nowhere is somewhere");
	KEEP_FRAME();
}

SHOWN static void c_assert(void)
{
	assert(nowhere == 2);
	KEEP_FRAME();
}

SHOWN static void c_abort(void)
{
	printf("before the abort\n");
	abort();
	KEEP_FRAME();
}

static void panic_again(void)
{
	panic("the second panic");
}

SHOWN static void panic_in_panic(void)
{
	panic_goroutines_hook = panic_again;
	panic("the first panic");
	KEEP_FRAME();
}

static void fault_again(void)
{
	*(volatile int *)nowhere = 1;
}

SHOWN static void fault_in_panic(void)
{
	panic_goroutines_hook = fault_again;
	panic("the first panic");
	KEEP_FRAME();
}

SHOWN static void panic_long(void)
{
	panic("%0300d end", 7);
	KEEP_FRAME();
}

SHOWN static void panic_partial_line(void)
{
	printf("@hb a partial line");
	fflush(stdout);
	panic("after a partial line");
	KEEP_FRAME();
}

static _Atomic int gathered;

static void panic_together(void *arg)
{
	atomic_fetch_add(&gathered, 1);
	while (atomic_load(&gathered) < (int)hart_count)
		KEEP_FRAME();
	panic("panic number %d", *(int *)arg);
}

SHOWN static void panic_everywhere(void)
{
	static int number[HART_MAX];
	for (int i = 0; i < (int)hart_count; i++) {
		number[i] = i;
		if (go_with(panic_together, &number[i], &(struct go_options){.name = "together"}) == 0)
			abort();
	}
	time_sleep(60 * TIME_SECOND);
	KEEP_FRAME();
}

static _Atomic bool stuck;

static void stay_stuck(void *arg)
{
	(void)arg;
	arch_irq_disable();
	atomic_store(&stuck, true);
	spin_for_ever();
}

SHOWN static void panic_with_stuck_hart(void)
{
	if (go(stay_stuck, NULL) == 0)
		abort();
	while (!atomic_load(&stuck)) /* another hart takes it */
		KEEP_FRAME();
	panic("while a hart has its interrupts off");
	KEEP_FRAME();
}

/* ---- goroutines ---- */

SHOWN static void wait_for_ever(struct chan *c)
{
	chan_recv(c, NULL);
	KEEP_FRAME();
}

SHOWN static void lock_for_ever(struct mutex *m)
{
	mutex_lock(m);
	KEEP_FRAME();
}

static void waiter(void *arg)
{
	lock_for_ever(arg);
}

SHOWN static void deadlock(void)
{
	static struct mutex m;
	mutex_lock(&m);
	if (go_with(waiter, &m, &(struct go_options){.name = "waiter"}) == 0)
		abort();
	wait_for_ever(chan_make(1, 0));
	KEEP_FRAME();
}

SHOWN static void main_gone(void)
{
	go_exit();
	KEEP_FRAME();
}

SHOWN static void unlock_unlocked(void)
{
	static struct mutex m;
	mutex_unlock(&m);
	KEEP_FRAME();
}

SHOWN static void negative_waitgroup(void)
{
	static struct waitgroup w;
	waitgroup_add(&w, 1);
	waitgroup_done(&w);
	waitgroup_done(&w);
	KEEP_FRAME();
}

SHOWN static void closed_send(void)
{
	struct chan *c = chan_make(sizeof(int), 1);
	int v = 1;
	chan_close(c);
	chan_send(c, &v);
	KEEP_FRAME();
}

SHOWN static void closed_close(void)
{
	struct chan *c = chan_make(sizeof(int), 1);
	chan_close(c);
	chan_close(c);
	KEEP_FRAME();
}

SHOWN static void nil_close(void)
{
	chan_close(NULL);
	KEEP_FRAME();
}

static void busy(void *arg)
{
	(void)arg;
	spin_for_ever();
}

SHOWN static void exit_amid_others(void)
{
	for (int i = 0; i < 8; i++)
		if (go(busy, NULL) == 0)
			abort();
	time_sleep(20 * TIME_MILLISECOND);
	printf("no newline at the end");
	exit(3);
	KEEP_FRAME();
}

/* ---- spinlocks ---- */

static struct spinlock lock_chan = SPINLOCK_INIT(RANK_CHAN);
static struct spinlock lock_sched = SPINLOCK_INIT(RANK_SCHED);

SHOWN static void rank_inversion(void)
{
	spin_lock(&lock_sched);
	spin_lock(&lock_chan);
	spin_unlock(&lock_chan);
	spin_unlock(&lock_sched);
}

SHOWN static void spin_recursion(void)
{
	spin_lock(&lock_chan);
	spin_lock(&lock_chan);
	KEEP_FRAME();
}

SHOWN static void spin_foreign_unlock(void)
{
	spin_unlock(&lock_chan);
	KEEP_FRAME();
}

SHOWN static void spin_across_park(void)
{
	spin_lock(&lock_chan);
	go_yield();
	KEEP_FRAME();
}

SHOWN static void bottom_half_on_goroutine(void)
{
	static struct spinlock lock_page = SPINLOCK_INIT(RANK_PAGE);
	spin_lock(&lock_page);
	KEEP_FRAME();
}

static struct spinlock lock_wanted = SPINLOCK_INIT(RANK_CHAN);
static _Atomic int busy_harts;

/* Wants the lock and those of the allocator, over and over. */
static void want_locks(void *arg)
{
	(void)arg;
	for (int n = 0;; n++) {
		spin_lock(&lock_wanted);
		spin_unlock(&lock_wanted);
		free(malloc((size_t)(n % 100) * 200 + 1));
		if (n == 1000)
			atomic_fetch_add(&busy_harts, 1);
	}
}

SHOWN static void panic_with_lock(void)
{
	for (unsigned i = 1; i < hart_count; i++)
		if (go(want_locks, NULL) == 0)
			abort();
	while (atomic_load(&busy_harts) < (int)hart_count - 1)
		KEEP_FRAME();
	spin_lock(&lock_wanted);
	for (uint64_t end = time_now() + TIME_MILLISECOND; time_now() < end;)
		KEEP_FRAME(); /* the others come to wait */
	panic("with a lock that the others want");
	KEEP_FRAME();
}

/* ---- which ---- */

static const struct fault {
	const char *name;
	void (*run)(void);
} faults[] = {
#define FAULT(name)         \
	{                   \
#name, name \
	}
	FAULT(null_read),
	FAULT(null_member_write),
	FAULT(null_call),
	FAULT(text_write),
	FAULT(rodata_write),
	FAULT(data_exec),
	FAULT(stack_exec),
	FAULT(heap_exec),
	FAULT(unmapped_read),
	FAULT(impossible_read),
	FAULT(unmapped_call),
	FAULT(stack_overflow),
	FAULT(stack_overflow_wide),
	FAULT(guard_write),
	FAULT(irq_fault),
	FAULT(irq_assert),
	FAULT(kernel_assert),
	FAULT(c_assert),
	FAULT(c_abort),
	FAULT(panic_in_panic),
	FAULT(fault_in_panic),
	FAULT(panic_long),
	FAULT(panic_partial_line),
	FAULT(panic_everywhere),
	FAULT(panic_with_stuck_hart),
	FAULT(deadlock),
	FAULT(main_gone),
	FAULT(unlock_unlocked),
	FAULT(negative_waitgroup),
	FAULT(closed_send),
	FAULT(closed_close),
	FAULT(nil_close),
	FAULT(exit_amid_others),
	FAULT(exit_amid_profiles),
	FAULT(exit_everywhere),
	FAULT(double_free),
	FAULT(double_free_later),
	FAULT(inner_free),
	FAULT(stack_free),
	FAULT(data_free),
	FAULT(malloc_all),
	FAULT(stack_without_page),
	FAULT(suspended_without_memory),
	FAULT(stacks_all),
	FAULT(time_without_memory),
	FAULT(rank_inversion),
	FAULT(trace_rank),
	FAULT(trace_in_panic),
	FAULT(trace_unread),
	FAULT(trace_unread_stop),
	FAULT(trace_gap),
	FAULT(trace_between),
	FAULT(trace_crash_gap),
	FAULT(trace_without_memory),
	FAULT(spin_recursion),
	FAULT(spin_foreign_unlock),
	FAULT(spin_across_park),
	FAULT(bottom_half_on_goroutine),
	FAULT(irq_lock),
	FAULT(hard_lockup),
	FAULT(lockup_waiting),
	FAULT(panic_second),
	FAULT(walk_unowned),
	FAULT(shrink_foreign),
	FAULT(own_under_lock),
	FAULT(own_across_park),
	FAULT(panic_with_lock),
#define FAULT_ROW(name) FAULT(name),
	PANIC_CASES(FAULT_ROW) MISUSE_CASES(FAULT_ROW) CRASH_CASES(FAULT_ROW) HELD_CASES(FAULT_ROW)
		FAULT(fault_illegal),
	FAULT(fault_division),
	FAULT(fault_wild_sp),
	FAULT(fault_privileged),
};

static void faulter(void *arg)
{
	const struct fault *f = arg;
	f->run();
	printf("survived %s\n", f->name);
	exit(0);
}

/* A worker's start, seen in reports as "created by start_faulter". */
SHOWN static void start_faulter(const struct fault *f)
{
	if (go_with(faulter, (void *)(uintptr_t)f, &(struct go_options){.name = "faulter"}) == 0)
		abort();
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	bool here = argc > 2 && strcmp(argv[2], "main") == 0;
	for (size_t i = 0; argc > 1 && i < sizeof faults / sizeof faults[0]; i++) {
		if (strcmp(argv[1], faults[i].name) != 0)
			continue;
		if (here)
			faulter((void *)(uintptr_t)&faults[i]);
		start_faulter(&faults[i]);
		go_exit();
	}
	fprintf(stderr, "faults: expected the name of a fault, and \"main\" when main is to do it\n");
	return 1;
}
