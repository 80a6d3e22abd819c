/*
 * Shoot-downs: making every hart forget translations of pages that were taken out of the page tables (see shootdown.c).
 */
#ifndef KERNEL_SHOOTDOWN_H
#define KERNEL_SHOOTDOWN_H

#include <stdbool.h>
#include <stdint.h>

struct hart;

/* Asks every hart to forget what was taken out of the page tables before this call; returns a ticket. Goroutine context with preemption
 * off, or system context; interrupts on, no spinlock held. */
uint64_t shootdown_begin(void);
/* Waits until all have, serving the requests of others meanwhile. The same contexts. */
void shootdown_wait(uint64_t ticket);
/* Whether all have: then no hart reaches the frames any more. Any context. */
bool shootdown_done(uint64_t ticket);

/* This hart was asked (IPI_FLUSH). Interrupt context. */
void shootdown_irq(struct hart *h);

#endif
