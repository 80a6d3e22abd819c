/*
 * Sets of labels: immutable and interned, so that a goroutine has one by a word, and a sample names it by a number.
 *
 *	slots:    id -> set                      two arrays in one, in segments of 256, 512, 1024 ... slots, which never move
 *	          hash -> set -> set (chain)     linear hashing: each new set splits at most one bucket
 *
 *	profile off:  last reference gone -> freed
 *	profile on:   last reference gone -> released -> waiting -> freed
 *	                                      |           |
 *	                   labels_drain_begin()           labels_drain_end(), after every ring was empty once
 *
 * 1. A set that nobody refers to is freed only when no ring can name it any more: all that was put into a ring before its release has been
 *    read. Otherwise a sample would carry the labels that were given its number next.
 * 2. What a record of the profile names is referred to by the profile until that is written. Otherwise the same, later.
 * 3. A set that is found again while it waits is taken off its list; when it is released once more it waits anew. Otherwise samples from
 *    in between would not have been waited for.
 * 4. References go from and to 0 under labels_lock. Otherwise a set could be found and freed at once.
 */
#include "sched/sched.h"

#include <errno.h>
#include <string.h>

#include "kernel/assert.h"
#include "kernel/g.h"
#include "kernel/heap.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/preempt.h"
#include "kernel/print.h"
#include "trace/trace.h"

enum { SEGMENT_FIRST = 256, SEGMENTS = 16 };

struct slot {
	struct labels *set; /* with this id, or NULL */
	uint32_t free_next; /* id of the next free slot, 0: none */
	struct labels *bucket;
};

/* protects everything below, and of sets what sched/sched.h says */
static struct spinlock labels_lock = SPINLOCK_INIT(RANK_LABELS);
static struct slot *segments[SEGMENTS];
static uint32_t n_segments, n_ids = 1, free_first, n_sets, n_buckets = 1;
static uint32_t profiling;     /* profiles that run */
static struct labels *dead[2]; /* released and waiting, in turns */
static unsigned now_released;
static struct labels *sampled;

static struct labels none;

/* ---- slots ---- */

static uint32_t segment_of(uint32_t i)
{
	return 31 - (uint32_t)__builtin_clz(i / SEGMENT_FIRST + 1);
}

static uint32_t segment_start(uint32_t k)
{
	return SEGMENT_FIRST * ((1u << k) - 1);
}

static struct slot *slot_at(uint32_t i)
{
	uint32_t k = segment_of(i);
	return &segments[k][i - segment_start(k)];
}

static struct labels **bucket_of_locked(uint64_t hash)
{
	uint32_t level = 1u << (31 - __builtin_clz(n_buckets)), b = (uint32_t)hash & (2 * level - 1);
	return &slot_at(b < n_buckets ? b : b - level)->bucket;
}

/* One bucket more: what belongs there moves from the one that it is split off. */
static void bucket_split_locked(void)
{
	uint32_t level = 1u << (31 - __builtin_clz(n_buckets)), to = n_buckets++;
	struct labels **from = &slot_at(to - level)->bucket, **end = &slot_at(to)->bucket;
	while (*from != NULL) {
		struct labels *s = *from;
		if (((uint32_t)s->hash & (2 * level - 1)) != to) {
			from = &s->chain;
			continue;
		}
		*from = s->chain;
		s->chain = *end;
		*end = s;
	}
}

/* ---- lists of what nobody refers to ---- */

static void list_put_locked(struct labels *s)
{
	struct labels **list = &dead[now_released];
	s->list_index = (uint8_t)now_released;
	s->prev = NULL;
	s->next = *list;
	if (s->next != NULL)
		s->next->prev = s;
	*list = s;
}

static void list_take_locked(struct labels *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		dead[s->list_index] = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
}

/* A reference to a set that was found by hash or number. */
static struct labels *take_locked(struct labels *s)
{
	if (atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed) == 0)
		list_take_locked(s); /* rule 3 */
	return s;
}

/* Takes it out of the table: the caller frees it. */
static struct labels *forget_locked(struct labels *s)
{
	struct labels **p = bucket_of_locked(s->hash);
	while (*p != s)
		p = &(*p)->chain;
	*p = s->chain;
	slot_at(s->id)->set = NULL;
	slot_at(s->id)->free_next = free_first;
	free_first = s->id;
	n_sets--;
	return s;
}

/* Gives a reference up; returns the set if the caller is to free it. */
static struct labels *give_locked(struct labels *s)
{
	/* pairs with the release in labels_release(): what others did with the set comes before it is freed */
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	bool stays = profiling > 0; /* rule 1 */
#ifdef MUTANT_label_free
	stays = false;
#endif
	if (!stays)
		return forget_locked(s);
	list_put_locked(s);
	return NULL;
}

void labels_release(struct labels *s)
{
	if (s == NULL || s->id == 0)
		return;
	uint32_t n = atomic_load_explicit(&s->refs, memory_order_relaxed);
	ASSERT(n > 0, "a set of labels is released once for each reference");
	while (n > 1)
		/* pairs with the acquire in give_locked(); rule 2 of sched/mutex.c */
		if (atomic_compare_exchange_weak(&s->refs, &n, n - 1))
			return;
	spin_lock(&labels_lock);
	s = give_locked(s);
	spin_unlock(&labels_lock);
	heap_free(s);
}

/* ---- making sets ---- */

/* Length of the UTF-8 sequence at s, or 0: not one. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80   ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, surrogates, beyond U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Copies text, with a replacement for what is not UTF-8, to `to` (NULL: measures); returns the bytes with the final 0. */
static size_t text_copy(const char *text, char *to)
{
	size_t at = 0;
	for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
		size_t n = utf8_length(s), length = n > 0 ? n : 3;
		if (to != NULL)
			memcpy(to + at, n > 0 ? (const char *)s : "\xef\xbf\xbd", length);
		at += length;
		s += n > 0 ? n : 1;
	}
	if (to != NULL)
		to[at] = '\0';
	return at + 1;
}

static bool text_fits(const char *text, size_t least, size_t most)
{
	if (text == NULL)
		return false;
	size_t n = strnlen(text, most + 1);
	return n >= least && n <= most;
}

/* Puts l into the sorted list, over a label of the same key. */
static bool list_add(struct label *list, uint32_t *n, const struct label *l)
{
	uint32_t i = *n;
	int order = 1;
	while (i > 0 && (order = strcmp(list[i - 1].key, l->key)) > 0)
		i--;
	if (i > 0 && order == 0) {
		list[i - 1] = *l;
		return true;
	}
	if (*n == LABELS_MAX)
		return false;
	memmove(list + i + 1, list + i, (*n - i) * sizeof *list);
	list[i] = *l;
	++*n;
	return true;
}

static uint64_t hash_text(uint64_t h, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

/* A set on its own, in no table; NULL without memory. */
static struct labels *set_make(const struct label *list, uint32_t n)
{
	size_t size = sizeof(struct labels) + n * sizeof list[0];
	for (uint32_t i = 0; i < n; i++)
		size += text_copy(list[i].key, NULL) + text_copy(list[i].value, NULL);
	struct labels *s = heap_alloc(size);
	if (s == NULL)
		return NULL;
	memset(s, 0, sizeof *s);
	char *first = (char *)&s->list[n], *text = first;
	for (uint32_t i = 0; i < n; i++) {
		s->list[i].key = text;
		text += text_copy(list[i].key, text);
		s->list[i].value = text;
		text += text_copy(list[i].value, text);
	}
	s->n = n;
	s->hash = hash_text(0xcbf29ce484222325u, first, (size_t)(text - first));
	atomic_init(&s->refs, 1);
	return s;
}

static bool set_equal(const struct labels *a, const struct labels *b)
{
	if (a->hash != b->hash || a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (strcmp(a->list[i].key, b->list[i].key) != 0 ||
		    strcmp(a->list[i].value, b->list[i].value) != 0)
			return false;
	return true;
}

static struct labels *find_locked(const struct labels *like)
{
	struct labels *s = n_segments > 0 ? *bucket_of_locked(like->hash) : NULL;
	while (s != NULL && !set_equal(s, like))
		s = s->chain;
	return s;
}

static bool insert_locked(struct labels *s)
{
	if (free_first != 0) {
		s->id = free_first;
		free_first = slot_at(s->id)->free_next;
	} else if (n_segments > 0 && n_ids < segment_start(n_segments)) {
		s->id = n_ids++;
	} else {
		return false;
	}
	slot_at(s->id)->set = s;
	if (++n_sets > n_buckets && n_buckets < segment_start(n_segments))
		bucket_split_locked();
	struct labels **b = bucket_of_locked(s->hash);
	s->chain = *b;
	*b = s;
	return true;
}

/* Another segment; false when memory or numbers are out. */
static bool slots_grow(void)
{
	spin_lock(&labels_lock);
	uint32_t k = n_segments;
	spin_unlock(&labels_lock);
	struct slot *more = k < SEGMENTS ? heap_alloc_zero((SEGMENT_FIRST << k) * sizeof *more) : NULL;
	if (more == NULL)
		return false;
	spin_lock(&labels_lock);
	if (n_segments == k) {
		segments[n_segments++] = more;
		more = NULL;
	}
	spin_unlock(&labels_lock);
	heap_free(more); /* somebody else was faster */
	return true;
}

/* Returns the one set that is equal to made, which it keeps or frees. */
static struct labels *intern(struct labels *made)
{
	struct labels *s;
	bool stays;
	do {
		spin_lock(&labels_lock);
		s = find_locked(made);
		if (s != NULL)
			take_locked(s);
		stays = s == NULL && insert_locked(made);
		spin_unlock(&labels_lock);
		if (stays)
			return made;
	} while (s == NULL && slots_grow());
	heap_free(made);
	return s;
}

struct labels *labels_with(const struct labels *base, const struct label *list, size_t n)
{
	struct label all[LABELS_MAX];
	uint32_t n_all = 0;
	if (base != NULL)
		for (; n_all < base->n; n_all++)
			all[n_all] = base->list[n_all];
	for (size_t i = 0; i < n; i++)
		if (!text_fits(list[i].key, 1, LABEL_KEY_MAX) ||
		    !text_fits(list[i].value, 0, LABEL_VALUE_MAX) || !list_add(all, &n_all, &list[i])) {
			errno = EINVAL;
			return NULL;
		}
	if (n_all == 0)
		return &none;
	struct labels *s = set_make(all, n_all);
	if (s != NULL)
		s = intern(s);
	if (s == NULL)
		errno = ENOMEM;
	return s;
}

const char *labels_value(const struct labels *s, const char *key)
{
	for (uint32_t i = 0; s != NULL && i < s->n; i++)
		if (strcmp(s->list[i].key, key) == 0)
			return s->list[i].value;
	return NULL;
}

bool labels_at(const struct labels *s, size_t i, struct label *l)
{
	if (s == NULL || i >= s->n)
		return false;
	*l = s->list[i];
	return true;
}

/* ---- of the calling goroutine ---- */

struct labels *labels_current(void)
{
	struct labels *s = g_self()->labels;
	return s != NULL ? labels_share(s) : &none;
}

/* Gives the goroutine the caller's reference, and returns the one it had. */
/* As a goroutine's label in the trace: key=value, separated by commas. */
__attribute__((noinline)) static void trace_labels(const struct labels *s)
{
	char text[TRACE_STRING_MAX + 1];
	size_t n = 0;
	for (uint32_t i = 0; i < s->n && n < sizeof text - 1; i++)
		n += print_text(text + n, sizeof text - n, "%s%s=%s", i > 0 ? "," : "", s->list[i].key,
				s->list[i].value);
	preempt_disable();
	TRACE(go_label(text));
	preempt_enable();
}

static struct labels *swap(struct labels *s)
{
	struct g *g = g_self();
	struct labels *before = g->labels;
	g->labels = s != NULL && s->id != 0 ? s : NULL;
	/* An interrupt on the way reads either; from here on not the one before. */
	atomic_signal_fence(memory_order_seq_cst);
	if (trace_active() && g->labels != NULL)
		trace_labels(g->labels);
	return before;
}

void labels_set(struct labels *s)
{
	labels_release(swap(labels_share(s)));
}

static void scope_restore(void *scope)
{
	struct labels_scope *s = scope;
	if (s->error == 0)
		labels_release(swap(s->before));
}

void labels_scope_enter(struct labels_scope *scope, const struct label *list, size_t n)
{
	struct labels *s = labels_with(g_self()->labels, list, n);
	scope->error = s != NULL ? 0 : errno;
	scope->before = s != NULL ? swap(s) : NULL;
	scope->entry.fn = scope_restore;
	scope->entry.arg = scope;
	defer_enter(&scope->entry);
}

int labels_do(const struct label *list, size_t n, void (*fn)(void *), void *arg)
{
	struct labels_scope scope __attribute__((cleanup(labels_scope_leave)));
	labels_scope_enter(&scope, list, n);
	if (scope.error == 0)
		fn(arg);
	return scope.error;
}

/* ---- of a profile ---- */

void labels_profile_begin(void)
{
	spin_lock(&labels_lock);
	profiling++;
	spin_unlock(&labels_lock);
}

void labels_drain_begin(void)
{
	spin_lock(&labels_lock);
	now_released ^= 1;
	ASSERT(dead[now_released] == NULL, "a drain ends before the next begins");
	spin_unlock(&labels_lock);
}

/* Frees the sets of a list, one at a time, because interrupts are off meanwhile. */
static void list_free(unsigned i)
{
	struct labels *s;
	do {
		spin_lock(&labels_lock);
		s = dead[i];
		if (s != NULL) {
			list_take_locked(s);
			forget_locked(s);
		}
		spin_unlock(&labels_lock);
		heap_free(s);
	} while (s != NULL);
}

void labels_drain_end(void)
{
	list_free(now_released ^ 1);
}

void labels_sampled(uint32_t id)
{
	if (id == 0)
		return;
	spin_lock(&labels_lock);
	struct labels *s = slot_at(id)->set;
#ifndef MUTANT_label_free
	ASSERT(s != NULL, "a sample names a set of labels that is still there");
#endif
	if (s != NULL && !s->sampled) {
		take_locked(s);
		s->sampled = true;
		s->sampled_next = sampled;
		sampled = s;
	}
	spin_unlock(&labels_lock);
}

bool labels_of(uint32_t id, unsigned i, struct label *l)
{
	if (id == 0)
		return false;
	bool alone = panic_in_progress(); /* the others stand still, and one of them may hold it */
	if (!alone)
		spin_lock(&labels_lock);
	const struct labels *s = !alone || id < n_ids ? slot_at(id)->set : NULL;
	if (!alone)
		spin_unlock(&labels_lock);
	return s != NULL && labels_at(s, i, l);
}

void labels_profile_end(void)
{
	struct labels *s;
	spin_lock(&labels_lock);
	bool last = --profiling == 0;
	spin_unlock(&labels_lock);
	if (!last) /* what its records named stays a little longer */
		return;
	do {
		struct labels *unused = NULL;
		spin_lock(&labels_lock);
		s = sampled;
		if (s != NULL) {
			sampled = s->sampled_next;
			s->sampled = false;
			unused = give_locked(s);
		}
		spin_unlock(&labels_lock);
		heap_free(unused);
	} while (s != NULL);
	list_free(now_released);
}

static struct labels *set_of(uint32_t id)
{
	spin_lock(&labels_lock);
	struct labels *s = id != 0 ? slot_at(id)->set : NULL;
	spin_unlock(&labels_lock);
	ASSERT((s != NULL) == (id != 0), "a set of labels that is named is there");
	return s;
}

void labels_hold(uint32_t id)
{
	labels_share(set_of(id));
}

void labels_drop(uint32_t id)
{
	labels_release(set_of(id));
}

uint32_t labels_count(void)
{
	spin_lock(&labels_lock);
	uint32_t n = n_sets;
	spin_unlock(&labels_lock);
	return n;
}
