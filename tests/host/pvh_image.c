#include "tests/host/pvh_image.h"

#include "boot/acpi.h"
#include "boot/pvh.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t *image_at(void *ctx, uint64_t addr, size_t size)
{
	struct pvh_image *m = ctx;
	if (addr > UINT64_MAX - size)
		abort(); /* a view is never asked for what wraps */
	if (addr >= m->size || size > m->size - addr)
		return NULL;
	if (size == 1 || m->n_copies == sizeof m->copies / sizeof m->copies[0])
		return m->bytes + addr;
	uint8_t *copy = malloc(size);
	memcpy(copy, m->bytes + addr, size);
	m->copies[m->n_copies++] = copy;
	return copy;
}

void pvh_put(struct pvh_image *m, size_t at, uint64_t v, size_t size)
{
	if (at + size > PVH_IMAGE)
		abort();
	for (size_t i = 0; i < size; i++)
		m->bytes[at + i] = (uint8_t)(v >> (8 * i));
}

void pvh_sum(struct pvh_image *m, size_t at)
{
	size_t size = phys_u32(m->bytes + at + 4);
	uint8_t sum = 0;
	if (size > PVH_IMAGE - at)
		return;
	m->bytes[at + 9] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + m->bytes[at + i]);
	m->bytes[at + 9] = (uint8_t)-sum;
}

static void table(struct pvh_image *m, size_t at, const char *signature, uint32_t size)
{
	memcpy(m->bytes + at, signature, 4);
	pvh_put(m, at + 4, size, 4);
}

void pvh_madt_add(struct pvh_image *m, const uint8_t *entry, size_t size)
{
	uint32_t at = phys_u32(m->bytes + PVH_MADT + 4);
	if (PVH_MADT + at + size > PVH_FADT)
		abort();
	memcpy(m->bytes + PVH_MADT + at, entry, size);
	pvh_put(m, PVH_MADT + 4, at + size, 4);
	pvh_sum(m, PVH_MADT);
}

static void map_entry(struct pvh_image *m, size_t i, uint64_t start, uint64_t size, uint32_t type)
{
	pvh_put(m, PVH_MAP + 24 * i, start, 8);
	pvh_put(m, PVH_MAP + 24 * i + 8, size, 8);
	pvh_put(m, PVH_MAP + 24 * i + 16, type, 4);
	pvh_put(m, PVH_INFO + 48, i + 1, 4);
}

static void common(struct pvh_image *m)
{
	memset(m, 0, sizeof *m);
	m->size = PVH_IMAGE;
	m->view = (struct phys_view){image_at, m};
	pvh_put(m, PVH_INFO, 0x336ec578, 4);
	pvh_put(m, PVH_INFO + 4, 1, 4);
	pvh_put(m, PVH_INFO + 12, 1, 4);
	pvh_put(m, PVH_INFO + 16, PVH_MODULES, 8);
	pvh_put(m, PVH_INFO + 24, PVH_CMDLINE, 8);
	pvh_put(m, PVH_INFO + 32, PVH_RSDP, 8);
	pvh_put(m, PVH_INFO + 40, PVH_MAP, 8);
	pvh_put(m, PVH_MODULES, 0x3a079000, 8);
	pvh_put(m, PVH_MODULES + 8, 0x5f5e101, 8);
	strcpy((char *)m->bytes + PVH_CMDLINE, "trace=1 -- word");

	map_entry(m, 0, 0, 0x9fc00, 1);
	map_entry(m, 1, 0x9fc00, 0x400, 2);
	map_entry(m, 2, 0xf0000, 0x10000, 2);
	map_entry(m, 3, 0x100000, 0x3fee0000, 1);
	map_entry(m, 4, 0x3ffe0000, 0x20000, 2);
	map_entry(m, 5, UINT64_C(0xfd00000000), UINT64_C(0x300000000), 2);
	map_entry(m, 6, 0, 0, 0);

	table(m, PVH_MADT, "APIC", 44);
	pvh_put(m, PVH_MADT + 36, 0xfee00000, 4);
	for (uint8_t id = 0; id < 4; id++)
		pvh_madt_add(m, (const uint8_t[8]){0, 8, id, id, 1}, 8);
	pvh_madt_add(m, (const uint8_t[12]){1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe}, 12);
}

void pvh_q35(struct pvh_image *m)
{
	common(m);
	memcpy(m->bytes + PVH_RSDP, "RSD PTR ", 8);
	pvh_put(m, PVH_RSDP + 16, PVH_ROOT, 4);
	for (size_t i = 0; i < 20; i++)
		m->bytes[PVH_RSDP + 8] =
			(uint8_t)(m->bytes[PVH_RSDP + 8] - (i == 8 ? 0 : m->bytes[PVH_RSDP + i]));
	table(m, PVH_ROOT, "RSDT", 36 + 8);
	pvh_put(m, PVH_ROOT + 36, PVH_FADT, 4);
	pvh_put(m, PVH_ROOT + 40, PVH_MADT, 4);
	pvh_sum(m, PVH_ROOT);
	pvh_madt_add(m, (const uint8_t[10]){2, 10, 0, 0, 2, 0, 0, 0, 0, 0}, 10);
	pvh_madt_add(m, (const uint8_t[10]){2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0}, 10);
	table(m, PVH_FADT, "FACP", 116);
	pvh_put(m, PVH_FADT + 64, 0x604, 4);
	pvh_sum(m, PVH_FADT);
}

void pvh_microvm(struct pvh_image *m)
{
	common(m);
	memcpy(m->bytes + PVH_RSDP, "RSD PTR ", 8);
	m->bytes[PVH_RSDP + 15] = 2;
	pvh_put(m, PVH_RSDP + 20, 36, 4);
	pvh_put(m, PVH_RSDP + 24, PVH_ROOT, 8);
	uint8_t sum = 0;
	for (size_t i = 0; i < 20; i++)
		sum = (uint8_t)(sum + m->bytes[PVH_RSDP + i]);
	m->bytes[PVH_RSDP + 8] = (uint8_t)-sum;
	sum = 0;
	for (size_t i = 0; i < 36; i++)
		sum = (uint8_t)(sum + m->bytes[PVH_RSDP + i]);
	m->bytes[PVH_RSDP + 32] = (uint8_t)-sum;
	table(m, PVH_ROOT, "XSDT", 36 + 16);
	pvh_put(m, PVH_ROOT + 36, PVH_FADT, 8);
	pvh_put(m, PVH_ROOT + 44, PVH_MADT, 8);
	pvh_sum(m, PVH_ROOT);
	pvh_madt_add(m, (const uint8_t[12]){1, 12, 1, 0, 0x00, 0x00, 0xc1, 0xfe, 24}, 12);
	table(m, PVH_FADT, "FACP", 268);
	pvh_put(m, PVH_FADT + 112, 1 << 20, 4);
	pvh_put(m, PVH_FADT + 245, 8, 1);
	pvh_put(m, PVH_FADT + 248, 0xfea00200, 8);
	pvh_sum(m, PVH_FADT);
}

const char *pvh_parse(struct pvh_image *m, uint64_t boot_hart, struct boot_info *info)
{
	const char *error = pvh_boot_info(&m->view, PVH_INFO, boot_hart, info);
	if (error == NULL)
		error = acpi_boot_info(&m->view, info);
	while (m->n_copies > 0)
		free(m->copies[--m->n_copies]);
	return error;
}
