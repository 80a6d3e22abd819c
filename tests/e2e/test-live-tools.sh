#!/bin/bash
# The live port and the tools that people have: each command is one of docs/tools.md. What is not installed is skipped, and said; FULL=1 has
# tools/setup bring what can be had, and takes its time.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-live-tools.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/live.sh
image tests/web
find_go
command -v curl >/dev/null || bail "no curl (tools/setup packages-test brings it)"
[ "$FULL" != 1 ] || BUILD=$(realpath "$BUILD") tools/setup clients >"$dir/setup" 2>&1 || sed 's/^/# /' "$dir/setup"
jobs_ended=()
trap 'for p in "${jobs_ended[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$dir"' EXIT
pprof() { GOTOOLCHAIN=local PPROF_TMPDIR=$dir HOME=$dir timeout 120 "$go" tool pprof "$@" >"$dir/text" 2>&1; }
skip() { # skip NAME WHAT
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2 is not installed (FULL=1, or tools/setup clients)"
}
wait_for() { # wait_for URL: until it answers
	local i
	for ((i = 0; i < 300; i++)); do
		! curl -sf -m 5 -o "$dir/body" "$1" || return 0
		sleep 0.1
	done
	return 1
}
ended() { # ended PID: ends a program of this script's
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

serving tests/web "$MACHINE" BOOT=prof.cpu=off
ok $? "a machine with a live port starts"
first=$port first_job=$live_job first_dir=$live_dir
serving tests/web "$MACHINE" BOOT=prof.cpu=off SMP=1
ok $? "and a second one"
second=$port
port=$first
url=http://127.0.0.1:$first

# ---- go tool pprof ----

pprof -top "$url/debug/pprof/profile?seconds=1"
has "$dir/text" '^File: web$' '^Type: cpu$' ' web_spin$'
ok $? "go tool pprof -top"
pprof -peek 'web_spin$' "$url/debug/pprof/profile?seconds=1"
has "$dir/text" '\| *web_spin$'
ok $? "go tool pprof -peek"
pprof -top -seconds 1 "$url/debug/pprof/heap"
has "$dir/text" '^Type: inuse_space$'
ok $? "go tool pprof -top of heap, with -seconds"
web=$(free_port)
GOTOOLCHAIN=local PPROF_TMPDIR=$dir HOME=$dir "$go" tool pprof -no_browser -http="127.0.0.1:$web" "$url/debug/pprof/profile?seconds=1" >"$dir/text" 2>&1 &
jobs_ended+=($!)
wait_for "http://127.0.0.1:$web/ui/top" && has "$dir/body" 'web_spin'
bad=$?
for page in flamegraph peek "source?f=web_spin"; do
	wait_for "http://127.0.0.1:$web/ui/$page" && has "$dir/body" 'web_spin' || { note "of /ui/$page"; bad=1; }
done
ended "${jobs_ended[-1]}"
ok $bad "its web view: top, flame graph, peek, source"

# ---- go tool trace ----

fetch "/debug/pprof/trace?seconds=1"
cp "$dir/body" "$dir/trace.out"
web=$(free_port)
GOTOOLCHAIN=local HOME=$dir "$go" tool trace -http="127.0.0.1:$web" "$dir/trace.out" >"$dir/text" 2>&1 &
jobs_ended+=($!)
wait_for "http://127.0.0.1:$web/goroutines" && has "$dir/body" 'web_spin'
bad=$?
wait_for "http://127.0.0.1:$web/jsontrace?view=proc" && has "$dir/body" 'web_spin' || bad=1
ended "${jobs_ended[-1]}"
ok $bad "go tool trace: its list of goroutines, and the trace itself"

# ---- several at once ----

pprof -top "$url/debug/pprof/profile?seconds=4" &
profile=$!
port=$((first + 1))
bad=0 scrapes=0
sleep 1
while kill -0 $profile 2>/dev/null && [ $scrapes -lt 3 ]; do
	fetch /metrics
	[ "$code" = 200 ] && has "$dir/body" '^go_sched_goroutines_goroutines [1-9]' || bad=1
	scrapes=$((scrapes + 1))
done
kill -0 $profile 2>/dev/null || { note "the profile ended before three scrapes did"; bad=1; }
wait $profile || bad=1
port=$first
[ $scrapes -ge 3 ] || bad=1
ok $bad "metrics on one port while a profile runs on another"
curl -s -m 60 -o "$dir/one" "http://127.0.0.1:$first/debug/pprof/profile?seconds=1" &
one=$!
curl -s -m 60 -o "$dir/two" "http://127.0.0.1:$second/debug/pprof/profile?seconds=1"
wait $one
pprof -top "$dir/one" && has "$dir/text" ' web_spin$' && pprof -top "$dir/two" && has "$dir/text" ' web_spin$' &&
	pprof -proto -output "$dir/both.pb.gz" "$dir/one" "$dir/two"
pprof -top "$dir/both.pb.gz" && has "$dir/text" ' web_spin$'
ok $? "two machines at once, and their profiles merged"

# ---- who scrapes ----

config() { # config MARK: the block of docs/tools.md that begins with this line
	awk -v mark="$1" '$0 == mark { on = 1 } on && /^```$/ { exit } on' docs/tools.md
}
bad=0 paths=0
for path in $(config '# parca.yaml' | sed -n 's/^ *path: *//p') $(config '// alloy' | sed -n 's/^ *path *= *"\(.*\)"$/\1/p'); do
	fetch "$path$([[ $path != */profile ]] || echo '?seconds=1')"
	paths=$((paths + 1))
	equal "$path" "$code" 200 && pprof -top "$dir/body" && has "$dir/text" '^Type: ' || { note "$path: no profile"; bad=1; }
done
[ $paths -ge 2 ] || { note "docs/tools.md names $paths paths"; bad=1; }
ok $bad "the paths that Parca and Grafana Alloy are told to scrape are answered with profiles"

prometheus=$(command -v prometheus || ls "$BUILD/deps/prometheus/usr/bin/prometheus" 2>/dev/null)
if [ -z "$prometheus" ]; then
	skip "Prometheus" prometheus
else
	config '# prometheus.yml' | sed -e "s/localhost:6062/127.0.0.1:$((first + 2))/" -e "s/localhost:6072/127.0.0.1:$((second + 2))/" \
		-e 's/^\( *scrape_interval: \).*/\11s/' >"$dir/prometheus.yml"
	web=$(free_port)
	"$prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/tsdb" --web.listen-address="127.0.0.1:$web" --log.level=warn >"$dir/text" 2>&1 &
	jobs_ended+=($!)
	wait_for "http://127.0.0.1:$web/-/ready"
	sleep "$([ "$FULL" = 1 ] && echo 60 || echo 8)"
	query() { curl -s -m 20 -G --data-urlencode "query=$1" "http://127.0.0.1:$web/api/v1/query" >"$dir/body"; }
	bad=0
	query up
	equal "machines that are up" "$(grep -o '"value":\[[^]]*"1"\]' "$dir/body" | wc -l)" 2 || bad=1
	query "min(count_over_time(up[5m]))"
	samples=$(sed -n 's/.*"value":\[[^,]*,"\([0-9]*\)"\].*/\1/p' "$dir/body")
	[ "${samples:-0}" -ge "$([ "$FULL" = 1 ] && echo 30 || echo 3)" ] || { note "samples: ${samples:-none}"; bad=1; }
	query 'go_sched_goroutines_goroutines{job="hartbeat"}'
	equal "machines with goroutines" "$(grep -o '"value":\[[^]]*"2[0-9]"\]' "$dir/body" | wc -l)" 2 || bad=1
	query 'histogram_quantile(0.99, rate(go_sched_latencies_seconds_bucket[1m]))'
	has "$dir/body" '"value":\[[^]]*"[0-9.e-]+"\]' || bad=1
	curl -s -m 20 "http://127.0.0.1:$web/api/v1/targets" >"$dir/body"
	equal "errors of scrapes" "$(grep -o '"lastError":"[^"]\+"' "$dir/body" | wc -l)" 0 || bad=1
	ended "${jobs_ended[-1]}"
	ok $bad "Prometheus scrapes two machines: $samples times each"
fi

# ---- a terminal ----

ask=$'GET /debug/pprof/cmdline HTTP/1.1\r\n\r\n'
if ! command -v socat >/dev/null; then
	skip "socat" socat
	skip "screen on a pty" socat
	skip "picocom on a pty" socat
else
	{ printf %s "$ask" && sleep 1; } | timeout 20 socat - "TCP:127.0.0.1:$first" >"$dir/text"
	has "$dir/text" '^HTTP/1.1 200 OK' && grep -aq '^web' "$dir/text"
	ok $? "socat"
	pty() { # a pty that leads to the port
		socat "PTY,link=$dir/tty,raw,echo=0" "TCP:127.0.0.1:$((first + 3))" &
		jobs_ended+=($!)
		local i
		for ((i = 0; i < 100; i++)); do [ ! -e "$dir/tty" ] || break; sleep 0.1; done
	}
	if ! command -v screen >/dev/null; then
		skip "screen on a pty" screen
	else
		pty
		export SCREENDIR=$dir/screen
		mkdir -m 700 "$SCREENDIR"
		(cd "$dir" && screen -dmS hb -L -Logfile "$dir/screen.log" "$dir/tty" 115200)
		sleep 1
		screen -S hb -X logfile flush 0
		screen -S hb -p 0 -X stuff "$ask"
		for ((i = 0; i < 50; i++)); do ! grep -aq '^web' "$dir/screen.log" 2>/dev/null || break; sleep 0.2; done
		has "$dir/screen.log" '^HTTP/1.1 200 OK' && grep -aq '^web' "$dir/screen.log"
		ok $? "screen on a pty"
		screen -S hb -X quit
		ended "${jobs_ended[-1]}"
	fi
	if ! command -v picocom >/dev/null; then
		skip "picocom on a pty" picocom
	else
		pty
		sleep 20 | timeout 20 picocom -q --noreset --nolock --exit-after 3000 --initstring "$ask" "$dir/tty" >"$dir/text" 2>&1
		has "$dir/text" 'HTTP/1.1 200 OK' && grep -aq '^web' "$dir/text"
		ok $? "picocom on a pty"
		ended "${jobs_ended[-1]}"
	fi
fi

# ---- a browser ----

browser=${HB_BROWSER:-$(command -v chromium || command -v google-chrome)}
browse() { # browse ADDRESS: its document after the scripts have run, to $dir/dom; the browser's log of its network to $dir/net.json
	rm -rf "$dir/user"
	timeout -k 5 120 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking --no-first-run \
		--disable-component-update --disable-sync --disable-extensions --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' --user-data-dir="$dir/user" \
		--window-size=1400,1000 --log-net-log="$dir/net.json" --virtual-time-budget=20000 --dump-dom "$@" >"$dir/dom" 2>"$dir/text"
}
# What pages asked for, but for themselves.
asked() { grep -E '"initiator":"[^"]*".*"url":"(https?|wss?|ftp):' "$dir/net.json" | grep -v '"initiator":"not an origin"' | grep -v "\"url\":\"$1" | cut -c 1-300; }
if [ -z "$browser" ]; then
	skip "the index in a browser" chromium
	skip "the flame graph in a browser" chromium
	skip "speedscope" chromium
else
	browse "$url/debug/pprof/"
	has "$dir/dom" '<a href="goroutine\?debug=1">goroutine</a>' && [ "$(grep -o '<tr>' "$dir/dom" | wc -l)" -ge 15 ] && [ -z "$(asked "$url/")" ]
	ok $? "the index in a browser, which asks nobody else for anything"
	browse "$url/debug/pprof/flame?seconds=2"
	has "$dir/dom" 'aria-label="web_spin, ' '<svg' && [ -z "$(asked "$url/")" ]
	ok $? "the flame graph in a browser, which asks nobody for anything"
	fetch "/debug/pprof/flame?profile=goroutine"
	{
		sed '/^<\/body>/,$d' "$dir/body"
		cat <<-'END'
			<script>(() => {
			const bars = () => [...document.querySelectorAll('#graph .f')];
			const one = name => bars().find(g => g.getAttribute('aria-label').startsWith(name + ','));
			const width = g => +g.querySelector('rect').getAttribute('width');
			const before = width(one('web_wait'));
			document.getElementById('search').value = '^web_wait$';
			document.getElementById('search').dispatchEvent(new Event('input', { bubbles: true }));
			const hits = document.querySelectorAll('#graph .hit').length;
			one('web_wait').dispatchEvent(new MouseEvent('click', { bubbles: true }));
			document.title = `hits ${hits} zoom ${width(one('web_wait')) > before ? 'wider' : 'not'}`;
			})();</script></body></html>
		END
	} >"$dir/page.html"
	browse "file://$dir/page.html"
	has "$dir/dom" '<title>hits 1 zoom wider</title>'
	ok $? "its search and its zoom"
	speedscope=$(ls "$BUILD/deps/speedscope/package/dist/release/index.html" 2>/dev/null)
	if [ -z "$speedscope" ]; then
		skip "speedscope" speedscope
	else
		fetch "/debug/pprof/profile?seconds=1"
		printf 'speedscope.loadFileFromBase64("cpu.pb.gz", "%s")' "$(base64 -w 0 "$dir/body")" >"$dir/load.js"
		browse --allow-file-access-from-files "file://$(realpath "$speedscope")#localProfilePath=$dir/load.js"
		has "$dir/dom" '<title>cpu.pb.gz - speedscope'
		ok $? "speedscope takes a CPU profile"
	fi
fi

served
live_job=$first_job live_dir=$first_dir
served
done_testing
