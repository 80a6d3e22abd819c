#!/bin/bash
# What a profile of a plain run is worth: the same code is profiled plainly, where an interrupt comes at the start of a translation block, and
# with instructions counted, where it comes at any; how much of the samples' time has the function, and the line, that it should.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-plain.sh
#
# Prints the figures of docs/accuracy.md: how much of both profiles is at the same place. It is what a reader gets, so it has in it that
# instructions take different times in the emulator. Judged is only code in which neither matters much, and generously: time in a plain run is
# the host's.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image tests/guest
find_go
export PPROF_TMPDIR=$dir TZ=UTC

# profile TO FILE REGEX: function, line and nanoseconds of the functions that match
profile() {
	"$go" tool pprof -symbolize=none -top -lines -nodecount=10000 -nodefraction=0 -unit=ns -sample_index=cpu "$2" >"$dir/top" 2>>"$dir/notes" || return 1
	awk -v want="$3" '$6 ~ want && $6 !~ /^\[/ && $1 + 0 > 0 { sub(/ns$/, "", $1); print $6, $7, $1 }' "$dir/top" >"$1"
	[ -s "$1" ]
}

# code NAME TEST: of tests/guest
code() {
	local what="timeout=300 ${FULL:+full=1}"
	boot tests/guest SMP=1 BOOT=prof.cpu=off TIMEOUT=400 EXACT=1 ARGS="$2 exact=1 $what" && [ "$status" -eq 0 ] &&
		profile "$dir/exact" "$OUT/guest/plain.pb.gz" '^plain_' &&
		boot tests/guest SMP=1 BOOT=prof.cpu=off TIMEOUT=400 ARGS="$2 $what" && [ "$status" -eq 0 ] &&
		profile "$dir/plain" "$OUT/guest/plain.pb.gz" '^plain_'
	ok $? "$1: profiled with instructions counted and plainly"
	show "$1"
}

# app NAME SETTING...
app() {
	local name=$1
	shift
	image "$name"
	boot "$name" SMP=1 TIMEOUT=400 EXACT=1 BOOT=prof.hz=10000 "$@" && [ "$status" -eq 0 ] && profile "$dir/exact" "$OUT/$name/cpu.pb.gz" . &&
		boot "$name" SMP=1 TIMEOUT=400 BOOT=prof.hz=1000 "$@" && [ "$status" -eq 0 ] && profile "$dir/plain" "$OUT/$name/cpu.pb.gz" .
	ok $? "$name: profiled with instructions counted and plainly"
	show "$name"
}

show() {
	functions=$(same 1) lines=$(same 2)
	printf '# %s, plain against EXACT=1: right function %d.%02d %%, right line %d.%02d %%\n' "$1" $((functions / 100)) $((functions % 100)) \
		$((lines / 100)) $((lines % 100))
}

# same COLUMNS: of two files of profile(), the share in hundredths of a percent that both have at the same place
same() {
	awk -v columns="$1" '
		{ key = columns == 1 ? $1 : $1 " " $2 }
		NR == FNR { a[key] += $3; all_a += $3; next }
		{ b[key] += $3; all_b += $3 }
		END {
			for (k in a) {
				p = a[k] / all_a
				q = b[k] / all_b
				sum += p < q ? p : q
			}
			printf "%d\n", 10000 * sum
		}
	' "$dir/exact" "$dir/plain"
}

code "small blocks and functions" plain.blocks
code loops plain.loops
[ "$functions" -ge 8000 ] || { note "right function: $functions hundredths of a percent, expected 8000"; false; }
ok $? "loops: a plain run charges at least four fifths of the time to the function that it should"
app mandelbrot
app sieve
for i in {1..2000}; do cat LICENSE; done >"$dir/words"
app wordcount INPUT="$dir/words"
done_testing
