/* Groups: pools, error groups and single flight. */
#include "tests/stress/stress.h"

#include <stdlib.h>

#include <hartbeat/errgroup.h>
#include <hartbeat/pool.h>
#include <hartbeat/singleflight.h>

enum { CROWD_MAX = 10 };

/* ---- pool ---- */

struct thing {
	_Atomic uint32_t owners;
};

static void *thing_make(void)
{
	struct thing *t = stress_alloc(sizeof *t);
	atomic_init(&t->owners, 0);
	return t;
}

struct borrower {
	struct pool *p;
	struct waitgroup *left;
	uint32_t n;
	struct rng r;
};

static void borrow(void *arg)
{
	struct borrower *b = arg;
	for (uint32_t i = 0; i < b->n; i++) {
		struct thing *t = pool_get(b->p);
		CHECK_EQ(atomic_fetch_add(&t->owners, 1), 0); /* nobody else has it */
		stress_pause(&b->r);
		atomic_fetch_sub(&t->owners, 1);
		pool_put(b->p, t);
	}
	waitgroup_done(b->left);
}

static void pool(struct rng *r)
{
	struct pool p = POOL(thing_make, free);
	struct borrower b[CROWD_MAX];
	struct waitgroup left = {0};
	for (uint32_t i = stress_between(r, 1, CROWD_MAX); i > 0; i--) {
		b[i - 1] = (struct borrower){&p, &left, stress_between(r, 1, 300), stress_split(r)};
		stress_go(&left, borrow, &b[i - 1]);
	}
	waitgroup_wait(&left);
	pool_destroy(&p);
}

/* ---- error group ---- */

struct errand {
	struct errgroup *e;
	_Atomic int32_t *running;
	uint32_t limit;
	int error;
	struct rng r;
};

static int run_errand(void *arg)
{
	struct errand *x = arg;
	int32_t now = atomic_fetch_add(x->running, 1) + 1;
	CHECK(x->limit == 0 || now <= (int32_t)x->limit);
	stress_pause(&x->r);
	atomic_fetch_sub(x->running, 1);
	return x->error;
}

static void errgroup(struct rng *r)
{
	enum { ERRANDS_MAX = 40 };
	struct errgroup e = {0};
	struct errand x[ERRANDS_MAX];
	_Atomic int32_t running = 0;
	uint32_t n = stress_between(r, 1, ERRANDS_MAX), limit = stress_below(r, 5);
	bool wrong = false;
	errgroup_set_limit(&e, limit);
	for (uint32_t i = 0; i < n; i++) {
		x[i] = (struct errand){&e, &running, limit, stress_below(r, 20) == 0 ? (int)i + 1 : 0,
				       stress_split(r)};
		if (errgroup_go(&e, run_errand, &x[i]) != 0)
			wrong |= x[i].error != 0;
	}
	int error = errgroup_wait(&e);
	CHECK_EQ(atomic_load(&running), 0);
	CHECK_EQ(error != 0, wrong);
	CHECK(error == 0 || x[error - 1].error == error);
}

/* ---- single flight ---- */

struct flights {
	struct singleflight f;
	_Atomic uint32_t flying[3], calls;
	struct waitgroup left;
};

struct flyer {
	struct flights *all;
	uint32_t key, n;
	struct rng r;
};

static int fly(void *arg, void **value)
{
	struct flyer *f = arg;
	CHECK_EQ(atomic_fetch_add(&f->all->flying[f->key], 1), 0); /* one at a time for each key */
	stress_pause(&f->r);
	atomic_fetch_sub(&f->all->flying[f->key], 1);
	atomic_fetch_add(&f->all->calls, 1);
	*value = &f->all->flying[f->key];
	return (int)f->key;
}

static void flyer(void *arg)
{
	static const char *const keys[] = {"a", "b", "c"};
	struct flyer *f = arg;
	for (uint32_t i = 0; i < f->n; i++) {
		f->key = stress_below(&f->r, 3);
		struct singleflight_result got = singleflight_do(&f->all->f, keys[f->key], fly, f);
		CHECK(got.value == &f->all->flying[f->key] && got.error == (int)f->key);
		stress_pause(&f->r);
	}
	waitgroup_done(&f->all->left);
}

static void singleflight(struct rng *r)
{
	struct flights all = {0};
	struct flyer f[CROWD_MAX];
	uint32_t asked = 0;
	for (uint32_t i = stress_between(r, 1, CROWD_MAX); i > 0; i--) {
		f[i - 1] = (struct flyer){.all = &all, .n = stress_between(r, 1, 60), .r = stress_split(r)};
		asked += f[i - 1].n;
		stress_go(&all.left, flyer, &f[i - 1]);
	}
	waitgroup_wait(&all.left);
	CHECK(atomic_load(&all.calls) > 0 && atomic_load(&all.calls) <= asked);
}

const struct actor stress_group[] = {
	{"pool", "what a pool gives is nobody else's", pool},
	{"errgroup", "a group keeps its limit and an error", errgroup},
	{"singleflight", "one call at a time for each key, and its result for all", singleflight},
	{0},
};
