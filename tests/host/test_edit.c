/* The console's line editor: keys, history, completion, what is drawn, and lines of programs beside a line that a person types. */
#include "prof/serve/edit.h"

#include <string.h>

#include "tests/host/check.h"

static struct edit e;

/* Feeds all bytes; returns the last event that was one. */
static enum edit_event keys(const char *bytes)
{
	enum edit_event last = EDIT_NONE;
	for (size_t i = 0; bytes[i] != '\0'; i++) {
		enum edit_event now = edit_feed(&e, (uint8_t)bytes[i]);
		if (now != EDIT_NONE)
			last = now;
	}
	return last;
}

static void fresh(const char *bytes)
{
	edit_init(&e);
	keys(bytes);
}

static bool line_is(const char *want)
{
	return strcmp(e.line, want) == 0 && e.n == strlen(want) && e.at <= e.n;
}

TEST(edit_types_and_ends_a_line)
{
	fresh("harts");
	CHECK(line_is("harts"));
	CHECK_EQ(keys("\r"), EDIT_LINE);
	CHECK(strcmp(edit_line(&e), "harts") == 0);
	CHECK(line_is(""));
}

TEST(edit_takes_each_kind_of_line_end_once)
{
	fresh("a\r");
	CHECK_EQ(edit_feed(&e, '\n'), EDIT_NONE);
	CHECK_EQ(edit_feed(&e, '\n'), EDIT_LINE);
	CHECK_EQ(edit_feed(&e, '\r'), EDIT_LINE);
	CHECK_EQ(edit_feed(&e, '\r'), EDIT_LINE);
}

TEST(edit_moves_and_inserts)
{
	fresh("ac\033[Db");
	CHECK(line_is("abc"));
	keys("\001x\005y\033[Hz\033[Fw");
	CHECK(line_is("zxabcyw"));
	keys("\033[1~1\033[4~2\033OH3\033OF4");
	CHECK(line_is("31zxabcyw24"));
	keys("\002\0025\006\006\006\0066");
	CHECK(line_is("31zxabcyw5246"));
}

TEST(edit_moves_by_words)
{
	fresh("one two three\033b\033bX\033fY");
	CHECK(line_is("one XtwoY three"));
}

TEST(edit_takes_out)
{
	fresh("abcdef\b\177");
	CHECK(line_is("abcd"));
	keys("\001\004\033[3~");
	CHECK(line_is("cd"));
	fresh("one two \027");
	CHECK(line_is("one "));
	fresh("one two\033b\013");
	CHECK(line_is("one "));
	fresh("one two\033b\025");
	CHECK(line_is("two"));
	CHECK_EQ(e.at, 0);
}

TEST(edit_refuses_at_the_borders)
{
	fresh("");
	CHECK_EQ(keys("\b"), EDIT_REFUSED);
	CHECK_EQ(keys("\004"), EDIT_REFUSED);
	CHECK_EQ(keys("\033[D"), EDIT_REFUSED);
	CHECK_EQ(keys("\033[C"), EDIT_REFUSED);
	CHECK_EQ(keys("\033[A"), EDIT_REFUSED);
	CHECK_EQ(keys("\033[B"), EDIT_REFUSED);
	CHECK_EQ(keys("\025"), EDIT_REFUSED);
	CHECK_EQ(keys("\303"), EDIT_REFUSED);
	CHECK(line_is(""));
}

TEST(edit_has_an_end)
{
	fresh("");
	for (int i = 0; i < EDIT_MAX; i++)
		CHECK_EQ(keys("x"), EDIT_CHANGED);
	CHECK_EQ(keys("y"), EDIT_REFUSED);
	CHECK_EQ(e.n, EDIT_MAX);
	CHECK_EQ(keys("\r"), EDIT_LINE);
	CHECK_EQ(strlen(edit_line(&e)), EDIT_MAX);
}

TEST(edit_walks_through_history)
{
	fresh("first\rsecond\rsecond\rthi");
	CHECK_EQ(keys("\033[A"), EDIT_CHANGED);
	CHECK(line_is("second"));
	keys("\033[A");
	CHECK(line_is("first"));
	CHECK_EQ(keys("\033[A"), EDIT_REFUSED);
	keys("\033[B");
	CHECK(line_is("second"));
	keys("\033[B");
	CHECK(line_is("thi")); /* what was being typed is not lost */
	CHECK_EQ(keys("\033[B"), EDIT_REFUSED);
	keys("\020\020!\r");
	CHECK(strcmp(edit_line(&e), "first!") == 0);
	keys("\020");
	CHECK(line_is("first!"));
	keys("\020\020");
	CHECK(line_is("first")); /* as it was */
}

TEST(edit_keeps_the_newest_of_the_history)
{
	fresh("");
	for (int i = 0; i < EDIT_HISTORY + 5; i++) {
		char text[] = {(char)('a' + i), '\r', 0};
		keys(text);
	}
	for (int i = 0; i < EDIT_HISTORY; i++)
		CHECK_EQ(keys("\020"), EDIT_CHANGED);
	CHECK(line_is("f"));
	CHECK_EQ(keys("\020"), EDIT_REFUSED);
}

TEST(edit_an_empty_line_is_no_history)
{
	fresh("one\r\r\r");
	keys("\020");
	CHECK(line_is("one"));
	CHECK_EQ(keys("\020"), EDIT_REFUSED);
}

TEST(edit_gives_a_line_up)
{
	fresh("half\003");
	CHECK(line_is(""));
	fresh("half");
	CHECK_EQ(keys("\003"), EDIT_CANCEL);
	CHECK_EQ(keys("\014"), EDIT_CLEAR);
	CHECK_EQ(keys("\t"), EDIT_COMPLETE);
}

TEST(edit_an_escape_sequence_swallows_nothing_else)
{
	fresh("a\033[9999999999999999999zb");
	CHECK(line_is("ab"));
	fresh("a\033[12\rb");
	CHECK(strcmp(edit_line(&e), "a") == 0);
	CHECK(line_is("b"));
	fresh("a\033\033[Db");
	CHECK(line_is("ba"));
	fresh("ab\033[1;5Dc"); /* a modifier is not told apart */
	CHECK(line_is("acb"));
}

TEST(edit_a_programs_line_stands_apart)
{
	fresh("per\036resend 3 0-7");
	CHECK(line_is("per"));
	CHECK_EQ(keys("\r"), EDIT_QUIET);
	CHECK(strcmp(edit_line(&e), "resend 3 0-7") == 0);
	CHECK(line_is("per"));
	keys("son\r");
	CHECK(strcmp(edit_line(&e), "person") == 0);
	keys("\020");
	CHECK(line_is("person")); /* it is not in the history */
}

TEST(edit_a_damaged_programs_line_is_dropped)
{
	fresh("\036resend\001 3\r");
	CHECK(!e.in_quiet);
	CHECK(strcmp(edit_line(&e), "") == 0);
	edit_feed(&e, EDIT_ASIDE);
	for (int i = 0; i < EDIT_MAX + 1; i++)
		CHECK_EQ(keys("x"), EDIT_NONE);
	CHECK_EQ(keys("\r"), EDIT_NONE);
	CHECK_EQ(keys("\036lost\036resend 4 1\n"), EDIT_QUIET);
	CHECK(strcmp(edit_line(&e), "resend 4 1") == 0);
}

static const char *const words[] = {"goroutines", "harts", "help", "heap"};

TEST(edit_completes)
{
	fresh("go");
	CHECK_EQ(edit_complete(&e, words, 4), 1);
	CHECK(line_is("goroutines "));
	fresh("h");
	CHECK_EQ(edit_complete(&e, words, 4), 3);
	CHECK(line_is("h"));
	fresh("he");
	CHECK_EQ(edit_complete(&e, words, 4), 2);
	CHECK(line_is("he"));
	fresh("x");
	CHECK_EQ(edit_complete(&e, words, 4), 0);
	CHECK(line_is("x"));
	fresh("help har\001\006\006\006\006\006\006");
	CHECK_EQ(edit_complete(&e, words, 4), 3); /* the word ends at the cursor */
	CHECK(line_is("help har"));
	fresh("help ha");
	CHECK_EQ(edit_complete(&e, words, 4), 1);
	CHECK(line_is("help harts "));
}

TEST(edit_completes_within_its_room)
{
	fresh("");
	for (int i = 0; i < EDIT_MAX - 3; i++)
		keys(" ");
	keys("go");
	CHECK_EQ(edit_complete(&e, words, 4), 1);
	CHECK_EQ(e.n, EDIT_MAX - 1);
}

TEST(edit_knows_its_words)
{
	const char *word;
	unsigned n;
	fresh("  help  har");
	CHECK_EQ(edit_word(&e, &word, &n), 1);
	CHECK_EQ(n, 3);
	fresh("help ");
	CHECK_EQ(edit_word(&e, &word, &n), 1);
	CHECK_EQ(n, 0);
	fresh("");
	CHECK_EQ(edit_word(&e, &word, &n), 0);
}

static void drawn(const char *prompt, char *out, size_t size)
{
	size_t n = edit_draw(&e, prompt, out, size - 1);
	out[n] = '\0';
}

TEST(edit_draws)
{
	char out[256];
	fresh("abc\033[D\033[D");
	drawn("> ", out, sizeof out);
	CHECK(strcmp(out, "\r> abc\033[K\033[2D") == 0);
	fresh("");
	drawn("> ", out, sizeof out);
	CHECK(strcmp(out, "\r> \033[K") == 0);
	for (int i = 0; i < EDIT_MAX; i++)
		keys("x");
	drawn("> ", out, sizeof out); /* the end of it */
	CHECK_EQ(strlen(out), 1 + 2 + EDIT_WIDTH - 1 + 3);
	keys("\001");
	drawn("> ", out, sizeof out);
	CHECK_EQ(strlen(out), 1 + 2 + EDIT_WIDTH + 3 + 5);
	CHECK_EQ(edit_draw(&e, "> ", out, EDIT_DRAW_MAX), 0); /* no room for it */
}
