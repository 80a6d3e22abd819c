#!/bin/bash
# The pages of the live port: what each answers, with which status and content type, and that what it sends is what it says.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-live-pages.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/live.sh
image tests/web
find_go
command -v curl >/dev/null || bail "no curl (tools/setup packages-test brings it)"
pprof() { GOTOOLCHAIN=local PPROF_TMPDIR=$dir HOME=$dir timeout 60 "$go" tool pprof "$@" >"$dir/text" 2>&1; }
trace_sound() { "$BUILD/tools/hbdump" --check-trace "$1" >"$dir/text" 2>&1; }

serving tests/web "$MACHINE" BOOT="prof.cpu=off trace.flight=on block.rate=1ns" ARGS=goroutines=30
ok $? "a guest with a live port starts"

# path | status | content type | file name
bad=0
while IFS='|' read -r path want type file; do
	fetch "$path"
	equal "$path: status" "$code" "$want" || bad=1
	has "$dir/head" "^Content-Type: ${type//+/\\+}"$'\r$' '^Connection: close' '^X-Content-Type-Options: nosniff' || { note "of $path"; bad=1; }
	[ -z "$file" ] || has "$dir/head" "^Content-Disposition: attachment; filename=\"$file\"" || { note "of $path"; bad=1; }
	[ "$want" -lt 400 ] || [ "$(wc -l <"$dir/body")" = 1 ] || { note "$path: more than one line"; bad=1; }
done <<'END'
/|301|text/plain; charset=utf-8|
/debug/pprof|301|text/plain; charset=utf-8|
/debug/pprof/|200|text/html; charset=utf-8|
/debug/pprof/profile?seconds=1|200|application/octet-stream|profile
/debug/pprof/profile?seconds=1&hz=1000|200|application/octet-stream|profile
/debug/pprof/profile?seconds=0|400|text/plain; charset=utf-8|
/debug/pprof/profile?seconds=1.5|400|text/plain; charset=utf-8|
/debug/pprof/profile?seconds=1&hz=10001|400|text/plain; charset=utf-8|
/debug/pprof/wall?seconds=1|200|application/octet-stream|wall
/debug/pprof/wall?hz=0|400|text/plain; charset=utf-8|
/debug/pprof/trace?seconds=0.2|200|application/octet-stream|trace
/debug/pprof/trace?seconds=0|400|text/plain; charset=utf-8|
/debug/pprof/trace?seconds=1e3|400|text/plain; charset=utf-8|
/debug/pprof/trace?seconds=99999999999999999999|400|text/plain; charset=utf-8|
/debug/pprof/flight|200|application/octet-stream|flight
/debug/pprof/flame?seconds=1|200|text/html; charset=utf-8|
/debug/pprof/flame?profile=heap|200|text/html; charset=utf-8|
/debug/pprof/flame?profile=wall&seconds=1|200|text/html; charset=utf-8|
/debug/pprof/flame?profile=nothing|404|text/plain; charset=utf-8|
/debug/pprof/flame?debug=1|400|text/plain; charset=utf-8|
/debug/pprof/allocs|200|application/octet-stream|allocs
/debug/pprof/heap|200|application/octet-stream|heap
/debug/pprof/heap?gc=1|200|application/octet-stream|heap
/debug/pprof/heap?debug=1|200|text/plain; charset=utf-8|
/debug/pprof/heap?seconds=1|200|application/octet-stream|heap-delta
/debug/pprof/heap?seconds=1&debug=1|400|text/plain; charset=utf-8|
/debug/pprof/goroutine|200|application/octet-stream|goroutine
/debug/pprof/goroutine?debug=1|200|text/plain; charset=utf-8|
/debug/pprof/goroutine?debug=2|200|text/plain; charset=utf-8|
/debug/pprof/goroutine?debug=3|400|text/plain; charset=utf-8|
/debug/pprof/block|200|application/octet-stream|block
/debug/pprof/mutex|200|application/octet-stream|mutex
/debug/pprof/web%3Cb%3E%26%22'%2F%25|200|application/octet-stream|web<b>&_'_%
/debug/pprof/threadcreate|404|text/plain; charset=utf-8|
/debug/pprof/sched|200|text/plain; charset=utf-8|
/debug/pprof/sched?n=65|400|text/plain; charset=utf-8|
/debug/pprof/lockgraph|200|text/vnd.graphviz; charset=utf-8|
/debug/pprof/lockgraph?debug=1|200|text/plain; charset=utf-8|
/debug/pprof/cmdline|200|text/plain; charset=utf-8|
/debug/pprof/symbol|200|text/plain; charset=utf-8|
/metrics|200|text/plain; version=0.0.4; charset=utf-8|
/debug/pprof/../../metrics|404|text/plain; charset=utf-8|
/favicon.ico|404|text/plain; charset=utf-8|
END
ok $bad "every path: status, content type and file name"

# ---- what is in them ----

fetch /debug/pprof/
bad=0
has "$dir/body" '<h1>web</h1>' '4 harts|[0-9]+ harts' '<td class="n">[1-9][0-9]*</td><td><a href="goroutine\?debug=1">goroutine</a>' \
	'<td class="n">3</td><td><a href="web%3Cb%3E%26%22%27%2F%25\?debug=1">web&#60;b&#62;&#38;&#34;&#39;/%</a>' 'href="flame\?profile=heap"' || bad=1
! grep -q '<b>' "$dir/body" || { note "a name is markup"; bad=1; }
ok $bad "the index: counts, links, and a name that is text whatever is in it"
bad=0
grep -o 'href="[^"]*"' "$dir/body" | sed 's/^href="//; s/"$//; s/&#38;/\&/g' | grep -v '^data:' >"$dir/links"
while read -r link; do
	[[ $link == /* ]] || link=/debug/pprof/$link
	fetch "${link/seconds=5/seconds=1}"
	equal "$link" "$code" 200 || bad=1
done <"$dir/links"
[ "$(wc -l <"$dir/links")" -ge 30 ] || bad=1
ok $bad "each of its links is answered"

fetch "/debug/pprof/trace?seconds=1.5"
cp "$dir/body" "$dir/trace.out"
has "$dir/head" '^Transfer-Encoding: chunked' && trace_sound "$dir/trace.out" && grep -q web_spin "$dir/text"
ok $? "a trace comes in chunks, is sound, and has the program in it"
seconds=$(sed -n 's/^[0-9]* generations, \([0-9]*\)\..*/\1/p' "$dir/text")
[ "${seconds:-0}" -ge 1 ]
ok $? "it lasts as long as was asked for"
port=$((port + 1)) && fetch "/debug/pprof/trace?seconds=0.3" -0 && port=$((port - 1))
cp "$dir/body" "$dir/old.out"
has "$dir/head" '^Content-Length: [0-9]' && ! grep -qi '^transfer-encoding' "$dir/head" && trace_sound "$dir/old.out"
ok $? "for HTTP/1.0 it is collected, and comes with a length"
fetch /debug/pprof/flight
cp "$dir/body" "$dir/flight.out"
trace_sound "$dir/flight.out" && grep -q web_spin "$dir/text"
ok $? "the flight recorder's snapshot is a trace"

fetch "/debug/pprof/wall?seconds=1"
cp "$dir/body" "$dir/wall.pb.gz"
pprof -top "$dir/wall.pb.gz" && has "$dir/text" '^Type: wall' ' web_wait$'
ok $? "a wall-clock profile has who waits"
fetch "/debug/pprof/goroutine"
cp "$dir/body" "$dir/goroutine.pb.gz"
pprof -top "$dir/goroutine.pb.gz" && has "$dir/text" '^ +[0-9]+ +[0-9.]+% +[0-9.]+% +30 +[0-9.]+%  web_wait$'
ok $? "goroutines are counted by stack"
fetch "/debug/pprof/block?seconds=1"
cp "$dir/body" "$dir/delta.pb.gz"
pprof -raw "$dir/delta.pb.gz" && has "$dir/text" '^Duration: 1'
ok $? "a delta says how long it took"
"$BUILD/tools/hbdump" --flame "$dir/goroutine.pb.gz" -o "$dir/ours.html"
fetch "/debug/pprof/flame?profile=goroutine"
diff <(sed '/id="data"/,/<\/script>/d' "$dir/body") <(sed '/id="data"/,/<\/script>/d' "$dir/ours.html") >"$dir/text"
bad=$?
sed -n '/id="data"/{n;n;p}' "$dir/body" | base64 -d >"$dir/inside.pb.gz" && pprof -top "$dir/inside.pb.gz" && has "$dir/text" ' web_wait$' || bad=1
ok $bad "the flame graph is the page of hbdump --flame, with the profile in it"
fetch /debug/pprof/sched
bad=0
has "$dir/body" '^SCHED [0-9]+ms: gomaxprocs=' '^  P0: status=' '^  M0: p=0' '^  G1: status=' '^goroutines: [0-9]+ running, [0-9]+ runnable, [0-9]+ waiting' '^for [0-9.]+ s:' \
	'^goroutine [0-9]+ .*chan receive.*:' '^web_wait\(' || bad=1
equal "stacks" "$(grep -c '^for ' "$dir/body")" 10 || bad=1
fetch "/debug/pprof/sched?n=0"
! grep -q '^for ' "$dir/body" || bad=1
ok $bad "the scheduler's state, and the goroutines that have waited longest"
fetch /debug/pprof/lockgraph
diff "$dir/body" docs/lock-ranks.dot >"$dir/text"
ok $? "the lock graph is that of docs/"
fetch "/debug/pprof/lockgraph?debug=1"
has "$dir/body" '^sched:.* chan .*mutex' '^heap:'
ok $? "and as text: what may be held"
fetch "/debug/pprof/symbol?0x$(nm "$BUILD/$ARCH/app/web/kernel.elf" | awk '$3 == "web_spin" {print $1}')+0x1+junk+"
equal symbols "$(tr '\n' ' ' <"$dir/body" | sed 's/0x[0-9a-f]*/A/')" "num_symbols: 1 A web_spin "
ok $? "names of functions"
fetch /debug/pprof/cmdline
equal "arguments" "$(tr '\0' '|' <"$dir/body")" "web|goroutines=30"
ok $? "the program's arguments, NUL between them"
fetch "/debug/pprof/goroutine?debug=2" -I
equal status "$code" 200 && equal body "$(wc -c <"$dir/body")" "$(wc -c <"$dir/head")"
ok $? "HEAD brings the head alone"
fetch "/metrics" -X POST && equal status "$code" 405 && has "$dir/head" '^Allow: GET, HEAD'
ok $? "405 says what is allowed"
served

serving tests/web "$MACHINE" BOOT="prof.cpu=off live.token=secret"
fetch /metrics && equal status "$code" 401 && has "$dir/head" '^WWW-Authenticate: Bearer'
ok $? "401 says what is wanted"
fetch /debug/pprof/flight -H "Authorization: Bearer secret" && equal status "$code" 503 && grep -q 'trace.flight=on' "$dir/body"
ok $? "without a flight recorder a line says how to get one"
served

# ---- memory, and the device ----

LIVE_QEMU="-d trace:virtio_set_status -D $dir/device.log"
serving tests/web "$MACHINE" BOOT="prof.cpu=off live.memory=128K" ARGS=goroutines=100
bad=0
for ((i = 0; i < 20; i++)); do
	fetch "/debug/pprof/goroutine?debug=2"
	equal "status of answer $i" "$code" 200 || bad=1
	equal "stacks of answer $i" "$(grep -c '^web_wait(' "$dir/body")" 100 || bad=1
	fetch /debug/pprof/cmdline
	equal "status of the one after answer $i" "$code" 200 || bad=1
done
equal "starts of the device" "$(grep -c 'virtio_set_status .* val 15$' "$dir/device.log")" 1 || bad=1
ok $bad "large answers follow each other, and the device is never started anew"
served
done_testing
