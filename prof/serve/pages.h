/* What the pages share, and serve.c calls. */
#ifndef PROF_SERVE_PAGES_H
#define PROF_SERVE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "prof/serve/answer.h"

#define PPROF "/debug/pprof/"

enum { SERVE_SECONDS_MAX = 3600 };

/* Answers a request, and sends the answer. Goroutine context; what it does may take as long as the request asks for. prof/serve/pages.c */
void pages_answer(const struct http_request *r, struct answer *a);
/* What the program was called with; both stay. */
void pages_init(int argc, char *const *argv);

/* A whole number from min to max, or `none` when the parameter is not there. False: refused. */
bool page_number(const struct http_request *r, struct answer *a, const char *name, unsigned none,
		 unsigned min, unsigned max, unsigned *out);
/* Seconds with up to nine decimals, more than 0, in ns. */
bool page_seconds(const struct http_request *r, struct answer *a, uint64_t none, uint64_t *ns);

/* Profiles: prof/serve/profiles.c. Each writes to `to`, and refuses in `a` what cannot be. False: refused, or the client has gone. */
bool page_cpu(const struct http_request *r, struct answer *a, unsigned seconds, struct sink *to);
bool page_wall(const struct http_request *r, struct answer *a, struct sink *to);
bool page_named(const struct http_request *r, struct answer *a, const char *name, struct sink *to);

/* The page that lists the others. prof/serve/index.c */
void page_index(struct answer *a);

/* ?profile=NAME, else of the CPU: prof/serve/flame.c */
void page_flame(const struct http_request *r, struct answer *a);

/* Traces, which stream: prof/serve/traces.c. Whether all of it came. */
bool page_trace(const struct http_request *r, struct answer *a);
bool page_flight(struct answer *a);

#endif
