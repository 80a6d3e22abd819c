/* Makes a trace of the text on stdin (tests/host/trace_text.h), for tests that are scripts. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/host/trace_text.h"

int main(void)
{
	static char text[1 << 20];
	size_t n = fread(text, 1, sizeof text - 1, stdin);
	text[n] = '\0';
	uint8_t *data = trace_text(text, &n);
	int status = fwrite(data, 1, n, stdout) == n && fflush(stdout) == 0 ? 0 : 1;
	free(data);
	return status;
}
