"""Hartbeat in gdb: goroutines, harts and locks of a machine that is stopped.

    gdb-multiarch KERNEL.ELF -ex 'target remote :1234' -x tools/gdb/hartbeat.py

    info goroutines [TEXT]          all of them, or those whose line has TEXT in it
    goroutine ID [COMMAND]          COMMAND (bt) with the goroutine's stack as gdb's: goroutine 7 bt, goroutine 7 info locals
    info harts                      what each hart runs, and whether it idles
    info locks                      spinlocks that harts hold, and goroutines that wait for mutexes

Nothing is written to the machine (docs/debugging.md).
"""
import os
import sys

# A module of its own: whatever gdb reads by -x or is told by `python` shares one set of names.
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hartbeat_commands  # noqa: E402, F401
