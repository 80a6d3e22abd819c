#!/bin/bash
# Heap, block and mutex profiles, from what a program does to `go tool pprof`: a program with known allocations, a leak and a contended mutex.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-profiles.sh
#
# The go command is HB_GO, or the one that make installed under BUILD.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
find_go
export PPROF_TMPDIR=$dir TZ=UTC
app=$dir/waits
mkdir "$app"
cat >"$app/main.c" <<'END'
#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>
#include <stdlib.h>

static void *volatile kept[10]; /* else the compiler leaves the allocations out */
static struct mutex m;
static struct waitgroup done;

__attribute__((noipa)) static void leak_here(void)
{
	for (int i = 0; i < 10; i++)
		kept[i] = malloc(100);
}

__attribute__((noipa)) static void no_leak(void)
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

int main(void)
{
	struct chan *started = chan_make(0, 0);
	leak_here();
	no_leak();
	waitgroup_add(&done, 5);
	for (int i = 0; i < 5; i++)
		go(worker, started);
	for (int i = 0; i < 5; i++)
		chan_recv(started, NULL);
	waitgroup_wait(&done);
	chan_free(started);
	return 0;
}
END

raw() { # raw NAME: out/.../NAME.pb.gz by pprof, to $dir/NAME.raw
	"$go" tool pprof -symbolize=none -raw "$OUT/waits/$1.pb.gz" >"$dir/$1.raw" 2>"$dir/pprof.err" && return 0
	cat "$dir/pprof.err" >>"$dir/notes"
	return 1
}

# What any profile must be: as many values for each sample as there are types, none below 0; each id of a location there is, once, its
# address in the mapping; and, for a heap profile, not more in use than allocated, and bytes that are whole objects.
rules() { # rules NAME VALUES
	awk -v values="$2" -v heap="$([ "$1" = heap ] && echo 1)" '
		function hex(s,    i, v) { v = 0; for (i = 3; i <= length(s); i++) v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1; return v }
		function bad(what) { print "line " NR ": " what ": " $0; wrong = 1 }
		/^Samples:/ { part = 1; next }
		/^Locations/ { part = 2; next }
		/^Mappings/ { part = 3; next }
		part == 1 && /\// { if (NF != values) bad(values " types expected"); next }
		part == 1 && /^ *bytes:\[/ { split($0, b, /[][]/); if (!heap) bad("a label bytes"); else if (v[1] * b[2] != v[2] && rate1) bad("bytes are not objects"); next }
		part == 1 && /^ *[0-9]+ / {
			split($0, side, ":")
			if (split(side[1], v, " ") != values) bad(values " values expected")
			for (i = 1; i <= values; i++) if (v[i] < 0) bad("a value below 0")
			if (heap && (v[3] > v[1] || v[4] > v[2])) bad("more in use than allocated")
			k = split(side[2], id, " ")
			if (k == 0) bad("no stack")
			for (i = 1; i <= k; i++) used[id[i]] = 1
			samples++
		}
		part == 2 && /^ *[0-9]+: 0x/ {
			i = $1 + 0
			if (i in there) bad("an id twice")
			if (i == 0) bad("an id of 0")
			there[i] = hex($2)
		}
		part == 3 && /^[0-9]+:/ { split($2, m, "/"); lo = hex(m[1]); hi = hex(m[2]) }
		END {
			for (i in used) if (!(i in there)) { print "no location " i; wrong = 1 }
			for (i in there) if (there[i] != 0 && (there[i] < lo || there[i] >= hi)) { print "location " i " is outside the mapping"; wrong = 1 }
			exit wrong + 0
		}' "$dir/$1.raw" >>"$dir/notes"
}

# All three are there by default, and open.
make_here all APP="$app" >"$dir/build" 2>&1 || bail "the program does not build: $(tail -n 3 "$dir/build")"
boot "$app"
bad=$status
for p in heap block mutex; do
	raw $p && rules $p "$([ $p = heap ] && echo 4 || echo 2)" || bad=1
done
has "$dir/heap.raw" '^PeriodType: space bytes$' '^Period: 524288$' \
	'^alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes$' || bad=1
has "$dir/block.raw" '^PeriodType: contentions count$' '^contentions/count delay/nanoseconds$' || bad=1
has "$dir/mutex.raw" '^PeriodType: contentions count$' '^contentions/count delay/nanoseconds$' || bad=1
ok $bad "by default a run makes heap, block and mutex profiles that pprof opens"

# Instructions are counted: from an unlock to where the waiter runs on no time passes that the host takes.
boot "$app" BOOT="heap.rate=1 block.rate=1ns mutex.fraction=1 heap.leaks=1" EXACT=1
bad=$status
for p in heap block mutex; do
	raw $p && rules $p "$([ $p = heap ] && echo 4 || echo 2)" || bad=1
done
ok $bad "at rate 1 they follow all rules"

# stack_of NAME FUNCTION...: the values of the samples whose stack has all of the functions, summed
stack_of() {
	local name=$1
	shift
	awk -v wanted="$*" '
		BEGIN { functions = split(wanted, want, " ") }
		/^Samples:/ { part = 1; next }
		/^Locations/ { part = 2; next }
		/^Mappings/ { part = 3; next }
		part == 1 && /^ *[0-9]+ +[0-9]/ { n++; split($0, side, ":"); value[n] = side[1]; ids[n] = side[2] }
		part == 2 && /^ *[0-9]+: 0x/ { id = $1 + 0; name = $4 }
		part == 2 && !/^ *[0-9]+: 0x/ { name = $1 }
		part == 2 { has[id, name] = 1 }
		END {
			for (i = 1; i <= n; i++) {
				all = 1
				for (k = 1; k <= functions && all; k++) {
					all = 0
					frames = split(ids[i], id_of, " ")
					for (f = 1; f <= frames; f++) if ((id_of[f], want[k]) in has) all = 1
				}
				if (!all) continue
				values = split(value[i], v, " ")
				for (k = 1; k <= values; k++) sum[k] += v[k]
			}
			for (k = 1; k <= values; k++) printf("%s%d", k == 1 ? "" : " ", sum[k])
		}' "$dir/$name.raw"
}

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
