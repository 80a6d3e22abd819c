/*
 * Lets a host test expect a panic: `jmp_buf env; panic_trap = &env; if (setjmp(env) == 0) { ...; } panic_trap = NULL;`
 * and then look at panic_text.
 */
#ifndef TESTS_HOST_HOST_PANIC_H
#define TESTS_HOST_HOST_PANIC_H

#include <setjmp.h>

extern jmp_buf *panic_trap;
extern char panic_text[512];

#endif
