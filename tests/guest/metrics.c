/* Metrics: figures that fit what was done, and their printed form. */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/metrics.h>
#include <hartbeat/time.h>

#include "sched/sched.h"
#include "sched/histogram.h"
#include "sched/metrics.h"

static uint64_t value(const char *name)
{
	static struct metric_value v; /* one test at a time */
	CHECK(metrics_read(name, &v));
	return v.value;
}

GUEST_TEST(metrics, names, "each name is read, none twice; an unknown one is not")
{
	struct metric_value v;
	unsigned n = 0;
	for (; metrics_name(n) != NULL; n++) {
		CHECK(metrics_read(metrics_name(n), &v));
		CHECK(metrics_name(n)[0] == '/' && strchr(metrics_name(n), ':') != NULL);
		CHECK(n == 0 || strcmp(metrics_name(n - 1), metrics_name(n)) < 0 ||
		      strchr(metrics_name(n - 1), ':') != NULL);
	}
	CHECK(n >= 15);
	CHECK(!metrics_read("/sched/goroutines", &v));
	CHECK(!metrics_read("", &v));
}

GUEST_TEST(metrics, buckets, "every time lies in the bucket that holds it, and buckets are Go's")
{
	CHECK_EQ(metrics_bucket(1), 0);
	CHECK_EQ(metrics_bucket(2), 64);
	CHECK_EQ(metrics_bucket(5), 256);
	CHECK_EQ(metrics_bucket(6), 320);
	CHECK_EQ(metrics_bucket(METRIC_BUCKETS - 1), 1ull << 47);
	for (unsigned i = 1; i + 1 < METRIC_BUCKETS; i++)
		CHECK(metrics_bucket(i) < metrics_bucket(i + 1));
	uint64_t seed = 1;
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t ns = (uint64_t)guest_random(&seed) << 20 ^ guest_random(&seed);
		ns >>= guest_random(&seed) % 52;
		unsigned b = histogram_bucket(ns);
		CHECK(b >= 1 && b < METRIC_BUCKETS && metrics_bucket(b) <= ns);
		CHECK(b == METRIC_BUCKETS - 1 || ns < metrics_bucket(b + 1));
	}
	for (unsigned i = 1; i < METRIC_BUCKETS; i++) {
		CHECK_EQ(histogram_bucket(metrics_bucket(i)), i);
		if (i > 1)
			CHECK_EQ(histogram_bucket(metrics_bucket(i) - 1), i - 1);
	}
	CHECK_EQ(histogram_bucket(UINT64_MAX), METRIC_BUCKETS - 1);
}

static void wait_for_close(void *c)
{
	chan_recv(c, NULL);
}

GUEST_TEST(metrics, sched, "goroutines by state and those started (TestReadMetricsSched)")
{
	enum { N = 30 };
	struct guest_group all = {0};
	struct chan *c = chan_make(0, 0);
	uint64_t before = value("/sched/goroutines:goroutines"),
		 created = value("/sched/goroutines-created:goroutines");
	CHECK_EQ(value("/sched/gomaxprocs:threads"), go_harts());
	CHECK_EQ(value("/sched/threads/total:threads"), go_harts());
	CHECK(value("/sched/goroutines/running:goroutines") >= 1);
	CHECK(value("/sched/goroutines/running:goroutines") <= go_harts());
	for (int i = 0; i < N; i++)
		guest_go(&all, wait_for_close, c);
	uint64_t end = time_now() + 10 * TIME_SECOND;
	while (value("/sched/goroutines/waiting:goroutines") < N && time_now() < end)
		time_sleep(TIME_MILLISECOND);
	CHECK(value("/sched/goroutines/waiting:goroutines") >= N);
	CHECK_EQ(value("/sched/goroutines:goroutines"), before + N);
	CHECK(value("/sched/goroutines-created:goroutines") >= created + N);
	CHECK(value("/sched/goroutines-created:goroutines") <=
	      created + N + 2); /* the kernel may have started some */
	chan_close(c);
	guest_wait(&all);
	CHECK(guest_count_settles((uint32_t)before));
	CHECK_EQ(value("/sched/goroutines:goroutines"), before);
	chan_free(c);
}

static void echo(void *arg)
{
	struct chan **c = arg;
	while (chan_recv(c[0], NULL))
		chan_send(c[1], NULL);
}

GUEST_TEST(metrics, latencies, "about one wake-up in eight is in the histogram, whose times fit its sum")
{
	struct metric_value before, after;
	struct guest_group all = {0};
	struct chan *c[2] = {chan_make(0, 0), chan_make(0, 0)};
	uint32_t rounds = guest_count(8000, 100000);
	guest_go(&all, echo, c);
	CHECK(metrics_read("/sched/latencies:seconds", &before));
	uint64_t start = time_now();
	for (uint32_t i = 0; i < rounds; i++) {
		chan_send(c[0], NULL);
		chan_recv(c[1], NULL);
	}
	uint64_t took = time_now() - start;
	CHECK(metrics_read("/sched/latencies:seconds", &after));
	chan_close(c[0]);
	guest_wait(&all);
	chan_free(c[0]);
	chan_free(c[1]);
	uint64_t n = after.value - before.value, least = 0, counted = 0;
	for (unsigned i = 1; i < METRIC_BUCKETS; i++) {
		uint64_t k = after.counts[i] - before.counts[i];
		counted += k;
		least += k * metrics_bucket(i);
	}
	guest_note("%llu of %u round trips' wake-ups followed", (unsigned long long)n, rounds);
	CHECK(after.kind == METRIC_HISTOGRAM);
	CHECK_EQ(counted, n);
	/* a round trip wakes at least once and at most 3 times */
	CHECK(n >= rounds / 40 && n <= rounds);
	CHECK(after.sum - before.sum >= least && after.sum - before.sum <= took * 2);
}

static void hold_hart(void *arg)
{
	_Atomic uint32_t *stop = arg;
	while (atomic_load(stop) == 0)
		;
}

/* Idle time of a sleep of 5 ms, with nothing else to do, in ns. */
static uint64_t sleep_idle(void)
{
	static const char idle[] = "/cpu/classes/idle:cpu-seconds";
	uint64_t before = value(idle), start = time_now();
	time_sleep(5 * TIME_MILLISECOND);
	CHECK(time_now() - start >= 5 * TIME_MILLISECOND);
	return value(idle) - before;
}

GUEST_TEST(metrics, spin,
	   "a hart that is to spin before it sleeps does not sleep when its timer comes sooner")
{
	uint64_t was = sched_spin_ns, slept[2] = {0};
	if (go_harts() > 1) {
		guest_note("for one hart: the others sleep");
		return;
	}
	sched_spin_ns = 0;
	/* a busy host may let the timer be due before the hart is asleep */
	for (int i = 0; i < 200 && slept[0] == 0; i++)
		slept[0] = sleep_idle();
	sched_spin_ns = TIME_SECOND;
	slept[1] = sleep_idle();
	/* and one that is woken early waits for the rest awake */
	sched_spin_ns = TIME_MILLISECOND;
	uint64_t start = time_now();
	time_sleep(10 * TIME_MILLISECOND);
	CHECK(time_now() - start >= 10 * TIME_MILLISECOND);
	sched_spin_ns = was;
	guest_note("slept %lu ns, with spinning %lu ns", (unsigned long)slept[0], (unsigned long)slept[1]);
	CHECK(slept[0] > 0);
	CHECK_EQ(slept[1], 0);
}

GUEST_TEST(metrics, latencies_under_load, "goroutines that wait for busy harts are seen to wait")
{
	struct metric_value before, after;
	struct guest_group all = {0};
	_Atomic uint32_t stop = 0;
	for (unsigned i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, hold_hart, &stop);
	CHECK(metrics_read("/sched/latencies:seconds", &before));
	/* until one of those that are followed has waited for a hog's slice */
	uint64_t end = time_now() + 20 * TIME_SECOND, slow = 0;
	while (slow == 0 && time_now() < end) {
		time_sleep(TIME_MILLISECOND);
		CHECK(metrics_read("/sched/latencies:seconds", &after));
		for (unsigned i = histogram_bucket(500 * TIME_MICROSECOND); i < METRIC_BUCKETS; i++)
			slow += after.counts[i] - before.counts[i];
	}
	atomic_store(&stop, 1);
	guest_wait(&all);
	CHECK(slow > 0);
}

static uint64_t latencies(void)
{
	return value("/sched/latencies:seconds");
}

static void nothing(void *arg)
{
	(void)arg;
}

GUEST_TEST(metrics, latencies_started, "of goroutines that are started one in eight counts")
{
	enum { N = 6400 };
	struct guest_group all = {0};
	uint64_t before = latencies();
	for (int i = 0; i < N; i++)
		guest_go(&all, nothing, NULL);
	guest_wait(&all);
	/* each hart takes ids 16 at a time; whoever was woken meanwhile counts too */
	uint64_t n = latencies() - before;
	CHECK(n >= N / 8 - 8 * go_harts() && n <= 2 * N);
}

static void yield_often(void *arg)
{
	for (int i = *(int *)arg; i > 0; i--)
		go_yield();
}

GUEST_TEST(metrics, latencies_yielding, "of goroutines that yield about one in eight counts")
{
	int times = 12800;
	struct guest_group all = {0};
	uint64_t before = latencies();
	for (int i = 0; i < 2; i++)
		guest_go(&all, yield_often, &times);
	guest_wait(&all);
	uint64_t n = latencies() - before;
	guest_note("%llu of %d", (unsigned long long)n, 2 * times);
	/* a hart without work takes from the queue's head too, and the turn of the global queue passes by */
	CHECK(n >= (uint64_t)times / 16 && n <= (uint64_t)times);
}

/* Waits of 2 ms and more: for another's slice. */
static uint64_t slow_latencies(void)
{
	struct metric_value v;
	uint64_t n = 0;
	CHECK(metrics_read("/sched/latencies:seconds", &v));
	for (unsigned i = histogram_bucket(2 * TIME_MILLISECOND); i < METRIC_BUCKETS; i++)
		n += v.counts[i];
	return n;
}

enum { PREEMPTED_SEEN = 5 };
static uint64_t hogs_from, hogs_end;

static void hog(void *arg)
{
	(void)arg;
	while (slow_latencies() < hogs_from + PREEMPTED_SEEN && time_now() < hogs_end)
		guest_spin(TIME_MILLISECOND);
}

GUEST_TEST(metrics, latencies_preempted,
	   "goroutines that were preempted, and wait for the others' slices, are seen to wait")
{
	struct guest_group all = {0};
	hogs_from = slow_latencies();
	hogs_end = time_now() + 30 * TIME_SECOND;
	for (unsigned i = 0; i < 2 * go_harts() + 1; i++)
		guest_go(&all, hog, NULL);
	guest_wait(&all);
	CHECK(slow_latencies() >= hogs_from + PREEMPTED_SEEN);
}

GUEST_TEST(metrics, pauses, "pauses are counted with both their times (TestSchedPauseMetrics)")
{
	struct metric_value stopping[2], total[2];
	CHECK(metrics_read("/sched/pauses/stopping/other:seconds", &stopping[0]));
	CHECK(metrics_read("/sched/pauses/total/other:seconds", &total[0]));
	metrics_pause(1000, 50000);
	metrics_pause(2000, 3000);
	CHECK(metrics_read("/sched/pauses/stopping/other:seconds", &stopping[1]));
	CHECK(metrics_read("/sched/pauses/total/other:seconds", &total[1]));
	CHECK_EQ(stopping[1].value - stopping[0].value, 2);
	CHECK_EQ(stopping[1].sum - stopping[0].sum, 3000);
	CHECK_EQ(total[1].sum - total[0].sum, 53000);
	CHECK_EQ(total[1].counts[histogram_bucket(50000)] - total[0].counts[histogram_bucket(50000)], 1);
}

static struct mutex waited;

static void take(void *arg)
{
	(void)arg;
	mutex_lock(&waited);
	mutex_unlock(&waited);
}

GUEST_TEST(metrics, mutex_wait_time,
	   "time that goroutines waited for a mutex, each its own (TestMutexWaitTimeMetric)")
{
	enum { N = 4 };
	struct guest_group all = {0};
	uint64_t before = value("/sync/mutex/wait/total:seconds"), start = time_now();
	mutex_lock(&waited);
	for (int i = 0; i < N; i++)
		guest_go(&all, take, NULL);
	time_sleep(5 * TIME_MILLISECOND); /* they come to wait, on busy hosts too late to count */
	while (value("/sched/goroutines/waiting:goroutines") < N)
		time_sleep(TIME_MILLISECOND);
	uint64_t waiting = time_now();
	time_sleep(20 * TIME_MILLISECOND);
	uint64_t least = N * (time_now() - waiting);
	mutex_unlock(&waited);
	guest_wait(&all);
	uint64_t got = value("/sync/mutex/wait/total:seconds") - before;
	CHECK(got >= least);
	CHECK(got <= N * (time_now() - start));
}

GUEST_TEST(metrics, cpu_classes, "time is idle, the kernel's or the program's, and that is all of it")
{
	uint64_t user, idle, total, spun = 0;
	/* a goroutine of the kernel may get the hart in between, and the host keep it from giving it back */
	for (int i = 0; i < GUEST_ATTEMPTS && spun < 29 * TIME_MILLISECOND; i++) {
		user = value("/cpu/classes/user:cpu-seconds");
		idle = value("/cpu/classes/idle:cpu-seconds");
		total = value("/cpu/classes/total:cpu-seconds");
		guest_spin(30 * TIME_MILLISECOND);
		spun = value("/cpu/classes/user:cpu-seconds") - user;
	}
	CHECK(spun >= 29 * TIME_MILLISECOND);
	time_sleep(30 * TIME_MILLISECOND);
	uint64_t slept = value("/cpu/classes/idle:cpu-seconds") - idle;
	CHECK(slept >= 20 * TIME_MILLISECOND);
	/* They are read one after the other, and the host may take its time in between. */
	uint64_t before = 0;
	bool all = false;
	for (int i = 0; i < GUEST_ATTEMPTS && !all; i++) {
		before = value("/cpu/classes/total:cpu-seconds");
		uint64_t sum = value("/cpu/classes/user:cpu-seconds") +
			       value("/cpu/classes/idle:cpu-seconds") +
			       value("/cpu/classes/system:cpu-seconds");
		uint64_t after = value("/cpu/classes/total:cpu-seconds");
		all = sum <= after + 20 * TIME_MILLISECOND && sum + 20 * TIME_MILLISECOND >= before;
	}
	CHECK(all);
	CHECK(before - total >= 60 * TIME_MILLISECOND * go_harts() - TIME_MILLISECOND);
}

static struct {
	char text[32768];
	size_t n;
} printed;

static void collect(void *ctx, const char *text, size_t n)
{
	CHECK(ctx == &printed);
	CHECK(printed.n + n < sizeof printed.text);
	memcpy(printed.text + printed.n, text, n);
	printed.n += n;
}

GUEST_TEST(metrics, prometheus, "the printed form: help, type and value of each, buckets that add up")
{
	unsigned types = 0, infinite = 0;
	printed.n = 0;
	metrics_print(collect, &printed);
	printed.text[printed.n] = '\0';
	char *save, last_name[80] = "";
	unsigned long long last = 0;
	for (char *line = strtok_r(printed.text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "# TYPE go_", 10) == 0) {
			types++;
			continue;
		}
		if (strncmp(line, "# HELP go_", 10) == 0)
			continue;
		CHECK(strncmp(line, "go_", 3) == 0 && strrchr(line, ' ') != NULL);
		char *brace = strchr(line, '{');
		if (brace == NULL)
			continue;
		size_t n = (size_t)(brace - line);
		unsigned long long count = strtoull(strrchr(line, ' '), NULL, 10);
		if (strncmp(line, last_name, n) != 0 || last_name[n] != '\0')
			last = 0;
		CHECK(n < sizeof last_name && count >= last);
		memcpy(last_name, line, n);
		last_name[n] = '\0';
		last = count;
		infinite += strstr(brace, "+Inf") != NULL;
	}
	CHECK_EQ(infinite, 3);
	unsigned names = 0;
	while (metrics_name(names) != NULL)
		names++;
	CHECK_EQ(types, names);
}
