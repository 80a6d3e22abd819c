/* Mutexes and wait groups, the two that nearly every program uses. The others: rwmutex.h, once.h, cond.h, semaphore.h, pool.h, errgroup.h,
 * singleflight.h. */
#ifndef HARTBEAT_SYNC_H
#define HARTBEAT_SYNC_H

#include <hartbeat/mutex.h>
#include <hartbeat/waitgroup.h>

#endif
