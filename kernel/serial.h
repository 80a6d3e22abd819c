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

enum { SERIAL_MIXED_MAX = 1536 }; /* bytes that serial_read() gives as mixed, at most */

struct serial {
	const struct serial_ops *ops;
	char name[32];
	/* There are bytes to read, room to write, or another client, maybe. System context; may not park. Set by who serves the line. */
	void (*changed)(void *ctx);
	void *ctx;
	/* 0: `changed` tells when a client leaves; else one has left, as far as can be known, when nothing came for so long. */
	uint64_t quiet_ns;
	/* What serial_read() gave last may be of a client before the one that is here. It is no whole request then, unless that one was refused,
	 * and what follows is not mixed. */
	bool mixed;
	/* Who is here, as serial_read() said last, may have been here before, and have asked: what he had sent is forgotten. */
	bool lost;
	/* serial_write() took nothing for now: it is called again when a timer of a millisecond has passed, and `changed` does not tell when. */
	bool later;
};

struct serial_ops {
	size_t (*read)(struct serial *s, void *to, size_t max, uint32_t *epoch);
	size_t (*write)(struct serial *s, uint32_t epoch, const void *from, size_t n);
	uint32_t (*epoch)(struct serial *s);
	bool (*hold)(struct serial *s, uint32_t epoch);   /* or NULL */
	void (*done)(struct serial *s, uint32_t epoch);   /* or NULL */
	void (*refuse)(struct serial *s, uint32_t epoch); /* or NULL */
};

/*
 * Up to max bytes, at least SERIAL_MIXED_MAX, that have arrived from the client of *epoch, which it sets; 0: none now, or, with *epoch 0, nobody is there.
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

/*
 * Whether the client of that epoch is there, for whom an answer is being made: from now on he is not lost when the line loses count of its clients,
 * until serial_write(). With s->later not yet: as there. Goroutine context.
 */
static inline bool serial_hold(struct serial *s, uint32_t epoch)
{
	s->later = false;
	return s->ops->hold != NULL ? s->ops->hold(s, epoch) : s->ops->epoch(s) == epoch;
}

/* The client of that epoch has got all it will get: what comes next is another's. Goroutine context. */
static inline void serial_done(struct serial *s, uint32_t epoch)
{
	if (s->ops->done != NULL)
		s->ops->done(s, epoch);
}

/* Nothing that the client of that epoch sends is wanted any more: it is dropped, as fast as it comes. Goroutine context. */
static inline void serial_refuse(struct serial *s, uint32_t epoch)
{
	if (s->ops->refuse != NULL)
		s->ops->refuse(s, epoch);
}

#endif
