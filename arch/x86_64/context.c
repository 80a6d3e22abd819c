/* Voluntary contexts: how a fresh one looks, where a suspended one stands, and the way out of an interrupt.
 */
#include "arch/x86_64/context.h"

#include <string.h>

#include "arch/x86_64/context_offsets.h"
#include "kernel/assert.h"
#include "kernel/hart.h"

/* What lies at a suspended context's sp; arch/x86_64/switch.S draws it. */
struct saved {
	uint32_t mxcsr;
	uint32_t x87_control;
	uint64_t r15, r14, r13, r12, rbx, rbp;
	uint64_t pc;
};

_Static_assert(sizeof(struct saved) == 64, "assembly layout");
_Static_assert(offsetof(struct arch_context, sp) == CONTEXT_SP, "assembly offset");
_Static_assert(offsetof(struct arch_context, tls) == CONTEXT_TLS, "assembly offset");

void arch_context_unwind(const struct arch_context *c, struct arch_unwind *u)
{
	const struct saved *s = (const struct saved *)c->sp;
	if ((c->sp & ARCH_CONTEXT_FRESH) != 0) {
		*u = (struct arch_unwind){.pc = (uintptr_t)context_start + CONTEXT_START_NOP,
					  .sp = c->sp - ARCH_CONTEXT_FRESH};
		return;
	}
	u->pc = s->pc;
	u->sp = (uintptr_t)(s + 1);
	u->fp = s->rbp;
	u->ra = 0;
}

void switch_irq_off(void)
{
	panic("assertion failed: a switch happens with interrupts on");
}

/* call rel32. */
uintptr_t arch_call_target(uintptr_t ret)
{
	int32_t offset;
	if (*(const uint8_t *)(ret - 5) != 0xe8)
		return 0;
	memcpy(&offset, (const void *)(ret - 4), sizeof offset);
	return ret + (uintptr_t)(intptr_t)offset;
}

void arch_leave_trap(struct arch_context *to, uintptr_t word)
{
	struct hart *h = arch_hart();
	ASSERT(h->in_irq == 1, "only an interrupt leaves for the scheduler");
	h->in_irq = 0;
	context_resume(to, word);
}
