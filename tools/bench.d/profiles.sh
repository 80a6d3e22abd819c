# profiles.sh: what named profiles cost beside what is asked: a goroutine profile of 50 to 100,000 goroutines, what is left to others meanwhile, and
# what the heap, block and mutex profiles add to what they look at.
#
# Columns: the figure, what is asked, and whether that is what is asked. Pauses and totals are times of the host, costs of heap and block are
# counted in instructions on one hart, and contention and progress are ratios of samples in turns.
# shellcheck shell=bash

make all APP=tests/bench > /dev/null

say "goroutine profiles, instructions counted"
guest profiles-exact "profile_goroutine" SMP=1 EXACT=1 MEM=2G TIMEOUT=1800
for n in 50 1000 10000 100000; do
	asked "goroutine profile of $n, idle" "$(field profiles-exact "profile_goroutine_${n}_idle" p50 | scaled 1000)" '1000 instr' -
done
guest profiles-exact-2 "profile_goroutine parked=20000" SMP=2 EXACT=1 MEM=1G TIMEOUT=1800
for how in idle churn; do
	asked "the world stands, 20000, $how, 2 harts, p99" "$(field profiles-exact-2 "profile_pause_20000_$how" p99 | scaled 1000)" '1000 instr' '<1000'
done
say "goroutine profiles of 50 to 100,000 goroutines, 2 harts"
guest profiles-goroutine "profile_goroutine" SMP=2 MEM=2G TIMEOUT=1800
for n in 50 1000 10000 100000; do
	for how in idle churn; do
		for p in p50 p99; do
			want=- stop=-
			[ "$n $how $p" != "100000 idle p50" ] || want='<200'
			[ "$n $p" != "100000 p50" ] || stop='<1000'
			asked "goroutine profile of $n, $how, $p" "$(field profiles-goroutine "profile_goroutine_${n}_$how" $p | scaled 1000000)" ms "$want"
			asked "the world stands, $n, $how, $p" "$(field profiles-goroutine "profile_pause_${n}_$how" $p | scaled 1000)" us "$stop"
		done
	done
done
say "progress of others during goroutine profiles"
guest profiles-progress-exact "profile_progress profile_progress_yield parked=20000 t=200 reps=3" SMP=1 EXACT=1 MEM=1G TIMEOUT=1800
guest profiles-progress "profile_progress profile_progress_yield t=1000 reps=5" SMP=2 MEM=2G TIMEOUT=1800
for name in profile_progress profile_progress_yield; do
	asked "$name of 20000, 1 hart" "$(field profiles-progress-exact $name ns_op | scaled 0.01)" '% instr' '>=50'
	asked "$name of 100000, 2 harts" "$(field profiles-progress $name ns_op | scaled 0.01)" '% time' '>=50'
done
say "cost of heap and block profiles, instructions counted"
guest profiles-cost-exact "profile_cost_heap_512K profile_cost_block_1 profile_cost_mutex_pingpong_1 reps=1" SMP=1 EXACT=1
asked "heap profile, 512 KiB: added to malloc and free" "$(field profiles-cost-exact profile_cost_heap_512K ns_op)" '% instr' '<5'
asked "block profile, rate 1: added to chan_pingpong" "$(field profiles-cost-exact profile_cost_block_1 ns_op)" '% instr' '<25'
asked "mutex profile, rate 1: added to chan_pingpong" "$(field profiles-cost-exact profile_cost_mutex_pingpong_1 ns_op)" '% instr' '<25'
for harts in 1 2; do
	say "cost of heap, block and mutex profiles, in time, $harts harts"
	guest "profiles-cost-$harts" "profile_cost_heap_512K profile_cost_block_1 profile_cost_mutex_1 profile_cost_mutex_pingpong_1 reps=15" SMP=$harts
done
asked "heap profile, 512 KiB: added to malloc and free" "$(field profiles-cost-1 profile_cost_heap_512K ns_op)" '% time' '<5'
for harts in 1 2; do
	asked "block profile, rate 1: added to chan_pingpong, $harts harts" "$(field "profiles-cost-$harts" profile_cost_block_1 ns_op)" '% time' '<25'
	asked "mutex profile, rate 1: added to chan_pingpong, $harts harts" "$(field "profiles-cost-$harts" profile_cost_mutex_pingpong_1 ns_op)" '% time' '<25'
	asked "mutex profile, rate 1: added to mutex_contended_8N, $harts harts" "$(field "profiles-cost-$harts" profile_cost_mutex_1 ns_op)" '% time' '-'
done
