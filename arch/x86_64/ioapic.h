/* The I/O APICs: what devices have to say comes to the boot hart. */
#ifndef ARCH_X86_64_IOAPIC_H
#define ARCH_X86_64_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

/* Hands the line behind a vector from VECTOR_DEVICE on to upcall_device_irq(). Interrupt context, on the boot hart. */
void ioapic_irq(uint64_t vector);
/* From now on a rising edge of this line is an NMI of the processor with this APIC id. False: no I/O APIC has such a line. Interrupt context. */
bool ioapic_nmi(uint32_t line, uint64_t id);

#endif
