/* Offsets into struct hart that trap entry and boot use; pinned by static asserts in kernel/hart.h. Included by
 * assembly. */
#ifndef KERNEL_HART_OFFSETS_H
#define KERNEL_HART_OFFSETS_H

#define HART_SELF            0
#define HART_IRQ_STACK_TOP   8
#define HART_EXC_STACK_TOP   16
#define HART_NMI_STACK_TOP   24
#define HART_PANIC_STACK_TOP 32
#define HART_SYS_STACK_TOP   40
#define HART_SCRATCH         48 /* three words for trap entry */
#define HART_NMI_SCRATCH     72 /* one for NMI entry */
#define HART_HWID            128

#endif
