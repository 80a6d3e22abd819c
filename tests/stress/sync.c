/* Locks: what they guard is never seen half changed, and nobody who waits is forgotten. */
#include "tests/stress/stress.h"

enum { CROWD_MAX = 12 };

struct account {
	struct mutex m; /* protects a and b, which are equal whenever it is free */
	uint64_t a, b;  /* plain words on purpose: only the mutex orders them */
	struct waitgroup left;
};

struct clerk {
	struct account *x;
	uint32_t n;
	struct rng r;
};

static void clerk(void *arg)
{
	struct clerk *k = arg;
	for (uint32_t i = 0; i < k->n; i++) {
		if (stress_below(&k->r, 4) != 0 || !mutex_trylock(&k->x->m))
			mutex_lock(&k->x->m);
		uint64_t seen = k->x->a;
		CHECK(seen == k->x->b);
		k->x->a = seen + 1;
		if (stress_below(&k->r, 16) == 0)
			stress_pause(&k->r);
		k->x->b = seen + 1;
		mutex_unlock(&k->x->m);
		stress_pause(&k->r);
	}
	waitgroup_done(&k->x->left);
}

static void mutex(struct rng *r)
{
	uint32_t crowd = stress_between(r, 1, CROWD_MAX);
	uint64_t all = 0;
	struct account x = {0};
	struct clerk k[CROWD_MAX];
	for (uint32_t i = 0; i < crowd; i++) {
		k[i] = (struct clerk){&x, stress_between(r, 1, 400), stress_split(r)};
		all += k[i].n;
		stress_go(&x.left, clerk, &k[i]);
	}
	waitgroup_wait(&x.left);
	CHECK_EQ(x.a, all);
	CHECK_EQ(x.b, all);
	CHECK(mutex_trylock(&x.m));
	mutex_unlock(&x.m);
}

struct gate {
	struct waitgroup open, left;
	_Atomic uint32_t steps;
	uint32_t expected;
	struct rng r[CROWD_MAX];
	_Atomic uint32_t number;
};

static void gate_wait(void *arg)
{
	struct gate *g = arg;
	struct rng *r = &g->r[atomic_fetch_add(&g->number, 1)];
	stress_pause(r);
	waitgroup_wait(&g->open);
	CHECK_EQ(atomic_load(&g->steps), g->expected); /* nobody goes on before the count is 0 */
	waitgroup_done(&g->left);
}

static void gate_step(void *arg)
{
	struct gate *g = arg;
	atomic_fetch_add(&g->steps, 1);
	waitgroup_done(&g->open);
}

/* Many wait for a count that goes down meanwhile; used again at once. */
static void waitgroup(struct rng *r)
{
	struct gate g = {0};
	for (uint32_t round = stress_between(r, 1, 8); round > 0; round--) {
		uint32_t waiters = stress_between(r, 1, CROWD_MAX), steps = stress_between(r, 1, 60);
		atomic_store(&g.steps, 0);
		atomic_store(&g.number, 0);
		g.expected = steps;
		for (uint32_t i = 0; i < CROWD_MAX; i++)
			g.r[i] = stress_split(r);
		waitgroup_add(&g.open, (int)steps);
		for (uint32_t i = 0; i < waiters; i++)
			stress_go(&g.left, gate_wait, &g);
		for (uint32_t i = 0; i < steps; i++) {
			if (go(gate_step, &g) == 0)
				gate_step(&g);
			stress_pause(r);
		}
		waitgroup_wait(&g.left);
		waitgroup_wait(&g.open);
	}
}

const struct actor stress_sync[] = {
	{"mutex", "what a mutex guards is never seen half changed", mutex},
	{"waitgroup", "nobody goes on before the count is 0, everybody after", waitgroup},
	{0},
};
