/*
 * Labels of goroutines: pairs of texts that their samples carry in CPU profiles (go tool pprof -tags, -tagfocus). A goroutine starts with
 * the labels of the one that started it.
 *
 *	static void serve(struct request *r)
 *	{
 *		LABELS_SCOPE({"path", r->path}, {"user", r->user});       until the end of the block, by a panic too
 *		...
 *	}
 *
 * A set of labels is immutable, so setting and restoring one is a matter of a word. The semantics are those of Go's runtime/pprof (Do,
 * WithLabels, SetGoroutineLabels): a set that is derived from another has its labels too, and the later value of a key counts.
 *
 * Limits: keys of 1 to LABEL_KEY_MAX bytes, values of at most LABEL_VALUE_MAX, LABELS_MAX labels in a set; beyond them nothing is set and
 * the error is EINVAL. Bytes that are not UTF-8 are kept out of profiles, whose readers refuse them: each is replaced by U+FFFD.
 *
 * Goroutine context for all functions.
 */
#ifndef HARTBEAT_LABELS_H
#define HARTBEAT_LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include <hartbeat/panic.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LABEL_KEY_MAX = 128, LABEL_VALUE_MAX = 1024, LABELS_MAX = 64 };

struct label {
	const char *key, *value;
};

struct labels; /* a set; whoever gets one from a function here holds a reference, and gives it back by labels_release() */

/* The set of the calling goroutine; the empty one if it has no labels. */
struct labels *labels_current(void) __attribute__((warn_unused_result));
/* The labels of base (NULL: none) and n more from list, whose texts are copied. NULL with errno EINVAL beyond the limits, ENOMEM when memory
 * is out. */
struct labels *labels_with(const struct labels *base, const struct label *list, size_t n)
	__attribute__((warn_unused_result));
void labels_release(struct labels *s);

/* From here on the calling goroutine, and those that it starts, have the labels of s (NULL: none). The caller keeps its reference. */
void labels_set(struct labels *s);

/* Runs fn(arg) with the caller's labels and n more; afterwards, or after a panic, the labels are what they were. 0, or EINVAL or ENOMEM:
 * then fn was not called. */
int labels_do(const struct label *list, size_t n, void (*fn)(void *), void *arg)
	__attribute__((warn_unused_result));

/* The value of a key, valid as long as the set, or NULL. */
const char *labels_value(const struct labels *s, const char *key);
/* Label number i in the order of keys; false beyond the last. */
bool labels_at(const struct labels *s, size_t i, struct label *l);

/* ---- what LABELS_SCOPE is made of ---- */

struct labels_scope {
	struct defer entry; /* first */
	struct labels *before;
	int error; /* 0, or EINVAL or ENOMEM: the labels are as they were */
};

void labels_scope_enter(struct labels_scope *s, const struct label *list, size_t n);

static inline void labels_scope_leave(struct labels_scope *s)
{
	defer_leave(&s->entry);
}

/* LABELS_SCOPE({"key", value}, ...): more labels for the rest of the block. Without memory, or beyond the limits, the block runs with the labels
 * there were; labels_do() tells. A declaration, in any block of a function, as DEFER. */
#define LABELS_SCOPE(...)                                                                               \
	struct labels_scope HB_JOIN(hb_labels_, __LINE__) __attribute__((cleanup(labels_scope_leave))); \
	labels_scope_enter(&HB_JOIN(hb_labels_, __LINE__), (const struct label[]){__VA_ARGS__},         \
			   sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label))

#ifdef __cplusplus
}
#endif

#endif
