/* The platform-level interrupt controller: what devices have to say comes to the boot hart. */
#ifndef ARCH_RISCV64_PLIC_H
#define ARCH_RISCV64_PLIC_H

/* Hands every line that interrupts to upcall_device_irq(). Interrupt context, on the boot hart. */
void plic_irq(void);

#endif
