/* What a started hart reads in boot/x86_64/entry.S. */
#ifndef BOOT_X86_64_HARTS_H
#define BOOT_X86_64_HARTS_H

#include <stdint.h>

struct hart;

enum { SECONDARY_HARTS = 255 }; /* xAPIC ids; 255 is everybody */

/* Written by the boot hart before it starts the first one. */
extern uint64_t secondary_root;
/* By APIC id; an entry is written before that hart is started. */
extern struct hart *secondary_harts[SECONDARY_HARTS];

#endif
