/*
 * Time for goroutines: the clock, sleeping, timers, tickers and delayed functions. Semantics as Go's since 1.23.
 *
 *	struct timer *t = timer_new(5 * TIME_SECOND);
 *	uint64_t when;
 *	chan_recv(t->c, &when);
 *	timer_free(t);
 *
 * Durations are in nanoseconds. Negative ones (above INT64_MAX, as a difference that went below 0 is) count as 0: the time has come.
 * Every function here is called from a goroutine, time_now() and time_wall() from anywhere.
 *
 * Who frees what: the functions that end in _new, time_after_func() and time_after() give the caller something to free with timer_free(),
 * ticker_free() or time_after_free(), from any goroutine, once nobody waits on its channel. The channel belongs to its timer: applications
 * receive from it, and do not send, close or free.
 */
#ifndef HARTBEAT_TIME_H
#define HARTBEAT_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include <hartbeat/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIME_MICROSECOND 1000ull
#define TIME_MILLISECOND 1000000ull
#define TIME_SECOND      1000000000ull

/* Nanoseconds since boot, monotonic, the same on every hart. */
uint64_t time_now(void);
/* Nanoseconds since 1970 from the platform's clock, or since boot where there is none. */
uint64_t time_wall(void);
/* Waits at least ns nanoseconds; 0, and what is negative as an int64_t, returns at once. Never fails: a goroutine that finds no memory to
 * wait with yields until it is time. */
void time_sleep(uint64_t ns);

/*
 * A timer fires once: it sends the time at which it was due, a uint64_t as of time_now(), to its channel c. The channel looks unbuffered
 * (chan_len() and chan_cap() are 0), but a timer fires whether or not somebody waits: whoever receives later gets the value at once.
 */
struct timer {
	struct chan *c; /* NULL for time_after_func() */
	bool made;      /* private: by timer_new() or time_after_func() */
};

/* NULL when memory is out. Setting, stopping and firing it later needs no more. */
struct timer *timer_new(uint64_t ns) __attribute__((warn_unused_result));
/* The timer will not fire. True: it was to, or what it sent had not been received, and will not be. False: the value was received, or
 * the function's goroutine has been started, or the timer was stopped already. On a struct timer that is none of theirs: panics. */
bool timer_stop(struct timer *t);
/* The timer fires in ns from now, and not as it was to. The result is as of timer_stop(). */
bool timer_reset(struct timer *t, uint64_t ns);
/* Stops and frees it. NULL is allowed. */
void timer_free(struct timer *t);

/* A timer that starts fn(arg) in a goroutine instead of sending. NULL when memory is out. If there is no memory for the goroutine when it
 * is time, it is tried again every millisecond. It may be freed from fn. */
struct timer *time_after_func(uint64_t ns, void (*fn)(void *), void *arg) __attribute__((warn_unused_result));

/* The channel of a new timer. NULL when memory is out. */
struct chan *time_after(uint64_t ns) __attribute__((warn_unused_result));
/* Stops and frees that timer with its channel. NULL is allowed. */
void time_after_free(struct chan *c);

/*
 * A ticker sends the time each period (uint64_t, as a timer) and drops ticks for a slow receiver: at most one waits in its channel, the
 * first that was not received.
 */
struct ticker {
	struct chan *c;
	bool made; /* private: by ticker_new() */
};

/* NULL when memory is out. Panics when period is not positive: non-positive interval for NewTicker */
struct ticker *ticker_new(uint64_t period) __attribute__((warn_unused_result));
/* No more ticks, nor one that waits to be received. The channel is not closed. Does nothing to a struct ticker that ticker_new() did not
 * make. */
void ticker_stop(struct ticker *t);
/* The next tick comes in `period` ns from now, and so on. Panics when it is not positive: non-positive interval for Ticker.Reset */
void ticker_reset(struct ticker *t, uint64_t period);
/* Stops and frees it. NULL is allowed. */
void ticker_free(struct ticker *t);

#ifdef __cplusplus
}
#endif

#endif
