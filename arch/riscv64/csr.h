/* Control and status registers: the bits the kernel uses (RISC-V privileged architecture 1.12). Included by
 * assembly. */
#ifndef ARCH_RISCV64_CSR_H
#define ARCH_RISCV64_CSR_H

#define SSTATUS_SIE      0x2    /* interrupts on */
#define SSTATUS_SPIE     0x20   /* interrupts were on in the interrupted code */
#define SSTATUS_VS       0x600  /* vector state; 0: any vector instruction is illegal */
#define SSTATUS_FS_CLEAN 0x4000 /* FS is two bits: off 0, initial 1, clean 2, dirty 3 */
#define SSTATUS_FS_LOW   0x2000 /* what dirty has over clean */

/* The supervisor interrupts in sie and sip, and their causes. */
#define SI_SOFTWARE 0x2
#define SI_TIMER    0x20
#define SI_EXTERNAL 0x200

#define CAUSE_INTERRUPT    0x8000000000000000
#define CAUSE_IRQ_SOFTWARE 1
#define CAUSE_IRQ_TIMER    5
#define CAUSE_IRQ_EXTERNAL 9
#define CAUSE_FETCH_FAULT  12
#define CAUSE_LOAD_FAULT   13
#define CAUSE_STORE_FAULT  15

#define SATP_SV39 (8ul << 60)

#define CSR_STIMECMP 0x14d /* Sstc; by number, the assembler may not know its name */

/* DWARF numbers (RISC-V ELF psABI): a CSR is 4096 + its number; 64 is the return address column of code that
 * keeps it in no register, such as a trap handler. */
#define DWARF_SSCRATCH 4416
#define DWARF_SEPC     4417
#define DWARF_PC       64

#ifndef __ASSEMBLER__

#include <stdint.h>

#define csr_read(name)                                                  \
	({                                                              \
		uint64_t csr_value_;                                    \
		__asm__ volatile("csrr %0, " #name : "=r"(csr_value_)); \
		csr_value_;                                             \
	})
#define csr_write(name, value) __asm__ volatile("csrw " #name ", %0" : : "rK"((uint64_t)(value)) : "memory")
#define csr_set(name, bits)    __asm__ volatile("csrs " #name ", %0" : : "rK"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits)  __asm__ volatile("csrc " #name ", %0" : : "rK"((uint64_t)(bits)) : "memory")

#endif

#endif
