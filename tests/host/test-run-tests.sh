#!/bin/bash
# tests/run-tests itself: every way in which a program can fail is a failure of the run, and is counted.
set -u
cd "$(dirname "$0")/../.." || exit 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

n=0 bad=0
result() { # result STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$dir/out"
		bad=1
	fi
}
# run STATUS LAST_LINE PATTERN NAME [OPTION...] <LIST: the run ends so, its output has the pattern
run() {
	local want=$1 last=$2 pattern=$3 name=$4 status
	shift 4
	tests/run-tests -o "$dir/log" "$@" >"$dir/out" 2>&1
	status=$?
	[ "$status" -eq "$want" ] && [ "$(tail -n 1 "$dir/out")" = "$last" ] && grep -qE -e "$pattern" "$dir/out"
	result $? "$name"
}
fine='echo ok 1 - a; echo ok 2 - b; echo 1..2'

run 0 "2 passed, 0 failed" '^ok fine \([0-9]+ s\)$' "a good program" <<<"fine $fine"
run 0 "2 passed, 0 failed" '^ok fine ' "carriage returns of a serial line" <<<"fine printf '1..2\r\nok 1\r\nok 2\r\n'"
run 1 "1 passed, 1 failed" '1 of 2 tests failed' "a failed test" <<<"one echo ok 1; echo not ok 2; echo 1..2"
run 1 "1 passed, 1 failed" '1 of 2 tests failed, exit status 1' "a failed test and status" <<<"one echo ok 1; echo not ok 2; echo 1..2; exit 1"
run 1 "2 passed, 1 failed" 'exit status 7' "a status other than 0 after good tests" <<<"one $fine; exit 7"
run 1 "1 passed, 1 failed" 'killed by signal 11' "a crash" <<<"one echo ok 1; kill -SEGV \$\$"
run 1 "1 passed, 1 failed" 'no plan' "no plan" <<<"one echo ok 1"
run 1 "0 passed, 1 failed" 'no plan' "no output" <<<"one true"
run 1 "1 passed, 1 failed" '2 tests planned, 1 ran' "fewer tests than planned" <<<"one echo 1..2; echo ok 1"
run 1 "0 passed, 1 failed" 'no tests' "a plan of nothing" <<<"one echo 1..0"
run 1 "4 passed, 1 failed" 'two plans' "two programs in one" <<<"one $fine; $fine"
run 1 "0 passed, 1 failed" 'bailed out, exit status 2' "a program that bails out" <<<"one echo 'Bail out! no'; exit 2"
run 1 "0 passed, 1 failed" 'exit status 127' "a program that is not there" <<<"one $dir/nothing"
run 1 "0 passed, 1 failed" 'no end within 1 s' "a program that does not end" -t 1 <<<"one sleep 30"
run 1 "1 passed, 1 failed" '^    \| the last words' "the end of the output is shown" <<<"one echo ok 1; echo the last words; exit 3"
long='for i in $(seq 60); do echo before $i; done; echo its reason; echo not ok 1 - the culprit; for i in $(seq 60); do echo ok; done; echo 1..61'
run 1 "60 passed, 1 failed" '^    \| its reason' "what is said before a failed test, far from the end, is shown" <<<"one $long"
run 1 "60 passed, 1 failed" '^    not ok 1 - the culprit$' "what failed is said again at the end" <<<"one $long"
# The same at the end, where the last screen is.
at_end() { # at_end PATTERN
	sed -n '/^what failed:$/,$p' "$dir/out" | grep -qE -e "$1"
}
at_end '^    its reason$'
result $? "with what was said before it"
run 1 "1 passed, 2 failed" '' "failures of a script" <<<"one echo of nothing; echo ok 1; echo not ok 2; seq -f '# after %g' 20; echo not ok 3; echo 1..3; exit 1"
at_end '^    # after 12$'
result $? "come with what follows them at the end"
! at_end '# after 13$|of nothing'
result $? "but not with more, nor with what was said of another test"
run 1 "0 passed, 1 failed" '' "a script that ran an image" <<<"one echo not ok 1; seq -f '# after %g' 20; echo '#   # suite.c:7: cause'; echo '#   not ok 5 - suite.test'; echo 1..1; exit 1"
at_end '^    #   # suite.c:7: cause$' && at_end '^    #   not ok 5 - suite.test$' && ! at_end '# after 13$'
result $? "what failed in it is there at the end"
lines='for i in $(seq 7); do echo "# why $i"; echo not ok $i; echo ok; done; echo 1..14'
run 1 "14 passed, 14 failed" '' "many failures" <<<"one $lines
two ${lines/why/why not}"
at_end '^    # why not 3$'
result $? "the first ten of them are explained at the end"
at_end '^    not ok 7$' && ! at_end '# why not 4$'
result $? "the others are named"
run 1 "0 passed, 1 failed" 'exit status 3' "a program without TAP" <<<"one seq -f 'line %g' 20; exit 3"
at_end '^    line 20$'
result $? "its last lines are there at the end"
run 1 "2 passed, 1 failed" '^ok fine ' "the others run on after a failure" <<<"one false
fine $fine"
run 0 "1 passed, 0 failed" '^1 skipped$' "a skipped test is neither" <<<"one echo ok 1; echo 'ok 2 # SKIP no'; echo 1..2"
run 1 "0 passed, 0 failed" '^1 skipped$' "a run of nothing is no success" <<<"one echo '1..0 # SKIP no'"
run 1 "1 passed, 1 failed" 'exit status 1' "programs that do not speak TAP" <<<"@status
one true
two false"
run 2 "tests/run-tests: standard input: not a new NAME and a COMMAND: one false" '' "one name twice" <<<"one true
one false"
run 2 "tests/run-tests: -j: expected a number above 0, not 'x'" '' "a bad option" -j x <<<"one true"

# A child of a program that is killed does not outlive it.
run 1 "0 passed, 1 failed" 'no end within 1 s' "a program with a child" <<<"@timeout 1
one sleep 31 & echo \$! >$dir/pid; wait"
alive() { grep -q '^State:[[:blank:]]*[^Z]' "/proc/$1/status" 2>/dev/null; } # and not only waiting to be collected
pid=$(cat "$dir/pid") && for _ in $(seq 20); do alive "$pid" && sleep 0.1; done
[ -n "$pid" ] && ! alive "$pid"
result $? "its child is gone"

# Two at a time: each waits for a file that the other makes.
meet() { echo "touch $dir/$1; for i in \$(seq 50); do [ -e $dir/$2 ] && break; sleep 0.1; done; [ -e $dir/$2 ]"; }
run 0 "2 passed, 0 failed" '^ok two ' "two at a time" -j 2 <<<"@status
one $(meet a b)
two $(meet b a)"
echo "1..$n"
exit $bad
