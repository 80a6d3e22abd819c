/* The image in profiles (see image.h). */
#include "prof/image.h"

#include <string.h>

#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/symtab.h"
#include "prof/prof.h"
#include "sched/sched.h"

extern const char __text_start[], __text_end[];
extern const uint8_t __build_id[];

const char *prof_image_name = "hartbeat";

static void *mem_take(void *ctx, size_t size)
{
	(void)ctx;
	return heap_alloc(size);
}

static void *mem_take_spare(void *ctx, size_t size)
{
	(void)ctx;
	return page_short() ? NULL : heap_alloc(size);
}

static void mem_give(void *ctx, void *p)
{
	(void)ctx;
	heap_free(p);
}

const struct mem_ops prof_mem = {mem_take, mem_give, NULL};
const struct mem_ops prof_mem_spare = {mem_take_spare, mem_give, NULL};

bool prof_image_symbolize(void *ctx, uintptr_t pc, struct pprof_frame *frames, unsigned max, unsigned *n)
{
	struct symtab_frame found[SYMTAB_FRAMES_MAX];
	(void)ctx;
	*n = symtab_frames(pc, found, SYMTAB_FRAMES_MAX);
	if (*n > max)
		*n = max;
	for (unsigned i = 0; i < *n; i++)
		frames[i] = (struct pprof_frame){found[i].function, found[i].file, found[i].line,
						 found[i].start_line};
	return *n > 0;
}

uintptr_t prof_image_entry(uintptr_t pc)
{
	struct symtab_function f;
	return symtab_function(pc, &f) ? f.start : 0;
}

bool prof_image_hides(const struct pprof_frame *f)
{
	static const char *const rooms[] = {"arch/", "kernel/", "sched/", "prof/", "boot/"};
	for (unsigned i = 0; f->file != NULL && i < sizeof rooms / sizeof rooms[0]; i++)
		if (strncmp(f->file, rooms[i], strlen(rooms[i])) == 0)
			return true;
	return false;
}

bool prof_image_label(void *ctx, uint32_t labels, unsigned i, struct pprof_label *label)
{
	struct label l;
	(void)ctx;
	if (!labels_of(labels, i, &l))
		return false;
	*label = (struct pprof_label){.key = l.key, .str = l.value};
	return true;
}

static void hex_byte(char *to, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";
	to[0] = digits[byte >> 4];
	to[1] = digits[byte & 15];
}

void prof_image_options(struct pprof_options *o)
{
	static char build_id[41];
	static _Atomic bool there; /* whoever comes meanwhile writes the same text */
	/* pairs with the release in prof_image_options(), by who made the text */
	bool made = atomic_load_explicit(&there, memory_order_acquire);
	for (int i = 0; i < 20 && !made; i++)
		hex_byte(build_id + 2 * i, __build_id[16 + i]);
	/* pairs with the acquire in prof_image_options() */
	atomic_store_explicit(&there, true, memory_order_release);
	o->mapping = (struct pprof_mapping){.start = (uintptr_t)__text_start,
					    .limit = (uintptr_t)__text_end,
					    .filename = prof_image_name,
					    .build_id = build_id};
	o->inline_expanded = true;
	o->symbolize = prof_image_symbolize;
}
