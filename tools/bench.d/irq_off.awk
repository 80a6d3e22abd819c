# irq_off.awk: for how many instructions a device's driver keeps interrupts off.
#
#	awk -v names=" FUNCTION ... " -f irq_off.awk DISASSEMBLY LOG
#
# DISASSEMBLY: of the image, as objdump -d --no-show-raw-insn writes it. LOG: what one hart executed, instruction by instruction (QEMU's
# -singlestep -d exec,nochain). A stretch goes from the instruction that turns interrupts off, or the first one of a trap, to the one that turns them
# on or returns from the trap; it is the driver's when one of its functions ran in it. Prints for each of "interrupt" and "lock", which is
# how a stretch began: its name, the longest, how many there were, and the function in which the longest began.

function ended(  kind) {
	if (off && driver) {
		kind = trapped ? "interrupt" : "lock"
		times[kind]++
		if (n > longest[kind]) { longest[kind] = n; where[kind] = at[began] }
	}
	off = driver = resumed = 0
}

FNR == 1 { file++ }

file == 1 && /^[0-9a-f]+ <.*>:$/ {
	function_name = substr($2, 2, length($2) - 3)
	ours = index(names, " " function_name " ") > 0
	first = 1
	next
}
file == 1 && /^ *[0-9a-f]+:\t/ {
	pc = $1
	sub(/:$/, "", pc)
	pc = substr("0000000000000000" pc, length(pc) + 1)
	if (ours) mark[pc] = 1
	if ((function_name == "trap_entry" && first) || (function_name == "trap_stubs" && pc ~ /0$/)) { does[pc] = "enter"; at[pc] = function_name }
	if ($2 == "cli" || ($2 ~ /^csrr?ci?$/ && $3 ~ /sstatus,2$/)) { does[pc] = "off"; at[pc] = function_name }
	if ($2 == "sti" || ($2 ~ /^csrr?si?$/ && $3 ~ /sstatus,2$/)) does[pc] = "on"
	if ($2 == "iretq" || $2 == "sret") does[pc] = "return"
	first = 0
	next
}

file == 2 && /^Trace/ {
	pc = substr($0, index($0, "/") + 1, 16)
	n++
	if (pc in mark) driver = off
	if (!(pc in does)) next
	what = does[pc]
	if (what == "enter" && off) {
		resumed = 1 # a page fault: it goes on afterwards
	} else if ((what == "enter" || what == "off") && !off) {
		off = 1
		n = 1
		began = pc
		trapped = what == "enter"
	} else if (what == "return" && resumed) {
		resumed = 0
	} else if (what == "on" || what == "return") {
		ended()
	}
}

END {
	for (kind in times) print kind, longest[kind], times[kind], where[kind]
}
