/*
 * Buffers of the trace: blocks of 64 KiB from the page allocator, kept for the next use, up to a limit.
 *
 * 1. The trace lock is taken on system stacks only (its rank is a bottom half: kernel/ranks.txt). Otherwise a fresh stack page under it would
 *    need locks that others hold while they emit.
 * 2. A buffer is in one place: a hart's, a generation's list, or the free ones. Otherwise events would be lost or come twice.
 * 3. Without a buffer events go nowhere, without room in a table a string or stack is none, and the generation says that it was dropped.
 *    Otherwise a trace with holes would look whole, or somebody would wait.
 */
#include "trace/impl.h"

#include <string.h>

#include "kernel/assert.h"
#include "kernel/page.h"
#include "kernel/system.h"

_Static_assert(sizeof(struct trace_buf) == TRACE_BUF_SIZE, "a buffer fills its block");

enum { BLOCK_PAGES = TRACE_BUF_SIZE / PAGE_SIZE };

struct spinlock trace_lock = SPINLOCK_INIT(RANK_TRACE);
uint32_t trace_shift;
uint64_t trace_memory_max = UINT64_C(64) << 20;

struct block {
	struct block *next;
};

/* guarded by trace_lock */
static struct block *blocks_free;
static _Atomic uint64_t blocks; /* in use; written under the lock */
static _Atomic uint64_t taken;  /* ever; written under the lock */
static uint64_t taken_before;   /* when the generation began; written while the world is stopped */

uint64_t trace_memory(void)
{
	return atomic_load_explicit(&blocks, memory_order_relaxed) * TRACE_BUF_SIZE;
}

uint64_t trace_memory_waiting(void)
{
	uint64_t own = atomic_load_explicit(&taken, memory_order_relaxed) - taken_before;
	uint64_t all = atomic_load_explicit(&blocks, memory_order_relaxed);
	return own < all ? (all - own) * TRACE_BUF_SIZE : 0;
}

void trace_memory_begin(void)
{
	taken_before = atomic_load_explicit(&taken, memory_order_relaxed);
}

void *trace_block_take_locked(void)
{
	struct block *b = blocks_free;
	if ((atomic_load_explicit(&blocks, memory_order_relaxed) + 1) * TRACE_BUF_SIZE > trace_memory_max)
		return NULL;
	if (b != NULL)
		blocks_free = b->next;
	else if (!page_short())
		b = page_alloc_span(BLOCK_PAGES, 0);
	if (b != NULL) {
		atomic_fetch_add_explicit(&blocks, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
	}
	return b;
}

static struct trace_buf *buf_take_locked(uint64_t m)
{
	struct trace_buf *b = trace_block_take_locked();
	if (b != NULL) {
		b->next = NULL;
		b->m = m;
		b->time = trace_time();
		b->used = 0;
	}
	return b;
}

static void append_locked(struct trace_gen *gen, struct trace_buf *b)
{
	ASSERT(b->next == NULL && b != gen->last, "a buffer is flushed once");
	ASSERT(!gen->whole, "a generation that is handed out has all its events");
	*(gen->last != NULL ? &gen->last->next : &gen->first) = b;
	gen->last = b;
	gen->bytes += TRACE_BUF_SIZE;
}

struct request {
	struct trace_buf *buf;
	struct trace_gen *gen;
	void *block;
	uint64_t m;
};

static void take_sys(void *arg)
{
	struct request *r = arg;
	spin_lock(&trace_lock);
	r->buf = buf_take_locked(r->m);
	spin_unlock(&trace_lock);
}

struct trace_buf *trace_buf_take(uint64_t m)
{
	struct request r = {.m = m};
	on_system_stack(take_sys, &r);
	return r.buf;
}

static void give_sys(void *arg)
{
	struct block *b = arg;
	spin_lock(&trace_lock);
	b->next = blocks_free;
	blocks_free = b;
	atomic_fetch_sub_explicit(&blocks, 1, memory_order_relaxed);
	spin_unlock(&trace_lock);
}

void trace_block_give(void *block)
{
	on_system_stack(give_sys, block);
}

static void free_sys(void *arg)
{
	(void)arg;
	spin_lock(&trace_lock);
	struct block *next, *b = blocks_free;
	blocks_free = NULL;
	spin_unlock(&trace_lock);
	for (; b != NULL; b = next) {
		next = b->next;
		page_free_span(b, BLOCK_PAGES);
	}
}

void trace_blocks_free(void)
{
	on_system_stack(free_sys, NULL);
}

static void append_sys(void *arg)
{
	struct request *r = arg;
	spin_lock(&trace_lock);
	append_locked(r->gen, r->buf);
	spin_unlock(&trace_lock);
}

void trace_buf_append(struct trace_gen *gen, struct trace_buf *b)
{
	struct request r = {.gen = gen, .buf = b};
	on_system_stack(append_sys, &r);
}

bool trace_buf_copy(void *gen, const struct trace_buf *b)
{
	struct trace_buf *to = trace_buf_take(b->m);
	if (to == NULL)
		return false;
	to->time = b->time;
	to->used = b->used;
	memcpy(to->data, b->data, b->used);
	trace_buf_append(gen, to);
	return true;
}

static void nowhere(struct trace_hart *t)
{
	t->buf = NULL;
	t->at = t->end = t->none;
	t->last = 0;
}

/* t has another buffer, or NULL. */
static void fresh(struct trace_hart *t)
{
	if (t->buf == NULL) {
		trace_gen_hole(trace_gen);
		nowhere(t);
		return;
	}
	t->at = t->buf->data;
	t->end = t->buf->data + sizeof t->buf->data - TRACE_EVENT_MAX;
	t->last = t->buf->time;
}

static void swap_sys(void *arg)
{
	struct trace_hart *t = arg;
	spin_lock(&trace_lock);
	if (t->buf != NULL) {
		t->buf->used = (uint32_t)(t->at - t->buf->data);
		append_locked(trace_gen, t->buf);
#ifdef MUTANT_trace_flush_twice
		spin_unlock(&trace_lock);
		fresh(t);
		return;
#endif
		t->buf = NULL;
	}
	if (!atomic_load_explicit(&trace_gen->dropped, memory_order_relaxed))
		t->buf = buf_take_locked((uint64_t)arch_hart()->index + 1);
	spin_unlock(&trace_lock);
	fresh(t);
}

void trace_buf_swap(struct trace_hart *t)
{
	if (t->buf == NULL && atomic_load_explicit(&trace_gen->dropped, memory_order_relaxed)) {
		nowhere(t);
		return;
	}
#ifdef MUTANT_trace_lock_stack
	swap_sys(t);
#else
	on_system_stack(swap_sys, t);
#endif
}

void trace_buf_begin(struct trace_hart *t, uint32_t index)
{
	ASSERT(t->buf == NULL, "a hart begins a generation without a buffer of another one");
	t->buf = trace_buf_take((uint64_t)index + 1);
	fresh(t);
}

void trace_buf_end(struct trace_hart *t, struct trace_gen *gen)
{
	if (t->buf != NULL) {
		t->buf->used = (uint32_t)(t->at - t->buf->data);
		trace_buf_append(gen, t->buf);
	}
	nowhere(t);
}
