/*
 * Functions of every shape that prologues, epilogues, lines and inlining take: leaf, frame, tail call,
 * varargs, large frame, alloca, recursion, function pointers, shrink-wrapped, early returns, inlined in
 * several levels, static of the same name as another file's. corpus_main() runs them all and returns 0
 * (x86-64: as the exit status of a process).
 */
#include "corpus.h"

static volatile long sink;

/* Same name as in other.c. */
static __attribute__((noinline)) long twin(long x)
{
	return x * 3 + 1;
}

static inline __attribute__((always_inline)) long inner_most(long x)
{
	sink += x;
	return sink ^ (x << 3);
}

static inline __attribute__((always_inline)) long inner_middle(long x)
{
	long r = inner_most(x);
	if (r & 1)
		r += inner_most(r);
	return r;
}

__attribute__((noinline)) long inlined_caller(long x)
{
	long r = x;
	for (int i = 0; i < 3; i++)
		r += inner_middle(r + i);
	return r + header_inline(r) + inner_most(x);
}

__attribute__((noinline)) long leaf(long x)
{
	return x * x + 7;
}

__attribute__((noinline)) long tail(long x)
{
	return leaf(x + 1);
}

__attribute__((noinline)) long recurse(long n)
{
	if (n == 0)
		return tail(3);
	return recurse(n - 1) + n;
}

__attribute__((noinline)) long shrink_wrapped(long x, long *p)
{
	if (x < 0)
		return -1;
	if (p == 0)
		return x;
	*p = leaf(x) + twin(x);
	sink += recurse(2);
	return *p + x;
}

__attribute__((noinline)) long big_frame(long x)
{
	volatile char bytes[9000];
	for (int i = 0; i < 9000; i += 1000)
		bytes[i] = (char)(x + i);
	return leaf(bytes[1000]) + bytes[2000];
}

__attribute__((noinline)) long grows(long n)
{
	volatile char *p = __builtin_alloca((unsigned long)n * 16);
	p[0] = 1;
	p[n] = 2;
	return leaf(p[0]) + p[n];
}

__attribute__((noinline)) long variadic(int n, ...)
{
	__builtin_va_list ap;
	__builtin_va_start(ap, n);
	long sum = 0;
	for (int i = 0; i < n; i++)
		sum += leaf(__builtin_va_arg(ap, long));
	__builtin_va_end(ap);
	return sum;
}

__attribute__((noinline)) double floats(double a, double b)
{
	return a * b + (double)leaf((long)a);
}

__attribute__((noinline)) long many_arguments(long a, long b, long c, long d, long e, long f, long g, long h,
					      long i)
{
	return leaf(a + b) + leaf(c + d) + leaf(e + f) + g * h * i;
}

struct big {
	long words[20];
};

__attribute__((noinline)) struct big by_value(struct big b)
{
	b.words[3] += leaf(b.words[4]);
	return b;
}

__attribute__((noinline)) long switches(int x)
{
	switch (x) {
	case 0:
		return leaf(1);
	case 1:
		return tail(2);
	case 2:
		return twin(3);
	case 3:
		return recurse(1);
	case 4:
		return grows(5);
	case 5:
		return inlined_caller(6);
	default:
		return 0;
	}
}

__attribute__((noinline, cold)) long cold_path(long x)
{
	return recurse(x & 1);
}

__attribute__((noinline)) long with_cold(long x)
{
	if (__builtin_expect(x > 1000, 0))
		return cold_path(x) + leaf(x);
	return x + 1;
}

/* Not a tail call, and no loop can be made of it. */
__attribute__((noinline)) long not_inlined_twice(long n, long x)
{
	if (n <= 0)
		return leaf(x) ^ sink;
	volatile long kept = not_inlined_twice(n - 1, x + 1);
	return kept + not_inlined_twice(n - 9, x) + inlined_caller(x);
}

__attribute__((noinline, optimize("O0"))) long unoptimized(long x)
{
	long y = leaf(x);
	return y + twin(y);
}

/* On riscv64 the arithmetic is libgcc's, whose CFI is in .debug_frame only. */
__attribute__((noinline)) long double quad(long double a, long double b)
{
	return a * b + (long double)leaf((long)b);
}

#define LINE(x)                  \
	do {                     \
		sink += (x) + r; \
		r ^= sink;       \
	} while (0)

/* More line rows than a chunk holds. */
__attribute__((noinline)) long many_rows(long r)
{
	LINE(0);
	if (r & 1)
		sink = leaf(r);
	LINE(1);
	if (r & 2)
		sink = leaf(r);
	LINE(2);
	if (r & 4)
		sink = leaf(r);
	LINE(3);
	if (r & 8)
		sink = leaf(r);
	LINE(4);
	if (r & 16)
		sink = leaf(r);
	LINE(5);
	if (r & 32)
		sink = leaf(r);
	LINE(6);
	if (r & 64)
		sink = leaf(r);
	LINE(7);
	if (r & 128)
		sink = leaf(r);
	LINE(8);
	if (r & 256)
		sink = leaf(r);
	LINE(9);
	if (r & 512)
		sink = leaf(r);
	LINE(10);
	if (r & 1024)
		sink = leaf(r);
	LINE(11);
	if (r & 2048)
		sink = leaf(r);
	LINE(12);
	if (r & 4096)
		sink = leaf(r);
	LINE(13);
	if (r & 8192)
		sink = leaf(r);
	LINE(14);
	if (r & 16384)
		sink = leaf(r);
	LINE(15);
	if (r & 32768)
		sink = leaf(r);
	LINE(16);
	if (r & 65536)
		sink = leaf(r);
	LINE(17);
	if (r & 131072)
		sink = leaf(r);
	LINE(18);
	if (r & 262144)
		sink = leaf(r);
	LINE(19);
	if (r & 524288)
		sink = leaf(r);
	LINE(20);
	if (r & 1)
		sink = leaf(r);
	LINE(21);
	if (r & 2)
		sink = leaf(r);
	LINE(22);
	if (r & 4)
		sink = leaf(r);
	LINE(23);
	if (r & 8)
		sink = leaf(r);
	LINE(24);
	if (r & 16)
		sink = leaf(r);
	LINE(25);
	if (r & 32)
		sink = leaf(r);
	LINE(26);
	if (r & 64)
		sink = leaf(r);
	LINE(27);
	if (r & 128)
		sink = leaf(r);
	LINE(28);
	if (r & 256)
		sink = leaf(r);
	LINE(29);
	if (r & 512)
		sink = leaf(r);
	LINE(30);
	if (r & 1024)
		sink = leaf(r);
	LINE(31);
	if (r & 2048)
		sink = leaf(r);
	LINE(32);
	if (r & 4096)
		sink = leaf(r);
	LINE(33);
	if (r & 8192)
		sink = leaf(r);
	LINE(34);
	if (r & 16384)
		sink = leaf(r);
	LINE(35);
	if (r & 32768)
		sink = leaf(r);
	LINE(36);
	if (r & 65536)
		sink = leaf(r);
	LINE(37);
	if (r & 131072)
		sink = leaf(r);
	LINE(38);
	if (r & 262144)
		sink = leaf(r);
	LINE(39);
	if (r & 524288)
		sink = leaf(r);
	return r;
}

/* Its last instruction is a call, so the return address lies in whatever follows. */
__attribute__((noinline)) void finish(long status)
{
	volatile long kept[4] = {status};
	asm_exit(kept[0]);
}

int corpus_main(void)
{
	long r = 0, p = 0;
	struct big b = {{0}};
	for (int i = 0; i < 14; i += 6)
		r += recurse(i) + not_inlined_twice(i, r);
	for (int i = 0; i < 7; i++)
		r += switches(i);
	r += shrink_wrapped(-1, 0) + shrink_wrapped(4, 0) + shrink_wrapped(4, &p);
	r += big_frame(3) + grows(100) + variadic(3, 1L, 2L, 3L) + (long)floats(2.0, 3.5);
	r += many_arguments(1, 2, 3, 4, 5, 6, 7, 8, 9);
	b = by_value(b);
	r += b.words[3] + with_cold(3) + with_cold(2000) + unoptimized(4) + other_main(5);
	r += asm_call(recurse, 5) + asm_call(asm_leaf, 5) + asm_leaf(2) + asm_two(1) + asm_two_second(1);
	r += many_rows(r) + (long)quad(2.0L, 3.0L);
	sink = r;
	return sink == 0;
}
