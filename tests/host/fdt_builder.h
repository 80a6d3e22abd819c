/* Builds flattened device trees for tests: token by token, or a whole machine like QEMU's virt with a few
 * knobs. */
#ifndef TESTS_HOST_FDT_BUILDER_H
#define TESTS_HOST_FDT_BUILDER_H

#include <stddef.h>
#include <stdint.h>

enum { FDT_BUILD_MAX = 1 << 16, FDT_STRINGS_MAX = 1 << 11, FDT_MAP_MAX = 80 };

struct fdt_builder {
	uint8_t nodes[FDT_BUILD_MAX];
	size_t n_nodes;
	char strings[FDT_STRINGS_MAX];
	size_t n_strings;
	uint64_t reserved[16];
	size_t n_reserved; /* numbers, two for each entry */
};

void fdt_begin(struct fdt_builder *b, const char *name);
void fdt_end(struct fdt_builder *b);
void fdt_token(struct fdt_builder *b, uint32_t token);
void fdt_add(struct fdt_builder *b, const char *name, const void *data, size_t len);
void fdt_add_string(struct fdt_builder *b, const char *name, const char *text);
void fdt_add_cells(struct fdt_builder *b, const char *name, const uint32_t *cells, size_t n);
void fdt_add_cell(struct fdt_builder *b, const char *name, uint32_t cell);
/* A "reg" of n (address, size) pairs with the given numbers of cells. */
void fdt_add_reg(struct fdt_builder *b, const uint64_t *pairs, size_t n, unsigned a, unsigned s);

/* What differs from virt's PCI host bridge. */
struct bridge {
	unsigned root_a;          /* cells of an address of its parent's; 0: 2 */
	unsigned soc_ranges;      /* cells in its parent's ranges */
	size_t ranges, map, mask; /* cells of these that are written; 0: all */
	const char *compatible, *status;
};
void fdt_add_bridge(struct fdt_builder *b, const struct bridge *k);

/* Lays the blob out in memory of exactly its size, which the caller frees. */
uint8_t *fdt_blob(const struct fdt_builder *b, size_t *size);

/* A machine: what is zero or NULL takes virt's value, as machine_virt() gives it. */
struct machine {
	unsigned root_a, root_s;        /* cells of the root */
	unsigned cpu_a;                 /* cells of a hart id */
	uint64_t memory[FDT_MAP_MAX];   /* pairs */
	size_t n_memory;                /* pairs in the first memory node */
	uint64_t memory2[2];            /* a second memory node when its size is not 0 */
	uint64_t firmware[FDT_MAP_MAX]; /* pairs, each a child of /reserved-memory */
	size_t n_firmware;
	uint64_t memrsv[8]; /* numbers of the reservation block */
	size_t n_memrsv;
	uint32_t hart[64];
	size_t n_harts;
	uint32_t disabled;      /* bit k: hart[k] has status "disabled" */
	uint32_t no_m_entry;    /* bit k: hart[k] has only its supervisor entry in the PLIC */
	uint32_t no_s_entry;    /* bit k: only its machine entry */
	const char *isa;        /* riscv,isa of every hart, NULL: none */
	const char *isa_last;   /* of the last hart, when not NULL */
	const char *extensions; /* riscv,isa-extensions: strings separated by '|' */
	uint32_t timebase;
	const char *bootargs; /* NULL: absent */
	const char *stdout_path;
	uint64_t initrd_start, initrd_end; /* both 0: absent */
	unsigned initrd_cells;
	unsigned translate;  /* 1: /soc has a ranges with content */
	unsigned plic_first; /* 1: /soc stands before /cpus */
};

struct machine machine_virt(void);
uint8_t *machine_blob(const struct machine *m, size_t *size);

#endif
