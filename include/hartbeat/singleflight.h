/*
 * One call at a time for each key: goroutines that ask for a key while another works on it wait and share its result, as Go's
 * internal/singleflight. A zeroed one is ready for use. Goroutine context only.
 *
 *	static struct singleflight loads;
 *	struct singleflight_result r = singleflight_do(&loads, path, load, path);
 */
#ifndef HARTBEAT_SINGLEFLIGHT_H
#define HARTBEAT_SINGLEFLIGHT_H

#include <stdbool.h>

#include <hartbeat/mutex.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SINGLEFLIGHT_BUCKETS = 32 };

/* Fields are private. */
struct singleflight {
	struct mutex m;
	struct singleflight_call *calls[SINGLEFLIGHT_BUCKETS];
};

struct singleflight_result {
	void *value; /* what fn stored; NULL when it stored nothing */
	int error;   /* what fn returned */
	bool shared; /* other goroutines have the same result */
};

/* Calls fn(arg, &value), unless a call for key is under way: then waits for that one and returns its result. If it panics or ends its
 * goroutine, those that wait panic too. fn returns an error of the program's own, 0 for none. key is copied. */
struct singleflight_result singleflight_do(struct singleflight *f, const char *key,
					   int (*fn)(void *arg, void **value), void *arg);
/* A call for key that comes from now on does not wait for one that is under way. */
void singleflight_forget(struct singleflight *f, const char *key);
/* The same, unless somebody already waits for the call that is under way: then false. */
bool singleflight_forget_unshared(struct singleflight *f, const char *key);

#ifdef __cplusplus
}
#endif

#endif
