#!/bin/bash
# apps/pipeline against the same sums made on the host, on 1, 2 and 4 harts; everybody in it ends.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-pipeline.sh
#
# The go command is HB_GO, or the one that make installed under BUILD.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/raw.sh
find_go
export PPROF_TMPDIR=$dir
image pipeline

expected() { # expected NUMBERS: the line of the sink
	awk -v want="$1" 'BEGIN {
		for (k = 1; k <= want; k++) {
			if (k % 250 == 0) { gave_up++; continue }
			n = k
			for (steps = 0; n != 1; steps++) n = (n % 2 == 0) ? n / 2 : 3 * n + 1
			sum += steps
			if (steps > longest) { longest = steps; at = k }
		}
		printf "%d numbers: %d steps, the longest way %d from %d; %d given up\n", want, sum, longest, at, gave_up
	}'
}

check() { # check NUMBERS WORKERS HARTS
	local bad=0
	SMP=$3 boot pipeline ARGS="numbers=$1 workers=$2" BOOT=prof.cpu=off
	equal status "$status" 0 || bad=1
	has "$dir/out" "^$(expected "$1")\$" "^workers: all $2 have ended\$" || bad=1
	ok $bad "$1 numbers, $2 workers, $3 harts"
}

equal "the host's answer for 27" "$(expected 27)" "27 numbers: 387 steps, the longest way 111 from 27; 0 given up"
ok $? "the host knows the longest way up to 27"
for harts in 1 2 4; do check 2000 8 $harts; done
check 1 1 2
check 3000 100 4

boot pipeline ARGS="numbers=4000 workers=20 profile=1" BOOT="prof.cpu=off heap.rate=1 block.rate=1ns"
bad=0
equal status "$status" 0 || bad=1
equal goroutines "$(awk '/^[0-9]+ @ / { s += $1 } END { print s }' "$OUT/pipeline/goroutines.txt")" 22 || bad=1
has "$OUT/pipeline/goroutines.txt" '^goroutine profile: total 22$' '	work\+0x' '	source\+0x' '	sink\+0x' || bad=1
ok $bad "half-way a profile holds the source, each worker and the sink"

# Its profiles by name: for pprof, for the strict reader of hbdump, by the rules of all profiles, and with a stack that must be in it.
named() { # named FILE TYPES PERIOD VALUES WORDS FUNCTION...
	local file=$OUT/pipeline/$1.pb.gz name=$1 types=$2 period=$3 values=$4 words=$5 bad=0
	shift 5
	raw "$file" "$name" || return 1
	"$BUILD/tools/hbdump" --flame "$file" -o "$dir/flame.html" >>"$dir/notes" 2>&1 || bad=1
	# shellcheck disable=SC2086
	rules "$name" "$values" $words || bad=1
	has "$dir/$name.raw" "^PeriodType: $period\$" "^$types\$" || bad=1
	[[ " $(stack_of "$name" "$@")" =~ ' '[1-9] ]] || { note "$name: no stack of $*: $(stacks "$name")"; bad=1; }
	return $bad
}
space='alloc_objects/count alloc_space/bytes\[dflt\] inuse_objects/count inuse_space/bytes'
bad=0
named goroutines goroutine/count 'goroutine count' 1 '' chan_select work || bad=1
equal "goroutines in it" "$(stack_of goroutines goroutine_entry)" 22 || bad=1
named allocs "$space" 'space bytes' 4 'heap rate1' chan_make work || bad=1
has <(stacks allocs) '^20 [0-9]+ 20 [0-9]+: chan_make work goroutine_entry context_start$' || bad=1
named parked 'waits/count parked/nanoseconds' 'parked nanoseconds' 2 '' answered work || bad=1
named runnable 'waits/count runnable/nanoseconds' 'runnable nanoseconds' 2 '' answered work || bad=1
for p in parked runnable; do equal "samples of $p that say why" "$(grep -c '^ *wait:\[.*\]$' "$dir/$p.raw")" "$(stacks $p | wc -l)" || bad=1; done
has "$dir/runnable.raw" '^ *wait:\[start\]$' || bad=1
named given_up pipeline.given_up/count 'pipeline.given_up count' 1 '' work goroutine_entry || bad=1
ok $bad "each of its profiles by name is right for pprof, for our reader and by all rules"

boot pipeline ARGS="workers=0"
bad=0
equal status "$status" 1 || bad=1
has "$dir/out" '^pipeline: workers=0: expected numbers=N, 1 to 1000000, workers=N, 1 to 1000, or profile=1$' || bad=1
ok $bad "a bad argument is status 1 and one line"
done_testing
