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

enum { TCB_SIZE = 64 };

size_t tls_size(void)
{
	return (((size_t)__tls_image_size + 63) & ~(size_t)63) + TCB_SIZE;
}

uintptr_t tls_make(void *block, struct g *g)
{
	size_t image = (size_t)__tls_image_size;
	char *start = block;
	uintptr_t tp = (uintptr_t)block;
	if (ARCH_TLS_VARIANT == 2) {
		tp = (uintptr_t)block + tls_size() - TCB_SIZE;
		start = (char *)tp - image;
		*(uintptr_t *)tp = tp;
	}
	memcpy(start, __tdata_start, (size_t)__tdata_size);
	memset(start + (size_t)__tdata_size, 0, image - (size_t)__tdata_size);
	/* where g_tls lies is the same distance from every thread pointer */
	*(struct g **)(tp + ((uintptr_t)&g_tls - arch_tls())) = g;
	return tp;
}
