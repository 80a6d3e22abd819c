/*
 * The system stack: wired, one per hart, for what may not fault (the page lock and everything ranked after STACKGROW).
 */
#ifndef KERNEL_SYSTEM_H
#define KERNEL_SYSTEM_H

/*
 * Runs fn(arg) on this hart's system stack; directly when already there (or at boot). While it runs, hart->serving names the
 * goroutine, so that a sample continues into its stack and carries its labels. fn may not park. Goroutine, system or boot context.
 */
void on_system_stack(void (*fn)(void *), void *arg);

#endif
