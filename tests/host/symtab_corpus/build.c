/* Builds and loads the images (see build.h). */
#include "tests/host/symtab_corpus/build.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/crc32.h"
#include "kernel/symtab.h"
#include "kernel/symtab_format.h"

enum { IMAGES_MAX = 16 };

#define SOURCES "tests/host/symtab_corpus/"

static const char flags_all[] = "-std=gnu11 -O2 -g -ffunction-sections -fno-stack-protector "
				"-fno-asynchronous-unwind-tables -static -nostdlib -Wl,--build-id=sha1 "
				"-Wl,-T," SOURCES "image.ld";
static const char flags_riscv64[] = "-march=rv64gc -mabi=lp64d -mcmodel=medany";
static const char flags_x86_64[] = "-fno-pic -fno-pie -no-pie -fcf-protection=none -mno-red-zone";

static struct corpus images[IMAGES_MAX];
static unsigned n_images;
static char folder[] = "/tmp/symtab_corpus.XXXXXX";

static void run(const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	if (system(command) != 0) {
		printf("Bail out! failed: %s\n", command);
		exit(2);
	}
}

static const char *setting(const char *name, const char *otherwise)
{
	const char *value = getenv(name);
	return value != NULL && *value != '\0' ? value : otherwise;
}

static uint8_t *file_load(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		printf("Bail out! cannot read %s\n", path);
		exit(2);
	}
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	uint8_t *data = malloc(*size);
	*size = fread(data, 1, *size, f);
	fclose(f);
	return data;
}

static void image_load(struct corpus *c, const char *path)
{
	char table[640];
	snprintf(c->path, sizeof c->path, "%s", path);
	const char *tool = setting("SYMTAB_TOOL", "build/host/symtab");
	snprintf(table, sizeof table, "%s/table.bin", folder);
	run("%s %s -o %s 2>%s/warnings", tool, path, table, folder);
	c->table = file_load(table, &c->size);
	run("%s --all-rows %s -o %s 2>%s/warnings", tool, path, table, folder);
	c->table_all = file_load(table, &c->size_all);
	/* The build id is taken from the tool here; test_symtab.c compares it with readelf's. */
	memcpy(c->build_id, ((struct symtab_header *)(void *)c->table)->build_id, sizeof c->build_id);
	c->riscv = ((struct symtab_header *)(void *)c->table)->arch == SYMTAB_ARCH_RISCV64;
	elf_version(EV_CURRENT);
	c->elf = elf_begin(open(path, O_RDONLY), ELF_C_READ_MMAP, NULL);
}

static void folder_remove(void)
{
	run("rm -rf %s", folder);
}

static void images_build(void)
{
	if (mkdtemp(folder) == NULL) {
		printf("Bail out! no temporary folder\n");
		exit(2);
	}
	atexit(folder_remove);
	const struct {
		const char *name, *compiler, *flags;
	} targets[] = {
		{"riscv64", setting("RISCV64_CC", "riscv64-unknown-elf-gcc"), flags_riscv64},
		{"x86_64", setting("X86_64_CC", "x86_64-linux-gnu-gcc"), flags_x86_64},
	};
	for (int i = 0; i < 2; i++) {
		run("%s %s %s -fno-omit-frame-pointer -c " SOURCES "corpus.c -o %s/corpus.o",
		    targets[i].compiler, flags_all, targets[i].flags, folder);
		run("%s %s %s " SOURCES "entry_%s.S " SOURCES "other.c %s/corpus.o -lgcc -o %s/%s.elf",
		    targets[i].compiler, flags_all, targets[i].flags, targets[i].name, folder, folder,
		    targets[i].name);
		char path[128];
		snprintf(path, sizeof path, "%s/%s.elf", folder, targets[i].name);
		image_load(&images[n_images++], path);
	}
	char *given = strdup(setting("SYMTAB_IMAGES", ""));
	for (char *path = strtok(given, " "); path != NULL && n_images < IMAGES_MAX; path = strtok(NULL, " "))
		image_load(&images[n_images++], path);
	free(given);
}

struct corpus *corpus_get(unsigned i)
{
	if (n_images == 0)
		images_build();
	return i < n_images ? &images[i] : NULL;
}

struct corpus *corpus_variant(const char *flags)
{
	static struct corpus variant;
	static unsigned number;
	char path[128];
	corpus_get(0);
	snprintf(path, sizeof path, "%s/variant%u.elf", folder, number++);
	run("%s %s %s %s " SOURCES "entry_x86_64.S " SOURCES "other.c " SOURCES "corpus.c -lgcc -o %s",
	    setting("X86_64_CC", "x86_64-linux-gnu-gcc"), flags_all, flags_x86_64, flags, path);
	image_load(&variant, path);
	return &variant;
}

void corpus_use(const struct corpus *c, bool all_rows)
{
	const char *error = all_rows ? symtab_init(c->table_all, c->size_all, c->build_id)
				     : symtab_init(c->table, c->size, c->build_id);
	if (error != NULL) {
		printf("Bail out! %s: %s\n", c->path, error);
		exit(2);
	}
}

uint64_t corpus_symbol(const struct corpus *c, const char *name)
{
	Elf_Scn *scn = NULL;
	while ((scn = elf_nextscn(c->elf, scn)) != NULL) {
		GElf_Shdr sh;
		GElf_Sym sym;
		if (gelf_getshdr(scn, &sh) == NULL || sh.sh_type != SHT_SYMTAB)
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		for (int i = 0; gelf_getsym(data, i, &sym) != NULL; i++) {
			if (strcmp(elf_strptr(c->elf, sh.sh_link, sym.st_name), name) == 0)
				return sym.st_value;
		}
	}
	return 0;
}

void table_seal(uint8_t *table, size_t size)
{
	struct symtab_header *h = (void *)table;
	h->crc32 = 0;
	h->crc32 = crc32_update(0, table, size);
}
