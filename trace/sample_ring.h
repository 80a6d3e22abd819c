/*
 * A hart's sample ring: the only crossing from interrupt to goroutine. One writer (the hart's own tick), one reader (the drain goroutine),
 * no lock.
 *
 *	record:  | header: words, depth, count, labels | ticks | flags, g id | at | pc[0] ... pc[depth-1] |     8-byte words
 */
#ifndef TRACE_SAMPLE_RING_H
#define TRACE_SAMPLE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SAMPLE_DEPTH_MAX = 128,
	SAMPLE_HEADER_WORDS = 4,
	SAMPLE_RING_WORDS = 1 << 14, /* 128 KiB; some 600 samples of depth 25: 6 s at 100 Hz */
};

enum {
	SAMPLE_IRQ_OFF = 1, /* interrupts were off at the place */
	SAMPLE_MASKED =
		2, /* a late tick: pcs[0] is where interrupts went off, the rest the stack where they came on again */
	SAMPLE_WALL = 4, /* of the wall-clock profile, not of the CPU profile */
};

#define SAMPLE_G_MAX ((UINT64_C(1) << 56) - 1) /* goroutine ids beyond it are cut */

struct sample {
	uint32_t count;  /* sampling periods it stands for */
	uint32_t labels; /* label set id */
	uint8_t flags;   /* SAMPLE_ bits */
	uint64_t ticks;  /* weight, in arch_ticks() */
	uint64_t at;     /* when it was taken, arch_ticks() */
	uint64_t g;      /* goroutine id; 0: the hart's scheduler */
	uint32_t depth;
	uintptr_t pcs[SAMPLE_DEPTH_MAX];
};

struct sample_ring {
	/* written by the hart's tick */
	_Atomic uint64_t tail; /* words ever written */
	/* written by the reader */
	_Atomic uint64_t head; /* words ever read */
	uint64_t words[SAMPLE_RING_WORDS];
};

/* Appends s. False when there is no room: the caller counts a loss. Interrupt context, the ring's own hart. */
bool sample_ring_put_irq(struct sample_ring *r, const struct sample *s);
/*
 * The oldest record, which stays where it is: all of *s but its pcs, which are at what is returned, in the ring or, if they lie around its end,
 * in *s; NULL when there is none. They are good until sample_ring_pop(). The one reader.
 */
const uintptr_t *sample_ring_peek(struct sample_ring *r, struct sample *s);
/* Takes the record that was peeked at away; depth: the one it was said to have. The one reader. */
void sample_ring_pop(struct sample_ring *r, uint32_t depth);

#endif
