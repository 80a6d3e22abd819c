#!/bin/bash
# The mutants of tests/mutants.txt: each must build, boot and pass the smoke tests, and be killed by the named test with the named message.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-mutants.sh [MUTANT...]
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
wanted=" $* "

# guest_run TESTS MUTANT SETTING...: 0 all passed, 1 a test failed, 2 it did not run to its end, 3 it panicked
guest_run() {
	local tests=$1 mutant=$2
	shift 2
	[[ " $* " != *" EXACT=1 "* ]] || tests+=" exact=1"
	boot tests/guest ARGS="$tests" BOOT=prof.cpu=off TIMEOUT=200 ${mutant:+MUTANT="$mutant"} "$@"
	! grep -q '^panic: ' "$dir/out" || return 3
	grep -qE '^1\.\.[1-9]' "$dir/out" || return 2
	[ "$status" -eq 0 ] && ! grep -q '^not ok' "$dir/out"
}

# faults_run CASES MUTANT SETTING...: as above
faults_run() {
	local cases=$1 mutant=$2
	shift 2
	# shellcheck disable=SC2086
	env ARCH="$ARCH" BUILD="$BUILD" MUTANT="$mutant" "$@" tests/e2e/test-faults.sh $cases >"$dir/out" 2>"$dir/err"
	status=$?
	grep -qE '^1\.\.[1-9]' "$dir/out" || return 2
	return $status
}

# stepping_run TEST MUTANT SETTING...: smoke, or every_walk; as above
stepping_run() {
	local test=$1 mutant=$2 stops=10000
	shift 2
	[ "$test" != smoke ] || stops=1000
	env ARCH="$ARCH" BUILD="$BUILD" FULL= STOPS=$stops MUTANT="$mutant" "$@" tests/e2e/test-stepping.sh >"$dir/out" 2>"$dir/err"
	status=$?
	grep -qE '^1\.\.[1-9]' "$dir/out" || return 2
	[ "$test" = smoke ] || return $status
	grep -q '^ok 1 - the corpus ran to its end' "$dir/out"
}

# ports_run MODE MUTANT SETTING...: what of tests/e2e/test-ports.sh has that mode; as above
ports_run() {
	local mode=$1 mutant=$2
	shift 2
	env ARCH="$ARCH" BUILD="$BUILD" FULL= ONLY="$mode" MORE="${mutant:+5}" MUTANT="$mutant" "$@" tests/e2e/test-ports.sh >"$dir/out" 2>"$dir/err"
	status=$?
	grep -qE '^1\.\.[1-9]' "$dir/out" || return 2
	return $status
}

smoke() { # smoke IMAGE MUTANT HARTS
	case $1 in
	tests/guest) guest_run "go chan" "$2" SMP="$3" ;;
	tests/faults) faults_run "spin_recursion kernel_assert deadlock exit_amid_others" "$2" SMP="$3" ;;
	tests/stepping) stepping_run smoke "$2" ;;
	tests/live) ports_run split "$2" ;;
	*) return 2 ;;
	esac
}

one() { # one IMAGE TEST MUTANT SETTING...
	case $1 in
	tests/guest) shift && guest_run "$@" ;;
	tests/faults) shift && faults_run "$@" ;;
	tests/stepping) shift && stepping_run "$@" ;;
	tests/live) shift && ports_run "$@" ;;
	*) return 2 ;;
	esac
}

declare -A right # by image, test and settings: how what is right did there
mutant() { # mutant NAME IMAGE SETTINGS TEST MESSAGE
	local name=$1 image=$2 settings=$3 test=$4 message=$5 result fails=1 harts=4
	[[ $message != '^panic:'* ]] || fails=3 harts=1
	[[ $settings != *SMOKE_SMP=* ]] || harts=1
	image "$image" "$name"
	smoke "$image" "$name" $harts
	ok $? "$name: builds, boots and passes the smoke tests"
	# shellcheck disable=SC2086
	one "$image" "$test" "$name" $settings
	result=$?
	note "the test's result: $result (0 passed, 1 failed, 2 did not end, 3 panicked)"
	[ $result -eq $fails ] && has "$dir/out" "$message"
	ok $? "$name: killed by $test: $message"
	if [ -z "${right[$image $test $settings]:-}" ]; then
		image "$image"
		# shellcheck disable=SC2086
		one "$image" "$test" '' $settings
		right["$image $test $settings"]=$?
	fi
	ok "${right[$image $test $settings]}" "$name: $test passes on what is right"
}

while IFS='|' read -r name image settings test message; do
	read -r name <<<"$name"
	case $name in '' | '#'*) continue ;; esac
	[ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]] || continue
	read -r image <<<"$image"
	read -r test <<<"$test"
	read -r message <<<"$message"
	[[ $settings != *ARCH=* || " $settings " == *" ARCH=$ARCH "* ]] || continue
	grep -rqE "MUTANT_$name\b" arch boot kernel trace sched prof || bail "no source has MUTANT_$name"
	mutant "$name" "$image" "$settings" "$test" "$message" </dev/null
done <tests/mutants.txt
[ "$n" -gt 0 ] || bail "no mutant was chosen"
done_testing
