/*
 * Traces on their way out: who gets the generations, the goroutine that changes them every second, and the one that writes.
 *
 *	advance (each period, or when somebody joins, leaves, or wants a snapshot) -> generation -> queue -> writer goroutine -> file
 *	                                                                                \-> flight recorder
 *
 * The generations that wait in a queue keep their buffers. When those reach trace_memory_max, the generation that runs is dropped as a whole
 * (trace/buf.c), and so are the next ones until there is room. That is counted, said on the console, and in the trace by a log.
 *
 * Who joins gets the generations from the next one on, who leaves those up to the one that ends then: each stands alone.
 */
#include <hartbeat/trace.h>

#include <hartbeat/cond.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "prof/prof.h"
#include "prof/trace_file.h"
#include "sched/sched.h"
#include "trace/recorder.h"
#include "trace/trace.h"

enum { POLL_NS = 100000000, END_POLL_NS = 1000000, FLIGHT_BYTES = 10 << 20 };
#define FLIGHT_AGE_NS UINT64_C(10000000000)
#define END_NS        UINT64_C(10000000000)

uint64_t trace_period_ns = 1000000000;

struct link {
	struct link *next;
	struct trace_gen *gen; /* NULL: one that was dropped */
};

struct out {
	struct trace_file file;
	/* guarded by queue_mutex */
	struct link *first, *last;
	bool closing, done;
};

static struct mutex control; /* protects the next, and everything that begins or ends a generation */
static struct out *tracing;  /* what trace_start() began */
static struct out *ending;   /* what trace_stop() waits for */
static struct cond ended;    /* it is none any more */
static uint64_t session;
static uint64_t dropped, dropped_printed, dropped_logged,
	dropped_said; /* generations; logged: in the running one; said: in one that was whole */

static _Atomic uint64_t
	writer; /* the goroutine that writes: the one that must not wait for itself; relaxed, only it finds itself there */
static _Atomic uint32_t snapshot; /* somebody writes one: taken and given back like a lock */

static struct mutex queue_mutex; /* protects queues */
static struct cond queue_changed;

/* ---- the writer ---- */

static void write_loop(void *arg)
{
	struct out *o = arg;
	mutex_lock(&queue_mutex);
	atomic_store_explicit(&writer, go_id(), memory_order_relaxed);
	while (o->first != NULL || !o->closing) {
		struct link *l = o->first;
		if (l == NULL) {
			cond_wait(&queue_changed, &queue_mutex);
			continue;
		}
		o->first = l->next;
		if (o->first == NULL)
			o->last = NULL;
		mutex_unlock(&queue_mutex);
		trace_file_gen(&o->file, l->gen);
		if (l->gen != NULL)
			trace_gen_drop(l->gen);
		heap_free(l);
		mutex_lock(&queue_mutex);
	}
	trace_file_end(&o->file);
	o->done = true;
	cond_broadcast(&queue_changed);
	mutex_unlock(&queue_mutex);
}

static void out_close(struct out *o)
{
	mutex_lock(&queue_mutex);
	o->closing = true;
	cond_broadcast(&queue_changed);
	mutex_unlock(&queue_mutex);
}

static bool out_done(struct out *o)
{
	mutex_lock(&queue_mutex);
	bool done = o->done;
	mutex_unlock(&queue_mutex);
	return done;
}

/* Waits until everything has been written of o, which was closed. */
static void out_wait(struct out *o)
{
	mutex_lock(&queue_mutex);
	while (!o->done)
		cond_wait(&queue_changed, &queue_mutex);
	mutex_unlock(&queue_mutex);
}

/* Frees o, of which everything has been written. Returns its error. */
static int out_free(struct out *o)
{
	int error = o->file.error;
	heap_free(o);
	return error;
}

static void deliver(struct out *o, struct trace_gen *gen)
{
	struct link *l = heap_alloc(sizeof *l);
	if (l == NULL) {
		o->file.error = -ENOMEM;
		return;
	}
	*l = (struct link){NULL, gen};
	if (gen != NULL)
		trace_gen_hold(gen);
	mutex_lock(&queue_mutex);
	*(o->last != NULL ? &o->last->next : &o->first) = l;
	o->last = l;
	cond_broadcast(&queue_changed);
	mutex_unlock(&queue_mutex);
}

/* ---- generations ---- */

/* Ends the running generation and hands it out. False: no memory for another one. Caller holds `control`. */
static bool advance(bool more)
{
	struct trace_gen *gen;
	if (!trace_advance(more, &gen))
		return false;
	if (gen == NULL)
		return true;
	prof_drain();
	bool whole = trace_gen_finish(gen);
	if (tracing != NULL)
		deliver(tracing, whole ? gen : NULL);
	if (trace_recorder.on)
		trace_recorder_put(&trace_recorder, gen);
	trace_gen_kept();
	trace_gen_drop(gen);
	dropped += !whole;
	if (whole)
		dropped_said = dropped_logged;
	if (dropped != dropped_printed && (whole || !more)) {
		print_line("hb: trace: %lu generations dropped, for the reader is behind",
			   (unsigned long)(dropped - dropped_printed));
		dropped_printed = dropped;
	}
	/* In each generation anew, until one that has it was whole. */
	dropped_logged = dropped;
	if (more && dropped != dropped_said)
		trace_logf(0, "trace", "%lu generations dropped", (unsigned long)(dropped - dropped_said));
	return true;
}

/* So much in one generation that the next should begin. */
static bool full(void)
{
	uint64_t most = trace_memory_max / 8;
	if (trace_recorder.on && trace_recorder.max_bytes / 2 < most)
		most = trace_recorder.max_bytes / 2;
	return trace_gen->bytes > most && !atomic_load_explicit(&trace_gen->dropped, memory_order_relaxed);
}

/* Else another generation would only be one more to wait for; this one goes on. What it holds itself does not count: it would never end if that
 * were all there is. Caller holds `control`. */
static bool reader_keeps_up(void)
{
	mutex_lock(&queue_mutex);
	bool waits = trace_period_ns == 0 && tracing != NULL && tracing->first != NULL;
	mutex_unlock(&queue_mutex);
	return !waits && trace_memory_waiting() < trace_memory_max / 4 * 3;
}

static void advance_loop(void *arg)
{
	uint64_t due = time_now() + trace_period_ns;
	for (;;) {
		uint64_t now = time_now();
		if (now < due)
			time_sleep(due - now < POLL_NS ? due - now : POLL_NS);
		else
			go_yield();
		mutex_lock(&control);
		bool mine = session == (uintptr_t)arg;
		bool room = reader_keeps_up();
		if (mine && room && (time_now() >= due || full())) {
			advance(true);
			due = time_now() + trace_period_ns;
		}
		mutex_unlock(&control);
		if (!mine)
			return;
	}
}

/* Another generation for who joins: the first of all, or the next. Caller holds `control`. */
static bool join(void)
{
	if (trace_active())
		return advance(true);
	session++;
	if (go_system(advance_loop, (void *)(uintptr_t)session, "runtime.trace_advance") == 0 ||
	    !advance(true)) {
		session++;
		return false;
	}
	return true;
}

/* Who leaves has got the generation that ends here. Caller holds `control`. */
static void leave(bool others)
{
	if (!advance(others) && others)
		print_line("hb: trace: no memory for another generation");
	if (!others) {
		session++;
		trace_blocks_free();
	}
}

static int fail(int error)
{
	if (error != 0)
		errno = error;
	return error != 0 ? -1 : 0;
}

/* ---- start and stop ---- */

/*
 * Why the caller may do none of this, or 0: in a panic nobody else runs, and whoever writes a trace or a snapshot must not wait for what waits
 * for it.
 */
static int refused(int for_writer)
{
	if (panic_in_progress())
		return EBUSY;
	return atomic_load_explicit(&writer, memory_order_relaxed) == go_id() ? for_writer : 0;
}

static int start_locked(const char *name, trace_write_fn *fn, void *ctx)
{
	while (ending != NULL)
		cond_wait(&ended, &control);
	if (tracing != NULL)
		return EBUSY;
	struct out *o = heap_alloc_zero(sizeof *o);
	if (o == NULL)
		return ENOMEM;
	o->file.fn = fn;
	o->file.ctx = ctx;
	if (name != NULL)
		snprintf(o->file.name, sizeof o->file.name, "%s", name);
	if (go_system(write_loop, o, "runtime.trace_reader") == 0) {
		heap_free(o);
		return ENOMEM;
	}
	if (!join()) {
		out_close(o);
		out_wait(o);
		out_free(o);
		return ENOMEM;
	}
	tracing = o;
	return 0;
}

static int start(const char *name, trace_write_fn *fn, void *ctx)
{
	int error = refused(EBUSY);
	if (error != 0)
		return fail(error);
	mutex_lock(&control);
	error = start_locked(name, fn, ctx);
	mutex_unlock(&control);
	return fail(error);
}

int trace_start(const char *name)
{
	if (name == NULL || !frame_name_valid(name, strlen(name)))
		return fail(EINVAL);
	return start(name, NULL, NULL);
}

int trace_start_func(trace_write_fn *write, void *ctx)
{
	return write == NULL ? fail(EINVAL) : start(NULL, write, ctx);
}

/* What runs is going to end; NULL: nothing ran. Caller holds `control`, and others get what goes on from here. */
static struct out *stop_begin(void)
{
	struct out *o = tracing;
	if (o != NULL) {
		leave(trace_recorder.on);
		tracing = NULL;
		ending = o;
		out_close(o);
	}
	return o;
}

/* Frees o, which has ended. Returns its error. Caller holds `control`. */
static int stop_end(struct out *o)
{
	int error = out_free(o);
	ending = NULL;
	atomic_store_explicit(&writer, 0, memory_order_relaxed);
	cond_broadcast(&ended);
	return error;
}

int trace_stop(void)
{
	int error = ESRCH;
	if (refused(EDEADLK) != 0)
		return fail(refused(EDEADLK));
	mutex_lock(&control);
	while (ending != NULL)
		cond_wait(&ended, &control);
	struct out *o = stop_begin();
	if (o != NULL) {
		mutex_unlock(&control);
		out_wait(o);
		mutex_lock(&control);
		error = -stop_end(o);
	}
	mutex_unlock(&control);
	return fail(error);
}

void trace_end(void)
{
	uint64_t bytes = 0, since = time_now();
	if (refused(EDEADLK) != 0)
		return;
	mutex_lock(&control);
	struct out *o = stop_begin();
	while (ending != NULL) {
		if (ending == o && out_done(o)) {
			stop_end(o);
			break;
		}
		uint64_t now = __atomic_load_n(&ending->file.bytes, __ATOMIC_RELAXED); /* a guess will do */
		if (now != bytes || ending->file.fn == NULL)
			since = time_now();
		bytes = now;
		if (time_now() - since > END_NS) {
			print_line("hb: trace: who takes it has taken nothing for %lu s: the rest is lost",
				   (unsigned long)(END_NS / 1000000000));
			break;
		}
		mutex_unlock(&control);
		time_sleep(END_POLL_NS);
		mutex_lock(&control);
	}
	mutex_unlock(&control);
}

bool trace_enabled(void)
{
	return trace_active();
}

/* ---- the flight recorder ---- */

int trace_flight_start(uint64_t min_age_ns, uint64_t max_bytes)
{
	int error = EBUSY;
	if (refused(EDEADLK) != 0)
		return fail(refused(EDEADLK));
	mutex_lock(&control);
	struct trace_recorder *r = &trace_recorder;
	if (!r->on) {
		r->min_age = clock_to_ticks(min_age_ns != 0 ? min_age_ns : FLIGHT_AGE_NS);
		r->max_bytes = max_bytes != 0 ? max_bytes : FLIGHT_BYTES;
		if (r->max_bytes > trace_memory_max / 2)
			r->max_bytes = trace_memory_max / 2;
		error = join() ? 0 : ENOMEM;
		r->on = error == 0;
	}
	mutex_unlock(&control);
	return fail(error);
}

int trace_flight_stop(void)
{
	int error = ESRCH;
	if (refused(EDEADLK) != 0)
		return fail(refused(EDEADLK));
	mutex_lock(&control);
	if (trace_recorder.on) {
		leave(tracing != NULL);
		trace_recorder.on = false;
		trace_recorder_empty(&trace_recorder);
		error = 0;
	}
	mutex_unlock(&control);
	return fail(error);
}

bool trace_flight_enabled(void)
{
	return __atomic_load_n(&trace_recorder.on, __ATOMIC_RELAXED);
}

/* The generations that a snapshot consists of, held. NULL: no memory. Caller holds `control`. */
static struct trace_gen **snapshot_take(uint32_t *n)
{
	struct trace_gen **list = heap_alloc((trace_recorder.n + 1) * sizeof *list);
	*n = 0;
	for (struct trace_gen *t = trace_recorder.first; t != NULL && list != NULL; t = t->newer) {
		trace_gen_hold(t);
		list[(*n)++] = t;
	}
	return list;
}

static int snapshot_write(struct trace_file *f)
{
	struct trace_gen **list = NULL;
	uint32_t n = 0, nobody = 0;
	int error = 0;
	if (refused(EDEADLK) != 0)
		return fail(refused(EDEADLK));
	/* pairs with the release at the end of snapshot_write() by who had it before */
	if (!atomic_compare_exchange_strong_explicit(&snapshot, &nobody, 1, memory_order_acquire,
						     memory_order_relaxed))
		return fail(EBUSY);
	mutex_lock(&control);
	if (!trace_recorder.on)
		error = ESRCH;
	else if (!advance(true) || (list = snapshot_take(&n)) == NULL || n == 0)
		error = ENOMEM;
	mutex_unlock(&control);
	for (uint32_t i = 0; i < n; i++) {
		trace_file_gen(f, list[i]);
		trace_gen_drop(list[i]);
	}
	trace_file_end(f);
	heap_free(list);
	atomic_store_explicit(&snapshot, 0,
			      memory_order_release); /* pairs with the acquire in snapshot_write() */
	return fail(error != 0 ? error : -f->error);
}

int trace_flight_write(const char *name)
{
	struct trace_file f = {.fn = NULL};
	if (name == NULL || !frame_name_valid(name, strlen(name)))
		return fail(EINVAL);
	snprintf(f.name, sizeof f.name, "%s", name);
	return snapshot_write(&f);
}

int trace_flight_write_func(trace_write_fn *write, void *ctx)
{
	struct trace_file f = {.fn = write, .ctx = ctx};
	return write == NULL ? fail(EINVAL) : snapshot_write(&f);
}
