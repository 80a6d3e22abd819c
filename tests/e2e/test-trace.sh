#!/bin/bash
# Execution traces of real programs: each opens in Go's own reader, on 1, 2 and 4 harts, and says what the program did.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-trace.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
export TMPDIR=$dir
GOROOT=$(cat "$BUILD/deps/go/goroot") || bail "no Go"
export GOROOT
for app in wordcount pipeline sieve; do image $app; done
seq 1 20000 | sed 's/$/ the cat sat on a mat/' >"$dir/text"

# Go's reader wants every event to follow from those before, or ends with 1; ours wants more (docs/trace.md).
parsed() { # parsed FILE: what is in it, in $dir/parsed
	"$BUILD/tools/hbdump" --check-trace "$1" -q 2>"$dir/check"
	equal "hbdump --check-trace" $? 0 || { note "$(head -n 5 "$dir/check" | cut -c 1-300)" && return 1; }
	"$GOROOT/bin/go" tool trace -d=parsed "$1" >"$dir/parsed" 2>"$dir/parse"
	equal "go tool trace" $? 0 && return 0
	note "$(tail -n 3 "$dir/parse" | cut -c 1-300)"
	return 1
}

check() { # check APP HARTS BOOT REGEX...: a run with a trace whose lines match
	local app=$1 harts=$2 boot=$3 bad=0
	shift 3
	SMP=$harts boot "$app" INPUT="$dir/text" ARGS="$([ "$app" != sieve ] || echo primes=60)" BOOT="prof.cpu=off trace=1 $boot"
	equal status "$status" 0 || bad=1
	parsed "$OUT/$app/trace.out" || bad=1
	has "$dir/parsed" "$@" || bad=1
	has "$dir/parsed" "gomaxprocs:threads\" Value=[^ ]*\b$harts\b" || bad=1
	ok $bad "$app on $harts harts${boot:+, $boot}: its trace opens"
}

for harts in 1 2 4; do
	check wordcount $harts "" 'Range.* Name="stop-the-world \(start trace\)"' 'NotExist->Runnable' '^	main @ 0x'
	check pipeline $harts trace.period=5ms 'Reason="select".* Running->Waiting' 'stop-the-world \(trace advance\)' '^	source @ 0x'
	check sieve $harts "" 'Reason="chan receive".* Running->Waiting' 'Reason="chan send".* Running->Waiting' '^	chan_wake @ 0x'
done
check sieve 4 trace.period=0s 'stop-the-world \(trace advance\)' 'Runnable->Running'
done_testing
