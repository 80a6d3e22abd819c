# go.sh: the benchmarks of Go's own packages by their names: instructions on one hart, nanoseconds on one and on two.
# shellcheck shell=bash

make all APP=tests/bench > /dev/null
subjects="go_chan go_select go_sched go_sync go_rwmutex go_pool go_time go_labels"
say "Go's benchmarks, instructions counted, 1 hart"
guest go-exact "$subjects t=5 reps=3" SMP=1 EXACT=1 MEM=2G
for harts in 1 2; do
	say "Go's benchmarks, in time, $harts harts"
	guest "go-$harts" "$subjects t=50 reps=3" SMP=$harts MEM=2G TIMEOUT=1800
done
printf '%-8s %-54s %14s %14s %14s\n' "$arch" benchmark instructions 'ns, 1 hart' 'ns, 2 harts'
for name in $(sed -n 's/^B \([^ ]*\) .*/\1/p' "$results/go-2" | awk '!seen[$1]++'); do
	printf '%-8s %-54s' "$arch" "$name"
	for run in go-exact go-1 go-2; do
		value=$(field "$run" "$name" ns_op)
		printf ' %14s' "${value:--}"
	done
	echo
done
