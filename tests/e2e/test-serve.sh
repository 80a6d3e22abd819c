#!/bin/bash
# make serve: it says where, serves there, and Ctrl-C ends QEMU and everybody else.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-serve.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/live.sh
image apps/wordcount
command -v curl >/dev/null || bail "no curl (tools/setup packages-test brings it)"

port=$(free_port)
# A session of its own: Ctrl-C at a terminal is a signal to the whole foreground group, which a shell has ignored in the background.
env --default-signal=INT setsid make -s serve MUTANT= BUILD="$BUILD" ARCH="$ARCH" MACHINE="$MACHINE" OUT="$OUT" PORT="$port" QEMU_ARGS="-pidfile $dir/pid" >"$dir/out" 2>"$dir/err" </dev/null &
job=$!
bad=1
for ((i = 0; i < 600; i++)); do
	fetch /debug/pprof/cmdline
	[ "$code" = 200 ] && bad=0 && break
	sleep 0.2
done
has "$dir/out" "^http://localhost:$port/debug/pprof/ " "^go tool pprof 'http://localhost:$port/debug/pprof/profile\?seconds=5'\$" || bad=1
grep -aq '^wordcount' "$dir/body" || bad=1
ok $bad "it prints the addresses, and answers there"
for ((i = 0; i < 100; i++)); do # the program has to wait once
	fetch /debug/pprof/
	! grep -q '<td class="n">[1-9][0-9]*</td><td><a href="block' "$dir/body" || break
	sleep 0.2
done
has "$dir/body" '<td class="n">[1-9][0-9]*</td><td><a href="heap' '<td class="n">[1-9][0-9]*</td><td><a href="block' '<td class="n">[1-9][0-9]*</td><td><a href="goroutine'
ok $? "heap and block profiles are kept, too"
fetch "/debug/pprof/flame?seconds=1"
equal status "$code" 200 && [ "$(wc -c <"$dir/body")" -gt 40000 ]
ok $? "a flame graph of the program that runs"
boot apps/wordcount LIVE="$port"
has "$dir/err" "^run: LIVE=$port: port $port is in use; expected 4 free ones from $port on\$" && equal status "$status" 97
ok $? "a second machine on the same ports is refused by a line"

qemu=$(<"$dir/pid")
group=$(ps -o pgid= -p "$qemu" | tr -d ' ')
kill -INT -- "-$group"
for ((i = 0; i < 100; i++)); do
	kill -0 "$job" 2>/dev/null || break
	sleep 0.1
done
bad=0
[ "$i" -lt 100 ] || { note "make serve still runs after 10 s"; bad=1; }
wait "$job"
[ $? -ne 0 ] || { note "make says that nothing happened"; bad=1; }
! kill -0 "$qemu" 2>/dev/null || { note "QEMU still runs"; bad=1; }
equal "processes of the group" "$(pgrep -g "$group" | wc -l)" 0 || bad=1
has "$dir/err" '^run: ended by an interrupt$' || bad=1
! grep -q 'no word from the program' "$dir/err" || bad=1
[ -s "$OUT/$ARCH/wordcount/console.log" ] || bad=1
ok $bad "Ctrl-C ends QEMU, hbdump and make, and is said to have"
(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
[ $? -ne 0 ]
ok $? "the ports are free again"
done_testing
