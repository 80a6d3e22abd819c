/* Host stand-in for kernel/device.h, for test_ktimer.c: there are no devices. */
#ifndef KERNEL_DEVICE_H
#define KERNEL_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>

extern _Atomic bool devices_wanted;
void devices_run_sys(void);

#endif
