/*
 * 1. An interrupt turns the device's interrupts off and nothing else; whoever serves it, or reads, turns on what is to come. Each interrupt is
 *    followed by a service, so that what was turned on just before it is turned on again. Otherwise the line would stay silent.
 * 2. When the ring is full, receiving stays off until somebody has read. Otherwise bytes would have to be dropped: like this they wait with
 *    the sender.
 * 3. The lock is held for BURST bytes at a time. Otherwise a fast sender would keep interrupts off.
 */
#include "kernel/uart.h"

enum {
	DATA = 0,
	IER = 1,
	IIR = 2, /* read */
	FCR = 2, /* written */
	LCR = 3,
	MCR = 4,
	LSR = 5,

	IER_RX = 1,
	IER_TX = 2,
	IIR_NONE = 1,
	FCR_ON = 0xc1,    /* FIFOs, an interrupt for 14 bytes or after a pause */
	FCR_CLEAR = 0x06, /* both emptied */
	LSR_READY = 0x01,
	LSR_OVERRUN = 0x02,
	LSR_THRE = 0x20,

	FIFO = 16,
	BURST = 64,
};

_Atomic uint32_t uart_overruns;

/* What is there goes into the ring. True: there may be more. */
static bool receive_locked(struct uart *u)
{
	for (int n = 0; n < BURST && u->tail - u->head < UART_RING; n++) {
		uint8_t status = arch_uart_get(&u->at, LSR);
		if ((status & LSR_OVERRUN) != 0)
			atomic_fetch_add_explicit(&uart_overruns, 1, memory_order_relaxed);
		if ((status & LSR_READY) == 0)
			return false;
		u->ring[u->tail++ % UART_RING] = arch_uart_get(&u->at, DATA);
	}
	return u->tail - u->head < UART_RING;
}

static void interrupts_locked(struct uart *u)
{
	bool room = u->tail - u->head < UART_RING;
	arch_uart_put(&u->at, IER, (uint8_t)((room ? IER_RX : 0) | (u->tx_wanted ? IER_TX : 0)));
}

/* Interrupt context. */
static bool uart_irq(struct device *d)
{
	struct uart *u = (struct uart *)d;
	if ((arch_uart_get(&u->at, IIR) & IIR_NONE) != 0)
		return false;
	arch_uart_put(&u->at, IER, 0);
	return true;
}

static void service(struct device *d)
{
	struct uart *u = (struct uart *)d;
	bool more;
	do {
		spin_lock(&u->lock);
		more = receive_locked(u);
		if (u->tx_wanted && (arch_uart_get(&u->at, LSR) & LSR_THRE) != 0)
			u->tx_wanted = false;
		if (!more)
			interrupts_locked(u);
		spin_unlock(&u->lock);
	} while (more);
	u->changed(u->ctx);
}

bool uart_start(struct uart *u, const struct uart_place *place, bool console)
{
	u->at = place->at;
	u->lock = (struct spinlock)SPINLOCK_INIT(RANK_SERIAL);
	u->device = (struct device){.line = place->line, .irq = uart_irq, .service = service};
	arch_uart_put(&u->at, IER, 0);
	if (!console) {
		arch_uart_put(&u->at, LCR, 0x80);
		arch_uart_put(&u->at, DATA, 1); /* divisor 1: 115200 baud */
		arch_uart_put(&u->at, IER, 0);
		arch_uart_put(&u->at, LCR, 0x03); /* 8N1 */
		arch_uart_put(&u->at, MCR, 0x0b); /* ready, and the interrupt's gate */
	}
	arch_uart_put(&u->at, FCR, console ? FCR_ON : FCR_ON | FCR_CLEAR);
	if (!device_add(&u->device))
		return false;
	spin_lock(&u->lock);
	interrupts_locked(u);
	spin_unlock(&u->lock);
	return true;
}

size_t uart_read(struct uart *u, void *to, size_t max)
{
	uint8_t *out = to;
	size_t n = 0;
	spin_lock(&u->lock);
	bool full = u->tail - u->head == UART_RING;
	while (n < max && n < BURST && u->head != u->tail)
		out[n++] = u->ring[u->head++ % UART_RING];
	if (full && n > 0)
		interrupts_locked(u);
	spin_unlock(&u->lock);
	return n;
}

size_t uart_write(struct uart *u, const void *from, size_t n)
{
	const uint8_t *in = from;
	size_t done = 0;
	bool ready = true;
	while (done < n && ready) {
		spin_lock(&u->lock);
		ready = (arch_uart_get(&u->at, LSR) & LSR_THRE) != 0;
		for (int i = 0; ready && i < FIFO && done < n; i++)
			arch_uart_put(&u->at, DATA, in[done++]);
		if (!ready) {
			u->tx_wanted = true;
			interrupts_locked(u);
		}
		spin_unlock(&u->lock);
	}
	return done;
}
