# lib.sh: what the parts of tools/bench share; sourced, with ARCH and BUILD in the environment.
#
#	make ...          make for this architecture, quiet; its errors are shown when it fails
#	median            of the numbers on standard input
#	row WHAT FIGURE   one line of the result; an empty figure is a run that failed
#	say TEXT          progress, on standard error, unless QUIET=1
#	guest NAME ARGS SETTING...   runs the benchmark image; its lines are in $results/NAME
#
# shellcheck shell=bash

arch=$ARCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
results=$BUILD/bench/$arch
mkdir -p "$results"

# QUIET is about progress here, but tools/run would leave the console out.
make() { command make -s --no-print-directory ARCH="$arch" OUT="$work/out" QUIET= "$@" 2> "$work/stderr" || { cat "$work/stderr" >&2; return 1; }; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
say() { [ "${QUIET:-0}" = 1 ] || printf 'bench: %s: %s\n' "$arch" "$*" >&2; }
row() {
	[[ $2 =~ ^[0-9] ]] || {
		echo "bench: $arch: no figure for: $1" >&2
		exit 1
	}
	printf '%-8s %-58s %s\n' "$arch" "$1" "$2"
}

guest() {
	local name=$1 args=$2 status=0
	shift 2
	make run APP=tests/bench BOOT=prof.cpu=off ARGS="$args" "$@" > "$work/console" || status=$?
	tr -d '\r' < "$work/console" | grep -a '^B [^ ]* P=' > "$results/$name"
	[ "$status" -eq 0 ] || {
		tail -n 20 "$work/console" >&2
		echo "bench: $arch: the benchmark image failed: $args $*" >&2
		exit 1
	}
}

# field NAME BENCHMARK FIELD: the median over the samples in $results/NAME with the most harts; those with fewer are what they are held against
field() {
	local most
	most=$(sed -n "s|^B $2 P=\([0-9]*\) .*|\1|p" "$results/$1" | sort -n | tail -n 1)
	sed -n "s|^B $2 P=$most .* $3=\([0-9.-]*\).*|\1|p" "$results/$1" | median
}

# asked WHAT VALUE UNIT ASKED: a line; ASKED is <N, <=N, >=N or "-"
asked() {
	[[ $2 =~ ^-?[0-9] ]] || {
		echo "bench: $arch: no figure for: $1" >&2
		exit 1
	}
	awk -v arch="$arch" -v what="$1" -v v="$2" -v unit="$3" -v asked="$4" 'BEGIN {
		yes = asked ~ /^<=/ ? (v <= substr(asked, 3) + 0 ? "yes" : "no") : asked ~ /^</ ? (v < substr(asked, 2) + 0 ? "yes" : "no") : asked ~ /^>=/ ? (v >= substr(asked, 3) + 0 ? "yes" : "no") : ""
		printf "%-8s %-58s %10s %-12s %-8s %s\n", arch, what, sprintf(v != int(v) && v < 10 ? "%.2f" : "%.0f", v), unit, asked, yes
	}'
}
scaled() { awk -v by="$1" '{ print $1 / by }'; }
