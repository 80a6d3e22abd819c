/* The page: its parts, which are part of this program, with the tree between them (see flame.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/hbdump/flame.h"
#include "tools/hbdump/gunzip.h"

enum { FILE_MAX = 1 << 28 }; /* bytes of a profile, packed or not */

/* A file of the tree as bytes with a 0 behind; the build runs in its root. */
#define EMBED(name, file)                                                                        \
	__asm__(".pushsection .rodata\n" #name ":\n.incbin \"" file "\"\n.byte 0\n.popsection"); \
	extern const char name[]

EMBED(flame_html, "tools/hbdump/flame.html");
EMBED(flame_css, "tools/hbdump/flame.css");
EMBED(flame_script, "tools/hbdump/flame.js");
EMBED(flame_view, "tools/hbdump/flame_view.js");

/* The marks of flame.html, each once and in this order. */
static const char *const marks[] = {"@STYLE@", "@DATA@", "@SCRIPT@"};

void flame_page_write(const struct flame *f, const char *name, FILE *to)
{
	const char *at = flame_html;
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		const char *mark = strstr(at, marks[i]);
		if (mark == NULL)
			abort();
		fwrite(at, 1, (size_t)(mark - at), to);
		at = mark + strlen(marks[i]);
		if (i == 0) {
			fputs(flame_css, to);
		} else if (i == 1) {
			flame_json_write(f, name, to);
		} else {
			fputs(flame_script, to);
			fputs(flame_view, to);
		}
	}
	fputs(at, to);
}

static bool say(const char *path, const char *what)
{
	fprintf(stderr, "hbdump: %s: %s\n", path, what);
	return false;
}

/* The whole file at path, to be freed; NULL after telling the user why. */
static uint8_t *file_read(const char *path, size_t *n)
{
	struct stat st;
	FILE *from = fopen(path, "rb");
	uint8_t *data = NULL;
	if (from == NULL || fstat(fileno(from), &st) != 0) {
		say(path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		say(path, "is not a file: expected a profile, such as cpu.pb.gz");
	} else if (st.st_size > FILE_MAX) {
		say(path, "has more than 256 MiB: expected a profile, such as cpu.pb.gz");
	} else if ((data = malloc((size_t)st.st_size + 1)) == NULL) {
		say(path, "out of memory");
	} else {
		*n = fread(data, 1, (size_t)st.st_size, from);
		if (ferror(from)) {
			say(path, strerror(errno));
			free(data);
			data = NULL;
		}
	}
	if (from != NULL)
		fclose(from);
	return data;
}

/* The file beside the profile, to be freed. */
static char *out_name(const char *path)
{
	size_t n = strlen(path);
	char *name = malloc(n + sizeof ".html");
	if (name == NULL)
		return NULL;
	if (n > 6 && strcmp(path + n - 6, ".pb.gz") == 0)
		n -= 6;
	memcpy(name, path, n);
	strcpy(name + n, ".html");
	return name;
}

/* Writes to a hidden file beside out, which gets its name when it is whole. */
static bool page_store(const struct flame *f, const char *name, const char *out)
{
	char *temp;
	const char *slash = strrchr(out, '/');
	int folder = slash == NULL ? 0 : (int)(slash + 1 - out);
	if (asprintf(&temp, "%.*s.hbdump-%ld-%s", folder, out, (long)getpid(), out + folder) < 0)
		return say(out, "out of memory");
	FILE *to = fopen(temp, "wb");
	bool good = to != NULL;
	if (good) {
		flame_page_write(f, name, to);
		good = !ferror(to);
		good = fclose(to) == 0 && good && rename(temp, out) == 0;
		if (!good)
			unlink(temp);
	}
	free(temp);
	return good || say(out, strerror(errno));
}

static bool page_make(const struct profile *p, const char *path, const char *out)
{
	struct flame f;
	const char *large = flame_fold(&f, p), *slash = strrchr(path, '/'),
		   *name = slash == NULL ? path : slash + 1;
	bool good = large == NULL || say(path, large);
	if (good && strcmp(out, "-") == 0) {
		flame_page_write(&f, name, stdout);
		good = fflush(stdout) == 0 && !ferror(stdout);
		if (!good)
			say("standard output", strerror(errno));
	} else if (good) {
		good = page_store(&f, name, out);
	}
	flame_free(&f);
	return good;
}

bool flame_run(const char *path, const char *out)
{
	struct profile p;
	size_t n = 0, n_packed = 0;
	uint8_t *data = NULL, *packed = file_read(path, &n_packed);
	if (packed == NULL)
		return false;
	const char *wrong = gunzip(packed, n_packed, FILE_MAX, &data, &n);
	free(packed);
	if (wrong != NULL)
		return say(path, wrong);
	bool good = profile_read(&p, data, n);
	if (!good)
		fprintf(stderr, "hbdump: %s: is not a profile: %s\n", path, p.error);
	char *beside = good && out == NULL ? out_name(path) : NULL;
	if (good)
		good = out != NULL || beside != NULL ? page_make(&p, path, out != NULL ? out : beside)
						     : say(path, "out of memory");
	free(beside);
	profile_free(&p);
	free(data);
	return good;
}
