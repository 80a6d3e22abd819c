/* See short_memory.h. */
#include "short_memory.h"

#include <stddef.h>

#include <hartbeat/time.h>

#include "kernel/page.h"
#include "kernel/system.h"

enum { LEFT_PAGES = 1024, QUIET_MS = 5 };

struct short_memory_page {
	struct short_memory_page *next;
	unsigned order;
};

static void take_sys(void *arg)
{
	struct short_memory *s = arg;
	struct page_stats left;
	for (unsigned order = 12;;) {
		page_stats(&left);
		if (left.unused < LEFT_PAGES)
			break;
		struct short_memory_page *one = page_alloc(order);
		if (one != NULL) {
			*one = (struct short_memory_page){s->all, order};
			s->all = one;
		} else if (order-- == 0) {
			break;
		}
	}
}

static void give_sys(void *arg)
{
	struct short_memory *s = arg;
	struct short_memory_page *next;
	for (struct short_memory_page *one = s->all; one != NULL; one = next) {
		next = one->next;
		page_free(one, one->order);
	}
	s->all = NULL;
}

void short_memory_begin(struct short_memory *s)
{
	s->all = NULL;
	/* until nobody gives any back, as the shrinker may of what other tests left */
	for (int quiet = 0; quiet < QUIET_MS; quiet++) {
		const struct short_memory_page *last = s->all;
		on_system_stack(take_sys, s);
		if (s->all != last)
			quiet = 0;
		time_sleep(TIME_MILLISECOND);
	}
}

void short_memory_end(struct short_memory *s)
{
	on_system_stack(give_sys, s);
}
