/* Host stand-in for kernel/ktimer.h, for test_chan.c: a timer is a thread that sleeps. */
#ifndef KERNEL_KTIMER_H
#define KERNEL_KTIMER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ktimer {
	void (*fn)(struct ktimer *t);
	void *arg;
	bool system;
	uint64_t deadline; /* here: microseconds from now */
	_Atomic bool over;
	pthread_t thread;
};

bool ktimer_add(struct ktimer *t, uint64_t deadline);
bool ktimer_cancel_wait(struct ktimer *t);

#endif
