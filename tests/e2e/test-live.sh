#!/bin/bash
# The live port: requests as the tools of others send them, over QEMU's sockets.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-live.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh

# request PORT TEXT: sends it (with \r\n where it says so) and prints what comes until the length is complete, or 10 s have passed
request() {
	local port=$1 text=$2 line length=0
	exec 9<>"/dev/tcp/127.0.0.1/$port" || return 1
	printf '%b' "$text" >&9
	while IFS= read -r -t 10 line <&9; do
		printf '%s\n' "${line%$'\r'}"
		[[ $line != [Cc]ontent-[Ll]ength:* ]] || length=${line//[!0-9]/}
		[ "$line" != $'\r' ] || break
	done
	[[ $length -eq 0 || $text = HEAD* ]] || timeout 10 head -c "$length" <&9
	exec 9>&-
}
get() { request "$port" "GET $1 HTTP/1.1\r\nHost: test\r\n${2:-}\r\n" >"$dir/answer"; }

serving() { # serving MACHINE [BOOT]: starts a guest on a free port
	local i
	port=$((20000 + RANDOM % 20000))
	: >"$dir/all"
	boot tests/live MACHINE="$1" LIVE="$port" BOOT="prof.cpu=off ${2:-}" TIMEOUT=120 &
	guest=$!
	for ((i = 0; i < 300; i++)); do
		! grep -aq '^live: ready' "$dir/all" || return 0
		sleep 0.1
	done
	return 1
}
served() { # ends it
	get "/debug/pprof/cmdline"
	pkill -P "$guest" -f "port=$port" 2>/dev/null
	kill "$(pgrep -f "port=$port,server" | head -n 1)" 2>/dev/null
	wait "$guest" 2>/dev/null
}

image tests/live
find_go
machines=$([ "$ARCH" = riscv64 ] && echo virt || echo "q35 microvm")

for machine in $machines; do
	serving "$machine"
	ok $? "$machine: a guest with a live port starts"
	get /debug/pprof/
	has "$dir/answer" '^HTTP/1.1 200 OK$' '^Connection: close$' "href='profile\?seconds=5'"
	ok $? "$machine: the index lists the profiles"
	get /metrics
	has "$dir/answer" '^HTTP/1.1 200 OK$' '^go_sched_goroutines_goroutines [1-9]'
	ok $? "$machine: metrics for Prometheus"
	(cd "$dir" && GOTOOLCHAIN=local PPROF_TMPDIR=$dir HOME=$dir timeout 60 "$go" tool pprof -top \
		"http://127.0.0.1:$port/debug/pprof/profile?seconds=1") >"$dir/top" 2>&1
	has "$dir/top" '^File: live' ' live_spin$'
	ok $? "$machine: go tool pprof takes a CPU profile over HTTP"
	request "$((port + 1))" "HEAD /metrics HTTP/1.1\r\n\r\n" >"$dir/answer" # its length is that of a body which does not come
	has "$dir/answer" '^HTTP/1.1 200 OK$'
	ok $? "$machine: a second client is served at the same time, on the second port"
	request "$port" "GET /half" >/dev/null & # it sends half a request, and goes
	sleep 0.3
	kill $! 2>/dev/null
	wait $! 2>/dev/null
	get /debug/pprof/cmdline
	has "$dir/answer" '^HTTP/1.1 200 OK$' && grep -aq live "$dir/answer"
	ok $? "$machine: the next client is served after one that went in the middle of its request"
	for bad in "/nothing 404" "/debug/pprof/nothing 404" "/debug/pprof/profile?seconds=x 400" "/debug/pprof/goroutine?debug=9 400" \
		"/debug/pprof/profile?hz=0 400" "/debug/pprof/%zz 400"; do
		get "${bad% *}"
		has "$dir/answer" "^HTTP/1.1 ${bad#* } " || break
	done
	ok $? "$machine: what is asked for wrongly is refused with its status"
	request "$port" "POST /debug/pprof/symbol HTTP/1.1\r\nContent-Length: 5\r\n\r\n" >"$dir/answer"
	has "$dir/answer" '^HTTP/1.1 405 '
	ok $? "$machine: only GET and HEAD"
	request "$port" "nonsense\r\n\r\n" >"$dir/answer"
	request "$port" "GET / HTTP/9.9\r\n\r\n" >"$dir/answer"
	has "$dir/answer" '^HTTP/1.1 505 '
	ok $? "$machine: another version of HTTP"
	served
done

serving "${machines%% *}" "live.token=secret"
get /metrics
has "$dir/answer" '^HTTP/1.1 401 '
ok $? "without its token a request is refused"
get /metrics "Authorization: Bearer secre\r\n"
has "$dir/answer" '^HTTP/1.1 401 '
ok $? "with the beginning of the token, too"
get /metrics "Authorization: Bearer secret\r\n"
has "$dir/answer" '^HTTP/1.1 200 '
ok $? "with the token it is answered"
served

boot apps/hello BOOT="live=1"
has "$dir/out" '^boot: live=1: no virtio console' && equal status "$status" 2
ok $? "live=1 without a device is refused"
boot apps/hello LIVE=99999
has "$dir/err" '^run: LIVE=99999: expected a TCP port' && equal status "$status" 97
ok $? "a port that is none is refused"
done_testing
