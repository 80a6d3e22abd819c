/* What a page of the live port is made with. */
#ifndef PROF_SERVE_ANSWER_H
#define PROF_SERVE_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include <hartbeat/sink.h>

#include "prof/serve/http.h"

enum { ANSWER_MAX = 16 << 20 }; /* bytes that one answer may take */

/* An answer is collected in memory, so that what goes wrong on the way is a status and not half a file. */
struct answer {
	struct sink sink;     /* first: the body */
	int status;           /* 200 as it begins */
	const char *type;     /* content type */
	const char *file;     /* name for whoever saves it, or NULL */
	const char *location; /* of a redirection, or NULL */
	struct sink_memory body;
};

void answer_init(struct answer *a);
void answer_free(struct answer *a);
/* Replaces what there is by a status and one line of text. */
void answer_refuse(struct answer *a, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void answer_text(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The pages: prof/serve/pages.c. Goroutine context; what they do may take as long as the request asks for. */
void pages_answer(const struct http_request *r, struct answer *a);
/* What the program was called with; both stay. */
void pages_init(int argc, char *const *argv);

#endif
