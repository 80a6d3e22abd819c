/* See profiles.h. */
#include "profiles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/profile.h>

#include "suite.h"

char *profile_text(const char *name, int debug)
{
	struct sink_memory m;
	sink_memory_init(&m);
	if (profile_write(name, debug, &m.sink) != 0 || sink_write(&m.sink, "", 1) != 0) {
		guest_fail(__FILE__, __LINE__, "no profile %s: errno %d", name, errno);
		sink_memory_free(&m);
		return strdup("");
	}
	return m.data;
}

unsigned long profile_total(const char *text)
{
	unsigned long n = 0;
	const char *total = strstr(text, " profile: total ");
	if (total == NULL || sscanf(total, " profile: total %lu", &n) != 1)
		guest_fail(__FILE__, __LINE__, "no total: %.80s", text);
	return n;
}

unsigned long profile_sum(const char *text)
{
	unsigned long sum = 0, n;
	for (const char *line = text; line != NULL; line = strchr(line + 1, '\n'))
		if (sscanf(line, "\n%lu", &n) == 1 && line[1] != '\n' &&
		    line[1 + strspn(line + 1, "0123456789")] == ' ')
			sum += n;
	return sum;
}
