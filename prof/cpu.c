/*
 * CPU profiles: start, drain while it runs, stop, encode and send.
 *
 *	rings -> drain goroutine (each 50 ms, prof/drain.c) -> builder -> pprof -> gzip -> dump -> console (prof/write.c)
 */
#include <hartbeat/prof.h>

#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/hart.h"
#include "kernel/print.h"
#include "kernel/symtab.h"
#include "prof/image.h"
#include "prof/impl.h"
#include "prof/pprof.h"
#include "prof/prof.h"
#include "prof/top.h"
#include "sched/sched.h"
#include "trace/trace.h"

enum {
	HZ_MAX = 10000,
	DRAIN_NS = 50000000,
	BUILDER_LIMIT = 64 << 20, /* bytes a profile may take while it is collected */
	COMMENTS_MAX = 2 * HART_MAX + 4,
	COMMENT_SIZE = 160,
};

static struct mutex prof_mutex; /* protects everything below and the samplers' start and stop */
static bool running;
static struct builder builder;
static uint64_t period_ns, start_ns, start_wall;
static uint32_t rates; /* how often the rate was changed */
static _Atomic uintptr_t
	profile_number; /* of the running or last profile; a drain goroutine of another one ends; relaxed */

static void trace_close(void *arg)
{
	(void)arg;
	trace_cpu_close();
}

void prof_drain(void)
{
	drain_turn(trace_close, NULL);
}

/* Body of the drain goroutine of profile `number`. Nobody waits for its end: it notices at its next turn. */
static void drain_loop(void *number)
{
	for (;;) {
		time_sleep(DRAIN_NS);
		if (atomic_load_explicit(&profile_number, memory_order_relaxed) != (uintptr_t)number)
			return;
		drain_turn(NULL, NULL);
	}
}

bool prof_running(void)
{
	return running;
}

const char *prof_error(int error)
{
	switch (error) {
	case EBUSY:
		return "cpu profiling already in use";
	case ESRCH:
		return "cpu profile: none is running";
	case EINVAL:
		return "cpu profile: 1 to 10000 samples a second expected";
	default:
		return "cpu profile: out of memory";
	}
}

int prof_start(unsigned hz)
{
	int result = -1;
	if (hz < 1 || hz > HZ_MAX) {
		errno = EINVAL;
		return -1;
	}
	mutex_lock(&prof_mutex);
	int error = running ? EBUSY : ENOMEM;
	if (!running && sampler_prepare()) {
		builder_init(&builder, &prof_mem, BUILDER_LIMIT);
		uintptr_t number = atomic_fetch_add_explicit(&profile_number, 1, memory_order_relaxed) + 1;
		if (go_system(drain_loop, (void *)number, "profile drain") != 0) {
			period_ns = 1000000000u / hz;
			rates = 0;
			start_ns = clock_ns();
			start_wall = clock_wall_ns();
			drain_begin(DRAIN_CPU, &builder);
			sampler_start(clock_to_ticks(period_ns));
			running = true;
			result = 0;
		}
	}
	mutex_unlock(&prof_mutex);
	if (result != 0)
		errno = error;
	return result;
}

int prof_rate(unsigned hz)
{
	int error = 0;
	if (hz < 1 || hz > HZ_MAX) {
		errno = EINVAL;
		return -1;
	}
	mutex_lock(&prof_mutex);
	if (running) {
		period_ns = 1000000000u / hz;
		sampler_rate(clock_to_ticks(period_ns));
		rates++;
	} else {
		error = ESRCH;
	}
	mutex_unlock(&prof_mutex);
	if (error != 0)
		errno = error;
	return error == 0 ? 0 : -1;
}

/* The labels of a sample: the goroutine's in the order of their keys, as Go writes them, then hart and irq. */
static bool label_get(void *ctx, uint32_t labels, unsigned i, struct pprof_label *label)
{
	static char harts_text[HART_MAX][4];
	uint32_t id = labels & LABELS_ID_MASK, hart = labels >> PROF_LABEL_HART_SHIFT & PROF_LABEL_HART_MASK;
	unsigned n = 0;
	struct label l;
	(void)ctx;
	if (labels_of(id, i, &l)) {
		*label = (struct pprof_label){.key = l.key, .str = l.value};
		return true;
	}
	while (labels_of(id, n, &l))
		n++;
	if (hart != 0 && i == n++) {
		snprintf(harts_text[hart - 1], sizeof harts_text[0], "%u", (unsigned)(hart - 1));
		*label = (struct pprof_label){.key = "hart", .str = harts_text[hart - 1]};
		return true;
	}
	*label = (struct pprof_label){.key = "irq", .str = "off"};
	return (labels & PROF_LABEL_IRQ_OFF) != 0 && i == n;
}

/* How long a hart had interrupts off, and how what ran then was sampled. */
static void masked_comment(uint32_t hart, const struct sampler_account *a, char text[COMMENT_SIZE])
{
	struct symtab_function f; /* the one that spin_lock() or irq_save() is inlined into */
	bool known = a->masked_longest_pc != 0 && symtab_function(a->masked_longest_pc - 1, &f);
	snprintf(text, COMMENT_SIZE, "hart %u: interrupts off %llu ns, longest %llu ns from %s; sampled %s",
		 hart, (unsigned long long)clock_from_ticks(a->masked),
		 (unsigned long long)clock_from_ticks(a->masked_longest), known ? f.name : "nowhere",
		 a->nmi ? "by NMI" : "where they went off");
}

/* What sampling took, of the harts' time and for each sample. */
static void cost_text(char text[COMMENT_SIZE])
{
	uint64_t cost = 0, busy = 0, samples = 0;
	for (uint32_t i = 0; i < hart_count; i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		cost += clock_from_ticks(a.cost);
		busy += clock_from_ticks(a.recorded + a.lost);
		samples += a.samples + a.lost_samples;
	}
	uint64_t share = busy > 0 ? cost * 1000000 / busy : 0; /* millionths */
	snprintf(text, COMMENT_SIZE, "sampling took %llu ns, %u.%04u %% of the busy time; %llu ns a sample",
		 (unsigned long long)cost, (unsigned)(share / 10000), (unsigned)(share % 10000),
		 (unsigned long long)(samples > 0 ? cost / samples : 0));
}

/* The losses and the account of each hart, as comments of the profile. */
static unsigned comments_make(char text[][COMMENT_SIZE], const char **list, uint64_t *lost_ticks)
{
	unsigned n = 0;
	*lost_ticks = 0;
	for (uint32_t i = 0; i < hart_count && n < COMMENTS_MAX - 4; i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		*lost_ticks += a.lost;
		uint64_t elapsed = clock_from_ticks(a.elapsed), recorded = clock_from_ticks(a.recorded);
		uint64_t idle = clock_from_ticks(a.idle), lost = clock_from_ticks(a.lost);
		/* What is exact in ticks stays exact in ns: idle time takes the rounding, 2 ns at most. */
		if (a.elapsed == a.recorded + a.idle + a.lost)
			idle = elapsed - recorded - lost;
		snprintf(text[n], COMMENT_SIZE,
			 "hart %u: elapsed %llu ns = recorded %llu + idle %llu + lost %llu; %llu samples, "
			 "%llu lost, %llu by NMI",
			 i, (unsigned long long)elapsed, (unsigned long long)recorded,
			 (unsigned long long)idle, (unsigned long long)lost, (unsigned long long)a.samples,
			 (unsigned long long)a.lost_samples, (unsigned long long)a.nmis);
		list[n] = text[n];
		n++;
		masked_comment(i, &a, text[n]);
		list[n] = text[n];
		n++;
	}
	cost_text(text[n]);
	list[n] = text[n];
	n++;
	if (rates > 0) {
		snprintf(text[n], COMMENT_SIZE,
			 "the rate was changed %u times: the period is the last one; time is exact, counts "
			 "are of each "
			 "time's periods",
			 (unsigned)rates);
		list[n] = text[n];
		n++;
	}
	return n;
}

static void add_lost(uint64_t lost_ticks)
{
	const uintptr_t frame = PROF_FRAME_LOST;
	struct prof_sample s = {.weight_ns = clock_from_ticks(lost_ticks), .depth = 1, .pcs = &frame};
	s.count = s.weight_ns / period_ns + 1;
	if (lost_ticks > 0)
		builder_add(&builder, &s);
}

/* Writes what was collected, to the sink or to the console under a name. Caller holds prof_mutex. 0 or a negative error number. */
static int profile_write_out(struct sink *to, const char *name, uint64_t duration)
{
	static char text[COMMENTS_MAX][COMMENT_SIZE]; /* under prof_mutex */
	static const char *comments[COMMENTS_MAX];
	uint64_t lost;
	struct pprof_options o = {0};
	pprof_options_cpu(&o, (int64_t)period_ns);
	o.n_comments = comments_make(text, comments, &lost);
	add_lost(lost);
	o.comments = comments;
	o.time_nanos = (int64_t)start_wall;
	o.duration_nanos = (int64_t)duration;
	o.label = label_get;
	return to != NULL ? prof_write_to(to, &o, &builder) : prof_write(name, &o, &builder);
}

/* To the sink, or to the console under a name, or nowhere. */
static int stop(struct sink *to, const char *name, prof_look_fn *look, void *ctx)
{
	int error = -1;
	mutex_lock(&prof_mutex);
	if (running) {
		sampler_stop();
		uint64_t duration = clock_ns() - start_ns;
		atomic_fetch_add_explicit(&profile_number, 1, memory_order_relaxed);
		drain_end(DRAIN_CPU);
		error = to != NULL || name != NULL ? profile_write_out(to, name, duration) : 0;
		if (error != 0 && to == NULL)
			print_line("hb: profile %s could not be written: error %d", name, error);
		if (name != NULL) {
			char text[COMMENT_SIZE];
			cost_text(text);
			print_line("hb: %s: %lu stacks; %s", name, (unsigned long)builder.n_records, text);
		}
		if (look != NULL)
			look(ctx, &builder, duration);
		builder_free(&builder);
		drain_done(DRAIN_CPU);
		running = false;
	}
	mutex_unlock(&prof_mutex);
	return error == 0 ? 0 : -1;
}

int prof_stop_with(const char *name, prof_look_fn *look, void *ctx)
{
	return stop(NULL, name, look, ctx);
}

int prof_stop_to(struct sink *to)
{
	return stop(to, NULL, NULL, NULL);
}

int prof_stop(const char *name)
{
	return prof_stop_with(name, NULL, NULL);
}

bool prof_crash_cpu(struct prof_crash_cpu *c)
{
	*c = (struct prof_crash_cpu){&builder, period_ns, start_wall, clock_ns() - start_ns, label_get};
	return running;
}

static int line_out(struct sink *s, const void *data, size_t n)
{
	(void)s;
	console_text(data, n);
	return 0;
}

void prof_top(const struct builder *b, uint64_t duration_ns, uint32_t rows)
{
	struct sink out = {line_out};
	struct top_options o = {.rows = rows,
				.duration_ns = duration_ns,
				.image = prof_image_name,
				.symbolize = prof_image_symbolize};
	if (top_write(b, &o, &prof_mem, &out) != 0)
		print_line("hb: no memory for the table of the profile");
}
