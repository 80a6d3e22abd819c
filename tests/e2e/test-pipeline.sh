#!/bin/bash
# apps/pipeline against the same sums made on the host, on 1, 2 and 4 harts; everybody in it ends.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-pipeline.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
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

boot pipeline ARGS="numbers=400 workers=20 profile=1" BOOT=prof.cpu=off
bad=0
equal status "$status" 0 || bad=1
equal goroutines "$(awk '/^[0-9]+ @ / { s += $1 } END { print s }' "$OUT/pipeline/goroutines.txt")" 22 || bad=1
has "$OUT/pipeline/goroutines.txt" '^goroutine profile: total 22$' '	work\+0x' '	source\+0x' '	sink\+0x' || bad=1
for p in goroutines parked runnable given_up; do gzip -t "$OUT/pipeline/$p.pb.gz" 2>>"$dir/notes" || bad=1; done
ok $bad "half-way a profile holds the source, each worker and the sink"

boot pipeline ARGS="workers=0"
bad=0
equal status "$status" 1 || bad=1
has "$dir/out" '^pipeline: workers=0: expected numbers=N, 1 to 1000000, workers=N, 1 to 1000, or profile=1$' || bad=1
ok $bad "a bad argument is status 1 and one line"
done_testing
