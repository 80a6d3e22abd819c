/* The CPU profiler, for boot and the tests; applications use include/hartbeat/prof.h. */
#ifndef PROF_PROF_H
#define PROF_PROF_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/sink.h"

struct hart;
struct builder;

/* prof/sampler.c */

/* Gives each hart its sampler and sets the kernel's hooks, the first time; false when memory is out. Goroutine context. */
bool sampler_prepare(void) __attribute__((warn_unused_result));
/* Starts sampling on every hart, at a random phase. ticks: mean distance of two samples. Goroutine context. */
void sampler_start(uint64_t ticks);
/* From here on at another mean distance, with a profile running. Goroutine context. */
void sampler_rate(uint64_t ticks);
/* Stops sampling on every hart; returns when each has closed its account. Goroutine context. */
void sampler_stop(void);

/* A hart's account of one profile, in arch_ticks(): elapsed = recorded + idle + lost, exactly. Valid after sampler_stop(). */
struct sampler_account {
	uint64_t elapsed, recorded, idle, lost;
	uint64_t samples, lost_samples;
	uint64_t nmis; /* of the samples, taken by NMI */
	uint64_t masked,
		masked_longest; /* with interrupts off, by spinlocks and irq_save(): in all, and at once */
	uintptr_t masked_longest_pc; /* where the longest began; 0: none */
	bool nmi;                    /* an NMI can reach it */
	uint64_t cost;               /* that its ticks took, but for entry and exit of the trap */
};
void sampler_account(unsigned hart, struct sampler_account *a);

/* The same for a wall-clock profile, which runs beside a CPU profile or alone. */
void sampler_wall_start(uint64_t ticks);
void sampler_wall_stop(void);

/* A hart's account of one wall-clock profile, in arch_ticks(): elapsed = recorded + idle + lost, exactly. Valid after it was stopped. */
struct wall_account {
	uint64_t elapsed, recorded, idle, lost;
};
void wall_account(unsigned hart, struct wall_account *a);

/* Boot option: a hart that has not ticked for so long while a CPU profile runs ends the program; 0: none. prof/watch.c */
extern uint64_t prof_watchdog_ns;

/* Boot options: whether samples carry the labels `hart` and `irq`. prof/drain.c */
extern bool prof_label_hart, prof_label_irq;

/* prof/cpu.c */

/* Takes what is in the rings, if a profile runs; afterwards no sample comes for a generation of the trace that has ended. Goroutine context. */
void prof_drain(void);

/* Called with the profile's builder before it is freed, to look at it (prof_stop_with). */
typedef void prof_look_fn(void *ctx, const struct builder *b, uint64_t duration_ns);

/* As prof_stop(); look, if not NULL, sees the aggregated samples. */
int prof_stop_with(const char *name, prof_look_fn *look, void *ctx);
/* As prof_wall_stop(), so. prof/wall.c */
int prof_wall_stop_with(const char *name, prof_look_fn *look, void *ctx);
bool prof_wall_running(void);

/* What the rounds of the running or last wall-clock profile cost. */
struct wall_rounds {
	uint64_t rounds, visits; /* visits: stacks walked */
	uint64_t cut;            /* rounds that looked at a part of the goroutines only */
	uint64_t ns;             /* they took */
	uintptr_t number;        /* of the profile */
};
void wall_rounds(struct wall_rounds *r);
/* A round of that profile, or nothing when it has ended. Goroutine context. */
void wall_round(uintptr_t number);
bool prof_running(void);
/* Prints the table of the `rows` functions that took most time. */
void prof_top(const struct builder *b, uint64_t duration_ns, uint32_t rows);

/* prof/trace_out.c; applications use include/hartbeat/trace.h */

/* How long a generation takes, in ns; 0: one after the other. Boot option, or a test. */
extern uint64_t trace_period_ns;
extern bool trace_gz; /* boot option: each generation is compressed, as a gzip member of its own */
/* Stops the trace, at the end of the program; as trace_stop(), but does not wait for a function of the program that has taken nothing for 10 s,
 * and says so. Goroutine context. */
void trace_end(void);

/* prof/image.c */

/* Name of the program, for the profiles' mapping; set once at boot. */
extern const char *prof_image_name;

/* prof/profile.c */

/* Puts the kernel's profiles into the registry. The first goroutine, once, before the program. */
void profiles_init(void);

/* prof/crash.c */

/* Whether a report is followed by dumps. Boot or goroutine context. */
void crash_dumps(bool on);

/*
 * prof/serve/: the live port, which answers HTTP requests that come over serial lines with the paths of Go's net/http/pprof, and the commands
 * at the console's UART. A program has them in its image when it asks for them (include/hartbeat/serve.h).
 */

struct virtio_place;
struct uart_place;

enum { SERVE_TOKEN_MAX = 128 };

struct serve_options {
	const char *token; /* "": none; else requests need "Authorization: Bearer TOKEN" */
	uint64_t memory;   /* bytes that the bodies of all answers take together, at most */
	int argc;          /* what /debug/pprof/cmdline says */
	char *const *argv;
};

/* All in goroutine context. What gives a line gives NULL, or the line that says why not. */
struct serve_room {
	/* Makes the goroutines that serve, once. False when memory is out. Before virtio and uart. */
	bool (*start)(const struct serve_options *o);
	/* From now on requests on the ports of this device, or on this UART, are answered. Lines beyond the eighth are not served. */
	const char *(*virtio)(const struct virtio_place *place);
	const char *(*uart)(const struct uart_place *place);
	/* The console listens from now on, once. */
	const char *(*console)(const struct uart_place *place);
};

/* Its address is NULL where it is not linked. prof/serve/serve.c */
extern const struct serve_room serve_room __attribute__((weak));

/* prof/heap.c */

/* Prints what was sampled and is still allocated, by stack, the most bytes first: at most `rows` stacks. Goroutine context. */
void heap_leaks_print(unsigned rows);

/* Boot option heap.leaks: the report is wanted when the program ends. */
extern bool heap_leaks;

#endif
