/*
 * The on-target test harness: GUEST_TEST(suite, name, "what it guards") { CHECK(...); } in any file of this folder. The linker collects
 * the tests; main.c runs those that the program's arguments select and prints TAP. A failed check fails its test, which goes on.
 *
 * A test leaves no goroutine behind. CHECK may be used from any goroutine of it.
 */
#ifndef TESTS_GUEST_SUITE_H
#define TESTS_GUEST_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hartbeat/sync.h>

struct guest_test {
	const char *suite, *name, *guards, *file;
	int line;
	void (*run)(void);
};

#define GUEST_TEST(suite_, name_, guards_)                                                  \
	static void guest_##suite_##_##name_(void);                                         \
	static const struct guest_test case_##suite_##_##name_ = {                          \
		#suite_, #name_, guards_, __FILE__, __LINE__, guest_##suite_##_##name_};    \
	static const struct guest_test *const entry_##suite_##_##name_                      \
		__attribute__((section(".guest_suites"), used)) = &case_##suite_##_##name_; \
	static void guest_##suite_##_##name_(void)

/* Marks the running test as failed and prints a diagnostic (the first few of a test). Any goroutine. */
void guest_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A diagnostic line; the test's verdict stays. */
void guest_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says that the running test could not look at what it guards, and why. */
void guest_skip(const char *why);

#define CHECK(cond)                                                  \
	do {                                                         \
		if (!(cond))                                         \
			guest_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

#define CHECK_EQ(a, b)                                                                                       \
	do {                                                                                                 \
		long long check_a = (long long)(a), check_b = (long long)(b);                                \
		if (check_a != check_b)                                                                      \
			guest_fail(__FILE__, __LINE__, "%s == %s: %lld and %lld", #a, #b, check_a, check_b); \
	} while (0)

/* A test whose verdict depends on how promptly the host runs the harts tries this often before it fails. */
enum { GUEST_ATTEMPTS = 20 };

/* `few`, or `many` when the argument full=1 was given. */
uint32_t guest_count(uint32_t few, uint32_t many);

/* Whether the argument exact=1 was given: instructions are counted (EXACT=1), so that an interrupt may come at any of them. */
bool guest_exact(void);

/* Whether the argument keep=1 was given: what a test takes into memory leaves as a file, too (tests/e2e/test-trace.sh). */
bool guest_keep(void);

/* The test that runs. */
const struct guest_test *guest_running(void);

/* How often to try: GUEST_ATTEMPTS, or once when the instructions of the only hart are counted. No host has a say then. */
int guest_attempts(void);

/* A group of goroutines of one test. A zeroed one is ready for use. */
struct guest_group {
	struct waitgroup left;
};

/* Starts fn(arg) in a goroutine of the group; panics when memory is out. */
void guest_go(struct guest_group *group, void (*fn)(void *), void *arg);
/* Waits until all goroutines of the group have returned from their function. */
void guest_wait(struct guest_group *group);

/* Waits until go_count() is n, as goroutines that have returned still end; false after 10 s. */
bool guest_count_settles(uint32_t n);
/* Uses the hart for this long without giving it away. */
void guest_spin(uint64_t ns);
/* A repeatable pseudo-random number; *state is any start value. */
uint32_t guest_random(uint64_t *state);
/* A stack slot that nobody uses or has touched: [*lo, *hi) is its usable part. It is not given back. */
void guest_fresh_stack(uintptr_t *lo, uintptr_t *hi);
/* Ends the profile that boot started, so that a test can take its own or count memory. */
void guest_profile_off(void);

#endif
