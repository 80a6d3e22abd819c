/* Panics that nobody recovers, and ends of goroutines: Go's crash tests, by their names. */
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/mutex.h>
#include <hartbeat/panic.h>
#include <hartbeat/time.h>

#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/print.h"
#include "kernel/system.h"
#include "kernel/timer.h"
#include "sched/deadlock.h"
#include "sched/sched.h"
#include "tests/faults/cases.h"

static void print_recovered(void *arg)
{
	(void)arg;
	const char *m = go_recover();
	printf("%s\n", m != NULL ? m : "<nil>");
}

static void raise_text(void *text)
{
	go_panic("%s", (const char *)text);
}

static void recover_and_raise(void *text)
{
	go_recover();
	go_panic("%s", (const char *)text);
}

static void recover_and_raise_again(void *arg)
{
	(void)arg;
	go_panic("%s", go_recover());
}

#define TEXT(s) ((void *)(uintptr_t)(s))

/* ---- recursive panics ---- */

static void wrap(void *arg)
{
	(void)arg;
	const char *m = go_recover();
	if (m != NULL)
		go_panic("wrap: %s", m);
}

SHOWN void recursive_panic(void)
{
	RECOVER_SCOPE (r) {
		DEFER(print_recovered, NULL);
		DEFER(wrap, NULL);
		go_panic("bad");
	}
	go_panic("again");
}

SHOWN void recursive_panic2(void)
{
	RECOVER_SCOPE (r) {
		DEFER(print_recovered, NULL);
		DEFER(raise_text, TEXT("second panic"));
		DEFER(print_recovered, NULL);
		go_panic("first panic");
	}
	go_panic("third panic");
}

static void raise_and_recover(void *text)
{
	RECOVER_SCOPE (r) {
		raise_text(text);
	}
}

SHOWN void recursive_panic3(void)
{
	DEFER(raise_and_recover, TEXT("second panic"));
	go_panic("first panic");
}

SHOWN void recursive_panic4(void)
{
	DEFER(recover_and_raise, TEXT("second panic"));
	go_panic("first panic");
}

static void print_and_raise(void *text)
{
	print_recovered(NULL);
	go_panic("%s", (const char *)text);
}

static void nothing(void *arg)
{
	(void)arg;
}

SHOWN static void three(void)
{
	DEFER(nothing, NULL);
	DEFER(print_recovered, NULL);
	DEFER(print_and_raise, TEXT("second panic"));
	go_panic("first panic");
}

SHOWN static void two(void)
{
	DEFER(nothing, NULL);
	three();
}

SHOWN void recursive_panic5(void)
{
	RECOVER_SCOPE (r) {
		two();
	}
	go_panic("third panic");
}

/* ---- what is printed ---- */

SHOWN void repanicked_panic(void)
{
	DEFER(recover_and_raise_again, NULL);
	go_panic("message");
}

SHOWN void repanicked_middle_panic(void)
{
	DEFER(recover_and_raise, TEXT("outer"));
	DEFER(recover_and_raise_again, NULL);
	DEFER(recover_and_raise, TEXT("middle"));
	go_panic("inner");
}

SHOWN void repanicked_panic_sandwich(void)
{
	DEFER(recover_and_raise, TEXT("outer"));
	DEFER(recover_and_raise, TEXT("inner"));
	go_panic("outer");
}

SHOWN void double_panic(void)
{
	DEFER(raise_text, TEXT("BBB"));
	go_panic("AAA");
}

static void pt1_deferred(void *arg)
{
	(void)arg;
	go_panic("panic pt1");
}

static void pt2_deferred(void *arg)
{
	(void)arg;
	go_panic("panic pt2");
}

SHOWN static void pt2(void)
{
	DEFER(pt2_deferred, NULL);
	go_panic("hello");
}

SHOWN static void pt1(void)
{
	DEFER(pt1_deferred, NULL);
	pt2();
}

SHOWN void panic_traceback(void)
{
	pt1();
	KEEP_FRAME();
}

static void yields(void *arg)
{
	(void)arg;
	go_yield();
	time_sleep(TIME_MILLISECOND);
}

SHOWN void panic_deadlock_gosched(void)
{
	DEFER(yields, NULL);
	go_panic("errorThatGosched");
}

SHOWN void main_goroutine_id(void)
{
	go_panic("test");
}

/* ---- ends of goroutines ---- */

SHOWN void simple_deadlock(void)
{
	chan_recv(NULL, NULL);
	KEEP_FRAME();
}

SHOWN void locked_deadlock(void)
{
	go_pin();
	chan_recv(NULL, NULL);
	KEEP_FRAME();
}

static _Atomic unsigned see_deadlock, say_deadlock;
static _Atomic bool said_how_many;

/* The first to see it wakes the others, who find nothing to do and see it, too. None goes on before it was said how many of the first two say so. */
static void seen_again(struct hart *h, bool says)
{
	atomic_fetch_add(&say_deadlock, says);
	unsigned n = atomic_fetch_add(&see_deadlock, 1);
	for (uint32_t i = 0; n == 0 && i < hart_count; i++)
		if (harts[i] != h)
			arch_ipi_send(harts[i]);
	if (n == 1) {
		while (atomic_load(&say_deadlock) == 0) /* it may be a third */
			arch_pause();
		print_line("two harts see it, %u says so", atomic_load(&say_deadlock));
		atomic_store(&said_how_many, true);
	}
	while (hart_count > 1 && !atomic_load(&said_how_many))
		arch_pause();
}

SHOWN void deadlock_seen_twice(void)
{
	sched_deadlock_hook = seen_again;
	chan_recv(NULL, NULL);
	KEEP_FRAME();
}

static void waits_pinned(void *arg)
{
	(void)arg;
	go_pin();
	chan_recv(NULL, NULL);
	KEEP_FRAME();
}

SHOWN void locked_deadlock2(void)
{
	if (go(waits_pinned, NULL) == 0)
		abort();
	time_sleep(TIME_MILLISECOND);
	chan_recv(NULL, NULL);
	KEEP_FRAME();
}

SHOWN void ticker_deadlock(void)
{
	struct ticker *t = ticker_new(TIME_MILLISECOND);
	if (t == NULL || time_after_func(TIME_MILLISECOND, yields, NULL) == NULL)
		abort();
	time_sleep(5 * TIME_MILLISECOND);
	chan_recv(NULL, NULL);
	KEEP_FRAME();
}

static void counts(void *arg)
{
	(void)arg;
	for (volatile int i = 0; i < 10; i++)
		;
}

SHOWN void goexit_deadlock(void)
{
	if (go(counts, NULL) == 0 || go(counts, NULL) == 0)
		abort();
	go_exit();
	KEEP_FRAME();
}

static void exits(void *arg)
{
	(void)arg;
	go_exit();
}

static void exits_in_panic(void *arg)
{
	(void)arg;
	DEFER(exits, NULL);
	go_panic("hello");
}

SHOWN void goexit_in_panic(void)
{
	if (go(exits_in_panic, NULL) == 0)
		abort();
	go_exit();
	KEEP_FRAME();
}

SHOWN void panic_after_goexit(void)
{
	DEFER(raise_text, TEXT("hello"));
	go_exit();
	KEEP_FRAME();
}

SHOWN void recovered_panic_after_goexit(void)
{
	DEFER(raise_and_recover, TEXT("hello"));
	go_exit();
	KEEP_FRAME();
}

SHOWN void recover_before_panic_after_goexit(void)
{
	DEFER(print_recovered, NULL);
	DEFER(raise_text, TEXT("hello"));
	go_exit();
	KEEP_FRAME();
}

SHOWN void recover_before_panic_after_goexit2(void)
{
	RECOVER_SCOPE (r) {
		DEFER(nothing, NULL);
		DEFER(nothing, NULL);
		DEFER(raise_text, TEXT("hello"));
		go_exit();
	}
	printf("came back\n");
}

SHOWN void go_nil(void)
{
	RECOVER_SCOPE (r) {
		if (go(NULL, NULL) == 0)
			abort();
	}
	simple_deadlock();
	KEEP_FRAME();
}

/* ---- goroutines that wait for each other's mutexes ---- */

static struct mutex left, right;
static struct chan *both; /* somebody has his first mutex, or is done */
static struct chan *have; /* closed when both have one */

SHOWN static void take_both(struct mutex *first, struct mutex *second)
{
	mutex_lock(first);
	chan_send(both, NULL);
	chan_recv(have, NULL);
	mutex_lock(second);
	mutex_unlock(second);
	if (first == &right) /* left is unlocked by main */
		mutex_unlock(first);
	chan_send(both, NULL);
	KEEP_FRAME();
}

static void left_right(void *arg)
{
	(void)arg;
	take_both(&left, &right);
	KEEP_FRAME();
}

static void right_left(void *arg)
{
	(void)arg;
	take_both(&right, &left);
	KEEP_FRAME();
}

SHOWN void mutex_cycle(void)
{
	both = chan_make(0, 2);
	have = chan_make(0, 0);
	if (both == NULL || have == NULL || go(left_right, NULL) == 0 || go(right_left, NULL) == 0)
		abort();
	chan_recv(both, NULL);
	chan_recv(both, NULL);
	chan_close(have);
	for (int i = 0; i < 20000 && (deadlocks_found() == 0 || sched_deadlock_fatal); i++)
		time_sleep(TIME_MILLISECOND);
	printf("the program goes on\n");
	mutex_unlock(&left);
	chan_recv(both, NULL);
	chan_recv(both, NULL);
	KEEP_FRAME();
}

/* ---- damaged stacks ---- */

SHOWN void bad_traceback(void)
{
	volatile uintptr_t *back = (volatile uintptr_t *)__builtin_dwarf_cfa() - 1;
	*back = 0xbad;
	go_panic("the return address is gone");
}

SHOWN static int recurse_sys(int depth)
{
	volatile char frame[400];
	frame[depth % 400] = 1;
	int below = depth < 1000000 ? recurse_sys(depth + 1) : 0;
	return below + frame[depth % 400];
}

static void overflow_sys(void *arg)
{
	(void)arg;
	recurse_sys(0);
	KEEP_FRAME();
}

SHOWN void g0_stack_overflow(void)
{
	on_system_stack(overflow_sys, NULL);
	KEEP_FRAME();
}

/* ---- places where no panic is recovered ---- */

static void not_there(void *arg)
{
	(void)arg;
	printf("deferred functions do not run\n");
}

SHOWN void panic_holding_locks(void)
{
	static struct spinlock lock = SPINLOCK_INIT(RANK_CHAN);
	RECOVER_SCOPE (r) {
		DEFER(not_there, NULL);
		spin_lock(&lock);
		go_panic("under a lock");
	}
}

SHOWN void panic_preempt_off(void)
{
	RECOVER_SCOPE (r) {
		DEFER(not_there, NULL);
		preempt_disable();
		go_panic("without preemption");
	}
}

static void raise_sys(void *arg)
{
	(void)arg;
	go_panic("off the stack");
}

SHOWN void panic_system_stack(void)
{
	RECOVER_SCOPE (r) {
		DEFER(not_there, NULL);
		on_system_stack(raise_sys, NULL);
	}
}

static void sample_raises(struct hart *h, struct arch_frame *f, uint64_t now)
{
	(void)h;
	(void)f;
	(void)now;
	go_panic("in a handler");
}

SHOWN void panic_in_interrupt(void)
{
	RECOVER_SCOPE (r) {
		DEFER(not_there, NULL);
		timer_sample_hook = sample_raises;
		for (;;)
			KEEP_FRAME();
	}
}

SHOWN void fault_in_scope(void)
{
	RECOVER_SCOPE (r) {
		DEFER(not_there, NULL);
		*(volatile int *)(uintptr_t) * (volatile char *)"" = 1;
	}
}
