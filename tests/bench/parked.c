/*
 * Many goroutines that wait on one channel: what starting one costs, what it holds in memory, what its end costs. The first round makes
 * them (..._cold); later ones use again what the first one left. spawn_join leaves ended goroutines behind too, so it comes last.
 *
 * Memory per goroutine, from the kernel's own books: stack_B pages committed to stacks; heap_B objects of the heap; sys_B all pages that
 * are not free any more, page tables included.
 */
#include "tests/bench/bench.h"

#include <stdio.h>

#include <hartbeat/chan.h>

#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/stack.h"
#include "kernel/system.h"

struct memory {
	int64_t stack, heap, all; /* bytes */
};

static void look(void *arg)
{
	struct memory *m = arg;
	struct page_stats pages;
	struct heap_stats heap;
	page_stats(&pages);
	heap_stats(&heap);
	m->stack = (int64_t)stack_pages() * PAGE_SIZE;
	m->heap = (int64_t)heap.used_bytes;
	m->all = (int64_t)(pages.total - pages.unused) * PAGE_SIZE;
}

struct lot {
	struct chan *c;
	_Atomic uint64_t up;
	struct waitgroup done;
};

static void park(void *arg)
{
	struct lot *l = arg;
	atomic_fetch_add(&l->up, 1);
	chan_recv(l->c, NULL);
	waitgroup_done(&l->done);
}

static void parked(void)
{
	uint64_t n = bench_parked_n;
	double fn = (double)n;
	for (uint64_t r = 0; r < bench_reps; r++) {
		struct lot l = {.c = bench_chan_make(1, 0)};
		struct memory before, after;
		char text[160];
		on_system_stack(look, &before);
		uint64_t start = time_now();
		for (uint64_t i = 0; i < n; i++) {
			waitgroup_add(&l.done, 1);
			bench_go(park, &l);
		}
		while (atomic_load(&l.up) < n)
			go_yield();
		uint64_t d = time_now() - start;
		on_system_stack(look, &after);
		snprintf(text, sizeof text, "total_ms=%.1f stack_B=%.0f heap_B=%.0f sys_B=%.0f",
			 (double)d / 1e6, (double)(after.stack - before.stack) / fn,
			 (double)(after.heap - before.heap) / fn, (double)(after.all - before.all) / fn);
		bench_line(r == 0 ? "spawn_100k_parked_cold" : "spawn_100k_parked", go_harts(), r, n,
			   (double)d / fn, text);
		start = time_now();
		chan_close(l.c);
		waitgroup_wait(&l.done);
		bench_line("release_100k_parked", go_harts(), r, n, (double)(time_now() - start) / fn, NULL);
		chan_free(l.c);
	}
}

/* Start many, wait for all; an operation is one goroutine. */
static uint64_t spawn_join(uint64_t n)
{
	uint64_t start = time_now();
	while (n > 0) {
		uint64_t k = n < bench_spawn_n ? n : bench_spawn_n;
		struct waitgroup done = {0};
		waitgroup_add(&done, (int)k);
		for (uint64_t i = 0; i < k; i++)
			bench_go(bench_done, &done);
		waitgroup_wait(&done);
		n -= k;
	}
	return time_now() - start;
}

const struct bench bench_parked[] = {
	{.name = "spawn_100k_parked", .run = parked},
	{.name = "spawn_join", .sample = spawn_join},
	{0},
};
