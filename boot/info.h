/*
 * What boot learns about the machine, whichever way it was told: device tree (boot/fdt_info), PVH start info
 * (boot/pvh) or ACPI (boot/acpi). Filled once on the boot hart, read by every room's initialisation
 * afterwards.
 *
 * Every function that can meet bad input returns NULL, or one line that names the thing and what was
 * expected.
 */
#ifndef BOOT_INFO_H
#define BOOT_INFO_H

#include "kernel/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BOOT_RAM_MAX = 32,       /* usable ranges kept */
	BOOT_CMDLINE_MAX = 4096, /* bytes, NUL included */
	BOOT_IOAPIC_MAX = 8,
	BOOT_OVERRIDE_MAX = 16, /* one per ISA interrupt */
	BOOT_VIRTIO_MAX = 32,
	BOOT_WARNING_MAX = 160,
};

/* A byte address at or beyond this is a lie: x86-64 has 52 physical bits, Sv39 and our boards fewer in
 * practice. */
#define BOOT_PHYS_END (UINT64_C(1) << 52)

/* plic_context of a hart whose supervisor interrupt the PLIC does not list. */
#define BOOT_NO_CONTEXT UINT32_MAX

/* Physical bytes start to end - 1. */
struct boot_range {
	uint64_t start;
	uint64_t end;
};

struct boot_hart {
	uint64_t id;           /* hart id or APIC id, as the firmware counts: sparse */
	uint32_t plic_context; /* of its supervisor external interrupt, or BOOT_NO_CONTEXT */
};

struct boot_uart {
	uint64_t base; /* a 16550: physical address, or port; 0: none */
	uint32_t irq;  /* PLIC source or ISA interrupt; 0: none */
	uint8_t reg_shift;
	bool is_port;
};

struct boot_virtio {
	uint64_t base; /* of the registers of virtio-mmio */
	uint32_t irq;  /* PLIC source or global system interrupt */
};

struct boot_ioapic {
	uint64_t base;
	uint32_t gsi_base;
};

struct boot_override {
	uint8_t irq;    /* ISA interrupt */
	uint32_t gsi;   /* where it arrives */
	uint16_t flags; /* MPS INTI: bits 0-1 polarity (3 low), 2-3 trigger (3 level), 0 as the bus */
};

struct boot_info {
	struct boot_range
		ram[BOOT_RAM_MAX]; /* usable: sorted, disjoint, page aligned, nothing reserved inside */
	uint32_t n_ram;
	uint64_t ram_total; /* bytes of RAM the firmware reports, reserved or not */

	struct boot_hart hart[HART_MAX]; /* in the firmware's order, all different */
	uint32_t n_harts;
	uint32_t harts_ignored; /* beyond HART_MAX */
	uint64_t boot_hart_id;

	char cmdline[BOOT_CMDLINE_MAX];
	uint64_t initrd_start;
	uint64_t initrd_size; /* bytes, exact; 0: none */
	struct boot_uart uart;
	struct boot_virtio virtio[BOOT_VIRTIO_MAX]; /* places where a device may be */
	uint32_t n_virtio;
	uint64_t entry_ticks; /* arch_ticks() at the kernel's first instructions; set by boot/<arch>/ */
	char warning[BOOT_WARNING_MAX]; /* the first thing worth a line on the console, or "" */

	/* device tree only */
	const void *fdt; /* where it lies; NULL: there is none */
	size_t fdt_size;
	uint64_t timebase_hz;
	bool isa_sstc; /* on every hart */
	bool isa_sscofpmf;
	uint64_t sifive_test_base; /* 0: none */
	uint64_t rtc_base;         /* goldfish; 0: none */
	uint64_t plic_base;        /* 0: none */

	/* PVH and ACPI only */
	uint64_t rsdp;
	uint64_t lapic_base;
	struct boot_ioapic ioapic[BOOT_IOAPIC_MAX];
	uint32_t n_ioapics;
	struct boot_override override[BOOT_OVERRIDE_MAX];
	uint32_t n_overrides;
	uint32_t pm1a_port;     /* PM1a control block; 0: none (hardware-reduced ACPI) */
	uint64_t sleep_control; /* sleep control register, one byte; 0: none */
	bool sleep_control_is_port;
};

/* Empties info; boot_hart is the id of the hart that runs. */
void boot_info_init(struct boot_info *info, uint64_t boot_hart);

/* Adds RAM in any order, overlapping or not; size 0 is nothing. Not after boot_info_seal. */
const char *boot_info_add_ram(struct boot_info *info, uint64_t start, uint64_t size);

/* Notes the initial ramdisk, which must lie in RAM. After the last boot_info_add_ram, before boot_info_seal.
 */
const char *boot_info_set_initrd(struct boot_info *info, uint64_t start, uint64_t size);

/* Totals the RAM, aligns it inwards, and takes page 0 and the initial ramdisk out. Reservations come after
 * it. */
const char *boot_info_seal(struct boot_info *info);

/* Takes bytes (rounded outwards to pages) out of the usable ranges; what is not RAM there is not touched. */
const char *boot_info_reserve(struct boot_info *info, uint64_t start, uint64_t size);

/* Reserves the kernel's image, bss included, which must lie clear of the initial ramdisk. */
const char *boot_info_reserve_image(struct boot_info *info, uint64_t start, uint64_t size);

/*
 * Adds a hart and sets *slot to it, or to NULL when the table is full: then it is counted as ignored with a
 * warning, unless it is the boot hart, which takes the last entry's place. NULL result of the function: the
 * id is a new one.
 */
const char *boot_info_add_hart(struct boot_info *info, uint64_t id, struct boot_hart **slot);

/* The hart with this id, or NULL. */
struct boot_hart *boot_info_find_hart(struct boot_info *info, uint64_t id);

/* Last checks, after everything is filled in: usable memory, at least one hart, and the boot hart among them.
 */
const char *boot_info_check(struct boot_info *info);

/* Keeps the first warning line. */
void boot_info_warn(struct boot_info *info, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
