/*
 * memcpy, memmove and memset: C, so that the compiler's unwind information holds at every instruction of
 * them, and without calls, FP or vector registers, so that they serve interrupts too.
 *
 * Copies of up to 16 bytes are a few overlapping accesses. Longer ones align the destination, then move eight
 * words a round; where source and destination differ in alignment, each word is merged from two aligned
 * source words. So no access relies on misaligned words, which some machines trap on (the packed types leave
 * the short ones to the compiler).
 *
 * Rules:
 * 1. A round loads before it stores, and the forward loops never load below a byte they have stored.
 * Otherwise memmove could not use them when the destination lies below the source.
 * 2. A merged source word is loaded whole although only a part of it may belong to the source. It is aligned,
 * so it lies on the page of that part. Sanitizers are told to look away.
 * 3. To be compiled with -fno-builtin -fno-tree-loop-distribute-patterns. Otherwise the loops become calls of
 *    the functions they implement.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t word __attribute__((may_alias));
struct loose64 {
	uint64_t v;
} __attribute__((packed, may_alias));
struct loose32 {
	uint32_t v;
} __attribute__((packed, may_alias));

enum { WORD = sizeof(word), ROUND = 8 * WORD };

#if defined(__clang__)
#define UNCHECKED __attribute__((no_sanitize("address", "thread")))
#else
#define UNCHECKED __attribute__((no_sanitize_address, no_sanitize_thread))
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are merged low byte first");

static inline void copy_small(unsigned char *d, const unsigned char *s, size_t n)
{
	if (n >= 8) {
		uint64_t a = ((const struct loose64 *)s)->v, b = ((const struct loose64 *)(s + n - 8))->v;
		((struct loose64 *)d)->v = a;
		((struct loose64 *)(d + n - 8))->v = b;
	} else if (n >= 4) {
		uint32_t a = ((const struct loose32 *)s)->v, b = ((const struct loose32 *)(s + n - 4))->v;
		((struct loose32 *)d)->v = a;
		((struct loose32 *)(d + n - 4))->v = b;
	} else if (n > 0) {
		unsigned char a = s[0], b = s[n / 2], c = s[n - 1];
		d[0] = a;
		d[n / 2] = b;
		d[n - 1] = c;
	}
}

/* Copies upwards; the destination may overlap the source from below. */
UNCHECKED static inline __attribute__((always_inline)) void copy_up(unsigned char *d, const unsigned char *s,
								    size_t n)
{
	if (n <= 16) {
		copy_small(d, s, n);
		return;
	}
	for (; (uintptr_t)d % WORD != 0; n--)
		*d++ = *s++;
	word *dw = (word *)d;
	unsigned shift = (unsigned)((uintptr_t)s % WORD) * 8;
	if (shift == 0) {
		const word *sw = (const word *)s;
		for (; n >= ROUND; n -= ROUND, dw += 8, sw += 8) {
			word a = sw[0], b = sw[1], c = sw[2], e = sw[3], f = sw[4], g = sw[5], h = sw[6],
			     i = sw[7];
			dw[0] = a, dw[1] = b, dw[2] = c, dw[3] = e, dw[4] = f, dw[5] = g, dw[6] = h,
			dw[7] = i;
		}
		for (; n >= WORD; n -= WORD)
			*dw++ = *sw++;
		s = (const unsigned char *)sw;
	} else {
		const word *sw = (const word *)(s - shift / 8);
		word low = *sw++ >> shift;
		size_t moved = n & ~(size_t)(WORD - 1);
		for (; n >= 4 * WORD; n -= 4 * WORD, dw += 4, sw += 4) {
			word a = sw[0], b = sw[1], c = sw[2], e = sw[3];
			dw[0] = low | a << (64 - shift);
			dw[1] = a >> shift | b << (64 - shift);
			dw[2] = b >> shift | c << (64 - shift);
			dw[3] = c >> shift | e << (64 - shift);
			low = e >> shift;
		}
		for (; n >= WORD; n -= WORD) {
			word a = *sw++;
			*dw++ = low | a << (64 - shift);
			low = a >> shift;
		}
		s += moved;
	}
	d = (unsigned char *)dw;
	while (n-- > 0)
		*d++ = *s++;
}

/* Copies downwards; the destination may overlap the source from above. d and s point to the ends. */
UNCHECKED static inline __attribute__((always_inline)) void copy_down(unsigned char *d,
								      const unsigned char *s, size_t n)
{
	for (; n > 0 && (uintptr_t)d % WORD != 0; n--)
		*--d = *--s;
	word *dw = (word *)d;
	unsigned shift = (unsigned)((uintptr_t)s % WORD) * 8;
	if (shift == 0) {
		const word *sw = (const word *)s;
		for (; n >= ROUND; n -= ROUND) {
			dw -= 8, sw -= 8;
			word a = sw[0], b = sw[1], c = sw[2], e = sw[3], f = sw[4], g = sw[5], h = sw[6],
			     i = sw[7];
			dw[0] = a, dw[1] = b, dw[2] = c, dw[3] = e, dw[4] = f, dw[5] = g, dw[6] = h,
			dw[7] = i;
		}
		for (; n >= WORD; n -= WORD)
			*--dw = *--sw;
		s = (const unsigned char *)sw;
	} else if (n >= WORD) {
		const word *sw = (const word *)(s - shift / 8);
		word high = *sw << (64 - shift);
		s -= n & ~(size_t)(WORD - 1);
		for (; n >= WORD; n -= WORD) {
			word a = *--sw;
			*--dw = a >> shift | high;
			high = a << (64 - shift);
		}
	}
	d = (unsigned char *)dw;
	while (n-- > 0)
		*--d = *--s;
}

/* As in ISO C. Any context. */
UNCHECKED void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	copy_up(to, from, n);
	return to;
}

/* As in ISO C. Any context. */
UNCHECKED void *memmove(void *to, const void *from, size_t n)
{
	if ((uintptr_t)to - (uintptr_t)from >= n)
		copy_up(to, from, n);
	else
		copy_down((unsigned char *)to + n, (const unsigned char *)from + n, n);
	return to;
}

/* As in ISO C. Any context. */
void *memset(void *to, int value, size_t n)
{
	unsigned char *d = to, byte = (unsigned char)value;
	if (n >= 2 * WORD) {
		word fill = 0x0101010101010101u * (word)byte;
		for (; (uintptr_t)d % WORD != 0; n--)
			*d++ = byte;
		word *dw = (word *)d;
		for (; n >= ROUND; n -= ROUND, dw += 8)
			dw[0] = dw[1] = dw[2] = dw[3] = dw[4] = dw[5] = dw[6] = dw[7] = fill;
		for (; n >= WORD; n -= WORD)
			*dw++ = fill;
		d = (unsigned char *)dw;
	}
	while (n-- > 0)
		*d++ = byte;
	return to;
}
