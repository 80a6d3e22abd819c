/*
 * ACPI's static tables. Layouts from the ACPI Specification 6.5, sections 5.2.5 (RSDP), 5.2.6 (header), 5.2.7
 * (RSDT), 5.2.8 (XSDT), 5.2.9 (FADT), 5.2.12 (MADT); little-endian, packed.
 *
 *   RSDP -> RSDT (revision 0: 32-bit addresses) or XSDT (revision 2: 64-bit addresses) -> tables, each with a
 * header of 36 bytes: signature, length u32 at 4, checksum over length bytes.
 *
 * 1. A table is read only after its length is bounded, all of it is readable and its bytes sum to 0,
 * otherwise a damaged length would lead anywhere.
 * 2. Each MADT entry is at least 2 bytes and ends inside the table, otherwise the walk would stand still or
 * run out.
 */
#include "boot/acpi.h"

#include "boot/line.h"

#include <string.h>

enum {
	RSDP_SIZE = 20,
	RSDP_SIZE_2 = 36,
	HEADER_SIZE = 36,
	TABLE_MAX = 1 << 20, /* bytes; QEMU's largest, the DSDT, is not read and has some 10 KiB */
	MADT_ENTRIES = 44,
	FADT_SIZE_1 = 116, /* the ACPI 1.0 part */
	FADT_PM1A = 64,
	FADT_X_PM1A = 172, /* generic address: space u8, width u8, offset u8, access u8, address u64 */
	FADT_SLEEP = 244,
	GAS_SIZE = 12,
	GAS_MEMORY = 0,
	GAS_PORT = 1,
};

enum madt_kind {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_ADDRESS = 5,
	MADT_X2APIC = 9,
};

static bool sums_to_zero(const uint8_t *p, size_t size)
{
	uint8_t sum = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + p[i]);
	return sum == 0;
}

/* The whole table at addr, checked. NULL, or an error line; what names it there. */
static const char *table_read(const struct phys_view *view, uint64_t addr, const char *what,
			      const uint8_t **table)
{
	const uint8_t *p = phys_at(view, addr, HEADER_SIZE);
	if (p == NULL)
		return boot_error("ACPI %s at %#lx: not in readable memory", what, addr);
	uint32_t size = phys_u32(p + 4);
	if (size < HEADER_SIZE || size > TABLE_MAX)
		return boot_error("ACPI %s at %#lx: says it has %u bytes, %u to %u expected", what, addr,
				  size, (unsigned)HEADER_SIZE, (unsigned)TABLE_MAX);
	p = phys_at(view, addr, size);
	if (p == NULL)
		return boot_error("ACPI %s at %#lx: %u bytes lead out of readable memory", what, addr, size);
	if (!sums_to_zero(p, size))
		return boot_error("ACPI %s at %#lx: its %u bytes do not sum to 0", what, addr, size);
	*table = p;
	return NULL;
}

/* The root table: *wide says whether its addresses have 64 bits. */
static const char *root_read(const struct phys_view *view, uint64_t rsdp, const uint8_t **root, bool *wide)
{
	if (rsdp == 0)
		return boot_error("no ACPI: microvm needs acpi=on");
	const uint8_t *p = phys_at(view, rsdp, RSDP_SIZE);
	if (p == NULL)
		return boot_error("ACPI RSDP at %#lx: not in readable memory", rsdp);
	if (memcmp(p, "RSD PTR ", 8) != 0 || !sums_to_zero(p, RSDP_SIZE))
		return boot_error("ACPI RSDP at %#lx: 'RSD PTR ' and a sum of 0 expected", rsdp);
	uint64_t addr = phys_u32(p + 16);
	*wide = false;
	if (p[15] >= 2) {
		p = phys_at(view, rsdp, RSDP_SIZE_2);
		if (p == NULL || phys_u32(p + 20) != RSDP_SIZE_2 || !sums_to_zero(p, RSDP_SIZE_2))
			return boot_error("ACPI RSDP at %#lx: revision 2, %u bytes with a sum of 0 expected",
					  rsdp, (unsigned)RSDP_SIZE_2);
		uint64_t xsdt = phys_u64(p + 24);
		*wide = xsdt != 0;
		addr = *wide ? xsdt : addr;
	}
	const char *name = *wide ? "XSDT" : "RSDT";
	const char *error = table_read(view, addr, name, root);
	if (error == NULL && memcmp(*root, name, 4) != 0)
		error = boot_error("ACPI %s at %#lx: its signature expected", name, addr);
	return error;
}

static const char *madt_hart(struct boot_info *info, uint64_t id, uint32_t flags)
{
	struct boot_hart *slot;
	/* bit 0: enabled. A processor listed in both forms (types 0 and 9) is one */
	if ((flags & 1) == 0 || boot_info_find_hart(info, id) != NULL)
		return NULL;
	return boot_info_add_hart(info, id, &slot);
}

static const char *madt_entry(struct boot_info *info, const uint8_t *p)
{
	static const uint8_t size[] = {[MADT_LAPIC] = 8,
				       [MADT_IOAPIC] = 12,
				       [MADT_OVERRIDE] = 10,
				       [MADT_LAPIC_ADDRESS] = 12,
				       [MADT_X2APIC] = 16};
	uint8_t kind = p[0];
	if (kind < sizeof size && p[1] < size[kind])
		return boot_error("ACPI MADT: entry of type %u has %u bytes, %u expected", kind, p[1],
				  size[kind]);
	switch (kind) {
	case MADT_LAPIC:
		return madt_hart(info, p[3], phys_u32(p + 4));
	case MADT_X2APIC:
		return madt_hart(info, phys_u32(p + 4), phys_u32(p + 8));
	case MADT_LAPIC_ADDRESS:
		info->lapic_base = phys_u64(p + 4);
		return NULL;
	case MADT_IOAPIC:
		if (info->n_ioapics == BOOT_IOAPIC_MAX)
			boot_info_warn(info, "ACPI MADT: more than %u IOAPICs, the others are ignored",
				       (unsigned)BOOT_IOAPIC_MAX);
		else
			info->ioapic[info->n_ioapics++] =
				(struct boot_ioapic){phys_u32(p + 4), phys_u32(p + 8)};
		return NULL;
	case MADT_OVERRIDE:
		if (info->n_overrides == BOOT_OVERRIDE_MAX)
			boot_info_warn(info, "ACPI MADT: more than %u overrides, the others are ignored",
				       (unsigned)BOOT_OVERRIDE_MAX);
		else
			info->override[info->n_overrides++] =
				(struct boot_override){p[3], phys_u32(p + 4), phys_u16(p + 8)};
		return NULL;
	default:
		return NULL;
	}
}

static const char *madt_read(struct boot_info *info, const uint8_t *madt)
{
	uint32_t size = phys_u32(madt + 4);
	if (size < MADT_ENTRIES)
		return boot_error("ACPI MADT: %u bytes, at least %u expected", size, (unsigned)MADT_ENTRIES);
	info->lapic_base = phys_u32(madt + 36);
	const char *error = NULL;
	for (uint32_t at = MADT_ENTRIES; at < size && error == NULL; at += madt[at + 1]) {
		if (size - at < 2 || madt[at + 1] < 2 || madt[at + 1] > size - at)
			return boot_error("ACPI MADT: entry at offset %u does not fit %u bytes", at, size);
		error = madt_entry(info, madt + at);
	}
	return error;
}

/* The generic address at offset at of the FADT; false when the table is too short, or it is empty or in no
 * space we use. */
static bool fadt_address(const uint8_t *fadt, uint32_t at, uint64_t *address, bool *is_port)
{
	if (phys_u32(fadt + 4) < at + GAS_SIZE)
		return false;
	const uint8_t *p = fadt + at;
	*address = phys_u64(p + 4);
	*is_port = p[0] == GAS_PORT;
	return *address != 0 && (p[0] == GAS_PORT || p[0] == GAS_MEMORY);
}

static const char *fadt_read(struct boot_info *info, const uint8_t *fadt)
{
	uint32_t size = phys_u32(fadt + 4);
	if (size < FADT_SIZE_1)
		return boot_error("ACPI FADT: %u bytes, at least %u expected", size, (unsigned)FADT_SIZE_1);
	uint64_t address;
	bool is_port;
	info->pm1a_port = phys_u32(fadt + FADT_PM1A);
	if (fadt_address(fadt, FADT_X_PM1A, &address, &is_port) && is_port && address <= UINT16_MAX)
		info->pm1a_port = (uint32_t)address;
	if (info->pm1a_port > UINT16_MAX)
		return boot_error("ACPI FADT: PM1a control block %#lx, a port expected",
				  (uint64_t)info->pm1a_port);
	if (fadt_address(fadt, FADT_SLEEP, &address, &is_port)) {
		if (address > (is_port ? (uint64_t)UINT16_MAX : BOOT_PHYS_END - 1))
			return boot_error("ACPI FADT: sleep control register at %#lx, an address expected",
					  address);
		info->sleep_control = address;
		info->sleep_control_is_port = is_port;
	}
	return NULL;
}

const char *acpi_boot_info(const struct phys_view *view, struct boot_info *info)
{
	const uint8_t *root;
	bool wide;
	const char *error = root_read(view, info->rsdp, &root, &wide);
	if (error != NULL)
		return error;

	bool madt = false, fadt = false;
	uint32_t step = wide ? 8 : 4, n = (phys_u32(root + 4) - HEADER_SIZE) / step;
	for (uint32_t i = 0; i < n && error == NULL; i++) {
		const uint8_t *p = root + HEADER_SIZE + i * step, *table;
		uint64_t addr = wide ? phys_u64(p) : phys_u32(p);
		const uint8_t *header = phys_at(view, addr, HEADER_SIZE);
		if (header == NULL)
			return boot_error("ACPI table %u at %#lx: not in readable memory", i, addr);
		if (memcmp(header, "APIC", 4) == 0 && !madt) {
			madt = true;
			error = table_read(view, addr, "MADT", &table);
			if (error == NULL)
				error = madt_read(info, table);
		} else if (memcmp(header, "FACP", 4) == 0 && !fadt) {
			fadt = true;
			error = table_read(view, addr, "FADT", &table);
			if (error == NULL)
				error = fadt_read(info, table);
		}
	}
	if (error == NULL && !madt)
		error = boot_error("ACPI: no MADT among %u tables, it lists the harts", n);
	if (error == NULL && info->lapic_base == 0)
		error = boot_error("ACPI MADT: local APIC address is 0");
	return error != NULL ? error : boot_info_check(info);
}

uint32_t boot_info_gsi(const struct boot_info *info, uint8_t irq, uint16_t *flags)
{
	for (uint32_t i = 0; i < info->n_overrides; i++) {
		if (info->override[i].irq == irq) {
			*flags = info->override[i].flags;
			return info->override[i].gsi;
		}
	}
	*flags = 0;
	return irq;
}
