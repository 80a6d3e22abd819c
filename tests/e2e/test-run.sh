#!/bin/bash
# `make run` and tools/run: output, exit statuses, arguments, the input file, machines and processors. A program outside the tree is part
# of it, so APP=/any/folder is tested, too.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-run.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh

run() { # run NAME=value ...: make run
	make BUILD="$BUILD" OUT="$OUT" ARCH="$ARCH" TIMEOUT=60 "$@" run </dev/null >"$dir/all" 2>"$dir/err"
	status=$?
	sed -nE '/^(hb|boot): /,$p' "$dir/all" >"$dir/out"
}

# A program that does what its arguments say.
app=$dir/somewhere/program
mkdir -p "$app"
cat >"$app/main.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int answer(const char *text);

static void copy(FILE *f)
{
	unsigned long n = 0, sum = 0;
	for (int c; (c = getc(f)) != EOF; n++)
		sum = sum * 31 + (unsigned)c;
	printf("%lu bytes, sum %lu\n", n, sum);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "arguments";
	if (strcmp(what, "return") == 0)
		return answer(argv[2]);
	if (strcmp(what, "exit") == 0)
		exit(answer(argv[2]));
	if (strcmp(what, "partial") == 0) {
		printf("first\nno newline");
		fprintf(stderr, "; an error");
		return 0;
	}
	if (strcmp(what, "marks") == 0) {
		printf("@hb D 00000000-0 0 AAAA 00000000\n");
		printf("\\@hb quoted\n\\n\n");
		printf("@h");
		fflush(stdout);
		printf("b in two\n text @hb inside\n");
		printf("hb: exit 9\nthe end\n");
		return 0;
	}
	if (strcmp(what, "files") == 0) {
		for (int i = 2; i < argc; i++) {
			FILE *f = fopen(argv[i], "r");
			if (f == NULL) {
				perror(argv[i]);
				continue;
			}
			copy(f);
			fclose(f);
		}
		copy(stdin);
		return 0;
	}
	for (int i = 0; i < argc; i++)
		printf("%d <%s>\n", i, argv[i]);
	return 0;
}
C
printf '#include <stdlib.h>\nint answer(const char *text);\nint answer(const char *text)\n{\n\treturn atoi(text);\n}\n' >"$app/answer.c"

# ---- make run ----

run APP=hello
bad=0
equal status $status 0 || bad=1
has "$dir/out" "^hb: hello on $ARCH, 4 harts, first goroutine after [0-9]+ us$" '^hb: exit 0$' || bad=1
for i in 1 2 3 4; do has "$dir/out" "^hello from goroutine [0-9]+, greeting $i$" || bad=1; done
equal "last line" "$(tail -n 1 "$dir/out")" "go tool pprof -http=: $OUT/$ARCH/hello/cpu.pb.gz" || bad=1
for file in cpu.pb.gz flame.html console.log; do [ -s "$OUT/$ARCH/hello/$file" ] || { note "$file is missing"; bad=1; }; done
has "$dir/out" "^flame graph: $OUT/$ARCH/hello/flame.html$" || bad=1
ok $bad "make run APP=hello: output, profile, flame graph, and how to open them"

run APP="$app" ARGS="exit 3"
bad=0
[ $status -ne 0 ] || bad=1
has "$dir/out" '^hb: exit 3$' || bad=1
has "$dir/err" 'Error 3$' || bad=1
ok $bad "make run APP=/any/folder: a program outside the tree; make names its status"

run APP="$app/" ARGS="it's \"two words\" a\\ b \"\" \\\"q\\\" k=v -- -x"
bad=0
equal status $status 0 || bad=1
sed -n '/^0 </,/^9 </p' "$dir/out" | grep '^[0-9]* <' >"$dir/args"
printf '%s\n' '0 <program>' "1 <it's>" '2 <two words>' '3 <a b>' '4 <>' '5 <"q">' '6 <k=v>' '7 <-->' '8 <-x>' | diff - "$dir/args" >>"$dir/notes" || bad=1
ok $bad "ARGS: blanks, quotes and backslashes"

# Two folders of one name are two programs, and a file that is gone is gone.
other=$dir/elsewhere/program
mkdir -p "$other"
printf '#include <stdio.h>\nint main(void)\n{\n\tputs("the other one");\n\treturn 0;\n}\n' >"$other/main.c"
touch -d '2001-01-01' "$other/main.c"
run APP="$other"
bad=0
equal status $status 0 || bad=1
has "$dir/out" '^the other one$' || bad=1
ok $bad "two folders of one name are two programs"
run APP="$app" ARGS="return 0" # builds this one's again, for what follows
image "$app"

# ---- exit statuses ----

for s in 0 1 2 46 47 93 255; do
	[ $((s % 2)) -eq 0 ] && how=return || how=exit
	boot "$app" ARGS="$how $s"
	bad=0
	equal status $status $s || bad=1
	equal "last line" "$(tail -n 1 "$dir/out")" "hb: exit $s" || bad=1
	ok $bad "status $s by $how"
done
boot "$app" ARGS="return 256"
bad=0
equal status $status 1 || bad=1
has "$dir/out" '^hb: exit 256$' || bad=1
ok $bad "status 256 is not taken for 0"
boot "$app" ARGS="exit -1"
equal status $status 255 && has "$dir/out" '^hb: exit -1$'
ok $? "status -1"

# ---- the console ----

boot "$app" ARGS=partial
bad=0
equal status $status 0 || bad=1
has "$dir/out" '^first$' '^no newline; an error$' || bad=1
ok $bad "what was printed without a newline leaves at the end, and the line is ended"

boot "$app" ARGS=marks
bad=0
equal status $status 0 || bad=1
has "$dir/out" '^@hb D 00000000-0 0 AAAA 00000000$' '^\\@hb quoted$' '^\\n$' '^@hb in two$' '^ text @hb inside$' '^the end$' || bad=1
ok $bad "text that looks like a frame comes out as it was printed"

# Goroutines that print at once (tests/guest/libc.c): 8 of 20 lines each, every one whole.
image tests/guest
boot tests/guest ARGS=libc.lines BOOT=prof.cpu=off
bad=0
equal status $status 0 || bad=1
grep -a '# torn' "$dir/out" >"$dir/torn"
grep -E '^# torn\? [0-9]{2} [0-9]{2} (a{49}|b{49}|c{49}|d{49}|e{49}|f{49}|g{49}|h{49})\.$' "$dir/torn" >"$dir/whole"
equal "lines with a mark" "$(wc -l <"$dir/torn")" 160 || bad=1
equal "whole lines" "$(wc -l <"$dir/whole")" 160 || bad=1
# Each once: number and letter of the goroutine, number of the line.
for g in {0..7}; do for i in {0..19}; do printf '# torn? %02d %02d %s\n' "$g" "$i" "$(printf "\\x$((61 + g))")"; done; done | sort >"$dir/wanted"
cut -c 1-15 "$dir/whole" | sort | diff "$dir/wanted" - >>"$dir/notes" || bad=1
ok $bad "lines that goroutines print at once leave whole"

# ---- the input ----

head -c 70000 /dev/urandom >"$dir/my text, it's.bin"
boot "$app" INPUT="$dir/my text, it's.bin" ARGS="files \"my text, it's.bin\" input /input nothing"
bad=0
equal status $status 0 || bad=1
equal "ways to read it" "$(grep -c '^70000 bytes, sum ' "$dir/out")" 4 || bad=1
equal "texts read" "$(grep '^70000 bytes, sum ' "$dir/out" | sort -u | wc -l)" 1 || bad=1
has "$dir/out" '^nothing: No such file or directory$' || bad=1
ok $bad "INPUT by its own name, as input and as stdin"
printf 'ab' >"$dir/two"
run APP="$app" INPUT="$dir/two" ARGS="files two"
bad=0
equal "right sums" "$(grep -c '^2 bytes, sum 3105$' "$dir/out")" 2 || bad=1
ok $bad "and its bytes are right"
boot "$app" ARGS="files input"
bad=0
equal status $status 0 || bad=1
has "$dir/out" '^input: No such file or directory$' '^0 bytes, sum 0$' || bad=1
ok $bad "without INPUT there is no file, and stdin is at its end"

# ---- machines ----

image hello
greets() { # greets HARTS NAME SETTING...
	local harts=$1 name=$2 bad=0
	shift 2
	boot hello SMP="$harts" "$@"
	equal status $status 0 || bad=1
	equal greetings "$(grep -c '^hello from goroutine' "$dir/out")" 4 || bad=1
	has "$dir/out" "^hb: hello on $ARCH, $harts harts, " || bad=1
	[ -s "$OUT/hello/cpu.pb.gz" ] || { note "no profile"; bad=1; }
	ok $bad "$name"
}
for harts in $([ -n "$FULL" ] && seq 1 16 || echo 1 2 3 5 8); do greets "$harts" "SMP=$harts"; done
greets 1 "EXACT=1, 1 hart" EXACT=1
greets 4 "EXACT=1, 4 harts" EXACT=1
greets 2 "DETERMINISTIC=1" DETERMINISTIC=1
greets 4 "MEM=64M" MEM=64M
greets 4 "MEM=4G" MEM=4G
case $ARCH in
x86_64)
	greets 4 "MACHINE=microvm" MACHINE=microvm
	greets 1 "MACHINE=microvm, 1 hart" MACHINE=microvm
	greets 4 "CPU=qemu64" CPU=qemu64
	greets 2 "MACHINE=microvm, CPU=qemu64" MACHINE=microvm CPU=qemu64
	;;
riscv64)
	greets 4 "BIOS=default" BIOS=default
	greets 2 "CPU=rv64,sstc=off" CPU=rv64,sstc=off
	greets 2 "BIOS=default, sstc=off" BIOS=default CPU=rv64,sstc=off
	run APP=hello BIOS=default
	equal status $status 0
	ok $? "make run BIOS=default"
	;;
esac

done_testing
