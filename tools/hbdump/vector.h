/* Growing arrays. A program for people at a terminal: without memory it says so and ends. */
#ifndef TOOLS_HBDUMP_VECTOR_H
#define TOOLS_HBDUMP_VECTOR_H

#include <stddef.h>

/* The array at p, now with room for n items of that size; what is new in it is not set. Exits the program without memory. */
void *vector_resize(void *p, size_t n, size_t size);

/* Room for one more in an array v that has n items, and doubles; the field holds the pointer. */
#define VECTOR_ADD(v, n)                                                                              \
	(((n) & ((n)-1)) == 0 ? (void)((v) = vector_resize((v), (n) == 0 ? 1 : 2 * (n), sizeof *(v))) \
			      : (void)0,                                                              \
	 &(v)[(n)++])

#endif
