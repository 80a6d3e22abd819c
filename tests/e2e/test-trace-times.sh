#!/bin/bash
# Where the time of goroutines went, by their trace (hbdump --check-trace --rows) and by the scheduler's own clock: the same within 1 %, for
# each goroutine, on 1, 2 and 4 harts. Instructions are counted, so that a busy host changes nothing.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-trace-times.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image tests/tracetimes

for harts in 1 2 4; do
	SMP=$harts EXACT=1 boot tests/tracetimes BOOT="prof.cpu=off trace=1 trace.period=20ms"
	bad=0
	equal status "$status" 0 || bad=1
	"$BUILD/tools/hbdump" --check-trace "$OUT/tracetimes/trace.out" --rows >"$dir/rows" 2>>"$dir/notes"
	equal "hbdump --check-trace" $? 0 || bad=1
	# A goroutine starts and ends in some 10 us that only one of the two clocks has.
	awk -F '[\t ]' -v slack=10000 '
		$1 == "goroutine" { if ($4 == "running") ran[$2] += $6; else not[$2] += $6 }
		$1 == "times" {
			n++
			if (far(ran[$2], $3) || far(not[$2], $4)) {
				print "goroutine " $2 ": ran " ran[$2] " and did not " not[$2] " ns by the trace, " $3 " and " $4 " by the scheduler"
				bad = 1
			}
		}
		function far(a, b) { return (a > b ? a - b : b - a) > b / 100 + slack }
		END { exit bad || n != 8 }' "$dir/rows" "$dir/out" >>"$dir/notes" || bad=1
	[ "$(awk -F '\t' '$1 == "trace" && $2 == "generations" { print $3 }' "$dir/rows")" -ge 2 ] || bad=1
	ok $bad "$harts harts: the times of a trace are those of the scheduler"
done
done_testing
