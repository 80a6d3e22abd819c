/* Temporary files with a write-behind buffer each, and their rename (see files.h). */
#include "tools/hbdump/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUFFER_SIZE = 65536,
	TEMP_MAX = 64,
};

struct disk_file {
	int fd;
	uint64_t at; /* where buffer[] belongs */
	size_t held; /* bytes in buffer[] that are not in the file */
	char temp[TEMP_MAX];
	uint8_t buffer[BUFFER_SIZE];
};

/* The one folder of this program, and the committed file that was compared with last. */
static struct {
	int fd;
	bool keep;
	const char *name;
	int compare_fd;
	char compare_name[STORE_NAME_MAX];
} folder = {.fd = -1, .compare_fd = -1};

static bool folder_error(const char *what)
{
	fprintf(stderr, "hbdump: %s: %s: %s\n", folder.name, what, strerror(errno));
	return false;
}

static bool write_fully(int fd, const uint8_t *data, size_t size, uint64_t at)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

static bool file_flush(struct disk_file *f)
{
	if (f->held > 0 && !write_fully(f->fd, f->buffer, f->held, f->at))
		return folder_error("cannot write a dump");
	f->held = 0;
	return true;
}

static void *disk_create(void *ctx, const char *token)
{
	(void)ctx;
	struct disk_file *f = calloc(1, sizeof *f);
	if (f == NULL) {
		fprintf(stderr, "hbdump: out of memory\n");
		return NULL;
	}
	int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	snprintf(f->temp, sizeof f->temp, ".hbdump-%ld-%s", (long)getpid(), token);
	f->fd = openat(folder.fd, f->temp, flags, 0666);
	if (f->fd < 0 && errno == EEXIST && unlinkat(folder.fd, f->temp, 0) == 0) /* of a dead reader */
		f->fd = openat(folder.fd, f->temp, flags, 0666);
	if (f->fd < 0) {
		folder_error("cannot make a temporary file");
		free(f);
		return NULL;
	}
	if (!folder.keep)
		unlinkat(folder.fd, f->temp, 0);
	return f;
}

static bool disk_write(void *file, uint64_t at, const void *data, size_t size)
{
	struct disk_file *f = file;
	if ((f->held > 0 && at != f->at + f->held) || size > sizeof f->buffer - f->held)
		if (!file_flush(f))
			return false;
	if (f->held == 0)
		f->at = at;
	memcpy(f->buffer + f->held, data, size);
	f->held += size;
	return true;
}

static bool read_fully(int fd, uint64_t at, uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = pread(fd, data, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

static bool disk_read(void *file, uint64_t at, void *data, size_t size)
{
	struct disk_file *f = file;
	if (!file_flush(f))
		return false;
	if (!read_fully(f->fd, at, data, size))
		return folder_error("cannot read a temporary file back");
	return true;
}

static void disk_discard(void *file)
{
	struct disk_file *f = file;
	close(f->fd);
	if (folder.keep)
		unlinkat(folder.fd, f->temp, 0);
	free(f);
}

static bool disk_commit(void *file, const char *name, uint64_t size)
{
	struct disk_file *f = file;
	if (!file_flush(f)) {
		disk_discard(f);
		return false;
	}
	if (ftruncate(f->fd, (off_t)size) != 0 ||
	    (folder.keep && renameat(folder.fd, f->temp, folder.fd, name) != 0)) {
		folder_error(name);
		disk_discard(f);
		return false;
	}
	bool closed = close(f->fd) == 0;
	free(f);
	return closed ? true : folder_error(name);
}

static int disk_compare(void *ctx, const char *name, uint64_t at, const void *data, size_t size)
{
	(void)ctx;
	uint8_t block[FRAME_DATA_MAX];
	if (!folder.keep || size > sizeof block)
		return -1;
	if (folder.compare_fd < 0 || strcmp(folder.compare_name, name) != 0) {
		if (folder.compare_fd >= 0)
			close(folder.compare_fd);
		folder.compare_fd = openat(folder.fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		snprintf(folder.compare_name, sizeof folder.compare_name, "%s", name);
	}
	if (folder.compare_fd < 0 || !read_fully(folder.compare_fd, at, block, size))
		return -1;
	return memcmp(block, data, size) == 0;
}

/* Makes the folder and its parents; those that are there are fine. */
static bool folder_make(const char *path)
{
	char part[4096];
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof part) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return false;
	}
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0777) != 0 && errno != EEXIST)
			return false;
	}
	return true;
}

bool files_open(struct store_files *files, const char *name, bool keep)
{
	const char *temp = getenv("TMPDIR");
	if (!keep)
		name = temp != NULL && temp[0] != '\0' ? temp : "/tmp";
	folder.name = name;
	folder.keep = keep;
	if (keep && !folder_make(name))
		return folder_error("cannot make the folder");
	folder.fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder.fd < 0)
		return folder_error("cannot open the folder");
	*files = (struct store_files){
		.create = disk_create,
		.write = disk_write,
		.read = disk_read,
		.commit = disk_commit,
		.discard = disk_discard,
		.compare = disk_compare,
	};
	return true;
}

void files_close(void)
{
	if (folder.compare_fd >= 0)
		close(folder.compare_fd);
	if (folder.fd >= 0)
		close(folder.fd);
	folder.compare_fd = folder.fd = -1;
}
