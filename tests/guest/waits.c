/* See waits.h. */
#include "waits.h"

#include <hartbeat/go.h>

#include "kernel/lock.h"
#include "kernel/symtab.h"
#include "prof/wait.h"
#include "sched/sched.h"

bool stack_has(const struct stack_record *r, uintptr_t fn)
{
	struct symtab_function f;
	for (uint32_t i = 0; i < r->depth; i++)
		if (symtab_function(r->pcs[i] - 1, &f) && f.start == fn)
			return true;
	return false;
}

struct sums waits_sum(const struct stack_table *t, void (*fn)(void *), int reason)
{
	struct sums s = {0};
	for (const struct stack_record *r = NULL; (r = stack_next(t, r)) != NULL;) {
		if ((reason >= 0 && r->key != (uint64_t)reason) ||
		    (fn != NULL && !stack_has(r, (uintptr_t)fn)))
			continue;
		s.count += stack_value(r, WAIT_COUNT);
		s.parked += stack_value(r, WAIT_PARKED);
		s.late += stack_value(r, WAIT_LATE);
	}
	return s;
}

struct sums sums_less(struct sums a, struct sums b)
{
	return (struct sums){a.count - b.count, a.parked - b.parked, a.late - b.late};
}

void until_waits(struct g *_Atomic *who)
{
	const struct g *g;
	while ((g = atomic_load(who)) == NULL || g_status(g) != G_WAITING)
		go_yield();
}

struct stacks_room stacks_fill(struct stack_table *t)
{
	spin_lock(&t->lock);
	struct stacks_room room = {t->used, t->limit};
	t->used = STACK_SPAN;
	t->limit = 0;
	spin_unlock(&t->lock);
	return room;
}

void stacks_unfill(struct stack_table *t, struct stacks_room room)
{
	spin_lock(&t->lock);
	t->used = room.used;
	t->limit = room.limit;
	spin_unlock(&t->lock);
}
