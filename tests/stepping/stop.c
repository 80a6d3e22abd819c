/*
 * A stop: where the code stands, our walk from there, and the memory that an independent walk needs, into the ring (format.h). Runs in
 * the stepping handler, on a stack of its own, at any instruction: takes nothing, touches no floating-point register.
 */
#include "no_fp.h" /* first: it is about all that follows */
#include "step.h"

#include <stdatomic.h>
#include <string.h>

#include "format.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/walk.h"

enum { OWN_MAX = 8192, OTHER_MAX = 4096, RED_ZONE = 128, PAGE = 4096, ROOM = 32768, NEAR = 16 };

struct step_header step_header __attribute__((aligned(64))) = {.magic = STEP_MAGIC};
uint8_t step_ring[STEP_RING] __attribute__((aligned(64), section(".noinit.step_ring")));

static uint64_t count;
static uintptr_t end_pc; /* see stop_end_at(); 0: never */
static bool ended;

uint64_t stop_count(void)
{
	return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

void stop_done(void)
{
	__atomic_store_n(&step_header.done, 1, __ATOMIC_RELEASE);
}

void stop_end_at(uintptr_t pc)
{
	end_pc = pc;
}

bool stop_ended(void)
{
	return ended;
}

/* Room for the largest stop, in one piece; NULL when the judge has gone. */
static uint8_t *room(void)
{
	uint64_t head = step_header.head, at = head % STEP_RING;
	bool turn = STEP_RING - at < ROOM;
	uint64_t need = ROOM + (turn ? STEP_RING - at : 0);
	while (head + need - __atomic_load_n(&step_header.tail, __ATOMIC_ACQUIRE) > STEP_RING)
		if (__atomic_load_n(&step_header.abandoned, __ATOMIC_RELAXED))
			return NULL;
	if (turn) {
		*(uint32_t *)(step_ring + at) = 0;
		step_header.head = head + STEP_RING - at;
		at = 0;
	}
	return step_ring + at;
}

/* Copies what is present of [lo, hi) behind *to. */
static void slice(struct step_stop *s, uint8_t **to, uintptr_t lo, uintptr_t hi)
{
	lo &= ~(uintptr_t)7;
	while (lo < hi && arch_mmu_lookup(lo) == 0) /* the red zone may lie in a page that is not there yet */
		lo = (lo | (PAGE - 1)) + 1;
	uintptr_t at = lo;
	while (at < hi && arch_mmu_lookup(at) != 0)
		at = (at | (PAGE - 1)) + 1;
	if (at > hi)
		at = hi;
	if (at <= lo || s->n_slices == STEP_SLICES)
		return;
	struct step_slice *head = (struct step_slice *)*to;
	*head = (struct step_slice){lo, at - lo};
	memcpy(head + 1, (const void *)lo, at - lo);
	*to += sizeof *head + (at - lo);
	s->n_slices++;
}

static uintptr_t least(uintptr_t a, uintptr_t b)
{
	return a < b ? a : b;
}

static uintptr_t most(uintptr_t a, uintptr_t b)
{
	return a > b ? a : b;
}

static bool on_stack_of(const struct g *g, uintptr_t sp)
{
	return g != NULL && g->id != 0 && sp >= g->stack_lo && sp <= g->stack_hi;
}

/* The goroutine that code on one of the hart's own stacks works for, or NULL. */
static const struct g *on_behalf(const struct hart *h, uintptr_t lo)
{
	if (lo == h->stack_lo[STACK_SYS])
		return h->serving;
	return h->cur != h->g0 ? h->cur : NULL;
}

/* frame_resume stands in the save area of the goroutine to be resumed: where its frame ends, or 0. */
static uintptr_t area_end(const struct arch_unwind *u)
{
	static uintptr_t last, end;
	if (!walk_in_switch(u->pc))
		return 0;
	if (u->sp < last || u->sp >= end)
		end = u->sp + arch_frame_size(); /* the first stop there */
	last = u->sp;
	return end;
}

/* As samples do it, but for the goroutine whose stack it is: the walk's owner is whoever has the thread pointer. */
static unsigned walk(struct arch_unwind *u, const struct hart *h, const struct g *g, uintptr_t *pcs,
		     unsigned *flags)
{
	uintptr_t tls = arch_tls();
	if (g != NULL)
		arch_set_tls(g->tls);
	unsigned n = walk_frames(u, h, g, pcs, STEP_PCS - 2, flags);
	arch_set_tls(tls);
	return n;
}

void stop_take(const struct arch_frame *f, const struct arch_unwind *outer, uint64_t outer_pc,
	       uint64_t sscratch)
{
	const struct hart *h = arch_hart();
	static const struct g
		*last; /* whose stack the last stop was on: the switch changes g before the stack */
	const struct g *g = g_self();
	struct step_stop *s = (struct step_stop *)room();
	struct arch_unwind u;
	struct walk_bounds b = {0, 0};
	unsigned flags = 0, n;
	if (s == NULL)
		return;
	count++;
	arch_frame_unwind(f, &u);
	memset(s, 0, sizeof *s);
	memcpy(s->frame, f, arch_frame_size());
	s->outer_pc = outer_pc;
	s->sscratch = sscratch;
	uint8_t *to = (uint8_t *)(s + 1);
	uintptr_t all[STEP_PCS], *pcs = all, end;
	if (outer_pc != 0) { /* where entry keeps registers */
		slice(s, &to, (uintptr_t)h, (uintptr_t)h + 128);
		slice(s, &to, h->panic_stack_top - arch_frame_size(), h->panic_stack_top);
	}
	if (outer != NULL) {
		*pcs++ = u.pc;
		u = *outer;
	}
	if (on_stack_of(g, u.sp) || on_stack_of(g = h->cur, u.sp) || on_stack_of(g = last, u.sp)) {
		last = g;
		s->stack = g->stack_lo;
		s->g = g->id;
		slice(s, &to, most(u.sp - RED_ZONE, g->stack_lo), least(u.sp + OWN_MAX, g->stack_hi));
		n = walk(&u, h, g, pcs, &flags);
	} else if (walk_find(u.sp, h, NULL, &b)) {
		s->stack = b.lo;
		g = on_behalf(h, b.lo);
		slice(s, &to, most(u.sp - RED_ZONE, b.lo), least(u.sp + OWN_MAX, b.hi));
		if (g != NULL)
			slice(s, &to, most(g->stack_hi - OTHER_MAX, g->stack_lo), g->stack_hi);
		if (b.lo != h->stack_lo[STACK_SYS])
			slice(s, &to, h->sys_stack_top - OTHER_MAX, h->sys_stack_top);
		if (b.lo == h->stack_lo[STACK_PANIC]) {
			slice(s, &to, h->irq_stack_top - OTHER_MAX, h->irq_stack_top);
			slice(s, &to, h->exc_stack_top - OTHER_MAX, h->exc_stack_top);
		}
		n = walk(&u, h, g, pcs, &flags);
	} else if ((end = area_end(&u)) != 0) {
		g = h->cur;
		s->g = g->id;
		slice(s, &to, u.sp, end);
		slice(s, &to, most(g->stack_hi - OTHER_MAX, g->stack_lo), g->stack_hi);
		struct unwind_regs r = {u.pc, u.sp, u.fp, u.ra};
		struct unwind_bounds area = {u.sp, end, NULL};
		unsigned how;
		n = unwind_walk(&r, &area, pcs, 2, &how);
		if (n == 1 && (how & UNWIND_LEFT)) {
			u = (struct arch_unwind){r.pc, r.sp, r.fp, r.ra};
			n += walk(&u, h, g, pcs + 1, &flags);
			pcs[1]++;
		}
	} else { /* no stack of the hart's: without any a walk is complete only where nothing leads back */
		struct unwind_regs r = {u.pc, u.sp, u.fp, u.ra};
		struct unwind_bounds own = {0, 0, NULL};
		unsigned how;
		if (step_stack(u.sp, &own)) {
			s->stack = own.lo;
			slice(s, &to, own.lo, own.hi);
		}
		n = unwind_walk(&r, &own, pcs, STEP_PCS - 2, &how);
		flags = (how & UNWIND_COMPLETE) ? WALK_COMPLETE : WALK_BROKEN;
	}
	if (outer != NULL) {
		pcs[0]++;
		n++;
	}
	memcpy(to, all, n * sizeof pcs[0]);
	to += n * sizeof pcs[0];
	s->n_pcs = (uint8_t)n;
	s->flags = (uint8_t)flags;
	s->size = (uint32_t)(to - (uint8_t *)s);
	__atomic_store_n(&step_header.head, step_header.head + s->size, __ATOMIC_RELEASE);
	if (end_pc != 0 && all[0] - end_pc < NEAR) {
		ended = true;
		stop_done();
	}
}
