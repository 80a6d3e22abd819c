/* The page's two halves, which the build made (tools/flame-page), as bytes of this program (see flame_page.h). Pure: also in hbdump. */
#include "prof/page/flame_page.h"

#include <stdint.h>
#include <string.h>

#define EMBED(name, file)                                                              \
	__asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"" file \
		"\"\n.byte 0\n.popsection")

EMBED(flame_page_head, "gen/flame_head.html");
EMBED(flame_page_tail, "gen/flame_tail.html");

void flame_page_name(char to[FLAME_NAME_SIZE], const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;
	for (; *name != '\0' && n + 4 <= FLAME_NAME_SIZE; name++) {
		uint8_t c = (uint8_t)*name;
		if (strchr(plain, c) != NULL) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '%';
		to[n++] = digits[c >> 4];
		to[n++] = digits[c & 15];
	}
	to[n] = '\0';
}
