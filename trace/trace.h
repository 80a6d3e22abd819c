/*
 * Execution traces in Go's format `go 1.22 trace` (docs/trace.md): what happens to goroutines, harts and the program, as events in buffers of
 * each hart, by generations that stand alone.
 *
 *	emit -> this hart's buffer (no lock) -> the generation's list (trace lock, system stack) -> tables -> whoever takes the generation
 *
 * Invariants (those of Go's runtime/trace.go, for harts), each with what tells when it is broken: an assert, or a test or mutant by name. Nothing
 * is asked where each event would pay for it: trace_order_check() knows of the first event of a goroutine in a generation.
 *
 * 1. A hart's buffer is the hart's own as long as the hart exists: harts neither come nor go while a trace runs. Otherwise a buffer could be
 *    left behind with events in it.
 *    trace_buf_begin(); guest trace.many_start_stop.
 * 2. A hart's buffer is written by this hart with preemption off, or while the world is stopped by who advances the generation. Otherwise
 *    two would write one buffer.
 *    trace_enter(), trace_gen_begin(), trace_gen_end(), append_locked(); mutant trace_flush_twice.
 * 3. A generation is handed out when every event of it is in its list: it ended while the world was stopped, and nobody stops between an
 *    event and its transition. Otherwise an event would be missing in it.
 *    trace_gen_end(), append_locked(); guest trace_program.many_events, mutant trace_sample_late.
 * 4. What happens to a goroutine is emitted by who may change its status: itself, who makes it ready, or the hart that runs it next.
 *    Otherwise two could give it the same sequence number.
 *    trace_order_check(); guest trace_program.sequences, mutant trace_seq; hbdump --check-trace.
 * 5. Taking a hart's proc (ProcStart) comes before the event that needs it and is never between an event and its transition. Otherwise a
 *    generation could end in between.
 *    hbdump --check-trace (its m has no p), on whatever e2e trace runs.
 * 6. Event and transition of a goroutine lie in one stretch with preemption off, the event first (but into Running: rule 7). Otherwise who
 *    sees the new status could emit what follows before; and a stack would be walked that is somebody else's already.
 *    transition_check(), trace_order_check(), trace_stack_left(); mutant trace_late.
 * 7. The event of a transition into Running comes after the transition, by the hart that runs the goroutine. Otherwise it could still be
 *    refused, its stack being owned.
 *    trace_order_check(); e2e trace, with one generation after the other (trace.period=0s).
 *
 * A goroutine that was there before a generation gets its status into it before the first event that concerns it, or by a walk over all of
 * them soon after the generation began: whoever claims it (trace_word) writes it. The status is what the goroutine had when the generation
 * began, because a transition comes after its claim. Mutant trace_no_status.
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/sink.h"
#include "trace/map.h"

/* Event ids and where they are explained: docs/trace.md. */
enum trace_event {
	TRACE_BATCH = 1,
	TRACE_STACKS,
	TRACE_STACK,
	TRACE_STRINGS,
	TRACE_STRING,
	TRACE_CPU_SAMPLES,
	TRACE_CPU_SAMPLE,
	TRACE_FREQUENCY,
	TRACE_PROCS_CHANGE,
	TRACE_PROC_START,
	TRACE_PROC_STOP,
	TRACE_PROC_STATUS = 13,
	TRACE_GO_CREATE,
	TRACE_GO_START = 16,
	TRACE_GO_DESTROY,
	TRACE_GO_STOP = 19,
	TRACE_GO_BLOCK,
	TRACE_GO_UNBLOCK,
	TRACE_GO_STATUS = 25,
	TRACE_STW_BEGIN,
	TRACE_STW_END,
	TRACE_HEAP_ALLOC = 37,
	TRACE_HEAP_GOAL,
	TRACE_GO_LABEL,
	TRACE_TASK_BEGIN,
	TRACE_TASK_END,
	TRACE_REGION_BEGIN,
	TRACE_REGION_END,
	TRACE_LOG,
};

enum {
	TRACE_BUF_SIZE = 64 << 10, /* bytes of a buffer, its head included */
	TRACE_EVENT_MAX =
		96, /* more than the longest event with the statuses that may come before it: see trace/emit.h */
	TRACE_HART_STACKS = 256,
	TRACE_DEPTH_MAX = 64,    /* frames of a stack, inlined ones not counted */
	TRACE_FRAMES_MAX = 128,  /* all frames of a stack in the format */
	TRACE_STRING_MAX = 1024, /* bytes of a string in the format */
};

#define TRACE_NO_THREAD UINT64_MAX

/* A buffer: one batch of one hart, or of none. */
struct trace_buf {
	struct trace_buf *next;
	uint64_t m, time; /* as in the batch's head */
	uint32_t used;    /* of data[] */
	uint8_t data[TRACE_BUF_SIZE - 32];
};

struct trace_gen {
	uint32_t number; /* of this boot, from 1; never used again */
	/* guarded by the trace lock while the generation runs, immutable afterwards */
	struct trace_buf *first, *last;
	uint64_t bytes; /* that those buffers take */
	struct trace_map strings, stacks;
	uint64_t begin, end; /* arch_ticks(); those that follow each other without a gap meet */
	uint64_t since;      /* begin of the first of these */
	_Atomic bool
		dropped; /* memory ran out: it has holes; relaxed: a hint until the world has stood, behind that certain */
	/* atomic */
	_Atomic uint32_t refs;
	struct trace_buf *samples; /* of the CPU profile, by who drains it (trace/cpu.c) */
	/* by who finishes it, for a panic (trace/crash.c) */
	struct trace_buf *events_last; /* behind it there are tables only, not all of them yet; NULL: none */
	bool whole;                    /* all tables are there */
	/* guarded by who has it in a list */
	struct trace_gen *newer; /* trace/recorder.c */
};

/* What a hart writes to. Rule 2. */
struct trace_hart {
	uint8_t *at, *end; /* where the next event goes; beyond end there may be no room for one */
	uint64_t last;     /* time of the last event */
	struct trace_buf *buf;
	bool proc_runs; /* as the trace has it */
	uint32_t proc_seq;
	uint64_t heap_moved; /* bytes since the last HeapAlloc (trace/heap.c) */
	uint64_t word;       /* of a goroutine claimed in this generation (trace/go.c) */
	const struct trace_entry
		*stacks[TRACE_HART_STACKS]; /* some of the generation's, by where they are (trace/stack.c) */
	uint8_t none[TRACE_EVENT_MAX];      /* events go nowhere when memory ran out */
};

/* Kinds of stopping the world, in the order of the kinds that trace_stw_begin() gets. Set at boot. */
extern const char *const *trace_stw_texts;
extern unsigned trace_stw_count;

/* What wake-ups are looked at for. */
extern union watched {
	uint16_t any; /* both, for one look at them */
	struct {
		bool trace; /* a trace runs; written while the world is stopped */
		bool waits; /* a profile of waits is on; changes at any time (sched/park.c) */
	};
} watched;
enum { WATCHED_WAITS = 1 << 8 }; /* any, while a profile of waits is on and no trace */
_Static_assert(offsetof(union watched, waits) == 1 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "waits is the upper byte of any");
extern struct trace_gen *trace_gen; /* the running generation, while a trace runs */

static inline __attribute__((always_inline)) bool trace_active(void)
{
	return __builtin_expect(
		watched.trace,
		0); /* a plain load, compared in memory: it only changes while this hart stands */
}

extern uint32_t trace_shift; /* the time of an event is arch_ticks() >> trace_shift, a unit of some ns */

/* When the newest event of this hart says that it was, in arch_ticks(); a trace runs, preemption is off. */
static inline uint64_t trace_said(void)
{
	return arch_hart()->trace->last << trace_shift;
}

/* The same for both; a wake-up at the moment that a profile begins may be missed by it. */
static inline __attribute__((always_inline)) bool watched_any(void)
{
	return __builtin_expect(watched.any, 0) != 0;
}

/* TRACE(go_block(g, reason)): the event, if a trace runs. Two or three instructions otherwise. */
#define TRACE(event)                   \
	do {                           \
		if (trace_active())    \
			trace_##event; \
	} while (0)

/* go.c: goroutines. Preemption off, on the hart that does it; any lock may be held that ranks before `trace`. Out of line: what stands at
 * the places that emit is the look at watched.trace. */

__attribute__((noinline)) void trace_go_create(struct g *g);
/* g runs now on this hart. Returns the time at which this is so, arch_ticks(), for the scheduler's accounts. */
__attribute__((noinline)) uint64_t trace_go_start(struct g *g);
/* The running goroutine is about to give its hart away: to wait, to yield, to end. The time is in self->left_at. */
__attribute__((noinline)) void trace_go_block(struct g *self, enum wait_reason reason);
__attribute__((noinline)) void trace_go_yield(struct g *self);
__attribute__((noinline)) void trace_go_preempt(struct g *self);
__attribute__((noinline)) void trace_go_destroy(struct g *self);
/* The same by the scheduler for a goroutine that a trap took off its hart: h->left. */
__attribute__((noinline)) void trace_go_preempted(struct g *g);
/* g waits, or is about to, and the caller is about to make it ready. */
__attribute__((noinline)) void trace_go_unblock(struct g *g);
/* The running goroutine goes on after trace_go_block(). */
__attribute__((noinline)) void trace_go_on(struct g *self);
/* This hart has nothing to do. */
__attribute__((noinline)) void trace_proc_stop(void);

void trace_stw_begin(unsigned kind);
void trace_stw_end(void);

/* heap.c */

void trace_heap_alloc(uint64_t bytes);
void trace_heap_goal(uint64_t bytes);
/* Both, at the beginning of a generation. Goroutine context. */
void trace_heap_say(void);

/* user.c; applications use include/hartbeat/trace.h */

/* The running goroutine has other labels: as text. */
void trace_go_label(const char *text);
/* It ends: so does what it left open. Whether or not a trace runs. */
__attribute__((noinline)) void trace_regions_drop(struct g *self);
/* Ends of regions that did not fit so far. */
uint32_t trace_misused(void);

/* cpu.c */

struct trace_cpu {
	uint64_t at; /* arch_ticks() */
	uint32_t hart, depth;
	uint64_t g;                        /* id; 0: none */
	const uintptr_t *pcs;              /* the first exact, the others return addresses */
	const char *(*text)(uintptr_t pc); /* what stands for a pc that is none, else NULL */
};
extern struct trace_gen *trace_ending; /* ended, and samples of its time may come still; NULL: none */

/* Whether a sample may be of a time that is traced. Goroutine context. */
static inline bool trace_cpu_wanted(void)
{
	return trace_active() || trace_ending != NULL;
}
extern struct trace_gen *trace_ended; /* the same, and where it goes it has not come yet; for a panic */
/* Who had to get the generation that ended has it. The caller holds a reference to it still. */
void trace_gen_kept(void);
/* A sample of the CPU profile, whether or not a trace ran at its time. Goroutine context, one caller at a time; trace_gen_finish() comes after
 * whatever call is under way when the generation ends. */
void trace_cpu_sample(const struct trace_cpu *c);
/* The same caller: none comes any more for the generation that has ended. */
void trace_cpu_close(void);
/* The same in panic context, before trace_crash_dump(): takes no lock, allocates nothing. */
void trace_cpu_sample_crash(const struct trace_cpu *c);
uint32_t trace_cpu_crash_lost(void); /* those for which there was no room */

/* gen.c: generations. The order of calls, by who controls the trace (sched/tracing.c):
 *
 *	trace_gen_make; world stopped: trace_gen_begin (or trace_gen_switch, trace_gen_end); world on: trace_gen_walk for each goroutine
 *	... end of that generation ... trace_gen_finish; trace_gen_write any number of times; trace_gen_drop
 */

/* A generation that has not begun, and memory for the harts; NULL when there is none. Goroutine context. */
struct trace_gen *trace_gen_make(void);
/* The world is stopped; idle: the harts that sleep. Begins `to`, after the running generation, if any, was ended. The caller's goroutine
 * runs on this hart. */
void trace_gen_begin(struct trace_gen *to, uint64_t idle);
/* The world is stopped: ends the running generation, which is returned. */
struct trace_gen *trace_gen_end(void);
/* The walk: g's status into the running generation unless it is there already. One goroutine at a time, w zeroed at first; at last flush. */
struct trace_walk {
	struct trace_buf *buf;
	uint8_t *at;
	uint64_t last;
	/* for a panic */
	const struct g *g; /* is being claimed, NULL: none */
	uint8_t *end;      /* behind its status, if the claim is this one's */
};
extern struct trace_walk *trace_walking; /* the one that is under way, for a panic */
bool trace_gen_walk(struct trace_walk *w,
		    struct g *g); /* false: g is just being taken; again, a little later */
void trace_gen_walk_flush(struct trace_walk *w);
/* Adds tables to a generation that has ended: from here on it stands alone. Goroutine context. False when memory was out: it is dropped. */
bool trace_gen_finish(struct trace_gen *t);
/* The head of a file. */
int trace_head_write(struct sink *s);
/* The generation as number `number` (from 1) of a file. */
int trace_gen_write(const struct trace_gen *t, uint64_t number, struct sink *s);
void trace_gen_hold(struct trace_gen *t);
void trace_gen_drop(struct trace_gen *t); /* gives a reference back */

/* Bytes that buffers may take altogether. */
extern uint64_t trace_memory_max;
uint64_t trace_memory(void);
uint64_t trace_memory_waiting(void); /* of it, what generations before the running one hold */
void trace_blocks_free(void);        /* those that nobody uses, to the page allocator; goroutine context */

/* crash.c */

/* How many files trace_crash_dump() makes: one, or one for each stretch without a gap. The other harts have stopped. Panic context. */
unsigned trace_crash_files(void);
/* Writes file number `file`, from 0, to s: what the flight recorder holds, the generation that has just ended, and the one that runs, up to the
 * last event. all: the goroutines, by all_next. Takes no lock, allocates nothing. False: s took no more. The same context. */
bool trace_crash_dump(struct sink *s, unsigned file, const struct g *all);
bool trace_crash_lacks(
	void); /* whether the generation that runs is not in it, for want of memory; the same */

#endif
