/*
 * The trap flag makes every instruction a debug trap, whatever the interrupt flag says; gates clear it, so a breakpoint on the first
 * instruction of each vector's entry sets it again, and the whole of every handler is stepped too, entry and exit included.
 *
 * The debug trap's own entry is here, with a stack of its own, and shares no code with what is stepped.
 */
#include "no_fp.h"
#include "step.h"

#include <stddef.h>

#include "arch/x86_64/frame.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/trap.h"
#include "kernel/hart.h"

enum { RFLAGS_TF = 1 << 8, RFLAGS_RF = 1 << 16, STUB = 16, IST_OF_DEBUG = IST_DEBUG - 1 };

extern const char trap_stubs[], step_marker[], __trap_start[], __trap_end[];

void step_entry(void);
void step_hit(struct arch_frame *f);

__asm__("	.text\n"
	"	.type step_entry, @function\n"
	"step_entry:\n"
	"	pushq $0\n"
	"	pushq $1\n"
	"	cld\n"
	"	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15\n"
	"	pushq %\\r\n"
	"	.endr\n"
	"	subq $16, %rsp\n"
	"	movq %rsp, %rdi\n"
	"	call step_hit\n"
	"	addq $16, %rsp\n"
	"	.irp r, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax\n"
	"	popq %\\r\n"
	"	.endr\n"
	"	addq $16, %rsp\n"
	"	iretq\n"
	"	.size step_entry, . - step_entry\n");

static uint8_t stack[32768] __attribute__((aligned(16)));
static volatile bool on;

/* A trap of step_traps(): the vector, or none. */
enum { NONE = -1 };
static volatile int forced = NONE;

/* Pushed by the processor for these: an error code. Intel SDM volume 3, table 6-1. */
static bool has_error(int vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 ||
	       vector == 29 || vector == 30;
}

static uintptr_t stack_of(const struct hart *h, int vector)
{
	if (vector >= 32)
		return h->irq_stack_top;
	return vector == 2                   ? h->nmi_stack_top
	       : vector == 8 || vector == 18 ? h->panic_stack_top
					     : h->exc_stack_top;
}

/* Does what the processor does for the vector, but for the trap flag; the first instruction of the entry is a stop. */
static void trap_make(struct arch_frame *f)
{
	uint64_t *sp = (uint64_t *)stack_of(arch_hart(), forced) - 5;
	sp[0] = f->rip;
	sp[1] = f->cs;
	sp[2] = f->rflags | RFLAGS_TF;
	sp[3] = f->rsp;
	sp[4] = f->ss;
	if (has_error(forced))
		*--sp = 0;
	f->rsp = (uint64_t)sp;
	f->rip = (uint64_t)trap_stubs + (uint64_t)(STUB * forced);
	stop_take(f, NULL, 0, 0);
}

/* Where the way out begins, of the entry that calls its handler at `call`; those that do not come back go out as exceptions do. */
static uintptr_t way_out(uintptr_t call)
{
	const uint8_t *p = (const uint8_t *)call + 5;
	if (p[0] != 0x0f) /* ud2 */
		return (uintptr_t)p;
	for (p = (const uint8_t *)__trap_start; p + 5 < (const uint8_t *)__trap_end; p++) {
		int32_t distance;
		__builtin_memcpy(&distance, p + 1, sizeof distance);
		if (*p == 0xe8 &&
		    (uintptr_t)(p + 5) + (uintptr_t)(intptr_t)distance == (uintptr_t)trap_exception)
			return (uintptr_t)p + 5;
	}
	return 0;
}

/* Instead of a handler: the way out. */
static void trap_steer(struct arch_frame *f)
{
	if (f->rip == (uintptr_t)step_marker)
		trap_make(f);
	else if (f->rip >= (uintptr_t)__trap_start && f->rip < (uintptr_t)__trap_end &&
		 *(const uint8_t *)f->rip == 0xe8) {
		f->rip = way_out(f->rip);
		forced = NONE;
		stop_take(f, NULL, 0, 0);
	}
}

void step_hit(struct arch_frame *f)
{
	uint64_t why;
	__asm__ volatile("mov %%dr6, %0" : "=r"(why));
	__asm__ volatile("mov %0, %%dr6" ::"r"(UINT64_C(0xffff0ff0)));
	(void)why;
	if (!on) {
		f->rflags &= ~(uint64_t)RFLAGS_TF;
		return;
	}
	f->tls = rdfsbase();
	stop_take(f, NULL, 0, 0);
	if (stop_ended()) {
		step_off();
		f->rflags &= ~(uint64_t)RFLAGS_TF;
		return;
	}
	f->rflags |= RFLAGS_TF | RFLAGS_RF;
	if (forced != NONE)
		trap_steer(f);
}

const char *step_init(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr;
	__asm__ volatile("sidt %0" : "=m"(idtr));
	uint8_t *gate = (uint8_t *)idtr.base + 16; /* of vector 1; Intel SDM volume 3, figure 6-8 */
	uint64_t entry = (uint64_t)step_entry;
	arch_hart()->arch.tss.ist[IST_OF_DEBUG] = (uint64_t)(stack + sizeof stack);
	*(uint16_t *)gate = (uint16_t)entry;
	*(uint16_t *)(gate + 6) = (uint16_t)(entry >> 16);
	*(uint32_t *)(gate + 8) = (uint32_t)(entry >> 32);
	return NULL;
}

void step_on(void)
{
	on = true;
	__asm__ volatile("mov %0, %%dr0" ::"r"(trap_stubs + STUB * VECTOR_TIMER));
	__asm__ volatile("mov %0, %%dr1" ::"r"(trap_stubs + STUB * VECTOR_IPI));
	__asm__ volatile("mov %0, %%dr2" ::"r"(trap_stubs + STUB * 14)); /* page fault */
	__asm__ volatile("mov %0, %%dr3" ::"r"(trap_stubs + STUB * 2));  /* NMI */
	__asm__ volatile("mov %0, %%dr7" ::"r"(UINT64_C(0x455)));        /* four local ones, on execution */
	__asm__ volatile("subq $128, %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\taddq $128, %%rsp" ::
				 : "memory", "cc");
}

void step_off(void)
{
	on = false;
	__asm__ volatile("mov %0, %%dr7" ::"r"(UINT64_C(0x400)));
}

__attribute__((noinline)) void step_traps(void)
{
	bool was = arch_irq_save();
	for (int vector = 0; vector < VECTOR_COUNT; vector++) {
		forced = vector;
		__asm__ volatile("	.globl step_marker\n"
				 "step_marker:\n"
				 "	nop" ::
					 : "memory");
	}
	arch_irq_restore(was);
}

bool step_stack(uintptr_t sp, struct unwind_bounds *b)
{
	(void)sp;
	(void)b;
	return false;
}

const struct step_end step_ends_arch[] = {{NULL, NULL, 0}};

/* The thread pointer by instruction or by model-specific register. */
void step_variant(unsigned round)
{
	static bool has;
	has |= arch_platform.has_fsgsbase;
	arch_platform.has_fsgsbase = has && round % 5 != 4;
}
