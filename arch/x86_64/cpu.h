/* Processor features and control registers. */
#ifndef ARCH_X86_64_CPU_H
#define ARCH_X86_64_CPU_H

/* Fills the processor's part of arch_platform. Boot hart, once, before cpu_setup(). */
void cpu_detect(void);
/* Sets the control registers of the running hart for what cpu_detect() found. Boot context, once on each
 * hart, before arch_set_tls() and arch_fpu_save(). */
void cpu_setup(void);

#endif
