/*
 * Files that leave the machine over the console, framed and checked (docs/serial-format.md); the host reader writes them into the output
 * folder under their name. Several may be open at once.
 */
#ifndef HARTBEAT_DUMP_H
#define HARTBEAT_DUMP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dump;
struct sink;

/* Starts a file. name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with '.' or '-'. NULL when the name is not valid or memory is out. */
struct dump *dump_open(const char *name) __attribute__((warn_unused_result));
void dump_write(struct dump *d, const void *data, size_t size);
void dump_printf(struct dump *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The sink of an open file (sink.h); good until it is closed. */
struct sink *dump_sink(struct dump *d);
/* Ends the file and frees d. */
void dump_close(struct dump *d);

#ifdef __cplusplus
}
#endif

#endif
