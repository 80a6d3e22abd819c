# shellcheck shell=bash disable=SC2034,SC2154,SC2016
# picolibc, the C library of the image, from Debian's source package; one set of options for both architectures.
#
# Result: $BUILD/deps/ARCH/picolibc/include and lib/libc.a (lib/libm.a beside it). DWARF names its sources
# picolibc/newlib/... and no folder of this machine, so the same compiler makes the same bytes anywhere.

PICOLIBC_FILE=picolibc_1.8.10.orig.tar.gz
PICOLIBC_SUM=d1fc2a20f217472f8d9da084a519a25678e8d91852a41c7f3f1840d3508f7163

# Per-architecture compiler and flags, for everything third-party that is linked into the image.
# -mcmodel=kernel: such objects link at 1 MiB as well as at -2 GiB. No vector flags: the baseline is SSE2, so that the image
# boots on any x86-64.
target_flags() {
	case $1 in
	riscv64)
		triple=riscv64-unknown-elf
		flags="-march=rv64gc -mabi=lp64d -mcmodel=medany"
		;;
	x86_64)
		triple=x86_64-linux-gnu
		flags="-fno-pic -fno-pie -fcf-protection=none -static -mcmodel=kernel -mno-red-zone"
		;;
	esac
}

# Frame pointers and unwind tables: a sample may land anywhere. No loop is turned into a call of memset: the kernel's own
# memset may be that loop.
TARGET_CFLAGS="-g -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections
	-fno-stack-protector -fno-tree-loop-distribute-patterns"

# Sections are kept apart, locks go to the kernel's mutexes, errno and the like are per goroutine (TLS), stdin and its
# kin are the kernel's (no posix-console), and so are the start-up code and the linker script.
PICOLIBC_OPTIONS="--buildtype=plain -Doptimization=2 -Dincludedir=include -Dlibdir=lib -Dmultilib=false -Dtests=false
	-Dpicocrt=false -Dpicocrt-lib=false -Dsemihost=false -Dspecsdir=none -Dinitfini=false
	-Dthread-local-storage=true -Dtls-model=local-exec -Derrno-function=false -Dnewlib-global-errno=false
	-Dsingle-thread=false -Dstdio-locking=true -Dio-long-long=true -Dformat-default=double -Dposix-console=false
	-Dfast-strcmp=true -Dwant-math-errno=true"

picolibc_key() {
	local triple flags
	target_flags "$1"
	key="picolibc 2 $PICOLIBC_SUM $triple $flags $TARGET_CFLAGS $PICOLIBC_OPTIONS"
}

picolibc_present() {
	[ -f "$B/deps/$1/picolibc/lib/libc.a" ]
}

need_tools() {
	local t
	for t in "$@"; do
		command -v "$t" >/dev/null || die "$t is not on PATH; run tools/setup packages first"
	done
}

picolibc_make() {
	local w=$B/deps/work/picolibc-$1 to=$B/deps/$1/picolibc triple flags fetched
	target_flags "$1"
	need_tools "$triple-gcc" "$triple-ar" meson ninja
	fetch picolibc pool/main/p/picolibc/$PICOLIBC_FILE $PICOLIBC_FILE $PICOLIBC_SUM PICOLIBC_TARBALL deb-src
	rm -rf "$w"
	mkdir -p "$w/picolibc" "$w/b"
	must "unpack ${fetched##*/}" tar -xf "$fetched" -C "$w/picolibc" --strip-components=1
	picolibc_cross "$1" >"$w/cross"
	# shellcheck disable=SC2086
	must "configure" meson setup --cross-file "$w/cross" --prefix="$w/inst" $PICOLIBC_OPTIONS "$w/picolibc" "$w/b"
	must "compile" ninja -C "$w/b"
	must "install" ninja -C "$w/b" install
	# libg.a is a copy of libc.a; the others belong to start-up code that we do not use.
	rm -f "$w"/inst/lib/{libg.a,libnosys.a} "$w"/inst/lib/*.ld
	[ -f "$w/inst/lib/libc.a" ] || die_log "the build made no libc.a"
	put_in_place "$w/inst" "$to"
	rm -rf "$w"
}

# meson's cross file. ninja compiles in $w/b, so sources are named ../picolibc/...; the maps make that picolibc/..., and the
# compilation folder ".": libdw does not join the two, gdb does, and so both come to the same name. For assembly sources
# riscv64's gcc 12 does not hand the maps on to as, hence -Wa.
picolibc_cross() {
	local maps="-ffile-prefix-map=../picolibc/=picolibc/ -ffile-prefix-map=$w/b=.
		-Wa,--debug-prefix-map,../picolibc/=picolibc/,--debug-prefix-map,$w/b=."
	# shellcheck disable=SC2086
	cat <<-END
		[binaries]
		c = [$(quoted $triple-gcc $flags -nostdlib)]
		ar = '$triple-ar'
		as = '$triple-as'
		nm = '$triple-nm'
		strip = '$triple-strip'
		[host_machine]
		system = 'none'
		cpu_family = '$1'
		cpu = '$1'
		endian = 'little'
		[built-in options]
		c_args = [$(quoted $TARGET_CFLAGS $maps)]
		[properties]
		skip_sanity_check = true
		needs_exe_wrapper = true
	END
}

# quoted WORD...: the words in meson's list syntax.
quoted() {
	printf "'%s'," "$@"
}

# put_in_place NEW TO: moves the folder NEW to TO, whose old content goes away.
put_in_place() {
	rm -rf "$2.old"
	mkdir -p "${2%/*}"
	[ ! -e "$2" ] || mv "$2" "$2.old"
	mv "$1" "$2"
	rm -rf "$2.old"
}
