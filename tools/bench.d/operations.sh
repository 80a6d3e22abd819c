# operations.sh: each operation of peers.txt beside the best Go runtime and what is asked. $operations: only these; empty: all.
# Columns: the figure here, the figure of Go, what is asked, Go's figure divided by ours, and whether that is what is asked.
#
# Runs of the benchmark image: instructions counted on one hart; plain on one hart and on two; the same with harts that spin before they sleep.
# shellcheck shell=bash

peers=tools/bench.d/peers.txt
make all APP=tests/bench > /dev/null

names() { # names RUN HARTS: the benchmarks of such rows
	awk -v run="$1" -v harts="$2" -v only=" $operations " '/^[a-z]/ && $3 == run && $2 == harts && (only == "  " || index(only, " " $1 " ")) { print $1 }' $peers |
		sort -u | sed 's/^spawn_100k_parked_cold$/spawn_100k_parked/' | tr '\n' ' '
}

say "operations, instructions counted, 1 hart"
list=$(names exact 1)
[ -z "$list" ] || guest exact-1 "$list t=20 reps=3 sleeps=100 parked=20000 spawn=20000" SMP=1 EXACT=1 MEM=2G
for harts in 1 2; do
	say "operations, in time, $harts harts"
	list=$(names plain $harts)
	[ -z "$list" ] || guest "plain-$harts" "$list t=100 reps=9" SMP=$harts MEM=2G
done

for harts in 1 2; do
	list=$(names spin $harts)
	[ -z "$list" ] || say "operations, in time, $harts harts that spin before they sleep"
	[ -z "$list" ] || guest "spin-$harts" "$list reps=3" SMP=$harts MEM=2G BOOT="prof.cpu=off sched.spin=2ms"
done

printf '%-8s %-28s %-12s %10s %10s  %-11s %10s  %s\n' "$arch" operation unit here Go asked reached 'yes?'
while read -r name harts run field x86 riscv asked; do
	case $name in '' | '#'*) continue ;; esac
	[ -z "$operations" ] || [[ " $operations " = *" $name "* ]] || continue
	value=$(field "$run-$harts" "$name" "$field")
	[[ $value =~ ^[0-9] ]] || {
		echo "bench: $arch: no figure for: $name, $harts harts, $run, $field" >&2
		exit 1
	}
	[ "$arch" = riscv64 ] && peer=$riscv || peer=$x86
	echo "$name $harts $run $field $value $peer $asked"
done < $peers | awk -v arch="$arch" '
	function short(x) { return sprintf(x < 100 ? "%.2f" : "%.0f", x) }
	{
		unit = $3 == "exact" ? "instructions" : $3 == "spin" ? "ns, spinning" : "ns"
		if ($4 == "sys_B") unit = "bytes"
		if ($4 == "speedup") unit = "times"
		factor = $4 == "speedup" ? $5 / $6 : ($5 > 0 ? $6 / $5 : 0)
		asked = $7
		if (asked == "peer") { yes = $5 >= $6; asked = ">=" $6 }
		else if (asked ~ /^<=/) yes = $5 + 0 <= substr(asked, 3) + 0
		else yes = factor >= asked + 0
		printf "%-8s %-28s %-12s %10s %10s  %-11s %10s  %s\n", arch, $1 ($2 > 1 ? ", " $2 " harts" : ""), unit, short($5), short($6), asked, sprintf("%.2fx", factor), yes ? "yes" : "no"
	}'
