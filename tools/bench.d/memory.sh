# memory.sh: what a parked goroutine holds in memory, over everything the kernel uses for it.
# shellcheck shell=bash

make all APP=tests/bench > /dev/null
parked() { # parked COUNT MEM
	say "memory of $1 parked goroutines"
	guest "parked-$1" "spawn_100k_parked parked=$1 reps=1" SMP=1 MEM="$2" TIMEOUT=1800
	local all stack
	all=$(field "parked-$1" spawn_100k_parked_cold sys_B)
	stack=$(field "parked-$1" spawn_100k_parked_cold stack_B)
	row "$1 parked goroutines: bytes of each" "$all = $stack of stack and $((all - stack))"
}
parked 100000 2G
[ "${FULL:-0}" != 1 ] || parked 1000000 8G
