/*
 * The end of the machine, and what QEMU's exit status says. One mapping for both architectures, chosen so that nothing else QEMU, its
 * runner or a shell returns can be taken for it (0 is also a triple fault, 1 QEMU's own failure, 124..159 timeouts and signals):
 *
 *	program status 0      -> 33
 *	program status 1..46  -> 161 + 2 * status
 *	anything else         -> 255 (the exact number is in the last console line, "hb: exit N")
 *
 * tools/run maps back.
 */
#ifndef KERNEL_EXIT_H
#define KERNEL_EXIT_H

enum {
	EXIT_STATUS_PANIC = 2, /* panic, fault, deadlock: as Go */
	EXIT_CODE_OK = 33,
	EXIT_CODE_OTHER = 255,
};

static inline unsigned exit_code(int status)
{
	if (status == 0)
		return EXIT_CODE_OK;
	return status >= 1 && status <= 46 ? 161 + 2 * (unsigned)status : EXIT_CODE_OTHER;
}

#endif
