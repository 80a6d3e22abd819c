/* Channels: nothing is lost, doubled, overtaken or torn, whatever the capacity and the number of both sides. */
#include "tests/stress/stress.h"

#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>

enum { SIDE_MAX = 6, WORDS = 24 };

/* An element that is large enough to be torn: every word says the same. */
struct parcel {
	uint64_t word[WORDS]; /* sender << 32 | number */
};

struct stream {
	struct chan *c;
	uint32_t each; /* parcels of one sender */
	_Atomic uint64_t sum, received;
	struct waitgroup senders, receivers;
};

struct side {
	struct stream *s;
	uint32_t number;
	struct rng r;
};

static void stream_send(void *arg)
{
	struct side *a = arg;
	struct parcel p;
	for (uint32_t i = 1; i <= a->s->each; i++) {
		for (unsigned k = 0; k < WORDS; k++)
			p.word[k] = (uint64_t)a->number << 32 | i;
		if (stress_below(&a->r, 4) != 0 || !chan_try_send(a->s->c, &p))
			chan_send(a->s->c, &p);
		stress_pause(&a->r);
	}
	waitgroup_done(&a->s->senders);
}

static bool stream_take(struct side *a, struct parcel *p, bool *ok)
{
	if (stress_below(&a->r, 4) == 0 && chan_try_recv(a->s->c, p, ok))
		return true;
	*ok = chan_recv(a->s->c, p);
	return true;
}

static void stream_receive(void *arg)
{
	struct side *a = arg;
	struct parcel p;
	uint32_t last[SIDE_MAX] = {0};
	for (bool ok = true; stream_take(a, &p, &ok) && ok;) {
		uint32_t from = (uint32_t)(p.word[0] >> 32), number = (uint32_t)p.word[0];
		for (unsigned k = 1; k < WORDS; k++)
			CHECK(p.word[k] == p.word[0]);
		CHECK(from < SIDE_MAX && number > last[from]); /* one sender's parcels come in order */
		if (from < SIDE_MAX)
			last[from] = number;
		atomic_fetch_add(&a->s->sum, p.word[0]);
		atomic_fetch_add(&a->s->received, 1);
		stress_pause(&a->r);
	}
	waitgroup_done(&a->s->receivers);
}

static void stream(struct rng *r)
{
	static const uint32_t capacities[] = {0, 0, 1, 2, 7, 64};
	uint32_t n = stress_between(r, 1, SIDE_MAX), m = stress_between(r, 1, SIDE_MAX);
	struct stream s = {.c = stress_chan_make(sizeof(struct parcel), capacities[stress_below(r, 6)]),
			   .each = stress_between(r, 1, 300)};
	struct side senders[SIDE_MAX], receivers[SIDE_MAX];
	uint64_t sum = 0;
	for (uint32_t i = 0; i < m; i++) {
		receivers[i] = (struct side){&s, i, stress_split(r)};
		stress_go(&s.receivers, stream_receive, &receivers[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		senders[i] = (struct side){&s, i, stress_split(r)};
		stress_go(&s.senders, stream_send, &senders[i]);
		sum += s.each * ((uint64_t)i << 32) + (uint64_t)s.each * (s.each + 1) / 2;
	}
	waitgroup_wait(&s.senders);
	chan_close(s.c);
	waitgroup_wait(&s.receivers);
	CHECK_EQ(s.received, n * s.each);
	CHECK_EQ(s.sum, sum);
	chan_free(s.c);
}

struct link {
	struct chan *in, *out;
	struct waitgroup *left;
	struct rng r;
};

static void ring_pass(void *arg)
{
	struct link *l = arg;
	uint64_t token;
	while (chan_recv(l->in, &token)) {
		token++;
		stress_pause(&l->r);
		chan_send(l->out, &token);
	}
	chan_close(l->out);
	waitgroup_done(l->left);
}

/* A token goes round a ring; each member adds 1. */
static void ring(struct rng *r)
{
	enum { LINKS_MAX = 40 };
	uint32_t n = stress_between(r, 1, LINKS_MAX), rounds = stress_between(r, 1, 40);
	struct chan *c[LINKS_MAX + 1];
	struct link links[LINKS_MAX];
	struct waitgroup left = {0};
	uint64_t token = 0;
	for (uint32_t i = 0; i <= n; i++)
		c[i] = stress_chan_make(sizeof token, stress_below(r, 3) / 2);
	for (uint32_t i = 0; i < n; i++) {
		links[i] = (struct link){c[i], c[i + 1], &left, stress_split(r)};
		stress_go(&left, ring_pass, &links[i]);
	}
	for (uint32_t i = 0; i < rounds; i++) {
		chan_send(c[0], &token);
		CHECK(chan_recv(c[n], &token));
	}
	CHECK_EQ(token, (uint64_t)n * rounds);
	chan_close(c[0]);
	CHECK(!chan_recv(c[n], &token));
	CHECK_EQ(token, 0);
	waitgroup_wait(&left);
	for (uint32_t i = 0; i <= n; i++)
		chan_free(c[i]);
}

struct gift {
	uint32_t size;
	uint8_t fill, bytes[];
};

struct giver {
	struct chan *c;
	struct waitgroup *left;
	uint32_t n;
	struct rng r;
};

static void gift_make(void *arg)
{
	struct giver *a = arg;
	for (uint32_t i = 0; i < a->n; i++) {
		uint32_t size = stress_below(&a->r, stress_below(&a->r, 8) == 0 ? 20000 : 300);
		struct gift *p = stress_alloc(sizeof *p + size);
		p->size = size;
		p->fill = (uint8_t)stress_random(&a->r);
		memset(p->bytes, p->fill, size);
		chan_send(a->c, &p);
		stress_pause(&a->r);
	}
	waitgroup_done(a->left);
}

/* Memory that one goroutine takes and fills, and another, often on another hart, looks at and frees. */
static void heap(struct rng *r)
{
	enum { GIVERS_MAX = 4 };
	uint32_t n = stress_between(r, 1, GIVERS_MAX), all = 0;
	struct giver givers[GIVERS_MAX];
	struct waitgroup left = {0};
	struct chan *c = stress_chan_make(sizeof(struct gift *), stress_below(r, 20));
	for (uint32_t i = 0; i < n; i++) {
		givers[i] = (struct giver){c, &left, stress_between(r, 1, 200), stress_split(r)};
		all += givers[i].n;
		stress_go(&left, gift_make, &givers[i]);
	}
	for (uint32_t i = 0; i < all; i++) {
		struct gift *p;
		bool same = true;
		CHECK(chan_recv(c, &p));
		for (uint32_t k = 0; k < p->size; k++)
			same &= p->bytes[k] == p->fill;
		CHECK(same);
		free(p);
	}
	waitgroup_wait(&left);
	CHECK_EQ(chan_len(c), 0);
	chan_free(c);
}

const struct actor stress_chan[] = {
	{"stream", "channels lose, double, overtake and tear nothing", stream},
	{"ring", "a token round a ring of channels counts its steps", ring},
	{"heap", "memory that changes hands keeps its contents", heap},
	{0},
};
