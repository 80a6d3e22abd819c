/* What bring-up needs of the page tables beyond the contract. */
#ifndef ARCH_RISCV64_MMU_H
#define ARCH_RISCV64_MMU_H

#include <stdint.h>

/* satp of every hart: set by arch_mmu_init(), read by the secondary harts' entry. */
extern uint64_t mmu_satp;

#endif
