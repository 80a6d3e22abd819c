#!/bin/bash
# What clients of the live port cannot do: be printed, use up memory, hold the port, end the machine, come in without the token, or at all when it is
# off.
#
#	[ARCH=...] [BUILD=...] [FULL=1] [REQUESTS=N] [SEED=N] tests/e2e/test-live-security.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/live.sh
image tests/web
command -v curl >/dev/null || bail "no curl (tools/setup packages-test brings it)"
alive() { # a right request is answered
	fetch /debug/pprof/cmdline
	equal "status afterwards" "$code" 200 && equal "answer afterwards" "$(tr '\0' ' ' <"$dir/body")" "${1:-web}"
}

serving tests/web "$MACHINE" BOOT=prof.cpu=off
ok $? "a guest with a live port starts"
bad=0
for ((i = 0; i < 4; i++)); do
	hex=$(printf '%04X' $((port + i)))
	grep -q ": 0100007F:$hex 00000000:0000 0A" /proc/net/tcp || { note "port $((port + i)) does not listen on loopback"; bad=1; }
	! grep -q ": 00000000:$hex " /proc/net/tcp /proc/net/tcp6 || { note "port $((port + i)) listens on every address"; bad=1; }
done
ok $bad "its ports are on loopback only"

# ---- nothing is printed, nothing ends the machine ----

lines=$(wc -l <"$dir/console")
for path in "/zqxmark" "/debug/pprof/zqxmark" "/debug/pprof/profile?seconds=zqxmark" "/debug/pprof/symbol?zqxmark" "/%0a%0dzqxmark" "/debug/pprof/flame?profile=zqxmark" \
	"/debug/pprof/goroutine?debug=zqxmark" "/%7Ezqxmark%s%n"; do
	fetch "$path" -H "X-Mark: zqxmark" -H "Authorization: Bearer zqxmark" -A zqxmark
done
request "$port" 'zqxmark zqxmark zqxmark\r\n\r\n' >"$dir/answer"
request "$port" '\x01\x1b[31mzqxmark\r\n\r\n' >"$dir/answer"
alive
bad=$?
! grep -aqi zqxmark "$dir/console" || { note "what a client sent is on the console"; bad=1; }
equal "lines on the console" "$(wc -l <"$dir/console")" "$lines" || bad=1
ok $bad "what clients send is never printed"
for path in /poweroff /reboot /exit /shutdown /debug/poweroff /debug/pprof/poweroff /debug/pprof/reboot /debug/pprof/exit /debug/pprof/loglevel; do
	fetch "$path"
	equal "$path" "$code" 404 || bad=1
	request "$port" "POST $path HTTP/1.1\r\n\r\n" >"$dir/answer"
	has "$dir/answer" '^HTTP/1.1 405 ' || bad=1
done
request "$port" 'poweroff\r\nreboot\r\n\r\n' >"$dir/answer"
alive || bad=1
ok $bad "no request ends the machine"

# ---- one of a kind ----

bad=0
while IFS='|' read -r path words; do
	for ((i = 0; i < 10; i++)); do # until the first of the two is the first
		curl -s -m 100 -o "$dir/first" "http://127.0.0.1:$port$path?seconds=60" &
		first=$!
		sleep 0.5
		port=$((port + 1)) && fetch "$path?seconds=1" && port=$((port - 1))
		[ "$code" != 500 ] || break
		kill $first 2>/dev/null
		wait $first 2>/dev/null
	done
	equal "$path beside another" "$code" 500 || bad=1
	has "$dir/body" "$words" || bad=1
	kill -0 $first 2>/dev/null || { note "$path: the first one ended"; bad=1; }
	kill $first 2>/dev/null
	wait $first 2>/dev/null
	for ((i = 0; i < 20; i++)); do
		fetch "$path?seconds=1"
		[ "$code" != 500 ] || continue
		break
	done
	equal "$path afterwards" "$code" 200 || bad=1
done <<'END'
/debug/pprof/profile|^Could not enable CPU profiling: cpu profiling already in use$
/debug/pprof/wall|^Could not enable wall-clock profiling: wall-clock profiling already in use$
/debug/pprof/trace|^Could not enable tracing: tracing is already enabled$
/debug/pprof/heap|^heap: a profile of what changes is being taken already$
END
ok $bad "one profile of a kind at a time: CPU, wall, trace, delta"
bad=0
for path in profile wall trace heap flame; do
	curl -s -m 1 -o "$dir/first" "http://127.0.0.1:$port/debug/pprof/$path?seconds=3000"
	alive || { note "after $path"; bad=1; }
	[ $path = flame ] || fetch "/debug/pprof/$path?seconds=1"
	equal "$path after a client that went" "$code" 200 || bad=1
done
ok $bad "a client that goes ends its profile, and the port serves the next at once"

if [ "$FULL" = 1 ]; then
	exec 8<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET /debug/pprof/cmd' >&8
	bad=0 line=
	SECONDS=0
	port=$((port + 1))
	until IFS= read -r -t 1 line <&8 || [ $SECONDS -ge 45 ]; do
		fetch /metrics
		equal "on the next port" "$code" 200 || bad=1
	done
	port=$((port - 1))
	exec 8>&-
	[[ $line = 'HTTP/1.1 408 '* ]] || { note "half a request: ${line:-no answer} after $SECONDS s"; bad=1; }
	ok $bad "half a request is refused after half a minute, also while another port is used"
fi

# ---- random and mutated requests ----

if command -v node >/dev/null; then
	node tests/e2e/live-fuzz.js "$((port + 2))" "${REQUESTS:-$([ "$FULL" = 1 ] && echo 10000 || echo 300)}" "${SEED:-$((RANDOM + 1))}" >"$dir/text" 2>&1
	bad=$?
	cp "$dir/text" "$dir/notes"
	sed 's/^/# /' "$dir/text"
	alive || bad=1
	! grep -aqE '^(panic|fatal error)' "$dir/console" || bad=1
	ok $bad "random and mutated requests: each answer is one, and the port goes on"
else
	n=$((n + 1))
	echo "ok $n - random and mutated requests # SKIP no node on PATH (tools/setup packages-test brings it)"
fi
served

# ---- memory ----

serving tests/web "$MACHINE" BOOT="prof.cpu=off live.memory=256K" ARGS=goroutines=600
fetch "/debug/pprof/goroutine?debug=2"
bad=0
equal "an answer of more than live.memory" "$code" 503 || bad=1
has "$dir/body" '^the answer takes more memory than answers may \(live.memory=262144\)$' || bad=1
alive "web goroutines=600 " || alive "web goroutines=600" || bad=1
fetch "/debug/pprof/goroutine?debug=1"
equal "a small one" "$code" 200 || bad=1
ok $bad "an answer takes at most live.memory"
served
# Clients that take nothing of what they asked for: more than the sockets between hold, so that it stays in memory, which has room for one.
serving tests/web "$MACHINE" BOOT="prof.cpu=off live.memory=16M" ARGS=goroutines=9000
bad=0
for ((i = 0; i < 3; i++)); do
	exec {held[i]}<>"/dev/tcp/127.0.0.1/$((port + i))"
	printf 'GET /debug/pprof/goroutine?debug=2 HTTP/1.0\r\n\r\n' >&"${held[i]}"
	IFS= read -r -t 60 line <&"${held[i]}"
	[[ $line = "HTTP/1.1 $([ $i -eq 0 ] && echo 200 || echo 503) "* ]] || { note "client $i: $line"; bad=1; }
done
for ((i = 0; i < 3; i++)); do exec {held[i]}>&-; done
fetch "/debug/pprof/goroutine?debug=2"
equal "the same afterwards" "$code" 200 || bad=1
[ "$(wc -c <"$dir/body")" -gt 4000000 ] || { note "of $(wc -c <"$dir/body") bytes"; bad=1; }
alive "web goroutines=9000 " || alive "web goroutines=9000" || bad=1
ok $bad "so do all together, and what they had is there again when they are gone"
served

# ---- the token ----

serving tests/web "$MACHINE" BOOT="prof.cpu=off live.token=correct-horse"
bad=0
while IFS='|' read -r want field; do
	fetch /metrics -H "$field"
	equal "$field" "$code" "$want" || bad=1
	[ "$want" = 200 ] || ! grep -q go_ "$dir/body" || bad=1
done <<'END'
401|X: y
401|Authorization:
401|Authorization: Bearer
401|Authorization: Bearer c
401|Authorization: Bearer correct-hors
401|Authorization: Bearer correct-horsf
401|Authorization: Bearer correct-horsee
401|Authorization: Bearer Correct-horse
401|Authorization: Basic correct-horse
401|Authorization: correct-horse
401|Proxy-Authorization: Bearer correct-horse
200|Authorization: Bearer correct-horse
200|authorization: Bearer correct-horse
END
for path in / /debug/pprof/ /debug/pprof/profile /debug/pprof/trace /nothing; do
	fetch "$path"
	equal "$path without the token" "$code" 401 || bad=1
done
ok $bad "without the very token nothing is told, not even what there is"
served

# ---- off ----

off=$(free_port)
case $MACHINE in
q35) device=virtio-serial-pci ;;
*) device=virtio-serial-device ;;
esac
LIVE_QEMU="-global virtio-mmio.force-legacy=false -device $device,max_ports=2 -chardev socket,id=c,host=127.0.0.1,port=$off,server=on,wait=off -device virtserialport,nr=1,chardev=c"
bad=0
serving tests/web "$MACHINE" LIVE= BOOT=prof.cpu=off || bad=1
{ printf 'GET /metrics HTTP/1.1\r\n\r\n'; sleep 2; } | timeout 5 curl -s -m 3 "telnet://127.0.0.1:$off" >"$dir/text"
equal "bytes from a port that is off" "$(wc -c <"$dir/text")" 0 || bad=1
ok $bad "without live=1 nobody answers, also where the device is"
served
done_testing
