# shellcheck shell=bash disable=SC2034,SC2154,SC2016
# What comes ready-made: OpenSBI's firmware, and Go for the tests, both out of Debian packages unpacked privately.

OPENSBI_FILE=opensbi_1.6-1_all.deb
OPENSBI_SUM=dc4a43bd21a0ca11771ed8b19ee6fa8476d1d0f4976bd0b27c0357c699d27e1e

GO_FILE=golang-1.24-go_1.24.4-1_amd64.deb
GO_SUM=93c6c109bbc0f1d55523282a16739d10634499c04f6d066a6aa58b67b687a44f
GO_SRC_FILE=golang-1.24-src_1.24.4-1_all.deb
GO_SRC_SUM=c396bc2c2e94606e0a060cff52b9bbbf1d7cefacb040eb3c40a55604111e66e1
# The oldest Go whose trace reader knows the present trace format: 1.22.
GO_MINOR=22

opensbi_key() {
	key="opensbi 1 $OPENSBI_SUM"
}

opensbi_present() {
	[ -f "$B/deps/opensbi/fw_dynamic.bin" ]
}

# Result: $BUILD/deps/opensbi/fw_dynamic.bin, for QEMU's -bios.
opensbi_make() {
	local w=$B/deps/work/opensbi fetched
	fetch opensbi pool/main/o/opensbi/$OPENSBI_FILE $OPENSBI_FILE $OPENSBI_SUM OPENSBI_DEB deb
	rm -rf "$w"
	mkdir -p "$w/out"
	must "unpack ${fetched##*/}" dpkg -x "$fetched" "$w/x"
	cp "$w/x/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin" "$w/out/" ||
		die "${fetched##*/} holds no generic/fw_dynamic.bin"
	put_in_place "$w/out" "$B/deps/opensbi"
	rm -rf "$w"
}

go_key() {
	key="go 1 $GO_MINOR $GO_SUM $GO_SRC_SUM"
}

go_present() {
	local root=''
	[ ! -f "$B/deps/go/goroot" ] || root=$(<"$B/deps/go/goroot")
	[ -n "$root" ] && [ -x "$root/bin/go" ]
}

# Result: $BUILD/deps/go/goroot, one line: the GOROOT to use, whose bin/go is the command.
go_make() {
	local w=$B/deps/work/go root
	rm -rf "$w"
	mkdir -p "$w/out"
	if go_on_path; then
		say "using $root of PATH"
	else
		go_private
		root=$B/deps/go/root/usr/lib/go-1.24
	fi
	printf '%s\n' "$root" >"$w/out/goroot"
	put_in_place "$w/out" "$B/deps/go"
	rm -rf "$w"
}

# Sets root if PATH has a go that is new enough. GOTOOLCHAIN=local: no other version may be downloaded on the way.
go_on_path() {
	local version
	version=$(GOTOOLCHAIN=local go version 2>>"$log") || return 1
	[[ $version =~ go([0-9]+)\.([0-9]+) ]] || return 1
	if [ "${BASH_REMATCH[1]}" -lt 1 ] || { [ "${BASH_REMATCH[1]}" = 1 ] && [ "${BASH_REMATCH[2]}" -lt $GO_MINOR ]; }; then
		say "the go on PATH is too old: $version"
		return 1
	fi
	root=$(GOTOOLCHAIN=local go env GOROOT 2>>"$log") && [ -x "$root/bin/go" ]
}

# Both packages go into one folder: the first has relative links into the second's share/go-1.24.
go_private() {
	local fetched arch
	arch=$(dpkg --print-architecture)
	[ "$arch" = amd64 ] || die "no Go 1.$GO_MINOR or newer on PATH, and the pinned package is for amd64, this machine is $arch"
	fetch golang-1.24-go "pool/main/g/golang-1.24/$GO_FILE" $GO_FILE $GO_SUM '' deb
	must "unpack ${fetched##*/}" dpkg -x "$fetched" "$w/out/root"
	fetch golang-1.24-src "pool/main/g/golang-1.24/$GO_SRC_FILE" $GO_SRC_FILE $GO_SRC_SUM '' deb
	must "unpack ${fetched##*/}" dpkg -x "$fetched" "$w/out/root"
	[ -x "$w/out/root/usr/lib/go-1.24/bin/go" ] || die "the Go packages hold no usr/lib/go-1.24/bin/go"
}
