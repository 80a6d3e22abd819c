/* Interrupts between harts. */
#ifndef ARCH_RISCV64_IPI_H
#define ARCH_RISCV64_IPI_H

#include <stdbool.h>

/* Has arch_stop_others() been called? Interrupt context. */
bool ipi_stop_asked(void);

#endif
