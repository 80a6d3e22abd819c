/*
 * What to ask the machine for again (see store.h). A request is made when what was asked for before will not come any more, and that is told by
 * frame lines alone: a program may print all the time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/hbdump/store.h"

enum {
	QUIET_MS =
		300, /* no line of the dump has come for so long: what was asked for does not come any more */
	END_QUIET_MS = 1000, /* the same for a dump that may not have ended */
	LOST_MAX = 16,       /* streams asked for of which no line came, at a time */
};

static bool due(const struct store *s, const struct store_stream *st)
{
	if (st->failed || st->asks >= STORE_ASKS)
		return false;
	if (st->asks == 0 && st->has_end)
		return true;
	return s->now_ms - st->heard_ms >= (st->has_end ? QUIET_MS : END_QUIET_MS) &&
	       s->now_ms - st->asked_ms >= (uint64_t)QUIET_MS << st->asks;
}

/* What st lacks, as a list. */
static void list(const struct store_stream *st, char *out, size_t size)
{
	const char *marks = st->has_begin ? st->has_end ? "" : "end" : st->has_end ? "begin" : "begin,end";
	size_t n = (size_t)snprintf(out, size, "%s", marks);
	if (!st->has_begin && !st->has_end && st->seen.end == 0) {
		snprintf(out, size, "all");
		return;
	}
	if (n > 0)
		out[n++] = ',';
	if (lines_list(&st->seen, st->has_end ? st->lines : st->seen.end, out + n, size - n) == 0 && n > 0)
		out[n - 1] = '\0';
}

/* Streams of the boot of the last frame line between others of it, of which no line has come: they are open from now on. */
static void ask_lost(struct store *s)
{
	uint32_t low = UINT32_MAX, high = 0, made = 0;
	if (s->recent == NULL || (s->lost_looked == s->clock && !s->unsure))
		return;
	struct stream_id id = s->recent->id;
	for (const struct store_stream *st = s->first; st != NULL; st = st->next) {
		if (st->id.nonce != id.nonce)
			continue;
		low = st->id.number < low ? st->id.number : low;
		high = st->id.number > high ? st->id.number : high;
	}
	for (id.number = low; id.number < high && made < LOST_MAX && s->n_open < STORE_OPEN_MAX; id.number++)
		if (store_stream_find(s, id) == NULL)
			made += store_stream_create(s, 0, id) != NULL;
	if (made > 0)
		return;
	s->lost_looked = s->clock;
	if (!s->unsure)
		return;
	/* The one that would follow, too: the answer may be that there is none. */
	s->unsure = false;
	id.number = high + 1;
	snprintf(s->probe, sizeof s->probe, "resend %08" PRIx32 "-%" PRIu32 " all", id.nonce, id.number);
}

bool store_ask(struct store *s, char out[STORE_ASK_MAX])
{
	if (s->now_ms - s->heard_ms >= QUIET_MS)
		ask_lost(s);
	for (uint32_t i = 0; i < s->n_open; i++) {
		struct store_stream *st = s->open[i];
		if (st->asks > 0 && st->seen_count != st->asked_seen)
			st->asks = 1;
		if (!due(s, st))
			continue;
		st->asks++;
		st->asked_ms = s->now_ms;
		st->asked_seen = st->seen_count;
		int n = snprintf(out, STORE_ASK_MAX, "resend %s ", st->token);
		list(st, out + n, STORE_ASK_MAX - (size_t)n);
		if (out[n] != '\0')
			return true;
	}
	if (s->probe[0] == '\0')
		return false;
	memcpy(out, s->probe, sizeof s->probe);
	s->probe[0] = '\0';
	return true;
}
