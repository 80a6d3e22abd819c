/* A second static function called twin (see unwind.c). */
#include "unwind_twin.h"

enum { TWIN_LINE = __LINE__ + 1 };
__attribute__((noinline)) static int twin(int x)
{
	__asm__ volatile(""); /* so that the two are not the same code */
	return x * 5 + 2;
}

uintptr_t twin_address(void)
{
	return twin(1) == 7 ? (uintptr_t)twin : 0;
}

unsigned twin_line(void)
{
	return TWIN_LINE;
}
