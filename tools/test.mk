# make test: every test and mutant, in short form; FULL=1 for the long counts. Included by the top Makefile.
#
# Builds everything first (a failure there is seen at once), then hands one list of commands to tests/run-tests, of the guest the longest
# first. One more runs at a time than there are processors: half of what a test takes it waits, for a timer, a line, or an emulator that
# starts. ARCH= on the command line restricts the guest half to one of them.

TEST_ARCHES := $(if $(filter command line environment,$(origin ARCH)),$(ARCH),$(ARCHES))
TEST_LIST := $(BUILD)/test/tests.list
FULL_ARG := $(if $(filter 1,$(FULL)),full=1)

# The guest suites: ARCH:MACHINE:HARTS:WHAT, WHAT being plain, qemu64 (the plainest processor) or icount (interrupts at any instruction).
GUEST_RUNS_riscv64 := virt:1:plain virt:2:plain virt:4:plain virt:8:plain virt:1:icount virt:4:icount
GUEST_RUNS_x86_64 := q35:1:plain q35:2:plain q35:4:plain q35:8:plain microvm:4:plain q35:2:qemu64 q35:1:icount q35:4:icount
# In the short form those on 8 harts, and of several whose instructions are counted, are of the suites whose rules are about order, and of
# sampling; those of another machine or processor of what depends on it: its timers, interrupts and lines; what is saved of a processor, and
# how code is walked.
SHORT_order = $(SHAKEN) barrier cleanup goroutine labels prof trace
SHORT_8 = $(SHORT_order)
SHORT_4_icount = $(SHORT_order) block_profile heap_profile irq_off shares stack trace_program traceback unwind walk wait_profile wall
SHORT_microvm := console deadlock heap http idle irq_off ktimer libc lock metrics panic proc prof shares stw ticker time timer trace wall
SHORT_qemu64 := atomic chan go idle irq_off libc panic prof sched shrink stack stw symtab sync traceback unwind walk wall
# MACHINE, HARTS, WHAT
short_of = $(if $(FULL_ARG),,$(SHORT_$(2)) $(SHORT_$(1)) $(SHORT_$(3)) $(SHORT_$(2)_$(3)))
guest_flags = $(if $(filter qemu64,$(1)),CPU=qemu64) $(if $(filter icount,$(1)),EXACT=1)
# ARCH, MACHINE, HARTS, WHAT
guest_line = guest-$(1)-$(2)-$(3)-$(4) make -s run APP=tests/guest ARCH=$(1) MACHINE=$(2) SMP=$(3) $(call guest_flags,$(4)) \
	BOOT=prof.cpu=off ARGS='$(FULL_ARG) $(if $(filter icount,$(4)),exact=1) $(call short_of,$(2),$(3),$(4))' INPUT=LICENSE BUILD=$(BUILD) \
	OUT=$(BUILD)/test/$(1)-$(2)-$(3)-$(4) TIMEOUT=$(if $(FULL_ARG),3600,800)
split = $(subst :, ,$(1))
guest_lines = $(foreach r,$(GUEST_RUNS_$(1)),echo "$(call guest_line,$(1),$(word 1,$(call split,$r)),$(word 2,$(call split,$r)),$(word 3,$(call split,$r)))";)

# In the long form also what may go wrong once in many runs, short, over and over: the plain run, and scripts about crashes, profiles and traces.
LOOPS := $(if $(FULL_ARG),$(shell seq 1 50))
LOOP_E2E := crash every-profile faults goroutine profiles trace trace-times
# ARCH, HARTS, N
loop_line = guest-$(1)-$(2)-loop-$(3) make -s run APP=tests/guest ARCH=$(1) SMP=$(2) BOOT=prof.cpu=off INPUT=LICENSE BUILD=$(BUILD) \
	OUT=$(BUILD)/test/$(1)-$(2)-loop-$(3) TIMEOUT=800
# ARCH, NAME, N
loop_e2e_line = $(2)-$(1)-loop-$(3) ARCH=$(1) BUILD=$(BUILD) tests/e2e/test-$(2).sh
loop_lines = $(foreach n,$(LOOPS),$(foreach h,1 2 4,echo "$(call loop_line,$(1),$(h),$(n))";) \
	$(foreach s,$(LOOP_E2E),echo "$(call loop_e2e_line,$(1),$(s),$(n))";))

# Suites whose rules are about order: with the schedule shaken, a preemption at each release of a spinlock, and a shrinker that never rests.
SHAKES := sched.seed=1 debug.preempt=1 debug.shrink=1
SHAKEN := go chan select sync sema context deadlock panic own idle proc stw.stop_the_world_deadlock stw.trace_stw shrink.parked \
	shrink.stack_during_blocked_send shrink.no_stack_while_parking shrink.stack_cache timer.stale ticker.stale
# ARCH, OPTION
shake_line = guest-$(1)-$(subst =,-,$(2)) make -s run APP=tests/guest ARCH=$(1) SMP=4 BOOT='prof.cpu=off $(2)' ARGS='$(SHAKEN) $(FULL_ARG)' INPUT=LICENSE \
	BUILD=$(BUILD) OUT=$(BUILD)/test/$(1)-$(2) TIMEOUT=$(if $(FULL_ARG),3600,800)
shake_lines = $(foreach o,$(SHAKES),echo "$(call shake_line,$(1),$(o))";)

# The stress image in short form (tools/stress.mk).
STRESS_SECONDS := $(if $(FULL_ARG),600,6)

# Scripts of tests/e2e that run once for each architecture; the first two take longest.
E2E := \
	trace \
	faults \
	astray \
	badinput \
	console \
	crash \
	deltas \
	docs \
	dumps \
	every-profile \
	gdb \
	goroutine \
	limits \
	live \
	live-pages \
	live-security \
	live-tools \
	mandelbrot \
	notable \
	pipeline \
	plain \
	ports \
	profile \
	profiles \
	resend \
	run \
	sched \
	serve \
	sieve \
	stepping \
	trace-times \
	wordcount
# ARCH, NAME
e2e_line = echo "$(2)-$(1) ARCH=$(1) BUILD=$(BUILD) FULL=$(FULL) tests/e2e/test-$(2).sh";
e2e_lines = $(foreach s,$(E2E),$(call e2e_line,$(1),$s)) \
	echo "docs-api-$(1) ARCH=$(1) BUILD=$(BUILD) DOC=docs/api.md tests/e2e/test-docs.sh"; \
	echo "docs-looking-$(1) ARCH=$(1) BUILD=$(BUILD) DOC=docs/api-looking.md tests/e2e/test-docs.sh";

# Images that the scripts run.
TEST_APPS := \
	hello \
	mandelbrot \
	pipeline \
	sieve \
	tests/bench \
	tests/faults \
	tests/gdb \
	tests/guest \
	tests/live \
	tests/stepping \
	tests/stress \
	tests/tracetimes \
	tests/web \
	wordcount

.PHONY: test test-images
JOBS := $(shell nproc)
test-images: $(BUILD)/tools/hbdump $(BUILD)/tools/judge $(BUILD)/tools/line-noise $(BUILD)/tools/port-client $(BUILD)/tools/symtab $(OPENSBI_FW) $(GOROOT_FILE)
	@$(foreach a,$(TEST_ARCHES),$(foreach p,$(TEST_APPS),$(MAKE) -j$(JOBS) ARCH=$(a) APP=$(p) all &&)) $(MAKE) -j$(JOBS) host-tests-build

test: test-images
	@mkdir -p $(BUILD)/test
	@{ echo "@status"; echo "@timeout 600"; echo "check make -s check BUILD=$(BUILD)"; \
	cat $(HOST_TEST_LIST); \
	echo "@tap"; echo "@timeout $(if $(FULL_ARG),7200,1500)"; \
	$(foreach a,$(TEST_ARCHES),$(call e2e_line,$(a),mutants)) \
	$(foreach a,$(TEST_ARCHES),$(call guest_lines,$(a)) $(call shake_lines,$(a)) $(call stress_lines,$(a),$(STRESS_SECONDS)) $(call loop_lines,$(a))) \
	$(foreach a,$(TEST_ARCHES),$(call e2e_lines,$(a))) } > $(TEST_LIST)
	@env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS tests/run-tests -j $$(($(JOBS) + 1)) -o $(BUILD)/log/tests $(TEST_LIST)
