# where.sh: the instructions of an operation by function: what a figure of operations.sh consists of.
#
#	OPERATION="NAME ..."   of the benchmark image, which are counted by `n=N` and `reps=N` (those that miss what is asked)
#
# Two runs, one of which does more operations: what it executes more than the other, divided by their number. Executed is what QEMU says it is
# (-singlestep -d exec), on one hart with instructions counted. Functions that are inlined count for the one that they are in.
# shellcheck shell=bash

make all APP=tests/bench > /dev/null
nm -n "$BUILD/$arch/app/bench/kernel.elf" | awk 'tolower($2) == "t" && $3 !~ /^\$/ { print $1, $3 }' > "$work/functions"

# counted FILE UNTIL ARGS: how often each pc was executed, until UNTIL() began
counted() {
	local counter until=
	[ -z "$2" ] || until=$(awk -v name="$2" '$2 == name { print $1 }' "$work/functions")
	rm -f "$work/exec"
	mkfifo "$work/exec"
	awk -v until="$until" '/^Trace/ && !over {
		pc = substr($0, index($0, "/") + 1, 16)
		if (pc "" == until "") over = 1
		else n[pc]++
	} END { for (pc in n) print pc, n[pc] }' "$work/exec" > "$work/$1" &
	counter=$!
	guest where "$3" SMP=1 EXACT=1 MEM=2G TIMEOUT=600 QEMU_ARGS="-singlestep -d exec,nochain -D $work/exec"
	wait $counter
}

for operation in ${OPERATION:-spawn_join spawn_100k_parked_cold}; do
	say "where the instructions of $operation are, 2 runs"
	case $operation in
	spawn_100k_parked_cold) # as many as there are; what ends them is another benchmark
		more=2000
		counted few chan_close 'spawn_100k_parked reps=1 parked=2000'
		counted many chan_close 'spawn_100k_parked reps=1 parked=4000'
		;;
	*)
		more=8000
		counted few '' "$operation n=4000 reps=2"
		counted many '' "$operation n=4000 reps=4"
		;;
	esac
	sed 's/ / - /' "$work/few" | cat - "$work/many" | sort | # both in the order of addresses, as the functions are
		awk -v arch="$arch" -v operation="$operation" -v more=$more '
			NR == FNR { at[NR] = $1; name[NR] = $2; functions = NR; next }
			{
				while (i < functions && at[i + 1] "" <= $1 "") i++ # as text: some look like numbers
				n[name[i]] += $2 == "-" ? -$3 : $2
			}
			END {
				for (f in n) {
					total += n[f]
					if (n[f] / more < 2) { others += n[f]; continue }
					printf "%-8s %-28s %-40s %8.1f instructions\n", arch, operation, f "()", n[f] / more | "sort -k4nr"
				}
				close("sort -k4nr")
				printf "%-8s %-28s %-40s %8.1f instructions\n", arch, operation, "others, of less than 2 each", others / more
				printf "%-8s %-28s %-40s %8.1f instructions\n", arch, operation, "all of it", total / more
			}' "$work/functions" -
done
