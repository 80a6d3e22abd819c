/*
 * Figures about the running program, under the names of Go's runtime/metrics. Times are nanoseconds here, and seconds in the printed form.
 *
 *	struct metric_value v;
 *	if (metrics_read("/sched/goroutines:goroutines", &v))
 *		printf("%llu goroutines\n", (unsigned long long)v.value);
 *
 *	/sched/gomaxprocs:threads                         harts that run goroutines
 *	/sched/threads/total:threads                      the same
 *	/sched/goroutines:goroutines                      of the program
 *	/sched/goroutines/running:goroutines              on a hart                    } of the program
 *	/sched/goroutines/runnable:goroutines             waiting for a hart           }
 *	/sched/goroutines/waiting:goroutines              for anything else            }
 *	/sched/goroutines-created:goroutines              since the start, the kernel's own among them
 *	/sched/latencies:seconds                          histogram: from runnable to running (woken, started, preempted or
 *	                                                  yielding), of one in 8, some of them counted 8 at a time
 *	/sched/pauses/stopping/other:seconds              histogram: until the world stood still, each time it was stopped
 *	/sched/pauses/total/other:seconds                 histogram: until it went on again
 *	/sync/mutex/wait/total:seconds                    goroutines waited for mutexes, all together
 *	/cpu/classes/total:cpu-seconds                    time of all harts since they began to run goroutines
 *	/cpu/classes/idle:cpu-seconds                     of that: asleep, nothing to run
 *	/cpu/classes/system:cpu-seconds                   of that: goroutines of the kernel
 *	/cpu/classes/user:cpu-seconds                     the rest: the program, and the scheduler and interrupts on its behalf
 *
 * Values that belong together are read one after the other while the program goes on: they fit each other closely, not exactly.
 */
#ifndef HARTBEAT_METRICS_H
#define HARTBEAT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Buckets as Go's: [0] is empty here (below zero), then four to each power of two from 0 to 2^47 ns, the last takes what is longer. */
enum { METRIC_BUCKETS = 162 };

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct metric_value {
	enum metric_kind kind;
	uint64_t value; /* of a histogram: how many it counts */
	uint64_t sum;   /* of a histogram: ns */
	uint64_t counts[METRIC_BUCKETS];
};

/* Reads one metric. False when there is none of this name. Goroutine. */
bool metrics_read(const char *name, struct metric_value *out);
/* The name of the i-th metric, NULL behind the last. Any context. */
const char *metrics_name(unsigned i);
/* Lower bound of a bucket in ns, i from 1 to METRIC_BUCKETS - 1; what it counts is below the bound of the next. Any context. */
uint64_t metrics_bucket(unsigned i);

/* Takes n bytes of text; ctx is the caller's. */
typedef void metrics_sink(void *ctx, const char *text, size_t n);
/* Writes all metrics in Prometheus' text format 0.0.4, named as its client for Go names them (go_sched_goroutines_goroutines ...). Goroutine. */
void metrics_print(metrics_sink *sink, void *ctx);

#ifdef __cplusplus
}
#endif

#endif
