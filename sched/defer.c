/*
 * Deferred functions, panics and scopes that recover (see include/hartbeat/panic.h).
 *
 *	defer_list -> D3 -> scope S -> D2 -> D1        one list for both; innermost first
 *	panics     -> B -> A                           on the panicking stack: B was raised in a function that A runs
 *
 * go_panic() and go_exit() put a record on their own stack and run the list, above everything: D3; then a panic lands in S, which cuts the
 * stack; go_exit() runs D2 and D1, and ends the goroutine.
 *
 * 1. An entry is taken off the list before it runs. Otherwise a panic inside it would run it again, for ever.
 * 2. A scope remembers the panics around it and restores them. Otherwise a panic that was recovered inside a deferred function would leave
 *    a record of a stack that is gone.
 * 3. A panic that go_exit() runs into, in a deferred function, does not land outside of it: the goroutine goes on ending. Otherwise a
 *    scope would bring a goroutine back to life.
 */
#include <hartbeat/panic.h>

#include <stdarg.h>
#include <string.h>

#include <hartbeat/go.h>

#include "kernel/panic.h"
#include "kernel/preempt.h"
#include "kernel/print.h"
#include "kernel/traceback.h"
#include "sched/impl.h"

struct panicking {
	struct panicking *link; /* what runs the function that this was raised in */
	bool exits;             /* a go_exit() */
	bool calling;           /* in a deferred function that may recover */
	bool recovered, repanicked;
	char message[PANIC_MESSAGE_MAX];
};

__thread struct defer *defer_list;
static _Thread_local struct panicking *panics;

void defer_leave(struct defer *d)
{
	ASSERT(defer_list == d, "blocks with DEFER are left innermost first, and not by longjmp");
	struct panicking *p = panics;
	defer_list = d->next;
	if (__builtin_expect(p == NULL, 1)) {
		d->fn(d->arg);
		return;
	}
	/* Inside a function that a panic runs: this one is not its, and has nothing to recover. */
	bool calling = p->calling;
	p->calling = false;
	d->fn(d->arg);
	p->calling = calling;
}

struct recover *recover_enter(struct recover *r)
{
	r->open = true;
	r->entry.fn = NULL;
	r->panics = panics;
	r->calling = panics != NULL && panics->calling;
	libc_locks_mark(&r->locks, r->lock_depth, RECOVER_LOCKS_MAX);
	defer_enter(&r->entry);
	return r;
}

void recover_leave(struct recover **r)
{
	ASSERT(defer_list == &(*r)->entry, "blocks with DEFER are left innermost first, and not by longjmp");
	defer_list = defer_list->next;
}

/* The way out of recover_here() after a panic: preemption was off since the jump, which is no place to be suspended in. */
bool recover_landed(void)
{
	preempt_enable();
	return false;
}

_Noreturn static void land(struct recover *r, const char *message)
{
	size_t n = strlen(message);
	memcpy(r->message, message, n + 1);
	panics = r->panics;
	if (panics != NULL)
		panics->calling = r->calling;
	defer_list = r->entry.next;
	libc_locks_release(r->locks, r->lock_depth, RECOVER_LOCKS_MAX);
	preempt_disable();
	arch_jump(r->regs);
}

/* The goroutine is over, whatever stands on its stack. */
_Noreturn static void end(void)
{
	panics = NULL;
	libc_locks_release(NULL, NULL, 0);
	goroutine_end();
}

static struct recover *scope_next(void)
{
	struct defer *d = defer_list;
	while (d != NULL && d->fn != NULL)
		d = d->next;
	return (struct recover *)d;
}

/* The innermost go_exit() that `scope` (NULL: the start of the goroutine) lies outside of. */
static struct panicking *exit_inside(const struct recover *scope)
{
	const struct panicking *outside = scope == NULL ? NULL : scope->panics;
	struct panicking *p = panics;
	while (p != outside && !p->exits)
		p = p->link;
	return p == outside ? NULL : p;
}

_Noreturn static void exit_run(struct panicking *x)
{
	panics = x;
	while (defer_list != NULL) {
		struct defer *d = defer_list;
		defer_list = d->next;
		if (d->fn != NULL)
			d->fn(d->arg);
	}
	end();
}

/* p is over: runs what is left up to the innermost scope without it, and goes on there. */
_Noreturn static void recovered(const struct panicking *p)
{
	struct recover *r = scope_next();
	struct panicking *x = exit_inside(r);
	if (x != NULL)
		exit_run(x);
	panics = r == NULL ? NULL : r->panics;
	if (panics != NULL)
		panics->calling = false;
	while (defer_list != NULL && defer_list != &r->entry) {
		struct defer *d = defer_list;
		defer_list = d->next;
		d->fn(d->arg);
	}
	if (r == NULL)
		end();
	land(r, p->message);
}

static size_t chain_print(char *text, size_t size, const struct panicking *p)
{
	size_t n = 0;
	if (p == NULL || size < 2)
		return 0;
	n = chain_print(text, size, p->link);
	if (p->link != NULL && p->link->repanicked)
		return n;
	if (p->exits)
		return n;
	return n + print_text(text + n, size - n, "%spanic: %s%s", n > 0 ? "\n\t" : "", p->message,
			      p->repanicked  ? " [recovered, repanicked]"
			      : p->recovered ? " [recovered]"
					     : "");
}

/* Why a panic here cannot be recovered, in Go's words; NULL when it can. */
static const char *fatal_because(void)
{
	const struct g *g = g_self();
	uintptr_t sp = arch_sp();
	if (g == NULL || g->id == 0 || sp <= g->stack_lo || sp > g->stack_hi)
		return "panic on system stack";
	if (!arch_irq_enabled())
		return "panic holding locks";
	if (g->preempt_off != 0)
		return "panic during preemptoff";
	return NULL;
}

void go_panic(const char *fmt, ...)
{
	struct panicking p = {.link = NULL};
	struct arch_unwind u;
	traceback_here(&u);
	va_list ap;
	va_start(ap, fmt);
	print_format(p.message, sizeof p.message, fmt, ap);
	va_end(ap);
	const char *because = fatal_because();
	if (because != NULL)
		panic_text(&u, "panic: %s\nfatal error: %s", p.message, because);
	p.link = panics;
	if (p.link != NULL && p.link->recovered && strcmp(p.link->message, p.message) == 0)
		p.link->repanicked = true;
	panics = &p;
	while (defer_list != NULL) {
		struct defer *d = defer_list;
		if (d->fn == NULL) {
			struct panicking *x = exit_inside((struct recover *)d);
			if (x != NULL)
				exit_run(x);
			land((struct recover *)d, p.message);
		}
		defer_list = d->next;
		p.calling = true;
		d->fn(d->arg);
		p.calling = false;
		if (p.recovered)
			recovered(&p);
	}
	char text[4 * PANIC_MESSAGE_MAX];
	text[0] = '\0';
	chain_print(text, sizeof text, &p);
	panic_text(&u, "%s", text);
}

static struct panicking *recoverable(void)
{
	struct panicking *p = panics;
	return p != NULL && p->calling && !p->exits && !p->recovered ? p : NULL;
}

const char *go_recover(void)
{
	struct panicking *p = recoverable();
	if (p == NULL)
		return NULL;
	p->recovered = true;
	return p->message;
}

const char *go_panicking(void)
{
	struct panicking *p = recoverable();
	return p == NULL ? NULL : p->message;
}

void go_exit(void)
{
	struct panicking x = {.exits = true, .link = panics};
	exit_run(&x);
}
