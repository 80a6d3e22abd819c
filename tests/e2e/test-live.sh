#!/bin/bash
# The live port: requests as the tools of others send them, over QEMU's sockets.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-live.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/live.sh

image apps/hello
make_here all APP=apps/hello SERVE=1 >"$dir/build" 2>&1 || bail "APP=hello SERVE=1 does not build"
serve_elf=$BUILD/$ARCH/app-serve/hello/kernel.elf
image tests/live
find_go
machines=$([ "$ARCH" = riscv64 ] && echo virt || echo "q35 microvm")

for machine in $machines; do
	serving tests/live "$machine" BOOT=prof.cpu=off
	ok $? "$machine: a guest with a live port starts"
	get /debug/pprof/
	has "$dir/answer" '^HTTP/1.1 200 OK$' '^Connection: close$' 'href="profile\?seconds=5"'
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
	bad=0
	for asked in "/nothing 404" "/debug/pprof/nothing 404" "/debug/pprof/profile?seconds=x 400" "/debug/pprof/goroutine?debug=9 400" \
		"/debug/pprof/profile?hz=0 400" "/debug/pprof/%zz 400"; do
		get "${asked% *}"
		has "$dir/answer" "^HTTP/1.1 ${asked#* } " || bad=1
	done
	ok $bad "$machine: what is asked for wrongly is refused with its status"
	request "$port" "POST /debug/pprof/symbol HTTP/1.1\r\nContent-Length: 5\r\n\r\n" >"$dir/answer"
	has "$dir/answer" '^HTTP/1.1 405 '
	ok $? "$machine: only GET and HEAD"
	request "$port" "nonsense\r\n\r\n" >"$dir/answer"
	request "$port" "GET / HTTP/9.9\r\n\r\n" >"$dir/answer"
	has "$dir/answer" '^HTTP/1.1 505 '
	ok $? "$machine: another version of HTTP"
	served
done

serving tests/live "${machines%% *}" BOOT="prof.cpu=off live.token=secret"
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

for option in live console; do
	boot apps/hello BOOT="$option=1"
	has "$dir/out" "^boot: $option=1: not in this image; make serve, make run SERVE=1 or #include <hartbeat/serve.h> expected\$" && equal status "$status" 2
	ok $? "$option=1 is refused by an image that did not ask for it"
done
boot apps/hello ELF="$serve_elf" BOOT="live=1"
has "$dir/out" '^boot: live=1: no virtio console' && equal status "$status" 2
ok $? "live=1 without a device is refused"
boot apps/hello ELF="$serve_elf" BOOT="prof.cpu=off console=1"
has "$dir/out" "^hello from goroutine " && equal status "$status" 0
ok $? "SERVE=1 brings the console's commands into any program"
boot apps/hello LIVE=99999
has "$dir/err" '^run: LIVE=99999: expected a TCP port' && equal status "$status" 97
ok $? "a port that is none is refused"
done_testing
