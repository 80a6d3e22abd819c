/* See short_memory.h. */
#include "short_memory.h"

#include <stddef.h>
#include <stdint.h>

#include <hartbeat/time.h>

#include "kernel/page.h"
#include "kernel/system.h"

enum { LEFT_PAGES = 1024, PIECES_PAGES = 768, QUIET_MS = 5 };

struct short_memory_page {
	struct short_memory_page *next;
	unsigned order;
};

static void put(struct short_memory_page **list, void *p, unsigned order)
{
	struct short_memory_page *one = p;
	*one = (struct short_memory_page){*list, order};
	*list = one;
}

static void take_sys(void *arg)
{
	struct short_memory *s = arg;
	struct page_stats left;
	for (unsigned order = 12;;) {
		page_stats(&left);
		if (left.unused < LEFT_PAGES)
			break;
		void *p = page_alloc(order);
		if (p != NULL)
			put(&s->all, p, order);
		else if (order-- == 0)
			break;
	}
}

static void pieces_sys(void *arg)
{
	struct short_memory *s = arg;
	struct short_memory_page *pages = NULL, *next;
	void *p;
	for (int i = 0; i < PIECES_PAGES && (p = page_alloc(0)) != NULL; i++)
		put(&pages, p, 0);
	for (struct short_memory_page *one = pages; one != NULL; one = next) {
		next = one->next;
		if (((uintptr_t)one >> PAGE_SHIFT) % 2 == 0)
			page_free(one, 0);
		else
			put(&s->all, one, 0);
	}
	for (unsigned order = 12; order > 0; order--)
		while ((p = page_alloc(order)) != NULL)
			put(&s->all, p, order);
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

void short_memory_pieces(struct short_memory *s)
{
	on_system_stack(pieces_sys, s);
}

void short_memory_end(struct short_memory *s)
{
	on_system_stack(give_sys, s);
}
