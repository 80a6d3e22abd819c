/* The parser of the live port's requests: what it takes, what it refuses with which status, and that it does not matter how bytes are cut. */
#include "prof/serve/http.h"

#include <stdlib.h>
#include <string.h>

#include "tests/host/check.h"

static struct http_request r;

/* Feeds `text` in pieces of `step` bytes; returns the status, and in *left how many bytes were not taken. */
static int feed(const char *text, size_t step, size_t *left)
{
	size_t n = strlen(text), at = 0;
	int status = HTTP_MORE;
	http_init(&r);
	while (at < n && status == HTTP_MORE) {
		size_t used, part = n - at < step ? n - at : step;
		/* a copy of just these bytes, so that reading beyond them is seen */
		char *piece = malloc(part);
		memcpy(piece, text + at, part);
		status = http_feed(&r, piece, part, &used);
		free(piece);
		at += used;
	}
	*left = n - at;
	return status;
}

static int status_of(const char *text)
{
	size_t left;
	int status = feed(text, strlen(text), &left);
	for (size_t step = 1; step < 40; step++) {
		size_t l;
		CHECK_EQ(feed(text, step, &l), status);
	}
	return status;
}

TEST(whole_requests)
{
	CHECK_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), HTTP_DONE);
	CHECK_STR(r.path, "/");
	CHECK_STR(r.query, "");
	CHECK_EQ(status_of("GET /debug/pprof/profile?seconds=5&hz=99 HTTP/1.1\r\nHost: localhost:6060\r\n"
			   "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\r\n"),
		 HTTP_DONE);
	CHECK_STR(r.path, "/debug/pprof/profile");
	CHECK_STR(http_get(&r, "seconds"), "5");
	CHECK_STR(http_get(&r, "hz"), "99");
	CHECK(http_get(&r, "debug") == NULL);
	CHECK(!r.head_only);
	CHECK_EQ(status_of("HEAD /a%20b?x=%41+c&y&=z HTTP/1.0\r\nAuthorization:  Bearer t \r\n\r\n"),
		 HTTP_DONE);
	CHECK(r.head_only);
	CHECK_STR(r.path, "/a b");
	CHECK_STR(http_get(&r, "x"), "A c");
	CHECK_STR(http_get(&r, "y"), "");
	CHECK_STR(r.authorization, "Bearer t");
}

TEST(what_is_left_is_the_next_request)
{
	size_t left;
	CHECK_EQ(feed("GET / HTTP/1.1\r\n\r\nGET /b", 1000, &left), HTTP_DONE);
	CHECK_EQ(left, 6);
}

TEST(refused)
{
	static const struct {
		int status;
		const char *text;
	} cases[] = {
		{400, "\r\n"},
		{400, "\n"},
		{400, "GET / HTTP/1.1\n\n"},
		{400, "nonsense\r\n\r\n"},
		{400, "GET  / HTTP/1.1\r\n\r\n"},
		{400, "GET / HTTP/1.1 \r\n\r\n"},
		{400, "GET x HTTP/1.1\r\n\r\n"},
		{400, "GET http://a/ HTTP/1.1\r\n\r\n"},
		{400, "GET /#a HTTP/1.1\r\n\r\n"},
		{400, "GET /%4 HTTP/1.1\r\n\r\n"},
		{400, "GET /%00 HTTP/1.1\r\n\r\n"},
		{400, "GET /?a=%0a HTTP/1.1\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nno colon\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\n: empty\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\na b: c\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\na: \x01\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\na: \r b\r\n\r\n"},
		{400, "GET /\xc3\xa4 HTTP/1.1\r\n\r\n"},
		{400, "GET /?1&2&3&4&5&6&7&8&9&a&b&c&d&e&f&g&h HTTP/1.1\r\n\r\n"},
		{405, "POST / HTTP/1.1\r\n\r\n"},
		{405, "get / HTTP/1.1\r\n\r\n"},
		{413, "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"},
		{413, "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"},
		{505, "GET / HTTP/2.0\r\n\r\n"},
		{400, "GET / HTTX/1.1\r\n\r\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		CHECK_EQ(status_of(cases[i].text), cases[i].status);
	CHECK_EQ(status_of("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), HTTP_DONE);
}

TEST(too_long)
{
	char *text = malloc(2 * HTTP_HEAD_MAX);
	size_t left;
	memset(text, 'a', 2 * HTTP_HEAD_MAX);
	memcpy(text, "GET /", 5);
	text[2 * HTTP_HEAD_MAX - 1] = '\0';
	CHECK_EQ(feed(text, 100, &left), 414);
	memcpy(text, "GET / HTTP/1.1\r\nx: ", 19);
	CHECK_EQ(feed(text, 100, &left), 431);
	free(text);
}

TEST(secrets)
{
	CHECK(http_same_secret("abc", "abc"));
	CHECK(!http_same_secret("ab", "abc"));
	CHECK(!http_same_secret("abcd", "abc"));
	CHECK(!http_same_secret("abd", "abc"));
	CHECK(!http_same_secret("", "abc"));
	CHECK(!http_same_secret("", ""));
	CHECK(!http_same_secret("abc", ""));
}
