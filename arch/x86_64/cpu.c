/*
 * Processor features and control registers. What the boot hart offers is used on all: the machine is assumed
 * to be symmetric.
 */
#include "arch/x86_64/cpu.h"

#include "arch/arch.h"
#include "arch/x86_64/context_offsets.h"
#include "arch/x86_64/instr.h"

enum {
	CR0_PE = 1 << 0,
	CR0_MP = 1 << 1,
	CR0_ET = 1 << 4,
	CR0_NE = 1 << 5,
	CR0_WP = 1 << 16,

	CR4_PAE = 1 << 5,
	CR4_MCE = 1 << 6,
	CR4_OSFXSR = 1 << 9,
	CR4_OSXMMEXCPT = 1 << 10,
	CR4_UMIP = 1 << 11,
	CR4_FSGSBASE = 1 << 16,
	CR4_OSXSAVE = 1 << 18,
	CR4_SMEP = 1 << 20,

	XCR0_X87 = 1 << 0,
	XCR0_SSE = 1 << 1,
	XCR0_AVX = 1 << 2,
	XCR0_AVX512 = 7 << 5, /* mask registers, upper halves of ZMM0-15, ZMM16-31: all three or none */

	FXSAVE_SIZE = 512, /* bytes */
};

#define CR0_PG (UINT64_C(1) << 31)

struct arch_platform arch_platform;

const char *arch_name(void)
{
	return "x86_64";
}

/* The state components to use of those offered: the ones instructions exist for that programs may use. */
static uint64_t xcr0_choose(uint64_t offered)
{
	uint64_t use = XCR0_X87 | XCR0_SSE;
	if ((offered & XCR0_AVX) != 0)
		use |= XCR0_AVX;
	if ((use & XCR0_AVX) != 0 && (offered & XCR0_AVX512) == XCR0_AVX512)
		use |= XCR0_AVX512;
	return use;
}

void cpu_detect(void)
{
	struct arch_platform *p = &arch_platform;
	uint32_t max = cpuid(0, 0).a, max_ext = cpuid(0x80000000, 0).a;
	if (max_ext >= 0x80000001) {
		uint32_t d = cpuid(0x80000001, 0).d;
		p->has_nx = (d & 1u << 20) != 0;
		p->has_page_1g = (d & 1u << 26) != 0;
	}
	if (max >= 7) {
		struct cpuid c = cpuid(7, 0);
		p->has_fsgsbase = (c.b & 1u << 0) != 0;
		p->has_smep = (c.b & 1u << 7) != 0;
		p->has_umip = (c.c & 1u << 2) != 0;
	}
	p->fpu_size = FXSAVE_SIZE;
	p->has_xsave = max >= 0xd && (cpuid(1, 0).c & 1u << 26) != 0;
	if (p->has_xsave) {
		struct cpuid c = cpuid(0xd, 0);
		p->xcr0 = xcr0_choose((uint64_t)c.d << 32 | c.a);
	}
}

void cpu_setup(void)
{
	struct arch_platform *p = &arch_platform;
	uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	if (p->has_umip)
		cr4 |= CR4_UMIP;
	if (p->has_fsgsbase)
		cr4 |= CR4_FSGSBASE;
	if (p->has_xsave)
		cr4 |= CR4_OSXSAVE;
	if (p->has_smep)
		cr4 |= CR4_SMEP;
	cr4_write(cr4);
	cr0_write(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	if (p->has_xsave) {
		xcr0_write(p->xcr0);
		/* EBX is the size for what XCR0 enables now. */
		p->fpu_size = (cpuid(0xd, 0).b + 63) & ~63u;
	}
	__asm__ volatile("fninit");
	uint32_t mxcsr = MXCSR_DEFAULT;
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
}
