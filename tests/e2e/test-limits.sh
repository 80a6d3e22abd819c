#!/bin/bash
# How many goroutines fit into memory (tests/limits): a million into 8 GiB; what fits into 256 MiB, then a clean error, and the rest runs on;
# what one that waits costs.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-limits.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image tests/limits
image tests/bench

boot tests/limits MEM=256M SMP=2 BOOT=prof.cpu=off ARGS=1000000
bad=0
equal status "$status" 0 || bad=1
has "$dir/out" '^round 0: [0-9]{5} goroutines wait, then Not enough space$' '^round 1: [0-9]{5} goroutines wait, then ' '^all ended$' || bad=1
ok $bad "a million goroutines in 256 MiB: go() says no, the others run on, and memory is there again"

if [ "${FULL:-0}" = 1 ]; then
	boot tests/limits MEM=8G SMP=2 BOOT=prof.cpu=off ARGS=1000000
	bad=0
	equal status "$status" 0 || bad=1
	has "$dir/out" '^round 0: 1000000 goroutines wait$' '^round 1: 1000000 goroutines wait$' '^all ended$' || bad=1
	ok $bad "a million goroutines in 8 GiB"
fi

boot tests/bench MEM=1G SMP=1 BOOT=prof.cpu=off ARGS="spawn_100k_parked reps=1"
cost=$(sed -nE 's/^B spawn_100k_parked_cold .* sys_B=([0-9]+).*/\1/p' "$dir/out")
note "a goroutine that waits costs ${cost:-?} bytes, its stack page of 4096 included"
[ -n "$cost" ] && [ "$cost" -ge 4096 ] && [ "$cost" -le $((4096 + 2000)) ]
ok $? "100,000 goroutines that wait cost at most 2,000 bytes each beyond their stack page"
done_testing
