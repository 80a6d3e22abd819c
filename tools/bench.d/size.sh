# size.sh: how large an image is.
# shellcheck shell=bash

make all APP=hello > /dev/null
strip=$([ "$arch" = riscv64 ] && echo riscv64-unknown-elf-strip || echo strip)
$strip -o "$work/hello" "$BUILD/$arch/app/hello/kernel.elf"
row "hello, stripped, symbol table included" "$(stat -c %s "$work/hello") bytes"
row "of it the symbol table" "$(stat -c %s "$BUILD/$arch/app/hello/symbols.bin") bytes"
