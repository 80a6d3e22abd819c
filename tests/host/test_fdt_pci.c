/* The PCI host bridge of a device tree: what virt says, and what is refused. */
#include "boot/fdt_pci.h"
#include "tests/host/check.h"
#include "tests/host/check_error.h"
#include "tests/host/fdt_builder.h"

#include <stdlib.h>

static struct fdt_pci pci;
static uint32_t line; /* of pin 1 of device 1 */
static const uint32_t translation[] = {0, 0, 0, 0x10000000, 0, 0x10000000};

static const char *find(const struct bridge *k)
{
	static struct fdt_builder b;
	size_t size;
	b = (struct fdt_builder){0};
	fdt_begin(&b, "");
	fdt_add_cell(&b, "#address-cells", 2);
	fdt_add_cell(&b, "#size-cells", 2);
	fdt_begin(&b, "soc");
	fdt_add_cell(&b, "#address-cells", k->root_a != 0 ? k->root_a : 2);
	fdt_add_cell(&b, "#size-cells", 2);
	fdt_add_cells(&b, "ranges", translation, k->soc_ranges);
	fdt_add_bridge(&b, k);
	fdt_end(&b);
	fdt_end(&b);
	fdt_token(&b, 9);
	uint8_t *blob = fdt_blob(&b, &size);
	const char *error = fdt_pci_find(blob, size, &pci);
	line = error == NULL ? fdt_pci_line(&pci, 1, 1) : 0; /* the map lies in the blob */
	free(blob);
	return error;
}

TEST(fdt_pci_of_virt)
{
	CHECK_FINE(find(&(struct bridge){0}));
	CHECK_EQ(pci.ecam, 0x30000000);
	CHECK_EQ(pci.ecam_size, 0x10000000);
	CHECK_EQ(pci.io, 0x3000000);
	CHECK_EQ(pci.io_bus, 0);
	CHECK_EQ(pci.io_size, 0x10000);
	CHECK_EQ(line, 0x21);
}

TEST(fdt_pci_lines_follow_device_and_pin)
{
	static const uint8_t map[] = {0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0,
				      0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 77};
	const struct fdt_pci p = {.map = map, .map_size = sizeof map, .map_mask = {0x1800, 7}};
	CHECK_EQ(fdt_pci_line(&p, 1, 2), 77);
	CHECK_EQ(fdt_pci_line(&p, 5, 2), 77); /* the mask leaves two bits of the device */
	CHECK_EQ(fdt_pci_line(&p, 0, 2), 0);
	CHECK_EQ(fdt_pci_line(&p, 1, 1), 0);
	CHECK_EQ(fdt_pci_line(&p, 1, 0), 0);
}

TEST(fdt_pci_that_is_not_there_has_no_size)
{
	CHECK_FINE(find(&(struct bridge){.compatible = "pci-host-cam-generic"}));
	CHECK_EQ(pci.ecam_size, 0);
	CHECK_FINE(find(&(struct bridge){.status = "disabled"}));
	CHECK_EQ(pci.ecam_size, 0);
	CHECK_FINE(find(&(struct bridge){.soc_ranges = 6})); /* behind a translation */
	CHECK_EQ(pci.ecam_size, 0);
}

TEST(fdt_pci_of_other_cells_is_refused)
{
	CHECK_HAS(find(&(struct bridge){.ranges = 6}),
		  "ranges of 'pci@30000000' has 24 bytes, entries of 7 cells");
	CHECK_HAS(find(&(struct bridge){.root_a = 1}), "ranges of 'pci@30000000' has 56 bytes");
	CHECK_HAS(find(&(struct bridge){.map = 95}),
		  "interrupt-map of 'pci@30000000' has 380 bytes and its mask 16");
	CHECK_HAS(find(&(struct bridge){.mask = 3}), "its mask 12");
}
