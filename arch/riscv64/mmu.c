/*
 * Page tables: Sv39, one root for every hart.
 *
 *	0            - 0x100000     absent: null
 *	0x100000     - 0x80000000   devices, read-write
 *	0x80000000   - WIRED_BASE   RAM at its physical address, read-write; the image by its sections
 *	WIRED_BASE   + WIRED_SIZE   wired stacks, 4 KiB pages between guards
 *	STACK_BASE   + STACK_SIZE   goroutine stacks, filled page by page on first touch
 *
 * 1. A table is never freed and an entry that points to one never changes. Otherwise arch_mmu_lookup() and
 *    arch_mmu_fill(), which take no lock, could follow a stale pointer.
 * 2. A table is zeroed before the entry that points to it is stored (release). Otherwise another hart would
 *walk garbage.
 * 3. Accessed and dirty are set from the start. Otherwise the hardware, or a fault on a board that leaves
 *them to us, would write entries behind arch_mmu_fill()'s compare-and-swap.
 * 4. No fence follows an entry that goes from absent to present. An implementation may remember the absence
 *and fault once more: the fault finds the page present and retries, and the trap in between is enough in
 *practice. QEMU never remembers an absence, and drops its whole translation cache at any sfence.vma, so that
 *a fence for each first touch would cost every hart's working set.
 */
#include "arch/riscv64/mmu.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "kernel/assert.h"
#include "kernel/limits.h"

enum {
	LEVELS = 3,
	ENTRIES = 512,

	PTE_V = 1 << 0,
	PTE_R = 1 << 1,
	PTE_W = 1 << 2,
	PTE_X = 1 << 3,
	PTE_A = 1 << 6,
	PTE_D = 1 << 7,
};

#define DEVICES_START UINT64_C(0x100000)
#define PTE_PPN       ((UINT64_C(1) << 44) - 1)

extern const char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[],
	__data_end[], __hbsym_start[], __image_end[];

static _Atomic uint64_t root[ENTRIES] __attribute__((aligned(PAGE_SIZE)));
uint64_t mmu_satp;

static size_t level_size(int level)
{
	return (size_t)PAGE_SIZE << (9 * level);
}

static bool is_leaf(uint64_t pte)
{
	return (pte & (PTE_R | PTE_W | PTE_X)) != 0;
}

static uint64_t pte_address(uint64_t pte)
{
	return (pte >> 10 & PTE_PPN) << 12;
}

static uint64_t leaf_entry(uint64_t pa, unsigned prot)
{
	uint64_t pte = pa >> 12 << 10 | PTE_V | PTE_R | PTE_A | PTE_D;
	if ((prot & ARCH_PROT_WRITE) != 0)
		pte |= PTE_W;
	if ((prot & ARCH_PROT_EXEC) != 0)
		pte |= PTE_X;
	return pte;
}

/* Sv39 addresses repeat bit 38 upwards. */
static bool is_canonical(uintptr_t va)
{
	return (uintptr_t)((intptr_t)(va << 25) >> 25) == va;
}

static _Atomic uint64_t *entry_at(_Atomic uint64_t *table, uintptr_t va, int level)
{
	return &table[va >> (12 + 9 * level) & (ENTRIES - 1)];
}

/* The entry for va at *level, or the leaf above it (then *level says where), or NULL when a table is missing.
 */
static _Atomic uint64_t *entry_find(uintptr_t va, int *level)
{
	_Atomic uint64_t *table = root;
	for (int l = LEVELS - 1;; l--) {
		_Atomic uint64_t *entry = entry_at(table, va, l);
		/* pairs with the release in entry_make() */
		uint64_t pte = atomic_load_explicit(entry, memory_order_acquire);
		if (l == *level || is_leaf(pte)) {
			*level = l;
			return entry;
		}
		if (pte == 0)
			return NULL;
		table = (_Atomic uint64_t *)pte_address(pte);
	}
}

/* The entry for va at this level; missing tables are made. NULL when there is no page for one. */
static _Atomic uint64_t *entry_make(uintptr_t va, int level)
{
	_Atomic uint64_t *table = root;
	for (int l = LEVELS - 1; l > level; l--) {
		_Atomic uint64_t *entry = entry_at(table, va, l);
		uint64_t pte = atomic_load_explicit(entry, memory_order_relaxed);
		if (pte == 0) {
			uint64_t page = upcall_table_page();
			if (page == 0)
				return NULL;
			pte = page >> 12 << 10 | PTE_V;
			/* pairs with the acquire in entry_find() */
			atomic_store_explicit(entry, pte, memory_order_release);
		}
		ASSERT(!is_leaf(pte), "a page is mapped once");
		table = (_Atomic uint64_t *)pte_address(pte);
	}
	return entry_at(table, va, level);
}

int arch_mmu_map(uintptr_t va, uint64_t pa, size_t size, unsigned prot)
{
	ASSERT((va | pa | size) % PAGE_SIZE == 0, "a mapping is of whole pages");
	while (size > 0) {
		int level = LEVELS - 1;
		while (((va | pa) & (level_size(level) - 1)) != 0 || size < level_size(level))
			level--;
		_Atomic uint64_t *entry = entry_make(va, level);
		if (entry == NULL)
			return -1;
		/* As many as lie in this table: it is not walked for each. */
		size_t step = level_size(level), n = size / step, room = ENTRIES - (va / step) % ENTRIES;
		if (n > room)
			n = room;
		uint64_t pte = leaf_entry(pa, prot);
		for (size_t i = 0; i < n; i++) {
			ASSERT(atomic_load_explicit(&entry[i], memory_order_relaxed) == 0,
			       "a page is mapped once");
			/* pairs with the acquire in entry_find() */
			atomic_store_explicit(&entry[i], pte, memory_order_release);
			pte += step >> 12 << 10;
		}
		va += n * step;
		pa += n * step;
		size -= n * step;
	}
	return 0;
}

static void map_identity(uint64_t start, uint64_t end, unsigned prot)
{
	if (end > ARCH_WIRED_BASE)
		end = ARCH_WIRED_BASE;
	if (start >= end)
		return;
	int error = arch_mmu_map(start, start, end - start, prot);
	ASSERT(error == 0, "there is memory for the kernel's page tables");
}

static void map_sections(void)
{
	static const struct {
		const char *start, *end;
		unsigned prot;
	} sections[] = {{__text_start, __text_end, ARCH_PROT_READ | ARCH_PROT_EXEC},
			{__rodata_start, __rodata_end, ARCH_PROT_READ},
			{__data_start, __data_end, ARCH_PROT_READ | ARCH_PROT_WRITE},
			{__hbsym_start, __image_end, ARCH_PROT_READ}};
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
		map_identity((uintptr_t)sections[i].start,
			     ((uintptr_t)sections[i].end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1),
			     sections[i].prot);
}

/* A device outside the usual place. */
static inline void map_device(uint64_t base)
{
	uint64_t page = base & ~(uint64_t)(PAGE_SIZE - 1);
	bool usual = base >= DEVICES_START && base < ARCH_DEVICES_END;
	if (base != 0 && !usual && arch_mmu_lookup(base) == 0)
		map_identity(page, page + PAGE_SIZE, ARCH_PROT_READ | ARCH_PROT_WRITE | ARCH_PROT_DEVICE);
}

void arch_mmu_init(const struct arch_range *ram, size_t n_ram)
{
	const unsigned rw = ARCH_PROT_READ | ARCH_PROT_WRITE;
	map_identity(DEVICES_START, ARCH_DEVICES_END, rw | ARCH_PROT_DEVICE);
	for (size_t i = 0; i < n_ram; i++)
		map_identity(ram[i].start < ARCH_DEVICES_END ? ARCH_DEVICES_END : ram[i].start,
			     ram[i].start + ram[i].size, rw);
	map_sections();
	const uint64_t devices[] = {arch_platform.uart.base, arch_platform.test_base, arch_platform.rtc_base};
	for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
		map_device(devices[i]);
	for (uint64_t page = arch_platform.tree_base & ~(uint64_t)(PAGE_SIZE - 1);
	     page < arch_platform.tree_base + arch_platform.tree_size; page += PAGE_SIZE)
		if (arch_mmu_lookup(page) == 0) /* it is kept out of the RAM that is used */
			map_identity(page, page + PAGE_SIZE, ARCH_PROT_READ);

	mmu_satp = SATP_SV39 | (uintptr_t)root >> 12;
	arch_tlb_flush_all();
	csr_write(satp, mmu_satp);
	arch_tlb_flush_all();
}

int arch_mmu_prepare(uintptr_t va, size_t size)
{
	uintptr_t table_span = level_size(1);
	uintptr_t last = (va + size - 1) & ~(table_span - 1);
	for (va &= ~(table_span - 1);; va += table_span) {
		if (entry_make(va, 0) == NULL)
			return -1;
		if (va == last)
			return 0;
	}
}

enum arch_fill arch_mmu_fill(uintptr_t va, uint64_t pa)
{
	int level = 0;
	_Atomic uint64_t *entry = is_canonical(va) ? entry_find(va, &level) : NULL;
	if (entry == NULL)
		return ARCH_FILL_NOTABLE;
	uint64_t absent = 0;
	/* pairs with the acquire in entry_find(), and with the hardware's walk: the page's content before its entry */
	if (level == 0 &&
	    atomic_compare_exchange_strong(entry, &absent, leaf_entry(pa, ARCH_PROT_READ | ARCH_PROT_WRITE)))
		return ARCH_FILL_DONE;
	return ARCH_FILL_PRESENT;
}

/* A leaf of 2 MiB becomes a table of the same pages; returns the entry for va in it. Boot only: a guard page in the middle of a large .bss. */
static _Atomic uint64_t *split(_Atomic uint64_t *entry, uintptr_t va)
{
	uint64_t page = upcall_table_page(), pte = atomic_load_explicit(entry, memory_order_relaxed);
	ASSERT(page != 0, "there is memory for the kernel's page tables");
	_Atomic uint64_t *table = (_Atomic uint64_t *)page;
	for (uint64_t i = 0; i < ENTRIES; i++)
		atomic_store_explicit(&table[i], pte + (i << 10), memory_order_relaxed);
	/* pairs with the acquire in entry_find() */
	atomic_store_explicit(entry, page >> 12 << 10 | PTE_V, memory_order_release);
	return entry_at(table, va, 0);
}

uint64_t arch_mmu_clear(uintptr_t va)
{
	int level = 0;
	_Atomic uint64_t *entry = entry_find(va, &level);
	if (entry == NULL)
		return 0;
	ASSERT(level <= 1, "a page of 1 GiB is not split");
	if (level == 1)
		entry = split(entry, va);
	/* rule A of kernel/shootdown.c: whoever gives the page away asks for a shoot-down behind this */
	return pte_address(atomic_exchange_explicit(entry, 0, memory_order_acq_rel));
}

uint64_t arch_mmu_lookup(uintptr_t va)
{
	int level = 0;
	_Atomic uint64_t *entry = is_canonical(va) ? entry_find(va, &level) : NULL;
	if (entry == NULL)
		return 0;
	uint64_t pte = atomic_load_explicit(entry, memory_order_relaxed);
	if (pte == 0)
		return 0;
	return pte_address(pte) | (va & (level_size(level) - 1));
}

void arch_tlb_flush_all(void)
{
	__asm__ volatile("sfence.vma" : : : "memory");
}
