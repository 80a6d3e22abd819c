# profiling.sh: what sampling costs, in instructions.
# shellcheck shell=bash

make all APP=tests/bench > /dev/null
loop() { make run APP=tests/bench SMP=1 EXACT=1 ARGS=loop=200 BOOT="$1" | sed -n 's/^B loop \([0-9]*\) ns$/\1/p'; }
say "cost of profiling, 4 runs"
off=$(loop prof.cpu=off)
for hz in 100 1000 10000; do
	on=$(loop "prof.hz=$hz")
	awk -v on="$on" -v off="$off" -v hz=$hz -v n=$((off * hz / 1000000000)) 'BEGIN { printf "%.4f %% of a compute loop, %d instructions a sample\n", (on - off) * 100 / off, (on - off) / n }' > "$work/cost"
	row "profiling at $hz Hz (-icount)" "$(cat "$work/cost")"
done
