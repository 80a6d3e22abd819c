#!/bin/bash
# apps/mandelbrot against a picture that awk computes, character for character, on 1, 2 and 4 harts.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-mandelbrot.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image mandelbrot

picture() { # picture WIDTH HEIGHT ITERATIONS
	awk -v width="$1" -v height="$2" -v iterations="$3" '
	function floor(v) { return int(v) > v ? int(v) - 1 : int(v) }
	function shade(cx, cy,    x, y, xx, yy, n, digits) {
		x = y = 0
		for (n = 0; n < iterations; n++) {
			xx = floor(x * x / one)
			yy = floor(y * y / one)
			if (xx + yy > 4 * one) {
				for (digits = 0; n > 0; n = int(n / 2)) digits++
				return substr(" .,:;-=+ox%&", (digits < 12 ? digits : 11) + 1, 1)
			}
			y = floor(2 * x * y / one) + cy
			x = xx - yy + cx
		}
		return "#"
	}
	BEGIN {
		one = 1048576
		for (j = 0; j < height; j++) {
			line = ""
			for (i = 0; i < width; i++)
				line = line shade(-2.25 * one + int(3 * one * (2 * i + 1) / (2 * width)), -1.25 * one + int(2.5 * one * (2 * j + 1) / (2 * height)))
			print "|" line "|"
		}
	}'
}

check() { # check WIDTH HEIGHT ITERATIONS HARTS
	local bad=0
	SMP=$4 boot mandelbrot ARGS="width=$1 height=$2 iterations=$3" BOOT=prof.cpu=off
	equal status "$status" 0 || bad=1
	[ -f "$dir/$1-$2-$3" ] || picture "$1" "$2" "$3" >"$dir/$1-$2-$3"
	grep -a '^|' "$dir/out" >"$dir/picture"
	cmp -s "$dir/picture" "$dir/$1-$2-$3" || {
		note "the pictures differ (< ours, > awk's):"
		diff "$dir/picture" "$dir/$1-$2-$3" | head -n 6 >>"$dir/notes"
		bad=1
	}
	has "$dir/out" "^$(($1 * $2)) points on [1-$4] harts, " || bad=1
	ok $bad "$1 x $2, $3 iterations, $4 harts"
}

for harts in 1 2 4; do check 100 40 1000 $harts; done
check 1 1 1 2
check 200 3 100 4
check 33 77 3000 4

boot mandelbrot ARGS="width=0"
bad=0
equal status "$status" 1 || bad=1
has "$dir/out" '^mandelbrot: width=0: expected a number from 1 to 200$' || bad=1
ok $bad "a bad argument is status 1 and one line"
done_testing
