/*
 * The judge of the stepping image: reads the stops from the machine's memory while it runs, walks each stack by the ELF's call frame
 * information and by shadow stacks, and compares both with the walk that the kernel made, frame by frame.
 *
 *	judge KERNEL.ELF RAM-FILE INSTRUCTIONS MISSED [CORES STEP]
 *
 * INSTRUCTIONS: addresses, in hex, one a line, of the instructions of the switch and of trap entry and exit; to MISSED, a file, go those that
 * no stop was at, each with its function and the distance from that. Prints TAP; ends with 1 when a walk differs. With CORES, a folder, every STEP-th stop becomes a core file there, N.core, and N.walk our walk in hex, for a debugger
 * (gdb.py).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/stepping/judge/judge.h"

enum { SHOWN = 8, PATIENCE = 60, COMPLETE = 1, TRUNCATED = 2, BROKEN = 4, DISTINCT = 1 << 24 };

static struct image im;
static struct {
	uint64_t stops, distinct, cfi_wrong, shadow_wrong, cfi_cut, no_way_back, in_switch, between, deepest,
		alone;
} figures;

/* ---- how many different stops: a set of hashes */

static uint64_t *seen;

static void distinct_count(const struct step_stop *s)
{
	uint64_t h = stop_pc(&im, s) * 0x9e3779b97f4a7c15;
	const uint8_t *at = (const uint8_t *)(s + 1);
	if (s->n_slices > 0) {
		const struct step_slice *slice = (const void *)at;
		const uint64_t *words = (const void *)(slice + 1);
		for (uint64_t i = 0; i < slice->size / 8; i++)
			h = (h ^ words[i]) * 0x9e3779b97f4a7c15 + (h >> 29);
	}
	h |= 1;
	for (uint64_t i = h >> 40; figures.distinct < DISTINCT * 3 / 4; i++) {
		if (seen[i % DISTINCT] == h)
			return;
		if (seen[i % DISTINCT] == 0) {
			seen[i % DISTINCT] = h;
			figures.distinct++;
			return;
		}
	}
}

/* ---- comparing */

static bool in_switch(uint64_t pc)
{
	return pc >= im.switch_lo && pc < im.switch_hi;
}

/* From a frame before the first that differs. */
static void show(const char *who, const uint64_t *pcs, unsigned n, unsigned from)
{
	printf("#   %-7s %u frames, from %u:", who, n, from);
	for (unsigned i = from; i < n && i < from + 12; i++) {
		uint64_t distance;
		const char *name = image_function(pcs[i] - (i > 0), &distance);
		printf(" %s+%#" PRIx64, name, distance + (i > 0));
	}
	printf("%s\n", n > from + 12 ? " ..." : "");
}

/* Whether a walk that is not complete had to end where it did: what was interrupted stands between two stacks. */
static bool ends_rightly(const struct step_stop *s, const uint64_t *pcs)
{
	return s->n_pcs > 1 && in_switch(pcs[s->n_pcs - 1] - 1);
}

/* The same, because the machine has forgotten the rest; to know that is the shadow stacks' part. */
static bool ends_where(const struct step_stop *s, const struct list *l)
{
	return l->n == s->n_pcs && (l->end == END_LOST || l->end == END_MEMORY);
}

/* Whether code runs there that never returns to its caller, so that a walk ends there by intention. */
static bool nothing_leads_back(uint64_t pc)
{
	return image_in(pc, "arch_jump") || image_in(pc, "arch_resume") || image_in(pc, "trap_leave");
}

static bool same(const struct step_stop *s, const uint64_t *pcs, const struct list *l)
{
	unsigned n = s->n_pcs;
	if ((s->flags & COMPLETE) && nothing_leads_back(pcs[n - 1] - (n > 1)))
		figures.no_way_back++;
	else if (s->flags & COMPLETE)
		n = l->end == END_MEMORY ? l->n : l->end == END_ROOT && l->n == n ? n : UINT32_MAX;
	else if ((s->flags & BROKEN) && !ends_rightly(s, pcs) && !ends_where(s, l))
		return false;
	if (n > l->n || n > s->n_pcs)
		return false;
	return memcmp(pcs, l->pcs, n * sizeof *pcs) == 0;
}

static void differs(uint64_t *count, const char *judge, const struct step_stop *s, const uint64_t *pcs,
		    const struct list *l)
{
	if ((*count)++ >= SHOWN)
		return;
	uint64_t distance;
	const char *name = image_function(stop_pc(&im, s), &distance);
	printf("# stop %" PRIu64 ", %s + %#" PRIx64 ": differs from %s (walk's flags %u, goroutine %" PRIu64
	       ")\n",
	       figures.stops, name, distance, judge, s->flags, s->g);
	unsigned from = 0;
	while (from + 1 < s->n_pcs && from + 1 < l->n && pcs[from + 1] == l->pcs[from + 1])
		from++;
	show("walk", pcs, s->n_pcs, from);
	show(judge, l->pcs, l->n, from);
}

/* A sample of the stops, for a debugger. */
static const char *cores;
static uint64_t cores_step;

static void core_keep(const struct step_stop *s, const uint64_t *pcs)
{
	char path[4096];
	/* A core file has no place for sepc; and a walk that ends early by intention is not what a debugger finds. */
	if (cores == NULL || figures.stops % cores_step != 0 || s->outer_pc != 0 || !(s->flags & COMPLETE))
		return;
	snprintf(path, sizeof path, "%s/%" PRIu64 ".core", cores, figures.stops);
	core_write(&im, s, path);
	snprintf(path, sizeof path, "%s/%" PRIu64 ".walk", cores, figures.stops);
	FILE *f = fopen(path, "w");
	if (f == NULL)
		die("%s: cannot be written", path);
	for (unsigned i = 0; i < s->n_pcs; i++)
		fprintf(f, "%" PRIx64 "\n", pcs[i]);
	fclose(f);
}

static void judge(const struct step_stop *s)
{
	uint64_t pcs[STEP_PCS];
	memcpy(pcs, (const uint8_t *)s + s->size - 8ul * s->n_pcs, 8ul * s->n_pcs);
	struct list cfi, shadow;
	figures.stops++;
	if (s->n_pcs > figures.deepest)
		figures.deepest = s->n_pcs;
	distinct_count(s);
	core_keep(s, pcs);
	cfi_walk(&im, s, &cfi);
	shadow_step(&im, s, &cfi);
	shadow_walk(&im, s, &shadow);
	figures.in_switch += in_switch(pcs[0]);
	figures.cfi_cut += cfi.end == END_MEMORY;
	figures.between += (s->flags & BROKEN) != 0 && ends_rightly(s, pcs);
	if (!same(s, pcs, &cfi))
		differs(&figures.cfi_wrong, "cfi", s, pcs, &cfi);
	if (!same(s, pcs, &shadow))
		differs(&figures.shadow_wrong, "shadow", s, pcs, &shadow);
}

/* ---- coverage of the switch and of trap code */

static struct place {
	uint64_t pc;
	bool hit;
} * places;
static size_t n_places;

static void places_read(const char *path)
{
	FILE *f = fopen(path, "r");
	uint64_t pc;
	if (f == NULL)
		die("%s: cannot be read", path);
	while (fscanf(f, "%" SCNx64, &pc) == 1) {
		places = realloc(places, (n_places + 1) * sizeof *places);
		places[n_places++] = (struct place){pc, false};
	}
	fclose(f);
}

static void place_hit(uint64_t pc)
{
	size_t lo = 0, hi = n_places;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (places[mid].pc < pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < n_places && places[lo].pc == pc)
		places[lo].hit = true;
}

static void places_write(const char *path)
{
	FILE *f = fopen(path, "w");
	if (f == NULL)
		die("%s: cannot be written", path);
	for (size_t i = 0; i < n_places; i++) {
		uint64_t distance;
		const char *name = image_function(places[i].pc, &distance);
		if (!places[i].hit)
			fprintf(f, "%" PRIx64 " %s +%#" PRIx64 "\n", places[i].pc, name, distance);
	}
	if (fclose(f) != 0)
		die("%s: cannot be written", path);
}

/* ---- the ring */

static uint8_t *ram_map(const char *path, size_t *size)
{
	struct stat st;
	int fd = open(path, O_RDWR);
	for (int i = 0; (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0) && i < 100 * PATIENCE; i++) {
		usleep(10000);
		if (fd < 0)
			fd = open(path, O_RDWR);
	}
	if (fd < 0)
		die("%s: cannot be opened", path);
	*size = (size_t)st.st_size;
	uint8_t *map = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("%s: cannot be mapped", path);
	return map;
}

/* Waits until head is not tail. False: the end. */
static bool more(struct step_header *h)
{
	for (int i = 0; i < 1000 * PATIENCE; i++) {
		bool done = __atomic_load_n(&h->done, __ATOMIC_ACQUIRE) != 0;
		if (__atomic_load_n(&h->head, __ATOMIC_ACQUIRE) != h->tail)
			return true;
		if (done)
			return false;
		usleep(1000);
	}
	printf("# the guest has ended early, or hangs\n");
	figures.alone = 1;
	return false;
}

int main(int argc, char **argv)
{
	if (argc != 5 && argc != 7)
		die("expected KERNEL.ELF RAM-FILE INSTRUCTIONS MISSED [CORES STEP]");
	cores = argc == 7 ? argv[5] : NULL;
	cores_step = argc == 7 ? strtoull(argv[6], NULL, 10) : 0;
	if (cores != NULL && cores_step == 0)
		die("%s: expected how many stops lie between two", argv[6]);
	image_open(&im, argv[1]);
	places_read(argv[3]);
	cfi_open(&im);
	shadow_open(&im);
	seen = calloc(DISTINCT, sizeof *seen);
	size_t size;
	uint8_t *ram = ram_map(argv[2], &size);
	uint64_t base = im.riscv ? 0x80000000 : 0;
	uint64_t header_at = image_symbol("step_header") - base, ring_at = image_symbol("step_ring") - base;
	if (header_at >= size || ring_at + STEP_RING > size)
		die("%s: %zu bytes, too small for the image", argv[2], size);
	struct step_header *h = (void *)(ram + header_at);
	const uint8_t *ring = ram + ring_at;
	for (int i = 0; memcmp(h->magic, STEP_MAGIC, sizeof h->magic) != 0 && i < 100 * PATIENCE; i++)
		usleep(10000);
	while (more(h)) {
		const struct step_stop *s = (const void *)(ring + h->tail % STEP_RING);
		if (s->size == 0) {
			__atomic_store_n(&h->tail, h->tail + STEP_RING - h->tail % STEP_RING,
					 __ATOMIC_RELEASE);
			continue;
		}
		judge(s);
		place_hit(stop_pc(&im, s));
		__atomic_store_n(&h->tail, h->tail + s->size, __ATOMIC_RELEASE);
	}
	const struct shadow_figures *f = &shadow_figures;
	printf("# %" PRIu64 " stops compared, %" PRIu64 " distinct; deepest %" PRIu64 "; %" PRIu64
	       " in the switch\n",
	       figures.stops, figures.distinct, figures.deepest, figures.in_switch);
	printf("# %" PRIu64
	       " differ from the call frame information; it reaches beyond the memory taken in %" PRIu64 "\n",
	       figures.cfi_wrong, figures.cfi_cut);
	printf("# %" PRIu64 " differ from the shadow stacks: %" PRIu64 " traps, %" PRIu64
	       " switches, %" PRIu64 " services, %" PRIu64 " jumps; %" PRIu64
	       " begun with the other judge's, %" PRIu64 " lost\n",
	       figures.shadow_wrong, f->traps, f->switches, f->services, f->jumps, f->seeds, f->lost);
	printf("# %" PRIu64 " instructions were passed over\n", f->passed);
	printf("# %" PRIu64 " from where nothing leads back; %" PRIu64
	       " end in a switch that was interrupted\n",
	       figures.no_way_back / 2, figures.between);
	places_write(argv[4]);
	bool bad =
		figures.cfi_wrong + figures.shadow_wrong + f->lost + figures.alone != 0 || figures.stops == 0;
	printf("%sok 1 - every walk is the true stack\n1..1\n", bad ? "not " : "");
	return bad;
}
