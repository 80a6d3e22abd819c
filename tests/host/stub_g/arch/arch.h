/* Host stand-in for arch/arch.h, for test_g.c: found before the real one by -Itests/host/stub_g. */
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
	uintptr_t sp;
};

struct hart *arch_hart(void);
uint64_t arch_ticks(void);
size_t arch_frame_size(void);
size_t arch_fpu_size(void);

static inline void arch_context_init(struct arch_context *c, uintptr_t sp, uintptr_t tls,
				     void (*entry)(void *, struct arch_context *, uintptr_t), void *arg)
{
	(void)tls;
	(void)entry;
	(void)arg;
	c->sp = sp;
}

#endif
