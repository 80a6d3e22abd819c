# host.sh: what the tests of hbdump as a command share; sourced by them, from the root of the tree, with the folder to work in as $1.
# HBDUMP names a program that is built already; without it one is built with the sanitizers.
#
#   $root, $dir, $hbdump          the tree, the folder, the program; the script goes on in a fresh folder $dir/t
#   built NAME SOURCE...          builds $dir/NAME with the sanitizers; bails out when it does not build
#   run ARGUMENT...               runs the program: output in out and err, exit status in $status
#   result STATUS NAME            one TAP line: ok when STATUS is 0; else with the beginning of err
#   done_testing                  the plan, and the end of the script
#
# shellcheck shell=bash
set -u
export LC_ALL=C
root=$PWD
mkdir -p "$1" || exit 2
dir=$(cd "$1" && pwd)
rm -rf "$dir/t" && mkdir "$dir/t" || exit 2
n=0 failed=0 status=0

bail() {
	echo "Bail out! $*"
	exit 2
}

built() { # built NAME SOURCE...
	local name=$1
	shift
	(cd "$root" && ${CC:-cc} -std=gnu11 -g -O1 -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=undefined -I. -Iinclude \
		-o "$dir/$name" "$@" -lz) || bail "$name does not build"
}

result() { # result STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' err 2>/dev/null | head -n 20
		failed=1
	fi
}

run() { # run ARGUMENT...
	timeout -k 5 60 "$hbdump" "$@" >out 2>err
	status=$?
}

done_testing() {
	echo "1..$n"
	exit "$failed"
}

hbdump=${HBDUMP:-}
if [ -z "$hbdump" ]; then
	built hbdump tools/hbdump/*.c kernel/crc32.c kernel/base64.c
	hbdump=$dir/hbdump
fi
hbdump=$(realpath "$hbdump")
