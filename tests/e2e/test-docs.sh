#!/bin/bash
# The programs of a page of docs/, cut out, built and run: each must end with status 0 and print the lines shown.
#
#	<!-- program: NAME [make variables] -->, then a block of C, then a block of text: lines that the run prints, in this order
#
#	[ARCH=riscv64] [BUILD=build] [DOC=docs/writing-an-application.md] tests/e2e/test-docs.sh		prints TAP
cd "$(dirname "$0")/../.." || exit 2
set -u
export ARCH=${ARCH:-riscv64} BUILD=${BUILD:-build}
doc=${DOC:-docs/writing-an-application.md}
# The same folder each time: the build remembers where an application of this name came from.
tmp=$BUILD/test-docs/$ARCH/$(basename "$doc" .md)
rm -rf "$tmp"
mkdir -p "$tmp" || exit 1

awk -v dir="$tmp" '
	/^<!-- program: / { name = $3; vars = $0; sub(/^<!-- program: [^ ]+ */, "", vars); sub(/ *-->$/, "", vars)
		system("mkdir " dir "/" name); print vars > (dir "/" name "/vars"); print name > (dir "/names"); next }
	name != "" && /^```c$/ { to = dir "/" name "/main.c"; next }
	name != "" && /^```text$/ { to = dir "/" name "/expect"; next }
	/^```$/ { if (to ~ /expect$/) name = ""; to = ""; next }
	to != "" { print > to }' "$doc"
mapfile -t names < "$tmp/names"
[ "${#names[@]}" -gt 0 ] || { echo "Bail out! no program in $doc"; exit 1; }

failed=0
for i in "${!names[@]}"; do
	name=${names[i]} verdict=ok
	read -r -a vars < "$tmp/$name/vars" || :
	"${MAKE:-make}" -s --no-print-directory run APP="$tmp/$name" OUT="$tmp/out" TIMEOUT=120 "${vars[@]}" \
		> "$tmp/$name/log" 2>&1 < /dev/null || verdict='not ok'
	tr -d '\r' < "$tmp/$name/log" | awk -v expect="$tmp/$name/expect" '
		BEGIN { at = 0; while ((getline line < expect) > 0) want[n++] = line }
		at < n && $0 == want[at] { at++ }
		END { if (n == 0) print "no output is shown"; else if (at < n) print "missing: " want[at]; exit n == 0 || at < n }' \
		> "$tmp/$name/why" || verdict='not ok'
	if [ "$verdict" != ok ]; then
		sed 's/^/# /' "$tmp/$name/why"
		tr -d '\r' < "$tmp/$name/log" | tail -n 20 | sed 's/^/# /'
		failed=$((failed + 1))
	fi
	echo "$verdict $((i + 1)) - docs.$name"
done
echo "1..${#names[@]}"
[ "$failed" -eq 0 ]
