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

extern const char __tdata_start[], __tdata_size[], __tls_image_size[], __tls_zero_line[];

enum { TCB_SIZE = 64, LINE = 64, SHORT_IMAGE = 2 * LINE };

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

/* The value of a symbol that the linker defines. The compiler would take it for an address, which is never 0. */
static inline size_t value(const char *symbol)
{
	size_t v = (size_t)symbol;
	__asm__("" : "+r"(v));
	return v;
}

static inline __attribute__((always_inline)) void line_zero(volatile uint64_t *w)
{
	w[0] = w[1] = w[2] = w[3] = 0;
	w[4] = w[5] = w[6] = w[7] = 0;
}

/* Out of line, so that the shortest way saves no registers for it. */
__attribute__((noinline)) static void reset_any(uintptr_t tp, struct g *g, char *start, size_t image)
{
	size_t data = value(__tdata_size);
	/* Short and without a call: a few words, then zeros, mostly to the ends of lines. */
	if (__builtin_expect(data % sizeof(uint64_t) == 0 && image <= SHORT_IMAGE && image % LINE == 0, 1)) {
		const uint64_t *from = (const uint64_t *)__tdata_start;
		volatile uint64_t *w = (volatile uint64_t *)start,
				  *zeros = (volatile uint64_t *)(start + data),
				  *end = (volatile uint64_t *)(start + image);
		while (w != zeros)
			*w++ = *from++;
		for (; ((uintptr_t)w & (LINE - 1)) != 0; w++)
			*w = 0;
		for (; w != end; w += LINE / sizeof *w)
			line_zero(w);
	} else {
		memcpy(start, __tdata_start, data);
		memset(start + data, 0, image - data);
	}
	g_set(tp, g);
}

void tls_reset(uintptr_t tp, struct g *g)
{
	/* Nearly every program's is one line of zeros, whose place is a constant then. */
	if (__builtin_expect(value(__tls_zero_line) != 0, 1)) {
		line_zero((volatile uint64_t *)(ARCH_TLS_VARIANT == 2 ? tp - LINE : tp));
		g_set(tp, g);
	} else {
		size_t image = value(__tls_image_size);
		reset_any(tp, g, ARCH_TLS_VARIANT == 2 ? (char *)tp - image : (char *)tp, image);
	}
}
