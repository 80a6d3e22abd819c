/* Files that are blocks of memory (see store_memory.h). One memory at a time. */
#include "tests/host/store_memory.h"

#include <stdlib.h>
#include <string.h>

static struct memory *memory;

static void *memory_create(void *ctx, const char *token)
{
	(void)ctx;
	(void)token;
	struct memory_file *f = calloc(1, sizeof *f);
	memory->n_live += f != NULL;
	return f;
}

static void memory_resize(struct memory_file *f, size_t size)
{
	uint8_t *data = realloc(f->data, size > 0 ? size : 1);
	if (data == NULL)
		abort();
	if (size > f->size)
		memset(data + f->size, 0, size - f->size);
	f->data = data;
	f->size = size;
}

static bool memory_write(void *file, uint64_t at, const void *data, size_t size)
{
	struct memory_file *f = file;
	if (memory->fail_writes)
		return false;
	if (at + size > f->size)
		memory_resize(f, at + size);
	memcpy(f->data + at, data, size);
	return true;
}

static bool memory_read(void *file, uint64_t at, void *data, size_t size)
{
	struct memory_file *f = file;
	if (at + size > f->size)
		return false;
	memcpy(data, f->data + at, size);
	return true;
}

static void memory_discard(void *file)
{
	struct memory_file *f = file;
	memory->n_live--;
	free(f->data);
	free(f);
}

static bool memory_commit(void *file, const char *name, uint64_t size)
{
	struct memory_file *f = file;
	if (memory->n_files == MEMORY_FILES_MAX) {
		memory_discard(f);
		return false;
	}
	memory_resize(f, size);
	strcpy(f->name, name);
	memory->files[memory->n_files++] = f;
	memory->n_live--;
	return true;
}

static int memory_compare(void *ctx, const char *name, uint64_t at, const void *data, size_t size)
{
	const struct memory_file *f = memory_find(ctx, name);
	if (f == NULL || at + size > f->size)
		return -1;
	return memcmp(f->data + at, data, size) == 0;
}

void memory_init(struct memory *m, struct store_files *files)
{
	*m = (struct memory){0};
	memory = m;
	*files = (struct store_files){
		.ctx = m,
		.create = memory_create,
		.write = memory_write,
		.read = memory_read,
		.commit = memory_commit,
		.discard = memory_discard,
		.compare = memory_compare,
	};
}

const struct memory_file *memory_find(const struct memory *m, const char *name)
{
	for (int i = 0; i < m->n_files; i++)
		if (strcmp(m->files[i]->name, name) == 0)
			return m->files[i];
	return NULL;
}

void memory_free(struct memory *m)
{
	for (int i = 0; i < m->n_files; i++) {
		free(m->files[i]->data);
		free(m->files[i]);
	}
	m->n_files = 0;
}
