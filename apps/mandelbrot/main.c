/*
 * The Mandelbrot set as a picture made of characters, a goroutine for each line. Numbers have 20 binary places and no rounding is left to
 * chance, so the picture is the same on every machine.
 *
 *	make run APP=mandelbrot [ARGS="width=100 height=40 iterations=5000"]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

enum {
	PLACES = 20,
	ONE = 1 << PLACES,
	LEFT = -ONE * 9 / 4, /* the part of the plane shown: -2.25 to 0.75, -1.25 to 1.25 */
	ACROSS = ONE * 3,
	TOP = -ONE * 5 / 4,
	DOWN = ONE * 5 / 2,
};

static const char shades[] = " .,:;-=+ox%&"; /* by the number of binary digits of the iterations */
static const char inside = '#';

static unsigned long width = 100, height = 40, iterations = 50000;
static struct waitgroup drawn;

struct line {
	unsigned long number;
	char *text;
};

static char shade(int64_t cx, int64_t cy)
{
	int64_t x = 0, y = 0;
	for (unsigned long n = 0; n < iterations; n++) {
		int64_t xx = x * x >> PLACES, yy = y * y >> PLACES;
		if (xx + yy > 4 * (int64_t)ONE) {
			unsigned digits = 0;
			for (; n > 0; n >>= 1)
				digits++;
			return shades[digits < sizeof shades - 1 ? digits : sizeof shades - 2];
		}
		y = (x * y >> (PLACES - 1)) + cy;
		x = xx - yy + cx;
	}
	return inside;
}

static void draw(void *arg)
{
	struct line *l = arg;
	/* The middle of each character's place. */
	int64_t cy = TOP + (int64_t)DOWN * (int64_t)(2 * l->number + 1) / (int64_t)(2 * height);
	for (unsigned long i = 0; i < width; i++)
		l->text[i] = shade(LEFT + (int64_t)ACROSS * (int64_t)(2 * i + 1) / (int64_t)(2 * width), cy);
	waitgroup_done(&drawn);
}

static const struct {
	const char *key;
	unsigned long *value, max;
} settings[] = {{"width=", &width, 200}, {"height=", &height, 1000}, {"iterations=", &iterations, 10000000}};

static void set(const char *word)
{
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		size_t n = strlen(settings[i].key);
		char *end;
		if (strncmp(word, settings[i].key, n) != 0)
			continue;
		*settings[i].value = strtoul(word + n, &end, 10);
		if (end != word + n && *end == '\0' && *settings[i].value >= 1 &&
		    *settings[i].value <= settings[i].max)
			return;
		fprintf(stderr, "mandelbrot: %s: expected a number from 1 to %lu\n", word, settings[i].max);
		exit(1);
	}
	fprintf(stderr, "mandelbrot: %s: expected width=, height= or iterations=\n", word);
	exit(1);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		set(argv[i]);
	uint64_t start = time_now();
	struct line *lines = calloc(height, sizeof *lines);
	char *text = malloc(width * height);
	if (lines == NULL || text == NULL) {
		fprintf(stderr, "mandelbrot: out of memory\n");
		return 1;
	}
	waitgroup_add(&drawn, (int)height);
	for (unsigned long n = 0; n < height; n++) {
		lines[n] = (struct line){n, text + n * width};
		if (go_with(draw, &lines[n], &(struct go_options){.name = "draw"}) == 0) {
			fprintf(stderr, "mandelbrot: out of memory\n");
			return 1;
		}
	}
	waitgroup_wait(&drawn);
	uint64_t ms = (time_now() - start) / TIME_MILLISECOND;
	for (unsigned long n = 0; n < height; n++)
		printf("|%.*s|\n", (int)width, lines[n].text);
	printf("%lu points on %u harts, %llu ms\n", width * height, go_harts(), (unsigned long long)ms);
	return 0;
}
