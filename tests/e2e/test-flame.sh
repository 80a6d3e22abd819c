#!/bin/bash
# hbdump --flame: the page of a profile as a file, what it says of bad ones, and the page itself in a headless browser, where there is one:
# zoom, search, keys, widths, and that it asks nobody for anything.
#
#	tests/e2e/test-flame.sh [BUILD_FOLDER]
#
# HB_BROWSER names a Chromium; without it the one on PATH is taken. Prints TAP; exits 1 if a test failed, 2 if nothing could be tested.
cd "$(dirname "$0")/../.." || exit 2
set -- "${1:-build/host/flame}"
. tests/e2e/host.sh
built pprof_sample tests/host/pprof_sample.c tests/host/host_panic.c prof/builder.c prof/intern.c prof/protobuf.c prof/pprof.c prof/gzip.c \
	prof/decimal.c prof/top.c
cd "$dir/t" || exit 2

"$dir/pprof_sample" plain cpu.pb.gz 0 >/dev/null && "$dir/pprof_sample" empty empty.pb.gz 0 >/dev/null &&
	"$dir/pprof_sample" hours hours.pb.gz 0 >/dev/null || bail "no profiles"

run --flame cpu.pb.gz
[ $status -eq 0 ] && [ ! -s out ] && [ ! -s err ] && [ -s cpu.html ] && [ "$(head -c 15 cpu.html)" = '<!DOCTYPE html>' ] && [ "$(tail -n 1 cpu.html)" = '</html>' ]
result $? "a page beside the profile"
run --flame cpu.pb.gz -o there.html
[ $status -eq 0 ] && cmp -s there.html cpu.html
result $? "-o names the page"
run --flame cpu.pb.gz -o -
[ $status -eq 0 ] && cmp -s out cpu.html
result $? "-o - is standard output"
run --flame empty.pb.gz && run --flame hours.pb.gz
[ -s empty.html ] && [ -s hours.html ]
result $? "an empty profile, and one of a thousand hours"
# The namespace of SVG is a name: nothing is loaded by it.
! sed 's|http://www.w3.org/2000/svg||' cpu.html | grep -nE 'https?:|\b(src|href)=|\burl\(|@import|\bimport\b' | grep -v '<link rel="icon" href="data:,">' >err
result $? "the page names nothing outside"
[ "$(ls -A | grep -c '^\.')" -eq 0 ]
result $? "no temporary file is left"

# TAP lines of others, with numbers of this script's.
take_over() {
	while read -r line; do
		case $line in
		ok\ * | not\ ok\ *)
			n=$((n + 1))
			[[ $line == ok* ]] || failed=1
			echo "${line%%ok*}ok $n -${line#*-}"
			;;
		'#'*) echo "$line" ;;
		esac
	done
}
refused() { # refused NAME TEXT FILE [ARGUMENT...]: one line that names the file, status 2, an older page left alone
	local name=$1 text=$2
	shift 2
	echo older >older.html
	run --flame "$@" -o older.html
	[ $status -eq 2 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && [ "$(cat err)" = "hbdump: $1: $text" ] && [ "$(cat older.html)" = older ]
	result $? "refused: $name"
}
head -c 300 cpu.pb.gz >cut.pb.gz
refused "cut short" "is cut short: expected the end of a gzip stream" cut.pb.gz
{ head -c 300 cpu.pb.gz; printf 'XXXX'; tail -c +305 cpu.pb.gz; } >changed.pb.gz
refused "changed" "is damaged: expected a gzip stream with a right checksum" changed.pb.gz
{ cat cpu.pb.gz; echo more; } >more.pb.gz
refused "more behind" "has more after its end: expected one gzip stream and nothing else" more.pb.gz
: >nothing.pb.gz
refused "empty" "is empty: expected a gzip'd profile" nothing.pb.gz
refused "no gzip" "is not gzip: expected a gzip'd profile, such as cpu.pb.gz" cpu.html
gzip -c cpu.html >text.pb.gz
refused "no profile" "is not a profile: it has a field of wire type 4: expected 0 or 2" text.pb.gz
gzip -dc cpu.pb.gz | head -c 700 | gzip >lies.pb.gz
refused "a lie within whole gzip" "$(run --flame lies.pb.gz -o -; sed 's/^[^:]*: [^:]*: //' err)" lies.pb.gz
grep -q 'is not a profile: .*expected' err
result $? "and that one says what was expected"
head -c 300000000 /dev/zero | gzip -1 >bomb.pb.gz
refused "a small file that unpacks to much" "unpacks to more than the size limit" bomb.pb.gz
refused "no such file" "No such file or directory" none.pb.gz
refused "a folder" "is not a file: expected a profile, such as cpu.pb.gz" .
run --flame cpu.pb.gz -o no/such/folder.html
[ $status -eq 2 ] && [ "$(cat err)" = "hbdump: no/such/folder.html: No such file or directory" ]
result $? "a page that cannot be written"
run --flame cpu.pb.gz console.log
[ $status -eq 2 ] && [ "$(wc -l <err)" -eq 1 ]
result $? "one profile, and no log beside it"
if [ -w /dev/full ]; then
	timeout -k 5 60 "$hbdump" --flame cpu.pb.gz -o - >/dev/full 2>err
	[ $? -eq 2 ] && grep -q '^hbdump: standard output: ' err
	result $? "standard output full: said, status 2"
fi

# ---- the page's reader, without a browser ----

if command -v node >/dev/null; then
	node "$root/tests/e2e/flame-fold.js" cpu.html cpu.pb.gz hours.html hours.pb.gz empty.html empty.pb.gz >tap 2>err
	whole=$?
	take_over <tap
	result $whole "the page's reader ran to its end"
else
	n=$((n + 1))
	echo "ok $n - the page's reader # SKIP no node on PATH (tools/setup packages-test brings it)"
fi

# ---- make pprof ----

mkdir bin nothing
printf '#!/bin/sh\necho go "$*"\n' >bin/go
chmod +x bin/go
pprof() { # pprof PATH FILE
	(cd "$root" && PATH=$1 BUILD=$dir/t/nothing tools/pprof "$2") >out 2>err
	status=$?
}
pprof "$PWD/bin:$PATH" "$PWD/cpu.pb.gz"
[ $status -eq 0 ] && [ "$(cat out)" = "go tool pprof -http=: $PWD/cpu.pb.gz" ]
result $? "make pprof opens Go's view with the go on PATH"
mkdir -p nothing/deps/go tools
for tool in sh cat; do ln -s "$(command -v $tool)" tools/; done
echo "$PWD" >nothing/deps/go/goroot
pprof "$PWD/tools" "$PWD/cpu.pb.gz"
[ $status -eq 0 ] && [ "$(cat out)" = "go tool pprof -http=: $PWD/cpu.pb.gz" ]
result $? "else with the set-up's"
rm nothing/deps/go/goroot
pprof "$PWD/tools" "$PWD/cpu.pb.gz"
[ $status -eq 97 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -q '^pprof: no go command' err
result $? "else one line says so"
pprof "$PWD/bin:$PATH" "$PWD/none.pb.gz"
[ $status -eq 97 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q 'none.pb.gz: no such profile' err
result $? "and one line when there is no profile"

# ---- in the browser ----

browser=${HB_BROWSER:-$(command -v chromium || command -v google-chrome)}
browse() { # browse PAGE ARGUMENT...: its document after the scripts have run, to dom
	local page=$1
	shift
	rm -rf user
	timeout -k 5 120 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking --no-first-run \
		--disable-component-update --disable-sync --disable-extensions --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$PWD/user" --window-size=1400,1000 "$@" \
		--virtual-time-budget=20000 --dump-dom "file://$PWD/$page" >dom 2>err
}
# A name that would be markup if it were not text.
with_test() { # with_test FROM TO
	{
		sed -e 's|^const data = profileOf.*|&\ndata.functions.find(f => f[0] === "function_3")[0] = "<img src=x onerror=x>";|' -e '/^<\/body>/,$d' "$1"
		echo '<script>'
		cat "$root/tests/e2e/flame-browser.js"
		printf '</script>\n</body>\n</html>\n'
	} >"$2"
}
# Requests in the browser's log of its network; what the browser itself asks its makers has no origin.
asked() { grep -E '"initiator":"[^"]*".*"url":"(https?|wss?|ftp):' "$1" | grep -v '"initiator":"not an origin"' | cut -c 1-300; }
tap() { sed -n '/<pre id="tap">/,/<\/pre>/p' dom | sed -e 's/<\/*pre[^>]*>//g' -e 's/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'; }

if [ -z "$browser" ]; then
	n=$((n + 1))
	echo "ok $n - the page in a browser # SKIP no chromium on PATH, and HB_BROWSER names none"
else
	with_test cpu.html page.html
	browse page.html --log-net-log="$PWD/net.json"
	tap >tap
	grep -q '^1\.\.[1-9]' tap && [ "$(grep -c '^ok' tap)" -eq "$(sed -n 's/^1\.\.//p' tap)" ]
	whole=$?
	take_over <tap
	result $whole "the page's tests ran to their end"
	asked net.json >err
	[ ! -s err ] && [ -s net.json ]
	result $? "the browser's own log has no request by the page"
	# The same tests must see a page that does ask.
	sed -e '/Content-Security-Policy/d' -e 's|<body>|<body><img src="http://127.0.0.1:9/x.png">|' page.html >asks.html
	browse asks.html --log-net-log="$PWD/asks.json"
	tap >tap
	grep -q '^not ok .* the page loads nothing' tap && grep -q '^not ok .* its policy lets nothing out' tap && asked asks.json | grep -q 'http://127.0.0.1:9/x.png'
	result $? "a page that asks for a picture would be noticed"
	{
		sed -e '/^<\/body>/,$d' empty.html
		echo '<script>document.title = document.querySelector("#graph .empty").textContent;</script></body></html>'
	} >none.html
	browse none.html
	grep -q '<title>No samples here.</title>' dom
	result $? "an empty profile says so"
fi
done_testing
