/*
 * Timers of the kernel: any number of deadlines, each with a function that runs in system context when it has passed. Applications use
 * <hartbeat/time.h>, which is made of these.
 *
 * Goroutine or system context throughout, with any lock held that may come before rank timer. Whoever owns a timer sees to it that two
 * calls for it do not overlap; firing may overlap with anything.
 */
#ifndef KERNEL_KTIMER_H
#define KERNEL_KTIMER_H

#include <stdbool.h>
#include <stdint.h>

struct hart;

/* A zeroed one with fn set is ready for use. It stays valid until it fired or was cancelled (ktimer_cancel_wait()). */
struct ktimer {
	void (*fn)(struct ktimer *t); /* system context, no lock held; may not park */
	void *arg;
	bool system; /* does not keep the program alive: not counted by timers_armed() */
	/* private to kernel/ktimer.c, guarded by the lock of the heap it is in */
	uint64_t deadline; /* arch_ticks() */
	uint32_t hart;     /* whose heap it is in or was in last */
	uint32_t pos;      /* 1-based place in the heap; 0 when not in one */
	uint32_t home;     /* hart whose heap keeps a place for it, + 1; 0: none */
};

/* Arms t on this hart. False when out of memory: t is as it was. */
__attribute__((warn_unused_result)) bool ktimer_add(struct ktimer *t, uint64_t deadline);

/* Keeps a place for t, so that ktimer_set() cannot fail. False when out of memory. */
__attribute__((warn_unused_result)) bool ktimer_reserve(struct ktimer *t);
/* Gives the place back. t is not armed. */
void ktimer_unreserve(struct ktimer *t);
/* Arms t, or moves it when it is armed. t has a reserved place. True: it was armed. Not under a spinlock if another of the owner's
 * timers may be out of place: it takes one timer lock after the other, never two. */
bool ktimer_set(struct ktimer *t, uint64_t deadline);

/* Disarms t. True: it will not fire. False: it has fired, or is firing, or was not armed. */
bool ktimer_cancel(struct ktimer *t);
/* The same, and waits until t->fn is not running on any other hart, so that t may be freed. No spinlock held. */
bool ktimer_cancel_wait(struct ktimer *t);

/* Timers of the program armed on all harts. Any context; exact while no hart arms, cancels or fires one. */
uint32_t timers_armed(void);

/* Timers armed in the heap of one hart, the kernel's too. Any context; a figure for people. */
uint32_t timers_in_heap(uint32_t hart);

/* Fires what is due in this hart's heap and sets the hart's timers_due. System context (the scheduler). */
void timers_run_sys(struct hart *h);
/* Fires what is due in the heaps of other harts, which are late. True if anything was. System context (a hart without work). */
bool timers_steal_sys(struct hart *h);

#endif
