#!/bin/bash
# What the scheduler says about itself: sched.trace in the form of Go's schedtrace, short and in detail; goroutines_report(), those that have
# waited longest by age and reason; a run under the same seed is the same run.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-sched.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh

app=$dir/somewhere/scheduled
mkdir -p "$app"
cat >"$app/main.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/metrics.h>
#include <hartbeat/report.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

static struct chan *nothing;
static struct mutex taken;
static struct waitgroup hogs;
static volatile int later; /* so that no last call leaves its caller's stack */

static void start(void (*fn)(void *), const char *name, bool pinned)
{
	if (go_with(fn, NULL, &(struct go_options){.name = name, .pinned = pinned, .hart = 1}) == 0)
		exit(4);
}

static void hog(void *arg)
{
	uint64_t end = time_now() + 300 * TIME_MILLISECOND;
	while (time_now() < end)
		;
	waitgroup_done(&hogs);
	(void)arg;
}

static void receive(void *arg)
{
	chan_recv(nothing, NULL);
	(void)arg;
	later++;
}

static void lock(void *arg)
{
	mutex_lock(&taken);
	(void)arg;
	later++;
}

static void doze(void *arg)
{
	time_sleep(3600 * TIME_SECOND);
	(void)arg;
	later++;
}

static void trace(void)
{
	start(receive, "receiver", true);
	waitgroup_add(&hogs, 4);
	for (int i = 0; i < 4; i++)
		start(hog, "hog", false);
	waitgroup_wait(&hogs);
	printf("hogs are through\n");
	time_sleep(200 * TIME_MILLISECOND);
}

/* A goroutine that has waited 30 ms longer than the next one will have. */
static void start_waiting(void (*fn)(void *), const char *name)
{
	struct metric_value v;
	static uint64_t waiting;
	start(fn, name, false);
	waiting++;
	do
		go_yield();
	while (metrics_read("/sched/goroutines/waiting:goroutines", &v) && v.value < waiting);
	time_sleep(30 * TIME_MILLISECOND);
}

static void report(void)
{
	mutex_lock(&taken);
	start_waiting(receive, "first");
	start_waiting(lock, "second");
	start_waiting(doze, "third");
	start_waiting(receive, "fourth");
	goroutines_report(3);
	printf("the end of it\n");
}

int main(int argc, char **argv)
{
	nothing = chan_make(0, 0);
	if (argc < 2 || nothing == NULL)
		return 3;
	while (go_harts() < 2) /* they start one after the other */
		time_sleep(TIME_MILLISECOND);
	if (strcmp(argv[1], "trace") == 0)
		trace();
	else
		report();
	return 0;
}
C
image "$app"

# ---- sched.trace ----

counts='gomaxprocs=2 idleprocs=[0-2] threads=2 spinningthreads=[0-2] needspinning=0 idlethreads=[0-2] runqueue=[0-9]+'
boot "$app" SMP=2 ARGS=trace BOOT="prof.cpu=off sched.trace=20"
bad=0
equal status $status 0 || bad=1
grep -a '^SCHED ' "$dir/out" >"$dir/lines"
lines=$(wc -l <"$dir/lines")
[ "$lines" -ge 5 ] || { note "$lines lines" && bad=1; }
grep -vE "^SCHED [0-9]+ms: $counts \[ [0-9]+ [0-9]+ \] schedticks=\[ [0-9]+ [0-9]+ \]\$" "$dir/lines" >>"$dir/notes" && bad=1
# Times go up, and so does the sum of the ticks; four hogs on two harts leave somebody waiting, and afterwards a hart sleeps.
awk '{ ms = $2 + 0; ticks = $(NF - 2) + $(NF - 1) }
	ms < last_ms || ticks < last_ticks { print "goes down: " $0; bad = 1 }
	{ last_ms = ms; last_ticks = ticks } END { exit bad }' "$dir/lines" >>"$dir/notes" || bad=1
sed '/^hogs are through$/,$d' "$dir/out" | awk '/^SCHED / && / idleprocs=0 / {
		queued = $0; sub(/.*runqueue=/, "", queued); sub(/ \] schedticks.*/, "", queued); gsub(/[][]/, "", queued)
		n = split(queued, q, " "); sum = 0; for (i = 1; i <= n; i++) sum += q[i]
		if (sum >= 1) found = 1 } END { exit !found }' || { note "no line shows who waits for a hart" && bad=1; }
sed '1,/^hogs are through$/d' "$dir/out" >"$dir/later"
has "$dir/later" '^SCHED .* idleprocs=[12] .* idlethreads=[12] ' || bad=1
ok $bad "sched.trace: lines in the form of Go's, that say what is the case"

boot "$app" SMP=2 ARGS=trace BOOT="prof.cpu=off sched.trace=50 sched.trace.detail=1"
bad=0
equal status $status 0 || bad=1
has "$dir/out" "^SCHED [0-9]+ms: $counts gcwaiting=false nmidlelocked=0 stopwait=0 sysmonwait=false\$" \
	'^  G1: status=4\((semacquire|sync.WaitGroup.Wait)\) m=nil lockedm=nil$' '^  G[0-9]+: status=4\(chan receive\) m=nil lockedm=1$' \
	'^  G[0-9]+: status=2\(\) m=[01] lockedm=nil$' '^  G[0-9]+: status=1\(\) m=nil lockedm=nil$' || bad=1
for i in 0 1; do
	has "$dir/out" "^  P$i: status=1 schedtick=[0-9]+ syscalltick=0 m=$i runqsize=[0-9]+ gfreecnt=[0-9]+ timerslen=[0-9]+\$" \
		"^  M$i: p=$i curg=[0-9]+ mallocing=0 throwing=0 preemptoff= locks=[0-9]+ dying=0 spinning=false blocked=false lockedg=nil\$" || bad=1
done
grep -aE '^  [PMG]' "$dir/out" | grep -vE '^  (P[01]: status=[01]|M[01]: p=[01] curg=|G[0-9]+: status=[124]\()' >>"$dir/notes" && bad=1
ok $bad "sched.trace.detail: a line for each hart, twice, and each goroutine, with what it waits for and where it is pinned"

boot "$app" ARGS=trace BOOT="prof.cpu=off sched.trace=often"
bad=0
equal status $status 2 || bad=1
has "$dir/out" "^boot: boot option 'sched.trace': .*often" || bad=1
ok $bad "sched.trace=often: a boot error that names it"

# ---- goroutines_report() ----

boot "$app" SMP=2 ARGS=report BOOT=prof.cpu=off
bad=0
equal status $status 0 || bad=1
sed -n '/^goroutines: /,/^the end of it$/p' "$dir/out" >"$dir/report"
has "$dir/report" '^goroutines: 1 running, 0 runnable, 4 waiting$' || bad=1
equal "who, and for what" "$(sed -nE 's/^goroutine [0-9]+ \((.*)\) \[(.*)\]:$/\1: \2/p' "$dir/report" | tr '\n' ';')" \
	'first: chan receive;second: sync.Mutex.Lock;third: sleep;' || bad=1
ages=$(sed -nE 's/^for ([0-9]+)\.([0-9]{3}) s:$/\1\2/p' "$dir/report")
equal ages "$(wc -l <<<"$ages")" 3 || bad=1
awk -v last=1000000 -v least=120 '$0 > last - 30 && NR > 1 || $0 < least { print "age of " $0 " ms, the one before " last; bad = 1 }
	{ last = $0; least -= 30 } END { exit bad }' <<<"$ages" >>"$dir/notes" || bad=1
has "$dir/report" '^receive\(\.\.\.\)$' '^lock\(\.\.\.\)$' '^doze\(\.\.\.\)$' '^created by start in goroutine 1$' || bad=1
ok $bad "goroutines_report: those that have waited longest come first, with age, reason and stack"

# ---- the same seed, the same run ----

image tests/stress
for seed in 0 7; do
	for i in 1 2; do
		boot tests/stress SMP=4 MEM=1G DETERMINISTIC=1 BOOT="sched.seed=$seed sched.trace=5 sched.trace.detail=1" \
			ARGS="ms=${FULL:+2}20 seed=4711"
		equal "status of run $i" $status 0
		mv "$dir/out" "$dir/run$i"
		cp "$OUT/stress/cpu.pb.gz" "$dir/profile$i"
	done
	bad=0
	[ "$(grep -c '^SCHED ' "$dir/run1")" -ge 3 ] || bad=1
	grep -q '^ok 1 - ' "$dir/run1" || bad=1
	diff "$dir/run1" "$dir/run2" >>"$dir/notes" || bad=1
	cmp "$dir/profile1" "$dir/profile2" >>"$dir/notes" || bad=1
	ok $bad "DETERMINISTIC=1, 4 harts, seed $seed: everything at once, twice the same, scheduler's trace and profile included"
	cp "$dir/run1" "$dir/seed$seed"
done
! cmp -s "$dir/seed0" "$dir/seed7"
ok $? "another seed is another run"
done_testing
