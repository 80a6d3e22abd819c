/* Walks of synchronous stacks by frame pointers: the frames, and what they cost. */
#include "suite.h"

#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/g.h"
#include "kernel/preempt.h"
#include "kernel/symtab.h"
#include "kernel/system.h"
#include "kernel/walk.h"

enum { DEPTH_MAX = 128, ROUNDS = 1000 };

/* A function with a frame, a symbol and a call of its own. */
#define OWN_FRAME      __attribute__((noipa))
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

static struct {
	uintptr_t fast[DEPTH_MAX], true_ones[DEPTH_MAX], again[DEPTH_MAX];
	unsigned n_fast, n_true, flags, exact;
	double cost; /* instructions, under EXACT=1 */
} seen;

/* Both walks of the place that calls, and the cost of the fast one. */
OWN_FRAME static void look(void *arg)
{
	(void)arg;
	struct arch_unwind u = {.pc = arch_pc(), .sp = arch_sp(), .fp = arch_fp()};
	preempt_disable();
	seen.n_true = walk_frames(&u, arch_hart(), g_self(), seen.true_ones, DEPTH_MAX, &seen.flags);
	preempt_enable();
	seen.n_fast = walk_here(seen.exact, seen.fast, DEPTH_MAX);
	uint64_t began = time_now();
	for (int i = 0; i < ROUNDS; i++)
		NO_TAIL_CALL();
	uint64_t loop = time_now() - began;
	began = time_now();
	for (int i = 0; i < ROUNDS; i++)
		walk_here(0, seen.again, DEPTH_MAX);
	uint64_t walks = time_now() - began;
	seen.cost = (double)(walks - loop) / ROUNDS;
}

OWN_FRAME static void descend(int depth)
{
	if (depth > 0)
		descend(depth - 1);
	else
		look(NULL);
	NO_TAIL_CALL();
}

/* The two agree from the first caller on. */
static void check_same(void)
{
	CHECK_EQ(seen.flags, WALK_COMPLETE);
	CHECK_EQ(seen.n_fast, seen.n_true);
	for (unsigned i = 1; i < seen.n_true && i < seen.n_fast; i++)
		if (seen.fast[i] != seen.true_ones[i])
			guest_fail(__FILE__, __LINE__, "frame %u is %p, not %p", i, (void *)seen.fast[i],
				   (void *)seen.true_ones[i]);
}

/* A function as those of sched/chan.c: its caller's frame pointer is still in the register when it calls. */
__attribute__((noipa, optimize("omit-frame-pointer"))) static void without_frame_pointer(void)
{
	look(NULL);
	NO_TAIL_CALL();
}

OWN_FRAME static void calls_without(void)
{
	without_frame_pointer();
	NO_TAIL_CALL();
}

OWN_FRAME static void calls_system(void)
{
	on_system_stack(look, NULL);
	NO_TAIL_CALL();
}

GUEST_TEST(walk, frame_pointers,
	   "frame pointers give the stack that the rules give, in 80 instructions for 10 frames and 7 for "
	   "each more")
{
	for (unsigned exact = 0; exact < 4; exact++)
		for (int depth = 0; depth < 100; depth += 7) {
			seen.exact = exact;
			descend(depth);
			check_same();
		}
	seen.exact = 0;
	double cost[2];
	unsigned n[2];
	for (int i = 0; i < 2; i++) {
		descend(3 + 50 * i);
		cost[i] = seen.cost;
		n[i] = seen.n_fast;
	}
	double each = (cost[1] - cost[0]) / (n[1] - n[0]), ten = cost[0] - (n[0] - 10.0) * each;
	if (!guest_exact())
		return;
	guest_note("%d.%d instructions for 10 frames, %d.%d for each more", (int)ten, (int)(ten * 10) % 10,
		   (int)each, (int)(each * 10) % 10);
	if (go_harts() == 1)
		CHECK(ten <= 80 && each <= 7);
}

GUEST_TEST(walk, without_frame_pointer,
	   "the caller of a function without frame pointer is found by the rules")
{
	seen.exact = 0;
	calls_without();
	CHECK_EQ(seen.n_fast + 1, seen.n_true);
	for (seen.exact = 2; seen.exact < 5; seen.exact++) {
		calls_without();
		check_same();
	}
}

GUEST_TEST(walk, from_system_stack, "on the system stack the walk goes on into the goroutine that it serves")
{
	for (seen.exact = 0; seen.exact < 3; seen.exact++) {
		calls_system();
		check_same();
	}
}

GUEST_TEST(walk, at_most, "no more frames than asked for are stored")
{
	for (unsigned exact = 0; exact < 4; exact++)
		for (unsigned max = 1; max < 24; max++) {
			uintptr_t pcs[25];
			memset(pcs, 0, sizeof pcs);
			unsigned n = walk_here(exact, pcs, max);
			CHECK(n <= max && n > 0 && pcs[n - 1] != 0 && pcs[n] == 0);
		}
}

static uintptr_t damaged[64];

/* The chain of frame pointers of this goroutine, with one of them changed. */
OWN_FRAME static unsigned walk_damaged(unsigned frame, uintptr_t value, unsigned exact)
{
	uintptr_t *fp = (uintptr_t *)arch_fp();
	for (unsigned i = 0; i < frame; i++)
		fp = (uintptr_t *)fp[ARCH_FRAME_RECORD / 8];
	uintptr_t kept = fp[ARCH_FRAME_RECORD / 8];
	fp[ARCH_FRAME_RECORD / 8] = value;
	unsigned n = walk_here(exact, damaged, sizeof damaged / sizeof damaged[0]);
	fp[ARCH_FRAME_RECORD / 8] = kept;
	return n;
}

GUEST_TEST(walk, damaged_chain,
	   "a walk over a damaged chain of frame pointers ends there, and reads nothing outside of the stack")
{
	const struct g *g = g_self();
	uintptr_t here = arch_fp();
	const uintptr_t values[] = {0,
				    8,
				    UINTPTR_MAX,
				    UINTPTR_MAX - 7,
				    here - 4096, /* a cycle */
				    g->stack_lo,
				    g->stack_lo - 8,
				    g->stack_hi - 8 - ARCH_FRAME_RECORD, /* half a record */
				    g->stack_hi + 8,
				    (uintptr_t)&damaged,
				    ARCH_WIRED_BASE,
				    UINT64_C(1) << 63};
	for (unsigned exact = 0; exact < 3; exact++)
		for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
			for (unsigned frame = 0; frame < 3; frame++) {
				unsigned n = walk_damaged(frame, values[i], exact);
				if (n > frame + 2 || n < frame + 1)
					guest_fail(__FILE__, __LINE__, "frame %u with %p: %u frames", frame,
						   (void *)values[i], n);
			}
}
