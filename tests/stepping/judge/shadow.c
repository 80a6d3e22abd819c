/*
 * Judge two: shadow stacks, kept from what the processor did between one stop and the next. No call frame information is read, so that
 * wrong hand-written one cannot agree with itself.
 *
 * Each flow of control has a shadow of return addresses: each goroutine, the scheduler on the system stack, and, for as long as they last,
 * a service on the system stack (arch_call_on) and a trap's handler, whose parents are whom they serve or interrupted. Which flow a stop
 * belongs to is seen from the stack that sp lies in.
 *
 * A trap inside a trap is one more such flow, of which nobody comes back. Two things end with it. What trap entry interrupted, if it traps
 * itself before there is a frame: sepc was the only word that knew. And everything, in trap_last: a flow of its own without parent.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stepping/judge/judge.h"

enum { DEPTH_MAX = 4096, FLOWS = 65536, STUB = 16, PASSED_MAX = 16 };

enum flow_kind { FLOW_PLAIN, FLOW_TRAP, FLOW_SERVICE, FLOW_AREA };

struct flow {
	enum flow_kind kind;
	uint64_t g, stack;
	bool begun;          /* its entries are known */
	bool forgot;         /* what the parent had interrupted is lost */
	struct flow *parent; /* interrupted, or served, or to be resumed */
	uint64_t resume_pc;  /* where it was interrupted */
	unsigned n, size;
	struct entry {
		uint64_t back, at; /* the return address, and sp at the call (x86-64: where it lies) */
	} * entries;
	struct flow *next;
};

enum instruction { OTHER, CALL, RETURN, TRAP_RETURN, STI };

struct shadow_figures shadow_figures;

static struct flow *flows[FLOWS], *now;
static uint64_t trap_entry, nmi_entry, trap_stubs, stubs_end, context_root, root_offset;
static struct {
	bool any;
	uint64_t pc, sp;
} before;

void shadow_open(const struct image *im)
{
	if (im->riscv) {
		trap_entry = image_symbol("trap_entry");
		nmi_entry = image_symbol("nmi_entry");
		root_offset = 4;
	} else {
		trap_stubs = image_symbol("trap_stubs");
		stubs_end = trap_stubs + STUB * 0x30;
		root_offset = 1;
	}
	context_root = image_symbol("context_start") + root_offset;
}

/* How the code came from one stop to the next is not known. */
static void lost(uint64_t pc, uint64_t after)
{
	uint64_t from, to;
	const char *name = image_function(pc, &from), *to_name = image_function(after, &to);
	if (shadow_figures.lost++ == 0)
		printf("# no way from %s + %#" PRIx64 " to %s + %#" PRIx64 "\n", name, from, to_name, to);
}

static void push(struct flow *f, uint64_t back, uint64_t at)
{
	if (f->n == f->size)
		f->entries = realloc(f->entries, (f->size = f->size * 2 + 16) * sizeof *f->entries);
	if (f->n == DEPTH_MAX)
		die("a shadow stack grows without end");
	f->entries[f->n++] = (struct entry){back, at};
}

static struct flow *flow_new(enum flow_kind kind, struct flow *parent)
{
	struct flow *f = calloc(1, sizeof *f);
	f->kind = kind;
	f->begun = kind != FLOW_PLAIN;
	f->parent = parent;
	return f;
}

static void flow_free(struct flow *f)
{
	free(f->entries);
	free(f);
}

/* The plain flow of a goroutine, or of what runs on a stack that is none's. */
static struct flow *flow_find(uint64_t g, uint64_t stack)
{
	struct flow **slot = &flows[(g != 0 ? g : stack >> 12) % FLOWS];
	for (struct flow *f = *slot; f != NULL; f = f->next)
		if (g != 0 ? f->g == g : f->g == 0 && f->stack == stack)
			return f;
	struct flow *f = flow_new(FLOW_PLAIN, NULL);
	f->g = g;
	f->stack = stack;
	f->next = *slot;
	*slot = f;
	return f;
}

static enum instruction decode(const struct image *im, uint64_t pc, unsigned *length)
{
	uint8_t b[4];
	image_code(pc, b, sizeof b);
	if (im->riscv) {
		uint32_t w =
			(uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
		*length = (w & 3) == 3 ? 4 : 2;
		if (*length == 2) {
			uint32_t c = w & 0xffff;
			if (c == 0x8082)
				return RETURN;
			return (c & 0xf07f) == 0x9002 && (c & 0xf80) != 0 ? CALL : OTHER; /* c.jalr */
		}
		if (w == 0x00008067)
			return RETURN;
		if (w == 0x10200073 ||
		    (w == 0x00000073 && image_in(pc, "nmi_entry"))) /* sret, and the firmware's */
			return TRAP_RETURN;
		uint32_t opcode = w & 0x7f, rd = w >> 7 & 31;
		return (opcode == 0x6f || opcode == 0x67) && rd == 1 ? CALL : OTHER;
	}
	*length = 1;
	if (b[0] == 0xfb)
		return STI;
	if (b[0] == 0x48 && b[1] == 0xcf)
		return TRAP_RETURN;
	const uint8_t *p = b[0] == 0x41 || b[0] == 0xf3 ? b + 1 : b;
	if (p[0] == 0xc3 || p[0] == 0xc2)
		return RETURN;
	return p[0] == 0xe8 || (p[0] == 0xff && (p[1] >> 3 & 7) == 2) ? CALL : OTHER;
}

/* Word `n` of what the processor pushed at trap entry, on x86-64: rip, cs, rflags, rsp, ss. */
static uint64_t pushed(const struct step_stop *s, uint64_t sp, uint64_t pc, unsigned n)
{
	static const uint32_t errors = 1u << 8 | 0x1f << 10 | 1u << 17 | 1u << 21 | 3u << 29;
	unsigned vector = (unsigned)((pc - trap_stubs) / STUB);
	uint64_t v = 0;
	stop_read(s, sp + 8 * (n + (vector < 32 && (errors >> vector & 1))), &v);
	return v;
}

/* Whether the stop is the first one in a trap; then where the trap interrupted. */
static bool trap_begins(const struct image *im, const struct step_stop *s, uint64_t pc, uint64_t *interrupted)
{
	if (im->riscv) {
		*interrupted = s->outer_pc;
		return pc == trap_entry || (pc == trap_entry + 4 && before.pc != trap_entry) ||
		       pc == nmi_entry || (pc == nmi_entry + 4 && before.pc != nmi_entry);
	}
	if (pc < trap_stubs || pc >= stubs_end || (pc - trap_stubs) % STUB != 0)
		return false;
	*interrupted = pushed(s, stop_sp(im, s), pc, 0);
	return true;
}

/* ---- riscv64: a step may pass over an instruction (from lr to sc it does always) */

static int64_t bits(uint32_t w, unsigned from, unsigned n, unsigned to)
{
	return (int64_t)((w >> from & ((1u << n) - 1)) << to);
}

/* Where the jump or branch at pc may lead; 0: not one of those, or to a place in a register. */
static uint64_t jump_target(uint64_t pc, uint32_t w)
{
	if ((w & 0x7f) == 0x6f)
		return pc + (uint64_t)(bits(w, 21, 10, 1) + bits(w, 20, 1, 11) + bits(w, 12, 8, 12) -
				       bits(w, 31, 1, 20));
	if ((w & 0x7f) == 0x63)
		return pc + (uint64_t)(bits(w, 8, 4, 1) + bits(w, 25, 6, 5) + bits(w, 7, 1, 11) -
				       bits(w, 31, 1, 12));
	if ((w & 0xe003) == 0xa001)
		return pc + (uint64_t)(bits(w, 3, 3, 1) + bits(w, 11, 1, 4) + bits(w, 2, 1, 5) +
				       bits(w, 7, 1, 6) + bits(w, 6, 1, 7) + bits(w, 9, 2, 8) +
				       bits(w, 8, 1, 10) - bits(w, 12, 1, 11));
	if ((w & 0xc003) == 0xc001)
		return pc + (uint64_t)(bits(w, 3, 2, 1) + bits(w, 10, 2, 3) + bits(w, 2, 1, 5) +
				       bits(w, 5, 2, 6) - bits(w, 12, 1, 8));
	return 0;
}

struct path {
	uint64_t ra; /* at its end: of a call on the way, where it returns to */
	unsigned pops, pushes, length;
	uint64_t back[PASSED_MAX];
};

/* Whether p, which has come to its end, can be it. */
static bool path_good(const struct path *p)
{
	return p->pushes == 0 || p->back[p->pushes - 1] == p->ra;
}

/* Looks for the way from pc to `after` in at most `left` instructions; p is what it did to the shadow. */
static bool path_find(const struct image *im, uint64_t pc, uint64_t after, unsigned left, struct path *p)
{
	uint8_t b[4];
	unsigned length;
	struct path start = *p;
	if (left == 0)
		return false;
	p->length++;
	start.length++;
	image_code(pc, b, sizeof b);
	uint32_t w = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
	enum instruction kind = decode(im, pc, &length);
	if (length == 2)
		w &= 0xffff;
	uint64_t target = jump_target(pc, w);
	bool always = (w & 0x7f) == 0x6f || (w & 0xe003) == 0xa001; /* jal, c.j */
	bool anywhere =
		(w & 0x7f) == 0x67 || (length == 2 && (w & 0xe07f) == 0x8002); /* jalr, c.jr, c.jalr */
	if (kind == RETURN) {
		uint64_t to = p->pushes > 0      ? p->back[p->pushes - 1]
			      : now->n > p->pops ? now->entries[now->n - 1 - p->pops].back
						 : 0;
		if (p->pushes > 0)
			p->pushes--;
		else
			p->pops++;
		return (to == after && path_good(p)) || path_find(im, to, after, left - 1, p);
	}
	if (kind == CALL)
		p->back[p->pushes++] = pc + length;
	if (anywhere)
		return path_good(p);
	if (target != 0 && ((target == after && path_good(p)) || path_find(im, target, after, left - 1, p)))
		return true;
	if (always)
		return false;
	*p = start;
	return (pc + length == after && path_good(p)) || path_find(im, pc + length, after, left - 1, p);
}

static void follow_riscv(const struct image *im, const struct step_stop *s, uint64_t pc, uint64_t sp_before,
			 uint64_t after)
{
	struct path p;
	if (image_in(pc, "arch_jump") && !image_in(after, "arch_jump"))
		return;
	for (unsigned most = 1; most <= PASSED_MAX; most++) {
		p = (struct path){.ra = s->frame[1]};
		if (!path_find(im, pc, after, most, &p))
			continue;
		shadow_figures.passed += p.length - 1;
		now->n -= p.pops < now->n ? p.pops : now->n;
		for (unsigned i = 0; i < p.pushes; i++)
			push(now, p.back[i], sp_before);
		return;
	}
	lost(pc, after);
}

/* x86-64: whether the call at pc leads elsewhere. */
static bool steered(uint64_t pc, uint64_t after)
{
	uint8_t b[5];
	int32_t distance;
	image_code(pc, b, sizeof b);
	memcpy(&distance, b + 1, sizeof distance);
	return b[0] == 0xe8 && pc + 5 + (uint64_t)(int64_t)distance != after;
}

/* What the instruction at `pc` did to the running flow's shadow; then the code stands at `after`. */
static void follow(const struct image *im, const struct step_stop *s, uint64_t pc, uint64_t sp_before,
		   uint64_t after, uint64_t sp)
{
	unsigned length;
	uint64_t back;
	if (im->riscv) {
		follow_riscv(im, s, pc, sp_before, after);
		return;
	}
	switch (decode(im, pc, &length)) {
	case CALL:
		if (steered(pc, after))
			break; /* by the stepping handler: the handler of a made-up trap is not called */
		if (stop_read(s, sp, &back))
			push(now, back, sp);
		else
			lost(pc, after);
		break;
	case RETURN:
		if (image_in(pc, "arch_jump"))
			break;
		if (now->n == 0 || now->entries[now->n - 1].back != after)
			lost(pc, after);
		else
			now->n--;
		break;
	case STI: /* the stop behind it is missing */
		if (after != pc + 1)
			follow(im, s, pc + 1, sp_before, after, sp);
		break;
	default:
		break;
	}
}

/* A flow that is met for the first time: a fresh goroutine's is known, others begin with what the other judge says. */
static void seed(struct flow *f, const struct list *cfi)
{
	if (f->begun)
		return;
	f->begun = true;
	if (cfi->n == 2 && cfi->pcs[1] == context_root) {
		push(f, context_root, UINT64_MAX);
		return;
	}
	shadow_figures.seeds++;
	for (unsigned i = cfi->n - 1; i > 0; i--)
		push(f, cfi->pcs[i], UINT64_MAX);
}

void shadow_step(const struct image *im, const struct step_stop *s, const struct list *cfi)
{
	uint64_t pc = stop_pc(im, s), sp = stop_sp(im, s), interrupted;
	unsigned length;
	if (!before.any) {
		now = flow_find(s->g, s->stack);
		seed(now, cfi);
	} else if (image_in(pc, "trap_last") && !image_in(before.pc, "trap_last")) {
		now = flow_new(FLOW_TRAP, NULL);
	} else if (trap_begins(im, s, pc, &interrupted)) {
		/* Between two stops a trap may have returned, and the next begun. */
		if (interrupted != before.pc && decode(im, before.pc, &length) == TRAP_RETURN &&
		    now->parent != NULL) {
			struct flow *left = now;
			now = now->parent;
			before.pc = now->resume_pc;
			flow_free(left);
		}
		if (interrupted != before.pc)
			follow(im, s, before.pc, before.sp, interrupted,
			       im->riscv ? 0 : pushed(s, sp, pc, 3));
		shadow_figures.traps++;
		now->resume_pc = interrupted;
		now = flow_new(FLOW_TRAP, now);
		now->stack = s->stack;
		now->forgot = im->riscv && !image_in(pc, "nmi_entry") && now->parent->kind == FLOW_TRAP &&
			      now->parent->n == 0;
	} else if (decode(im, before.pc, &length) == TRAP_RETURN) {
		struct flow *to = flow_find(s->g, s->stack);
		if (now->kind == FLOW_TRAP || now->kind == FLOW_AREA) {
			struct flow *left = now;
			bool same = now->parent->stack == s->stack || now->parent == to;
			now = same ? now->parent : to;
			flow_free(left);
		} else {
			now = to;
		}
		if (now->resume_pc != pc) { /* steps are not that small always */
			before.pc = now->resume_pc;
			follow(im, s, before.pc, sp, pc, sp);
		}
		seed(now, cfi);
	} else if (now->kind == FLOW_TRAP && im->riscv && s->outer_pc != 0) {
		now->stack = s->stack != 0 ? s->stack : now->stack; /* entry has not come to its stack yet */
		follow(im, s, before.pc, before.sp, pc, sp);
	} else if (now->kind == FLOW_AREA && image_in(pc, "frame_resume")) {
		now->stack = s->stack; /* at its end sp is the resumed one's */
	} else if (s->stack != now->stack) {
		if (image_in(before.pc, "arch_call_on")) {
			struct flow *left = now;
			if (now->kind == FLOW_SERVICE && now->parent->stack == s->stack) {
				now = now->parent;
				flow_free(left);
			} else {
				shadow_figures.services++;
				now = flow_new(FLOW_SERVICE, left);
				now->stack = s->stack;
			}
		} else {
			shadow_figures.switches++;
			struct flow *to = flow_find(s->g, s->stack);
			if (now->kind == FLOW_TRAP)
				flow_free(now);
			if (s->stack == 0) {
				now = flow_new(FLOW_AREA, to);
			} else {
				now = to;
				now->stack = s->stack;
				seed(now, cfi);
			}
		}
	} else {
		follow(im, s, before.pc, before.sp, pc, sp);
	}
	if (image_in(before.pc, "arch_jump") && !image_in(pc, "arch_jump")) {
		shadow_figures.jumps++;
		while (now->n > 0 && now->entries[now->n - 1].at < sp + im->riscv)
			now->n--;
	}
	before.any = true;
	before.pc = pc;
	before.sp = sp;
}

void shadow_walk(const struct image *im, const struct step_stop *s, struct list *out)
{
	out->n = 0;
	out->end = END_ROOT;
	out->pcs[out->n++] = stop_pc(im, s);
	for (const struct flow *f = now; f != NULL; f = f->parent) {
		for (unsigned i = f->n; i > 0 && out->n < LIST_MAX; i--)
			out->pcs[out->n++] = f->entries[i - 1].back;
		if ((f->kind == FLOW_TRAP || f->kind == FLOW_AREA) && f->parent != NULL && out->n < LIST_MAX)
			out->pcs[out->n++] = f->parent->resume_pc + 1;
		if (f->forgot) {
			out->end = END_LOST;
			break;
		}
	}
}
