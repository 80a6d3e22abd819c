/* Frames and contexts as the kernel sees them. */
#include "arch/riscv64/frame.h"

#include <string.h>

#include "arch/arch.h"
#include "arch/riscv64/csr.h"
#include "kernel/assert.h"

/* switch.S */
extern const char context_start[];

size_t arch_frame_size(void)
{
	return sizeof(struct arch_frame);
}

void arch_frame_copy(struct arch_frame *to, const struct arch_frame *from)
{
	memcpy(to, from, sizeof *to);
}

void arch_frame_unwind(const struct arch_frame *f, struct arch_unwind *u)
{
	*u = (struct arch_unwind){.pc = f->pc, .sp = f->x[REG_SP], .fp = f->x[REG_FP], .ra = f->x[REG_RA]};
}

uintptr_t arch_frame_tls(const struct arch_frame *f)
{
	return f->x[REG_TP];
}

bool arch_frame_irq_on(const struct arch_frame *f)
{
	return (f->status & SSTATUS_SPIE) != 0;
}

void arch_frame_print(const struct arch_frame *f)
{
	static const char names[32][4] = {"pc", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
					  "a1", "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
					  "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
	for (int i = 0; i < 32; i += 4)
		upcall_print_line("%3s %016lx  %3s %016lx  %3s %016lx  %3s %016lx", names[i], f->x[i],
				  names[i + 1], f->x[i + 1], names[i + 2], f->x[i + 2], names[i + 3],
				  f->x[i + 3]);
	upcall_print_line("sstatus %016lx  scause %016lx  stval %016lx", f->status, f->cause, f->tval);
}

void switch_irq_off(void)
{
	panic("assertion failed: a switch happens with interrupts on");
}

void arch_context_unwind(const struct arch_context *c, struct arch_unwind *u)
{
	const struct switch_record *r = (const struct switch_record *)c->sp;
	if ((c->sp & ARCH_CONTEXT_FRESH) != 0)
		*u = (struct arch_unwind){.pc = (uintptr_t)context_start + CONTEXT_START_NOP,
					  .sp = c->sp - ARCH_CONTEXT_FRESH};
	else
		*u = (struct arch_unwind){.pc = r->ra, .sp = c->sp + sizeof *r, .fp = r->s[0]};
}

/* jal ra, or auipc ra and jalr ra, ra (the RISC-V Instruction Set Manual, volume I, 2.5 and chapter 24). */
uintptr_t arch_call_target(uintptr_t ret)
{
	uint16_t half[4];
	memcpy(half, (const void *)(ret - 8), sizeof half);
	uint32_t before = half[0] | (uint32_t)half[1] << 16, last = half[2] | (uint32_t)half[3] << 16;
	if ((last & 0xfff) == 0x0ef) {
		uint32_t offset = (last >> 31) << 20 | (last >> 12 & 0xff) << 12 | (last >> 20 & 1) << 11 |
				  (last >> 21 & 0x3ff) << 1;
		return ret - 4 + (uintptr_t)((int64_t)((uint64_t)offset << 43) >> 43);
	}
	if ((last & 0xfffff) == 0x080e7 && (before & 0xfff) == 0x097)
		return ret - 8 + (uintptr_t)(int64_t)(int32_t)(before & 0xfffff000u) +
		       (uintptr_t)((int32_t)last >> 20);
	return 0;
}

size_t arch_fpu_size(void)
{
	return 320; /* flag, fcsr, 32 registers (fpu.S), rounded up to 64 */
}
