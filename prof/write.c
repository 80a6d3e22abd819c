/*
 * A profile's way out: builder -> pprof -> gzip -> a sink, or dump -> console.
 */
#include "prof/impl.h"

#include <errno.h>

#include "kernel/dump.h"
#include "prof/gzip.h"
#include "prof/image.h"
#include "prof/pprof.h"

int prof_write_to(struct sink *to, struct pprof_options *o, const struct builder *b)
{
	prof_image_options(o);
	struct gzip *z = gzip_open(to, &prof_mem, GZIP_LEVEL_PROFILE);
	if (z == NULL)
		return -ENOMEM;
	int error = pprof_write_builder(b, o, &prof_mem, gzip_sink(z));
	int closed = gzip_close(z);
	return error != 0 ? error : closed;
}

int prof_write(const char *name, struct pprof_options *o, const struct builder *b)
{
	struct dump *d = dump_open(name);
	if (d == NULL)
		return -EINVAL;
	int error = prof_write_to(dump_sink(d), o, b);
	dump_close(d);
	return error;
}
