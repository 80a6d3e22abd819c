/* Device trees for tests. Its checks are plain aborts: a builder that is used wrongly is a broken test. */
#include "tests/host/fdt_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)(v >> 32));
	put32(p + 4, (uint32_t)v);
}

static void append(struct fdt_builder *b, const void *data, size_t len)
{
	if (b->n_nodes + len + 4 > FDT_BUILD_MAX)
		abort();
	if (len > 0)
		memcpy(b->nodes + b->n_nodes, data, len);
	b->n_nodes += len;
	while (b->n_nodes % 4 != 0)
		b->nodes[b->n_nodes++] = 0;
}

void fdt_token(struct fdt_builder *b, uint32_t token)
{
	uint8_t p[4];
	put32(p, token);
	append(b, p, 4);
}

void fdt_begin(struct fdt_builder *b, const char *name)
{
	fdt_token(b, 1);
	append(b, name, strlen(name) + 1);
}

void fdt_end(struct fdt_builder *b)
{
	fdt_token(b, 2);
}

static uint32_t string_offset(struct fdt_builder *b, const char *name)
{
	size_t len = strlen(name) + 1;
	for (size_t at = 0; at < b->n_strings; at += strlen(b->strings + at) + 1) {
		if (strcmp(b->strings + at, name) == 0)
			return (uint32_t)at;
	}
	if (b->n_strings + len > FDT_STRINGS_MAX)
		abort();
	memcpy(b->strings + b->n_strings, name, len);
	b->n_strings += len;
	return (uint32_t)(b->n_strings - len);
}

void fdt_add(struct fdt_builder *b, const char *name, const void *data, size_t len)
{
	fdt_token(b, 3);
	fdt_token(b, (uint32_t)len);
	fdt_token(b, string_offset(b, name));
	append(b, data, len);
}

void fdt_add_string(struct fdt_builder *b, const char *name, const char *text)
{
	fdt_add(b, name, text, strlen(text) + 1);
}

void fdt_add_cells(struct fdt_builder *b, const char *name, const uint32_t *cells, size_t n)
{
	uint8_t p[4 * 256];
	if (n > 256)
		abort();
	for (size_t i = 0; i < n; i++)
		put32(p + 4 * i, cells[i]);
	fdt_add(b, name, p, 4 * n);
}

void fdt_add_cell(struct fdt_builder *b, const char *name, uint32_t cell)
{
	fdt_add_cells(b, name, &cell, 1);
}

void fdt_add_reg(struct fdt_builder *b, const uint64_t *pairs, size_t n, unsigned a, unsigned s)
{
	uint32_t cells[256];
	size_t k = 0;
	for (size_t i = 0; i < 2 * n; i++) {
		unsigned width = i % 2 == 0 ? a : s;
		for (unsigned c = width; c > 0 && k < 256; c--)
			cells[k++] = c > 2 ? 0 : (uint32_t)(pairs[i] >> (32 * (c - 1)));
	}
	fdt_add_cells(b, "reg", cells, k);
}

void fdt_add_bridge(struct fdt_builder *b, const struct bridge *k)
{
	static const uint32_t mask[] = {0x1800, 0, 0, 7};
	static const uint32_t ranges[] = {0x1000000, 0, 0,          0, 0x3000000,  0, 0x10000,
					  0x2000000, 0, 0x40000000, 0, 0x40000000, 0, 0x40000000};
	uint32_t map[16 * 6];
	for (uint32_t i = 0; i < 16; i++) {
		uint32_t device = i / 4, pin = i % 4 + 1;
		uint32_t entry[] = {device << 11, 0, 0, pin, 3, 0x20 + (device + pin - 1) % 4};
		memcpy(map + i * 6, entry, sizeof entry);
	}
	fdt_begin(b, "pci@30000000");
	fdt_add_cells(b, "interrupt-map-mask", mask, k->mask != 0 ? k->mask : 4);
	fdt_add_cells(b, "interrupt-map", map, k->map != 0 ? k->map : 16 * 6);
	fdt_token(b, 4); /* NOP */
	fdt_add_cells(b, "ranges", ranges, k->ranges != 0 ? k->ranges : sizeof ranges / 4);
	fdt_add_reg(b, (uint64_t[]){0x30000000, 0x10000000}, 1, k->root_a != 0 ? k->root_a : 2, 2);
	fdt_add_string(b, "compatible", k->compatible != NULL ? k->compatible : "pci-host-ecam-generic");
	fdt_add_string(b, "status", k->status != NULL ? k->status : "okay");
	fdt_add_cell(b, "#address-cells", 3);
	fdt_add_cell(b, "#size-cells", 2);
	fdt_end(b);
}

uint8_t *fdt_blob(const struct fdt_builder *b, size_t *size)
{
	size_t reserved = 40, nodes = reserved + 8 * b->n_reserved + 16, strings = nodes + b->n_nodes;
	*size = strings + b->n_strings;
	uint8_t *p = calloc(1, *size);
	if (p == NULL)
		abort();
	const uint32_t header[10] = {0xd00dfeed,
				     (uint32_t)*size,
				     (uint32_t)nodes,
				     (uint32_t)strings,
				     (uint32_t)reserved,
				     17,
				     16,
				     0,
				     (uint32_t)b->n_strings,
				     (uint32_t)b->n_nodes};
	for (size_t i = 0; i < 10; i++)
		put32(p + 4 * i, header[i]);
	for (size_t i = 0; i < b->n_reserved; i++)
		put64(p + reserved + 8 * i, b->reserved[i]);
	memcpy(p + nodes, b->nodes, b->n_nodes);
	memcpy(p + strings, b->strings, b->n_strings);
	return p;
}

struct machine machine_virt(void)
{
	return (struct machine){
		.root_a = 2,
		.root_s = 2,
		.cpu_a = 1,
		.memory = {0x80000000, 0x40000000},
		.n_memory = 1,
		.firmware = {0x80000000, 0x40000, 0x80040000, 0x20000},
		.n_firmware = 2,
		.hart = {0, 1, 2, 3},
		.n_harts = 4,
		.isa = "rv64imafdch_zicsr_zifencei_zba_zbb_sstc",
		.timebase = 10000000,
		.bootargs = "prof.hz=100 -- one two",
		.stdout_path = "/soc/serial@10000000",
		.initrd_start = 0x88200000,
		.initrd_end = 0x88200123,
		.initrd_cells = 1,
	};
}

static void build_cpus(struct fdt_builder *b, const struct machine *m)
{
	fdt_begin(b, "cpus");
	fdt_add_cell(b, "#address-cells", m->cpu_a);
	fdt_add_cell(b, "#size-cells", 0);
	if (m->timebase != 0)
		fdt_add_cell(b, "timebase-frequency", m->timebase);
	for (size_t k = 0; k < m->n_harts; k++) {
		char name[32];
		snprintf(name, sizeof name, "cpu@%x", m->hart[k]);
		fdt_begin(b, name);
		fdt_add_cell(b, "phandle", (uint32_t)(100 + k));
		fdt_add_string(b, "device_type", "cpu");
		uint64_t pair[2] = {m->hart[k], 0};
		fdt_add_reg(b, pair, 1, m->cpu_a, 0);
		fdt_add_string(b, "status", k < 32 && (m->disabled >> k & 1) ? "disabled" : "okay");
		fdt_add_string(b, "compatible", "riscv");
		const char *isa = m->isa_last != NULL && k + 1 == m->n_harts ? m->isa_last : m->isa;
		if (isa != NULL)
			fdt_add_string(b, "riscv,isa", isa);
		if (m->extensions != NULL) {
			char list[128];
			size_t n = strlen(m->extensions) + 1;
			memcpy(list, m->extensions, n);
			for (size_t i = 0; i < n; i++)
				list[i] = list[i] == '|' ? '\0' : list[i];
			fdt_add(b, "riscv,isa-extensions", list, n);
		}
		fdt_begin(b, "interrupt-controller");
		fdt_add_cell(b, "#interrupt-cells", 1);
		fdt_add(b, "interrupt-controller", NULL, 0);
		fdt_add_string(b, "compatible", "riscv,cpu-intc");
		fdt_add_cell(b, "phandle", (uint32_t)(200 + k));
		fdt_end(b);
		fdt_end(b);
	}
	fdt_begin(b, "cpu-map");
	fdt_begin(b, "cluster0");
	fdt_begin(b, "core0");
	fdt_add_cell(b, "cpu", 100);
	fdt_end(b);
	fdt_end(b);
	fdt_end(b);
	fdt_end(b);
}

static void build_device(struct fdt_builder *b, const char *name, const char *compatible, uint64_t base,
			 uint32_t irq)
{
	const uint64_t pair[2] = {base, 0x100};
	fdt_begin(b, name);
	if (irq != 0) {
		fdt_add_cell(b, "interrupts", irq);
		fdt_add_cell(b, "interrupt-parent", 50);
	}
	fdt_add_reg(b, pair, 1, 2, 2);
	fdt_add(b, "compatible", compatible, strlen(compatible) + 1);
	fdt_end(b);
}

static void build_soc(struct fdt_builder *b, const struct machine *m)
{
	fdt_begin(b, "soc");
	fdt_add_cell(b, "#address-cells", 2);
	fdt_add_cell(b, "#size-cells", 2);
	fdt_add_string(b, "compatible", "simple-bus");
	const uint32_t ranges[6] = {0, 0x10000000, 0, 0x20000000, 0, 0x10000};
	fdt_add_cells(b, "ranges", ranges, m->translate ? 6 : 0);

	build_device(b, "rtc@101000", "google,goldfish-rtc", 0x101000, 11);
	build_device(b, "serial@10000000", "ns16550a", 0x10000000, 10);
	build_device(b, "serial@10010000", "ns16550a", 0x10010000, 12);

	fdt_begin(b, "test@100000");
	const uint64_t test[2] = {0x100000, 0x1000};
	fdt_add_reg(b, test, 1, 2, 2);
	static const char compatible[] = "sifive,test1\0sifive,test0\0syscon";
	fdt_add(b, "compatible", compatible, sizeof compatible);
	fdt_end(b);

	fdt_begin(b, "plic@c000000");
	const uint64_t plic[2] = {0xc000000, 0x600000};
	fdt_add_reg(b, plic, 1, 2, 2);
	uint32_t entries[256];
	size_t n = 0;
	for (size_t k = 0; k < m->n_harts && n + 4 <= 256; k++) {
		if (k >= 32 || !(m->no_m_entry >> k & 1)) {
			entries[n++] = (uint32_t)(200 + k);
			entries[n++] = 11;
		}
		if (k >= 32 || !(m->no_s_entry >> k & 1)) {
			entries[n++] = (uint32_t)(200 + k);
			entries[n++] = 9;
		}
	}
	fdt_add_cells(b, "interrupts-extended", entries, n);
	static const char plic_compatible[] = "sifive,plic-1.0.0\0riscv,plic0";
	fdt_add(b, "compatible", plic_compatible, sizeof plic_compatible);
	fdt_end(b);

	fdt_add_bridge(b, &(struct bridge){0});
	fdt_end(b);
}

static void build_memory(struct fdt_builder *b, const struct machine *m)
{
	fdt_begin(b, "memory@80000000");
	fdt_add_string(b, "device_type", "memory");
	if (m->n_memory > 0)
		fdt_add_reg(b, m->memory, m->n_memory, m->root_a, m->root_s);
	fdt_end(b);
	if (m->memory2[1] != 0) {
		fdt_begin(b, "memory@1");
		fdt_add_string(b, "device_type", "memory");
		fdt_add_reg(b, m->memory2, 1, m->root_a, m->root_s);
		fdt_end(b);
	}
	fdt_begin(b, "reserved-memory");
	fdt_add_cell(b, "#address-cells", 2);
	fdt_add_cell(b, "#size-cells", 2);
	fdt_add(b, "ranges", NULL, 0);
	for (size_t i = 0; i < m->n_firmware; i++) {
		fdt_begin(b, "mmode");
		fdt_add_reg(b, m->firmware + 2 * i, 1, 2, 2);
		if (i % 2 == 0)
			fdt_add(b, "no-map", NULL, 0);
		fdt_end(b);
	}
	fdt_end(b);
}

uint8_t *machine_blob(const struct machine *m, size_t *size)
{
	static struct fdt_builder b;
	memset(&b, 0, sizeof b);
	memcpy(b.reserved, m->memrsv, sizeof m->memrsv);
	b.n_reserved = m->n_memrsv;
	fdt_begin(&b, "");
	fdt_add_cell(&b, "#address-cells", m->root_a);
	fdt_add_cell(&b, "#size-cells", m->root_s);
	fdt_token(&b, 4);
	if (m->plic_first)
		build_soc(&b, m);
	build_memory(&b, m);
	build_cpus(&b, m);
	fdt_begin(&b, "chosen");
	if (m->bootargs != NULL)
		fdt_add_string(&b, "bootargs", m->bootargs);
	if (m->stdout_path != NULL)
		fdt_add_string(&b, "stdout-path", m->stdout_path);
	if (m->initrd_start != 0 || m->initrd_end != 0) {
		const uint32_t cells[4] = {(uint32_t)(m->initrd_start >> 32), (uint32_t)m->initrd_start,
					   (uint32_t)(m->initrd_end >> 32), (uint32_t)m->initrd_end};
		unsigned n = m->initrd_cells;
		fdt_add_cells(&b, "linux,initrd-start", cells + 2 - n, n);
		fdt_add_cells(&b, "linux,initrd-end", cells + 4 - n, n);
	}
	fdt_end(&b);
	if (!m->plic_first)
		build_soc(&b, m);
	fdt_end(&b);
	fdt_token(&b, 9);
	return fdt_blob(&b, size);
}
