/*
 * Fuzzes hbdump --check-trace. The first byte picks: a file as it is, or a sound trace of which the input changes single bytes. Whatever comes:
 * no crash, no unbounded work; each violation is one line, counted; what is no trace says why. So with its picture and its whole generations.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/trace_text.h"
#include "tools/hbdump/trace_check.h"
#include "tools/hbdump/trace_draw.h"
#include "tools/hbdump/trace_mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char sound[] = "go 1.22\nfreq 1 1000000\nstring 1 1 sleep\nstring 1 2 main.main\nstring 1 3 "
			    "main.c\nstack 1 1 0x1000:2:3:10 0x2000:2:3:11\n"
			    "batch 1 1 1000\n0 ProcStatus 0 1\n0 GoStatus 1 1 2\n0 ProcsChange 2 1\n1 "
			    "STWBegin 1 1\n1 STWEnd\n1 GoCreate 3 1 1\n"
			    "1 UserTaskBegin 1 0 1 1\n1 UserRegionBegin 1 1 1\n1 UserRegionEnd 1 1 1\n1 "
			    "UserTaskEnd 1 1\n90 GoUnblock 3 2 1\n1 GoBlock 1 1\n"
			    "1 GoStart 3 3\n1 GCBegin 1 1\n1 GCMarkAssistBegin 1\n1 GCMarkAssistEnd\n1 GCEnd "
			    "2\n1 GoDestroy\n1 ProcStop\n"
			    "batch 1 2 1030\n0 ProcStatus 1 2\n0 ProcStart 1 1\n0 GoStart 3 1\n5 HeapAlloc "
			    "1\n1 GoBlock 1 1\n1 ProcStop\n"
			    "sample 1 1032 2 1 3 1\n"
			    "freq 2 1000000\nstring 2 1 sleep\nbatch 2 - 1900\n0 GoStatus 1 - 4\nbatch 2 2 "
			    "2000\n0 ProcStatus 1 2\n0 ProcStart 1 1\n";

struct lines {
	uint64_t n;
};

static void require(bool ok, const char *rule)
{
	if (!ok) {
		fprintf(stderr, "fuzz_trace: %s\n", rule);
		abort();
	}
}

static void say(void *ctx, const char *line)
{
	struct lines *l = ctx;
	l->n++;
	require(strchr(line, '\n') == NULL && line[0] != '\0', "a violation is one line");
}

/* What is whole lies in the data, in order. */
static void mend(const uint8_t *data, size_t size, int holes)
{
	struct trace_piece *list;
	size_t n = trace_pieces(data, size, holes, &list), at = 0;
	for (size_t i = 0; i < n; i++) {
		require(list[i].from >= at && list[i].from < list[i].to && list[i].to <= size,
			"whole generations lie in the trace, one behind the other");
		at = list[i].to;
	}
	free(list);
}

static void check(const uint8_t *data, size_t size, bool is_sound)
{
	struct lines lines = {0};
	struct trace_report report = {say, &lines, 0};
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	const char *wrong = trace_check(data, size, &report, SUMMARY_ROWS, to);
	fputc('\n', to);
	enum trace_summary_form form = SUMMARY_TEXT;
	if (wrong == NULL)
		trace_check(data, size, &(struct trace_report){NULL, NULL, 0}, form, to);
	bool drawn = trace_draw(data, size, &(struct trace_span){0, 0}, to) == NULL;
	require(drawn == (wrong == NULL), "what is a trace has a picture");
	fclose(to);
	mend(data, size, 1);
	mend(data, size, 0);
	require(lines.n ==
			(report.violations < TRACE_VIOLATIONS_MAX ? report.violations : TRACE_VIOLATIONS_MAX),
		"each violation is said");
	require(wrong == NULL || strchr(wrong, '\n') == NULL, "what is no trace says why");
	require(!is_sound || (wrong == NULL && report.violations == 0), "a sound trace is sound");
	for (size_t i = 0; i < n; i++)
		require(text[i] == '\n' || text[i] == '\t' || (text[i] >= ' ' && text[i] < 0x7f),
			"a summary is printable");
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0) {
		check(data + 1, size - 1, false);
		return 0;
	}
	size_t n;
	uint8_t *trace = trace_text(sound, &n);
	for (size_t i = 1; i + 2 < size && i < 25; i += 3)
		trace[(data[i] | data[i + 1] << 8) % n] = data[i + 2];
	check(trace, n, size < 4);
	free(trace);
	return 0;
}
