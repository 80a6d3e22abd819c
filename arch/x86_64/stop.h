/* Stopping the other harts for a panic: set before their NMIs are sent, looked at in every NMI. */
#ifndef ARCH_X86_64_STOP_H
#define ARCH_X86_64_STOP_H

#include <stdatomic.h>

struct hart;

/* The hart that goes on, NULL while all do. */
extern _Atomic(struct hart *) stop_owner;

#endif
