/* hbdump --flame: a profile is read as strictly as it can be, and put into the page as it came (see flame.h). */
#define _GNU_SOURCE
#include "tools/hbdump/flame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/base64.h"
#include "prof/page/flame_page.h"
#include "tools/hbdump/gunzip.h"

enum {
	FILE_MAX = 1 << 28, /* bytes of a profile, packed or not */
	PIECE = 3 << 10,    /* encoded at once; a multiple of 3 */
};

/* A profile as it came. */
struct file {
	const char *path;
	uint8_t *data;
	size_t n;
};

_Static_assert(BASE64_SIZE(PIECE) >= FLAME_NAME_SIZE, "a name fits in the same buffer");

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

const char *flame_too_large(const struct profile *p)
{
	uint64_t frames = 0;
	for (size_t i = 0; i < p->n_samples; i++) {
		const struct profile_sample *s = &p->samples[i];
		size_t depth = 0;
		for (size_t k = 0; k < s->n_locations; k++) {
			size_t n = p->locations[p->stack[s->location + k]].n_lines;
			depth += n == 0 ? 1 : n;
			frames += n + 1;
			if (depth > FLAME_DEPTH_MAX)
				return "has a stack of more than 4096 frames";
			if (frames > FLAME_FRAMES_MAX)
				return "has too many frames: expected at most 100 million";
		}
	}
	return NULL;
}

/* Errors stay in the stream. */
static void page_write(const struct file *f, FILE *to)
{
	char text[BASE64_SIZE(PIECE)];
	const char *slash = strrchr(f->path, '/');
	flame_page_name(text, slash == NULL ? f->path : slash + 1);
	fprintf(to, "%s%s\n", flame_page_head, text);
	for (size_t at = 0; at < f->n; at += PIECE)
		fwrite(text, 1, base64_encode(text, f->data + at, f->n - at < PIECE ? f->n - at : PIECE), to);
	fprintf(to, "\n%s", flame_page_tail);
}

/* Writes to a hidden file beside out, which gets its name when it is whole. */
static bool page_store(const struct file *f, const char *out)
{
	char *temp;
	const char *slash = strrchr(out, '/');
	int folder = slash == NULL ? 0 : (int)(slash + 1 - out);
	if (asprintf(&temp, "%.*s.hbdump-%ld-%s", folder, out, (long)getpid(), out + folder) < 0)
		return say(out, "out of memory");
	FILE *to = fopen(temp, "wb");
	bool good = to != NULL;
	if (good) {
		page_write(f, to);
		good = !ferror(to);
		good = fclose(to) == 0 && good && rename(temp, out) == 0;
		if (!good)
			unlink(temp);
	}
	free(temp);
	return good || say(out, strerror(errno));
}

static bool page_make(const struct file *f, const char *out)
{
	if (strcmp(out, "-") != 0)
		return page_store(f, out);
	page_write(f, stdout);
	return (fflush(stdout) == 0 && !ferror(stdout)) || say("standard output", strerror(errno));
}

/* Whether it is a profile that the page can take. */
static bool profile_good(const struct file *f)
{
	struct profile p;
	size_t n;
	uint8_t *data;
	const char *wrong = gunzip(f->data, f->n, FILE_MAX, &data, &n);
	if (wrong != NULL)
		return say(f->path, wrong);
	bool good = profile_read(&p, data, n);
	if (!good)
		fprintf(stderr, "hbdump: %s: is not a profile: %s\n", f->path, p.error);
	else if ((wrong = flame_too_large(&p)) != NULL)
		good = say(f->path, wrong);
	profile_free(&p);
	free(data);
	return good;
}

bool flame_run(const char *path, const char *out)
{
	struct file f = {.path = path};
	f.data = file_read(path, &f.n);
	bool good = f.data != NULL && profile_good(&f);
	char *beside = good && out == NULL ? out_name(path) : NULL;
	if (good)
		good = out != NULL || beside != NULL ? page_make(&f, out != NULL ? out : beside)
						     : say(path, "out of memory");
	free(beside);
	free(f.data);
	return good;
}
