#!/bin/bash
# Heap, block and mutex profiles, from what a program does to `go tool pprof`: one with known allocations, a leak, a contended mutex, each way to wait.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-profiles.sh
#
# The go command is HB_GO, or the one that make installed under BUILD.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/raw.sh
find_go
export PPROF_TMPDIR=$dir TZ=UTC
app=$dir/waits
mkdir "$app"
cat >"$app/main.c" <<'END'
#include <hartbeat/chan.h>
#include <hartbeat/cond.h>
#include <hartbeat/go.h>
#include <hartbeat/profile.h>
#include <hartbeat/select.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noipa))

static void *volatile kept[10]; /* else the compiler leaves the allocations out */
enum { BLOCK_NS = 3 * TIME_MILLISECOND };

static struct mutex m;
static struct cond changed;
static struct chan *c;
static struct waitgroup done;

static NOINLINE void leak_here(void)
{
	for (int i = 0; i < 10; i++)
		kept[i] = malloc(100);
}

static NOINLINE void no_leak(void)
{
	for (int i = 0; i < 1000; i++) {
		void *p = malloc(50);
		__asm__ volatile("" : "+r"(p));
		free(p);
	}
}

static void worker(void *started)
{
	chan_send(started, NULL);
	mutex_lock(&m);
	time_sleep(20 * TIME_MILLISECOND); /* long enough for all others to come, on a busy host too */
	mutex_unlock(&m);
	waitgroup_done(&done);
}

static void start(void (*fn)(void *), void *arg)
{
	if (go(fn, arg) == 0)
		exit(1);
}

static void send_later(void *arg)
{
	time_sleep(BLOCK_NS);
	chan_send(c, arg);
}

static void receive_later(void *arg)
{
	time_sleep(BLOCK_NS);
	chan_recv(c, arg);
}

static void close_later(void *arg)
{
	(void)arg;
	time_sleep(BLOCK_NS);
	chan_close(c);
}

static void unlock_later(void *locked)
{
	mutex_lock(&m);
	chan_send(locked, NULL);
	time_sleep(BLOCK_NS);
	mutex_unlock(&m);
}

static void signal_later(void *arg)
{
	(void)arg;
	time_sleep(BLOCK_NS);
	mutex_lock(&m);
	cond_signal(&changed);
	mutex_unlock(&m);
}

static void done_later(void *arg)
{
	(void)arg;
	time_sleep(BLOCK_NS);
	waitgroup_done(&done);
}

static NOINLINE void block_chan_recv(void)
{
	start(send_later, NULL);
	chan_recv(c, NULL);
}

static NOINLINE void block_chan_send(void)
{
	start(receive_later, NULL);
	chan_send(c, NULL);
}

static NOINLINE void block_chan_close(void)
{
	struct chan *was = c;
	c = chan_make(0, 0);
	start(close_later, NULL);
	chan_recv(c, NULL);
	c = was;
}

static NOINLINE void block_select_recv_async(void)
{
	struct chan *was = c;
	c = chan_make(0, 1);
	struct chan_case cases[] = {CHAN_CASE_RECV(c, NULL), CHAN_CASE_RECV(chan_make(0, 1), NULL)};
	start(send_later, NULL);
	chan_select(cases, 2, false);
	c = was;
}

static NOINLINE void block_select_send_sync(void)
{
	struct chan_case cases[] = {CHAN_CASE_SEND(c, NULL), CHAN_CASE_SEND(chan_make(0, 0), NULL)};
	start(receive_later, NULL);
	chan_select(cases, 2, false);
}

static NOINLINE void block_mutex(void)
{
	start(unlock_later, c);
	chan_recv(c, NULL);
	mutex_lock(&m);
	mutex_unlock(&m);
}

static NOINLINE void block_cond(void)
{
	mutex_lock(&m);
	start(signal_later, NULL);
	cond_wait(&changed, &m);
	mutex_unlock(&m);
}

static NOINLINE void block_waitgroup(void)
{
	waitgroup_add(&done, 1);
	start(done_later, NULL);
	waitgroup_wait(&done);
}

static NOINLINE void block_each_way(void)
{
	c = chan_make(0, 0);
	block_chan_recv();
	block_chan_send();
	block_chan_close();
	block_select_recv_async();
	block_select_send_sync();
	block_mutex();
	block_cond();
	block_waitgroup();
	profile_dump("block", 1, "block.txt");
}

int main(void)
{
	struct chan *started = chan_make(0, 0);
	leak_here();
	no_leak();
	waitgroup_add(&done, 5);
	for (int i = 0; i < 5; i++)
		start(worker, started);
	for (int i = 0; i < 5; i++)
		chan_recv(started, NULL);
	waitgroup_wait(&done);
	chan_free(started);
	block_each_way();
	return 0;
}
END

# heap, block and mutex of the last run, each by the rules; WORD: one more, for heap.
all_three() { # all_three [WORD]
	local bad=0 p
	for p in heap block mutex; do raw "$OUT/waits/$p.pb.gz" $p || bad=1; done
	rules heap 4 heap "$@" || bad=1
	rules block 2 || bad=1
	rules mutex 2 || bad=1
	return $bad
}

# All three are there by default, and open.
make_here all APP="$app" >"$dir/build" 2>&1 || bail "the program does not build: $(tail -n 3 "$dir/build")"
boot "$app"
bad=$status
all_three || bad=1
has "$dir/heap.raw" '^PeriodType: space bytes$' '^Period: 524288$' \
	'^alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes$' || bad=1
has "$dir/block.raw" '^PeriodType: contentions count$' '^contentions/count delay/nanoseconds$' || bad=1
has "$dir/mutex.raw" '^PeriodType: contentions count$' '^contentions/count delay/nanoseconds$' || bad=1
ok $bad "by default a run makes heap, block and mutex profiles that pprof opens"

# Instructions are counted: from an unlock to where the waiter runs on no time passes that the host takes.
boot "$app" BOOT="heap.rate=1 block.rate=1ns mutex.fraction=1 heap.leaks=1" EXACT=1
bad=$status
all_three rate1 || bad=1
ok $bad "at rate 1 they follow all rules"

bad=0
equal "heap, leak_here" "$(stack_of heap leak_here)" "10 1120 10 1120" || bad=1
equal "heap, no_leak" "$(stack_of heap no_leak)" "1000 64000 0 0" || bad=1
grep -qE 'kernel/(heap|malloc|large)\.c' "$dir/heap.raw" && note "frames of the allocator are shown" && bad=1
ok $bad "the heap profile has each allocation at rate 1, by stack, and not the allocator"

bad=0
read -r times ns <<<"$(stack_of mutex worker)"
[ "${times:-0}" -ge 4 ] && [ "${ns:-0}" -ge 10000000 ] || { note "mutex, worker: $times $ns"; bad=1; }
blamed=${ns:-0}
read -r times ns <<<"$(stack_of block mutex_lock_slow worker)"
[ "${times:-0}" -ge 4 ] && [ "${ns:-0}" -ge 10000000 ] || { note "block, mutex_lock_slow of worker: $times $ns"; bad=1; }
# The same waits, counted by those who waited and by those who let them go.
[ $((blamed * 100)) -ge $((${ns:-0} * 99)) ] && [ $((blamed * 99)) -le $((${ns:-0} * 100)) ] || { note "mutex $blamed ns, block $ns ns"; bad=1; }
[ -n "$(stack_of block waitgroup_wait)" ] || { note "block: no waitgroup_wait"; bad=1; }
grep -q time_sleep "$dir/block.raw" && note "a sleep is in the block profile" && bad=1
ok $bad "who waited, and for whom, is in block and mutex, and both say the same"

# A line for each stack of a text with two values: the values in the order of the protobuf form, the functions.
text_stacks() { # text_stacks FILE
	awk '
		/^[0-9]+ [0-9]+ @ / { line = $2 " " $1 ":" }
		/^#\t/ { split($3, f, "+"); line = line " " f[1] }
		/^$/ && line != "" { print line; line = "" }
		END { if (line != "") print line }' "$1"
}

# Go: TestBlockProfile, and a wait group. Whole stacks; the text leaves out the kernel's functions at both ends.
stacks block >"$dir/block.stacks"
text_stacks "$OUT/waits/block.txt" >"$dir/text.stacks"
bad=0
head -n 2 "$OUT/waits/block.txt" | tr '\n' ' ' | grep -qx -e '--- contention: cycles/second=1000000000 ' || { note "the first lines of block.txt"; bad=1; }
while read -r leaf stack; do
	line=$(grep -E "^1 [0-9]+: $leaf $stack block_each_way main program_run goroutine_entry context_start\$" "$dir/block.stacks")
	read -r _ ns _ <<<"${line//:/ }"
	[ "$(wc -l <<<"$line")" -eq 1 ] && [ "${ns:-0}" -ge 2700000 ] || { note "$stack waits 3 ms in $leaf: ${line:-not there}"; bad=1; }
	grep -qx "1 ${ns:-0}: $stack block_each_way main" "$dir/text.stacks" || { note "not in the text: $line"; bad=1; }
done <<'END'
chan_recv_wait block_chan_recv
chan_send_wait block_chan_send
chan_recv_wait block_chan_close
select_wait block_select_recv_async
select_wait block_select_send_sync
mutex_lock_slow mutex_lock block_mutex
cond_wait block_cond
waitgroup_wait block_waitgroup
END
[ $bad -eq 0 ] || note "$(cat "$dir/block.stacks" "$dir/text.stacks")"
ok $bad "each way to block is in the block profile with its whole stack and its time, as protobuf and as text"

bad=0
has "$dir/out" '^hb: leaks: [0-9]+ bytes in [0-9]+ objects from [0-9]+ places still allocated; ' \
	'^hb: leak: 1120 bytes in 10 objects of 112 bytes' '^hb:     leak_here .*main\.c:' || bad=1
grep -q '^hb: .*no_leak' "$dir/out" && note "what was freed is called a leak" && bad=1
ok $bad "heap.leaks=1 prints what is still allocated, by stack"

for option in heap.rate=lots heap.rate=2048G block.rate=5 block.rate=2h mutex.fraction=-1 heap.leaks=maybe; do
	boot "$app" BOOT="$option"
	bad=0
	equal status "$status" 2 || bad=1
	has "$dir/out" "^boot: boot option '${option%%=*}': bad value '${option#*=}'" || bad=1
	ok $bad "$option is refused"
done
done_testing
