/*
 * Virtio console device. VIRTIO 1.1, section 5.3: with feature MULTIPORT queues 2 and 3 carry control messages, port n > 0 has queues
 * 2 + 2n (to us) and 3 + 2n; port 0 is for a console and not used.
 *
 *	device -> DEVICE_READY <- us;  PORT_ADD n -> PORT_READY n, PORT_OPEN n <- us;  PORT_OPEN n 1 or 0: a client has come or gone
 *
 * 1. Control messages are looked at before bytes. Otherwise the bytes of the next client would be taken for those of the last.
 * 2. A transmit buffer that is out when its client goes may never come back. It is counted as lost and used again only when it does; when
 *    most of a port's are lost, and nobody is connected to any port, the device is started anew. Otherwise the port would fall silent.
 *    Those that came back meanwhile are not lost: they are taken first. Otherwise the device would be started anew without need, and bytes of
 *    somebody who connects just then would vanish with it.
 * 3. Bytes wait in the buffers in which they came, which is what holds a fast client back. Otherwise they would have to be dropped.
 * 4. The device has no other way than the guest's buffers for what it says, and drops what finds none: when a slow machine meets many clients,
 *    their coming and going may not be told. So one who comes begins an epoch although the last one has not left; bytes that arrive after
 *    somebody left are of another, told or not; and when all buffers were used at once, each port's epoch ends. Otherwise a client would not be
 *    served, or get the end of another's request for the beginning of its own.
 * 5. When somebody leaves, all his bytes have arrived; when somebody comes, none of his have. So what had arrived when the control queue was
 *    empty after a leaving is of those who left, and is dropped. Only where the next coming was in the queue already is it not known: then the
 *    reader is told. Otherwise the next client would get the answer to a request of the last one.
 * 6. The lock is held for TX_BURST buffers at a time. Otherwise a large answer would keep interrupts off for longer than 20 us
 *    (tools/bench.d/ports.sh counts).
 */
#include "kernel/virtio_serial.h"

#include <string.h>

#include "kernel/device.h"
#include "kernel/heap.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/print.h"

enum {
	F_MULTIPORT = 1 << 1,
	CONFIG_MAX_PORTS = 4,

	CONTROL_IN = 2,
	CONTROL_OUT = 3,
	CONTROL_BYTES = 128, /* of a buffer: the longest message has a name */

	DEVICE_READY = 0,
	PORT_ADD = 1,
	PORT_READY = 3,
	PORT_OPEN = 6,

	RX_BUFFERS = 4,
	TX_BUFFERS = 8,
	TX_BURST = 4,
	BUFFER = 4096, /* bytes */
};

struct control {
	uint32_t port;
	uint16_t event, value;
};

struct port {
	struct serial line;
	uint32_t number;
	bool there;     /* the device has it */
	bool new;       /* found_fn was not told yet */
	bool client;    /* somebody is connected */
	uint32_t epoch; /* of the last client */
	struct virtq rx, tx;
	uint32_t tx_busy;  /* a bit for each transmit buffer that the device has */
	uint32_t tx_lost;  /* of these: those that were out when their client went */
	uint16_t rx_gone;  /* receive buffers before this position are of clients that have gone, */
	uint16_t rx_mixed; /* or, before this one, of them or of the client that is here (rule 5) */
	uint16_t rx_left;  /* receive buffers that had arrived when the last one left */
	bool left;         /* somebody has left since the control queue was empty last */
	int at;            /* the receive buffer that is being read, or -1 */
	uint32_t at_byte, at_len;
};

struct memory {
	struct virtq_memory control[2], port[VIRTIO_SERIAL_PORTS][2];
	uint8_t control_in[VIRTQ_SIZE][CONTROL_BYTES];
	struct control control_out[VIRTQ_SIZE];
	uint8_t rx[VIRTIO_SERIAL_PORTS][RX_BUFFERS][BUFFER];
	uint8_t tx[VIRTIO_SERIAL_PORTS][TX_BUFFERS][BUFFER];
};

static struct spinlock serial_lock =
	SPINLOCK_INIT(RANK_SERIAL); /* protects everything below but what never changes */
static struct device device;
static struct virtio_place place;
static struct memory *memory;
static struct virtq control_in, control_out;
static uint32_t control_busy; /* a bit for each message that the device has */
static struct port ports[VIRTIO_SERIAL_PORTS];
static void (*found_fn)(void *ctx, struct serial *line);
static void *found_ctx;

/* ---- control messages ---- */

static void control_send_locked(uint32_t port, uint16_t event, uint16_t value)
{
	uint32_t len;
	int i;
	while ((i = virtq_take(&control_out, &len)) >= 0)
		control_busy &= ~(UINT32_C(1) << i);
	for (i = 0; i < VIRTQ_SIZE && (control_busy & UINT32_C(1) << i) != 0; i++)
		;
	if (i == VIRTQ_SIZE)
		return; /* a device that answers nothing: it has 16 messages of ours */
	control_busy |= UINT32_C(1) << i;
	memory->control_out[i] = (struct control){port, event, value};
	virtq_give(&control_out, (uint16_t)i, &memory->control_out[i], sizeof(struct control), false);
	virtq_notify(&place, &control_out);
}

/* Takes back what the device has sent. */
static void tx_take_locked(struct port *p)
{
	uint32_t len;
	int i;
	while ((i = virtq_take(&p->tx, &len)) >= 0) {
		p->tx_busy &= ~(UINT32_C(1) << i);
		p->tx_lost &= ~(UINT32_C(1) << i);
	}
}

static uint16_t rx_arrived(const struct port *p)
{
	return *(volatile uint16_t *)&p->rx.m->used.idx;
}

static void client_changed_locked(struct port *p, bool here)
{
	if (!here && !p->client)
		return;
#ifdef MUTANT_port_wedged
	if (p->client)
		return;
#endif
	tx_take_locked(p);
	p->tx_lost = p->tx_busy;
	p->client = here;
	if (here) {
		p->epoch++;
		if (p->left)
			p->rx_mixed = p->rx_left;
		p->left = false;
	} else {
		p->rx_left = rx_arrived(p);
		p->left = true;
	}
}

/* The control queue was empty after what happened so far. */
static void control_empty_locked(void)
{
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS; i++) {
		if (ports[i].left)
			ports[i].rx_gone = ports[i].rx_mixed = ports[i].rx_left;
		ports[i].left = false;
	}
}

/* Whether a receive buffer at position `at` comes before another. */
static bool before(uint16_t at, uint16_t other)
{
	return (int16_t)(uint16_t)(at - other) < 0;
}

static void control_event_locked(const struct control *c)
{
	if (c->port == 0 || c->port > VIRTIO_SERIAL_PORTS || ports[c->port - 1].number == 0)
		return;
	struct port *p = &ports[c->port - 1];
	switch (c->event) {
	case PORT_ADD:
		control_send_locked(c->port, PORT_READY, 1);
		control_send_locked(c->port, PORT_OPEN, 1);
		p->new = !p->there;
		p->there = true;
		break;
	case PORT_OPEN:
		client_changed_locked(p, c->value != 0);
		break;
	default:
		break;
	}
}

/* Looks at what the device says. */
static void control_take_locked(void)
{
	uint32_t len, n = 0;
	int i;
	while ((i = virtq_take(&control_in, &len)) >= 0) {
		n++;
		if (len >= sizeof(struct control))
			control_event_locked((const struct control *)memory->control_in[i]);
		virtq_give(&control_in, (uint16_t)i, memory->control_in[i], CONTROL_BYTES, true);
		virtq_notify(&place, &control_in);
	}
	control_empty_locked();
	for (i = 0; n >= VIRTQ_SIZE && i < VIRTIO_SERIAL_PORTS; i++) {
		if (!ports[i].client)
			continue;
		ports[i].epoch++;
		ports[i].rx_mixed = rx_arrived(&ports[i]);
	}
}

/* Rule 4: bytes of somebody who was not announced. The announcement comes before them, but maybe after the last look at it. */
static void client_look_locked(struct port *p)
{
	uint16_t arrived = rx_arrived(p);
	if (p->client || !before(p->rx_gone, arrived))
		return;
	control_take_locked();
	if (!p->client && before(p->rx_gone, arrived))
		client_changed_locked(p, true);
}

/* ---- bytes ---- */

static struct port *port_of(struct serial *s)
{
	return (struct port *)((char *)s - offsetof(struct port, line));
}

static void rx_give_locked(struct port *p, int i)
{
	virtq_give(&p->rx, (uint16_t)i, memory->rx[p->number - 1][i], BUFFER, true);
	virtq_notify(&place, &p->rx);
}

static size_t port_read(struct serial *s, void *to, size_t max)
{
	struct port *p = port_of(s);
	size_t n = 0;
	spin_lock(&serial_lock);
	control_take_locked();
	client_look_locked(p);
	while (p->at < 0 && (p->at = virtq_take(&p->rx, &p->at_len)) >= 0) {
		uint16_t position = (uint16_t)(p->rx.taken - 1);
		p->at_byte = 0;
#ifdef MUTANT_stale_request
		p->rx_gone = p->rx_mixed = position;
#endif
		p->line.mixed = before(position, p->rx_mixed);
		if (!p->line.mixed)
			p->rx_mixed = (uint16_t)(position +
						 1); /* positions are compared within half of their range */
		if (p->at < RX_BUFFERS && before(position, p->rx_gone)) {
			rx_give_locked(p, p->at);
			p->at = -1;
		} else {
			p->rx_gone = (uint16_t)(position + 1);
		}
		if (p->at >= RX_BUFFERS)
			p->at = -1;
		if (p->at_len > BUFFER)
			p->at_len = BUFFER;
	}
	if (p->at >= 0) {
		n = p->at_len - p->at_byte < max ? p->at_len - p->at_byte : max;
		memcpy(to, memory->rx[p->number - 1][p->at] + p->at_byte, n);
		p->at_byte += (uint32_t)n;
		if (p->at_byte == p->at_len) {
			rx_give_locked(p, p->at);
			p->at = -1;
		}
	}
	spin_unlock(&serial_lock);
	return n;
}

static size_t port_write(struct serial *s, uint32_t epoch, const void *from, size_t n)
{
	struct port *p = port_of(s);
	const size_t most = n < TX_BURST * BUFFER ? n : TX_BURST * BUFFER;
	size_t done = 0;
	spin_lock(&serial_lock);
	control_take_locked();
	tx_take_locked(p);
	for (int i = 0; i < TX_BUFFERS && done < most && p->client && p->epoch == epoch; i++) {
		if ((p->tx_busy & UINT32_C(1) << i) != 0)
			continue;
		uint8_t *buffer = memory->tx[p->number - 1][i];
		uint32_t part = most - done < BUFFER ? (uint32_t)(most - done) : BUFFER;
		memcpy(buffer, (const uint8_t *)from + done, part);
		p->tx_busy |= UINT32_C(1) << i;
		virtq_give(&p->tx, (uint16_t)i, buffer, part, false);
		done += part;
	}
	if (done > 0)
		virtq_notify(&place, &p->tx);
	spin_unlock(&serial_lock);
	return done;
}

static uint32_t port_epoch(struct serial *s)
{
	struct port *p = port_of(s);
	spin_lock(&serial_lock);
	control_take_locked();
	client_look_locked(p);
	uint32_t epoch = p->client ? p->epoch : 0;
	spin_unlock(&serial_lock);
	return epoch;
}

static const struct serial_ops port_ops = {.read = port_read, .write = port_write, .epoch = port_epoch};

/* ---- start ---- */

static const char *queues_locked(uint32_t n_ports)
{
	if (!virtio_queue(&place, &control_in, CONTROL_IN, &memory->control[0]) ||
	    !virtio_queue(&place, &control_out, CONTROL_OUT, &memory->control[1]))
		return "the virtio console has no control queue";
	for (uint16_t i = 0; i < VIRTIO_SERIAL_PORTS && i + 1u < n_ports; i++) {
		struct port *p = &ports[i];
		uint16_t q = (uint16_t)(2 * (i + 2));
		if (!virtio_queue(&place, &p->rx, q, &memory->port[i][0]) ||
		    !virtio_queue(&place, &p->tx, (uint16_t)(q + 1), &memory->port[i][1]))
			return "the virtio console has not the queues of its ports";
		p->number = i + 1u;
		p->at = -1;
		p->tx_busy = p->tx_lost = 0;
		p->rx_gone = p->rx_mixed = 0;
		p->left = false;
		for (uint16_t b = 0; b < RX_BUFFERS; b++)
			virtq_give(&p->rx, b, memory->rx[i][b], BUFFER, true);
	}
	for (uint16_t b = 0; b < VIRTQ_SIZE; b++)
		virtq_give(&control_in, b, memory->control_in[b], CONTROL_BYTES, true);
	control_busy = 0;
	return NULL;
}

/* Also the way back when buffers were lost: clients of before have gone, ports keep their epochs. */
static const char *start_locked(void)
{
	uint32_t features;
	const char *error = virtio_begin(&place, VIRTIO_CONSOLE, F_MULTIPORT, &features);
	if (error == NULL && features == 0)
		error = "the virtio console has no ports (a device virtio-serial with a virtserialport is "
			"expected)";
	if (error != NULL)
		return error;
	memset(memory->control, 0, sizeof memory->control);
	memset(memory->port, 0, sizeof memory->port);
	error = queues_locked(virtio_config32(&place, CONFIG_MAX_PORTS));
	if (error != NULL)
		return error;
	virtio_ready(&place);
	virtq_notify(&place, &control_in);
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS; i++)
		if (ports[i].number != 0)
			virtq_notify(&place, &ports[i].rx);
	control_send_locked(0, DEVICE_READY, 1);
	return NULL;
}

static void restart_if_lost_locked(void)
{
	bool lost = false;
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS; i++) {
		if (ports[i].client)
			return;
		if (ports[i].number != 0)
			tx_take_locked(&ports[i]);
		lost |= __builtin_popcount(ports[i].tx_lost) > TX_BUFFERS / 2;
	}
	if (lost)
		start_locked(); /* it was started before: it has not become another device since */
}

static bool serial_irq(struct device *d)
{
	(void)d;
	return virtio_irq(&place);
}

static void service(struct device *d)
{
	(void)d;
	bool new[VIRTIO_SERIAL_PORTS];
	spin_lock(&serial_lock);
	control_take_locked();
	restart_if_lost_locked();
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS; i++) {
		new[i] = ports[i].new;
		ports[i].new = false;
	}
	spin_unlock(&serial_lock);
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS; i++) {
		if (new[i])
			found_fn(found_ctx, &ports[i].line);
		else if (ports[i].line.changed != NULL)
			ports[i].line.changed(ports[i].line.ctx);
	}
}

const char *virtio_serial_start(const struct virtio_place *at, void (*found)(void *ctx, struct serial *line),
				void *ctx)
{
	memory = heap_aligned(4096, sizeof *memory);
	if (memory == NULL)
		return "out of memory: no room for the buffers of the virtio console";
	place = *at;
	found_fn = found;
	found_ctx = ctx;
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS; i++) {
		ports[i].line.ops = &port_ops;
		print_text(ports[i].line.name, sizeof ports[i].line.name, "virtio port %u", i + 1);
	}
	device = (struct device){.line = place.line, .irq = serial_irq, .service = service};
	if (!device_add(&device))
		return "the interrupt of the virtio console leads nowhere";
	spin_lock(&serial_lock);
	const char *error = start_locked();
	spin_unlock(&serial_lock);
	return error;
}
