/*
 * One file of a trace after the other: a trace with a hole is none, so what follows a generation that was dropped is a file of its own:
 * trace.out, trace.2.out, ... Generations are numbered anew in each.
 */
#include "prof/trace_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/dump.h"
#include "kernel/heap.h"
#include "prof/gzip.h"
#include "prof/prof.h"
#include "trace/trace.h"

bool trace_gz;

static void *mem_take(void *ctx, size_t size)
{
	(void)ctx;
	return heap_alloc(size);
}

static void mem_give(void *ctx, void *p)
{
	(void)ctx;
	heap_free(p);
}

static const struct mem_ops mem = {mem_take, mem_give, NULL};

static int bytes_out(struct sink *s, const void *data, size_t n)
{
	struct trace_file *f = (struct trace_file *)s;
	f->bytes += n;
	if (f->fn != NULL)
		return f->fn(f->ctx, data, n) == 0 ? 0 : -EIO;
	dump_write(f->dump, data, n);
	return 0;
}

static void name_of(const struct trace_file *f, char *name, size_t size)
{
	const char *dot = strchr(f->name, '.');
	int stem = dot != NULL && dot != f->name ? (int)(dot - f->name) : (int)strlen(f->name);
	if (f->files == 1)
		snprintf(name, size, "%s%s", f->name, trace_gz ? ".gz" : "");
	else
		snprintf(name, size, "%.*s.%u%s%s", stem, f->name, (unsigned)f->files, f->name + stem,
			 trace_gz ? ".gz" : "");
}

void trace_file_end(struct trace_file *f)
{
	if (f->dump != NULL)
		dump_close(f->dump);
	f->dump = NULL;
	f->number = 0;
}

static void file_begin(struct trace_file *f)
{
	char name[FRAME_NAME_MAX + 24];
	f->sink.write = bytes_out;
	f->files++;
	if (f->fn != NULL) {
		if (f->files > 1 && f->fn(f->ctx, "", 0) != 0)
			f->error = -EIO;
		return;
	}
	name_of(f, name, sizeof name);
	f->dump = dump_open(name);
	if (f->dump == NULL)
		f->error = -ENOMEM;
}

static int gen_write(const struct trace_gen *gen, uint64_t number, struct sink *s)
{
	int error = number == 1 ? trace_head_write(s) : 0;
	return error != 0 ? error : trace_gen_write(gen, number, s);
}

void trace_file_gen(struct trace_file *f, const struct trace_gen *gen)
{
	if (gen == NULL) {
		trace_file_end(f);
		return;
	}
	if (f->number == 0 && f->error == 0)
		file_begin(f);
	if (f->error != 0)
		return;
	f->number++;
	if (!trace_gz || f->fn != NULL) { /* what is for the serial line */
		f->error = gen_write(gen, f->number, &f->sink);
		return;
	}
	struct gzip *z = gzip_open(&f->sink, &mem, GZIP_LEVEL_FAST);
	if (z == NULL) {
		f->error = -ENOMEM;
		return;
	}
	f->error = gen_write(gen, f->number, gzip_sink(z));
	int closed = gzip_close(z);
	if (f->error == 0)
		f->error = closed;
}
