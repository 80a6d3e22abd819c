/* Boot, between assembly (entry.S) and C. */
#ifndef BOOT_RISCV64_START_H
#define BOOT_RISCV64_START_H

#include <stdint.h>

/* Boot hart, on the boot stack. */
_Noreturn void boot_start(uint64_t hart_id, const void *fdt, uint64_t entry_ticks);
/* A trap before arch_hart_enter(), on the boot stack from its end. */
_Noreturn void boot_trap_report(uint64_t cause, uintptr_t pc, uintptr_t addr);
/* Where the firmware starts every other hart: physical, a1 = struct hart. */
extern const char boot_secondary_entry[];

#endif
