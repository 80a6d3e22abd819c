/* Host stand-in for kernel/preempt.h, for test_runq.c: a queue is its owner's by the test's own arrangement. */
#ifndef KERNEL_PREEMPT_H
#define KERNEL_PREEMPT_H

#endif
