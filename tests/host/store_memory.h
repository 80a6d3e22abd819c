/* A place for dumps in memory: the store's files for host tests and fuzzing. */
#ifndef TESTS_HOST_STORE_MEMORY_H
#define TESTS_HOST_STORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/hbdump/store.h"

enum { MEMORY_FILES_MAX = 256 };

struct memory_file {
	char name[STORE_NAME_MAX]; /* "" until committed */
	uint8_t *data;
	size_t size;
};

struct memory {
	struct memory_file *files[MEMORY_FILES_MAX]; /* committed, in order */
	int n_files;
	int n_live; /* temporary files not yet committed or discarded */
	bool fail_writes;
};

/* Fills *files so that dumps land in m, which starts empty. */
void memory_init(struct memory *m, struct store_files *files);

/* The committed file of that name, or NULL. */
const struct memory_file *memory_find(const struct memory *m, const char *name);

void memory_free(struct memory *m);

#endif
