#!/bin/bash
# The live port and clients that behave badly, or come in large numbers (tests/host/port_client.c); over virtio, and over a second UART where
# there is one.
#
#	[ARCH=...] [BUILD=...] [FULL=1] [ONLY=MODE] [MORE=N] tests/e2e/test-ports.sh
#
# ONLY: the clients of that mode alone, over virtio. MORE: N times as many that vanish or send junk, for a mutant: the first wrong answer ends it.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh

log=$OUT/live/console.log
serving() { # serving [NAME=value ...]: starts a guest on a free port
	local end=$((SECONDS + 60))
	port=$(free_port)
	mkdir -p "$OUT/live"
	: >"$log"
	boot tests/live LIVE="$port" BOOT="prof.cpu=off" QEMU_ARGS="-pidfile $dir/pid" TIMEOUT=$([ -n "$FULL" ] && echo 3600 || echo 200) "$@" &
	guest=$!
	until grep -aq '^live: ready' "$log"; do
		[ $SECONDS -lt $end ] && kill -0 $guest || return 1
		sleep 0.1
	done
}
served() {
	kill "$(<"$dir/pid")" 2>/dev/null
	wait "$guest" 2>/dev/null
}
client() { # client NAME MODE ARGUMENT...
	local name=$1 mode=$2 result
	[ -z "${ONLY:-}" ] || [ "$mode" = "$ONLY" ] || return 0
	shift 2
	"$BUILD/tools/port-client" "$mode" "$port" "$@" >"$dir/out" 2>&1
	result=$?
	head -n 3 "$dir/out" | cut -c 1-160 >>"$dir/notes"
	ok $result "$name"
}
short() { [ -n "$FULL" ] && echo "$2" || echo "$1"; } # short FEW MANY

image tests/live
make_here "$BUILD/tools/port-client" >"$dir/build" 2>&1 || bail "port-client does not build"

serving
ok $? "a guest with a live port"
client "clients one after another" get /metrics "$(short 50 1000)"
client "a request cut in two at each byte" split /metrics
client "a client that sends byte by byte, slowly" slow /metrics "$(short 30 1000)"
client "clients that vanish in the middle of a request or answer: the next one gets his own answer" vanish "$(($(short 100 2000) * ${MORE:-1}))" $RANDOM
client "the same, while the machine stands still now and then" stall "$(short 60 1000)" "$(<"$dir/pid")" $RANDOM
client "clients that send junk and vanish" flood "$(($(short 60 1000) * ${MORE:-1}))" $RANDOM
client "others come and go at the next port as fast as they can, while a profile is made" storm "$(short 3 60)"
client "junk" junk "$(short 5000000 1000000000)" 1
client "the next client after it" get /metrics 1
served

serving SMP=1 ARGS="deaf=1000"
for ((i = 0; i < $(short 1 20); i++)); do
	client "more come and go than the device can tell of: who waits gets his profile, nobody another's answer, or none" lost 0
done
served
[ -z "${ONLY:-}" ] || done_testing

serving ARGS="print=0"
client "a profile while the console prints at its full rate" get "/debug/pprof/profile?seconds=1" 1
served

for machine in $([ "$ARCH" = x86_64 ] && echo "q35 microvm" || echo virt); do
	serving MACHINE=$machine LIVE_VIA=uart
	ok $? "$machine: a guest with a live port over a UART"
	client "$machine: clients one after another" get /metrics "$(short 20 1000)"
	client "$machine: a request cut in two at each byte" split /debug/pprof/cmdline
	client "$machine: a client that sends byte by byte, slowly" slow /metrics "$(short 30 1000)"
	client "$machine: clients that vanish in the middle of a request: the next one is served" half "$(short 20 200)" $RANDOM
	client "$machine: junk" junk 100000 1
	sleep 2 # the answer to junk may be on its way still, and a UART tells nobody whose it is (docs/live.md)
	client "$machine: the next client after it" get /debug/pprof/heap 1
	served
done
boot tests/live LIVE=6060 LIVE_VIA=smoke
has "$dir/err" '^run: LIVE_VIA=smoke: expected virtio or uart$' && equal status "$status" 97
ok $? "another way is refused"
done_testing
