/* What profiles say of the program's image, and where their memory comes from on the machine itself. Goroutine context. */
#ifndef PROF_IMAGE_H
#define PROF_IMAGE_H

#include <stdbool.h>

#include "prof/mem.h"
#include "prof/pprof.h"

/* The kernel's heap. */
extern const struct mem_ops prof_mem;
/* The same, but not the last of it: refuses while memory is so short that others could soon have none. For what is collected. */
extern const struct mem_ops prof_mem_spare;

/* Sets mapping and symboliser. */
void prof_image_options(struct pprof_options *o);
pprof_symbolize_fn prof_image_symbolize;
/* Where the function at pc begins; 0: not known. */
uintptr_t prof_image_entry(uintptr_t pc);
/* Whether a frame is the kernel's: left out at both ends of a stack that people read. */
bool prof_image_hides(const struct pprof_frame *f);
/* The labels of the set with that number (sched/sched.h). */
pprof_label_fn prof_image_label;

#endif
