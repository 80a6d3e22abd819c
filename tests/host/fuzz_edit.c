/* Fuzzes the console's line editor: whatever comes, its line is whole and can be drawn, and a line end ends a line. */
#include "prof/serve/edit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool true_)
{
	if (!true_)
		abort();
}

static void check(const struct edit *e, enum edit_event event)
{
	char out[8 + EDIT_DRAW_MAX];
	const char *word;
	unsigned n;
	want(e->at <= e->n && e->n <= EDIT_MAX && strlen(e->line) == e->n);
	want(strlen(e->done) <= EDIT_MAX);
	for (unsigned i = 0; i < e->n; i++)
		want(e->line[i] >= ' ' && e->line[i] <= '~');
	size_t drawn = edit_draw(e, "hb> ", out, sizeof out);
	want(drawn > 0 && drawn <= sizeof out && out[0] == '\r');
	edit_word(e, &word, &n);
	want(n <= e->at && word + n == e->line + e->at);
	want(event != EDIT_LINE || (e->n == 0 && e->back == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = {"goroutines", "harts", "help", "heap"};
	static struct edit e;
	edit_init(&e);
	for (size_t i = 0; i < size; i++) {
		enum edit_event event = edit_feed(&e, data[i]);
		if (event == EDIT_COMPLETE)
			edit_complete(&e, words, 4);
		check(&e, event);
	}
	if (e.in_quiet) /* the line end of a program's line, if it was one */
		edit_feed(&e, '\n');
	e.cr = false;
	want(edit_feed(&e, '\n') == EDIT_LINE);
	return 0;
}
