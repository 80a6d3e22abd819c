/* The ports of a virtio console device: serial lines that know when a client connects and leaves. */
#ifndef KERNEL_VIRTIO_SERIAL_H
#define KERNEL_VIRTIO_SERIAL_H

#include "kernel/serial.h"
#include "kernel/virtio.h"

enum { VIRTIO_SERIAL_PORTS = 4 }; /* that are used; numbers 1 to 4 */

/*
 * Starts the device, once: NULL, or one line that says why not. Ports come to life as the device announces them, and found(ctx, line) is
 * called for each, in system context; it may set the line's `changed`. Goroutine context.
 */
const char *virtio_serial_start(const struct virtio_place *place,
				void (*found)(void *ctx, struct serial *line), void *ctx);

#endif
