/*
 * Virtio console device. VIRTIO 1.1, section 5.3: with feature MULTIPORT queues 2 and 3 carry control messages, port n > 0 has queues
 * 2 + 2n (to us) and 3 + 2n; port 0 is for a console and not used.
 *
 *	device -> DEVICE_READY <- us;  PORT_ADD n -> PORT_READY n, PORT_OPEN n <- us;  PORT_OPEN n 1 or 0: a client has come or gone
 *
 * Control messages and bytes come in queues of their own, which tell nothing of the order between them; and between a look at them and what is done
 * then, a client may leave and another come. So who is at the other end is never concluded from a look alone:
 *
 *	to us:    look -> give one short buffer -> it comes back -> look: its bytes are of one of those who were there from the first look to the second
 *	to them:  give one buffer, unsaid -> look: who is here now takes it with him when he leaves -> fill it -> say so to the device
 *
 * 1. A port's device has one receive buffer at a time, and it is shorter than any request; the control queue is looked at before it is given
 *    and after it came back. Where the client is another then, the reader is told (serial_read()): whose the bytes are shows when more come, and
 *    more must come. Otherwise a request of one who has left would be taken for the next one's. Who is not listened to gets, behind a full one, a
 *    larger one, so that he is done with soon: there is more of his on the way, most likely, so that he cannot leave before it is full. If he has, it
 *    may be all that the next one sends, and its reader has to bear with that.
 * 2. A transmit buffer is given empty and filled only when a look after that shows the client it is meant for. The device, which does not look
 *    at it before it is notified, drops it when he leaves (virtio_serial_close() in QEMU). Otherwise an answer that is written while its client
 *    leaves would reach the next one.
 * 3. It is given when the device has none that it could still send, and has settled. Otherwise the device could go on to it, as it is.
 * 4. A transmit buffer that is out when its client goes is not waited for, and the next ones go first. Otherwise the port would fall silent: what
 *    the device had begun to send, it drops without giving it back (discard_throttle_data()).
 * 5. The device always has a receive buffer: what comes when PIECES wait already is dropped, and so is all that its client sends later, who is not
 *    listened to from then on. That is more than a request may have. Otherwise QEMU would not see its client leave.
 * 6. The device has no other way than the guest's buffers for what it says, and drops what finds none: when a slow machine meets many clients,
 *    their coming and going may not be told. So when all buffers were used at once, nobody is here on any port until the device, which is
 *    asked, says so. Otherwise a client would not be served, or get the end of another's request for the beginning of its own. His reader is told
 *    (lost): what he had asked for is forgotten, and he does not know.
 *    But who waits for an answer is not lost where an empty transmit buffer says that he is here still: it was given, a look behind that showed
 *    him and that nothing had been dropped before, and the device has it still. It would have dropped it when he left (rule 2). serial_hold() keeps
 *    one with the device while an answer is made. Otherwise those who come and go at one port would end what is made for the others.
 * 7. Nothing is given to the device for a client until its main loop has run since he came, and since the receive buffer was given. What tells that
 *    are two sleeps: QEMU runs timers there, behind all that it has heard of, and the first may be of a turn that had begun. It is likely, not certain:
 *    where QEMU is late, a sleep may end without its timer, by another interrupt and the clock. Otherwise it could find out
 *    while it writes that he has left, and have no receive buffer: then tcp_chr_write() closes the port inside flush_buf(), which goes on to call it
 *    throttled, and the port sends nothing to the next one. And on PCI it could act on a notification that was for the one before, and send the
 *    next one's buffer before it is filled.
 * 8. The lock is held for TX_BURST or RX_BURST buffers at a time. Otherwise a large answer would keep interrupts off for longer than 20 us
 *    (tools/bench.d/ports.sh counts).
 */
#include "kernel/virtio_serial.h"

#include <string.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
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

	RX_BUFFER = 16, /* bytes; the shortest request is "GET / HTTP/1.0", CR LF, CR LF: 18 */
	RX_BURST = 16,
	PIECES = 1024, /* of a client who is not read: 16 KiB */
	DEAF_BUFFER = SERIAL_MIXED_MAX,
	TX_BUFFERS = 4, /* one after another */
	TX_BURST = 4,
	TX_BUFFER = 4096, /* bytes */
	TURNS = 2,        /* rule 7 */
};

struct control {
	uint32_t port;
	uint16_t event, value;
};

/* What came in one receive buffer. */
struct piece {
	uint32_t first, last; /* epochs: it is of a client from this one to that one */
	uint32_t n;
	uint8_t bytes[RX_BUFFER];
};

struct port {
	struct serial line;
	uint32_t number;
	bool there;     /* the device has it */
	bool new;       /* found_fn was not told yet */
	bool client;    /* somebody is connected */
	bool untold;    /* somebody may be: rule 6 */
	bool lost;      /* who is connected may have been before, and have asked */
	bool deaf;      /* to who is connected: rule 5, or the reader */
	uint32_t epoch; /* of the last client */
	struct virtq rx, tx;
	uint32_t put, got; /* pieces from got to put wait; the one at put is the device's, */
	bool given;        /* when it has been given, */
	bool full;         /* the last one was a small one, and is full */
	bool large;        /* and its bytes go into the port's large buffer */
	uint32_t turns;    /* timers that the writer has waited for since it was given, or a client came */
	bool held;         /* that holds bytes of who is here, which come before those of all pieces */
	uint32_t tx_next;  /* the transmit buffer that is used next, of all that ever were */
	int sent;          /* the one that the device has to send, or -1 */
	int empty;         /* the one that it was given and that is not filled yet (rule 2), or -1 */
	uint32_t
		vouched; /* for the client of that epoch the empty one says whether he is here still (rule 6) */
};

struct memory {
	struct virtq_memory control[2], port[VIRTIO_SERIAL_PORTS][2];
	uint8_t control_in[VIRTQ_SIZE][CONTROL_BYTES];
	struct control control_out[VIRTQ_SIZE];
	struct piece pieces[VIRTIO_SERIAL_PORTS][PIECES];
	struct piece held[VIRTIO_SERIAL_PORTS]; /* what came in large[] */
	uint8_t large[VIRTIO_SERIAL_PORTS][DEAF_BUFFER];
	uint8_t tx[VIRTIO_SERIAL_PORTS][TX_BUFFERS][TX_BUFFER];
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
		return; /* a device that answers nothing: it has VIRTQ_SIZE messages of ours */
	control_busy |= UINT32_C(1) << i;
	memory->control_out[i] = (struct control){port, event, value};
	virtq_give(&control_out, (uint16_t)i, &memory->control_out[i], sizeof(struct control), false);
	virtq_notify(&place, &control_out);
}

static struct piece *piece_at(struct port *p, uint32_t at)
{
	return &memory->pieces[p->number - 1][at % PIECES];
}

/* Takes back what the device has sent, or dropped. */
static void tx_take_locked(struct port *p)
{
	uint32_t len;
	int i;
	while ((i = virtq_take(&p->tx, &len)) >= 0) {
		if (i == p->sent)
			p->sent = -1;
		if (i == p->empty)
			p->empty = -1;
	}
}

static void client_changed_locked(struct port *p, bool here)
{
	if (here == p->client) /* when it was asked, the device may say so twice */
		return;
#ifdef MUTANT_port_wedged
	if (p->client)
		return;
#endif
	tx_take_locked(p);
	p->sent = -1;
	p->client = here;
	p->turns = 0;
	p->epoch += here;
	p->deaf = p->lost = false;
	p->held = p->held && memory->held[p->number - 1].last == p->epoch;
	while (p->got != p->put && piece_at(p, p->got)->last != p->epoch)
		p->got++;
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
		p->lost |= p->untold && p->client;
		p->untold = false;
		break;
	default:
		break;
	}
}

/* Whether who was here at the last look before messages were dropped has not left since. */
static bool vouched_locked(struct port *p)
{
	tx_take_locked(p);
#ifdef MUTANT_vouched_blindly
	return p->client;
#endif
#ifdef MUTANT_vouched_never
	return false;
#endif
	return p->client && p->empty >= 0 && p->vouched == p->epoch;
}

/* Rule 6: messages may have been dropped. */
static void control_ask_locked(struct port *p)
{
	if (vouched_locked(p))
		return;
	client_changed_locked(p, false);
	p->epoch++; /* of those who came and went */
	p->untold = true;
	control_send_locked(p->number, PORT_READY,
			    1); /* is answered with PORT_OPEN when somebody is connected */
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
	}
	if (n > 0)
		virtq_notify(&place, &control_in);
	if (n >= VIRTQ_SIZE)
		virtio_settle(
			&place); /* who left before the device had buffers again: the one that he took with him is back */
	for (i = 0; n >= VIRTQ_SIZE && i < VIRTIO_SERIAL_PORTS; i++)
		if (ports[i].there)
			control_ask_locked(&ports[i]);
}

/* ---- bytes ---- */

static struct port *port_of(struct serial *s)
{
	return (struct port *)((char *)s - offsetof(struct port, line));
}

/* The one that the device has. */
static struct piece *rx_piece(struct port *p)
{
	return p->large ? &memory->held[p->number - 1] : piece_at(p, p->put);
}

/* Who is here comes from the last look, and is here still or has left: so the bytes are of him, or of one who comes after him. */
static void rx_give_locked(struct port *p)
{
	p->large = p->client && p->deaf && p->full && !p->held;
	p->given = true;
	p->turns = 0;
	struct piece *to = rx_piece(p);
	to->first = p->client ? p->epoch : p->epoch + 1;
	if (p->large)
		virtq_give(&p->rx, 0, memory->large[p->number - 1], DEAF_BUFFER, true);
	else
		virtq_give(&p->rx, 0, to->bytes, RX_BUFFER, true);
	virtq_notify(&place, &p->rx);
}

/*
 * Takes what has come. Who sent it was announced before it came: the look is behind the taking. What has not come yet after a look, as the one
 * before this call, is of nobody who left before.
 */
static void rx_take_locked(struct port *p)
{
	uint32_t len;
	if (p->given && !virtq_ready(&p->rx))
		rx_piece(p)->first = p->client ? p->epoch : p->epoch + 1;
	for (int i = 0; i < RX_BURST && virtq_take(&p->rx, &len) >= 0; i++) {
		struct piece *got = rx_piece(p);
		const uint32_t room = p->large ? DEAF_BUFFER : RX_BUFFER;
		if (!p->given)
			continue; /* a broken device */
		control_take_locked();
		p->given = false;
		got->n = len < room ? len : room;
		p->full = !p->large && got->n == RX_BUFFER;
		got->last = p->client ? p->epoch : p->epoch + 1;
#ifdef MUTANT_stale_request
		got->first = got->last;
#endif
		p->deaf |= p->put + 1 - p->got == PIECES; /* the last place is the device's */
		/* else it is of somebody who has left, or not listened to */
		bool wanted = (p->client || p->untold) && !p->deaf;
		if (p->large)
			p->held = wanted;
		else if (wanted)
			p->put++;
		rx_give_locked(p);
	}
}

static size_t port_read(struct serial *s, void *to, size_t max, uint32_t *epoch)
{
	struct port *p = port_of(s);
	size_t n = 0;
	ASSERT(max >= SERIAL_MIXED_MAX, "serial_read() has room for what may be mixed");
	spin_lock(&serial_lock);
	control_take_locked();
	rx_take_locked(p);
	s->mixed = false;
	if (p->client && p->held) {
		const struct piece *held = &memory->held[p->number - 1];
		memcpy(to, memory->large[p->number - 1], held->n);
		n = held->n;
		s->mixed = held->first != held->last;
		p->held = false;
	}
	for (; p->client && !s->mixed && p->got != p->put; p->got++) {
		const struct piece *from = piece_at(p, p->got);
		bool mixed = from->first != from->last;
		if (n > 0 && (mixed || max - n < from->n))
			break;
		memcpy((uint8_t *)to + n, from->bytes, from->n);
		n += from->n;
		s->mixed = mixed;
		if (mixed) {
			p->got++;
			break;
		}
	}
	s->lost = p->lost;
	*epoch = p->client ? p->epoch : 0;
	spin_unlock(&serial_lock);
	return n;
}

/* Gives the device an empty buffer that the client who is here takes with him when he leaves: whether that is the one of `epoch`. */
static bool tx_empty_locked(struct port *p, uint32_t epoch)
{
	tx_take_locked(p);
	if (!p->client || p->epoch != epoch)
		return false;
	if (p->empty < 0) {
		if (p->sent >= 0)
			return false;
		virtio_settle(&place);
		p->vouched = 0; /* what was dropped before now, it knows nothing of */
		p->empty = (int)(p->tx_next++ % TX_BUFFERS);
		uint8_t *buffer = memory->tx[p->number - 1][p->empty];
		buffer[0] = '\0';
		virtq_give(&p->tx, (uint16_t)p->empty, buffer, 1, false);
	}
#ifdef MUTANT_answer_unchecked
	return true;
#endif
	virtio_settle(&place); /* a leaving that has begun is told before the look */
	control_take_locked();
	tx_take_locked(p);
	if (!p->client || p->epoch != epoch || p->empty < 0)
		return false;
	p->vouched = epoch;
	return true;
}

/* Rule 7. If not, the writer waits for a timer before it tries again. */
static bool main_loop_ran_locked(struct port *p)
{
#ifdef MUTANT_answer_into_junk
	return true;
#endif
	if (virtq_ready(&p->rx))
		return false; /* who is told gives the next one */
	if (p->turns == TURNS)
		return true;
	p->turns++;
	return false;
}

static size_t port_write(struct serial *s, uint32_t epoch, const void *from, size_t n)
{
	struct port *p = port_of(s);
	size_t done = 0;
	spin_lock(&serial_lock);
	control_take_locked();
	s->later = p->client && p->epoch == epoch && !main_loop_ran_locked(p);
#ifdef MUTANT_answer_unchecked
	for (uint64_t end = clock_ns() + 20000000; clock_ns() < end && p->client && p->epoch == epoch;)
		; /* clients come and go */
	tx_take_locked(p);
#endif
	for (int i = 0; i < TX_BURST && done < n && !s->later && tx_empty_locked(p, epoch); i++) {
		uint32_t part = n - done < TX_BUFFER ? (uint32_t)(n - done) : TX_BUFFER;
		memcpy(memory->tx[p->number - 1][p->empty], (const uint8_t *)from + done, part);
		virtq_resize(&p->tx, (uint16_t)p->empty, part);
		p->sent = p->empty;
		p->empty = -1;
		virtq_notify(&place, &p->tx);
		done += part;
	}
	spin_unlock(&serial_lock);
	return done;
}

static bool port_hold(struct serial *s, uint32_t epoch)
{
	struct port *p = port_of(s);
	spin_lock(&serial_lock);
	control_take_locked();
	tx_take_locked(p);
	s->later = false;
	if (p->client && p->epoch == epoch && p->sent < 0 && (p->empty < 0 || p->vouched != epoch)) {
		s->later = !main_loop_ran_locked(p);
		if (!s->later)
			(void)tx_empty_locked(p, epoch);
	}
	bool here = p->client && p->epoch == epoch;
	spin_unlock(&serial_lock);
	return here;
}

static void port_refuse(struct serial *s, uint32_t epoch)
{
	struct port *p = port_of(s);
	spin_lock(&serial_lock);
	control_take_locked();
	if (p->client && p->epoch == epoch) {
		p->deaf = true;
		p->got = p->put;
	}
	spin_unlock(&serial_lock);
}

static uint32_t port_epoch(struct serial *s)
{
	struct port *p = port_of(s);
	spin_lock(&serial_lock);
	control_take_locked();
	uint32_t epoch = p->client ? p->epoch : 0;
	spin_unlock(&serial_lock);
	return epoch;
}

static const struct serial_ops port_ops = {
	.read = port_read,
	.write = port_write,
	.epoch = port_epoch,
	.hold = port_hold,
	.refuse = port_refuse,
};

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
		p->given = p->untold = p->lost = p->deaf = p->full = p->large = p->held = false;
		p->put = p->got = 0;
		p->sent = p->empty = -1;
		p->vouched = 0;
	}
	for (uint16_t b = 0; b < VIRTQ_SIZE; b++)
		virtq_give(&control_in, b, memory->control_in[b], CONTROL_BYTES, true);
	control_busy = 0;
	return NULL;
}

static const char *start_locked(void)
{
	uint32_t features;
	const char *error = virtio_begin(&place, VIRTIO_CONSOLE, F_MULTIPORT, &features);
	if (error == NULL && features == 0)
		error = "the virtio console has no ports (a device virtio-serial with a virtserialport is "
			"expected)";
	if (error != NULL)
		return error;
	error = queues_locked(virtio_config32(&place, CONFIG_MAX_PORTS));
	if (error != NULL)
		return error;
	virtio_ready(&place);
	virtq_notify(&place, &control_in);
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS; i++)
		if (ports[i].number != 0)
			rx_give_locked(&ports[i]);
	control_send_locked(0, DEVICE_READY, 1);
	return NULL;
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
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS; i++)
		if (ports[i].number != 0)
			rx_take_locked(&ports[i]);
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
	memset(memory, 0, sizeof *memory);
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
