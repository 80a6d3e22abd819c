/*
 * The other side of the line for tests of the host reader:
 *
 *	frame_tool frame NONCE NUMBER NAME   stdin as a dump, by the kernel's own writer, to stdout
 *	frame_tool serve FILE [PORT]         prints a free TCP port, sends FILE to the first who connects, and ends
 *	frame_tool pty FILE                  prints the name of a terminal, sends FILE once a reader has made it raw, and hangs up
 *	                                     when all was read
 *	frame_tool tick FILE TEXT ANSWER...  prints a free TCP port, sends FILE, and then a line of text every 100 ms; sends an ANSWER, a
 *	                                     file, for each request that has TEXT in it, and ends after the last
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "kernel/framing.h"

enum { WAIT_STEP_US = 20000, WAIT_STEPS = 500, TICK_MS = 100 };

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void line_out(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	fwrite(text, 1, len, stdout);
}

static int frame(char **argv)
{
	struct frame_stream s;
	static char block[65536];
	uint32_t nonce = (uint32_t)strtoul(argv[0], NULL, 16), number = (uint32_t)strtoul(argv[1], NULL, 10);
	if (!frame_stream_begin(&s, nonce, number, argv[2], line_out, NULL)) {
		fprintf(stderr, "frame_tool: not a name: %s\n", argv[2]);
		return 2;
	}
	for (size_t n; (n = fread(block, 1, sizeof block, stdin)) > 0;)
		frame_stream_write(&s, block, n);
	frame_stream_end(&s);
	return fflush(stdout) != 0;
}

static void send_file(int to, const char *name)
{
	static char block[65536];
	int from = open(name, O_RDONLY);
	if (from < 0)
		die(name);
	for (ssize_t n; (n = read(from, block, sizeof block)) > 0;)
		for (ssize_t at = 0, w; at < n; at += w)
			if ((w = write(to, block + at, (size_t)(n - at))) < 0)
				die("write");
}

/* One client of a port, which is printed; 0: any that is free. */
static int client(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				.sin_port = htons((uint16_t)port)};
	int yes = 1;
	socklen_t len = sizeof a;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
	    bind(s, (struct sockaddr *)&a, sizeof a) != 0 || listen(s, 1) != 0 ||
	    getsockname(s, (struct sockaddr *)&a, &len) != 0)
		die("socket");
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	alarm(WAIT_STEPS * WAIT_STEP_US / 1000000);
	int c = accept(s, NULL, NULL);
	if (c < 0)
		die("accept");
	return c;
}

static int serve(const char *name, int port)
{
	send_file(client(port), name);
	return 0;
}

/* Whether the next byte of c ends a request with text in it; what has come of it is kept in line. */
static int requested(int c, const char *text, char *line, size_t size)
{
	size_t n = strlen(line);
	char b;
	if (read(c, &b, 1) != 1)
		die("read");
	if (b != '\r') {
		if (n < size - 1)
			line[n] = b;
		return 0;
	}
	int found = strstr(line, text) != NULL;
	memset(line, 0, size);
	return found;
}

static int tick(const char *name, const char *text, char **answers)
{
	static const char said[] = "tick\n";
	char line[256] = "";
	int c = client(0);
	send_file(c, name);
	while (*answers != NULL) {
		struct pollfd p = {.fd = c, .events = POLLIN};
		if (poll(&p, 1, TICK_MS) == 0) {
			if (write(c, said, sizeof said - 1) < 0)
				die("write");
		} else if (requested(c, text, line, sizeof line)) {
			send_file(c, *answers++);
		}
	}
	return 0;
}

static int pty(const char *name)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY);
	if (m < 0 || grantpt(m) != 0 || unlockpt(m) != 0)
		die("pty");
	int s = open(ptsname(m), O_RDWR | O_NOCTTY);
	if (s < 0)
		die("pty");
	printf("%s\n", ptsname(m));
	fflush(stdout);
	struct termios t;
	int steps = 0;
	do {
		usleep(WAIT_STEP_US);
		if (tcgetattr(s, &t) != 0 || steps++ == WAIT_STEPS)
			die("pty: nobody made it raw");
	} while ((t.c_lflag & ICANON) != 0);
	alarm(WAIT_STEPS * WAIT_STEP_US / 1000000);
	send_file(m, name);
	for (int quiet = 0, held; quiet < 5; quiet = held == 0 ? quiet + 1 : 0) {
		usleep(WAIT_STEP_US);
		if (ioctl(s, FIONREAD, &held) != 0)
			die("pty");
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "frame") == 0)
		return frame(argv + 2);
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argc == 4 ? atoi(argv[3]) : 0);
	if (argc == 3 && strcmp(argv[1], "pty") == 0)
		return pty(argv[2]);
	if (argc >= 5 && strcmp(argv[1], "tick") == 0)
		return tick(argv[2], argv[3], argv + 4);
	fprintf(stderr,
		"usage: frame_tool frame NONCE NUMBER NAME | serve FILE [PORT] | pty FILE | tick FILE TEXT "
		"ANSWER...\n");
	return 2;
}
