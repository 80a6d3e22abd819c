/*
 * A 16550 that interrupts: what arrives waits in a ring, what is written goes out as the other side takes it. National Semiconductor
 * PC16550D data sheet, section 8. Sending on the console's is polled and in kernel/console.c.
 */
#ifndef KERNEL_UART_H
#define KERNEL_UART_H

#include <stdatomic.h>

#include "kernel/device.h"
#include "kernel/lock.h"

enum {
	UART_RING = 4096, /* bytes; more stay with the sender */
	UART_WRITE_MAX =
		1024, /* that a line writes between two looks at who is there (kernel/uart_serial.c) */
};

struct uart_place {
	struct arch_uart at;
	struct arch_irq_line line;
};

struct uart {
	struct device device; /* first */

	/* immutable after uart_start() */
	struct arch_uart at;
	/* There are bytes to read or room to write, maybe. System context; may not park. */
	void (*changed)(void *ctx);
	void *ctx;

	struct spinlock
		lock; /* guards the rest, and the device's registers but for what sends on the console */
	uint32_t head, tail; /* of ring: read, written */
	bool tx_wanted;      /* somebody waits for room */
	uint8_t ring[UART_RING];
};

/* Times that a device lost bytes which it had no room for, all lines together. Relaxed. */
extern _Atomic uint32_t uart_overruns;

/*
 * From now on bytes are received. changed and ctx are set in u, which is zero otherwise and stays for good. console: the device is in use
 * for sending already and is not set up anew. False: its interrupt leads nowhere. Goroutine context.
 */
__attribute__((warn_unused_result)) bool uart_start(struct uart *u, const struct uart_place *place,
						    bool console);

/* Up to max bytes that have arrived; 0: none now. Goroutine context. */
size_t uart_read(struct uart *u, void *to, size_t max);
/* Takes up to n bytes: how many. When they are fewer, `changed` is called once there is room again. Not on the console's. Goroutine context. */
size_t uart_write(struct uart *u, const void *from, size_t n);

#endif
