/* Host stand-in for kernel/lock.h, for test_g.c, test_ktimer.c, test_runq.c, test_shrink.c, test_stacks.c and test_trace_buf.c: found before the real one by
 * -Itests/host/stub_lock. host_spin.c has the functions. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <pthread.h>

struct spinlock {
	pthread_mutex_t mutex;
};

#define SPINLOCK_INIT(rank)                        \
	{                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER \
	}

void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);

#endif
