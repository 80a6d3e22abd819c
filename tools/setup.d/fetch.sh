# shellcheck shell=bash disable=SC2034,SC2154,SC2016
# Files from Debian's pool: by pinned SHA-256, else by the signed index of the trixie suite.
#
# No host's name stands here: the base address is the one that the machine's own package sources use, so that its mirror
# and its proxy serve this as well. The index way keeps all of apt's state under $BUILD/apt, given by -o options (a missing
# APT_CONFIG file would only be warned of, and apt then work on the machine's own state).

FETCH_SUITE=trixie

# fetch NAME POOL_PATH FILE SHA256 VARIABLE KIND: sets fetched to a local file.
#   NAME      Debian package (KIND deb) or source package (KIND deb-src), for the index way
#   POOL_PATH address of the file below the base
#   FILE      name that it gets in $BUILD/dl
#   VARIABLE  environment variable by which the user may name a local copy; "" for none
# Ends the run if the file cannot be had, with all that was tried.
fetch() {
	local name=$1 pool=$2 file=$3 sum=$4 var=$5 kind=$6 tried='' base bases
	if [ -n "$var" ] && [ -n "${!var:-}" ]; then
		fetch_given "$var" "${!var}" "$file" "$sum"
		return
	fi
	fetched=$B/dl/$file
	[ ! -f "$fetched" ] || ! sum_is "$fetched" "$sum" || return 0
	tried="  $fetched: $([ -e "$fetched" ] && echo "SHA-256 is not $sum" || echo "no such file")"
	fetch_bases
	[ -n "$bases" ] || tried="$tried
  the machine's package sources: none names a Debian suite (apt-get indextargets, apt-get update --print-uris)"
	for base in $bases; do
		! fetch_direct || return 0
	done
	for base in $bases; do
		! fetch_index || return 0
	done
	die "cannot get $file. Tried:
$tried
${var:+Offline, name a local copy by $var=/path/to/file (SHA-256 $sum), or}${var:-Offline,} put it at $B/dl/$file"
}

# A local copy that the user names is used or refused, never silently replaced by another.
fetch_given() {
	fetched=$2
	[ "${fetched#/}" != "$fetched" ] || fetched=$PWD/$fetched
	[ -e "$fetched" ] || die "$1=$2: no such file; expected $3 with SHA-256 $4"
	{ [ -f "$fetched" ] && [ -r "$fetched" ]; } || die "$1=$2: not a readable file; expected $3 with SHA-256 $4"
	sum_is "$fetched" "$4" || die "$1=$2: wrong file, its SHA-256 is $(sum_of "$fetched"); expected $3 with SHA-256 $4"
}

sum_of() {
	sha256sum <"$1" | cut -d ' ' -f 1
}

sum_is() {
	[ "$(sum_of "$1")" = "$2" ]
}

# Sets bases to the addresses of the configured suites that have a plain name: bookworm, not bookworm-security.
# indextargets knows nothing before the first update; --print-uris works always, offline and as any user.
fetch_bases() {
	bases=$({
		apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | sed -n 's|/* [a-z]*$||p'
		apt-get update --print-uris | sed -n "s|^'\(.*[^/]\)/*/dists/[a-z]*/InRelease'.*|\1|p"
	} 2>>"$log" | grep -v '^cdrom:' | awk '!seen[$0]++') || :
}

# The one file, without any index.
fetch_direct() {
	local helper
	helper=$(command -v apt-helper || echo /usr/lib/apt/apt-helper)
	rm -f "$fetched"
	if step "download $file" "$helper" -oAPT::Sandbox::User=root -oAcquire::Retries=1 download-file \
		"$base/$pool" "$fetched" "SHA256:$sum" && [ -f "$fetched" ] && sum_is "$fetched" "$sum"; then
		return 0
	fi
	rm -f "$fetched" "$fetched.FAILED"
	fetch_tried "$base/$pool"
	return 1
}

# Whatever version the suite has now, its index's signature checked by apt.
fetch_index() {
	local s=$B/apt/$kind key=/usr/share/keyrings/debian-archive-keyring.gpg o got
	rm -rf "$s/get"
	mkdir -p "$s/lists/partial" "$s/cache/archives/partial" "$s/get"
	(umask 077 && printf '%s [signed-by=%s] %s %s main\n' "$kind" $key "$base" $FETCH_SUITE >"$s/sources.list")
	o=(-oDir::Etc::sourcelist="$s/sources.list" -oDir::Etc::sourceparts=/dev/null -oDir::State::Lists="$s/lists"
		-oDir::Cache="$s/cache" -oAcquire::Languages=none -oAPT::Sandbox::User=root -oAPT::Update::Error-Mode=any
		-oAcquire::Retries=1)
	if ! step "the file is not there as pinned: index of $FETCH_SUITE" apt-get "${o[@]}" update; then
		fetch_tried "apt-get update of $base $FETCH_SUITE"
		return 1
	fi
	if [ "$kind" = deb ]; then
		o+=(download "$name/$FETCH_SUITE")
	else
		o+=(source --tar-only -d "$name/$FETCH_SUITE")
	fi
	# apt-get puts the file in the working folder.
	step "download $name of $FETCH_SUITE" env -C "$s/get" apt-get "${o[@]}" || :
	got=("$s/get/$name"_*.orig.tar.?z "$s/get/$name"_*.deb)
	if [ ${#got[@]} != 1 ]; then
		fetch_tried "apt-get source or download of $name from $base $FETCH_SUITE"
		return 1
	fi
	fetched=$B/dl/${got[0]##*/}
	mv "${got[0]}" "$fetched"
	sum_is "$fetched" "$sum" || say "note: using ${fetched##*/} of the signed index in place of the pinned $file"
}

# Notes an address that failed, with apt's reason.
fetch_tried() {
	tried="$tried
  $(redact <<<"$1"): $(grep -E '^(E|W|Err)' "$log" | tail -n 1 | redact)"
}
