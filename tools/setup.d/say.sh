# shellcheck shell=bash disable=SC2034,SC2154,SC2016
# Messages, logged steps and the progress shown meanwhile.
#
# Everything a command prints goes to $log; the terminal gets one line per step, and while a step lasts the log's last
# line (on a terminal, twice a second, in place; elsewhere one line every 20 seconds, so that a silent run is a hung one).

# say TEXT: one progress line.
said=
say() {
	said=yes
	printf 'setup: %s: %s\n' "$what" "$1"
}

# die TEXT: the one error line, possibly with details on the following lines; ends the run.
die() {
	printf 'setup: %s: error: %s\n' "$what" "$1" >&2
	exit 1
}

# step TEXT COMMAND...: runs an external COMMAND with its output in the log. Returns its exit status.
step() {
	local rc=0
	say "$1"
	printf '\n== %s\n' "$1" >>"$log"
	shift
	printf '+ %s\n' "$*" | redact >>"$log"
	ticker 9>&- &
	ticker_pid=$!
	"$@" >>"$log" 2>&1 </dev/null 9>&- || rc=$?
	ticker_stop
	return "$rc"
}

# must TEXT COMMAND...: a step without which the run ends, with the log's last lines shown.
must() {
	step "$@" || die_log "\"$1\" failed with status $?"
}

# die_log TEXT: die, with the last lines of the log.
die_log() {
	die "$1; the last lines of $log:
$(tail -n 15 "$log" | redact | sed 's/^/  | /')"
}

# Drops the user name and password from addresses, for logs and messages.
redact() {
	sed 's|\(://\)[^/@ ]*@|\1|g'
}

ticker_pid=
ticker() {
	local begin=$SECONDS next=20 last
	trap - EXIT
	# Waits on a pipe that never has data: a killed ticker then leaves no sleep(1) that keeps the output open.
	exec 8<> <(:)
	while kill -0 $$ 2>/dev/null; do
		read -rt 0.5 -u 8 || :
		last=$(tail -c 400 "$log" | tr -cd '[:print:]\n' | grep -v '^ *$' | tail -n 1 | redact) || :
		if [ -t 1 ]; then
			printf '\r\033[K  %3d s  %.66s' $((SECONDS - begin)) "$last"
		elif [ $((SECONDS - begin)) -ge $next ]; then
			next=$((next + 20))
			printf 'setup: %s: %d s: %.66s\n' "$what" $((SECONDS - begin)) "$last"
		fi
	done
}

ticker_stop() {
	[ -n "$ticker_pid" ] || return 0
	kill "$ticker_pid" 2>/dev/null || :
	wait "$ticker_pid" 2>/dev/null || :
	ticker_pid=
	[ ! -t 1 ] || printf '\r\033[K'
}
