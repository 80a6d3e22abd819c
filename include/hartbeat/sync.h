/* Mutexes and wait groups between goroutines. A zeroed object is ready for use. */
#ifndef HARTBEAT_SYNC_H
#define HARTBEAT_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct g;

/* Fields are private. */
struct waitq {
	struct g *first, *last;
};

struct mutex {
	uint32_t state; /* atomic: 1 locked, 2 somebody waits */
	uint32_t lock[2];
	struct waitq waiters;
};

/* Waits until the mutex is free and takes it. Not recursive. */
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
/* Panics when m is not locked. Any goroutine may unlock, as in Go. */
void mutex_unlock(struct mutex *m);

struct waitgroup {
	int32_t count;
	uint32_t lock[2];
	struct waitq waiters;
};

/* Adds delta, which may be negative, to the counter; at 0 all waiters go on. Panics when the counter gets negative. */
void waitgroup_add(struct waitgroup *w, int delta);
void waitgroup_done(struct waitgroup *w); /* waitgroup_add(w, -1) */
void waitgroup_wait(struct waitgroup *w); /* until the counter is 0 */

#ifdef __cplusplus
}
#endif

#endif
