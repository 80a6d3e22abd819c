/* panic() for host builds of kernel modules: prints the message and aborts; a test may catch it with panic_trap. */
#include "tests/host/host_panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/assert.h"

jmp_buf *panic_trap;
char panic_text[512];

void panic(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(panic_text, sizeof panic_text, fmt, ap);
	va_end(ap);
	if (panic_trap != NULL)
		longjmp(*panic_trap, 1);
	fprintf(stderr, "panic: %s\n", panic_text);
	abort();
}
