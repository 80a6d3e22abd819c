/* Splits the input into lines and tells frame lines from text (see parse.h). */
#include "tools/hbdump/parse.h"

#include <string.h>

#include "kernel/base64.h"
#include "kernel/crc32.h"

enum {
	MARK_LEN = 3,   /* "@hb" */
	PREFIX_LEN = 4, /* "@hb " */
	CRC_LEN = 8,
	EXCERPT_MAX = 40,
};

/* ---- reading one frame line ---- */

/* What is left to read of a line. */
struct cursor {
	const char *at, *end;
};

static bool cursor_char(struct cursor *c, char want)
{
	if (c->at == c->end || *c->at != want)
		return false;
	c->at++;
	return true;
}

/* Eight lower-case hex digits. */
static bool cursor_hex(struct cursor *c, uint32_t *value)
{
	uint32_t v = 0;
	if (c->end - c->at < CRC_LEN)
		return false;
	for (int i = 0; i < CRC_LEN; i++) {
		char d = *c->at++;
		if (d >= '0' && d <= '9')
			v = v << 4 | (uint32_t)(d - '0');
		else if (d >= 'a' && d <= 'f')
			v = v << 4 | (uint32_t)(d - 'a' + 10);
		else
			return false;
	}
	*value = v;
	return true;
}

/* A decimal number without needless zeros, at most max. */
static bool cursor_decimal(struct cursor *c, uint64_t *value, uint64_t max)
{
	const char *start = c->at;
	uint64_t v = 0;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
		uint64_t digit = (uint64_t)(*c->at - '0');
		if (v > max / 10 || v * 10 + digit > max)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return c->at > start && (*start != '0' || c->at == start + 1);
}

static bool read_begin(struct frame *f, struct cursor *c)
{
	size_t len = (size_t)(c->end - c->at);
	if (!frame_name_valid(c->at, len))
		return false;
	memcpy(f->name, c->at, len);
	f->name[len] = '\0';
	return true;
}

static bool read_data(struct frame *f, struct cursor *c)
{
	uint64_t line;
	if (!cursor_decimal(c, &line, UINT32_MAX - 1) || !cursor_char(c, ' '))
		return false;
	size_t len = (size_t)(c->end - c->at);
	if (len == 0 || len > BASE64_SIZE(FRAME_DATA_MAX))
		return false;
	f->line = (uint32_t)line;
	return base64_decode(f->data, &f->size, c->at, len);
}

static bool read_end(struct frame *f, struct cursor *c)
{
	uint64_t lines;
	if (!cursor_decimal(c, &lines, UINT32_MAX) || !cursor_char(c, ' '))
		return false;
	f->line = (uint32_t)lines;
	if (!cursor_decimal(c, &f->bytes, lines * FRAME_DATA_MAX) ||
	    (lines > 0 && f->bytes <= (lines - 1) * FRAME_DATA_MAX))
		return false;
	return cursor_char(c, ' ') && cursor_hex(c, &f->sum) && c->at == c->end;
}

const char *frame_read(struct frame *f, const char *line, size_t len)
{
	while (len > 0 && line[len - 1] == '\r')
		len--;
	if (len >= FRAME_LINE_MAX)
		return "longer than a frame line can be";
	if (len < PREFIX_LEN + 1 + CRC_LEN || memcmp(line, "@hb ", PREFIX_LEN) != 0)
		return "cut short or not a frame line";
	size_t sealed = len - PREFIX_LEN - CRC_LEN - 1;
	struct cursor seal = {line + PREFIX_LEN + sealed, line + len};
	uint32_t crc;
	if (!cursor_char(&seal, ' ') || !cursor_hex(&seal, &crc))
		return "no checksum at its end";
	if (crc != crc32_update(0, line + PREFIX_LEN, sealed))
		return "wrong checksum";
	struct cursor c = {line + PREFIX_LEN, line + PREFIX_LEN + sealed};
	uint64_t number;
	f->kind = *c.at++;
	if (!cursor_char(&c, ' ') || !cursor_hex(&c, &f->id.nonce) || !cursor_char(&c, '-') ||
	    !cursor_decimal(&c, &number, FRAME_NUMBER_MAX) || !cursor_char(&c, ' '))
		return "right checksum but unknown form";
	f->id.number = (uint32_t)number;
	bool ok = (f->kind == 'B' && read_begin(f, &c)) || (f->kind == 'D' && read_data(f, &c)) ||
		  (f->kind == 'E' && read_end(f, &c));
	return ok ? NULL : "right checksum but unknown form";
}

/* ---- telling frame lines from text ---- */

static void report_damage(struct parser *p, const char *what, const char *line, size_t len)
{
	char excerpt[EXCERPT_MAX + 4];
	size_t n = len < EXCERPT_MAX ? len : EXCERPT_MAX;
	for (size_t i = 0; i < n; i++)
		excerpt[i] = line[i] >= ' ' && line[i] <= '~' ? line[i] : '.';
	memcpy(excerpt + n, len > n ? "..." : "", len > n ? 4 : 1);
	p->events->damage(p->ctx, p->log_line, what, excerpt);
}

/* Finds a sound frame line that follows other text on the line, and reports it. */
static void search_inside(struct parser *p, const char *line, size_t len)
{
	while (len > 0 && line[len - 1] == '\r')
		len--;
	const char *end = line + len, *at = line;
	while (at < end && *at == FRAME_ESCAPE)
		at++;
	const char *quoted = at; /* an escaped line may quote a frame line here */
	if (end - at > FRAME_LINE_MAX)
		at = end - FRAME_LINE_MAX;
	for (; at < end && (at = memchr(at, '@', (size_t)(end - at))) != NULL; at++) {
		struct frame f;
		if (at != quoted && frame_read(&f, at, (size_t)(end - at)) == NULL) {
			report_damage(p, "a frame line that does not start its line", at, (size_t)(end - at));
			return;
		}
	}
}

/* Whether a line that starts so can still become a frame line or an escaped line. */
static bool line_undecided(const char *line, size_t len)
{
	if (line[0] == FRAME_ESCAPE)
		return len < 2;
	return memcmp(line, "@hb", len < MARK_LEN ? len : MARK_LEN) == 0;
}

/* Passes on the text of line[shown..len), less the escape of an escaped line. */
static void show_text(struct parser *p, const char *line, size_t shown, size_t len)
{
	if (shown == 0 && len >= 2 && line[0] == FRAME_ESCAPE && frame_text_escapes(line[1]))
		shown = 1;
	if (len > shown)
		p->events->text(p->ctx, line + shown, len - shown);
}

/* A whole line of len bytes, followed by newline (0 or 1) newlines; its first shown bytes were passed on
 * before. */
static void take_line(struct parser *p, const char *line, size_t shown, size_t len, size_t newline)
{
	if (len >= MARK_LEN && memcmp(line, "@hb", MARK_LEN) == 0) {
		struct frame f;
		const char *wrong = frame_read(&f, line, len);
		if (wrong == NULL) {
			p->events->frame(p->ctx, p->log_line, &f);
			return;
		}
		report_damage(p, wrong, line, len);
	} else {
		search_inside(p, line, len);
	}
	show_text(p, line, shown, len + newline);
}

void parse_init(struct parser *p, const struct parse_events *events, void *ctx)
{
	p->events = events;
	p->ctx = ctx;
	p->log_line = 1;
	p->len = 0;
	p->shown = 0;
	p->long_line = false;
}

/* The newline of the line being read has come: text is what of it is not in p->line, newline included. */
static void end_line(struct parser *p, const char *text, size_t len)
{
	if (p->long_line) {
		p->events->text(p->ctx, text, len);
	} else if (p->len == 0) {
		take_line(p, text, 0, len - 1, 1);
	} else {
		memcpy(p->line + p->len, text, len);
		take_line(p, p->line, p->shown, p->len + len - 1, 1);
	}
	p->len = 0;
	p->shown = 0;
	p->long_line = false;
	p->log_line++;
}

/* More of a line that has not ended. */
static void extend_line(struct parser *p, const char *text, size_t len)
{
	if (p->long_line) {
		p->events->text(p->ctx, text, len);
		return;
	}
	memcpy(p->line + p->len, text, len);
	p->len += len;
	if (!line_undecided(p->line, p->len)) {
		show_text(p, p->line, p->shown, p->len);
		p->shown = p->len;
	}
}

/* The line being read does not fit: look at what there is of it, then pass on the rest as it comes. */
static void overflow_line(struct parser *p)
{
	take_line(p, p->line, p->shown, p->len, 0);
	p->len = 0;
	p->shown = 0;
	p->long_line = true;
}

void parse_feed(struct parser *p, const char *data, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline != NULL ? (size_t)(newline - data) + 1 : len;
		size_t room = PARSE_LINE_MAX - p->len;
		if (!p->long_line && n - (newline != NULL) > room) {
			extend_line(p, data, room);
			overflow_line(p);
			data += room;
			len -= room;
			continue;
		}
		if (newline != NULL)
			end_line(p, data, n);
		else
			extend_line(p, data, n);
		data += n;
		len -= n;
	}
}

void parse_finish(struct parser *p)
{
	if (p->len == 0)
		return;
	if (p->line[0] == '@' && p->len < MARK_LEN && line_undecided(p->line, p->len)) {
		report_damage(p, "the input ends within a frame mark", p->line, p->len);
		show_text(p, p->line, p->shown, p->len);
	} else {
		take_line(p, p->line, p->shown, p->len, 0);
	}
	p->len = 0;
}
