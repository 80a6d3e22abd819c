/* Sizes known to every room. */
#ifndef KERNEL_LIMITS_H
#define KERNEL_LIMITS_H

enum {
	HART_MAX = 32,
	PAGE_SIZE = 4096, /* bytes */
};

#endif
