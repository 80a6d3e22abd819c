/* The program's life: its symbols, options and input, main(), and the end of the machine. */
#ifndef BOOT_PROGRAM_H
#define BOOT_PROGRAM_H

/* Body of main's goroutine. info: the struct boot_info. */
void program_run(void *info);

#endif
