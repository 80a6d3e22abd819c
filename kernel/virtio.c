/*
 * 1. A descriptor is written before the index that publishes it, and the index before the notification. Otherwise the device would read a
 *    stale one, or sleep on.
 * 2. What the device wrote is bounded before it is used. Otherwise a broken device would lead out of a buffer.
 */
#include "kernel/virtio.h"

enum {
	MMIO_MAGIC = 0x00,
	MMIO_VERSION = 0x04,
	MMIO_DEVICE_ID = 0x08,
	MMIO_FEATURES = 0x10,
	MMIO_FEATURES_SEL = 0x14,
	MMIO_DRIVER = 0x20,
	MMIO_DRIVER_SEL = 0x24,
	MMIO_QUEUE_SEL = 0x30,
	MMIO_QUEUE_MAX = 0x34,
	MMIO_QUEUE_NUM = 0x38,
	MMIO_QUEUE_READY = 0x44,
	MMIO_NOTIFY = 0x50,
	MMIO_IRQ_STATUS = 0x60,
	MMIO_IRQ_ACK = 0x64,
	MMIO_STATUS = 0x70,
	MMIO_DESC = 0x80,
	MMIO_AVAIL = 0x90,
	MMIO_USED = 0xa0,
	MAGIC = 0x74726976,

	PCI_FEATURES_SEL = 0x00,
	PCI_FEATURES = 0x04,
	PCI_DRIVER_SEL = 0x08,
	PCI_DRIVER = 0x0c,
	PCI_STATUS = 0x14,    /* 8 bits */
	PCI_QUEUE_SEL = 0x16, /* 16 bits, as the next ones */
	PCI_QUEUE_SIZE = 0x18,
	PCI_QUEUE_ENABLE = 0x1c,
	PCI_QUEUE_NOTIFY = 0x1e,
	PCI_DESC = 0x20,
	PCI_AVAIL = 0x28,
	PCI_USED = 0x30,

	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_FAILED = 128,

	VERSION_1 = 1, /* bit 32 of the features */
	DESC_WRITE = 2,
	RESET_POLLS = 1000000,
};

static uint32_t get32(const struct virtio_place *p, uint32_t reg)
{
	return *(volatile uint32_t *)(uintptr_t)(p->base + reg);
}

static void put32(const struct virtio_place *p, uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)(p->base + reg) = value;
}

static volatile uint16_t *reg16(const struct virtio_place *p, uint32_t reg)
{
	return (volatile uint16_t *)(uintptr_t)(p->base + reg);
}

static void put64(const struct virtio_place *p, uint32_t reg, const volatile void *value)
{
	put32(p, reg, (uint32_t)(uintptr_t)value);
	put32(p, reg + 4, (uint32_t)((uint64_t)(uintptr_t)value >> 32));
}

static uint32_t status_get(const struct virtio_place *p)
{
	if (p->kind == VIRTIO_MMIO)
		return get32(p, MMIO_STATUS);
	return *(volatile uint8_t *)(uintptr_t)(p->base + PCI_STATUS);
}

static void status_set(const struct virtio_place *p, uint32_t status)
{
	if (p->kind == VIRTIO_MMIO)
		put32(p, MMIO_STATUS, status);
	else
		*(volatile uint8_t *)(uintptr_t)(p->base + PCI_STATUS) = (uint8_t)status;
}

static uint32_t features_get(const struct virtio_place *p, uint32_t word)
{
	bool mmio = p->kind == VIRTIO_MMIO;
	put32(p, mmio ? MMIO_FEATURES_SEL : PCI_FEATURES_SEL, word);
	return get32(p, mmio ? MMIO_FEATURES : PCI_FEATURES);
}

static void features_set(const struct virtio_place *p, uint32_t word, uint32_t bits)
{
	bool mmio = p->kind == VIRTIO_MMIO;
	put32(p, mmio ? MMIO_DRIVER_SEL : PCI_DRIVER_SEL, word);
	put32(p, mmio ? MMIO_DRIVER : PCI_DRIVER, bits);
}

const char *virtio_begin(const struct virtio_place *p, uint32_t device_id, uint32_t wanted,
			 uint32_t *features)
{
	if (p->kind == VIRTIO_MMIO) {
		if (get32(p, MMIO_MAGIC) != MAGIC || get32(p, MMIO_DEVICE_ID) != device_id)
			return "not the virtio device that was expected";
		if (get32(p, MMIO_VERSION) != 2)
			return "a virtio device of the legacy kind; run QEMU with -global "
			       "virtio-mmio.force-legacy=false";
	}
	status_set(p, 0);
	for (int i = 0; i < RESET_POLLS && status_get(p) != 0; i++)
		arch_pause();
	status_set(p, STATUS_ACKNOWLEDGE);
	status_set(p, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	if ((features_get(p, 1) & VERSION_1) == 0) {
		status_set(p, STATUS_FAILED);
		return "a virtio device of the legacy kind: version 1 expected";
	}
	*features = features_get(p, 0) & wanted;
	features_set(p, 0, *features);
	features_set(p, 1, VERSION_1);
	status_set(p, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	if ((status_get(p) & STATUS_FEATURES_OK) == 0) {
		status_set(p, STATUS_FAILED);
		return "the virtio device refuses its own features";
	}
	return NULL;
}

static bool queue_mmio(const struct virtio_place *p, struct virtq *q)
{
	put32(p, MMIO_QUEUE_SEL, q->index);
	if (get32(p, MMIO_QUEUE_MAX) < VIRTQ_SIZE)
		return false;
	put32(p, MMIO_QUEUE_NUM, VIRTQ_SIZE);
	put64(p, MMIO_DESC, q->m->desc);
	put64(p, MMIO_AVAIL, &q->m->avail);
	put64(p, MMIO_USED, &q->m->used);
	put32(p, MMIO_QUEUE_READY, 1);
	return true;
}

static bool queue_pci(const struct virtio_place *p, struct virtq *q)
{
	*reg16(p, PCI_QUEUE_SEL) = q->index;
	if (*reg16(p, PCI_QUEUE_SIZE) < VIRTQ_SIZE)
		return false;
	*reg16(p, PCI_QUEUE_SIZE) = VIRTQ_SIZE;
	put64(p, PCI_DESC, q->m->desc);
	put64(p, PCI_AVAIL, &q->m->avail);
	put64(p, PCI_USED, &q->m->used);
	q->where = (volatile uint16_t *)(uintptr_t)(p->notify +
						    (uint64_t)p->notify_step * *reg16(p, PCI_QUEUE_NOTIFY));
	*reg16(p, PCI_QUEUE_ENABLE) = 1;
	return true;
}

bool virtio_queue(const struct virtio_place *p, struct virtq *q, uint16_t index, struct virtq_memory *m)
{
	*q = (struct virtq){.m = m, .index = index};
	return p->kind == VIRTIO_MMIO ? queue_mmio(p, q) : queue_pci(p, q);
}

void virtio_ready(const struct virtio_place *p)
{
	arch_device_fence();
	status_set(p, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

uint32_t virtio_config32(const struct virtio_place *p, unsigned offset)
{
	return *(volatile uint32_t *)(uintptr_t)(p->config + offset);
}

bool virtio_irq(const struct virtio_place *p)
{
	if (p->kind == VIRTIO_PCI) /* reading it makes it quiet */
		return *(volatile uint8_t *)(uintptr_t)p->isr != 0;
	uint32_t status = get32(p, MMIO_IRQ_STATUS);
	put32(p, MMIO_IRQ_ACK, status);
	return status != 0;
}

void virtq_give(struct virtq *q, uint16_t i, const void *buffer, uint32_t len, bool device_writes)
{
	struct virtq_avail *a = &q->m->avail;
	q->m->desc[i] = (struct virtq_desc){(uintptr_t)buffer, len, device_writes ? DESC_WRITE : 0, 0};
	a->ring[a->idx % VIRTQ_SIZE] = i;
	arch_device_fence();
	*(volatile uint16_t *)&a->idx = (uint16_t)(a->idx + 1);
}

void virtq_notify(const struct virtio_place *p, struct virtq *q)
{
	arch_device_fence();
	if (p->kind == VIRTIO_MMIO)
		put32(p, MMIO_NOTIFY, q->index);
	else
		*q->where = q->index;
}

void virtq_resize(struct virtq *q, uint16_t i, uint32_t len)
{
	*(volatile uint32_t *)&q->m->desc[i].len = len;
}

void virtio_settle(const struct virtio_place *p)
{
	arch_device_fence();
	(void)status_get(p);
	arch_device_fence();
}

bool virtq_ready(const struct virtq *q)
{
	bool ready = q->taken != *(volatile uint16_t *)&q->m->used.idx;
	arch_device_fence();
	return ready;
}

int virtq_take(struct virtq *q, uint32_t *len)
{
	while (virtq_ready(q)) {
		uint32_t id = q->m->used.ring[q->taken % VIRTQ_SIZE].id;
		*len = q->m->used.ring[q->taken % VIRTQ_SIZE].len;
		q->taken++;
		if (id < VIRTQ_SIZE)
			return (int)id;
	}
	return -1;
}
