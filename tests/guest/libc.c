/* The C library as a program sees it, from any goroutine. */
#include "suite.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/assert.h"

#define CHECK_TEXT(want, ...)                                                              \
	do {                                                                               \
		char text[200];                                                            \
		int length = snprintf(text, sizeof text, __VA_ARGS__);                     \
		if (strcmp(text, want) != 0 || length != (int)strlen(want))                \
			guest_fail(__FILE__, __LINE__, "'%s', expected '%s'", text, want); \
	} while (0)

static void formats(void *arg)
{
	(void)arg;
	CHECK_TEXT("-42 0042 +7 ff 0XFF 17", "%d %04d %+d %x %#X %o", -42, 42, 7, 255, 255, 15);
	CHECK_TEXT("-9223372036854775808 18446744073709551615", "%lld %llu", (long long)INT64_MIN, ~0ull);
	CHECK_TEXT("123456789012 7 42", "%ld %hhd %zu", 123456789012l, 7, (size_t)42);
	CHECK_TEXT("[   ab] [ab   ] [abc] [x]", "[%5s] [%-5s] [%.3s] [%c]", "ab", "ab", "abcdef", 'x');
	CHECK_TEXT("3.141593 3.14 1e+10 0.000123", "%f %.2f %g %g", M_PI, M_PI, 1e10, 0.000123);
	CHECK_TEXT("1.500000e+00 1.7976931348623157e+308", "%e %.17g", 1.5, 1.7976931348623157e308);
	CHECK_TEXT("inf -inf nan", "%f %f %f", INFINITY, -INFINITY, fabs((double)NAN));
	CHECK_TEXT("0.1 0.30000000000000004 2.2250738585072014e-308", "%.16g %.17g %.17g", 0.1, 0.1 + 0.2,
		   2.2250738585072014e-308);
	CHECK_TEXT("   12|12   |%", "%*d|%-*d|%%", 5, 12, 5, 12);
	CHECK_TEXT("18446744073709551615 abc", "%" PRIu64 " %s", UINT64_MAX, "abc");
	char small[5];
	const char *volatile long_text = "truncated";
	CHECK_EQ(snprintf(small, sizeof small, "%s", long_text), 9);
	CHECK(strcmp(small, "trun") == 0);
}

GUEST_TEST(libc, printf, "printf formats, floating point included, on many goroutines at once")
{
	struct guest_group all = {0};
	for (int i = 0; i < 20; i++)
		guest_go(&all, formats, NULL);
	guest_wait(&all);
}

GUEST_TEST(libc, numbers, "strtol, strtod and scanf read what they should and set errno")
{
	char *end;
	errno = 0;
	CHECK_EQ(strtol("  -123xyz", &end, 10), -123);
	CHECK(strcmp(end, "xyz") == 0);
	CHECK_EQ(strtoll("0x7fffffffffffffff", NULL, 0), INT64_MAX);
	CHECK_EQ(errno, 0);
	CHECK_EQ(strtoll("9223372036854775808", NULL, 10), INT64_MAX);
	CHECK_EQ(errno, ERANGE);
	CHECK(strtod("1.25e-3", &end) == 0.00125 && *end == '\0');
	CHECK(strtod("0.1", NULL) == 0.1);
	errno = 0;
	CHECK(strtod("1e999", NULL) == HUGE_VAL);
	CHECK_EQ(errno, ERANGE);
	int a = 0;
	double d = 0;
	char word[10] = "";
	CHECK_EQ(sscanf("17 2.5 abc", "%d %lf %9s", &a, &d, word), 3);
	CHECK(a == 17 && d == 2.5 && strcmp(word, "abc") == 0);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void sort(void *arg)
{
	enum { N = 3000 };
	uint64_t seed = (uintptr_t)arg;
	uint32_t *a = malloc(N * sizeof *a), sum = 0;
	for (int i = 0; i < N; i++)
		sum += a[i] = guest_random(&seed) % 1000;
	qsort(a, N, sizeof *a, by_value);
	for (int i = 0; i < N; i++) {
		sum -= a[i];
		CHECK(i == 0 || a[i - 1] <= a[i]);
	}
	CHECK_EQ(sum, 0);
	uint32_t *found = bsearch(&a[N / 2], a, N, sizeof *a, by_value);
	CHECK(found != NULL && *found == a[N / 2]);
	free(a);
}

GUEST_TEST(libc, qsort, "qsort and bsearch, on many goroutines at once")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 12; i++)
		guest_go(&all, sort, (void *)i);
	guest_wait(&all);
}

static void math_errno(void *arg)
{
	volatile double minus = -2.0, zero = 0.0;
	for (int i = 0; i < 100; i++) {
		errno = 0;
		double r = sqrt(minus);
		if (i % 10 == (int)(uintptr_t)arg % 10)
			go_yield();
		CHECK_EQ(errno, EDOM);
		CHECK(isnan(r));
		errno = 0;
		CHECK(isinf(log(zero)));
		CHECK_EQ(errno, ERANGE);
	}
	CHECK(fabs(sin(1.0) - 0.8414709848078965) < 1e-15);
	CHECK(fabs(pow(2.0, 0.5) - sqrt(2.0)) < 1e-15);
	CHECK(fabs(exp(1.0) - 2.718281828459045) < 1e-14);
}

GUEST_TEST(libc, math, "math functions, their errors in errno of the goroutine that called them")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 10; i++)
		guest_go(&all, math_errno, (void *)i);
	guest_wait(&all);
}

static void tokens(void *arg)
{
	char text[64], want[8];
	int n = 0;
	snprintf(text, sizeof text, "%d,%d,%d,%d", (int)(uintptr_t)arg, (int)(uintptr_t)arg + 1,
		 (int)(uintptr_t)arg + 2, (int)(uintptr_t)arg + 3);
	for (char *t = strtok(text, ","); t != NULL; t = strtok(NULL, ",")) {
		snprintf(want, sizeof want, "%d", (int)(uintptr_t)arg + n++);
		CHECK(strcmp(t, want) == 0);
		go_yield();
	}
	CHECK_EQ(n, 4);
}

GUEST_TEST(libc, strtok, "strtok keeps its place per goroutine")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 50; i++)
		guest_go(&all, tokens, (void *)(i * 10));
	guest_wait(&all);
}

__attribute__((noinline)) static void jump(jmp_buf env, int depth)
{
	if (depth > 0)
		jump(env, depth - 1);
	else if (go_id() != 0) /* always */
		longjmp(env, 7);
}

static void jumps(void *arg)
{
	jmp_buf env;
	volatile int times = 0;
	double volatile keep = (double)(uintptr_t)arg;
	for (volatile int i = 0; i < 50; i++) {
		int r = setjmp(env);
		if (r == 0) {
			if (i % 5 == 0)
				go_yield();
			jump(env, i % 10);
		}
		CHECK_EQ(r, 7);
		times++;
	}
	CHECK_EQ(times, 50);
	CHECK(keep == (double)(uintptr_t)arg);
}

GUEST_TEST(libc, longjmp, "setjmp and longjmp inside a goroutine, with switches in between")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 20; i++)
		guest_go(&all, jumps, (void *)i);
	guest_wait(&all);
}

GUEST_TEST(libc, input, "the INPUT file opens with fopen, reads whole, seeks and is read-only")
{
	FILE *f = fopen("input", "r");
	if (f == NULL) {
		CHECK_EQ(errno, ENOENT);
		guest_skip("no INPUT file");
		return;
	}
	size_t n = 0, lines = 0;
	int c, first = EOF;
	while ((c = fgetc(f)) != EOF) {
		if (n++ == 0)
			first = c;
		lines += c == '\n';
	}
	CHECK(n > 0);
	CHECK_EQ(fseek(f, 0, SEEK_END), 0);
	CHECK_EQ(ftell(f), n);
	rewind(f);
	CHECK_EQ(fgetc(f), first);
	guest_note("INPUT has %zu bytes, %zu lines", n, lines);
	CHECK_EQ(fclose(f), 0);
	CHECK(fopen("input", "w") == NULL);
	CHECK_EQ(errno, EROFS);
	CHECK(fopen("no such file", "r") == NULL);
	CHECK_EQ(errno, ENOENT);
}

static void print_lines(void *arg)
{
	for (int i = 0; i < 20; i++) {
		char text[50];
		memset(text, 'a' + (int)((uintptr_t)arg % 26), sizeof text - 1);
		text[sizeof text - 1] = '\0';
		printf("# torn? %02d %02d %s.\n", (int)(uintptr_t)arg, i, text);
	}
}

GUEST_TEST(libc, lines,
	   "lines that goroutines print at once leave whole (tests/e2e looks at the log for '# torn?')")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 8; i++)
		guest_go(&all, print_lines, (void *)i);
	guest_wait(&all);
	fflush(stdout);
}

GUEST_TEST(libc, wall_clock, "clock() and time() go forward, running and asleep, at the rate of time_now()")
{
	uint64_t start = time_now();
	time_t t = time(NULL), last = t;
	clock_t c = clock();
	CHECK(t > 0);
	guest_spin(20 * TIME_MILLISECOND);
	clock_t spun = clock();
	time_sleep(20 * TIME_MILLISECOND);
	clock_t slept = clock();
	CHECK(spun - c >= CLOCKS_PER_SEC / 100);
	CHECK(slept - spun >= CLOCKS_PER_SEC / 100);
	while (last <= t + 1 && time_now() < start + 10 * TIME_SECOND) {
		time_sleep(10 * TIME_MILLISECOND);
		time_t now = time(NULL);
		CHECK(now >= last);
		last = now;
	}
	CHECK(last > t + 1);
	/* a second lies between the two steps of time() that were waited for */
	uint64_t ns = time_now() - start;
	CHECK(ns > TIME_SECOND - 100 * TIME_MILLISECOND);
	clock_t whole = clock() - c;
	CHECK((uint64_t)whole * (TIME_SECOND / CLOCKS_PER_SEC) + 50 * TIME_MILLISECOND >= ns);
}
