/*
 * What comes is held until it is clear where a request begins, so that who reads never gets bytes of two clients at once:
 *
 *	kernel/uart.c's ring -> held: "...rest of an old one | GET /..." -> line_read(), up to the bar
 *
 * 1. What one client did not take is not written once another has begun. Otherwise its answer would begin with the rest of an old one. What the
 *    device and the other side's buffers hold is out already: nobody can take it back.
 * 2. A pause ends a request that is not complete, and no other: a profile may take long. Otherwise half a request would be kept for ever, or
 *    a long answer never come.
 */
#include "kernel/uart_serial.h"

#include <string.h>

#include "kernel/clock.h"
#include "kernel/print.h"

enum { HELD = 64 };

static struct uart uart;
static struct serial line;
/* Of the goroutine that serves the line. */
static uint32_t last_epoch;
static bool here;      /* last_epoch's client, */
static bool delivered; /* of whom something was read, */
static bool asking;    /* and began as a request does, */
static bool complete;  /* and has a whole head: it gets its answer */
static uint32_t tail;  /* its last four bytes */
static uint64_t heard; /* ns: when the last byte came */
static char held[HELD];
static size_t n_held;

static void changed(void *ctx)
{
	(void)ctx;
	if (line.changed != NULL)
		line.changed(line.ctx);
}

enum match { MATCH_NONE, MATCH_PART, MATCH_WHOLE };

/* Whether a request begins at held[at], as far as it has come. */
static enum match begins(size_t at)
{
	static const char *const starts[] = {"GET /", "HEAD /"};
	enum match best = MATCH_NONE;
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		size_t len = strlen(starts[i]), n = n_held - at < len ? n_held - at : len;
		if (n > 0 && memcmp(held + at, starts[i], n) == 0 && best != MATCH_WHOLE)
			best = n == len ? MATCH_WHOLE : MATCH_PART;
	}
	return best;
}

static void fill(void)
{
	size_t n;
	while (n_held < HELD && (n = uart_read(&uart, held + n_held, HELD - n_held)) > 0) {
		n_held += n;
		heard = clock_ns();
	}
}

static uint32_t epoch(struct serial *s)
{
	(void)s;
	fill();
	if (here && delivered && begins(0) == MATCH_WHOLE)
		here = false;
	if (here && !complete && clock_ns() - heard >= UART_QUIET_NS) {
		here = false;
		n_held = 0; /* the beginning of something that did not go on */
	}
	if (!here && n_held > 0) {
		here = true;
		delivered = asking = complete = false;
		tail = 0;
		last_epoch++;
	}
	return here ? last_epoch : 0;
}

static size_t line_read(struct serial *s, void *to, size_t max, uint32_t *of)
{
	size_t n = 1;
	*of = epoch(s);
	if (*of == 0 || n_held == 0 || max == 0 || begins(0) == MATCH_PART)
		return 0;
	if (!delivered)
		asking = begins(0) == MATCH_WHOLE;
	while (n < n_held && n < max && begins(n) == MATCH_NONE)
		n++;
	memcpy(to, held, n);
	n_held -= n;
	memmove(held, held + n, n_held);
	for (size_t i = 0; i < n; i++)
		tail = tail << 8 | ((const uint8_t *)to)[i];
	delivered = true;
	complete = asking && tail == ('\r' << 24 | '\n' << 16 | '\r' << 8 | '\n');
	return n;
}

static size_t line_write(struct serial *s, uint32_t to, const void *from, size_t n)
{
	complete |= to == last_epoch; /* whatever it was that is answered */
	if (epoch(s) != to)
		return 0;
	return uart_write(&uart, from, n < UART_WRITE_MAX ? n : UART_WRITE_MAX);
}

static void line_done(struct serial *s, uint32_t of)
{
	(void)s;
	if (of == last_epoch)
		here = false;
}

static const struct serial_ops ops = {
	.read = line_read, .write = line_write, .epoch = epoch, .done = line_done};

const char *uart_serial_start(const struct uart_place *place, void (*found)(void *ctx, struct serial *line),
			      void *ctx)
{
	line.ops = &ops;
	line.quiet_ns = UART_QUIET_NS;
	print_text(line.name, sizeof line.name, "second UART");
	uart.changed = changed;
	if (!uart_start(&uart, place, false))
		return "the interrupt of the second UART leads nowhere";
	found(ctx, &line);
	return NULL;
}
