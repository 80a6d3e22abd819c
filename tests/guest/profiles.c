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

/* How many functions a stack has that begin a line of their own with "#", at most max; names[i] begins at the name. */
static unsigned functions_of(const char *stack, const char **names, unsigned max)
{
	unsigned n = 0;
	for (const char *line = strchr(stack, '\n'); line != NULL && line[1] != '\n' && line[1] != '\0';
	     line = strchr(line + 1, '\n')) {
		if (line[1] != '#' || line[2] != '\t' || n == max)
			continue;
		const char *name = strchr(line + 3, '\t');
		while (name != NULL && *name == '\t')
			name++;
		if (name != NULL)
			names[n++] = name;
	}
	return n;
}

static bool is_name(const char *at, const char *name)
{
	size_t n = strlen(name);
	return strncmp(at, name, n) == 0 && (at[n] == '+' || at[n] == '\t' || at[n] == '\n');
}

bool profile_stack(const char *text, const char *const *want, uint64_t *first, uint64_t *second)
{
	bool found = false;
	*first = *second = 0;
	for (const char *at = text; at != NULL; at = strstr(at, "\n\n"), at = at != NULL ? at + 2 : NULL) {
		const char *names[8];
		const char *head = strstr(at, " @ ");
		unsigned n = 0;
		if (head == NULL)
			break;
		unsigned got = functions_of(head, names, 8);
		while (n < got && want[n] != NULL && is_name(names[n], want[n]))
			n++;
		if (want[n] != NULL)
			continue;
		while (head > text && head[-1] != '\n')
			head--;
		char *end;
		*first += strtoull(head, &end, 10);
		*second += strtoull(end, NULL, 10);
		found = true;
	}
	return found;
}
