/*
 * A serial line beside the console: bytes in, bytes out, to one client at a time. Nothing here waits; whoever waits is told by `changed`.
 *
 * Each client that connects begins an epoch. Writing names the epoch it is for, so that the rest of an answer never reaches the next
 * client.
 */
#ifndef KERNEL_SERIAL_H
#define KERNEL_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serial {
	const struct serial_ops *ops;
	char name[32];
	/* There are bytes to read, room to write, or another client, maybe. System context; may not park. Set by serial_watch(). */
	void (*changed)(void *ctx);
	void *ctx;
	/* 0: `changed` tells when a client leaves; else one has left, as far as can be known, when nothing came for so long. */
	uint64_t quiet_ns;
	/* What serial_read() gave last may be of a client before the one that is here. It is no whole request then, and what follows is not mixed. */
	bool mixed;
};

struct serial_ops {
	size_t (*read)(struct serial *s, void *to, size_t max, uint32_t *epoch);
	size_t (*write)(struct serial *s, uint32_t epoch, const void *from, size_t n);
	uint32_t (*epoch)(struct serial *s);
	void (*done)(struct serial *s, uint32_t epoch); /* or NULL */
};

/*
 * Up to max bytes, at least 64, that have arrived from the client of *epoch, which it sets; 0: none now, or, with *epoch 0, nobody is there.
 * Goroutine context, one reader at a time.
 */
static inline size_t serial_read(struct serial *s, void *to, size_t max, uint32_t *epoch)
{
	return s->ops->read(s, to, max, epoch);
}

/* Takes up to n bytes for the client of that epoch: how many; 0: no room now, or the client has gone. Goroutine context. */
static inline size_t serial_write(struct serial *s, uint32_t epoch, const void *from, size_t n)
{
	return s->ops->write(s, epoch, from, n);
}

/* The epoch of the client that is there now; 0: nobody. Any context but interrupts. */
static inline uint32_t serial_epoch(struct serial *s)
{
	return s->ops->epoch(s);
}

/* The client of that epoch has got all it will get: what comes next is another's. Goroutine context. */
static inline void serial_done(struct serial *s, uint32_t epoch)
{
	if (s->ops->done != NULL)
		s->ops->done(s, epoch);
}

#endif
