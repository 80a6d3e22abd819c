#!/bin/bash
# Where the time of goroutines and harts went, by their trace (hbdump --check-trace --rows) and by the scheduler's own counters: the same within
# 1 %, for each goroutine by state and reason, for each reason in the profile of waits, and for each hart, on 1, 2 and 4 harts. Instructions are
# counted, so that a busy host changes nothing.
#
#	[ARCH=...] [BUILD=...] [MUTANT=...] tests/e2e/test-trace-times.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image tests/tracetimes "${MUTANT:-}"

for harts in 1 2 4; do
	SMP=$harts EXACT=1 boot tests/tracetimes BOOT="prof.cpu=off trace.period=20ms"
	bad=0
	equal status "$status" 0 || bad=1
	"$BUILD/tools/hbdump" --check-trace "$OUT/tracetimes/times.out" --rows >"$dir/rows" 2>>"$dir/notes"
	equal "hbdump --check-trace" $? 0 || bad=1
	# A goroutine starts and ends in some 10 us that only one of the two clocks has; a hart sleeps a little later than it is idle.
	# Who waited before the trace began, and still does, has neither name nor reason in it: the kernel's.
	awk -F '[\t ]' -v slack=10000 -v harts=$harts '
		function same(kind, what, a, b) {
			n[kind]++
			if ((a > b ? a - b : b - a) > b / 100 + slack) {
				print what ": " a " ns by the trace, " b " by the scheduler"
				bad = 1
			}
		}
		$1 == "goroutine" { trace[$2, $4, $4 == "waiting" ? $5 : "-"] += $6 }
		$1 == "goroutine" && $4 == "waiting" && $5 != "-" && $3 !~ /^runtime\./ { waiting[$5] += $6 }
		$1 == "p" && $3 == "idle" { idle[$2] = $4 }
		$1 == "times" { sched[$2, $3, $4] += $5; worker[$2] }
		$1 == "waits" { waits[$2] += $3 }
		$1 == "idle" {
			same("idle", "hart " $2 ", idle", idle[$2], $3)
			# An emulator that runs one hart at a time lets some time pass between the end of a sleep and what comes then.
			if (harts == 1) same("asleep", "hart " $2 ", asleep", idle[$2], $4)
			if ($4 > idle[$2] + slack) {
				print "hart " $2 " slept for " $4 " ns, and was idle for " idle[$2]
				bad = 1
			}
		}
		END {
			for (k in sched) trace[k] += 0
			for (k in trace) {
				split(k, w, SUBSEP)
				if (w[1] in worker) same("times", "goroutine " w[1] ", " w[2] " " w[3], trace[k], sched[k])
			}
			for (k in waits) waiting[k] += 0
			for (k in waiting) same("waits", "all, waiting " k, waiting[k], waits[k])
			# Each ran, waited for a hart, slept and used the channel; some waited for the mutex.
			if (n["times"] < 8 * 4 || n["waits"] < 4 || n["idle"] != harts) {
				print n["times"] " times, " n["waits"] " waits, " n["idle"] " harts"
				bad = 1
			}
			exit bad
		}' "$dir/rows" "$dir/out" >>"$dir/notes" || bad=1
	[ "$(awk -F '\t' '$1 == "trace" && $2 == "generations" { print $3 }' "$dir/rows")" -ge 2 ] || bad=1
	ok $bad "$harts harts: the times of a trace are those of the scheduler"
done
done_testing
