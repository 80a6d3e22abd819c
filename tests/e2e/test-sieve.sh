#!/bin/bash
# apps/sieve against a sieve of the host, on 1, 2 and 4 harts: the last prime, the sum of all, and a goroutine for each.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-sieve.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image sieve

primes() { # primes N: the Nth prime, and the sum of the first N
	awk -v want="$1" 'BEGIN {
		for (n = 2; found < want; n++) {
			if (!(n in crossed)) { found++; last = n; sum += n }
			if (!(n in crossed)) for (k = n * n; k < 200000; k += n) crossed[k]
		}
		print last, sum
	}'
}

check() { # check PRIMES HARTS
	local bad=0 last sum
	read -r last sum < <(primes "$1")
	SMP=$2 boot sieve ARGS="primes=$1" BOOT=prof.cpu=off
	equal status "$status" 0 || bad=1
	# A short run may end before all harts have started.
	has "$dir/out" "^prime $1 is $last, the sum of all so far $sum\$" "^$(($1 + 2)) goroutines on [1-$2] harts, " || bad=1
	[ "$1" -lt 2000 ] || has "$dir/out" " on $2 harts, " || bad=1
	ok $bad "the first $1 primes, $2 harts"
}

equal "the 2000th prime" "$(primes 2000)" "17389 16274627"
ok $? "the host's sieve knows the 2000th prime"
for harts in 1 2 4; do check 2000 $harts; done
check 1 1
check 10 2
check 500 4

boot sieve ARGS="primes=0"
bad=0
equal status "$status" 1 || bad=1
has "$dir/out" '^sieve: primes=0: expected primes=N, 1 to 20000$' || bad=1
ok $bad "a bad argument is status 1 and one line"
done_testing
