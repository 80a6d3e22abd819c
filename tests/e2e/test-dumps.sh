#!/bin/bash
# Everything at once on the console: text of many goroutines, two dumps, profiles that start and stop. Each line of text is whole and in its
# printer's order, each dump is exact to the byte, the profiles open. The program stands outside of the tree.
#
#	[ARCH=...] [BUILD=...] [FULL=1] tests/e2e/test-dumps.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh

app=$dir/program
printers=3 senders=2 rounds=$([ -n "$FULL" ] && echo 20 || echo 3) bytes=102400
mkdir -p "$app" "$dir/host"
cat >"$app/content.h" <<C
enum { PRINTERS = $printers, SENDERS = $senders, ROUNDS = $rounds, BYTES = $bytes };

/* What dump r of sender s holds. */
static inline void content(unsigned char *p, unsigned s, unsigned r)
{
	unsigned x = s * 1000 + r + 1;
	for (int i = 0; i < BYTES; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (unsigned char)(x >> 24);
	}
}
C
cat >"$app/main.c" <<'C'
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/dump.h>
#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "content.h"

static struct waitgroup senders, printers;
static atomic_int sending, at_once, most_at_once;
static atomic_bool over;

static void print_lines(void *arg)
{
	unsigned me = (unsigned)(size_t)arg, n = 0;
	char text[60];
	memset(text, 'a' + (int)me, sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (; !atomic_load(&over); n++)
		printf("line %u %u %s.\n", me, n, text);
	printf("printer %u printed %u\n", me, n);
	waitgroup_done(&printers);
}

static void send(void *arg)
{
	unsigned me = (unsigned)(size_t)arg;
	unsigned char *data = malloc(BYTES);
	for (unsigned r = 0; r < ROUNDS; r++) {
		char name[20];
		content(data, me, r);
		snprintf(name, sizeof name, "s%u-%u.bin", me, r);
		struct dump *d = dump_open(name);
		if (d == NULL)
			exit(3);
		int now = atomic_fetch_add(&sending, 1) + 1;
		if (now > atomic_load(&most_at_once))
			atomic_store(&most_at_once, now);
		/* The others' dumps are open, too. */
		while (atomic_load(&sending) < (int)(SENDERS * (r + 1)))
			go_yield();
		for (size_t at = 0, n; at < BYTES; at += n) {
			n = 1 + (at * 7 + me) % 5000;
			n = n < BYTES - at ? n : BYTES - at;
			dump_write(d, data + at, n);
		}
		dump_close(d);
	}
	free(data);
	waitgroup_done(&senders);
}

static void profile(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		if (prof_start(1000) != 0)
			exit(4);
		time_sleep(50 * TIME_MILLISECOND);
		if (prof_stop("a.pb.gz") != 0)
			exit(5);
	}
	waitgroup_done(&senders);
}

int main(void)
{
	waitgroup_add(&printers, PRINTERS);
	waitgroup_add(&senders, SENDERS + 1);
	for (size_t i = 0; i < PRINTERS; i++)
		if (go(print_lines, (void *)i) == 0)
			return 2;
	for (size_t i = 0; i < SENDERS; i++)
		if (go(send, (void *)i) == 0)
			return 2;
	if (go(profile, NULL) == 0)
		return 2;
	waitgroup_wait(&senders);
	atomic_store(&over, 1);
	waitgroup_wait(&printers);
	return 0;
}
C
cat >"$dir/host/main.c" <<'C'
#include <stdio.h>
#include "content.h"
int main(void)
{
	static unsigned char data[BYTES];
	char name[20];
	for (unsigned s = 0; s < SENDERS; s++) {
		for (unsigned r = 0; r < ROUNDS; r++) {
			content(data, s, r);
			snprintf(name, sizeof name, "s%u-%u.bin", s, r);
			FILE *f = fopen(name, "wb");
			if (f == NULL || fwrite(data, 1, BYTES, f) != BYTES || fclose(f) != 0)
				return 1;
		}
	}
	return 0;
}
C
gcc -O1 -I"$app" "$dir/host/main.c" -o "$dir/host/make" 2>"$dir/build" || bail "the host's half does not build"
mkdir "$dir/wanted"
(cd "$dir/wanted" && ../host/make) || bail "the host's half does not run"
image "$app"
find_go
export PPROF_TMPDIR=$dir TZ=UTC

# The files of a folder are the dumps and two profiles, and nothing else.
files() { # files FOLDER
	local bad=0 f
	(cd "$1" && ls) | grep -v '^console.log$' | sort >"$dir/got"
	{ ls "$dir/wanted"; printf '%s\n' a.pb.gz a.pb.gz.2; } | sort | diff - "$dir/got" >>"$dir/notes" || bad=1
	for f in "$dir"/wanted/*; do cmp "$f" "$1/${f##*/}" >>"$dir/notes" 2>&1 || bad=1; done
	return $bad
}

all_at_once() { # all_at_once NAME SETTING...
	local name=$1 bad=0 p made=$OUT/program
	shift
	boot "$app" BOOT="prof.cpu=off prof.goroutine=off" TIMEOUT=200 "$@"
	equal status "$status" 0 || bad=1
	files "$made" || bad=1
	ok $bad "$name: every dump is exact"

	# Text: whole lines, in order, as many as their printer says; besides them the printers' last words, the kernel's and hbdump's.
	bad=0
	awk -v printers="$printers" '
		BEGIN { for (p = 0; p < printers; p++) for (i = 0; i < 59; i++) text[p] = text[p] sprintf("%c", 97 + p) }
		/^line / { p = $2; if (NF != 4 || !(p in text) || $3 != n[p] + 0 || $4 != text[p] ".") { print "not a whole line in order: " $0; bad = 1 } n[p]++; next }
		/^printer [0-9]+ printed [0-9]+$/ { said[$2] = $4; next }
		/^(hb|hbdump): / { next }
		{ print "a line of nobody: " $0; bad = 1 }
		END {
			for (p in text) if (said[p] == "" || said[p] != n[p] || n[p] < 20) { printf "printer %d: %d lines, said %s\n", p, n[p], said[p]; bad = 1 }
			exit bad
		}' "$dir/out" | head -n 10 >"$dir/lines"
	[ "${PIPESTATUS[0]}" -eq 0 ] || bad=1
	cat "$dir/lines" >>"$dir/notes"
	ok $bad "$name: every line is whole ($(grep -c '^line ' "$dir/out") of them)"

	bad=0
	for p in a.pb.gz a.pb.gz.2; do
		"$go" tool pprof -symbolize=none -raw "$made/$p" >"$dir/raw" 2>>"$dir/notes" || bad=1
		has "$dir/raw" '^Period: 1000000$' ' (print_lines|send|content) ' || bad=1
	done
	ok $bad "$name: the profiles open"

	# They were under way at the same time, in the log: parts of both senders' dumps in turn, with text in between.
	awk '/^@hb B [^ ]+ s[0-9]/ { of[$3] = $4 } /^@hb D/ && ($3 in of) { s = substr(of[$3], 1, 2); if (s != last) turns++; last = s } END { print turns + 0 }' \
		"$made/console.log" >"$dir/turns"
	note "the senders' lines change $(cat "$dir/turns") times"
	[ "$(cat "$dir/turns")" -ge $((4 * rounds)) ]
	ok $? "$name: the dumps were sent at the same time"

	bad=0
	rm -rf "$dir/again"
	"$BUILD/tools/hbdump" -q -o "$dir/again" "$made/console.log" >/dev/null 2>>"$dir/notes"
	equal "hbdump's status" $? 0 || bad=1
	files "$dir/again" || bad=1
	ok $bad "$name: the log decodes once more"
}
all_at_once "$SMP harts"
all_at_once "1 hart" SMP=1
done_testing
