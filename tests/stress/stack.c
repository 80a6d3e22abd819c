/* Stacks: what lies on one stays there, at any depth, over waiting, preemption and writes from other goroutines. */
#include "tests/stress/stress.h"

#include <hartbeat/chan.h>

enum { FRAME_WORDS = 200 };

struct diver {
	struct waitgroup *left;
	struct rng r;
	uint32_t depth;
};

/* Fills a frame of 1600 bytes, goes deeper, and finds the frame as it was. */
__attribute__((noinline)) static uint64_t dive(struct rng *r, uint32_t depth)
{
	volatile uint64_t frame[FRAME_WORDS];
	uint64_t mark = (uint64_t)stress_random(r) << 32 | depth, sum = depth;
	for (unsigned i = 0; i < FRAME_WORDS; i++)
		frame[i] = mark ^ i;
	stress_pause(r);
	if (depth > 0)
		sum += dive(r, depth - 1);
	stress_pause(r);
	bool same = true;
	for (unsigned i = 0; i < FRAME_WORDS; i++)
		same &= frame[i] == (mark ^ i);
	CHECK(same);
	return sum;
}

static void diver(void *arg)
{
	struct diver *d = arg;
	for (uint32_t n = stress_between(&d->r, 1, 3); n > 0; n--) {
		uint32_t depth = stress_below(&d->r, d->depth);
		CHECK_EQ(dive(&d->r, depth), (uint64_t)depth * (depth + 1) / 2);
	}
	waitgroup_done(d->left);
}

static void depth(struct rng *r)
{
	enum { DIVERS_MAX = 8 };
	static const size_t sizes[] = {0, 0, 900 << 10};
	struct waitgroup left = {0};
	struct diver d[DIVERS_MAX];
	for (uint32_t i = stress_between(r, 1, DIVERS_MAX); i > 0; i--) {
		size_t size = sizes[stress_below(r, 3)];
		d[i - 1] = (struct diver){&left, stress_split(r), size == 0 ? 50 : 400};
		waitgroup_add(&left, 1);
		if (go_with(diver, &d[i - 1], &(struct go_options){.name = "diver", .stack_size = size}) == 0)
			waitgroup_done(&left); /* no memory for so much: the others are enough */
	}
	waitgroup_wait(&left);
}

struct far {
	struct waitgroup left;
	struct chan *c;
	struct rng r;
};

/* Lends a part of its own stack that nobody has touched yet. */
static void far_lend(void *arg)
{
	struct far *f = arg;
	uint8_t room[20000];
	uint8_t *p = room;
	chan_send(f->c, &p);
	stress_pause(&f->r);
	chan_recv(f->c, NULL); /* it is filled */
	bool same = true;
	for (unsigned i = 0; i < sizeof room; i++)
		same &= room[i] == (uint8_t)(i * 7);
	CHECK(same);
	waitgroup_done(&f->left);
}

/* A goroutine that fills an array on the stack of another. */
static void far(struct rng *r)
{
	struct far f = {.c = stress_chan_make(sizeof(uint8_t *), 0), .r = stress_split(r)};
	uint8_t *p;
	stress_go(&f.left, far_lend, &f);
	CHECK(chan_recv(f.c, &p));
	for (unsigned i = 0; i < 20000; i++)
		p[i] = (uint8_t)(i * 7);
	stress_pause(r);
	chan_send(f.c, &p);
	waitgroup_wait(&f.left);
	chan_free(f.c);
}

const struct actor stress_stack[] = {
	{"depth", "frames keep their contents, however deep", depth},
	{"far", "a goroutine may write to the stack of another", far},
	{0},
};
