/*
 * What the stepping image (main.c) leaves in the machine's memory, which is a file that the host's judge maps: a header and a ring of
 * stops. A stop is a struct step_stop, then its slices of memory (struct step_slice, then the bytes, of each), then the pcs of our walk; a
 * stop does not wrap, a size of 0 says that the next one is at the ring's start.
 *
 * The guest writes `head`, the judge `tail`, both in bytes since the beginning; the guest waits while the ring is full.
 */
#ifndef TESTS_STEPPING_FORMAT_H
#define TESTS_STEPPING_FORMAT_H

#include <stdint.h>

#define STEP_MAGIC "HBSTEPS1"

enum {
	STEP_RING = 8 << 20, /* bytes */
	STEP_WORDS = 36,     /* of a frame, at most */
	STEP_SLICES = 7,
	STEP_PCS = 128,
};

struct step_header {
	char magic[8]; /* without a NUL */
	uint64_t head, tail;
	uint64_t done;      /* the guest: no more will come */
	uint64_t abandoned; /* the judge: do not wait */
};

struct step_stop {
	uint32_t size;                       /* bytes of everything, a multiple of 8 */
	uint8_t n_slices, n_pcs, flags, pad; /* flags: WALK_ */
	uint64_t stack;                      /* what sp lies in: its low end; 0: no stack (a save area) */
	uint64_t g;                          /* the goroutine whose stack or save area that is, or 0 */
	uint64_t outer_pc;                   /* riscv64, in trap code: sepc as it was; else 0 */
	uint64_t frame[STEP_WORDS];          /* struct arch_frame of the architecture */
	uint64_t sscratch;                   /* riscv64 */
};

struct step_slice {
	uint64_t addr, size; /* bytes, a multiple of 8 */
};

#endif
