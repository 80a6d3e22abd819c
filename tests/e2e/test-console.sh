#!/bin/bash
# Commands at the console: what is typed goes through a fifo into QEMU's UART, what comes is read from its output.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-console.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh

mkfifo "$dir/keys"
exec 8<>"$dir/keys"
log=$OUT/live/console.log
mkdir -p "$OUT/live"

type() { printf '%b' "$*" >&8; } # \r for Return

# await REGEX: until a line of what has come since the last mark matches; $dir/new has it then. 20 s, or until the guest has gone.
from=0
await() {
	local end=$((SECONDS + 20))
	while [ $SECONDS -lt $end ]; do
		tail -c +$((from + 1)) "$log" | tr -d '\r' >"$dir/new"
		! grep -qaE -e "$1" "$dir/new" || return 0
		kill -0 "$guest" 2>/dev/null || break
		sleep 0.1
	done
	note "nothing came that matches: $1"
	tail -n 5 "$dir/new" >>"$dir/notes"
	return 1
}
mark() { from=$(stat -c %s "$log"); }
# ask COMMAND REGEX: types it, and waits for the prompt behind its answer, which must match
ask() {
	mark
	type "$1\r"
	await "$2" && await '^hb> .\[K$'
}

starting() { # starting SMP [NAME=value ...]
	local smp=$1
	shift
	: >"$log"
	from=0
	SMP=$smp boot tests/live KEYS="$dir/keys" BOOT="prof.cpu=off console=1" TIMEOUT=120 "$@" &
	guest=$!
	await '^live: ready'
}

image tests/live
image tests/guest

find_go
for smp in 1 4; do
	starting $smp
	ok $? "$smp: a guest with commands starts"
	ask help '^Tab completes'
	bad=0
	for word in bt flight goroutines harts help locks loglevel mem metrics poweroff profile reboot resend top trace; do
		has "$dir/new" "^$word " || bad=1
	done
	ok $bad "$smp: help lists the commands"
	ask nonsense '^console: nonsense: unknown command, help lists them$' && equal lines "$(grep -c . "$dir/new")" 3
	ok $? "$smp: what is unknown is answered with a line"
	ask "harts" '^   0 +[0-9]+ .*%' && equal harts "$(grep -acE '^ *[0-9]+ +[0-9]+ +[0-9.]+ %' "$dir/new")" $smp
	ok $? "$smp: harts shows each"
	ask "goroutines chan receive" '^21 goroutines: 0 running, 0 runnable, 21 waiting$' &&
		equal "those in live_wait" "$(grep -ac 'chan receive .*live_wait main.c:' "$dir/new")" 20
	ok $? "$smp: goroutines by why they wait"
	ask "goroutines nothing" '^goroutines: nothing: expected all, system, running,'
	ok $? "$smp: a state that is none is refused"
	ask "goroutines system" '^ +[0-9]+ +running .*\*runtime.console'
	ok $? "$smp: goroutines of the kernel are shown when asked for"
	ask locks '^mutex 0x[0-9a-f]+: held by goroutine [0-9]+, goroutine [0-9]+ .* live_want main.c:' &&
		has "$dir/new" '^1 goroutines wait for mutexes'
	ok $? "$smp: locks shows who waits for whom"
	id=$(sed -n 's/.*held by goroutine \([0-9]*\),.*/\1/p' "$dir/new")
	ask "bt ${id:-0}" "^goroutine ${id:-0} \[chan receive\]:" && has "$dir/new" '^live_hold\(' '^created by main.main|^created by main'
	ok $? "$smp: the stack of a goroutine that waits"
	# the one that computes: the first that main started
	id=$((${id:-1} - 1))
	ask "bt $id" "^goroutine $id \[" && has "$dir/new" '^live_spin\('
	ok $? "$smp: the stack of one that computes"
	ask "bt 999999" '^bt: 999999: there is no such goroutine$' && ask "bt x" '^bt: x: a number from 1 to '
	ok $? "$smp: a goroutine that is none"
	ask mem '^heap +[0-9]+ kB' && has "$dir/new" '^pages +[0-9]+ kB' '^stacks +[0-9]+ kB'
	ok $? "$smp: mem"
	ask metrics '^go_sched_goroutines_goroutines 24$'
	ok $? "$smp: metrics"
	ask "top 1 2" '%  .* live_spin main.c:|% .* running ' && equal looks "$(grep -ac 'harts, up ' "$dir/new")" 2
	ok $? "$smp: top looks twice"
	mark
	type 'top 1\r'
	await 'harts, up ' && type q && await '^hb> .\[K$'
	ok $? "$smp: q ends top"
	mark
	type 'top 1\r'
	await 'harts, up ' && type 'qharts\r' && await '^hart  id ' && await '^hb> .\[K$'
	ok $? "$smp: what is typed behind q is taken"
	ask "profile 1 200" '^@hb E ' && has "$dir/new" ' live_spin$'
	ok $? "$smp: profile shows its table"
	stream=$(sed -n 's/^@hb B \([^ ]*\) cpu.pb.gz .*/\1/p' "$dir/new" | tail -n 1)
	grep -a "^@hb . $stream " "$dir/new" >"$dir/first"
	ask "resend ${stream:-x} begin,0,1-2,end" "^@hb E $stream " && grep -a '^@hb ' "$dir/new" >"$dir/again"
	{ sed -n '1,4p' "$dir/first"; tail -n 1 "$dir/first"; } | cmp -s - "$dir/again"
	ok $? "$smp: resend sends the same lines"
	ask "resend ${stream#*-} all" "^@hb E $stream " && grep -a '^@hb ' "$dir/new" | cmp -s - "$dir/first"
	ok $? "$smp: resend sends a whole dump"
	ask "resend 00000000-1 0" '^resend: 00000000-1: not a stream of this boot' && ask "resend 999 0" '^resend: 999: nothing of this stream is kept$' &&
		ask "resend $stream 3-1" '^resend: 3-1: lines as 3, 3-9,' && ask "resend $stream 100000" '^resend: .*: 1 lines are not kept, or not yet$'
	ok $? "$smp: resend refuses what it cannot send"
	mark
	type "har\036resend ${stream#*-} 0\rts\r"
	await "^@hb D $stream 0 " && await '^hart ' && ! grep -aq 'resend' "$dir/new"
	ok $? "$smp: a program's line does not touch the one that is typed"
	# Halves that the end of a command lies between, and one that has no second half.
	mark
	type "profile 2\r"
	await '^profile: for 2 s' && type "\036resend ${stream#*-} " && await '^@hb E [^ ]*-[0-9]+ ' && await '^hb> .\[K$' && type '0\rharts\r' && await "^@hb D $stream 0 " && await '^hart ' && ! grep -aq 'unknown command' "$dir/new"
	ok $? "$smp: a program's line that begins while a command runs, and ends behind it"
	mark
	type "har\036resend ${stream#*-} "
	sleep 0.3
	type '0\rts\r'
	await "^@hb D $stream 0 " && await '^hart ' && ! grep -aq 'unknown command' "$dir/new"
	ok $? "$smp: one that comes in halves at the prompt"
	mark
	type "top 1\r"
	await 'harts, up ' && type "\036resend" && sleep 0.3 && type '\003' && await '^hb> .\[K$' && ask harts '^hart '
	ok $? "$smp: ^C ends a program's line that does not end, and the command"
	ask "trace 1" '^@hb E '
	ok $? "$smp: trace"
	ask flight '^flight: the recorder does not run \(boot option trace.flight=on\)$'
	ok $? "$smp: flight without a recorder"
	mark
	type 'profile 30\r'
	await '^profile: for 30 s' && type '\003' && await '^@hb E ' && await '^hb> .\[K$'
	ok $? "$smp: ^C ends a profile"
	mark
	type 'goro\tru\t\t\r'
	await '^runnable$' && await '^goroutines: runn: expected'
	ok $? "$smp: Tab completes, and lists what it could be"
	mark
	type '\033[A\033[A\033[B\177\177\177\177system\r'
	await '^[0-9]+ goroutines: .* waiting$'
	ok $? "$smp: an earlier line comes back and is changed"
	mark
	type 'trace 1\rharts\r\003\003'
	await '^profile|^@hb E |^hart ' && ask "loglevel" '^loglevel: all$'
	ok $? "$smp: what is typed ahead waits"
	type 'poweroff\r'
	wait "$guest"
	status=$?
	: >"$dir/err"
	has "$log" '^hb: exit 0' && [ -s "$OUT/live/cpu.pb.gz" ] && "$BUILD/tools/hbdump" --check-trace "$OUT/live/trace.out" -q >"$dir/out" 2>&1
	ok $? "$smp: poweroff ends the machine; what was dumped is whole"
done

starting 4 BOOT="prof.cpu=off console=1 trace.flight=10s,8M" >/dev/null
bad=0
for asked in 1 2; do
	ask flight '^@hb B [^ ]* flight.out ' && has "$dir/new" '^@hb E ' || bad=1
	rm -rf "$dir/flight"
	grep -a '^@hb ' "$dir/new" | "$BUILD/tools/hbdump" -q -o "$dir/flight" >"$dir/out" 2>&1 || bad=1
	"$BUILD/tools/hbdump" --check-trace "$dir/flight/flight.out" -q >>"$dir/notes" 2>&1 || bad=1
	"$go" tool trace -d=parsed "$dir/flight/flight.out" >"$dir/parsed" 2>>"$dir/notes" || bad=1
	has "$dir/parsed" '^	live_spin @ 0x' '^	runtime\.console @ 0x' || bad=1
done
ok $bad "flight sends what a recorder has, as often as it is asked for"
type 'poweroff\r'
wait "$guest"

starting 4 ARGS="print=0" >/dev/null
for ((i = 0; i < 40; i++)); do
	type 'xyz\177\177'
	sleep 0.05
done
type '\025loglevel kernel\r'
await 'hb> loglevel kernel' # maybe drawn in pieces
ok $? "commands are taken while the program prints at its full rate"
for ((i = 0; i < 60; i++)); do # what was on its way comes first
	mark
	sleep 0.3
	[ "$(stat -c %s "$log")" -ne "$from" ] || break
done
sleep 0.3
equal "bytes that came then" "$(stat -c %s "$log")" "$from"
ok $? "loglevel kernel hides what the program prints"
mark
type 'loglevel all\r'
await '^loglevel: [0-9]+ bytes of the program were not shown$'
ok $? "and says how much that was"
type 'poweroff\r'
wait "$guest"
# Up to the first command, each line of the program is whole and in its place, whatever stood on the screen before it.
sed -e '/hb> loglevel kernel/q' "$log" | tr -d '\r' | sed -n 's/^.*\x1b\[K\(line\)/\1/; s/^line \([0-9]*\) of \([0-9]*\)$/\1 \2/p' |
	awk '$1 != NR - 1 || $2 != NR { print "line " NR - 1 ": " $0; exit 1 } END { if (NR < 1000) { print NR " lines"; exit 1 } }' >"$dir/out"
ok $? "typing and the program's lines do not touch each other"

starting 4 QEMU_ARGS="-action reboot=reset" >/dev/null
mark
type 'reboot\r'
await '^hb: reboot$' && await '^live: ready'
ok $? "reboot starts the machine anew"
ask harts '^hart ' && type 'poweroff\r'
wait "$guest"
has "$log" '^hb: exit 0'
ok $? "and it takes commands again"
starting 1 >/dev/null
type 'reboot\r'
wait "$guest"
equal status $? 0
ok $? "without that, reboot is an end with status 0"

port=$(free_port)
starting 1 LIVE="$port" LIVE_VIA=uart >/dev/null
exec 7<>"/dev/tcp/127.0.0.1/$port"
printf 'no request\r\n\r\n' >&7
sleep 5 # 1.5 s after it, its client counts as gone
ask "goroutines system" 'runtime.serve' &&
	equal "goroutines that serve, and wait since then" "$(awk '/\*runtime.serve/ && $2 == "chan" && $5 == "s" && $4 >= 2' "$dir/new" | wc -l)" "$(grep -ac '\*runtime.serve' "$dir/new")"
ok $? "what is no request on a second UART wakes nobody for ever"
exec 7>&-
type 'poweroff\r'
wait "$guest"

boot tests/guest BOOT="prof.cpu=off console=1" LIVE="$(free_port)" ARGS="console.idle"
has "$dir/out" '^ok 1 - console.idle # [0-9]+ ms'
ok $? "the console and the live port cost nothing while nobody asks"

: >"$log"
from=0
boot tests/live KEYS="$dir/keys" BOOT="prof.cpu=off" TIMEOUT=4 &
guest=$!
await '^live: ready'
type 'help\rpoweroff\r'
wait "$guest"
! grep -aq 'hb> \|console:\|^hb: exit' "$log"
ok $? "without console=1 nothing that is typed is looked at"
done_testing
