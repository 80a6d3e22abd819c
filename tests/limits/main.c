/*
 * How many goroutines fit: starts them until go() says no, or `n` wait at once, looks at what they cost, and lets them end; twice.
 * Run by tests/e2e/test-limits.sh. Argument: how many (1000000).
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>

static struct chan *gate;
static _Atomic uint64_t up, ended;

static void park(void *arg)
{
	uint64_t mine = (uintptr_t)arg ^ 0x5bd1e995;
	atomic_fetch_add(&up, 1);
	chan_recv(gate, NULL);
	if (((uintptr_t)arg ^ 0x5bd1e995) != mine)
		exit(3);
	atomic_fetch_add(&ended, 1);
}

int main(int argc, char **argv)
{
	uint64_t most = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, started[2];
	for (int round = 0; round < 2; round++) {
		uint32_t before = go_count();
		uint64_t n = 0;
		gate = chan_make(0, 0);
		if (gate == NULL)
			return 4;
		atomic_store(&up, 0);
		atomic_store(&ended, 0);
		errno = 0;
		while (n < most && go(park, (void *)(uintptr_t)n) != 0)
			n++;
		int error = errno;
		while (atomic_load(&up) < n)
			go_yield();
		if (go_count() != before + n)
			return 5;
		printf("round %d: %llu goroutines wait%s%s\n", round, (unsigned long long)n,
		       n < most ? ", then " : "", n < most ? strerror(error) : "");
		if (n < most && error != ENOMEM)
			return 6;
		chan_close(gate);
		while (atomic_load(&ended) < n)
			go_yield();
		while (go_count() != before)
			go_yield();
		chan_free(gate);
		started[round] = n;
	}
	if (started[1] < started[0] / 10 * 9)
		return 7;
	printf("all ended\n");
	return 0;
}
