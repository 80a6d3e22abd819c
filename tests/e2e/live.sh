# live.sh: what the tests of the live port share; sourced behind e2e.sh.
#
#   serving APP MACHINE [NAME=value ...]   starts a guest with four ports from $port on; more of what tools/run takes may follow. Returns when it
#                                          says that it is ready; the console is in $dir/console. LIVE_QEMU: more arguments for QEMU
#   served                                 ends it
#   request PORT TEXT                      sends TEXT (with \r\n where it says so) and prints the answer, whose length is in its head
#   get PATH [FIELD\r\n...]                one request to $port; the answer in $dir/answer
#   fetch PATH [ARGUMENT...]               one by curl: head in $dir/head, body in $dir/body, status in $code
#
# shellcheck shell=bash

request() {
	local port=$1 text=$2 line length=0
	exec 9<>"/dev/tcp/127.0.0.1/$port" || return 1
	printf '%b' "$text" >&9
	while IFS= read -r -t 10 line <&9; do
		printf '%s\n' "${line%$'\r'}"
		[[ $line != [Cc]ontent-[Ll]ength:* ]] || length=${line//[!0-9]/}
		[ "$line" != $'\r' ] || break
	done
	[[ $length -eq 0 || $text = HEAD* ]] || timeout 10 head -c "$length" <&9
	exec 9>&-
}
get() { request "$port" "GET $1 HTTP/1.1\r\nHost: test\r\n${2:-}\r\n" >"$dir/answer"; }
fetch() {
	local path=$1
	shift
	code=$(curl -s --globoff --path-as-is -m 60 -o "$dir/body" -D "$dir/head" -w '%{http_code}' "$@" "http://127.0.0.1:$port$path")
}

serving() {
	local app=$1 machine=$2 i
	shift 2
	port=$(free_port)
	live_dir=$dir/live-$port
	rm -rf "$live_dir" # another guest may have had the same port
	mkdir -p "$live_dir"
	# boot writes to $dir; several guests at once have folders of their own.
	(
		dir=$live_dir
		boot "$app" MACHINE="$machine" LIVE="$port" TIMEOUT=$([ "$FULL" = 1 ] && echo 3600 || echo 300) QEMU_ARGS="-pidfile $live_dir/pid ${LIVE_QEMU:-}" "$@"
		exit "$status"
	) &
	live_job=$!
	for ((i = 0; i < 600; i++)); do
		! grep -aq '^live: ready' "$live_dir/all" 2>/dev/null || break
		sleep 0.1
	done
	ln -sfn "$live_dir/all" "$dir/console"
	[ "$i" -lt 600 ]
}
served() {
	[ ! -s "$live_dir/pid" ] || kill "$(<"$live_dir/pid")" 2>/dev/null
	wait "$live_job" 2>/dev/null
	cat "$live_dir/err" >>"$dir/err" 2>/dev/null
}
