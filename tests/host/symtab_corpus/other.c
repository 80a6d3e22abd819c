/* A second unit: a static function of the same name as one in corpus.c, built without frame pointers. */
#include "corpus.h"

static __attribute__((noinline)) long twin(long x)
{
	return leaf(x) - 1;
}

static __attribute__((noinline)) long frameless(long a, long b, long c)
{
	long r = leaf(a) + leaf(b);
	for (int i = 0; i < 3; i++)
		r += recurse(i) * c;
	return r;
}

__attribute__((noinline)) long other_main(long x)
{
	long r = twin(x) + header_inline(x) + frameless(x, 2, 3);
#if defined(__x86_64__)
	r += asm_signal(recurse, 4) & 1;
#endif
	return r;
}

/* The compiler calls these; nothing else stands in the image. */
void *memset(void *to, int byte, unsigned long n);
void *memcpy(void *to, const void *from, unsigned long n);

void *memset(void *to, int byte, unsigned long n)
{
	volatile char *p = to;
	for (unsigned long i = 0; i < n; i++)
		p[i] = (char)byte;
	return to;
}

void *memcpy(void *to, const void *from, unsigned long n)
{
	volatile char *p = to;
	for (unsigned long i = 0; i < n; i++)
		p[i] = ((const char *)from)[i];
	return to;
}
