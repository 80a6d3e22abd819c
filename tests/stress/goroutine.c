/* Goroutines themselves: every one runs once, keeps its registers and its thread-local words, and runs what it deferred. */
#include "tests/stress/stress.h"

#include <errno.h>

#include <hartbeat/panic.h>

enum { DEPTH_MAX = 5 };

static _Thread_local uint64_t mine;

/* A tree of goroutines, each of which starts its children; levels[d] is what those of depth d are given. */
struct tree;
struct level {
	struct tree *t;
	uint32_t depth;
};

struct tree {
	_Atomic uint64_t nodes, seed;
	uint32_t children;
	struct waitgroup left;
	struct level levels[DEPTH_MAX + 1];
};

static void grow(void *arg)
{
	const struct level *l = arg;
	struct tree *t = l->t;
	struct rng r = {atomic_fetch_add(&t->seed, 0x9e3779b97f4a7c15u)};
	mine = go_id();
	errno = (int)l->depth + 1;
	atomic_fetch_add(&t->nodes, 1);
	for (uint32_t i = 0; l->depth > 0 && i < t->children; i++)
		stress_go(&t->left, grow, &t->levels[l->depth - 1]);
	stress_pause(&r);
	CHECK_EQ(mine, go_id());
	CHECK_EQ(errno, l->depth + 1);
	waitgroup_done(&t->left);
}

static void tree(struct rng *r)
{
	struct tree t = {.children = stress_between(r, 1, 4), .seed = stress_random(r)};
	uint32_t depth = stress_below(r, DEPTH_MAX);
	uint64_t expected = 0, level = 1;
	for (uint32_t d = 0; d <= depth; d++, level *= t.children) {
		t.levels[d] = (struct level){&t, d};
		expected += level;
	}
	stress_go(&t.left, grow, &t.levels[depth]);
	waitgroup_wait(&t.left);
	CHECK_EQ(t.nodes, expected);
}

/* Integer and floating-point registers at work; the same input gives the same bits, however often it is interrupted. */
__attribute__((noinline)) static double compute(uint32_t n, uint64_t *hash)
{
	double a = 1.5, b = 0.25, c = 3.75, sum = 0;
	uint64_t x = n, y = 88172645463325252u;
	for (uint32_t i = 1; i <= n; i++) {
		a = a * 0.9999 + 1.0 / i;
		b = b * 1.0001 - a / (i + 1.0);
		c = (c + a * b) * 0.5;
		sum += a - b + c;
		y ^= y << 13;
		y ^= y >> 7;
		x = x * 6364136223846793005u + y;
	}
	*hash = x;
	return sum;
}

struct worker {
	struct waitgroup *left;
	uint32_t n;
	uint64_t hash;
	double sum;
};

static void worker(void *arg)
{
	struct worker *w = arg;
	w->sum = compute(w->n, &w->hash);
	waitgroup_done(w->left);
}

static void registers(struct rng *r)
{
	enum { WORKERS_MAX = 10 };
	uint32_t n = stress_between(r, 1, 60000), workers = stress_between(r, 1, WORKERS_MAX);
	struct waitgroup left = {0};
	struct worker w[WORKERS_MAX];
	uint64_t hash;
	for (uint32_t i = 0; i < workers; i++) {
		w[i] = (struct worker){.left = &left, .n = n};
		stress_go(&left, worker, &w[i]);
	}
	double sum = compute(n, &hash);
	waitgroup_wait(&left);
	for (uint32_t i = 0; i < workers; i++)
		CHECK(w[i].hash == hash && w[i].sum == sum);
}

struct risk {
	struct waitgroup left;
	_Atomic uint32_t entered, left_behind, caught, thrown;
};

static void risk_leave(void *arg)
{
	struct risk *k = arg;
	atomic_fetch_add(&k->left_behind, 1);
}

__attribute__((noinline)) static void risk_nest(struct risk *k, struct rng *r, uint32_t depth)
{
	atomic_fetch_add(&k->entered, 1);
	DEFER(risk_leave, k);
	stress_pause(r);
	if (depth == 0) {
		if (stress_below(r, 2) == 0)
			return;
		atomic_fetch_add(&k->thrown, 1);
		go_panic("depth %u", (unsigned)stress_below(r, 10));
	}
	if (stress_below(r, 4) != 0) {
		risk_nest(k, r, depth - 1);
		return;
	}
	RECOVER_SCOPE (scope) {
		risk_nest(k, r, depth - 1);
	} else {
		CHECK(scope.message[0] == 'd' && scope.message[6] >= '0' && scope.message[6] <= '9');
		atomic_fetch_add(&k->caught, 1);
	}
}

struct daredevil {
	struct risk *k;
	struct rng r;
};

static void daredevil(void *arg)
{
	struct daredevil *d = arg;
	struct risk *k = d->k;
	RECOVER_SCOPE (scope) {
		risk_nest(k, &d->r, stress_below(&d->r, 12));
	} else {
		atomic_fetch_add(&k->caught, 1);
	}
	waitgroup_done(&k->left);
}

/* Every deferred function runs, every panic ends in one scope. */
static void panics(struct rng *r)
{
	enum { DEVILS_MAX = 10 };
	struct risk k = {0};
	struct daredevil d[DEVILS_MAX];
	for (uint32_t i = stress_between(r, 1, DEVILS_MAX); i > 0; i--) {
		d[i - 1] = (struct daredevil){&k, stress_split(r)};
		stress_go(&k.left, daredevil, &d[i - 1]);
	}
	waitgroup_wait(&k.left);
	CHECK_EQ(k.entered, k.left_behind);
	CHECK_EQ(k.thrown, k.caught);
}

const struct actor stress_goroutine[] = {
	{"tree", "each goroutine of a tree runs once, with thread-local words of its own", tree},
	{"registers", "a preempted goroutine finds its registers as they were", registers},
	{"panics", "what was deferred runs, and a panic ends in one scope", panics},
	{0},
};
