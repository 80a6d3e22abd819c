/*
 * Thread-local blocks. Two layouts exist (the ELF TLS variants):
 *
 *	variant 1:  tp -> | .tdata | .tbss |             riscv64
 *	variant 2:        | .tdata | .tbss | <- tp, word at tp holds tp itself       x86-64
 */
#include "kernel/tls.h"

#include <string.h>

#include "arch/arch.h"
#include "kernel/g.h"

_Thread_local struct g *g_tls;

extern const char __tdata_start[], __tdata_size[], __tls_image_size[];

enum { TCB_SIZE = 64, SHORT_IMAGE = 128 };

size_t tls_size(void)
{
	return (((size_t)__tls_image_size + 63) & ~(size_t)63) + TCB_SIZE;
}

static void g_set(uintptr_t tp, struct g *g)
{
	/* where g_tls lies is the same distance from every thread pointer */
	*(struct g **)(tp + ((uintptr_t)&g_tls - arch_tls())) = g;
}

uintptr_t tls_make(void *block, struct g *g)
{
	uintptr_t tp = (uintptr_t)block;
	if (ARCH_TLS_VARIANT == 2) {
		tp = (uintptr_t)block + tls_size() - TCB_SIZE;
		*(uintptr_t *)tp = tp;
	}
	tls_reset(tp, g);
	return tp;
}

void tls_reset(uintptr_t tp, struct g *g)
{
	size_t image = (size_t)__tls_image_size, data = (size_t)__tdata_size;
	char *start = ARCH_TLS_VARIANT == 2 ? (char *)tp - image : (char *)tp;
	/* Sizes are addresses of symbols, which the compiler takes for other than 0. */
	__asm__("" : "+r"(image), "+r"(data));
	/* Short and without a call, as it is for nearly every program: a few words, then zeros. */
	if (data % sizeof(uint64_t) == 0 && image <= SHORT_IMAGE && image % sizeof(uint64_t) == 0) {
		const uint64_t *from = (const uint64_t *)__tdata_start;
		volatile uint64_t *w = (volatile uint64_t *)start,
				  *zeros = (volatile uint64_t *)(start + data),
				  *end = (volatile uint64_t *)(start + image);
		while (w != zeros)
			*w++ = *from++;
		while (w != end)
			*w++ = 0;
	} else {
		memcpy(start, __tdata_start, data);
		memset(start + data, 0, image - data);
	}
	g_set(tp, g);
}
