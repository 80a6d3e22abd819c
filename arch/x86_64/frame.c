/* Questions about a frame: where the interrupted code was, and what its registers held. */
#include "arch/x86_64/frame.h"

#include "arch/arch.h"
#include "arch/x86_64/instr.h"

enum { RFLAGS_IF = 1 << 9 };

size_t arch_frame_size(void)
{
	return sizeof(struct arch_frame);
}

void arch_frame_copy(struct arch_frame *to, const struct arch_frame *from)
{
	*to = *from;
}

void arch_frame_unwind(const struct arch_frame *f, struct arch_unwind *u)
{
	u->pc = f->rip;
	u->sp = f->rsp;
	u->fp = f->rbp;
	u->ra = 0;
}

bool arch_frame_unwind_outer(const struct arch_frame *f, struct arch_unwind *u)
{
	(void)f;
	(void)u;
	return false; /* the processor has pushed all before the first instruction */
}

bool arch_frame_irq_on(const struct arch_frame *f)
{
	return (f->rflags & 0x200) != 0;
}

uintptr_t arch_frame_tls(const struct arch_frame *f)
{
	return f->tls;
}

static void print4(const char *const names[4], const uint64_t values[4])
{
	upcall_print_line("  %s %016lx  %s %016lx  %s %016lx  %s %016lx", names[0], (unsigned long)values[0],
			  names[1], (unsigned long)values[1], names[2], (unsigned long)values[2], names[3],
			  (unsigned long)values[3]);
}

void arch_frame_print(const struct arch_frame *f)
{
	print4((const char *const[]){"rip", "rsp", "rbp", "flg"},
	       (const uint64_t[]){f->rip, f->rsp, f->rbp, f->rflags});
	print4((const char *const[]){"rax", "rbx", "rcx", "rdx"},
	       (const uint64_t[]){f->rax, f->rbx, f->rcx, f->rdx});
	print4((const char *const[]){"rsi", "rdi", "r8 ", "r9 "},
	       (const uint64_t[]){f->rsi, f->rdi, f->r8, f->r9});
	print4((const char *const[]){"r10", "r11", "r12", "r13"},
	       (const uint64_t[]){f->r10, f->r11, f->r12, f->r13});
	print4((const char *const[]){"r14", "r15", "fs ", "cr2"},
	       (const uint64_t[]){f->r14, f->r15, f->tls, cr2_read()});
	print4((const char *const[]){"vec", "err", "cs ", "cr3"},
	       (const uint64_t[]){f->vector, f->error, f->cs, cr3_read()});
}
