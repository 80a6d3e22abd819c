/*
 * A hart dies with one of the kernel's own locks, and the others want it.
 *
 * Most of those locks have no name outside of their file. Beneath another lock they are on the hart's list when they are taken, and the entry
 * stays there, behind the end, when they have been given back: so whoever has just used one knows which it is.
 */
#include "tests/faults/cases.h"

#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/go.h>
#include <hartbeat/trace.h>

#include "kernel/console.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/page.h"
#include "kernel/panic.h"
#include "kernel/preempt.h"
#include "kernel/size_class.h"
#include "kernel/slab.h"
#include "kernel/system.h"
#include "trace/trace.h"

enum { BIG = CLASS_SIZE_MAX, FEW = 64 /* more than a hart keeps of these */ };

/* What takes the lock last, on the system stack; and what wants it, over and over, as programs do. */
struct real {
	uint8_t rank;
	void (*use)(void);
	void (*want)(int i);
};

static _Atomic uint32_t wanters;

SHOWN static void want(void *arg)
{
	const struct real *r = arg;
	for (int i = 0;; i++) {
		r->want(i);
		if (i == 10)
			atomic_fetch_add(&wanters, 1);
	}
}

/* h, another hart, waits for l, or is about to. */
static bool wants(const struct hart *h, const struct spinlock *l)
{
	const struct spinlock *one = __atomic_load_n(&h->lock_one, __ATOMIC_RELAXED);
	uint32_t n = __atomic_load_n(&h->n_held, __ATOMIC_RELAXED);
	if (one != LOCKS_LISTED)
		return one == l;
	return n > 0 && n <= HELD_MAX && __atomic_load_n(&h->held[n - 1].lock, __ATOMIC_RELAXED) == l;
}

static uint32_t waiting(const struct spinlock *l)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < hart_count; i++)
		n += harts[i] != arch_hart() && wants(harts[i], l);
	return n;
}

SHOWN static void die_sys(void *arg)
{
	static struct spinlock above = SPINLOCK_INIT(RANK_MUTEX);
	const struct real *r = arg;
	struct hart *h = arch_hart();
	spin_lock(&above);
	r->use();
	struct spinlock *l = h->held[1].lock;
	spin_unlock(&above);
	if (l == NULL || l->rank != r->rank)
		panic("the lock was not found");
	spin_lock(l);
	for (uint32_t n = 1; hart_count > 1 && waiting(l) == 0; n++)
		spin_pause(n);
	panic("with the %s lock", rank_name[r->rank]);
	KEEP_FRAME();
}

SHOWN static void die_with(const struct real *r)
{
	for (uint32_t i = 1; i < hart_count; i++)
		if (go(want, (void *)(uintptr_t)r) == 0)
			abort();
	while (atomic_load(&wanters) < hart_count - 1)
		KEEP_FRAME();
	preempt_disable();
	on_system_stack(die_sys, (void *)(uintptr_t)r);
	KEEP_FRAME();
}

static void use_page(void)
{
	struct page_stats s;
	page_stats(&s);
}

static void want_page(int i)
{
	(void)i;
	void *p = malloc(BIG + 1);
	__asm__ volatile("" : "+r"(p)); /* or the compiler leaves both out */
	free(p);
}

SHOWN void panic_with_page_lock(void)
{
	static const struct real page = {RANK_PAGE, use_page, want_page};
	die_with(&page);
	KEEP_FRAME();
}

static void use_heap(void)
{
	struct object *list;
	if (slab_take(size_class_of(BIG), 1, &list) != 1)
		panic("memory is out");
}

static void want_heap(int i)
{
	(void)i;
	void *few[FEW];
	for (int n = 0; n < FEW; n++)
		few[n] = malloc(BIG);
	__asm__ volatile("" ::"r"(few) : "memory");
	for (int n = 0; n < FEW; n++)
		free(few[n]);
}

SHOWN void panic_with_heap_lock(void)
{
	static const struct real heap = {RANK_HEAP, use_heap, want_heap};
	die_with(&heap);
	KEEP_FRAME();
}

static void want_console(int i)
{
	(void)i;
	console_typed_end();
}

SHOWN void panic_with_console_lock(void)
{
	static const struct real console = {RANK_CONSOLE, console_typed_end, want_console};
	die_with(&console);
	KEEP_FRAME();
}

static void use_trace(void)
{
	trace_blocks_free();
}

/* Each string is new to the trace. */
static void want_trace(int i)
{
	char text[40];
	snprintf(text, sizeof text, "message %d", i);
	trace_log(0, "category", text);
}

SHOWN void panic_with_trace_lock(void)
{
	static const struct real trace = {RANK_TRACE, use_trace, want_trace};
	die_with(&trace);
	KEEP_FRAME();
}
