/* Runs the registered host tests in order and prints TAP (see check.h). */
#include "tests/host/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct check_case *first, **last = &first;
static int failures;

void check_register(struct check_case *c)
{
	*last = c;
	last = &c->next;
}

void check_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	printf("# %s:%d: ", file, line);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	failures++;
}

void check_str(const char *file, int line, const char *a, const char *b)
{
	if (a == NULL || b == NULL || strcmp(a, b) != 0)
		check_fail(file, line, "\"%s\" and \"%s\" differ", a ? a : "(null)", b ? b : "(null)");
}

int main(int argc, char **argv)
{
	int n = 0, bad = 0;
	for (struct check_case *c = first; c != NULL; c = c->next) {
		if (argc > 1 && strstr(c->name, argv[1]) == NULL)
			continue;
		failures = 0;
		c->run();
		n++;
		bad += failures != 0;
		printf("%sok %d - %s\n", failures ? "not " : "", n, c->name);
		fflush(stdout);
	}
	printf("1..%d\n", n);
	return n == 0 || bad != 0;
}
