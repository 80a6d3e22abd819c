/* The device tree reader and its bindings: what virt says, what other machines may say, and what a damaged
 * tree says. */
#include "boot/fdt.h"
#include "boot/fdt_info.h"
#include "tests/host/boot_sane.h"
#include "tests/host/check.h"
#include "tests/host/check_error.h"
#include "tests/host/fdt_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct boot_info info;

static const char *parse_blob(uint8_t *blob, size_t size, uint64_t boot_hart)
{
	const char *error = fdt_boot_info(blob, size, boot_hart, &info);
	if (error == NULL && boot_insane(&info) != NULL)
		error = boot_insane(&info);
	free(blob);
	return error;
}

static const char *parse(const struct machine *m, uint64_t boot_hart)
{
	size_t size;
	uint8_t *blob = machine_blob(m, &size);
	return parse_blob(blob, size, boot_hart);
}

static bool usable(uint64_t addr)
{
	for (uint32_t i = 0; i < info.n_ram; i++) {
		if (addr >= info.ram[i].start && addr < info.ram[i].end)
			return true;
	}
	return false;
}

TEST(fdt_virt_is_read_whole)
{
	struct machine m = machine_virt();
	CHECK_FINE(parse(&m, 2));
	CHECK_EQ(info.ram_total, 0x40000000);
	CHECK_EQ(info.n_ram, 2);
	CHECK_EQ(info.ram[0].start, 0x80060000);
	CHECK_EQ(info.ram[0].end, 0x88200000);
	CHECK_EQ(info.ram[1].start, 0x88201000);
	CHECK_EQ(info.ram[1].end, 0xc0000000);
	CHECK_EQ(info.n_harts, 4);
	CHECK_EQ(info.boot_hart_id, 2);
	for (uint32_t k = 0; k < 4; k++) {
		CHECK_EQ(info.hart[k].id, k);
		CHECK_EQ(info.hart[k].plic_context, 2 * k + 1);
	}
	CHECK_STR(info.cmdline, "prof.hz=100 -- one two");
	CHECK_EQ(info.initrd_start, 0x88200000);
	CHECK_EQ(info.initrd_size, 0x123);
	CHECK_EQ(info.timebase_hz, 10000000);
	CHECK_EQ(info.uart.base, 0x10000000);
	CHECK_EQ(info.uart.irq, 10);
	CHECK_EQ(info.uart.reg_shift, 0);
	CHECK(!info.uart.is_port);
	CHECK(info.isa_sstc);
	CHECK(!info.isa_sscofpmf);
	CHECK_EQ(info.sifive_test_base, 0x100000);
	CHECK_EQ(info.rtc_base, 0x101000);
	CHECK_EQ(info.plic_base, 0xc000000);
	CHECK_STR(info.warning, "");
}

TEST(fdt_cells_of_the_parent_count)
{
	for (unsigned a = 1; a <= 2; a++) {
		for (unsigned s = 1; s <= 2; s++) {
			for (unsigned cpu = 1; cpu <= 2; cpu++) {
				struct machine m = machine_virt();
				m.root_a = a;
				m.root_s = s;
				m.cpu_a = cpu;
				CHECK_FINE(parse(&m, 0));
				CHECK_EQ(info.ram_total, 0x40000000);
				CHECK_EQ(info.n_harts, 4);
				CHECK_EQ(info.plic_base, 0xc000000);
			}
		}
	}
	struct machine m = machine_virt();
	m.root_a = 3;
	CHECK_HAS(parse(&m, 0), "#address-cells of '' is 3, 1 or 2 expected");
	m = machine_virt();
	m.root_s = 3;
	CHECK_HAS(parse(&m, 0), "#size-cells of '' is 3, 0 to 2 expected");
	m = machine_virt();
	m.cpu_a = 3;
	CHECK_HAS(parse(&m, 0), "#address-cells of 'cpus' is 3");
}

TEST(fdt_missing_cells_are_two_and_one)
{
	static struct fdt_builder b;
	memset(&b, 0, sizeof b);
	fdt_begin(&b, "");
	fdt_begin(&b, "memory");
	const uint64_t pair[2] = {0x180000000, 0x10000000};
	fdt_add_reg(&b, pair, 1, 2, 1);
	fdt_end(&b);
	fdt_begin(&b, "cpus");
	fdt_add_cell(&b, "#size-cells", 0);
	fdt_add_cell(&b, "timebase-frequency", 1000);
	fdt_begin(&b, "cpu@5");
	const uint64_t id[2] = {5, 0};
	fdt_add_reg(&b, id, 1, 2, 0);
	fdt_end(&b);
	fdt_end(&b);
	fdt_end(&b);
	fdt_token(&b, 9);
	size_t size;
	uint8_t *blob = fdt_blob(&b, &size);
	CHECK_FINE(parse_blob(blob, size, 5));
	CHECK_EQ(info.ram[0].start, 0x180000000);
	CHECK_EQ(info.uart.base, 0);
}

TEST(fdt_harts_may_be_sparse)
{
	struct machine m = machine_virt();
	const uint32_t ids[4] = {7, 0, 31, 2};
	memcpy(m.hart, ids, sizeof ids);
	m.plic_first = 1;
	CHECK_FINE(parse(&m, 31));
	for (uint32_t k = 0; k < 4; k++) {
		CHECK_EQ(info.hart[k].id, ids[k]);
		CHECK_EQ(info.hart[k].plic_context, 2 * k + 1);
	}
	CHECK_HAS(parse(&m, 1), "boot hart 1: expected among the 4 enabled harts");
	m.hart[3] = 7;
	CHECK_HAS(parse(&m, 7), "hart 7: listed twice");
}

TEST(fdt_plic_contexts_are_places_in_the_list)
{
	struct machine m = machine_virt();
	m.disabled = 1 << 0;   /* a monitor hart as on real boards: listed, not ours */
	m.no_s_entry = 1 << 0; /* with a machine entry only */
	m.no_m_entry = 1 << 2;
	CHECK_FINE(parse(&m, 1));
	CHECK_EQ(info.n_harts, 3);
	CHECK_EQ(info.hart[0].id, 1);
	CHECK_EQ(info.hart[0].plic_context, 2); /* M0 M1 S1 S2 M3 S3 */
	CHECK_EQ(info.hart[1].plic_context, 3);
	CHECK_EQ(info.hart[2].plic_context, 5);
	m.no_s_entry = 1 << 3;
	CHECK_FINE(parse(&m, 1));
	CHECK_EQ(info.hart[2].plic_context, BOOT_NO_CONTEXT);
	CHECK_HAS(parse(&m, 0), "boot hart 0");
}

TEST(fdt_harts_beyond_the_table_are_ignored_aloud)
{
	struct machine m = machine_virt();
	m.n_harts = HART_MAX + 1;
	for (uint32_t k = 0; k < m.n_harts; k++)
		m.hart[k] = 3 * k;
	CHECK_FINE(parse(&m, 3));
	CHECK_EQ(info.n_harts, HART_MAX);
	CHECK_EQ(info.harts_ignored, 1);
	CHECK_EQ(info.hart[31].id, 93);
	CHECK_STR(info.warning, "more than 32 harts: the others are ignored");
	CHECK_FINE(parse(&m, 96)); /* the boot hart is the one too many: it is kept */
	CHECK_EQ(info.n_harts, HART_MAX);
	CHECK_EQ(info.hart[31].id, 96);
	CHECK_EQ(info.hart[31].plic_context, 65);
}

TEST(fdt_isa_extensions_are_whole_words)
{
	struct machine m = machine_virt();
	m.isa = "rv64imafdc_sstcx_xsstc_sscofpmf";
	CHECK_FINE(parse(&m, 0));
	CHECK(!info.isa_sstc);
	CHECK(info.isa_sscofpmf);
	m.isa = "rv64imafdc_sstc";
	m.isa_last = "rv64imafdc";
	CHECK_FINE(parse(&m, 0));
	CHECK(!info.isa_sstc); /* one hart lacks it */
	m.isa = "rv64imafdc";
	m.isa_last = "rv64imafdc_sstc";
	CHECK_FINE(parse(&m, 0));
	CHECK(!info.isa_sstc); /* all but one lack it */
	m.isa = m.isa_last = NULL;
	CHECK_FINE(parse(&m, 0));
	CHECK(!info.isa_sstc);
	m.extensions = "i|m|sstc|sscofpmf";
	CHECK_FINE(parse(&m, 0));
	CHECK(info.isa_sstc);
	CHECK(info.isa_sscofpmf);
}

TEST(fdt_memory_may_come_in_pieces_that_overlap)
{
	struct machine m = machine_virt();
	/* the last three meet inside a page, before and behind what is there */
	const uint64_t pieces[] = {0x80000000, 0x8000000,  0x87000000, 0x2000000,  0x91000800,
				   0x800,      0x90000000, 0x1000800,  0x91001000, 0x1000};
	memcpy(m.memory, pieces, sizeof pieces);
	m.n_memory = 5;
	m.memory2[0] = 0x100000800;
	m.memory2[1] = 0x2000;
	m.initrd_start = 0x87fff000; /* across the overlap */
	m.initrd_end = 0x88000801;
	CHECK_FINE(parse(&m, 0));
	CHECK_EQ(info.ram_total, 0x9000000 + 0x1002000 + 0x2000);
	CHECK_EQ(info.n_ram, 4);
	CHECK_EQ(info.ram[0].end, 0x87fff000);
	CHECK_EQ(info.ram[1].start, 0x88001000);
	CHECK_EQ(info.ram[1].end, 0x89000000);
	CHECK_EQ(info.ram[2].end, 0x91002000);
	CHECK_EQ(info.ram[3].start, 0x100001000);
	CHECK_EQ(info.ram[3].end, 0x100002000);
}

TEST(fdt_reservations_overlap_and_split)
{
	struct machine m = machine_virt();
	const uint64_t firmware[] = {0x80000000, 0x40000, 0x80020000, 0x40001,    0xa0000123,
				     1,          0,       0x1000,     0x90000000, 0};
	memcpy(m.firmware, firmware, sizeof firmware);
	m.n_firmware = 5;
	const uint64_t memrsv[] = {0xb0000000, 0x1000000, 0x88200000, 0x123, 0xbffff000, UINT64_MAX};
	memcpy(m.memrsv, memrsv, sizeof memrsv);
	m.n_memrsv = 6;
	CHECK_FINE(parse(&m, 0)); /* the initrd in the reservation block, as some loaders list it, is fine */
	CHECK_EQ(info.initrd_size, 0x123);
	CHECK_EQ(info.ram[0].start, 0x80061000);
	CHECK(!usable(0xa0000000) && !usable(0xa0000fff) && usable(0x9ffff000) && usable(0xa0001000));
	CHECK(!usable(0xb0000000) && !usable(0xb0ffffff) && usable(0xb1000000) && usable(0xafffffff));
	CHECK(!usable(0xbffff000) && usable(0xbfffefff) && usable(0x90000000));

	m.firmware[0] = 0;
	m.firmware[1] = UINT64_MAX;
	CHECK_HAS(parse(&m, 0), "memory: all 1073741824 bytes are reserved");
}

TEST(fdt_blob_itself_is_reserved)
{
	struct machine m = machine_virt();
	size_t size;
	m.memory2[1] = 0x200000;
	uint8_t *there = machine_blob(&m, &size);
	m.memory2[0] = (uintptr_t)there & ~UINT64_C(0xfffff); /* the tree's own memory */
	uint8_t *blob = machine_blob(&m, &size);
	memcpy(there, blob, size);
	free(blob);
	CHECK_FINE(fdt_boot_info(there, size, 0, &info));
	CHECK(!usable((uintptr_t)there) && !usable((uintptr_t)there + size - 1));
	CHECK(usable(m.memory2[0] + 0x1ff000));
	free(there);
}

TEST(fdt_too_many_ranges_is_an_error)
{
	struct machine m = machine_virt();
	m.n_firmware = 32;
	for (uint64_t i = 0; i < 32; i++) {
		m.firmware[2 * i] = 0x90000000 + i * 0x10000;
		m.firmware[2 * i + 1] = 0x1000;
	}
	CHECK_HAS(parse(&m, 0), "memory: more than 32 separate usable ranges");
	m.n_firmware = 0;
	m.initrd_start = m.initrd_end = 0;
	m.n_memory = 33;
	for (uint64_t i = 0; i < 33; i++) {
		m.memory[2 * i] = 0x80000000 + i * 0x10000;
		m.memory[2 * i + 1] = 0x8000;
	}
	CHECK_HAS(parse(&m, 0), "memory: more than 32 separate usable ranges");
	m.n_memory = 32;
	CHECK_FINE(parse(&m, 0));
	CHECK_EQ(info.n_ram, 32);
}

TEST(fdt_initrd_has_one_or_two_cells_and_lies_in_memory)
{
	struct machine m = machine_virt();
	m.memory2[0] = 0x200000000;
	m.memory2[1] = 0x10000000;
	m.initrd_cells = 2;
	m.initrd_start = 0x200000000;
	m.initrd_end = 0x208000001;
	CHECK_FINE(parse(&m, 0));
	CHECK_EQ(info.initrd_size, 0x8000001);
	CHECK(!usable(0x200000000) && !usable(0x208000fff) && usable(0x208001000));
	m.initrd_end = 0x210000001;
	CHECK_HAS(parse(&m, 0), "initrd at 0x200000000: 268435457 bytes expected inside memory");
	m.initrd_start = 0x40000000;
	m.initrd_end = 0x40001000;
	CHECK_HAS(parse(&m, 0), "initrd at 0x40000000");
	m.initrd_end = 0x30000000;
	CHECK_HAS(parse(&m, 0), "linux,initrd-end 0x30000000 lies before its start 0x40000000");
	m.initrd_end = m.initrd_start;
	CHECK_FINE(parse(&m, 0));
	CHECK_EQ(info.initrd_size, 0);
	m.initrd_cells = 0;
	CHECK_HAS(parse(&m, 0), "expected as 1 or 2 cells");
}

TEST(fdt_kernel_image_is_reserved_clear_of_the_initrd)
{
	struct machine m = machine_virt();
	CHECK_FINE(parse(&m, 0));
	CHECK_FINE(boot_info_reserve_image(&info, 0x80200000, 0x8000000));
	CHECK(!usable(0x80200000) && !usable(0x881fffff) && usable(0x801ff000));
	CHECK_HAS(boot_info_reserve_image(&info, 0x80200000, 0x8000001),
		  "initrd at 0x88200000: expected clear of the");
}

TEST(fdt_bootargs_may_be_absent_but_not_endless)
{
	struct machine m = machine_virt();
	m.bootargs = NULL;
	CHECK_FINE(parse(&m, 0));
	CHECK_STR(info.cmdline, "");
	static char text[BOOT_CMDLINE_MAX + 1];
	memset(text, 'a', sizeof text);
	text[BOOT_CMDLINE_MAX - 1] = '\0';
	m.bootargs = text;
	CHECK_FINE(parse(&m, 0));
	CHECK_EQ(strlen(info.cmdline), BOOT_CMDLINE_MAX - 1);
	text[BOOT_CMDLINE_MAX - 1] = 'a';
	text[BOOT_CMDLINE_MAX] = '\0';
	CHECK_HAS(parse(&m, 0), "command line: 4096 characters, at most 4095");
}

TEST(fdt_console_is_the_one_chosen)
{
	struct machine m = machine_virt();
	m.stdout_path = "/soc/serial@10010000:115200n8";
	CHECK_FINE(parse(&m, 0));
	CHECK_EQ(info.uart.base, 0x10010000);
	CHECK_EQ(info.uart.irq, 12);
	m.stdout_path = NULL;
	CHECK_FINE(parse(&m, 0));
	CHECK_EQ(info.uart.base, 0x10000000);
	m.stdout_path = "serial1"; /* an alias: the first serial port serves */
	CHECK_FINE(parse(&m, 0));
	CHECK_EQ(info.uart.base, 0x10000000);
}

TEST(fdt_what_is_needed_is_missed_by_name)
{
	struct machine m = machine_virt();
	m.n_harts = 0;
	CHECK_HAS(parse(&m, 0), "harts: the firmware lists none");
	m = machine_virt();
	m.disabled = 15;
	CHECK_HAS(parse(&m, 0), "harts: the firmware lists none");
	m = machine_virt();
	m.initrd_start = m.initrd_end = 0;
	m.n_memory = 0;
	CHECK_HAS(parse(&m, 0), "memory: the firmware reports none");
	m.memory[0] = 0;
	m.memory[1] = 0x1000;
	m.n_memory = 1;
	CHECK_HAS(parse(&m, 0), "memory: all 4096 bytes are reserved"); /* page 0 is never usable */
	m.memory[0] = UINT64_C(1) << 51;
	m.memory[1] = UINT64_C(1) << 63;
	CHECK_HAS(parse(&m, 0), "leads beyond");
	m.memory[0] = UINT64_MAX - 0x1000;
	CHECK_HAS(parse(&m, 0), "leads beyond");
	m = machine_virt();
	m.timebase = 0;
	CHECK_HAS(parse(&m, 0), "no timebase-frequency");
	m = machine_virt();
	m.translate = 1;
	CHECK_HAS(parse(&m, 0), "lies behind address translation");
}

/* One root node whose inside the caller writes. */
static const char *open_nodes(void (*fill)(struct fdt_builder *b))
{
	static struct fdt_builder b;
	struct fdt tree;
	size_t size;
	memset(&b, 0, sizeof b);
	fdt_begin(&b, "");
	fill(&b);
	fdt_end(&b);
	fdt_token(&b, 9);
	uint8_t *blob = fdt_blob(&b, &size);
	const char *error = fdt_open(&tree, blob, size);
	if (error == NULL) {
		struct fdt_walk walk;
		fdt_walk_start(&walk, &tree);
		while (fdt_walk_next(&walk) != NULL)
			;
		error = walk.error;
	}
	free(blob);
	return error;
}

static void fill_late_prop(struct fdt_builder *b)
{
	fdt_begin(b, "child");
	fdt_end(b);
	fdt_add_cell(b, "late", 1);
}

static void fill_deep(struct fdt_builder *b)
{
	for (int i = 0; i < 1000; i++)
		fdt_begin(b, "deep");
}

static void fill_odd_token(struct fdt_builder *b)
{
	fdt_token(b, 7);
}

static void fill_second_root(struct fdt_builder *b)
{
	fdt_end(b);
	fdt_begin(b, "again");
}

static void fill_early_done(struct fdt_builder *b)
{
	fdt_token(b, 9);
}

static void fill_nops(struct fdt_builder *b)
{
	fdt_token(b, 4);
	fdt_add_cell(b, "a", 1);
	fdt_token(b, 4);
	fdt_token(b, 4);
}

static void fill_escape(struct fdt_builder *b)
{
	fdt_begin(b, "child");
	fdt_end(b);
	fdt_add_cell(b, "\033[2J@hb", 1);
}

TEST(fdt_structure_errors_are_named)
{
	CHECK_FINE(open_nodes(fill_nops));
	CHECK_HAS(open_nodes(fill_late_prop), "property 'late' behind a child node");
	CHECK_HAS(open_nodes(fill_deep), "node 'deep' is nested deeper than 16 levels");
	CHECK_HAS(open_nodes(fill_odd_token), "token 7 at offset");
	CHECK_HAS(open_nodes(fill_second_root), "a second root node 'again'");
	CHECK_HAS(open_nodes(fill_early_done), "before the root node's end");
	CHECK_HAS(open_nodes(fill_escape),
		  "property '?[2J@hb' behind"); /* no control characters reach the terminal */
}

static void put_be32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

TEST(fdt_header_errors_are_named)
{
	static const struct {
		unsigned at;
		uint32_t value;
		const char *error;
	} cases[] = {
		{0, 0xd00dfeee, "starts with 0xd00dfeee, 0xd00dfeed expected"},
		{4, 0x7fffffff, "says it has 2147483647 bytes"},
		{4, 39, "says it has 39 bytes"},
		{8, 0xfffffffc, "structure of"},
		{12, 0xffffffff, "strings of"},
		{16, 0xfffffff8, "memory reservation block"},
		{20, 16, "version 16"},
		{24, 18, "compatible to 18"},
		{32, 0xffffffff, "strings of"},
		{36, 0xfffffffc, "structure of"},
		{36, 8, "without its end mark"},
	};
	struct machine m = machine_virt();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size;
		uint8_t *blob = machine_blob(&m, &size);
		put_be32(blob + cases[i].at, cases[i].value);
		CHECK_HAS(parse_blob(blob, size, 0), cases[i].error);
	}
	CHECK_HAS(fdt_boot_info(NULL, 0, 0, &info), "device tree: none");
	size_t size;
	uint8_t *blob = machine_blob(&m, &size);
	blob[size - 1] = 'x'; /* the strings block is last */
	CHECK_HAS(parse_blob(blob, size, 0), "or do not end");
}

TEST(fdt_every_truncation_is_refused)
{
	struct machine m = machine_virt();
	size_t size;
	uint8_t *whole = machine_blob(&m, &size);
	for (size_t n = 0; n < size; n++) {
		for (int honest = 0; honest < 2; honest++) {
			uint8_t *cut = malloc(n > 0 ? n : 1);
			memcpy(cut, whole, n);
			if (honest && n >= 8)
				put_be32(cut + 4, (uint32_t)n);
			CHECK(parse_blob(cut, n, 0) != NULL);
		}
	}
	free(whole);
}

TEST(fdt_every_flipped_byte_gives_an_error_or_sense)
{
	struct machine m = machine_virt();
	size_t size;
	uint8_t *whole = machine_blob(&m, &size), *copy = malloc(size);
	for (size_t at = 0; at < size; at++) {
		for (unsigned k = 0; k < 9; k++) {
			memcpy(copy, whole, size);
			copy[at] ^= (uint8_t)(k < 8 ? 1u << k : 0xff);
			if (fdt_boot_info(copy, size, 0, &info) == NULL && boot_insane(&info) != NULL)
				check_fail(__FILE__, __LINE__, "byte %zu, flip %u: %s", at, k,
					   boot_insane(&info));
		}
	}
	free(copy);
	free(whole);
}
