/*
 * Bounded driver for fuzz targets where libFuzzer is not installed: mutates the seed files given on the command line
 * (or random bytes) for argv[1] seconds and feeds each to the target. A crash is a sanitizer report and a non-zero exit.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 16 };

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t random_next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t input_mutate(uint8_t *buf, size_t size)
{
	for (uint64_t n = 1 + random_next() % 8; n > 0; n--) {
		size_t at = size ? random_next() % size : 0;
		switch (random_next() % 6) {
		case 0:
			if (size)
				buf[at] = (uint8_t)random_next();
			break;
		case 1:
			if (size)
				buf[at] ^= (uint8_t)(1u << random_next() % 8);
			break;
		case 2:
			size = at;
			break;
		case 3:
			if (size < INPUT_MAX) {
				memmove(buf + at + 1, buf + at, size - at);
				buf[at] = (uint8_t)random_next();
				size++;
			}
			break;
		case 4:
			if (size > at + 1) {
				memmove(buf + at, buf + at + 1, size - at - 1);
				size--;
			}
			break;
		default: {
			size_t len = size - at < 64 ? size - at : 64;
			if (size + len <= INPUT_MAX) {
				memmove(buf + size, buf + at, len);
				size += len;
			}
		}
		}
	}
	return size;
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
	static uint8_t seeds[16][INPUT_MAX], buf[INPUT_MAX];
	size_t sizes[16], n_seeds = 0;
	for (int i = 2; i < argc && n_seeds < 16; i++) {
		FILE *f = fopen(argv[i], "rb");
		if (f == NULL) {
			fprintf(stderr, "fuzz: cannot read seed file %s\n", argv[i]);
			return 2;
		}
		sizes[n_seeds] = fread(seeds[n_seeds], 1, INPUT_MAX, f);
		fclose(f);
		n_seeds++;
	}
	unsigned long runs = 0;
	for (time_t end = time(NULL) + seconds; time(NULL) < end;) {
		for (int k = 0; k < 256; k++, runs++) {
			size_t size;
			if (n_seeds > 0) {
				size_t s = random_next() % n_seeds;
				size = sizes[s];
				memcpy(buf, seeds[s], size);
				size = input_mutate(buf, size);
			} else {
				size = random_next() % 512;
				for (size_t i = 0; i < size; i++)
					buf[i] = (uint8_t)random_next();
			}
			uint8_t *exact = malloc(size ? size : 1); /* the sanitizer sees reads past the end */
			memcpy(exact, buf, size);
			LLVMFuzzerTestOneInput(exact, size);
			free(exact);
		}
	}
	printf("fuzz: %lu runs, no finding\n", runs);
	return runs == 0;
}
