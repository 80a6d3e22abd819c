/*
 * Labels of goroutines, and the labels of samples. The names of Go's tests where there are such.
 */
#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/labels.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "prof/builder.h"
#include "prof/prof.h"
#include "record.h"
#include "sched/sched.h"

#define OWN_FRAME __attribute__((noipa))

#define LIST(...)                            \
	(const struct label[]){__VA_ARGS__}, \
		sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)

/* The caller's labels as text: a=1 b=2. */
static void text_of(const struct labels *s, char *to, size_t size)
{
	struct label l;
	size_t n = 0;
	to[0] = '\0';
	for (size_t i = 0; labels_at(s, i, &l) && n < size; i++)
		n += (size_t)snprintf(to + n, size - n, "%s%s=%s", i > 0 ? " " : "", l.key, l.value);
}

static void expect(const char *want)
{
	char text[200];
	struct labels *s = labels_current();
	text_of(s, text, sizeof text);
	labels_release(s);
	if (strcmp(text, want) != 0)
		guest_fail(__FILE__, __LINE__, "labels are '%s', not '%s'", text, want);
}

GUEST_TEST(labels, context_labels, "a set derived from another has its labels too; the later value counts")
{
	char text[100];
	struct labels *a = labels_with(NULL, LIST({"b", "1"}, {"a", "2"}, {"b", "3"}));
	struct labels *b = labels_with(a, LIST({"c", ""}, {"a", "4"}));
	struct labels *empty = labels_with(NULL, NULL, 0);
	text_of(a, text, sizeof text);
	CHECK(strcmp(text, "a=2 b=3") == 0);
	text_of(b, text, sizeof text);
	CHECK(strcmp(text, "a=4 b=3 c=") == 0);
	CHECK(strcmp(labels_value(b, "a"), "4") == 0 && labels_value(b, "d") == NULL);
	CHECK(labels_value(a, "c") == NULL);
	text_of(empty, text, sizeof text);
	CHECK(text[0] == '\0');
	labels_release(a);
	labels_release(b);
	labels_release(empty);
}

GUEST_TEST(labels, interned, "equal sets are one, however they came about")
{
	struct labels *a = labels_with(NULL, LIST({"x", "1"}, {"y", "2"}));
	struct labels *b = labels_with(NULL, LIST({"y", "0"}));
	struct labels *c = labels_with(b, LIST({"y", "2"}, {"x", "1"}));
	CHECK(a == c && a != b);
	labels_release(a);
	CHECK(strcmp(labels_value(c, "x"), "1") == 0);
	labels_release(b);
	labels_release(c);
}

static void child_expects(void *want)
{
	expect(want);
}

GUEST_TEST(labels, limits, "labels beyond the limits are refused whole, and what is not UTF-8 is replaced")
{
	static char value[LABEL_VALUE_MAX + 2], key[LABEL_KEY_MAX + 2];
	static char names[LABELS_MAX + 1][8];
	struct label many[LABELS_MAX + 1];
	struct labels *s;
	memset(value, 'v', sizeof value - 1);
	memset(key, 'k', sizeof key - 1);
	for (int i = 0; i <= LABELS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "k%d", i);
		many[i] = (struct label){names[i], "v"};
	}
	const struct label bad[] = {{"", "v"}, {NULL, "v"}, {"k", NULL}, {key, "v"}, {"k", value}};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		errno = 0;
		CHECK(labels_with(NULL, &bad[i], 1) == NULL && errno == EINVAL);
		CHECK_EQ(labels_do(&bad[i], 1, child_expects, "not called"), EINVAL);
	}
	errno = 0;
	CHECK(labels_with(NULL, many, LABELS_MAX + 1) == NULL && errno == EINVAL);
	s = labels_with(NULL, many, LABELS_MAX);
	CHECK(s != NULL && labels_with(s, LIST({"one", "more"})) == NULL);
	labels_release(s);
	key[LABEL_KEY_MAX] = value[LABEL_VALUE_MAX] = '\0';
	s = labels_with(NULL, LIST({key, value}));
	CHECK(s != NULL);
	labels_release(s);
	static const char *const texts[][2] = {
		{"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
		{"a\xff\x62", "a\xef\xbf\xbd\x62"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		s = labels_with(NULL, LIST({"text", texts[i][0]}));
		CHECK(s != NULL && strcmp(labels_value(s, "text"), texts[i][1]) == 0);
		labels_release(s);
	}
}

/* ---- goroutines ---- */

static void in_child(const char *want)
{
	struct guest_group one = {0};
	guest_go(&one, child_expects, (void *)want);
	guest_wait(&one);
}

GUEST_TEST(labels, set_goroutine_labels, "labels are inherited by go, replaced and cleared")
{
	expect("");
	in_child("");
	struct labels *s = labels_with(NULL, LIST({"key", "value"}));
	labels_set(s);
	expect("key=value");
	in_child("key=value");
	struct labels *t = labels_with(NULL, LIST({"other", "1"}));
	labels_set(t);
	expect("other=1");
	in_child("other=1");
	labels_set(NULL);
	expect("");
	in_child("");
	labels_release(s);
	labels_release(t);
}

static void do_inner(void *arg)
{
	(void)arg;
	expect("key1=value1 key2=value2");
	in_child("key1=value1 key2=value2");
	labels_set(NULL);
	expect("");
}

GUEST_TEST(labels, do, "labels_do restores what was there, whatever its function did, and children see them")
{
	CHECK_EQ(labels_do(LIST({"key2", "value2"}, {"key1", "value1"}), do_inner, NULL), 0);
	expect("");
	in_child("");
}

static void panics_inside(void)
{
	LABELS_SCOPE({"a", "2"});
	expect("a=2 b=1");
	go_panic("inside");
}

static void exits_inside(void *arg)
{
	(void)arg;
	LABELS_SCOPE({"exit", "1"});
	go_exit();
}

GUEST_TEST(labels, scope, "a scope's labels end with its block, by a panic too, and by go_exit()")
{
	uint32_t sets = labels_count(), n = go_count();
	{
		LABELS_SCOPE({"b", "1"}, {"a", "1"});
		expect("a=1 b=1");
		for (int i = 0; i < 3; i++) {
			char number[8];
			snprintf(number, sizeof number, "%d", i);
			LABELS_SCOPE({"i", number});
			if (i == 1)
				continue;
			expect(i == 0 ? "a=1 b=1 i=0" : "a=1 b=1 i=2");
		}
		RECOVER_SCOPE (r) {
			panics_inside();
		} else {
			expect("a=1 b=1");
		}
		LABELS_SCOPE({"", "no key"});
		expect("a=1 b=1");
	}
	expect("");
	for (int i = 0; i < 100; i++)
		CHECK(go(exits_inside, NULL) != 0);
	CHECK(guest_count_settles(n));
	if (!prof_running())
		CHECK_EQ(labels_count(), sets);
}

static void churn(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	struct labels *kept[20] = {NULL};
	for (uint32_t i = 0; i < guest_count(3000, 100000); i++) {
		char value[20];
		unsigned k = guest_random(&seed) % 20;
		snprintf(value, sizeof value, "%u", (unsigned)(guest_random(&seed) % (i % 2 ? 2000 : 30)));
		struct labels *s = labels_with(kept[k], LIST({k % 3 ? "request" : "user", value}));
		CHECK(s != NULL && strcmp(labels_value(s, k % 3 ? "request" : "user"), value) == 0);
		labels_release(kept[k]);
		kept[k] = s;
		labels_set(s);
		if (i % 64 == 0)
			go_yield();
	}
	for (unsigned k = 0; k < 20; k++)
		labels_release(kept[k]);
}

GUEST_TEST(labels, churn, "sets that many goroutines make, share and release at once are all given back")
{
	guest_profile_off();
	uint32_t sets = labels_count(), n = go_count();
	for (int round = 0; round < 2; round++) {
		struct guest_group all = {0};
		if (round == 1)
			CHECK_EQ(prof_start(2000), 0);
		for (uintptr_t i = 0; i < 6; i++)
			guest_go(&all, churn, (void *)(i + 1));
		guest_wait(&all);
		CHECK(guest_count_settles(n));
		if (round == 1)
			CHECK_EQ(prof_stop_with(NULL, NULL, NULL), 0);
		CHECK_EQ(labels_count(), sets);
	}
}

static void hold_many(void *arg)
{
	enum { N = 3000 };
	(void)arg;
	struct labels **all = malloc(N * sizeof *all);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < N; i++) {
			char value[20];
			snprintf(value, sizeof value, "%u", i);
			all[i] = labels_with(NULL, LIST({"n", value}));
			CHECK(all[i] != NULL);
		}
		for (unsigned i = 0; i < N; i++) {
			CHECK_EQ(atoi(labels_value(all[i], "n")), i);
			labels_release(all[i]);
		}
	}
	free(all);
}

GUEST_TEST(labels, many, "thousands of sets at once are told apart, and found again")
{
	uint32_t sets = labels_count();
	hold_many(NULL);
	if (!prof_running())
		CHECK_EQ(labels_count(), sets);
}

/* ---- samples ---- */

static volatile uint64_t sink;

OWN_FRAME static void label_left(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		sink = i;
}

OWN_FRAME static void label_right(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		sink = i * 3;
}

OWN_FRAME static void label_never(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		sink = i * 5;
}

/* The value of a record's label; "" when it has none of that key. */
static const char *value_of(const struct prof_record *r, const char *key)
{
	struct label l;
	for (unsigned i = 0; labels_of(r->labels & LABELS_ID_MASK, i, &l); i++)
		if (strcmp(l.key, key) == 0)
			return l.value;
	return "";
}

struct sides {
	uint64_t left, right, never, wrong;
};

static void look_sides(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct sides *s = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		const char *side = value_of(r, "side"), *want;
		if (record_find(r, "label_left") < r->depth) {
			s->left += r->count;
			want = "left";
		} else if (record_find(r, "label_right") < r->depth) {
			s->right += r->count;
			want = "right";
		} else if (record_find(r, "label_never") < r->depth) {
			s->never += r->count;
			want = "";
		} else {
			continue;
		}
		if (strcmp(side, want) == 0)
			continue;
		s->wrong += r->count;
		if (s->wrong <= 5)
			guest_note("labelled side='%s', not '%s'", side, want);
		record_wrong("a sample has labels of other code", r);
	}
}

static void sides_run(void *arg)
{
	uint64_t end = time_now() + (uintptr_t)arg;
	while (time_now() < end) {
		{
			LABELS_SCOPE({"side", "left"});
			label_left(20000);
		}
		label_never(10000);
		{
			LABELS_SCOPE({"side", "right"});
			label_right(20000);
		}
	}
}

/* tests/e2e/test-profile.sh opens the profile that this sends. */
GUEST_TEST(labels, cpu_profile_label, "samples carry the labels of their goroutine, at every moment")
{
	struct sides s = {0};
	guest_profile_off();
	for (int k = 0; k < GUEST_ATTEMPTS && (s.left == 0 || s.right == 0 || s.never == 0); k++) {
		struct guest_group all = {0};
		CHECK_EQ(prof_start(2000), 0);
		for (unsigned i = 0; i < go_harts() + 1; i++)
			guest_go(&all, sides_run, (void *)(uintptr_t)(60 * TIME_MILLISECOND));
		guest_wait(&all);
		CHECK_EQ(prof_stop_with("labels.pb.gz", look_sides, &s), 0);
	}
	guest_note("%llu left, %llu right, %llu without", (unsigned long long)s.left,
		   (unsigned long long)s.right, (unsigned long long)s.never);
	CHECK(s.left > 0 && s.right > 0 && s.never > 0);
}

/* Each set lives for one short call, so that its number is free while samples that name it are still in the rings. */
static void race_run(void *arg)
{
	uint64_t end = time_now() + 100 * TIME_MILLISECOND;
	uintptr_t id = (uintptr_t)arg;
	for (unsigned i = 0; time_now() < end; i++) {
		char number[24];
		snprintf(number, sizeof number, "%u.%u", (unsigned)id, i);
		if (i % 3 == 0) {
			label_never(300);
		} else if (i % 3 == 1) {
			LABELS_SCOPE({"side", "left"}, {"n", number});
			label_left(300);
		} else {
			LABELS_SCOPE({"side", "right"}, {"n", number});
			label_right(300);
		}
	}
}

GUEST_TEST(
	labels, label_race,
	"labels that are set and reset all the time reach the samples they belong to, and no other (Labels)")
{
	struct sides s = {0};
	guest_profile_off();
	for (int k = 0; k < GUEST_ATTEMPTS && s.left + s.right < 20; k++) {
		struct guest_group all = {0};
		CHECK_EQ(prof_start(10000), 0);
		for (unsigned i = 0; i < go_harts() + 2; i++)
			guest_go(&all, race_run, (void *)(uintptr_t)i);
		guest_wait(&all);
		CHECK_EQ(prof_stop_with(NULL, look_sides, &s), 0);
	}
	guest_note("%llu left, %llu right, %llu without; %llu wrong", (unsigned long long)s.left,
		   (unsigned long long)s.right, (unsigned long long)s.never, (unsigned long long)s.wrong);
	CHECK(s.left + s.right >= 20);
}

struct served {
	uint64_t labelled, over_system, unlabelled;
};

/* Where the time of labelled goroutines may go without their labels: to the scheduler, and to other goroutines. */
static void look_served(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct served *s = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		bool mine = record_find(r, "label_hog") < r->depth;
		bool labelled = strcmp(value_of(r, "key"), "value") == 0;
		if (labelled) {
			s->labelled += r->count;
			s->over_system += record_find(r, "arch_call_on") < r->depth ? r->count : 0;
		}
		if (mine && !labelled) {
			s->unlabelled += r->count;
			record_wrong("a stack of the labelled goroutine has no label", r);
		}
		if (labelled && record_find(r, "sched_loop") < r->depth)
			record_wrong("the scheduler's own stack has a label", r);
	}
}

OWN_FRAME static void label_hog(uint64_t end)
{
	uint64_t seed = end;
	while (time_now() < end) {
		void *p[16];
		for (int i = 0; i < 16; i++)
			p[i] = malloc(20000 + guest_random(&seed) % 60000);
		for (int i = 0; i < 16; i++)
			free(p[i]);
		go_yield();
	}
	sink = seed;
}

static void hog_run(void *arg)
{
	LABELS_SCOPE({"key", "value"});
	label_hog((uintptr_t)arg);
}

GUEST_TEST(labels, label_systemstack,
	   "samples on the system stack carry the labels of the goroutine that it serves, and no others do")
{
	struct served s = {0};
	guest_profile_off();
	for (int k = 0; k < GUEST_ATTEMPTS && s.over_system == 0; k++) {
		struct guest_group all = {0};
		CHECK_EQ(prof_start(10000), 0);
		for (unsigned i = 0; i < go_harts() + 1; i++)
			guest_go(&all, hog_run, (void *)(uintptr_t)(time_now() + 100 * TIME_MILLISECOND));
		guest_wait(&all);
		CHECK_EQ(prof_stop_with(NULL, look_served, &s), 0);
	}
	guest_note("%llu labelled, %llu of them over the system stack", (unsigned long long)s.labelled,
		   (unsigned long long)s.over_system);
	CHECK(s.labelled > 20 && s.over_system > 0);
}

static void look_harts(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	uint64_t *of = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		uint32_t hart = r->labels >> PROF_LABEL_HART_SHIFT & PROF_LABEL_HART_MASK;
		CHECK(hart <= go_harts());
		of[hart] += r->count;
	}
}

GUEST_TEST(labels, hart, "with the option prof.label.hart each sample says its hart")
{
	uint64_t of[34] = {0};
	guest_profile_off();
	CHECK_EQ(prof_start(2000), 0);
	guest_spin(20 * TIME_MILLISECOND);
	CHECK_EQ(prof_stop_with(NULL, look_harts, of), 0);
	for (unsigned i = 1; i <= go_harts(); i++)
		CHECK_EQ(of[i], 0);
	prof_label_hart = true;
	CHECK_EQ(prof_start(2000), 0);
	guest_spin(20 * TIME_MILLISECOND);
	of[0] = 0;
	CHECK_EQ(prof_stop_with(NULL, look_harts, of), 0);
	prof_label_hart = false;
	CHECK_EQ(of[0], 0);
	for (unsigned i = 1; i <= go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i - 1, &a);
		CHECK_EQ(of[i], a.samples);
	}
}
