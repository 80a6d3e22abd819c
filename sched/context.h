/* What sched/context.c and context_after.c share: the tree of what is cancelled together. */
#ifndef SCHED_CONTEXT_H
#define SCHED_CONTEXT_H

#include <hartbeat/context.h>

#include "kernel/ktimer.h"
#include "kernel/lock.h"

/* A place in the list of what is cancelled with a context: a child context or a function to start. */
struct context_link {
	struct context *of;               /* immutable: whose list; NULL: never cancelled */
	struct context_link *next, *prev; /* guarded by of->lock */
	bool linked;                      /* guarded by of->lock */
	bool after;                       /* immutable: in a struct context_after, else in a struct context */
};

struct context {
	/* immutable */
	struct context *parent; /* a reference is held; NULL: the root */
	struct context *source; /* itself or the nearest ancestor that can be cancelled; NULL: never */
	const void *key;        /* NULL: no value here */
	void *value;
	uint64_t deadline; /* ns; UINT64_MAX: none */
	const char *deadline_cause;
	bool timed;        /* timer serves the deadline */
	struct chan *done; /* of one that can be cancelled itself */

	struct context_link link; /* among what is cancelled with the parent's source */
	struct ktimer timer;
	_Atomic uint32_t refs;

	struct spinlock lock; /* protects children, the links in it, and the moment of being cancelled */
	struct context_link *children;
	const char *cause;         /* written before err, under the lock */
	_Atomic(const char *) err; /* written once, under the lock; anybody reads */
	_Atomic bool closed;       /* done is closed */
};

/* Puts l into the list of l->of. False: that is cancelled already. */
bool context_link_in(struct context_link *l);
/* Takes l out if it is in. */
void context_link_out(struct context_link *l);

/* context_after.c */

/* The context is being cancelled and l, of a context_after, was taken out of its list, with a reference. */
bool context_after_keep(struct context_link *l);
void context_after_start(struct context_link *l);

#endif
