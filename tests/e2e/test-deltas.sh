#!/bin/bash
# Differences of profiles (Go's seconds=) by content: what happened before the time is not in them, what happened in it is, and nothing else of the
# program; of heap, block, mutex and profiles of the program's own, one of which was empty before.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-deltas.sh
#
# The go command is HB_GO, or the one that make installed under BUILD.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/raw.sh
find_go
export PPROF_TMPDIR=$dir TZ=UTC
app=$dir/deltas
mkdir "$app"
cat >"$app/main.c" <<'END'
#include <hartbeat/dump.h>
#include <hartbeat/go.h>
#include <hartbeat/profile.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noipa))

enum { LONG = 40 * TIME_MILLISECOND, HELD = 2 * TIME_MILLISECOND, KEPT = 10 };

static void *volatile early[KEPT], *volatile late[KEPT]; /* else the compiler leaves the allocations out */
static struct mutex m;
static struct waitgroup done, written;
static struct chan *locked;
static struct profile *things, *fresh;

static void start(void (*fn)(void *), void *arg)
{
	if (go(fn, arg) == 0)
		exit(1);
}

static NOINLINE void keep_early(void)
{
	for (int i = 0; i < KEPT; i++)
		early[i] = malloc(100);
}

static NOINLINE void keep_never_freed(void)
{
	static void *volatile p[3];
	for (int i = 0; i < 3; i++)
		p[i] = malloc(300);
}

static NOINLINE void keep_late(void)
{
	for (int i = 0; i < KEPT; i++)
		late[i] = malloc(200);
	free(late[0]);
}

static NOINLINE void unlock_early(void)
{
	mutex_unlock(&m);
	__asm__ volatile("");
}

static NOINLINE void unlock_late(void)
{
	mutex_unlock(&m);
	__asm__ volatile("");
}

static NOINLINE void unlock_both(void)
{
	mutex_unlock(&m);
	__asm__ volatile("");
}

static NOINLINE void lock_early(void *arg)
{
	chan_send(locked, arg);
	mutex_lock(&m);
	mutex_unlock(&m);
	waitgroup_done(&done);
}

static NOINLINE void lock_late(void *arg)
{
	chan_send(locked, arg);
	mutex_lock(&m);
	mutex_unlock(&m);
	waitgroup_done(&done);
}

static NOINLINE void lock_both(void *arg)
{
	chan_send(locked, arg);
	mutex_lock(&m);
	mutex_unlock(&m);
	waitgroup_done(&done);
}

/* n goroutines, one after the other, wait for the mutex as long as it is held. */
static NOINLINE void contend(void (*lock)(void *), void (*unlock)(void), int n)
{
	for (int i = 0; i < n; i++) {
		waitgroup_add(&done, 1);
		mutex_lock(&m);
		start(lock, NULL);
		chan_recv(locked, NULL);
		time_sleep(HELD);
		unlock();
		waitgroup_wait(&done);
	}
}

static NOINLINE void add(struct profile *p, const char *from, int n)
{
	for (int i = 0; i < n; i++)
		if (profile_add(p, from + i, 0) != 0)
			exit(1);
	__asm__ volatile("");
}

static NOINLINE void add_early(const char *from, int n)
{
	add(things, from, n);
	__asm__ volatile("");
}

static NOINLINE void add_late(struct profile *p, const char *from, int n)
{
	add(p, from, n);
	__asm__ volatile("");
}

static NOINLINE void add_unchanged(const char *from, int n)
{
	add(things, from, n);
	__asm__ volatile("");
}

static void write(void *name)
{
	char file[80];
	snprintf(file, sizeof file, "%s-delta.pb.gz", (const char *)name);
	struct dump *d = dump_open(file);
	if (d == NULL || profile_write_delta(name, LONG, dump_sink(d)) != 0)
		exit(1);
	dump_close(d);
	waitgroup_done(&written);
}

int main(void)
{
	static const char *const names[] = {"heap", "allocs", "block", "mutex", "things", "fresh", "empty"};
	static const char thing[100];
	locked = chan_make(0, 0);
	things = profile_new("things");
	fresh = profile_new("fresh");
	if (locked == NULL || things == NULL || fresh == NULL || profile_new("empty") == NULL)
		return 1;
	keep_early();
	keep_never_freed();
	contend(lock_early, unlock_early, 2);
	contend(lock_both, unlock_both, 3);
	add_early(&thing[0], 5);
	add_unchanged(&thing[10], 4);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		waitgroup_add(&written, 1);
		start(write, (void *)names[i]);
	}
	time_sleep(LONG / 2); /* of counted instructions: the first looks are over */
	keep_late();
	for (int i = 0; i < 4; i++)
		free(early[i]);
	contend(lock_late, unlock_late, 2);
	contend(lock_both, unlock_both, 1);
	profile_remove(things, &thing[0]);
	profile_remove(things, &thing[1]);
	add_late(things, &thing[20], 3);
	add_late(fresh, &thing[30], 6);
	waitgroup_wait(&written);
	keep_early(); /* after it */
	return 0;
}
END
make_here all APP="$app" >"$dir/build" 2>&1 || bail "the program does not build: $(tail -n 3 "$dir/build")"

values() { # values NAME FUNCTION... WANTED
	local name=$1 want=${*: -1} got
	set -- "${@:2:$#-2}"
	got=$(stack_of "$name" "$@")
	equal "$name, $*" "${got:-none}" "$want"
}

waited() { # waited NAME COUNT FUNCTION...: so many waits, each about as long as the mutex is held
	local name=$1 want=$2 count ns
	shift 2
	read -r count ns <<<"$(stack_of "$name" "$@")"
	[ "${count:-0}" -eq "$want" ] && [ "$ns" -ge $((want * 1800000)) ] && [ "$ns" -le $((want * 2200000)) ] && return 0
	note "$name, $*: ${count:-none} ${ns:-}, expected $want of 2 ms each"
	return 1
}

once() { # once HARTS
	local bad=0 p
	# Instructions are counted, so that the host's load moves nothing into or out of the time.
	SMP=$1 boot "$app" EXACT=1 BOOT="heap.rate=1 block.rate=1ns mutex.fraction=1"
	equal status "$status" 0 || bad=1
	for p in heap allocs block mutex things fresh empty; do
		raw "$OUT/deltas/$p-delta.pb.gz" $p || bad=1
		has "$dir/$p.raw" '^Duration: [4-9][0-9]' || bad=1
	done
	rules heap 4 heap rate1 delta || bad=1
	rules allocs 4 heap rate1 delta || bad=1
	for p in block mutex; do rules $p 2 delta || bad=1; done
	for p in things fresh empty; do rules $p 1 delta || bad=1; done
	ok $bad "$1 harts: the differences are right for pprof and by all rules"

	bad=0
	for p in heap allocs; do
		values $p keep_late '10 2080 9 1872' || bad=1
		values $p keep_early '0 0 -4 -448' || bad=1
		values $p keep_never_freed none || bad=1
	done
	ok $bad "$1 harts: heap and allocs have what was allocated and freed in the time"

	bad=0
	waited block 2 mutex_lock_slow lock_late || bad=1
	waited block 1 mutex_lock_slow lock_both || bad=1
	values block lock_early none || bad=1
	waited mutex 2 mutex_unlock unlock_late || bad=1
	waited mutex 1 mutex_unlock unlock_both || bad=1
	values mutex unlock_early none || bad=1
	[ $bad -eq 0 ] || note "$(stacks block; stacks mutex)"
	ok $bad "$1 harts: block and mutex have the waits that ended in the time"

	bad=0
	values things add_early -2 || bad=1
	values things add_late 3 || bad=1
	equal "stacks of things" "$(stacks things | wc -l)" 2 || bad=1
	ok $bad "$1 harts: a profile of the program's own has what came less what went"

	# Go: TestDeltaProfileEmptyBase.
	bad=0
	equal fresh "$(stacks fresh)" '6: add add_late main program_run goroutine_entry context_start' || bad=1
	equal empty "$(stacks empty)" '' || bad=1
	has "$dir/empty.raw" '^PeriodType: empty count$' '^empty/count' '^Mappings$' || bad=1
	ok $bad "$1 harts: of one that was empty before, all; of one that stays empty, none, in a valid profile"
}

for harts in 1 2 4; do once $harts; done
done_testing
