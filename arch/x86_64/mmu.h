/* The kernel's page tables, as far as boot must know them. */
#ifndef ARCH_X86_64_MMU_H
#define ARCH_X86_64_MMU_H

#include <stdint.h>

/* Physical address of the root table: the value of CR3 on every hart. 0 before arch_mmu_init(). */
uint64_t mmu_root(void);
/* First address behind the image, symbol table included; the page allocator must not own what lies below it.
 */
uintptr_t mmu_image_end(void);

#endif
