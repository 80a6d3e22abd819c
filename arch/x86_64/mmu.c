/*
 * Page tables: four levels, one set for all harts.
 *
 *	0 .. 4 KiB		absent: a null pointer faults
 *	.. 4 GiB		identity, rw-: RAM, firmware, local APIC, IOAPIC; within it the image, by
 *section RAM above 4 GiB		identity, rw-
 *	ARCH_STACK_BASE		goroutine stacks, 4 KiB pages, filled in by page faults
 *	ARCH_WIRED_BASE		wired stacks, 4 KiB pages
 *
 * Caching of device space below 4 GiB is left to the MTRRs, which firmware sets. No entry is global, so that
 *loading CR3 flushes all. Accessed and dirty are set from the start: the processor never writes to a table.
 *
 * 1. No page is writable and executable, and each page of the image is mapped once, otherwise W^X could be
 *evaded.
 * 2. An intermediate table, once there, stays: walkers take no lock.
 * 3. An entry changes from absent to present by compare-and-swap or under the caller's serialisation, and is
 *published by one 64-bit store, otherwise a walker on another hart could see half of it. The processor keeps
 *no copy of absent entries, so a new one needs no flush.
 */
#include "arch/x86_64/mmu.h"

#include "arch/arch.h"
#include "arch/x86_64/instr.h"
#include "kernel/assert.h"
#include "kernel/limits.h"

enum { LEVELS = 4, TABLE_ENTRIES = 512, LEVEL_BITS = 9, PAGE_BITS = 12 };

#define PTE_PRESENT  UINT64_C(0x001)
#define PTE_WRITE    UINT64_C(0x002)
#define PTE_UNCACHED UINT64_C(0x018) /* PCD, PWT */
#define PTE_ACCESSED UINT64_C(0x020)
#define PTE_DIRTY    UINT64_C(0x040)
#define PTE_LARGE    UINT64_C(0x080) /* at level 1 and 2 */
#define PTE_NX       (UINT64_C(1) << 63)
#define PTE_ADDRESS  UINT64_C(0x000ffffffffff000)

#define PTE_TABLE  (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)
#define PTE_LEAF   (PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY)
#define PTE_DATA   (PTE_LEAF | PTE_WRITE | PTE_NX)
#define PTE_RODATA (PTE_LEAF | PTE_NX)

#define FOUR_GIB (UINT64_C(1) << 32)

/* linker.ld */
extern const char __image_start[], __text_end[], __rodata_start[], __rodata_end[], __data_end[],
	__image_end[];

static uint64_t *root; /* immutable after arch_mmu_init() */

uint64_t mmu_root(void)
{
	return (uint64_t)root;
}

uintptr_t mmu_image_end(void)
{
	/* A word in .rodata, read as memory: with the address as an immediate, linking the symbol table in
	 * would change .text. */
	static const char *const image_end = __image_end;
	const char *const *p = &image_end;
	__asm__("" : "+r"(p));
	return (uintptr_t)*p;
}

static uint64_t level_size(unsigned level)
{
	return UINT64_C(1) << (PAGE_BITS + LEVEL_BITS * level);
}

static uint64_t *entry_at(uint64_t *table, uintptr_t va, unsigned level)
{
	return &table[va >> (PAGE_BITS + LEVEL_BITS * level) & (TABLE_ENTRIES - 1)];
}

static uint64_t entry_read(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

/* The entry for va at `level` (0: 4 KiB pages), or NULL when a table on the way is absent or a larger page is
 * met. */
static uint64_t *walk(uintptr_t va, unsigned level)
{
	uint64_t *table = root;
	for (unsigned l = LEVELS - 1; l > level; l--) {
		uint64_t e = entry_read(entry_at(table, va, l));
		if ((e & PTE_PRESENT) == 0 || (e & PTE_LARGE) != 0)
			return NULL;
		table = (uint64_t *)(e & PTE_ADDRESS);
	}
	return entry_at(table, va, level);
}

/* The same, making the tables. NULL when there is no memory for one. */
static uint64_t *walk_make(uintptr_t va, unsigned level)
{
	uint64_t *table = root;
	for (unsigned l = LEVELS - 1; l > level; l--) {
		uint64_t *entry = entry_at(table, va, l);
		uint64_t e = entry_read(entry);
		if ((e & PTE_PRESENT) == 0) {
			uint64_t page = upcall_table_page();
			if (page == 0)
				return NULL;
			e = page | PTE_TABLE;
			/* The table's zeroes are seen before the table is: pairs with entry_read(), whose address is needed for the next one. */
			__atomic_store_n(entry, e, __ATOMIC_RELEASE);
		}
		ASSERT((e & PTE_LARGE) == 0, "a large page is not split");
		table = (uint64_t *)(e & PTE_ADDRESS);
	}
	return entry_at(table, va, level);
}

static bool in_regions(uintptr_t va, size_t size)
{
	return (va >= ARCH_STACK_BASE && va - ARCH_STACK_BASE < ARCH_STACK_SIZE &&
		size <= ARCH_STACK_SIZE - (va - ARCH_STACK_BASE)) ||
	       (va >= ARCH_WIRED_BASE && va - ARCH_WIRED_BASE < ARCH_WIRED_SIZE &&
		size <= ARCH_WIRED_SIZE - (va - ARCH_WIRED_BASE));
}

/* Boot only: identity maps one page of the size of `level`. */
static void identity_set(uint64_t addr, unsigned level, uint64_t flags)
{
	uint64_t *entry = walk_make(addr, level);
	ASSERT(entry != NULL, "there is memory for the first page tables");
	*entry = addr | flags | (level > 0 ? PTE_LARGE : 0);
}

/* Boot only: identity maps [start, end) as data, in the largest pages that fit. */
static void identity_map(uint64_t start, uint64_t end)
{
	uint64_t addr = start;
	while (addr < end) {
		unsigned level = arch_platform.has_page_1g ? 2 : 1;
		while (level > 0 && ((addr & (level_size(level) - 1)) != 0 || end - addr < level_size(level)))
			level--;
		/* As many as lie in this table: it is not walked for each. */
		uint64_t *entry = walk_make(addr, level);
		ASSERT(entry != NULL, "there is memory for the first page tables");
		do {
			*entry++ = addr | PTE_DATA | (level > 0 ? PTE_LARGE : 0);
			addr += level_size(level);
		} while (end - addr >= level_size(level) && (addr & (level_size(level + 1) - 1)) != 0);
	}
}

static uint64_t image_flags(uintptr_t addr)
{
	if (addr < (uintptr_t)__text_end)
		return PTE_LEAF;
	if (addr >= (uintptr_t)__rodata_start && addr < (uintptr_t)__rodata_end)
		return PTE_RODATA;
	return addr < (uintptr_t)__data_end ? PTE_DATA : PTE_RODATA;
}

void arch_mmu_init(const struct arch_range *ram, size_t n_ram)
{
	ASSERT(root == NULL, "page tables are made once");
	ASSERT(arch_platform.has_nx, "the processor can keep data from being executed");
	root = (uint64_t *)upcall_table_page();
	ASSERT(root != NULL, "there is memory for the first page tables");

	uintptr_t image_start = (uintptr_t)__image_start, image_end = mmu_image_end();
	identity_map(PAGE_SIZE, image_start);
	for (uintptr_t a = image_start; a < image_end; a += PAGE_SIZE)
		identity_set(a, 0, image_flags(a));
	identity_map(image_end, FOUR_GIB);
	for (size_t i = 0; i < n_ram; i++) {
		uint64_t start = ram[i].start < FOUR_GIB ? FOUR_GIB : ram[i].start,
			 end = ram[i].start + ram[i].size;
		if (start < end)
			identity_map(start, end);
	}

	for (uint64_t va = ARCH_STACK_BASE; va < ARCH_STACK_BASE + ARCH_STACK_SIZE;
	     va += level_size(LEVELS - 1))
		ASSERT(walk_make(va, LEVELS - 2) != NULL, "there is memory for the first page tables");
	ASSERT(walk_make(ARCH_WIRED_BASE, LEVELS - 2) != NULL, "there is memory for the first page tables");
	cr3_write(mmu_root());
}

int arch_mmu_map(uintptr_t va, uint64_t pa, size_t size, unsigned prot)
{
	ASSERT(((va | pa | size) & (PAGE_SIZE - 1)) == 0, "a mapping is made of whole pages");
	ASSERT(in_regions(va, size), "a mapping lies in the stack or the wired region");
	ASSERT((prot & (ARCH_PROT_WRITE | ARCH_PROT_EXEC)) != (ARCH_PROT_WRITE | ARCH_PROT_EXEC),
	       "no page is writable and executable");
	uint64_t flags = PTE_LEAF;
	if ((prot & ARCH_PROT_WRITE) != 0)
		flags |= PTE_WRITE;
	if ((prot & ARCH_PROT_EXEC) == 0)
		flags |= PTE_NX;
	if ((prot & ARCH_PROT_DEVICE) != 0)
		flags |= PTE_UNCACHED;
	for (size_t done = 0; done < size; done += PAGE_SIZE) {
		uint64_t *entry = walk_make(va + done, 0);
		if (entry == NULL)
			return -1;
		ASSERT(entry_read(entry) == 0, "a page is mapped where none is");
		/* rule 3 */
		__atomic_store_n(entry, (pa + done) | flags, __ATOMIC_RELEASE);
	}
	return 0;
}

int arch_mmu_prepare(uintptr_t va, size_t size)
{
	ASSERT(in_regions(va, size), "a mapping lies in the stack or the wired region");
	if (size == 0)
		return 0;
	uintptr_t step = level_size(1), last = va + size - 1;
	for (uintptr_t a = va & ~(step - 1); a <= last; a += step)
		if (walk_make(a, 0) == NULL)
			return -1;
	return 0;
}

enum arch_fill arch_mmu_fill(uintptr_t va, uint64_t pa)
{
	ASSERT(in_regions(va, 1), "a page is filled in in the stack or the wired region");
	ASSERT((pa & (PAGE_SIZE - 1)) == 0, "a frame is page aligned");
	uint64_t *entry = walk(va, 0);
	if (entry == NULL)
		return ARCH_FILL_NOTABLE;
	uint64_t absent = 0;
	/* rule 3: the page's content before its entry, for the processor's walk */
	if (__atomic_compare_exchange_n(entry, &absent, pa | PTE_DATA, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return ARCH_FILL_DONE;
	return ARCH_FILL_PRESENT;
}

uint64_t arch_mmu_clear(uintptr_t va)
{
	uint64_t *entry = walk(va, 0);
	/* rule A of kernel/shootdown.c: whoever gives the page away asks for a shoot-down behind this */
	return entry == NULL ? 0 : __atomic_exchange_n(entry, 0, __ATOMIC_ACQ_REL) & PTE_ADDRESS;
}

uint64_t arch_mmu_lookup(uintptr_t va)
{
	bool canonical = (uint64_t)((int64_t)(va << 16) >> 16) == va;
	if (root == NULL || !canonical)
		return 0;
	uint64_t *table = root;
	for (unsigned l = LEVELS;;) {
		uint64_t e = entry_read(entry_at(table, va, --l));
		if ((e & PTE_PRESENT) == 0)
			return 0;
		if (l == 0 || (e & PTE_LARGE) != 0) {
			uint64_t mask = level_size(l) - 1;
			return (e & PTE_ADDRESS & ~mask) | (va & mask);
		}
		table = (uint64_t *)(e & PTE_ADDRESS);
	}
}

void arch_tlb_flush_all(void)
{
	cr3_write(cr3_read());
}
