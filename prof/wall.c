/*
 * The wall-clock profile: where the time goes that goroutines do not run, beside that which they do.
 *
 *	each hart's own tick         running, by stack, and idle to the tick          prof/wall_hart.c
 *	a goroutine, in rounds       waiting and runnable, by stack and reason        here
 *
 * A round gives every goroutine that waits or is runnable the time since the round before. Of many it walks the stack of one in k, from a random
 * one on, which stands for k, so that no more than VISITS_MAX are walked. With very many descriptors it passes over one run of neighbours in m
 * only, and k is k times m:
 *
 *	all descriptors, newest first:   | head (part of a run) | run | run | ... | run |      runs[] points to the first of each
 *
 * Descriptors are never freed and the list only grows at its head, so a run stays what it is.
 *
 * 1. Who had to make room on its hart for the goroutine of the rounds is not counted: its hart counts it as running. Otherwise nobody would run
 *    on a machine with one hart.
 * 2. A round is within a turn of the drain (prof/drain.c). Otherwise a set of labels could be freed between reading its number and keeping it.
 * 3. A round looks there whether its profile runs still. Otherwise one that has waited for its turn could count in the next, or in none.
 */
#include "prof/wall.h"

#include <hartbeat/prof.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/print.h"
#include "kernel/random.h"
#include "prof/image.h"
#include "prof/impl.h"
#include "prof/pprof.h"
#include "sched/sched.h"

enum {
	HZ_MAX = 1000,
	RUN = 64,
	RUNS_MAX = 1024, /* a round passes over */
	VISITS_MAX = 500,
	BUILDER_LIMIT = 16 << 20, /* bytes */
	COMMENT_SIZE = 160,
	COMMENTS_MAX = HART_MAX + 1,
};

_Static_assert(WALL_WAITING + WAIT_REASON_COUNT <= 256, "state and reason fit beside the set's number");

static struct mutex wall_mutex; /* protects start and stop, and running */
static bool running;
static uint64_t period_ns, start_wall;
static _Atomic uintptr_t
	profile_number; /* of the running or last one; a goroutine of another ends; relaxed */

/* Within a turn of the drain, while the profile's builder is attached. */
static struct builder builder;
static struct {
	struct g **runs; /* oldest first */
	size_t n_runs, max_runs;
	uint64_t begin,
		last; /* arch_ticks() of the profile's begin and of the round before: it lasts as long as its rounds */
	const struct g *displaced; /* who had to make room, or NULL */
	uint64_t rng;
	struct wall_rounds count;
	uintptr_t pcs[PROF_DEPTH_MAX + 1];
} round_;

static bool is_current(const void *number)
{
	return atomic_load_explicit(&profile_number, memory_order_relaxed) == (uintptr_t)number;
}

static void visit(struct g *g, uint64_t weight_ns)
{
	struct prof_sample s = {.count = 1, .weight_ns = weight_ns, .pcs = round_.pcs};
	struct g_look look;
#ifdef MUTANT_wall_displaced
	round_.displaced = NULL;
#endif
	if (g == round_.displaced || !g_look(g, &look, round_.pcs, PROF_DEPTH_MAX)) /* rule 1 */
		return;
	round_.count.visits++;
	labels_sampled(look.labels); /* rule 2 */
	s.labels =
		look.labels | wall_label(look.waits ? WALL_WAITING + (uint32_t)look.reason : WALL_RUNNABLE);
	s.depth = look.depth + look.truncated; /* one more than what is kept: the builder says so */
	builder_add(&builder, &s);
}

/* ---- a round ---- */

/* Descriptors that joined make new runs, as far as they fill one. Returns the newest. */
static struct g *runs_grow(void)
{
	struct g *newest = g_all(), *end = round_.n_runs > 0 ? round_.runs[round_.n_runs - 1] : NULL;
	size_t n = 0;
	for (struct g *g = newest; g != end; g = g->all_next)
		n++;
	size_t more = n / RUN;
	if (round_.n_runs + more > round_.max_runs) {
		size_t max = (round_.n_runs + more) * 2;
		struct g **runs = heap_alloc(max * sizeof(struct g *));
		if (runs == NULL)
			return newest; /* the head is long, until there is memory */
		if (round_.n_runs > 0)
			memcpy(runs, round_.runs, round_.n_runs * sizeof(struct g *));
		heap_free(round_.runs);
		round_.runs = runs;
		round_.max_runs = max;
	}
	struct g *g = newest;
	size_t skip = n % RUN;
	for (size_t i = 0; i < more * RUN + skip; i++, g = g->all_next)
		if (i >= skip && (i - skip) % RUN == 0)
			round_.runs[round_.n_runs + more - 1 - (i - skip) / RUN] = g;
	round_.n_runs += more;
	return newest;
}

/* How a round chooses: one run in `runs` from `first_run` on, of the goroutines in them one in `step`. */
struct choice {
	struct g *newest;
	uint64_t runs, first_run, step;
	uint64_t until; /* the next that is chosen, counted down */
	uint64_t weight_ns;
};

/* Counts the goroutines that could be looked at; walks the chosen ones if there is a weight. */
static uint64_t pass(struct choice *c)
{
	uint64_t n = 0;
	for (uint64_t i = c->first_run; i <= round_.n_runs; i += c->runs) {
		bool head = i == round_.n_runs;
		struct g *g = head ? c->newest : round_.runs[i];
		const struct g *end = head && i > 0 ? round_.runs[i - 1] : NULL;
		for (uint32_t k = 0; k < RUN && g != end; k++, g = g->all_next) {
			uint32_t status = atomic_load_explicit(&g->status, memory_order_relaxed);
			if ((status != G_WAITING && status != G_RUNNABLE) || g->system)
				continue;
			n++;
			if (c->weight_ns > 0 && c->until-- == 0) {
				visit(g, c->weight_ns);
				c->until = c->step - 1;
			}
		}
	}
	return n;
}

/* number: of the profile whose goroutine has woken for this; NULL: the profile ends. */
static void round_take(void *number)
{
#ifndef MUTANT_wall_stale
	if (number != NULL && !is_current(number)) /* rule 3 */
		return;
#endif
	struct choice c = {.newest = runs_grow(), .runs = round_.n_runs / RUNS_MAX + 1};
	uint64_t now = arch_ticks(), ns = clock_from_ticks(now - round_.last);
	c.first_run = random_step(&round_.rng) % c.runs;
	c.step = pass(&c) / VISITS_MAX + 1;
	c.until = random_step(&round_.rng) % c.step;
	c.weight_ns = ns * c.runs * c.step;
	round_.last = now;
	round_.displaced = number != NULL ? g_displaced() : NULL;
	pass(&c);
	round_.count.rounds++;
	round_.count.cut += c.runs * c.step > 1;
	round_.count.ns += clock_from_ticks(arch_ticks() - now);
}

void wall_round(uintptr_t number)
{
	drain_turn(round_take, (void *)number);
}

static void wall_loop(void *number)
{
	uint64_t ticks = clock_to_ticks(period_ns), rng = arch_ticks() * 0x9e3779b97f4a7c15u + 1;
	for (;;) {
		uint64_t distance = ticks / 2 + random_step(&rng) % ticks;
		time_sleep((int64_t)clock_from_ticks(distance));
		if (!is_current(number))
			return;
		wall_round((uintptr_t)number);
	}
}

/* ---- start and stop ---- */

void wall_rounds(struct wall_rounds *r)
{
	*r = round_.count;
	r->number = atomic_load_explicit(&profile_number, memory_order_relaxed);
}

bool prof_wall_running(void)
{
	return running;
}

int prof_wall_start(unsigned hz)
{
	int result = -1;
	if (hz < 1 || hz > HZ_MAX) {
		errno = EINVAL;
		return -1;
	}
	mutex_lock(&wall_mutex);
	int error = running ? EBUSY : ENOMEM;
	if (!running && sampler_prepare()) {
		period_ns = 1000000000u / hz;
		uintptr_t number = atomic_fetch_add_explicit(&profile_number, 1, memory_order_relaxed) + 1;
		builder_init(&builder, &prof_mem, BUILDER_LIMIT);
		round_.begin = round_.last = arch_ticks();
		start_wall = clock_wall_ns();
		round_.rng = round_.last * 0x9e3779b97f4a7c15u + 1;
		round_.count = (struct wall_rounds){0};
		drain_begin(DRAIN_WALL, &builder);
		if (go_system(wall_loop, (void *)number, "wall profile") == 0) {
			drain_end(DRAIN_WALL);
			builder_free(&builder);
			drain_done(DRAIN_WALL);
		} else {
			sampler_wall_start(clock_to_ticks(period_ns));
			running = true;
			result = 0;
		}
	}
	mutex_unlock(&wall_mutex);
	if (result != 0)
		errno = error;
	return result;
}

static bool label_get(void *ctx, uint32_t labels, unsigned i, struct pprof_label *label)
{
	static const char *const states[] = {"", "running", "scheduling", "runnable", "idle", "waiting"};
	uint32_t id = labels & LABELS_ID_MASK, state = wall_state_of(labels);
	unsigned n = 0;
	struct label l;
	(void)ctx;
	if (labels_of(id, i, &l)) {
		*label = (struct pprof_label){.key = l.key, .str = l.value};
		return true;
	}
	while (labels_of(id, n, &l))
		n++;
	if (state == WALL_NONE || i > n + (state >= WALL_WAITING))
		return false;
	if (i == n)
		*label = (struct pprof_label){.key = "state",
					      .str = states[state < WALL_WAITING ? state : WALL_WAITING]};
	else
		*label = (struct pprof_label){.key = "wait",
					      .str = wait_reason_text[state - WALL_WAITING].text};
	return true;
}

static void add_frame(uintptr_t frame, uint32_t labels, uint64_t ticks)
{
	struct prof_sample s = {
		.weight_ns = clock_from_ticks(ticks), .depth = 1, .pcs = &frame, .labels = labels};
	s.count = (s.weight_ns + period_ns / 2) / period_ns;
	if (ticks > 0)
		builder_add(&builder, &s);
}

/* What is known at the end only: idle and lost time of each hart. */
static unsigned accounts_add(char text[][COMMENT_SIZE], const char **list)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < hart_count; i++) {
		struct wall_account a;
		wall_account(i, &a);
		uint64_t elapsed = clock_from_ticks(a.elapsed), recorded = clock_from_ticks(a.recorded);
		uint64_t idle = clock_from_ticks(a.idle), lost = clock_from_ticks(a.lost);
		if (a.elapsed == a.recorded + a.idle + a.lost)
			idle = elapsed - recorded - lost; /* takes the rounding, 2 ns at most */
		add_frame(PROF_FRAME_IDLE, wall_label(WALL_IDLE), a.idle);
		add_frame(PROF_FRAME_LOST, 0, a.lost);
		snprintf(text[n], COMMENT_SIZE,
			 "hart %u: elapsed %llu ns = recorded %llu + idle %llu + lost %llu", (unsigned)i,
			 (unsigned long long)elapsed, (unsigned long long)recorded, (unsigned long long)idle,
			 (unsigned long long)lost);
		list[n] = text[n];
		n++;
	}
	snprintf(text[n], COMMENT_SIZE,
		 "goroutines: %llu rounds, %llu stacks of waiting and runnable ones; %llu rounds looked at a "
		 "part of them only",
		 (unsigned long long)round_.count.rounds, (unsigned long long)round_.count.visits,
		 (unsigned long long)round_.count.cut);
	list[n] = text[n];
	return n + 1;
}

/* To the sink, or to the console under a name. */
static int profile_send(struct sink *to, const char *name, uint64_t duration, const char *const *comments,
			unsigned n)
{
	struct pprof_options o = {.n_sample_types = 2, .period = (int64_t)period_ns};
	o.sample_types[0] = (struct pprof_value_type){"samples", "count"};
	o.sample_types[1] = (struct pprof_value_type){"wall", "nanoseconds"};
	o.period_type = o.sample_types[1];
	o.comments = comments;
	o.n_comments = n;
	o.time_nanos = (int64_t)start_wall;
	o.duration_nanos = (int64_t)duration;
	o.label = label_get;
	return to != NULL ? prof_write_to(to, &o, &builder) : prof_write(name, &o, &builder);
}

/* To the sink, or to the console under a name, or nowhere. */
static int stop(struct sink *to, const char *name, prof_look_fn *look, void *ctx)
{
	static char text[COMMENTS_MAX][COMMENT_SIZE]; /* under wall_mutex */
	static const char *comments[COMMENTS_MAX];
	int error = -1;
	mutex_lock(&wall_mutex);
	if (running) {
		atomic_fetch_add_explicit(&profile_number, 1, memory_order_relaxed);
		drain_turn(round_take, NULL);
		uint64_t duration = clock_from_ticks(round_.last - round_.begin);
		sampler_wall_stop();
		drain_end(DRAIN_WALL);
		unsigned n = accounts_add(text, comments);
		error = to != NULL || name != NULL ? profile_send(to, name, duration, comments, n) : 0;
		if (error != 0 && to == NULL)
			print_line("hb: profile %s could not be written: error %d", name, error);
		if (look != NULL)
			look(ctx, &builder, duration);
		builder_free(&builder);
		heap_free(round_.runs);
		round_.runs = NULL;
		round_.n_runs = round_.max_runs = 0;
		drain_done(DRAIN_WALL);
		running = false;
	}
	mutex_unlock(&wall_mutex);
	return error == 0 ? 0 : -1;
}

int prof_wall_stop_with(const char *name, prof_look_fn *look, void *ctx)
{
	return stop(NULL, name, look, ctx);
}

int prof_wall_stop_to(struct sink *to)
{
	return stop(to, NULL, NULL, NULL);
}

int prof_wall_stop(const char *name)
{
	return prof_wall_stop_with(name, NULL, NULL);
}
