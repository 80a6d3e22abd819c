/* Single flight and error groups. Names in brackets are those of Go's tests. */
#include "suite.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/errgroup.h>
#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/singleflight.h>
#include <hartbeat/time.h>

static struct {
	struct singleflight f;
	_Atomic uint32_t calls, shared, wrong;
	struct waitgroup started, inside;
	struct chan *go_on, *first, *second;
	uint64_t wait;
} sf;

static int give_bar(void *arg, void **value)
{
	*value = arg;
	return 0;
}

static int give_error(void *arg, void **value)
{
	(void)arg;
	(void)value;
	return 5;
}

GUEST_TEST(singleflight, do, "a call returns what the function gave (TestDo)")
{
	struct singleflight_result r = singleflight_do(&sf.f, "key", give_bar, "bar");
	CHECK(strcmp(r.value, "bar") == 0);
	CHECK_EQ(r.error, 0);
	CHECK(!r.shared);
}

GUEST_TEST(singleflight, do_err, "a call returns the function's error (TestDoErr)")
{
	struct singleflight_result r = singleflight_do(&sf.f, "key", give_error, NULL);
	CHECK(r.value == NULL);
	CHECK_EQ(r.error, 5);
}

static int slow(void *arg, void **value)
{
	int token;
	if (atomic_fetch_add(&sf.calls, 1) == 0)
		waitgroup_done(&sf.started);
	chan_recv(sf.go_on, &token);
	chan_send(sf.go_on, &token); /* for a later call */
	time_sleep(10 * TIME_MILLISECOND);
	*value = arg;
	return 0;
}

static void do_slow(void *arg)
{
	waitgroup_done(&sf.started);
	struct singleflight_result r = singleflight_do(&sf.f, "key", slow, arg);
	if (r.value != arg || r.error != 0)
		atomic_fetch_add(&sf.wrong, 1);
	if (r.shared)
		atomic_fetch_add(&sf.shared, 1);
}

GUEST_TEST(singleflight, do_dup_suppress, "calls at the same time share one result (TestDoDupSuppress)")
{
	struct guest_group all = {0};
	enum { N = 10 };
	int token = 1;
	sf.go_on = chan_make(sizeof(int), 1);
	atomic_store(&sf.calls, 0);
	atomic_store(&sf.shared, 0);
	atomic_store(&sf.wrong, 0);
	waitgroup_add(&sf.started, N + 1);
	for (int i = 0; i < N; i++)
		guest_go(&all, do_slow, &sf);
	waitgroup_wait(&sf.started);
	chan_send(sf.go_on, &token);
	guest_wait(&all);
	CHECK(atomic_load(&sf.calls) > 0 && atomic_load(&sf.calls) < N);
	CHECK(atomic_load(&sf.shared) >= 2);
	CHECK_EQ(atomic_load(&sf.wrong), 0);
	chan_free(sf.go_on);
}

static int wait_first(void *arg, void **value)
{
	(void)arg;
	*value = (void *)1ul;
	chan_send(sf.first, NULL);
	chan_recv(sf.first, NULL);
	return 0;
}

static int wait_second(void *arg, void **value)
{
	(void)arg;
	*value = (void *)2ul;
	chan_send(sf.second, NULL);
	chan_recv(sf.second, NULL);
	return 0;
}

static int never(void *arg, void **value)
{
	(void)arg;
	(void)value;
	guest_fail(__FILE__, __LINE__, "the third must not be called");
	return 1;
}

static void do_first(void *arg)
{
	(void)arg;
	CHECK(singleflight_do(&sf.f, "key", wait_first, NULL).value == (void *)1ul);
}

static void do_second(void *arg)
{
	(void)arg;
	CHECK(singleflight_do(&sf.f, "key", wait_second, NULL).value == (void *)2ul);
}

static void do_third(void *arg)
{
	(void)arg;
	struct singleflight_result r = singleflight_do(&sf.f, "key", never, NULL);
	CHECK(r.value == (void *)2ul);
	CHECK(r.shared);
}

GUEST_TEST(singleflight, forget_unshared,
	   "a forgotten call is not joined; one with waiters is not forgotten (TestForgetUnshared)")
{
	struct guest_group one = {0}, two = {0};
	sf.first = chan_make(0, 0);
	sf.second = chan_make(0, 0);
	guest_go(&one, do_first, NULL);
	chan_recv(sf.first, NULL);
	CHECK(singleflight_forget_unshared(&sf.f, "key"));
	guest_go(&two, do_second, NULL);
	chan_recv(sf.second, NULL);
	guest_go(&two, do_third, NULL);
	while (singleflight_forget_unshared(&sf.f, "no such key"), true) {
		mutex_lock(&sf.f.m);
		bool waits = false;
		for (int i = 0; i < SINGLEFLIGHT_BUCKETS; i++)
			waits = waits || sf.f.calls[i] != NULL;
		mutex_unlock(&sf.f.m);
		CHECK(waits); /* the second is under way */
		time_sleep(5 * TIME_MILLISECOND);
		break;
	}
	for (int i = 0; i < 1000; i++)
		go_yield();
	CHECK(!singleflight_forget_unshared(&sf.f, "key"));
	chan_send(sf.first, NULL);
	guest_wait(&one);
	CHECK(!singleflight_forget_unshared(&sf.f, "key"));
	chan_send(sf.second, NULL);
	guest_wait(&two);
	chan_free(sf.first);
	chan_free(sf.second);
}

static int count_slowly(void *arg, void **value)
{
	(void)arg;
	time_sleep(sf.wait);
	*value = (void *)(uintptr_t)(atomic_fetch_add(&sf.calls, 1) + 1);
	return 0;
}

static void do_and_forget(void *arg)
{
	(void)arg;
	singleflight_do(&sf.f, "key", count_slowly, NULL);
	if (!singleflight_forget_unshared(&sf.f, "key"))
		atomic_fetch_add(&sf.shared, 1);
}

GUEST_TEST(singleflight, do_and_forget_unshared_race,
	   "when all shared one call, nobody finds it shared afterwards (TestDoAndForgetUnsharedRace)")
{
	for (sf.wait = TIME_MILLISECOND; sf.wait < 10 * TIME_SECOND; sf.wait *= 2) {
		struct guest_group all = {0};
		atomic_store(&sf.calls, 0);
		atomic_store(&sf.shared, 0);
		for (int i = 0; i < 1000; i++)
			guest_go(&all, do_and_forget, NULL);
		guest_wait(&all);
		if (atomic_load(&sf.calls) == 1) {
			CHECK_EQ(atomic_load(&sf.shared), 0);
			return;
		}
	}
	guest_fail(__FILE__, __LINE__, "1000 goroutines never met in one call");
}

static int fail(void *arg, void **value)
{
	(void)arg;
	(void)value;
	while (atomic_load(&sf.calls) == 0)
		go_yield();
	time_sleep(2 * TIME_MILLISECOND);
	go_panic("no result");
}

static void do_fail(void *arg)
{
	(void)arg;
	RECOVER_SCOPE (r) {
		singleflight_do(&sf.f, "key", fail, NULL);
	} else {
		if (strcmp(r.message, "no result") == 0)
			atomic_fetch_add(&sf.shared, 1);
	}
}

GUEST_TEST(singleflight, panic, "a call that panics panics in all who wait for it")
{
	struct guest_group all = {0};
	atomic_store(&sf.calls, 0);
	atomic_store(&sf.shared, 0);
	for (int i = 0; i < 5; i++)
		guest_go(&all, do_fail, NULL);
	go_yield();
	atomic_store(&sf.calls, 1);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&sf.shared), 5);
	CHECK(singleflight_do(&sf.f, "key", give_bar, &sf).value == &sf);
}

static struct {
	struct errgroup e;
	_Atomic uint32_t inside, most, cancelled;
	_Atomic bool hold;
} eg;

static int maybe_fail(void *arg)
{
	uint32_t n = atomic_fetch_add(&eg.inside, 1) + 1, most = atomic_load(&eg.most);
	while (n > most && !atomic_compare_exchange_strong(&eg.most, &most, n))
		;
	go_yield();
	while (atomic_load(&eg.hold))
		go_yield();
	atomic_fetch_sub(&eg.inside, 1);
	return (int)(uintptr_t)arg;
}

static void cancel(void *arg)
{
	(void)arg;
	atomic_fetch_add(&eg.cancelled, 1);
}

GUEST_TEST(errgroup, no_error, "wait returns 0 when nobody failed, and the group can be used again")
{
	memset(&eg, 0, sizeof eg);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++)
			CHECK(errgroup_go(&eg.e, maybe_fail, NULL) != 0);
		CHECK_EQ(errgroup_wait(&eg.e), 0);
		CHECK_EQ(atomic_load(&eg.inside), 0);
	}
}

GUEST_TEST(errgroup, first_error, "the first error stays, and cancels once")
{
	for (uint32_t round = 0; round < guest_count(20, 500); round++) {
		memset(&eg, 0, sizeof eg);
		errgroup_on_error(&eg.e, cancel, NULL);
		CHECK(errgroup_go(&eg.e, maybe_fail, (void *)7ul) != 0);
		CHECK_EQ(errgroup_wait(&eg.e), 7);
		for (uintptr_t i = 0; i < 10; i++)
			CHECK(errgroup_go(&eg.e, maybe_fail, (void *)i) != 0);
		CHECK_EQ(errgroup_wait(&eg.e), 7);
		CHECK_EQ(atomic_load(&eg.cancelled), 1);
	}
}

GUEST_TEST(errgroup, limit, "at most so many at a time; a try says that the limit is reached")
{
	memset(&eg, 0, sizeof eg);
	errgroup_set_limit(&eg.e, 3);
	for (int i = 0; i < 100; i++)
		CHECK(errgroup_go(&eg.e, maybe_fail, NULL) != 0);
	CHECK_EQ(errgroup_wait(&eg.e), 0);
	CHECK(atomic_load(&eg.most) <= 3);
	atomic_store(&eg.hold, true);
	for (int i = 0; i < 3; i++)
		CHECK(errgroup_try_go(&eg.e, maybe_fail, NULL) != 0);
	CHECK(errgroup_try_go(&eg.e, maybe_fail, NULL) == 0);
	volatile bool landed = false;
	RECOVER_SCOPE (r) {
		errgroup_set_limit(&eg.e, 5);
	} else {
		landed = strstr(r.message, "modify limit while 3 goroutines") != NULL;
	}
	CHECK(landed);
	atomic_store(&eg.hold, false);
	CHECK_EQ(errgroup_wait(&eg.e), 0);
}
