/* A second static function called twin (see unwind.c). */
#ifndef TESTS_GUEST_UNWIND_TWIN_H
#define TESTS_GUEST_UNWIND_TWIN_H

#include <stdint.h>

uintptr_t twin_address(void);
unsigned twin_line(void); /* of its declaration */

#endif
