#!/bin/bash
# Deaths at the worst moment, in the image tests/faults: with a lock that the crash path must not need, while profiles are being taken, without
# memory. The report is whole, the machine ends, and the dumps open: also the trace that ran.
#
#	[ARCH=...] [SMP=4] [BUILD=...] [MUTANT=...] tests/e2e/test-crash.sh [CASE...]
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/faults.sh
recorder="trace.flight=on trace.period=1000s"

for lock in page heap console trace; do
	chosen panic_with_${lock}_lock || continue
	for harts in 1 2 4; do
		boot tests/faults ARGS=panic_with_${lock}_lock BOOT="$recorder" SMP=$harts
		bad=0
		one_report "panic: with the $lock lock\$" 2 || bad=1
		has "$dir/out" '^goroutine [0-9]+ \(faulter\) \[running\]:$' '^die_sys\(\.\.\.\)$' "^panic_with_${lock}_lock\(\.\.\.\)\$" \
			"^held: $lock \(lock 0x[0-9a-f]+\) taken at 0x[0-9a-f]+\$" '^created by start_faulter in goroutine 1$' || bad=1
		! grep 'did not stop\|stack unavailable' "$dir/out" >>"$dir/notes" || bad=1
		[ $harts = 1 ] || has "$dir/out" '^want\(\.\.\.\)$' || bad=1
		pprof_has die_with panic_with_${lock}_lock faulter || bad=1
		trace_opens "$OUT/faults/crash-trace.out" 'GoID=' || bad=1
		ok $bad "panic_with_${lock}_lock: the kernel's own lock is held, and wanted by another hart ($harts harts)"
	done
done

if chosen panic_amid_profiles; then
	for harts in 1 2 4; do
		boot tests/faults ARGS=panic_amid_profiles BOOT="$recorder block.rate=1ns" SMP=$harts
		bad=0
		one_report 'panic: while a barrier is up$' 2 || bad=1
		has "$dir/out" '^goroutine [0-9]+ \(faulter\) \[running\]:$' '^panic_amid_profiles\(\.\.\.\)$' '^profile_for_ever\(\.\.\.\)$' || bad=1
		! grep 'did not stop\|stack unavailable' "$dir/out" >>"$dir/notes" || bad=1
		pprof_has panic_amid_profiles faulter && pprof_has profile_for_ever goroutine_entry || bad=1
		"$go" tool pprof -symbolize=none -top "$dump" >"$dir/top" 2>>"$dir/notes" && has "$dir/top" ' 1000 .* wait_here$' || bad=1
		gzip -t "$cpu_dump" 2>>"$dir/notes" || bad=1
		trace_opens "$OUT/faults/crash-trace.out" 'GoID=' || bad=1
		ok $bad "panic_amid_profiles: profiles are being written, and not all have passed the barrier of one ($harts harts)"
	done
fi

# What was kept when memory ran out is sent; of the generation that runs it may be said that it is missing (tests/e2e/test-trace.sh).
if chosen trace_without_memory; then
	for harts in 1 2 4; do
		boot tests/faults ARGS="trace_without_memory main" BOOT="$recorder" SMP=$harts MEM=64M
		bad=0
		one_report 'panic: out of memory: no page for the stack of goroutine 1$' 2 || bad=1
		has "$dir/out" '^stack_without_page\(\.\.\.\)$' || bad=1
		trace_opens "$OUT/faults/crash-trace.out" 'Message="while there was memory"' || bad=1
		ok $bad "trace_without_memory: the trace of what was before is there ($harts harts)"
	done
fi
done_testing
