/* Walks of this goroutine's own stack against call chains that are known, and the symbol table. */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>

#include "arch/arch.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"
#include "kernel/symtab.h"
#include "kernel/system.h"
#include "kernel/traceback.h"
#include "kernel/walk.h"
#include "unwind_twin.h"

enum { DEPTH_MAX = 128 };

/* A function with a frame, a symbol and a call of its own. */
#define OWN_FRAME      __attribute__((noipa))
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

struct stack {
	uintptr_t pcs[DEPTH_MAX];
	unsigned depth, flags;
};

static struct stack seen;              /* one test at a time */
static unsigned stack_max = DEPTH_MAX; /* pcs that stack_here() takes */

OWN_FRAME static void stack_here(struct stack *s)
{
	struct arch_unwind u;
	preempt_disable();
	traceback_here(&u);
	s->depth = walk_frames(&u, arch_hart(), g_self(), s->pcs, stack_max, &s->flags);
	preempt_enable();
}

static const char *name_at(unsigned i)
{
	struct symtab_function f;
	return i < seen.depth && symtab_function(seen.pcs[i] - (i > 0), &f) ? f.name : "?";
}

/* The stack that was seen is exactly: stack_here, `chain`, ..., then `root`; and complete. */
static void check_chain(const char *const *chain, unsigned n)
{
	CHECK_EQ(seen.flags, WALK_COMPLETE);
	CHECK(strcmp(name_at(0), "stack_here") == 0);
	for (unsigned i = 0; i < n; i++)
		if (strcmp(name_at(i + 1), chain[i]) != 0)
			guest_fail(__FILE__, __LINE__, "frame %u is %s, not %s", i + 1, name_at(i + 1),
				   chain[i]);
}

OWN_FRAME static int f3(int depth)
{
	volatile char frame[100];
	frame[0] = (char)depth;
	stack_here(&seen);
	return frame[0] + 1;
}

OWN_FRAME static int f2(int depth)
{
	volatile char frame[1000];
	frame[0] = (char)depth;
	int r = depth > 1 ? f2(depth - 1) : f3(depth);
	return r + frame[0];
}

OWN_FRAME static int f1(int depth)
{
	int r = f2(depth);
	NO_TAIL_CALL();
	return r + 1;
}

static void chain_run(void *arg)
{
	const char *chain[64] = {"f3"};
	unsigned depth = (unsigned)(uintptr_t)arg, n = 1;
	f1((int)depth);
	for (unsigned i = 0; i < depth; i++)
		chain[n++] = "f2";
	chain[n++] = "f1";
	chain[n++] = "chain_run";
	chain[n++] = "group_run";
	chain[n++] = "goroutine_entry";
	check_chain(chain, n);
	/* goroutine_entry is called by the first code of a context, which is the root */
	CHECK_EQ(seen.depth, n + 2);
}

GUEST_TEST(unwind, chain, "a walk gives the functions that called, each once, from the caller to the root")
{
	for (uintptr_t depth = 1; depth < 50; depth += 4) {
		struct guest_group all = {0};
		guest_go(&all, chain_run, (void *)depth);
		guest_wait(&all);
	}
}

GUEST_TEST(unwind, main, "a walk in main's goroutine ends at its root too")
{
	f1(2);
	NO_TAIL_CALL();
	static const char *const chain[] = {"f3", "f2", "f2", "f1", "guest_unwind_main"};
	check_chain(chain, 5);
	CHECK(strcmp(name_at(seen.depth - 2), "goroutine_entry") == 0);
}

OWN_FRAME static void on_system(void *arg)
{
	(void)arg;
	stack_here(&seen);
	NO_TAIL_CALL();
}

OWN_FRAME static void calls_system(void)
{
	on_system_stack(on_system, NULL);
	NO_TAIL_CALL();
}

GUEST_TEST(unwind, system_stack, "a walk on the system stack goes on into the goroutine that it serves")
{
	calls_system();
	static const char *const chain[] = {"on_system", "arch_call_on", "on_system_stack", "calls_system",
					    "guest_unwind_system_stack"};
	check_chain(chain, 5);
}

OWN_FRAME static void descend(int depth)
{
	if (depth > 0)
		descend(depth - 1);
	else
		stack_here(&seen);
	NO_TAIL_CALL();
}

GUEST_TEST(unwind, truncated, "a deep stack is cut at the outer end, and says so")
{
	enum { DEPTH = 60 };
	descend(DEPTH - 1);
	unsigned whole = seen.depth;
	CHECK_EQ(seen.flags, WALK_COMPLETE);
	CHECK(whole > DEPTH + 2);
	for (unsigned max = 1; max <= whole + 1; max++) {
		stack_max = max;
		descend(DEPTH - 1);
		bool fits = max >= whole;
		CHECK_EQ(seen.flags, fits ? WALK_COMPLETE : WALK_TRUNCATED);
		CHECK_EQ(seen.depth, fits ? whole : max);
		for (unsigned i = 0; i < seen.depth && i <= DEPTH; i++)
			if (strcmp(name_at(i), i == 0 ? "stack_here" : "descend") != 0)
				guest_fail(__FILE__, __LINE__, "at most %u: frame %u is %s", max, i,
					   name_at(i));
	}
	stack_max = DEPTH_MAX;
}

/* ---- symbols ---- */

/* A function of the same name exists in unwind_twin.c. */
OWN_FRAME static int twin(int x)
{
	return x * 3 + 1;
}

static const char *file_of(const struct symtab_function *f)
{
	const char *slash = strrchr(f->file, '/');
	return slash != NULL ? slash + 1 : f->file;
}

GUEST_TEST(symtab, twins, "static functions of one name in two files stay apart")
{
	struct symtab_function mine, other;
	CHECK_EQ(twin(1), 4);
	CHECK(symtab_function((uintptr_t)twin, &mine));
	CHECK(symtab_function(twin_address(), &other));
	CHECK(strcmp(mine.name, "twin") == 0 && strcmp(other.name, "twin") == 0);
	CHECK(mine.start == (uintptr_t)twin && other.start == twin_address() && mine.start != other.start);
	CHECK(strcmp(file_of(&mine), "unwind.c") == 0);
	CHECK(strcmp(file_of(&other), "unwind_twin.c") == 0);
	CHECK_EQ(other.line, twin_line());
}

OWN_FRAME static uintptr_t return_pc(void)
{
	return (uintptr_t)__builtin_return_address(0);
}

GUEST_TEST(symtab, line, "file and line of a call are found from its return address")
{
	struct symtab_frame frames[SYMTAB_FRAMES_MAX];
	NO_TAIL_CALL();
	unsigned line = __LINE__ + 1;
	uintptr_t pc = return_pc();
	NO_TAIL_CALL();
	unsigned n = symtab_frames(pc - 1, frames, SYMTAB_FRAMES_MAX);
	CHECK(n >= 1);
	CHECK(strcmp(frames[n - 1].function, "guest_symtab_line") == 0);
	CHECK(strstr(frames[0].file, "tests/guest/unwind.c") != NULL);
	CHECK_EQ(frames[0].line, line);
}

static inline __attribute__((always_inline)) uintptr_t inlined_deeper(void)
{
	return return_pc();
}

static inline __attribute__((always_inline)) uintptr_t inlined(void)
{
	return inlined_deeper() + 0;
}

GUEST_TEST(symtab, inlined, "a call inside inlined functions has a frame for each of them")
{
	struct symtab_frame frames[SYMTAB_FRAMES_MAX];
	unsigned n = symtab_frames(inlined() - 1, frames, SYMTAB_FRAMES_MAX);
	CHECK_EQ(n, 3);
	CHECK(n == 3 && strcmp(frames[0].function, "inlined_deeper") == 0);
	CHECK(n == 3 && strcmp(frames[1].function, "inlined") == 0);
	CHECK(n == 3 && strcmp(frames[2].function, "guest_symtab_inlined") == 0);
}

GUEST_TEST(symtab, nowhere, "an address that is in no function has no name")
{
	struct symtab_function f;
	struct symtab_frame frame;
	CHECK(!symtab_function(0, &f));
	CHECK(!symtab_function((uintptr_t)&seen, &f));
	CHECK(!symtab_function(UINTPTR_MAX, &f));
	CHECK_EQ(symtab_frames((uintptr_t)&seen, &frame, 1), 0);
}
