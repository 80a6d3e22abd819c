# free_port.sh: sourced by what runs a guest with a live port, from the root of the tree.
#
#   free_port     prints the first of 8 TCP ports that nobody has: below those that systems give to clients. Two that ask at the same time,
#                 before either has taken its ports, get different ones: each has the next turn. Who has the last is in $BUILD/port.turn
#
# shellcheck shell=bash

free_port() {
	local turns=1500 turn p i
	while :; do
		turn=$(
			exec 9<>"${BUILD:-build}/port.turn" && flock 9 || exit
			read -r turn <&9
			[[ $turn =~ ^[0-9]{1,4}$ ]] || turn=$((RANDOM % turns))
			turn=$(((10#$turn + 1) % turns))
			echo "$turn" >"${BUILD:-build}/port.turn" && echo "$turn"
		)
		p=$((20000 + ${turn:-RANDOM % turns} * 8))
		for ((i = 0; i < 8; i++)); do
			! (exec 3<>"/dev/tcp/127.0.0.1/$((p + i))") 2>/dev/null || break
		done
		[ $i -lt 8 ] || break
	done
	echo "$p"
}
