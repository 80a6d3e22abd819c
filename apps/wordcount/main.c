/*
 * Counts the words of the INPUT file. A word is a maximal run of ASCII letters, in lower case.
 *
 *	main: cut the file into pieces --channel--> workers: read, count in a table of its own --mutexes--> shards of the result
 *
 * Arguments: repeat=N passes over the file (1), workers=N goroutines (2000). Prints the ten most frequent words and dumps all counts as
 * counts.txt: "count<TAB>word" lines by descending count, then byte order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hartbeat/chan.h>
#include <hartbeat/dump.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "wordcount.h"

enum { SHARDS = 64, PIECE_MIN = 1 << 10, PIECE_MAX = 64 << 10, TOP = 10 };

struct piece {
	long start, len;
};

static const char *const path = "input";
static struct chan *pieces;
static struct waitgroup workers;
static _Atomic unsigned next_piece;

/* The result, by hash: shard i holds the words whose hash is i modulo SHARDS. */
static struct shard {
	struct mutex mutex; /* protects words */
	struct table words;
} shards[SHARDS];

static void fail(const char *what)
{
	fprintf(stderr, "wordcount: %s: %s\n", path, what);
	exit(1);
}

/* Letters to lower case, everything else to 0. */
static unsigned char fold[256];

static void fold_init(void)
{
	for (int c = 'a'; c <= 'z'; c++)
		fold[c] = fold[c - 'a' + 'A'] = (unsigned char)c;
}

static void count_words(struct table *t, char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t hash = HASH_START;
		size_t start = i;
		unsigned char c;
		for (; i < len && (c = fold[(unsigned char)text[i]]) != 0; i++) {
			text[i] = (char)c;
			hash = hash_step(hash, c);
		}
		if (i > start)
			table_add(t, text + start, (uint32_t)(i - start), hash, 1);
		else
			i++;
	}
}

/* Adds a piece's table to the result, beginning at a shard of its own so that workers do not queue up behind each other. */
static void merge(const struct table *t, unsigned first)
{
	const struct word **sorted = must_malloc((t->n + 1) * sizeof *sorted);
	size_t start[SHARDS + 1] = {0}, at[SHARDS];
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].text != NULL)
			start[t->slots[i].hash % SHARDS + 1]++;
	for (unsigned s = 0; s < SHARDS; s++)
		start[s + 1] += start[s];
	for (unsigned s = 0; s < SHARDS; s++)
		at[s] = start[s];
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].text != NULL)
			sorted[at[t->slots[i].hash % SHARDS]++] = &t->slots[i];
	for (unsigned k = 0; k < SHARDS; k++) {
		unsigned s = (first + k) % SHARDS;
		if (start[s] == start[s + 1])
			continue;
		mutex_lock(&shards[s].mutex);
		for (size_t i = start[s]; i < start[s + 1]; i++)
			table_add(&shards[s].words, sorted[i]->text, sorted[i]->len, sorted[i]->hash,
				  sorted[i]->count);
		mutex_unlock(&shards[s].mutex);
	}
	free(sorted);
}

static void worker(void *arg)
{
	(void)arg;
	struct table words = {0};
	struct piece p;
	FILE *f = NULL;
	while (chan_recv(pieces, &p)) {
		if (f == NULL && (f = fopen(path, "r")) == NULL)
			fail("cannot be opened");
		char *text = must_malloc((size_t)p.len);
		/* Past the FILE: the C library's fread() copies one character at a time. */
		if (lseek(fileno(f), p.start, SEEK_SET) < 0 || read(fileno(f), text, (size_t)p.len) != p.len)
			fail("cannot be read");
		count_words(&words, text, (size_t)p.len);
		free(text);
		/* At once, so that few tables exist at a time, however many workers there are. */
		merge(&words, next_piece++);
		table_free(&words);
	}
	if (f != NULL)
		fclose(f);
	waitgroup_done(&workers);
}

/* Sends the file in pieces that end where no word does. */
static void cut(FILE *f, long size)
{
	long want = size / 2000;
	want = want < PIECE_MIN ? PIECE_MIN : want > PIECE_MAX ? PIECE_MAX : want;
	for (long start = 0; start < size;) {
		struct piece p = {start, want};
		if (p.len >= size - start) {
			p.len = size - start;
		} else {
			if (fseek(f, start + p.len, SEEK_SET) != 0)
				fail("cannot be read");
			for (int c; (c = fgetc(f)) != EOF && fold[c] != 0;)
				p.len++;
		}
		chan_send(pieces, &p);
		start += p.len;
	}
	chan_close(pieces);
}

static void pass(FILE *f, long size, int n_workers)
{
	pieces = chan_make(sizeof(struct piece), 64);
	if (pieces == NULL)
		fail("out of memory");
	waitgroup_add(&workers, n_workers);
	for (int i = 0; i < n_workers; i++) {
		if (go_with(worker, NULL, &(struct go_options){.name = "worker"}) == 0)
			fail("out of memory for a worker");
	}
	cut(f, size);
	waitgroup_wait(&workers);
	chan_free(pieces);
}

static int by_count(const void *a, const void *b)
{
	const struct word *x = a, *y = b;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	uint32_t len = x->len < y->len ? x->len : y->len;
	int d = memcmp(x->text, y->text, len);
	return d ? d : (x->len > y->len) - (x->len < y->len);
}

static void report(void)
{
	size_t n = 0, total = 0;
	for (int s = 0; s < SHARDS; s++)
		total += shards[s].words.n;
	struct word *all = must_malloc(total * sizeof *all + 1);
	for (int s = 0; s < SHARDS; s++)
		for (size_t i = 0; i < shards[s].words.cap; i++)
			if (shards[s].words.slots[i].text != NULL)
				all[n++] = shards[s].words.slots[i];
	qsort(all, n, sizeof *all, by_count);
	for (size_t i = 0; i < n && i < TOP; i++)
		printf("%8llu %.*s\n", (unsigned long long)all[i].count, (int)all[i].len, all[i].text);
	struct dump *d = dump_open("counts.txt");
	if (d == NULL)
		fail("out of memory");
	for (size_t i = 0; i < n; i++) {
		dump_printf(d, "%llu\t", (unsigned long long)all[i].count);
		dump_write(d, all[i].text, all[i].len);
		dump_write(d, "\n", 1);
	}
	dump_close(d);
	free(all);
}

static int number(const char *arg, const char *key, int *value)
{
	size_t len = strlen(key);
	char *end;
	if (strncmp(arg, key, len) != 0 || arg[len] != '=')
		return 0;
	long v = strtol(arg + len + 1, &end, 10);
	if (*end != '\0' || v < 1 || v > 1000000) {
		fprintf(stderr, "wordcount: %s: expected a number from 1 to 1000000\n", arg);
		exit(1);
	}
	*value = (int)v;
	return 1;
}

int main(int argc, char **argv)
{
	int repeat = 1, n_workers = 2000;
	for (int i = 1; i < argc; i++) {
		if (!number(argv[i], "repeat", &repeat) && !number(argv[i], "workers", &n_workers)) {
			fprintf(stderr, "wordcount: %s: expected repeat=N or workers=N\n", argv[i]);
			return 1;
		}
	}
	fold_init();
	FILE *f = fopen(path, "r");
	if (f == NULL)
		fail("cannot be opened; give a file with INPUT=");
	fseek(f, 0, SEEK_END);
	long size = ftell(f);
	uint64_t begin = time_now();
	for (int r = 0; r < repeat; r++) {
		for (int s = 0; s < SHARDS; s++)
			table_free(&shards[s].words);
		next_piece = 0;
		pass(f, size, n_workers);
	}
	fclose(f);
	printf("%ld bytes, %d workers on %u harts, %d passes in %llu ms\n", size, n_workers, go_harts(),
	       repeat, (unsigned long long)((time_now() - begin) / 1000000));
	report();
	return 0;
}
