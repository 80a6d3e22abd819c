/* A profile as the page of a flame graph, as hbdump --flame writes it: the profile itself in base64 between the page's halves. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base64.h"
#include "prof/page/flame_page.h"
#include "prof/serve/pages.h"

enum { PIECE = 3 << 8, NAME_MAX_SHOWN = 64 };

/* Bytes that come in any number, encoded three by three. */
struct base64_sink {
	struct sink sink; /* first */
	struct sink *to;
	size_t n;
	uint8_t piece[PIECE];
};

static int piece_out(struct base64_sink *b)
{
	char text[BASE64_SIZE(PIECE)];
	size_t n = base64_encode(text, b->piece, b->n);
	b->n = 0;
	return sink_write(b->to, text, n);
}

static int base64_write(struct sink *s, const void *data, size_t n)
{
	struct base64_sink *b = (struct base64_sink *)s;
	for (const uint8_t *from = data; n > 0;) {
		size_t part = n < PIECE - b->n ? n : PIECE - b->n;
		memcpy(b->piece + b->n, from, part);
		b->n += part;
		from += part;
		n -= part;
		int error = b->n == PIECE ? piece_out(b) : 0;
		if (error != 0)
			return error;
	}
	return 0;
}

static int page_begin(struct answer *a, const char *name)
{
	char text[FLAME_NAME_SIZE];
	flame_page_name(text, name);
	int error = sink_write(&a->sink, flame_page_head, strlen(flame_page_head));
	if (error == 0)
		error = sink_write(&a->sink, text, strlen(text));
	return error == 0 ? sink_write(&a->sink, "\n", 1) : error;
}

static int page_end(struct answer *a, struct base64_sink *b)
{
	int error = piece_out(b);
	if (error == 0)
		error = sink_write(&a->sink, "\n", 1);
	return error == 0 ? sink_write(&a->sink, flame_page_tail, strlen(flame_page_tail)) : error;
}

void page_flame(const struct http_request *r, struct answer *a)
{
	struct base64_sink b = {.sink.write = base64_write, .to = &a->sink};
	const char *name = http_get(r, "profile");
	char file[NAME_MAX_SHOWN + sizeof ".pb.gz"];
	bool good;
	snprintf(file, sizeof file, "%.*s.pb.gz", NAME_MAX_SHOWN, name != NULL ? name : "cpu");
	if (http_get(r, "debug") != NULL) {
		answer_refuse(a, 400, "debug: not with flame");
		return;
	}
	if (page_begin(a, file) != 0)
		return;
	if (name == NULL || strcmp(name, "cpu") == 0)
		good = page_cpu(r, a, 5, &b.sink);
	else if (strcmp(name, "wall") == 0)
		good = page_wall(r, a, &b.sink);
	else
		good = page_named(r, a, name, &b.sink);
	if (!good)
		return;
	a->type = "text/html; charset=utf-8";
	a->file[0] = '\0';
	(void)!page_end(a, &b); /* a's sink keeps its error */
}
