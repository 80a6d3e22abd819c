/* Writes all of it, however many pieces a socket or a pipe takes it in. */
#ifndef HBDUMP_WRITE_ALL_H
#define HBDUMP_WRITE_ALL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* False, and errno: an error. */
static inline bool write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

#endif
