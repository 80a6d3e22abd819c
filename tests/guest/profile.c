/* Profiles by name: the registry, custom profiles, their text, sinks, little stack and little memory. */
#include "profiles.h"
#include "suite.h"

#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/prof.h>
#include <hartbeat/profile.h>
#include <hartbeat/time.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/g.h"

static struct profile *things(void)
{
	static struct profile *p;
	if (p == NULL)
		p = profile_new("test.things");
	CHECK(p != NULL);
	return p;
}

static bool has(const char *text, const char *what)
{
	bool found = text != NULL && strstr(text, what) != NULL;
	if (!found)
		guest_note("'%s' is not in:\n%.400s", what, text != NULL ? text : "(nothing)");
	return found;
}

/* Go: TestEmptyCallStack. */
GUEST_TEST(profile, empty_call_stack, "a stack of which everything is left out has a frame that says so")
{
	static const char value;
	CHECK_EQ(profile_add(things(), &value, 47674), 0);
	char *text = profile_text("test.things", 1);
	CHECK(has(text, "test.things profile: total 1\n1 @ 0x4\n#\t0x0\t[lost]\n"));
	free(text);
	profile_remove(things(), &value);
}

__attribute__((noinline)) static void add_some(const char *values, int n)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(profile_add(things(), values + i, 0), 0);
}

__attribute__((noinline)) static void add_for_caller(const char *value)
{
	CHECK_EQ(profile_add(things(), value, 1), 0);
	__asm__ volatile("");
}

GUEST_TEST(profile, custom,
	   "a custom profile counts what was added and not taken out, under the stack that added it")
{
	static const char values[300];
	add_some(values, 299);
	add_for_caller(values + 299);
	CHECK_EQ(profile_count(things()), 300);
	char *text = profile_text("test.things", 1);
	CHECK(has(text, "test.things profile: total 300\n299 @ 0x"));
	CHECK(has(text, "\tadd_some+0x"));
	CHECK(has(text, "\ttests/guest/profile.c:") || has(text, "\tprofile.c:"));
	CHECK(text != NULL && strstr(text, "profile_add") == NULL && strstr(text, "add_for_caller") == NULL);
	CHECK(has(text, "guest_profile_custom+0x"));
	free(text);
	bool twice = false;
	RECOVER_SCOPE (r) {
		profile_add(things(), values, 0);
	} else {
		twice = strcmp(r.message, "profile: Profile.Add of duplicate value") == 0;
	}
	CHECK(twice);
	for (int i = 0; i < 300; i++)
		profile_remove(things(), values + i);
	profile_remove(things(), values); /* nothing happens */
	CHECK_EQ(profile_count(things()), 0);
	text = profile_text("test.things", 1);
	CHECK(text != NULL && strcmp(text, "test.things profile: total 0\n") == 0);
	free(text);
}

GUEST_TEST(profile, names, "profiles are found by name and listed in order; a name is taken once")
{
	static const char *const wrong[] = {
		"", "two words", "tab\t",
		"a-name-of-more-than-sixty-four-characters-that-nobody-wants-to-read"};
	struct profile *all[64];
	things();
	CHECK(profile_lookup("test.things") == things());
	CHECK(profile_lookup("test.thing") == NULL && profile_lookup("test.things2") == NULL);
	CHECK_EQ(strcmp(profile_name(things()), "test.things"), 0);
	size_t n = profile_list(all, 64), last = profile_list(NULL, 0);
	CHECK_EQ(n, last);
	for (size_t i = 1; i < n; i++)
		CHECK(strcmp(profile_name(all[i - 1]), profile_name(all[i])) < 0);
	unsigned refused = 0;
	RECOVER_SCOPE (r) {
		CHECK(profile_new("test.things") == NULL);
	} else {
		refused += strcmp(r.message, "profile: there is a profile \"test.things\" already") == 0;
	}
	for (volatile size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		RECOVER_SCOPE (r) {
			CHECK(profile_new(wrong[i]) == NULL);
		} else {
			refused += strstr(r.message, "printing characters expected") != NULL;
		}
	}
	CHECK_EQ(refused, 5);
}

struct failing {
	struct sink sink;
	unsigned writes, after;
};

static int fail(struct sink *s, const void *data, size_t n)
{
	struct failing *f = (struct failing *)s;
	(void)data;
	(void)n;
	return f->writes++ >= f->after ? -EIO : 0;
}

/* Go: TestWriteToErr, and what its API cannot be given. */
GUEST_TEST(profile, write_to_err,
	   "what a sink answers reaches the caller; wrong arguments are named by errno")
{
	static const char value;
	struct failing f = {.sink.write = fail};
	add_some(&value, 1);
	for (int debug = 0; debug < 3; debug++) {
		f.writes = 0;
		errno = 0;
		CHECK_EQ(profile_write("test.things", debug, &f.sink), -1);
		CHECK_EQ(errno, EIO);
	}
	profile_remove(things(), &value);
	CHECK(profile_write("nothing", 0, &f.sink) == -1 && errno == ENOENT);
	CHECK(profile_write("test.things", 3, &f.sink) == -1 && errno == EINVAL);
	CHECK(profile_write("test.things", -1, &f.sink) == -1 && errno == EINVAL);
	CHECK(profile_dump("test.things", 1, "no/name") == -1 && errno == EINVAL);
	CHECK(profile_dump("nothing", 1, "name") == -1 && errno == ENOENT);
}

GUEST_TEST(profile, both,
	   "two sinks get the same bytes, and one that fails does not keep the other from them")
{
	struct sink_memory a, b;
	struct sink_both both;
	struct failing f = {.sink.write = fail};
	sink_memory_init(&a);
	sink_memory_init(&b);
	sink_both_init(&both, &a.sink, &b.sink);
	CHECK_EQ(profile_write("test.things", 0, &both.sink), 0);
	CHECK(a.size > 50 && a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
	CHECK(a.size > 2 && (unsigned char)a.data[0] == 0x1f && (unsigned char)a.data[1] == 0x8b);
	sink_memory_free(&b);
	sink_both_init(&both, &f.sink, &b.sink);
	CHECK_EQ(profile_write("test.things", 1, &both.sink), 0);
	CHECK(both.error_a == -EIO && both.error_b == 0 && b.size > 0);
	sink_memory_free(&a);
	sink_memory_free(&b);
}

struct deep {
	const char *name;
	int (*fn)(struct sink *to); /* or NULL: the profile of that name */
	uintptr_t left;
	int debug, result;
	uint64_t delta_ns;
	size_t size;
};

/* Calls itself until so many bytes are left. */
__attribute__((noinline)) static void descend(struct deep *d)
{
	char fill[128];
	__asm__ volatile("" : : "r"(fill) : "memory");
	if (arch_sp() - g_self()->stack_lo > d->left + 256) {
		descend(d);
	} else {
		struct sink_memory m;
		sink_memory_init(&m);
		if (d->fn != NULL)
			d->result = d->fn(&m.sink);
		else
			d->result = d->delta_ns > 0 ? profile_write_delta(d->name, d->delta_ns, &m.sink)
						    : profile_write(d->name, d->debug, &m.sink);
		d->size = m.size;
		sink_memory_free(&m);
	}
	__asm__ volatile("" : : "r"(fill) : "memory"); /* no tail call */
}

static void descend_entry(void *d)
{
	descend(d);
}

static void descend_all(const char *name)
{
	static const uintptr_t left[] = {2048, 4096, 16384, 17000, 32768};
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
		for (int debug = 0; debug < 4; debug++) {
			struct guest_group group = {0};
			struct deep d = {.name = name,
					 .left = left[i],
					 .debug = debug % 3,
					 .delta_ns = debug == 3,
					 .result = 1};
			guest_go(&group, descend_entry, &d);
			guest_wait(&group);
			CHECK_EQ(d.result, 0);
			CHECK(d.size > 0);
		}
	}
}

/* A goroutine profile that was asked for with `left` bytes of stack. */
struct asked {
	struct sink_memory text;
	uintptr_t left;
	int debug, result;
	uint64_t id;
};

__attribute__((noinline)) static void ask(struct asked *a)
{
	char fill[128];
	__asm__ volatile("" : : "r"(fill) : "memory");
	if (arch_sp() - g_self()->stack_lo > a->left + 256)
		ask(a);
	else
		a->result = profile_write("goroutine", a->debug, &a->text.sink);
	__asm__ volatile("" : : "r"(fill) : "memory");
}

static void ask_entry(void *arg)
{
	struct asked *a = arg;
	a->id = go_id();
	ask(a);
}

/* Asked so, and what it has to begin with. */
static void goroutines_asked(uintptr_t left, int debug, uint32_t alive)
{
	struct guest_group group = {0};
	struct asked a = {.left = left, .debug = debug, .result = 1};
	char want[64];
	sink_memory_init(&a.text);
	guest_go(&group, ask_entry, &a);
	guest_wait(&group);
	CHECK_EQ(a.result, 0);
	if (debug == 1)
		snprintf(want, sizeof want, "goroutine profile: total %u\n", (unsigned)alive);
	else
		snprintf(want, sizeof want, "goroutine %llu [", (unsigned long long)a.id);
	if (a.text.size < strlen(want) || memcmp(a.text.data, want, strlen(want)) != 0)
		guest_fail(__FILE__, __LINE__, "with %lu bytes: begins with %.*s, expected %s",
			   (unsigned long)left, (int)strcspn(a.text.data, "\n"), a.text.data, want);
	sink_memory_free(&a.text);
	CHECK(guest_count_settles(alive - 1));
}

GUEST_TEST(profile, little_stack_helper,
	   "a goroutine profile is the same with little stack: nobody more, and the caller first")
{
	uint32_t alive = go_count() + 1;
	goroutines_asked(32768, 1, alive);
	goroutines_asked(4096, 1, alive);
	goroutines_asked(32768, 2, alive);
	goroutines_asked(4096, 2, alive);
}

GUEST_TEST(profile, little_stack, "a goroutine with 2 KiB of stack left can take any profile")
{
	struct profile *all[64];
	static const char value;
	add_some(&value, 1);
	size_t n = profile_list(all, 64);
	for (size_t i = 0; i < n; i++)
		descend_all(profile_name(all[i]));
	profile_remove(things(), &value);
}

static int add_deep(struct sink *to)
{
	static const char value;
	int result = profile_add(things(), &value, 0);
	profile_remove(things(), &value);
	return result == 0 ? sink_write(to, "added", 5) : result;
}

static int stop_to_console(struct sink *to)
{
	int result = prof_stop("little-stack.pb.gz");
	return result == 0 ? sink_write(to, "sent", 4) : result;
}

static int wall_stop_to_console(struct sink *to)
{
	int result = prof_wall_stop("little-stack-wall.pb.gz");
	return result == 0 ? sink_write(to, "sent", 4) : result;
}

/* Where the functions' contracts say how much they need, that much is left. */
GUEST_TEST(profile, little_stack_other,
	   "2 KiB of stack are enough to add to a profile, and 4 KiB to stop one that runs, and write it")
{
	static const struct {
		int (*fn)(struct sink *to);
		uintptr_t left;
		bool wall;
	} cases[] = {
		{add_deep, 2048, false},
		{prof_stop_to, 4096, false},
		{stop_to_console, 4096, false},
		{prof_wall_stop_to, 4096, true},
		{wall_stop_to_console, 4096, true},
	};
	guest_profile_off();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct guest_group group = {0};
		struct deep d = {.fn = cases[i].fn, .left = cases[i].left, .result = 1};
		if (cases[i].wall)
			CHECK_EQ(prof_wall_start(100), 0);
		else if (cases[i].fn != add_deep)
			CHECK_EQ(prof_start(1000), 0);
		guest_spin(20 * TIME_MILLISECOND); /* a few samples */
		guest_go(&group, descend_entry, &d);
		guest_wait(&group);
		CHECK_EQ(d.result, 0);
		CHECK(d.size > 0);
	}
}
