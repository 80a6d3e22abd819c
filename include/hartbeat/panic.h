/*
 * Defer, panic and recover, as Go's, for C.
 *
 *	static void close_file(void *f) { fclose(f); }
 *
 *	static void parse(FILE *f)
 *	{
 *		DEFER(close_file, f);                     runs when this block is left, by a panic too
 *		if (getc(f) != '{')
 *			go_panic("line 1: no brace");
 *	}
 *
 *	RECOVER_SCOPE(r) {
 *		parse(fopen("input", "r"));
 *	} else {
 *		printf("not parsed: %s\n", r.message);    what was deferred inside has run
 *	}
 *
 * Each goroutine has a list of what it deferred. An entry leaves the list when its block is left (end, return, break, goto); a panic and
 * go_exit() run the whole list, last in, first out, on top of the stack of whoever called them: nothing is cut before a scope is landed
 * in, so a deferred function still finds the place of the panic in its traceback.
 *
 * A panic ends in the innermost RECOVER_SCOPE around it. A panic that meets none ends the program: "panic: MESSAGE", the stacks, status 2.
 *
 * Between a RECOVER_SCOPE and where the panic was, plain C rules: what was taken and not deferred stays taken (mutexes, memory), only the
 * locks of stdio streams are given back. Local variables of the function with the scope, changed in the block and read in the else part,
 * must be volatile. `break` and `continue` in the block leave the block. A block with DEFER or RECOVER_SCOPE is not left by longjmp().
 *
 * What no program recovers from: a panic with a spinlock held or interrupts off, with preemption off, or off a goroutine's stack; faults
 * (null pointers, stack overflow), failed assertions, abort() and "fatal error: ..." reports. Unlike in Go, a C library function that a
 * panic leaves half-way was not written for it: qsort() and bsearch() are fine (the array stays a permutation of itself), and so are
 * stdio functions (the text so far is written).
 */
#ifndef HARTBEAT_PANIC_H
#define HARTBEAT_PANIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PANIC_MESSAGE_MAX = 256, RECOVER_LOCKS_MAX = 4, RECOVER_REGS = 32 };

/* Panics with a message (formatted by the kernel: integers, strings, pointers and characters; cut to PANIC_MESSAGE_MAX - 1 bytes). A
 * goroutine with preemption on; in any other context it is fatal. */
_Noreturn void go_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* In a function that a panic runs from the deferred ones: ends the panic and returns its message (valid until that function returns).
 * The other deferred functions run without it, and the goroutine goes on behind the innermost scope around the panic, in its else part;
 * without a scope the goroutine ends. NULL when there is no panic to end: in a deferred function that runs at the end of its block or
 * for go_exit(), and everywhere else. Goroutine. */
const char *go_recover(void);

/* The message of the panic that go_recover() would end, or NULL. The panic goes on. Goroutine. */
const char *go_panicking(void);

/* ---- what the macros are made of ---- */

struct defer {
	struct defer *next;
	void (*fn)(void *); /* NULL: a scope */
	void *arg;
};

struct recover {
	struct defer entry; /* first */
	struct panicking *panics;
	bool calling, open;
	void *locks; /* of the C library, held around the scope, and how often */
	uint32_t lock_depth[RECOVER_LOCKS_MAX];
	uintptr_t regs[RECOVER_REGS];
	char message[PANIC_MESSAGE_MAX]; /* in the else part: of the panic */
};

extern __thread struct defer *defer_list; /* of the running goroutine, innermost first */

void defer_leave(struct defer *d); /* takes d off the list and runs it */
struct recover *recover_enter(struct recover *r);
void recover_leave(struct recover **r);
bool recover_landed(void); /* false */
/* Saves the callee-saved registers and where it returns to; returns 0, and 1 when a panic lands here. */
int recover_here(uintptr_t *regs) __attribute__((returns_twice));

static inline void defer_enter(struct defer *d)
{
	d->next = defer_list;
	defer_list = d;
}

#define HB_JOIN_(a, b) a##b
#define HB_JOIN(a, b)  HB_JOIN_(a, b)

/* Runs fn(arg) when the enclosing block is left, or by go_exit() or a panic before that. fn: void (*)(void *). A declaration, in any block
 * of a function. */
#define DEFER(fn_, arg_)                                                                                     \
	struct defer HB_JOIN(hb_defer_, __LINE__) __attribute__((cleanup(defer_leave))) = {NULL, fn_, arg_}; \
	defer_enter(&HB_JOIN(hb_defer_, __LINE__))

/* RECOVER_SCOPE(r) { ... } else { ... }: declares struct recover r; a panic in the first block goes on in the second, with r.message. */
#define RECOVER_SCOPE(r)                                                                                  \
	struct recover r;                                                                                 \
	if (recover_here(r.regs) == 0 || recover_landed())                                                \
		for (struct recover * hb_##r __attribute__((cleanup(recover_leave))) = recover_enter(&r); \
		     hb_##r->open; hb_##r->open = false)

#ifdef __cplusplus
}
#endif

#endif
