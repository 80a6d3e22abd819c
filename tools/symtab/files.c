/* Normal form of file names. */
#include "tools/symtab/files.h"

#include <string.h>

#include "tools/symtab/buffer.h"
#include "tools/symtab/strings.h"

static const char **prefixes;
static size_t n_prefixes;

void files_strip(const char *prefix)
{
	ARRAY_ROOM(prefixes, n_prefixes);
	prefixes[n_prefixes++] = prefix;
}

/* Copies `path` to `out` without empty, "." and ".." parts as far as they can be resolved. */
static void path_clean(const char *path, char *out)
{
	size_t n = 0, floor = 0; /* floor: what ".." must not remove */
	if (*path == '/')
		out[n++] = '/';
	floor = n;
	while (*path) {
		size_t len = strcspn(path, "/");
		if (len == 2 && memcmp(path, "..", 2) == 0 && n > floor) {
			while (n > floor && out[--n] != '/')
				;
			if (n < floor)
				n = floor;
		} else if (len == 2 && memcmp(path, "..", 2) == 0 && floor == 0) {
			memcpy(out + n, "../", 3);
			n = floor = n + 3;
		} else if (len > 0 && !(len == 1 && *path == '.') &&
			   !(len == 2 && memcmp(path, "..", 2) == 0)) {
			if (n > floor)
				out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
		path += *path == '/';
	}
	out[n] = '\0';
}

const char *files_name(const char *path)
{
	if (path == NULL)
		return NULL;
	char *clean = grow(NULL, strlen(path) + 4, 1);
	path_clean(path, clean);
	size_t skip = 0;
	for (size_t i = 0; i < n_prefixes; i++) {
		size_t len = strlen(prefixes[i]);
		if (strncmp(clean, prefixes[i], len) == 0 && len > skip && clean[len] != '\0')
			skip = len;
	}
	return strings_intern(clean + skip);
}
