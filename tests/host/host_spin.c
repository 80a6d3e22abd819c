/* Spinlocks as mutexes, and a system stack that is the thread's own: for host tests that stand on tests/host/stub_lock. */
#include "kernel/lock.h"
#include "kernel/system.h"

void spin_lock(struct spinlock *l)
{
	pthread_mutex_lock(&l->mutex);
}

void spin_unlock(struct spinlock *l)
{
	pthread_mutex_unlock(&l->mutex);
}

void on_system_stack(void (*fn)(void *), void *arg)
{
	fn(arg);
}
