/* Counted objects, their cleanups and finalizers. */
#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <hartbeat/cleanup.h>
#include <hartbeat/go.h>
#include <hartbeat/labels.h>
#include <hartbeat/panic.h>

#include "kernel/g.h"
#include "kernel/heap.h"

static struct {
	char order[16];
	uint32_t n;
	_Atomic uint32_t ran;
	void *kept;
	bool was_system, had_labels;
	uint32_t count;
} s;

static void letter(void *arg)
{
	s.order[s.n++] = (char)(uintptr_t)arg;
}

static void add(void *o, char c)
{
	CHECK(cleanup_add(o, letter, (void *)(uintptr_t)c) != 0);
}

GUEST_TEST(cleanup, order, "cleanups run once, in order, after the last release and not before")
{
	char *o = object_new(100);
	memset(&s, 0, sizeof s);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(o[i], 0);
	CHECK((uintptr_t)o % 16 == 0);
	add(o, 'a');
	uint64_t b = cleanup_add(o, letter, (void *)(uintptr_t)'b');
	add(o, 'c');
	CHECK(cleanup_stop(o, b) && !cleanup_stop(o, b));
	CHECK(object_retain(o) == o);
	object_release(o);
	cleanup_wait();
	CHECK_EQ(s.n, 0);
	uint64_t d = cleanup_add(o, letter, (void *)(uintptr_t)'d');
	CHECK(cleanup_stop(o, d));
	add(o, 'e');
	object_release(o);
	cleanup_wait();
	CHECK_EQ(strcmp(s.order, "ace"), 0);
	object_release(NULL);
}

static void finalize(void *o)
{
	letter((void *)(uintptr_t)'f');
	if (s.kept == NULL)
		s.kept = object_retain(o);
}

GUEST_TEST(cleanup, finalizer,
	   "a finalizer runs before the end, may keep the object, and runs once each time it is set")
{
	memset(&s, 0, sizeof s);
	void *o = object_new(8);
	add(o, 'x');
	CHECK_EQ(finalizer_set(o, finalize), 0);
	bool refused = false;
	RECOVER_SCOPE (r) {
		CHECK(finalizer_set(o, finalize) != 0);
	} else {
		refused = strcmp(r.message, "runtime.SetFinalizer: finalizer already set") == 0;
	}
	CHECK(refused);
	object_release(o);
	cleanup_wait();
	CHECK_EQ(strcmp(s.order, "f"), 0);
	CHECK(s.kept == o);
	CHECK_EQ(finalizer_set(o, finalize), 0);
	CHECK_EQ(finalizer_set(o, NULL), 0);
	CHECK_EQ(finalizer_set(o, finalize), 0);
	object_release(o); /* the one that was kept */
	cleanup_wait();
	cleanup_wait(); /* what the finalizer's own release queued */
	CHECK_EQ(strcmp(s.order, "ffx"), 0);
}

static void look(void *arg)
{
	(void)arg;
	s.was_system = g_self()->system;
	s.count = go_count();
	struct labels *l = labels_current(), *more;
	s.had_labels |= labels_value(l, "left") != NULL;
	more = labels_with(l, &(struct label){"left", "behind"}, 1);
	labels_set(more);
	labels_release(more);
	labels_release(l);
}

GUEST_TEST(cleanup, class,
	   "the goroutine that runs them is the program's, and counted, meanwhile only; labels do not stay")
{
	memset(&s, 0, sizeof s);
	uint32_t before = go_count();
	for (int i = 0; i < 2; i++) {
		void *o = object_new(8);
		CHECK(cleanup_add(o, look, NULL) != 0);
		object_release(o);
		cleanup_wait();
	}
	CHECK(!s.was_system && !s.had_labels);
	CHECK_EQ(s.count, before + 1);
	CHECK(guest_count_settles(before));
}

static void leave(void *arg)
{
	(void)arg;
	atomic_fetch_add(&s.ran, 1);
	go_exit();
}

static void count(void *arg)
{
	(void)arg;
	atomic_fetch_add(&s.ran, 1);
}

GUEST_TEST(cleanup, go_exit, "a cleanup that ends its goroutine does not end the others")
{
	memset(&s, 0, sizeof s);
	uint32_t before = go_count();
	for (int i = 0; i < 10; i++) {
		void *o = object_new(8);
		CHECK(cleanup_add(o, i % 2 == 0 ? leave : count, NULL) != 0);
		object_release(o);
	}
	cleanup_wait();
	CHECK_EQ(atomic_load(&s.ran), 10);
	CHECK(guest_count_settles(before));
}

static void leave_with_letter(void *arg)
{
	letter(arg);
	go_exit();
}

/* Also by way of a panic that it recovers: without a scope the goroutine ends. */
static void recover_it(void *arg)
{
	(void)arg;
	CHECK(go_recover() != NULL);
}

static void leave_by_panic(void *arg)
{
	DEFER(recover_it, NULL);
	letter(arg);
	go_panic("recovered");
}

static void finalize_and_leave(void *o)
{
	(void)o;
	leave_with_letter((void *)(uintptr_t)'f');
}

GUEST_TEST(cleanup, go_exit_of_several,
	   "what else is to run for an object runs when its finalizer or a cleanup ends its goroutine")
{
	memset(&s, 0, sizeof s);
	uint32_t before = go_count();
	struct heap_stats was, is;
	for (int i = 0; i < 2; i++) { /* the first time goroutines are made */
		memset(&s, 0, sizeof s);
		heap_stats(&was);
		void *o = object_new(8);
		CHECK_EQ(finalizer_set(o, finalize_and_leave), 0);
		CHECK(cleanup_add(o, leave_with_letter, (void *)(uintptr_t)'a') != 0);
		CHECK(cleanup_add(o, leave_by_panic, (void *)(uintptr_t)'b') != 0);
		CHECK(cleanup_add(o, letter, (void *)(uintptr_t)'c') != 0);
		object_release(o);
		cleanup_wait();
		cleanup_wait(); /* what the finalizer's own release queued */
		CHECK_EQ(strcmp(s.order, "fabc"), 0);
		CHECK(guest_count_settles(before));
		heap_stats(&is);
	}
	CHECK_EQ(is.used_objects, was.used_objects);
}

GUEST_TEST(cleanup, misuse, "an object that is its cleanup's argument is refused")
{
	void *o = object_new(8);
	bool refused = false;
	RECOVER_SCOPE (r) {
		CHECK(cleanup_add(o, count, o) == 0);
	} else {
		refused = strstr(r.message, "ptr is equal to arg") != NULL;
	}
	CHECK(refused);
	object_release(o);
	CHECK(object_new(SIZE_MAX) == NULL && errno == ENOMEM);
}

static void share(void *o)
{
	for (int i = 0; i < 1000; i++) {
		object_retain(o);
		object_release(o);
	}
	object_release(o);
}

GUEST_TEST(cleanup, shared, "of many who release an object one is the last")
{
	memset(&s, 0, sizeof s);
	for (uint32_t i = 0; i < guest_count(20, 1000); i++) {
		struct guest_group all = {0};
		void *o = object_new(64);
		CHECK(cleanup_add(o, count, NULL) != 0);
		for (int k = 0; k < 8; k++)
			guest_go(&all, share, object_retain(o));
		object_release(o);
		guest_wait(&all);
		cleanup_wait();
		CHECK_EQ(atomic_load(&s.ran), i + 1);
	}
}
