/* What trap entry and the switch save, as C sees it. */
#ifndef ARCH_RISCV64_FRAME_H
#define ARCH_RISCV64_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "arch/riscv64/frame_offsets.h"

enum { REG_RA = 1, REG_SP = 2, REG_GP = 3, REG_TP = 4, REG_T0 = 5, REG_FP = 8 };

/* Interrupted code: every integer register. gp is kept for reports only; whoever resumes runs with the hart
 * pointer of the hart it resumes on. */
struct arch_frame {
	union {
		uint64_t pc;
		uint64_t x[32]; /* by register number; [0] is pc */
	};
	uint64_t status; /* sstatus */
	uint64_t cause;  /* scause */
	uint64_t tval;   /* stval */
	uint64_t unused;
};

struct switch_record {
	uint64_t ra;
	uint64_t s[12];
	uint64_t fp;
	uint64_t fcsr;
	uint64_t fs[12];
	uint64_t unused;
};

_Noreturn void switch_irq_off(void); /* the switch (switch.S) found interrupts off */

_Static_assert(offsetof(struct arch_frame, pc) == FRAME_PC, "assembly offset");
_Static_assert(offsetof(struct arch_frame, x[31]) == FRAME_X(31), "assembly offset");
_Static_assert(offsetof(struct arch_frame, status) == FRAME_STATUS, "assembly offset");
_Static_assert(offsetof(struct arch_frame, cause) == FRAME_CAUSE, "assembly offset");
_Static_assert(offsetof(struct arch_frame, tval) == FRAME_TVAL, "assembly offset");
_Static_assert(sizeof(struct arch_frame) == FRAME_SIZE && FRAME_SIZE % 16 == 0, "stacks stay aligned");

_Static_assert(offsetof(struct switch_record, ra) == RECORD_RA, "assembly offset");
_Static_assert(offsetof(struct switch_record, s[11]) == RECORD_S(11), "assembly offset");
_Static_assert(offsetof(struct switch_record, fp) == RECORD_FP, "assembly offset");
_Static_assert(offsetof(struct switch_record, fcsr) == RECORD_FCSR, "assembly offset");
_Static_assert(offsetof(struct switch_record, fs[11]) == RECORD_FS(11), "assembly offset");
_Static_assert(sizeof(struct switch_record) == RECORD_SIZE && RECORD_SIZE % 16 == 0, "stacks stay aligned");

#endif
