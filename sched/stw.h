/*
 * Stopping the world: every goroutine but the caller stands still, at a place where it could have been preempted, until stw_end().
 */
#ifndef SCHED_STW_H
#define SCHED_STW_H

#include <stdbool.h>
#include <stdint.h>

/* Why, as Go names it; shown as `stop-the-world (TEXT)`. */
enum stw_kind {
	STW_UNKNOWN,
	STW_GC_MARK_TERM,
	STW_GC_SWEEP_TERM,
	STW_WRITE_HEAP_DUMP,
	STW_GOROUTINE_PROFILE,
	STW_GOROUTINE_PROFILE_CLEANUP,
	STW_ALL_GOROUTINES_STACK,
	STW_READ_MEM_STATS,
	STW_ALL_THREADS_SYSCALL,
	STW_GOMAXPROCS,
	STW_START_TRACE,
	STW_STOP_TRACE,
	STW_TRACE_ADVANCE,
	STW_TEST,
	STW_KINDS,
};

extern const char *const stw_kind_text[STW_KINDS];

/*
 * Waits for its turn, then until nobody runs, and returns with preemption off; until stw_end() the caller may not park. Goroutine context, no
 * spinlock held, preemption on. While it waits for its turn the caller can be stopped itself.
 */
void stw_begin(enum stw_kind kind);
void stw_end(void);
/* Whether the world stands; what for. Any context. */
bool stw_stopped(enum stw_kind *kind);
/* The longest stop of this kind so far, in ns, from the wish until the world goes on; *standing: the longest time that it stood. Forgets
 * them. Goroutine context. */
uint64_t stw_longest(enum stw_kind kind, uint64_t *standing);

#endif
