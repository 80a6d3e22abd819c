/*
 * The kernel command line: `key=value key=value ... -- argument "argument with spaces" ...`. Rooms describe
 * their options in tables; boot registers the tables, then parses once, before the first goroutine.
 */
#ifndef BOOT_OPTIONS_H
#define BOOT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_U64,      /* uint64_t: decimal or 0x, min to max */
	OPTION_BOOL,     /* bool: 1, on, true or 0, off, false */
	OPTION_STRING,   /* char[max]: min to max - 1 characters */
	OPTION_BYTES,    /* uint64_t: a number with K, M, G (1024s) or nothing behind it, min to max bytes */
	OPTION_DURATION, /* uint64_t in ns: a number with ns, us, ms or s behind it, min to max ns */
};

struct option {
	const char *name; /* room.noun, of at most OPTION_NAME_MAX characters, without blanks and '=' */
	enum option_type type;
	void *value; /* holds the default before options_parse */
	uint64_t min, max;
	const char *help; /* a few words, no full stop */
	/* set by boot/options */
	uint64_t initial; /* the default, but for OPTION_STRING */
	bool given;
};

struct option_table {
	struct option *options;
	uint32_t n;
	struct option_table *next; /* set by options_register */
};

enum {
	OPTION_NAME_MAX = 48,
	OPTION_ARGS_MAX = 64, /* of the program, its name included */
};

/* The program's arguments; argv[argc] is NULL. The strings lie in the command line that was parsed. */
struct option_args {
	int argc;
	char *argv[OPTION_ARGS_MAX + 1];
};

/* Where options_print writes: len bytes of text, not ended by NUL. */
typedef void option_sink(void *ctx, const char *text, size_t len);

/* Adds a table (static storage) and notes the defaults. A name may occur once. Boot context, before
 * options_parse. */
void options_register(struct option_table *table);

/* Forgets all tables. For tests. */
void options_reset(void);

/*
 * Parses cmdline, which it writes into and which must live as long as the arguments: sets the options'
 * values, and collects in args what follows a lone "--", behind argv0. Blanks separate; double quotes keep
 * them; a backslash, in quotes or not, takes the next character as it is. NULL, or one error line; then some
 * values may be set already.
 */
const char *options_parse(char *cmdline, char *argv0, struct option_args *args);

/* One line for each option: name=value (default, range)  help. */
void options_print(option_sink *sink, void *ctx);

#endif
