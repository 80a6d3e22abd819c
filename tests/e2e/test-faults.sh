#!/bin/bash
# Every way to end badly, in the image tests/faults: the right status, within seconds, and one clear report (kernel/panic.c) with message,
# hart, goroutine, a traceback that names the function at fault and who made the goroutine, and the last line.
#
#	[ARCH=...] [SMP=4] [BUILD=...] [MUTANT=...] tests/e2e/test-faults.sh [CASE...]
cd "$(dirname "$0")/../.." || exit 2
. tests/e2e/e2e.sh
. tests/e2e/faults.sh

# In a goroutine "faulter": the report names the hart, the goroutine, the frames from the innermost on, and the creator.
death() { # death CASE TITLE_REGEX [FRAME...]
	local name=$1 title=$2 bad=0 frame
	chosen "$name" || return 0
	shift 2
	boot tests/faults ARGS="$name" ${settings:-}
	one_report "$title" 2 || bad=1
	has "$dir/out" '^goroutine [0-9]+ \(faulter\) \[running\]:$' '^created by start_faulter in goroutine 1$' '^hart [0-9]+$' || bad=1
	for frame in "$@" faulter goroutine_entry; do
		has "$dir/out" "^$frame\(\.\.\.\)$" || bad=1
	done
	[[ " $opened " != *" $name "* ]] || pprof_has "$@" faulter goroutine_entry || bad=1
	ok $bad "$name: $title"
}

# Of one fault of each kind the dump is opened, which takes a moment.
opened=" null_read irq_fault rank_inversion stack_overflow_wide "
null=0x0
unmapped='0x[0-9a-f]+'
case $ARCH in
riscv64)
	read='load page fault' write='store page fault' fetch='instruction page fault' impossible=$read
	illegal='illegal instruction' privileged='illegal instruction'
	;;
x86_64)
	read='page fault on read' write='page fault on write' fetch='page fault on instruction fetch'
	impossible='general protection fault' illegal='illegal instruction' privileged='general protection fault'
	;;
esac

death null_read "panic: fault: $read at address $null, " null_read
death null_member_write "panic: fault: $write at address 0x18 \(null pointer plus 24\)" null_member_write
death null_call "panic: fault: $fetch at address $null, " null_call
death text_write "panic: fault: $write at address $unmapped, " text_write
death rodata_write "panic: fault: $write at address $unmapped, " rodata_write
death data_exec "panic: fault: $fetch at address $unmapped, " data_exec
death stack_exec "panic: fault: $fetch at address $unmapped, " stack_exec
death heap_exec "panic: fault: $fetch at address $unmapped, " heap_exec
death unmapped_read "panic: fault: $read at address $unmapped, " unmapped_read
death impossible_read "panic: fault: $impossible at address $unmapped, " impossible_read
death unmapped_call "panic: fault: $fetch at address $unmapped, " unmapped_call
death fault_illegal "panic: fault: $illegal at address $null, " fault_illegal
death fault_privileged "panic: fault: $privileged at address $null, " fault_privileged
[ "$ARCH" != x86_64 ] || death fault_division "panic: fault: division by zero at address $null, " fault_division

death guard_write 'panic: access to the guard below another goroutine.s stack' guard_write
death irq_fault "panic: double fault: " sample_fault irq_fault
death irq_assert 'panic: assertion failed: an interrupt handler keeps its rules' sample_assert irq_assert

death irq_lock 'panic: assertion failed: no lock in an interrupt' sample_lock irq_lock
death kernel_assert 'panic: assertion failed: nowhere is somewhere \(nowhere == 1\) at tests/faults/main.c:[0-9]+$' kernel_assert
death c_assert 'panic: assertion failed: nowhere == 2 at tests/faults/main.c:[0-9]+ in c_assert$' c_assert
death c_abort 'panic: abort\(\) called$' c_abort
death panic_long 'panic: 0{299}7 end$' panic_long
death panic_partial_line 'panic: after a partial line$' panic_partial_line
death unlock_unlocked 'fatal error: sync: unlock of unlocked mutex$' unlock_unlocked
death negative_waitgroup 'panic: sync: negative WaitGroup counter$' negative_waitgroup
for name in misuse_unlock2 misuse_in_scope; do
	death $name 'fatal error: sync: unlock of unlocked mutex$' $name
done
for name in misuse_rw_unlock misuse_rw_unlock2 misuse_rw_unlock3; do
	death $name 'fatal error: sync: Unlock of unlocked RWMutex$' $name
done
for name in misuse_rw_runlock misuse_rw_runlock2 misuse_rw_runlock3; do
	death $name 'fatal error: sync: RUnlock of unlocked RWMutex$' $name
done
death closed_send 'panic: send on closed channel$' closed_send
death closed_close 'panic: close of closed channel$' closed_close
death nil_close 'panic: close of nil channel$' nil_close

death double_free 'panic: assertion failed: a heap object is freed once' double_free
death double_free_later 'panic: assertion failed: a heap object is freed once' double_free_later
death inner_free 'panic: assertion failed: a heap pointer is the start of an object' inner_free
death stack_free 'panic: assertion failed: a heap pointer points to a live heap object' stack_free
death data_free 'panic: assertion failed: a heap pointer points to a live heap object' data_free

death rank_inversion 'panic: lock rank: wrong order: taking chan .* while holding sched taken at ' rank_inversion
if chosen rank_inversion; then
	bad=0
	has "$dir/out" '^held: sched \(lock 0x[0-9a-f]+\) taken at 0x[0-9a-f]+$' || bad=1
	# The lines of the function where it takes the one lock and the other, each with the stack out to the root.
	equal "places in rank_inversion" "$(grep -A1 '^rank_inversion(' "$dir/out" | grep -oE 'main\.c:[0-9]+' | sort -u | wc -l)" 2 || bad=1
	equal "stacks to the root" "$(sed '/^goroutine 1 /,$d' "$dir/out" | grep -c '^goroutine_entry(')" 2 || bad=1
	ok $bad "rank_inversion: the stack of each of the two places"
fi
death spin_recursion 'panic: lock rank: recursion: taking chan ' spin_recursion
death spin_foreign_unlock 'panic: assertion failed: the owner unlocks' spin_foreign_unlock
death spin_across_park 'panic: assertion failed: (no spinlock held at a switch|a switch happens with interrupts on)' spin_across_park
death trace_rank 'panic: lock rank: wrong order: taking trace .* at .* while holding page taken at ' trace_rank
death bottom_half_on_goroutine 'panic: assertion failed: bottom-half lock only on a system stack' bottom_half_on_goroutine

death walk_unowned 'panic: a stack is walked only by its owner: goroutine ' walk_unowned
death shrink_foreign 'panic: assertion failed: a stack is shrunk only by its owner' shrink_foreign
death own_under_lock 'panic: lock rank: wrong order: taking own .* while holding chan taken at ' own_under_lock
death own_across_park 'panic: assertion failed: (no spinlock held at a switch|a goroutine yields with preemption on)' own_across_park

# The others, each with a report of its own kind.

if chosen stack_overflow; then
	for at in goroutine main; do
		boot tests/faults ARGS="stack_overflow $at"
		bad=0
		one_report "panic: stack overflow: goroutine [0-9]+ used its $([ $at = main ] && echo 8128 || echo 128) KiB" 2 || bad=1
		has "$dir/out" '^recurse\(\.\.\.\)$' '^\.\.\.[0-9]+ frames elided\.\.\.$' || bad=1
		[ $at = main ] || has "$dir/out" '\(faulter\) \[running\]:$' '^created by start_faulter in goroutine 1$' || bad=1
		[ $at = goroutine ] || has "$dir/out" '^goroutine 1 \[running\]:$' || bad=1
		equal "frames of recurse" "$([ "$(grep -c '^recurse(' "$dir/out")" -le 100 ] && echo few || echo many)" few || bad=1
		ok $bad "stack_overflow by recursion in $at"
	done
fi
death stack_overflow_wide 'panic: stack overflow: goroutine [0-9]+ used its 128 KiB' recurse_wide stack_overflow_wide

if chosen fault_wild_sp; then
	boot tests/faults ARGS=fault_wild_sp
	bad=0
	one_report "panic: fault: $write at address 0x(7000000000|6ffffffff8), " 2 || bad=1
	has "$dir/out" '^goroutine [0-9]+ \(faulter\) \[running\]:$' '^fault_wild_sp\(\.\.\.\)$' \
		'^created by start_faulter in goroutine 1$' || bad=1
	ok $bad "fault_wild_sp: a stack pointer that leads nowhere"
fi

for name in panic_in_panic fault_in_panic; do
	chosen $name || continue
	boot tests/faults ARGS=$name
	bad=0
	reports=2 one_report 'panic: the first panic$' 2 || bad=1
	has "$dir/out" "^$name\(\.\.\.\)$" '^created by start_faulter in goroutine 1$' || bad=1
	[ $name = panic_in_panic ] && what='the second panic' || what='double fault|fault'
	has "$dir/out" "^panic inside panic: ($what)" || bad=1
	pprof_has "$name" faulter || bad=1
	ok $bad "$name: the first report, one line, and the dumps all the same"
done

if chosen panic_everywhere; then
	for i in 1 2 3; do
		boot tests/faults ARGS=panic_everywhere
		bad=0
		one_report 'panic: panic number [0-9]+$' 2 || bad=1
		has "$dir/out" '^goroutine [0-9]+ \(together\) \[running\]:$' '^panic_together\(\.\.\.\)$' \
			'^created by panic_everywhere in goroutine [0-9]+$' || bad=1
		pprof_has panic_together goroutine_entry || bad=1
		! grep 'did not stop' "$dir/out" >>"$dir/notes" || bad=1
		ok $bad "panic_everywhere: $SMP harts at once, one report ($i)"
	done
fi

if chosen panic_with_stuck_hart; then
	# RISC-V's harts take events of the firmware once there was a profile.
	for profile in on off; do
		boot tests/faults ARGS=panic_with_stuck_hart BOOT=prof.cpu=$profile
		bad=0
		one_report 'panic: while a hart has its interrupts off$' 2 || bad=1
		has "$dir/out" '^panic_with_stuck_hart\(\.\.\.\)$' || bad=1
		[ "$ARCH-$profile" = riscv64-off ] && want=1 || want=0
		equal "harts that did not stop" "$(grep -cE '^hart [0-9]+ did not stop$' "$dir/out")" $want || bad=1
		ok $bad "panic_with_stuck_hart, profile $profile: stopped by NMI, or named where nothing stops it"
	done
fi

if chosen hard_lockup; then
	for harts in 1 2 4; do
		boot tests/faults ARGS=hard_lockup BOOT=watchdog=400ms SMP=$harts $([ $harts -gt 1 ] || echo EXACT=1) # its own NMI may get lost
		bad=0
		one_report 'panic: hard lockup: hart [0-9]+ has not ticked for [0-9]+ ms$' 2 || bad=1
		has "$dir/out" '^goroutine [0-9]+ \(faulter\) \[running\]:$' '^hard_lockup\(\.\.\.\)$' '^lockup_spin\(\.\.\.\)$' \
			'^created by start_faulter in goroutine 1$' || bad=1
		ok $bad "hard_lockup: a hart with interrupts off for good is reported, by another or by its own NMI, with its stack ($harts harts)"
	done
fi

if chosen lockup_waiting; then
	# Firmware without SSE has nothing to stop a hart with interrupts off; it looks itself, while it waits.
	for bios in own $([ "$ARCH" != riscv64 ] || echo default); do
		boot tests/faults ARGS=lockup_waiting BOOT=watchdog=400ms $([ $bios = own ] || echo BIOS=$bios)
		bad=0
		one_report 'panic: hard lockup: hart [0-9]+ has not ticked for [0-9]+ ms$' 2 || bad=1
		has "$dir/out" '^goroutine [0-9]+ \(faulter\) \[running\]:$' '^lockup_waiting\(\.\.\.\)$' '^faulter\(\.\.\.\)$' \
			'^held: chan \(lock 0x[0-9a-f]+\) taken at 0x[0-9a-f]+$' '^held: sched \(lock ' || bad=1
		equal "stacks with the place of a lock" "$(grep -c '^lockup_waiting(\.\.\.)$' "$dir/out")" 3 || bad=1
		! grep 'stack unavailable' "$dir/out" >>"$dir/notes" || bad=1
		ok $bad "lockup_waiting: the report has the stack and the locks of the hart that it is about (BIOS=$bios)"
	done
fi

if chosen panic_second; then
	boot tests/faults ARGS=panic_second BOOT=prof.cpu=off
	bad=0
	one_report 'panic: the first one$' 2 || bad=1
	has "$dir/out" '^goroutine [0-9]+ \(second\) \[running, locked to thread\]:$' '^second_one\(\.\.\.\)$' || bad=1
	# Where there are NMIs one may stop it before it gets to its panic.
	[ "$ARCH" != riscv64 ] || has "$dir/out" '^hart [0-9]+, meanwhile: panic: the second one$' || bad=1
	ok $bad "panic_second: of a hart that panics during the report its message and its stack are shown"
fi

if chosen panic_at_start; then
	# Harts that take turns of a tenth of a second: some come up when the report has begun, unless the host was slow before.
	for ((i = 0; i < 30; i++)); do
		boot tests/faults ARGS="panic_at_start main" QEMU_ARGS="-accel tcg,thread=single" BOOT=prof.cpu=off
		bad=0
		one_report 'panic: before all harts are up$' 2 || bad=1
		has "$dir/out" "^of $((SMP - 1)) other harts [0-9]+ came late, $((SMP - 1)) have stopped\$" || bad=1
		! grep 'did not stop\|stack unavailable' "$dir/out" >>"$dir/notes" || bad=1
		[ $bad -eq 0 ] && grep -q ' 0 came late' "$dir/out" || break
	done
	ok $bad "panic_at_start: harts that come up during a report stop"
fi

if chosen panic_with_lock; then
	for i in 1 2 3 4 5; do
		boot tests/faults ARGS=panic_with_lock
		bad=0
		one_report 'panic: with a lock that the others want$' 2 || bad=1
		has "$dir/out" '^goroutine [0-9]+ \(faulter\) \[running\]:$' '^panic_with_lock\(\.\.\.\)$' \
			'^held: chan \(lock 0x[0-9a-f]+\) taken at 0x[0-9a-f]+$' '^created by start_faulter in goroutine 1$' || bad=1
		! grep 'did not stop\|stack unavailable' "$dir/out" >>"$dir/notes" || bad=1
		[ "$SMP" = 1 ] || has "$dir/out" '^want_locks\(\.\.\.\)$' || bad=1
		ok $bad "panic_with_lock: a lock is held that the others wait for, one report, all stop and are shown ($i)"
	done
fi

if chosen nmi_to_reporter; then
	for i in 1 2 3; do
		boot tests/faults ARGS=nmi_to_reporter TIMEOUT=20
		bad=0
		one_report 'panic: an NMI is on its way$' 2 || bad=1
		has "$dir/out" '^the NMI came and went$' || bad=1
		! grep '^no NMI here' "$dir/out" >>"$dir/notes" || bad=1
		ok $bad "nmi_to_reporter: it does not stop the hart that reports ($i)"
		[ $bad -eq 0 ] || break # it hangs: the other times would only take long
	done
fi

if chosen panic_in_dump; then
	boot tests/faults ARGS=panic_in_dump
	bad=0
	reports=2 one_report 'panic: before the dumps$' 2 || bad=1
	has "$dir/out" '^panic inside panic: inside a dump$' || bad=1
	pprof_has panic_in_dump faulter || bad=1
	ok $bad "panic_in_dump: the dumps after the one that failed are there"
fi

if chosen trace_in_panic; then
	for boot in trace=off trace=1; do
		boot tests/faults ARGS=trace_in_panic BOOT=$boot TIMEOUT=20
		bad=0
		one_report 'panic: before the traces$' 2 || bad=1
		has "$dir/out" '^trace_start: refused$' '^trace_stop: refused$' '^trace_flight_start: refused$' '^trace_flight_write: refused$' \
			'^trace_flight_stop: refused$' || bad=1
		ok $bad "trace_in_panic, $boot: in a panic no trace starts or stops, and nobody waits for it"
	done
fi

for name in trace_unread trace_unread_stop; do
	chosen $name || continue
	boot tests/faults ARGS=$name BOOT=prof.cpu=off
	bad=0
	has "$dir/out" '^hb: trace: who takes it has taken nothing for 10 s: the rest is lost$' '^hb: exit 3$' || bad=1
	! grep -E '^the stop has returned|^panic' "$dir/out" >>"$dir/notes" || bad=1
	equal status "$status" 3 || bad=1
	ok $bad "$name: the end of the program does not wait for ever for who takes the trace"
done

if chosen trace_gap; then
	boot tests/faults ARGS=trace_gap BOOT="prof.cpu=off trace.period=1000s"
	bad=0
	equal status $status 0 || bad=1
	has "$dir/out" '^survived trace_gap$' '^hb: trace: 1 generations dropped' || bad=1
	trace_opens "$OUT/faults/gap.out" 'RegionBegin.* Type="over the gap"' 'Message="before the gap"' || bad=1
	trace_opens "$OUT/faults/gap.2.out" 'Message="1 generations dropped"' 'Message="behind the gap"' || bad=1
	ok $bad "trace_gap: what lies before and behind a generation without memory for its strings are two traces"
fi

if chosen trace_between; then
	boot tests/faults ARGS=trace_between BOOT="trace.flight=on trace.period=1000s"
	bad=0
	one_report 'panic: between two generations$' 2 || bad=1
	trace_opens "$OUT/faults/crash-trace.out" 'Message="in the one that is kept"' 'Message="in the one that has ended"' \
		'Message="in the one that runs"' || bad=1
	[ ! -e "$OUT/faults/crash-trace.2.out" ] || bad=1
	ok $bad "trace_between: the crash trace has the generation that has ended and is not in the flight recorder yet"
	for i in 1 2 3; do
		boot tests/faults ARGS=panic_crowd BOOT="trace.flight=on trace.period=0s"
		bad=0
		one_report 'panic: with a crowd$' 2 || bad=1
		trace_opens "$OUT/faults/crash-trace.out" 'GoID=' || bad=1
		equal "goroutines in the trace" "$([ "$(grep -o 'GoID=[0-9]*' "$dir/parsed" | sort -u | wc -l)" -ge 1000 ] && echo "the crowd")" "the crowd" || bad=1
		[ ! -e "$OUT/faults/crash-trace.2.out" ] || bad=1
		ok $bad "panic_crowd, one generation after the other: its trace has no gap ($i)"
	done
fi

if chosen trace_crash_gap; then
	boot tests/faults ARGS=trace_crash_gap BOOT="prof.cpu=off trace.flight=on trace.period=1000s"
	bad=0
	one_report 'panic: behind a gap$' 2 || bad=1
	has "$dir/out" '^hb: memory was out: behind the gap follows crash-trace.2.out$' || bad=1
	trace_opens "$OUT/faults/crash-trace.out" 'Message="before the gap"' || bad=1
	trace_opens "$OUT/faults/crash-trace.2.out" 'Message="behind the gap"' || bad=1
	ok $bad "trace_crash_gap: what lies before and behind a generation that was dropped are two traces"
fi

if chosen panic_crowd; then
	boot tests/faults ARGS=panic_crowd
	bad=0
	one_report 'panic: with a crowd$' 2 || bad=1
	has "$dir/out" '^goroutine [0-9]+ \(crowd\) \[chan receive\]:$' '^\.\.\.and [0-9]+ more with this stack: goroutines( [0-9]+){16} \.\.\.$' || bad=1
	# A few may wait for the channel's lock, or be on their way.
	equal "stacks of the crowd" "$([ "$(grep -c '^wait_here(' "$dir/out")" -le 5 ] && echo few)" few || bad=1
	"$go" tool pprof -symbolize=none -top "$dump" >"$dir/top" 2>>"$dir/notes" && has "$dir/top" ' 1000 .* wait_here$' || bad=1
	ok $bad "panic_crowd: equal stacks are one, in the report and in the profile"
fi

if chosen panic_profiled; then
	boot tests/faults ARGS=panic_profiled
	bad=0
	one_report 'panic: while a profile runs$' 2 || bad=1
	"$go" tool pprof -symbolize=none -top -unit=ms "$cpu_dump" >"$dir/top" 2>>"$dir/notes" || bad=1
	cat "$dir/top" >>"$dir/notes"
	# burn() takes half a second by the clock.
	awk '$NF == "panic_profiled" && $4 + 0 >= 300 && $4 + 0 <= 700 { found = 1 } END { exit !found }' "$dir/top" || bad=1
	ok $bad "panic_profiled: the samples up to the end, as a profile"
	# The same samples, in the one generation that there is.
	SMP=1 boot tests/faults ARGS=panic_profiled BOOT="trace.flight=on trace.period=1000s prof.hz=1000" EXACT=1 # no tick counts for two
	bad=0
	one_report 'panic: while a profile runs$' 2 || bad=1
	trace_opens "$OUT/faults/crash-trace.out" '^	panic_profiled @ 0x' || bad=1
	"$go" tool pprof -symbolize=none -top -sample_index=samples "$cpu_dump" >"$dir/top" 2>>"$dir/notes" || bad=1
	equal "samples in the trace" "$(awk '/^M=/ { on = / StackSample / } on && $1 == "panic_profiled" { n++ } END { print n + 0 }' "$dir/parsed")" \
		"$(awk '$NF == "panic_profiled" { print $4 }' "$dir/top")" || bad=1
	ok $bad "panic_profiled: the samples up to the end are in the crash trace"
	boot tests/faults ARGS=panic_profiled BOOT="prof.cpu=off"
	bad=0
	one_report 'panic: while a profile runs$' 2 || bad=1
	[ ! -e "$cpu_dump" ] || bad=1
	ok $bad "panic_profiled: without a profile there is none"
	boot tests/faults ARGS=panic_profiled BOOT="crash.dump=off"
	bad=0
	equal status $status 2 || bad=1
	[ ! -e "$cpu_dump" ] && [ ! -e "$dump" ] || bad=1
	ok $bad "crash.dump=off: no dumps"
fi

for what in cleanup finalizer; do
	chosen ${what}_deadlock || continue
	boot tests/faults ARGS=${what}_deadlock
	bad=0
	one_report 'fatal error: all goroutines are asleep - deadlock!$' 2 || bad=1
	has "$dir/out" "^${what}_waits\(\.\.\.\)\$" "^${what}_deadlock\(\.\.\.\)\$" || bad=1
	pprof_has ${what}_waits || bad=1
	ok $bad "${what}_deadlock: a $what that waits for ever is among those that are asleep, with its stack"
done

if chosen deadlock; then
	boot tests/faults ARGS=deadlock
	bad=0
	one_report 'fatal error: all goroutines are asleep - deadlock!$' 2 || bad=1
	has "$dir/out" '^goroutine [0-9]+ \(faulter\) \[chan receive\]:$' '^wait_for_ever\(\.\.\.\)$' '^deadlock\(\.\.\.\)$' \
		'^goroutine [0-9]+ \(waiter\) \[sync.Mutex.Lock\]:$' '^lock_for_ever\(\.\.\.\)$' \
		'^created by deadlock in goroutine [0-9]+$' '^created by start_faulter in goroutine 1$' || bad=1
	pprof_has wait_for_ever deadlock faulter && pprof_has lock_for_ever || bad=1
	ok $bad "deadlock: every goroutine, what it waits for, and where"
fi

if chosen main_gone; then
	boot tests/faults ARGS=main_gone TIMEOUT=15
	bad=0
	one_report 'fatal error: no goroutines \(main called go_exit\) - deadlock!$' 2 || bad=1
	ok $bad "main_gone: the last goroutine ends without exit()"
fi

if chosen waitgroup_go_panic; then
	boot tests/faults ARGS=waitgroup_go_panic
	bad=0
	one_report 'panic: in a goroutine of a group$' 2 || bad=1
	has "$dir/out" '^fail\(\.\.\.\)$' '^created by waitgroup_go in goroutine [0-9]+$' || bad=1
	! grep 'wait returned' "$dir/out" >>"$dir/notes" || bad=1
	ok $bad "waitgroup_go_panic: a panic in the group ends the program, wait does not return"
fi

if chosen exit_amid_others; then
	boot tests/faults ARGS=exit_amid_others
	bad=0
	equal status $status 3 || bad=1
	has "$dir/out" '^no newline at the end$' '^hb: exit 3$' || bad=1
	ok $bad "exit_amid_others: a goroutine ends the program, what was printed comes out"
fi
if chosen exit_amid_profiles; then
	boot tests/faults ARGS=exit_amid_profiles
	bad=0
	equal status $status 5 || bad=1
	has "$dir/out" '^hb: exit 5$' || bad=1
	! grep -qE '^(panic|fatal error): ' "$dir/out" || bad=1
	for p in goroutine heap block mutex; do
		gzip -t "$OUT/faults/$p.pb.gz" 2>>"$dir/notes" || bad=1
	done
	ok $bad "exit_amid_profiles: the program ends while profiles of every kind are taken, and its own are whole"
fi
if chosen exit_everywhere; then
	boot tests/faults ARGS=exit_everywhere
	bad=0
	equal status $status 5 || bad=1
	equal "lines with the status" "$(grep -c '^hb: exit 5$' "$dir/out")" 1 || bad=1
	ok $bad "exit_everywhere: many ends are one"
fi

if chosen malloc_all; then
	boot tests/faults ARGS=malloc_all MEM=64M
	bad=0
	equal status $status 0 || bad=1
	has "$dir/out" '^malloc gave [0-9]+ and [0-9]+ MiB$' '^survived malloc_all$' || bad=1
	ok $bad "malloc_all: malloc says that memory is out, and has it again later"
fi

if chosen time_without_memory; then
	boot tests/faults ARGS=time_without_memory MEM=64M
	bad=0
	equal status $status 0 || bad=1
	has "$dir/out" '^[0-9]+ of 200 functions without memory, 200 with$' '^survived time_without_memory$' || bad=1
	ok $bad "time_without_memory: sleeps end, timers fire, delayed functions run when there is memory again"
fi

# A report to the letter: TEXT stands in the output as it is, at the beginning of a line.
prints() { # prints CASE TEXT [REGEX...]
	local name=$1 text=$2 bad=0
	chosen "$name" || return 0
	shift 2
	boot tests/faults ARGS="$name main" ${settings:-}
	[[ $'\n'$(<"$dir/out") == *$'\n'"$text"* ]] || { note "not there:" && note "$text" && bad=1; }
	equal "last line" "$(tail -n 1 "$dir/out")" "hb: exit 2" || bad=1
	equal status "$status" 2 || bad=1
	dumped || bad=1
	registers || bad=1
	[ $# -eq 0 ] || has "$dir/out" "$@" || bad=1
	! grep -a 'deferred functions do not run\|came back' "$dir/out" >>"$dir/notes" || bad=1
	text=${text%%$'\n\n'*}
	ok $bad "$name: ${text//[$'\n\t']/ }"
}

running=$'\n\ngoroutine 1 [running]:\n'
prints recursive_panic $'wrap: bad\npanic: again'"$running"'recursive_panic(...)'
prints recursive_panic2 $'first panic\nsecond panic\npanic: third panic'"$running"
prints recursive_panic3 "panic: first panic$running"
prints recursive_panic4 $'panic: first panic [recovered]\n\tpanic: second panic'"$running"
prints recursive_panic5 $'first panic\nsecond panic\npanic: third panic'"$running"
prints repanicked_panic "panic: message [recovered, repanicked]$running"
prints repanicked_middle_panic \
	$'panic: inner [recovered]\n\tpanic: middle [recovered, repanicked]\n\tpanic: outer'"$running"
prints repanicked_panic_sandwich $'panic: outer [recovered]\n\tpanic: inner [recovered]\n\tpanic: outer'"$running"
prints double_panic $'panic: AAA\n\tpanic: BBB'"$running" '^go_panic\(\.\.\.\)$' '^double_panic\(\.\.\.\)$'
prints panic_traceback $'panic: hello\n\tpanic: panic pt2\n\tpanic: panic pt1'"$running"
if chosen panic_traceback; then
	bad=0
	equal frames "$(sed -nE 's/^(pt[12](_deferred)?|go_panic)\(.*/\1/p' "$dir/out" | tr '\n' ' ')" \
		"pt1_deferred go_panic pt2_deferred go_panic pt2 pt1 " || bad=1
	ok $bad "panic_traceback: every frame from the last panic to the first"
fi
prints panic_deadlock_gosched "panic: errorThatGosched$running"
prints main_goroutine_id "panic: test$running"'main_goroutine_id(...)'
if chosen main_goroutine_id; then
	bad=0
	equal goroutines "$(grep -cE '^goroutine ' "$dir/out")" 1 || bad=1
	ok $bad "no_helper_goroutines: goroutines of the kernel are not shown"
fi
asleep=$'fatal error: all goroutines are asleep - deadlock!\n\n'
none='fatal error: no goroutines (main called go_exit) - deadlock!'
prints simple_deadlock "$asleep"$'goroutine 1 [chan receive (nil chan)]:\n' '^simple_deadlock\(\.\.\.\)$'
prints locked_deadlock "$asleep"$'goroutine 1 [chan receive (nil chan), locked to thread]:\n' '^locked_deadlock\(\.\.\.\)$'
prints locked_deadlock2 "$asleep" '^goroutine 1 \[chan receive \(nil chan\)\]:$' '^locked_deadlock2\(\.\.\.\)$' \
	'^goroutine [0-9]+ \[chan receive \(nil chan\), locked to thread\]:$' '^waits_pinned\(\.\.\.\)$'
prints deadlock_seen_twice $'two harts see it, 1 says so\n'"$asleep"$'goroutine 1 [chan receive (nil chan)]:\n' '^deadlock_seen_twice\(\.\.\.\)$'
# A ticker that nobody listens to keeps nobody alive.
prints ticker_deadlock "$asleep"$'goroutine 1 [chan receive (nil chan)]:\n' '^ticker_deadlock\(\.\.\.\)$'
prints goexit_deadlock "$none"
prints goexit_in_panic "$none"
prints panic_after_goexit "panic: hello$running" '^panic_after_goexit\(\.\.\.\)$'
prints recovered_panic_after_goexit "$none"
prints recover_before_panic_after_goexit "hello"$'\n'"$none"
prints recover_before_panic_after_goexit2 "$none"
prints go_nil "fatal error: go of nil func value$running" '^go_nil\(\.\.\.\)$'
prints bad_traceback "panic: the return address is gone$running"'bad_traceback(...)' \
	'^\.\.\.the stack ends here: no rule for the last frame$'
prints panic_holding_locks $'panic: under a lock\nfatal error: panic holding locks'"$running"'panic_holding_locks(...)' \
	'^held: chan \(lock '
prints panic_preempt_off $'panic: without preemption\nfatal error: panic during preemptoff'"$running"'panic_preempt_off(...)'
prints panic_system_stack $'panic: off the stack\nfatal error: panic on system stack'"$running"'raise_sys(...)' \
	'^panic_system_stack\(\.\.\.\)$'
prints panic_in_interrupt $'panic: in a handler\nfatal error: panic on system stack'
prints fault_in_scope 'panic: fault: '
prints g0_stack_overflow 'panic: stack overflow: the system stack of hart ' '^recurse_sys\(\.\.\.\)$' '^g0_stack_overflow\(\.\.\.\)$'

if chosen mutex_cycle; then
	cycle=('^deadlock: 2 goroutines wait for each other.s mutexes$' '^goroutine [0-9]+ \[(sync.Mutex.Lock|running|runnable)\]:$'
		'^take_both\(\.\.\.\)$' '^left_right\(\.\.\.\)$' '^right_left\(\.\.\.\)$' '^created by mutex_cycle in goroutine 1$')
	boot tests/faults ARGS="mutex_cycle main"
	bad=0
	has "$dir/out" "${cycle[@]}" '^the program goes on$' '^survived mutex_cycle$' || bad=1
	equal "reports" "$(grep -c '^deadlock: ' "$dir/out")" 1 || bad=1
	equal status "$status" 0 || bad=1
	ok $bad "mutex_cycle: one report with both stacks, and the program goes on"
	boot tests/faults ARGS="mutex_cycle main" BOOT=sched.deadlock=fatal
	bad=0
	one_report 'fatal error: goroutines wait for each other.s mutexes - deadlock!$' 2 || bad=1
	has "$dir/out" "${cycle[@]}" || bad=1
	! grep '^the program goes on' "$dir/out" >>"$dir/notes" || bad=1
	ok $bad "mutex_cycle: the end of the program with sched.deadlock=fatal"
	boot tests/faults ARGS="mutex_cycle main" BOOT=sched.deadlock=maybe
	bad=0
	has "$dir/out" '^boot: boot option .sched.deadlock.: bad value .maybe., report or fatal expected$' || bad=1
	equal status "$status" 2 || bad=1
	ok $bad "sched.deadlock=maybe: a boot error that says what was expected"
fi

settings=MEM=64M
if chosen suspended_without_memory; then
	for harts in 1 4; do
		boot tests/faults ARGS=suspended_without_memory MEM=64M SMP=$harts
		bad=0
		one_report 'panic: out of memory: no room to suspend a goroutine that others wait behind$' 2 || bad=1
		has "$dir/out" '^memory is out$' '^loop_for_ever\(\.\.\.\)$' || bad=1
		ok $bad "suspended_without_memory: loops that cannot be suspended end the program, they do not hang it ($harts harts)"
	done
fi

if chosen stacks_all; then
	boot tests/faults ARGS=stacks_all MEM=64M
	bad=0
	if [ $status -eq 0 ]; then
		has "$dir/out" '^go says that memory is out$' || bad=1
	else
		one_report 'panic: out of memory: no page for the stack of goroutine [0-9]+$' 2 || bad=1
		# Whoever touches its stack next: mostly one of these, now and then their maker.
		has "$dir/out" '^goroutine [0-9]+ \((stack user|faulter)\) \[running\]:$' '^use_stack\(\.\.\.\)$' \
			'^created by stacks_all in goroutine [0-9]+$' || bad=1
		pprof_has use_stack || bad=1
	fi
	ok $bad "stacks_all: no page for a stack"
fi
done_testing
