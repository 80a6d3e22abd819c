/*
 * The prime sieve: a chain of goroutines, one for each prime found, joined by unbuffered channels. The first one counts from 2 on; each
 * further one takes the first number it is sent for its prime, and passes on what its prime does not divide:
 *
 *	count -> 2 -> 3 -> 5 -> 7 -> ...
 *
 *	make run APP=sieve [ARGS=primes=2000]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

enum { PRIMES = 2000, PRIMES_MAX = 20000 };

struct filter {
	struct chan *in, *out;
	uint32_t prime;
};

static void count(void *out)
{
	for (uint32_t n = 2;; n++)
		chan_send(out, &n);
}

static void pass(void *arg)
{
	const struct filter *f = arg;
	uint32_t n;
	while (chan_recv(f->in, &n))
		if (n % f->prime != 0)
			chan_send(f->out, &n);
}

static _Noreturn void no_memory(unsigned found)
{
	fprintf(stderr, "sieve: out of memory after %u primes\n", found);
	exit(1);
}

static struct chan *channel(unsigned found)
{
	struct chan *c = chan_make(sizeof(uint32_t), 0);
	if (c == NULL)
		no_memory(found);
	return c;
}

int main(int argc, char **argv)
{
	unsigned long primes = PRIMES;
	for (int i = 1; i < argc; i++) {
		char *end = argv[i];
		if (strncmp(argv[i], "primes=", 7) == 0)
			primes = strtoul(argv[i] + 7, &end, 10);
		if (end == argv[i] || *end != '\0' || primes < 1 || primes > PRIMES_MAX) {
			fprintf(stderr, "sieve: %s: expected primes=N, 1 to %d\n", argv[i], PRIMES_MAX);
			return 1;
		}
	}
	uint64_t start = time_now(), sum = 0;
	struct chan *in = channel(0);
	uint32_t prime = 0;
	if (go(count, in) == 0)
		no_memory(0);
	for (unsigned found = 0; found < primes; found++) {
		chan_recv(in, &prime);
		sum += prime;
		struct filter *f = malloc(sizeof *f);
		if (f == NULL)
			no_memory(found);
		*f = (struct filter){.in = in, .out = channel(found), .prime = prime};
		if (go_with(pass, f, &(struct go_options){.name = "filter"}) == 0)
			no_memory(found);
		in = f->out;
	}
	printf("prime %lu is %lu, the sum of all so far %llu\n", primes, (unsigned long)prime,
	       (unsigned long long)sum);
	printf("%u goroutines on %u harts, %llu ms\n", (unsigned)go_count(), go_harts(),
	       (unsigned long long)((time_now() - start) / TIME_MILLISECOND));
	return 0;
}
