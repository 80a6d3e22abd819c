/* Channels. Names follow Go's runtime/chan_test.go where there is a counterpart. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/limits.h"
#include "kernel/stack.h"
#include "sched/chan.h"

struct pipe {
	struct chan *in, *out;
	uint32_t n;
	_Atomic uint64_t sum;
	_Atomic uint32_t flag;
};

static void recv_flag(void *arg)
{
	struct pipe *p = arg;
	int v;
	chan_recv(p->in, &v);
	atomic_store(&p->flag, 1);
}

static void send_flag(void *arg)
{
	struct pipe *p = arg;
	int v = 0;
	chan_send(p->in, &v);
	atomic_store(&p->flag, 1);
}

static void send_numbers(void *arg)
{
	struct pipe *p = arg;
	for (uint32_t i = 0; i < p->n; i++)
		chan_send(p->in, &i);
}

static void blocks(uint32_t cap)
{
	struct guest_group all = {0};
	struct pipe p = {.in = chan_make(sizeof(int), cap)};
	int v = 0;
	bool ok;
	CHECK_EQ(chan_cap(p.in), cap);
	/* an empty channel blocks receivers */
	guest_go(&all, recv_flag, &p);
	time_sleep(TIME_MILLISECOND);
	CHECK_EQ(atomic_load(&p.flag), 0);
	chan_send(p.in, &v);
	guest_wait(&all);
	CHECK(!chan_try_recv(p.in, &v, &ok));
	/* a full one blocks senders */
	for (uint32_t i = 0; i < cap; i++)
		chan_send(p.in, &v);
	CHECK_EQ(chan_len(p.in), cap);
	atomic_store(&p.flag, 0);
	guest_go(&all, send_flag, &p);
	time_sleep(TIME_MILLISECOND);
	CHECK_EQ(atomic_load(&p.flag), 0);
	/* the sender waits: a receiver is welcome without waiting, unless it has not come so far on a slow host */
	chan_recv(p.in, &v);
	guest_wait(&all);
	for (uint32_t i = 0; i < cap; i++)
		CHECK(chan_try_recv(p.in, &v, &ok) && ok);
	CHECK(!chan_try_recv(p.in, &v, &ok));
	chan_free(p.in);
}

static void closes(uint32_t cap)
{
	struct chan *c = chan_make(sizeof(int), cap);
	int v;
	bool ok = true;
	for (uint32_t i = 0; i < cap; i++) {
		v = (int)i;
		CHECK(chan_try_send(c, &v));
	}
	v = -1;
	CHECK(!chan_try_send(c, &v));
	chan_close(c);
	for (uint32_t i = 0; i < cap; i++) {
		CHECK(chan_recv(c, &v));
		CHECK_EQ(v, i);
	}
	v = 77;
	CHECK(!chan_recv(c, &v));
	CHECK_EQ(v, 0);
	v = 77;
	CHECK(chan_try_recv(c, &v, &ok));
	CHECK(!ok);
	CHECK_EQ(v, 0);
	chan_free(c);
}

static void fifo(uint32_t cap)
{
	struct guest_group all = {0};
	struct pipe p = {.in = chan_make(sizeof(uint32_t), cap), .n = 100};
	guest_go(&all, send_numbers, &p);
	for (uint32_t i = 0; i < p.n; i++) {
		uint32_t v = ~0u;
		CHECK(chan_recv(p.in, &v));
		CHECK_EQ(v, i);
	}
	guest_wait(&all);
	chan_free(p.in);
}

enum { MANY = 4, EACH = 500 };

static void count_received(void *arg)
{
	struct pipe *p = arg;
	uint32_t *seen = calloc(EACH, sizeof *seen);
	for (int i = 0; i < EACH; i++) {
		uint32_t v = EACH;
		chan_recv(p->in, &v);
		if (v < EACH)
			seen[v]++;
	}
	for (int i = 0; i < EACH; i++)
		chan_send(p->out, &seen[i]);
	free(seen);
}

static void many_to_many(uint32_t cap)
{
	struct guest_group all = {0};
	struct pipe p = {.in = chan_make(sizeof(uint32_t), cap),
			 .out = chan_make(sizeof(uint32_t), MANY * EACH),
			 .n = EACH};
	uint64_t total = 0;
	for (int i = 0; i < MANY; i++) {
		guest_go(&all, send_numbers, &p);
		guest_go(&all, count_received, &p);
	}
	guest_wait(&all);
	for (int i = 0; i < MANY * EACH; i++) {
		uint32_t v = 0;
		CHECK(chan_recv(p.out, &v));
		total += v;
	}
	CHECK_EQ(total, MANY * EACH);
	CHECK_EQ(chan_len(p.in), 0);
	chan_free(p.in);
	chan_free(p.out);
}

GUEST_TEST(chan, chan, "blocking, order, close, length and capacity, for many capacities (TestChan)")
{
	uint32_t step = guest_count(33, 1);
	for (uint32_t cap = 0; cap < 200; cap += cap < 3 ? 1 : step) {
		blocks(cap);
		closes(cap);
		fifo(cap);
		many_to_many(cap);
	}
}

static void recv_closed(void *arg)
{
	struct pipe *p = arg;
	uint32_t v = 5;
	CHECK(!chan_recv(p->in, &v));
	CHECK_EQ(v, 0);
	atomic_fetch_add(&p->flag, 1);
}

GUEST_TEST(chan, close_wakes, "close wakes every waiting receiver, with a zero value")
{
	struct guest_group all = {0};
	struct pipe p = {.in = chan_make(sizeof(uint32_t), 3)};
	for (int i = 0; i < 50; i++)
		guest_go(&all, recv_closed, &p);
	time_sleep(TIME_MILLISECOND);
	chan_close(p.in);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&p.flag), 50);
	chan_free(p.in);
}

GUEST_TEST(chan, nil, "the try operations on a nil channel say that they would wait")
{
	int v = 3;
	bool ok = true;
	CHECK(!chan_try_send(NULL, &v));
	CHECK(!chan_try_recv(NULL, &v, &ok));
	CHECK_EQ(v, 3);
	CHECK_EQ(chan_len(NULL), 0);
	CHECK_EQ(chan_cap(NULL), 0);
}

GUEST_TEST(chan, make, "a size or a capacity that overflows is refused")
{
	CHECK(chan_make(SIZE_MAX / 2, 3) == NULL);
	CHECK(chan_make(SIZE_MAX, 1) == NULL);
	CHECK(chan_make(0, (size_t)CHAN_CAP_MAX + 1) == NULL);
	CHECK(chan_make(1, SIZE_MAX) == NULL);
	CHECK(chan_make((size_t)1 << 37, CHAN_CAP_MAX) == NULL); /* their product is just below 2^64 */
	CHECK(chan_make((size_t)1 << 40, CHAN_CAP_MAX) == NULL); /* and this one above */
}

GUEST_TEST(chan, capacity_limit,
	   "a channel of the greatest capacity is full with its last element, not before")
{
	struct chan *c = chan_make(0, CHAN_CAP_MAX);
	bool ok;
	CHECK(c != NULL);
	if (c == NULL)
		return;
	CHECK_EQ(chan_cap(c), CHAN_CAP_MAX);
	/* elements of no size: as if all but two had been sent */
	atomic_fetch_add(&c->word, CHAN_ONE * (CHAN_CAP_MAX - 2));
	CHECK_EQ(chan_len(c), CHAN_CAP_MAX - 2);
	CHECK(chan_try_send(c, NULL));
	CHECK(chan_try_send(c, NULL));
	CHECK(!chan_try_send(c, NULL));
	CHECK_EQ(chan_len(c), CHAN_CAP_MAX);
	CHECK_EQ(atomic_load(&c->word) & CHAN_FLAGS, 0);
	struct chan_case send = CHAN_CASE_SEND(c, NULL);
	CHECK_EQ(chan_select(&send, 1, true), CHAN_SELECT_NONE);
	CHECK(chan_try_recv(c, NULL, &ok) && ok);
	CHECK_EQ(chan_select(&send, 1, true), 0);
	CHECK_EQ(chan_len(c), CHAN_CAP_MAX);
	chan_close(c);
	CHECK(chan_try_recv(c, NULL, &ok) && ok);
	CHECK_EQ(chan_len(c), CHAN_CAP_MAX - 1);
	chan_free(c);
}

static void send_empty(void *arg)
{
	struct pipe *p = arg;
	for (uint32_t i = 0; i < p->n; i++)
		chan_send(p->in, NULL);
}

GUEST_TEST(chan, zero_size, "elements without bytes are counted like others")
{
	for (uint32_t cap = 0; cap < 3; cap++) {
		struct guest_group all = {0};
		struct pipe p = {.in = chan_make(0, cap), .n = 200};
		guest_go(&all, send_empty, &p);
		for (uint32_t i = 0; i < p.n; i++)
			CHECK(chan_recv(p.in, NULL));
		guest_wait(&all);
		CHECK_EQ(chan_len(p.in), 0);
		chan_close(p.in);
		CHECK(!chan_recv(p.in, NULL));
		chan_free(p.in);
	}
}

static void close_it(void *arg)
{
	struct pipe *p = arg;
	chan_close(p->in);
}

GUEST_TEST(chan, nonblock_recv_race,
	   "a receive from a full buffer never misses it while the channel is closed (TestNonblockRecvRace)")
{
	for (uint32_t i = 0; i < guest_count(500, 10000); i++) {
		struct guest_group all = {0};
		struct pipe p = {.in = chan_make(sizeof(int), 1)};
		int v = 1;
		chan_send(p.in, &v);
		guest_go(&all, close_it, &p);
		CHECK(chan_try_recv(p.in, &v, NULL));
		guest_wait(&all);
		chan_free(p.in);
	}
}

static void work(void *arg)
{
	struct pipe *p = arg;
	static const uint32_t primes[] = {3, 5, 7, 11};
	uint32_t w, count = 0;
	while (chan_recv(p->in, &w)) {
		/* mess with the scheduler: give way at odd intervals */
		if (primes[go_id() % 4] == w % 13)
			go_yield();
		count++;
		chan_send(p->out, &w);
	}
	atomic_fetch_add(&p->sum, count);
}

static void feed(void *arg)
{
	struct pipe *p = arg;
	for (uint32_t i = 0; i < p->n; i++) {
		uint32_t v = i * 7 + 11;
		chan_send(p->in, &v);
	}
	chan_close(p->in);
}

GUEST_TEST(chan, multi_consumer,
	   "23 workers between two channels lose and invent nothing (TestMultiConsumer)")
{
	struct guest_group feeder = {0}, workers = {0};
	struct pipe p = {.in = chan_make(sizeof(uint32_t), 23 * 3),
			 .out = chan_make(sizeof(uint32_t), 23 * 3)};
	uint64_t sum = 0, want = 0;
	p.n = guest_count(5000, 271828);
	guest_go(&feeder, feed, &p);
	for (int i = 0; i < 23; i++)
		guest_go(&workers, work, &p);
	for (uint32_t i = 0; i < p.n; i++) {
		uint32_t v = 0;
		CHECK(chan_recv(p.out, &v));
		sum += v;
		want += i * 7 + 11;
	}
	guest_wait(&feeder);
	guest_wait(&workers);
	CHECK_EQ(sum, want);
	CHECK_EQ(atomic_load(&p.sum), p.n);
	chan_free(p.in);
	chan_free(p.out);
}

/* A record large enough that a torn copy shows. */
struct record {
	uint64_t producer, number, payload[14];
};

static struct {
	struct chan *c;
	uint32_t producers, each;
	_Atomic uint64_t got, sum;
} mix;

static void produce(void *arg)
{
	struct record r = {.producer = (uintptr_t)arg};
	for (r.number = 0; r.number < mix.each; r.number++) {
		for (int i = 0; i < 14; i++)
			r.payload[i] = r.producer * 1000003 + r.number * 31 + (uint64_t)i;
		chan_send(mix.c, &r);
	}
}

static void consume(void *arg)
{
	struct record r;
	int64_t last[64];
	(void)arg;
	for (int i = 0; i < 64; i++)
		last[i] = -1;
	while (chan_recv(mix.c, &r)) {
		for (int i = 0; i < 14; i++)
			CHECK_EQ(r.payload[i], r.producer * 1000003 + r.number * 31 + (uint64_t)i);
		/* what one consumer gets from one producer comes in the producer's order */
		CHECK((int64_t)r.number > last[r.producer % 64]);
		last[r.producer % 64] = (int64_t)r.number;
		atomic_fetch_add(&mix.got, 1);
		atomic_fetch_add(&mix.sum, r.number);
	}
}

GUEST_TEST(chan, contents, "many producers and consumers: every record arrives once, whole and in order")
{
	for (uint32_t cap = 0; cap < 20; cap += 5) {
		struct guest_group producers = {0}, consumers = {0};
		mix.c = chan_make(sizeof(struct record), cap);
		mix.producers = 16;
		mix.each = guest_count(200, 5000);
		atomic_store(&mix.got, 0);
		atomic_store(&mix.sum, 0);
		for (uintptr_t i = 0; i < mix.producers; i++)
			guest_go(&producers, produce, (void *)i);
		for (int i = 0; i < 7; i++)
			guest_go(&consumers, consume, NULL);
		guest_wait(&producers);
		chan_close(mix.c);
		guest_wait(&consumers);
		CHECK_EQ(atomic_load(&mix.got), (uint64_t)mix.producers * mix.each);
		CHECK_EQ(atomic_load(&mix.sum), (uint64_t)mix.producers * (mix.each * (mix.each - 1ull) / 2));
		chan_free(mix.c);
	}
}

static void recv_untouched(void *arg)
{
	struct record *r = arg;
	CHECK_EQ(arch_mmu_lookup((uintptr_t)r), 0);
	CHECK(chan_recv(mix.c, r));
	for (int i = 0; i < 14; i++)
		CHECK_EQ(r->payload[i], r->producer * 1000003 + r->number * 31 + (uint64_t)i);
}

GUEST_TEST(chan, untouched_receiver, "an element is handed over into a stack page that nobody has touched")
{
	struct guest_group all = {0}, senders = {0};
	uintptr_t lo, hi;
	uint32_t n = 0;
	guest_fresh_stack(&lo, &hi);
	mix.c = chan_make(sizeof(struct record), 0);
	/* the odd ones lie over the end of one fresh page and the start of another */
	for (uintptr_t a = lo; a < hi && n < 8; a += 3 * PAGE_SIZE, n++)
		guest_go(&all, recv_untouched, (void *)(a + (n % 2 ? PAGE_SIZE - 64 : 0)));
	mix.each = n / 4;
	time_sleep(2 * TIME_MILLISECOND);
	for (uintptr_t i = 0; i < 4; i++)
		guest_go(&senders, produce, (void *)i);
	guest_wait(&senders);
	guest_wait(&all);
	chan_free(mix.c);
}

static void ping(void *arg)
{
	struct pipe *p = arg;
	for (uint32_t i = 0; i < p->n; i++) {
		uint32_t v = i;
		chan_send(p->in, &v);
		CHECK(chan_recv(p->out, &v));
		CHECK_EQ(v, i + 1);
	}
}

static void pong(void *arg)
{
	struct pipe *p = arg;
	for (uint32_t i = 0; i < p->n; i++) {
		uint32_t v = 0;
		CHECK(chan_recv(p->in, &v));
		v++;
		chan_send(p->out, &v);
	}
}

GUEST_TEST(chan, ping_pong, "pairs that hand one value to and fro over unbuffered channels")
{
	struct guest_group all = {0};
	struct pipe p[8] = {0};
	for (int i = 0; i < 8; i++) {
		p[i].in = chan_make(sizeof(uint32_t), 0);
		p[i].out = chan_make(sizeof(uint32_t), 0);
		p[i].n = guest_count(500, 20000);
		guest_go(&all, ping, &p[i]);
		guest_go(&all, pong, &p[i]);
	}
	guest_wait(&all);
	for (int i = 0; i < 8; i++) {
		chan_free(p[i].in);
		chan_free(p[i].out);
	}
}

struct sieve {
	struct chan *in, *out;
	uint32_t prime;
};

static void generate(void *arg)
{
	struct sieve *s = arg;
	for (uint32_t i = 2; i < s->prime; i++)
		chan_send(s->out, &i);
	chan_close(s->out);
}

static void filter(void *arg)
{
	struct sieve *s = arg;
	uint32_t v;
	while (chan_recv(s->in, &v))
		if (v % s->prime != 0)
			chan_send(s->out, &v);
	chan_close(s->out);
}

GUEST_TEST(chan, sieve, "a chain of filters that grows while it runs, and drains when its source closes")
{
	struct guest_group all = {0};
	struct sieve stage[60] = {{.out = chan_make(sizeof(uint32_t), 0), .prime = guest_count(120, 260)}};
	uint32_t v, n = 1, sum = 0;
	guest_go(&all, generate, &stage[0]);
	while (n < 60 && chan_recv(stage[n - 1].out, &v)) {
		sum += v;
		stage[n] = (struct sieve){stage[n - 1].out, chan_make(sizeof(uint32_t), 0), v};
		guest_go(&all, filter, &stage[n]);
		n++;
	}
	guest_wait(&all);
	CHECK_EQ(n - 1, guest_count(30, 55));
	CHECK_EQ(sum, guest_count(1593, 6338));
	for (uint32_t i = 0; i < n; i++)
		chan_free(stage[i].out);
}
