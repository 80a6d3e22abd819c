/*
 * The device tree bindings that boot needs.
 *
 * Two walks. The first notes memory, harts, devices and /chosen. Then the memory is sealed, and the second
 * walk applies what refers to the first: /reserved-memory (to memory) and the PLIC's interrupts-extended (to
 * the harts' interrupt controllers), which may stand before or behind what they refer to.
 *
 * 1. A node that is not "okay", or has a parent that is not, is not there.
 * 2. The PLIC's context of a hart is its place in interrupts-extended and never computed from its id,
 * otherwise sparse ids or a hart without a machine-mode entry would enable another hart's interrupts.
 * 3. An address under a parent that translates ("ranges" with content) is refused, otherwise boot would use a
 * bus address as a physical one.
 */
#include "boot/fdt_info.h"

#include "boot/fdt.h"
#include "boot/line.h"

#include <string.h>

enum {
	IRQ_S_EXT = 9
}; /* supervisor external interrupt of a hart's controller (RISC-V privileged architecture) */

struct scan {
	struct boot_info *info;
	struct fdt tree;
	struct fdt_walk walk;
	uint32_t intc[HART_MAX]; /* phandle of each hart's interrupt controller, 0: none */
	struct boot_hart *hart;  /* the hart of the last cpu node, NULL: not used */
	uint64_t initrd_start, initrd_end;
	const char *console; /* last part of the console's path, or NULL; ends in NUL or ':' */
};

static const char *memory_node(struct scan *s)
{
	uint32_t n;
	const char *error = fdt_reg_count(&s->walk, &n);
	for (uint32_t i = 0; i < n && error == NULL; i++) {
		uint64_t start, size;
		fdt_reg(&s->walk, i, &start, &size);
		error = boot_info_add_ram(s->info, start, size);
	}
	return error;
}

/* Is name one whole part of an ISA string, such as rv64imafdc_zicsr_sstc? */
static bool isa_string_has(const char *isa, const char *name)
{
	size_t n = strlen(name);
	while (*isa != '\0') {
		size_t part = strcspn(isa, "_");
		if (part == n && memcmp(isa, name, n) == 0)
			return true;
		isa += part + (isa[part] == '_');
	}
	return false;
}

static bool isa_has(const struct scan *s, const struct fdt_node *cpu, const char *name)
{
	const char *isa = fdt_prop_string(&s->tree, cpu, "riscv,isa");
	return fdt_prop_lists(&s->tree, cpu, "riscv,isa-extensions", name) ||
	       (isa != NULL && isa_string_has(isa, name));
}

static const char *cpu_node(struct scan *s, const struct fdt_node *node)
{
	struct boot_info *info = s->info;
	uint32_t n;
	uint64_t id, size;
	s->hart = NULL;
	const char *error = fdt_reg_count(&s->walk, &n);
	if (error != NULL)
		return error;
	if (n == 0)
		return boot_error("device tree: '%s' has no reg, its hart id expected", node->name);
	fdt_reg(&s->walk, 0, &id, &size);

	bool first = info->n_harts == 0;
	error = boot_info_add_hart(info, id, &s->hart);
	if (error != NULL || s->hart == NULL)
		return error;
	s->intc[s->hart - info->hart] = 0;
	info->isa_sstc = isa_has(s, node, "sstc") && (first || info->isa_sstc);
	info->isa_sscofpmf = isa_has(s, node, "sscofpmf") && (first || info->isa_sscofpmf);
	if (info->timebase_hz == 0)
		fdt_prop_number(&s->tree, node, "timebase-frequency", &info->timebase_hz);
	return NULL;
}

static const char *intc_node(struct scan *s, const struct fdt_node *node)
{
	uint32_t cells = 1, phandle;
	if (s->hart == NULL || !fdt_prop_lists(&s->tree, node, "compatible", "riscv,cpu-intc"))
		return NULL;
	fdt_prop_u32(&s->tree, node, "#interrupt-cells", &cells);
	if (cells != 1)
		return boot_error("device tree: #interrupt-cells of '%s' is %u, 1 expected", node->name,
				  cells);
	if (fdt_prop_u32(&s->tree, node, "phandle", &phandle))
		s->intc[s->hart - s->info->hart] = phandle;
	return NULL;
}

static const char *chosen_node(struct scan *s, const struct fdt_node *node)
{
	uint32_t len;
	const char *text = fdt_prop_string(&s->tree, node, "bootargs");
	if (text != NULL) {
		size_t n = strlen(text);
		if (n >= BOOT_CMDLINE_MAX)
			return boot_error("command line: %lu characters, at most %u expected", (uint64_t)n,
					  (unsigned)BOOT_CMDLINE_MAX - 1);
		memcpy(s->info->cmdline, text, n + 1);
	} else if (fdt_prop(&s->tree, node, "bootargs", &len) != NULL && len > 0) {
		return boot_error("device tree: bootargs does not end in NUL");
	}

	bool starts = fdt_prop(&s->tree, node, "linux,initrd-start", &len) != NULL;
	bool ends = fdt_prop(&s->tree, node, "linux,initrd-end", &len) != NULL;
	if (starts || ends) {
		if (!fdt_prop_number(&s->tree, node, "linux,initrd-start", &s->initrd_start) ||
		    !fdt_prop_number(&s->tree, node, "linux,initrd-end", &s->initrd_end))
			return boot_error(
				"device tree: linux,initrd-start and -end expected as 1 or 2 cells each");
		if (s->initrd_end < s->initrd_start)
			return boot_error("device tree: linux,initrd-end %#lx lies before its start %#lx",
					  s->initrd_end, s->initrd_start);
	}
	return NULL;
}

/* The console's node name, from a path such as "/soc/serial@10000000:115200"; aliases are not followed. */
static void console_find(struct scan *s)
{
	fdt_walk_start(&s->walk, &s->tree);
	const struct fdt_node *node;
	while ((node = fdt_walk_next(&s->walk)) != NULL) {
		if (s->walk.depth != 1 || !fdt_node_is(node, "chosen"))
			continue;
		const char *path = fdt_prop_string(&s->tree, node, "stdout-path");
		if (path != NULL && path[0] == '/') {
			for (const char *p = path; *p != '\0' && *p != ':'; p++) {
				if (*p == '/')
					s->console = p + 1;
			}
		}
		return;
	}
}

static bool is_console(const struct scan *s, const struct fdt_node *node)
{
	size_t n = strlen(node->name);
	return s->console != NULL && strncmp(s->console, node->name, n) == 0 &&
	       (s->console[n] == '\0' || s->console[n] == ':');
}

static const char *uart_node(struct scan *s, const struct fdt_node *node, uint64_t base)
{
	uint32_t len, shift = 0;
	struct boot_uart *uart = &s->info->uart;
	if (fdt_prop_u32(&s->tree, node, "reg-shift", &shift) && shift > 3)
		return boot_error("device tree: reg-shift of '%s' is %u, 0 to 3 expected", node->name, shift);
	*uart = (struct boot_uart){.base = base, .reg_shift = (uint8_t)shift};
	const uint8_t *irq = fdt_prop(&s->tree, node, "interrupts", &len);
	if (irq != NULL && len >= 4) {
		uart->irq = fdt_cell(irq);
	} else {
		irq = fdt_prop(&s->tree, node, "interrupts-extended", &len);
		if (irq != NULL && len >= 8)
			uart->irq = fdt_cell(irq + 4);
	}
	return NULL;
}

static bool is_plic(const struct scan *s, const struct fdt_node *node)
{
	return fdt_prop_lists(&s->tree, node, "compatible", "riscv,plic0") ||
	       fdt_prop_lists(&s->tree, node, "compatible", "sifive,plic-1.0.0");
}

static const char *device_node(struct scan *s, const struct fdt_node *node)
{
	struct boot_info *info = s->info;
	uint64_t *base = NULL;
	bool uart = fdt_prop_lists(&s->tree, node, "compatible", "ns16550a");
	if (uart)
		base = &info->uart.base;
	else if (fdt_prop_lists(&s->tree, node, "compatible", "sifive,test0"))
		base = &info->sifive_test_base;
	else if (fdt_prop_lists(&s->tree, node, "compatible", "google,goldfish-rtc"))
		base = &info->rtc_base;
	else if (is_plic(s, node))
		base = &info->plic_base;
	if (base == NULL || (*base != 0 && !(uart && is_console(s, node))))
		return NULL;

	uint32_t n;
	uint64_t address, size;
	const char *error = fdt_reg_count(&s->walk, &n);
	if (error != NULL)
		return error;
	if (n == 0)
		return boot_error("device tree: '%s' has no reg, its address expected", node->name);
	if (s->walk.path[s->walk.depth - 1].translated)
		return boot_error(
			"device tree: '%s' lies behind address translation, an empty ranges expected",
			node->name);
	fdt_reg(&s->walk, 0, &address, &size);
	if (uart)
		return uart_node(s, node, address);
	*base = address;
	return NULL;
}

static const char *first_visit(struct scan *s, const struct fdt_node *node)
{
	const struct fdt_walk *w = &s->walk;
	bool under_cpus = w->depth >= 2 && fdt_node_is(&w->path[1], "cpus");
	if (w->depth == 0)
		return NULL;
	if (under_cpus && w->depth == 2 && fdt_node_is(node, "cpu"))
		return cpu_node(s, node);
	if (under_cpus && w->depth == 3 && fdt_node_is(&w->path[2], "cpu"))
		return intc_node(s, node);
	if (w->depth == 1 && fdt_node_is(node, "memory"))
		return memory_node(s);
	if (w->depth == 1 && fdt_node_is(node, "chosen"))
		return chosen_node(s, node);
	if (w->depth == 1 && fdt_node_is(node, "cpus"))
		fdt_prop_number(&s->tree, node, "timebase-frequency", &s->info->timebase_hz);
	return device_node(s, node);
}

static void plic_contexts(struct scan *s, const struct fdt_node *node)
{
	uint32_t len;
	const uint8_t *p = fdt_prop(&s->tree, node, "interrupts-extended", &len);
	for (uint32_t k = 0; p != NULL && k < len / 8; k++) {
		uint32_t phandle = fdt_cell(p + 8 * k), irq = fdt_cell(p + 8 * k + 4);
		for (uint32_t h = 0; h < s->info->n_harts && irq == IRQ_S_EXT; h++) {
			if (s->intc[h] == phandle && phandle != 0)
				s->info->hart[h].plic_context = k;
		}
	}
}

static const char *second_visit(struct scan *s, const struct fdt_node *node)
{
	const struct fdt_walk *w = &s->walk;
	if (w->depth == 2 && fdt_node_is(&w->path[1], "reserved-memory")) {
		uint32_t n;
		const char *error = fdt_reg_count(w, &n);
		for (uint32_t i = 0; i < n && error == NULL; i++) {
			uint64_t start, size;
			fdt_reg(w, i, &start, &size);
			error = boot_info_reserve(s->info, start, size);
		}
		return error;
	}
	if (s->info->plic_base != 0 && is_plic(s, node)) {
		uint32_t n;
		uint64_t base = 0, size;
		if (w->depth > 0 && fdt_reg_count(w, &n) == NULL && n > 0)
			fdt_reg(w, 0, &base, &size);
		if (base == s->info->plic_base)
			plic_contexts(s, node);
	}
	return NULL;
}

static const char *scan_walk(struct scan *s,
			     const char *(*visit)(struct scan *s, const struct fdt_node *node))
{
	const struct fdt_node *node;
	const char *error = NULL;
	fdt_walk_start(&s->walk, &s->tree);
	while (error == NULL && (node = fdt_walk_next(&s->walk)) != NULL) {
		if (!node->disabled)
			error = visit(s, node);
	}
	return error;
}

const char *fdt_boot_info(const void *fdt, size_t limit, uint64_t boot_hart, struct boot_info *out)
{
	struct scan s = {.info = out};
	boot_info_init(out, boot_hart);
	const char *error = fdt_open(&s.tree, fdt, limit);
	if (error != NULL)
		return error;
	console_find(&s);
	error = scan_walk(&s, first_visit);
	if (error == NULL)
		error = boot_info_set_initrd(out, s.initrd_start, s.initrd_end - s.initrd_start);
	if (error == NULL)
		error = boot_info_seal(out);
	if (error == NULL)
		error = boot_info_reserve(out, (uintptr_t)fdt, s.tree.size);
	uint64_t start, size;
	for (uint32_t k = 0; error == NULL && fdt_reserved(&s.tree, k, &start, &size); k++)
		error = boot_info_reserve(out, start, size);
	if (error == NULL)
		error = scan_walk(&s, second_visit);
	if (error == NULL && out->timebase_hz == 0)
		error = boot_error("device tree: no timebase-frequency, the clock's rate in Hz expected");
	if (error == NULL)
		error = boot_info_check(out);
	return error;
}
