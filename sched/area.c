/*
 * Save areas of preempted goroutines: a copied frame, then FP and vector state at the next 64-byte boundary. Each hart keeps one spare for
 * the next trap exit, which cannot allocate; without one, when memory is out, nobody is preempted there, and if that goes on while others
 * wait it ends the program (kernel/trap.c).
 *
 * Areas are made where a goroutine is preempted and come free where it goes on, so a hart may collect others': it keeps AREAS_KEPT.
 *
 * A free area is linked through its FP part. Otherwise giving an area back would destroy the frame, from which the goroutine is still to be
 * resumed.
 */
#include "kernel/heap.h"
#include "sched/impl.h"

static size_t fpu_offset(void)
{
	return (arch_frame_size() + 63) & ~(size_t)63;
}

void *area_fpu(void *area)
{
	return (char *)area + fpu_offset();
}

void area_put(struct hart *h, void *area)
{
	if (h->spare_area == NULL) {
		h->spare_area = area;
		h->unsaved_since = 0;
		return;
	}
	*(void **)area_fpu(area) = h->sched->areas;
	h->sched->areas = area;
	h->sched->n_areas++;
}

static void *area_take(struct sched_hart *s)
{
	void *area = s->areas;
	s->areas = *(void **)area_fpu(area);
	s->n_areas--;
	return area;
}

void area_refill_sys(struct hart *h)
{
	if (h->sched->areas != NULL)
		h->spare_area = area_take(h->sched);
	else
		h->spare_area = heap_aligned(64, fpu_offset() + arch_fpu_size());
	if (h->spare_area != NULL)
		h->unsaved_since = 0;
}

void area_trim_sys(struct hart *h)
{
	while (h->sched->n_areas > AREAS_KEPT)
		heap_free(area_take(h->sched));
}
