# size.sh: how large an image is.
# shellcheck shell=bash

make all APP=hello > /dev/null
strip=$([ "$arch" = riscv64 ] && echo riscv64-unknown-elf-strip || echo strip)
$strip -o "$work/hello" "$BUILD/$arch/app/hello/kernel.elf"
row "hello, stripped, symbol table included" "$(stat -c %s "$work/hello") bytes"
row "of it the symbol table" "$(sed -n '1s/^symbol table: \([0-9]* bytes, [0-9.]* % of\) .*/\1 text/p' "$BUILD/$arch/app/hello/symbols.txt")"
