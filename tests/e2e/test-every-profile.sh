#!/bin/bash
# What a run of each program of apps/ leaves in its folder: every profile, opened by `go tool pprof`, and a trace, opened by `go tool trace`.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-every-profile.sh
#
# The go command is HB_GO, or the one that make installed under BUILD.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/raw.sh
find_go
export PPROF_TMPDIR=$dir TMPDIR=$dir
seq 1 20000 | sed 's/$/ the cat sat on a mat/' >"$dir/text"

# Sample types and the period's type.
types() {
	case $1 in
	cpu) echo 'samples/count cpu/nanoseconds|cpu nanoseconds' ;;
	wall) echo 'samples/count wall/nanoseconds|wall nanoseconds' ;;
	heap) echo 'alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes|space bytes' ;;
	goroutine) echo 'goroutine/count|goroutine count' ;;
	block | mutex) echo 'contentions/count delay/nanoseconds|contentions count' ;;
	esac
}

# Functions of a stack that must be in it. None for a mutex, and for what hello waits: whether two of wordcount's workers meet is up to the host, and so is
# whether hello's main is slower than those it waits for.
functions() { # functions APP PROFILE
	case $1-$2 in
	hello-cpu) echo 'program_run goroutine_entry' ;;
	hello-heap) echo 'printf greet' ;;
	mandelbrot-cpu) echo 'shade draw' ;;
	mandelbrot-heap) echo 'main program_run' ;;
	mandelbrot-block) echo 'waitgroup_wait main' ;;
	mandelbrot-wall) echo 'shade draw' ;;
	pipeline-cpu) echo 'work goroutine_entry' ;;
	pipeline-heap) echo 'chan_make work' ;;
	pipeline-block) echo 'select_wait answered work' ;; # for the numbers that are stuck
	pipeline-wall) echo 'work goroutine_entry' ;;
	sieve-cpu | sieve-wall) echo 'pass goroutine_entry' ;;
	sieve-heap) echo 'chan_make channel main' ;;
	sieve-goroutine) echo 'chan_send pass' ;;
	sieve-block) echo 'pass goroutine_entry' ;;
	wordcount-cpu) echo 'count_words worker' ;;
	wordcount-heap) echo 'must_malloc text_keep table_add count_words worker' ;;
	wordcount-block) echo 'waitgroup_wait main' ;;
	wordcount-wall) echo 'worker goroutine_entry' ;;
	*-goroutine) echo 'exit program_run' ;;
	esac
}

opens() { # opens APP PROFILE: by pprof, as text and as a table, by the rules, with the types and the functions it must have
	local want inside sum words=()
	want=$(types "$2")
	inside=$(functions "$1" "$2")
	raw "$OUT/$1/$2.pb.gz" "$2" || return 1
	"$go" tool pprof -symbolize=none -top "$OUT/$1/$2.pb.gz" >"$dir/top" 2>"$dir/pprof.err" || { note "$1/$2: $(head -n 3 "$dir/pprof.err")"; return 1; }
	has "$dir/$2.raw" "^PeriodType: ${want#*|}\$" "^${want%|*}( *\[dflt\])?" '^Mappings$' && has "$dir/top" '^ +flat  flat%' || { note "$1/$2"; return 1; }
	[ "$2" != heap ] || words=(heap rate1)
	rules "$2" "$(wc -w <<<"${want%|*}")" "${words[@]}" || { note "$1/$2"; return 1; }
	[ -n "$inside" ] || return 0
	# shellcheck disable=SC2086
	sum=$(stack_of "$2" $inside)
	[[ " $sum" =~ ' '[1-9] ]] && return 0
	note "$1/$2: ${sum:-no stack} of $inside"
	return 1
}

for app in apps/*/; do
	app=${app#apps/} app=${app%/}
	image "$app"
	boot "$app" INPUT="$dir/text" ARGS="$([ "$app" != sieve ] || echo primes=60)" \
		BOOT="trace=1 prof.hz=1000 prof.wall=100 heap.rate=1 block.rate=1ns mutex.fraction=1" # 60: else a trace of minutes
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
