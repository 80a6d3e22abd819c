/* `top`: what harts and goroutines did since the last look, again and again. */
#include "prof/serve/commands.h"

#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/heap.h"
#include "sched/sched.h"

enum { ROWS = 15, ROUNDS_MAX = 1000000 };

/* CPU time of every descriptor, in the order of the list: it grows at its head, and nothing ever leaves it. */
struct seen {
	uint64_t id, ticks;
};

struct look {
	uint64_t at; /* ticks */
	uint32_t n;
	struct seen *seen;
	struct {
		uint64_t since, slept;
	} hart[HART_MAX];
};

struct row {
	struct g *g;
	uint64_t id, spent, total;
};

static bool look_take(struct look *l)
{
	struct g *first = g_all();
	uint32_t n = 0;
	for (const struct g *g = first; g != NULL; g = g->all_next)
		n++;
	struct seen *s = heap_realloc(l->seen, n * sizeof *s);
	if (s == NULL)
		return false;
	l->seen = s;
	l->n = 0;
	l->at = arch_ticks();
	for (const struct g *g = first; g != NULL && l->n < n; g = g->all_next)
		s[l->n++] = (struct seen){g->id, g_alive(g_status(g)) ? g_cpu_ticks(g) : 0};
	for (unsigned i = 0; i < hart_count; i++) {
		struct hart_look h;
		hart_look(i, &h);
		l->hart[i].since = h.since;
		l->hart[i].slept = h.slept;
	}
	return true;
}

static unsigned tenths(uint64_t part, uint64_t whole)
{
	if (whole == 0)
		return 0;
	return (unsigned)(part >= whole ? 1000 : part * 1000 / whole);
}

static void harts_show(const struct look *was, const struct look *is)
{
	say("hart    busy  queue  timers  runs\033[K\n");
	for (unsigned i = 0; i < hart_count; i++) {
		struct hart_look h;
		hart_look(i, &h);
		uint64_t passed = is->at - was->at, slept = is->hart[i].slept - was->hart[i].slept;
		unsigned busy = 1000 - tenths(slept, passed);
		const struct g *g = h.cur;
		if (g != NULL)
			say("%4u  %3u.%u %%  %5u  %6u  %llu %s\033[K\n", i, busy / 10, busy % 10, h.queued,
			    h.timers, (unsigned long long)g->id, g_name(g));
		else
			say("%4u  %3u.%u %%  %5u  %6u  %s\033[K\n", i, busy / 10, busy % 10, h.queued,
			    h.timers, h.idle ? "asleep" : "its scheduler");
	}
}

/* The rows with most time in this interval. */
static unsigned rows_take(const struct look *was, const struct look *is, struct row *rows)
{
	unsigned n = 0;
	uint32_t i = 0;
	struct g *g = g_all();
	uint32_t all = 0, newer;
	for (const struct g *o = g; o != NULL; o = o->all_next)
		all++;
	for (; g != NULL && all > is->n; g = g->all_next) /* made since */
		all--;
	newer = is->n - was->n;
	for (; g != NULL && i < is->n; g = g->all_next, i++) {
		const struct seen *now = &is->seen[i];
		const struct seen *before = i >= newer ? &was->seen[i - newer] : NULL;
		uint64_t spent = now->ticks;
		if (before != NULL && before->id == now->id)
			spent = now->ticks > before->ticks ? now->ticks - before->ticks : 0;
		if (spent == 0 || (n == ROWS && spent <= rows[n - 1].spent))
			continue;
		unsigned at = n < ROWS ? n++ : n - 1;
		for (; at > 0 && rows[at - 1].spent < spent; at--)
			rows[at] = rows[at - 1];
		rows[at] = (struct row){g, now->id, spent, now->ticks};
	}
	return n;
}

static const char *state_of(const struct g *g)
{
	uint32_t s = g_status(g);
	return !g_alive(s)                         ? "ended"
	       : s == G_WAITING                    ? wait_reason_text[g->wait_reason].text
	       : s == G_RUNNABLE || s == G_READIED ? "runnable"
						   : "running";
}

static void goroutines_show(const struct look *was, const struct look *is)
{
	struct row rows[ROWS];
	unsigned n = rows_take(was, is, rows);
	say("\033[K\n        id     cpu       total  state                  name and place\033[K\n");
	for (unsigned i = 0; i < n; i++) {
		char total[24], where[128];
		unsigned cpu = tenths(rows[i].spent, is->at - was->at);
		say("%10llu %3u.%u %%  %10s  %-21s  %s %s\033[K\n", (unsigned long long)rows[i].id, cpu / 10,
		    cpu % 10, show_time(total, clock_from_ticks(rows[i].total)), state_of(rows[i].g),
		    g_name(rows[i].g), show_where(rows[i].g, where, sizeof where));
	}
}

static void head_show(void)
{
	uint32_t running = 0, runnable = 0, waiting = 0;
	struct heap_stats heap;
	char up[24];
	for (const struct g *g = g_all(); g != NULL; g = g->all_next) {
		uint32_t s = g_status(g);
		if (g->system || !g_alive(s))
			continue;
		waiting += s == G_WAITING;
		runnable += s == G_RUNNABLE || s == G_READIED;
		running += s != G_WAITING && s != G_RUNNABLE && s != G_READIED;
	}
	heap_stats(&heap);
	say("\033[H%s, %u harts, up %s; goroutines: %u, %u running, %u runnable, %u waiting; heap: %zu "
	    "kB\033[K\n",
	    arch_name(), (unsigned)hart_count, show_time(up, time_now()), (unsigned)go_count(), running,
	    runnable, waiting, heap.used_bytes / 1024);
}

void top_command(int argc, char **argv)
{
	uint64_t seconds = 1, rounds = ROUNDS_MAX;
	struct look *looks = heap_alloc_zero(2 * sizeof *looks);
	if ((argc > 1 && !command_number("top", argv[1], 1, 3600, &seconds)) ||
	    (argc > 2 && !command_number("top", argv[2], 1, ROUNDS_MAX, &rounds))) {
		heap_free(looks);
		return;
	}
	bool ok = looks != NULL && look_take(&looks[0]);
	say("\033[2J\033[Htop: a moment\n");
	for (uint64_t i = 0; ok && i < rounds; i++) {
		struct look *was = &looks[i & 1], *is = &looks[~i & 1];
		if (!console_wait(seconds * TIME_SECOND))
			break;
		ok = look_take(is);
		if (!ok)
			break;
		head_show();
		harts_show(was, is);
		goroutines_show(was, is);
		say("\033[K\nq ends it\033[K\n\033[J");
	}
	if (!ok)
		say("top: out of memory\n");
	if (looks != NULL) {
		heap_free(looks[0].seen);
		heap_free(looks[1].seen);
	}
	heap_free(looks);
}
