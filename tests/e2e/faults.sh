# faults.sh: what the tests of the image tests/faults share; sourced behind e2e.sh, with the cases that are wanted as arguments (none: all).
#
#   chosen CASE                       whether it is wanted
#   dumped                            the dumps behind the report of the run before are whole; $dump is the goroutines
#   pprof_has FRAME...                pprof opens it, and there is such a stack
#   registers                         if it was a trap, the registers are in the report
#   one_report TITLE_REGEX STATUS     all of this, the title, the last line and the status
#   trace_opens FILE REGEX...         the trace is sound, and has these
#
# shellcheck shell=bash disable=SC2154

image tests/faults "${MUTANT:-}"
find_go
export PPROF_TMPDIR=$dir TZ=UTC
dump=$OUT/faults/crash-goroutine.pb.gz cpu_dump=$OUT/faults/crash-cpu.pb.gz

wanted=("$@")
chosen() {
	[ ${#wanted[@]} -eq 0 ] && return 0
	local w
	for w in "${wanted[@]}"; do [ "$w" != "$1" ] || return 0; done
	return 1
}

# The dumps that follow every report are whole.
dumped() {
	if grep 'hbdump: damage' "$dir/err" >>"$dir/notes" || ! gzip -t "$dump" 2>>"$dir/notes"; then
		note "no whole crash-goroutine.pb.gz"
		return 1
	fi
}

# pprof opens the goroutines, and among their stacks is one with these functions, in the order of calls from the innermost on.
pprof_has() { # pprof_has FRAME...
	local bad=0 want=" $*"
	"$go" tool pprof -symbolize=none -raw "$dump" 2>>"$dir/notes" | has /dev/stdin '^goroutine/count$' || bad=1
	"$go" tool pprof -symbolize=none -traces "$dump" 2>>"$dir/notes" |
		awk '/^-----------\+/ { print line " "; line = ""; next } { sub(" *\\(inline\\)$", ""); line = line " " $NF }' |
		has /dev/stdin "${want// / (.* )?} " || bad=1
	return $bad
}

# A trap is reported with the registers that it found.
registers() {
	grep -qaE "^panic: (fault|double fault|stack overflow|access to the guard)" "$dir/out" || return 0
	case $ARCH in
	riscv64) has "$dir/out" '^ pc [0-9a-f]{16}   ra [0-9a-f]{16}   sp [0-9a-f]{16}   gp [0-9a-f]{16}$' '^sstatus [0-9a-f]{16}  scause [0-9a-f]{16} ' ;;
	x86_64) has "$dir/out" '^ *rip [0-9a-f]{16}  rsp [0-9a-f]{16}  rbp [0-9a-f]{16} ' ' cr2 [0-9a-f]{16}$' ;;
	esac
}

# One report: the title line once, the end once and last.
one_report() { # one_report TITLE_REGEX STATUS
	local bad=0
	equal "lines with the title" "$(grep -caE "^(panic|fatal error|panic inside panic): " "$dir/out")" "${reports:-1}" || bad=1
	has "$dir/out" "^$1" || bad=1
	equal "last line" "$(tail -n 1 "$dir/out")" "hb: exit $2" || bad=1
	equal "lines with the status" "$(grep -c '^hb: exit' "$dir/out")" 1 || bad=1
	equal status "$status" "$2" || bad=1
	dumped || bad=1
	registers || bad=1
	return $bad
}

# Go's reader takes it, and so does ours.
trace_opens() { # trace_opens FILE REGEX...: it has these
	local file=$1
	shift
	"$BUILD/tools/hbdump" --check-trace "$file" -q 2>>"$dir/notes" || return 1
	"$go" tool trace -d=parsed "$file" >"$dir/parsed" 2>>"$dir/notes" && has "$dir/parsed" "$@"
}
