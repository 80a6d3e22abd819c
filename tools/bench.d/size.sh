# size.sh: how large an image is.
# shellcheck shell=bash

make all APP=hello > /dev/null
strip=$([ "$arch" = riscv64 ] && echo riscv64-unknown-elf-strip || echo strip)
$strip -o "$work/hello" "$BUILD/$arch/app/hello/kernel.elf"
row "hello, stripped, symbol table included" "$(stat -c %s "$work/hello") bytes"
row "of it the symbol table" "$(sed -n '1s/^symbol table: \([0-9]* bytes, [0-9.]* % of\) .*/\1 text/p' "$BUILD/$arch/app/hello/symbols.txt")"
make all APP=hello SERVE=1 > /dev/null
$strip -o "$work/hello-serve" "$BUILD/$arch/app-serve/hello/kernel.elf"
row "hello with the live port and commands" "$(stat -c %s "$work/hello-serve") bytes"
