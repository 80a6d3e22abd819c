/* Constants of the way into long mode, shared by boot/x86_64/entry.S, trampoline.S and harts.c. */
#ifndef BOOT_X86_64_ENTRY_H
#define BOOT_X86_64_ENTRY_H

#define BOOT_STACK_SIZE 32768 /* bytes */

/* One page below 1 MiB that every other hart starts in: a startup interrupt carries its page number. */
#define TRAMPOLINE_PAGE 0x8000

#define ENTRY_TABLE 0x23 /* present, writable, accessed */
#define ENTRY_PAGE  0xe3 /* and dirty, large */

#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800
#define BOOT_CR4 0x620      /* PAE, OSFXSR, OSXMMEXCPT */
#define BOOT_CR0 0x80010033 /* PG, WP, NE, ET, MP, PE; caches on */

#endif
