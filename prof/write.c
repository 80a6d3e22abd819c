/*
 * A sampled profile's way out: builder -> pprof -> gzip -> dump -> console.
 */
#include "prof/impl.h"

#include <errno.h>

#include "kernel/dump.h"
#include "prof/gzip.h"
#include "prof/image.h"
#include "prof/pprof.h"

int prof_write(const char *name, struct pprof_options *o, const struct builder *b)
{
	prof_image_options(o);
	struct dump *d = dump_open(name);
	if (d == NULL)
		return -EINVAL;
	int error = -ENOMEM;
	struct gzip *z = gzip_open(dump_sink(d), &prof_mem, GZIP_LEVEL_PROFILE);
	if (z != NULL) {
		error = pprof_write_builder(b, o, &prof_mem, gzip_sink(z));
		int closed = gzip_close(z);
		error = error ? error : closed;
	}
	dump_close(d);
	return error;
}
