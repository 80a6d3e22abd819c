/*
 * Owns each hart's caches of free objects, and the public interface.
 *
 *	heap_alloc -- bin of this hart: head, spare --(system stack)-- slabs of the class --(system stack)--
 *pages
 *
 * A bin keeps two lists of at most a batch each. Allocation pops head; when head is empty it takes spare, and
 * only then asks the slabs for a batch. Freeing pushes on head; when head holds a batch it becomes spare, and
 *an older spare goes back to the slabs as a whole. So a program that allocates and frees in turn never leaves
 *its hart, and no list is walked.
 *
 * Invariants:
 * 1. A bin is touched only by its hart with preemption off. Otherwise two goroutines would pop one object.
 * 2. Slabs and pages are asked on the system stack. Otherwise the page lock would be taken on a stack that
 *may need it to grow.
 * 3. An object is sampled before its caller has it, and its page marked until it is freed. Otherwise its end would be missed.
 * 4. A free object carries its mark from slab_make() or heap_free() on until it is handed out. Otherwise
 *    freeing it twice, or writing to it after free, would not be noticed. (Of 8-byte objects only the last
 *one freed is recognised.)
 */
#include "kernel/heap.h"

#include <stdatomic.h>
#include <string.h>

#include "kernel/assert.h"
#include "kernel/large.h"
#include "kernel/page.h"
#include "kernel/preempt.h"
#include "kernel/size_class.h"
#include "kernel/slab.h"
#include "kernel/store.h"
#include "kernel/system.h"

struct bin {
	/* owned by this hart */
	struct object *head, *spare;
	/* atomic: written by this hart, read by heap_stats(); spare_count is 0 or batch */
	union {
		_Atomic uint16_t count; /* 16 bits: gcc for riscv64 stores wider atomics with an amoswap */
		_Atomic int32_t
			count_and_left; /* the upper half: objects to be handed out before the sampled one, see bin_pop() */
	};
	_Atomic uint16_t spare_count;
	/* immutable after heap_init() */
	uint16_t batch;
};

/* Aligned so that a hart's index only needs a shift. */
struct heap_hart {
	struct bin bins[CLASS_COUNT];
} __attribute__((aligned(2048)));

_Static_assert(sizeof(struct heap_hart) == 2048, "a hart's bins fill 2 KiB");

bool heap_poison;

enum { LEFT_MAX = 1 << 15 }; /* what the upper half of count_and_left can count */

_Static_assert(offsetof(struct bin, count) == offsetof(struct bin, count_and_left) &&
		       __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the count is the lower half");

static struct heap_hart heap_harts[HART_MAX];
/* Of each bin, owned by its hart: of the objects before the sampled one, those that do not fit into the upper half. */
static uint64_t left_more[HART_MAX][CLASS_COUNT];
const struct heap_sampling *heap_sampling;
void (*heap_moved_hook)(size_t bytes);
static _Atomic size_t failed;

static unsigned get(_Atomic uint16_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void set(_Atomic uint16_t *v, unsigned to)
{
	atomic_store_explicit(v, (uint16_t)to, memory_order_relaxed);
}

/* Notes that the sampled object is the one after n others. Preemption off. */
static void left_set(struct bin *b, uint64_t *more, uint64_t n)
{
	uint32_t now = n < LEFT_MAX ? (uint32_t)n : LEFT_MAX - 1;
	*more = n == UINT64_MAX ? n : n - now;
	store_relaxed(&b->count_and_left, (int32_t)(now << 16 | get(&b->count)));
}

static uint64_t distance(unsigned class)
{
	uint64_t d = heap_sampling != NULL ? heap_sampling->distance(size_classes[class].size) : UINT64_MAX;
	return d == UINT64_MAX ? d : d - 1;
}

void heap_sampling_set(const struct heap_sampling *s)
{
	heap_sampling = s;
	for (unsigned h = 0; h < HART_MAX; h++)
		for (unsigned c = 0; c < CLASS_COUNT; c++)
			left_set(&heap_harts[h].bins[c], &left_more[h][c], distance(c));
}

void heap_sampled_set(const void *p, bool sampled)
{
	struct page *page = page_find((uintptr_t)p);
	uint8_t kind = page->kind & (uint8_t)~PAGE_SAMPLED;
	__atomic_store_n(&page->kind, sampled ? kind | PAGE_SAMPLED : kind, __ATOMIC_RELAXED);
}

void heap_init(unsigned n_harts)
{
	for (unsigned h = 0; h < n_harts; h++)
		for (unsigned c = 0; c < CLASS_COUNT; c++)
			heap_harts[h].bins[c].batch = size_classes[c].batch;
	heap_sampling_set(NULL);
}

/* bin_pop() came below 0: whether the object it took is the sampled one. Preemption off. */
static bool left_over(struct bin *b, unsigned class)
{
	uint64_t *more = &left_more[hart_index()][class], n = *more;
	bool sampled = n == 0;
	if (sampled)
		n = distance(class);
	else if (n != UINT64_MAX)
		n--; /* the one that was just taken */
	left_set(b, more, n);
	return sampled;
}

/* System context: gives everything this hart caches back. */
static void drain_sys(void *arg)
{
	(void)arg;
	struct heap_hart *h = &heap_harts[hart_index()];
	for (unsigned c = 0; c < CLASS_COUNT; c++) {
		struct bin *b = &h->bins[c];
		if (b->head != NULL)
			slab_give(c, b->head);
		if (b->spare != NULL)
			slab_give(c, b->spare);
		b->head = b->spare = NULL;
		set(&b->count, 0);
		set(&b->spare_count, 0);
	}
	page_drain();
}

void heap_drain(void)
{
	preempt_disable();
	on_system_stack(drain_sys, NULL);
	preempt_enable();
}

struct bin_request {
	struct bin *bin;
	unsigned class;
};

static void refill_sys(void *arg)
{
	struct bin_request *r = arg;
	struct object *list;
	unsigned got = slab_take(r->class, r->bin->batch, &list);
	if (got == 0) {
		drain_sys(NULL);
		got = slab_take(r->class, r->bin->batch, &list);
	}
	r->bin->head = list;
	set(&r->bin->count, got);
}

static void spare_give_sys(void *arg)
{
	struct bin_request *r = arg;
	slab_give(r->class, r->bin->spare);
}

/* Fills an empty head. Preemption is off. */
static void __attribute__((noinline)) bin_refill(struct bin *b, unsigned class)
{
	if (b->spare != NULL) {
		b->head = b->spare;
		set(&b->count, get(&b->spare_count));
		b->spare = NULL;
		set(&b->spare_count, 0);
		return;
	}
	struct bin_request r = {b, class};
	on_system_stack(refill_sys, &r);
	heap_moved(get(&b->count) * size_classes[class].size);
}

/* Makes room in a full head. Preemption is off. */
static void __attribute__((noinline)) bin_retire(struct bin *b, unsigned class)
{
	if (b->spare != NULL) {
		struct bin_request r = {b, class};
		on_system_stack(spare_give_sys, &r);
		heap_moved(get(&b->spare_count) * size_classes[class].size);
	}
	b->spare = b->head;
	set(&b->spare_count, get(&b->count));
	b->head = NULL;
	set(&b->count, 0);
}

static void poison_fill(struct object *o, unsigned class, int fill)
{
	memset(o + 1, fill, size_classes[class].size - sizeof *o);
}

/* The second word of a free object is not its plain mark: it is filled with poison, or was written to. */
static void *__attribute__((noinline)) poison_check(struct object *o, unsigned class)
{
	ASSERT(o->mark == object_mark(o) - 1, "a free heap object is not written to");
	const unsigned char *fill = (const unsigned char *)(o + 1);
	for (size_t i = 0; i < size_classes[class].size - sizeof *o; i++)
		ASSERT(fill[i] == POISON_FREE, "a free heap object is not written to");
	o->mark = 0;
	poison_fill(o, class, POISON_FRESH);
	return o;
}

/* Checks and clears the mark of an object that leaves its bin. Every path of the allocation ends in a tail
 * call or makes none, so that the fast one saves no register. */
static inline void *object_unmark(struct object *o, unsigned class)
{
	if (class > 0) {
		if (__builtin_expect(o->mark != object_mark(o), 0))
			return poison_check(o, class);
		o->mark = 0;
	}
	return o;
}

static void *__attribute__((noinline)) unmark_after_hook(struct object *o, unsigned class)
{
	preempt_hook();
	return object_unmark(o, class);
}

/* This hart's bin. The compiler would compute the address again for each atomic field. Preemption off. */
static inline struct bin *bin_here(unsigned class)
{
	struct bin *b = &heap_harts[hart_index()].bins[class];
	__asm__("" : "+r"(b));
	return b;
}

/* Takes one off both halves of the word at once; it holds an object, so nothing is borrowed. *due: below 0, see left_over(). */
static inline struct object *bin_pop(struct bin *b, bool *due)
{
	struct object *o = b->head;
	b->head = o->next;
	int32_t left = atomic_load_explicit(&b->count_and_left, memory_order_relaxed) - (1 << 16) - 1;
	store_relaxed(&b->count_and_left, left);
	*due = left < 0;
	return o;
}

/* Goes on where small_alloc() has taken an object and left_over() is to be asked, with preemption off. */
static void *__attribute__((noinline)) small_alloc_due(struct object *o, struct bin *b, unsigned class)
{
	bool sampled = left_over(b, class);
	object_unmark(o, class);
	if (sampled)
		heap_sampling->taken(o, size_classes[class].size, (uintptr_t)__builtin_frame_address(0));
	preempt_enable();
	return o;
}

/* Goes on where small_alloc() found an empty head, with preemption off. */
static void *__attribute__((noinline)) small_alloc_slow(struct bin *b, unsigned class)
{
	bin_refill(b, class);
	bool due = false;
	struct object *o = b->head != NULL ? bin_pop(b, &due) : NULL;
	if (due)
		return small_alloc_due(o, b, class);
	preempt_enable();
	if (o == NULL) {
		atomic_fetch_add_explicit(&failed, 1, memory_order_relaxed);
		return NULL;
	}
	return object_unmark(o, class);
}

static inline __attribute__((always_inline)) void *small_alloc(unsigned class)
{
	preempt_disable();
	ASSERT(arch_hart()->in_irq == 0, "an interrupt does not allocate");
	struct bin *b = bin_here(class);
	if (__builtin_expect(b->head == NULL, 0))
		return small_alloc_slow(b, class);
	bool due;
	struct object *o = bin_pop(b, &due);
	if (__builtin_expect(due, 0))
		return small_alloc_due(o, b, class);
	if (preempt_enable_due())
		return unmark_after_hook(o, class);
	return object_unmark(o, class);
}

/* Out of line, so that the short way has no frame. */
static void *__attribute__((noinline)) large(size_t size, unsigned align_order)
{
	void *p = large_alloc(size, align_order);
	if (p == NULL)
		atomic_fetch_add_explicit(&failed, 1, memory_order_relaxed);
	return p;
}

void *heap_alloc(size_t size)
{
	if (__builtin_expect(size <= CLASS_SIZE_MAX, 1))
		return small_alloc(size_class_of(size));
	return large(size, 0);
}

void *heap_alloc_zero(size_t size)
{
	void *p = heap_alloc(size);
	if (p != NULL)
		memset(p, 0, size);
	return p;
}

void *heap_aligned(size_t align, size_t size)
{
	ASSERT(align > 0 && (align & (align - 1)) == 0 && align <= (size_t)PAGE_SIZE << PAGE_ORDER_MAX,
	       "an alignment is a power of two, at most 1 GiB");
	if (size < align && align <= CLASS_SIZE_MAX)
		size = align;
	/* Slabs start on a page: every object of a class whose size is a multiple of align is aligned. */
	if (size <= CLASS_SIZE_MAX && align <= PAGE_SIZE) {
		unsigned fit = size_class_of(size);
		while (size_classes[fit].size % align != 0)
			fit++;
		return small_alloc(fit);
	}
	unsigned order = 0;
	while ((size_t)PAGE_SIZE << order < align)
		order++;
	return large(size > 0 ? size : 1, order);
}

/* The page of a heap object; asserts that p points into one. */
static struct page *object_page(const void *p)
{
	struct page *page = page_find((uintptr_t)p);
	ASSERT(page != NULL && page->kind != PAGE_PLAIN, "a heap pointer points to a live heap object");
	return page;
}

static inline void bin_push(struct bin *b, struct object *o)
{
	o->next = b->head;
	b->head = o;
	set(&b->count, get(&b->count) + 1);
}

/* Goes on where small_free() found a full head or a broken rule, with preemption off. */
static void __attribute__((noinline)) small_free_slow(struct object *o, struct bin *b, unsigned class)
{
	ASSERT(arch_hart()->in_irq == 0, "an interrupt does not free");
	ASSERT(b->head != o, "a heap object is freed once");
	bin_retire(b, class);
	bin_push(b, o);
	preempt_enable();
}

static inline void small_free(struct object *o, unsigned class)
{
	preempt_disable();
	struct bin *b = bin_here(class);
	if (__builtin_expect(get(&b->count) >= b->batch || b->head == o || arch_hart()->in_irq != 0, 0)) {
		small_free_slow(o, b, class);
		return;
	}
	bin_push(b, o);
	if (preempt_enable_due())
		preempt_hook();
}

static void __attribute__((noinline)) small_free_poison(struct object *o, unsigned class)
{
	o->mark--;
	poison_fill(o, class, POISON_FREE);
	small_free(o, class);
}

/* Where object_free() found a broken rule: names it. */
static void __attribute__((noinline)) free_refuse(const void *p, struct page *page)
{
	unsigned index;
	struct page *first;
	ASSERT(slab_index((uintptr_t)p, page, &index, &first), "a heap pointer is the start of an object");
	ASSERT(p == NULL, "a heap object is freed once");
}

/* Whether p is the start of an object that is in use, as far as that can be seen. */
static bool object_valid(void *p, struct page *page)
{
	unsigned index, class = page->class, kind = page->kind & ~PAGE_SAMPLED;
	struct page *first;
	struct object *o = p;
	if (kind == PAGE_LARGE)
		return (uintptr_t)p % PAGE_SIZE == 0;
	return (kind == PAGE_SLAB || kind == PAGE_SLAB_BODY) &&
	       slab_index((uintptr_t)p, page, &index, &first) && (class == 0 || object_mark(o) - o->mark > 1);
}

static void object_free_unsampled(void *p, struct page *page, unsigned kind);

/* A large object, or one in a page where one is sampled. */
static void __attribute__((noinline)) object_free_other(void *p, struct page *page)
{
	unsigned kind = page->kind;
	if ((kind & PAGE_SAMPLED) != 0 && object_valid(p, page)) {
		heap_sampling->freed(p);
		kind &= ~(unsigned)PAGE_SAMPLED;
	}
	if (kind == PAGE_SLAB || kind == PAGE_SLAB_BODY)
		object_free_unsampled(p, page, kind);
	else if (kind == (PAGE_SLAB | PAGE_SAMPLED) || kind == (PAGE_SLAB_BODY | PAGE_SAMPLED))
		free_refuse(p, page);
	else
		large_free(p, page);
}

/* All that is no tail call is in functions of their own, so that the fast path saves no register. */
static inline __attribute__((always_inline)) void object_free(void *p, struct page *page, unsigned kind)
{
	if (kind != PAGE_SLAB && kind != PAGE_SLAB_BODY) {
		object_free_other(p, page);
		return;
	}
	unsigned index, class = page->class;
	struct page *first;
	struct object *o = p;
	uintptr_t mark = object_mark(o);
	if (__builtin_expect(!slab_index((uintptr_t)p, page, &index, &first), 0) ||
	    (class > 0 && __builtin_expect(mark - o->mark <= 1, 0))) {
		free_refuse(p, page);
		return;
	}
	if (class > 0) {
		o->mark = mark;
		if (__builtin_expect(heap_poison, 0)) {
			small_free_poison(o, class);
			return;
		}
	}
	small_free(o, class);
}

static void object_free_unsampled(void *p, struct page *page, unsigned kind)
{
	object_free(p, page, kind);
}

/* NULL, an object outside the largest zone, or no object at all. */
static void __attribute__((noinline)) free_elsewhere(void *p)
{
	struct page *page = p != NULL ? object_page(p) : NULL;
	if (page != NULL)
		object_free(p, page, page->kind);
}

void heap_free(void *p)
{
	struct page *page = page_find_in(&page_zones[0], (uintptr_t)p);
	if (__builtin_expect(page == NULL, 0))
		free_elsewhere(p);
	else
		object_free(p, page, page->kind);
}

size_t heap_usable(const void *p)
{
	const struct page *page = object_page(p);
	return (page->kind & ~PAGE_SAMPLED) == PAGE_LARGE ? (size_t)page->large.pages << PAGE_SHIFT
							  : size_classes[page->class].size;
}

void *heap_realloc(void *p, size_t size)
{
	if (p == NULL)
		return heap_alloc(size);
	struct page *page = object_page(p);
	size_t usable = heap_usable(p);
	if ((page->kind & ~PAGE_SAMPLED) == PAGE_LARGE && size > CLASS_SIZE_MAX && size <= usable)
		return large_trim(p, page, size);
	if (size <= usable && size >= usable / 2)
		return p;
	void *to = heap_alloc(size);
	if (to == NULL)
		return size <= usable ? p : NULL;
	memcpy(to, p, size < usable ? size : usable);
	heap_free(p);
	return to;
}

bool heap_class_stats(unsigned class, struct heap_class_stats *s)
{
	if (class >= CLASS_COUNT)
		return false;
	struct slab_stats slabs = slab_stats(class);
	s->size = size_classes[class].size;
	s->slabs = slabs.slabs;
	s->cached = 0;
	for (unsigned h = 0; h < HART_MAX; h++) {
		struct bin *b = &heap_harts[h].bins[class];
		s->cached += get(&b->count) + get(&b->spare_count);
	}
	s->objects = slabs.out > s->cached ? slabs.out - s->cached : 0;
	return true;
}

size_t heap_taken(void)
{
	size_t bytes, objects;
	large_stats(&bytes, &objects);
	for (unsigned class = 0; class < CLASS_COUNT; class ++)
		bytes += slab_stats(class).out * size_classes[class].size;
	return bytes;
}

void heap_stats(struct heap_stats *s)
{
	large_stats(&s->large_bytes, &s->large_objects);
	s->failed = atomic_load_explicit(&failed, memory_order_relaxed);
	s->used_bytes = s->held_bytes = s->large_bytes;
	s->used_objects = s->large_objects;
	struct heap_class_stats c;
	for (unsigned class = 0; heap_class_stats(class, &c); class += 1) {
		s->used_bytes += c.objects * c.size;
		s->used_objects += c.objects;
		s->held_bytes += c.slabs * size_classes[class].pages * PAGE_SIZE;
	}
}
