/*
 * The device tree bindings that boot needs.
 *
 * Two walks. The first notes memory, harts and /chosen. Then the memory is sealed, and the second walk applies
 * what refers to the first and may stand before or behind it: /reserved-memory (to memory), devices (to the
 * console chosen), and the PLIC's interrupts-extended (to the harts' interrupt controllers).
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

/* Gives each entry of the node's "reg" to take(). */
static const char *__attribute__((noinline))
ranges_take(struct scan *s, const char *(*take)(struct boot_info *info, uint64_t start, uint64_t size))
{
	uint32_t n;
	const char *error = fdt_reg_count(&s->walk, &n);
	for (uint32_t i = 0; i < n && error == NULL; i++) {
		uint64_t start, size;
		fdt_reg(&s->walk, i, &start, &size);
		error = take(s->info, start, size);
	}
	return error;
}

/* Is name a whole part of the ISA string, such as rv64imafdc_zicsr_sstc, or of the list of extensions? */
static bool isa_has(const struct fdt_walk *w, const char *name)
{
	for (enum fdt_name prop = FDT_ISA; prop <= FDT_ISA_EXTENSIONS; prop++) {
		const char *p = fdt_string(w, prop);
		if (p == NULL)
			continue;
		for (const char *end = p + w->prop[prop].len; p < end;) {
			if (fdt_text_is(p, name, '_'))
				return true;
			while (*p != '\0' && *p != '_')
				p++;
			p++;
		}
	}
	return false;
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
	info->isa_sstc = isa_has(&s->walk, "sstc") && (first || info->isa_sstc);
	info->isa_sscofpmf = isa_has(&s->walk, "sscofpmf") && (first || info->isa_sscofpmf);
	if (info->timebase_hz == 0)
		fdt_number(&s->walk, FDT_TIMEBASE, &info->timebase_hz);
	return NULL;
}

static const char *intc_node(struct scan *s, const struct fdt_node *node)
{
	uint32_t cells = 1, phandle;
	static const char *const intc[] = {"riscv,cpu-intc"};
	if (s->hart == NULL || fdt_list_find(&s->walk, FDT_COMPATIBLE, intc, 1) < 0)
		return NULL;
	fdt_u32(&s->walk, FDT_INTERRUPT_CELLS, &cells);
	if (cells != 1)
		return boot_error("device tree: #interrupt-cells of '%s' is %u, 1 expected", node->name,
				  cells);
	if (fdt_u32(&s->walk, FDT_PHANDLE, &phandle))
		s->intc[s->hart - s->info->hart] = phandle;
	return NULL;
}

/* The console's node name, from a path such as "/soc/serial@10000000:115200"; aliases are not followed. */
static const char *console_name(const char *path)
{
	const char *name = NULL;
	if (path == NULL || path[0] != '/')
		return NULL;
	for (; *path != '\0' && *path != ':'; path++) {
		if (*path == '/')
			name = path + 1;
	}
	return name;
}

static const char *chosen_node(struct scan *s)
{
	const struct fdt_walk *w = &s->walk;
	const char *text = fdt_string(w, FDT_BOOTARGS);
	if (text != NULL) {
		size_t n = strlen(text);
		if (n >= BOOT_CMDLINE_MAX)
			return boot_error("command line: %lu characters, at most %u expected", (uint64_t)n,
					  (unsigned)BOOT_CMDLINE_MAX - 1);
		memcpy(s->info->cmdline, text, n + 1);
	} else if (w->prop[FDT_BOOTARGS].len > 0) {
		return boot_error("device tree: bootargs does not end in NUL");
	}

	if (w->prop[FDT_INITRD_START].data != NULL || w->prop[FDT_INITRD_END].data != NULL) {
		if (!fdt_number(w, FDT_INITRD_START, &s->initrd_start) ||
		    !fdt_number(w, FDT_INITRD_END, &s->initrd_end))
			return boot_error(
				"device tree: linux,initrd-start and -end expected as 1 or 2 cells each");
		if (s->initrd_end < s->initrd_start)
			return boot_error("device tree: linux,initrd-end %#lx lies before its start %#lx",
					  s->initrd_end, s->initrd_start);
	}
	s->console = console_name(fdt_string(w, FDT_STDOUT_PATH));
	return NULL;
}

/* The number of a node's first interrupt, 0 when it has none. */
static uint32_t irq_number(const struct scan *s)
{
	const struct fdt_prop *irq = &s->walk.prop[FDT_INTERRUPTS];
	const struct fdt_prop *extended = &s->walk.prop[FDT_INTERRUPTS_EXTENDED];
	if (irq->len >= 4)
		return fdt_cell(irq->data);
	return extended->len >= 8 ? fdt_cell(extended->data + 4) : 0;
}

static const char *uart_node(struct scan *s, const struct fdt_node *node, uint64_t base)
{
	uint32_t shift = 0;
	struct boot_uart *uart = &s->info->uart;
	if (fdt_u32(&s->walk, FDT_REG_SHIFT, &shift) && shift > 3)
		return boot_error("device tree: reg-shift of '%s' is %u, 0 to 3 expected", node->name, shift);
	*uart = (struct boot_uart){.base = base, .irq = irq_number(s), .reg_shift = (uint8_t)shift};
	return NULL;
}

static void plic_contexts(struct scan *s)
{
	const struct fdt_prop *p = &s->walk.prop[FDT_INTERRUPTS_EXTENDED];
	for (uint32_t k = 0; k < p->len / 8; k++) {
		uint32_t phandle = fdt_cell(p->data + 8 * k), irq = fdt_cell(p->data + 8 * k + 4);
		for (uint32_t h = 0; h < s->info->n_harts && irq == IRQ_S_EXT; h++) {
			if (s->intc[h] == phandle && phandle != 0)
				s->info->hart[h].plic_context = k;
		}
	}
}

static const char *device_node(struct scan *s, const struct fdt_node *node)
{
	enum { UART, TEST, RTC, VIRTIO, PLIC, PLIC_SIFIVE, DEVICES };
	static const char *const compatible[DEVICES] = {
		[UART] = "ns16550a",      [TEST] = "sifive,test0", [RTC] = "google,goldfish-rtc",
		[VIRTIO] = "virtio,mmio", [PLIC] = "riscv,plic0",  [PLIC_SIFIVE] = "sifive,plic-1.0.0"};
	struct boot_info *info = s->info;
	int device = fdt_list_find(&s->walk, FDT_COMPATIBLE, compatible, DEVICES);
	if (device < 0)
		return NULL;
	uint64_t *base = &info->plic_base;
	bool console = false;
	if (device == UART) {
		base = &info->uart.base;
		console = s->console != NULL && fdt_text_is(s->console, node->name, ':');
	} else if (device == TEST) {
		base = &info->sifive_test_base;
	} else if (device == RTC) {
		base = &info->rtc_base;
	} else if (device == VIRTIO) {
		if (info->n_virtio == BOOT_VIRTIO_MAX)
			return NULL;
		base = &info->virtio[info->n_virtio].base;
	}
	if (*base != 0 && !console)
		return NULL;

	uint32_t n;
	uint64_t address, size;
	const char *error = fdt_reg_count(&s->walk, &n);
	if (error != NULL)
		return error;
	if (n == 0)
		return boot_error("device tree: '%s' has no reg, its address expected", node->name);
	if (node[-1].translated)
		return boot_error(
			"device tree: '%s' lies behind address translation, an empty ranges expected",
			node->name);
	fdt_reg(&s->walk, 0, &address, &size);
	if (device == UART)
		return uart_node(s, node, address);
	*base = address;
	if (device == VIRTIO)
		info->virtio[info->n_virtio++].irq = irq_number(s);
	if (device >= PLIC)
		plic_contexts(s);
	return NULL;
}

/* Memory, harts and what the firmware chose. */
static const char *first_visit(struct scan *s, const struct fdt_node *node)
{
	const struct fdt_walk *w = &s->walk;
	if (w->depth == 1) {
		if (fdt_node_is(node, "memory"))
			return ranges_take(s, boot_info_add_ram);
		if (fdt_node_is(node, "chosen"))
			return chosen_node(s);
		if (fdt_node_is(node, "cpus"))
			fdt_number(w, FDT_TIMEBASE, &s->info->timebase_hz);
	} else if (w->depth > 1 && fdt_node_is(&w->path[1], "cpus") && fdt_node_is(&w->path[2], "cpu")) {
		if (w->depth == 2)
			return cpu_node(s, node);
		if (w->depth == 3)
			return intc_node(s, node);
	}
	return NULL;
}

/* What needs the first: reservations, devices, the PLIC's lines to the harts. */
static const char *second_visit(struct scan *s, const struct fdt_node *node)
{
	const struct fdt_walk *w = &s->walk;
	if (w->depth == 2 && fdt_node_is(&w->path[1], "reserved-memory"))
		return ranges_take(s, boot_info_reserve);
	return w->depth > 0 ? device_node(s, node) : NULL;
}

/* Not inlined, as every line of it would be translated twice. */
static const char *__attribute__((noinline))
scan_walk(struct scan *s, const char *(*visit)(struct scan *s, const struct fdt_node *node))
{
	const struct fdt_node *node;
	const char *error = NULL;
	fdt_walk_start(&s->walk, &s->tree);
	while (error == NULL && (node = fdt_walk_next(&s->walk)) != NULL) {
		if (!node->disabled)
			error = visit(s, node);
	}
	return error != NULL ? error : s->walk.error;
}

const char *fdt_boot_info(const void *fdt, size_t limit, uint64_t boot_hart, struct boot_info *out)
{
	struct scan s = {.info = out};
	boot_info_init(out, boot_hart);
	const char *error = fdt_open(&s.tree, fdt, limit);
	if (error != NULL)
		return error;
	out->fdt = fdt;
	out->fdt_size = s.tree.size;
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
