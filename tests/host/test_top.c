/*
 * prof/decimal and prof/top: the numbers are those that pprof's floating point prints, and the table is
 * pprof's.
 */
#include "prof/top.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "prof/decimal.h"
#include "tests/host/check.h"
#include "tests/host/mem_fake.h"
#include "tests/host/pprof_fake.h"

static unsigned lookups;

#define SETUP()            \
	struct mem_fake m; \
	struct builder b;  \
	mem_fake_init(&m); \
	builder_init(&b, &m.ops, 1 << 20)

#define TEARDOWN()        \
	builder_free(&b); \
	CHECK_EQ(m.out, 0)

/* pprof's own arithmetic, in floating point: measurement.Percentage and ScaledLabel. */
static void check_percent(uint64_t value, uint64_t total)
{
	char got_text[DECIMAL_MAX], want[64];
	double ratio = total ? (double)value / (double)total * 100 : 0;
	if (ratio >= 99.95 && ratio <= 100.05)
		snprintf(want, sizeof want, "  100%%");
	else
		snprintf(want, sizeof want, ratio >= 1.0 ? "%5.2f%%" : "%5.2g%%", ratio);
	decimal_percent(got_text, value, total);
	CHECK_STR(got_text, want);
}

static void check_time(uint64_t ns, enum decimal_unit unit)
{
	static const double factors[] = {1, 1e3, 1e6, 1e9, 3600e9};
	static const char *const names[] = {"ns", "us", "ms", "s", "hrs"};
	char got_text[DECIMAL_MAX], want[64];
	int n = snprintf(want, sizeof want, "%.2f", (double)ns / factors[unit]);
	if (strcmp(want + n - 3, ".00") == 0)
		want[n - 3] = '\0';
	if (strcmp(want, "0") != 0)
		strcat(want, names[unit]);
	decimal_time(got_text, ns, unit);
	CHECK_STR(got_text, want);
}

TEST(decimal_is_what_floating_point_prints)
{
	for (uint64_t total = 1; total < 300; total++)
		for (uint64_t value = 0; value <= total + 3; value++)
			check_percent(value, total);
	for (uint64_t value = 0; value < 20000; value++) {
		check_percent(value, 800);
		check_percent(value, 8000);
		check_percent(value, 20000);
		check_percent(value, 10000000000);
		check_percent(value * 5000, 1000000000);
		check_time(value * 2500, DECIMAL_MS);
		check_time(value * 5, DECIMAL_US);
		check_time(value * 2500000, DECIMAL_S);
		check_time(value * 9000000000, DECIMAL_HRS);
	}
	uint64_t state = 88172645463325252u;
	for (unsigned i = 0; i < 100000; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		uint64_t total = (state >> 11) >> state % 50;
		check_percent(total ? (state >> 3) % (total + 1) : 0, total);
		check_time(state >> 14, (enum decimal_unit)(state % 5));
	}
	check_percent(5, 0);
	check_percent(1, (1ull << 53) - 1);
	CHECK_EQ(decimal_unit(0), DECIMAL_S);
	CHECK_EQ(decimal_unit(999), DECIMAL_NS);
	CHECK_EQ(decimal_unit(1000), DECIMAL_US);
	CHECK_EQ(decimal_unit(3600000000000), DECIMAL_HRS);
}

static struct top_options top_options_fake(uint32_t rows)
{
	return (struct top_options){.rows = rows,
				    .duration_ns = 5000000000,
				    .image = "out/hello.elf",
				    .symbolize = symbolize,
				    .symbolize_ctx = &lookups};
}

static const char *top_text(const struct builder *b, const struct top_options *o, struct mem_fake *m)
{
	store_init(sizeof store.data - 1);
	CHECK_EQ(top_write(b, o, &m->ops, &store.sink), 0);
	store.data[store.n] = '\0';
	return store.data;
}

/* Recursion counts once, inlined frames count for themselves, one name is one row, [lost] and unknown code
 * show. */
TEST(top_table)
{
	SETUP();
	ADD(&b, 400, 0, BASE + 0x500, BASE + 0x505, BASE + 0x506, BASE + 0x005);
	ADD(&b, 100, 1, BASE + 0x500, BASE + 0x505, BASE + 0x506, BASE + 0x005);
	ADD(&b, 200, 0, BASE + 0x1c0, BASE + 0x005);
	ADD(&b, 50, 0, BASE + 0x600, BASE + 0x005);
	ADD(&b, 50, 0, BASE + 0x700, BASE + 0x005);
	ADD(&b, 80, 0, BASE + 0x900, BASE + 0x005);
	ADD(&b, 119, 0, PROF_FRAME_LOST);
	add(&b, 1, 0, 0, NULL);
	struct top_options top = top_options_fake(0);
	CHECK_STR(top_text(&b, &top, &m),
		  "Duration: 5s, Total samples = 2000ms (40.00%), 1000 ticks\n"
		  "Showing top 8 functions out of 8, accounting for 1998ms, 99.90% of 2000ms total\n"
		  "      flat  flat%   sum%        cum   cum%\n"
		  "    1000ms 50.00% 50.00%     1000ms 50.00%  recurse\n"
		  "     400ms 20.00% 70.00%      400ms 20.00%  inner\n"
		  "     238ms 11.90% 81.90%      238ms 11.90%  [lost]\n"
		  "     200ms 10.00% 91.90%      200ms 10.00%  init\n"
		  "     160ms  8.00% 99.90%      160ms  8.00%  [hello.elf]\n"
		  "         0     0% 99.90%     1760ms 88.00%  main\n"
		  "         0     0% 99.90%      400ms 20.00%  middle\n"
		  "         0     0% 99.90%      400ms 20.00%  worker\n");
	CHECK_EQ(store.writes, 11);
	top = top_options_fake(2);
	top.duration_ns = 0;
	top.image = NULL;
	CHECK_STR(top_text(&b, &top, &m),
		  "Total samples = 2000ms, 1000 ticks\n"
		  "Showing top 2 functions out of 8, accounting for 1400ms, 70.00% of 2000ms total\n"
		  "      flat  flat%   sum%        cum   cum%\n"
		  "    1000ms 50.00% 50.00%     1000ms 50.00%  recurse\n"
		  "     400ms 20.00% 70.00%      400ms 20.00%  inner\n");
	TEARDOWN();
}

TEST(top_of_nothing)
{
	SETUP();
	struct top_options top = top_options_fake(10);
	CHECK_STR(top_text(&b, &top, &m),
		  "Duration: 5s, Total samples = 0, 0 ticks\n"
		  "Showing top 0 functions out of 0, accounting for 0, 0% of 0 total\n"
		  "      flat  flat%   sum%        cum   cum%\n");
	TEARDOWN();
}

static bool symbolize_long(void *ctx, uintptr_t pc, struct pprof_frame *frames, unsigned max, unsigned *n)
{
	static char name[1000];
	(void)ctx, (void)pc, (void)max;
	memset(name, 'x', sizeof name - 1);
	frames[0] = (struct pprof_frame){.function = name};
	*n = 1;
	return true;
}

/* A name longer than a line is cut, the line ends all the same. */
TEST(top_long_name)
{
	SETUP();
	ADD(&b, 1, 0, BASE);
	struct top_options top = top_options_fake(10);
	top.symbolize = symbolize_long;
	const char *out = top_text(&b, &top, &m);
	CHECK(strstr(out, "xxx") != NULL && strlen(strstr(out, "xxx")) < 256 &&
	      store.data[store.n - 1] == '\n');
	TEARDOWN();
}

TEST(top_errors)
{
	SETUP();
	fill(&b);
	size_t kept = m.out;
	struct top_options top = top_options_fake(5);
	unsigned fail_at = 1;
	for (;; fail_at++) {
		store_init(sizeof store.data);
		m.allocations = 0;
		m.fail_at = fail_at;
		int error = top_write(&b, &top, &m.ops, &store.sink);
		CHECK_EQ(m.out, kept);
		if (m.allocations < fail_at)
			break;
		CHECK_EQ(error, -ENOMEM);
	}
	CHECK(fail_at > 5);
	m.fail_at = 0;
	for (size_t limit = 0; limit < 400; limit += 50) {
		store_init(limit);
		CHECK_EQ(top_write(&b, &top, &m.ops, &store.sink), -EIO);
		CHECK_EQ(store.after_error, 0);
	}
	TEARDOWN();
}
