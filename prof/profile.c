/*
 * The registry of profiles, and what is common to writing them (see profile.h).
 *
 *	collect -> snapshot -> [less an earlier one] -> pprof -> gzip -> sink
 *	                                            \-> text ----------> sink
 *
 * 1. A profile has left its own locks when its bytes are written. Otherwise a slow console would hold up who adds to it.
 * 2. Each record of a snapshot holds its labels until that is freed. Otherwise they could be freed, and their number given to others.
 * 3. Whoever has little stack left has the work done elsewhere. Otherwise a program could not be looked at where it is deepest.
 */
#include "prof/profile.h"

#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/dump.h"
#include "kernel/g.h"
#include "kernel/heap.h"
#include "prof/image.h"
#include "prof/impl.h"
#include "prof/prof.h"
#include "sched/sched.h"

enum {
	STACK_NEEDED = 16 << 10
}; /* bytes; measured by guest profile.little_stack: less than half of it is used */

/* In the order of their names. */
static struct profile *const built_in[] = {
	&profile_allocs, &profile_block,  &prof_goroutine,   &profile_heap,
	&profile_mutex,  &profile_parked, &profile_runnable,
};

static struct mutex registry; /* protects first and the links */
static struct profile *first;

/* ---- the registry ---- */

/* Where the profile of that name is, or belongs. */
static struct profile **place_locked(const char *name)
{
	struct profile **p = &first;
	while (*p != NULL && strcmp((*p)->name, name) < 0)
		p = &(*p)->next;
	return p;
}

struct profile *profile_lookup(const char *name)
{
	mutex_lock(&registry);
	struct profile *p = *place_locked(name);
	mutex_unlock(&registry);
	return p != NULL && strcmp(p->name, name) == 0 ? p : NULL;
}

bool profile_register(struct profile *p)
{
	ASSERT(p->n_sample_types >= 1 && p->n_sample_types <= PROF_VALUES_MAX && p->sort_by < PROF_VALUES_MAX,
	       "a profile has one to PROF_VALUES_MAX sample types");
	mutex_lock(&registry);
	struct profile **at = place_locked(p->name);
	bool new = *at == NULL || strcmp((*at)->name, p->name) != 0;
	if (new) {
		p->next = *at;
		*at = p;
	}
	mutex_unlock(&registry);
	return new;
}

void profiles_init(void)
{
	for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++) {
		bool new = profile_register(built_in[i]);
		ASSERT(new, "the kernel's profiles have different names");
	}
}

size_t profile_list(struct profile **list, size_t max)
{
	size_t n = 0;
	mutex_lock(&registry);
	for (struct profile *p = first; p != NULL; p = p->next, n++)
		if (n < max)
			list[n] = p;
	mutex_unlock(&registry);
	return n;
}

const char *profile_name(const struct profile *p)
{
	return p->name;
}

size_t profile_count(struct profile *p)
{
	return p->count(p);
}

/* ---- snapshots ---- */

struct prof_record *snapshot_add(struct builder *b, const struct prof_sample *s)
{
	struct prof_record *r = builder_put(b, s);
	if (r != NULL && r->times == 1)
		labels_hold(r->labels);
	return r;
}

static void labels_drop_all(const struct builder *b)
{
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
		labels_drop(r->labels);
}

static void record_add(struct snapshot *s, const struct prof_sample *sample)
{
	if (s->holds_labels)
		snapshot_add(&s->records, sample);
	else
		builder_put(&s->records, sample);
}

void snapshot_merge(struct snapshot *s, struct builder *b,
		    void (*edit)(struct prof_sample *sample, uintptr_t *pcs))
{
	uintptr_t pcs[PROF_DEPTH_MAX + 1];
	s->holds_labels = true;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		struct prof_sample sample = builder_sample(r, false);
		if (builder_is_lost(b, r)) {
			builder_add_lost(&s->records, &sample);
			continue;
		}
		memcpy(pcs, r->pcs, r->depth * sizeof *pcs);
		sample.pcs = pcs;
		if (edit != NULL)
			edit(&sample, pcs);
		record_add(s, &sample);
	}
	labels_drop_all(b);
	builder_free(b);
}

/* Takes what was there before away. */
static void snapshot_subtract(struct snapshot *s, const struct snapshot *before)
{
	const struct builder *b = &before->records;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		struct prof_sample sample = builder_sample(r, true);
		if (builder_is_lost(b, r))
			builder_add_lost(&s->records, &sample);
		else
			record_add(s, &sample);
	}
}

static void snapshot_free(struct snapshot *s)
{
	if (s->holds_labels)
		labels_drop_all(&s->records);
	builder_free(&s->records);
}

static int snapshot_take(struct profile *p, uint64_t caller, struct snapshot *s)
{
	memset(s, 0, sizeof *s);
	s->caller = caller;
	builder_init(&s->records, &prof_mem_spare, SNAPSHOT_LIMIT);
	s->period = 1;
	s->time_nanos = (int64_t)clock_wall_ns();
	return p->collect(p, s);
}

/* What had no memory: false, nothing. */
static bool truncated(const struct profile *p, const struct snapshot *s, char *text, size_t size)
{
	const struct prof_record *lost = &s->records.lost;
	if (lost->times == 0)
		return false;
	snprintf(text, size, "truncated: %s: no memory for the stacks of %lld of %lld %s/%s", p->name,
		 (long long)lost->values[p->sort_by], (long long)s->records.values[p->sort_by],
		 p->sample_types[p->sort_by].type, p->sample_types[p->sort_by].unit);
	return true;
}

/* ---- writing ---- */

static int write_proto(const struct profile *p, const struct snapshot *s, bool difference, struct sink *to)
{
	char lack[SNAPSHOT_COMMENT_SIZE];
	const char *comments[SNAPSHOT_COMMENTS + 1];
	struct pprof_options o = {.n_sample_types = p->n_sample_types,
				  .period_type = p->period_type,
				  .period = s->period,
				  .default_sample_type = p->default_sample_type,
				  .comments = comments,
				  .time_nanos = s->time_nanos,
				  .duration_nanos = s->duration_nanos,
				  .returns = true,
				  .difference = difference,
				  .label = p->label != NULL ? p->label : prof_image_label};
	memcpy(o.sample_types, p->sample_types, sizeof o.sample_types);
	for (; o.n_comments < s->n_comments; o.n_comments++)
		comments[o.n_comments] = s->comments[o.n_comments];
	if (truncated(p, s, lack, sizeof lack))
		comments[o.n_comments++] = lack;
	return prof_write_to(to, &o, &s->records);
}

static int write_text(const struct profile *p, const struct snapshot *s, struct sink *to)
{
	char lack[SNAPSHOT_COMMENT_SIZE];
	struct text_options o = {
		.head = p->text_head != NULL ? p->text_head : text_count_head,
		.record = p->text_record != NULL ? p->text_record : text_count_record,
		.tail = p->text_tail,
		.ctx = s,
		.name = p->name,
		.sort_by = p->sort_by,
		.returns = true,
		.symbolize = prof_image_symbolize,
		.label = p->label != NULL ? p->label : prof_image_label,
		.entry = prof_image_entry,
		.hides = prof_image_hides,
	};
	int error = text_write(&s->records, &o, &prof_mem, to);
	struct text t = {.to = to, .error = error};
	for (unsigned i = 0; i < s->n_comments; i++)
		text_printf(&t, "# %s\n", s->comments[i]);
	if (truncated(p, s, lack, sizeof lack))
		text_printf(&t, "# %s\n", lack);
	return t.error;
}

struct request {
	struct profile *p;
	int debug;
	uint64_t delta_ns; /* 0: a profile of now */
	uint64_t caller;
	profile_wait_fn *wait;
	void *ctx;
	struct sink *to;
	int error;
	struct waitgroup done; /* when it is served by another goroutine */
};

/* Snapshots are large for a stack. */
static int write_with(struct request *r, struct snapshot *s, struct snapshot *before)
{
	int error = 0;
	if (before != NULL) {
		error = snapshot_take(r->p, r->caller, before);
		if (error == 0 && !r->wait(r->ctx, r->delta_ns))
			error = -ECANCELED;
	}
	if (error == 0)
		error = snapshot_take(r->p, r->caller, s);
	if (error == 0 && before != NULL) {
		s->duration_nanos = s->time_nanos - before->time_nanos;
		snapshot_subtract(s, before);
	}
	if (error == 0)
		error = r->debug == 0 ? write_proto(r->p, s, before != NULL, r->to)
				      : write_text(r->p, s, r->to);
	return error;
}

static void serve(void *request)
{
	struct request *r = request;
	if (r->debug == 2 && r->p->write_details != NULL) {
		r->error = r->p->write_details(r->p, r->caller, r->to);
		return;
	}
	size_t n = r->delta_ns > 0 ? 2 : 1;
	struct snapshot *s = heap_alloc_zero(n * sizeof *s);
	if (s == NULL) {
		r->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < n; i++)
		builder_init(&s[i].records, &prof_mem_spare, SNAPSHOT_LIMIT);
	r->error = write_with(r, &s[0], n == 2 ? &s[1] : NULL);
	for (size_t i = 0; i < n; i++)
		snapshot_free(&s[i]);
	heap_free(s);
}

static void serve_elsewhere(void *request)
{
	struct request *r = request;
	serve(r);
	waitgroup_done(&r->done);
}

static int submit(struct request *r)
{
	r->caller = go_id();
	if (arch_sp() - g_self()->stack_lo >= STACK_NEEDED) {
		serve(r);
	} else {
		/* of the program: it sleeps for that, in a difference or in a sink, which keeps it alive */
		waitgroup_add(&r->done, 1);
		if (go_with(serve_elsewhere, r, &(struct go_options){.name = "profile"}) == 0)
			return -1;
		waitgroup_wait(&r->done);
	}
	if (r->error != 0)
		errno = -r->error;
	return r->error != 0 ? -1 : 0;
}

int profile_write(const char *name, int debug, struct sink *to)
{
	struct request r = {.p = profile_lookup(name), .debug = debug, .to = to};
	if (r.p == NULL || debug < 0 || debug > 2) {
		errno = r.p == NULL ? ENOENT : EINVAL;
		return -1;
	}
	return submit(&r);
}

int profile_write_while(const char *name, uint64_t ns, profile_wait_fn *wait, void *ctx, struct sink *to)
{
	struct request r = {
		.p = profile_lookup(name), .delta_ns = ns > 0 ? ns : 1, .wait = wait, .ctx = ctx, .to = to};
	if (r.p == NULL) {
		errno = ENOENT;
		return -1;
	}
	return submit(&r);
}

static bool sleep_all(void *ctx, uint64_t ns)
{
	(void)ctx;
	time_sleep(ns);
	return true;
}

int profile_write_delta(const char *name, uint64_t ns, struct sink *to)
{
	return profile_write_while(name, ns, sleep_all, NULL, to);
}

int profile_dump(const char *name, int debug, const char *file)
{
	if (profile_lookup(name) == NULL) {
		errno = ENOENT;
		return -1;
	}
	errno = EINVAL;
	struct dump *d = dump_open(file);
	if (d == NULL)
		return -1;
	int result = profile_write(name, debug, dump_sink(d)), error = errno;
	dump_close(d);
	errno = error;
	return result;
}
