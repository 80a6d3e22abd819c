/*
 * What a crash leaves behind, for the host's reader: the goroutines as a profile, and the samples of a CPU profile that was running.
 *
 *	goroutines -------------\
 *	builder, rings of harts --> builder in the arena -> pprof -> gzip -> frame lines, straight to the UART
 *
 * 1. No lock is taken and nothing comes from the heap: all memory is the arena, which each dump has from its start. Otherwise a crash inside
 *    of the heap, or of whoever holds a lock, would take its own report along.
 * 2. A record of the running profile is looked at only where memory is present and its depth is one that records have. Otherwise a profile that
 *    was in the middle of a change would end the dump.
 * 3. A dump that could not be written whole has no end line, so that the host says so. Otherwise half a profile would pass for one.
 */
#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/clock.h"
#include "kernel/dump.h"
#include "kernel/g.h"
#include "kernel/page.h"
#include "kernel/panic.h"
#include "prof/gzip.h"
#include "prof/image.h"
#include "prof/impl.h"
#include "prof/pprof.h"
#include "sched/sched.h"
#include "trace/trace.h"

enum {
	ARENA_SIZE = 1 << 20,
	RECORDS_SIZE = ARENA_SIZE / 4, /* for the builder: some 800 stacks of depth 25; the rest is [lost] */
};

static _Alignas(16) uint8_t arena[ARENA_SIZE] __attribute__((section(".noinit,\"aw\",@nobits#")));
static size_t arena_used;

static void *arena_alloc(void *ctx, size_t size)
{
	(void)ctx;
	if (size > ARENA_SIZE - 16 - arena_used)
		return NULL;
	void *p = arena + arena_used;
	arena_used += (size + 15) & ~(size_t)15;
	return p;
}

static void arena_free(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

static const struct mem_ops mem = {arena_alloc, arena_free, NULL};
static struct builder records;
static struct frame_stream stream;

static int stream_write(struct sink *s, const void *data, size_t n)
{
	(void)s;
	frame_stream_write(&stream, data, n);
	return 0;
}

static struct sink stream_sink = {stream_write};

static void records_send(const char *name, struct pprof_options *o)
{
	if (!dump_crash_begin(&stream, name))
		return;
	int error = -ENOMEM;
	struct gzip *z = gzip_open(&stream_sink, &mem, GZIP_LEVEL_FAST);
	if (z != NULL) {
		error = pprof_write_builder(&records, o, &mem, gzip_sink(z));
		int closed = gzip_close(z);
		error = error ? error : closed;
	}
	if (error == 0)
		frame_stream_end(&stream);
	else
		panic_line("hb: %s could not be written whole: error %d", name, error);
}

static void records_begin(void)
{
	arena_used = 0;
	builder_init(&records, &mem, RECORDS_SIZE);
}

/* ---- goroutines ---- */

static void goroutine_add(void *ctx, const struct g *g, const char *state, const uintptr_t *pcs,
			  unsigned depth, bool truncated)
{
	static uintptr_t stack[CRASH_DEPTH_MAX];
	(void)ctx;
	(void)state;
	memcpy(stack, pcs, depth * sizeof stack[0]);
	if (depth == 0)
		stack[depth++] = PROF_FRAME_UNKNOWN;
	if (truncated)
		stack[depth - 1] = PROF_FRAME_TRUNCATED;
	struct prof_sample s = {.values = {1},
				.depth = depth,
				.pcs = stack,
				.labels = g->labels != NULL ? labels_id_irq(g->labels) : 0};
	builder_add(&records, &s);
}

static void goroutines_send(void)
{
	static const char *const comments[] = {"the goroutines of a program that crashed"};
	struct pprof_options o = {
		.sample_types = {{"goroutine", "count"}},
		.n_sample_types = 1,
		.period_type = {"goroutine", "count"},
		.period = 1,
		.comments = comments,
		.n_comments = 1,
		.time_nanos = (int64_t)clock_wall_ns(),
		.returns = true,
		.label = prof_image_label,
	};
	records_begin();
	crash_goroutines(goroutine_add, NULL);
	prof_image_options(&o);
	records_send("crash-goroutine.pb.gz", &o);
}

/* ---- the CPU profile that was running ---- */

static bool present(const void *p, size_t n)
{
	uintptr_t from = (uintptr_t)p, to = from + n - 1;
	if (from == 0 || from % sizeof(void *) != 0 || to < from)
		return false;
	for (uintptr_t at = from & ~(uintptr_t)(PAGE_SIZE - 1); at <= to; at += PAGE_SIZE)
		if (arch_mmu_lookup(at) == 0)
			return false;
	return true;
}

static void profile_add(const struct builder *b)
{
	const struct prof_record *r = b->first;
	for (uint64_t n = 0; n < b->n_records && present(r, sizeof *r); n++, r = r->next) {
		if (r->depth > PROF_DEPTH_MAX + 1 ||
		    (r->depth > 0 && !present(r->pcs, r->depth * sizeof r->pcs[0])))
			continue;
		struct prof_sample s = builder_sample(r, false);
		builder_add(&records, &s);
	}
	struct prof_sample lost = builder_sample(&b->lost, false);
	if (lost.count > 0)
		builder_add_lost(&records, &lost);
}

static void cpu_send(void)
{
	static const char *const comments[] = {
		"the program crashed while this profile was taken",
		"samples that were just being read may be there twice or not at all"};
	struct prof_crash_cpu cpu;
	struct pprof_options o = {0};
	if (!prof_crash_cpu(&cpu))
		return;
	records_begin();
	profile_add(cpu.builder);
	sampler_drain_crash(&records);
	pprof_options_cpu(&o, (int64_t)cpu.period_ns);
	o.comments = comments;
	o.n_comments = 2;
	o.time_nanos = (int64_t)cpu.start_wall;
	o.duration_nanos = (int64_t)cpu.duration_ns;
	o.label = cpu.label;
	prof_image_options(&o);
	records_send("crash-cpu.pb.gz", &o);
}

/* ---- the trace ---- */

static void trace_say(unsigned files)
{
	if (trace_crash_lacks())
		panic_line("hb: memory was out: crash-trace.out is without the newest generation");
	if (files > 1)
		panic_line("hb: memory was out: behind the gap follows crash-trace.2.out");
	if (trace_cpu_crash_lost() > 0)
		panic_line("hb: crash-trace.out is without the last %lu samples",
			   (unsigned long)trace_cpu_crash_lost());
}

/* False: there is no such file. */
static bool trace_send(unsigned file)
{
	static char name[] = "crash-trace.2.out"; /* there is one gap at most: trace/recorder.c has none */
	unsigned files = trace_crash_files();
	if (file == 0)
		trace_say(files);
	if (file >= files)
		return false;
	name[sizeof "crash-trace." - 1] = (char)('1' + file);
	const char *as = file == 0 ? "crash-trace.out" : name;
	if (!dump_crash_begin(&stream, as))
		return false;
	if (trace_crash_dump(&stream_sink, file, g_all()))
		frame_stream_end(&stream);
	else
		panic_line("hb: %s could not be written whole", as);
	return true;
}

static bool dump(unsigned n)
{
	switch (n) {
	case 0:
		goroutines_send();
		return true;
	case 1:
		cpu_send();
		return true;
	default:
		return trace_send(n - 2);
	}
}

void crash_dumps(bool on)
{
	panic_dump_hook = on ? dump : NULL;
}
