/* Memory that is given back wrongly, or is out. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "tests/faults/cases.h"

SHOWN void double_free(void)
{
	void *volatile p = malloc(100);
	free(p);
	free(p);
	KEEP_FRAME();
}

SHOWN void double_free_later(void)
{
	void *volatile p[3000];
	for (int i = 0; i < 3000; i++)
		p[i] = malloc(48);
	for (int i = 0; i < 3000; i += 2)
		free(p[i]);
	free(p[1500]);
	KEEP_FRAME();
}

SHOWN void inner_free(void)
{
	char *volatile p = malloc(1000);
	void *volatile inner = p + 16;
	free(inner);
	KEEP_FRAME();
}

SHOWN void stack_free(void)
{
	char here[64];
	void *volatile p = here;
	free(p);
	KEEP_FRAME();
}

SHOWN void data_free(void)
{
	static char data[64];
	void *volatile p = data;
	free(p);
	KEEP_FRAME();
}

struct block {
	struct block *next;
};

/* Everything malloc has, in pieces of all sizes. */
struct block *take_all(size_t *taken)
{
	struct block *all = NULL, *b;
	*taken = 0;
	for (size_t size = (size_t)16 << 20; size >= sizeof *all; size -= size > 4096 ? size / 2 : 8) {
		while ((b = malloc(size)) != NULL) {
			b->next = all;
			all = b;
			*taken += size;
		}
	}
	return all;
}

void give_back(struct block *all)
{
	while (all != NULL) {
		struct block *next = all->next;
		free(all);
		all = next;
	}
}

/* Takes everything, gives it back and takes it again. */
SHOWN void malloc_all(void)
{
	size_t taken[2];
	for (int pass = 0; pass < 2; pass++)
		give_back(take_all(&taken[pass]));
	printf("malloc gave %zu and %zu MiB\n", taken[0] >> 20, taken[1] >> 20);
	if (taken[1] < taken[0] / 10 * 9)
		exit(4);
}

static void use_stack(void *arg)
{
	volatile char frame[48000];
	for (size_t i = 0; i < sizeof frame; i += 4096)
		frame[i] = 1;
	chan_recv(arg, NULL);
	KEEP_FRAME();
}

SHOWN static char deep(unsigned depth)
{
	volatile char frame[4000];
	frame[0] = depth > 0 ? deep(depth - 1) : 1;
	return frame[0];
}

/* Nothing is left, not for what follows the report either: on the stack of main, which is large enough. */
SHOWN void stack_without_page(void)
{
	size_t taken;
	struct block *all = take_all(&taken);
	(void)deep(1900);
	give_back(all);
	KEEP_FRAME();
}

static _Atomic uint32_t unsaved_begun;

static void loop_for_ever(void *gate)
{
	chan_recv(gate, NULL);
	atomic_fetch_add(&unsaved_begun, 1);
	for (;;)
		KEEP_FRAME();
}

static struct chan *take, *taken;

static void take_here(void *arg)
{
	size_t n;
	(void)arg;
	chan_recv(take, NULL);
	(void)take_all(&n);
	chan_send(taken, NULL);
	for (;;)
		time_sleep(TIME_SECOND);
}

/* Loops that are to be suspended when nothing is left to save them in. Each hart keeps some memory for itself, so it is taken on each of
 * them, by goroutines that give nothing back. */
SHOWN void suspended_without_memory(void)
{
	size_t n;
	struct chan *gate = chan_make(0, 0);
	take = chan_make(0, 0);
	taken = chan_make(0, 0);
	for (int i = 0; i < 60; i++)
		if (go(loop_for_ever, gate) == 0)
			exit(4);
	for (unsigned i = 0; i < go_harts(); i++)
		if (go_with(take_here, NULL, &(struct go_options){.pinned = true, .hart = i}) == 0)
			exit(4);
	time_sleep(10 * TIME_MILLISECOND);
	chan_close(take);
	for (unsigned i = 0; i < go_harts(); i++)
		chan_recv(taken, NULL);
	(void)take_all(&n);
	printf("memory is out\n");
	chan_close(gate);
	for (;;)
		time_sleep(TIME_SECOND);
}

SHOWN void stacks_all(void)
{
	struct chan *never = chan_make(1, 0);
	while (go_with(use_stack, never, &(struct go_options){.name = "stack user"}) != 0)
		go_yield();
	printf("go says that memory is out\n");
}
