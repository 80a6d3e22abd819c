#!/bin/bash
# An image whose symbol table is missing, of another build or damaged: refused with one line, and the profile's addresses are right all the same.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-notable.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
image wordcount
find_go
export PPROF_TMPDIR=$dir TZ=UTC
elf=$BUILD/$ARCH/app/wordcount/kernel.elf
for _ in {1..20}; do cat README.md docs/*.md; done >"$dir/text"
# Where the table lies in the file: the magic, version and eleven bytes, five counts, then the build id (kernel/symtab_format.h).
table=$((16#$(readelf -SW "$elf" | sed -n 's/.* \.hbsym *PROGBITS *[0-9a-f]* \([0-9a-f]*\) .*/\1/p')))
[ "$table" -gt 0 ] || bail "no .hbsym in $elf"

poke() { # poke FILE OFFSET: changes a byte
	local old
	old=$(od -An -tu1 -j "$2" -N1 "$1")
	printf "\\x$(printf %x $((old ^ 85)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

refused() { # refused WHAT ELF LINE
	local bad=0 file=$OUT/wordcount/cpu.pb.gz
	boot wordcount ELF="$2" INPUT="$dir/text" BOOT=prof.hz=1000
	equal status "$status" 0 || bad=1
	equal "lines about the table" "$(grep -c '^hb: symbol table refused: ' "$dir/out")" 1 || bad=1
	has "$dir/out" "^hb: symbol table refused: $3" || bad=1
	"$go" tool pprof -symbolize=none -raw "$file" >"$dir/raw" 2>>"$dir/notes" || bad=1
	# locations without a name; the ELF knows what is there
	sed -nE '/^Locations/,/^Mappings/s/^ *[0-9]+: (0x[0-9a-f]+) M=1 *$/\1/p' "$dir/raw" >"$dir/addresses"
	[ "$(wc -l <"$dir/addresses")" -ge 10 ] || { note "only $(wc -l <"$dir/addresses") addresses without names"; bad=1; }
	addr2line -f -e "$elf" <"$dir/addresses" >"$dir/names" 2>>"$dir/notes"
	has "$dir/names" '^worker$' '^count_words$' '^goroutine_entry$' || bad=1
	! grep -q '^??$' "$dir/names" || { note "an address where no code is"; bad=1; }
	ok $bad "$1: refused in one line, addresses are right"
}

cp "$elf" "$dir/other.elf"
poke "$dir/other.elf" $((table + 36))
refused "a table with another build id" "$dir/other.elf" '.*build id'
cp "$elf" "$dir/damaged.elf"
poke "$dir/damaged.elf" $((table + 3000))
refused "a damaged table" "$dir/damaged.elf" 'damaged .check sum.'
cp "$elf" "$dir/none.elf"
poke "$dir/none.elf" "$table"
refused "no table" "$dir/none.elf" 'there is none'
done_testing
