#!/bin/bash
# The way of a CPU profile, from the timer interrupt to `go tool pprof`: wordcount is run, the file opened with the real tool.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-profile.sh
#
# The go command is HB_GO, or the one that make installed under BUILD.
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image wordcount
find_go
export PPROF_TMPDIR=$dir TZ=UTC
file=$OUT/wordcount/cpu.pb.gz
pprof() { # pprof TO FLAG...
	local to=$1
	shift
	"$go" tool pprof -symbolize=none "$@" "$file" >"$dir/$to" 2>"$dir/pprof.err" || {
		cat "$dir/pprof.err" >>"$dir/notes"
		return 1
	}
}

# Samples of -raw: "count nanoseconds: location location ...", innermost first; locations further down with their function names.
roots() { # roots: of $dir/raw, to $dir/roots
	awk '
		/^Samples:/ { part = 1; next }
		/^Locations/ { part = 2; next }
		/^Mappings/ { part = 3; next }
		part == 1 && /^ *[0-9]+ +[0-9]+:/ {
			line = $0
			sub(/^ *[0-9]+ +/, "", line)
			weight = line + 0
			sub(/^[0-9]+: */, "", line)
			n++
			weights[n] = weight
			stacks[n] = line
		}
		part == 2 && /^ *[0-9]+: 0x/ {
			id = $1
			sub(/:/, "", id)
			name = $3 ~ /^M=/ ? $4 : $3
			outer[id] = name
			names[id] = name
			last = id
		}
		part == 2 && !/^ *[0-9]+: 0x/ && NF { outer[last] = $1; names[last] = names[last] " " $1 }
		END {
			for (i = 1; i <= n; i++) {
				k = split(stacks[i], ids, " ")
				all += weights[i]
				root = k > 0 ? outer[ids[k]] : "(empty)"
				before = k > 1 ? outer[ids[k - 1]] : ""
				entry = k > 2 ? outer[ids[k - 2]] : ""
				if (root == "context_start" && before == "goroutine_entry" && entry != "")
					good += weights[i]
				else
					other[root] += weights[i]
				for (j = 1; j <= k; j++)
					if (names[ids[j]] ~ /(^| )worker( |$)/) { in_worker += weights[i]; break }
			}
			printf "samples %d\nall %.0f\nrooted %.2f\nworker %.2f\n", n, all, all ? 100 * good / all : 0, all ? 100 * in_worker / all : 0
			for (r in other) printf "other %s %.2f\n", r, 100 * other[r] / all
		}' "$dir/raw" >"$dir/roots"
}
value() { awk -v k="$1" '$1 == k { print $2 }' "$dir/roots"; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 >= b + 0) }'; }

# Large enough that most of the time goes to the words and not to starting workers.
sources=(README.md docs/*.md kernel/*.c sched/*.c prof/*.c)
for _ in {1..20}; do cat "${sources[@]}"; done >"$dir/text"
cat "${sources[@]}" >"$dir/short"
# Instructions are counted: in real time one stall of a busy host, wherever it lands, is worth a hundred samples.
boot wordcount INPUT="$dir/text" BOOT="prof.hz=1000 prof.wall=200" EXACT=1
bad=0
equal status "$status" 0 || bad=1
[ -s "$file" ] || bad=1
ok $bad "wordcount at 1000 Hz leaves a profile"

gzip -t "$file" 2>>"$dir/notes" && pprof raw -raw && pprof top -top && pprof comments -comments
ok $? "gzip and pprof open it"

bad=0
has "$dir/raw" '^PeriodType: cpu nanoseconds$' '^Period: 1000000$' '^Duration: [0-9.]+(m?s)?$' '^samples/count cpu/nanoseconds' \
	'^Time: 20[0-9]{2}-' || bad=1
ok $bad "types, units, period, duration and time are as in Go's profiles"

roots
cp "$dir/roots" "$dir/notes"
at_least "$(value samples)" 50 && at_least "$(value rooted)" 95
ok $? "at least 95 % of the time ($(value rooted) %) is rooted in a goroutine's entry"
cp "$dir/roots" "$dir/notes"
at_least "$(value worker)" 50
ok $? "most of it in the workers"

accounts() { # accounts NAME: of the profile at hand
	local bad=0
	pprof comments -comments || bad=1
	equal "accounts of harts" \
		"$(grep -cE '^hart [0-9]+: elapsed [0-9]+ ns = recorded [0-9]+ \+ idle [0-9]+ \+ lost [0-9]+; [0-9]+ samples, [0-9]+ lost, [0-9]+ by NMI$' "$dir/comments")" \
		"$SMP" || bad=1
	sed -nE 's/^hart ([0-9]+): elapsed ([0-9]+) ns = recorded ([0-9]+) \+ idle ([0-9]+) \+ lost ([0-9]+);.*/\1 \2 \3 \4 \5/p' "$dir/comments" |
		awk '{ d = $2 - $3 - $4 - $5; if (d != 0) { printf "hart %d: elapsed is %d ns more than its parts\n", $1, d; bad = 1 } } END { exit bad }' \
			>>"$dir/notes" || bad=1
	ok $bad "$1"
}
accounts "each hart's time is recorded, idle or lost, to the nanosecond"

bad=0
has "$dir/comments" '^sampling took [1-9][0-9]* ns, [0-9]+\.[0-9]{4} % of the busy time; [1-9][0-9]* ns a sample$' || bad=1
has "$dir/out" '^hb: cpu.pb.gz: [1-9][0-9]* stacks; sampling took [1-9][0-9]* ns, ' || bad=1
ok $bad "what sampling took is a comment, and a line on the console"

# The wall-clock profile beside it.
cpu=$file
file=$OUT/wordcount/wall.pb.gz
bad=0
pprof wall_raw -raw && pprof wall_tags -tags && pprof wall_parked -top -tagfocus 'wait=chan receive' || bad=1
has "$dir/wall_raw" '^PeriodType: wall nanoseconds$' '^Period: 5000000$' '^samples/count wall/nanoseconds' || bad=1
has "$dir/wall_tags" '^ *state: Total ' '^ .*: (running|scheduling)$' '^ .*: waiting$' '^ .*: idle$' '^ *wait: Total ' \
	'^ .*: sync.WaitGroup.Wait$' || bad=1
has "$dir/wall_parked" '^Type: wall' ' goroutine_entry$' || bad=1
pprof comments -comments || bad=1
equal "accounts of harts" "$(grep -cE '^hart [0-9]+: elapsed [0-9]+ ns = recorded [0-9]+ \+ idle [0-9]+ \+ lost [0-9]+$' "$dir/comments")" "$SMP" || bad=1
has "$dir/comments" '^goroutines: [1-9][0-9]* rounds, [1-9][0-9]* stacks of waiting and runnable ones' || bad=1
ok $bad "wall.pb.gz says who waits, for what, and what the harts did"
file=$cpu
pprof comments -comments

# The line in README.md that decodes a log without a tool of ours, beside a real log.
mkdir "$dir/by_hand"
cp "$OUT/wordcount/console.log" "$dir/by_hand/"
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside && /^sed .*base64 -d/' README.md >"$dir/by_hand/decode"
note "README.md has $(wc -l <"$dir/by_hand/decode") such lines"
[ "$(wc -l <"$dir/by_hand/decode")" -eq 1 ] && (cd "$dir/by_hand" && bash -eu decode) >>"$dir/notes" 2>&1 &&
	cmp "$file" "$dir/by_hand/cpu.pb.gz" >>"$dir/notes" 2>&1
ok $? "the line of sed and base64 in README.md gives the same file"

# What the harts recorded is what the samples say.
recorded=$(sed -nE 's/^hart .* recorded ([0-9]+) .* lost ([0-9]+);.*/\1 \2/p' "$dir/comments" | awk '{ n += $1 + $2 } END { printf "%.0f", n }')
note "the harts recorded $recorded ns, the samples are $(value all) ns"
awk -v a="$recorded" -v b="$(value all)" -v n="$(value samples)" 'BEGIN { d = a - b; exit !(a > 0 && d * d <= 1e12) }'
ok $? "the samples add up to what the harts recorded"

# Our own table and pprof's, number for number.
table() {
	sed -n -e 's/ *(\(partial-\)\{0,1\}inline)$//' -e 's/^.*\(Total samples = [^,]*[^, ]\)\(,.*\)\{0,1\} *$/\1/p' \
		-e 's/^Showing.*accounting for //p' -e '/flat%/,$p' "$1" | sed -e 's/ *$//' -e '/^hb: exit/d' | tr -d '\r'
}
pprof top10 -top -nodecount=10 -nodefraction=0 -edgefraction=0
table "$dir/out" >"$dir/ours"
table "$dir/top10" >"$dir/theirs"
[ "$(wc -l <"$dir/ours")" -ge 8 ] && diff "$dir/ours" "$dir/theirs" >>"$dir/notes"
ok $? "the table on the console is that of pprof -top"

bad=0
id=$(readelf -n "$BUILD/$ARCH/app/wordcount/kernel.elf" | sed -n 's/.*Build ID: //p')
has "$dir/raw" "^[0-9]+: 0x[0-9a-f]+/0x[0-9a-f]+/0x[0-9a-f]+ wordcount ${id:-none}" || bad=1
ok $bad "the mapping names the program and has the ELF's build id"

# Locations: "id: 0xaddress M=1 function file:line:column s=start".
bad=0
sed -n '/^Locations/,/^Mappings/p' "$dir/raw" >"$dir/locations"
if grep -E ' /[^ ]*:[0-9]+' "$dir/locations" | head -n 3 >>"$dir/notes" && [ -s "$dir/notes" ]; then bad=1; fi
equal "locations without function" "$(grep -cE '^ *[0-9]+: 0x[1-9a-f][0-9a-f]* M=1 *$' "$dir/locations")" 0 || bad=1
has "$dir/locations" ' worker apps/wordcount/main.c:[0-9]+' ' goroutine_entry (\./)?sched/g.c:[0-9]+' || bad=1
equal "paths in two spellings" "$(grep -cE ' \./\./' "$dir/locations")" 0 || bad=1
ok $bad "functions have names, files are relative to the tree"

# `make run` as it stands, in real time. A stall of a busy host weighs as much as a hundred samples wherever it lands: the best of three.
best=0
for i in 1 2 3; do
	make BUILD="$BUILD" OUT="$dir/run" ARCH="$ARCH" BOOT=prof.hz=1000 TIMEOUT=120 run </dev/null >"$dir/out" 2>"$dir/err"
	status=$?
	equal status "$status" 0 || break
	file=$dir/run/$ARCH/wordcount/cpu.pb.gz
	pprof raw -raw || break
	roots
	at_least "$best" "$(value rooted)" || best=$(value rooted)
	note "attempt $i:"
	cat "$dir/roots" >>"$dir/notes"
	! at_least "$best" 95 || break
done
has "$dir/out" '^16000000 bytes, ' && at_least "$(value samples)" 50 && at_least "$best" 95
ok $? "make run, plain: at least 95 % of the time ($best %) is rooted in a goroutine's entry"

# A ring that overflowed.
image tests/guest
boot tests/guest ARGS=prof.losses BOOT=prof.cpu=off
file=$OUT/guest/losses.pb.gz
bad=0
equal status "$status" 0 || bad=1
pprof comments -comments && pprof raw -raw || bad=1
has "$dir/comments" '^hart [0-9]+: .* \+ lost [1-9][0-9]*; [0-9]+ samples, [1-9][0-9]* lost, [0-9]+ by NMI$' || bad=1
has "$dir/raw" ' \[lost\]( |$)' || bad=1
ok $bad "samples that were lost are in the profile, as [lost] and in its comments"
accounts "and each hart's time is complete all the same"

# Labels, and which code has them. Instructions are counted: every sample is at its own place.
boot tests/guest ARGS="labels.cpu_profile_label exact=1" BOOT="prof.cpu=off prof.label.hart=on" EXACT=1
file=$OUT/guest/labels.pb.gz
bad=0
equal status "$status" 0 || bad=1
pprof tags -tags && pprof left -top -tagfocus side=left && pprof none -top -tagignore side= || bad=1
has "$dir/tags" '^ *side: Total ' '^ *hart: Total ' '^ .*: left$' '^ .*: right$' || bad=1
has "$dir/left" ' label_left$' && has "$dir/none" ' label_never$' || bad=1
! grep -E 'label_(right|never)' "$dir/left" >>"$dir/notes" || bad=1
! grep -E 'label_(left|right)' "$dir/none" >>"$dir/notes" || bad=1
ok $bad "pprof shows labels, and finds by them the code that has them"
file=$OUT/wordcount/cpu.pb.gz

# 100 Hz, the default, and nothing.
boot wordcount INPUT="$dir/short" ARGS="repeat=10"
bad=0
equal status "$status" 0 || bad=1
pprof raw -raw || bad=1
has "$dir/raw" '^Period: 10000000$' || bad=1
ok $bad "100 Hz when nothing is said"
boot wordcount INPUT="$dir/short" ARGS="repeat=10" BOOT="prof.hz=10000"
bad=0
equal status "$status" 0 || bad=1
pprof raw -raw || bad=1
has "$dir/raw" '^Period: 100000$' || bad=1
ok $bad "10 kHz"
accounts "and no time is missing there, with a busy host's stalls"
boot wordcount INPUT="$dir/short" ARGS="repeat=2" BOOT="prof.cpu=off"
bad=0
equal status "$status" 0 || bad=1
[ ! -e "$file" ] || { note "there is a cpu.pb.gz"; bad=1; }
[ ! -e "$OUT/wordcount/wall.pb.gz" ] || { note "there is a wall.pb.gz"; bad=1; }
! grep -q 'flat%' "$dir/out" || { note "there is a table"; bad=1; }
[ -s "$OUT/wordcount/counts.txt" ] || { note "there is no counts.txt"; bad=1; }
ok $bad "prof.cpu=off: no profile, no table"
boot wordcount INPUT="$dir/short" ARGS="repeat=2" BOOT="prof.wall=0"
[ -e "$file" ] && [ ! -e "$OUT/wordcount/wall.pb.gz" ]
ok $? "prof.wall=0: no wall-clock profile"
boot wordcount INPUT="$dir/short" ARGS="repeat=2" BOOT="prof.cpu=off prof.wall=1000"
file=$OUT/wordcount/wall.pb.gz
bad=0
equal status "$status" 0 || bad=1
pprof raw -raw && has "$dir/raw" '^Period: 1000000$' || bad=1
[ ! -e "$OUT/wordcount/cpu.pb.gz" ] || bad=1
ok $bad "a wall-clock profile without a CPU profile, at 1 kHz"
done_testing
