/*
 * A UART as a serial line: it knows nothing of clients, so who they are is told from what comes.
 *
 * A client begins with its first byte, and wherever a request begins ("GET /", "HEAD /"). It has gone when its answer is finished, when another
 * begins, or when its request is not complete and nothing more has come for UART_QUIET_NS.
 */
#ifndef KERNEL_UART_SERIAL_H
#define KERNEL_UART_SERIAL_H

#include "kernel/serial.h"
#include "kernel/uart.h"

#define UART_QUIET_NS UINT64_C(1500000000)

/* Starts the UART, once, and calls found(ctx, line), which may set the line's `changed`: NULL, or one line that says why not. Goroutine
 * context. */
const char *uart_serial_start(const struct uart_place *place, void (*found)(void *ctx, struct serial *line),
			      void *ctx);

#endif
