#!/bin/bash
# Bad input: each is one line that names it and says what was expected, with the right status, and nothing hangs.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-badinput.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image hello
image wordcount

# ---- make ----

refused() { # refused NAME REGEX VARIABLE=value ...: make run says so in one line of its own, before anything is built or booted
	local name=$1 want=$2 bad=0
	shift 2
	make BUILD="$BUILD" OUT="$OUT" ARCH="$ARCH" APP=hello "$@" run </dev/null >"$dir/out" 2>"$dir/err"
	status=$?
	equal status $status 2 || bad=1
	has "$dir/err" "$want" || bad=1
	equal "lines besides make's" "$(grep -cvE '^make(\[[0-9]+\])?: ' "$dir/err")" "$(grep -qE '^Makefile:' "$dir/err" && echo 1 || grep -c '^run: ' "$dir/err")" || bad=1
	! grep -q '^hb: ' "$dir/out" || { note "it was booted"; bad=1; }
	ok $bad "$name"
}
refused "unknown ARCH" 'ARCH=mips: expected one of: riscv64 x86_64' ARCH=mips
refused "unknown MACHINE" 'MACHINE=pc: expected one of: ' MACHINE=pc
refused "MACHINE of the other architecture" 'MACHINE=(q35|virt): expected one of: ' MACHINE="$([ "$ARCH" = riscv64 ] && echo q35 || echo virt)"
refused "unknown SERVE" 'SERVE=0: expected 1, or nothing' SERVE=0
refused "unknown APP" 'APP=nothing: no C file in apps/nothing; expected one of: hello .*wordcount' APP=nothing
refused "APP that is an empty folder" "APP=$dir/empty: no C file in $dir/empty" APP="$dir/empty"

# Found by tools/run.
named() { # named NAME WANT_STATUS REGEX NAME=value ...
	local name=$1 want_status=$2 want=$3 bad=0
	shift 3
	boot "${app:-hello}" "$@"
	equal status "$status" "$want_status" || bad=1
	has "$dir/err" "$want" || bad=1
	[ "$want_status" -ne 97 ] || {
		equal "lines" "$(wc -l <"$dir/err")" 1 || bad=1
		[ ! -s "$dir/all" ] || { note "it was booted"; bad=1; }
	}
	ok $bad "$name"
}
for smp in 0 x -1 33 1.5 '' 99999999999999999999; do
	named "SMP=$smp" 97 "^run: SMP=$smp: expected a number of harts from 1 to 32\$" SMP="$smp"
done
for mem in 1X 0M 1.5G '' 512 ; do
	named "MEM=$mem" 97 "^run: MEM=$mem: expected " MEM="$mem"
done
named "MEM=8M" 97 '^run: MEM=8M: expected at least 64M$' MEM=8M
named "TIMEOUT=soon" 97 '^run: TIMEOUT=soon: expected seconds' TIMEOUT=soon
named "EXACT=yes" 97 '^run: EXACT=yes: expected 0 or 1$' EXACT=yes
named "BIOS that is not there" 97 "^run: BIOS=$dir/none: cannot be read\$" BIOS="$dir/none"
named "BOOT with program arguments" 97 '^run: BOOT=-- x: program arguments go into ARGS$' BOOT='-- x'
named "INPUT that is not there" 97 "^run: INPUT=$dir/none: not a file that can be read\$" INPUT="$dir/none"
named "INPUT that is a folder" 97 "^run: INPUT=$dir: not a file that can be read\$" INPUT="$dir"
: >"$dir/empty_file"
named "INPUT that is empty" 97 "^run: INPUT=$dir/empty_file: is empty\$" INPUT="$dir/empty_file"
echo text >"$dir/secret"
chmod 000 "$dir/secret"
if [ -r "$dir/secret" ]; then
	n=$((n + 1))
	echo "ok $n - INPUT that may not be read # SKIP root may read everything"
else
	named "INPUT that may not be read" 97 "^run: INPUT=$dir/secret: not a file that can be read\$" INPUT="$dir/secret"
fi
truncate -s 100M "$dir/large"
named "INPUT larger than memory" 97 "^run: INPUT=$dir/large: 104857600 bytes; with MEM=64M at most [0-9]+ fit\$" MEM=64M INPUT="$dir/large"
named "CPU that QEMU does not know" 98 "^qemu-system-$ARCH: .*(nocpu|CPU)" CPU=nocpu
named "MEM that QEMU cannot have" 98 'QEMU ended with status 1' MEM=999999G

# The largest that fits does fit, and leaves memory for the program: one word of 3 MB, and zeros.
mem=64M
truncate -s 1G "$dir/large"
boot wordcount INPUT="$dir/large" MEM=$mem
room=$(sed -nE 's/.* at most ([0-9]+) fit$/\1/p' "$dir/err")
note "refused at 1 GiB with: $(cat "$dir/err")"
head -c 3000000 /dev/zero | tr '\0' 'a' >"$dir/large"
truncate -s "${room:-1}" "$dir/large"
boot wordcount INPUT="$dir/large" MEM=$mem ARGS="workers=4"
bad=0
equal status "$status" 0 || bad=1
has "$dir/out" "^${room:-nothing} bytes, 4 workers on $SMP harts, 1 passes in " || bad=1
{ printf '1\t'; head -c 3000000 "$dir/large"; echo; } | cmp - "$OUT/wordcount/counts.txt" >>"$dir/notes" 2>&1 || bad=1
ok $bad "the largest INPUT that MEM=$mem takes ($room bytes) is read whole and counted"

# ---- boot options: found by the kernel, status 2 ----

option() { # option BOOT REGEX
	local bad=0
	boot hello BOOT="$1"
	equal status "$status" 2 || bad=1
	has "$dir/out" "^boot: $2\$" || bad=1
	equal "last line" "$(tail -n 1 "$dir/out")" "hb: exit 2" || bad=1
	equal lines "$(wc -l <"$dir/out")" 2 || bad=1
	ok $bad "BOOT=$1"
}
option prof.hertz=100 "boot option 'prof.hertz': not known.*"
option prof.hs=100 "boot option 'prof.hs': not known; did you mean 'prof.hz'\?"
option prof.hz=0 "boot option 'prof.hz': bad value '0', .*1.*10000.* expected"
option prof.hz=10001 "boot option 'prof.hz': bad value '10001', .* expected"
option prof.hz=1000000 "boot option 'prof.hz': bad value '1000000', .* expected"
option prof.hz=-1 "boot option 'prof.hz': bad value '-1', .* expected"
option prof.hz= "boot option 'prof.hz': bad value '', .* expected"
option heap.rate=2T "boot option 'heap.rate': bad value '2T', .* expected"
option heap.rate=half "boot option 'heap.rate': bad value 'half', .* expected"
option block.rate=2h "boot option 'block.rate': bad value '2h', .* expected"
option block.rate=-1ns "boot option 'block.rate': bad value '-1ns', .* expected"
option mutex.fraction=1000000001 "boot option 'mutex.fraction': bad value '1000000001', .* expected"
option prof.cpu=maybe "boot option 'prof.cpu': bad value 'maybe', .* expected"
option 'prof.hz=100 prof.hz=100' "boot option 'prof.hz': given twice, once expected"
for value in yes 10s 10s, ,8M 10s,8M,1 10s,8M8 10,8M 0s,8M 10s,0 -1s,8M 25h,8M ''; do
	option "trace.flight=$value" "boot option 'trace.flight': bad value '$value', .* expected"
done
option word "boot option 'word': key=value expected.*"
option 'prof.hz="100' "command line: a closing quote expected .*"
option app.name= "boot option 'app.name': .*expected"
option app.name=twice "boot option 'app.name': given twice, once expected"
boot hello ARGS="$(seq -s ' ' 1 500)"
bad=0
equal status "$status" 2 || bad=1
has "$dir/out" '^boot: program arguments: more than [0-9]+, from ' || bad=1
ok $bad "more arguments than there is room for"
named "a command line that is too long" 97 '^run: BOOT and ARGS: a command line of [0-9]+ bytes, expected at most 2047$' \
	ARGS="$(head -c 100000 /dev/zero | tr '\0' y)"
boot hello ARGS="$(head -c 2000 /dev/zero | tr '\0' y)"
equal status "$status" 0
ok $? "one that just fits"

# ---- QEMU ----

mkdir "$dir/bin" "$dir/empty_bin"
stub() { # stub <SCRIPT: is QEMU on $dir/bin
	cat >"$dir/bin/qemu-system-$ARCH"
	chmod +x "$dir/bin/qemu-system-$ARCH"
}
tools_path=$dir/tools
mkdir "$tools_path"
for t in bash env sed sort head stat basename mkdir find mktemp timeout tail tr grep cut cat rm; do
	ln -s "$(command -v $t)" "$tools_path/$t"
done
named "no QEMU" 97 "^run: qemu-system-$ARCH: not found; tools/setup packages installs it\$" PATH="$tools_path"

stub <<'S'
#!/bin/sh
echo "QEMU emulator version 5.2.0 (Debian 1:5.2)"
S
named "QEMU too old" 97 "^run: qemu-system-$ARCH is version 5.2: expected 7.0 or newer\$" PATH="$dir/bin:$PATH"
stub <<'S'
#!/bin/sh
echo "something else"
S
named "QEMU of no version" 97 "^run: qemu-system-$ARCH is version unknown: expected 7.0 or newer\$" PATH="$dir/bin:$PATH"

version='[ "$1" = --version ] && { echo "QEMU emulator version 7.2.0"; exit 0; }'
stub <<S
#!/bin/sh
$version
echo "hb: some words"
echo "the last words"
echo "qemu: cannot go on" >&2
exit 1
S
named "QEMU dies" 98 '^run: QEMU ended with status 1 and no word from the program; last console line: the last words$' PATH="$dir/bin:$PATH"
has "$dir/err" '^qemu: cannot go on$'
ok $? "and what it said is shown"
stub <<S
#!/bin/sh
$version
echo "hb: some words"
printf "half a line"
kill -9 \$\$
S
named "QEMU is killed" 98 '^run: QEMU ended with status 137 and no word from the program; last console line: half a line$' PATH="$dir/bin:$PATH"
stub <<S
#!/bin/sh
$version
echo "hb: some words"
exit 0
S
named "QEMU ends with 0, as a triple fault does" 98 '^run: QEMU ended with status 0 and no word from the program' PATH="$dir/bin:$PATH"
stub <<S
#!/bin/sh
$version
echo "hb: exit 0"
exit 35
S
named "QEMU's status and the last line disagree" 98 '^run: QEMU ended with status 35' PATH="$dir/bin:$PATH"
stub <<S
#!/bin/sh
$version
echo "@hb B 00000000-0 cpu.pb.gz 00000000"
echo "hb: exit 0"
exit 33
S
named "a damaged console after success" 99 '^run: the console was damaged' PATH="$dir/bin:$PATH"

# ---- a program that does not end ----

mkdir "$dir/hang"
printf '#include <stdio.h>\nint main(void)\n{\n\tputs("about to hang");\n\tfor (;;)\n\t\t;\n}\n' >"$dir/hang/main.c"
image "$dir/hang"
SECONDS=0
app=$dir/hang named "a program that hangs" 98 '^run: QEMU was stopped after 3 s \(TIMEOUT=\); last console line: about to hang$' TIMEOUT=3
[ $SECONDS -le 20 ]
ok $? "and is stopped in time"

# ---- stacks: what cannot be guarded does not compile ----

compiles_not() { # compiles_not NAME REGEX <SOURCE
	mkdir -p "$dir/bad_app"
	cat >"$dir/bad_app/main.c"
	bad=0
	make_here all APP="$dir/bad_app" >"$dir/out" 2>"$dir/err" && { note "it compiled"; bad=1; }
	has "$dir/err" "$2" || bad=1
	ok $bad "$1"
}
compiles_not "a local array of 200 KB does not compile" 'the frame size of [0-9]+ bytes is larger than 49152 bytes' <<'C'
void use(char *p);
void use(char *p) { *(volatile char *)p = 1; }
int main(void)
{
	char big[200000];
	use(big);
	return big[0];
}
C
compiles_not "an array of variable length does not compile" 'variable length array|variable-length' <<'C'
void use(char *p);
void use(char *p) { *(volatile char *)p = 1; }
int main(int argc, char **argv)
{
	(void)argv;
	char some[argc * 100];
	use(some);
	return some[0];
}
C
compiles_not "a header of the kernel is not there for an application" 'kernel/lock.h: No such file' <<'C'
#include "kernel/lock.h"
int main(void) { return 0; }
C
done_testing
