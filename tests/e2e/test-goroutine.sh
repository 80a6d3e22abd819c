#!/bin/bash
# Profiles by name, from a program outside of the tree: goroutine profiles of known content, a difference, a profile of the program's own, opened
# by the real `go tool pprof` and by our strict reader; the same as text; the one that every program sends at its end.
#
#	[ARCH=...] [BUILD=...] tests/e2e/test-goroutine.sh
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh

app=$dir/program
mkdir -p "$app"
cat >"$app/main.c" <<'C'
#include <stdio.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/labels.h>
#include <hartbeat/profile.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

enum { DELTA_NS = 800 * TIME_MILLISECOND };

static struct chan *gate;
static struct waitgroup started, left;
static struct mutex lock;

__attribute__((noinline)) static void reader(void *arg)
{
	(void)arg;
	waitgroup_done(&started);
	chan_recv(gate, NULL);
	waitgroup_done(&left);
}

__attribute__((noinline)) static void locker(void *arg)
{
	(void)arg;
	waitgroup_done(&started);
	mutex_lock(&lock);
	mutex_unlock(&lock);
}

static void start(void (*fn)(void *), int n)
{
	waitgroup_add(&started, n);
	if (fn == reader)
		waitgroup_add(&left, n);
	for (int i = 0; i < n; i++)
		if (go(fn, NULL) == 0)
			printf("no memory\n");
}

static void labelled(void *arg)
{
	(void)arg;
	start(reader, 3);
}

static void open_gate(void *arg)
{
	(void)arg;
	time_sleep(DELTA_NS / 2); /* the first look is over, as busy as the host is */
	chan_close(gate);
}

/* Whether what is in memory is what went to the console. */
static void both(const char *file)
{
	struct sink_memory m;
	struct sink_both b;
	struct dump *d = dump_open(file);
	sink_memory_init(&m);
	if (d == NULL)
		return;
	sink_both_init(&b, &m.sink, dump_sink(d));
	int r = profile_write("goroutine", 0, &b.sink);
	printf("both: %d, %s\n", r, m.size > 100 ? "bytes" : "none");
	dump_close(d);
	sink_memory_free(&m);
}

int main(void)
{
	static char things[7];
	struct profile *own = profile_new("things");
	gate = chan_make(0, 0);
	mutex_lock(&lock);
	start(reader, 7);
	start(locker, 2);
	if (labels_do((const struct label[]){{"kind", "labelled"}, {"bad", "\xff\xfe"}}, 2, labelled, NULL) != 0 || own == NULL)
		return 1;
	waitgroup_wait(&started);
	time_sleep(20 * TIME_MILLISECOND);
	for (int i = 0; i < 7; i++)
		profile_add(own, &things[i], 0);
	profile_remove(own, &things[3]);
	both("g0.pb.gz");
	profile_dump("goroutine", 1, "g1.txt");
	profile_dump("goroutine", 2, "g2.txt");
	profile_dump("things", 0, "things.pb.gz");
	profile_dump("things", 1, "things.txt");
	struct dump *d = dump_open("delta.pb.gz");
	if (go(open_gate, NULL) == 0 || d == NULL)
		return 1;
	int r = profile_write_delta("goroutine", DELTA_NS, dump_sink(d));
	dump_close(d);
	waitgroup_wait(&left);
	printf("delta: %d\n", r);
	return 0;
}
C
sed -i 's|#include <hartbeat/chan.h>|&\n#include <hartbeat/dump.h>|' "$app/main.c"
image "$app"
find_go
export PPROF_TMPDIR=$dir

pprof() { # pprof FILE FLAG...: standard output to $dir/out
	local file=$1
	shift
	"$go" tool pprof -symbolize=none "$@" "$file" >"$dir/out" 2>"$dir/err"
}

# The samples of `pprof -raw`: value, a blank, the functions of the stack, then its labels.
stacks() { # stacks FILE
	pprof "$1" -raw || return 1
	awk '/^Samples:/ { in_samples = 1; next } /^Locations/ { in_samples = 0; in_locations = 1; next } /^Mappings/ { in_locations = 0 }
		in_samples && /^ *-?[0-9]+: / { n++; value[n] = $1 + 0; ids[n] = $0; sub(/^ *-?[0-9]+: */, "", ids[n]); next }
		in_samples && n > 0 { gsub(/^ +| +$/, ""); label[n] = label[n] " " $0 }
		in_locations && /^ *[0-9]+: / { at = $1 + 0; name[at] = name[at] " " $4; next }
		in_locations { name[at] = name[at] " " $1 }
		END { for (i = 1; i <= n; i++) { line = ""; k = split(ids[i], id, " "); for (j = 1; j <= k; j++) line = line name[id[j]]
			print value[i] line (label[i] != "" ? " |" label[i] : "") } }' "$dir/out" >"$dir/stacks"
}

# The rules of the format, on what pprof read: every value count, every reference, and our own reader, which is stricter.
valid() { # valid FILE
	local bad=0
	[ -s "$1" ] || { note "there is no $(basename "$1")"; return 1; }
	[[ $1 = */delta.pb.gz ]] || "$BUILD/tools/hbdump" --flame "$1" -o "$dir/flame.html" >>"$dir/notes" 2>&1 || bad=1
	pprof "$1" -raw || { note "$(cat "$dir/err")"; bad=1; }
	grep -q 'Problem\|malformed' "$dir/err" && bad=1
	return $bad
}

once() { # once HARTS
	local bad=0 out=$OUT/program
	rm -rf "$out"
	SMP=$1 boot "$app" BOOT=prof.cpu=off
	equal status "$status" 0 || bad=1
	has "$dir/out" '^both: 0, bytes$' '^delta: 0$' || bad=1
	ok $bad "$1 harts: the program ends well"

	bad=0
	for file in g0 things delta goroutine; do valid "$out/$file.pb.gz" || bad=1; done
	ok $bad "$1 harts: each profile is valid for pprof and for our reader"

	bad=0
	stacks "$out/g0.pb.gz" || bad=1
	has "$dir/out" '^PeriodType: goroutine count$' '^Period: 1$' '^goroutine/count' || bad=1
	has "$dir/stacks" '^7 chan_recv reader ' '^2 mutex_lock_slow .*locker ' '^3 chan_recv reader .*\| .*kind:\[labelled\]' || bad=1
	has "$dir/stacks" "bad:\\[$(printf '\357\277\275\357\277\275')\\]" || bad=1
	equal "sum" "$(awk '{ s += $1 } END { print s }' "$dir/stacks")" 13 || bad=1
	note "$(cat "$dir/stacks")"
	ok $bad "$1 harts: 13 goroutines, by stack and labels"

	bad=0
	equal "the first line" "$(head -n 1 "$out/g1.txt")" 'goroutine profile: total 13' || bad=1
	has "$out/g1.txt" '^7 @ 0x[0-9a-f]+ 0x' '^# labels: \{"bad":"..*", "kind":"labelled"\}$' '^#	0x[0-9a-f]+	reader\+0x[0-9a-f]+	.*main\.c:[0-9]+$' || bad=1
	equal "sum" "$(awk '/^[0-9]+ @ / { s += $1 } END { print s }' "$out/g1.txt")" 13 || bad=1
	ok $bad "$1 harts: debug=1 is Go's form"

	bad=0
	equal "the first line" "$(head -n 1 "$out/g2.txt")" 'goroutine 1 [running]:' || bad=1
	equal "goroutines" "$(grep -c '^goroutine [0-9]* .*\]:$' "$out/g2.txt")" 13 || bad=1
	equal "that receive" "$(grep -c '^goroutine [0-9]* \[chan receive\]:$' "$out/g2.txt")" 10 || bad=1
	equal "that wait for the mutex" "$(grep -c '^goroutine [0-9]* \[sync.Mutex.Lock\]:$' "$out/g2.txt")" 2 || bad=1
	has "$out/g2.txt" '^reader\(\.\.\.\)$' '^created by start in goroutine 1$' || bad=1
	ok $bad "$1 harts: debug=2 is a traceback of each"

	bad=0
	stacks "$out/things.pb.gz" || bad=1
	has "$dir/out" '^PeriodType: things count$' '^things/count' || bad=1
	equal "things" "$(cut -d' ' -f1-2 "$dir/stacks")" '6 main' || bad=1
	equal "the first line" "$(head -n 1 "$out/things.txt")" 'things profile: total 6' || bad=1
	ok $bad "$1 harts: a profile of the program's own"

	bad=0
	stacks "$out/delta.pb.gz" || bad=1
	has "$dir/out" '^Duration: ([89][0-9][0-9]|[1-9]\.)' || bad=1
	has "$dir/stacks" '^-7 chan_recv reader ' '^-3 chan_recv reader .*labelled' || bad=1
	! grep -q ' locker ' "$dir/stacks" || { note "what did not change is there"; bad=1; }
	note "$(cat "$dir/stacks")"
	ok $bad "$1 harts: a difference holds what changed"

	bad=0
	stacks "$out/goroutine.pb.gz" || bad=1
	has "$dir/stacks" '^2 mutex_lock_slow .*locker ' '^1 (end )?_exit exit ' || bad=1
	equal "sum" "$(awk '{ s += $1 } END { print s }' "$dir/stacks")" 3 || bad=1
	ok $bad "$1 harts: what is left at the end of the program"
}

for harts in 1 4; do once $harts; done

rm -rf "$OUT/program"
boot "$app" BOOT="prof.cpu=off prof.goroutine=off"
bad=0
equal status "$status" 0 || bad=1
[ ! -e "$OUT/program/goroutine.pb.gz" ] || { note "there is a goroutine.pb.gz"; bad=1; }
ok $bad "prof.goroutine=off: none at the end"

# Profiles are taken without a break, by goroutines and by the program's end.
busy=$dir/busy
mkdir -p "$busy"
cat >"$busy/main.c" <<'C'
#include <hartbeat/go.h>
#include <hartbeat/profile.h>
#include <hartbeat/time.h>

static int take(struct sink *s, const void *data, size_t n)
{
	(void)s;
	(void)data;
	(void)n;
	return 0;
}

static void look(void *arg)
{
	struct sink sink = {take};
	for (;;)
		if (profile_write("goroutine", arg != NULL, &sink) != 0)
			return;
}

int main(void)
{
	for (char *i = 0; i < (char *)4; i++)
		if (go(look, i) == 0)
			return 1;
	time_sleep(30 * TIME_MILLISECOND);
	return 3;
}
C
image "$busy"
for harts in 1 4; do
	rm -rf "$OUT/busy"
	SMP=$harts boot "$busy" BOOT=prof.cpu=off
	bad=0
	equal status "$status" 3 || bad=1
	valid "$OUT/busy/goroutine.pb.gz" || bad=1
	stacks "$OUT/busy/goroutine.pb.gz" || bad=1
	equal "sum" "$(awk '{ s += $1 } END { print s }' "$dir/stacks")" 5 || bad=1
	ok $bad "$harts harts: a program ends while profiles are taken"
done
done_testing
