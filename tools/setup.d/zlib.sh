# shellcheck shell=bash disable=SC2034,SC2154,SC2016
# zlib for the target: deflate, and inflate, with which tests look at what was packed. The eight sources need of the C library only
# memcpy and memset.
#
# Result: $BUILD/deps/ARCH/zlib/libz.a and include/{zlib.h,zconf.h}. The caller gives zalloc and zfree. DWARF names the
# sources zlib/...

ZLIB_FILE=zlib_1.3.dfsg+really1.3.1.orig.tar.gz
ZLIB_SUM=60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb
ZLIB_SOURCES="deflate trees inflate inftrees inffast adler32 crc32 zutil"
# Without HAVE_MEMCPY, Z_SOLO means loops over bytes; with it nobody includes string.h.
ZLIB_CFLAGS="-O2 -DZ_SOLO -DHAVE_MEMCPY -include string.h"

zlib_key() {
	local triple flags
	target_flags "$1"
	key="zlib 2 $ZLIB_SUM $triple $flags $TARGET_CFLAGS $ZLIB_CFLAGS $ZLIB_SOURCES"
}

zlib_present() {
	[ -f "$B/deps/$1/zlib/libz.a" ]
}

# Needs picolibc-ARCH in place.
zlib_make() {
	local w=$B/deps/work/zlib-$1 libc=$B/deps/$1/picolibc triple flags fetched
	target_flags "$1"
	need_tools "$triple-gcc" "$triple-ar"
	fetch zlib "pool/main/z/zlib/${ZLIB_FILE/+/%2b}" $ZLIB_FILE $ZLIB_SUM ZLIB_TARBALL deb-src
	rm -rf "$w"
	mkdir -p "$w/zlib" "$w/out/include"
	must "unpack ${fetched##*/}" tar -xf "$fetched" -C "$w/zlib" --strip-components=1
	must "compile" zlib_compile "$1"
	cp "$w/zlib/zlib.h" "$w/out/include/"
	# The headers tell their user what the library was built with.
	{
		printf '#ifndef Z_SOLO\n#define Z_SOLO\n#endif\n'
		cat "$w/zlib/zconf.h"
	} >"$w/out/include/zconf.h"
	put_in_place "$w/out" "$B/deps/$1/zlib"
	rm -rf "$w"
}

# Makes out/libz.a in $w; a sub-shell, for the change of folder. The maps: see picolibc_cross.
zlib_compile() (
	cd "$w" || return
	# riscv64's gcc has no C library of its own; its limits.h and picolibc's include each other. The host's gcc has glibc's
	# headers, which must not be found.
	headers="-isystem $libc/include"
	[ "$1" != x86_64 ] || headers="-nostdinc $headers -isystem $("$triple-gcc" -print-file-name=include)"
	for s in $ZLIB_SOURCES; do
		echo "$s.c"
		# shellcheck disable=SC2086
		"$triple-gcc" $flags $TARGET_CFLAGS $ZLIB_CFLAGS $headers -ffile-prefix-map="$w=." \
			-ffile-prefix-map="$libc=picolibc" -c "zlib/$s.c" -o "$s.o" || return
	done
	"$triple-ar" rcsD out/libz.a ./*.o
)
