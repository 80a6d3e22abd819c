#include "tests/bench/share.h"

#include <stdlib.h>

bool share_more(struct share *s)
{
	uint64_t at = atomic_fetch_add(s->taken, s->grain);
	if (at >= s->all)
		return false;
	s->have = s->all - at < s->grain ? s->all - at : s->grain;
	return true;
}

static void share_body(void *arg)
{
	struct share *s = arg;
	s->body(s);
	waitgroup_done(s->done);
}

uint64_t share_run(uint64_t n, uint32_t per_hart, void (*body)(struct share *s), void *arg)
{
	uint32_t goroutines = per_hart * go_harts();
	struct share *s = bench_alloc(goroutines * sizeof *s);
	struct waitgroup done = {0};
	_Atomic uint64_t taken = 0;
	uint64_t grain = n / (16 * goroutines);
	if (grain == 0)
		grain = 1;
	if (grain > 10000)
		grain = 10000;
	waitgroup_add(&done, (int)goroutines);
	uint64_t start = time_now();
	for (uint32_t i = 0; i < goroutines; i++) {
		s[i] = (struct share){
			.taken = &taken, .all = n, .grain = grain, .arg = arg, .body = body, .done = &done};
		bench_go(share_body, &s[i]);
	}
	waitgroup_wait(&done);
	uint64_t d = time_now() - start;
	free(s);
	return d;
}
