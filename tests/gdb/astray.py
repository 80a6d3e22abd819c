"""Run by gdb before the machine starts: each hart that the boot hart starts is sent to the boot hart's entry, without its struct hart."""
import gdb

gdb.execute("hbreak boot_hart_start")
gdb.execute("continue")
gdb.execute("delete")
start = int(gdb.parse_and_eval("(unsigned long)&boot_hart_start"))
calls = [i["addr"] for i in gdb.selected_frame().architecture().disassemble(start, count=40) if i["asm"].split()[0] == "ecall"]
gdb.execute("hbreak *%d" % calls[0])
sent = 0
while sent < 3:
    gdb.execute("continue")
    gdb.execute("set $a1 = (unsigned long)&_start")
    gdb.execute("set $a2 = 0")
    sent += 1
gdb.execute("delete")
print("sent astray: %d" % sent)
