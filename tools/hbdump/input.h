/* Where a log comes from: a file, stdin, a terminal device in raw mode, a TCP or a Unix socket. */
#ifndef TOOLS_HBDUMP_INPUT_H
#define TOOLS_HBDUMP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct input {
	int fd;
	const char *name; /* for messages */
	uint64_t size;    /* of a regular file, else 0 */
	bool writable;    /* the machine can be spoken to */
	bool raw;         /* a terminal whose settings input_close() restores */
	/* where it came from, to open it again */
	bool socket; /* HOST:PORT */
	unsigned baud;
};

/* Whether a serial device can be set to that speed. */
bool input_baud_known(unsigned baud);

/* Opens a path, or stdin for "-"; a terminal device is set to raw mode and baud. False after telling the user
 * why. */
bool input_open(struct input *in, const char *path, unsigned baud);

/* Connects to "HOST:PORT" or "[ADDRESS]:PORT". False after telling the user why. */
bool input_connect(struct input *in, const char *where);

/* Closes what has ended and opens it again, waiting until that is possible; false after a signal. Only for what can be opened twice. */
bool input_reopen(struct input *in);

/* The same for the first time: `where` is HOST:PORT if socket, else a path. False after a signal, or after telling the user that it never
 * can be opened. */
bool input_await(struct input *in, const char *where, bool socket, unsigned baud);

enum { INPUT_QUIET = -2 };

/*
 * Waits for input and reads up to size bytes. Returns the bytes, INPUT_QUIET when it is writable and nothing came for a while, 0 at the end or after a signal that
 * input_signals() caught, -1 after telling the user of an error. An error of a device whose other side is
 * gone is the end.
 */
ssize_t input_read(struct input *in, char *buffer, size_t size);

/* Sends n bytes to the machine, as far as they are taken without a wait of more than a moment. */
void input_write(struct input *in, const char *data, size_t n);

/* From now on SIGINT, SIGTERM and SIGHUP, unless they were ignored, end the input; the third ends the
 * program. */
void input_signals(void);

void input_close(struct input *in);

#endif
