/* Opening, waiting and reading; signals end the input (see input.h). */
#include "tools/hbdump/input.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum {
	WAIT_MS = 200,      /* a signal that comes just before the wait is seen after it */
	SIGNALS_MAX = 3,    /* timeout(1) sends two at once, to the process and to its group */
	SIGNALS_STATUS = 2, /* exit status then */
	HOST_MAX = 256,     /* of a name, with terminator */
};

static volatile sig_atomic_t stop; /* signals that came */
static bool waiting;               /* for what is not there yet: that is no error */
static struct termios saved_termios;

static bool input_error(const struct input *in, const char *what)
{
	if (!waiting)
		fprintf(stderr, "hbdump: %s: %s: %s\n", in->name, what, strerror(errno));
	return false;
}

static bool baud_code(unsigned baud, speed_t *code)
{
	static const struct {
		unsigned baud;
		speed_t code;
	} table[] = {
		{1200, B1200},       {2400, B2400},       {4800, B4800},       {9600, B9600},
		{19200, B19200},     {38400, B38400},     {57600, B57600},     {115200, B115200},
		{230400, B230400},   {460800, B460800},   {500000, B500000},   {576000, B576000},
		{921600, B921600},   {1000000, B1000000}, {1500000, B1500000}, {2000000, B2000000},
		{3000000, B3000000}, {4000000, B4000000},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (table[i].baud == baud) {
			*code = table[i].code;
			return true;
		}
	}
	return false;
}

bool input_baud_known(unsigned baud)
{
	speed_t code;
	return baud_code(baud, &code);
}

static bool tty_raw(struct input *in, unsigned baud)
{
	struct termios t;
	speed_t code;
	if (!baud_code(baud, &code)) {
		errno = EINVAL;
		return input_error(in, "cannot set the speed");
	}
	if (tcgetattr(in->fd, &t) != 0)
		return input_error(in, "cannot read the terminal's settings");
	saved_termios = t;
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (cfsetspeed(&t, code) != 0 || tcsetattr(in->fd, TCSANOW, &t) != 0)
		return input_error(in, "cannot set the terminal up");
	in->raw = true;
	return true;
}

static bool connect_unix(struct input *in, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof a.sun_path) {
		errno = ENAMETOOLONG;
		return input_error(in, "cannot connect");
	}
	strcpy(a.sun_path, path);
	in->writable = true;
	in->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (in->fd < 0 || connect(in->fd, (struct sockaddr *)&a, sizeof a) != 0)
		return input_error(in, "cannot connect");
	return true;
}

bool input_open(struct input *in, const char *path, unsigned baud)
{
	struct stat st;
	*in = (struct input){.fd = STDIN_FILENO, .name = "stdin", .baud = baud};
	if (strcmp(path, "-") == 0)
		return true;
	in->name = path;
	if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		return connect_unix(in, path);
	if (stat(path, &st) == 0 && S_ISCHR(st.st_mode))
		in->fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	else
		in->fd = -1;
	in->writable = in->fd >= 0 && isatty(in->fd);
	if (in->fd < 0)
		in->fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (in->fd < 0)
		return input_error(in, "cannot open");
	if (fstat(in->fd, &st) != 0)
		return input_error(in, "cannot open");
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return input_error(in, "cannot read");
	}
	if (S_ISREG(st.st_mode))
		in->size = (uint64_t)st.st_size;
	return isatty(in->fd) ? tty_raw(in, baud) : true;
}

/* The port of "HOST:PORT", and its host without brackets; NULL after telling the user that it is none. */
static const char *address_read(const char *where, char *host, size_t size)
{
	const char *colon = strrchr(where, ':');
	size_t len = colon != NULL ? (size_t)(colon - where) : 0;
	const char *start = where;
	if (len >= 2 && where[0] == '[' && where[len - 1] == ']') {
		start++;
		len -= 2;
	}
	if (len == 0 || len >= size || colon[1] == '\0') {
		fprintf(stderr, "hbdump: --connect %s: expected HOST:PORT\n", where);
		return NULL;
	}
	memcpy(host, start, len);
	host[len] = '\0';
	return colon + 1;
}

bool input_connect(struct input *in, const char *where)
{
	char host[HOST_MAX];
	const char *port = address_read(where, host, sizeof host);
	*in = (struct input){.fd = -1, .name = where, .socket = true, .writable = true};
	if (port == NULL)
		return false;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	int error = getaddrinfo(host, port, &hints, &list);
	if (error != 0) {
		if (!waiting)
			fprintf(stderr, "hbdump: --connect %s: %s\n", where, gai_strerror(error));
		return false;
	}
	for (struct addrinfo *a = list; a != NULL && in->fd < 0; a = a->ai_next) {
		in->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (in->fd >= 0 && connect(in->fd, a->ai_addr, a->ai_addrlen) != 0) {
			int saved = errno;
			close(in->fd);
			in->fd = -1;
			errno = saved;
		}
	}
	freeaddrinfo(list);
	return in->fd >= 0 ? true : input_error(in, "cannot connect");
}

static void on_signal(int number)
{
	(void)number;
	stop = stop + 1;
	if (stop == SIGNALS_MAX)
		_exit(SIGNALS_STATUS);
}

void input_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal};
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct sigaction old;
		sigaction(numbers[i], NULL, &old);
		if (old.sa_handler != SIG_IGN) /* nohup, or a background job of a shell */
			sigaction(numbers[i], &sa, NULL);
	}
}

ssize_t input_read(struct input *in, char *buffer, size_t size)
{
	while (!stop) {
		struct pollfd p = {.fd = in->fd, .events = POLLIN};
		int ready = poll(&p, 1, WAIT_MS);
		if (ready == 0 && in->writable)
			return INPUT_QUIET;
		if (ready == 0 || (ready < 0 && errno == EINTR))
			continue;
		if (ready < 0) {
			input_error(in, "cannot wait for input");
			return -1;
		}
		ssize_t n = read(in->fd, buffer, size);
		if (n >= 0)
			return n;
		if ((errno == EIO && in->raw) ||
		    errno == ECONNRESET) /* the other side is gone, with a request unread */
			return 0;
		if (errno != EINTR && errno != EAGAIN) {
			input_error(in, "cannot read");
			return -1;
		}
	}
	return 0;
}

void input_write(struct input *in, const char *data, size_t n)
{
	while (n > 0 && !stop) {
		struct pollfd p = {.fd = in->fd, .events = POLLOUT};
		if (poll(&p, 1, WAIT_MS) <= 0)
			return;
		ssize_t done = write(in->fd, data, n);
		if (done <= 0)
			return;
		data += done;
		n -= (size_t)done;
	}
}

void input_close(struct input *in)
{
	if (in->raw)
		tcsetattr(in->fd, TCSANOW, &saved_termios);
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	in->fd = -1;
	in->raw = false;
}

/* Tries until it is there. A failed try is quiet, but for one line that says what is waited for. */
static bool await(struct input *in)
{
	const char *where = in->name;
	bool socket = in->socket, said = false;
	unsigned baud = in->baud;
	while (!stop) {
		waiting = true;
		bool open = socket ? input_connect(in, where) : input_open(in, where, baud);
		waiting = false;
		if (open)
			return true;
		input_close(in);
		in->name = where;
		if (!said)
			fprintf(stderr, "hbdump: %s: not there yet, waiting\n", where);
		said = true;
		poll(NULL, 0, WAIT_MS);
	}
	return false;
}

bool input_reopen(struct input *in)
{
	input_close(in);
	poll(NULL, 0, WAIT_MS); /* who hangs up at once must not make this program busy */
	return await(in);
}

bool input_await(struct input *in, const char *where, bool socket, unsigned baud)
{
	char host[HOST_MAX];
	if (socket && address_read(where, host, sizeof host) == NULL)
		return false;
	*in = (struct input){.fd = -1, .name = where, .socket = socket, .baud = baud};
	return await(in);
}
