/*
 * Single flight: the calls that are under way, in a small hash table under a mutex. A call's record belongs to all who wait for it: the last
 * one frees it.
 *
 * 1. A call leaves the table when it is over, or when it is forgotten, and is then found by nobody. Otherwise a result would be shared that
 *    is older than the question.
 */
#include <hartbeat/singleflight.h>

#include <stdint.h>
#include <string.h>

#include <hartbeat/panic.h>
#include <hartbeat/waitgroup.h>

#include "kernel/heap.h"

struct singleflight_call {
	struct singleflight *f;         /* immutable */
	uint32_t bucket;                /* immutable */
	struct waitgroup over;          /* 1 while the function runs */
	struct singleflight_call *next; /* guarded by f->m, as the rest until the call is over */
	uint32_t waiters;               /* that share the result */
	uint32_t users;                 /* they, and the caller: those who have not left yet */
	bool listed, returned;
	struct singleflight_result result;
	char message[PANIC_MESSAGE_MAX]; /* of a panic */
	char key[];
};

static uint32_t bucket_of(const char *key)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h % SINGLEFLIGHT_BUCKETS;
}

static struct singleflight_call *find_locked(struct singleflight *f, const char *key)
{
	struct singleflight_call *c = f->calls[bucket_of(key)];
	while (c != NULL && strcmp(c->key, key) != 0)
		c = c->next;
	return c;
}

static void unlist_locked(struct singleflight_call *c)
{
	if (!c->listed)
		return;
	struct singleflight_call **at = &c->f->calls[c->bucket];
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->listed = false;
}

static void leave(struct singleflight_call *c)
{
	mutex_lock(&c->f->m);
	bool last = --c->users == 0;
	mutex_unlock(&c->f->m);
	if (last)
		heap_free(c);
}

/* The function has returned, panicked or ended its goroutine. */
static void finish(void *call)
{
	struct singleflight_call *c = call;
	struct singleflight *f = c->f;
	const char *message = go_panicking();
	if (message == NULL)
		message = "singleflight: the function ended its goroutine";
	mutex_lock(&f->m);
	unlist_locked(c);
	c->result.shared = c->waiters > 0;
	if (!c->returned)
		strncpy(c->message, message, sizeof c->message - 1);
	mutex_unlock(&f->m);
	waitgroup_done(&c->over);
	if (!c->returned)
		leave(c);
}

static struct singleflight_result wait_for(struct singleflight_call *c)
{
	char message[PANIC_MESSAGE_MAX];
	waitgroup_wait(&c->over);
	struct singleflight_result r = c->result;
	bool returned = c->returned;
	if (!returned)
		memcpy(message, c->message, sizeof message);
	leave(c);
	if (!returned)
		go_panic("%s", message);
	return r;
}

struct singleflight_result singleflight_do(struct singleflight *f, const char *key,
					   int (*fn)(void *arg, void **value), void *arg)
{
	struct singleflight_result r = {0};
	size_t size = strlen(key) + 1;
	mutex_lock(&f->m);
	struct singleflight_call *c = find_locked(f, key);
	if (c != NULL) {
		c->waiters++;
		c->users++;
		mutex_unlock(&f->m);
		return wait_for(c);
	}
	c = heap_alloc_zero(sizeof *c + size);
	if (c == NULL) {
		mutex_unlock(&f->m);
		r.error = fn(arg, &r.value); /* no memory to share it */
		return r;
	}
	memcpy(c->key, key, size);
	c->f = f;
	c->bucket = bucket_of(key);
	c->users = 1;
	c->listed = true;
	c->next = f->calls[c->bucket];
	f->calls[c->bucket] = c;
	waitgroup_add(&c->over, 1);
	mutex_unlock(&f->m);
	{
		DEFER(finish, c);
		c->result.error = fn(arg, &c->result.value);
		c->returned = true;
	}
	r = c->result;
	leave(c);
	return r;
}

void singleflight_forget(struct singleflight *f, const char *key)
{
	mutex_lock(&f->m);
	struct singleflight_call *c = find_locked(f, key);
	if (c != NULL)
		unlist_locked(c);
	mutex_unlock(&f->m);
}

bool singleflight_forget_unshared(struct singleflight *f, const char *key)
{
	mutex_lock(&f->m);
	struct singleflight_call *c = find_locked(f, key);
	bool unshared = c == NULL || c->waiters == 0;
	if (c != NULL && unshared)
		unlist_locked(c);
	mutex_unlock(&f->m);
	return unshared;
}
