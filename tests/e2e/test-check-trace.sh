#!/bin/bash
# hbdump --check-trace as a command: exit status, lines, the summary; and traces that Go itself writes, which must be found sound, and unsound
# once a byte of an event is another one.
#
#	HB_GO=path/of/go tests/e2e/test-check-trace.sh [BUILD_FOLDER]
#
# Prints TAP; exits 1 if a test failed, 2 if nothing could be tested.
cd "$(dirname "$0")/../.." || exit 2
set -- "${1:-build/host/check-trace}"
. tests/e2e/host.sh
go=${HB_GO:-go}
command -v "$go" >/dev/null || bail "no go command: set HB_GO to one of version 1.22 or newer"
built trace_tool tests/host/trace_tool.c tests/host/trace_text.c tools/hbdump/trace_event.c tools/hbdump/vector.c
cd "$dir/t" || exit 2

sound='go 1.22
freq 1 1000000
string 1 1 sleep
string 1 2 main.main
string 1 3 main.c
stack 1 1 0x1000:2:3:10
batch 1 1 1000
0 ProcStatus 0 1
0 GoStatus 1 1 2
500000 GoBlock 1 1
0 ProcStop'
trace() { "$dir/trace_tool" >"$1"; }
printf '%s\n' "$sound" | trace sound.out
printf '%s\n1 ProcStop\n0 GoBlock 1 1\n' "$sound" | trace unsound.out

run --check-trace sound.out
[ $status -eq 0 ] && [ ! -s err ] && grep -q '^1 generations, 0.500000 s, 4 events, 0 samples, 1 p, 1 goroutines$' out &&
	grep -qE '^ +1 +0\.500000 +0\.000000 +0\.000000  main\.main; sleep 0\.000000$' out
result $? "a sound trace: status 0, and where the time went"
run --check-trace sound.out --rows
[ $status -eq 0 ] && [ ! -s err ] && grep -qx $'goroutine\t1\tmain.main\trunning\t-\t500000000\t1' out
result $? "--rows: the same for programs"
run --check-trace - -q <sound.out
[ $status -eq 0 ] && [ ! -s err ] && [ ! -s out ]
result $? "standard input, and -q says nothing"
gzip -c sound.out | cat >sound.out.gz
run --check-trace sound.out.gz -q
[ $status -eq 0 ] && { head -c 100 sound.out | gzip -c; tail -c +101 sound.out | gzip -c; } >sound.out.gz && run --check-trace sound.out.gz -q
[ $status -eq 0 ]
result $? "gzip, of one member and of two"
run --check-trace unsound.out
[ $status -eq 1 ] && [ "$(wc -l <err)" -eq 2 ] && [ -s out ] &&
	grep -qxE 'hbdump: unsound\.out: generation 1, m 1, ProcStop at byte [0-9]+: its m has no p: expected one' err
result $? "an unsound trace: status 1, a line for each fault, and the summary all the same"

for bad in '--check-trace none.out' '--check-trace .' '--check-trace sound.out sound.out' '--rows' '--check-trace sound.out --rows -q' \
	'--check-trace sound.out -l' '--check-trace sound.out -o x' '--check-trace sound.out --flame x'; do
	# shellcheck disable=SC2086
	run $bad
	[ $status -eq 2 ] && [ "$(wc -l <err)" -eq 1 ] && [ ! -s out ]
	result $? "hbdump $bad: status 2, and one line"
done
: >empty.out
head -c 40 sound.out >short.out
echo 'a log of something' >text.out
printf 'go 1.21 trace\0\0\0' >old.out
head -c 60 sound.out.gz >short.gz
for bad in empty.out:'is empty' old.out:'has a version that is not known' short.gz:'is cut short' text.out:'is no execution trace'; do
	run --check-trace "${bad%%:*}"
	[ $status -eq 2 ] && grep -q "^hbdump: ${bad%%:*}: ${bad#*:}" err && [ "$(wc -l <err)" -eq 1 ]
	result $? "${bad%%:*}: no trace, status 2"
done
run --check-trace short.out
[ $status -eq 1 ] && grep -q 'a batch is cut short' err
result $? "a trace that is cut short: status 1"

# ---- Go's own ----
export GOCACHE=$dir/cache GOFLAGS=-mod=mod GO111MODULE=off GOTOOLCHAIN=local
"$go" build -o "$dir/go_trace" "$root/tests/e2e/go/trace.go" 2>err && timeout -k 5 60 "$dir/go_trace" go.out 2>>err
result $? "Go writes a trace"
run --check-trace go.out --rows
[ $status -eq 0 ] && [ ! -s err ]
result $? "a trace that Go wrote is sound"
# Each worker ran or wanted to for 60 ms by its own clock, at least, and then slept for 20.
awk -F '\t' '$1 == "goroutine" && $3 == "main.main.func1" { time[$4] += $6; if ($5 == "sleep") sleep += $6 }
	END { exit !(time["running"] + time["runnable"] >= 4 * 60e6 && sleep >= 4 * 20e6 && sleep < 4 * 20000e6) }' out
result $? "its goroutines ran and slept for as long as they say"
[ "$(awk -F '\t' '$1 == "trace" && $2 == "samples" { print $3 }' out)" -gt 0 ]
result $? "and it has samples, none of which contradicts a state"
# Its bytes, one in a hundred of them another: nothing passes for sound in silence but what no rule speaks of (times, pcs, names).
size=$(stat -c %s go.out) found=0
for i in $(seq 1 20); do
	cp go.out spoilt.out
	printf '\377' | dd of=spoilt.out bs=1 seek=$((size * i / 21)) conv=notrunc status=none
	run --check-trace spoilt.out -q
	[ $status -le 2 ] || found=-100
	[ $status -eq 0 ] || found=$((found + 1))
done
[ $found -ge 5 ]
result $? "of 20 spoilt copies $found are found out, none ends the program"
done_testing
