"""The commands of hartbeat.py.

The stack of a goroutine that does not run is shown by an unwinder: gdb's frame 0, where the hart stands, gets
the goroutine's saved registers as its caller's. They lie

    in a record at g->ctx.sp        it gave its hart away (arch/ARCH/switch.S)
    in a frame in g->area           it was preempted (arch/ARCH/frame.h)

1. Frame 0 gets an id of its own, below the goroutine's stack. Otherwise gdb would take a stack that lies elsewhere for a broken one.
2. gdb looks for a caller's place one byte before its pc, for that follows a call. What was preempted follows none: its pc is given as the next one.
   Otherwise the first instruction of a function would be taken for the function before.
"""
import gdb
from gdb.unwinder import Unwinder, register_unwinder

STATUS_MASK = 0xFF  # kernel/g.h
STATES = {4: "parking", 5: "waiting", 6: "readied", 7: "runnable", 8: "running"}
MUTEX_FLAGS = 7
FRESH = 1
KERNEL = ("arch/", "kernel/", "sched/", "include/hartbeat/")

# arch/riscv64/frame_offsets.h; arch/x86_64/switch.S, context.c
RISCV_X = "pc ra sp gp tp t0 t1 t2 fp s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6".split()
RISCV_RECORD = "ra fp s1 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11".split()
X86_RECORD = "r15 r14 r13 r12 rbx rbp".split()
X86_FRAME = "r15 r14 r13 r12 r11 r10 r9 r8 rbp rdi rsi rdx rcx rbx rax".split()


class Failed(gdb.GdbError):
    pass


def word(address):
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


def is_riscv():
    return "riscv" in gdb.selected_frame().architecture().name()


def symbol(name):
    try:
        return gdb.parse_and_eval(name)
    except gdb.error:
        raise Failed("no %s here: load Hartbeat's kernel.elf, of the build that runs (file KERNEL.ELF)" % name)


def number(value):
    """Of an integer or a pointer, _Atomic or not."""
    return int(value.cast(gdb.lookup_type("unsigned long")))


def goroutines():
    """All that are alive, oldest first."""
    g, found = symbol("all_head"), []
    g_pointer = gdb.lookup_type("struct g").pointer()
    address = number(g)
    while address != 0:
        g = gdb.Value(address).cast(g_pointer).dereference()
        if number(g["status"]) & STATUS_MASK in STATES:
            found.append(g)
        address = number(g["all_next"])
    return sorted(found, key=lambda g: number(g["id"]))


def harts():
    return [symbol("harts")[i].dereference() for i in range(number(symbol("hart_count")))]


def hart_of(g):
    """The hart whose goroutine it is, or None."""
    for h in harts():
        if number(h["cur"]) == int(g.address):
            return h
    return None


def thread_of(h):
    """gdb's thread of a hart: QEMU numbers processors by their hardware ids."""
    for t in gdb.selected_inferior().threads():
        if t.num == number(h["hwid"]) + 1:
            return t
    raise Failed("no thread for hart %d" % number(h["index"]))


def state_of(g):
    s = STATES[number(g["status"]) & STATUS_MASK]
    if s == "waiting":
        return symbol("wait_reason_text")[number(g["wait_reason"])]["text"].string()
    if s == "runnable" and number(g["area"]) != 0:
        return "preempted"
    return s


def name_of(g):
    if number(g["name"]) != 0:
        return g["name"].string()
    sym = gdb.block_for_pc(number(g["fn"])) if number(g["fn"]) != 0 else None
    return sym.function.name if sym is not None and sym.function is not None else "-"


# ---- stacks ----


def saved_registers(g):
    """{name: value} of a goroutine that does not run; pc is a return address (rule 2)."""
    area, sp = number(g["area"]), number(g["ctx"]["sp"])
    regs = {}
    if is_riscv():
        if area != 0:
            for i, name in enumerate(RISCV_X):
                regs[name] = word(area + 8 * i)
            regs["pc"] += 1
        elif sp & FRESH:
            regs = {"pc": number(symbol("(unsigned long)&context_start")) + 4 + 1, "sp": sp - FRESH}
        else:
            for i, name in enumerate(RISCV_RECORD):
                regs[name] = word(sp + 8 * i)
            regs["pc"], regs["sp"] = regs["ra"], sp + number(symbol("sizeof(struct switch_record)"))
        return regs
    if area != 0:
        for i, name in enumerate(X86_FRAME):
            regs[name] = word(area + 16 + 8 * i)
        regs["rip"], regs["rsp"] = word(area + 152) + 1, word(area + 176)
    elif sp & FRESH:
        regs = {"rip": number(symbol("(unsigned long)&context_start")) + 1 + 1, "rsp": sp - FRESH}
    else:
        for i, name in enumerate(X86_RECORD):
            regs[name] = word(sp + 8 + 8 * i)
        regs["rip"], regs["rsp"] = word(sp + 56), sp + 64
    return regs


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Switch(Unwinder):
    """While it has registers: the caller of frame 0 is the goroutine."""

    def __init__(self):
        super().__init__("hartbeat-goroutine")
        self.registers = None
        self.enabled = False

    def __call__(self, pending):
        if self.registers is None:
            return None
        riscv = "riscv" in pending.architecture().name()
        sp, pc = pending.read_register("sp" if riscv else "rsp"), pending.read_register("pc")
        if (int(sp), int(pc)) != self.inner:
            return None
        below = gdb.Value(self.registers["sp" if riscv else "rsp"] - 16).cast(sp.type)  # rule 1
        info = pending.create_unwind_info(FrameId(below, pc))
        for name, value in self.registers.items():
            like = pending.read_register(name)
            info.add_saved_register(name, gdb.Value(value).cast(gdb.lookup_type("unsigned long")).cast(like.type))
        return info

    def show(self, g):
        riscv = is_riscv()
        frame = gdb.newest_frame()
        self.inner = (int(frame.read_register("sp" if riscv else "rsp")), int(frame.read_register("pc")))
        self.registers = saved_registers(g)
        self.enabled = True
        gdb.invalidate_cached_frames()

    def hide(self):
        self.registers = None
        self.enabled = False
        gdb.invalidate_cached_frames()


SWITCH = Switch()
register_unwinder(None, SWITCH, replace=True)


class Stack:
    """with Stack(g) as frame: gdb's frames are g's, from `frame` on; the thread and the frame of before are back afterwards."""

    def __init__(self, g):
        self.g = g

    def __enter__(self):
        self.thread = gdb.selected_thread()
        self.hart = hart_of(self.g)
        if self.hart is not None:
            thread_of(self.hart).switch()
            return gdb.newest_frame()
        SWITCH.show(self.g)
        frame = gdb.newest_frame().older()
        if frame is None:
            SWITCH.hide()
            raise Failed("goroutine %d: its stack cannot be read" % number(self.g["id"]))
        frame.select()
        return frame

    def __exit__(self, *error):
        if self.hart is None:
            SWITCH.hide()
        self.thread.switch()
        return False


def place(frame):
    """The innermost function that is not of the kernel, as "function at file:line"; else the innermost of all."""
    first, steps = None, 0
    while frame is not None and steps < 64:
        sal = frame.find_sal()
        file = sal.symtab.filename.removeprefix("./") if sal.symtab is not None else ""
        here = "%s at %s:%d" % (frame.name() or hex(frame.pc()), file or "?", sal.line)
        first = first or here
        if file != "" and not file.startswith(KERNEL):
            return here
        steps += 1
        try:
            frame = frame.older()
        except gdb.error:
            break
    return first or "?"


# ---- commands ----


class InfoGoroutines(gdb.Command):
    """info goroutines [TEXT]: id, state, name and place of all goroutines, or of those with TEXT in their line; * stands before those on a hart."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for g in goroutines():
            try:
                with Stack(g) as frame:
                    where = place(frame)
            except (Failed, gdb.error) as e:
                where = "(%s)" % e
            on = hart_of(g)
            line = "%s%-6d %-24s %-24s %s" % ("* " if on is not None else "  ", number(g["id"]),
                state_of(g) + (" on hart %d" % number(on["index"]) if on is not None else ""), name_of(g), where)
            if argument in line:
                print(line)


class Goroutine(gdb.Command):
    """goroutine ID [COMMAND]: COMMAND, bt without one, with the goroutine's stack as gdb's."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        number_text, _, command = argument.strip().partition(" ")
        if not number_text.isdigit():
            raise Failed("goroutine ID [COMMAND]: an id of info goroutines expected")
        for g in goroutines():
            if number(g["id"]) == int(number_text):
                self.run(g, command.strip() or "bt")
                return
        raise Failed("no goroutine %s is alive" % number_text)

    def run(self, g, command):
        print("goroutine %d [%s] %s" % (number(g["id"]), state_of(g), name_of(g)))
        with Stack(g):
            text = gdb.execute(command, to_string=True)
            if hart_of(g) is None and command.split()[0] in ("bt", "backtrace", "where"):
                # frame 0 is where the hart stands, no part of this stack
                lines = text.splitlines(True)
                text = "".join(lines[next((i for i, l in enumerate(lines) if l.startswith("#1")), 0):])
            print(text, end="")


class InfoHarts(gdb.Command):
    """info harts: what each hart runs, gdb's thread for it, interrupts, and what waits in its queue."""

    def __init__(self):
        super().__init__("info harts", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        idle = number(symbol("idle_mask"))
        for h in harts():
            i, cur = number(h["index"]), number(h["cur"])
            if cur != 0 and cur != number(h["g0"]):
                what = "goroutine %d (%s)" % (number(h["cur"]["id"]), name_of(h["cur"].dereference()))
            elif cur == 0:
                what = "not started"
            else:
                what = "idle" if idle >> i & 1 else "scheduler"
            q = h["sched"]["q"]
            queued = (number(q["tail"]) - number(q["head"])) % (1 << 32) + (number(q["next"]) != 0)
            print("hart %d  thread %d  %-32s %s%s%d queued" % (i, thread_of(h).num, what, "in an interrupt, " if number(h["in_irq"]) else "",
                  "serving goroutine %d, " % number(h["serving"]["id"]) if number(h["serving"]) else "", queued))


def asker(pc):
    """The function that asked for a lock at pc, which is in what was inlined into it."""
    block = gdb.block_for_pc(pc)
    while block is not None and not block.is_global:
        if block.function is not None and block.function.name not in ("arch_pc", "spin_lock"):
            return block.function.name
        block = block.superblock
    return hex(pc)


def named(address):
    text = gdb.execute("info symbol 0x%x" % address, to_string=True)
    return "" if text.startswith("No symbol") else " (%s)" % text.split(" in section")[0]


class InfoLocks(gdb.Command):
    """info locks: spinlocks that harts hold or wait for, with the place that asked, and goroutines that wait for mutexes, with who holds them."""

    def __init__(self):
        super().__init__("info locks", gdb.COMMAND_STATUS)

    def spinlock(self, h, lock, pc):
        rank = symbol("rank_name")[number(lock.dereference()["rank"])].string()
        print("hart %d  %-10s 0x%x%s  by %s" % (number(h["index"]), rank, int(lock), named(int(lock)), asker(pc)))

    def invoke(self, argument, from_tty):
        any_lock = False
        for h in harts():
            one = number(h["lock_one"])
            if one > 1:  # LOCKS_LISTED is 1
                self.spinlock(h, h["lock_one"], number(h["lock_one_pc"]))
            for i in range(number(h["n_held"])):
                self.spinlock(h, h["held"][i]["lock"], number(h["held"][i]["pc"]))
            any_lock = any_lock or one > 1 or number(h["n_held"]) > 0
        for g in goroutines():
            mutex = number(g["wanted"]) & ~1
            if mutex == 0:
                continue
            any_lock = True
            owner = word(mutex) & ~MUTEX_FLAGS
            held = "free" if owner == 0 else "held by goroutine %d" % number(
                gdb.Value(owner).cast(gdb.lookup_type("struct g").pointer())["id"])
            print("goroutine %d (%s)  waits for mutex 0x%x%s, %s" % (number(g["id"]), name_of(g), mutex, named(mutex), held))
        if not any_lock:
            print("no hart holds a spinlock, no goroutine waits for a mutex")


InfoGoroutines()
Goroutine()
InfoHarts()
InfoLocks()
