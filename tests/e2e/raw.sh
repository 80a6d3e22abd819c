# raw.sh: what the tests of profiles share that look into them by `go tool pprof -raw`; sourced behind e2e.sh, used behind find_go.
#
#   raw FILE NAME                  what pprof prints of FILE, to $dir/NAME.raw
#   rules NAME VALUES [WORD...]    what must be true of any profile with so many values for each sample; of the words
#                                  heap: objects, with their size as a label; rate1: none of them is scaled; delta: a difference
#   stacks NAME                    a line for each sample: its values, a colon, its functions from the innermost out
#   stack_of NAME FUNCTION...      the values of all samples whose stack has all of the functions, summed; nothing: there is none
#
# shellcheck shell=bash

raw() {
	"$go" tool pprof -symbolize=none -raw "$1" >"$dir/$2.raw" 2>"$dir/pprof.err" && ! grep -q 'Problem\|malformed' "$dir/pprof.err" && return 0
	note "$2: $(head -n 3 "$dir/pprof.err")"
	return 1
}

# As many values for each sample as there are types, none below 0 but in a difference, there not all 0; each id of a location there is, once, its
# address in the mapping; of a heap profile, not more in use than allocated, and bytes that are whole objects.
rules() {
	local name=$1 values=$2
	shift 2
	awk -v values="$values" -v words=" $* " '
		function hex(s,    i, v) { v = 0; for (i = 3; i <= length(s); i++) v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1; return v }
		function bad(what) { print "line " NR ": " what ": " $0; wrong = 1 }
		BEGIN { heap = words ~ / heap /; rate1 = words ~ / rate1 /; delta = words ~ / delta / }
		/^Samples:/ { part = 1; types = 1; next }
		/^Locations/ { part = 2; next }
		/^Mappings/ { part = 3; next }
		part == 1 && types { types = 0; if (NF != values) bad(values " types expected"); next }
		part == 1 && /^ *bytes:\[/ {
			split($0, b, /[][]/)
			if (!heap) bad("a label bytes")
			else if (rate1 && (v[1] * b[2] != v[2] || v[3] * b[2] != v[4])) bad("bytes are not objects")
			sized++
			next
		}
		part == 1 && /^ *-?[0-9]+[ 0-9-]*:/ {
			split($0, side, ":")
			if (split(side[1], v, " ") != values) bad(values " values expected")
			zero = 1
			for (i = 1; i <= values; i++) { if (v[i] < 0 && !delta) bad("a value below 0"); if (v[i] != 0) zero = 0 }
			if (zero && (heap || delta)) bad("all values are 0")
			if (heap && !delta && (v[3] > v[1] || v[4] > v[2])) bad("more in use than allocated")
			k = split(side[2], id, " ")
			if (k == 0) bad("no stack")
			for (i = 1; i <= k; i++) used[id[i]] = 1
			samples++
		}
		part == 2 && /^ *[0-9]+: 0x/ {
			i = $1 + 0
			if (i in there) bad("an id twice")
			if (i == 0) bad("an id of 0")
			there[i] = hex($2)
		}
		part == 3 && /^[0-9]+:/ { split($2, m, "/"); lo = hex(m[1]); hi = hex(m[2]) }
		END {
			if (heap && sized != samples) { print samples + 0 " samples, " sized + 0 " with their size"; wrong = 1 }
			for (i in used) if (!(i in there)) { print "no location " i; wrong = 1 }
			for (i in there) if (there[i] != 0 && (there[i] < lo || there[i] >= hi)) { print "location " i " is outside the mapping"; wrong = 1 }
			exit wrong + 0
		}' "$dir/$name.raw" >>"$dir/notes"
}

stacks() {
	awk '
		/^Samples:/ { part = 1; next }
		/^Locations/ { part = 2; next }
		/^Mappings/ { part = 3; next }
		part == 1 && /^ *-?[0-9]+[ 0-9-]*:/ { n++; split($0, side, ":"); value[n] = side[1]; ids[n] = side[2] }
		part == 2 && /^ *[0-9]+: 0x/ { id = $1 + 0; name[id] = " " ($3 ~ /^M=/ ? $4 : $3); next }
		part == 2 { name[id] = name[id] " " $1 }
		END {
			for (i = 1; i <= n; i++) {
				$0 = value[i]
				$1 = $1
				line = $0 ":"
				frames = split(ids[i], at, " ")
				for (f = 1; f <= frames; f++) line = line name[at[f]]
				print line
			}
		}' "$dir/$1.raw"
}

stack_of() {
	local name=$1
	shift
	stacks "$name" | awk -v wanted="$*" '
		BEGIN { functions = split(wanted, want, " ") }
		{
			split($0, side, ":")
			for (k = 1; k <= functions; k++) if (index(side[2] " ", " " want[k] " ") == 0) next
			values = split(side[1], v, " ")
			for (k = 1; k <= values; k++) sum[k] += v[k]
		}
		END { for (k = 1; k <= values; k++) printf("%s%.0f", k == 1 ? "" : " ", sum[k]) }'
}
