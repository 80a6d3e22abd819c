/*
 * Fuzzes the PVH and ACPI readers: the input is edits of a sound image (first byte: which machine, and
 * whether the sums are put right afterwards), three bytes each: a 16-bit place and a value.
 */
#include "tests/host/boot_sane.h"
#include "tests/host/pvh_image.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pvh_image image;
	static struct boot_info info;
	if (size == 0)
		return 0;
	(data[0] % 2 == 0 ? pvh_q35 : pvh_microvm)(&image);
	for (size_t i = 1; i + 3 <= size; i += 3)
		image.bytes[(size_t)(data[i] << 8 | data[i + 1]) % PVH_IMAGE] = data[i + 2];
	if (data[0] & 2)
		image.size = (size_t)(data[0] << 3) % PVH_IMAGE;
	if (data[0] & 4) {
		pvh_sum(&image, PVH_ROOT);
		pvh_sum(&image, PVH_MADT);
		pvh_sum(&image, PVH_FADT);
	}
	if (pvh_parse(&image, 0, &info) == NULL && boot_insane(&info) != NULL) {
		fprintf(stderr, "accepted, but broken: %s\n", boot_insane(&info));
		abort();
	}
	return 0;
}
