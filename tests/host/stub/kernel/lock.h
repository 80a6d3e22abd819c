/* Host stand-in for kernel/lock.h: found before the real one by -Itests/host/stub. See
 * tests/host/host_lock.c. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <pthread.h>

enum { RANK_HEAP = 1, RANK_PAGE = 2 }; /* in the order in which they may be taken */

struct spinlock {
	pthread_mutex_t mutex;
	int rank;
};

#define SPINLOCK_INIT(r)                                        \
	{                                                       \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (r) \
	}

void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);

#endif
