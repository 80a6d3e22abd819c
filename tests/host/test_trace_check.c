/*
 * The validator of traces: two sound traces, and every way to spoil one. Each fault is reported, where it is, in words, and as few times as it
 * was made.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/host/check.h"
#include "tests/host/trace_text.h"
#include "tools/hbdump/trace_check.h"

/* ---- running it ---- */

static char said[16384];
static char summary[16384];

static void say(void *ctx, const char *line)
{
	(void)ctx;
	if (strlen(said) + strlen(line) + 2 < sizeof said)
		strcat(strcat(said, line), "\n");
}

/* Checks the bytes; returns the number of violations, -1 when it is no trace at all (then said[] tells why). */
static int check_bytes(const uint8_t *data, size_t n)
{
	struct trace_report report = {say, NULL, 0};
	said[0] = '\0';
	memset(summary, 0, sizeof summary);
	FILE *to = fmemopen(summary, sizeof summary - 1, "w");
	const char *wrong = trace_check(data, n, &report, SUMMARY_ROWS, to);
	fclose(to);
	if (wrong != NULL) {
		say(NULL, wrong);
		return -1;
	}
	return (int)report.violations;
}

static int check_text(const char *text)
{
	size_t n;
	uint8_t *data = trace_text(text, &n);
	int violations = check_bytes(data, n);
	free(data);
	return violations;
}

/* Expects that many lines, and each of the texts among them. */
static void expect(const char *file, int line, const char *text, int violations, const char *want)
{
	int got = check_text(text);
	if (got != violations || (want != NULL && strstr(said, want) == NULL))
		check_fail(file, line, "%d violations, expected %d, with \"%s\":\n%s", got, violations,
			   want != NULL ? want : "", said);
}
#define EXPECT(text, violations, want) expect(__FILE__, __LINE__, text, violations, want)

/* ---- the sound trace, in pieces ---- */

/* Strings and stacks of a generation. Stack 2 is that of a new goroutine. */
#define TABLES(gen)                                                                                     \
	"string " gen " 1 sleep\nstring " gen " 2 preempted\nstring " gen " 3 main.worker\nstring " gen \
	" 4 main.c\nstring " gen " 5 main.main\nstring " gen " 6 start trace\nstring " gen " 7 work\n"  \
	"string " gen " 8 chan receive\n"                                                               \
	"stack " gen " 1 0x1000:5:4:10\nstack " gen " 2 0x2000:3:4:20 0x1008:5:4:30\n"                  \
	"stack " gen " 3 0x2000:3:4:20\n"

/* p 0 on m 1 runs goroutine 1; p 1 on m 2 is idle; goroutine 9 waits. 1 unit is 1 us. */
#define FIRST                                                                                          \
	"go 1.22\nfreq 1 1000000\n" TABLES("1") "batch 1 1 1000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n" \
						"0 ProcsChange 2 1\n10 STWBegin 6 1\n10 STWEnd\n"
/* 1020: goroutine 3 begins on m 2 at 1040, waits from 1140 on, is woken at 1200 and ends at 1300. */
#define STORY                                                                                              \
	"10 GoCreate 3 3 1\n170 GoUnblock 3 2 1\n50 GoStop 2 1\n1 GoStart 3 3\n49 GoDestroy\n0 GoStart 1 " \
	"1\n"                                                                                              \
	"batch 1 2 1030\n0 ProcStatus 1 2\n5 ProcStart 1 1\n5 GoStart 3 1\n"                               \
	"10 UserTaskBegin 1 0 7 1\n10 UserRegionBegin 1 7 1\n10 UserRegionEnd 1 7 1\n10 UserTaskEnd 1 1\n" \
	"60 GoBlock 8 1\n1 ProcStop\n"
#define OTHERS "batch 1 - 1400\n0 GoStatus 9 - 4\n"
#define SECOND                                                              \
	"freq 2 1000000\n" TABLES(                                          \
		"2") "batch 2 1 2000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n" \
		     "100 GoBlock 1 1\n0 ProcStop\n"                        \
		     "batch 2 2 2010\n0 ProcStatus 1 2\n0 ProcStart 1 1\n"  \
		     "0 GoStatus 9 - 4\n90 GoUnblock 9 1 0\n10 GoStart 9 2\n900 GoDestroy\n"

TEST(sound)
{
	EXPECT(FIRST STORY OTHERS, 0, NULL);
	EXPECT(FIRST STORY OTHERS SECOND, 0, NULL);
	EXPECT(FIRST STORY "batch 1 1 1310\n" OTHERS SECOND, 0, NULL);
}

static uint64_t row(const char *start)
{
	const char *at = strstr(summary, start);
	return at == NULL ? UINT64_MAX : strtoull(at + strlen(start), NULL, 10);
}

TEST(summary_of_times)
{
	EXPECT(FIRST STORY OTHERS SECOND, 0, NULL);
	CHECK_EQ(row("trace\tgenerations\t"), 2);
	CHECK_EQ(row("trace\tduration_ns\t"), 2010000);
	CHECK_EQ(row("event\tGoStart\t"), 4);
	/* 1030 to 1040, 1200 to 1251 */
	CHECK_EQ(row("goroutine\t3\tmain.worker\trunnable\t-\t"), 61000);
	CHECK_EQ(row("goroutine\t3\tmain.worker\trunning\t-\t"), 149000);
	CHECK_EQ(row("goroutine\t3\tmain.worker\twaiting\tchan_receive\t"), 60000);
	/* 1000 to 1250, 1300 to 2100 */
	CHECK_EQ(row("goroutine\t1\tmain.main\trunning\t-\t"), 1050000);
	CHECK_EQ(row("goroutine\t1\tmain.main\twaiting\tsleep\t"), 910000);
	CHECK_EQ(row("goroutine\t9\t-\twaiting\t-\t"), 1100000);
	CHECK_EQ(row("p\t0\trunning\t"), 1100000);
	CHECK_EQ(row("p\t0\tidle\t"), 910000);
}

TEST(gzip_members)
{
	size_t n, n1, half;
	uint8_t *data = trace_text(FIRST STORY OTHERS SECOND, &n);
	uint8_t packed[8192];
	half = n / 3;
	n1 = 0;
	for (int part = 0; part < 2; part++) {
		z_stream z = {.next_in = data + (part ? half : 0),
			      .avail_in = (uInt)(part ? n - half : half)};
		deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
		z.next_out = packed + n1;
		z.avail_out = (uInt)(sizeof packed - n1);
		CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
		n1 += z.total_out;
		deflateEnd(&z);
	}
	CHECK_EQ(check_bytes(packed, n1), 0);
	CHECK_EQ(row("trace\tgenerations\t"), 2);
	CHECK_EQ(check_bytes(packed, n1 - 3), -1);
	free(data);
}

TEST(no_trace_at_all)
{
	CHECK_EQ(check_bytes((const uint8_t *)"", 0), -1);
	CHECK(strstr(said, "is empty") != NULL);
	CHECK_EQ(check_bytes((const uint8_t *)"a log of something", 18), -1);
	CHECK(strstr(said, "is no execution trace") != NULL);
	EXPECT("go 1.21\n", -1, "version that is not known");
	EXPECT("go 1.24\n", -1, "version that is not known");
	EXPECT("go 1.22\n", 1, "no generation");
}

TEST(versions)
{
	EXPECT("go 1.23\nfreq 1 1000\nbatch 1 1 5\n0 ProcStatus 0 1\n0 GoStatusStack 1 1 2 0\n", 0, NULL);
	EXPECT("go 1.22\nfreq 1 1000\nbatch 1 1 5\n0 ProcStatus 0 1\n0 GoStatusStack 1 1 2 0\n", 1,
	       "no event of that type");
	EXPECT("go 1.26\nbatch 1 - 1\nraw 32 08 05 33 00 01 01 01\nbatch 1 1 5\n0 ProcStatus 0 1\n", 1,
	       "the generation has no end");
	/* what is open, a batch, ends before a raw byte only when another item ends it */
	EXPECT("go 1.22\nfreq 1 1000\nbatch 1 1 5\n0 ProcStatus 0 1\nraw 34\n", 1, "no event of that type");
}

/* ---- the form ---- */

TEST(frequencies)
{
	EXPECT("go 1.22\nbatch 1 1 5\n0 ProcStatus 0 1\n", 1, "no frequency");
	EXPECT("go 1.22\nfreq 1 1000\nfreq 1 1000\nbatch 1 1 5\n0 ProcStatus 0 1\n", 1, "a second frequency");
	EXPECT("go 1.22\nfreq 1 0\nbatch 1 1 5\n0 ProcStatus 0 1\n", 2, "cut short or 0");
	EXPECT("go 1.22\nfreq 1 1000\nbatch 1 1 5\n0 ProcStatus 0 1\n"
	       "freq 2 2000\nbatch 2 1 6\n0 ProcStatus 0 1\n",
	       1, "changes from 1000 to 2000");
}

TEST(generations)
{
	EXPECT("go 1.22\nfreq 0 1000\nbatch 0 1 5\n0 ProcStatus 0 1\n", 1, "generation 0");
	EXPECT("go 1.22\nfreq 1 1000\nbatch 1 1 5\n0 ProcStatus 0 1\nfreq 3 1\n", 1, "not the next");
	EXPECT("go 1.22\nfreq 1 1000\nbatch 1 1 5\n0 ProcStatus 0 1\nfreq 2 1000\nbatch 2 1 6\n0 ProcStatus "
	       "0 1\n"
	       "batch 1 1 7\n0 ProcStop\n",
	       1, "not the next");
	EXPECT("go 1.22\nfreq 1 1000\n", 1, "no event in this generation");
	EXPECT(FIRST "raw 01 01\n", 1, "the byte is 1");
	EXPECT(FIRST "freq 2 5\nbatch 1 1 5\n", 1, "not the next");
}

TEST(tables)
{
	EXPECT(FIRST "string 1 0 zero\n", 1, "string 0 is defined");
	EXPECT(FIRST "string 1 1 again\n", 1, "string 1 is defined twice");
	EXPECT(FIRST "stack 1 0 0x1000:5:4:10\n", 1, "stack 0 is defined");
	EXPECT(FIRST "stack 1 1 0x1000:5:4:10\n", 1, "stack 1 is defined twice");
	EXPECT(FIRST "stack 1 5 0x5000:77:4:10\n", 1, "a frame names string 77");
	EXPECT(FIRST "stack 1 5 0x5000:5:78:10\n", 1, "a frame names string 78");
	EXPECT(FIRST "stack 1 5 0x1000:5:4:11\n", 1, "pc 0x1000 stands for two places");
	EXPECT(FIRST "stack 1 5 0x1000:5:4:10 0x6000:5:4:0\n", 1,
	       "frame 1 has no pc, function, file or line");
	EXPECT(FIRST "stack 1 5 0:0:0:0\n", 0, NULL);
	EXPECT(FIRST "batch 1 - 1\nraw 04 05 50 7f\n", 1, "a string is cut short");
	EXPECT(FIRST "batch 1 - 1\nraw 04 03\n", 1, "an entry of type 3 in a table of type 4");
	EXPECT(FIRST "batch 1 - 1\nraw 02 03 50 81 01\n", 1, "has 129 frames");
	EXPECT(FIRST "batch 1 - 1\nraw 02 03 50 02 01 01\n", 1, "stack 80 is cut short");
	EXPECT(FIRST "batch 1 - 1\nraw 06 07 01\n", 1, "a sample is cut short");
	EXPECT(FIRST "1 GoBlock 1 55\n", 1, "stack 55 is not defined");
	EXPECT(FIRST "1 GoBlock 56 1\n", 1, "string 56 is not defined");
}

TEST(batches)
{
	char text[4096] = FIRST "string 1 50 ";
	memset(text + strlen(text), 'x', 1025);
	strcat(text, "\n");
	EXPECT(text, 1, "has 1025 bytes");
	EXPECT(FIRST "raw 00\n", 1, "the byte is 0");
	EXPECT(FIRST "raw 05\n", 1, "the byte is 5");
	EXPECT(FIRST "raw 7f\n", 1, "the byte is 127");
	EXPECT(FIRST "raw 14\n", 1, "the time is cut short");
	EXPECT(FIRST "raw 14 01 01\n", 1, "an argument is cut short");
	EXPECT(FIRST "raw 0b ff ff ff ff ff ff ff ff ff 01\n", 1, "the time leaves 64 bits");
	EXPECT(FIRST "raw 0b ff ff ff ff ff ff ff ff ff 02\n", 1, "more than 64 bits");
}

TEST(cut_anywhere)
{
	size_t n;
	uint8_t *data = trace_text(FIRST STORY OTHERS SECOND, &n);
	int whole = 0;
	for (size_t i = 17; i < n; i++)
		whole += check_bytes(data, i) == 0;
	/* between batches of a generation that has all that the ones before name, nobody can tell */
	CHECK(whole < 8);
	free(data);
}

/* ---- order ---- */

TEST(sequences)
{
	EXPECT(FIRST "1 GoStop 2 1\n1 GoStart 1 2\n", 1, "sequence number 2: expected 1");
	EXPECT(FIRST "1 GoStart 8 1\n", 2, "goroutine 8 does not exist");
	EXPECT(FIRST OTHERS "batch 1 1 1500\n0 GoStop 2 1\n1 GoStart 9 1\n", 1,
	       "goroutine 9 is waiting: expected runnable");
	EXPECT(FIRST "1 GoUnblock 1 1 0\n", 1, "goroutine 1 is running: expected waiting");
	EXPECT(FIRST "1 GoCreate 3 3 1\n1 GoUnblock 3 1 0\n", 1, "goroutine 3 is runnable: expected waiting");
	EXPECT(FIRST "batch 1 2 1100\n0 ProcStart 5 1\n", 1, "p 5 is not known");
	EXPECT(FIRST "batch 1 2 1100\n0 ProcStatus 5 2\n0 ProcStart 5 2\n", 1,
	       "p 5 has sequence number 2: expected 1");
	/* a counter that goes on over the generation's end; statuses that are missing */
	EXPECT(FIRST OTHERS "freq 2 1000000\n" TABLES("2") "batch 2 1 2000\n0 GoStop 2 1\n0 GoStart 1 1\n"
							   "0 GoStatus 9 - 4\n",
	       1, "goroutine 1 has no status in this generation yet");
	EXPECT(FIRST OTHERS
	       "freq 2 1000000\n" TABLES("2") "batch 2 1 2000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n"
					      "0 GoStop 2 1\n0 GoStart 1 2\n0 GoStatus 9 - 4\n",
	       1, "sequence number 2: expected 1");
	EXPECT(FIRST OTHERS
	       "freq 2 1000000\n" TABLES("2") "batch 2 1 2000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n",
	       1, "goroutine 9, byte");
}

TEST(flushed_twice)
{
	EXPECT(FIRST
	       "batch 1 1 1020\n1 GoStop 2 1\n1 GoStart 1 1\nbatch 1 1 1020\n1 GoStop 2 1\n1 GoStart 1 1\n",
	       3, "sequence number 1: expected 2");
	EXPECT("go 1.22\nfreq 1 1000000\n" TABLES("1") "batch 1 1 1000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n"
						       "batch 1 1 1000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n",
	       2, "a second status in this generation");
}

TEST(contexts)
{
	EXPECT("go 1.22\nfreq 1 1\nbatch 1 1 5\n0 HeapAlloc 4096\n", 1, "its m has no p: expected one");
	EXPECT("go 1.22\nfreq 1 1\nbatch 1 - 5\n0 HeapAlloc 4096\n", 1, "in a batch of no m");
	EXPECT("go 1.22\nfreq 1 1\nbatch 1 1 5\n0 ProcStatus 0 1\n0 GoBlock 0 0\n", 1,
	       "its m runs no goroutine: expected one");
	EXPECT("go 1.22\nfreq 1 1\nbatch 1 1 5\n0 ProcStatus 0 1\n0 ProcsChange 1 0\n", 1,
	       "runs no goroutine");
	EXPECT(FIRST "1 GoCreate 3 3 1\n1 GoStart 3 1\n", 1, "runs a goroutine already: expected none");
	EXPECT(FIRST "1 GoCreate 1 3 1\n", 1, "goroutine 1 exists already");
	EXPECT("go 1.22\nfreq 1 1\nbatch 1 1 5\n0 ProcStop\n", 1, "its m has no p");
}

TEST(statuses)
{
	EXPECT(FIRST "0 GoStatus 4 - 5\n", 1, "status 5: expected 1 to 4");
	EXPECT(FIRST "0 GoStatus 4 - 0\n", 1, "status 0: expected 1 to 4");
	EXPECT(FIRST "0 ProcStatus 4 0\n", 1, "status 0: expected 1 to 4");
	EXPECT(FIRST OTHERS
	       "freq 2 1000000\nbatch 2 1 2000\n0 ProcStatus 0 2\n0 GoStatus 1 1 2\n0 GoStatus 9 - 4\n",
	       1, "p 0 is said to be idle, but was running");
	EXPECT(FIRST OTHERS
	       "freq 2 1000000\nbatch 2 1 2000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n0 GoStatus 9 - 1\n",
	       1, "goroutine 9 is said to be runnable, but was waiting");
	EXPECT(FIRST OTHERS
	       "freq 2 1000000\nbatch 2 1 2000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n0 GoStatus 9 - 4\n"
	       "0 GoStatus 12 - 4\n",
	       1, "goroutine 12 has no creation");
	EXPECT(FIRST STORY OTHERS "batch 1 - 1500\n0 GoStatus 3 - 1\n", 1,
	       "goroutine 3 has ended: expected no status");
}

/* ---- what Go's reader lets pass ---- */

TEST(one_p_on_two_m)
{
	EXPECT(FIRST "batch 1 2 1100\n0 ProcStatus 0 1\n", 2, "p 0 is on m 1 already");
	EXPECT(FIRST OTHERS "freq 2 1000000\nbatch 2 2 2000\n0 ProcStatus 0 1\n0 GoStatus 9 - 4\n"
			    "batch 2 - 2100\n0 GoStatus 1 - 2\n",
	       1, "p 0 is on m 1 already");
	EXPECT(FIRST "batch 1 1 1100\n0 ProcStatus 7 1\n", 1, "its m has p 0 already, and says to have p 7");
}

TEST(one_goroutine_on_two_m)
{
	EXPECT(FIRST OTHERS
	       "freq 2 1000000\nbatch 2 2 2000\n0 ProcStatus 1 1\n0 GoStatus 1 2 2\n0 GoStatus 9 - 4\n",
	       1, "goroutine 1 runs on m 1 already");
	EXPECT(FIRST "batch 1 2 1100\n0 ProcStatus 1 1\n0 GoStatus 8 1 2\n", 2,
	       "goroutine 8 is said to run on m 1, which does not say so");
	EXPECT(FIRST "0 GoStatus 8 1 2\n", 1, "m 1 runs goroutine 1 already");
}

TEST(time_goes_backwards)
{
	EXPECT(FIRST "batch 1 1 900\n5 HeapAlloc 1\n", 1, "the time of m goes backwards by 115 units");
	/* the unblock is later than the start that needs it */
	EXPECT(FIRST "1 GoCreate 3 3 1\nbatch 1 2 1000\n0 ProcStatus 1 2\n5 ProcStart 1 1\n5 GoStart 3 1\n",
	       1, "the time of goroutine 3 goes backwards by 11 units");
	EXPECT(FIRST "0 GoStop 2 1\n5 ProcStop\nbatch 1 2 1001\n0 ProcStart 0 1\n", 1,
	       "the time of p 0 goes backwards by 24 units");
}

TEST(p_stops_with_goroutine)
{
	EXPECT(FIRST "1 ProcStop\n", 1, "the p stops while a goroutine runs on it");
}

TEST(ids_used_again)
{
	EXPECT(FIRST STORY "batch 1 1 1400\n0 GoCreate 3 3 1\n", 1, "goroutine 3 has been before");
}

TEST(ranges)
{
	EXPECT(FIRST "1 STWBegin 6 1\n1 GoDestroy\n", 1, "it ends with a range open: expected STWEnd before");
	EXPECT(FIRST "1 GCMarkAssistBegin 1\n1 GoDestroy\n", 1, "expected GCMarkAssistEnd before");
	EXPECT(FIRST "1 STWBegin 6 1\n1 STWBegin 6 1\n", 1, "the range is open already");
	EXPECT(FIRST "1 STWEnd\n", 1, "a range ends that did not begin");
	EXPECT(FIRST "1 GCBegin 1 1\n1 GCEnd 3\n", 1, "sequence number 3 of the collector: expected 2");
	EXPECT(FIRST "1 GCBegin 1 1\n1 GCBegin 2 1\n", 1, "a collection begins within another");
	EXPECT(FIRST "1 GCEnd 1\n", 1, "a collection ends that is not known");
	EXPECT(FIRST "1 GCSweepBegin 1\n1 GCSweepEnd 1 1\n1 GCSweepEnd 1 1\n", 1,
	       "a range ends that did not begin");
}

TEST(annotations)
{
	EXPECT(FIRST "1 GoLabel 0\n", 1, "the label is empty");
	EXPECT(FIRST "1 UserTaskBegin 0 0 7 1\n", 1, "task 0 begins");
	EXPECT(FIRST "1 UserTaskBegin 4 0 7 1\n1 UserTaskBegin 4 0 7 1\n", 1, "task 4 begins twice");
	EXPECT(FIRST "1 UserTaskEnd 4 1\n", 0, NULL);
	EXPECT(FIRST "1 UserRegionEnd 0 7 1\n", 0, NULL);
	EXPECT(FIRST "1 UserRegionBegin 0 7 1\n1 UserRegionEnd 0 1 1\n", 1,
	       "region \"sleep\" of task 0 ends, but the innermost is \"work\" of task 0");
	EXPECT(FIRST "1 UserRegionBegin 0 7 1\n1 UserRegionEnd 1 7 1\n", 1,
	       "the innermost is \"work\" of task 0");
	EXPECT(FIRST "string 1 9 a\033[2Jb\nbatch 1 1 1100\n1 UserRegionBegin 0 9 1\n1 UserRegionEnd 1 7 1\n",
	       1, "the innermost is \"a?[2Jb\" of task 0"); /* to a terminal it is text */
	EXPECT(FIRST "1 UserRegionBegin 0 7 1\n1 GoDestroy\n", 0, NULL);
	CHECK_EQ(row("trace\tregions_open\t"), 1);
	EXPECT(FIRST "1 UserLog 0 7 7 1\n", 0, NULL);
}

/* The golden traces of Go's internal/trace that have no system calls, by their names. */
TEST(golden)
{
	/* confuse-seq-across-generations: numbers that fit the generation before as well */
	EXPECT("go 1.22\nfreq 1 1\nbatch 1 1 5\n0 ProcStatus 0 1\n0 ProcStop\nbatch 1 2 6\n0 ProcStart 0 1\n"
	       "freq 2 1\nbatch 2 1 9\n1 ProcStart 0 1\nbatch 2 2 8\n0 ProcStatus 0 1\n0 ProcStop\n",
	       0, NULL);
	/* go-create-without-running-g: a p is enough */
	EXPECT("go 1.22\nfreq 1 1\n" TABLES(
		       "1") "batch 1 1 5\n0 ProcStatus 0 1\n0 GoCreate 5 3 0\n1 GoStart 5 1\n",
	       0, NULL);
	/* fail-first-gen-first: what is wrong in the first generation is said first */
	EXPECT("go 1.22\nfreq 1 1\nbatch 1 1 5\n0 HeapAlloc 1\nfreq 2 1\nbatch 2 1 6\n0 GoStatus 4 - 7\n", 2,
	       "expected one");
	CHECK(strncmp(said, "generation 1", 12) == 0);
	/* task-across-generations */
	EXPECT(FIRST OTHERS "batch 1 1 1500\n0 UserTaskBegin 7 0 7 1\nfreq 2 1000000\n" TABLES(
		       "2") "batch 2 1 2000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n0 UserTaskEnd 7 1\n0 "
			    "GoStatus 9 - 4\n",
	       0, NULL);
}

TEST(samples)
{
	/* goroutine 3 ran on m 2 from 1040 to 1140, and then on m 1 from 1251 to 1300 */
	EXPECT(FIRST STORY OTHERS "sample 1 1090 2 1 3 1\nsample 1 1260 1 0 3 1\nsample 1 1030 1 0 1 1\n", 0,
	       NULL);
	EXPECT(FIRST STORY OTHERS "sample 1 1090 2 1 0 1\nsample 1 1090 2 - 3 1\n", 0, NULL);
	EXPECT(FIRST STORY OTHERS "sample 1 1090 2 1 9 1\n", 1,
	       "it names goroutine 9, which m did not have at time 1090");
	EXPECT(FIRST STORY OTHERS "sample 1 1090 2 0 3 1\n", 1,
	       "it names p 0, which m did not have at time 1090");
	EXPECT(FIRST STORY OTHERS "sample 1 1090 7 1 3 1\n", 1, "m 7, CPUSample at byte");
	EXPECT(FIRST STORY OTHERS "sample 1 1090 2 1 3 55\n", 1, "stack 55 is not defined");
	/* of the generation before, and of one that goes on */
	EXPECT(FIRST STORY OTHERS SECOND "sample 2 2500 2 1 9 1\nsample 2 1090 2 1 3 1\n", 0, NULL);
	EXPECT(FIRST STORY OTHERS SECOND "sample 2 2500 1 0 9 1\n", 1, "it names goroutine 9");
}

/* Many faults do not take for ever, and are bounded. */
TEST(many_violations)
{
	static char text[200000];
	strcpy(text, FIRST);
	for (size_t n = strlen(text); n < sizeof text - 100; n += 11)
		strcpy(text + n, "0 STWEnd  \n");
	CHECK_EQ(check_text(text), TRACE_VIOLATIONS_MAX);
}

/* ---- where it is ---- */

TEST(places)
{
	EXPECT("go 1.22\nfreq 1 1000\nbatch 1 1 5\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n0 STWEnd\n", 1,
	       "generation 1, m 1, p 0, goroutine 1, STWEnd at byte 47: a range ends that did not begin\n");
}
