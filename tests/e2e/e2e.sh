# e2e.sh: what the end-to-end tests share; sourced by them, from the root of the tree. Parameters come from the environment:
#   ARCH (riscv64), MACHINE (make's), SMP (4), BUILD (build), FULL=1 for the long form, OUT (a temporary folder)
#
#   image APP [MUTANT]            builds an image through make; bails out when it does not build
#   boot APP [NAME=value ...]     runs it by tools/run: standard output in $dir/out, standard error in $dir/err, exit status in $status
#   ok STATUS NAME                one TAP line: ok when STATUS is 0; else diagnostics from notes and the output, too
#   note TEXT                     a diagnostic, printed only if the next ok fails
#   done_testing                  the plan, and the end of the script
#
# shellcheck shell=bash

set -u
export LC_ALL=C
. tools/free_port.sh
ARCH=${ARCH:-riscv64} SMP=${SMP:-4} BUILD=${BUILD:-build} FULL=${FULL:-}
case $ARCH in
riscv64) MACHINE=${MACHINE:-virt} ;;
*) MACHINE=${MACHINE:-q35} ;;
esac
MEM=${MEM:-256M}
dir=$(mktemp -d)
OUT=${OUT:-$dir/made}
trap 'rm -rf "$dir"' EXIT
n=0 failed=0 status=0
: >"$dir/out" >"$dir/err" >"$dir/notes"

note() { printf '%s\n' "$*" >>"$dir/notes"; }

ok() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$dir/notes"
		{
			echo "status $status; standard error:"
			tail -n 10 "$dir/err"
			echo "standard output:"
			tail -n 40 "$dir/out"
		} | cut -c 1-200 | sed 's/^/#   /'
		failed=1
	fi
	: >"$dir/notes"
}

bail() {
	echo "Bail out! $*"
	exit 2
}

done_testing() {
	echo "1..$n"
	exit "$failed"
}

# Wants exactly what the arguments say, and notes it when it is otherwise.
equal() { # equal WHAT GOT WANTED
	[ "$2" = "$3" ] && return 0
	note "$1: $2, expected $3"
	return 1
}

has() { # has FILE REGEX...: each matches a line
	local file=$1 missing=0 want
	shift
	for want; do
		grep -qaE -e "$want" "$file" && continue
		note "no line matches: $want"
		missing=1
	done
	return $missing
}

make_here() {
	make -s -j"$(nproc)" MUTANT= BUILD="$BUILD" ARCH="$ARCH" "$@"
}

# Sets go to the go command: HB_GO, or the one that make installs under BUILD.
find_go() {
	go=${HB_GO:-}
	[ -n "$go" ] || {
		make_here "$BUILD/deps/go/goroot" >"$dir/build" 2>&1 || bail "no go command"
		go=$(cat "$BUILD/deps/go/goroot")/bin/go
	}
}

image() { # image APP [MUTANT]
	make_here all APP="$1" MUTANT="${2:-}" >"$dir/build" 2>&1 || {
		sed 's/^/# /' "$dir/build" | tail -n 20
		bail "APP=$1${2:+ MUTANT=$2} ARCH=$ARCH does not build"
	}
	[ "$ARCH" != riscv64 ] || make_here "$BUILD/deps/opensbi/fw_dynamic.bin" >"$dir/build" 2>&1 || bail "no firmware"
}

# tools/run as make calls it, with shorter patience. MUTANT=name takes the image of a mutant.
boot() { # boot APP [NAME=value ...]
	local app=$1 name mutant=${MUTANT:-} word
	shift
	name=$(basename "$app")
	for word; do [[ $word != MUTANT=* ]] || mutant=${word#MUTANT=}; done
	env ARCH="$ARCH" MACHINE="$MACHINE" SMP="$SMP" MEM="$MEM" ELF="$BUILD/$ARCH/app${mutant:+-$mutant}/$name/kernel.elf" APP_NAME="$name" \
		OUT_DIR="$OUT/$name" HBDUMP="$BUILD/tools/hbdump" TIMEOUT=60 \
		BIOS="$([ "$ARCH" != riscv64 ] || echo "$BUILD/deps/opensbi/fw_dynamic.bin")" "$@" \
		tools/run </dev/null >"$dir/all" 2>"$dir/err"
	status=$?
	# The firmware's words end where ours begin.
	sed -nE '/^(hb|boot): /,$p' "$dir/all" >"$dir/out"
	[ -s "$dir/out" ] || cp "$dir/all" "$dir/out"
}
