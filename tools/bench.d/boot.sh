# boot.sh: from the first instruction, and from QEMU's start, to the first goroutine.
# shellcheck shell=bash

runs=${RUNS:-7}
machines=$([ "$arch" = riscv64 ] && echo virt || echo "q35 microvm")
make all APP=hello > /dev/null

boot_us() { make run APP=hello BOOT=prof.cpu=off "$@" | sed -n 's/.*first goroutine after \([0-9]*\) us.*/\1/p'; }
for machine in $machines; do
	say "boot of $machine, $runs runs"
	for smp in 1 4; do
		us=$(for _ in $(seq "$runs"); do boot_us MACHINE="$machine" SMP=$smp; done | median)
		row "$machine, $smp harts: kernel entry to first goroutine" "$us us"
	done
	row "$machine, 1 hart: the same, instructions (-icount)" "$(boot_us MACHINE="$machine" SMP=1 EXACT=1)000"
	for _ in $(seq "$runs"); do
		make run APP=hello BOOT=prof.cpu=off MACHINE="$machine" SMP=1 TRACE_START="$work/start" |
			while read -r line; do
				[[ $line != *'first goroutine'* ]] || echo $((${EPOCHREALTIME/./} - $(cat "$work/start")))
			done
	done > "$work/us"
	row "$machine, 1 hart: QEMU's start to first goroutine's first line" "$(median < "$work/us") us"
done
