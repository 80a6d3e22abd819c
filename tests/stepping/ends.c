/*
 * Ways for the machine to die that every architecture has: the switch finds interrupts off. None of what they hand over is looked at.
 */
#include <string.h>

#include "step.h"

static struct arch_context from, to;
static struct g *cur;

/* arch/ARCH: what the switch calls then. */
void switch_irq_off(void);

static void by_switch(void)
{
	arch_switch(&from, &to, &cur, NULL, 0);
}

static void by_begin(void)
{
	arch_begin(&from, &to, &cur, NULL, 0, NULL);
}

static void by_begin_last(void)
{
	arch_begin_last(&from, &to, &cur, NULL, 0, NULL);
}

static void by_resume(void)
{
	arch_resume(&to, &cur, NULL, &from, 0);
}

const struct step_end *step_end_find(const char *name)
{
	static const struct step_end all[] = {
		{"switch", by_switch, (uintptr_t)switch_irq_off},
		{"begin", by_begin, (uintptr_t)switch_irq_off},
		{"begin_last", by_begin_last, (uintptr_t)switch_irq_off},
		{"resume", by_resume, (uintptr_t)switch_irq_off},
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	for (const struct step_end *e = step_ends_arch; e->name != NULL; e++)
		if (strcmp(e->name, name) == 0)
			return e;
	return NULL;
}
