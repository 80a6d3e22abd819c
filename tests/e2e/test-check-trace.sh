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
	'--check-trace sound.out -l' '--check-trace sound.out -o x' '--check-trace sound.out --flame x' '--draw-trace none.out' \
	'--draw-trace sound.out -q' '--draw-trace sound.out --from x' '--draw-trace sound.out -o none/x.svg' '--from 3 sound.out' \
	'--mend-trace none.out' '--mend-trace sound.out -l' '--mend-trace sound.out --draw-trace sound.out' '--mend-trace sound.out -o none/x'; do
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

# ---- a picture ----
run --draw-trace sound.out
[ $status -eq 0 ] && [ ! -s err ] && head -n 1 out | grep -q '^<svg ' && grep -q '<title>goroutine 1, main.main: 500000.0 us, then sleep</title>' out &&
	[ "$(tail -n 1 out)" = '</svg>' ]
result $? "--draw-trace: who ran where, and what then"
run --draw-trace sound.out --from 600 --for 100 -o part.svg
[ $status -eq 0 ] && [ ! -s out ] && [ -s part.svg ] && ! grep -q goroutine part.svg
result $? "a part of it, in which nobody runs"
run --draw-trace text.out
[ $status -eq 2 ] && grep -q '^hbdump: text.out: is no execution trace' err
result $? "--draw-trace of a text: status 2"

# ---- damage ----
gen() { # gen NUMBER: one of several generations, longer than some lines of the console
	printf 'string %d 1 sleep\nstring %d 2 main.main\nstring %d 3 main.c\nstack %d 1 0x1000:2:3:10\n' "$1" "$1" "$1" "$1"
	for i in $(seq 4 20); do printf 'string %d %d a.text.that.fills.some.lines.of.the.console\n' "$1" "$i"; done
	printf 'batch %d 1 %d\n0 ProcStatus 0 %d\n' "$1" "$1"000000 $((1 + ($1 > 1)))
	[ "$1" -gt 1 ] && printf '0 GoStatus 1 18446744073709551615 4\n' || printf '0 GoStatus 1 1 2\n500000 GoBlock 1 1\n0 ProcStop\n'
	printf 'freq %d 1000000\n' "$1"
}
{ echo 'go 1.22' && for g in 1 2 3 4 5; do gen $g; done; } | trace five.out
run --check-trace five.out -q
[ $status -eq 0 ]
result $? "five generations"
lose() { # lose PERCENT: the line of 57 bytes that lies there
	dd if=/dev/zero of=hole.out.damaged bs=57 seek=$(($(stat -c %s five.out) * $1 / 100 / 57)) count=1 conv=notrunc status=none
}
cp five.out hole.out.damaged && lose 50
run --mend-trace hole.out.damaged
[ $status -eq 0 ] && [ ! -s out ] && grep -qx 'hbdump: hole.out: generations 1 to 2' err && grep -qx 'hbdump: hole.2.out: generations 4 to 5' err &&
	run --check-trace hole.out -q && [ $status -eq 0 ] && run --check-trace hole.2.out -q && [ $status -eq 0 ]
result $? "--mend-trace: what is whole before and behind a line that is missing"
lose 0
run --mend-trace hole.out.damaged -o late.out
[ $status -eq 0 ] && grep -qx 'hbdump: late.out: generations 2 to 2' err && run --check-trace late.out -q && [ $status -eq 0 ]
result $? "without its beginning"
head -c $(($(stat -c %s five.out) - 1)) five.out >short.out.damaged
run --mend-trace short.out.damaged
[ $status -eq 0 ] && grep -qx 'hbdump: short.out: generations 1 to 4' err
result $? "without its end"
for g in 1 2 3 4 5; do
	{ echo 'go 1.22' && gen $g; } | trace gen.out
	tail -c +$((g == 1 ? 1 : 17)) gen.out | gzip >gen$g.gz
done
packed() { # packed LOST WANTED: a trace.gz=1 of five without those of LOST, spoilt in their middle
	local g
	for g in 1 2 3 4 5; do
		cp gen$g.gz member
		[[ $1 != *$g* ]] || dd if=/dev/zero of=member bs=1 seek=$(($(stat -c %s member) / 2)) count=20 conv=notrunc status=none
		cat member
	done >packed.out.gz.damaged
	rm -f packed*.out
	run --mend-trace packed.out.gz.damaged
	[ $status -eq 0 ] && [ "$(sed 's/^hbdump: //' err)" = "$2" ] || return 1
	for file in packed*.out; do "$hbdump" --check-trace "$file" -q 2>>err || return 1; done
}
packed 1 'packed.out: generations 2 to 5'
result $? "compressed, without its beginning"
packed 5 'packed.out: generations 1 to 4'
result $? "compressed, without its end"
packed 3 'packed.out: generations 1 to 2
packed.2.out: generations 4 to 5'
result $? "compressed, without one of its middle"
printf 'go 1.22\nbatch 2 1 2000000\n0 ProcStatus 0 2\nfreq 2 1000000\n' | trace gen.out
tail -c +17 gen.out | gzip >gen2.gz
packed 13 'packed.out: generations 2 to 2
packed.2.out: generations 4 to 5'
result $? "compressed, without the first and the third, and the second is short"
head -c 300 five.out >none.out.damaged
run --mend-trace none.out.damaged
[ $status -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q '^hbdump: none.out.damaged: no generation of a trace is whole' err && [ ! -e none.out ]
result $? "of less than a generation nothing is kept: status 1"

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
