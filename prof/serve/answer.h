/* What a page of the live port is made with. */
#ifndef PROF_SERVE_ANSWER_H
#define PROF_SERVE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hartbeat/sink.h>

#include "prof/serve/http.h"

struct chan;

/* Who asked; prof/serve/serve.c. */
struct answer_client {
	/* All of n bytes; false: the client has gone, or takes nothing. May wait. */
	bool (*put)(struct answer_client *c, const void *bytes, size_t n);
	/* Whether the client has gone (a plain UART never says so). */
	bool (*gone)(struct answer_client *c);
	/* Gets something whenever that may have changed; whoever takes it looks again. */
	struct chan *wake;
};

/* An answer is collected in memory, so that what goes wrong on the way is a status and not half a file; or it leaves while it is made. */
struct answer {
	struct sink sink;     /* first: the body */
	int status;           /* 200 as it begins */
	const char *type;     /* content type */
	char file[80];        /* name for whoever saves it, or "": set by answer_file() */
	const char *location; /* of a redirection, or NULL */
	/* private to answer.c */
	struct answer_client *client;
	bool head_only, chunks; /* of the request: HEAD; its version knows chunks */
	bool streams;           /* the head has left */
	int error; /* of the body: -ENOSPC: it would take more memory than answers may; -ENOMEM: than there is */
	size_t reserved; /* bytes of answer_memory_max that are this body's: those of its buffer */
	struct sink_memory body;
};

/* Bytes that the bodies of all answers take together, at most: set before the first. */
extern uint64_t answer_memory_max;

void answer_init(struct answer *a, struct answer_client *c, const struct http_request *r);
void answer_free(struct answer *a);
/* What comes is a file of bytes, of that name and what stands behind it. */
void answer_file(struct answer *a, const char *name, const char *behind);
/* Replaces what there is by a status and one line of text; not once it streams. */
void answer_refuse(struct answer *a, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void answer_text(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Text as it may stand in HTML, in an attribute too. */
void answer_escaped(struct answer *a, const char *text);
/* From here on what is written leaves at once, in chunks. For HTTP/1.0 it is collected after all. False: the client has gone. */
bool answer_stream(struct answer *a);
/* Waits; false as soon as the client has gone. */
bool answer_wait(struct answer *a, uint64_t ns);
/* Sends what has not left yet, and the end. good: false breaks an answer that streams, so that its reader knows. */
void answer_send(struct answer *a, bool good);

#endif
