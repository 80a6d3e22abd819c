#!/bin/bash
# apps/wordcount against coreutils: texts made here, on 1, 2 and 4 harts. counts.txt must be what tr, sort and uniq compute, byte for
# byte; the ten lines on the console its first ten; the status 0.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-wordcount.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image wordcount
in=$dir/in
mkdir "$in"

counts() { # counts <TEXT >counts.txt
	tr A-Z a-z | tr -cs a-z '\n' | grep . | sort | uniq -c | awk '{print $1 "\t" $2}' | sort -k1,1nr -k2,2
}

words() { # words BYTES: a text of many words, a few of them often, in lines
	awk -v want="$1" 'BEGIN {
		srand(1)
		for (n = 0; n < want; n += length(word) + 1) {
			word = ""
			rank = int(exp(rand() * 9))
			for (x = rank + 7; x > 0; x = int(x / 23)) word = word substr("etaoinshrdlucmfwypvbgkq", x % 23 + 1, 1)
			if (rand() < 0.1) word = toupper(substr(word, 1, 1)) substr(word, 2)
			printf "%s%s", word, rand() < 0.1 ? (rand() < 0.5 ? ",\n" : ". ") : " "
		}
	}'
}

printf 'a' >"$in/letter"
printf '\n' >"$in/newline"
printf '0123 _-4\n\n!?\n' >"$in/no_letters"
printf 'The cat.\r\nTHE CAT!\r\n\r\nthe dog\r\n' >"$in/crlf"
printf 'don'\''t [x] {y} @z `q` A_b x9y\n' >"$in/neighbours" # what lies next to the letters in ASCII
head -c 1000000 /dev/zero | tr '\0' X >"$in/giant_word"
{ head -c 1000000 /dev/zero | tr '\0' y; printf ' end'; } >"$in/giant_and_end"
printf 'nul\0nul\0\0end\xe4\xf6z\xc3\xa4z\xff\x80a\x00' >"$in/nul_and_8bit"
for i in $(seq 0 255); do printf "\\x$(printf %02x "$i")w"; done >"$in/every_byte"
# A piece is at least 1 KiB: words of 1 to 2100 letters in a row lie over every kind of boundary.
awk 'BEGIN { for (i = 1; i <= 2100; i += 7) { s = sprintf("%*s", i, ""); gsub(/ /, substr("abcdefghij", i % 10 + 1, 1), s); print s } }' >"$in/boundaries"
awk 'BEGIN { for (i = 0; i < 4096; i++) printf "%s", i % 1024 == 1023 ? " " : "k" }' >"$in/ends_at_boundary"
words 300000 >"$in/small"
words "$([ -n "$FULL" ] && echo 30000000 || echo 5000000)" >"$in/large"

check() { # check TEXT HARTS [ARGS]
	local bad=0 text=$1
	SMP=$2 boot wordcount INPUT="$in/$text" ARGS="${3:-}" BOOT="${4:-}"
	[ -f "$in/$text.counts" ] || counts <"$in/$text" >"$in/$text.counts"
	equal status "$status" 0 || bad=1
	if [ ! -f "$OUT/wordcount/counts.txt" ]; then
		note "no counts.txt"
		bad=1
	elif ! cmp -s "$OUT/wordcount/counts.txt" "$in/$text.counts"; then
		note "counts.txt differs (< ours, > coreutils):"
		diff "$OUT/wordcount/counts.txt" "$in/$text.counts" | head -n 6 | cut -c 1-100 >>"$dir/notes"
		bad=1
	fi
	sed -nE 's/^ *([0-9]+) ([a-z]+)$/\1\t\2/p' "$dir/out" >"$dir/top"
	head -n 10 "$in/$text.counts" | cmp -s - "$dir/top" || {
		note "the top ten on the console differ"
		bad=1
	}
	has "$dir/out" "^$(stat -c %s "$in/$text") bytes, [0-9]+ workers on $2 harts, " || bad=1
	ok $bad "$text, $2 harts${3:+, $3}"
}

texts='letter newline no_letters crlf neighbours giant_word giant_and_end nul_and_8bit every_byte boundaries ends_at_boundary small'
for text in $texts; do
	if [ -n "$FULL" ]; then
		for harts in 1 2 4; do check "$text" $harts; done
	else
		check "$text" $((1 << n % 3))
	fi
done
for harts in 1 2 4; do check large $harts; done
check small 4 "repeat=3"
check small 4 "workers=1"
check small 4 "workers=10000"
check small 8 "repeat=2"

boot wordcount INPUT="$in/crlf" ARGS="repeat=0"
bad=0
equal status "$status" 1 || bad=1
has "$dir/out" '^wordcount: repeat=0: expected a number from 1 to 1000000$' || bad=1
ok $bad "a bad argument is status 1 and one line"
boot wordcount
bad=0
equal status "$status" 1 || bad=1
has "$dir/out" '^wordcount: input: cannot be opened; give a file with INPUT=$' || bad=1
ok $bad "no file is status 1 and one line"
done_testing
