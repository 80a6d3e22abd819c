#!/bin/bash
# The host reader as a command: inputs of every kind, exit status, messages, what lands in the folder and when; and the
# shell one-liner of docs/serial-format.md, run as the page has it.
#
#	tests/e2e/test-hbdump.sh [BUILD_FOLDER]
#
# Prints TAP; exits 1 if a test failed, 2 if nothing could be tested.
cd "$(dirname "$0")/../.." || exit 2
set -- "${1:-build/host/hbdump}"
. tests/e2e/host.sh
built frame_tool tests/host/frame_tool.c tests/host/host_panic.c kernel/framing.c kernel/crc32.c kernel/base64.c
frame=$dir/frame_tool
cd "$dir/t" || exit 2

# Two dumps and text; one of the dumps large enough for many lines, and binary.
seq 1 200000 | tr '0-9' '\000-\003\200-\205' | head -c 300000 >big.orig
printf 'one\ntwo\n' >small.orig
{
	printf 'boot text\n'
	"$frame" frame 0a0b0c0d 0 big.bin <big.orig
	printf 'between\n\\@hb quoted\n\\\\back\n'
	"$frame" frame 0a0b0c0d 1 counts.txt <small.orig
	printf 'last words'
} >log
printf 'boot text\nbetween\n@hb quoted\n\\back\nlast words' >text
whole() { # whole FOLDER: both dumps, nothing else, not even hidden
	cmp -s "$1/big.bin" big.orig && cmp -s "$1/counts.txt" small.orig && [ "$(ls -A "$1" | wc -l)" -eq 2 ]
}

run -o a/b/c log
[ $status -eq 0 ] && whole a/b/c && cmp -s out text
result $? "a log file: dumps in a folder made for them, text on stdout, status 0"

run -q -o q <log
[ $status -eq 0 ] && whole q && [ ! -s out ]
result $? "stdin is the default input, and -q keeps text back"

[ "$(cat log | { run -o p -; echo $status; })" -eq 0 ] && whole p && cmp -s out text
result $? "a pipe as -"

sed 's/$/\r/' log >crlf
run -q -o cr crlf
[ $status -eq 0 ] && whole cr
result $? "lines that end in CR LF"

cat log log >twice
run -q -o tw twice
[ $status -eq 0 ] && whole tw
result $? "a log pasted twice is one log"

run -l log
[ $status -eq 0 ] && grep -Eq '^big\.bin +300000 +whole +0a0b0c0d-0$' out && grep -Eq '^counts\.txt +8 +whole +0a0b0c0d-1$' out &&
	[ "$(wc -l <out)" -eq 2 ] && [ ! -e big.bin ]
result $? "--list lists and writes nothing"

run -q -o logs/x --log raw.log log
[ $status -eq 0 ] && cmp -s raw.log log
result $? "--log keeps the raw input"

run -q -o logs --log log log
[ $status -eq 2 ] && grep -q 'is the input itself' err && [ "$(wc -c <log)" -gt 300000 ]
result $? "--log refuses the input itself, and leaves it alone"

sed '/^@hb D 0a0b0c0d-0 \(7\|1[0-4]\) /d' log >lost
run -q -o lost.d lost
[ $status -eq 1 ] && grep -q '^hbdump: damage: stream 0a0b0c0d-0 (big.bin): lines 7, 10-14 missing of 5264; what is whole is in big.bin.damaged$' err &&
	[ ! -e lost.d/big.bin ] && cmp -s lost.d/counts.txt small.orig && [ "$(wc -c <lost.d/big.bin.damaged)" -eq 300000 ]
result $? "lost lines: stream and lines named, status 1, the whole dump kept, the damaged one set apart"

cmp -n $((7 * 57)) -s lost.d/big.bin.damaged big.orig && cmp -i $((15 * 57)) -s lost.d/big.bin.damaged big.orig
result $? "the damaged file has its whole lines at their places"

head -c 100000 log >cut
run -q -o cut.d cut
[ $status -eq 1 ] && grep -q 'stream 0a0b0c0d-0 (big.bin): no end line (the last line seen is [0-9]*)' err && [ ! -e cut.d/big.bin ]
result $? "a log cut in the middle"

sed 's/^\(@hb D 0a0b0c0d-1 0 .\)./\1#/' log >flip
run -q -o flip.d flip
[ $status -eq 1 ] && grep -q 'wrong checksum: @hb D 0a0b0c0d-1 0' err && grep -q '(counts.txt): line 0 missing of 1' err &&
	cmp -s flip.d/big.bin big.orig && [ "$(ls -A flip.d)" = big.bin ]
result $? "a flipped byte: the line is named"

sed 's/^@hb B 0a0b0c0d-1/x&/' log >mid
run -q -o mid.d mid
[ $status -eq 1 ] && grep -q 'does not start its line' err && [ -e mid.d/0a0b0c0d-1.damaged ]
result $? "a frame line behind other text is damage"

"$frame" frame 0a0b0c0d 2 third <small.orig >third
sed '/0a0b0c0d-1/d' log | cat - third >gap
run -q -o gap.d gap
[ $status -eq 1 ] && grep -q 'stream 0a0b0c0d-1: no line of it arrived' err
result $? "a dump of which nothing arrived is missed"

run -q -o e.d -e big.bin -e heap.pb.gz log
[ $status -eq 1 ] && grep -q 'no whole heap.pb.gz arrived' err && whole e.d
result $? "--expect misses what never began"

printf 'only text\n' >none
run -o none.d none
[ $status -eq 0 ] && grep -q 'no dump in the input' err && cmp -s out none
result $? "a log without dumps"

: >empty
run -o none.d empty
[ $status -eq 0 ] && [ ! -s out ]
result $? "an empty log"

"$frame" frame 11111111 0 big.bin <small.orig >>boots
cat log >>boots
run -q -o boots.d boots
[ $status -eq 0 ] && cmp -s boots.d/big.bin small.orig && cmp -s boots.d/big.bin.2 big.orig
result $? "two boots in one log: the second dump of a name gets .2"

# Nothing has its name before it is whole: a reader that was fed all but the end line, then the rest.
mkfifo feed
timeout -k 5 60 "$hbdump" -q -o live.d feed >out 2>err &
reader=$!
exec 3>feed
"$frame" frame 22222222 0 live.bin <big.orig >live.log
head -n -1 live.log >&3
printf 'prompt> ' >&3
for _ in $(seq 100); do
	[ -n "$(ls -A live.d 2>/dev/null)" ] && break
	sleep 0.05
done
before=$(ls live.d)
hidden=$(ls -A live.d)
printf '\n' >&3
tail -n 1 live.log >&3
for _ in $(seq 100); do
	[ -e live.d/live.bin ] && break
	sleep 0.05
done
cmp -s live.d/live.bin big.orig
named=$?
exec 3>&-
wait $reader
[ $? -eq 0 ] && [ $named -eq 0 ] && [ -z "$before" ] && [ "${hidden#.hbdump-}" != "$hidden" ] && [ "$(ls -A live.d)" = live.bin ]
result $? "live: a hidden file until the dump is whole, its name at once then, while the input goes on"

# In the foreground timeout sends one signal; a second one, to the group, may come while the leak check runs, and hang it.
timeout --foreground -k 5 60 "$hbdump" -o prompt.d feed >out 2>err &
reader=$!
exec 3>feed
printf 'name? ' >&3
for _ in $(seq 100); do
	[ -s out ] && break
	sleep 0.05
done
[ "$(cat out)" = 'name? ' ]
prompt=$?
{
	echo
	head -n 100 live.log
	echo done
} >&3
for _ in $(seq 100); do
	grep -q done out && break
	sleep 0.05
done
kill -TERM $reader
wait $reader
[ $? -eq 1 ] && [ $prompt -eq 0 ] && grep -q 'live.bin): no end line (the last line seen is 98)' err && [ "$(ls -A prompt.d)" = live.bin.damaged ]
result $? "live: a prompt shows at once; SIGTERM ends the input and nothing hidden is left"
exec 3>&-

printf 'older\n' >q/big.bin
run -q -o q log
[ $status -eq 0 ] && whole q
result $? "a file of an earlier run is replaced"

"$frame" serve log >port &
server=$!
for _ in $(seq 100); do
	[ -s port ] && break
	sleep 0.05
done
run -o tcp --connect "localhost:$(cat port)"
wait $server
[ $? -eq 0 ] && [ $status -eq 0 ] && whole tcp && cmp -s out text
result $? "a TCP socket"

run -o tcp --connect "localhost:$(cat port)"
[ $status -eq 2 ] && grep -q 'cannot connect' err
result $? "a TCP socket that nobody serves"

# A machine on which a program prints all the time: what is missing is asked for all the same.
asks() { # asks NAME FOLDER FILE TEXT ANSWER...: FILE, then ticks, and the answers to requests with TEXT; status 0 and no damage
	local name=$1 folder=$2 server
	shift 2
	: >port
	"$frame" tick "$@" >port &
	server=$!
	for _ in $(seq 100); do
		[ -s port ] && break
		sleep 0.05
	done
	run -o "$folder" --connect "localhost:$(cat port)"
	wait $server
	[ $? -eq 0 ] && [ $status -eq 0 ] && cmp -s "$folder/counts.txt" small.orig && grep -q '^tick$' out
	result $? "a program that prints all the time, $name"
}
"$frame" frame 0a0b0c0d 0 first <small.orig >first
"$frame" frame 0a0b0c0d 1 counts.txt <small.orig >second
grep -v '^@hb E' second | cat first - >no-end
grep '^@hb E' second >end
asks "and an end line that is lost" ask-end no-end 'resend 0a0b0c0d-1 end' end
grep -v '^@hb D' second | cat first - >no-line
grep '^@hb D' second >line
sed 's/^\(@hb D [^ ]* 0 .\)./\1#/' line >bad-line
asks "a line that is lost, and damaged when it comes again" ask-line no-line 'resend 0a0b0c0d-1 0' bad-line line
cat first third >no-dump
asks "and a dump of which nothing came" ask-dump no-dump 'resend 0a0b0c0d-1 all' second

# Two boots at one address, with nobody there before, between and after.
port=$(cat port)
{
	printf 'second boot\n'
	"$frame" frame 01020304 0 counts.txt <small.orig
} >log2
"$hbdump" -r -t -o again --connect "localhost:$port" >out 2>err &
reader=$!
sleep 0.3
for boot in log log2; do
	"$frame" serve $boot "$port" >/dev/null
	for _ in $(seq 100); do
		[ "$(grep -c 'has ended' err)" -ge "$([ $boot = log ] && echo 1 || echo 2)" ] && break
		sleep 0.05
	done
done
kill -TERM $reader # a background job of a shell ignores the other one
wait $reader
# Both in one second: the second gets a number.
[ $? -eq 0 ] && [ "$(grep -c 'not there yet, waiting' err)" -ge 1 ] && [ "$(grep -c 'there again' err)" -eq 1 ] &&
	[ "$(ls again | grep -cE '^counts-20[0-9]{6}-[0-9]{6}\.txt(\.2)?$')" -eq 2 ] && cat again/counts-* | cmp -s - <(cat small.orig small.orig) &&
	cmp -s again/big-20* big.orig && grep -q '^second boot$' out
result $? "--reconnect waits for a socket and comes again, --time: names have the time"

skipped() { # skipped NAME: a container may have no pseudo-terminals
	n=$((n + 1))
	echo "ok $n - $1 # SKIP no pseudo-terminals here"
}

if sh -c ': </dev/ptmx' 2>/dev/null; then
	"$frame" pty log >tty &
	server=$!
	for _ in $(seq 100); do
		[ -s tty ] && break
		sleep 0.05
	done
	run -o tty.d --baud 921600 "$(cat tty)"
	wait $server
	[ $? -eq 0 ] && [ $status -eq 0 ] && whole tty.d && cmp -s out text
	result $? "a serial device, set to raw mode"
else
	skipped "a serial device, set to raw mode"
fi

if ! sh -c ': </dev/ptmx' 2>/dev/null; then
	skipped "progress on a terminal"
elif command -v script >/dev/null; then
	head -c 4000000 /dev/zero | "$frame" frame 33333333 0 zero.bin >zeros
	script -qec "$hbdump -q -o prog zeros" /dev/null >typescript </dev/null
	[ $? -eq 0 ] && grep -q 'zero.bin: [0-9.]* MB \[[#.]*\] [0-9]* % of the log' typescript && [ "$(wc -c <prog/zero.bin)" -eq 4000000 ]
	result $? "progress on a terminal"
	run -q -o prog zeros
	[ $status -eq 0 ] && ! grep -q 'MB' err
	result $? "no progress where stderr is not a terminal"
fi

run -q -o lim --limit 1000 log
[ $status -eq 1 ] && grep -q 'over the size limit of 1000 bytes' err && cmp -s lim/counts.txt small.orig && [ "$(wc -c <lim/big.bin.damaged)" -le 1000 ]
result $? "--limit turns a larger dump away"

head -c 20000000 /dev/zero | tr '\0' 'y' >wide
(grep -qa __asan_init "$hbdump" || ulimit -v 100000; timeout -k 5 60 "$hbdump" -o wide.d wide >out 2>err)
[ $? -eq 0 ] && cmp -s out wide
result $? "a line of 20 MB passes through (in bounded memory, where no sanitizer takes its own)"

for bad in "--nonsense" "--baud 12345 log" "--baud x" "--limit 0" "--connect nowhere" "-r" "-r -" "-r --connect nowhere" "-r --connect localhost:" \
	"-r --connect :5000" "-r --connect []:5000" "--connect localhost:" "--expect a/b" "no-such-file" "." "log log" "-o log/x log" "--log ./no/x log"; do
	run -q $bad </dev/null
	[ $status -eq 2 ] && [ -s err ]
	result $? "status 2: hbdump $bad"
	[[ $bad == *--connect* ]] || continue
	[ "$(cat err)" = "hbdump: --connect ${bad##* }: expected HOST:PORT" ]
	result $? "what was expected, in one line"
done

run -h
[ $status -eq 0 ] && grep -q '^usage: hbdump' out
result $? "--help"
options() { sed -n '/^  -o, /,/^ *-h, \|^```/p' | grep -v '^ *-h, \|^```'; }
[ "$(options <out | grep -c -- '--[a-z]')" -ge 15 ] && [ "$(options <out)" = "$(options <"$root/docs/serial-format.md")" ]
result $? "docs/serial-format.md says of the options what --help says"

if [ -w /dev/full ]; then
	timeout -k 5 60 "$hbdump" -o full log >/dev/full 2>err
	[ $? -eq 2 ] && grep -q 'cannot write console text' err && whole full
	result $? "stdout full: said, status 2, the dumps still written"
fi

timeout -k 5 60 "$hbdump" -o closed wide 2>err | head -c 10 >/dev/null
[ "${PIPESTATUS[0]}" -eq 0 ]
result $? "stdout closed early: the reading goes on"

# The page's example, and its one-liner as it stands.
sed -n '/^@hb B 3f2a91c0-2 hello/,/^@hb E/p' "$root/docs/serial-format.md" >example
"$frame" frame 3f2a91c0 2 hello.txt >example.made <<'END'
Hello, serial world!
This line crosses over into a second data line.
END
cmp -s example example.made
result $? "the example of docs/serial-format.md is what the writer writes"

sed -n '/<!-- one-liner/,/^```$/p' "$root/docs/serial-format.md" | sed '1,/^```sh$/d; /^```$/d' >one-liner.sh
[ "$(wc -l <one-liner.sh)" -eq 1 ]
result $? "docs/serial-format.md has a one-liner"
for ending in '' '\r'; do
	{
		printf 'text\n'
		"$frame" frame 0a0b0c0d 0 heap.pb.gz <small.orig
		"$frame" frame 0a0b0c0d 1 cpu.pb.gz <big.orig
		printf 'text\n'
		"$frame" frame 44444444 0 cpu.pb.gz <small.orig
	} | sed "s/\$/$ending/" >console.log
	rm -f cpu.pb.gz
	sh -e ./one-liner.sh 2>err
	[ $? -eq 0 ] && cmp -s cpu.pb.gz big.orig
	result $? "the one-liner decodes a named dump${ending:+ from CR LF}"
done

done_testing
