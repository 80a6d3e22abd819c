/*
 * Host test harness: TEST(name) { CHECK(...); } in any number of files of one program; check_main.c runs them all
 * and prints TAP. A failed CHECK names file, line and expression and fails its test; the process exits 1 if any did.
 */
#ifndef TESTS_HOST_CHECK_H
#define TESTS_HOST_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_case {
	const char *name;
	void (*run)(void);
	struct check_case *next;
};

void check_register(struct check_case *c);
void check_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define TEST(name)                                                       \
	static void test_##name(void);                                   \
	__attribute__((constructor)) static void register_##name(void)   \
	{                                                                \
		static struct check_case c = {#name, test_##name, NULL}; \
		check_register(&c);                                      \
	}                                                                \
	static void test_##name(void)

#define CHECK(cond)                                                  \
	do {                                                         \
		if (!(cond))                                         \
			check_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

#define CHECK_EQ(a, b)                                                                                       \
	do {                                                                                                 \
		long long check_a = (long long)(a), check_b = (long long)(b);                                \
		if (check_a != check_b)                                                                      \
			check_fail(__FILE__, __LINE__, "%s == %s: %lld and %lld", #a, #b, check_a, check_b); \
	} while (0)

#define CHECK_STR(a, b) check_str(__FILE__, __LINE__, (a), (b))
void check_str(const char *file, int line, const char *a, const char *b);

#endif
