/*
 * The page of a flame graph: one file of HTML that needs no other. Who has a profile writes
 *
 *	flame_page_head, the profile's name and a newline, the gzip'd profile in base64, flame_page_tail
 *
 * and the page's script does the rest (flame_read.js, flame_model.js, flame_view.js). The machine's live port and tools/hbdump both do.
 */
#ifndef PROF_PAGE_FLAME_PAGE_H
#define PROF_PAGE_FLAME_PAGE_H

#include <stddef.h>

extern const char flame_page_head[], flame_page_tail[]; /* ended by NUL */

enum { FLAME_NAME_SIZE = 3 * 255 + 1 }; /* bytes of a name in the page, NUL included */

/* A profile's name, cut to 255 bytes, as it stands in the page: what could be markup is percent-encoded. Any context. */
void flame_page_name(char to[FLAME_NAME_SIZE], const char *name);

#endif
