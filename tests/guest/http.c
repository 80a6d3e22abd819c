/* The live port's parser on the machine itself: what the host's tests cannot show of it (tests/host/test_http.c has the rest). */
#include "suite.h"

#include <string.h>

#include "arch/arch.h"
#include "prof/serve/http.h"

static struct http_request request;

GUEST_TEST(http, length,
	   "a head of more than HTTP_HEAD_MAX bytes is refused before the byte that is too many is kept")
{
	size_t used = 0;
	int status = HTTP_MORE;
	http_init(&request);
	for (unsigned i = 0; i < HTTP_HEAD_MAX; i++)
		status |= http_feed(&request, i < 5 ? &"GET /"[i] : "x", 1, &used);
	CHECK_EQ(status, HTTP_MORE);
	CHECK_EQ(http_feed(&request, "x", 1, &used), 414);
	CHECK_EQ(used, 0);
	CHECK_EQ(request.n, HTTP_HEAD_MAX);
}

enum {
	ROUNDS = 200,
	TRIES = 8,
};

static const char token[] = "correct-horse-battery-staple";

/*
 * What ROUNDS comparisons take, with interrupts off. With several harts -icount counts the instructions of all of them: the turn of another one that
 * falls among ours only adds, so the least of a few tries is our own.
 */
static uint64_t ticks_of(const char *guess)
{
	volatile bool same = false;
	uint64_t least = UINT64_MAX;
	for (int try = 0; try < TRIES; try++) {
		bool on = arch_irq_save();
		uint64_t start = arch_ticks();
		for (int i = 0; i < ROUNDS; i++)
			same = http_same_secret(guess, token);
		uint64_t ticks = arch_ticks() - start;
		arch_irq_restore(on);
		CHECK_EQ(same, strcmp(guess, token) == 0);
		least = ticks < least ? ticks : least;
	}
	return least;
}

GUEST_TEST(http, token,
	   "a token's prefix is not the token, and how much of a guess is right cannot be told by the time "
	   "it takes")
{
	char guess[sizeof token];
	CHECK(!http_same_secret("", token));
	CHECK(!http_same_secret("correct-horse", token));
	CHECK(!http_same_secret("correct-horse-battery-staples", token));
	CHECK(http_same_secret(token, token));
	uint64_t least = UINT64_MAX, most = 0;
	for (size_t right = 0; right < sizeof token;
	     right++) { /* as many characters are, the others are wrong */
		memset(guess, '?', sizeof guess - 1);
		guess[sizeof guess - 1] = '\0';
		memcpy(guess, token, right);
		uint64_t ticks = ticks_of(guess);
		least = ticks < least ? ticks : least;
		most = ticks > most ? ticks : most;
	}
	/* Counted instructions are the same; a clock may be read one step earlier or later, and other machines have other things to do. */
	if (guest_exact())
		CHECK(most - least <= 2 + least / 100);
	guest_note("%d comparisons take %llu to %llu ticks", ROUNDS, (unsigned long long)least,
		   (unsigned long long)most);
}
