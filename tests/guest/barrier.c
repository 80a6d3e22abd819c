/* The barrier: a consistent look at all goroutines while they run. */
#include "suite.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/cleanup.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/assert.h"
#include "kernel/g.h"
#include "kernel/walk.h"
#include "sched/sched.h"

enum { ACTORS = 64 };

/* Each counts its steps; some yield after each, some hand a token on, some sleep, some are pinned, some only compute. */
static struct {
	_Atomic uint64_t steps[ACTORS];
	uint64_t at_stop[ACTORS];
	uint32_t alive;
	_Atomic uint32_t visits[ACTORS], all, moved, walked;
	struct chan *token[ACTORS];
	struct g *_Atomic who[ACTORS];
	_Atomic bool stop;
} t;

static void begin(void *arg)
{
	atomic_store(&t.who[(uintptr_t)arg], g_self());
}

static void step_of(uintptr_t i)
{
	atomic_fetch_add_explicit(&t.steps[i], 1, memory_order_relaxed);
}

static void compute(void *arg)
{
	begin(arg);
	while (!atomic_load(&t.stop))
		step_of((uintptr_t)arg);
}

static void give_way(void *arg)
{
	begin(arg);
	while (!atomic_load(&t.stop)) {
		step_of((uintptr_t)arg);
		go_yield();
	}
}

static void doze(void *arg)
{
	begin(arg);
	while (!atomic_load(&t.stop)) {
		step_of((uintptr_t)arg);
		time_sleep(50 * TIME_MICROSECOND);
	}
}

/* From i to its partner and back, by direct switches. */
static void pass_on(void *arg)
{
	uintptr_t i = (uintptr_t)arg;
	int token = 0;
	begin(arg);
	if (i % 2 == 0)
		chan_send(t.token[i + 1], &token);
	while (chan_recv(t.token[i], &token)) {
		step_of(i);
		if (atomic_load(&t.stop))
			break;
		chan_send(t.token[i ^ 1], &token);
	}
	chan_close(t.token[i ^ 1]);
}

static void pinned(void *arg)
{
	go_pin();
	give_way(arg);
	go_unpin();
}

/* The number of the actor that g is, or ACTORS. */
static int actor_of(const struct g *g)
{
	int i = 0;
	while (i < ACTORS && atomic_load(&t.who[i]) != g)
		i++;
	return i;
}

static void note_steps(struct barrier *b)
{
	(void)b;
	t.alive = go_count();
	for (int i = 0; i < ACTORS; i++)
		t.at_stop[i] = atomic_load(&t.steps[i]);
}

static void look(struct barrier *b, struct g *g)
{
	struct arch_unwind u;
	uintptr_t pcs[32];
	unsigned flags;
	(void)b;
	if (g->system)
		return;
	atomic_fetch_add(&t.all, 1);
	if (g == g_self())
		return;
	if (g->area != NULL)
		arch_frame_unwind(g->area, &u);
	else
		arch_context_unwind(&g->ctx, &u);
	walk_frames(&u, NULL, g, pcs, 32, &flags);
	if ((flags & WALK_BROKEN) == 0)
		atomic_fetch_add(&t.walked, 1);
	int i = actor_of(g);
	if (i < ACTORS) {
		atomic_fetch_add(&t.visits[i], 1);
		if (atomic_load(&t.steps[i]) != t.at_stop[i])
			atomic_fetch_add(&t.moved, 1);
	}
}

static void actors_start(struct guest_group *all, uintptr_t n)
{
	static void (*const kinds[])(void *) = {compute, give_way, doze, pass_on, pinned};
	atomic_store(&t.stop, false);
	for (uintptr_t i = 0; i < n; i++)
		t.token[i] = chan_make(sizeof(int), 1);
	for (uintptr_t i = 0; i < n; i++)
		guest_go(all, kinds[i / 2 % 5 == 0 && i > 1 ? 1 : i / 2 % 5], (void *)i);
	for (uintptr_t i = 0; i < n; i++)
		while (atomic_load(&t.who[i]) == NULL)
			go_yield();
}

static void actors_end(struct guest_group *all, uintptr_t n)
{
	atomic_store(&t.stop, true);
	guest_wait(all);
	for (uintptr_t i = 0; i < n; i++) {
		chan_free(t.token[i]);
		atomic_store(&t.who[i], NULL);
	}
}

static void round_check(uintptr_t n)
{
	uint32_t once = 0;
	for (uintptr_t i = 0; i < n; i++)
		once += atomic_exchange(&t.visits[i], 0) == 1;
	CHECK_EQ(once, n);
	CHECK_EQ(atomic_exchange(&t.moved, 0), 0);
	uint32_t seen = atomic_exchange(&t.all, 0);
	CHECK_EQ(seen, t.alive);
	CHECK_EQ(atomic_exchange(&t.walked, 0) + 1, seen);
}

GUEST_TEST(barrier, once,
	   "who was alive passes once, before a step of its own, with a stack that can be walked")
{
	struct guest_group all = {0};
	struct barrier b = {.visit = look, .stopped = note_steps};
	actors_start(&all, ACTORS);
	for (uint32_t i = 0; i < guest_count(8, 2000); i++) {
		barrier_run(&b, STW_TEST);
		round_check(ACTORS);
		if (i % 4 == 0)
			time_sleep(100 * TIME_MICROSECOND);
	}
	actors_end(&all, ACTORS);
}

static void observe(void *arg)
{
	struct barrier b = {.visit = look};
	(void)arg;
	for (int i = 0; i < 10; i++)
		barrier_run(&b, STW_TEST);
}

GUEST_TEST(barrier, several, "those who want a barrier at the same time have one each")
{
	struct guest_group all = {0}, actors = {0};
	actors_start(&actors, 10);
	for (int i = 0; i < 4; i++)
		guest_go(&all, observe, NULL);
	guest_wait(&all);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(atomic_exchange(&t.visits[i], 0), 40);
	atomic_store(&t.all, 0);
	atomic_store(&t.walked, 0);
	atomic_store(&t.moved, 0);
	actors_end(&actors, 10);
}

/* ---- the goroutine that changes its class while it runs ---- */

static struct {
	_Atomic uint32_t inside, visits, as_user;
	_Atomic bool leave;
	struct g *_Atomic g;
	void *object;
	bool stepped;
	uint32_t alive;
} f;

static void callback(void *arg)
{
	(void)arg;
	atomic_store(&f.g, g_self());
	atomic_fetch_add(&f.inside, 1);
	while (!atomic_load(&f.leave))
		if (go_harts() == 1)
			go_yield(); /* with more it runs when the walker comes to it */
}

static void look_for_it(struct barrier *b, struct g *g)
{
	(void)b;
	if (strcmp(g_name(g), "cleanup") == 0)
		atomic_fetch_add(&f.visits, 1);
	if (!g->system)
		atomic_fetch_add(&f.as_user, 1);
}

static void note_count(struct barrier *b)
{
	(void)b;
	f.alive = go_count();
}

/* Between the check, which its scheduler does, and the walker's look at it: it runs, and is of the program now. */
static void let_it_run(struct barrier *b)
{
	(void)b;
	if (f.stepped)
		return;
	f.stepped = true;
	object_release(f.object);
	while (atomic_load(&f.inside) == 0)
		go_yield();
}

GUEST_TEST(barrier, class_change,
	   "a goroutine that was of the kernel when it passed, and is of the program when the walker comes, "
	   "is not looked at again")
{
	struct barrier b = {.visit = look_for_it, .stopped = note_count, .step = let_it_run};
	for (uint32_t i = 0; i < guest_count(20, 1000); i++) {
		f.object = object_new(8);
		CHECK(f.object != NULL && cleanup_add(f.object, callback, NULL) != 0);
		cleanup_wait();
		f.stepped = false;
		atomic_store(&f.inside, 0);
		atomic_store(&f.visits, 0);
		atomic_store(&f.as_user, 0);
		atomic_store(&f.leave, false);
		barrier_run(&b, STW_TEST);
		atomic_store(&f.leave, true);
		CHECK_EQ(atomic_load(&f.visits), 1);
		CHECK_EQ(atomic_load(&f.as_user), f.alive);
		cleanup_wait();
	}
}

/* ---- the goroutine that is started while a barrier is up ---- */

static void be_born(void *arg)
{
	(void)arg;
}

static void start_one(struct barrier *b)
{
	struct guest_group one = {0};
	(void)b;
	if (f.stepped)
		return;
	f.stepped = true;
	guest_go(&one, be_born, NULL);
	guest_wait(&one);
}

GUEST_TEST(barrier, born, "a goroutine that is started while a barrier is up has passed it")
{
	struct barrier b = {.visit = look_for_it, .stopped = note_count, .step = start_one};
	for (uint32_t i = 0; i < guest_count(20, 1000); i++) {
		f.stepped = false;
		atomic_store(&f.as_user, 0);
		barrier_run(&b, STW_TEST);
		CHECK(f.stepped);
		CHECK_EQ(atomic_load(&f.as_user), f.alive);
	}
}
