#!/bin/bash
# A trace and every profile of the applications, opened by other releases of Go than the one that make installs.
#
#	HB_GO_READERS="/path/of/go1.22/bin/go ..." [ARCH=...] [BUILD=...] tests/e2e/test-readers.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
readers=${HB_GO_READERS:-}
if [ -z "$readers" ]; then
	echo "ok 1 - other releases of Go # SKIP HB_GO_READERS names none"
	echo "1..1"
	exit 0
fi
export GOTOOLCHAIN=local

# Until 1.23 the flag was a number.
parsed() { # parsed GO TRACE
	case $("$1" env GOVERSION) in
	go1.22* | go1.23*) "$1" tool trace -d=1 "$2" ;;
	*) "$1" tool trace -d=parsed "$2" ;;
	esac
}

for app in pipeline wordcount; do
	image "$app"
	for harts in 1 2 4; do
		rm -rf "${OUT:?}/$app"
		boot "$app" SMP=$harts BOOT=trace=1 INPUT=LICENSE
		for go in $readers; do
			bad=0
			equal status "$status" 0 || bad=1
			parsed "$go" "$OUT/$app/trace.out" >"$dir/events" 2>>"$dir/notes" || bad=1
			[ "$(grep -c 'GoID=\|StateTransition' "$dir/events")" -ge 1000 ] || { note "hardly an event"; bad=1; }
			for profile in "$OUT/$app"/*.pb.gz; do
				"$go" tool pprof -raw "$profile" >"$dir/raw" 2>>"$dir/notes" && grep -q '^PeriodType' "$dir/raw" || { note "$profile"; bad=1; }
			done
			equal profiles "$(find "$OUT/$app" -name '*.pb.gz' | wc -l)" 6 || bad=1
			ok $bad "$app on $harts harts: $("$go" env GOVERSION) opens the trace and the profiles"
		done
	done
done
done_testing
