/*
 * Atomic operations on 1 and 2 bytes, which gcc 12 for riscv64 leaves to a library: done on the aligned 32-bit word around them. Little
 * endian; an object of 2 bytes is aligned and so within one word. The names are the compiler's (gcc's libatomic ABI); an architecture with
 * such instructions never calls them.
 *
 * 1. All are sequentially consistent, whatever order is asked for: they pair with what the caller says. Otherwise one that asks for more
 *    than another would get less.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static _Atomic uint32_t *word_of(volatile void *p, unsigned *shift)
{
	*shift = (unsigned)((uintptr_t)p & 3) * 8;
	return (_Atomic uint32_t *)((uintptr_t)p & ~(uintptr_t)3);
}

/* Replaces the bytes under mask by what is asked of them. Returns the old bytes. */
#define REPLACE(p, bytes, new_expr)                                                                       \
	do {                                                                                              \
		unsigned shift;                                                                           \
		_Atomic uint32_t *w = word_of((p), &shift);                                               \
		uint32_t mask = (bytes == 1 ? 0xffu : 0xffffu) << shift;                                  \
		uint32_t word = atomic_load_explicit(w, memory_order_relaxed), old;                       \
		do {                                                                                      \
			old = (word & mask) >> shift;                                                     \
		} while (!atomic_compare_exchange_weak(                                                   \
			w, &word, (word & ~mask) | ((uint32_t)(new_expr) << shift & mask))); /* rule 1 */ \
		return (__typeof__(v))old;                                                                \
	} while (0)

#define FETCH(name, bytes, type, new_expr)                                              \
	type subword_##name##_##bytes(volatile void *p, type v,                         \
				      int order) __asm__("__atomic_" #name "_" #bytes); \
	type subword_##name##_##bytes(volatile void *p, type v, int order)              \
	{                                                                               \
		(void)order;                                                            \
		REPLACE(p, bytes, new_expr);                                            \
	}

#define COMPARE_EXCHANGE(bytes, type)                                                                      \
	bool subword_compare_exchange_##bytes(volatile void *p, void *expected, type v, int success,       \
					      int failure) __asm__("__atomic_compare_exchange_" #bytes);   \
	bool subword_compare_exchange_##bytes(volatile void *p, void *expected, type v, int success,       \
					      int failure)                                                 \
	{                                                                                                  \
		(void)success;                                                                             \
		(void)failure;                                                                             \
		unsigned shift;                                                                            \
		_Atomic uint32_t *w = word_of(p, &shift);                                                  \
		uint32_t mask = (bytes == 1 ? 0xffu : 0xffffu) << shift;                                   \
		uint32_t word = atomic_load(w); /* rule 1 */                                               \
		for (;;) {                                                                                 \
			type found = (type)((word & mask) >> shift);                                       \
			if (found != *(type *)expected) {                                                  \
				*(type *)expected = found;                                                 \
				return false;                                                              \
			}                                                                                  \
			if (atomic_compare_exchange_weak(w, &word, (word & ~mask) | (uint32_t)v << shift)) \
				return true; /* rule 1 */                                                  \
		}                                                                                          \
	}

#define SIZE(bytes, type)                      \
	FETCH(exchange, bytes, type, v)        \
	FETCH(fetch_add, bytes, type, old + v) \
	FETCH(fetch_sub, bytes, type, old - v) \
	FETCH(fetch_and, bytes, type, old &v)  \
	FETCH(fetch_or, bytes, type, old | v)  \
	FETCH(fetch_xor, bytes, type, old ^ v) \
	COMPARE_EXCHANGE(bytes, type)

SIZE(1, uint8_t)
SIZE(2, uint16_t)
