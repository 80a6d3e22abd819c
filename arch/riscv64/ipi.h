/* Interrupts between harts. */
#ifndef ARCH_RISCV64_IPI_H
#define ARCH_RISCV64_IPI_H

#include <stdbool.h>

/* Has another hart called arch_stop_others()? Interrupt or NMI context. */
bool ipi_stop_asked(void);

#endif
