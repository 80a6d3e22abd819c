/*
 * Traces on their way out: who gets the generations, the goroutine that changes them every second, and the one that writes.
 *
 *	advance (each period, or when somebody stops) -> generation -> queue of each subscriber -> writer goroutine -> sink
 *
 * The generations that wait in a queue keep their buffers. When those reach trace_memory_max, the generation that runs is dropped as a whole
 * (trace/buf.c), and so are the next ones until there is room; what comes after begins another file, for a trace with a hole is none.
 */
#include <hartbeat/trace.h>

#include <hartbeat/cond.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/dump.h"
#include "kernel/framing.h"
#include "kernel/heap.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "prof/prof.h"
#include "sched/sched.h"
#include "trace/trace.h"

enum { POLL_NS = 100000000 };

uint64_t trace_period_ns = 1000000000;

struct link {
	struct link *next;
	struct trace_gen *gen; /* NULL: one that was dropped */
};

/* One file after the other. */
struct out {
	struct sink sink; /* first: bytes to the file or function */
	char name[FRAME_NAME_MAX + 1];
	trace_write_fn *fn;
	void *ctx;
	/* of the writer */
	struct dump *dump;
	uint32_t files;
	uint64_t number; /* of the last generation in the file; 0: it has not begun */
	int error;
	/* guarded by queue_mutex */
	struct link *first, *last;
	bool closing, done;
};

static struct mutex control; /* protects the next, and everything that begins or ends a generation */
static struct out *tracing;  /* what trace_start() began */
static uint64_t session, dropped, dropped_said;
static _Atomic uint64_t writer; /* the goroutine that writes: the one that must not wait for itself */

static struct mutex queue_mutex; /* protects queues */
static struct cond queue_changed;

/* ---- the writer ---- */

static int out_bytes(struct sink *s, const void *data, size_t n)
{
	struct out *o = (struct out *)s;
	if (o->fn != NULL)
		return o->fn(o->ctx, data, n) == 0 ? 0 : -EIO;
	dump_write(o->dump, data, n);
	return 0;
}

/* trace.out, trace.2.out, ... */
static void name_of(const struct out *o, char *name, size_t size)
{
	const char *dot = strrchr(o->name, '.');
	int stem = dot != NULL && dot != o->name ? (int)(dot - o->name) : (int)strlen(o->name);
	if (o->files == 1)
		snprintf(name, size, "%s", o->name);
	else
		snprintf(name, size, "%.*s.%u%s", stem, o->name, (unsigned)o->files, o->name + stem);
}

static void file_end(struct out *o)
{
	if (o->dump != NULL)
		dump_close(o->dump);
	o->dump = NULL;
	o->number = 0;
}

static void file_begin(struct out *o)
{
	char name[FRAME_NAME_MAX + 16];
	o->files++;
	if (o->fn != NULL) {
		if (o->files > 1 && o->fn(o->ctx, "", 0) != 0)
			o->error = -EIO;
	} else {
		name_of(o, name, sizeof name);
		o->dump = dump_open(name);
		if (o->dump == NULL)
			o->error = -ENOMEM;
	}
	if (o->error == 0)
		o->error = trace_head_write(&o->sink);
}

static void gen_out(struct out *o, const struct trace_gen *gen)
{
	if (gen == NULL) {
		file_end(o);
		return;
	}
	if (o->number == 0 && o->error == 0)
		file_begin(o);
	if (o->error == 0)
		o->error = trace_gen_write(gen, ++o->number, &o->sink);
}

static void write_loop(void *arg)
{
	struct out *o = arg;
	mutex_lock(&queue_mutex);
	atomic_store(&writer, go_id());
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
		gen_out(o, l->gen);
		if (l->gen != NULL)
			trace_gen_drop(l->gen);
		heap_free(l);
		mutex_lock(&queue_mutex);
	}
	file_end(o);
	o->done = true;
	cond_broadcast(&queue_changed);
	mutex_unlock(&queue_mutex);
}

/* ---- who gets what ---- */

static void deliver(struct out *o, struct trace_gen *gen)
{
	struct link *l = heap_alloc(sizeof *l);
	if (l == NULL)
		return; /* without memory for this there is none for a generation */
	*l = (struct link){NULL, gen};
	if (gen != NULL)
		trace_gen_hold(gen);
	mutex_lock(&queue_mutex);
	*(o->last != NULL ? &o->last->next : &o->first) = l;
	o->last = l;
	cond_broadcast(&queue_changed);
	mutex_unlock(&queue_mutex);
}

/* Ends the running generation and hands it out. Caller holds `control`. */
static bool advance(bool more)
{
	struct trace_gen *gen;
	if (!trace_advance(more, &gen))
		return false;
	if (gen == NULL)
		return true;
	bool whole = !atomic_load(&gen->dropped);
	if (!whole)
		dropped++;
	if (tracing != NULL)
		deliver(tracing, whole ? gen : NULL);
	trace_gen_drop(gen);
	if (dropped != dropped_said) {
		print_line("hb: trace: %lu generations dropped, the reader is behind",
			   (unsigned long)dropped);
		dropped_said = dropped;
	}
	return true;
}

static void advance_loop(void *arg)
{
	uint64_t due = time_now() + trace_period_ns;
	for (;;) {
		uint64_t now = time_now();
		if (now < due)
			time_sleep(due - now < POLL_NS ? due - now : POLL_NS);
		else if (trace_period_ns == 0)
			go_yield();
		mutex_lock(&control);
		bool mine = session == (uintptr_t)arg;
		if (mine && time_now() >= due) {
			advance(true);
			due = time_now() + trace_period_ns;
		}
		mutex_unlock(&control);
		if (!mine)
			return;
	}
}

/* The first subscriber. Caller holds `control`. */
static bool session_begin(void)
{
	session++;
	return go_system(advance_loop, (void *)(uintptr_t)session, "runtime.trace_advance") != 0 &&
	       advance(true);
}

static int start(const char *name, trace_write_fn *fn, void *ctx)
{
	int error = 0;
	if (atomic_load(&writer) == go_id()) {
		errno = EBUSY;
		return -1;
	}
	mutex_lock(&control);
	struct out *o = tracing == NULL ? heap_alloc_zero(sizeof *o) : NULL;
	if (tracing != NULL) {
		error = EBUSY;
	} else if (o == NULL) {
		error = ENOMEM;
	} else {
		o->sink.write = out_bytes;
		o->fn = fn;
		o->ctx = ctx;
		if (name != NULL)
			snprintf(o->name, sizeof o->name, "%s", name);
		if (go_system(write_loop, o, "runtime.trace_reader") == 0) {
			heap_free(o);
			error = ENOMEM;
		} else if (!session_begin()) {
			session++;
			mutex_lock(&queue_mutex);
			o->closing = true;
			cond_broadcast(&queue_changed);
			while (!o->done)
				cond_wait(&queue_changed, &queue_mutex);
			mutex_unlock(&queue_mutex);
			heap_free(o);
			error = ENOMEM;
		} else {
			tracing = o;
		}
	}
	mutex_unlock(&control);
	errno = error != 0 ? error : errno;
	return error != 0 ? -1 : 0;
}

int trace_start(const char *name)
{
	if (!frame_name_valid(name, strlen(name))) {
		errno = EINVAL;
		return -1;
	}
	return start(name, NULL, NULL);
}

int trace_start_func(trace_write_fn *write, void *ctx)
{
	return start(NULL, write, ctx);
}

int trace_stop(void)
{
	if (atomic_load(&writer) == go_id()) {
		errno = EDEADLK;
		return -1;
	}
	mutex_lock(&control);
	struct out *o = tracing;
	int error = o == NULL ? ESRCH : 0;
	if (error == 0) {
		advance(false);
		session++;
		tracing = NULL;
		mutex_lock(&queue_mutex);
		o->closing = true;
		cond_broadcast(&queue_changed);
		while (!o->done)
			cond_wait(&queue_changed, &queue_mutex);
		mutex_unlock(&queue_mutex);
		error = -o->error;
		heap_free(o);
	}
	mutex_unlock(&control);
	if (error != 0)
		errno = error;
	return error != 0 ? -1 : 0;
}

bool trace_enabled(void)
{
	return trace_active();
}
