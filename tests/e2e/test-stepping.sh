#!/bin/bash
# tests/stepping: code is run one instruction at a time, and each stop's walk is held against two others, by a judge that reads the stops from the
# machine's memory while it runs. One hart, instructions counted.
#
#	[ARCH=...] [BUILD=...] [FULL=1] [STOPS=N] [MUTANT=name] tests/e2e/test-stepping.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
STOPS=${STOPS:-$([ "$FULL" = 1 ] && echo 1000000 || echo 100000)}
GDB_STOPS=$([ "$FULL" = 1 ] && echo 1000 || echo 50)
mutant=${MUTANT:-}
image tests/stepping "$mutant"
make_here "$BUILD/tools/judge" >"$dir/build" 2>&1 || bail "the judge does not build"
elf=$BUILD/$ARCH/app${mutant:+-$mutant}/stepping/kernel.elf
judge_pid=
trap '[ -z "$judge_pid" ] || kill "$judge_pid" 2>/dev/null; rm -rf "$dir"' EXIT

# The instructions of one section of code, without what fills gaps and what nobody comes to.
instructions() { # instructions PREFIX
	local tool=objdump
	[ "$ARCH" != riscv64 ] || tool=riscv64-unknown-elf-objdump
	$tool -d --no-show-raw-insn --start-address="$(address "$1_start")" --stop-address="$(address "$1_end")" "$elf" |
		grep -P '^ +[0-9a-f]+:\t' | grep -vP '\t(nop|xchg|cs nop|data16|unimp|ud2|nopw|nopl)' | sed 's/^ *\([0-9a-f]*\):.*/\1/'
}

address() { nm "$elf" | awk -v name="$1" '$3 == name {print "0x" $1}'; }

{ instructions __switch && instructions __trap; } | sort >"$dir/instructions"
[ -s "$dir/instructions" ] || bail "no instructions in the switch"
case $ARCH in
riscv64) CPU=rv64,sscofpmf=on ;;
*) CPU=max ;;
esac

# Runs the image and the judge: $status, and the judge's in $verdict. $dir/missed keeps those of its instructions that no stop was at.
stepped() { # stepped ARGS [CORES STEP]
	local args=$1
	shift
	rm -f "$dir/ram"
	"$BUILD/tools/judge" "$elf" "$dir/ram" "$dir/instructions" "$dir/now" "$@" >"$dir/verdict" 2>&1 &
	judge_pid=$!
	boot tests/stepping SMP=1 EXACT=1 CPU=$CPU MACHINE="$MACHINE,memory-backend=ram" BOOT=prof.cpu=off ARGS="$args" \
		TIMEOUT=$((200 + STOPS / 1000)) QEMU_ARGS="-object memory-backend-file,id=ram,size=$MEM,mem-path=$dir/ram,share=on"
	wait "$judge_pid"
	verdict=$?
	judge_pid=
	[ -f "$dir/missed" ] || cp "$dir/now" "$dir/missed"
	join "$dir/missed" <(cut -d' ' -f1 "$dir/now") >"$dir/still"
	mv "$dir/still" "$dir/missed"
}

walks() {
	equal "the judge's status" "$verdict" 0 && has "$dir/verdict" '^ok 1 - every walk is the true stack$' && return
	sed 's/^/judge: /' "$dir/verdict" >>"$dir/notes"
	return 1
}

mkdir "$dir/cores"
stepped "stops=$STOPS" "$dir/cores" $(((STOPS + GDB_STOPS - 1) / GDB_STOPS))
grep '^#' "$dir/verdict"
bad=0
equal status "$status" 0 || bad=1
ok $bad "the corpus ran to its end"
bad=0
walks || bad=1
ok $bad "every walk is the true stack"

if command -v gdb-multiarch >/dev/null; then
	timeout 300 gdb-multiarch -nx -batch -ex 'set osabi GNU/Linux' -ex "file $elf" -ex "py folder = '$dir/cores'" \
		-x tests/stepping/judge/gdb.py >"$dir/gdb" 2>&1
	grep '^#' "$dir/gdb"
	bad=0
	[ -n "$mutant" ] || has "$dir/gdb" '^# gdb: [1-9][0-9]* stops compared, [1-9][0-9]* of them to the root, 0 differ$' || bad=1
	ok $bad "gdb finds the same stacks"
else
	ok 0 "gdb finds the same stacks # SKIP gdb-multiarch is not installed"
fi

# What only a failing kernel comes to: the image dies on purpose; FULL=1 steps its report, too. Not with fewer stops than usual, which mutants are tried with.
died() { # died END MESSAGE
	local bad=0
	stepped "end=$1${FULL:+ report=1}"
	equal status "$status" 2 || bad=1
	has "$dir/out" "$2" || bad=1
	walks || bad=1
	died_stops=$((died_stops + $(sed -n 's/^# \([0-9]*\) stops compared.*/\1/p' "$dir/verdict")))
	ok $bad "end=$1: every walk is the true stack"
}

died_stops=0
[ "$STOPS" -ge 100000 ] || done_testing
for end in switch begin begin_last resume; do
	died $end '^panic: assertion failed: a switch happens with interrupts on$'
done
if [ "$ARCH" = riscv64 ]; then
	died nested '^panic: double fault: load page fault$'
	died entry '^panic: double fault: store page fault$'
	died lost '^fatal error: load page fault with the hart pointer lost: '
	died wild '^fatal error: load page fault with the hart pointer lost: '
fi
echo "# $died_stops stops while the machine died"
all=$(wc -l <"$dir/instructions")
echo "# $((all - $(wc -l <"$dir/missed"))) of the $all instructions of the switch and of trap entry and exit were stopped at$([ ! -s "$dir/missed" ] || echo "; not:")"
awk '$2 != last {printf "%s#   %s", last == "" ? "" : "\n", $2} {printf " %s", $3; last = $2} END {if (NR) print ""}' "$dir/missed"
# Chance decides what the corpus meets of the rest: which of two goroutines ends first, and where a step passes over an instruction.
if [ "$FULL" = 1 ]; then
	bad=0
	[ "$(wc -l <"$dir/missed")" -le $((all / 100)) ] || bad=1
	ok $bad "at least 99 of 100 instructions of the switch and of trap entry and exit were stopped at"
fi
if [ "$ARCH" = riscv64 ]; then
	bad=0
	! grep -E ' trap_(nested|last) ' "$dir/missed" >>"$dir/notes" || bad=1
	ok $bad "every instruction of trap_nested and trap_last was stopped at"
fi
done_testing
