/* Commands of the console: what is said at the prompt, and what answers. All in goroutine context, by the console's goroutine. */
#ifndef PROF_SERVE_COMMANDS_H
#define PROF_SERVE_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "prof/serve/edit.h"

struct uart_place;

/* prof/serve/console.c */

/* Text for who is at the console: whole lines. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Waits so many ns, or until somebody types ^C (or q): false. What else is typed is kept for later. */
bool console_wait(uint64_t ns);
/* serve_room.console */
const char *console_serve(const struct uart_place *place);

/* prof/serve/commands.c */

enum { COMMAND_WORDS_MAX = 8 };

/* Does what a line says; an unknown or wrong one is answered with a line. It is taken apart in place. */
void command_run(char *line);
/* The words that fit behind `before` words, the first of which is command[0..n): *words; returns how many. */
unsigned command_words(unsigned before, const char *command, unsigned n, const char *const **words);

/* A whole number from min to max; false, after saying so, if text is none. */
bool command_number(const char *command, const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* prof/serve/show.c */

void show_goroutines(int argc, char **argv);
void show_bt(int argc, char **argv);
void show_harts(int argc, char **argv);
void show_locks(int argc, char **argv);
void show_mem(int argc, char **argv);
void show_metrics(int argc, char **argv);

/* What people may name: states and reasons. */
unsigned show_states(const char *const **words);
/* "12.3 s": a duration for people. */
const char *show_time(char text[24], uint64_t ns);

struct g;
/* Where g waits or waits to run, in the program: "function file:line"; "" when that cannot be seen. */
const char *show_where(struct g *g, char *text, unsigned size);

/* prof/serve/top.c */

void top_command(int argc, char **argv);

#endif
