# shellcheck shell=bash disable=SC2034,SC2154,SC2016
# Debian packages, through the machine's own apt, without recommends.
#
# libc6-dev is named because gcc only recommends it. opensbi is what QEMU's own -bios default looks for.

packages_list() {
	case $1 in
	'')
		list="qemu-system-misc qemu-system-x86 opensbi gcc-riscv64-unknown-elf gcc libc6-dev make"
		list="$list meson ninja-build libdw-dev zlib1g-dev"
		;;
	clients) list="chromium picocom screen socat" ;;
	test) list="gdb-multiarch clang clang-format curl libclang-rt-14-dev nodejs" ;;
	esac
}

packages_key() {
	local list
	packages_list "$1"
	key="packages $list"
}

# dpkg keeps a file list of every installed package; a look at it needs no process.
packages_present() {
	local list p
	packages_list "$1"
	for p in $list; do
		set -- /var/lib/dpkg/info/"$p".list /var/lib/dpkg/info/"$p":*.list
		[ -e "$1" ] || [ -e "${2:-}" ] || return 1
	done
}

# Sets missing to those of list that dpkg does not call installed.
packages_missing() {
	local have p
	# shellcheck disable=SC2086,SC2016
	have=" $(dpkg-query -W -f '${db:Status-Status}=${Package}\n' $list 2>>"$log" | tr '\n' ' ') " || :
	missing=
	for p in $list; do
		case $have in
		*" installed=$p "*) ;;
		*) missing="$missing $p" ;;
		esac
	done
	missing=${missing# }
}

packages_make() {
	local list missing as_root install update
	packages_list "$1"
	{ command -v dpkg-query && command -v apt-get; } >/dev/null ||
		die "no dpkg-query or apt-get: this is not a Debian machine; it needs what these packages hold: $list"
	packages_missing
	[ -n "$missing" ] || return 0
	say "missing: $missing"
	# shellcheck disable=SC2206
	install=(apt-get install --yes --no-install-recommends -oDPkg::Lock::Timeout=300 $missing)
	update=(apt-get update -oAPT::Update::Error-Mode=any)
	packages_root
	# A fresh machine has no index at all; a stale index names files that the mirror no longer has.
	if [ -z "$(apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' 2>>"$log" | head -n 1)" ]; then
		step "apt-get update (there is no package index yet)" "${as_root[@]}" "${update[@]}" || :
	fi
	if ! step "apt-get install, $(wc -w <<<"$missing") packages" "${as_root[@]}" "${install[@]}"; then
		step "apt-get update (the install failed: the index may be old)" "${as_root[@]}" "${update[@]}" || :
		must "apt-get install, again" "${as_root[@]}" "${install[@]}"
	fi
	packages_missing
	[ -z "$missing" ] || die_log "apt-get ended well, yet these are not installed: $missing"
}

# Sets as_root to the command prefix that gives root's rights, else ends with the command to run by hand.
packages_root() {
	as_root=(env DEBIAN_FRONTEND=noninteractive)
	[ "$(id -u)" != 0 ] || return 0
	as_root=(sudo -n "${as_root[@]}")
	if command -v sudo >/dev/null; then
		! sudo -n true 2>>"$log" || return 0
		if (: </dev/tty) 2>/dev/null; then
			say "sudo may ask for your password, for: ${install[*]}"
			! sudo -v || return 0
		fi
	fi
	die "not root, and sudo does not let us in. Run this, then the same command again:
  su -c '${update[*]::2} && ${install[*]}'"
}
