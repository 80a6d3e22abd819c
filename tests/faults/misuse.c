/* Mutexes used wrongly: the eight ways of Go's TestMutexMisuse, a panic under waitgroup_go() (TestIssue76126), and cleanups that wait for ever. */
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/cleanup.h>
#include <hartbeat/panic.h>
#include <hartbeat/rwmutex.h>
#include <hartbeat/sync.h>

#include "tests/faults/cases.h"

static struct mutex m;
static struct rwmutex rw;

SHOWN void misuse_unlock2(void)
{
	mutex_lock(&m);
	mutex_unlock(&m);
	mutex_unlock(&m);
	KEEP_FRAME();
}

SHOWN void misuse_rw_unlock(void)
{
	rwmutex_unlock(&rw);
	KEEP_FRAME();
}

SHOWN void misuse_rw_unlock2(void)
{
	rwmutex_rlock(&rw);
	rwmutex_unlock(&rw);
	KEEP_FRAME();
}

SHOWN void misuse_rw_unlock3(void)
{
	rwmutex_lock(&rw);
	rwmutex_unlock(&rw);
	rwmutex_unlock(&rw);
	KEEP_FRAME();
}

SHOWN void misuse_rw_runlock(void)
{
	rwmutex_runlock(&rw);
	KEEP_FRAME();
}

SHOWN void misuse_rw_runlock2(void)
{
	rwmutex_lock(&rw);
	rwmutex_runlock(&rw);
	KEEP_FRAME();
}

SHOWN void misuse_rw_runlock3(void)
{
	rwmutex_rlock(&rw);
	rwmutex_runlock(&rw);
	rwmutex_runlock(&rw);
	KEEP_FRAME();
}

/* What a program does to survive: a fatal error is none that it can. */
SHOWN void misuse_in_scope(void)
{
	RECOVER_SCOPE (r) {
		mutex_unlock(&m);
	} else {
		printf("recovered: %s\n", r.message);
	}
	KEEP_FRAME();
}

SHOWN static void fail(void *arg)
{
	(void)arg;
	go_panic("in a goroutine of a group");
}

SHOWN void waitgroup_go_panic(void)
{
	struct waitgroup w = {0};
	if (waitgroup_go(&w, fail, NULL) == 0)
		exit(3);
	waitgroup_wait(&w);
	printf("wait returned\n");
	KEEP_FRAME();
}

/* What runs when an object is gone waits for ever, and so does everybody else. */
SHOWN static void cleanup_waits(void *never)
{
	chan_recv(never, NULL);
	KEEP_FRAME();
}

SHOWN static void finalizer_waits(void *o)
{
	cleanup_waits(*(void **)o);
	KEEP_FRAME();
}

static void **object_of(struct chan *never)
{
	void **o = object_new(sizeof *o);
	if (o == NULL || never == NULL)
		abort();
	*o = never;
	return o;
}

SHOWN void cleanup_deadlock(void)
{
	struct chan *never = chan_make(0, 0);
	void **o = object_of(never);
	if (cleanup_add(o, cleanup_waits, never) == 0)
		abort();
	object_release(o);
	chan_recv(never, NULL);
	KEEP_FRAME();
}

SHOWN void finalizer_deadlock(void)
{
	struct chan *never = chan_make(0, 0);
	void **o = object_of(never);
	if (finalizer_set(o, finalizer_waits) != 0)
		abort();
	object_release(o);
	chan_recv(never, NULL);
	KEEP_FRAME();
}
