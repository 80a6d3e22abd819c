/*
 * Virtio devices: the transport and the split queues. "Virtual I/O Device (VIRTIO) Version 1.1", sections 2.6 (split virtqueues), 3.1.1
 * (initialisation), 4.1.4 (PCI), 4.2.2 (MMIO). A device of version 0.9 ("legacy") is refused.
 *
 * RAM is identity mapped: a buffer's address is what the device is told. Whoever calls serialises.
 */
#ifndef KERNEL_VIRTIO_H
#define KERNEL_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

enum virtio_kind { VIRTIO_MMIO, VIRTIO_PCI };

/* Where a device is; boot finds out. Physical addresses. */
struct virtio_place {
	enum virtio_kind kind;
	uint64_t base;        /* MMIO: its registers; PCI: its common configuration */
	uint64_t notify;      /* PCI: the notification area */
	uint32_t notify_step; /* PCI: bytes between two queues' words in it */
	uint64_t isr;         /* PCI: the interrupt status byte */
	uint64_t config;      /* its own configuration */
	struct arch_irq_line line;
};

enum { VIRTIO_CONSOLE = 3 }; /* device id */

/* Descriptors of a queue, each with a buffer of its own; a power of two. The control queues of QEMU's console have no more. */
enum { VIRTQ_SIZE = 32 };

struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct virtq_avail {
	uint16_t flags, idx, ring[VIRTQ_SIZE], used_event;
};

struct virtq_used {
	uint16_t flags, idx;
	struct {
		uint32_t id, len;
	} ring[VIRTQ_SIZE];
	uint16_t avail_event;
};

/* What the device and we share; in RAM, 16-byte aligned. */
struct virtq_memory {
	struct virtq_desc desc[VIRTQ_SIZE];
	struct virtq_avail avail;
	struct virtq_used used __attribute__((aligned(4)));
} __attribute__((aligned(16)));

struct virtq {
	struct virtq_memory *m;
	uint16_t index;
	uint16_t taken;           /* used entries seen so far */
	volatile uint16_t *where; /* PCI: the word that notifies */
};

/*
 * Resets the device and settles features: wanted bits 0 to 31 that it offers are accepted into *features, with version 1. NULL, or one line
 * that says why not; then the device is left alone. Goroutine context.
 */
const char *virtio_begin(const struct virtio_place *p, uint32_t device_id, uint32_t wanted,
			 uint32_t *features);
/* Sets queue `index` up on zeroed memory. False: the device has no such queue. Between virtio_begin() and virtio_ready(). */
bool virtio_queue(const struct virtio_place *p, struct virtq *q, uint16_t index, struct virtq_memory *m);
/* The device may begin. */
void virtio_ready(const struct virtio_place *p);
uint32_t virtio_config32(const struct virtio_place *p, unsigned offset);
/* Makes the device quiet; false if it was not this device that interrupted. Interrupt context. */
bool virtio_irq(const struct virtio_place *p);

/* Gives descriptor i with its buffer to the device, which reads it, or writes it if device_writes. Seen by the device after
 * virtq_notify(), or before. */
void virtq_give(struct virtq *q, uint16_t i, const void *buffer, uint32_t len, bool device_writes);
void virtq_notify(const struct virtio_place *p, struct virtq *q);
/* Another length for descriptor i, which the device has been given and not been notified of. */
void virtq_resize(struct virtq *q, uint16_t i, uint32_t len);
/* Returns when the device is not in the middle of anything: QEMU runs its devices, and answers for their registers, under one lock. */
void virtio_settle(const struct virtio_place *p);
/* The next descriptor that the device is done with, and how many bytes it wrote, or -1. A device that names one that does not exist is
 * not followed. */
int virtq_take(struct virtq *q, uint32_t *len);
/* Whether it is done with one. */
bool virtq_ready(const struct virtq *q);

#endif
