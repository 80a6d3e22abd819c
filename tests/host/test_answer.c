/*
 * Answers of the live port, with a heap that is counted and fails on request: what they take together, and what is sent when there is no more.
 */
#include "prof/serve/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/time.h>

#include "kernel/heap.h"
#include "tests/host/check.h"

static size_t out, most;           /* bytes of the heap */
static size_t heap_max = SIZE_MAX; /* it has no more at once */
static char sent[4096];
static size_t n_sent;

static size_t *head_of(void *p)
{
	return (size_t *)((char *)p - sizeof(max_align_t));
}

void heap_free(void *p)
{
	if (p == NULL)
		return;
	out -= *head_of(p);
	free(head_of(p));
}

/* The old one and the new one are there together, as in kernel/heap.c. */
void *heap_realloc(void *p, size_t size)
{
	if (out + size > heap_max)
		return NULL;
	size_t *to = malloc(sizeof(max_align_t) + size);
	out += *to = size;
	most = out > most ? out : most;
	void *data = (char *)to + sizeof(max_align_t);
	if (p != NULL) {
		memcpy(data, p, *head_of(p));
		heap_free(p);
	}
	return data;
}

/* Nobody waits here. */
uint64_t time_now(void)
{
	return 0;
}

bool chan_recv_timeout(struct chan *c, void *out_value, bool *ok, uint64_t ns)
{
	(void)c, (void)out_value, (void)ok, (void)ns;
	abort();
}

static bool client_put(struct answer_client *c, const void *bytes, size_t n)
{
	(void)c;
	size_t fits = n < sizeof sent - 1 - n_sent ? n : sizeof sent - 1 - n_sent;
	memcpy(sent + n_sent, bytes, fits);
	n_sent += fits;
	sent[n_sent] = '\0';
	return true;
}

static bool client_gone(struct answer_client *c)
{
	(void)c;
	return false;
}

static struct answer_client client = {client_put, client_gone, NULL};
static const struct http_request request = {.minor = 1};

static void begin(struct answer *a, uint64_t memory, size_t heap)
{
	answer_memory_max = memory;
	heap_max = heap;
	out = most = n_sent = 0;
	answer_init(a, &client, &request);
}

/* Writes `step` bytes at a time until that fails; 0: `all` are written. */
static int fill(struct answer *a, size_t step, size_t all)
{
	char piece[5000];
	memset(piece, 'x', sizeof piece);
	for (size_t n = 0; n < all; n += step) {
		int error = sink_write(&a->sink, piece, step);
		if (error != 0)
			return error;
	}
	return 0;
}

TEST(the_heap_gives_no_more_than_was_allowed)
{
	static const size_t steps[] = {1, 100, 4096, 5000};
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		for (uint64_t memory = 10000; memory < 1000000; memory += memory / 3) {
			struct answer a;
			begin(&a, memory, SIZE_MAX);
			CHECK_EQ(fill(&a, steps[i], 2000000), -ENOSPC);
			CHECK(most <= memory);
			CHECK(most > memory / 4);
			answer_free(&a);
			CHECK_EQ(out, 0);
		}
	}
}

TEST(several_have_together_what_one_may)
{
	struct answer a, b;
	begin(&a, 64 << 10, SIZE_MAX);
	answer_init(&b, &client, &request);
	CHECK_EQ(fill(&a, 100, 30000), 0);
	CHECK_EQ(fill(&b, 100, 30000), -ENOSPC);
	CHECK(most <= 64 << 10);
	answer_free(&a);
	answer_free(&b);
	/* all of it was given back */
	answer_init(&a, &client, &request);
	CHECK_EQ(fill(&a, 100, 30000), 0);
	answer_free(&a);
	CHECK_EQ(out, 0);
}

/* As pages_answer() does. */
static void finish(struct answer *a)
{
	if (a->error != 0)
		answer_refuse(a, 500, "the answer is too large");
	answer_send(a, true);
	answer_free(a);
}

TEST(an_answer_that_finds_no_room_is_refused)
{
	struct answer a;
	begin(&a, 64 << 10, SIZE_MAX);
	CHECK_EQ(fill(&a, 100, 60000), -ENOSPC);
	CHECK_EQ(sink_write(&a.sink, "", 0), -ENOSPC); /* and stays it */
	finish(&a);
	CHECK(strncmp(sent, "HTTP/1.1 503 ", 13) == 0);
	CHECK(strstr(sent, "(live.memory=65536)\n") != NULL);
}

TEST(nor_is_one_sent_cut_short_when_the_heap_has_no_more)
{
	struct answer a;
	begin(&a, 16 << 20, 20000);
	CHECK_EQ(fill(&a, 100, 60000), -ENOMEM);
	finish(&a);
	CHECK(strncmp(sent, "HTTP/1.1 503 ", 13) == 0);
	CHECK(strstr(sent, "\r\n\r\nthe answer takes more memory than the machine has\n") != NULL);
	CHECK_EQ(out, 0);
}
