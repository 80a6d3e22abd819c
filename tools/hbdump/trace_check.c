/* The validator as a whole, and as a command (see trace_check.h). */
#include "tools/hbdump/trace_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/gunzip.h"
#include "tools/hbdump/trace_order.h"
#include "tools/hbdump/vector.h"

enum {
	LINES_MAX = 50, /* violations printed; more are counted */
	EXIT_VIOLATIONS = 1,
	EXIT_TROUBLE = 2,
};

const char *trace_order_read(struct trace_order *o, struct trace_file *f, const uint8_t *data, size_t n,
			     uint8_t **unpacked)
{
	struct trace_generation gen;
	*unpacked = NULL;
	if (n >= 2 && data[0] == 0x1f && data[1] == 0x8b) {
		const char *wrong = gunzip_members(data, n, TRACE_SIZE_MAX, unpacked, &n);
		if (wrong != NULL)
			return wrong;
		data = *unpacked;
	}
	const char *wrong = trace_file_open(f, data, n, o->report);
	if (wrong != NULL)
		return wrong;
	while (o->report->violations < TRACE_VIOLATIONS_MAX && trace_generation_read(f, &gen)) {
		trace_order_generation(o, &gen);
		trace_generation_free(&gen);
	}
	trace_order_end(o);
	return NULL;
}

const char *trace_check(const uint8_t *data, size_t n, struct trace_report *report,
			enum trace_summary_form form, FILE *to)
{
	uint8_t *unpacked;
	struct trace_file f;
	struct trace_order o = {.report = report, .file = &f};
	const char *wrong = trace_order_read(&o, &f, data, n, &unpacked);
	if (wrong == NULL) {
		if (o.first_gen == 0 && report->violations == 0)
			trace_violation(report,
					&(struct trace_place){TRACE_NONE, TRACE_NONE, TRACE_NONE, TRACE_NONE,
							      NULL, f.at},
					"the trace has no generation");
		trace_summary_print(&o, form, to);
		trace_order_free(&o);
	}
	free(unpacked);
	return wrong;
}

struct printer {
	const char *name;
	unsigned lines;
};

static void say(void *ctx, const char *line)
{
	struct printer *p = ctx;
	if (p->lines++ < LINES_MAX)
		fprintf(stderr, "hbdump: %s: %s\n", p->name, line);
}

uint8_t *trace_file_load(const char *path, size_t *n)
{
	FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	uint8_t *data = NULL;
	size_t room = 0;
	*n = 0;
	if (from == NULL) {
		fprintf(stderr, "hbdump: %s: cannot open: %s\n", path, strerror(errno));
		return NULL;
	}
	do {
		if (*n == room)
			data = vector_resize(data, room = room == 0 ? 1 << 16 : 2 * room, 1);
		errno = 0;
		*n += fread(data + *n, 1, room - *n, from);
	} while (!feof(from) && !ferror(from) && *n <= TRACE_SIZE_MAX);
	if (ferror(from) || *n > TRACE_SIZE_MAX) {
		fprintf(stderr, "hbdump: %s: %s\n", path,
			ferror(from) ? strerror(errno != 0 ? errno : EIO)
				     : "has more than 1 GiB: expected a trace");
		free(data);
		data = NULL;
	}
	if (from != stdin)
		fclose(from);
	return data;
}

int trace_check_run(const char *path, enum trace_summary_form form)
{
	size_t n;
	struct printer printer = {path, 0};
	struct trace_report report = {say, &printer, 0};
	uint8_t *data = trace_file_load(path, &n);
	if (data == NULL)
		return EXIT_TROUBLE;
	const char *wrong = trace_check(data, n, &report, form, stdout);
	free(data);
	if (wrong != NULL) {
		fprintf(stderr, "hbdump: %s: %s\n", path, wrong);
		return EXIT_TROUBLE;
	}
	if (report.violations > LINES_MAX)
		fprintf(stderr, "hbdump: %s: %" PRIu64 " more\n", path, report.violations - LINES_MAX);
	if (report.violations >= TRACE_VIOLATIONS_MAX)
		fprintf(stderr, "hbdump: %s: so many that the rest was not looked at\n", path);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "hbdump: cannot write the summary: %s\n", strerror(errno));
		return EXIT_TROUBLE;
	}
	return report.violations > 0 ? EXIT_VIOLATIONS : 0;
}
