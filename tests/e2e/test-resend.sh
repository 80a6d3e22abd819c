#!/bin/bash
# A damaged dump is repaired: between QEMU's serial line and hbdump stands tests/host/line_noise.c, which flips, drops and doubles bytes. Every
# dump ends up whole and right, or is reported.
#
#	[ARCH=...] [BUILD=...] [ROUNDS=N] tests/e2e/test-resend.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh

dumps=6 # dump-0.txt to dump-5.txt, 0 to 140 kB
image tests/live
make_here "$BUILD/tools/line-noise" >"$dir/build" 2>&1 || bail "line-noise does not build"

# reading SEED EVERY BOOT [OPTION...]: one run; what hbdump says is in $dir/said, its status in $read. With print=N the program prints N lines a
# second meanwhile.
print=
reading() {
	local seed=$1 every=$2 boot=$3 port end
	shift 3
	port=$(free_port)
	rm -rf "$dir/got"
	boot tests/live SERIAL="tcp:127.0.0.1:$port,server=on,wait=on" BOOT="prof.cpu=off $boot" ARGS="dump=$dumps ${print:+print=$print}" TIMEOUT=150 >"$dir/boot" 2>&1 &
	guest=$!
	"$BUILD/tools/line-noise" $((port + 1)) $port "$seed" "$every" 6000 >"$dir/noise" &
	noise=$!
	sleep 0.3
	"$BUILD/tools/hbdump" --connect 127.0.0.1:$((port + 1)) -o "$dir/got" "$@" >"$dir/text" 2>"$dir/said" &
	reader=$!
	end=$((SECONDS + 60))
	# until all are there, or no more is coming: the program has said so, and the last request was long ago
	while [ $SECONDS -lt $end ] && [ "$(ls "$dir/got" 2>/dev/null | grep -c 'txt$')" -lt $dumps ]; do
		[ $# -gt 0 ] && grep -aq '^live: ready' "$dir/text" && break
		[ -z "$boot" ] && grep -aq '^live: ready' "$dir/text" && sleep 5 && break # it has been asked, and says nothing
		sleep 0.3
	done
	sleep 1.5
	kill "$(pgrep -f "port=$port|127.0.0.1:$port,server" | head -n 1)" 2>/dev/null
	wait $reader
	read=$?
	wait $noise $guest 2>/dev/null
	cat "$dir/noise" >>"$dir/notes"
	tail -n 5 "$dir/said" >>"$dir/notes"
}

# Those there are, are right.
right() {
	local i
	for ((i = 0; i < dumps; i++)); do
		[ ! -e "$dir/got/dump-$i.txt" ] || seq -f "$i %.0f" 0 $((i * 3000 - 1)) | cmp -s - "$dir/got/dump-$i.txt" || {
			note "dump-$i.txt is wrong"
			return 1
		}
	done
}
all() { equal "whole dumps" "$(ls "$dir/got" | grep -c '^dump-[0-9]*.txt$')" $dumps; }

reading 1 0 console=1
[ $read = 0 ] && all && right
ok $? "a good line: every dump is whole"
for ((seed = 1; seed <= ${ROUNDS:-$([ -n "$FULL" ] && echo 30 || echo 2)}; seed++)); do
	reading $seed $((300 + 700 * seed % 3000)) console=1
	all && right && has "$dir/said" 'whole' && equal status $read 0
	ok $? "a bad line, seed $seed: every dump is whole and right"
done
for ((seed = 1; seed <= ${ROUNDS:-$([ -n "$FULL" ] && echo 30 || echo 2)}; seed++)); do
	print=10 reading $seed 1000 console=1
	all && right && equal status $read 0
	ok $? "a program that prints all the time, seed $seed: the same"
done
reading 7 2000 console=1 --no-resend
right && has "$dir/said" '^hbdump: damage: ' && equal status $read 1
ok $? "the same without asking: what is damaged is reported, and nothing wrong gets its name"
reading 8 2000 ""
right && has "$dir/said" '^hbdump: damage: ' && equal status $read 1
ok $? "a machine that does not answer: the same"
done_testing
