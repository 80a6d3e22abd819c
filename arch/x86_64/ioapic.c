/* I/O APICs. Intel 82093AA data sheet, section 3: an index register, a window, and a redirection entry of two words for each pin. */
#include "arch/x86_64/ioapic.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/frame_offsets.h"
#include "kernel/hart.h"

enum {
	INDEX = 0x00,
	WINDOW = 0x10,
	REG_VERSION = 0x01, /* bits 16-23: the last pin */
	REG_ENTRY = 0x10,

	ENTRY_NMI = 4 << 8,
	ENTRY_LOW = 1 << 13,   /* active low */
	ENTRY_LEVEL = 1 << 15, /* destination: bits 24-31 of the upper word, a local APIC's id */

	LINES = VECTOR_SPURIOUS - VECTOR_DEVICE,
};

static uint32_t lines[LINES]; /* the line of each vector; immutable once n_lines counts it */
static _Atomic uint32_t n_lines;

static uint32_t ioapic_read(uint64_t base, uint32_t index)
{
	*(volatile uint32_t *)(base + INDEX) = index;
	return *(volatile uint32_t *)(base + WINDOW);
}

static void ioapic_write(uint64_t base, uint32_t index, uint32_t value)
{
	*(volatile uint32_t *)(base + INDEX) = index;
	*(volatile uint32_t *)(base + WINDOW) = value;
}

/* The I/O APIC that a line comes to, and its index of the line's entry; 0: none. */
static uint64_t ioapic_of(uint32_t line, uint32_t *entry)
{
	for (uint32_t i = 0; i < arch_platform.n_ioapics; i++) {
		uint64_t base = arch_platform.ioapic[i].base;
		uint32_t first = arch_platform.ioapic[i].first,
			 last = ioapic_read(base, REG_VERSION) >> 16 & 0xff;
		*entry = REG_ENTRY + 2 * (line - first);
		if (line >= first && line - first <= last)
			return base;
	}
	return 0;
}

static void entry_write(uint64_t base, uint32_t entry, uint64_t id, uint32_t how)
{
	ioapic_write(base, entry + 1, (uint32_t)id << 24);
	ioapic_write(base, entry, how);
}

bool arch_irq_open(struct arch_irq_line line)
{
	uint32_t n = atomic_load_explicit(&n_lines, memory_order_relaxed); /* one caller at a time */
	uint32_t entry;
	bool on = arch_irq_save(); /* an interrupt may call ioapic_nmi() */
	uint64_t base = n < LINES ? ioapic_of(line.number, &entry) : 0;
	if (base != 0) {
		lines[n] = line.number;
		/* pairs with the acquire in ioapic_irq() */
		atomic_store_explicit(&n_lines, n + 1, memory_order_release);
		entry_write(base, entry, harts[0]->hwid,
			    (VECTOR_DEVICE + n) | (line.level ? ENTRY_LEVEL : 0) |
				    (line.low ? ENTRY_LOW : 0));
	}
	arch_irq_restore(on);
	return base != 0;
}

bool ioapic_nmi(uint32_t line, uint64_t id)
{
	uint32_t entry;
	uint64_t base = ioapic_of(line, &entry);
	if (base != 0)
		entry_write(base, entry, id, ENTRY_NMI);
	return base != 0;
}

void ioapic_irq(uint64_t vector)
{
	uint32_t n = (uint32_t)vector - VECTOR_DEVICE;
	/* pairs with the release in arch_irq_open() */
	if (n < atomic_load_explicit(&n_lines, memory_order_acquire))
		upcall_device_irq(lines[n]);
}
