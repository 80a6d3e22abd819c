/* kernel/memory.c against byte loops, under names of its own, for every alignment and short length. */
#include <string.h>

#include "tests/host/check.h"

#define memcpy  kernel_memcpy
#define memmove kernel_memmove
#define memset  kernel_memset
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
#include "kernel/memory.c"
#undef memcpy
#undef memmove
#undef memset

enum { SPACE = 700 };

static unsigned char expect[SPACE], got[SPACE], source[SPACE];

static void fill(void)
{
	for (unsigned i = 0; i < SPACE; i++) {
		source[i] = (unsigned char)(i * 7 + 3);
		expect[i] = got[i] = (unsigned char)(i * 13 + 5);
	}
}

static bool same(void)
{
	return memcmp(expect, got, SPACE) == 0;
}

TEST(memcpy_every_offset_and_length)
{
	unsigned bad = 0;
	for (unsigned to = 0; to < 16; to++)
		for (unsigned from = 0; from < 16; from++)
			for (unsigned n = 0; n <= 300; n++) {
				fill();
				for (unsigned i = 0; i < n; i++)
					expect[16 + to + i] = source[from + i];
				void *r = kernel_memcpy(got + 16 + to, source + from, n);
				bad += r != got + 16 + to || !same();
			}
	CHECK_EQ(bad, 0);
}

TEST(memset_every_offset_and_length)
{
	unsigned bad = 0;
	for (unsigned to = 0; to < 16; to++)
		for (unsigned n = 0; n <= 300; n++) {
			fill();
			for (unsigned i = 0; i < n; i++)
				expect[16 + to + i] = 0xc3;
			void *r = kernel_memset(got + 16 + to, 0x7fc3, n);
			bad += r != got + 16 + to || !same();
		}
	CHECK_EQ(bad, 0);
}

TEST(memmove_every_overlap)
{
	unsigned bad = 0;
	for (unsigned to = 0; to < 16; to++)
		for (int distance = -80; distance <= 80; distance++)
			for (unsigned n = 0; n <= 300; n += n < 40 ? 1 : 7) {
				fill();
				unsigned at = 100 + to, from = (unsigned)((int)at + distance);
				for (unsigned i = 0; i < n; i++)
					source[i] = expect[from + i];
				for (unsigned i = 0; i < n; i++)
					expect[at + i] = source[i];
				void *r = kernel_memmove(got + at, got + from, n);
				bad += r != got + at || !same();
			}
	CHECK_EQ(bad, 0);
}
