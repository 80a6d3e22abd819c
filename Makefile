# Hartbeat. docs/architecture.md says where things are.
#
#? make run    [ARCH=riscv64|x86_64] [MACHINE=virt|q35|microvm] [SMP=4] [MEM=1G] [APP=wordcount] [INPUT=FILE] [ARGS="..."]
#?             [BOOT="key=value ..."] [REPEAT=N] [EXACT=1] [DETERMINISTIC=1] [BIOS=FILE] [CPU=MODEL] [TIMEOUT=SECONDS]
#?             [SERVE=1]
#?             builds an application, runs it in QEMU, writes its profile to out/ARCH/APP/; APP is a folder of apps/ or any path
#? make test   [ARCH=...] [FULL=1]   everything that can fail; both architectures when ARCH is not given
#? make stress [SECONDS=600] [ARCH=...] [SEED=N]   everything at once, at random, on 1 to 8 harts; SECONDS for each architecture
#? make check  static rules: layers, headers, warnings, formatting, code that interrupts may reach
#? make bench  [ARCH=...] [BENCH="WORD ..."]   operations beside Go's, memory, boot time, image size, speed-up, cost of profiling
#? make bench-diff [ARCH=...] [KEEP=1]   instructions of each operation that changed by more than 3 %; KEEP=1 keeps the new ones
#? make pprof  [ARCH=...] [APP=...] [PROFILE=FILE]   opens Go's web view of a run's profile, when Go is there
#? make serve  [ARCH=...] [MACHINE=...] [APP=...] [PORT=6060] [VIA=uart]   as run, and answers HTTP while it runs: go tool pprof http://localhost:6060/...
#? make debug  as run, stopped at the first instruction, with gdb's command line
#? make fmt    formats the sources        make clean   removes what was built, keeps what was downloaded

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash

ARCH ?= riscv64
MACHINE ?= $(if $(filter riscv64,$(ARCH)),virt,q35)
SMP ?= 4
MEM ?= 1G
APP ?= wordcount
MUTANT ?=
BUILD ?= build
OUT ?= out

# ---- what was asked for: a bad value is one line -------------------------------------------------------------------

ARCHES := riscv64 x86_64
MACHINES_riscv64 := virt
MACHINES_x86_64 := q35 microvm
ifeq ($(filter $(ARCH),$(ARCHES)),)
$(error ARCH=$(ARCH): expected one of: $(ARCHES))
endif
ifeq ($(filter $(MACHINE),$(MACHINES_$(ARCH))),)
$(error MACHINE=$(MACHINE): expected one of: $(MACHINES_$(ARCH)) (with ARCH=$(ARCH)))
endif
ifeq ($(findstring /,$(APP)),)
APP_DIR := apps/$(APP)
else
APP_DIR := $(APP:%/=%)
endif
APP_NAME := $(notdir $(APP_DIR))
ifeq ($(wildcard $(APP_DIR)/*.c),)
$(error APP=$(APP): no C file in $(APP_DIR); expected one of: $(notdir $(patsubst %/,%,$(wildcard apps/*/))), or the path of a folder)
endif

SERVE ?= $(if $(LIVE)$(filter live=1 console=1,$(BOOT)),1)
ifneq ($(filter-out 1,$(SERVE)),)
$(error SERVE=$(SERVE): expected 1, or nothing)
endif

include tools/deps.mk
include tools/sources.mk

# ---- compilers -------------------------------------------------------------------------------------------------------

CC_riscv64 := riscv64-unknown-elf-gcc
CC_x86_64 := gcc
AR_riscv64 := riscv64-unknown-elf-ar
AR_x86_64 := ar
OBJCOPY_riscv64 := riscv64-unknown-elf-objcopy
OBJCOPY_x86_64 := objcopy
READELF := readelf
CC_TARGET := $(CC_$(ARCH))

# Addresses below 2 GiB on x86-64, pc-relative on riscv64; one image, no position independence, TLS at a fixed distance.
MACHINE_riscv64 := -march=rv64gc -mabi=lp64d -mcmodel=medany
MACHINE_x86_64 := -m64 -mcmodel=small -fno-pic -fno-pie -fcf-protection=none -mno-avx
# Kernel code may be interrupted or may interrupt: no FP or vector register in it. riscv64's gcc has no such switch; make check disassembles.
KERNEL_MACHINE_x86_64 := -mgeneral-regs-only -mno-red-zone
# gcc's own headers behind picolibc's; the host's glibc must not be found.
LIBC_riscv64 = -isystem $(PICOLIBC)/include
LIBC_x86_64 = -nostdinc -isystem $(PICOLIBC)/include -isystem $(shell gcc -print-file-name=include)

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wconversion -Wno-sign-conversion -Werror
# A frame larger than the guard gap, or of unknown size, could step over it.
STACK_LIMITS := -Werror=frame-larger-than=49152 -Werror=vla -Werror=alloca
CODE := -std=gnu11 -O2 -g -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
	-fno-strict-aliasing -fno-common -fno-stack-protector -fno-tree-loop-distribute-patterns -ftls-model=local-exec
PATHS = -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(abspath $(PICOLIBC))=picolibc -ffile-prefix-map=$(abspath $(ZLIB))=zlib

TARGET_FLAGS = $(MACHINE_$(ARCH)) $(CODE) $(PATHS) $(STACK_LIMITS) $(LIBC_$(ARCH)) -Iinclude
KERNEL_FLAGS = $(TARGET_FLAGS) $(KERNEL_MACHINE_$(ARCH)) $(WARNINGS) -I. -Iarch/$(ARCH) -I$(BUILD) -isystem $(ZLIB)/include
# A function that ends in a call stays on the stack: a goroutine whose last act is to wait is found by its name in every profile.
APP_FLAGS = $(TARGET_FLAGS) -fno-optimize-sibling-calls -Wall -Wextra
# The guest tests, the faults and the benchmarks are applications that look into the kernel; part of each is for one architecture.
KERNEL_APPS := tests/guest tests/faults tests/live tests/bench tests/stress tests/stepping tests/tracetimes
ifneq ($(filter $(KERNEL_APPS),$(APP_DIR)),)
APP_FLAGS += -Werror -I. -Iarch/$(ARCH) -I$(BUILD) -I$(APP_DIR)/$(ARCH) -isystem $(ZLIB)/include
endif
ASM_FLAGS = $(MACHINE_$(ARCH)) -g -include kernel/cfi_sections.inc -I. -Iarch/$(ARCH) -I$(BUILD) -Wa,--debug-prefix-map,$(CURDIR)=. $(PATHS)
LINK_FLAGS = $(MACHINE_$(ARCH)) -nostdlib -static -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
	-Wl,--no-warn-rwx-segments -Wl,--orphan-handling=error

HOSTCC := gcc
HOST_FLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror -I. -Iinclude -I$(BUILD)

# ---- files -----------------------------------------------------------------------------------------------------------

OBJ := $(BUILD)/$(ARCH)/obj
# Only images that ask for it have what prof/serve/ does: include/hartbeat/serve.h.
IMG := $(BUILD)/$(ARCH)/app$(MUTANT:%=-%)$(if $(SERVE),-serve)/$(APP_NAME)
APP_OBJ := $(BUILD)/$(ARCH)/app/$(APP_NAME)
# A mutant has objects of its own only of the sources that name it, or include a header that does; all others are those of what is right.
# Which source includes which header stands in the files the compiler left: without them, all are compiled.
ifneq ($(MUTANT),)
MUTANT_OBJ := $(BUILD)/$(ARCH)/obj-$(MUTANT)
MUTANT_PLACES := $(shell grep -rlw MUTANT_$(MUTANT) arch boot include kernel trace sched prof)
ifeq ($(MUTANT_PLACES),)
$(error MUTANT=$(MUTANT): no source has MUTANT_$(MUTANT); tests/mutants.txt lists those there are)
endif
MUTANT_SOURCES := $(filter $(MUTANT_PLACES),$(KERNEL_SOURCES)) $(if $(filter %.h,$(MUTANT_PLACES)),$(foreach s,$(KERNEL_SOURCES),$(shell \
	[ -f $(OBJ)/$s.d ] && ! grep -qF $(patsubst %,-e %,$(filter %.h,$(MUTANT_PLACES))) $(OBJ)/$s.d || echo $s)))
endif
objects_of = $(foreach s,$(1),$(if $(filter $s,$(MUTANT_SOURCES)),$(MUTANT_OBJ),$(OBJ))/$s.o)
KERNEL_OBJS := $(call objects_of,$(filter-out $(SERVE_ROOM),$(KERNEL_SOURCES)))
SERVE_OBJS := $(call objects_of,$(SERVE_ROOM))
LINKED = $(if $(SERVE),-Wl$(comma)-u$(comma)serve_room) $(KERNEL_OBJS) $(APP_OBJS) $(IMG)/serve.a
comma := ,
APP_SOURCES := $(sort $(wildcard $(APP_DIR)/*.c) $(if $(filter $(KERNEL_APPS),$(APP_DIR)),$(wildcard $(APP_DIR)/$(ARCH)/*.c)))
APP_OBJS := $(APP_SOURCES:$(APP_DIR)/%=$(APP_OBJ)/obj/%.o)
GEN := $(BUILD)/gen
ELF := $(IMG)/kernel.elf

$(GEN)/lock_ranks.h $(GEN)/lock_ranks.c $(GEN)/lock_ranks.dot: $(GEN)/lock_ranks.%: kernel/ranks.txt tools/ranks.awk
	@mkdir -p $(@D)
	@awk -v out=$* -f tools/ranks.awk $< > $@.tmp && mv $@.tmp $@

# FOLDER, FLAGS
define object_rules
$(1)/%.c.o: %.c $(PICOLIBC_STAMP) $(ZLIB_STAMP) | $(GEN)/lock_ranks.h
	@mkdir -p $$(@D)
	@echo "  CC  $(ARCH)  $$<"
	@$$(CC_TARGET) $$(KERNEL_FLAGS) $(2) $$(FILE_FLAGS_$$<) -MMD -MP -c $$< -o $$@

$(1)/gen/%.c.o: $(GEN)/%.c | $(GEN)/lock_ranks.h $(PICOLIBC_STAMP)
	@mkdir -p $$(@D)
	@$$(CC_TARGET) $$(KERNEL_FLAGS) -MMD -MP -c $$< -o $$@

$(1)/%.S.o: %.S $(PACKAGES_STAMP)
	@mkdir -p $$(@D)
	@echo "  AS  $(ARCH)  $$<"
	@$$(CC_TARGET) $$(ASM_FLAGS) $(2) -MMD -MP -c $$< -o $$@
endef
$(eval $(call object_rules,$(OBJ)))
$(if $(MUTANT),$(eval $(call object_rules,$(MUTANT_OBJ),-DMUTANT_$(MUTANT))))

# Which files the image is of: two folders of one name share a place, and a file that is gone is no reason to link again.
.PHONY: look
$(APP_OBJ)/sources: look
	@mkdir -p $(@D)
	@echo '$(abspath $(APP_SOURCES))' | cmp -s - $@ || echo '$(abspath $(APP_SOURCES))' > $@

$(APP_OBJ)/obj/%.c.o: $(APP_DIR)/%.c $(APP_OBJ)/sources $(PICOLIBC_STAMP) $(ZLIB_STAMP) | $(GEN)/lock_ranks.h
	@mkdir -p $(@D)
	@echo "  CC  $(ARCH)  $<"
	@$(CC_TARGET) $(APP_FLAGS) -I$(APP_DIR) -MMD -MP -c $< -o $@

$(OBJ)/linker.ld: linker.ld $(PACKAGES_STAMP)
	@mkdir -p $(@D)
	@$(CC_TARGET) -E -P -x c $< -o $@

# ---- the image, in two passes: the second links the symbol table of the first in, and must move nothing ---------------

$(IMG)/serve.a: $(SERVE_OBJS)
	@mkdir -p $(@D)
	@rm -f $@; $(AR_$(ARCH)) rcsD $@ $^

$(IMG)/pass1.elf: $(KERNEL_OBJS) $(IMG)/serve.a $(APP_OBJS) $(APP_OBJ)/sources $(OBJ)/linker.ld
	@mkdir -p $(@D)
	@echo "  LD  $(ARCH)  $(APP_NAME)"
	@$(CC_TARGET) $(LINK_FLAGS) -Wl,--build-id=sha1 -T $(OBJ)/linker.ld $(LINKED) \
		$(ZLIB)/libz.a $(PICOLIBC)/lib/libc.a -lgcc -o $@

$(IMG)/symbols.bin: $(IMG)/pass1.elf $(BUILD)/tools/symtab
	@$(BUILD)/tools/symtab $< -o $@ --stats > $(IMG)/symbols.txt

$(ELF): $(IMG)/pass1.elf $(IMG)/symbols.bin
	@printf '.section .hbsym,"a"\n.balign 16\n.incbin "%s"\n' $(IMG)/symbols.bin | \
		$(CC_TARGET) $(MACHINE_$(ARCH)) -x assembler -c - -o $(IMG)/symbols.o
	@id=$$($(READELF) -n $< | sed -n 's/.*Build ID: //p'); \
	$(CC_TARGET) $(LINK_FLAGS) -Wl,--build-id=0x$$id -T $(OBJ)/linker.ld $(LINKED) $(IMG)/symbols.o \
		$(ZLIB)/libz.a $(PICOLIBC)/lib/libc.a -lgcc -o $@.tmp
	@tools/same-code $< $@.tmp
	@mv $@.tmp $@

-include $(KERNEL_OBJS:.o=.d) $(SERVE_OBJS:.o=.d)
# Those of another folder name files that may be gone; everything is compiled again then.
ifeq ($(file < $(APP_OBJ)/sources),$(abspath $(APP_SOURCES)))
-include $(APP_OBJS:.o=.d)
endif

# ---- host tools --------------------------------------------------------------------------------------------------------

# The page of a flame graph: part of the image, for the live port, and of hbdump.
FLAME_HALVES := $(GEN)/flame_head.html $(GEN)/flame_tail.html
$(GEN)/flame_tail.html: $(FLAME_PAGE) tools/flame-page
	@mkdir -p $(@D)
	@tools/flame-page $(@D)
$(GEN)/flame_head.html: $(GEN)/flame_tail.html ;
$(OBJ)/prof/page/flame_page.c.o: $(FLAME_HALVES)

$(BUILD)/tools/hbdump: $(HBDUMP_SOURCES) $(HBDUMP_HEADERS) $(FLAME_HALVES) | $(PACKAGES_STAMP)
	@mkdir -p $(@D)
	@echo "  CC  host  hbdump"
	@$(HOSTCC) $(HOST_FLAGS) $(HBDUMP_SOURCES) -lz -o $@

$(BUILD)/tools/symtab: $(SYMTAB_SOURCES) $(SYMTAB_HEADERS) | $(PACKAGES_STAMP)
	@mkdir -p $(@D)
	@echo "  CC  host  symtab"
	@$(HOSTCC) $(HOST_FLAGS) $(SYMTAB_SOURCES) -ldw -lelf -lz -lm -o $@

$(BUILD)/tools/line-noise: tests/host/line_noise.c tools/hbdump/write_all.h | $(PACKAGES_STAMP)
$(BUILD)/tools/port-client: tests/host/port_client.c tools/hbdump/write_all.h | $(PACKAGES_STAMP)
$(BUILD)/tools/line-noise $(BUILD)/tools/port-client:
	@mkdir -p $(@D)
	@echo "  CC  host  $(@F)"
	@$(HOSTCC) $(HOST_FLAGS) $< -o $@

$(BUILD)/tools/judge: $(JUDGE_SOURCES) $(JUDGE_HEADERS) | $(PACKAGES_STAMP)
	@mkdir -p $(@D)
	@echo "  CC  host  judge"
	@$(HOSTCC) $(HOST_FLAGS) $(JUDGE_SOURCES) -ldw -lelf -o $@

# ---- commands ----------------------------------------------------------------------------------------------------------

.PHONY: all
all: $(ELF) $(BUILD)/tools/hbdump

include tools/host-tests.mk
include tools/check.mk
include tools/test.mk
include tools/stress.mk

# What the run leaves behind, by name and in the order people look at it.
RUN_OUT := $(OUT)/$(ARCH)/$(APP_NAME)

# A text for programs that want one: the tree's own, over and over, 16 MB of it.
INPUT_TEXT := README.md $(sort $(wildcard docs/*.md kernel/*.[ch] sched/*.[ch] prof/*.[ch] boot/*.[ch] tools/*/*.[ch]))
$(BUILD)/input.txt: $(INPUT_TEXT)
	@mkdir -p $(@D)
	@while cat $^; do :; done 2> /dev/null | head -c 16000000 > $@

ifeq ($(APP_DIR),apps/wordcount)
INPUT ?= $(BUILD)/input.txt
override ARGS := repeat=$(or $(REPEAT),2) $(ARGS)
endif

# A word for the shell, whatever is in it.
q = '$(subst ','\'',$(1))'
RUN_ENV = ARCH=$(ARCH) MACHINE=$(MACHINE) SMP=$(call q,$(SMP)) MEM=$(call q,$(MEM)) ELF=$(ELF) APP_NAME=$(call q,$(APP_NAME)) \
	OUT_DIR=$(call q,$(RUN_OUT)) HBDUMP=$(BUILD)/tools/hbdump INPUT=$(call q,$(INPUT)) ARGS=$(call q,$(ARGS)) BOOT=$(call q,$(BOOT)) \
	EXACT=$(call q,$(EXACT)) DETERMINISTIC=$(call q,$(DETERMINISTIC)) CPU=$(call q,$(CPU)) TIMEOUT=$(call q,$(TIMEOUT)) \
	BIOS=$(call q,$(or $(BIOS),$(if $(filter riscv64,$(ARCH)),$(OPENSBI_FW)))) TRACE_START=$(call q,$(TRACE_START)) \
	LIVE=$(call q,$(LIVE)) LIVE_VIA=$(call q,$(VIA))

.PHONY: run
run: $(ELF) $(BUILD)/tools/hbdump $(if $(filter riscv64,$(ARCH)),$(OPENSBI_FW)) $(filter $(BUILD)/%,$(INPUT))
	@$(RUN_ENV) tools/run; status=$$?; \
	if [ $$status != 97 ] && [ -f $(RUN_OUT)/cpu.pb.gz ]; then \
		$(BUILD)/tools/hbdump --flame $(RUN_OUT)/cpu.pb.gz -o $(RUN_OUT)/flame.html && echo "flame graph: $(RUN_OUT)/flame.html"; \
		echo "go tool pprof -http=: $(RUN_OUT)/cpu.pb.gz"; fi; exit $$status

# The same without an end of its own, and with the live port. wordcount goes on until Ctrl-C. Profiles that are kept all the time are on.
PORT ?= 6060
SERVE_BOOT = $(foreach o,heap.rate=512K block.rate=10us mutex.fraction=10,$(if $(findstring $(firstword $(subst =, ,$(o)))=,$(BOOT)),,$(o)))
.PHONY: serve
serve:
	@echo "http://localhost:$(PORT)/debug/pprof/    (and on the three ports behind it; Ctrl-C ends it)"
	@echo "go tool pprof 'http://localhost:$(PORT)/debug/pprof/profile?seconds=5'"
	@$(MAKE) run LIVE=$(call q,$(PORT)) TIMEOUT=0 BOOT=$(call q,prof.cpu=off $(SERVE_BOOT) $(BOOT)) REPEAT=$(or $(REPEAT),1000000)

# Go's own view of a profile in the browser, until Ctrl-C. The go command on PATH, else the set-up's; nothing is installed for it.
PROFILE ?= $(RUN_OUT)/cpu.pb.gz
.PHONY: pprof
pprof:
	@BUILD=$(BUILD) tools/pprof $(call q,$(PROFILE))

# ---- gdb, housekeeping -----------------------------------------------------------------------------------------------

GDB_PORT ?= 1234
.PHONY: debug clean fmt help
debug: $(ELF) $(if $(filter riscv64,$(ARCH)),$(OPENSBI_FW)) $(filter $(BUILD)/%,$(INPUT))
	@echo "QEMU waits for gdb. In another terminal:"
	@echo "  gdb-multiarch $(ELF) -ex 'target remote 127.0.0.1:$(GDB_PORT)' -x tools/gdb/hartbeat.py -ex 'hbreak program_run' -ex continue"
	@$(RUN_ENV) TIMEOUT=0 QEMU_ARGS='-gdb tcp:127.0.0.1:$(GDB_PORT) -S' tools/run

fmt:
	@tools/check/format --fix

# Keeps what was downloaded and the libraries built from it.
clean:
	@rm -rf $(OUT) $(filter-out $(DEPS) $(BUILD)/dl,$(wildcard $(BUILD)/*))

help:
	@sed -n 's/^#? \{0,1\}//p' Makefile

# One architecture after the other: figures taken at the same time would disturb each other.
BENCH_ARCHES := $(if $(filter command line environment,$(origin ARCH)),$(ARCH),$(ARCHES))
.PHONY: bench bench-diff
bench:
	@for a in $(BENCH_ARCHES); do ARCH=$$a BUILD=$(BUILD) BENCH=$(call q,$(BENCH)) tools/bench || exit; done

bench-diff:
	@for a in $(BENCH_ARCHES); do ARCH=$$a BUILD=$(BUILD) KEEP=$(KEEP) tools/bench-diff || exit; done
