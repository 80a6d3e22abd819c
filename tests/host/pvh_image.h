/*
 * A small physical memory with PVH start info and ACPI tables in it, for tests. What a reader asks for is
 * handed out as a copy of exactly that size, so that the sanitizer sees a read beyond it.
 */
#ifndef TESTS_HOST_PVH_IMAGE_H
#define TESTS_HOST_PVH_IMAGE_H

#include "boot/info.h"
#include "boot/phys_view.h"

enum {
	PVH_INFO = 0x100,
	PVH_MODULES = 0x140,
	PVH_MAP = 0x180,
	PVH_CMDLINE = 0x280,
	PVH_RSDP = 0x2c0,
	PVH_ROOT = 0x300,
	PVH_MADT = 0x380,
	PVH_FADT = 0x440,
	PVH_IMAGE = 0x560, /* bytes in all */
};

struct pvh_image {
	uint8_t bytes[PVH_IMAGE];
	size_t size; /* readable bytes, PVH_IMAGE or less */
	struct phys_view view;
	void *copies[64];
	size_t n_copies;
};

/*
 * Fills the image like q35 (RSDT, ISA overrides, PM1a port) or like microvm (XSDT, two IOAPICs,
 * hardware-reduced FADT with a sleep register), each with four harts, 1 GiB and an initial ramdisk.
 */
void pvh_q35(struct pvh_image *m);
void pvh_microvm(struct pvh_image *m);

/* Little-endian write of size bytes. */
void pvh_put(struct pvh_image *m, size_t at, uint64_t v, size_t size);

/* Makes the bytes of the table at at sum to 0 (MADT, FADT, RSDT, XSDT); the length field is believed if it
 * fits. */
void pvh_sum(struct pvh_image *m, size_t at);

/* Adds an entry to the MADT. */
void pvh_madt_add(struct pvh_image *m, const uint8_t *entry, size_t size);

/* Reads start info, then ACPI, as boot does. The error, or NULL. */
const char *pvh_parse(struct pvh_image *m, uint64_t boot_hart, struct boot_info *info);

#endif
