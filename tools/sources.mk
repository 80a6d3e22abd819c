# The sources of each room, by name: nothing is compiled because it happens to lie there.

ARCH_SOURCES_riscv64 := $(addprefix arch/riscv64/, clock.c fpu.S frame.c hart.c ipi.c jump.S mmu.c nmi.S nmi.c platform.c switch.S trap.S trap.c)
ARCH_SOURCES_x86_64 := $(addprefix arch/x86_64/, context.c cpu.c exit.c fpu.c frame.c hart.c jump.S lapic.c mmu.c rtc.c segments.c switch.S \
	timer.c trap.S trap.c)
BOOT_SOURCES_riscv64 := $(addprefix boot/riscv64/, entry.S harts.c start.c) boot/fdt.c boot/fdt_info.c
BOOT_SOURCES_x86_64 := $(addprefix boot/x86_64/, calibrate.c entry.S harts.c start.c tables.c trampoline.S) boot/pvh.c boot/acpi.c

KERNEL_ROOM := $(addprefix kernel/, base64.c buddy.c clock.c console.c crc32.c dump.c framing.c heap.c ktimer.c lock.c malloc.c memory.c mmu.c \
	page.c panic.c print.c report.c shootdown.c size_class.c slab.c stack.c subword.c symtab.c symtab_frames.c symtab_image.c symtab_table.c system.c timer.c timer_heap.c tls.c \
	traceback.c trap.c unwind.c wait_reason.c walk.c) gen/lock_ranks.c
TRACE_ROOM := trace/sample_ring.c
SCHED_ROOM := $(addprefix sched/, apptimer.c area.c chan.c chan_wait.c context.c context_after.c deadlock.c defer.c g.c labels.c libc.c metrics.c mutex.c own.c park.c report.c runq.c sched.c schedtrace.c \
	select.c shrink.c sleep.c timer_api.c waitgroup.c)
SCHED_ROOM += $(addprefix sched/, pin.c shake.c stw.c switch.c)
PROF_ROOM := $(addprefix prof/, builder.c cpu.c decimal.c gzip.c intern.c pprof.c protobuf.c sample_stack.c sampler.c top.c watch.c)
BOOT_ROOM := $(addprefix boot/, harts.c info.c line.c main.c option_value.c options.c program.c)

KERNEL_SOURCES = $(ARCH_SOURCES_$(ARCH)) $(KERNEL_ROOM) $(TRACE_ROOM) $(SCHED_ROOM) $(PROF_ROOM) $(BOOT_ROOM) $(BOOT_SOURCES_$(ARCH))

# What goroutines synchronise with.

SCHED_ROOM += $(addprefix sched/, cond.c errgroup.c once.c pool.c pool_chain.c rwmutex.c semaphore.c singleflight.c)

# Files with a flag of their own, and why.

FILE_FLAGS_kernel/memory.c := -fno-builtin
# Its functions need no frame: see there. They are tens of instructions, and a frame costs six of them.
FILE_FLAGS_sched/chan.c := -fomit-frame-pointer -fno-jump-tables -fno-bit-tests

HBDUMP_SOURCES := $(addprefix tools/hbdump/, files.c flame.c flame_json.c flame_page.c gunzip.c input.c lines.c main.c pairs.c parse.c \
	profile.c store.c vector.c) kernel/base64.c kernel/crc32.c
# What the page of a flame graph is made of; flame_page.c takes it in.
HBDUMP_PAGE := $(addprefix tools/hbdump/, flame.html flame.css flame.js flame_view.js)
HBDUMP_HEADERS := $(addprefix tools/hbdump/, files.h flame.h gunzip.h input.h lines.h pairs.h parse.h profile.h store.h vector.h) \
	$(HBDUMP_PAGE) kernel/base64.h kernel/crc32.h kernel/framing.h
SYMTAB_SOURCES := $(addprefix tools/symtab/, buffer.c code.c debug.c details.c files.c functions.c image.c inline.c lines.c main.c strings.c unwind.c)
SYMTAB_HEADERS := $(addprefix tools/symtab/, buffer.h code.h debug.h details.h files.h functions.h image.h inline.h lines.h strings.h unwind.h) \
	kernel/symtab_format.h
