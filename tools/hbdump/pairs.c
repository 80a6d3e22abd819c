/* A hash table over a growing list (see pairs.h). */
#include "tools/hbdump/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/vector.h"

enum { SLOTS_FIRST = 64 };

static uint32_t slot_of(const struct pairs *t, uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ (b << 32 | b >> 32)) * 0x9e3779b97f4a7c15u;
	h = (h ^ h >> 29 ^ b) * 0xbf58476d1ce4e5b9u;
	uint32_t mask = t->n_slots - 1, at = (uint32_t)(h >> 32) & mask;
	while (t->slots[at] != 0) {
		const struct pair *p = &t->list[t->slots[at] - 1];
		if (p->a == a && p->b == b)
			break;
		at = (at + 1) & mask;
	}
	return at;
}

/* Twice as many slots, and room for the pairs that may fill them. */
static void grow(struct pairs *t)
{
	t->n_slots = t->n_slots == 0 ? SLOTS_FIRST : 2 * t->n_slots;
	t->list = vector_resize(t->list, t->n_slots / 2, sizeof *t->list);
	t->slots = vector_resize(t->slots, t->n_slots, sizeof *t->slots);
	memset(t->slots, 0, t->n_slots * sizeof *t->slots);
	for (uint32_t i = 0; i < t->n; i++)
		t->slots[slot_of(t, t->list[i].a, t->list[i].b)] = i + 1;
}

uint32_t pairs_put(struct pairs *t, uint64_t a, uint64_t b, bool *is_new)
{
	if (t->n == t->n_slots / 2)
		grow(t);
	uint32_t at = slot_of(t, a, b);
	bool fresh = t->slots[at] == 0;
	if (is_new != NULL)
		*is_new = fresh;
	if (fresh) {
		t->list[t->n++] = (struct pair){a, b};
		t->slots[at] = t->n;
	}
	return t->slots[at] - 1;
}

bool pairs_find(const struct pairs *t, uint64_t a, uint64_t b, uint32_t *i)
{
	if (t->n_slots == 0)
		return false;
	uint32_t number = t->slots[slot_of(t, a, b)];
	*i = number - 1;
	return number != 0;
}

void pairs_free(struct pairs *t)
{
	free(t->list);
	free(t->slots);
	*t = (struct pairs){.n = 0};
}
