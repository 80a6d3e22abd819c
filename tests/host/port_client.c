/*
 * port-client: clients of the live port that behave badly, or in large numbers. For tests/e2e/test-ports.sh. Prints one line that says how it
 * went; status 0: as it should be.
 *
 *	port-client get PORT PATH N		N clients one after another
 *	port-client split PORT PATH		a client for each place where the request can be cut in two
 *	port-client slow PORT PATH MS		a byte each MS milliseconds
 *	port-client junk PORT BYTES SEED	random bytes, one client; what comes back is not looked at
 *	port-client feed PORT BYTES SEED	the same, and how long it took until the guest had all of them, for tools/bench
 *	port-client vanish PORT N SEED		N clients that leave in the middle of a request, an answer or junk, or three at once; after each one that stays
 *	port-client stall PORT N PID SEED	the same, while QEMU, process PID, is stopped now and then
 *	port-client half PORT N SEED		the same, of a request only
 *	port-client flood PORT N SEED		the same, of junk
 *	port-client storm PORT SECONDS		one who has a profile made for so long, while others come and go at the next port as fast as they can
 *	port-client lost PORT 0			four ports: clients come and go at the last one while the machine, tests/live with deaf=1000, stands still, so
 *						that it is not told of all that happens at the others
 *
 * A request has ANSWER_MS to be answered. The first one that is not ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/hbdump/write_all.h"

#define OWN_PATH "/debug/pprof/cmdline"

enum { ANSWER_MS = 20000, CLOSE_MS = 120000, TEXT = 1 << 20, JUNK = 40000 };

static int port;
static pid_t stopped; /* a process that is, by us, or 0 */
static char text[TEXT + 1];
static char why[160];
static char own[256];       /* what the one who stays is to get; nobody who vanishes asks for it */
static unsigned long again; /* times that he was asked to send it again */
static long answer_ms = ANSWER_MS;
/* Who stays behind his whole answer may be asked to send his request again (prof/serve/serve.c, rule 5). */
static int doubted;

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int dial(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		fprintf(stderr, "port-client: cannot connect: %s\n", strerror(errno));
		exit(2);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

/* Leaves without a word: RST. */
static void cut(int fd)
{
	struct linger l = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	close(fd);
}

static int request(char *to, size_t size, const char *path)
{
	return snprintf(to, size, "GET %s HTTP/1.1\r\nHost: test\r\nUser-Agent: port-client\r\n\r\n", path);
}

/* Reads an answer to its length; 200 and whole, or a reason in why. */
static int answered(int fd)
{
	size_t n = 0, want = 0;
	long end = now_ms() + answer_ms;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		long left = end - now_ms();
		if (left <= 0 || poll(&p, 1, (int)left) <= 0) {
			snprintf(why, sizeof why, "no answer: %zu bytes: %.60s", n, text);
			return 0;
		}
		ssize_t got = read(fd, text + n, TEXT - n);
		if (got <= 0) {
			snprintf(why, sizeof why, "closed after %zu bytes", n);
			return 0;
		}
		n += (size_t)got;
		text[n] = '\0';
		const char *length = strstr(text, "Content-Length: "), *body = strstr(text, "\r\n\r\n");
		if (length == NULL || body == NULL)
			continue;
		want = (size_t)(body + 4 - text) + strtoull(length + 16, NULL, 10);
		if (n >= want)
			break;
	}
	if (doubted && n > want && strncmp(text + want, "HTTP/1.1 503 ", 13) == 0) {
		n = want;
		text[n] = '\0';
	}
	if (n == want && strncmp(text, "HTTP/1.1 200 ", 13) == 0)
		return 1;
	const char *blank = strstr(text, "\r\n\r\n");
	snprintf(why, sizeof why, "%zu bytes of %zu: %.30s ... %.80s", n, want, text,
		 blank != NULL ? blank + 4 : "");
	return 0;
}

static int whole(const char *path)
{
	char r[512];
	int fd = dial();
	int ok = write_all(fd, r, (size_t)request(r, sizeof r, path)) && answered(fd);
	close(fd);
	return ok;
}

static int say(const char *what, unsigned long good, unsigned long all)
{
	printf("port-client: %s: %lu of %lu were answered%s%s\n", what, good, all,
	       why[0] ? "; the last one not: " : "", why);
	return good == all ? 0 : 1;
}

static uint64_t state;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int split(const char *path)
{
	char r[512];
	size_t n = (size_t)request(r, sizeof r, path);
	unsigned long good = 0;
	for (size_t at = 1; at < n && good == at - 1; at++) {
		int fd = dial();
		write_all(fd, r, at);
		poll(NULL, 0, 2);
		good += write_all(fd, r + at, n - at) && answered(fd);
		close(fd);
	}
	return say("cut in two", good, n - 1);
}

static int slow(const char *path, int ms)
{
	char r[512];
	size_t n = (size_t)request(r, sizeof r, path);
	int fd = dial();
	for (size_t i = 0; i < n; i++) {
		write_all(fd, r + i, 1);
		poll(NULL, 0, ms);
	}
	int good = answered(fd);
	close(fd);
	return say("slow", (unsigned long)good, 1);
}

/* Sends so many random bytes, as far as they are taken. How many were. */
static unsigned long send_junk(int fd, unsigned long bytes)
{
	char piece[4096];
	unsigned long sent = 0;
	while (sent < bytes) {
		struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
		if (poll(&p, 1, ANSWER_MS) <= 0) {
			snprintf(why, sizeof why, ", then stuck");
			break;
		}
		if ((p.revents & POLLIN) != 0 && read(fd, text, TEXT) <= 0)
			break;
		if ((p.revents & POLLOUT) == 0)
			continue;
		size_t n = bytes - sent < sizeof piece ? bytes - sent : sizeof piece;
		for (size_t i = 0; i < n; i++)
			piece[i] = (char)(draw() >> 32);
		ssize_t done = send(fd, piece, n, MSG_DONTWAIT);
		sent += done > 0 ? (unsigned long)done : 0;
	}
	return sent;
}

/* Until the guest's side has read to the end and closes. */
static int closed_behind(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	shutdown(fd, SHUT_WR);
	while (poll(&p, 1, CLOSE_MS) > 0)
		if (read(fd, text, TEXT) <= 0)
			return 1;
	snprintf(why, sizeof why, ", then never closed");
	return 0;
}

/* all: what waits in between counts until the guest has it. */
static int junk(const char *what, unsigned long bytes, int all)
{
	int fd = dial();
	long start = now_ms();
	unsigned long sent = send_junk(fd, bytes);
	int good = sent == bytes && (!all || closed_behind(fd));
	long ms = now_ms() - start;
	close(fd);
	printf("port-client: %s: %lu bytes taken%s, %.3f MB/s\n", what, sent, why,
	       (double)sent / 1e3 / (double)(ms > 0 ? ms : 1));
	return good ? 0 : 1;
}

/*
 * Clients that leave in the middle of a request, or of an answer, in front of one that stays. With a pid, that process is stopped now and
 * then while they come and go: then the guest sees all of them at once, and what they sent.
 */
struct crowd {
	unsigned long times;
	int answers;   /* some leave in the middle of an answer, or of junk: */
	unsigned one;  /* one in so many */
	pid_t pid;     /* of QEMU, or 0 */
	unsigned stop; /* it is stopped at this step of a round, */
	unsigned go;   /* and goes on at this one */
	unsigned step;
	int junk; /* some of the round sent junk */
};

static void pause_ms(unsigned ms)
{
	if (ms > 0)
		poll(NULL, 0, (int)ms);
}

static void go_on(void)
{
	if (stopped > 0)
		kill(stopped, SIGCONT);
	stopped = 0;
}

/* A step of a round: what is to happen to the other process here does. */
static void step(struct crowd *c)
{
	if (c->pid > 0 && c->step == c->stop && kill(c->pid, SIGSTOP) == 0)
		stopped = c->pid;
	if (c->step == c->go)
		go_on();
	c->step++;
}

static void one_vanishes(struct crowd *c)
{
	static const char *const paths[] = {"/metrics", "/debug/pprof/", "/debug/pprof/goroutine?debug=2",
					    "/no"};
	char r[512];
	size_t n = (size_t)request(r, sizeof r, paths[draw() % 4]);
	int fd = dial();
	step(c);
	int junk = c->one > 0 && draw() % c->one == 0;
	c->junk |= junk;
	if (junk) { /* more than is listened to, maybe behind a request; its last bytes are one, or random */
		char large[512];
		if (draw() % 2 == 0)
			write_all(
				fd, large,
				(size_t)request(large, sizeof large, "/debug/pprof/flame?profile=goroutine"));
		send_junk(fd, JUNK + draw() % 5000);
		if (draw() % 2 == 0)
			write_all(fd, r, n);
	} else { /* two in three in the middle of the request, the others in the middle of the answer */
		write_all(fd, r, draw() % 3 != 0 || !c->answers ? 1 + draw() % (n - 1) : n);
	}
	step(c);
	if (draw() % 2 == 0)
		pause_ms(draw() % 8); /* an answer begins some 2 ms after its request */
	if (draw() % 4 == 0)
		cut(fd);
	else
		close(fd);
	step(c);
}

static int one_stays(struct crowd *c)
{
	char r[512];
	size_t n = (size_t)request(r, sizeof r, OWN_PATH), part = draw() % 4 == 0 ? 1 + draw() % (n - 1) : 0;
	int fd = dial();
	step(c);
	if (c->pid > 0 && draw() % 16 == 0) { /* who has connected may wait before he asks */
		go_on();
		pause_ms(400);
	}
	int ok = write_all(fd, r, part);
	if (part > 0)
		pause_ms(draw() % 3);
	ok = ok && write_all(fd, r + part, n - part);
	step(c);
	ok = ok && answered(fd);
	if (!ok && c->junk && strncmp(text, "HTTP/1.1 503 ", 13) == 0) {
		why[0] = '\0';
		again++;
		close(fd);
		fd = dial();
		ok = write_all(fd, r, n) && answered(fd);
	}
	if (ok && strcmp(strstr(text, "\r\n\r\n"), own) != 0) {
		snprintf(why, sizeof why, "the answer to another request: %.80s",
			 strstr(text, "\r\n\r\n") + 4);
		ok = 0;
	}
	close(fd);
	return ok;
}

static int vanish(struct crowd *c)
{
	unsigned long good = 0;
	if (!whole(OWN_PATH))
		return say("before any vanished", 0, 1);
	snprintf(own, sizeof own, "%s", strstr(text, "\r\n\r\n"));
	for (unsigned long i = 0; i < c->times && good == i; i++) {
		/* two can wait to be let in: no more come while QEMU is stopped */
		unsigned more = c->answers ? draw() % 3 : 0;
		c->step = 0;
		c->junk = 0;
		c->stop = more == 0 ? draw() % 4 : UINT32_MAX;
		c->go = more == 0 ? c->stop + 1 + draw() % (4 - c->stop) : UINT32_MAX;
		for (; more > 0; more--)
			one_vanishes(c);
		one_vanishes(c);
		good += (unsigned long)one_stays(c);
	}
	if (again > 0)
		printf("port-client: %lu were asked to send their request again, after junk\n", again);
	return say("after one that vanished", good, c->times);
}

/* ---- more comings and goings than the device can tell of ---- */

/* Who is not let in at once does not try for a second. */
static void come_and_go(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct pollfd p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .events = POLLOUT};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(p.fd, (struct sockaddr *)&a, sizeof a) != 0)
		poll(&p, 1, 20);
	close(p.fd);
	pause_ms(1);
}

/* His answer is whole, or he is told to send his request again. */
static int answered_or_503(int fd)
{
	if (answered(fd))
		return 1;
	if (strncmp(text, "HTTP/1.1 503 ", 13) != 0)
		return 0;
	why[0] = '\0';
	again++;
	return 1;
}

/* A process of those who come and go at one of the next ports. */
static pid_t others(int at)
{
	pid_t child = fork();
	if (child == 0) {
		for (int fd = 3; fd < 64; fd++) /* else a client of ours would stay when we close him */
			close(fd);
		for (port += at;;)
			come_and_go();
	}
	return child;
}

static void enough(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static int storm(unsigned seconds)
{
	char r[512], path[64];
	unsigned long good = 0;
	answer_ms += 1000L * seconds;
	doubted = 1;
	pid_t child = others(1);
	snprintf(path, sizeof path, "/debug/pprof/profile?seconds=%u", seconds);
	int fd = dial();
	good += (unsigned long)(write_all(fd, r, (size_t)request(r, sizeof r, path)) && answered_or_503(fd));
	close(fd);
	fd = dial();
	good += (unsigned long)(good == 1 && write_all(fd, r, (size_t)request(r, sizeof r, OWN_PATH)) &&
				answered_or_503(fd));
	close(fd);
	enough(child);
	for (int i = 0; i < 2 && good == 2u + (unsigned)i; i++, port++)
		good += (unsigned long)whole(OWN_PATH);
	if (again > 0)
		printf("port-client: %lu were asked to send their request again\n", again);
	return say("amid those who come and go", good, 4);
}

static int asks(int at, const char *path, size_t less)
{
	char r[512];
	int first = port;
	size_t n = (size_t)request(r, sizeof r, path);
	port += at;
	int fd = dial();
	port = first;
	write_all(fd, r, n - less);
	return fd;
}

/*
 * Four clients: one waits for a profile; one for another kind of profile, and goes when the machine has stood still, and another comes in his place;
 * one has sent half a request and sends no more; those at the last port come and go. The first gets his profile. Nobody gets another's answer, or none.
 */
static int lost(void)
{
	unsigned long good = 0;
	if (!whole(OWN_PATH))
		return say("before any were lost", 0, 1);
	snprintf(own, sizeof own, "%s", strstr(text, "\r\n\r\n"));
	int waits = asks(0, "/debug/pprof/profile?seconds=4", 0),
	    goes = asks(1, "/debug/pprof/wall?seconds=4", 0), half = asks(2, OWN_PATH, 20);
	long start = now_ms();
	pause_ms(500);
	doubted = 1;
	pid_t child = others(3);
	while (now_ms() - start < 1500)
		pause_ms(10);
	cut(goes);
	int comes = asks(1, OWN_PATH, 0);
	good += (unsigned long)(answered_or_503(comes) &&
				(text[9] == '5' || strcmp(strstr(text, "\r\n\r\n"), own) == 0));
	good += (unsigned long)(good == 1 && answered_or_503(half) && text[9] == '5');
	good += (unsigned long)(good == 2 && now_ms() - start < 10000 && answered(waits));
	enough(child);
	close(comes);
	close(half);
	close(waits);
	for (int i = 0; i < 4 && good == 3u + (unsigned)i; i++, port++)
		good += (unsigned long)whole(OWN_PATH);
	return say("when some were lost", good, 7);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	atexit(go_on);
	if (argc < 4) {
		fprintf(stderr, "usage: port-client "
				"get|split|slow|junk|feed|vanish|stall|half|flood|storm|lost PORT ...\n");
		return 2;
	}
	port = atoi(argv[2]);
	state = UINT64_C(0x9e3779b97f4a7c15) ^ strtoull(argv[argc - 1], NULL, 10);
	if (strcmp(argv[1], "split") == 0)
		return split(argv[3]);
	if (strcmp(argv[1], "slow") == 0 && argc == 5)
		return slow(argv[3], atoi(argv[4]));
	if (strcmp(argv[1], "junk") == 0 && argc == 5)
		return junk(argv[1], strtoul(argv[3], NULL, 10), 0);
	if (strcmp(argv[1], "feed") == 0 && argc == 5)
		return junk(argv[1], strtoul(argv[3], NULL, 10), 1);
	if (strcmp(argv[1], "vanish") == 0 && argc == 5)
		return vanish(&(struct crowd){.times = strtoul(argv[3], NULL, 10), .answers = 1, .one = 8});
	if (strcmp(argv[1], "flood") == 0 && argc == 5)
		return vanish(&(struct crowd){.times = strtoul(argv[3], NULL, 10), .one = 1});
	if (strcmp(argv[1], "half") == 0 && argc == 5)
		return vanish(&(struct crowd){.times = strtoul(argv[3], NULL, 10)});
	if (strcmp(argv[1], "stall") == 0 && argc == 6)
		return vanish(&(struct crowd){.times = strtoul(argv[3], NULL, 10),
					      .answers = 1,
					      .one = 8,
					      .pid = (pid_t)atoi(argv[4])});
	if (strcmp(argv[1], "storm") == 0 && argc == 4)
		return storm((unsigned)atoi(argv[3]));
	if (strcmp(argv[1], "lost") == 0)
		return lost();
	if (strcmp(argv[1], "get") != 0 || argc != 5)
		return 2;
	unsigned long good = 0, n = strtoul(argv[4], NULL, 10);
	long start = now_ms();
	for (unsigned long i = 0; i < n && good == i; i++)
		good += (unsigned long)whole(argv[3]);
	long ms = now_ms() - start;
	if (n == 1 && why[0] == '\0')
		printf("port-client: %zu bytes in %ld ms\n", strlen(text), ms);
	return say("one after another", good, n);
}
