"""Judge three, run by gdb: the frames that gdb finds in the core files of a folder (main.c), against our walks.

    gdb-multiarch -nx -batch -ex 'set osabi GNU/Linux' -ex 'file KERNEL.ELF' -ex 'py folder = "CORES"' -x gdb.py

gdb refuses a frame that lies below the one before unless a trap is between; so behind arch_call_on(), which changes the stack, it may end
early; and it does where the stack is deeper than the memory taken.
"""
import glob
import gdb


def frames():
    f, pcs, interrupted, last = gdb.newest_frame(), [], False, None
    while f is not None:
        if f.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            pcs.append(f.pc() + (1 if interrupted else 0))
            interrupted = f.type() == gdb.SIGTRAMP_FRAME
        last = f
        try:
            f = f.older()
        except gdb.error:
            f = None
    return pcs, last


gdb.execute("set stack-cache off")  # it outlives the core file
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
compared = whole = wrong = 0
for core in sorted(glob.glob(folder + "/*.core")):
    walk = [int(line, 16) for line in open(core[:-4] + "walk")]
    gdb.execute("core-file " + core, to_string=True)
    pcs, last = frames()
    compared += 1
    whole += pcs == walk
    early = last.unwind_stop_reason() in (gdb.FRAME_UNWIND_INNER_ID, gdb.FRAME_UNWIND_MEMORY_ERROR)
    if pcs == walk or (early and pcs == walk[: len(pcs)]):
        continue
    wrong += 1
    if wrong <= 5:
        print("# %s: gdb %s, walk %s (%s)" % (core, [hex(p) for p in pcs], [hex(p) for p in walk],
              gdb.frame_stop_reason_string(last.unwind_stop_reason())))
print("# gdb: %d stops compared, %d of them to the root, %d differ" % (compared, whole, wrong))
