/* Strings of a trace: those that the kernel says have ids that are always the same; others are put into the generation's table. */
#include "trace/impl.h"

#include <string.h>

#include "kernel/system.h"

/* Go's kinds, in the order of enum stw_kind (sched/stw.h), which sched/stw.c hands over. */
const char *const *trace_stw_texts;
unsigned trace_stw_count;

const char *trace_text(unsigned id)
{
	if (id == TRACE_TEXT_YIELD)
		return "runtime.Gosched";
	if (id == TRACE_TEXT_PREEMPTED)
		return "preempted";
	if (id >= TRACE_TEXT_REASON && id < TRACE_TEXT_STW)
		return wait_reason_text[id - TRACE_TEXT_REASON].trace;
	if (id >= TRACE_TEXT_STW && id - TRACE_TEXT_STW < trace_stw_count)
		return trace_stw_texts[id - TRACE_TEXT_STW];
	return NULL;
}

struct put {
	struct trace_map *map;
	const uint64_t *words;
	uint32_t size;
	const struct trace_entry *entry;
	uint64_t hash;
};

static void put_sys(void *arg)
{
	struct put *p = arg;
	spin_lock(&trace_lock);
	p->entry = trace_map_put_locked(p->map, p->words, p->size, p->hash);
	spin_unlock(&trace_lock);
}

const struct trace_entry *trace_map_put(struct trace_map *m, const uint64_t *words, uint32_t size,
					uint64_t hash)
{
	struct put p = {m, words, size, NULL, hash};
	on_system_stack(put_sys, &p);
	return p.entry;
}

uint32_t trace_string(const char *s)
{
	uint64_t words[TRACE_STRING_MAX / 8], hash = 0;
	size_t n = strnlen(s, TRACE_STRING_MAX);
	uint32_t size = (uint32_t)(n + 7) & ~7u;
	if (n == 0)
		return 0;
	words[size / 8 - 1] = 0;
	memcpy(words, s, n);
	for (uint32_t i = 0; i < size / 8; i++)
		hash = trace_hash_step(hash, words[i]) ^ hash >> 29;
	const struct trace_entry *e = trace_map_find(&trace_gen->strings, words, size, hash);
	if (e == NULL)
		e = trace_map_put(&trace_gen->strings, words, size, hash);
	if (e == NULL) {
#ifndef MUTANT_trace_nameless
		trace_gen_hole(trace_gen);
#endif
		return 0;
	}
	return TRACE_TEXT_COUNT + e->id;
}
