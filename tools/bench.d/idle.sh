# idle.sh: what a machine whose goroutines sleep costs its host. The time of two runs that differ in the length of their sleep, so that
# what starting takes does not count.
# shellcheck shell=bash

make all APP=tests/bench > /dev/null
host_ms() { # host_ms SECONDS: processor time of a run that sleeps so long
	local user system TIMEFORMAT='%U %S'
	{ time make run APP=tests/bench BOOT=prof.cpu=off SMP=4 ARGS="idle=$1" > /dev/null; } 2> "$work/time"
	read -r user system < "$work/time"
	awk -v u="$user" -v s="$system" 'BEGIN { printf "%d\n", (u + s) * 1000 }'
}
say "idle, 5 pairs of runs"
for _ in 1 2 3 4 5; do
	short=$(host_ms 1)
	long=$(host_ms 6)
	echo $((long - short))
done | median > "$work/idle"
row "4 idle harts: host processor time" "$(awk '{ printf "%.2f %%", ($1 > 0 ? $1 : 0) / 50 }' "$work/idle")"
