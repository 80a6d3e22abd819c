/*
 * The frame that trap entry (arch/x86_64/trap.S) leaves at the top of the stack a trap arrived on:
 *
 *	top of stack -> +----------------------+
 *			| ss rsp rflags cs rip | pushed by the processor
 *			| error code           | by the processor, or 0
 *			| vector               |
 *			| rax ... r15          |
 *			| (pad) tls            | filled in by C
 *	frame, rsp   -> +----------------------+
 */
#ifndef ARCH_X86_64_FRAME_H
#define ARCH_X86_64_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/frame_offsets.h"

struct arch_frame {
	uint64_t tls;
	uint64_t pad;
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector;
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(offsetof(struct arch_frame, tls) == FRAME_TLS, "assembly offset");
_Static_assert(offsetof(struct arch_frame, r15) == FRAME_R15, "assembly offset");
_Static_assert(offsetof(struct arch_frame, rbp) == FRAME_RBP, "assembly offset");
_Static_assert(offsetof(struct arch_frame, rip) == FRAME_RIP, "assembly offset");
_Static_assert(offsetof(struct arch_frame, rsp) == FRAME_RSP, "assembly offset");
_Static_assert(sizeof(struct arch_frame) == FRAME_SIZE, "assembly offset");
_Static_assert(FRAME_SIZE % 16 == 0, "frames keep the stack aligned");

#endif
