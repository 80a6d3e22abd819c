/* The rate of the time-stamp counter. */
#ifndef BOOT_X86_64_CALIBRATE_H
#define BOOT_X86_64_CALIBRATE_H

/* Measures tsc_hz and lapic_per_tick of arch_platform; takes 2 ms. Boot hart, interrupts off, lapic_base
 * filled in. */
void calibrate(void);

#endif
