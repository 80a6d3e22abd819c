/* Select: chosen from many channels, in both directions, with and without a time limit, what is sent is received once. */
#include "tests/stress/stress.h"

#include <hartbeat/chan.h>
#include <hartbeat/select.h>

enum { CHANS_MAX = 6, MEMBERS_MAX = 8 };

/* Channels, and members who both send and receive on all of them until each has sent what it had and all has been received. */
struct market {
	uint32_t n;
	struct chan *c[CHANS_MAX], *closing;
	uint64_t expected;
	_Atomic uint64_t sent, received, sum_sent, sum_received;
	struct waitgroup left;
};

struct member {
	struct market *m;
	uint32_t goods;
	struct rng r;
};

static void trade(void *arg)
{
	struct member *a = arg;
	struct market *m = a->m;
	struct chan_case cases[2 * CHANS_MAX + 1];
	uint64_t in = 0, out = stress_random(&a->r);
	for (;;) {
		uint32_t k = 0;
		for (uint32_t i = 0; i < m->n; i++) /* the same channel both ways, in random places */
			cases[k++] = (struct chan_case)CHAN_CASE_RECV(m->c[i], &in);
		for (uint32_t i = 0; a->goods > 0 && i < m->n; i++)
			cases[k++] = (struct chan_case)CHAN_CASE_SEND(m->c[i], &out);
		cases[k++] = (struct chan_case)CHAN_CASE_RECV(m->closing, NULL);
		uint32_t x = stress_below(&a->r, k);
		struct chan_case swap = cases[0];
		cases[0] = cases[x];
		cases[x] = swap;
		int chosen;
		switch (stress_below(&a->r, 4)) {
		case 0:
			chosen = chan_select(cases, k, true);
			break;
		case 1:
			chosen = chan_select_timeout(cases, k, stress_below(&a->r, 100000));
			break;
		default:
			chosen = chan_select(cases, k, false);
		}
		if (chosen >= 0 && cases[chosen].c == m->closing) {
			CHECK(!cases[chosen].ok);
			break;
		}
		if (chosen >= 0 && cases[chosen].dir == CHAN_SEND) {
			a->goods--;
			atomic_fetch_add(&m->sum_sent, out);
			atomic_fetch_add(&m->sent, 1);
			out = stress_random(&a->r);
		} else if (chosen >= 0) {
			CHECK(cases[chosen].ok);
			atomic_fetch_add(&m->sum_received, in);
			if (atomic_fetch_add(&m->received, 1) + 1 == m->expected)
				chan_close(m->closing);
		} else {
			CHECK_EQ(chosen, CHAN_SELECT_NONE);
		}
		stress_pause(&a->r);
	}
	CHECK_EQ(a->goods, 0);
	waitgroup_done(&m->left);
}

static void select(struct rng *r)
{
	struct market m = {.n = stress_between(r, 1, CHANS_MAX), .closing = stress_chan_make(0, 0)};
	struct member a[MEMBERS_MAX];
	uint32_t members = stress_between(r, 2, MEMBERS_MAX);
	for (uint32_t i = 0; i < m.n; i++)
		m.c[i] = stress_chan_make(sizeof(uint64_t), stress_below(r, 3));
	for (uint32_t i = 0; i < members; i++) {
		a[i] = (struct member){&m, stress_between(r, 1, 150), stress_split(r)};
		m.expected += a[i].goods;
	}
	for (uint32_t i = 0; i < members; i++)
		stress_go(&m.left, trade, &a[i]);
	waitgroup_wait(&m.left);
	CHECK_EQ(m.sent, m.expected);
	CHECK_EQ(m.received, m.expected);
	CHECK_EQ(m.sum_sent, m.sum_received);
	for (uint32_t i = 0; i < m.n; i++)
		chan_free(m.c[i]);
	chan_free(m.closing);
}

struct giver {
	struct chan *c;
	struct waitgroup *left;
	uint32_t n;
	struct rng r;
};

static void slow_send(void *arg)
{
	struct giver *g = arg;
	for (uint32_t i = 1; i <= g->n; i++) {
		time_sleep(stress_below(&g->r, 60000));
		chan_send(g->c, &i);
	}
	waitgroup_done(g->left);
}

/* A receive that gives up in time: not before, and what comes later is not lost. */
static void timeout(struct rng *r)
{
	struct waitgroup left = {0};
	struct giver g = {stress_chan_make(sizeof(uint32_t), 0), &left, stress_between(r, 1, 40),
			  stress_split(r)};
	stress_go(&left, slow_send, &g);
	for (uint32_t next = 1; next <= g.n;) {
		uint32_t v = 0;
		struct chan_case one = CHAN_CASE_RECV(g.c, &v);
		uint64_t ns = stress_below(r, 60000), start = time_now();
		int chosen = chan_select_timeout(&one, 1, ns);
		if (chosen == 0) {
			CHECK(one.ok);
			CHECK_EQ(v, next);
			next++;
		} else if (chosen == CHAN_SELECT_NONE) {
			CHECK(time_now() - start >= ns);
		}
	}
	waitgroup_wait(&left);
	chan_free(g.c);
}

const struct actor stress_select[] = {
	{"select", "a select over many channels loses and doubles nothing", select},
	{"timeout", "a select gives up when its time is over, and loses nothing", timeout},
	{0},
};
