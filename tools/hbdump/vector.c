/* See vector.h. */
#include "tools/hbdump/vector.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_TROUBLE = 2 };

void *vector_resize(void *p, size_t n, size_t size)
{
	p = n > SIZE_MAX / size ? NULL : realloc(p, n * size);
	if (p == NULL) {
		fprintf(stderr, "hbdump: out of memory\n");
		exit(EXIT_TROUBLE);
	}
	return p;
}
