/*
 * What a trace says: its events put in order, and each held against the state that those before it made.
 *
 * The events of one m are in order. Between m's, sequence numbers are: an event that carries one takes place when the number before it
 * has; until then its m waits. Times only choose among those that can. When no m can go on, the event with the earliest time is reported and
 * taken as if it could, so that one fault gives one line and not a thousand.
 *
 * Go's reader checks most of this; these rules are ours alone:
 *   - a p is on one m, a goroutine on one m, and an m that stops its p runs no goroutine;
 *   - times do not go backwards, neither on an m nor along what happens to one goroutine or p;
 *   - every goroutine has its status in every generation, once, so that each generation stands alone;
 *   - an id of a goroutine is not used again;
 *   - a goroutine ends with no range open;
 *   - a sample names no p and no goroutine that its m did not have (trace_samples.c);
 *   - each place has a pc of its own, and frames have function, file and line (trace_file.c).
 */
#ifndef TOOLS_HBDUMP_TRACE_ORDER_H
#define TOOLS_HBDUMP_TRACE_ORDER_H

#include "tools/hbdump/trace_file.h"

#define TRACE_NO UINT32_MAX /* no place in a list */

enum go_status { GO_NONE, GO_RUNNABLE, GO_RUNNING, GO_SYSCALL, GO_WAITING, GO_STATUSES };
enum proc_status { PROC_NONE, PROC_RUNNING, PROC_IDLE, PROC_SYSCALL, PROC_ABANDONED, PROC_STATUSES };

/* Strings by content, numbered over the whole trace; number 0 is the empty one. */
struct trace_names {
	struct trace_string *list;
	uint32_t *slots; /* as struct pairs */
	uint32_t n, n_slots;
};

uint32_t trace_name(struct trace_names *names, const struct trace_string *s);

/* Time in one state, for one reason. */
struct trace_bucket {
	uint8_t status;
	uint32_t reason; /* a name */
	uint64_t time;   /* in units */
	uint64_t count;
};

struct trace_region {
	uint64_t task;
	uint32_t name;
};

struct trace_g {
	uint64_t id;
	enum go_status status; /* GO_NONE: it has ended */
	uint64_t seq, seq_gen; /* its sequence number counts in that generation */
	uint32_t m;            /* where it runs */
	uint64_t last;         /* time of the last change */
	bool in_stw, in_assist;
	uint32_t stw_kind;
	struct trace_region *regions;
	size_t n_regions;
	/* summary */
	uint32_t name, reason;
	uint64_t since;
	struct trace_bucket *buckets;
	size_t n_buckets;
};

struct trace_p {
	uint64_t id;
	enum proc_status status;
	uint64_t seq, seq_gen;
	uint32_t m;
	uint64_t last;
	bool in_sweep;
	uint64_t since, time[PROC_STATUSES];
};

/* From that time on, m has that p and that goroutine. */
struct trace_change {
	uint64_t time, p, g;
};

struct trace_m {
	uint64_t id;
	uint32_t p, g;
	uint64_t last, g_since; /* g_since: it has g from then on */
	struct trace_change *line;
	size_t n_line, previous, current; /* where the lines of the generation before and of this one begin */
};

struct trace_order {
	struct trace_report *report;
	const struct trace_file *file;
	struct trace_generation *gen;
	uint64_t first_gen;
	bool force; /* an event that cannot take place is reported and takes place */
	struct trace_names names;
	struct pairs g_ids, p_ids, m_ids, tasks; /* (id, 0) */
	struct trace_g *gs;
	struct trace_p *ps;
	struct trace_m *ms;
	bool *task_open;
	size_t n_gs, n_ps, n_ms, n_tasks;
	enum { GC_UNKNOWN, GC_OFF, GC_ON } gc;
	uint64_t gc_seq;
	/* Told, if not NULL, of each stretch that a goroutine ran on an m; what became of it is in its status. */
	void (*ran)(void *ctx, const struct trace_order *o, uint32_t m, uint32_t g, uint64_t from,
		    uint64_t to);
	void *ran_ctx;
	/* samples of the generation before, not yet held against what came after */
	struct trace_sample *samples;
	size_t n_samples;
	/* summary */
	bool started;
	uint64_t first, last; /* time */
	uint64_t hz, events[EV_COUNT], n_samples_all, n_samples_seen, regions_open;
};

/* The event being looked at and who has it. */
struct trace_context {
	const struct trace_event *ev;
	uint32_t m; /* TRACE_NO: of no m */
	uint32_t p, g;
};

enum trace_step { STEP_DONE, STEP_WAIT };

/* Takes a generation, which trace_generation_free() may take after it. */
void trace_order_generation(struct trace_order *o, struct trace_generation *gen);
void trace_order_end(struct trace_order *o);
void trace_order_free(struct trace_order *o);

/* ---- between the files of the validator ---- */

/* trace_order.c */
void trace_wrong(struct trace_order *o, const struct trace_context *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* An event that cannot take place now: true if it is to wait, false, after a report, if it takes place all the same. */
bool trace_wait(struct trace_order *o, const struct trace_context *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What an event needs: the p and the goroutine of its m. */
enum trace_need { NEED_ANY, NEED_ONE, NEED_NONE };
void trace_need(struct trace_order *o, const struct trace_context *c, enum trace_need p, enum trace_need g);

/* trace_states.c: what becomes of p and goroutines */
struct trace_g *trace_g_find(struct trace_order *o, uint64_t id); /* NULL: unknown or ended */
enum trace_step trace_state_step(struct trace_order *o, struct trace_context *c);

/* trace_ranges.c: everything else */
enum trace_step trace_range_step(struct trace_order *o, struct trace_context *c);

/* trace_samples.c */
void trace_m_change(struct trace_order *o, uint32_t m, uint64_t time);
void trace_samples_take(struct trace_order *o);
void trace_samples_end(struct trace_order *o);

/* trace_summary.c */
void trace_g_account(struct trace_order *o, struct trace_g *g, uint64_t time);
void trace_p_account(struct trace_p *p, uint64_t time);

#endif
