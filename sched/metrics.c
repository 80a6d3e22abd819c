/*
 * Metrics (see include/hartbeat/metrics.h). Each is counted where it arises, per hart where that is on a fast path, and added up when it is
 * read.
 *
 *	time of a hart:  | since it began ................................ now |
 *	                 | idle: slept, and the sleep it is in | system | user: the rest |
 */
#include <hartbeat/metrics.h>

#include <string.h>

#include <hartbeat/go.h>

#include "kernel/clock.h"
#include "kernel/print.h"
#include "sched/histogram.h"
#include "sched/impl.h"
#include "sched/latency.h"
#include "sched/metrics.h"
#include "sched/mutex.h"

_Static_assert((int)HISTOGRAM_BUCKETS == (int)METRIC_BUCKETS, "the public buckets are ours");

/*
 * Of one hart, written by it. How long it slept is one word, so that a reader never counts a sleep twice or not at all: twice the ticks
 * slept so far; while it sleeps, twice those less the tick it fell asleep at, plus 1.
 */
static struct hart_times {
	_Atomic uint64_t since; /* ticks: began */
	_Atomic uint64_t slept;
	struct histogram latencies;
} times[HART_MAX];

static struct histogram stopping, stopped;

void metrics_pause(uint64_t stopping_ns, uint64_t total_ns)
{
	histogram_record_shared(&stopping, stopping_ns);
	histogram_record_shared(&stopped, total_ns);
}

void metrics_hart_begin(struct hart *h)
{
	atomic_store_explicit(&times[h->index].since, arch_ticks(), memory_order_relaxed);
}

void metrics_hart_idle(struct hart *h, bool idle)
{
	_Atomic uint64_t *slept = &times[h->index].slept;
	uint64_t was = atomic_load_explicit(slept, memory_order_relaxed) & ~1ull, now = 2 * arch_ticks();
	atomic_store_explicit(slept, idle ? (was - now) | 1 : was + now, memory_order_relaxed);
}

void latency_follow_eight(struct g *g)
{
	g->ready_at = arch_ticks();
	g->careful |= G_FOLLOWED_EIGHT;
}

void latency_record(struct g *g, uint64_t now)
{
	uint16_t how = g->careful;
	g->careful = how & (uint16_t) ~(G_FOLLOWED | G_FOLLOWED_EIGHT | G_LATE);
	if ((how & (G_FOLLOWED | G_FOLLOWED_EIGHT)) != 0) {
		uint64_t ticks = now > g->ready_at ? now - g->ready_at : 0;
		uint64_t n = (how & G_FOLLOWED_EIGHT) != 0 ? LATENCY_EIGHTH : 1;
		g->ready_at = 0;
		histogram_record(&times[arch_hart()->index].latencies, clock_from_ticks(ticks), n);
	}
	if ((how & G_LATE) != 0)
		sched_late(g, how & G_LATE, now > g->woken_at ? now - g->woken_at : 0);
}

/* ---- reading ---- */

void metrics_hart_times(unsigned hart, uint64_t *since, uint64_t *slept)
{
	uint64_t word = atomic_load_explicit(&times[hart].slept, memory_order_relaxed);
	*since = atomic_load_explicit(&times[hart].since, memory_order_relaxed);
	*slept = ((word & ~1ull) + ((word & 1) != 0 ? 2 * arch_ticks() : 0)) / 2;
}

static uint64_t idle_ticks(void)
{
	uint64_t sum = 0, since, slept;
	for (uint32_t i = 0; i < hart_count; i++) {
		metrics_hart_times(i, &since, &slept);
		sum += slept;
	}
	return sum;
}

static uint64_t total_ticks(void)
{
	uint64_t sum = 0, now = arch_ticks();
	for (uint32_t i = 0; i < hart_count; i++) {
		uint64_t since = atomic_load_explicit(&times[i].since, memory_order_relaxed);
		sum += since != 0 && now > since ? now - since : 0;
	}
	return sum;
}

static uint64_t system_ticks(void)
{
	uint64_t sum = 0;
	for (const struct g *g = g_all(); g != NULL; g = g->all_next)
		if (g->system)
			sum += g->run_ticks;
	return sum;
}

static uint64_t read_total(void)
{
	return clock_from_ticks(total_ticks());
}

static uint64_t read_idle(void)
{
	return clock_from_ticks(idle_ticks());
}

static uint64_t read_system(void)
{
	return clock_from_ticks(system_ticks());
}

static uint64_t read_user(void)
{
	uint64_t other = idle_ticks() + system_ticks(), total = total_ticks();
	return clock_from_ticks(total > other ? total - other : 0);
}

static uint64_t read_harts(void)
{
	return go_harts();
}

static uint64_t read_goroutines(void)
{
	return go_count();
}

static uint64_t read_mutex_wait(void)
{
	return clock_from_ticks(mutex_wait_ticks());
}

enum state { RUNNING, RUNNABLE, WAITING };

static uint64_t in_state(enum state wanted)
{
	uint64_t n = 0;
	for (const struct g *g = g_all(); g != NULL; g = g->all_next) {
		uint32_t s = atomic_load_explicit(&g->status, memory_order_relaxed) & G_STATUS_MASK;
		if (g->system || s == G_IDLE || s == G_DEAD)
			continue;
		enum state state = s == G_RUNNABLE || s == G_READIED ? RUNNABLE
				   : s == G_WAITING                  ? WAITING
								     : RUNNING;
		n += state == wanted;
	}
	return n;
}

static uint64_t read_running(void)
{
	return in_state(RUNNING);
}

static uint64_t read_runnable(void)
{
	return in_state(RUNNABLE);
}

static uint64_t read_waiting(void)
{
	return in_state(WAITING);
}

static void histogram_take(struct metric_value *v, const struct histogram *h)
{
	for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
		uint64_t n = atomic_load_explicit(&h->counts[i], memory_order_relaxed);
		v->counts[i] += n;
		v->value += n;
	}
	v->sum += atomic_load_explicit(&h->sum, memory_order_relaxed);
}

static void read_latencies(struct metric_value *v)
{
	for (uint32_t i = 0; i < hart_count; i++)
		histogram_take(v, &times[i].latencies);
}

static void read_stopping(struct metric_value *v)
{
	histogram_take(v, &stopping);
}

static void read_stopped(struct metric_value *v)
{
	histogram_take(v, &stopped);
}

static const struct metric {
	const char *name, *help;
	enum metric_kind kind;
	uint64_t (*number)(void);
	void (*histogram)(struct metric_value *v);
} metrics[] = {
	{"/cpu/classes/idle:cpu-seconds", "Time that harts slept because there was nothing to run.",
	 METRIC_COUNTER, read_idle, NULL},
	{"/cpu/classes/system:cpu-seconds", "Time that goroutines of the kernel ran.", METRIC_COUNTER,
	 read_system, NULL},
	{"/cpu/classes/total:cpu-seconds", "Time of all harts since they began to run goroutines.",
	 METRIC_COUNTER, read_total, NULL},
	{"/cpu/classes/user:cpu-seconds", "Time of the program, scheduler and interrupts included.",
	 METRIC_COUNTER, read_user, NULL},
	{"/sched/gomaxprocs:threads", "Harts that run goroutines.", METRIC_GAUGE, read_harts, NULL},
	{"/sched/goroutines-created:goroutines", "Goroutines started so far, the kernel's included.",
	 METRIC_COUNTER, go_created, NULL},
	{"/sched/goroutines/runnable:goroutines", "Goroutines that wait for a hart.", METRIC_GAUGE,
	 read_runnable, NULL},
	{"/sched/goroutines/running:goroutines", "Goroutines on a hart.", METRIC_GAUGE, read_running, NULL},
	{"/sched/goroutines/waiting:goroutines", "Goroutines that wait for anything but a hart.",
	 METRIC_GAUGE, read_waiting, NULL},
	{"/sched/goroutines:goroutines", "Goroutines of the program.", METRIC_GAUGE, read_goroutines, NULL},
	{"/sched/latencies:seconds", "From runnable to running, of one in 8 or so.", METRIC_HISTOGRAM, NULL,
	 read_latencies},
	{"/sched/pauses/stopping/other:seconds", "Until the world stood still.", METRIC_HISTOGRAM, NULL,
	 read_stopping},
	{"/sched/pauses/total/other:seconds", "Until the stopped world went on.", METRIC_HISTOGRAM, NULL,
	 read_stopped},
	{"/sched/threads/total:threads", "Harts.", METRIC_GAUGE, read_harts, NULL},
	{"/sync/mutex/wait/total:seconds", "Time that goroutines waited for mutexes.", METRIC_COUNTER,
	 read_mutex_wait, NULL},
};

enum { N_METRICS = sizeof metrics / sizeof metrics[0] };

const char *metrics_name(unsigned i)
{
	return i < N_METRICS ? metrics[i].name : NULL;
}

uint64_t metrics_bucket(unsigned i)
{
	return histogram_bound(i);
}

static void value_take(const struct metric *m, struct metric_value *v)
{
	v->kind = m->kind;
	v->value = v->sum = 0;
	memset(v->counts, 0, sizeof v->counts);
	if (m->histogram != NULL)
		m->histogram(v);
	else
		v->value = m->number();
}

bool metrics_read(const char *name, struct metric_value *out)
{
	for (unsigned i = 0; i < N_METRICS; i++)
		if (strcmp(name, metrics[i].name) == 0) {
			value_take(&metrics[i], out);
			return true;
		}
	return false;
}

/* ---- Prometheus' text format ---- */

struct printer {
	metrics_sink *sink;
	void *ctx;
	char name[80]; /* as Prometheus wants it */
};

static void __attribute__((format(printf, 2, 3))) out(const struct printer *p, const char *fmt, ...)
{
	char line[200];
	va_list ap;
	va_start(ap, fmt);
	size_t n = print_format(line, sizeof line, fmt, ap);
	va_end(ap);
	p->sink(p->ctx, line, n);
}

/* "/sched/goroutines-created:goroutines" -> "go_sched_goroutines_created_goroutines_total" */
static void name_make(struct printer *p, const struct metric *m)
{
	size_t n = print_text(p->name, sizeof p->name, "go%s%s", m->name,
			      m->kind == METRIC_COUNTER ? "_total" : "");
	for (size_t i = 0; i < n; i++) {
		char c = p->name[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
			p->name[i] = '_';
	}
}

static bool in_seconds(const struct metric *m)
{
	return strstr(m->name, "seconds") != NULL;
}

static void histogram_print(const struct printer *p, const struct metric_value *v)
{
	uint64_t below = v->counts[0];
	/* each power of two is enough here */
	for (unsigned i = 1; i < METRIC_BUCKETS - 1; i++) {
		below += v->counts[i];
		uint64_t bound = histogram_bound(i + 1);
		if (i % HISTOGRAM_SUBS == 0)
			out(p, "%s_bucket{le=\"%lu.%09lu\"} %lu\n", p->name,
			    (unsigned long)(bound / 1000000000u), (unsigned long)(bound % 1000000000u),
			    (unsigned long)below);
	}
	out(p, "%s_bucket{le=\"+Inf\"} %lu\n", p->name, (unsigned long)v->value);
	out(p, "%s_sum %lu.%09lu\n", p->name, (unsigned long)(v->sum / 1000000000u),
	    (unsigned long)(v->sum % 1000000000u));
	out(p, "%s_count %lu\n", p->name, (unsigned long)v->value);
}

void metrics_print(metrics_sink *sink, void *ctx)
{
	static const char *const kinds[] = {"gauge", "counter", "histogram"};
	struct printer p = {.sink = sink, .ctx = ctx};
	for (unsigned i = 0; i < N_METRICS; i++) {
		const struct metric *m = &metrics[i];
		struct metric_value v;
		value_take(m, &v);
		name_make(&p, m);
		out(&p, "# HELP %s %s\n", p.name, m->help);
		out(&p, "# TYPE %s %s\n", p.name, kinds[m->kind]);
		if (m->kind == METRIC_HISTOGRAM)
			histogram_print(&p, &v);
		else if (in_seconds(m))
			out(&p, "%s %lu.%09lu\n", p.name, (unsigned long)(v.value / 1000000000u),
			    (unsigned long)(v.value % 1000000000u));
		else
			out(&p, "%s %lu\n", p.name, (unsigned long)v.value);
	}
}
