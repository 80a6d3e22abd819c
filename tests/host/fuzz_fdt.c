/*
 * Fuzzes the device tree reader. The input is either a blob, or (first byte odd) edits of a sound one: three
 * bytes each, a 16-bit place and a value, so that the deep code is reached without seeds.
 */
#include "boot/fdt_info.h"
#include "boot/fdt_pci.h"
#include "tests/host/boot_sane.h"
#include "tests/host/fdt_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	static uint8_t *whole;
	static size_t whole_size;
	if (whole == NULL) {
		struct machine m = machine_virt();
		whole = machine_blob(&m, &whole_size);
	}
	size_t n = size;
	uint8_t *blob;
	if (size > 0 && data[0] % 2 != 0) {
		n = whole_size;
		blob = malloc(n);
		memcpy(blob, whole, n);
		for (size_t i = 1; i + 3 <= size; i += 3)
			blob[(size_t)(data[i] << 8 | data[i + 1]) % n] = data[i + 2];
	} else {
		blob = malloc(n > 0 ? n : 1);
		if (n > 0)
			memcpy(blob, data, n);
	}
	const char *error = fdt_boot_info(blob, n, 0, &info);
	if (error == NULL && boot_insane(&info) != NULL) {
		fprintf(stderr, "accepted, but broken: %s\n", boot_insane(&info));
		abort();
	}
	struct fdt_pci pci;
	if (fdt_pci_find(blob, n, &pci) == NULL)
		for (uint32_t device = 0; device < 32; device++)
			fdt_pci_line(&pci, device, 1);
	free(blob);
	return 0;
}
