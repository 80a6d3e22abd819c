# shellcheck shell=bash disable=SC2034,SC2154,SC2016
# Tools of others that the long tests of the live port use. Prometheus and speedscope are unpacked privately: Debian's package of the first would
# start a server.

PROMETHEUS_FILE=prometheus_2.42.0+ds-5+deb12u1_amd64.deb
PROMETHEUS_SUM=81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55
SPEEDSCOPE=1.25.0
SPEEDSCOPE_SUM=2831f1e0d26df914b477e522d78b8485511495a6af81a0b88158f8b48f9e0d03

clients_key() {
	local list
	packages_list clients
	key="clients 1 $list $PROMETHEUS_SUM $SPEEDSCOPE_SUM"
}

clients_present() {
	packages_present clients && [ -x "$B/deps/prometheus/usr/bin/prometheus" ] && [ -f "$B/deps/speedscope/package/dist/release/index.html" ]
}

clients_make() {
	local w=$B/deps/work/clients fetched npm
	packages_make clients
	fetch prometheus "pool/main/p/prometheus/$PROMETHEUS_FILE" "$PROMETHEUS_FILE" $PROMETHEUS_SUM '' deb
	rm -rf "$w"
	mkdir -p "$w/prometheus" "$w/speedscope"
	must "unpack ${fetched##*/}" dpkg -x "$fetched" "$w/prometheus"
	put_in_place "$w/prometheus" "$B/deps/prometheus"
	npm=$B/dl/speedscope-$SPEEDSCOPE.tgz
	if [ ! -f "$npm" ] || ! sum_is "$npm" $SPEEDSCOPE_SUM; then
		command -v npm >/dev/null || die "no npm: speedscope comes from its registry (Debian's package npm, or Node's own)"
		must "npm pack speedscope@$SPEEDSCOPE" env -C "$B/dl" npm pack --silent "speedscope@$SPEEDSCOPE"
	fi
	sum_is "$npm" $SPEEDSCOPE_SUM || die "$npm: its SHA-256 is $(sum_of "$npm"), expected $SPEEDSCOPE_SUM"
	must "unpack ${npm##*/}" tar -xzf "$npm" -C "$w/speedscope"
	put_in_place "$w/speedscope" "$B/deps/speedscope"
	rm -rf "$w"
}
