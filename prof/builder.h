/*
 * Samples in, one record per distinct (stack, labels, kind) out. See builder.c.
 */
#ifndef PROF_BUILDER_H
#define PROF_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/mem.h"

/*
 * Synthetic frames: values of a pc below PROF_FRAME_MAX, where no code can be (the null page is never
 * mapped), so that a sample is nothing but an array of pcs. prof_frame_name gives the text that profiles
 * show.
 */
enum prof_frame {
	PROF_FRAME_UNKNOWN = 0,   /* [unknown]: no pc was known */
	PROF_FRAME_SWITCH = 1,    /* [switch]: between two stacks */
	PROF_FRAME_IRQ_OFF = 2,   /* [irq-off]: a late tick charged to the place that turned interrupts off */
	PROF_FRAME_SYSTEM = 3,    /* [system]: on a hart's system stack, for no goroutine */
	PROF_FRAME_LOST = 4,      /* [lost]: time whose stack was not recorded */
	PROF_FRAME_TRUNCATED = 5, /* [truncated]: callers beyond the deepest stack recorded */
	PROF_FRAME_IDLE = 6,      /* [idle]: a hart with nothing to run (wall profile) */
	PROF_FRAME_MAX = 256,
};

/* The bracketed name of a pc below PROF_FRAME_MAX; "[unknown]" for one that has no meaning. Any context. */
const char *prof_frame_name(uintptr_t pc);

/* A sample's labels: the id of a set (sched/sched.h) in the lower 24 bits, hart index + 1 (0: not said), and whether interrupts were off. */
#define PROF_LABEL_HART_SHIFT 24
#define PROF_LABEL_HART_MASK  0x7fu
#define PROF_LABEL_IRQ_OFF    (1u << 31)

enum { PROF_DEPTH_MAX = 128 }; /* pcs of one stack, as Go's profstackdepth; a deeper one is cut at the root */

enum { PROF_VALUES_MAX = 4 }; /* of one record: heap has four */

/* What a record counts: as many values as the profile has sample types. A CPU profile has two: how many ticks, and how much time. */
#define PROF_VALUES                                \
	union {                                    \
		uint64_t values[PROF_VALUES_MAX];  \
		struct {                           \
			uint64_t count, weight_ns; \
		};                                 \
	}

/*
 * One sample. pcs[0], the leaf, is the exact interrupted pc; the others are return addresses (the encoder
 * shows pc - 1, which lies in the call). An exact pc further up, of code interrupted by a trap, is passed as
 * pc + 1. In profiles other than the CPU's pcs[0] is a return address too (pprof_options.returns).
 */
struct prof_sample {
	PROF_VALUES;
	uint32_t depth; /* number of pcs; 0 is a sample without a stack, which is kept */
	const uintptr_t *pcs;
	uint32_t labels; /* label set id; 0 is none */
	uint32_t kind;   /* samples of different kinds stay apart; 0 in a CPU profile */
};

/* The address shown for pc number i of a stack: in the call for a return address, else pc itself. */
static inline uintptr_t prof_pc_address(uint32_t i, uintptr_t pc)
{
	return i > 0 && pc > PROF_FRAME_MAX ? pc - 1 : pc;
}

struct prof_record {
	PROF_VALUES;
	uint32_t depth, labels, kind; /* depth is at most PROF_DEPTH_MAX + 1, the last then [truncated] */
	uint32_t times;               /* how often something was added, up to UINT32_MAX */
	const uintptr_t *pcs;
	/* private to builder.c */
	uint64_t hash;
	struct prof_record *next, *chain; /* order of arrival; same bucket */
};

struct builder {
	/* immutable after builder_init */
	const struct mem_ops *mem;
	size_t limit; /* bytes */
	/* owned by whoever adds; fine to read between calls */
	size_t allocated;        /* bytes now taken from mem, never above limit */
	PROF_VALUES;             /* everything ever added */
	uint64_t n_records;      /* distinct records, [lost] not among them */
	struct prof_record lost; /* what found no memory; its values say how much */
	struct prof_record *first, *last;
	struct prof_record **buckets; /* n_buckets, a power of two */
	size_t n_buckets, grow_at;
	struct builder_chunk *chunks;
	size_t chunk_used;
};

/*
 * An empty builder that takes at most limit bytes from mem (at least BUILDER_LIMIT_MIN to hold anything).
 * Allocates nothing. mem must outlive it.
 */
void builder_init(struct builder *b, const struct mem_ops *mem, size_t limit);

enum { BUILDER_LIMIT_MIN = 64 << 10 };

/*
 * Adds s to its record, and returns that (with times 1: a new one). Never fails: when no memory is left for a
 * new record, count and weight go to the [lost] record, and the result is NULL. Goroutine or system context,
 * as mem allows; one caller at a time.
 */
struct prof_record *builder_put(struct builder *b, const struct prof_sample *s);
/* The same; false for [lost]. */
static inline bool builder_add(struct builder *b, const struct prof_sample *s)
{
	return builder_put(b, s) != NULL;
}
/* Counts one more, without a weight, in a record that builder_put() gave. */
static inline void builder_again(struct builder *b, struct prof_record *r)
{
	b->count++;
	r->count++;
	r->times += r->times < UINT32_MAX;
}
/* What the record says, to be added elsewhere; of a difference when less. Values are counted modulo 2^64, so that one may be below 0. */
struct prof_sample builder_sample(const struct prof_record *r, bool less);
/* Adds values to [lost]. */
void builder_add_lost(struct builder *b, const struct prof_sample *s);
static inline bool builder_is_lost(const struct builder *b, const struct prof_record *r)
{
	return r == &b->lost;
}

/* The records in order of first arrival, [lost] last and only if anything was; NULL at the end. */
const struct prof_record *builder_first(const struct builder *b);
const struct prof_record *builder_next(const struct builder *b, const struct prof_record *r);

/* Gives all memory back; the builder is empty and may be used again. */
void builder_free(struct builder *b);

#endif
