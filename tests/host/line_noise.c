/*
 * line-noise: a serial line that is not what it should be. Connects to 127.0.0.1:TARGET, serves one client on 127.0.0.1:LISTEN, and passes bytes
 * on both ways; of those to the client one in EVERY is flipped, dropped or doubled, of those to the machine one in 4 EVERY (0: none), the first
 * CLEAN bytes to the client excepted. For tests/e2e/test-resend.sh.
 *
 *	line-noise LISTEN TARGET SEED EVERY CLEAN
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/hbdump/write_all.h"

static uint64_t state;
static unsigned long counts[3];

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct sockaddr_in at(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static int fail(const char *what)
{
	fprintf(stderr, "line-noise: %s: %s\n", what, strerror(errno));
	return 1;
}

/* One piece from one side to the other; false at the end. */
static int pass(int from, int to, uint64_t every, uint64_t *clean)
{
	char in[4096], out[2 * sizeof in];
	size_t k = 0;
	ssize_t n = read(from, in, sizeof in);
	if (n <= 0)
		return 0;
	for (ssize_t i = 0; i < n; i++) {
		unsigned what = 3;
		if (*clean > 0)
			--*clean;
		else if (every > 0 && draw() % every == 0)
			what = (unsigned)(draw() % 3);
		if (what < 3)
			counts[what]++;
		if (what == 0)
			out[k++] = (char)(in[i] ^ (1 << draw() % 8));
		else if (what != 1)
			out[k++] = in[i];
		if (what == 2)
			out[k++] = in[i];
	}
	return write_all(to, out, k);
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: line-noise LISTEN TARGET SEED EVERY CLEAN\n");
		return 2;
	}
	struct sockaddr_in here = at(argv[1]), there = at(argv[2]);
	uint64_t every = strtoull(argv[4], NULL, 10), clean = strtoull(argv[5], NULL, 10), none = 0;
	int on = 1, l = socket(AF_INET, SOCK_STREAM, 0), machine = -1;
	state = strtoull(argv[3], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (l < 0 || bind(l, (struct sockaddr *)&here, sizeof here) != 0 || listen(l, 1) != 0)
		return fail("cannot listen");
	int client = accept(l, NULL, NULL);
	if (client < 0)
		return fail("cannot accept");
	for (int i = 0; i < 300; i++) { /* until the machine is there */
		machine = socket(AF_INET, SOCK_STREAM, 0);
		if (machine < 0 || connect(machine, (struct sockaddr *)&there, sizeof there) == 0)
			break;
		close(machine);
		machine = -1;
		poll(NULL, 0, 100);
	}
	if (machine < 0)
		return fail("cannot connect");
	for (;;) {
		struct pollfd p[2] = {{.fd = machine, .events = POLLIN}, {.fd = client, .events = POLLIN}};
		if (poll(p, 2, -1) < 0)
			return fail("cannot wait");
		if (p[0].revents != 0 && !pass(machine, client, every, &clean))
			break;
		if (p[1].revents != 0 && !pass(client, machine, every * 4, &none))
			break;
	}
	printf("line-noise: %lu flipped, %lu dropped, %lu doubled\n", counts[0], counts[1], counts[2]);
	return 0;
}
