/*
 * 1. Sizes of entries are those of "pci-host-ecam-generic" under a parent of two cells each, and an interrupt parent as the PLIC has it, with no
 *    address and one cell. Another tree is refused by name, otherwise its cells would be taken for something else.
 */
#include "boot/fdt_pci.h"

#include "boot/fdt.h"
#include "boot/line.h"

enum {
	RANGE_CELLS = 3 + 2 + 2,   /* address on the bus, address of the parent, size */
	MAP_CELLS = 3 + 1 + 1 + 1, /* address on the bus, pin, phandle, source */
	MASK_CELLS = 3 + 1,
	SPACE_IO = 1,     /* bits 24 and 25 of a bus address's first cell */
	DEVICE_SHIFT = 11 /* the device's number in it */
};

static const char *ranges_read(const struct fdt_walk *w, struct fdt_pci *out)
{
	const struct fdt_node *node = &w->path[w->depth];
	const struct fdt_prop *p = &w->prop[FDT_RANGES];
	if (node->address_cells != 3 || node->size_cells != 2 || node[-1].address_cells != 2 ||
	    p->len % (RANGE_CELLS * 4) != 0)
		return boot_error("device tree: ranges of '%s' has %u bytes, entries of %u cells expected",
				  node->name, p->len, (unsigned)RANGE_CELLS);
	for (const uint8_t *r = p->data; r != NULL && r < p->data + p->len; r += RANGE_CELLS * 4) {
		if ((fdt_cell(r) >> 24 & 3) != SPACE_IO || out->io_size != 0)
			continue;
		out->io_bus = fdt_cells(r + 4 * 1, 2);
		out->io = fdt_cells(r + 4 * 3, 2);
		out->io_size = fdt_cells(r + 4 * 5, 2);
	}
	return NULL;
}

static const char *map_read(const struct fdt_walk *w, struct fdt_pci *out)
{
	const struct fdt_node *node = &w->path[w->depth];
	struct fdt_prop map, mask;
	if (!fdt_prop_find(w, "interrupt-map", &map) || !fdt_prop_find(w, "interrupt-map-mask", &mask))
		return NULL;
	if (map.len % (MAP_CELLS * 4) != 0 || mask.len != MASK_CELLS * 4)
		return boot_error("device tree: interrupt-map of '%s' has %u bytes and its mask %u, entries "
				  "of %u cells and %u bytes expected",
				  node->name, map.len, mask.len, (unsigned)MAP_CELLS,
				  (unsigned)MASK_CELLS * 4);
	out->map = map.data;
	out->map_size = map.len;
	out->map_mask[0] = fdt_cell(mask.data);
	out->map_mask[1] = fdt_cell(mask.data + 12);
	return NULL;
}

static const char *bridge_read(const struct fdt_walk *w, struct fdt_pci *out)
{
	uint32_t n;
	const char *error = fdt_reg_count(w, &n);
	if (error != NULL || n == 0 || w->path[w->depth - 1].translated)
		return error;
	fdt_reg(w, 0, &out->ecam, &out->ecam_size);
	error = ranges_read(w, out);
	return error != NULL ? error : map_read(w, out);
}

const char *fdt_pci_find(const void *fdt, size_t limit, struct fdt_pci *out)
{
	static const char *const bridge[] = {"pci-host-ecam-generic"};
	struct fdt tree;
	struct fdt_walk w;
	const struct fdt_node *node;
	*out = (struct fdt_pci){0};
	const char *error = fdt_open(&tree, fdt, limit);
	if (error != NULL)
		return error;
	fdt_walk_start(&w, &tree);
	while (error == NULL && (node = fdt_walk_next(&w)) != NULL)
		if (w.depth > 0 && !node->disabled && out->ecam_size == 0 &&
		    fdt_list_find(&w, FDT_COMPATIBLE, bridge, 1) >= 0)
			error = bridge_read(&w, out);
	return error != NULL ? error : w.error;
}

uint32_t fdt_pci_line(const struct fdt_pci *pci, uint32_t device, uint32_t pin)
{
	for (uint32_t at = 0; at < pci->map_size; at += MAP_CELLS * 4) {
		const uint8_t *entry = pci->map + at;
		if ((device << DEVICE_SHIFT & pci->map_mask[0]) == fdt_cell(entry) &&
		    (pin & pci->map_mask[1]) == fdt_cell(entry + 12))
			return fdt_cell(entry + 20);
	}
	return 0;
}
