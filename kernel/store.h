/*
 * A relaxed atomic store as one plain store. gcc 12 for riscv64 makes an atomic exchange of every atomic_store(), which costs an address
 * computation, and in an emulator much more. For words of at most 8 bytes, which both architectures store whole.
 */
#ifndef KERNEL_STORE_H
#define KERNEL_STORE_H

#include <stdatomic.h>

/*
 * store_fenced() is one that a release fence stands before; the thread sanitizer does not know fences.
 *
 * 1. What a store_release() or store_fenced() pairs with is said where it is called.
 */
#ifdef __SANITIZE_THREAD__
#define store_relaxed(object, value) atomic_store_explicit(object, value, memory_order_relaxed)
#define store_fenced(object, value)  atomic_store_explicit(object, value, memory_order_release) /* rule 1 */
#else
#define store_fenced store_relaxed
#define store_relaxed(object, value) \
	((void)(*(volatile __typeof__(((void)0, *(object))) *)(object) = (value)))
#endif

/* The same behind everything that stands before it. */
#define store_release(object, value)                                    \
	do {                                                            \
		atomic_thread_fence(memory_order_release); /* rule 1 */ \
		store_relaxed(object, value);                           \
	} while (0)

#endif
