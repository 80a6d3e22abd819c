/* Between the files of the corpus. */
#ifndef CORPUS_H
#define CORPUS_H

long other_main(long x);
_Noreturn void finish(long status);
_Noreturn void asm_exit(long status);
long leaf(long x);
long tail(long x);
long recurse(long n);
long asm_call(long (*fn)(long), long arg);
long asm_signal(long (*fn)(long), long arg);
long asm_leaf(long x);
long asm_two(long x);
long asm_two_second(long x);

static inline __attribute__((always_inline)) long header_inline(long x)
{
	long y = x;
	while (y > 100)
		y = leaf(y & 63);
	return y;
}

#endif
