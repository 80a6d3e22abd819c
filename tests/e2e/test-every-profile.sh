#!/bin/bash
# What a run of each program of apps/ leaves in its folder: every profile, opened by `go tool pprof`, and a trace, opened by `go tool trace`.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-every-profile.sh
#
# The go command is HB_GO, or the one that make installed under BUILD.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
find_go
export PPROF_TMPDIR=$dir TMPDIR=$dir
seq 1 20000 | sed 's/$/ the cat sat on a mat/' >"$dir/text"

# Sample types, the period's type, and the name of a function that is in it.
types() {
	case $1 in
	cpu) echo 'samples/count cpu/nanoseconds|cpu nanoseconds' ;;
	wall) echo 'samples/count wall/nanoseconds|wall nanoseconds' ;;
	heap) echo 'alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes|space bytes' ;;
	goroutine) echo 'goroutine/count|goroutine count' ;;
	block | mutex) echo 'contentions/count delay/nanoseconds|contentions count' ;;
	esac
}

opens() { # opens APP PROFILE: by pprof, as text and as a table, with the types it must have
	local file=$OUT/$1/$2.pb.gz want
	want=$(types "$2")
	if ! "$go" tool pprof -symbolize=none -raw "$file" >"$dir/raw" 2>"$dir/pprof.err" ||
		! "$go" tool pprof -symbolize=none -top "$file" >"$dir/top" 2>>"$dir/pprof.err"; then
		note "$1/$2.pb.gz: $(head -n 3 "$dir/pprof.err")"
		return 1
	fi
	has "$dir/raw" "^PeriodType: ${want#*|}\$" "^${want%|*}( *\[dflt\])?" '^Mappings$' && has "$dir/top" '^ +flat  flat%' && return 0
	note "$1/$2.pb.gz"
	return 1
}

for app in apps/*/; do
	app=${app#apps/} app=${app%/}
	image "$app"
	boot "$app" INPUT="$dir/text" ARGS="$([ "$app" != sieve ] || echo primes=60)" BOOT="trace=1" # else a trace of minutes
	bad=0
	equal "$app: status" "$status" 0 || bad=1
	[ -s "$OUT/$app/console.log" ] || { note "no console.log" && bad=1; }
	for profile in cpu heap goroutine block mutex wall; do
		opens "$app" $profile || bad=1
	done
	"$BUILD/tools/hbdump" --check-trace "$OUT/$app/trace.out" -q 2>>"$dir/notes" || bad=1
	"$go" tool trace -d=parsed "$OUT/$app/trace.out" >"$dir/parsed" 2>"$dir/err" || { note "trace.out does not open" && bad=1; }
	ok $bad "$app: cpu, heap, goroutine, block, mutex, wall and trace.out are made by a run, and open"
done
done_testing
