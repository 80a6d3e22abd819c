/* The program's life: its options, its input, main's goroutine, and the end of the machine. */
#ifndef BOOT_PROGRAM_H
#define BOOT_PROGRAM_H

#include <stddef.h>

/* Parses the kernel command line; NULL or an error line. Boot context. */
const char *program_options(char *cmdline);
/* The INPUT file. Boot context. */
void program_input(const void *data, size_t size);
/* Body of main's goroutine. arg: where the uint64_t of boot_info's entry_ticks lies. */
void program_run(void *arg);

#endif
