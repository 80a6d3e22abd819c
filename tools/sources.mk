# The sources of each room, by name: nothing is compiled because it happens to lie there.

ARCH_SOURCES_riscv64 := \
	arch/riscv64/alarm.c \
	arch/riscv64/clock.c \
	arch/riscv64/fpu.S \
	arch/riscv64/frame.c \
	arch/riscv64/hart.c \
	arch/riscv64/ipi.c \
	arch/riscv64/jump.S \
	arch/riscv64/mmu.c \
	arch/riscv64/nmi.S \
	arch/riscv64/nmi.c \
	arch/riscv64/outer.c \
	arch/riscv64/platform.c \
	arch/riscv64/plic.c \
	arch/riscv64/switch.S \
	arch/riscv64/trap.S \
	arch/riscv64/trap.c
ARCH_SOURCES_x86_64 := \
	arch/x86_64/alarm.c \
	arch/x86_64/context.c \
	arch/x86_64/cpu.c \
	arch/x86_64/exit.c \
	arch/x86_64/fpu.c \
	arch/x86_64/frame.c \
	arch/x86_64/hart.c \
	arch/x86_64/ioapic.c \
	arch/x86_64/jump.S \
	arch/x86_64/lapic.c \
	arch/x86_64/mmu.c \
	arch/x86_64/rtc.c \
	arch/x86_64/segments.c \
	arch/x86_64/switch.S \
	arch/x86_64/timer.c \
	arch/x86_64/trap.S \
	arch/x86_64/trap.c
BOOT_SOURCES_riscv64 := \
	boot/fdt.c \
	boot/fdt_info.c \
	boot/fdt_pci.c \
	boot/riscv64/devices.c \
	boot/riscv64/entry.S \
	boot/riscv64/harts.c \
	boot/riscv64/start.c
BOOT_SOURCES_x86_64 := \
	boot/acpi.c \
	boot/pvh.c \
	boot/x86_64/calibrate.c \
	boot/x86_64/devices.c \
	boot/x86_64/entry.S \
	boot/x86_64/harts.c \
	boot/x86_64/start.c \
	boot/x86_64/tables.c \
	boot/x86_64/trampoline.S

KERNEL_ROOM := \
	gen/lock_ranks.c \
	kernel/base64.c \
	kernel/buddy.c \
	kernel/clock.c \
	kernel/console.c \
	kernel/crc32.c \
	kernel/device.c \
	kernel/dump.c \
	kernel/framing.c \
	kernel/heap.c \
	kernel/keep.c \
	kernel/ktimer.c \
	kernel/large.c \
	kernel/lock.c \
	kernel/malloc.c \
	kernel/memory.c \
	kernel/mmu.c \
	kernel/page.c \
	kernel/panic.c \
	kernel/print.c \
	kernel/report.c \
	kernel/shootdown.c \
	kernel/sink.c \
	kernel/size_class.c \
	kernel/slab.c \
	kernel/stack.c \
	kernel/subword.c \
	kernel/symtab.c \
	kernel/symtab_frames.c \
	kernel/symtab_image.c \
	kernel/symtab_table.c \
	kernel/system.c \
	kernel/timer.c \
	kernel/timer_heap.c \
	kernel/tls.c \
	kernel/traceback.c \
	kernel/trap.c \
	kernel/uart.c \
	kernel/uart_serial.c \
	kernel/unwind.c \
	kernel/unwind_trail.c \
	kernel/virtio.c \
	kernel/virtio_serial.c \
	kernel/wait_reason.c \
	kernel/walk.c \
	kernel/walk_fp.c
TRACE_ROOM := \
	trace/buf.c \
	trace/cpu.c \
	trace/crash.c \
	trace/gen.c \
	trace/go.c \
	trace/heap.c \
	trace/map.c \
	trace/recorder.c \
	trace/sample_ring.c \
	trace/stack.c \
	trace/string.c \
	trace/table.c \
	trace/user.c
SCHED_ROOM := \
	sched/apptimer.c \
	sched/area.c \
	sched/barrier.c \
	sched/chan.c \
	sched/chan_wait.c \
	sched/cleanup.c \
	sched/cond.c \
	sched/context.c \
	sched/context_after.c \
	sched/crash.c \
	sched/deadlock.c \
	sched/defer.c \
	sched/errgroup.c \
	sched/g.c \
	sched/labels.c \
	sched/libc.c \
	sched/look.c \
	sched/metrics.c \
	sched/mutex.c \
	sched/once.c \
	sched/own.c \
	sched/park.c \
	sched/pin.c \
	sched/pool.c \
	sched/pool_chain.c \
	sched/report.c \
	sched/runq.c \
	sched/rwmutex.c \
	sched/sched.c \
	sched/schedtrace.c \
	sched/select.c \
	sched/semaphore.c \
	sched/shake.c \
	sched/shrink.c \
	sched/singleflight.c \
	sched/sleep.c \
	sched/stw.c \
	sched/switch.c \
	sched/timer_api.c \
	sched/tracing.c \
	sched/waitgroup.c
PROF_ROOM := \
	prof/alarm.c \
	prof/block.c \
	prof/builder.c \
	prof/contention.c \
	prof/cpu.c \
	prof/crash.c \
	prof/custom.c \
	prof/decimal.c \
	prof/drain.c \
	prof/expo.c \
	prof/goroutine.c \
	prof/gzip.c \
	prof/heap.c \
	prof/heap_sample.c \
	prof/image.c \
	prof/intern.c \
	prof/pprof.c \
	prof/profile.c \
	prof/protobuf.c \
	prof/sample_stack.c \
	prof/sampler.c \
	prof/stack_memo.c \
	prof/stack_trim.c \
	prof/stacks.c \
	prof/text.c \
	prof/top.c \
	prof/trace_file.c \
	prof/trace_out.c \
	prof/wait.c \
	prof/wall.c \
	prof/wall_hart.c \
	prof/watch.c \
	prof/write.c
# In a library: linked when something asks for it, see include/hartbeat/serve.h.
SERVE_ROOM := \
	prof/page/flame_page.c \
	prof/serve/answer.c \
	prof/serve/commands.c \
	prof/serve/console.c \
	prof/serve/edit.c \
	prof/serve/flame.c \
	prof/serve/http.c \
	prof/serve/index.c \
	prof/serve/pages.c \
	prof/serve/profiles.c \
	prof/serve/serve.c \
	prof/serve/show.c \
	prof/serve/top.c \
	prof/serve/traces.c
BOOT_ROOM := \
	boot/harts.c \
	boot/info.c \
	boot/line.c \
	boot/main.c \
	boot/option_value.c \
	boot/options.c \
	boot/program.c

KERNEL_SOURCES = $(ARCH_SOURCES_$(ARCH)) $(KERNEL_ROOM) $(TRACE_ROOM) $(SCHED_ROOM) $(PROF_ROOM) $(SERVE_ROOM) $(BOOT_ROOM) $(BOOT_SOURCES_$(ARCH))

# Compiled for size: nobody waits for what they do, but for the console or the end of the program.
SMALL_SOURCES = $(SERVE_ROOM) \
	kernel/console.c \
	kernel/dump.c \
	kernel/keep.c \
	kernel/panic.c \
	kernel/print.c \
	kernel/report.c \
	kernel/sink.c \
	kernel/symtab_image.c \
	kernel/system.c \
	kernel/traceback.c \
	kernel/uart_serial.c \
	trace/crash.c \
	sched/cleanup.c \
	sched/context.c \
	sched/context_after.c \
	sched/crash.c \
	sched/deadlock.c \
	sched/errgroup.c \
	sched/look.c \
	sched/metrics.c \
	sched/report.c \
	sched/schedtrace.c \
	sched/shake.c \
	sched/shrink.c \
	sched/singleflight.c \
	sched/tracing.c \
	prof/cpu.c \
	prof/crash.c \
	prof/custom.c \
	prof/decimal.c \
	prof/expo.c \
	prof/goroutine.c \
	prof/gzip.c \
	prof/heap.c \
	prof/image.c \
	prof/pprof.c \
	prof/profile.c \
	prof/protobuf.c \
	prof/text.c \
	prof/top.c \
	prof/trace_file.c \
	prof/trace_out.c \
	prof/wall.c \
	prof/watch.c \
	prof/write.c
$(foreach s,$(SMALL_SOURCES),$(eval FILE_FLAGS_$s := -Os))

# Files with a flag of their own, and why.

FILE_FLAGS_kernel/memory.c := -fno-builtin
# Its functions need no frame: see there. They are tens of instructions, and a frame costs six of them.
FILE_FLAGS_prof/wait.c := -fomit-frame-pointer
FILE_FLAGS_sched/chan.c := -fomit-frame-pointer -fno-jump-tables -fno-bit-tests
# The same; what it walks begins with its caller's frame.
FILE_FLAGS_kernel/walk_fp.c := -fomit-frame-pointer

HBDUMP_SOURCES := \
	kernel/base64.c \
	kernel/crc32.c \
	prof/page/flame_page.c \
	tools/hbdump/files.c \
	tools/hbdump/flame.c \
	tools/hbdump/gunzip.c \
	tools/hbdump/input.c \
	tools/hbdump/lines.c \
	tools/hbdump/main.c \
	tools/hbdump/pairs.c \
	tools/hbdump/parse.c \
	tools/hbdump/profile.c \
	tools/hbdump/store.c \
	tools/hbdump/store_ask.c \
	tools/hbdump/trace_check.c \
	tools/hbdump/trace_draw.c \
	tools/hbdump/trace_event.c \
	tools/hbdump/trace_file.c \
	tools/hbdump/trace_mend.c \
	tools/hbdump/trace_order.c \
	tools/hbdump/trace_ranges.c \
	tools/hbdump/trace_samples.c \
	tools/hbdump/trace_states.c \
	tools/hbdump/trace_summary.c \
	tools/hbdump/vector.c
# What the page of a flame graph is made of, by tools/flame-page.
FLAME_PAGE := \
	prof/page/flame.css \
	prof/page/flame.html \
	prof/page/flame_model.js \
	prof/page/flame_read.js \
	prof/page/flame_view.js
HBDUMP_HEADERS := \
	kernel/base64.h \
	kernel/crc32.h \
	kernel/framing.h \
	prof/page/flame_page.h \
	tools/hbdump/files.h \
	tools/hbdump/flame.h \
	tools/hbdump/gunzip.h \
	tools/hbdump/input.h \
	tools/hbdump/lines.h \
	tools/hbdump/pairs.h \
	tools/hbdump/parse.h \
	tools/hbdump/profile.h \
	tools/hbdump/store.h \
	tools/hbdump/trace_check.h \
	tools/hbdump/trace_draw.h \
	tools/hbdump/trace_file.h \
	tools/hbdump/trace_mend.h \
	tools/hbdump/trace_order.h \
	tools/hbdump/vector.h \
	tools/hbdump/write_all.h
SYMTAB_SOURCES := \
	tools/symtab/buffer.c \
	tools/symtab/code.c \
	tools/symtab/debug.c \
	tools/symtab/details.c \
	tools/symtab/files.c \
	tools/symtab/functions.c \
	tools/symtab/image.c \
	tools/symtab/inline.c \
	tools/symtab/lines.c \
	tools/symtab/main.c \
	tools/symtab/strings.c \
	tools/symtab/unwind.c
SYMTAB_HEADERS := \
	kernel/symtab_format.h \
	tools/symtab/buffer.h \
	tools/symtab/code.h \
	tools/symtab/debug.h \
	tools/symtab/details.h \
	tools/symtab/files.h \
	tools/symtab/functions.h \
	tools/symtab/image.h \
	tools/symtab/inline.h \
	tools/symtab/lines.h \
	tools/symtab/strings.h \
	tools/symtab/unwind.h
# The judge of tests/stepping.
JUDGE_SOURCES := \
	tests/stepping/judge/cfi.c \
	tests/stepping/judge/core.c \
	tests/stepping/judge/image.c \
	tests/stepping/judge/main.c \
	tests/stepping/judge/shadow.c
JUDGE_HEADERS := \
	tests/stepping/format.h \
	tests/stepping/judge/judge.h
