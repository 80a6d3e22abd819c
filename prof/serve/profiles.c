/*
 * Profiles over HTTP.
 *
 * 1. Of a kind of profile that takes its time one is taken at once; snapshots are taken one after the other. Otherwise clients together could
 *    ask for more memory than the program has left.
 * 2. Who waits for a profile is its client: when that goes, the profile ends. Otherwise a port would be held for as long as the one before
 *    had asked for.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <hartbeat/prof.h>
#include <hartbeat/profile.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "prof/prof.h"
#include "prof/profile.h"
#include "prof/serve/pages.h"

bool page_cpu(const struct http_request *r, struct answer *a, unsigned seconds, struct sink *to)
{
	unsigned hz;
	if (!page_number(r, a, "seconds", seconds, 1, SERVE_SECONDS_MAX, &seconds) ||
	    !page_number(r, a, "hz", 100, 1, 10000, &hz))
		return false;
	if (prof_start(hz) != 0) {
		answer_refuse(a, 500, "Could not enable CPU profiling: %s", prof_error(errno));
		return false;
	}
	answer_file(a, "profile", "");
	if (!answer_wait(a, seconds * TIME_SECOND)) {
		(void)!prof_stop_with(NULL, NULL, NULL);
		return false;
	}
	if (prof_stop_to(to) == 0)
		return true;
	answer_refuse(a, 500, "cpu profile: it could not be written whole");
	return false;
}

bool page_wall(const struct http_request *r, struct answer *a, struct sink *to)
{
	unsigned hz, seconds;
	if (!page_number(r, a, "seconds", 5, 1, SERVE_SECONDS_MAX, &seconds) ||
	    !page_number(r, a, "hz", 100, 1, 1000, &hz))
		return false;
	if (prof_wall_start(hz) != 0) {
		answer_refuse(a, 500, "Could not enable wall-clock profiling: %s",
			      errno == EBUSY ? "wall-clock profiling already in use" : strerror(errno));
		return false;
	}
	answer_file(a, "wall", "");
	if (!answer_wait(a, seconds * TIME_SECOND)) {
		(void)!prof_wall_stop_with(NULL, NULL, NULL);
		return false;
	}
	if (prof_wall_stop_to(to) == 0)
		return true;
	answer_refuse(a, 500, "wall-clock profile: it could not be written whole");
	return false;
}

/* ---- by name ---- */

static struct mutex snapshots; /* rule 1 */

static bool wait_hook(void *ctx, uint64_t ns)
{
	return answer_wait(ctx, ns);
}

/* What changes in the profile meanwhile. 0 or an errno. */
static int delta(struct profile *p, unsigned seconds, struct answer *a, struct sink *to)
{
	/* taken and given back like a lock: pairs with the release in delta() by who had it before */
	if (atomic_exchange_explicit(&p->delta, 1, memory_order_acquire) != 0)
		return EBUSY; /* rule 1 */
	int error = profile_write_while(profile_name(p), seconds * TIME_SECOND, wait_hook, a, to) != 0 ? errno
												       : 0;
	atomic_store_explicit(&p->delta, 0, memory_order_release); /* pairs with the acquire in delta() */
	return error;
}

static int snapshot(const char *name, unsigned debug, struct sink *to)
{
	mutex_lock(&snapshots);
	int error = profile_write(name, (int)debug, to) != 0 ? errno : 0;
	mutex_unlock(&snapshots);
	return error;
}

bool page_named(const struct http_request *r, struct answer *a, const char *name, struct sink *to)
{
	unsigned debug, seconds;
	struct profile *p = profile_lookup(name);
	if (p == NULL) {
		answer_refuse(a, 404, "Unknown profile");
		return false;
	}
	if (!page_number(r, a, "debug", 0, 0, 2, &debug) ||
	    !page_number(r, a, "seconds", 0, 1, SERVE_SECONDS_MAX, &seconds))
		return false;
	if (debug != 0 && seconds != 0) {
		answer_refuse(a, 400, "seconds and debug params are incompatible");
		return false;
	}
	if (debug == 0)
		answer_file(a, profile_name(p), seconds != 0 ? "-delta" : "");
	int error = seconds != 0 ? delta(p, seconds, a, to) : snapshot(name, debug, to);
	if (error == EBUSY)
		answer_refuse(a, 500, "%s: a profile of what changes is being taken already", name);
	else if (error != 0)
		answer_refuse(a, 500, "%s: it could not be written: %s", name, strerror(error));
	return error == 0;
}
