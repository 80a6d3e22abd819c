# ports.sh: serial lines. Bytes a second in both directions over the live port (virtio, and the second UART where there is one) and at the console;
# how long a trace of 10 MB takes to leave; for how many instructions a line's driver keeps interrupts off; and what a port that nobody uses costs.
#
# Columns: the figure, what is asked, and whether that is what is asked. Rates are times of the host: of the live port medians of 3, at the
# console of one run. Instructions are counted from what QEMU says it executes (-singlestep -d exec), so that nothing is added to the image.
# shellcheck shell=bash
. tools/free_port.sh

command -v curl > /dev/null || {
	echo "bench: no curl (tools/setup packages-test brings it)" >&2
	exit 1
}
make all APP=tests/bench SERVE=1 > /dev/null
make all APP=tests/live SERVE=1 > /dev/null
make "$BUILD/tools/port-client" > /dev/null
elf=$BUILD/$arch/app-serve/bench/kernel.elf # one image for all of it, whether somebody asks for a port or not
virtio=$([ "$arch" = riscv64 ] && echo virt || echo "q35 microvm")
uart=$([ "$arch" = riscv64 ] && echo virt || echo q35)
[ "$arch" = riscv64 ] && objdump=riscv64-unknown-elf-objdump || objdump=objdump

bad() {
	echo "bench: $arch: $*" >&2
	tail -n 5 "$work/console" >&2
	exit 1
}

# serving MARK APP SETTING...: starts a guest, and waits until a line of its console begins with MARK; `served` ends it.
guest_job=''
serving() {
	local mark=$1 app=$2 i
	shift 2
	rm -f "$work/pid"
	: > "$work/console"
	make run APP="$app" SERVE=1 MEM=1G TIMEOUT=600 QEMU_ARGS="-pidfile $work/pid $qemu_args" "$@" > "$work/console" 2> /dev/null &
	guest_job=$!
	for ((i = 0; i < 1200; i++)); do
		! grep -aq "^$mark" "$work/console" || return 0
		sleep 0.1
	done
	bad "the guest does not say '$mark': $*"
}
served() {
	[ -n "$guest_job" ] || return 0
	[ ! -s "$work/pid" ] || kill "$(cat "$work/pid")" 2> /dev/null || true
	wait "$guest_job" || true
	guest_job=''
}
trap 'served; rm -rf "$work"' EXIT
qemu_args=''

# fetch PATH: its answer, and on standard output the seconds and bytes from the request to its end
fetch() { curl -sS -m 300 -o "$work/answer" -w '%{time_total} %{size_download}\n' "http://127.0.0.1:$port/$1"; }
# feed BYTES: to the live port, which serves the next client afterwards; on standard output kB/s
feed() {
	"$BUILD/tools/port-client" feed "$port" "$1" 1 > "$work/feed" || bad "$(cat "$work/feed")"
	fetch debug/pprof/cmdline > /dev/null || bad "no answer behind $1 bytes"
	sed -n 's/.* \([0-9.]*\) MB\/s$/\1/p' "$work/feed" | scaled 0.001
}

# live MACHINE VIA TRIPS BYTES: the flight recorder's trace of so many round trips leaves, and so many bytes come in
live() {
	local machine=$1 via=$2 trips=$3 bytes=$4 seconds size
	say "live port over $via, $machine"
	port=$(free_port)
	serving 'B chan_pingpong' tests/bench MACHINE="$machine" SMP=2 LIVE="$port" VIA="$via" BOOT="prof.cpu=off trace.flight=1000s,32M" ARGS="chan_pingpong n=$trips reps=1 idle=1000"
	for _ in 1 2 3; do fetch debug/pprof/flight || bad "no trace over $via"; done > "$work/times"
	"$BUILD/tools/hbdump" --check-trace "$work/answer" > "$work/check" 2>&1 || bad "the trace is not sound: $(head -n 1 "$work/check")"
	for _ in 1 2 3; do feed "$bytes"; done > "$work/rates"
	read -r seconds size < <(sort -n "$work/times" | sed -n 2p)
	[ "$via" != virtio ] || asked "$machine, $via: a trace of $size bytes leaves" "$seconds" s '<5'
	asked "$machine, $via: guest to host" "$(awk -v n="$size" -v t="$seconds" 'BEGIN { printf "%.0f", n / t / 1000 }')" kB/s -
	asked "$machine, $via: host to guest" "$(median < "$work/rates")" kB/s -
	served
}
for machine in $virtio; do
	live "$machine" virtio 400000 500000
done
for machine in $uart; do
	live "$machine" uart 40000 200000
done

# ---- the console: short lines of a program, and one long line that a program types ----

say "console"
log=$work/out/$arch/live/console.log
serving 'live: ready' tests/live SMP=2 BOOT=prof.cpu=off ARGS=print=0
before=$(stat -c %s "$log")
sleep 3
after=$(stat -c %s "$log")
served
asked "console: guest to host" "$(((after - before) / 3000))" kB/s -

log=$work/out/$arch/bench/console.log bytes=200000
mkfifo "$work/keys"
exec 8<> "$work/keys"
serving 'hb: bench' tests/bench SMP=2 KEYS="$work/keys" BOOT="prof.cpu=off console=1" ARGS=idle=1000
start=${EPOCHREALTIME/./}
{
	printf '\036'
	head -c $bytes /dev/zero | tr '\0' x
	printf '\r\036that was all\r'
} >&8
for ((i = 0; i < 1200; i++)); do
	! grep -aq "console: a program's line" "$log" || break
	sleep 0.05
done
end=${EPOCHREALTIME/./}
exec 8>&-
served
[ "$i" -lt 1200 ] || bad "the console did not take $bytes bytes"
asked "console: host to guest" "$((bytes * 1000 / (end - start)))" kB/s -

# ---- instructions ----

names() { # functions of a driver, as they are called in the image
	nm "${@/#/$BUILD/$arch/obj/kernel/}" | awk 'tolower($2) == "t" { printf " %s ", $3 }'
}
# stretches MACHINE VIA PAGE BYTES SOURCE...: one hart; a page, short answers and so many bytes of input
stretches() {
	local machine=$1 via=$2 page=$3 bytes=$4 what longest times where reader
	shift 4
	say "instructions with interrupts off, $via, $machine"
	port=$(free_port)
	rm -f "$work/exec"
	mkfifo "$work/exec"
	$objdump -d --no-show-raw-insn "$elf" > "$work/code"
	awk -v names="$(names "$@")" -f tools/bench.d/irq_off.awk "$work/code" "$work/exec" > "$work/stretches" &
	reader=$!
	# asleep it follows the host's time: EXACT=1 would end the sleep at once
	qemu_args="-icount shift=0,sleep=on -singlestep -d exec,nochain -D $work/exec"
	serving 'B chan_pingpong' tests/bench MACHINE="$machine" SMP=1 LIVE="$port" VIA="$via" BOOT="prof.cpu=off trace.flight=1000s,8M" ARGS="chan_pingpong n=2000 reps=1 idle=1000"
	for what in debug/pprof/cmdline "$page" debug/pprof/flight; do
		fetch "$what" > /dev/null || bad "no answer while instructions are counted: $what"
	done
	feed "$bytes" > /dev/null
	served
	qemu_args=''
	wait $reader
	for what in interrupt lock; do
		read -r _ longest times where < <(grep "^$what " "$work/stretches") || bad "no $what of $via"
		case $what in
		interrupt) asked "$machine, $via: longest of $times interrupts" "$longest" instructions '<=20000' ;;
		lock) asked "$machine, $via: longest of $times locks, $where()" "$longest" instructions '<=20000' ;;
		esac
	done
}
for machine in $virtio; do
	# a page larger than all buffers of a port
	stretches "$machine" virtio 'debug/pprof/flame?profile=heap' 100000 {device,virtio,virtio_serial}.c.o
done
for machine in $uart; do
	stretches "$machine" uart 'debug/pprof/goroutine?debug=2' 10000 {device,uart,uart_serial}.c.o
done

symbol() { nm "$elf" | awk -v name="$1" '$3 == name { print $1 }'; }
executed() { # executed SECONDS SETTING...: instructions from the beginning of a sleep of so long until the program ends
	local counter
	rm -f "$work/exec"
	mkfifo "$work/exec"
	awk -v from="$(symbol time_sleep)" -v to="$(symbol exit)" '/^Trace/ {
		pc = substr($0, index($0, "/") + 1, 16)
		if (pc == from) n = 0
		if (pc == to) slept = n
		n++
	} END { print slept }' "$work/exec" > "$work/count" &
	counter=$!
	make run APP=tests/bench SERVE=1 MACHINE="${virtio##* }" SMP=1 DETERMINISTIC=1 BOOT=prof.cpu=off ARGS="idle=$1" QEMU_ARGS="-singlestep -d exec,nochain -D $work/exec" "${@:2}" > "$work/console" ||
		bad "a run that sleeps failed"
	wait $counter
	cat "$work/count"
}
say "instructions of an idle port, ${virtio##* }, 4 runs" # microvm: its firmware is short
for settings in '' "LIVE=$(free_port)"; do
	for seconds in 5 65; do
		executed $seconds ${settings:+"$settings"}
	done | awk '{ n[NR] = $1 } END { print n[2] - n[1] }'
done > "$work/idle"
{ read -r without && read -r with; } < "$work/idle"
asked "60 s of sleep without a live port" "$without" instructions -
asked "a live port that nobody uses: added to them" $((with - without)) instructions '<=0'
