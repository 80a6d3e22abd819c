/*
 * Boot: from the first instruction to the first goroutine. boot/<arch>/entry.S receives the machine, boot/<arch>/start.c reads what the
 * firmware says into a struct boot_info and calls boot_main(), which is the same on every architecture; boot_main asks boot_hart_start()
 * for each further hart, which arrives in boot_secondary().
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "boot/info.h"

struct hart;
struct uart_place;
struct virtio_place;

/* boot/main.c */
/* Boot hart, on the boot stack, interrupts off, paging off or as the firmware left it. */
_Noreturn void boot_main(struct boot_info *info);
/* Every other hart, on its system stack, kernel page tables on, interrupts off; calls arch_hart_enter() first. */
_Noreturn void boot_secondary(struct hart *h);
/* Ends the machine with a boot error line and status 2: no console output is lost. */
_Noreturn void boot_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* boot/<arch>/start.c, boot/x86_64/calibrate.c */
/* Between the two arch_ticks_hz() comes to be known, which a processor may have to measure: boot goes on meanwhile, and the boot hart's
 * timer is not armed. Interrupts off. */
void boot_clock_begin(void);
void boot_clock_end(void);

/* boot/<arch>/devices.c */
/* The first virtio device with this id; false when there is none. Goroutine context, once: it may configure the bus. */
bool boot_virtio_find(const struct boot_info *info, uint32_t device_id, struct virtio_place *place);
/* Where the console's UART is and interrupts; false: it is not known to interrupt. Any context. */
bool boot_uart_console(const struct boot_info *info, struct uart_place *place);
/* The same for a second one; false: there is none. Goroutine context. */
bool boot_uart_second(const struct boot_info *info, struct uart_place *place);

/* boot/<arch>/harts.c */
/* Asks the firmware or the interrupt controller to start hart h at its secondary entry. 0, or -1 when it refused. Boot hart, after
 * arch_mmu_init(). */
int boot_hart_start(struct hart *h);

#endif
