/* PVH start info and ACPI tables: what q35 and microvm hand over, and what a damaged one may say. */
#include "boot/acpi.h"
#include "boot/pvh.h"
#include "tests/host/boot_sane.h"
#include "tests/host/check.h"
#include "tests/host/check_error.h"
#include "tests/host/pvh_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct boot_info info;
static struct pvh_image image;

TEST(pvh_q35_is_read_whole)
{
	pvh_q35(&image);
	CHECK_FINE(pvh_parse(&image, 0, &info));
	CHECK_EQ(info.n_ram, 3);
	CHECK_EQ(info.ram[0].start, 0x1000);
	CHECK_EQ(info.ram[0].end, 0x9f000);
	CHECK_EQ(info.ram[1].start, 0x100000);
	CHECK_EQ(info.ram[1].end, 0x3a079000);
	CHECK_EQ(info.ram[2].start, 0x3a079000 + 0x5f5f000);
	CHECK_EQ(info.ram[2].end, 0x3ffe0000);
	CHECK_EQ(info.ram_total, 0x9fc00 + 0x3fee0000);
	CHECK_EQ(info.initrd_start, 0x3a079000);
	CHECK_EQ(info.initrd_size, 0x5f5e101);
	CHECK_STR(info.cmdline, "trace=1 -- word");
	CHECK_EQ(info.rsdp, PVH_RSDP);
	CHECK_EQ(info.n_harts, 4);
	CHECK_EQ(info.hart[3].id, 3);
	CHECK_EQ(info.lapic_base, 0xfee00000);
	CHECK_EQ(info.n_ioapics, 1);
	CHECK_EQ(info.ioapic[0].base, 0xfec00000);
	CHECK_EQ(info.n_overrides, 2);
	uint16_t flags;
	CHECK_EQ(boot_info_gsi(&info, 0, &flags), 2);
	CHECK_EQ(flags, 0);
	CHECK_EQ(boot_info_gsi(&info, 9, &flags), 9);
	CHECK_EQ(flags, 13);
	CHECK_EQ(boot_info_gsi(&info, 4, &flags), 4);
	CHECK_EQ(flags, 0);
	CHECK_EQ(info.pm1a_port, 0x604);
	CHECK_EQ(info.sleep_control, 0);
	CHECK_EQ(info.uart.base, 0x3f8);
	CHECK(info.uart.is_port);
	CHECK_STR(info.warning, "");
}

TEST(pvh_microvm_is_read_whole)
{
	pvh_microvm(&image);
	CHECK_FINE(pvh_parse(&image, 2, &info));
	CHECK_EQ(info.boot_hart_id, 2);
	CHECK_EQ(info.n_harts, 4);
	CHECK_EQ(info.n_ioapics, 2);
	CHECK_EQ(info.ioapic[1].base, 0xfec10000);
	CHECK_EQ(info.ioapic[1].gsi_base, 24);
	CHECK_EQ(info.n_overrides, 0);
	CHECK_EQ(info.pm1a_port, 0);
	CHECK_EQ(info.sleep_control, 0xfea00200);
	CHECK(!info.sleep_control_is_port);
}

TEST(pvh_start_info_must_be_one)
{
	pvh_q35(&image);
	CHECK_HAS(pvh_boot_info(&image.view, PVH_IMAGE - 39, 0, &info), "not in readable memory");
	CHECK_HAS(pvh_boot_info(&image.view, UINT64_MAX - 8, 0, &info), "not in readable memory");
	CHECK_HAS(pvh_boot_info(&image.view, PVH_INFO + 4, 0, &info), "0x336ec578 expected");
	pvh_put(&image, PVH_INFO + 4, 0, 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "version 0 brings no memory map");
	pvh_put(&image, PVH_INFO + 4, 2, 4);
	CHECK_FINE(pvh_parse(&image, 0, &info));
	pvh_put(&image, PVH_INFO + 48, 0, 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "memory map: 0 entries");
	pvh_put(&image, PVH_INFO + 48, 0xffffffff, 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "memory map: 4294967295 entries, 1 to 1024");
	pvh_q35(&image);
	pvh_put(&image, PVH_INFO + 12, 33, 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "module list: 33 entries");
}

TEST(pvh_addresses_out_of_range_are_refused)
{
	static const struct {
		size_t at;
		const char *error;
	} cases[] = {
		{PVH_INFO + 16, "module list at"},
		{PVH_INFO + 24, "command line at"},
		{PVH_INFO + 32, "ACPI RSDP at"},
		{PVH_INFO + 40, "memory map at"},
	};
	static const uint64_t wrong[] = {PVH_IMAGE - 2, PVH_IMAGE, UINT64_C(1) << 40, UINT64_MAX - 1,
					 UINT64_MAX};
	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
			pvh_q35(&image);
			image.bytes[PVH_IMAGE - 2] = image.bytes[PVH_IMAGE - 1] = 'x';
			pvh_put(&image, cases[i].at, wrong[k], 8);
			CHECK_HAS(pvh_parse(&image, 0, &info), cases[i].error);
		}
	}
}

TEST(pvh_reserved_wins_over_ram_and_modules_lie_in_ram)
{
	pvh_q35(&image);
	pvh_put(&image, PVH_MAP + 24 * 6, 0x200800,
		8); /* the empty entry becomes a reserved one inside RAM */
	pvh_put(&image, PVH_MAP + 24 * 6 + 8, 0x1000, 8);
	CHECK_FINE(pvh_parse(&image, 0, &info));
	CHECK_EQ(info.ram[1].end, 0x200000);
	CHECK_EQ(info.ram[2].start, 0x202000);
	pvh_put(&image, PVH_MAP + 24 * 6 + 16, 1, 4); /* RAM within RAM changes nothing */
	CHECK_FINE(pvh_parse(&image, 0, &info));
	CHECK_EQ(info.ram_total, 0x9fc00 + 0x3fee0000);
	pvh_put(&image, PVH_MODULES, 0x3f000000, 8);
	CHECK_HAS(pvh_parse(&image, 0, &info),
		  "initrd at 0x3f000000: 100000001 bytes expected inside memory");
	pvh_put(&image, PVH_MODULES + 8, 0, 8);
	CHECK_FINE(pvh_parse(&image, 0, &info));
	CHECK_EQ(info.initrd_size, 0);

	pvh_q35(&image);
	pvh_put(&image, PVH_INFO + 12, 2, 4);
	pvh_put(&image, PVH_MODULES + 32, 0x400000, 8);
	pvh_put(&image, PVH_MODULES + 40, 1, 8);
	CHECK_FINE(pvh_parse(&image, 0, &info));
	CHECK_STR(info.warning, "PVH start info: 2 modules, the first is used");
	CHECK_EQ(info.ram[1].end, 0x400000);

	pvh_q35(&image);
	for (size_t i = 0; i < 7; i++)
		pvh_put(&image, PVH_MAP + 24 * i + 16, 2, 4);
	pvh_put(&image, PVH_INFO + 12, 0, 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "memory: the firmware reports none");
}

TEST(acpi_harts_are_the_enabled_ones)
{
	pvh_microvm(&image);
	pvh_madt_add(&image, (const uint8_t[8]){0, 8, 4, 0x10, 2}, 8); /* online capable: not ours */
	pvh_madt_add(&image, (const uint8_t[16]){9, 16, 0, 0, 0x2c, 1, 0, 0, 1}, 16); /* x2APIC 300 */
	pvh_madt_add(&image, (const uint8_t[16]){9, 16, 0, 0, 3, 0, 0, 0, 1},
		     16); /* 3 again in the other form */
	pvh_madt_add(&image, (const uint8_t[6]){4, 6, 0xff, 0, 0, 1}, 6);
	pvh_madt_add(&image, (const uint8_t[12]){5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1}, 12);
	CHECK_FINE(pvh_parse(&image, 300, &info));
	CHECK_EQ(info.n_harts, 5);
	CHECK_EQ(info.hart[4].id, 300);
	CHECK_EQ(info.lapic_base, 0x1fee00000);
	CHECK_HAS(pvh_parse(&image, 16, &info), "boot hart 16: expected among the 5 enabled harts");
	pvh_microvm(&image);
	for (size_t id = 0; id < 4; id++)
		image.bytes[PVH_MADT + 44 + 8 * id + 4] = 0;
	pvh_sum(&image, PVH_MADT);
	CHECK_HAS(pvh_parse(&image, 0, &info), "harts: the firmware lists none");
}

TEST(acpi_errors_are_named)
{
	pvh_q35(&image);
	pvh_put(&image, PVH_INFO + 32, 0, 8);
	CHECK_HAS(pvh_parse(&image, 0, &info), "no ACPI: microvm needs acpi=on");
	pvh_q35(&image);
	image.bytes[PVH_RSDP + 9] ^= 1;
	CHECK_HAS(pvh_parse(&image, 0, &info), "'RSD PTR ' and a sum of 0 expected");
	pvh_microvm(&image);
	image.bytes[PVH_RSDP + 33] ^= 1;
	CHECK_HAS(pvh_parse(&image, 0, &info), "revision 2, 36 bytes with a sum of 0");
	pvh_q35(&image);
	image.bytes[PVH_MADT + 50] ^= 1;
	CHECK_HAS(pvh_parse(&image, 0, &info), "ACPI MADT at 0x380: its");
	pvh_q35(&image);
	pvh_put(&image, PVH_MADT + 4, 0x7fffffff, 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "ACPI MADT at 0x380: says it has 2147483647 bytes");
	pvh_put(&image, PVH_MADT + 4, 35, 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "ACPI MADT at 0x380: says it has 35 bytes");
	pvh_put(&image, PVH_MADT + 4, 0x10000, 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "lead out of readable memory");
	pvh_q35(&image);
	image.bytes[PVH_MADT + 45] = 0; /* an entry of no bytes */
	pvh_sum(&image, PVH_MADT);
	CHECK_HAS(pvh_parse(&image, 0, &info), "ACPI MADT: entry at offset 44 does not fit");
	image.bytes[PVH_MADT + 45] = 7;
	pvh_sum(&image, PVH_MADT);
	CHECK_HAS(pvh_parse(&image, 0, &info), "entry of type 0 has 7 bytes, 8 expected");
	pvh_q35(&image);
	memcpy(image.bytes + PVH_MADT, "HPET", 4);
	CHECK_HAS(pvh_parse(&image, 0, &info), "ACPI: no MADT among 2 tables");
	pvh_q35(&image);
	memcpy(image.bytes + PVH_ROOT, "XSDT", 4);
	pvh_sum(&image, PVH_ROOT);
	CHECK_HAS(pvh_parse(&image, 0, &info), "ACPI RSDT at 0x300: its signature expected");
	pvh_q35(&image);
	pvh_put(&image, PVH_ROOT + 36, 0xfffffff0, 4);
	pvh_sum(&image, PVH_ROOT);
	CHECK_HAS(pvh_parse(&image, 0, &info), "ACPI table 0 at 0xfffffff0: not in readable memory");
	pvh_q35(&image);
	pvh_put(&image, PVH_FADT + 4, 115, 4);
	pvh_sum(&image, PVH_FADT);
	CHECK_HAS(pvh_parse(&image, 0, &info), "ACPI FADT: 115 bytes");
}

TEST(pvh_every_truncation_is_refused_or_sane)
{
	for (int k = 0; k < 2; k++) {
		for (size_t n = 0; n < PVH_IMAGE; n++) {
			(k == 0 ? pvh_q35 : pvh_microvm)(&image);
			image.size = n;
			const char *error = pvh_parse(&image, 0, &info);
			size_t needed = PVH_FADT + (k == 0 ? 116 : 268);
			if ((error == NULL) != (n >= needed))
				check_fail(__FILE__, __LINE__, "cut at %zu: %s", n,
					   error ? error : "accepted");
		}
	}
}

TEST(pvh_every_flipped_byte_gives_an_error_or_sense)
{
	for (size_t at = 0; at < PVH_IMAGE; at++) {
		for (unsigned k = 0; k < 18; k++) {
			(k % 2 == 0 ? pvh_q35 : pvh_microvm)(&image);
			image.bytes[at] ^= (uint8_t)(k < 16 ? 1u << k / 2 : 0xff);
			pvh_sum(&image, PVH_MADT); /* or the sums would catch everything */
			pvh_sum(&image, PVH_FADT);
			pvh_sum(&image, PVH_ROOT);
			if (pvh_parse(&image, 0, &info) == NULL && boot_insane(&info) != NULL)
				check_fail(__FILE__, __LINE__, "byte %zu, flip %u: %s", at, k,
					   boot_insane(&info));
		}
	}
}
