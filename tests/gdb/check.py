"""Run by gdb on a machine that tests/gdb/main.c runs on, behind tools/gdb/hartbeat.py: what its commands say, as TAP lines without numbers."""
import re
import gdb


def run(command):
    try:
        return gdb.execute(command, to_string=True)
    except gdb.error as e:
        return "error: %s" % e


def ok(good, name, text=""):
    print("%s - %s" % ("ok" if good else "not ok", name))
    if not good:
        print("".join("# %s\n" % line for line in text.splitlines()[:30]), end="")


def lines(text, pattern):
    return [m for m in (re.match(pattern, line) for line in text.splitlines()) if m]


LINE = r"(\*| ) (\d+) +(.*?) {2,}(\S+) +(.*)$"
run("hbreak here")
run("continue")
run("delete")
registers = run("info registers")
listing = run("info goroutines")
all_of = {name: [m for m in lines(listing, LINE) if m[4] == name] for name in ("main", "wait_outer", "hold", "want", "keep", "spin_outer")}


def only(name):
    return all_of[name][0]


ok(all(len(all_of[n]) == 1 for n in ("main", "wait_outer", "hold", "want", "keep")) and len(all_of["spin_outer"]) == 6, "every goroutine is listed once", listing)
ok(only("main")[3] == "sleep" and only("main")[5].startswith("main at "), "one that sleeps, and where", listing)
ok(only("wait_outer")[3] == "chan receive" and re.match(r"wait_inner at .*tests/gdb/main.c:\d+$", only("wait_outer")[5]), "one that waits for a channel", listing)
ok(only("want")[3] == "sync.Mutex.Lock" and only("want")[5].startswith("want at "), "one that waits for a mutex", listing)
spinners = all_of["spin_outer"]
running = [m for m in spinners if m[1] == "*"]
preempted = [m for m in spinners if m[3] == "preempted"]
running.append(only("keep"))
ok(len(running) == 2 and all(re.match(r"running on hart \d$", m[3]) for m in running), "those that run, and on which hart", listing)
ok(len(preempted) >= 1 and all("spin_inner at " in m[5] for m in preempted), "those that were preempted, and where", listing)
ok([m[2] for m in lines(run("info goroutines chan receive"), LINE)] == sorted((m[2] for m in (only("wait_outer"), only("hold"))), key=int),
   "a text chooses lines")

stack = run("goroutine %s bt" % only("wait_outer")[2])
calls = re.findall(r"wait_inner \(c=[^,]+, depth=(?:depth@entry=)?(\d)\)", stack)
ok(calls == ["0", "1", "2", "3"] and re.search(r"wait_outer .*\n.*goroutine_entry ", stack),
   "the whole stack of one that waits, with its arguments", stack)
ok(run("goroutine %s" % only("wait_outer")[2]) == stack, "bt is what is done without a command")
for kind, g in (("preempted", preempted[0]), ("running", running[0])):
    me = spinners.index(g)
    stack = run("goroutine %s bt" % g[2])
    ok(re.search(r"spin_inner \(me=(me@entry=)?%d\).*\n.*spin_outer .*\n.*goroutine_entry " % me, stack) is not None,
       "the stack of one that is %s, with its arguments" % kind, stack)
turn = run("goroutine %s print turn" % preempted[0][2])
number = re.search(r"\$\d+ = (\d+)", turn)
kept = int(gdb.parse_and_eval("turns[%d]" % spinners.index(preempted[0])))
ok(number is not None and abs(int(number[1]) - kept) <= 1, "its registers: a local variable is what it stored last", "%s turns: %d" % (turn, kept))
wrong = run("goroutine 4000000000 bt"), run("goroutine x"), run("goroutine")
ok(all(t.startswith("error: ") and t.count("\n") <= 1 for t in wrong), "an id that is none is one line", " ".join(wrong))

harts = run("info harts")
ok(len(lines(harts, r"hart [01]  thread [12]  goroutine \d+ \((spin_outer|keep)\) .*\d queued$")) == 2, "harts, and what they run", harts)
locks = run("info locks")
ok(re.search(r"^goroutine %s \(want\)  waits for mutex 0x\w+ \(held\), held by goroutine %s$" % (only("want")[2], only("hold")[2]), locks, re.M) is not None,
   "who waits for a mutex, and who holds it", locks)
ok(run("info registers") == registers, "gdb's own frame is as it was before")

# In an interrupt, and with a spinlock held on the system stack, on a goroutine's behalf.
run("hbreak upcall_timer_irq if harts[0]->cur->fn == (void (*)(void *))spin_outer && harts[1]->cur->fn == (void (*)(void *))spin_outer")
run("continue")
inside = run("bt")
on = lines(run("info harts"), r"hart (\d)  thread (\d)  goroutine (\d+) .*in an interrupt")
stack = run("goroutine %s bt" % on[0][3]) if on else inside
ok(on and re.search(r"upcall_timer_irq", stack) is not None and re.search(r"spin_inner \(me=.*\n.*spin_outer ", stack) is not None,
   "through the trap's frame: one that was interrupted", stack)
run("delete")
run("hbreak buddy_take_locked")
run("continue")
locks = run("info locks")
ok(re.search(r"^hart [01]  page +0x\w+ .*by page_[a-z_]+$", locks, re.M) is not None, "a spinlock, who holds it and where it was taken", locks)
on = lines(run("info harts"), r"hart (\d)  thread (\d)  goroutine \d+ \(keep\) +serving goroutine (\d+)")
stack = run("goroutine %s bt" % on[0][3]) if on else run("info harts")
ok(on and "buddy_take_locked" in stack, "one whose hart serves it on the system stack", stack)
run("delete")
run("detach")
