/*
 * Counted objects, and the goroutine that runs what is to run when they are gone (include/hartbeat/cleanup.h).
 *
 *	last release -> queue -> cleanup goroutine: [ finalizer -> release again ] or [ free -> cleanup, cleanup, ... ]
 *
 * The cleanup goroutine is of the kernel while it waits, and of the program in each function that it calls: it changes its class while it
 * runs, which is why nobody may ask for the class of a goroutine that could run meanwhile (sched/barrier.c, rule 2).
 *
 * 1. Class and count of the program's goroutines change together, with preemption off. Otherwise the world could stop between the two, and
 *    a profile would hold one goroutine more than were alive.
 * 2. An object is linked into the queue by itself. Otherwise its end would need memory.
 * 3. What is left to do for an object whose function runs is in `work`, not on the stack. Otherwise a function that calls go_exit() would take
 *    it away.
 */
#include <hartbeat/cleanup.h>

#include <hartbeat/cond.h>
#include <hartbeat/panic.h>
#include <hartbeat/sync.h>

#include <errno.h>

#include "kernel/assert.h"
#include "kernel/heap.h"
#include "sched/impl.h"

enum { OBJECT_MAGIC = 0x6f626a31 };

struct cleanup {
	struct cleanup *next;
	uint64_t number;
	void (*fn)(void *arg);
	void *arg;
};

/* Lies before what the program sees. */
struct object {
	uint32_t magic;
	_Atomic uint32_t refs; /* 0: nobody's, or the cleanup goroutine's */
	/* guarded by `lock`; by the cleanup goroutine alone when nobody refers to it any more */
	void (*finalizer)(void *o);
	struct cleanup *first, **end;
	struct object *next; /* in the queue */
	uint64_t pad;
};

_Static_assert(sizeof(struct object) % 16 == 0, "what follows is aligned");

static struct mutex lock; /* protects what follows, and what objects say of it */
static struct cond work, idle;
static struct object *queue, **queue_end = &queue;
static uint64_t last_number, queued, done; /* objects so far */
static bool started;

/* The object whose functions run now; the cleanup goroutine's, and its successor's. */
static struct {
	bool open;
	struct object *finalized; /* to be released when its finalizer is over */
	struct cleanup *rest;     /* still to be called */
} work_now;

static struct object *object_of(void *o)
{
	struct object *b = (struct object *)o - 1;
	ASSERT(b->magic == OBJECT_MAGIC, "an object comes from object_new(), and is there");
	return b;
}

void *object_new(size_t size)
{
	struct object *b = size <= SIZE_MAX - sizeof *b ? heap_alloc_zero(sizeof *b + size) : NULL;
	if (b == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	b->magic = OBJECT_MAGIC;
	atomic_init(&b->refs, 1);
	b->end = &b->first;
	return b + 1;
}

void *object_retain(void *o)
{
	uint32_t before = atomic_fetch_add_explicit(&object_of(o)->refs, 1, memory_order_relaxed);
	ASSERT(before > 0 && before < UINT32_MAX, "an object is retained by who refers to it");
	return o;
}

/* ---- the goroutine ---- */

static void class_set(bool system)
{
	preempt_disable();
	go_class_set(system);
	preempt_enable();
}

static void cleanup_loop(void *arg);

static bool start_locked(void)
{
	if (!started)
		started = go_system(cleanup_loop, NULL, "cleanup") != 0;
	return started;
}

/* The function called go_exit(), so that this goroutine ends: another goes on. Without memory the next release, or who waits, starts it. Nobody
 * does after a panic: the program ends. */
static void replaced(void *running)
{
	if (*(bool *)running && go_panicking() == NULL) {
		mutex_lock(&lock);
		started = false;
		start_locked();
		mutex_unlock(&lock);
	}
}

static void call(void (*fn)(void *), void *arg, bool *running)
{
	class_set(false);
	*running = true;
	fn(arg);
	*running = false;
	labels_set(NULL);
	class_set(true);
}

static void work_begin(struct object *b, bool *running)
{
	void (*finalizer)(void *) = b->finalizer;
	if (finalizer == NULL) {
		work_now.rest = b->first;
		b->magic = 0;
		heap_free(b);
		return;
	}
	b->finalizer = NULL;
	atomic_store_explicit(&b->refs, 1, memory_order_relaxed);
	work_now.finalized = b;
	call(finalizer, b + 1, running);
}

static void work_end(bool *running)
{
	struct object *b = work_now.finalized;
	struct cleanup *c;
	work_now.finalized = NULL;
	object_release(b != NULL ? b + 1 : NULL);
	while ((c = work_now.rest) != NULL) {
		struct cleanup now = *c;
		work_now.rest = now.next;
		heap_free(c);
		call(now.fn, now.arg, running);
	}
}

/* The next object of the queue. */
static struct object *work_take_locked(void)
{
	struct object *b = queue;
	queue = b->next;
	if (queue == NULL)
		queue_end = &queue;
	work_now.open = true;
	return b;
}

static void cleanup_loop(void *arg)
{
	bool running = false;
	(void)arg;
	DEFER(replaced, &running);
	mutex_lock(&lock);
	for (;;) {
		while (queue == NULL && !work_now.open) {
			cond_broadcast(&idle);
			cond_wait(&work, &lock);
		}
		struct object *b = work_now.open ? NULL : work_take_locked();
		mutex_unlock(&lock);
		if (b != NULL)
			work_begin(b, &running);
		work_end(&running);
		mutex_lock(&lock);
		work_now.open = false;
		done++;
		cond_broadcast(&idle);
	}
}

/* ---- what is to run ---- */

void object_release(void *o)
{
	if (o == NULL)
		return;
	struct object *b = object_of(o);
	/* pairs with itself: what others did with the object comes before it is freed */
	uint32_t before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	ASSERT(before > 0, "an object is released once for each reference");
	if (before > 1)
		return;
	if (b->finalizer == NULL && b->first == NULL) {
		b->magic = 0;
		heap_free(b);
		return;
	}
	mutex_lock(&lock);
	b->next = NULL;
	*queue_end = b;
	queue_end = &b->next;
	queued++;
	start_locked();
	cond_signal(&work);
	mutex_unlock(&lock);
}

uint64_t cleanup_add(void *o, void (*fn)(void *arg), void *arg)
{
	struct object *b = object_of(o);
	if (arg == o)
		go_panic("runtime.AddCleanup: ptr is equal to arg, cleanup will never run");
	struct cleanup *c = heap_alloc(sizeof *c);
	mutex_lock(&lock);
	if (c == NULL || !start_locked()) {
		mutex_unlock(&lock);
		heap_free(c);
		errno = ENOMEM;
		return 0;
	}
	uint64_t number = ++last_number;
	*c = (struct cleanup){.number = number, .fn = fn, .arg = arg};
	*b->end = c;
	b->end = &c->next;
	mutex_unlock(&lock);
	return number;
}

bool cleanup_stop(void *o, uint64_t number)
{
	struct object *b = object_of(o);
	mutex_lock(&lock);
	struct cleanup **at = &b->first;
	while (*at != NULL && (*at)->number != number)
		at = &(*at)->next;
	struct cleanup *c = *at;
	if (c != NULL) {
		*at = c->next;
		if (b->end == &c->next)
			b->end = at;
	}
	mutex_unlock(&lock);
	heap_free(c);
	return c != NULL;
}

int finalizer_set(void *o, void (*fn)(void *o))
{
	struct object *b = object_of(o);
	mutex_lock(&lock);
	bool there = b->finalizer != NULL && fn != NULL;
	bool possible = fn == NULL || start_locked();
	if (possible && !there)
		b->finalizer = fn;
	mutex_unlock(&lock);
	if (there)
		go_panic("runtime.SetFinalizer: finalizer already set");
	if (!possible)
		errno = ENOMEM;
	return possible ? 0 : -1;
}

void cleanup_wait(void)
{
	mutex_lock(&lock);
	for (uint64_t until = queued; done < until;) {
		start_locked();
		cond_wait(&idle, &lock);
	}
	mutex_unlock(&lock);
}
