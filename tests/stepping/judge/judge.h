/* The judge's parts: the image, stops, and the two other walks. */
#ifndef TESTS_STEPPING_JUDGE_H
#define TESTS_STEPPING_JUDGE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/stepping/format.h"

enum { LIST_MAX = 256 };

/* How a walk ended. */
enum list_end {
	END_ROOT,   /* complete */
	END_MEMORY, /* beyond the slices of memory that the stop brought */
	END_RULE,   /* nothing is known of the last frame */
	END_LOST,   /* the machine itself has forgotten what the last frame interrupted */
};

/* pcs as our walks give them: the first exact, the others return addresses, interrupted places plus one. */
struct list {
	unsigned n;
	enum list_end end;
	uint64_t pcs[LIST_MAX];
};

/* ---- image.c */

struct image {
	bool riscv;
	Elf *elf;
	Dwarf *dwarf;
	uint64_t switch_lo, switch_hi, trap_lo, trap_hi;
};

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void image_open(struct image *im, const char *path);
/* The value of a symbol; dies without. */
uint64_t image_symbol(const char *name);
/* The function that holds pc and pc's distance from its start; "?" for none. */
const char *image_function(uint64_t pc, uint64_t *distance);
bool image_in(uint64_t pc, const char *function);
/* n bytes of code at pc; zeros outside of the image. */
void image_code(uint64_t pc, uint8_t *to, size_t n);

/* ---- stops */

/* Number of DWARF register `reg` in the frame, or -1. */
int stop_word(const struct image *im, int reg);
uint64_t stop_pc(const struct image *im, const struct step_stop *s);
uint64_t stop_sp(const struct image *im, const struct step_stop *s);
/* The word at addr, from the stop's slices. */
bool stop_read(const struct step_stop *s, uint64_t addr, uint64_t *out);

/* ---- cfi.c: the ELF's own call frame information, read by libdw */

void cfi_open(const struct image *im);
void cfi_walk(const struct image *im, const struct step_stop *s, struct list *out);

/* ---- core.c */

/* Writes the stop as a core file. */
void core_write(const struct image *im, const struct step_stop *s, const char *path);

/* ---- shadow.c: calls, returns and switches of consecutive stops; no call frame information */

struct shadow_figures {
	uint64_t traps, switches, services, jumps, seeds, passed, lost;
};

void shadow_open(const struct image *im);
/* Takes the stop in; cfi: what a stack that is first met in the middle is begun with. */
void shadow_step(const struct image *im, const struct step_stop *s, const struct list *cfi);
void shadow_walk(const struct image *im, const struct step_stop *s, struct list *out);
extern struct shadow_figures shadow_figures;

#endif
