#!/bin/sh
# The encoder, the compressor and the top table against the real `go tool pprof`: profiles written natively must be
# opened without complaint, show what went in, and give the same table as our own, number for number.
#
#	HB_GO=path/of/go tests/e2e/test-pprof-host.sh [BUILD_FOLDER]
#
# Prints TAP; exits 1 if a test failed, 2 if nothing could be tested.
set -u
cd "$(dirname "$0")/../.." || exit 2
go=${HB_GO:-go}
command -v "$go" >/dev/null || {
	echo "Bail out! no go command: set HB_GO to one of version 1.22 or newer"
	exit 2
}
dir=${1:-build/host/pprof}
mkdir -p "$dir" || exit 2
${CC:-cc} -std=gnu11 -g -O1 -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=undefined -I. -Iinclude \
	-o "$dir/pprof_sample" tests/host/pprof_sample.c tests/host/host_panic.c prof/builder.c prof/intern.c \
	prof/protobuf.c prof/pprof.c prof/gzip.c prof/decimal.c prof/top.c -lz || {
	echo "Bail out! pprof_sample does not build"
	exit 2
}
PPROF_TMPDIR=$dir
TZ=UTC
export PPROF_TMPDIR TZ

n=0
failed=0
result() { # result STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

pprof() { # pprof FILE FLAG...: standard output to $dir/out
	file=$1
	shift
	if ! "$go" tool pprof -symbolize=none "$@" "$file" >"$dir/out" 2>"$dir/err"; then
		sed 's/^/# /' "$dir/err"
		return 1
	fi
}

has() { # has NAME LINE...: each is a line of $dir/out, blanks squeezed
	name=$1 status=0
	shift
	for line; do
		tr -s ' \t' ' ' <"$dir/out" | sed 's/^ //; s/ $//' | grep -qxF -e "$line" || {
			echo "# missing: $line"
			status=1
		}
	done
	result $status "$name"
}

# The lines that both tables have: total, share, and the rows without pprof's remark on inlining.
table() {
	sed -n -e 's/ *(\(partial-\)\{0,1\}inline)$//' \
		-e 's/^.*\(Total samples = [^,]*[^, ]\)\(,.*\)\{0,1\} *$/\1/p' \
		-e 's/^Showing.*accounting for //p' -e '/flat%/,$p' "$1" | sed 's/ *$//'
}

compare() { # compare SCENARIO ROWS
	"$dir/pprof_sample" "$1" "$dir/$1.pb.gz" "$2" >"$dir/$1.top" &&
		pprof "$dir/$1.pb.gz" -top -nodefraction=0 -edgefraction=0 -nodecount="$2" &&
		table "$dir/$1.top" >"$dir/ours" && table "$dir/out" >"$dir/theirs" &&
		[ "$(wc -l <"$dir/ours")" -ge 3 ] && diff "$dir/theirs" "$dir/ours" >"$dir/diff"
	status=$?
	[ $status -eq 0 ] || head -20 "$dir/diff" | sed 's/^/# /'
	result $status "top table is pprof's: $1, rows $2 (0: all)"
}

for scenario in plain ns us ms hours; do
	compare $scenario 0
	compare $scenario 10
done
compare plain 3
compare ms 1

"$dir/pprof_sample" plain "$dir/plain.pb.gz" 0 >/dev/null
gzip -t "$dir/plain.pb.gz"
result $? "gzip accepts the file"
pprof "$dir/plain.pb.gz" -raw
has "raw: types, period, duration, mapping, comments" 'PeriodType: cpu nanoseconds' 'Period: 10000000' \
	'Duration: 5s' 'samples/count cpu/nanoseconds' 'Comment: lost: 5 ticks, 50ms' \
	'Comment: sampled at 100 Hz on 4 harts' '1: 0x80200000/0x80228000/0x1000 out/hello.elf 0123456789abcdef'
grep -q 'Time: 2023-11-14 22:13:20' "$dir/out"
result $? "raw: time"
grep -qE '^ *[0-9]+: 0x80203900 M=1 inline_leaf include/inline.h:5(:0)? s=3' "$dir/out" &&
	grep -qE '^ +inline_middle include/inline.h:15(:0)? s=13' "$dir/out" &&
	grep -qE '^ +function_3 a.c:3144(:0)? s=3000' "$dir/out"
result $? "raw: inlined frames are lines of one location"
grep -qE '^ *[0-9]+: 0x80200030 M=1 function_0 ' "$dir/out"
result $? "raw: a caller's address lies in its call"
status=0
for name in '\[switch\]' '\[irq-off\]' '\[system\]' '\[lost\]' '\[truncated\]'; do
	[ "$(grep -cE "^ *[0-9]+: 0x0 $name " "$dir/out")" = 1 ] || {
		echo "# no location of its own: $name"
		status=1
	}
done
result $status "raw: a synthetic frame has one location, address 0, no mapping"
grep -qE '^ *1 +10000000: *$' "$dir/out"
result $? "raw: a sample without frames is kept"

pprof "$dir/plain.pb.gz" -tags
has "tags: labels with their weights" 'goroutine: Total 4.0s' '3.0s (74.81%): splitter' '1.0s (25.19%): worker'
pprof "$dir/plain.pb.gz" -comments
has "comments: the losses" 'lost: 5 ticks, 50ms'
pprof "$dir/plain.pb.gz" -top -sample_index=samples
has "top by ticks" '401 40.10% 40.10% 401 40.10% function_1'

"$dir/pprof_sample" empty "$dir/empty.pb.gz" 10 >"$dir/empty.top"
pprof "$dir/empty.pb.gz" -raw
has "an empty profile is valid" 'PeriodType: cpu nanoseconds' 'Period: 10000000' 'samples/count cpu/nanoseconds'
pprof "$dir/empty.pb.gz" -top
has "an empty profile has an empty table" 'flat flat% sum% cum cum%'

"$dir/pprof_sample" ms "$dir/ms2.pb.gz" 0 >/dev/null
cmp "$dir/ms.pb.gz" "$dir/ms2.pb.gz"
result $? "the same samples give the same bytes"
pprof "$dir/ms.pb.gz" -proto -output="$dir/merged.pb.gz" "$dir/ms2.pb.gz" && pprof "$dir/merged.pb.gz" -raw
result $? "pprof merges two of our profiles"

echo "1..$n"
exit $failed
