/* Select. Names follow Go's runtime/chan_test.go where there is a counterpart. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/select.h>
#include <hartbeat/time.h>

static struct chan *make(size_t size, size_t cap)
{
	struct chan *c = chan_make(size, cap);
	CHECK(c != NULL);
	return c;
}

struct both_ways {
	struct chan *c;
	uint32_t n, peer;
	_Atomic uint32_t sent[2], received[2];
};

static void send_and_receive(void *arg)
{
	struct both_ways *b = arg;
	uint32_t me = atomic_fetch_add(&b->sent[1], 1) & 1;
	(void)me;
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t mine = (uint32_t)go_id(), got = 0;
		struct chan_case cases[] = {CHAN_CASE_SEND(b->c, &mine), CHAN_CASE_RECV(b->c, &got)};
		if (chan_select(cases, 2, false) == 0) {
			atomic_fetch_add(&b->sent[0], 1);
		} else {
			CHECK(cases[1].ok);
			/* unbuffered: it must be the other's */
			CHECK(chan_cap(b->c) > 0 || got != mine);
			atomic_fetch_add(&b->received[0], 1);
		}
	}
}

GUEST_TEST(select, self_select,
	   "send and receive on one channel in one select never meet each other (TestSelfSelect)")
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct guest_group all = {0};
		struct both_ways b = {.c = make(sizeof(uint32_t), cap), .n = guest_count(1000, 20000)};
		guest_go(&all, send_and_receive, &b);
		guest_go(&all, send_and_receive, &b);
		if (cap == 0) {
			guest_wait(&all);
			CHECK_EQ(atomic_load(&b.sent[0]), b.n);
		} else {
			guest_wait(&all);
		}
		CHECK_EQ(atomic_load(&b.sent[0]) - atomic_load(&b.received[0]), chan_len(b.c));
		chan_free(b.c);
	}
}

/* ---- fairness ---- */

struct fair {
	struct chan *c1, *c2, *c3, *c4, *out, *done;
};

static void pick(void *arg)
{
	struct fair *f = arg;
	for (;;) {
		unsigned char b;
		struct chan_case in[] = {CHAN_CASE_RECV(f->c3, &b), CHAN_CASE_RECV(f->c4, &b),
					 CHAN_CASE_RECV(f->c1, &b), CHAN_CASE_RECV(f->c2, &b)};
		chan_select(in, 4, false);
		struct chan_case out[] = {CHAN_CASE_SEND(f->out, &b), CHAN_CASE_RECV(f->done, NULL)};
		if (chan_select(out, 2, false) == 1)
			return;
	}
}

GUEST_TEST(select, select_fairness,
	   "two ready channels are picked equally often, within 10 sigma (TestSelectFairness)")
{
	enum { TRIALS = 10000 };
	struct guest_group all = {0};
	struct fair f = {make(1, TRIALS + 1), make(1, TRIALS + 1), make(1, 0),
			 make(1, 0),          make(1, 0),          make(1, 0)};
	unsigned char one = 1, two = 2, b = 0;
	int64_t n[3] = {0};
	for (int i = 0; i < TRIALS + 1; i++) {
		chan_send(f.c1, &one);
		chan_send(f.c2, &two);
	}
	guest_go(&all, pick, &f);
	for (int i = 0; i < TRIALS; i++) {
		chan_recv(f.out, &b);
		CHECK(b == 1 || b == 2);
		n[b % 3]++;
	}
	/* sigma of n[1] is sqrt(TRIALS) / 2 = 50 */
	CHECK(n[1] > TRIALS / 2 - 500 && n[1] < TRIALS / 2 + 500);
	CHECK_EQ(n[1] + n[2], TRIALS);
	chan_close(f.done);
	guest_wait(&all);
	chan_free(f.c1);
	chan_free(f.c2);
	chan_free(f.c3);
	chan_free(f.c4);
	chan_free(f.out);
	chan_free(f.done);
}

GUEST_TEST(select, uniform, "among any number of ready cases each is picked equally often")
{
	for (uint32_t n = 3; n <= 17; n += 7) {
		enum { EACH = 4000 };
		uint32_t hits[17] = {0}, v = 0;
		struct chan_case cases[17];
		for (uint32_t k = 0; k < n; k++)
			cases[k] = (struct chan_case)CHAN_CASE_SEND(k == 1 ? NULL : make(4, 1), &v);
		for (uint32_t i = 0; i < EACH * (n - 1); i++) {
			int k = chan_select(cases, n, false);
			CHECK(chan_recv(cases[k].c, &v));
			hits[k]++;
		}
		CHECK_EQ(hits[1], 0);
		/* sigma is below sqrt(EACH) = 63 */
		for (uint32_t k = 0; k < n; k++)
			CHECK(k == 1 || (hits[k] > EACH - 400 && hits[k] < EACH + 400));
		for (uint32_t k = 0; k < n; k++)
			chan_free(cases[k].c);
	}
}

static void send_bits(void *arg)
{
	struct chan *c = arg;
	int zero = 0, one = 1;
	struct chan_case cases[] = {CHAN_CASE_SEND(c, &zero), CHAN_CASE_SEND(c, &one)};
	for (int i = 0; i < 1000; i++)
		chan_select(cases, 2, false);
}

GUEST_TEST(select, pseudo_random_send,
	   "of two sends on one channel each is chosen often (TestPseudoRandomSend)")
{
	for (size_t cap = 0; cap < 1000; cap += cap == 0 ? 1 : 998) {
		struct guest_group all = {0};
		struct chan *c = make(sizeof(int), cap);
		int v = 0, ones = 0;
		guest_go(&all, send_bits, c);
		for (int i = 0; i < 1000; i++) {
			go_yield();
			CHECK(chan_recv(c, &v));
			ones += v;
		}
		CHECK(ones > 100 && ones < 900);
		guest_wait(&all);
		chan_free(c);
	}
}

/* ---- the same channel twice; where the element lies ---- */

struct twice {
	struct chan *c, *d, *e;
	int seen;
};

static void recv_twice(void *arg)
{
	struct twice *t = arg;
	int a = -1, b = -1;
	struct chan_case cases[] = {CHAN_CASE_RECV(t->c, &a), CHAN_CASE_RECV(t->c, &b),
				    CHAN_CASE_RECV(t->d, &a)};
	int k = chan_select(cases, 3, false);
	CHECK(k == 0 || k == 1);
	CHECK_EQ(k == 0 ? a : b, 42);
	CHECK_EQ(k == 0 ? b : a, -1);
	chan_send(t->e, &k);
}

GUEST_TEST(select, select_duplicate_channel,
	   "one channel in two cases of a select that waits: it is done once (TestSelectDuplicateChannel)")
{
	for (uint32_t i = 0; i < guest_count(200, 5000); i++) {
		struct guest_group all = {0};
		struct twice t = {make(sizeof(int), 0), make(sizeof(int), 0), make(sizeof(int), 0), 0};
		int v = 42, k = -1;
		guest_go(&all, recv_twice, &t);
		go_yield();
		chan_send(t.c, &v);
		CHECK(!chan_try_send(t.c, &v)); /* nobody is left in the queue */
		CHECK(chan_recv(t.e, &k));
		guest_wait(&all);
		chan_free(t.c);
		chan_free(t.d);
		chan_free(t.e);
	}
}

static uint64_t deep_select(uint32_t depth, struct chan_case *cases, size_t n)
{
	volatile uint64_t around[24];
	for (int i = 0; i < 24; i++)
		around[i] = 0x5a5a5a5a5a5a5a5au ^ (uint64_t)i;
	uint64_t got = depth == 0 ? (uint64_t)chan_select(cases, n, false) : deep_select(depth - 1, cases, n);
	for (int i = 0; i < 24; i++)
		CHECK_EQ(around[i], 0x5a5a5a5a5a5a5a5au ^ (uint64_t)i);
	return got;
}

static void recv_into_frame(void *arg)
{
	struct twice *t = arg;
	for (uint32_t i = 0; i < 200; i++) {
		uint64_t slot[3] = {0xdead, 0, 0xbeef};
		struct chan_case cases[] = {CHAN_CASE_RECV(t->c, &slot[1]), CHAN_CASE_RECV(t->d, &slot[1])};
		uint64_t k = deep_select(i % 40, cases, 2);
		CHECK_EQ(slot[0], 0xdead);
		CHECK_EQ(slot[1], 1000 * k + i);
		CHECK_EQ(slot[2], 0xbeef);
	}
}

GUEST_TEST(select, select_stack_adjust,
	   "elements arrive in a waiting select's frame and nothing beside them changes (after "
	   "TestSelectStackAdjust)")
{
	struct guest_group all = {0};
	struct twice t = {make(sizeof(uint64_t), 0), make(sizeof(uint64_t), 0), NULL, 0};
	guest_go(&all, recv_into_frame, &t);
	for (uint32_t i = 0; i < 200; i++) {
		uint64_t v = 1000 * (i % 3 == 0) + i;
		if (i % 5 == 0)
			time_sleep(20 * TIME_MICROSECOND);
		chan_send(i % 3 == 0 ? t.d : t.c, &v);
	}
	guest_wait(&all);
	chan_free(t.c);
	chan_free(t.d);
}

/* ---- nil cases, close, misuse ---- */

GUEST_TEST(select, nil, "a nil channel is never ready; without any other the default is taken")
{
	int v = 7;
	struct chan *c = make(sizeof(int), 1);
	struct chan_case cases[] = {CHAN_CASE_RECV(NULL, &v), CHAN_CASE_SEND(NULL, &v),
				    CHAN_CASE_RECV(c, &v)};
	CHECK_EQ(chan_select(cases, 3, true), CHAN_SELECT_NONE);
	CHECK_EQ(chan_select(cases, 2, true), CHAN_SELECT_NONE);
	CHECK_EQ(chan_select(NULL, 0, true), CHAN_SELECT_NONE);
	CHECK_EQ(chan_select_timeout(cases, 2, 50 * TIME_MICROSECOND), CHAN_SELECT_NONE);
	CHECK_EQ(chan_select_timeout(NULL, 0, 50 * TIME_MICROSECOND), CHAN_SELECT_NONE);
	chan_send(c, &v);
	CHECK_EQ(chan_select(cases, 3, false), 2);
	CHECK(cases[2].ok);
	chan_free(c);
}

GUEST_TEST(select, misuse,
	   "too many cases, and a send that is chosen on a closed channel, panic with Go's words")
{
	int v = 0;
	struct chan *c = make(sizeof(int), 1);
	struct chan_case cases[] = {CHAN_CASE_SEND(c, &v)};
	volatile int caught = 0;
	RECOVER_SCOPE (a) {
		chan_select(cases, CHAN_SELECT_MAX + 1, true);
	} else {
		caught += strcmp(a.message, "select: too many cases") == 0;
	}
	chan_close(c);
	RECOVER_SCOPE (b) {
		chan_select(cases, 1, true);
	} else {
		caught += strcmp(b.message, "send on closed channel") == 0;
	}
	CHECK_EQ(caught, 2);
	chan_free(c);
}

/* ---- 65,536 cases ---- */

struct wide {
	struct chan_case *cases;
	struct chan **c;
	uint32_t n, rounds;
};

static void recv_wide(void *arg)
{
	struct wide *w = arg;
	for (uint32_t i = 0; i < w->rounds; i++) {
		uint32_t v = ~0u;
		for (uint32_t k = 0; k < w->n; k++)
			w->cases[k] = (struct chan_case)CHAN_CASE_RECV(w->c[k], &v);
		int k = chan_select(w->cases, w->n, false);
		CHECK_EQ(k, v);
	}
}

GUEST_TEST(select, wide,
	   "a select over 65,536 channels that waits, with one that comes in last, first and between")
{
	struct guest_group all = {0};
	struct wide w = {.n = CHAN_SELECT_MAX, .rounds = guest_count(4, 40)};
	w.cases = malloc(w.n * sizeof *w.cases);
	w.c = malloc(w.n * sizeof(struct chan *));
	CHECK(w.cases != NULL && w.c != NULL);
	for (uint32_t k = 0; k < w.n; k++)
		w.c[k] = make(sizeof(uint32_t), 0);
	guest_go(&all, recv_wide, &w);
	for (uint32_t i = 0; i < w.rounds; i++) {
		uint32_t k = i % 4 == 0 ? w.n - 1 : i % 4 == 1 ? 0 : i * 7919 % w.n;
		chan_send(w.c[k], &k);
	}
	guest_wait(&all);
	for (uint32_t k = 0; k < w.n; k++)
		chan_free(w.c[k]);
	free(w.c);
	free(w.cases);
}
