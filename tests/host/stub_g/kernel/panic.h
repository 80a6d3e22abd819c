/* Host stand-in for kernel/panic.h, for test_g.c. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#define fatal_error panic

#include "kernel/assert.h"

#endif
