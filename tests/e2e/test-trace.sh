#!/bin/bash
# Execution traces of real programs: each opens in Go's own reader, on 1, 2 and 4 harts, and says what the program did.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-trace.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
export TMPDIR=$dir
GOROOT=$(cat "$BUILD/deps/go/goroot") || bail "no Go"
export GOROOT
for app in hello wordcount pipeline sieve mandelbrot; do image $app; done
seq 1 20000 | sed 's/$/ the cat sat on a mat/' >"$dir/text"

# Go's reader wants every event to follow from those before, or ends with 1; ours wants more (docs/trace.md).
parsed() { # parsed FILE: what is in it, in $dir/parsed
	"$BUILD/tools/hbdump" --check-trace "$1" -q 2>"$dir/check"
	equal "hbdump --check-trace" $? 0 || { note "$(head -n 5 "$dir/check" | cut -c 1-300)" && return 1; }
	"$GOROOT/bin/go" tool trace -d=parsed "$1" >"$dir/parsed" 2>"$dir/parse"
	equal "go tool trace" $? 0 && return 0
	note "$(tail -n 3 "$dir/parse" | cut -c 1-300)"
	return 1
}

check() { # check APP HARTS BOOT REGEX...: a run with a trace whose lines match
	local app=$1 harts=$2 boot=$3 bad=0
	shift 3
	rm -rf "${OUT:?}/$app"
	case $app in
	sieve) arguments='primes=60' ;;
	mandelbrot) arguments='width=60 height=20 iterations=1000' ;;
	pipeline) arguments='numbers=10000' ;; # many periods of 5 ms, as little as the host may give it
	*) arguments='' ;;
	esac
	SMP=$harts boot "$app" INPUT="$dir/text" ARGS="$arguments" BOOT="prof.cpu=off trace=1 $boot"
	equal status "$status" 0 || bad=1
	if [[ $boot == *trace.gz=1* ]]; then
		"$BUILD/tools/hbdump" --check-trace "$OUT/$app/trace.out.gz" -q 2>>"$dir/notes" || bad=1
		gunzip "$OUT/$app/trace.out.gz" 2>>"$dir/notes" || bad=1
	fi
	parsed "$OUT/$app/trace.out" || bad=1
	has "$dir/parsed" "$@" || bad=1
	has "$dir/parsed" "gomaxprocs:threads\" Value=[^ ]*\b$harts\b" || bad=1
	ok $bad "$app on $harts harts${boot:+, $boot}: its trace opens"
}

for harts in 1 2 4; do
	check hello $harts "" 'Range.* Name="stop-the-world \(stop trace\)"' 'Name="/memory/classes/heap/objects:bytes"' 'Name="/gc/heap/goal:bytes"'
	check mandelbrot $harts "" 'Runnable->Running' 'NotExist->Runnable' '^	main @ 0x'
	check wordcount $harts "" 'Range.* Name="stop-the-world \(start trace\)"' 'NotExist->Runnable' '^	main @ 0x'
	check pipeline $harts trace.period=5ms 'Reason="select".* Running->Waiting' 'stop-the-world \(trace advance\)' '^	source @ 0x'
	check sieve $harts "" 'Reason="chan receive".* Running->Waiting' 'Reason="chan send".* Running->Waiting' '^	chan_wake_watched @ 0x'
done
check pipeline 4 "trace.gz=1 trace.period=5ms" 'stop-the-world \(trace advance\)' 'Running->Waiting'
check sieve 4 trace.period=0s 'stop-the-world \(trace advance\)' 'Runnable->Running'

# The flight recorder from the boot line: what it has at the end is flight.out, however much was asked for.
generations() { "$BUILD/tools/hbdump" --check-trace "$1" --rows | awk -F '\t' '$2 == "generations" { print $3 }'; }
flight() { # flight HARTS BOOT LEAST MOST [REGEX...]: a run with a recorder that keeps so many generations, in which there are such lines
	local bad=0 file=$OUT/pipeline/flight.out kept
	rm -rf "${OUT:?}/pipeline"
	SMP=$1 boot pipeline INPUT="$dir/text" ARGS=numbers=10000 BOOT="prof.cpu=off $2"
	equal status "$status" 0 || bad=1
	[[ $2 != *trace.gz=1* ]] || gunzip "$file.gz" 2>>"$dir/notes" || bad=1
	parsed "$file" || bad=1
	has "$dir/parsed" "${5}" || bad=1
	kept=$(generations "$file")
	[ "${kept:-0}" -ge "$3" ] && [ "${kept:-0}" -le "$4" ] || { note "${kept:-no} generations, expected $3 to $4" && bad=1; }
	if [[ $2 == *trace=1* ]]; then
		parsed "$OUT/pipeline/trace.out" || bad=1
	else
		[ ! -e "$OUT/pipeline/trace.out" ] || { note "a trace, too" && bad=1; }
	fi
	ok $bad "$2 on $1 harts: flight.out opens, and has what was asked for"
}
for harts in 1 2 4; do flight $harts trace.flight=10s,8M 1 99 'NotExist->Runnable' 'Reason="select".* Running->Waiting' '^	source @ 0x'; done
flight 4 "trace.flight=10s,8M trace.period=5ms trace=1" 2 999 'stop-the-world \(trace advance\)'
flight 4 "trace.flight=on trace.period=5ms trace.gz=1" 2 999 'stop-the-world \(trace advance\)'
flight 4 "trace.flight=10s,1 trace.period=5ms" 1 1 'stop-the-world'

# Programs that do everything there is to trace (tests/guest/trace_program.c), plain and with whatever could come between: a generation that
# follows the other, a preemption at every lock, stacks that shrink all the time.
image tests/guest

transition() { # transition FILE WHAT FUNCTION: an event that matches WHAT has FUNCTION in its stack
	awk -v what="$2" -v fn="$3" '/^M=/ { on = $0 ~ what } on && $1 == fn { found = 1 } END { exit !found }' "$1" && return 0
	note "no $2 in $3"
	return 1
}

stacks() {
	local bad=0 line
	while IFS='|' read -r what fn; do
		transition "$dir/stacks" "$what" "$fn" || bad=1
	done <<-'END'
		Reason="chan receive".*Running->Waiting|at_recv
		Reason="chan send".*Running->Waiting|at_send
		Reason="select".*Running->Waiting|at_select
		Reason="forever".*Running->Waiting|at_recv_nil
		Reason="forever".*Running->Waiting|at_send_nil
		Reason="forever".*Running->Waiting|at_select_none
		Reason="sync".*Running->Waiting|at_mutex
		Reason="sync".*Running->Waiting|at_rlock
		Reason="sync".*Running->Waiting|at_wlock
		Reason="sync".*Running->Waiting|at_waitgroup
		Reason="sync...Cond..Wait".*Running->Waiting|at_cond
		Reason="sleep".*Running->Waiting|at_sleep
		Reason="runtime.Gosched".*Running->Runnable|at_yield
		Reason="runtime.Gosched".*Running->Runnable|at_qsort
		Reason="preempted".*Running->Runnable|at_spin
		NotExist->Runnable|start_one
		NotExist->Runnable|at_exit
		NotExist->Runnable|runtime.receives_for_ever
		Waiting->Runnable|wake_recv
		Waiting->Runnable|wake_send
		Waiting->Runnable|wake_select
		Waiting->Runnable|wake_close
		Waiting->Runnable|wake_mutex
		Waiting->Runnable|wake_rwmutex
		Waiting->Runnable|wake_waitgroup
		Waiting->Runnable|wake_cond
		RangeBegin.*stop-the-world \(stop trace\)|traced_end
		RangeBegin.*stop-the-world \(start trace\)|traced_begin
	END
	return $bad
}

# The samples of a profile and of the trace of the same run: the same stacks, of the same goroutines, as many. Stacks are without what every
# goroutine has outermost: a trace has it only where a stack would be empty otherwise, as when a tick that was due before a goroutine began comes
# at its first instruction.
#
# A sample of a profile has no goroutine, so the goroutines that the test starts say their ids by a label; only before that label, and in others,
# it is not known (-). A sample counts the periods that a late tick swallowed, and the trace has one event for it: the profile's count may be the
# greater one, unless the run is `exact`: one hart, on which no tick is late (of several, QEMU runs one after the other). The sample that closes a hart's account, its last one, counts what is left, 0
# to 2.
same_samples() { # same_samples [exact]
	local outermost='f != "goroutine_entry" && f != "context_start" && f != "program_run" { s = s " " f }'
	"$GOROOT/bin/go" tool pprof -traces -sample_index=samples "$OUT/guest/cpu-profile.pb.gz" 2>/dev/null |
		awk 'function put() { if (s != "") print count, g, substr(s, 2) }
			/^-----/ { put(); s = count = ""; g = "-"; on = 1; next }
			on && $1 == "goroutine:" { g = $2 }
			!on || /^ *[^ ]*: / { next }
			count == "" { count = $1 }
			{ sub(/ \(inline\)$/, ""); f = $NF }
			'"$outermost"'
			END { put() }' >"$dir/profile-samples"
	awk 'function field(name,   s) { s = " " $0; sub(".* " name "=", "", s); sub(" .*", "", s); return s }
		function put() { if (s != "") print m, g, substr(s, 2) }
		/^M=/ { put(); s = ""; on = / StackSample /; m = field("M"); g = field("G") }
		{ f = "" }
		on && /^\t[^\t]/ { f = $1 }
		f != "" && '"$outermost"'
		END { put() }' "$dir/cpu-profile" >"$dir/trace-samples"
	awk -v exact="${1:-}" 'function wrong(what) { print what; bad++ }
		{ a = $1; g = $2; sub(/^[^ ]* [^ ]* /, "") }
		FNR == 1 { file++ }
		file == 1 { profile[$0] += a; of[g, $0] += a; if (g != "-") ids[g] = 1; total += a; named += a * (g != "-") }
		file == 2 { event[$0]++; by[g, $0]++; last[a] = $0; who[a] = g; n++ }
		END {
			for (m in last) { closing[last[m]]++; closed[who[m], last[m]]++ }
			for (s in profile) {
				more = profile[s] - event[s] + closing[s] # what closes an account counts 0 to 2
				if (!(s in event) || more < 0 || (exact && more > 2 * closing[s]))
					wrong(profile[s] " in the profile, " event[s] + 0 " in the trace: " s)
			}
			for (s in event) if (!(s in profile)) wrong("not in the profile, " event[s] " in the trace: " s)
			for (k in of) {
				split(k, part, SUBSEP)
				if (part[1] != "-" && (!(k in by) || (exact && of[k] > by[k] + closed[k])))
					wrong("goroutine " part[1] ": " of[k] " in the profile, " by[k] + 0 " in the trace: " part[2])
			}
			for (k in by) {
				split(k, part, SUBSEP)
				if (part[1] in ids && by[k] - closed[k] > of[k] + of["-", part[2]])
					wrong("goroutine " part[1] ": " of[k] + 0 " in the profile, " by[k] " in the trace: " part[2])
			}
			for (g in ids) goroutines++
			if (goroutines < (exact ? 3 : 1) || (exact && named < total / 2))
				wrong(goroutines + 0 " goroutines have " named + 0 " of " total " samples")
			exit bad > 0
		}' "$dir/profile-samples" "$dir/trace-samples" >"$dir/differ" && return 0
	note "samples of the profile and of the trace: $(wc -l <"$dir/differ") differences"
	head -n 6 "$dir/differ" | cut -c 1-150 >>"$dir/notes"
	return 1
}

# Who is in a region "special" yields between two waits: one that waits, is made ready and waits again without that was woken for nothing.
futile() {
	awk 'function field(name,   s) { s = $0; if (!sub(".*[ (]" name "=", "", s)) return ""; sub("[ )].*", "", s); return s }
		/^M=/ && / RegionBegin / && /Type="special"/ { on[field("G")] = 1; n++ }
		/^M=/ && / RegionEnd / && /Type="special"/ { delete on[field("G")] }
		/^M=/ && / StateTransition / && (g = field("GoID")) in on {
			if (/Running->Runnable/) waited[g] = 0
			if (/Running->Waiting/) {
				if (waited[g]) { print "goroutine " g " waits again: " $0; bad = 1 }
				waited[g] = 1
				waits++
			}
		}
		END { exit bad || n != 8 || waits < 8 }' "$dir/futile-wakeup" >>"$dir/notes" && return 0
	note "wake-ups for nothing"
	return 1
}

# Goroutines of the kernel bear a name that begins with runtime., outermost in each of their stacks.
named() {
	awk 'function put() {
			if (of != "") n[of]++
			if (of != outermost && of != "" && !said[of]++) { print of " has " outermost " outermost"; bad = 1 }
			of = outermost = ""
		}
		!/^\t/ { put() }
		/^\t[^\t]/ { outermost = $1 }
		$1 == "advance_loop" { of = "runtime.trace_advance" }
		$1 == "write_loop" { of = "runtime.trace_reader" }
		END { put(); exit bad || !("runtime.trace_advance" in n) || !("runtime.trace_reader" in n) }' "$dir/blocked" >>"$dir/notes" && return 0
	note "goroutines of the kernel are not named as such"
	return 1
}

# Main sleeps most of the time, and all harts are idle then.
idle() { # idle HARTS
	for ((p = 0; p < $1; p++)); do
		grep -q "ProcID=$p Undetermined->Running" "$dir/blocked" || continue
		has "$dir/blocked" "ProcID=$p Running->Idle" || return 1
	done
	has "$dir/blocked" 'ProcID=[0-9]+ Running->Idle' 'ProcID=[0-9]+ Idle->Running'
}

programs() { # programs HARTS BOOT [TEST [LONG]], LONG being 1 or nothing
	local bad=0 file files=0 least=1 tests=${3:-trace_program} long=${4:-}
	rm -rf "$OUT/guest"
	# The image ends a test that hangs.
	SMP=$1 boot tests/guest ARGS="$tests keep=1${long:+ full=1}" BOOT="prof.cpu=off $2" TIMEOUT="${long:+3}300"
	equal status "$status" 0 || bad=1
	for file in "$OUT"/guest/*.out; do
		[ -e "$file" ] || continue
		files=$((files + 1))
		parsed "$file" || { note "$(basename "$file")" && bad=1 && continue; }
		mv "$dir/parsed" "$dir/$(basename "$file" .out)"
	done
	case $tests in
	trace) least=40 ;; # those that drop generations have more
	trace_program) least=$((29 - ${long:-0})) ;; # the most events of the long form are only counted
	esac
	[ $files -ge $least ] || { note "$files traces, expected $least" && bad=1; }
	if [[ $tests == trace_program?(.blocked_over_generations) ]]; then
		named || bad=1
		[[ $2 == *trace.period=0s* ]] || idle "$1" || bad=1 # one generation after the other: there is always something to do
	fi
	if [ "$tests" = trace_program ]; then
		stacks || bad=1
		same_samples || bad=1
		futile || bad=1
		has "$dir/memory-stress" 'Name="/memory/classes/heap/objects:bytes"' || bad=1
		has "$dir/annotations" 'TaskBegin.* Type="task0"' 'RegionBegin.* Type="region0"' 'RegionEnd.* Type="region0"' \
			'Log .*Category="key0" Message="0123456789abcdef"' 'TaskEnd.* Type="task0"' 'TaskBegin.* Parent=1 Type="child"' \
			'Label="who=annotations"' || bad=1
		has "$dir/contention" 'RangeBegin.* Name="stop-the-world \(goroutine profile\)"' \
			"$([[ $2 != *debug.shrink=1* ]] || echo '^	runtime\.shrink @ 0x')" || bad=1
		has "$dir/misuse" 'Type="left by a panic"' 'Type="left open too"' || bad=1
		has "$dir/out" "^hb: trace: region outer of goroutine [0-9]+: it ends, and regions in it do not\$" \
			"^hb: trace: goroutine [0-9]+ ends a region that it has not open: it ended already, or is another goroutine's\$" || bad=1
	fi
	ok $bad "${3:-the traced programs} on $1 harts${2:+, $2}${long:+, long}"
}

# A serial line that drops some of it: said, with the lines; the whole generations are kept, those behind the holes too, and open.
lossy() { # lossy NAME: of the run before
	local name=$1 bad=0 log=$OUT/pipeline/console.log stream lines all kept=0 file
	all=$(generations "$OUT/pipeline/$name")
	stream=$(sed -n "s/^@hb B \([^ ]*\) ${name//./\\.} .*/\1/p" "$log")
	lines=$(grep -c "^@hb D $stream " "$log")
	rm -rf "$dir/lossy"
	# Two lines and the end of another one, and bytes in the middle of one more.
	awk -v s="$stream" -v a=$((lines / 3)) -v b=$((lines * 2 / 3)) '
		$2 == "D" && $3 == s && ($4 == a || $4 == a + 1) { next }
		$2 == "D" && $3 == s && $4 == a + 2 { print substr($0, 1, 50); next }
		$2 == "D" && $3 == s && $4 == b { print substr($0, 1, 40) substr($0, 47); next }
		{ print }' "$log" >"$dir/lossy.log"
	"$BUILD/tools/hbdump" -q -o "$dir/lossy" "$dir/lossy.log" >"$dir/out" 2>"$dir/err"
	equal "hbdump of a lossy line" $? 1 || bad=1
	has "$dir/err" "damage: stream $stream \(${name//./\\.}\): lines $((lines / 3))-$((lines / 3 + 2)), $((lines * 2 / 3)) missing of $lines" || bad=1
	"$BUILD/tools/hbdump" --mend-trace "$dir/lossy/$name.damaged" 2>>"$dir/notes"
	equal "hbdump --mend-trace" $? 0 || bad=1
	for file in "$dir"/lossy/trace*.out; do
		parsed "$file" || bad=1
		kept=$((kept + $(generations "$file")))
	done
	[ "$all" -ge 4 ] && [ $kept -ge 1 ] && [ $kept -lt "$all" ] && [ $kept -ge $((all - 3)) ] || { note "$kept of $all generations" && bad=1; }
	ok $bad "$name over a line that drops bytes: reported, and the whole generations open"
}
boot pipeline ARGS=numbers=20000 INPUT="$dir/text" BOOT="prof.cpu=off trace=1 trace.period=200us"
lossy trace.out
boot pipeline ARGS=numbers=20000 INPUT="$dir/text" BOOT="prof.cpu=off trace=1 trace.period=200us trace.gz=1"
lossy trace.out.gz

# What a crash leaves of a trace.
image tests/faults
crash() { # crash FAULT BOOT: its trace, up to the start of the goroutine at fault, opens
	local bad=0 fault=$1 boot=$2
	rm -rf "$OUT/faults"
	boot tests/faults ARGS="$fault" BOOT="$boot"
	equal status "$status" 2 || bad=1
	gzip -t "$OUT/faults/crash-goroutine.pb.gz" 2>>"$dir/notes" || bad=1
	parsed "$OUT/faults/crash-trace.out" || bad=1
	transition "$dir/parsed" 'NotExist->Runnable' start_faulter || bad=1
	ok $bad "$fault with $boot: its trace opens"
}
for boot in trace=1 trace.flight=on; do
	crash null_read "$boot"
done
for fault in stack_overflow irq_fault rank_inversion deadlock panic_in_panic panic_everywhere; do
	crash $fault trace.flight=on
done
crash hard_lockup "trace.flight=on watchdog=400ms"

# With no page left, for the crash either. A buffer that was wanted too late is said to be missing.
for boot in trace=1 trace.flight=on; do
	rm -rf "$OUT/faults"
	boot tests/faults ARGS="stack_without_page main" BOOT="$boot" MEM=64M
	bad=0
	equal status "$status" 2 || bad=1
	has "$dir/out" '^panic: out of memory: no page for the stack of goroutine 1$' '^stack_without_page\(\.\.\.\)$' || bad=1
	gzip -t "$OUT/faults/crash-goroutine.pb.gz" 2>>"$dir/notes" || bad=1
	if ! grep -q '^hb: memory was out: crash-trace.out is without the newest generation$' "$dir/out" || [ -f "$OUT/faults/crash-trace.out" ]; then
		parsed "$OUT/faults/crash-trace.out" || bad=1
	fi
	ok $bad "out of memory with $boot: its trace opens, or is said to be missing"
done

bad=0
rm -rf "$OUT/guest"
SMP=1 EXACT=1 boot tests/guest ARGS=trace_program.cpu_profile BOOT="prof.cpu=off trace.period=20ms" TIMEOUT=300
equal status "$status" 0 || bad=1
parsed "$OUT/guest/cpu-profile.out" && mv "$dir/parsed" "$dir/cpu-profile" && same_samples exact || bad=1
ok $bad "each sample of a profile is in the trace: its stack, its goroutine"

programs 4 "" "" "$FULL"
for harts in 1 2; do programs $harts "" trace_program.blocked_over_generations; done
programs 4 trace.period=0s
programs 2 debug.preempt=1
programs 4 "debug.shrink=1 trace.period=0s"
programs 1 "debug.preempt=3 trace.period=0s"
programs 4 "trace.period=0s debug.preempt=1" trace
programs 4 "trace.period=0s debug.shrink=1" trace
done_testing
