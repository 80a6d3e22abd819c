/* Things done once. Names in brackets are those of Go's tests. */
#include "suite.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/once.h>
#include <hartbeat/panic.h>

static struct {
	struct once o;
	uint32_t plain;
	_Atomic uint32_t calls;
} on;

static void increment(void *arg)
{
	(void)arg;
	go_yield();
	on.plain++;
}

static void do_it(void *arg)
{
	(void)arg;
	once_do(&on.o, increment, NULL);
	CHECK_EQ(on.plain, 1);
}

GUEST_TEST(sync, once, "ten goroutines, one run, and all see its result (TestOnce)")
{
	for (uint32_t i = 0; i < guest_count(200, 10000); i++) {
		struct guest_group all = {0};
		memset(&on, 0, sizeof on);
		for (int k = 0; k < 10; k++)
			guest_go(&all, do_it, NULL);
		guest_wait(&all);
		CHECK_EQ(on.plain, 1);
		CHECK_EQ(on.o.m.word, 0);
	}
}

static void fail(void *arg)
{
	(void)arg;
	atomic_fetch_add(&on.calls, 1);
	go_panic("failed %d", 7);
}

GUEST_TEST(sync, once_panic, "a function that panics has been called; the panic comes out (TestOncePanic)")
{
	memset(&on, 0, sizeof on);
	volatile bool landed = false;
	RECOVER_SCOPE (r) {
		once_do(&on.o, fail, NULL);
		CHECK(false);
	} else {
		landed = strcmp(r.message, "failed 7") == 0;
	}
	CHECK(landed);
	once_do(&on.o, fail, NULL);
	CHECK_EQ(atomic_load(&on.calls), 1);
	CHECK_EQ(on.o.m.word, 0);
}

static void leave(void *arg)
{
	(void)arg;
	atomic_fetch_add(&on.calls, 1);
	go_exit();
}

static void once_leave(void *arg)
{
	struct waitgroup *w = arg;
	(void)w;
	once_do(&on.o, leave, NULL);
}

GUEST_TEST(sync, once_exit, "a function that ends its goroutine has been called")
{
	memset(&on, 0, sizeof on);
	struct waitgroup w = {0};
	CHECK(waitgroup_go(&w, once_leave, &w) != 0);
	waitgroup_wait(&w);
	once_do(&on.o, leave, NULL);
	CHECK_EQ(atomic_load(&on.calls), 1);
	CHECK_EQ(on.o.m.word, 0);
}

static void count(void *arg)
{
	atomic_fetch_add((_Atomic uint32_t *)arg, 1);
}

GUEST_TEST(sync, once_func, "a once_func calls its function once (TestOnceFunc)")
{
	_Atomic uint32_t calls = 0;
	struct once_func f = ONCE_FUNC(count, &calls);
	once_func_call(&f);
	once_func_call(&f);
	CHECK_EQ(atomic_load(&calls), 1);
}

static void *make(void *arg)
{
	atomic_fetch_add((_Atomic uint32_t *)arg, 1);
	return &on;
}

GUEST_TEST(sync, once_value, "a once_value computes its value once (TestOnceValue, TestOnceValues)")
{
	_Atomic uint32_t calls = 0;
	struct once_value v = ONCE_VALUE(make, &calls);
	CHECK(once_value_get(&v) == &on);
	CHECK(once_value_get(&v) == &on);
	CHECK_EQ(atomic_load(&calls), 1);
}

static void *make_fail(void *arg)
{
	fail(arg);
	return NULL;
}

GUEST_TEST(sync, once_func_panic,
	   "each call panics as the first did, which is the only one (TestOnceFuncPanic, TestOnceValuePanic)")
{
	memset(&on, 0, sizeof on);
	static struct once_func f;
	f = (struct once_func)ONCE_FUNC(fail, NULL);
	volatile int landed = 0;
	for (volatile int i = 0; i < 3; i++) {
		RECOVER_SCOPE (r) {
			once_func_call(&f);
		} else {
			landed += strcmp(r.message, "failed 7") == 0;
		}
	}
	CHECK_EQ(landed, 3);
	CHECK_EQ(atomic_load(&on.calls), 1);
	static struct once_value v;
	v = (struct once_value)ONCE_VALUE(make_fail, NULL);
	for (volatile int i = 0; i < 3; i++) {
		RECOVER_SCOPE (r) {
			once_value_get(&v);
		} else {
			landed += strcmp(r.message, "failed 7") == 0;
		}
	}
	CHECK_EQ(landed, 6);
	CHECK_EQ(atomic_load(&on.calls), 2);
}

static struct once_func leaving;

static void call_leaving(void *arg)
{
	(void)arg;
	once_func_call(&leaving);
}

GUEST_TEST(sync, once_func_goexit,
	   "a function that ends its goroutine is not called again (TestOnceFuncGoexit)")
{
	memset(&on, 0, sizeof on);
	leaving = (struct once_func)ONCE_FUNC(leave, NULL);
	for (int i = 0; i < 2; i++) {
		struct waitgroup w = {0};
		CHECK(waitgroup_go(&w, call_leaving, NULL) != 0);
		waitgroup_wait(&w);
	}
	CHECK_EQ(atomic_load(&on.calls), 1);
}
