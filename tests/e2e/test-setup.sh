#!/bin/bash
# tools/setup: bad input, missing rights, idempotence and locking; no network, nothing installed, a few seconds.
#
# Every run has its own $BUILD and a PATH that starts with stubs of the commands that would reach out: apt-get, apt-helper,
# sudo, id, dpkg-query, go and the compilers. A stub's conduct is set by files in $T. Prints TAP; exits 1 if a test failed.
set -u
ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
SETUP=$ROOT/tools/setup
REAL=$(cd "$ROOT" && realpath -m "${BUILD:-build}")
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
unset PICOLIBC_TARBALL ZLIB_TARBALL OPENSBI_DEB MAKEFLAGS MAKELEVEL
export T BUILD=$T/b PATH=$T/stub:$PATH
mkdir "$T/stub"

count=0 failed=0
# begin NAME: starts a test with a fresh folder and well-behaved stubs.
begin() {
	name=$1 bad=''
	rm -rf "$BUILD" "$T"/stub/* "$T/calls" "$T/installed"
	: >"$T/calls"
	stub id 'echo 1000'
	stub sudo 'exit 1'
	stub apt-get 'exit 100'
	stub apt-helper 'echo "E: Temporary failure resolving the mirror"; exit 100'
	stub go 'exit 127'
}
end() {
	count=$((count + 1))
	if [ -z "$bad" ]; then
		echo "ok $count - $name"
	else
		failed=$((failed + 1))
		echo "not ok $count - $name"
		printf '%s' "$bad" | sed 's/^/# /'
		printf '%s\n' "${out:-}" | sed 's/^/#   | /'
	fi
}
skip() {
	count=$((count + 1))
	echo "ok $count - $name # SKIP $1"
}
# stub NAME SCRIPT: every call is noted in $T/calls.
stub() {
	printf '#!/bin/bash\necho "%s $*" >>"$T/calls"\n%s\n' "$1" "$2" >"$T/stub/$1"
	chmod +x "$T/stub/$1"
}
# run STATUS WHAT...: runs tools/setup with its output in $out.
run() {
	local expected=$1 rc=0
	shift
	out=$("$SETUP" "$@" 2>&1 </dev/null) || rc=$?
	[ "$rc" = "$expected" ] || bad+="tools/setup $*: status $rc, expected $expected"$'\n'
}
says() {
	[[ $out == *"$1"* ]] || bad+="the output lacks: $1"$'\n'
}
silent_on() {
	[[ $out != *"$1"* ]] || bad+="the output has: $1"$'\n'
}
is() {
	[ "$2" = "$3" ] || bad+="$1: \"$2\", expected \"$3\""$'\n'
}
calls() {
	grep -c "^$1" "$T/calls"
}
listing() {
	find "$BUILD" -printf '%p %T@ %i %s\n' | sort
}
stub_mirror() {
	stub apt-get 'case "$*" in
	indextargets*Packages) echo "http://user:secret@mirror.invalid/debian/ bookworm"
		echo "http://mirror.invalid/debian-security/ bookworm-security" ;;
	*update*) echo "E: The repository is not reachable"; exit 100 ;;
	esac'
}
# The packages as dpkg-query shows them; opensbi is there only when $T/installed exists.
stub_dpkg_query() {
	stub dpkg-query 'shift 3
	for p; do
		[ $p = opensbi ] && [ ! -e $T/installed ] && echo "unknown ok=opensbi" || echo "installed=$p"
	done'
}

begin "without arguments: usage, status 2"
run 2
says "usage: tools/setup WHAT..."
end

begin "an unknown WHAT is named, and nothing is started"
run 2 go picolibc-arm64
says '"picolibc-arm64"'
says "picolibc-riscv64"
is "folder made" "$([ -e "$BUILD" ] && echo yes)" ""
end

begin "a BUILD path that make or the compiler would split is refused"
BUILD="$T/a b" run 1 go
says "is not supported"
end

for var in PICOLIBC_TARBALL:picolibc-riscv64 PICOLIBC_TARBALL:picolibc-x86_64 OPENSBI_DEB:opensbi; do
	what=${var#*:} var=${var%:*}
	begin "$what: $var names no file, a folder, a wrong file"
	for tool in riscv64-unknown-elf-gcc riscv64-unknown-elf-ar x86_64-linux-gnu-gcc x86_64-linux-gnu-ar meson ninja; do
		stub $tool 'exit 1'
	done
	stub_mirror
	export "$var=$T/none.tar"
	run 1 "$what"
	says "$var=$T/none.tar: no such file"
	export "$var=$T"
	run 1 "$what"
	says "not a readable file"
	echo other >"$T/other.tar"
	export "$var=$T/other.tar"
	run 1 "$what"
	says "wrong file, its SHA-256 is $(sha256sum <"$T/other.tar" | cut -d ' ' -f 1); expected "
	unset "$var"
	is "downloads tried" "$(calls apt-)" 0
	is "stamps" "$(find "$BUILD" -name '*stamp')" ""
	end
done

begin "a file that cannot be had: one error with all that was tried, without the mirror's password"
stub_mirror
run 1 opensbi
says "mirror.invalid/debian/pool/main/o/opensbi/opensbi_1.6-1_all.deb: E: Temporary failure resolving the mirror"
says "apt-get update of http://mirror.invalid/debian trixie: E: The repository is not reachable"
says "OPENSBI_DEB=/path/to/file"
silent_on secret
silent_on debian-security
is "secret in the log" "$(grep -c secret "$BUILD"/log/*)" 0
is "errors" "$(grep -c error: <<<"$out")" 1
is "stamps" "$(find "$BUILD" -name '*stamp')" ""
end

begin "a machine without Debian's package sources is told so"
run 1 opensbi
says "none names a Debian suite"
end

begin "a download with a wrong content is refused and removed"
stub_mirror
stub apt-helper 'for a; do case $a in */dl/*) echo wrong >"$a" ;; esac; done'
run 1 opensbi
is "files left" "$(ls "$BUILD/dl")" ""
end

begin "packages: neither root nor sudo: the exact command, nothing done"
stub_dpkg_query
run 1 packages
says "missing: opensbi"
says "su -c 'apt-get update"
says "&& apt-get install --yes --no-install-recommends"
says " opensbi'"
is "installs" "$(calls 'apt-get install')" 0
is "stamps" "$(find "$BUILD" -name '*stamp')" ""
end

begin "packages: nothing missing: silent, no apt-get, no sudo"
stub_dpkg_query
: >"$T/installed"
run 0 packages
is "output" "$out" ""
is "apt-get or sudo calls" "$(grep -cE '^(apt-get|sudo)' "$T/calls")" 0
is "stamps" "$(find "$BUILD" -name '*stamp')" "$BUILD/deps/packages.stamp"
before=$(listing)
run 0 packages
is "output of the second run" "$out" ""
is "files after the second run" "$(listing)" "$before"
end

begin "packages: no index yet: update, then install by sudo, of what is missing only"
stub_dpkg_query
stub sudo '[ "$1" = -n ] && shift && "$@"'
stub apt-get 'case "$1" in install) : >$T/installed ;; esac'
run 0 packages
is "apt-get" "$(sed -n 's/^apt-get \([^ ]*\).* \([^ ]*\)$/\1 \2/p' "$T/calls" | tail -n 2 | paste -sd ' ')" \
	"update -oAPT::Update::Error-Mode=any install opensbi"
end

begin "packages: an install that fails on an old index: update, install again"
stub_dpkg_query
stub id 'echo 0'
stub apt-get 'case "$1" in
	indextargets) echo /var/lib/apt/lists/x ;;
	update) : >$T/updated ;;
	install) [ -e $T/updated ] && : >$T/installed || exit 100 ;;
	esac'
run 0 packages
is "apt-get" "$(grep -oE '^apt-get (install|update)' "$T/calls" | cut -c 9- | paste -sd ' ')" "install update install"
is "sudo calls" "$(calls sudo)" 0
end

begin "packages: an install that fails for good: the log's last lines, no stamp"
stub_dpkg_query
stub id 'echo 0'
stub apt-get 'echo "E: Unable to locate package"; exit 100'
run 1 packages
says "| E: Unable to locate package"
says "$BUILD/log/setup-packages.log"
is "stamps" "$(find "$BUILD" -name '*stamp')" ""
end

# stub_go VERSION: a go whose GOROOT is in $T.
stub_go() {
	mkdir -p "$T/goroot/bin"
	stub go "case \$1 in version) sleep 0.3; echo 'go version $1 linux/amd64' ;; env) echo $T/goroot ;; esac"
	cp "$T/stub/go" "$T/goroot/bin/go"
}

begin "go: a new one on PATH is used; the second run prints and changes nothing"
stub_go go1.23.4
run 0 go
is "goroot" "$(cat "$BUILD/deps/go/goroot")" "$T/goroot"
before=$(listing)
: >"$T/calls"
run 0 go
is "output of the second run" "$out" ""
is "calls of the second run" "$(cat "$T/calls")" ""
is "files after the second run" "$(listing)" "$before"
end

begin "go: a lost GOROOT is noticed"
stub_go go1.23.4
run 0 go
rm -r "$T/goroot"
run 1 go
is "stamps" "$(find "$BUILD" -name '*stamp')" ""
end

begin "go: too old on PATH, none to be had: both are said"
stub_go go1.19.8
run 1 go
says "too old: go version go1.19.8"
says "cannot get golang-1.24-go"
end

begin "two runs at once: one works, the other waits and finds it done"
stub_go go1.23.4
run 0 go >"$T/first" &
run 0 go
wait $!
is "go version calls" "$(calls 'go version')" 1
is "goroot" "$(cat "$BUILD/deps/go/goroot")" "$T/goroot"
end

begin "make: stamps in parallel; a failing one leaves none and stops make"
stub_go go1.23.4
stub_dpkg_query
: >"$T/installed"
printf 'BUILD := %s\nARCH := riscv64\nall:\ninclude %s\nall: $(PACKAGES_STAMP) $(GO_STAMP) $(GOROOT_FILE)\n' "$BUILD" \
	"$ROOT/tools/deps.mk" >"$T/Makefile"
out=$(make -j2 -f "$T/Makefile" 2>&1 </dev/null)
is "status" $? 0
is "stamps" "$(find "$BUILD" -name '*stamp' | wc -l)" 2
rm "$BUILD/deps/go/goroot"
out=$(make -j2 -f "$T/Makefile" 2>&1 </dev/null)
is "goroot after its loss" "$(cat "$BUILD/deps/go/goroot")" "$T/goroot"
out=$(make -j2 -f "$T/Makefile" "$BUILD/deps/opensbi/.stamp" 2>&1 </dev/null)
is "status of the failing one" $? 2
is "stamp of the failing one" "$(ls "$BUILD/deps/opensbi/.stamp" 2>/dev/null)" ""
end

begin "opensbi: a local file is used without a download; the second run prints and changes nothing"
deb=$REAL/dl/opensbi_1.6-1_all.deb
if [ -f "$deb" ]; then
	OPENSBI_DEB=$deb run 0 opensbi
	is "firmware" "$([ -s "$BUILD/deps/opensbi/fw_dynamic.bin" ] && echo there)" there
	is "downloads tried" "$(calls apt-)" 0
	before=$(listing)
	run 0 opensbi
	is "output of the second run" "$out" ""
	is "files after the second run" "$(listing)" "$before"
	rm "$BUILD/deps/opensbi/fw_dynamic.bin"
	OPENSBI_DEB=$deb run 0 opensbi
	is "firmware after its loss" "$([ -s "$BUILD/deps/opensbi/fw_dynamic.bin" ] && echo there)" there
	end
else
	skip "no $deb yet"
fi

begin "all set up: the whole list is looked through in silence"
if [ -f "$REAL/deps/go/.stamp" ] && [ -f "$REAL/deps/riscv64/zlib/.stamp" ] &&
	[ -f "$REAL/deps/x86_64/zlib/.stamp" ] && [ -f "$REAL/deps/opensbi/.stamp" ]; then
	BUILD=$REAL
	before=$(find "$BUILD/deps" -name .stamp -printf '%p %T@ %i\n' | sort)
	run 0 picolibc-riscv64 picolibc-x86_64 zlib-riscv64 zlib-x86_64 opensbi go
	is "output" "$out" ""
	is "stamps" "$(find "$BUILD/deps" -name .stamp -printf '%p %T@ %i\n' | sort)" "$before"
	is "calls" "$(cat "$T/calls")" ""
	BUILD=$T/b
	end
else
	skip "not all set up yet"
fi

echo "1..$count"
[ $failed = 0 ]
