/* What many share: read-write mutexes, conditions, semaphores, and things done once. */
#include "tests/stress/stress.h"

#include <hartbeat/cond.h>
#include <hartbeat/once.h>
#include <hartbeat/rwmutex.h>
#include <hartbeat/semaphore.h>

enum { CROWD_MAX = 12 };

/* ---- read-write mutex ---- */

struct ledger {
	struct rwmutex m; /* protects a and b, which are equal whenever nobody writes */
	uint64_t a, b;
	_Atomic int32_t readers, writers;
	_Atomic uint64_t written;
	struct waitgroup left;
};

struct user {
	struct ledger *l;
	uint32_t n;
	struct rng r;
};

static void ledger_write(struct user *u)
{
	struct ledger *l = u->l;
	if (stress_below(&u->r, 4) != 0 || !rwmutex_trylock(&l->m))
		rwmutex_lock(&l->m);
	CHECK_EQ(atomic_fetch_add(&l->writers, 1), 0);
	CHECK_EQ(atomic_load(&l->readers), 0);
	l->a++;
	if (stress_below(&u->r, 8) == 0)
		stress_pause(&u->r);
	l->b++;
	atomic_fetch_add(&l->written, 1);
	atomic_fetch_sub(&l->writers, 1);
	rwmutex_unlock(&l->m);
}

static void ledger_read(struct user *u)
{
	struct ledger *l = u->l;
	if (stress_below(&u->r, 4) != 0 || !rwmutex_try_rlock(&l->m))
		rwmutex_rlock(&l->m);
	atomic_fetch_add(&l->readers, 1);
	CHECK_EQ(atomic_load(&l->writers), 0);
	CHECK(l->a == l->b);
	if (stress_below(&u->r, 8) == 0)
		stress_pause(&u->r);
	CHECK(l->a == l->b);
	atomic_fetch_sub(&l->readers, 1);
	rwmutex_runlock(&l->m);
}

static void ledger_use(void *arg)
{
	struct user *u = arg;
	for (uint32_t i = 0; i < u->n; i++) {
		if (stress_below(&u->r, 5) == 0)
			ledger_write(u);
		else
			ledger_read(u);
		stress_pause(&u->r);
	}
	waitgroup_done(&u->l->left);
}

static void rwmutex(struct rng *r)
{
	struct ledger l = {0};
	struct user u[CROWD_MAX];
	for (uint32_t i = stress_between(r, 1, CROWD_MAX); i > 0; i--) {
		u[i - 1] = (struct user){&l, stress_between(r, 1, 300), stress_split(r)};
		stress_go(&l.left, ledger_use, &u[i - 1]);
	}
	waitgroup_wait(&l.left);
	CHECK_EQ(l.a, l.written);
	CHECK_EQ(l.b, l.written);
	CHECK(rwmutex_trylock(&l.m));
	rwmutex_unlock(&l.m);
}

/* ---- condition ---- */

struct shelf {
	struct mutex m; /* protects the rest */
	struct cond filled, emptied;
	uint32_t n, room, left_to_take;
	uint64_t put, taken;
	struct waitgroup left;
};

struct hand {
	struct shelf *s;
	uint32_t n;
	struct rng r;
};

static void shelf_put(void *arg)
{
	struct hand *h = arg;
	struct shelf *s = h->s;
	for (uint32_t i = 0; i < h->n; i++) {
		mutex_lock(&s->m);
		while (s->n == s->room)
			cond_wait(&s->emptied, &s->m);
		CHECK(s->n < s->room);
		s->n++;
		s->put++;
		bool inside = stress_below(&h->r, 2) == 0;
		if (inside)
			cond_signal(&s->filled);
		mutex_unlock(&s->m);
		if (!inside)
			cond_signal(&s->filled);
		stress_pause(&h->r);
	}
	waitgroup_done(&s->left);
}

static void shelf_take(void *arg)
{
	struct hand *h = arg;
	struct shelf *s = h->s;
	mutex_lock(&s->m);
	for (;;) {
		while (s->n == 0 && s->left_to_take > 0)
			cond_wait(&s->filled, &s->m);
		if (s->n == 0)
			break;
		s->n--;
		s->taken++;
		if (--s->left_to_take == 0)
			cond_broadcast(&s->filled); /* nobody waits for more */
		cond_signal(&s->emptied);
		mutex_unlock(&s->m);
		stress_pause(&h->r);
		mutex_lock(&s->m);
	}
	mutex_unlock(&s->m);
	waitgroup_done(&s->left);
}

/* Goods on a shelf with little room: nobody who can go on is left waiting. */
static void cond(struct rng *r)
{
	struct shelf s = {.room = stress_between(r, 1, 4)};
	struct hand h[CROWD_MAX];
	uint32_t putters = stress_between(r, 1, CROWD_MAX / 2), takers = stress_between(r, 1, CROWD_MAX / 2),
		 all = 0;
	for (uint32_t i = 0; i < putters + takers; i++) {
		h[i] = (struct hand){&s, stress_between(r, 1, 150), stress_split(r)};
		all += i < putters ? h[i].n : 0;
	}
	s.left_to_take = all;
	for (uint32_t i = 0; i < putters + takers; i++)
		stress_go(&s.left, i < putters ? shelf_put : shelf_take, &h[i]);
	waitgroup_wait(&s.left);
	CHECK_EQ(s.put, all);
	CHECK_EQ(s.taken, all);
	CHECK_EQ(s.n, 0);
}

/* ---- semaphore ---- */

struct pool {
	struct semaphore s;
	uint32_t units;
	_Atomic uint32_t taken;
	struct waitgroup left;
};

struct swimmer {
	struct pool *p;
	uint32_t n;
	struct rng r;
};

static void swim(void *arg)
{
	struct swimmer *w = arg;
	struct pool *p = w->p;
	for (uint32_t i = 0; i < w->n; i++) {
		uint32_t k = stress_between(&w->r, 1, p->units);
		if (stress_below(&w->r, 4) != 0 || !semaphore_try_acquire(&p->s, k))
			semaphore_acquire(&p->s, k);
		CHECK(atomic_fetch_add(&p->taken, k) + k <= p->units);
		stress_pause(&w->r);
		atomic_fetch_sub(&p->taken, k);
		if (stress_below(&w->r, 4) == 0)
			semaphore_release_handoff(&p->s, k);
		else
			semaphore_release(&p->s, k);
	}
	waitgroup_done(&p->left);
}

static void semaphore(struct rng *r)
{
	struct pool p = {.units = stress_between(r, 1, 8)};
	struct swimmer w[CROWD_MAX];
	semaphore_release(&p.s, p.units);
	for (uint32_t i = stress_between(r, 1, CROWD_MAX); i > 0; i--) {
		w[i - 1] = (struct swimmer){&p, stress_between(r, 1, 200), stress_split(r)};
		stress_go(&p.left, swim, &w[i - 1]);
	}
	waitgroup_wait(&p.left);
	CHECK(semaphore_try_acquire(&p.s, p.units));
	CHECK(!semaphore_try_acquire(&p.s, 1));
}

/* ---- once ---- */

struct ceremony {
	struct once once;
	uint64_t done; /* plain on purpose: only the once orders it */
	struct waitgroup left;
	struct rng r;
};

static void ceremony_hold(void *arg)
{
	struct ceremony *c = arg;
	stress_pause(&c->r);
	c->done++;
}

static void ceremony_attend(void *arg)
{
	struct ceremony *c = arg;
	once_do(&c->once, ceremony_hold, c);
	CHECK_EQ(c->done, 1);
	waitgroup_done(&c->left);
}

static void once(struct rng *r)
{
	for (uint32_t rounds = stress_between(r, 1, 20); rounds > 0; rounds--) {
		struct ceremony c = {.r = stress_split(r)};
		for (uint32_t i = stress_between(r, 1, CROWD_MAX); i > 0; i--)
			stress_go(&c.left, ceremony_attend, &c);
		waitgroup_wait(&c.left);
	}
}

const struct actor stress_shared[] = {
	{"rwmutex", "one writes, or many read, and never both", rwmutex},
	{"cond", "nobody whose condition holds is left waiting", cond},
	{"semaphore", "no more units are taken than there are", semaphore},
	{"once", "what is done once is done before anybody goes on", once},
	{0},
};
