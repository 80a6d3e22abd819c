#!/bin/bash
# Harts that the firmware starts at the boot hart's entry, as OpenSBI before 1.3 may do on a busy host (boot/riscv64/entry.S): gdb sends them there.
#
#	[ARCH=riscv64] [BUILD=...] tests/e2e/test-astray.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
skip() {
	echo "ok 1 - harts at the wrong entry # SKIP $*"
	echo "1..1"
	exit 0
}
[ "$ARCH" = riscv64 ] || skip "x86-64 starts its harts without firmware"
command -v gdb-multiarch >/dev/null || skip "gdb-multiarch is not installed (tools/setup packages-test brings it)"
image tests/guest
for bios in own default; do
	rm -f "$dir/gdb.sock"
	boot tests/guest ARGS="proc.goroutine_parallelism" SMP=4 BOOT=prof.cpu=off TIMEOUT=120 $([ $bios = own ] || echo BIOS=$bios) \
		QEMU_ARGS="-chardev socket,path=$dir/gdb.sock,server=on,wait=off,id=gdb -gdb chardev:gdb -S" &
	guest=$!
	for ((i = 0; i < 600; i++)); do
		[ ! -S "$dir/gdb.sock" ] || break
		sleep 0.1
	done
	timeout 100 gdb-multiarch -nx -batch "$BUILD/$ARCH/app/guest/kernel.elf" -ex 'set osabi GNU/Linux' -ex 'set pagination off' \
		-ex "target remote $dir/gdb.sock" -x tests/gdb/astray.py >"$dir/gdb" 2>&1
	cp "$dir/gdb" "$dir/notes"
	wait "$guest"
	bad=0
	has "$dir/gdb" '^sent astray: 3$' || bad=1
	has "$dir/out" '^hb: guest on riscv64, 4 harts' '^ok 1 - proc.goroutine_parallelism ' '^hb: exit 0$' || bad=1
	! grep 'did not start' "$dir/out" >>"$dir/notes" || bad=1
	ok $bad "harts at the wrong entry find their own, and all run (BIOS=$bios)"
done
done_testing
