/* Memory that is short: for tests of what happens then. */
#ifndef TESTS_GUEST_SHORT_MEMORY_H
#define TESTS_GUEST_SHORT_MEMORY_H

struct short_memory {
	struct short_memory_page *all;
};

/* Takes pages until so few are left that memory stays short (kernel/page.h), whatever the shrinker gives back meanwhile; gives them back. Any
 * goroutine. */
void short_memory_begin(struct short_memory *s);
/* After that: of what is left no two pages lie side by side, so that nothing larger than a page can be had. */
void short_memory_pieces(struct short_memory *s);
void short_memory_end(struct short_memory *s);

#endif
