# `make check`: what can be said of the tree without running it, both architectures, in seconds. Included by the top Makefile.
#
# Each check is a script of tools/check that prints one line for each finding and fails when there is one; tools/check/selftest shows
# each of them a tree with the fault it looks for. Checks of an image look at $(CHECK_APP), with all that SERVE=1 brings.

CHECK_APP ?= hello
CHECK_TREE := layers hygiene ranks format atomics
CHECK_ARCH := headers warnings frames irq-safe sp-writes
CHECK_SELF := selftest

OBJDUMP_riscv64 := riscv64-unknown-elf-objdump
OBJDUMP_x86_64 := objdump
ADDR2LINE_riscv64 := riscv64-unknown-elf-addr2line
ADDR2LINE_x86_64 := addr2line
# How operands are to be written: without pseudo-instructions, so that each register written is seen.
DISASSEMBLE_riscv64 := no-aliases
DISASSEMBLE_x86_64 := att
CHECK_TOOLS = OBJDUMP=$(OBJDUMP_$(ARCH)) ADDR2LINE=$(ADDR2LINE_$(ARCH)) DISASSEMBLE=$(DISASSEMBLE_$(ARCH))

# check NAME COMMAND: its findings, each with its name before it, and a line that says how it went.
define check
@start=$$(date +%s%N); out=$$( { $(2); } 2>&1 ); status=$$?; \
	[ -z "$$out" ] || printf '%s\n' "$$out" | sed 's|^|$(1): |'; \
	[ $$status -eq 0 ] && word=ok || word='not ok'; \
	echo "$$word check-$(1) ($$((($$(date +%s%N) - start) / 1000000)) ms)"; exit $$status
endef

.PHONY: check check-tree check-arch check-selftest $(CHECK_TREE:%=check-%) $(CHECK_ARCH:%=check-%)

# All of them, whatever the first ones find.
check: $(PACKAGES_TEST_STAMP)
	@status=0; \
	$(MAKE) -k check-tree check-selftest || status=1; \
	$(foreach arch,$(ARCHES),$(MAKE) -k ARCH=$(arch) MACHINE=$(firstword $(MACHINES_$(arch))) APP=$(CHECK_APP) SERVE=1 MUTANT= check-arch || \
		status=1;) \
	[ $$status -eq 0 ] && echo "check: nothing found"; exit $$status

check-tree: $(CHECK_TREE:%=check-%)
check-arch: $(CHECK_ARCH:%=check-%)

$(CHECK_TREE:%=check-%): check-%: | $(PACKAGES_TEST_STAMP)
	$(call check,$*,tools/check/$*)
check-selftest: | $(PACKAGES_TEST_STAMP)
	$(call check,selftest,tools/check/selftest $(BUILD)/check)

check-headers: $(PICOLIBC_STAMP) $(ZLIB_STAMP) $(GEN)/lock_ranks.h
	$(call check,headers $(ARCH),ARCH=$(ARCH) CC=$(CC_TARGET) FLAGS='$(KERNEL_FLAGS)' HOSTCC=$(HOSTCC) \
		HOST_FLAGS='$(HOST_FLAGS)' SECOND=$(if $(filter riscv64,$(ARCH)),,1) tools/check/headers)
check-warnings: $(PICOLIBC_STAMP) $(ZLIB_STAMP) $(GEN)/lock_ranks.h $(GEN)/lock_ranks.c | $(PACKAGES_TEST_STAMP)
	$(call check,warnings $(ARCH),ARCH=$(ARCH) FLAGS='$(KERNEL_FLAGS)' tools/check/warnings \
		$(filter-out gen/%,$(filter %.c,$(KERNEL_SOURCES))) $(GEN)/lock_ranks.c)
check-frames: $(PICOLIBC_STAMP)
	$(call check,frames $(ARCH),CC=$(CC_TARGET) FLAGS='$(APP_FLAGS)' tools/check/frames)
check-irq-safe: $(ELF)
	$(call check,irq-safe $(ARCH),$(CHECK_TOOLS) tools/check/irq-safe $(ELF))
check-sp-writes: $(ELF)
	$(call check,sp-writes $(ARCH),$(CHECK_TOOLS) tools/check/sp-writes $(ELF))
