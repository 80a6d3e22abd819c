/*
 * Runs the tests that the arguments select, and prints TAP; the exit status is the verdict.
 *
 *	suite            all tests of a suite          timeout=N   seconds of guest time one test may take (200: on a busy host)
 *	suite.test       one test                      repeat=N    all of it N times (1)
 *	-l               list, run nothing             full=1      long counts
 *	                                               exact=1     instructions are counted: interrupts may come at any
 *	                                               keep=1      traces that tests take into memory leave as files, too
 *
 * A test that takes longer than its timeout ends the machine with a panic that names it: the watchdog is a goroutine of the kernel, so it
 * neither keeps a deadlock from being seen nor counts in go_count().
 */
#include "suite.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/stack.h"
#include "kernel/system.h"
#include "prof/prof.h"
#include "sched/sched.h"

enum { TESTS_MAX = 512, FAILURES_SHOWN = 10, TIMEOUT_DEFAULT = 200, WATCH_NS = 100000000 };

extern const struct guest_test *const __guest_suites_start[];
extern const struct guest_test *const __guest_suites_end[];

static const struct guest_test *tests[TESTS_MAX];
static unsigned n_tests;
static bool full, exact, keep;
static uint64_t timeout_s = TIMEOUT_DEFAULT, repeats = 1;

static _Atomic(const struct guest_test *) running;
static _Atomic uint64_t deadline; /* of the running test, time_now(); 0: none */
static _Atomic uint32_t failures; /* of the running test */
static const char *_Atomic skipped;

static void diagnostic(const char *place, const char *fmt, va_list ap)
{
	char line[400];
	int n = snprintf(line, sizeof line, "%s", place);
	vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	printf("# %s\n", line);
}

void guest_fail(const char *file, int line, const char *fmt, ...)
{
	char place[120];
	va_list ap;
	uint32_t n = atomic_fetch_add(&failures, 1);
	if (n == FAILURES_SHOWN)
		printf("# more failures are not shown\n");
	if (n >= FAILURES_SHOWN)
		return;
	snprintf(place, sizeof place, "%s:%d: ", file, line);
	va_start(ap, fmt);
	diagnostic(place, fmt, ap);
	va_end(ap);
}

void guest_note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	diagnostic("", fmt, ap);
	va_end(ap);
}

void guest_skip(const char *why)
{
	atomic_store(&skipped, why);
}

uint32_t guest_count(uint32_t few, uint32_t many)
{
	return full ? many : few;
}

bool guest_exact(void)
{
	return exact;
}

bool guest_keep(void)
{
	return keep;
}

const struct guest_test *guest_running(void)
{
	return atomic_load(&running);
}

int guest_attempts(void)
{
	return exact && go_harts() == 1 ? 1 : GUEST_ATTEMPTS;
}

/* ---- goroutines of a test ---- */

struct start {
	void (*fn)(void *);
	void *arg;
	struct guest_group *group;
};

static void group_run(void *arg)
{
	struct start s = *(struct start *)arg;
	free(arg);
	s.fn(s.arg);
	waitgroup_done(&s.group->left);
}

void guest_go(struct guest_group *group, void (*fn)(void *), void *arg)
{
	struct start *s = malloc(sizeof *s);
	if (s == NULL)
		panic("out of memory: no room to start a test's goroutine");
	*s = (struct start){fn, arg, group};
	waitgroup_add(&group->left, 1);
	if (go(group_run, s) == 0)
		panic("out of memory: no goroutine for a test");
}

void guest_wait(struct guest_group *group)
{
	waitgroup_wait(&group->left);
}

bool guest_count_settles(uint32_t n)
{
	uint64_t end = time_now() + 10 * TIME_SECOND;
	while (go_count() != n && time_now() < end)
		time_sleep(TIME_MILLISECOND);
	return go_count() == n;
}

void guest_spin(uint64_t ns)
{
	uint64_t end = time_now() + ns;
	while (time_now() < end)
		;
}

uint32_t guest_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	uint32_t x = (uint32_t)(*state >> 33);
	return x ^ x >> 15;
}

void guest_profile_off(void)
{
	if (prof_running())
		prof_stop_with(NULL, NULL, NULL);
}

struct slot {
	uintptr_t lo, hi;
	bool ok;
};

static void slot_take(void *arg)
{
	struct slot *s = arg;
	s->ok = stack_slots(STACK_DEFAULT, 1, &s->lo) == 1;
	s->hi = s->lo + stack_slot_size(STACK_DEFAULT) - STACK_GUARD;
}

void guest_fresh_stack(uintptr_t *lo, uintptr_t *hi)
{
	struct slot s;
	on_system_stack(slot_take, &s);
	if (!s.ok)
		panic("out of memory: no stack slot for a test");
	*lo = s.lo;
	*hi = s.hi;
}

/* ---- selecting and running ---- */

static void watch(void *arg)
{
	(void)arg;
	for (;;) {
		time_sleep(WATCH_NS);
		uint64_t end = atomic_load(&deadline);
		const struct guest_test *t = atomic_load(&running);
		if (end != 0 && time_now() > end)
			panic("test %s.%s did not end within %lu s", t->suite, t->name,
			      (unsigned long)timeout_s);
	}
}

static int by_place(const void *a, const void *b)
{
	const struct guest_test *x = *(const struct guest_test *const *)a,
				*y = *(const struct guest_test *const *)b;
	int order = strcmp(x->file, y->file);
	return order != 0 ? order : x->line - y->line;
}

/* Whether word is "suite" or "suite.test" of t. */
static bool names(const char *word, const struct guest_test *t)
{
	size_t n = strlen(t->suite);
	return strncmp(word, t->suite, n) == 0 &&
	       (word[n] == '\0' || (word[n] == '.' && strcmp(word + n + 1, t->name) == 0));
}

static bool number(const char *word, const char *key, uint64_t *value)
{
	size_t n = strlen(key);
	if (strncmp(word, key, n) != 0 || word[n] != '=')
		return false;
	char *end;
	*value = strtoull(word + n + 1, &end, 10);
	return end != word + n + 1 && *end == '\0';
}

/* Reads the arguments into the selection; false, with a line that says why, when one is not understood. */
static bool arguments(int argc, char **argv, bool *list)
{
	unsigned n_all = (unsigned)(__guest_suites_end - __guest_suites_start);
	bool chosen[TESTS_MAX] = {false}, any = false;
	uint64_t flag = 0;
	ASSERT(n_all <= TESTS_MAX, "all tests fit the table");
	for (int i = 1; i < argc; i++) {
		unsigned found = 0;
		if (strcmp(argv[i], "-l") == 0) {
			*list = true;
			continue;
		}
		if (number(argv[i], "timeout", &timeout_s) || number(argv[i], "repeat", &repeats))
			continue;
		if (number(argv[i], "full", &flag)) {
			full = flag != 0;
			continue;
		}
		if (number(argv[i], "exact", &flag)) {
			exact = flag != 0;
			continue;
		}
		if (number(argv[i], "keep", &flag)) {
			keep = flag != 0;
			continue;
		}
		for (unsigned t = 0; t < n_all; t++) {
			if (names(argv[i], __guest_suites_start[t])) {
				chosen[t] = true;
				found++;
			}
		}
		if (found == 0) {
			printf("Bail out! argument '%s': a suite, suite.test, -l, timeout=N, repeat=N, "
			       "full=1, exact=1 or keep=1 expected\n",
			       argv[i]);
			return false;
		}
		any = true;
	}
	for (unsigned t = 0; t < n_all; t++)
		if (!any || chosen[t])
			tests[n_tests++] = __guest_suites_start[t];
	qsort(tests, n_tests, sizeof tests[0], by_place);
	return true;
}

static bool run(const struct guest_test *t, unsigned number_)
{
	uint32_t before = go_count();
	atomic_store(&failures, 0);
	atomic_store(&skipped, NULL);
	atomic_store(&running, t);
	uint64_t start = time_now();
	atomic_store(&deadline, start + timeout_s * TIME_SECOND);
	t->run();
	if (!guest_count_settles(before))
		guest_fail(t->file, t->line, "%u goroutines before the test, %u after it", before,
			   go_count());
	atomic_store(&deadline, 0);
	uint64_t ms = (time_now() - start) / TIME_MILLISECOND;
	bool ok = atomic_load(&failures) == 0;
	const char *why = atomic_load(&skipped);
	if (!ok)
		printf("# guards: %s\n", t->guards);
	printf("%sok %u - %s.%s%s%s # %llu ms\n", ok ? "" : "not ", number_, t->suite, t->name,
	       why != NULL ? " # SKIP " : "", why != NULL ? why : "", (unsigned long long)ms);
	return ok;
}

int main(int argc, char **argv)
{
	bool list = false;
	unsigned failed = 0, done = 0;
	if (!arguments(argc, argv, &list))
		return 1;
	for (unsigned i = 0; list && i < n_tests; i++)
		printf("%s.%s\t%s\n", tests[i]->suite, tests[i]->name, tests[i]->guards);
	if (list)
		return 0;
	if (go_system(watch, NULL, "test watchdog") == 0)
		panic("out of memory: no goroutine for the watchdog");
	while (go_harts() < hart_count) /* they start one after the other */
		time_sleep(TIME_MILLISECOND);
	for (uint64_t r = 0; r < repeats; r++)
		for (unsigned i = 0; i < n_tests; i++)
			failed += !run(tests[i], ++done);
	printf("1..%u\n", done);
	if (failed > 0)
		printf("# %u of %u failed\n", failed, done);
	return failed > 0;
}
