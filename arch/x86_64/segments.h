/* Descriptor tables: the IDT that all harts share, and each hart's GDT and TSS. */
#ifndef ARCH_X86_64_SEGMENTS_H
#define ARCH_X86_64_SEGMENTS_H

struct hart;

/* Fills the IDT. Boot hart, once, before segments_enter(). */
void segments_init(void);
/* Loads h's GDT, TSS and GS base and the IDT on the running hart. Interrupts off. */
void segments_enter(struct hart *h);

#endif
