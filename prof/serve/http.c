/*
 * A request is collected up to its empty line and then taken apart in place.
 *
 * 1. Nothing is looked at before the empty line but its length. Otherwise the answer would depend on how the bytes were cut into pieces.
 * 2. Every byte of the head is a printing ASCII character, a blank or the CR LF of a line's end. Otherwise what is logged or sent back
 *    could hold control characters.
 */
#include "prof/serve/http.h"

#include <string.h>

void http_init(struct http_request *r)
{
	r->n = 0;
	r->head_only = false;
	r->minor = 0;
}

/* ---- pieces ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %xx, and + if wanted, from [from, end) to *to, with a NUL; moves *to behind it. False: broken, or a NUL or other control
 * character in it. */
static bool decode(const char *from, const char *end, bool plus, char **to)
{
	while (from < end) {
		int c = (unsigned char)*from++;
		if (c == '%') {
			if (end - from < 2 || hex(from[0]) < 0 || hex(from[1]) < 0)
				return false;
			c = hex(from[0]) * 16 + hex(from[1]);
			from += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f)
			return false;
		*(*to)++ = (char)c;
	}
	*(*to)++ = '\0';
	return true;
}

static bool same_word(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((a[i] | 0x20) != (b[i] | 0x20))
			return false;
	return b[n] == '\0';
}

/* name=value&name=value */
static bool query_parse(struct http_request *r, char **to)
{
	const char *at = r->query;
	r->n_params = 0;
	while (*at != '\0') {
		const char *end = at + strcspn(at, "&"), *eq = memchr(at, '=', (size_t)(end - at));
		if (end > at) {
			if (r->n_params == HTTP_PARAMS_MAX)
				return false;
			struct http_param *p = &r->param[r->n_params++];
			p->name = *to;
			if (!decode(at, eq != NULL ? eq : end, true, to))
				return false;
			p->value = *to;
			if (!decode(eq != NULL ? eq + 1 : end, end, true, to))
				return false;
		}
		at = *end == '&' ? end + 1 : end;
	}
	return true;
}

/* "GET /path?query HTTP/1.1" */
static int line_parse(struct http_request *r, char *line)
{
	char *target = strchr(line, ' ');
	if (target == NULL || target == line)
		return 400;
	*target++ = '\0';
	char *version = strchr(target, ' ');
	if (version == NULL || version == target || target[0] != '/')
		return 400;
	*version++ = '\0';
	if (strncmp(version, "HTTP/", 5) != 0 || strchr(version, ' ') != NULL)
		return 400;
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return 505;
	r->minor = (unsigned)(version[7] - '0');
	r->head_only = strcmp(line, "HEAD") == 0;
	if (!r->head_only && strcmp(line, "GET") != 0)
		return 405;
	char *query = strchr(target, '?'), *to = r->decoded;
	if (strchr(target, '#') != NULL)
		return 400;
	r->query = query != NULL ? query + 1 : "";
	r->path = to;
	if (!decode(target, query != NULL ? query : target + strlen(target), false, &to) ||
	    !query_parse(r, &to))
		return 400;
	return HTTP_DONE;
}

static int field_parse(struct http_request *r, char *line)
{
	char *colon = strchr(line, ':');
	if (colon == NULL || colon == line || memchr(line, ' ', (size_t)(colon - line)) != NULL)
		return 400;
	char *value = colon + 1 + strspn(colon + 1, " \t"), *end = value + strlen(value);
	size_t n = (size_t)(colon - line);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (same_word(line, "authorization", n))
		r->authorization = value;
	if (same_word(line, "content-length", n) && strcmp(value, "0") != 0)
		return 413;
	if (same_word(line, "transfer-encoding", n))
		return 413;
	return HTTP_DONE;
}

static int parse(struct http_request *r)
{
	char *line = r->head, *end = r->head + r->n;
	bool first = true;
	r->authorization = "";
	r->n_params = 0;
	for (size_t i = 0; i < r->n; i++) {
		unsigned char c = (unsigned char)r->head[i];
		bool cr = c == '\r' && r->head[i + 1] == '\n',
		     lf = c == '\n' && i > 0 && r->head[i - 1] == '\r';
		if ((c < 0x20 && c != '\t' && !cr && !lf) || c > 0x7e)
			return 400;
	}
	while (line < end) {
		char *next = strstr(line, "\r\n");
		if (next == line)
			break;
		*next = '\0';
		int status = first ? line_parse(r, line) : field_parse(r, line);
		if (status != HTTP_DONE)
			return status;
		first = false;
		line = next + 2;
	}
	return first ? 400 : HTTP_DONE;
}

int http_feed(struct http_request *r, const char *bytes, size_t n, size_t *used)
{
	for (size_t i = 0; i < n; i++) {
#ifdef MUTANT_http_length
		if (false) {
#else
		if (r->n == HTTP_HEAD_MAX) {
#endif
			*used = i;
			return memchr(r->head, '\n', r->n) != NULL ? 431 : 414;
		}
		r->head[r->n++] = bytes[i];
		r->head[r->n] = '\0';
		if (bytes[i] == '\n' && r->n >= 4 && memcmp(r->head + r->n - 4, "\r\n\r\n", 4) == 0) {
			*used = i + 1;
			return parse(r);
		}
		/* A line's end without CR, or one that comes first, will not become right. */
		if (bytes[i] == '\n' && (r->n < 2 || r->head[r->n - 2] != '\r' || r->n == 2)) {
			*used = i + 1;
			return 400;
		}
	}
	*used = n;
	return HTTP_MORE;
}

const char *http_get(const struct http_request *r, const char *name)
{
	for (unsigned i = 0; i < r->n_params; i++)
		if (strcmp(r->param[i].name, name) == 0)
			return r->param[i].value;
	return NULL;
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{301, "Moved Permanently"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

bool http_same_secret(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
#ifdef MUTANT_token_prefix
	return strncmp(a, b, n) == 0;
#endif
	unsigned char differ = n != m;
	for (size_t i = 0; i < n; i++)
		differ |= (unsigned char)((unsigned char)a[i] ^ (unsigned char)b[m > 0 ? i % m : 0]);
	return differ == 0 && m > 0;
}
