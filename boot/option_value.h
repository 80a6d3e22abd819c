/* Values of command line options as text: reading, and writing for people. Private to boot/options. */
#ifndef BOOT_OPTION_VALUE_H
#define BOOT_OPTION_VALUE_H

#include "boot/options.h"

enum { OPTION_TEXT_MAX = 64 };

/* Sets *o->value from text. False when text is not of the option's type or out of its range: nothing is
 * changed. */
bool option_value_set(const struct option *o, const char *text);

/* The option's value as a number (any type but OPTION_STRING). */
uint64_t option_value_get(const struct option *o);

/* Writes v as a value of type, in the largest unit that shows it whole, into buf (OPTION_TEXT_MAX bytes). */
void option_value_text(enum option_type type, uint64_t v, char *buf);

/* Writes what the option expects, such as "1 to 10000" or "on or off", into buf (OPTION_TEXT_MAX * 3 bytes).
 */
void option_value_expected(const struct option *o, char *buf);

#endif
