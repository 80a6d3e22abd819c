/*
 * Profiles of a program's own: things by address, each with the stack that added it.
 *
 *	buckets -> entry {value, stack} -> entry ...      grown by doubling, under the profile's mutex
 *
 * 1. A stack is taken before the mutex. Otherwise those who add would wait for each other's walks.
 */
#include <hartbeat/panic.h>
#include <hartbeat/sync.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/g.h"
#include "kernel/heap.h"
#include "kernel/traceback.h"
#include "kernel/walk.h"
#include "prof/intern.h"
#include "prof/profile.h"

enum { DEPTH_MAX = 32, SKIP_MAX = PROF_DEPTH_MAX - DEPTH_MAX, BUCKETS_FIRST = 64 }; /* the first as Go */

struct entry {
	struct entry *next;
	const void *value;
	uint32_t depth;
	uintptr_t pcs[];
};

struct custom {
	struct profile profile; /* first */
	struct mutex lock;      /* protects what follows */
	struct entry **buckets;
	size_t n_buckets, n;
	char name[PROFILE_NAME_MAX + 1];
};

static struct entry **bucket_of(struct entry **buckets, size_t n, const void *value)
{
	return &buckets[hash_word(0, (uintptr_t)value) & (n - 1)];
}

static struct entry **find_locked(struct custom *c, const void *value)
{
	struct entry **e = bucket_of(c->buckets, c->n_buckets, value);
	while (*e != NULL && (*e)->value != value)
		e = &(*e)->next;
	return e;
}

/* Without memory the chains get longer. */
static void grow_locked(struct custom *c)
{
	size_t n = c->n_buckets * 2;
	struct entry **more = heap_alloc_zero(n * sizeof *more);
	if (more == NULL)
		return;
	for (size_t i = 0; i < c->n_buckets; i++) {
		for (struct entry *e = c->buckets[i], *next; e != NULL; e = next) {
			struct entry **to = bucket_of(more, n, e->value);
			next = e->next;
			e->next = *to;
			*to = e;
		}
	}
	heap_free(c->buckets);
	c->buckets = more;
	c->n_buckets = n;
}

static size_t count(struct profile *p)
{
	struct custom *c = (struct custom *)p;
	mutex_lock(&c->lock);
	size_t n = c->n;
	mutex_unlock(&c->lock);
	return n;
}

static int collect(struct profile *p, struct snapshot *s)
{
	struct custom *c = (struct custom *)p;
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->n_buckets; i++) {
		for (const struct entry *e = c->buckets[i]; e != NULL; e = e->next) {
			struct prof_sample sample = {.count = 1, .depth = e->depth, .pcs = e->pcs};
			builder_add(&s->records, &sample);
		}
	}
	mutex_unlock(&c->lock);
	return 0;
}

bool profile_is_custom(const struct profile *p)
{
	return p->collect == collect;
}

static bool name_valid(const char *name)
{
	size_t n = strnlen(name, PROFILE_NAME_MAX + 1);
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return n >= 1 && n <= PROFILE_NAME_MAX;
}

struct profile *profile_new(const char *name)
{
	if (!name_valid(name))
		go_panic("profile: NewProfile with name \"%s\": 1 to %d printing characters expected", name,
			 PROFILE_NAME_MAX);
	struct custom *c = heap_alloc_zero(sizeof *c);
	if (c == NULL)
		return NULL;
	c->n_buckets = BUCKETS_FIRST;
	c->buckets = heap_alloc_zero(BUCKETS_FIRST * sizeof *c->buckets);
	if (c->buckets == NULL) {
		heap_free(c);
		return NULL;
	}
	strcpy(c->name, name);
	c->profile = (struct profile){.name = c->name,
				      .sample_types = {{c->name, "count"}},
				      .period_type = {c->name, "count"},
				      .n_sample_types = 1,
				      .collect = collect,
				      .count = count};
	if (!profile_register(&c->profile)) {
		heap_free(c->buckets);
		heap_free(c);
		go_panic("profile: there is a profile \"%s\" already", name);
	}
	return &c->profile;
}

/* The entry for the stack of who called profile_add(); NULL without memory. */
static struct entry *entry_make(const struct arch_unwind *here, const void *value, unsigned skip)
{
	uintptr_t pcs[DEPTH_MAX + SKIP_MAX];
	struct arch_unwind u = *here;
	unsigned flags;
	skip = skip < SKIP_MAX ? skip + 1 : SKIP_MAX; /* and profile_add() itself */
	unsigned n = walk_frames(&u, NULL, g_self(), pcs, DEPTH_MAX + skip, &flags);
	unsigned depth = n > skip ? n - skip : 0;
	struct entry *e = heap_alloc(sizeof *e + (depth > 0 ? depth : 1) * sizeof e->pcs[0]);
	if (e == NULL)
		return NULL;
	e->value = value;
	e->depth = depth > 0 ? depth : 1;
	e->pcs[0] = PROF_FRAME_LOST; /* everything was left out */
	if (depth > 0)
		memcpy(e->pcs, pcs + skip, depth * sizeof e->pcs[0]);
	return e;
}

int profile_add(struct profile *p, const void *value, unsigned skip)
{
	struct custom *c = (struct custom *)p;
	struct arch_unwind here;
	if (!profile_is_custom(p))
		go_panic("profile: \"%s\" is not one that things are added to", p->name);
	traceback_here(&here);
	struct entry *e = entry_make(&here, value, skip);
	if (e == NULL) {
		errno = ENOMEM;
		return -1;
	}
	mutex_lock(&c->lock);
	if (c->n >= c->n_buckets)
		grow_locked(c);
	struct entry **at = find_locked(c, value);
	bool twice = *at != NULL;
	if (!twice) {
		e->next = NULL;
		*at = e;
		c->n++;
	}
	mutex_unlock(&c->lock);
	if (twice) {
		heap_free(e);
		go_panic("profile: Profile.Add of duplicate value");
	}
	return 0;
}

void profile_remove(struct profile *p, const void *value)
{
	struct custom *c = (struct custom *)p;
	if (!profile_is_custom(p))
		go_panic("profile: \"%s\" is not one that things are taken from", p->name);
	mutex_lock(&c->lock);
	struct entry **at = find_locked(c, value), *e = *at;
	if (e != NULL) {
		*at = e->next;
		c->n--;
	}
	mutex_unlock(&c->lock);
	heap_free(e);
}
