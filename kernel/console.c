/*
 * The console ring and the UART behind it.
 *
 *	console_text() --> escape, column --\
 *	                                      > ring (lock: console) --> drain (one hart, by the draining flag) --> UART
 *	console_frame() --> column 0 --------/
 *
 * 1. A frame line is queued whole under the lock. Otherwise a text could land in its middle.
 * 2. Only the holder of the draining flag reads the ring; who gives the flag back looks at the ring again. Otherwise a line queued
 *    in between would wait for the next one. Both give and take are exchanges: who gives the flag back reads, and so acquires, what one
 *    wrote who came in vain.
 * 3. A full ring is waited for with the lock released. Otherwise the drainer could not go on; nothing is dropped.
 * 4. The line that a person types is on the screen only between other output, which takes it away first: a text erases it, a frame line
 *    begins a line of its own. Otherwise the two would be mixed. Whoever types it shows it again.
 * 5. While somebody waits for room, all others leave half of the ring free. Otherwise a program that prints short lines without a pause would
 *    take what a longer line of somebody else waits for, again and again.
 */
#include "kernel/console.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "arch/arch.h"
#include "kernel/framing.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/preempt.h"

enum {
	RING_SIZE = 1 << 15, /* bytes */
	BURST = 64,          /* bytes between two looks at preemption */
	PANIC_POLLS = 2000000,

	UART_DATA = 0,
	UART_IER = 1,
	UART_FCR = 2,
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	LSR_THRE = 0x20,
};

static struct spinlock console_lock =
	SPINLOCK_INIT(RANK_CONSOLE); /* protects the tail, the column and the ring's free part */
static char ring[RING_SIZE] __attribute__((section(".noinit,\"aw\",@nobits#")));
static _Atomic uint32_t head, tail;  /* head: written by the drainer; tail: under console_lock */
static _Atomic uint32_t draining;    /* 1 while a hart moves bytes; rule 2 */
static uint32_t waiting;             /* for room; guarded by console_lock */
static bool column0 = true;          /* guarded by console_lock */
static _Atomic bool shown;           /* the typed line is on the screen; written under console_lock */
static _Atomic uint64_t hidden_text; /* bytes of the program that console_level kept back */
_Atomic uint32_t console_level = CONSOLE_ALL;
uint64_t console_dropped;

void console_init(void)
{
	arch_uart_write(UART_IER, 0);
	arch_uart_write(UART_LCR, 0x80);
	arch_uart_write(UART_DATA, 1); /* divisor 1: 115200 baud */
	arch_uart_write(UART_IER, 0);
	arch_uart_write(UART_LCR, 0x03);
	arch_uart_write(UART_FCR, 0x07);
	arch_uart_write(UART_MCR, 0x0b);
}

static bool uart_ready(void)
{
	return (arch_uart_read(UART_LSR) & LSR_THRE) != 0;
}

/* Moves at most BURST bytes to the UART. Caller has the draining flag. */
static void drain_burst(void)
{
	uint32_t h = atomic_load_explicit(&head, memory_order_relaxed);
	/* pairs with the release in ring_append_locked() */
	uint32_t t = atomic_load_explicit(&tail, memory_order_acquire);
	for (int n = 0; n < BURST; n++) {
		if (h == t || !uart_ready())
			return;
		arch_uart_write(UART_DATA, (uint8_t)ring[h % RING_SIZE]);
		/* At once: a panic that stops this hart here goes on behind this byte. Pairs with the acquire in ring_free(). */
		atomic_store_explicit(&head, ++h, memory_order_release);
	}
}

static bool ring_empty(void)
{
	/* of the tail, rule 2: behind the exchange; of the head, for a caller that finds it empty what the drainer did */
	return atomic_load_explicit(&head, memory_order_acquire) ==
	       atomic_load_explicit(&tail, memory_order_relaxed);
}

static void drain(void)
{
	while (!ring_empty()) {
		preempt_disable();
		if (atomic_exchange(&draining, 1)) {
			preempt_enable();
			return; /* the other hart looks again after it gives the flag back */
		}
		drain_burst();
		atomic_exchange(&draining, 0);
		preempt_enable();
	}
}

static uint32_t ring_free(void)
{
	/* pairs with the release in drain_burst(): the byte was read before its place is filled */
	return RING_SIZE - (atomic_load_explicit(&tail, memory_order_relaxed) -
			    atomic_load_explicit(&head, memory_order_acquire));
}

/* Caller holds console_lock and has checked ring_free(). */
static void ring_append_locked(const char *text, size_t len)
{
	uint32_t t = atomic_load_explicit(&tail, memory_order_relaxed);
	for (size_t i = 0; i < len; i++)
		ring[(t + i) % RING_SIZE] = text[i];
	/* pairs with the acquire in drain_burst() */
	atomic_store_explicit(&tail, t + (uint32_t)len, memory_order_release);
}

/* Takes the lock with room for len bytes (rule 5). */
static void lock_with_room(size_t len)
{
	bool waits = false;
	spin_lock(&console_lock);
	while (ring_free() < len + (waiting > waits ? RING_SIZE / 2 : 0)) {
		waiting += !waits;
		waits = true;
		spin_unlock(&console_lock);
		drain();
		arch_pause();
		spin_lock(&console_lock);
	}
	waiting -= waits;
}

static void typed_take_away_locked(bool erase)
{
	static const char erasure[] = "\r\033[K";
	if (!atomic_load_explicit(&shown, memory_order_relaxed))
		return;
	if (erase)
		ring_append_locked(erasure, sizeof erasure - 1);
	else
		ring_append_locked("\n", 1);
	atomic_store_explicit(&shown, false, memory_order_relaxed);
}

/* Queues part of one line (no newline inside but at the end). */
static void queue_text(const char *text, size_t len)
{
	lock_with_room(len + 5);
	bool escape = column0 && frame_text_escapes(text[0]);
	typed_take_away_locked(!escape);
	if (escape)
		ring_append_locked((const char[]){FRAME_ESCAPE}, 1);
	ring_append_locked(text, len);
	column0 = text[len - 1] == '\n';
	spin_unlock(&console_lock);
}

void console_text(const char *text, size_t len)
{
	while (len > 0) {
		size_t n = 0;
		while (n < len && n < 1024 && text[n] != '\n')
			n++;
		if (n < len && text[n] == '\n')
			n++;
		queue_text(text, n);
		text += n;
		len -= n;
	}
	drain();
}

void console_frame(void *ctx, const char *line, size_t len)
{
	(void)ctx;
	lock_with_room(len + 2);
	typed_take_away_locked(false);
	if (!column0)
		ring_append_locked("\n", 1);
	ring_append_locked(line, len);
	column0 = true;
	spin_unlock(&console_lock);
	drain();
}

void console_program(const char *text, size_t len)
{
	if (atomic_load_explicit(&console_level, memory_order_relaxed) >= CONSOLE_ALL)
		console_text(text, len);
	else
		atomic_fetch_add_explicit(&hidden_text, len, memory_order_relaxed);
}

uint64_t console_kept_back(void)
{
	return atomic_exchange_explicit(&hidden_text, 0, memory_order_relaxed);
}

void console_typed(const char *line, size_t len)
{
	lock_with_room(len + 1);
	if (!column0 && !atomic_load_explicit(&shown, memory_order_relaxed))
		ring_append_locked("\n", 1);
	ring_append_locked(line, len);
	column0 = true; /* what comes next makes it so */
	atomic_store_explicit(&shown, true, memory_order_relaxed);
	spin_unlock(&console_lock);
	drain();
}

void console_typed_end(void)
{
	lock_with_room(1);
	typed_take_away_locked(false);
	spin_unlock(&console_lock);
	drain();
}

bool console_typed_shown(void)
{
	return atomic_load_explicit(&shown, memory_order_relaxed);
}

uint32_t console_written(void)
{
	return atomic_load_explicit(&tail, memory_order_relaxed);
}

void console_flush(void)
{
	while (!ring_empty())
		drain();
}

static void panic_put(char c)
{
	for (int i = 0; i < PANIC_POLLS; i++) {
		if (uart_ready()) {
			arch_uart_write(UART_DATA, (uint8_t)c);
			return;
		}
	}
	console_dropped++;
}

static bool panic_column0;

/* The other harts have stopped or are about to: what they queued comes first, as far as it is there. */
static void panic_take(void)
{
	static bool taken;
	if (taken)
		return;
	taken = true;
	/* pairs with the release in ring_append_locked() and drain_burst(), by harts that may not have stopped */
	uint32_t h = atomic_load_explicit(&head, memory_order_acquire),
		 t = atomic_load_explicit(&tail, memory_order_acquire);
	char last = '\n';
	for (uint32_t n = 0; h != t && n < RING_SIZE; h++, n++) {
		last = ring[h % RING_SIZE];
		panic_put(last);
	}
	atomic_store_explicit(&head, h, memory_order_relaxed);
	if (last != '\n' || !column0 || atomic_load_explicit(&shown, memory_order_relaxed))
		panic_put('\n');
	panic_column0 = true;
}

void console_panic_text(const char *text, size_t len)
{
	panic_take();
	for (size_t i = 0; i < len; i++) {
		if (panic_column0 && frame_text_escapes(text[i]))
			panic_put(FRAME_ESCAPE);
		panic_put(text[i]);
		panic_column0 = text[i] == '\n';
	}
}

void console_panic_line_end(void)
{
	panic_take();
	if (!panic_column0)
		panic_put('\n');
	panic_column0 = true;
}

void console_panic_frame(void *ctx, const char *line, size_t len)
{
	(void)ctx;
	console_panic_line_end();
	for (size_t i = 0; i < len; i++) {
		panic_column0 = line[i] == '\n';
		panic_put(line[i]);
	}
}
