/* Host stand-in for arch/arch.h, for test_g.c, test_shrink.c, test_stacks.c, test_trace_buf.c and test_trace_table.c: found before the real one by -Itests/host/stub_g. */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCH_STACK_BASE UINT64_C(0x100000000)
#define ARCH_STACK_SIZE (UINT64_C(1) << 40)

struct hart;
struct arch_frame;

struct arch_context {
	uintptr_t sp, tls;
};

struct hart *arch_hart(void);
uint64_t arch_ticks(void);
uint64_t arch_ticks_hz(void);
size_t arch_frame_size(void);
size_t arch_fpu_size(void);

static inline uintptr_t arch_context_fresh(uintptr_t stack_top)
{
	return stack_top;
}

#endif
