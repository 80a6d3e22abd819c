# free_port.sh: sourced by what runs a guest with a live port, with ARCH set.
#
#   free_port     prints the first of 8 TCP ports that nobody has: below those that systems give to clients, others for each architecture
#
# shellcheck shell=bash

free_port() {
	local base=20000 p i
	[ "$ARCH" = riscv64 ] || base=26000
	for ((p = base + (RANDOM % 750) * 8; ; p = base + (p - base + 8) % 6000)); do
		for ((i = 0; i < 8; i++)); do
			! (exec 3<>"/dev/tcp/127.0.0.1/$((p + i))") 2>/dev/null || break
		done
		[ $i -lt 8 ] || break
	done
	echo "$p"
}
