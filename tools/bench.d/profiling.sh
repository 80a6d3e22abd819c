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
say "instructions of a sample"
make all APP=tests/guest > /dev/null
make run APP=tests/guest SMP=1 EXACT=1 BOOT=prof.cpu=off ARGS="cost exact=1 full=1" > "$work/console" || true
for depth in 5 20; do
	row "a sample of depth $depth, trap entry to exit" "$(sed -n "s/^# cost: \([0-9]*\) instructions a sample of depth $depth\r*$/\1 instructions/p" "$work/console")"
	row "to drain and fold it" "$(sed -n "s/^# cost: \([0-9]*\) instructions to drain and fold a sample of depth $depth,.*/\1 instructions/p" "$work/console")"
done
row "builder" "$(sed -n 's/^# cost: \(1000000 samples of .*\)\r*$/\1/p' "$work/console" | tr -d '\r')"
say "size of a profile"
make all APP=wordcount > /dev/null
for _ in {1..40}; do cat README.md docs/*.md; done > "$work/text"
make run APP=wordcount EXACT=1 INPUT="$work/text" BOOT=prof.hz=10000 > "$work/console"
stacks=$(sed -n 's/^hb: cpu.pb.gz: \([0-9]*\) stacks; .*/\1/p' "$work/console")
bytes=$(stat -c %s "$work/out/$arch/wordcount/cpu.pb.gz")
lines=$(awk '/^@hb B .* cpu.pb.gz/ { s = $3 } /^@hb/ && $3 == s { n += length($0) + 1 } END { print n }' "$work/out/$arch/wordcount/console.log")
row "size of wordcount's profile at 10 kHz" "$bytes bytes for $stacks stacks; $lines on the serial line: $(awk -v n="$lines" 'BEGIN { printf "%.1f", n * 10 / 115200 }') s at 115,200 baud"
