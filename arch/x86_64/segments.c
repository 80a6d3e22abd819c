/*
 * Descriptor tables.
 *
 * 1. Every gate has an IST stack, otherwise a trap would push on the interrupted stack and break its red
 * zone, or fault on a goroutine's stack page that is not there yet.
 * 2. Every gate is an interrupt gate: it clears IF (and TF), otherwise an interrupt could arrive on an IST
 * stack that is in use.
 * 3. While a hart handles an exception, its exception IST is the panic stack (arch/x86_64/trap.c), otherwise
 * a fault in the handler would overwrite the frames its report is made from.
 */
#include "arch/x86_64/segments.h"

#include "arch/x86_64/frame_offsets.h"
#include "arch/x86_64/instr.h"
#include "kernel/assert.h"
#include "kernel/hart.h"

enum {
	STUB_SIZE = 16,
	GATE_INTERRUPT = 0x8e,
	VECTOR_DEBUG = 1,
	VECTOR_NMI = 2,
	VECTOR_DF = 8,
	VECTOR_MC = 18
};

/* Intel SDM volume 3, figure 6-8. */
struct gate {
	uint16_t offset_lo;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_hi;
	uint32_t reserved;
};

_Static_assert(sizeof(struct gate) == 16, "hardware format");

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const char trap_stubs[]; /* arch/x86_64/trap.S */

static struct gate idt[VECTOR_COUNT]; /* immutable after segments_init() */

static uint8_t gate_ist(unsigned vector)
{
	switch (vector) {
	case VECTOR_DEBUG:
		return IST_DEBUG;
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_DF:
	case VECTOR_MC:
		return IST_PANIC;
	default:
		return vector < 32 ? IST_EXC : IST_IRQ;
	}
}

void segments_init(void)
{
	for (unsigned i = 0; i < VECTOR_COUNT; i++) {
		uintptr_t stub = (uintptr_t)trap_stubs + (uintptr_t)i * STUB_SIZE;
		idt[i] = (struct gate){
			.offset_lo = (uint16_t)stub,
			.selector = SELECTOR_CODE,
			.ist = gate_ist(i),
			.type = GATE_INTERRUPT,
			.offset_mid = (uint16_t)(stub >> 16),
			.offset_hi = (uint32_t)(stub >> 32),
		};
	}
}

static void gdt_fill(uint64_t *gdt, const struct arch_tss *tss)
{
	uint64_t base = (uint64_t)tss, limit = sizeof *tss - 1;
	gdt[SELECTOR_CODE / 8] = UINT64_C(0x00af9b000000ffff); /* 64-bit code, ring 0, accessed */
	gdt[SELECTOR_DATA / 8] = UINT64_C(0x00cf93000000ffff);
	gdt[SELECTOR_TSS / 8] =
		limit | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (base >> 24 & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

void segments_enter(struct hart *h)
{
	struct arch_hart *a = &h->arch;
	ASSERT(((h->irq_stack_top | h->exc_stack_top | h->nmi_stack_top | h->panic_stack_top) & 15) == 0,
	       "a stack ends 16-byte aligned");
	ASSERT(idt[0].type != 0, "the IDT is filled before a hart enters");
	a->tss.ist[IST_IRQ - 1] = h->irq_stack_top;
	a->tss.ist[IST_EXC - 1] = h->exc_stack_top;
	a->tss.ist[IST_NMI - 1] = h->nmi_stack_top;
	a->tss.ist[IST_PANIC - 1] = h->panic_stack_top;
	a->tss.ist[IST_DEBUG - 1] = (uint64_t)(a->debug_stack + sizeof a->debug_stack);
	a->tss.io_map = sizeof a->tss;
	gdt_fill(a->gdt, &a->tss);

	struct table_pointer gdtr = {sizeof a->gdt - 1, (uint64_t)a->gdt};
	struct table_pointer idtr = {sizeof idt - 1, (uint64_t)idt};
	/* The boot GDT had the same code and data descriptors at the same places: nothing needs to be
	 * reloaded. */
	__asm__ volatile("lgdt %0" ::"m"(gdtr));
	__asm__ volatile("ltr %w0" ::"r"(SELECTOR_TSS));
	__asm__ volatile("lidt %0" ::"m"(idtr));
	wrmsr(MSR_GS_BASE, (uint64_t)h);
}
