/*
 * HTTP/1.1 requests, parsed byte by byte: strict, bounded, without allocation. RFC 9112 (syntax), RFC 3986 (query). Pure: the same source
 * runs on the host, where it is fuzzed.
 */
#ifndef PROF_SERVE_HTTP_H
#define PROF_SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum {
	HTTP_HEAD_MAX = 8192, /* bytes of request line and header fields */
	HTTP_PARAMS_MAX = 16,
	HTTP_MORE = 0,
	HTTP_DONE = 200,
};

struct http_param {
	const char *name, *value; /* decoded; value is "" without '=' */
};

struct http_request {
	char head[HTTP_HEAD_MAX + 1];
	size_t n;

	/* after HTTP_DONE; strings lie in head */
	bool head_only;           /* the method is HEAD */
	unsigned minor;           /* of the version, HTTP/1.0 or 1.1 */
	const char *path, *query; /* path decoded; query as it came, "" if none */
	struct http_param param[HTTP_PARAMS_MAX];
	unsigned n_params;
	const char *authorization; /* of that header field, or "" */
	char decoded[HTTP_HEAD_MAX + 64];
};

void http_init(struct http_request *r);

/*
 * Takes up to n bytes of a request and sets *used to how many: HTTP_MORE, HTTP_DONE with the request complete, or the status to refuse it
 * with: 400, 405 (not GET or HEAD), 413 (it has a body), 414, 431 (too long), 505 (not HTTP/1.0 or 1.1). After anything but HTTP_MORE the
 * next request begins with http_init().
 */
int http_feed(struct http_request *r, const char *bytes, size_t n, size_t *used);

/* The value of a parameter, or NULL. */
const char *http_get(const struct http_request *r, const char *name);

/* What a status is called: "OK", "Bad Request", ... */
const char *http_reason(int status);

/* Whether a and b are the same, in a time that tells nothing but their lengths. */
bool http_same_secret(const char *a, const char *b);

#endif
