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
mkdir "$dir/cores"
"$BUILD/tools/judge" "$elf" "$dir/ram" "$dir/instructions" "$dir/cores" $(((STOPS + GDB_STOPS - 1) / GDB_STOPS)) >"$dir/verdict" 2>&1 &
judge_pid=$!
boot tests/stepping SMP=1 EXACT=1 CPU=$CPU MACHINE="$MACHINE,memory-backend=ram" BOOT=prof.cpu=off ARGS="stops=$STOPS" \
	TIMEOUT=$((200 + STOPS / 1000)) QEMU_ARGS="-object memory-backend-file,id=ram,size=$MEM,mem-path=$dir/ram,share=on"
wait "$judge_pid"
verdict=$?
judge_pid=
grep '^#' "$dir/verdict"
bad=0
equal status "$status" 0 || bad=1
ok $bad "the corpus ran to its end"
bad=0
equal "the judge's status" "$verdict" 0 || bad=1
has "$dir/verdict" '^ok 1 - every walk is the true stack$' || bad=1
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
done_testing
