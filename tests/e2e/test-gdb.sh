#!/bin/bash
# tools/gdb/hartbeat.py on a live machine: gdb connects to QEMU while tests/gdb/main.c runs, looks at goroutines in every state, goes, and the program
# ends as if nobody had been there.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-gdb.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
if ! command -v gdb-multiarch >/dev/null; then
	echo "ok 1 - gdb # SKIP gdb-multiarch is not installed (tools/setup packages-test brings it)"
	echo "1..1"
	exit 0
fi
image tests/gdb
elf=$BUILD/$ARCH/app/gdb/kernel.elf
# A socket with a name: no port can be taken. The machine starts when gdb says so.
boot tests/gdb SMP=2 BOOT=prof.cpu=off TIMEOUT=300 QEMU_ARGS="-chardev socket,path=$dir/gdb.sock,server=on,wait=off,id=gdb -gdb chardev:gdb -S" &
guest=$!
for ((i = 0; i < 600; i++)); do
	[ ! -S "$dir/gdb.sock" ] || break
	sleep 0.1
done
timeout 240 gdb-multiarch -nx -batch "$elf" -ex 'set osabi GNU/Linux' -ex 'set pagination off' -ex "target remote $dir/gdb.sock" \
	-x tools/gdb/hartbeat.py -x tests/gdb/check.py >"$dir/gdb" 2>&1
cp "$dir/gdb" "$dir/notes"
while read -r line; do
	case $line in
	ok\ * | not\ ok\ *)
		n=$((n + 1))
		[[ $line == ok* ]] || failed=1
		echo "${line%% - *} $n - ${line#* - }"
		;;
	'# '*) echo "$line" ;;
	esac
done <"$dir/gdb"
seen=$n
wait "$guest"
bad=0
equal tests "$seen" 19 || bad=1
has "$dir/all" '^hb: exit 0' || bad=1
ok $bad "the program went on when gdb left, and ended"
done_testing
