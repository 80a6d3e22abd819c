/* Select against others at the same time: races, close, time limits. Names follow Go's runtime/chan_test.go where there is a counterpart. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/select.h>
#include <hartbeat/time.h>

#include "sched/chan.h"

static struct chan *make(size_t size, size_t cap)
{
	struct chan *c = chan_make(size, cap);
	CHECK(c != NULL);
	return c;
}

struct race {
	struct chan *c1, *c2, *done;
};

static void look_at_both(void *arg)
{
	struct race *r = arg;
	int v;
	struct chan_case cases[] = {CHAN_CASE_RECV(r->c1, &v), CHAN_CASE_RECV(r->c2, &v)};
	bool found = chan_select(cases, 2, true) >= 0;
	chan_send(r->done, &found);
}

static void select_race(bool close_it)
{
	struct race r = {.done = make(sizeof(bool), 1)};
	for (uint32_t i = 0; i < guest_count(4000, 100000); i++) {
		struct guest_group all = {0};
		int v = 1;
		bool found = false;
		r.c1 = make(sizeof(int), 1);
		r.c2 = make(sizeof(int), close_it ? 0 : 1);
		chan_send(r.c1, &v);
		guest_go(&all, look_at_both, &r);
		if (close_it)
			chan_close(r.c2);
		else
			chan_send(r.c2, &v);
		chan_try_recv(r.c1, &v, NULL);
		chan_recv(r.done, &found);
		CHECK(found);
		guest_wait(&all);
		chan_free(r.c1);
		chan_free(r.c2);
	}
	chan_free(r.done);
}

GUEST_TEST(select, nonblock_select_race,
	   "a select with default looks at its channels at one moment (TestNonblockSelectRace)")
{
	select_race(false);
}

GUEST_TEST(select, nonblock_select_race2, "the same, with a close (TestNonblockSelectRace2)")
{
	select_race(true);
}

enum { APART = 150 };

/* As look_at_both(), in a loop, while the element goes to and fro between two channels: one of them always has it, or both. */
struct moving {
	struct chan *c1, *c2;
	_Atomic bool stop;
	_Atomic uint32_t missed;
};

static void move(void *arg)
{
	struct moving *m = arg;
	int v = 1;
	while (!atomic_load(&m->stop)) {
		chan_send(m->c2, &v);
		chan_recv(m->c1, &v);
		chan_send(m->c1, &v);
		chan_recv(m->c2, &v);
	}
}

GUEST_TEST(select, nonblock_moving,
	   "an element that moves between two channels is found by every look at both")
{
	struct guest_group all = {0};
	struct moving m = {.c1 = make(sizeof(int), 2), .c2 = make(sizeof(int), 2)};
	int v = 1;
	chan_send(m.c1, &v);
	guest_go(&all, move, &m);
	/* a long way between the two, so that the element moves meanwhile */
	struct chan *never = make(sizeof(int), 1);
	struct chan_case cases[APART + 1];
	for (uint32_t i = 0; i <= APART; i++)
		cases[i] = (struct chan_case)CHAN_CASE_RECV(i == 0 ? m.c1 : i < APART ? never : m.c2, &v);
	uint64_t until = time_now() + guest_count(150, 2000) * TIME_MILLISECOND;
	while (time_now() < until) {
		int got = chan_select(cases, APART + 1, true);
		CHECK(got >= 0);
		if (got >= 0)
			chan_send(cases[got].c,
				  &v); /* room for it: the mover has one of two places at most */
	}
	atomic_store(&m.stop, true);
	guest_wait(&all);
	chan_free(m.c1);
	chan_free(m.c2);
	chan_free(never);
}

/* ---- stress: 10 goroutines, 4 channels, chaotic, free of deadlock ---- */

enum { CHANS = 4 };

static struct {
	struct chan *c[CHANS];
	uint32_t n;
	_Atomic uint64_t sum[2];
	_Atomic bool order;
} chaos;

static void one_way(int k, bool send)
{
	for (uint32_t i = 0; i < chaos.n; i++) {
		uint32_t v = i;
		if (send)
			chan_send(chaos.c[k], &v);
		else
			CHECK(chan_recv(chaos.c[k], &v));
		atomic_fetch_add(&chaos.sum[send], v + 1);
	}
}

static void send_one(void *k)
{
	one_way((int)(intptr_t)k, true);
}

static void recv_one(void *k)
{
	one_way((int)(intptr_t)k, false);
}

static void all_ways(bool send)
{
	uint32_t v[CHANS], left[CHANS];
	struct chan_case cases[CHANS];
	for (int k = 0; k < CHANS; k++) {
		left[k] = chaos.n;
		cases[k] = send ? (struct chan_case)CHAN_CASE_SEND(chaos.c[k], &v[k])
				: (struct chan_case)CHAN_CASE_RECV(chaos.c[k], &v[k]);
	}
	for (uint32_t i = 0; i < CHANS * chaos.n; i++) {
		for (int k = 0; send && k < CHANS; k++)
			v[k] = left[k] - 1;
		int k = chan_select(cases, CHANS, false);
		CHECK(k >= 0 && k < CHANS);
		atomic_fetch_add(&chaos.sum[send], v[k] + 1);
		if (--left[k] == 0)
			cases[k].c = NULL;
	}
}

static void send_all(void *arg)
{
	(void)arg;
	all_ways(true);
}

static void recv_all(void *arg)
{
	(void)arg;
	all_ways(false);
}

GUEST_TEST(select, select_stress,
	   "senders and receivers of one channel beside selects over four: all ends (TestSelectStress)")
{
	struct guest_group all = {0};
	chaos.n = guest_count(2000, 100000);
	atomic_store(&chaos.sum[0], 0);
	atomic_store(&chaos.sum[1], 0);
	for (int k = 0; k < CHANS; k++)
		chaos.c[k] = make(sizeof(uint32_t), k < 2 ? 0 : k);
	for (intptr_t k = 0; k < CHANS; k++) {
		guest_go(&all, send_one, (void *)k);
		guest_go(&all, recv_one, (void *)k);
	}
	guest_go(&all, send_all, NULL);
	guest_go(&all, recv_all, NULL);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&chaos.sum[0]), atomic_load(&chaos.sum[1]));
	CHECK_EQ(atomic_load(&chaos.sum[0]), 2ull * CHANS * ((uint64_t)chaos.n * (chaos.n + 1) / 2));
	for (int k = 0; k < CHANS; k++)
		chan_free(chaos.c[k]);
}

/* ---- selects that meet selects ---- */

struct ring {
	struct chan **c;
	uint32_t members, at, n;
	_Atomic uint64_t given, taken;
};

struct member {
	struct ring *ring;
	uint32_t at;
};

/* Every member sends on one channel and receives from another, in one select each round; every channel joins two members. */
static void give_or_take(void *arg)
{
	struct member *m = arg;
	struct ring *r = m->ring;
	uint32_t given = 0, taken = 0, out, in = 0;
	struct chan_case cases[2];
	uint32_t right = m->at, left = (m->at + r->members - 1) % r->members;
	while (given < r->n || taken < r->n) {
		out = given + 1;
		cases[0] = (struct chan_case)CHAN_CASE_SEND(given < r->n ? r->c[right] : NULL, &out);
		cases[1] = (struct chan_case)CHAN_CASE_RECV(taken < r->n ? r->c[left] : NULL, &in);
		if (chan_select(cases, 2, false) == 0) {
			given++;
			atomic_fetch_add(&r->given, out);
		} else {
			taken++;
			CHECK_EQ(in, taken);
			atomic_fetch_add(&r->taken, in);
		}
	}
}

GUEST_TEST(select, ring, "selects that meet each other in a ring, in both directions at once: all ends")
{
	for (uint32_t members = 2; members < 9; members += members < 4 ? 1 : 4) {
		struct guest_group all = {0};
		struct ring r = {.members = members, .n = guest_count(3000, 100000)};
		struct member m[9];
		struct chan *c[9];
		r.c = c;
		for (uint32_t i = 0; i < members; i++)
			c[i] = make(sizeof(uint32_t), 0);
		for (uint32_t i = 0; i < members; i++) {
			m[i] = (struct member){&r, i};
			guest_go(&all, give_or_take, &m[i]);
		}
		guest_wait(&all);
		CHECK_EQ(atomic_load(&r.given), members * ((uint64_t)r.n * (r.n + 1) / 2));
		CHECK_EQ(atomic_load(&r.taken), atomic_load(&r.given));
		for (uint32_t i = 0; i < members; i++)
			chan_free(c[i]);
	}
}

/* ---- the order of claims (rule 4 of sched/select.c), with a select made by hand ---- */

enum { BEFORE = 20000 };

struct claims {
	struct chan_case *cases; /* of a select that receives: [0] from d, the one in the middle from c */
	struct chan *c, *d, *other;
	_Atomic int got;
};

static void select_many(void *arg)
{
	struct claims *x = arg;
	static uint64_t v;
	for (uint32_t i = 0; i <= BEFORE; i++)
		x->cases[i] = (struct chan_case)CHAN_CASE_RECV(x->other, &v);
	x->cases[0].c = x->d;
	x->cases[BEFORE / 2].c = x->c;
	atomic_store(&x->got, chan_select(x->cases, BEFORE + 1, false));
}

/* Puts `made`, which sends, into c's queue, unless a receiver is there already. */
static bool put_first(struct chan *c, struct chan_case *made)
{
	preempt_disable();
	uint64_t word = chan_lock(c);
	bool first = c->receivers.first == NULL;
	if (first)
		made->queued = true, chan_queue_put(&c->senders, made);
	chan_unlock(c, word);
	preempt_enable();
	return first;
}

/* One attempt; false: the select was past the place where it should meet the other, or did not come there for long. */
static bool claims_attempt(struct claims *x)
{
	static struct chan_select made; /* lies below every stack, so that its claim is the one to be kept */
	static uint64_t v = 5;
	struct guest_group all = {0};
	struct chan_case w = CHAN_CASE_SEND(x->c, &v);
	uint64_t limit = time_now() + TIME_SECOND;
	w.select = &made;
	w.g = g_self();
	atomic_store(&made.state, SELECT_CLAIMED);
	guest_go(&all, select_many, x);
	/* not yielding: another hart is to run it */
	while ((atomic_load(&x->d->word) & CHAN_RECVQ) == 0)
		arch_pause();
	bool met = put_first(x->c, &w), held = false;
	if (met) {
		struct chan_select *s = x->cases[0].select;
		CHECK((uintptr_t)s > (uintptr_t)&made);
		/* it takes c's lock, finds a claimed select and opens itself */
		bool there = false;
		while (!there && time_now() < limit)
			there = (atomic_load(&x->c->word) & CHAN_LOCKED) != 0;
		guest_spin(20 * TIME_MILLISECOND); /* it was open before it claimed itself, too */
		if (atomic_load(&s->state) != SELECT_OPEN)
			guest_fail(__FILE__, __LINE__, "a select at a higher address keeps its claim");
		atomic_store(&made.state, SELECT_EXPIRED);
		held = there;
	}
	chan_send(x->d, &v);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&x->got), 0);
	preempt_disable();
	uint64_t word = chan_lock(x->c);
	if (met && w.queued)
		chan_queue_remove(&x->c->senders, &w);
	chan_unlock(x->c, word);
	preempt_enable();
	return held;
}

GUEST_TEST(select, select_order,
	   "of two selects that meet while both are claimed the one at the higher address opens itself")
{
	enum { ENOUGH = 3 };
	struct claims x = {.c = make(8, 0), .d = make(8, 0), .other = make(8, 0)};
	int met = 0, tried = 0;
	x.cases = malloc((BEFORE + 1) * sizeof *x.cases);
	CHECK(x.cases != NULL);
	if (go_harts() < 2) {
		guest_skip("it takes two harts");
	} else {
		for (; tried < (guest_exact() ? 10 : 300) && met < ENOUGH; tried++)
			met += claims_attempt(&x);
		guest_note("%d of %d met", met, tried);
		if (met == 0)
			guest_skip("the select was always faster");
	}
	free(x.cases);
	chan_free(x.c);
	chan_free(x.d);
	chan_free(x.other);
}

/* ---- close ---- */

struct closing {
	struct chan *c, *d;
	_Atomic uint32_t ended, panicked;
};

static void select_until_closed(void *arg)
{
	struct closing *x = arg;
	for (;;) {
		uint64_t v = 9;
		struct chan_case cases[] = {CHAN_CASE_RECV(x->c, &v), CHAN_CASE_RECV(x->d, &v)};
		int k = chan_select(cases, 2, false);
		if (!cases[k].ok) {
			CHECK_EQ(v, 0);
			atomic_fetch_add(&x->ended, 1);
			return;
		}
	}
}

static void select_send_until_closed(void *arg)
{
	struct closing *x = arg;
	RECOVER_SCOPE (r) {
		for (;;) {
			uint64_t v = 9;
			struct chan_case cases[] = {CHAN_CASE_SEND(x->c, &v), CHAN_CASE_RECV(x->d, &v)};
			chan_select(cases, 2, false);
		}
	} else {
		CHECK(strcmp(r.message, "send on closed channel") == 0);
		atomic_fetch_add(&x->panicked, 1);
	}
}

GUEST_TEST(select, close,
	   "close ends selects that wait on the channel or are about to: receives get zero, sends panic")
{
	for (uint32_t i = 0; i < guest_count(100, 3000); i++) {
		struct guest_group all = {0};
		struct closing x = {.c = make(sizeof(uint64_t), i % 3), .d = make(sizeof(uint64_t), 0)};
		for (int k = 0; k < 3; k++)
			guest_go(&all, select_until_closed, &x);
		if (i % 2 == 0)
			for (int k = 0; k < 3; k++)
				guest_go(&all, select_send_until_closed, &x);
		for (uint32_t k = 0; k < i % 7; k++)
			go_yield();
		chan_close(x.c);
		guest_wait(&all);
		CHECK_EQ(atomic_load(&x.ended), 3);
		CHECK_EQ(atomic_load(&x.panicked), i % 2 == 0 ? 3 : 0);
		chan_free(x.c);
		chan_free(x.d);
	}
}

/* ---- timeouts ---- */

GUEST_TEST(select, timeout, "a wait ends when its time is over, not before, and leaves the channel as it was")
{
	struct chan *c = make(sizeof(int), 1);
	int v = 5;
	bool ok = false;
	uint64_t t = time_now();
	CHECK(!chan_recv_timeout(c, &v, &ok, TIME_MILLISECOND));
	CHECK(time_now() - t >= TIME_MILLISECOND);
	CHECK_EQ(v, 5);
	CHECK(chan_send_timeout(c, &v, TIME_MILLISECOND));
	t = time_now();
	CHECK(!chan_send_timeout(c, &v, TIME_MILLISECOND));
	CHECK(time_now() - t >= TIME_MILLISECOND);
	CHECK_EQ(chan_len(c), 1);
	CHECK(!chan_send_timeout(c, &v, 0));
	v = 0;
	CHECK(chan_recv_timeout(c, &v, &ok, 0) && ok);
	CHECK_EQ(v, 5);
	CHECK(!chan_recv_timeout(c, &v, NULL, 0));
	CHECK(!chan_recv_timeout(NULL, &v, NULL, 10 * TIME_MICROSECOND));
	chan_close(c);
	CHECK(chan_recv_timeout(c, &v, &ok, TIME_SECOND) && !ok);
	chan_free(c);
}

struct timed {
	struct chan *c;
	uint32_t n;
	_Atomic uint32_t senders, sent, received, late;
	_Atomic uint64_t in, out;
};

static void send_timed(void *arg)
{
	struct timed *t = arg;
	for (uint32_t i = 1; i <= t->n; i++) {
		if (chan_send_timeout(t->c, &i, (i * 37 % 64) * TIME_MICROSECOND)) {
			atomic_fetch_add(&t->sent, 1);
			atomic_fetch_add(&t->in, i);
		} else {
			atomic_fetch_add(&t->late, 1);
		}
	}
	atomic_fetch_sub(&t->senders, 1);
}

static void recv_timed(void *arg)
{
	struct timed *t = arg;
	for (uint32_t i = 0;; i++) {
		uint32_t v = 0;
		bool last = atomic_load(&t->senders) == 0;
		if (chan_recv_timeout(t->c, &v, NULL, (i * 53 % 64) * TIME_MICROSECOND)) {
			atomic_fetch_add(&t->received, 1);
			atomic_fetch_add(&t->out, v);
		} else if (last) {
			return;
		}
	}
}

GUEST_TEST(select, timeout_race, "time limits that race with partners: no element is lost or comes twice")
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct guest_group all = {0};
		struct timed t = {.c = make(sizeof(uint32_t), cap), .n = guest_count(500, 20000)};
		atomic_store(&t.senders, 4);
		for (int i = 0; i < 4; i++) {
			guest_go(&all, send_timed, &t);
			guest_go(&all, recv_timed, &t);
		}
		guest_wait(&all);
		CHECK_EQ(atomic_load(&t.sent), atomic_load(&t.received));
		CHECK_EQ(atomic_load(&t.in), atomic_load(&t.out));
		CHECK_EQ(atomic_load(&t.sent) + atomic_load(&t.late), 4 * t.n);
		CHECK_EQ(chan_len(t.c), 0);
		chan_free(t.c);
	}
}
