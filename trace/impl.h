/* What the files of trace/ share. */
#ifndef TRACE_IMPL_H
#define TRACE_IMPL_H

#include "kernel/clock.h"
#include "kernel/lock.h"
#include "trace/trace.h"

/* buf.c */

/* Protects the list and the tables of the running generation, and the free blocks. Taken on system stacks only: every emit may need it. */
extern struct spinlock trace_lock;

/* Blocks of TRACE_BUF_SIZE bytes, for buffers and tables. NULL: as many are in use as may be, or memory is out. */
void *trace_block_take_locked(void);
/* What is taken from here on is the next generation's. The world is stopped. */
void trace_memory_begin(void);
struct trace_buf *trace_buf_take(uint64_t m); /* goroutine context */
void trace_block_give(void *block);           /* goroutine context */
/* The hart's buffer is full, or it has none: to the list of the generation with it; a fresh one. */
__attribute__((noinline)) void trace_buf_swap(struct trace_hart *t);
/* The world is stopped: a first buffer of hart number `index` in the running generation; no buffer any more, what it had is in gen's list. */
void trace_buf_begin(struct trace_hart *t, uint32_t index);
void trace_buf_end(struct trace_hart *t, struct trace_gen *gen);
void trace_buf_append(struct trace_gen *gen, struct trace_buf *b); /* goroutine context */
/* Appends what b holds, too. False: there is no memory. Goroutine context; for trace_tables(). */
bool trace_buf_copy(void *gen, const struct trace_buf *b);

/* Memory ran out: something of it is missing, so it is dropped as a whole. */
static inline void trace_gen_hole(struct trace_gen *t)
{
	atomic_store_explicit(&t->dropped, true, memory_order_relaxed);
}

/* Time of events. */
static inline uint64_t trace_time(void)
{
	return arch_ticks() >> trace_shift;
}

static inline uint8_t *trace_varint(uint8_t *at, uint64_t v)
{
	while (__builtin_expect(v >= 0x80, 0)) {
		*at++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*at++ = (uint8_t)v;
	return at;
}

/* map.c */
bool trace_map_init(struct trace_map *m, uint32_t buckets);
void trace_map_free(struct trace_map *m);
const struct trace_entry *trace_map_put_locked(struct trace_map *m, const uint64_t *data, uint32_t size,
					       uint64_t hash);
/* Whether an entry of so many bytes may be put without another block; and another block. */
bool trace_map_has_room(const struct trace_map *m, uint32_t size);
void trace_map_extend_locked(struct trace_map *m, void *block);

/* string.c */

/* Strings that every generation has, under ids of their own: what the kernel says. Those of wait reasons: TRACE_TEXT_REASON + reason. */
enum {
	TRACE_TEXT_YIELD = 1,
	TRACE_TEXT_PREEMPTED,
	TRACE_TEXT_REASON,
	TRACE_TEXT_STW = TRACE_TEXT_REASON + WAIT_REASON_COUNT,
	TRACE_TEXT_STW_MAX = 32,
	TRACE_TEXT_COUNT = TRACE_TEXT_STW + TRACE_TEXT_STW_MAX, /* ids of other strings begin here, plus 1 */
};
const char *trace_text(unsigned id); /* NULL: there is none */
/* The id of a string in the running generation; 0: it is empty, or memory is out: the generation has a hole. Preemption off. */
uint32_t trace_string(const char *s);

/* Into a table of the running generation, or of one that has ended; NULL: no memory, and the caller says so of the generation. Goroutine or
 * system context. */
const struct trace_entry *trace_map_put(struct trace_map *m, const uint64_t *words, uint32_t size,
					uint64_t hash);

/* stack.c: ids of stacks in the running generation; 0: there is none, or memory is out: the generation has a hole. Preemption off. */

/* Of the running goroutine from the caller of the frame at fp on; 0 on a hart's stack. */
uint64_t trace_stack(struct trace_hart *t, uintptr_t fp);
/* Of one that a trap took off this hart. */
uint32_t trace_stack_left(const struct g *g);
/* Of one that has not run: its function. */
uint32_t trace_stack_entry(const struct g *g);
/* words: return addresses, or a place plus 1, innermost first, with room for TRACE_NAMED_WORDS more. */
uint32_t trace_stack_words(const struct g *g, uint64_t *words, uint32_t n);
/* The last words of stacks of the kernel's goroutines: this, the name (const char *), the function's address plus 1. */
#define TRACE_NAMED UINT64_C(1)
enum { TRACE_NAMED_WORDS = 3 };

/* A word with this bit is no address but a text (const char *): a frame that only has a name. */
#define TRACE_TEXT (UINT64_C(1) << 63)

/* cpu.c: the last samples of a generation. */
void trace_cpu_end(struct trace_gen *t);

/* go.c */

/* The status of a goroutine that does not run, behind `at`: its end. */
uint8_t *trace_status_write(uint8_t *at, uint64_t dt, uint64_t id, uint32_t status);
/* Panic context: where what the walk has written ends; whether g lives and nobody has claimed its status in the running generation. */
uint8_t *trace_walk_end(const struct trace_walk *w);
bool trace_status_open(const struct g *g);
void trace_order_check(void); /* the world is stopped */
void trace_hart_begin(struct hart *h, struct trace_hart *t, bool idle);
void trace_self_begin(struct g *self);

/* heap.c: whether it says what moves. The world is stopped. */
void trace_heap_watch(bool on);

/* gen.c */
int trace_batch_write(const struct trace_buf *b, uint64_t number, struct sink *s);
struct trace_symbols *trace_symbols_shared(
	void); /* for who advances generations, or a panic; NULL: there never was a trace */

/* table.c */

/*
 * The names and lines of a generation, batch by batch: each is filled in one of the two buffers of `s`, and given to take(). The generation
 * has ended. Returns false when take() did. Any context: allocates nothing, takes no lock.
 */
struct trace_symbols;
typedef bool trace_take_fn(void *ctx, const struct trace_buf *b);
bool trace_tables(const struct trace_gen *gen, struct trace_symbols *s, trace_take_fn *take, void *ctx);
extern const size_t trace_symbols_size;

#endif
